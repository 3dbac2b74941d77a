"""Set up a private environment beside this file and run something in it.

    python3 start.py run base      any `allot` command, here: plan the reference city
    python3 start.py test          every check and every test (further words go to pytest)

Needs Python 3.11 or newer and a package index, nothing else. The environment is `.venv`; it is made at
the first call and brought up to date when `pyproject.toml` or `constraints.txt` change. To start afresh,
delete `.venv`.
"""

from __future__ import annotations  # so that an older Python gets as far as the message below

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("allot needs Python 3.11 or newer; this is " + sys.version.split()[0])

HERE = Path(__file__).resolve().parent
HOME = HERE / ".venv"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = HOME / "allot-set-up.txt"
EXTRAS = {"plain": "", "full": "[dask,dev,notebook,test]"}
PACKAGES = ["geodata", "optimizer", "scenarios"]
CHECKS = [
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    ["lint-imports", "--no-cache"],
    ["deptry", "."],
]
PYTEST = ["-m", "pytest", "-n", "logical", "--maxprocesses", "4", "--dist", "loadgroup", "--durations", "15"]
SPEED = ["-m", "benchmarks.slowdown", "--repeat", "1", "--short"]  # reported; what is slow fails nothing
NO_INSTALLER = """\
This Python ({python}) comes without its own installer (the module ensurepip), and neither pip nor uv is there.
On Debian and Ubuntu:  sudo apt-get install python3-venv
Elsewhere: install uv, or a Python from your system's usual source, and call this again."""


def call(*command: object) -> int:
    """Run a command to its end, also when Ctrl-C is meant for it; return its exit status."""
    process = subprocess.Popen([str(part) for part in command])
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def has(*command: object) -> bool:
    """Tell whether a command runs without complaint."""
    try:
        return subprocess.run([str(part) for part in command], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_environment() -> list[str]:
    """Make `.venv` anew where it is missing or broken; return the command that installs into it."""
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install"]
    if has(*pip, "--help"):
        return pip
    uv = shutil.which("uv")
    if uv and has(PYTHON, "--version"):
        return [uv, "pip", "install", "--python", str(PYTHON)]
    shutil.rmtree(HOME, ignore_errors=True)
    if has(sys.executable, "-c", "import ensurepip"):
        venv.create(HOME, with_pip=True)
        return pip
    venv.create(HOME, with_pip=False)
    if uv:
        return [uv, "pip", "install", "--python", str(PYTHON)]
    outer = [sys.executable, "-m", "pip"]
    if has(*outer, "--python", PYTHON, "install", "pip"):
        return pip
    shutil.rmtree(HOME, ignore_errors=True)
    sys.exit(NO_INSTALLER.format(python=sys.executable))


def set_up(kind: str) -> None:
    """Install this project with what it needs into `.venv`, unless that has been done; exit where it fails."""
    sources = [(HERE / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    wanted = hashlib.sha256(b"".join([str(HERE).encode(), *sources])).hexdigest()
    done = STAMP.read_text(encoding="utf-8").split() if STAMP.is_file() else []
    if done[:1] == [wanted] and kind in done and PYTHON.exists():
        return
    print(f"Setting up {HOME} (once, a minute or two)", file=sys.stderr, flush=True)
    install = make_environment()
    STAMP.unlink(missing_ok=True)
    if call(*install, "-q", "-c", HERE / "constraints.txt", "-e", f"{HERE}{EXTRAS[kind]}") != 0:
        sys.exit("Could not install what is needed; the lines above say why. Nothing was run.")
    STAMP.write_text(wanted + (" plain full\n" if kind == "full" else " plain\n"), encoding="utf-8")


def test(words: list[str]) -> int:
    """Run every check, then every test; with `words`, only pytest with these. Return 0 if all passed."""
    set_up("full")
    os.chdir(HERE)
    failed = []
    for check in [] if words else CHECKS:
        print(f"== {' '.join(check)}", flush=True)
        if call(BIN / check[0], *check[1:]) != 0:
            failed.append(check[0])
    call(PYTHON, "-m", "compileall", "-q", *PACKAGES)  # also where Python is told to write no bytecode of its own
    status = call(PYTHON, *(["-m", "pytest", *words] if words else PYTEST))
    if not words:
        print(f"== {' '.join(SPEED)}", flush=True)
        status = call(PYTHON, *SPEED) or status
    if failed:
        print(f"Checks that found something, see above: {', '.join(failed)}", file=sys.stderr)
    return status or len(failed)


def main(words: list[str]) -> int:
    """Do what the words say; return the exit status."""
    if not words:
        print(__doc__)
        return 2
    if words[0] == "test":
        return test(words[1:])
    set_up("plain")
    return call(BIN / "allot", *words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
