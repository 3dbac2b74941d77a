"""Measure a sweep against one run: `python -m benchmarks.sweep base`.

Twenty scenarios: five budgets of the city times four discount rates. Prints seconds in all of `allot run` and of
`allot sweep`, how many runs the sweep costs, and the table of the sweep. On a quiet machine; nothing is written but in
a temporary folder.
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.run_benchmarks import machine, measure, plan, table

VARY = ("sources.city_finance.scale=1.0,0.9,0.95,1.05,1.1", "horizon.discount=0.03,0.02,0.04,0.05")


def main() -> None:
    """Measure from the command line."""
    parser = argparse.ArgumentParser(description="Measure a sweep against one run.")
    parser.add_argument("scenario", nargs="?", default="base", help="shipped scenario or file")
    parser.add_argument("--vary", action="append", metavar="KEY=A,B", help="values of a key, instead of the twenty")
    words = parser.parse_args()
    vary = words.vary or VARY
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = plan(words.scenario, words.scenario, [], folder)
        out = folder / "sweep"
        wall = measure(["sweep", words.scenario, *(w for v in vary for w in ("--vary", v)), "--out", str(out)], folder)
        made = pd.read_csv(out / "sweep.csv")
    rows = [
        ["one run", f"{one['wall_seconds']:.0f}"],
        [f"sweep of {len(made)}", f"{wall:.0f}"],
        ["runs it costs", f"{wall / one['wall_seconds']:.1f}"],
    ]
    print(machine())
    print(table(["what", "in all, s"], rows))
    print(made.drop(columns="run").to_string(index=False))


if __name__ == "__main__":
    main()
