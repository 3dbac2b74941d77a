"""A grid of scenarios: one scenario with several values for some keys, every combination a plan of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from geodata.city import City
from optimizer.compare_figures import figure_rows
from optimizer.compare_side import measure, measured
from optimizer.facts import Facts
from optimizer.run_folder import Run, read_run, read_run_city
from optimizer.scenario_file import ScenarioError
from optimizer.scenario_merge import changed_keys

WHOLE = ("spent_yuan", "stations")
"""Columns of whole numbers, empty where there is no plan."""
FIGURES = {"money": "spent_yuan", "met": "met_share", "worst_off": "worst_off_score", "unmet_need": "unmet_need",
           "stations": "stations", "gini": "gini"}  # fmt: skip
"""Figures of a comparison that a sweep shows, and their columns."""
COLUMNS = ["status", *FIGURES.values(), "unmet_need_bound", "gap", "seconds", "run"]
"""Columns of the table of a sweep, after one for every key that varies; `docs/run-folder.md` says what they hold."""


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


def set_in_vain(varies: Sequence[Vary], overrides: Sequence[str], values: dict[str, Any]) -> list[str]:
    """Return a line for every change `a.b.c=value` of a key that varies, however the key is called in `values`."""
    lines = []
    for text in overrides:
        for vary in varies:
            varied = {keys for choice in vary.choices for keys in changed_keys(f"{vary.key}={choice}", values)}
            if any(keys[: len(some)] == some for keys in changed_keys(text, values) for some in varied):
                said = f"gives a key that --vary {vary.key}={','.join(vary.choices)} varies, so it would change nothing"
                lines.append(f"--set {text}  {said}; leave one of the two out")
    return lines


def grid(varies: Sequence[Vary]) -> list[tuple[str, ...]]:
    """Return every combination of values, the last key changing fastest."""
    return list(product(*(vary.choices for vary in varies)))


def sweep_table(varies: Sequence[Vary], outcomes: Sequence[Path | str]) -> pd.DataFrame:
    """Return one row per combination: its values and the columns of `COLUMNS`, each plan by its own needs.

    `outcomes` has a run folder for every combination, or why there is no plan; that goes into `status`. Raises
    RunError where a folder is no finished run or its inputs are gone.
    """
    rows, cities = [], {}
    for values, outcome in zip(grid(varies), outcomes, strict=True):
        row: dict[str, object] = {vary.key: value for vary, value in zip(varies, values, strict=True)}
        rows.append(row)
        if isinstance(outcome, str):
            row["status"] = outcome
            continue
        run = read_run(outcome)
        data = run.scenario.data.model_dump_json()
        if data not in cities:
            cities[data] = read_run_city(run)
        row.update(_figures(run, cities[data]))
    table = pd.DataFrame(rows, columns=[*(vary.key for vary in varies), *COLUMNS])
    return table.astype(dict.fromkeys(WHOLE, "Int64"))


def _figures(run: Run, city: City) -> dict[str, object]:
    facts = Facts(run, city)
    side = measured("", facts, measure(facts))
    found = {figure: value for figure, group, _, value, *_ in figure_rows([side]) if figure in FIGURES and not group}
    return {
        "status": run.record.get("status"),
        **{column: found.get(figure) for figure, column in FIGURES.items()},
        "unmet_need_bound": run.bound("unmet_need"),
        "gap": run.stage("unmet_need").get("gap"),
        "seconds": round(sum(float(s) for s in run.record.get("seconds", {}).values()), 1),
        "run": run.folder.as_posix(),
    }
