"""Has something become slower? A few small tasks, each as a ratio against a reference solve in the same run.

    python -m benchmarks.slowdown             measure, and compare with what is recorded
    python -m benchmarks.slowdown --record    write what was measured to `benchmarks/slowdown.json`

The reference is a linear programme given straight to HiGHS, with none of this project's code. CPU seconds of this
process, the least of the repetitions, so that neither the machine nor other work on it decides much. What is more than
`SLOWER` times its recorded ratio is marked; the exit status is 0 all the same, as a measurement is no proof.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.array_bridge import direct, location
from benchmarks.joint_model import problem_of, relaxed_bound
from benchmarks.run_benchmarks import machine, table
from benchmarks.siting_sets import scattered
from geodata.read import read_city
from optimizer.highs import solve
from optimizer.joint import build_joint
from optimizer.progress import Silent
from optimizer.scenario_file import load_scenario
from optimizer.search import find_plan
from optimizer.siting import p_median
from optimizer.watch import Watch

RECORD = Path(__file__).resolve().parent / "slowdown.json"
SLOWER = 1.5
"""Ratios differ by a third between machines and runs; what differs by more deserves a look."""
LONGEST = "all goals of one year"


def tasks() -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    data = load_scenario("one_year").resolved["data"]
    problem = problem_of("one_year")
    joint = build_joint(problem)
    distances = scattered(400)

    def planned() -> object:
        return find_plan(build_joint(problem), Watch(Silent(), threading.Event()))

    return {
        "reading the reference city": lambda: read_city(
            data["path"], crs=data["crs"], metric_crs=data["metric_crs"], layers=data["layers"]
        ),
        "the problem and the joint model of one year": lambda: build_joint(problem_of("one_year")),
        "prices of one year": lambda: relaxed_bound(joint),
        LONGEST: planned,
        "p-median 400 × 400, p = 20": lambda: p_median(distances, p=20),
    }


def cpu_seconds(task: Callable[[], object], repeat: int) -> float:
    """Least CPU seconds of a task, over all its threads."""
    least = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        task()
        least = min(least, time.process_time() - start)
    return least


def measured(repeat: int = 2, *, short: bool = False) -> dict[str, float]:
    """Return every task's CPU seconds as a multiple of the reference solve's, measured before and after it.

    Where it is to be `short`, the longest task is left out.
    """
    arrays = location(300, 60)
    solve(arrays)  # keeps the solver's first words off the page, and warms it up
    ratios = {}
    before = cpu_seconds(lambda: direct(arrays), repeat + 1)
    for name, task in tasks().items():
        if short and name == LONGEST:
            continue
        seconds = cpu_seconds(task, repeat)
        after = cpu_seconds(lambda: direct(arrays), repeat)
        ratios[name] = seconds / min(before, after)
        before = after
    return ratios


def compared(ratios: dict[str, float], recorded: dict[str, float]) -> tuple[list[list[str]], list[str]]:
    """Return the rows of the table, and the names of what takes more than `SLOWER` times what is recorded."""
    rows, slower = [], []
    for name, ratio in ratios.items():
        old = recorded.get(name)
        mark = "new" if old is None else "slower" if ratio > SLOWER * old else ""
        slower += [name] if mark == "slower" else []
        rows.append([name, f"{ratio:.2f}", "–" if old is None else f"{old:.2f}", mark])
    return rows, slower


def main(words: list[str] | None = None) -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description="Compare the speed of a few tasks with what is recorded.")
    parser.add_argument("--record", action="store_true", help="write what was measured")
    parser.add_argument("--repeat", type=int, default=2, help="repetitions, of which the least counts")
    parser.add_argument("--short", action="store_true", help=f"without: {LONGEST}")
    chosen = parser.parse_args(words)
    ratios = measured(chosen.repeat, short=chosen.short)
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    rows, slower = compared(ratios, recorded)
    print(machine())
    print(table(["what", "times the reference solve", "recorded", ""], rows))
    if slower:
        print(f"Slower than recorded by more than half: {', '.join(slower)}. Measure again before believing it.")
    if chosen.record:
        text = json.dumps({name: round(ratio, 2) for name, ratio in ratios.items()}, indent=2, ensure_ascii=False)
        RECORD.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
