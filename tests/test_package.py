"""The wheel works outside the checkout: it carries the reference city and the scenarios."""

import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the checkout."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(root)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command `allot` in an environment of its own that borrows the libraries of this one."""
    pytest.importorskip("ensurepip")
    home = tmp_path_factory.mktemp("环境 empty") / "env"
    venv.create(home, with_pip=True)
    binaries = home / ("Scripts" if os.name == "nt" else "bin")
    python = next(binaries.glob("python*"))
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    library = Path(subprocess.run(ask, capture_output=True, encoding="utf-8", check=True).stdout.strip())
    (library / "borrowed.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    install = [str(python), "-m", "pip", "install", "-q", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return next(binaries.glob("allot*"))


def allot(command: Path, *words: str, folder: Path) -> str:
    """Run the installed command in a folder and return what it printed; fail where it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(command), *words],
        cwd=folder,
        env={**environment, "PYTHONUTF8": "1", "NO_COLOR": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_wheel_carries_city_and_scenarios_and_nothing_else(wheel: Path, root: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "geodata/reference/mianyang/mianyang.gpkg" in names
    for path in (root / "scenarios").glob("*.yaml"):
        assert f"scenarios/{path.name}" in names
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"optimizer", "geodata", "scenarios"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 8_000_000


def test_help(installed: Path, tmp_path: Path) -> None:
    assert "compare" in allot(installed, "--help", folder=tmp_path)


def test_scenarios(installed: Path, tmp_path: Path) -> None:
    assert "budget_cut" in allot(installed, "scenarios", folder=tmp_path)


def test_check_of_the_reference_city(installed: Path, tmp_path: Path) -> None:
    allot(installed, "check", "mianyang", folder=tmp_path)


def test_code_comes_from_the_wheel(installed: Path, tmp_path: Path, root: Path) -> None:
    python = next(installed.parent.glob("python*"))
    ask = [str(python), "-I", "-c", "import optimizer, geodata, scenarios; print(optimizer.__file__)"]
    where = subprocess.run(ask, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    assert root not in Path(where).parents
