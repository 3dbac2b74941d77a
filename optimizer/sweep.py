"""A grid of scenarios: one scenario with several values for some keys, every combination a plan of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd

from optimizer.run_folder import Run, read_run
from optimizer.scenario_file import ScenarioError

FIGURES = ["status", "money", "met", "worst_off", "unmet_need", "unmet_need_bound", "gap", "seconds", "run"]
"""Columns of the table of a sweep, after one for every key that varies.

`money` in whole units of the currency, `met` the share met of all person-needs, `worst_off` the score of the worst-off
community, `unmet_need` and its bound in person-needs, `gap` relative, `seconds` of the whole run, `run` its folder.
"""


@dataclass(frozen=True)
class Vary:
    """A key of the scenario and the values it takes, as they were written."""

    key: str
    choices: tuple[str, ...]


def read_vary(words: Sequence[str]) -> list[Vary]:
    """Return what varies, from words such as `horizon.discount=0.02,0.04`.

    Raises ScenarioError with all mistakes: no key, fewer than two values, a key or a value named twice.
    """
    found: list[Vary] = []
    findings: list[str] = []
    for word in words:
        key, equals, text = word.partition("=")
        key, values = key.strip(), tuple(value.strip() for value in text.split(","))
        if not key or not equals or not all(values) or len(values) < 2:
            findings.append(f"--vary {word}  give a key and two values or more, for example horizon.discount=0.02,0.04")
        elif len(set(values)) < len(values):
            findings.append(f"--vary {word}  a value is named twice")
        elif key in {vary.key for vary in found}:
            findings.append(f"--vary {word}  the key is named twice; put all its values together")
        else:
            found.append(Vary(key, values))
    if findings:
        raise ScenarioError(findings)
    return found


def grid(varies: Sequence[Vary]) -> list[tuple[str, ...]]:
    """Return every combination of values, the last key changing fastest."""
    return list(product(*(vary.choices for vary in varies)))


def sweep_table(varies: Sequence[Vary], outcomes: Sequence[Path | str]) -> pd.DataFrame:
    """Return one row per combination: its values and the figures of its plan.

    `outcomes` has a run folder for every combination, or why there is no plan; that goes into `status`.
    """
    rows = []
    for values, outcome in zip(grid(varies), outcomes, strict=True):
        row: dict[str, object] = {vary.key: value for vary, value in zip(varies, values, strict=True)}
        rows.append(row | ({"status": outcome} if isinstance(outcome, str) else _figures(read_run(outcome))))
    return pd.DataFrame(rows, columns=[*(vary.key for vary in varies), *FIGURES])


def _figures(run: Run) -> dict[str, object]:
    needs = run.met[run.met["need_amount"] > 0]
    weight = needs["year"].map(dict(zip(run.years, run.scenario.year_weights(), strict=True)))
    heft = weight * needs["persons"] * needs["weight"]
    unmet = run.stage("unmet_need")
    return {
        "status": run.record.get("status"),
        "money": int(run.ledger["yuan"].sum()),
        "met": round(float((heft * needs["met_share"]).sum() / heft.sum()), 6),
        "worst_off": run.stage("worst_off").get("value"),
        "unmet_need": unmet.get("value"),
        "unmet_need_bound": run.bound("unmet_need"),
        "gap": unmet.get("gap"),
        "seconds": round(sum(float(s) for s in run.record.get("seconds", {}).values()), 1),
        "run": run.folder.as_posix(),
    }
