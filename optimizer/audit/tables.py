"""The files of a run folder as the contract has them: columns, kinds and keys of tables; and reading them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optimizer.audit.report import Recorder, reason

COLUMNS: dict[str, tuple[str, ...]] = {
    "grants": ("community", "year", "entitled_yuan", "grant_yuan", "class"),
    "space": ("community", "year", "instrument", "area_m2", "cost_yuan", "site", "use"),
    "stations": (
        "site",
        "service",
        "level",
        "year",
        "status",
        "capacity",
        "area_m2",
        "capital_yuan",
        "running_yuan",
        "community",
        "district",
    ),
    "assignments": ("community", "site", "service", "year", "amount", "travel_m"),
    "met": ("community", "need", "year", "need_amount", "met_amount", "met_share", "unit", "persons", "weight"),
    "ledger": ("source", "purpose", "district", "community", "year", "yuan", "service", "site"),
    "sources": (
        "source",
        "year",
        "amount_yuan",
        "carried_in_yuan",
        "spent_yuan",
        "carried_out_yuan",
        "lapsed_yuan",
    ),
    "source_ledger": (
        "source",
        "year",
        "purpose",
        "district",
        "carried_in_yuan",
        "new_yuan",
        "opening_yuan",
        "committed_yuan",
        "spent_yuan",
        "closing_yuan",
        "carried_out_yuan",
        "lapsed_yuan",
        "matched_yuan",
        "committed_later_yuan",
    ),
    "scores": ("community", "year", "score", "set_aside"),
}
ASKED_FOR: dict[str, tuple[str, ...]] = {  # columns that only some scenarios have
    "ledger": ("yearly_yuan",),
    "sources": ("split_yuan", "apart_yuan"),
}
ONLY_SOME: dict[str, tuple[str, ...]] = {  # tables of some scenarios
    "debts": ("community", "year", "debt_yuan", "relief_yuan", "left_yuan")
}
MAY_LACK = {"stations": ("moved",), "space": ("given_m2",)}  # columns that count as 0 where a table is without
KEYS: dict[str, tuple[str, ...]] = {
    "grants": ("community", "year"),
    "space": ("community", "site", "year"),
    "stations": ("site", "service", "level", "year"),
    "assignments": ("community", "site", "service", "year"),
    "met": ("community", "need", "year"),
    "ledger": ("source", "purpose", "district", "community", "year", "service", "site"),
    "sources": ("source", "year"),
    "source_ledger": ("source", "year", "purpose", "district"),
    "scores": ("community", "year"),
    "debts": ("community", "year"),
}
WHOLE_HORIZON = 0  # year of the rows of scores.csv whose year is empty
_NUMBERS = {
    "area_m2",
    "given_m2",
    "capacity",
    "amount",
    "travel_m",
    "need_amount",
    "met_amount",
    "met_share",
    "persons",
    "weight",
    "score",
}
_WHOLE = r"-?[0-9]{1,18}"
_DECIMAL = r"-?[0-9]{1,18}(\.[0-9]{1,6})?"


def read_tables(folder: Path, recorder: Recorder) -> dict[str, pd.DataFrame] | None:
    """Return the tables of a run folder with their numbers converted, or None where the audit cannot go on.

    Rows that repeat a key are recorded and left out. Missing tables and columns and values that are no numbers
    are recorded.
    """
    tables = {}
    some = {name: columns for name, columns in ONLY_SOME.items() if (folder / "tables" / f"{name}.csv").exists()}
    for name, columns in {**COLUMNS, **some}.items():
        path = folder / "tables" / f"{name}.csv"
        recorder.checked("files", 1)
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
        except (OSError, ValueError) as error:
            recorder.find("files", f"the table cannot be read: {reason(error)}", table=name)
            continue
        for column in MAY_LACK.get(name, ()):
            table[column] = table[column] if column in table.columns else "0"
        missing = [column for column in columns if column not in table.columns]
        recorder.checked("columns", len(columns))
        if missing:
            recorder.find("columns", f"columns are missing: {', '.join(missing)}", table=name, value=", ".join(missing))
            continue
        more = [column for column in ASKED_FOR.get(name, ()) if column in table.columns] + list(MAY_LACK.get(name, ()))
        tables[name] = _unique(name, _converted(name, table[[*columns, *more]], recorder), recorder)
    return tables if len(tables) == len(COLUMNS) + len(some) else None


def _converted(name: str, table: pd.DataFrame, recorder: Recorder) -> pd.DataFrame:
    """Convert years, yuan and numbers; what is none becomes 0 and is recorded."""
    out = table.copy()
    for column in table.columns:
        text = table[column].astype(str)
        if column == "year" and name == "scores":
            text = text.where(text != "", str(WHOLE_HORIZON))
        whole = column in {"year", "yuan", "set_aside", "moved"} or column.endswith("_yuan")
        if not whole and column not in _NUMBERS:
            continue
        good = text.str.fullmatch(_WHOLE if whole else _DECIMAL).to_numpy(dtype=bool)
        recorder.judge(
            "values",
            name,
            table,
            good,
            key=KEYS[name],
            value=column,
            limit="",
            message=f"{column} = {{{column}}} is not "
            + ("a whole number" if whole else "a number of at most six decimals"),
        )
        number = text.where(good, "0").astype(np.int64 if whole else float)
        recorder.judge(
            "values",
            name,
            table,
            (number >= 0).to_numpy(dtype=bool),
            key=KEYS[name],
            value=column,
            limit="",
            message=f"{column} = {{{column}}} is below 0",
        )
        out[column] = number
    return out


def _unique(name: str, table: pd.DataFrame, recorder: Recorder) -> pd.DataFrame:
    """Record rows whose key stands twice and return the table without them."""
    key = KEYS[name]
    twice = table.duplicated(list(key)).to_numpy(dtype=bool)
    recorder.judge(
        "keys", name, table, ~twice, key=key, value="", limit="", message=f"the same {', '.join(key)} stands twice"
    )
    return table.loc[~twice].reset_index(drop=True)


def read_json(path: Path, recorder: Recorder) -> dict[str, Any] | None:
    """Return the record of a run, or None (and a finding)."""
    recorder.checked("files", 1)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        recorder.find("files", f"the record cannot be read: {reason(error)}", table=path.name)
        return None
    if not isinstance(value, dict):
        recorder.find("files", "the record is no mapping", table=path.name)
        return None
    return value


def read_yaml(path: Path, recorder: Recorder) -> dict[str, Any] | None:
    """Return the resolved scenario as plain values, or None (and a finding)."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    recorder.checked("files", 1)
    try:
        value = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        recorder.find("files", f"the scenario cannot be read: {reason(error)}", table=path.name)
        return None
    if not isinstance(value, dict):
        recorder.find("files", "the scenario is no mapping", table=path.name)
        return None
    return value
