"""Measure a frontier against one run: `python -m benchmarks.frontier base --points 15`.

Prints seconds of search and in all of `allot run` and of `allot frontier`, how many runs the frontier costs, and the
gap of every plan. On a quiet machine; nothing is written but in a temporary folder.
"""

import argparse
import json
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.run_benchmarks import machine, measure, plan, table


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description="Measure a frontier against one run.")
    parser.add_argument("scenario", nargs="?", default="base", help="shipped scenario or file")
    parser.add_argument("--points", type=int, default=15, help="points of the frontier")
    parser.add_argument("--between", nargs="+", default=["worst_off", "unmet_need"], help="goals")
    parser.add_argument("--budget", default="", help="a range of budgets instead of goals")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = plan(words.scenario, words.scenario, [], folder)
        out = folder / "frontier"
        asked = ["--budget", words.budget] if words.budget else ["--between", ",".join(words.between)]
        wall = measure(["frontier", words.scenario, *asked, "--points", str(words.points), "--out", str(out)], folder)
        made = json.loads((out / "frontier.json").read_text(encoding="utf-8"))
        gaps = pd.read_csv(out / "frontier.csv")["gap"]
    single, many = float(one["seconds"]["solving"]), float(made["seconds"]["solving"])
    rows = [
        ["one run", f"{single:.0f}", f"{one['wall_seconds']:.0f}"],
        [f"frontier of {words.points} points", f"{many:.0f}", f"{wall:.0f}"],
        ["runs it costs", f"{many / single:.1f}", f"{wall / one['wall_seconds']:.1f}"],
    ]
    print(machine())
    print(table(["what", "search, s", "in all, s"], rows))
    print("gaps of the plans, %:", ", ".join(f"{100 * gap:.2g}" for gap in gaps))


if __name__ == "__main__":
    main()
