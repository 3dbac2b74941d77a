"""Measure the claims of speed and of quality; write `benchmarks/results.md` with machine, versions and date.

    python -m benchmarks.run_benchmarks                      base, one_year, the checks, the start of the command
    python -m benchmarks.run_benchmarks --years 1 2 5 10     base over so many years instead
    python -m benchmarks.run_benchmarks --sizes 100 396 1000 4000    structured cities of so many communities
    python -m benchmarks.run_benchmarks --hard 396           a city where every service may stand anywhere

`--set KEY=VALUE` goes to every plan, `--add` keeps what the page has and adds to it. Every plan is made by the command
line in a process of its own, as a planner would; figures come from its `run.json`.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.instances import Variant, write_instance
from optimizer.version import versions

HERE = Path(__file__).resolve().parent
ALLOT = [sys.executable, "-c", "from optimizer.cli import main; main()"]
PHASES = ("reading", "checking", "travel", "building", "solving", "rounding", "audit", "report")
SECONDS = 5400


def measure(words: list[str], folder: Path) -> float:
    """Run `allot WORDS` in a folder and return its wall seconds; RuntimeError with its output where it fails."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "PYTHONUTF8": "1", "NO_COLOR": "1"}
    start = time.perf_counter()
    done = subprocess.run(
        [*ALLOT, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"allot {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return seconds


def plan(name: str, scenario: str, settings: list[str], folder: Path) -> dict[str, Any]:
    """Plan a scenario with settings; return its `run.json`, its scenario called `name`, with `wall_seconds` added."""
    out = folder / "run"
    shutil.rmtree(out, ignore_errors=True)
    wall = measure(["run", scenario, *(word for s in settings for word in ("--set", s)), "--out", str(out)], folder)
    record: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {**record, "scenario": name, "wall_seconds": wall}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows]) + "\n"


def plans_table(records: list[dict[str, Any]]) -> str:
    """Return the table of plans: status, gap of unmet need, wall seconds, seconds by phase, peak memory."""
    head = [
        "scenario",
        "status",
        "gap of unmet need",
        "wall, s",
        *(f"{phase}, s" for phase in PHASES),
        "peak memory, MB",
    ]
    return table(head, [_plan_row(record) for record in records])


def _plan_row(record: dict[str, Any]) -> list[str]:
    phases = [f"{float(record['seconds'].get(phase, 0)):.1f}" for phase in PHASES]
    gap = "none proven" if record["gap"] is None else f"{100 * float(record['gap']):.2f} %"
    memory = f"{float(record['peak_memory_mb']):,.0f}"
    return [record["scenario"], record["status"], gap, f"{record['wall_seconds']:.0f}", *phases, memory]


def goals_table(records: list[dict[str, Any]]) -> str:
    """Return the table of goals: value, bound, gap, the gap before later goals took from it, seconds, of every plan."""
    rows = [[record["scenario"], *_goal_row(stage)] for record in records for stage in record["stages"]]
    return table(["scenario", "goal", "value", "proven bound", "gap", "gap when it ended", "seconds", "unit"], rows)


def _goal_row(stage: dict[str, Any]) -> list[str]:
    value, bound, gap = stage["value"], stage["bound"], stage["gap"]
    figures = ["–" if figure is None else f"{figure:,.6g}" for figure in (value, bound)]
    shares = ["–" if g is None else f"{100 * g:.2f} %" for g in (gap, stage.get("reached_gap"))]
    return [stage["goal"], *figures, *shares, f"{stage['seconds']:.1f}", str(stage.get("unit", ""))]


def machine() -> str:
    """Return one line on the machine: processors, memory, system, and the versions that a plan depends on."""
    found = ", ".join(f"{name} {version}" for name, version in versions().items())
    return f"{os.cpu_count()} cores ({_processor()}), {_memory()}{platform.system()} {platform.machine()}; {found}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return ""
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB, "


def quick_table(folder: Path) -> str:
    """Return the table of short commands: the best of three wall seconds each."""
    commands = [["--help"], ["scenarios"], ["check", "mianyang"]]
    rows = [[f"allot {' '.join(words)}", f"{min(measure(words, folder) for _ in range(3)):.2f}"] for words in commands]
    return table(["command", "best of three, s"], rows)


def report(records: list[dict[str, Any]], quick: str, words: list[str]) -> str:
    """Return the page of one measurement, made with `words`."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    command = " ".join(["python -m benchmarks.run_benchmarks", *(f"'{w}'" if " " in w else w for w in words)])
    parts = [
        f"## {today}: `{command}`\n",
        f"On {machine()}.\n",
        plans_table(records),
        "The goals, one after another; a value is never further from the best possible than its gap:\n",
        goals_table(records),
    ]
    return "\n".join([*parts, *([quick] if quick else [])])


def measured(words: list[str]) -> list[str]:
    """Return the words of the command that say what is measured, not where it is written."""
    kept, skip = [], False
    for word in words:
        if not skip and word not in ("--add", "--out"):
            kept.append(word)
        skip = word == "--out"
    return kept


def asked(words: argparse.Namespace, folder: Path) -> list[tuple[str, str, list[str]]]:
    """Return what is to be planned: name, scenario and settings of each."""
    plans: list[tuple[str, str, list[str]]] = [
        (Path(s).stem, str(Path(s).resolve()) if Path(s).is_file() else s, []) for s in words.scenarios
    ]
    plans += [(f"base, {n} years", "base", [f"horizon.years={n}"]) for n in words.years]
    cities: list[tuple[Variant, int]] = [("structured", n) for n in words.sizes]
    for kind, size in [*cities, *(("hard", n) for n in words.hard)]:
        for seed in words.seeds:
            name = f"{kind}, {size} communities, seed {seed}"
            plans.append((name, str(write_instance(folder / f"{kind}-{size}-{seed}", size, seed, kind)), []))
    return [(name, scenario, [*settings, *words.set]) for name, scenario, settings in plans]


def main() -> None:
    """Run the benchmarks from the command line."""
    parser = argparse.ArgumentParser(description="Measure plans and short commands; write benchmarks/results.md.")
    parser.add_argument("scenarios", nargs="*", help="shipped scenarios or files; base, one_year if nothing is asked")
    parser.add_argument("--years", type=int, nargs="*", default=[], metavar="N", help="base over so many years")
    parser.add_argument("--sizes", type=int, nargs="*", default=[], metavar="N", help="structured cities")
    parser.add_argument("--hard", type=int, nargs="*", default=[], metavar="N", help="hard cities")
    parser.add_argument("--seeds", type=int, nargs="*", default=[2006], help="seeds of the synthetic cities")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="setting for every plan")
    parser.add_argument("--add", action="store_true", help="keep what the page has")
    parser.add_argument("--out", type=Path, default=HERE / "results.md", help="page to write")
    words = parser.parse_args()
    usual = not (words.scenarios or words.years or words.sizes or words.hard)
    if usual:
        words.scenarios = ["base", "one_year"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = []
        for entry in asked(words, folder):
            try:
                records.append(plan(*entry, folder))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                print(f"{entry[0]}: {error}", flush=True)
                continue
            print(" ".join(_plan_row(records[-1])), flush=True)
        page = report(records, quick_table(folder) if usual else "", measured(sys.argv[1:]))
    before = words.out.read_text(encoding="utf-8") if words.add and words.out.is_file() else "# Measured\n"
    words.out.write_text(before + "\n" + page, encoding="utf-8", newline="\n")
    print(f"Written to {words.out}")


if __name__ == "__main__":
    main()
