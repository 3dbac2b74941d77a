"""Read a finished run folder: its record and its tables, typed.

Nothing of the model is needed: a run folder and the inputs it names hold everything the report says.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from optimizer.identity import file_hash
from optimizer.scenario import Scenario

if TYPE_CHECKING:
    from geodata.city import City

TEXT = "str"
ALL_PLANS = "all plans"  # scope of a bound that holds for every plan of the scenario
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "grants": {
        "community": TEXT, "year": "int64", "entitled_yuan": "int64", "grant_yuan": "int64", "class": TEXT,
    },
    "space": {
        "community": TEXT, "year": "int64", "instrument": TEXT, "area_m2": "float64", "cost_yuan": "int64",
        "site": TEXT, "use": TEXT,
    },
    "stations": {
        "site": TEXT, "service": TEXT, "level": TEXT, "year": "int64", "status": TEXT, "capacity": "float64",
        "area_m2": "float64", "capital_yuan": "int64", "running_yuan": "int64", "community": TEXT, "district": TEXT,
    },
    "assignments": {
        "community": TEXT, "site": TEXT, "service": TEXT, "year": "int64", "amount": "float64", "travel_m": "float64",
    },
    "met": {
        "community": TEXT, "need": TEXT, "year": "int64", "need_amount": "float64", "met_amount": "float64",
        "met_share": "float64", "unit": TEXT, "persons": "float64", "weight": "float64",
    },
    "ledger": {
        "source": TEXT, "purpose": TEXT, "district": TEXT, "community": TEXT, "year": "int64", "yuan": "int64",
        "service": TEXT, "site": TEXT,
    },
    "sources": {
        "source": TEXT, "year": "int64", "amount_yuan": "int64", "carried_in_yuan": "int64", "spent_yuan": "int64",
        "carried_out_yuan": "int64", "lapsed_yuan": "int64",
    },
    "source_ledger": {
        "source": TEXT, "year": "int64", "purpose": TEXT, "district": TEXT, "carried_in_yuan": "int64",
        "new_yuan": "int64", "opening_yuan": "int64", "committed_yuan": "int64", "spent_yuan": "int64",
        "closing_yuan": "int64", "carried_out_yuan": "int64", "lapsed_yuan": "int64", "matched_yuan": "int64",
        "committed_later_yuan": "int64",
    },
    "scores": {"community": TEXT, "year": "Int64", "score": "float64", "set_aside": "int64"},
}  # fmt: skip


REMEDY = "put back what was written there, or make the plan again (allot run)"
WORDS = ("site", "community", "service", "level", "centre", "hangs_on", "hangs_on_level", "since")
"""Columns of text in the tables beside `COLUMNS`; all others hold numbers."""
LEVELS = ("site", "service", "level", "centre", "travel_m", "hangs_on", "hangs_on_level", "since")
ONE_STOP = ("site", "community", "services", "area_m2", "alone_m2", "cost_yuan", "alone_yuan", "saved_yuan")
REFERRALS = ("site", "service", "level", "year", "served", "referred_in", "referred_on")


class RunError(Exception):
    """A folder is not a finished run, or its files cannot be read; the message says which and why."""


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, `run.json`, its scenario with every default, and its tables.

    Tables have the columns of `COLUMNS` in that order (more may follow). Money is in whole units of the
    scenario's currency, areas in m2, travel in metres, shares and scores between 0 and 1.
    """

    folder: Path
    record: dict[str, Any]
    scenario: Scenario
    grants: pd.DataFrame
    space: pd.DataFrame
    stations: pd.DataFrame
    assignments: pd.DataFrame
    met: pd.DataFrame
    ledger: pd.DataFrame
    sources: pd.DataFrame
    source_ledger: pd.DataFrame
    scores: pd.DataFrame

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return str(self.record.get("scenario") or self.scenario.name)

    @property
    def title(self) -> str:
        """Title of the scenario, its name where it has none."""
        return self.scenario.title or self.name

    @property
    def changes(self) -> str:
        """What the command line changed of the scenario, as `key = value; key = value`; empty where nothing was."""
        return "; ".join(map(str, self.record.get("changes") or []))

    @property
    def years(self) -> list[int]:
        """Calendar years of the plan."""
        return self.scenario.years

    def stage(self, goal: str) -> dict[str, Any]:
        """Return the record of one goal's stage; empty where the run did not reach it."""
        found: dict[str, Any] = next((s for s in self.record.get("stages", []) if s.get("goal") == goal), {})
        return found

    def bound(self, goal: str) -> float | None:
        """Return the bound no plan of the scenario can pass; None where it was proven for some plans only, or not."""
        stage = self.stage(goal)
        bound = stage.get("bound") if str(stage.get("scope") or ALL_PLANS) == ALL_PLANS else None
        return None if bound is None else float(bound)

    @cached_property
    def one_stop(self) -> pd.DataFrame:
        """Buildings that several services share, with what that saves; empty for plans from before this table."""
        return self._some("one_stop", ONE_STOP)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """What hangs on what in services with levels; empty where no service has any."""
        return self._some("levels", LEVELS)

    @cached_property
    def referrals(self) -> pd.DataFrame:
        """What stations and centres of services with levels serve, take in and refer; empty where none has any."""
        return self._some("referrals", REFERRALS)

    @cached_property
    def further(self) -> dict[str, pd.DataFrame]:
        """Every table of the folder that is not in `COLUMNS`, by its name: those that only some plans have."""
        names = sorted(path.stem for path in (self.folder / "tables").glob("*.csv"))
        return {name: self._some(name, ()) for name in names if name not in COLUMNS}

    def _some(self, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
        """Read a table that only some plans have; empty where this one has none."""
        path = self.folder / "tables" / f"{name}.csv"
        if not path.is_file():
            return pd.DataFrame(columns=list(columns))
        frame = pd.read_csv(path, dtype=TEXT, keep_default_na=False, encoding="utf-8")
        for column in frame.columns.difference(list(WORDS)):
            frame[column] = pd.to_numeric(frame[column].where(frame[column] != ""))
        return frame

    def table(self, name: str) -> pd.DataFrame:
        """Return the table called `name`."""
        if name not in COLUMNS:
            raise KeyError(name)
        frame: pd.DataFrame = getattr(self, name)
        return frame


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Read `tables/<name>.csv` with the types of `COLUMNS`; raise RunError where that is not possible."""
    path = folder / "tables" / f"{name}.csv"
    types = COLUMNS[name]
    try:
        frame = pd.read_csv(path, dtype=TEXT, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise RunError(f"{path}: missing; {REMEDY}") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    missing = [column for column in types if column not in frame.columns]
    if missing:
        raise RunError(f"{path}: columns missing: {', '.join(missing)}")
    for column, kind in types.items():
        if kind == TEXT:
            continue
        try:
            values = pd.to_numeric(frame[column].where(frame[column] != ""), errors="raise")
            frame[column] = values.astype(kind)  # type: ignore[call-overload]
        except (ValueError, TypeError) as error:
            raise RunError(f"{path}: column {column} holds something that is not a number ({error})") from None
    if name == "space":  # plans from before swaps gave anything up are without
        frame["given_m2"] = pd.to_numeric(frame["given_m2"]) if "given_m2" in frame.columns else 0.0
    return frame[[*types, *(c for c in frame.columns if c not in types)]]


def read_record(folder: Path) -> dict[str, Any]:
    """Read `run.json`; raise RunError where the folder is not a finished run."""
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder}: not a run folder (no run.json in it)") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    if not isinstance(record, dict):
        raise RunError(f"{path}: must hold an object")
    return record


def spoilt_tables(folder: Path, record: Mapping[str, Any]) -> list[str]:
    """Return which tables of a run are missing, or not as `record` says they were written, in words.

    Records from before tables were hashed tell only what is missing.
    """
    hashes = record.get("tables")
    hashes = hashes if isinstance(hashes, dict) else {}
    said = []
    for name in sorted({*hashes, *(f"{table}.csv" for table in COLUMNS)}):
        path = folder / "tables" / name
        try:
            if name in hashes and file_hash(path) != hashes[name]:
                said.append(f"{path}: changed since the plan was made")
            elif not path.is_file():
                said.append(f"{path}: missing")
        except FileNotFoundError:
            said.append(f"{path}: missing")
        except OSError as error:
            said.append(f"{path}: cannot be read ({error.strerror or error})")
    return said


def must_be_whole(folder: Path) -> None:
    """Raise RunError where a folder is not a finished run with the tables it was written with."""
    spoilt = spoilt_tables(folder, read_record(folder))
    if spoilt:
        raise RunError("\n".join(f"{line}; {REMEDY}" for line in spoilt))


def read_scenario(folder: Path) -> Scenario:
    """Read `scenario.resolved.yaml` of a run folder; raise RunError where it cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = folder / "scenario.resolved.yaml"
    try:
        with path.open(encoding="utf-8") as file:
            content = YAML(typ="safe").load(file)
        return Scenario.model_validate(content)
    except FileNotFoundError:
        raise RunError(f"{path}: missing; the folder is not a finished run") from None
    except (OSError, ValueError, YAMLError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None


def read_run(folder: Path | str, scenario: Scenario | None = None) -> Run:
    """Read a finished run folder; `scenario` is read from the folder where it is not given.

    Raises RunError with the file and the reason where the folder is not a finished run as it was written.
    """
    folder = Path(folder)
    must_be_whole(folder)
    record = read_record(folder)
    scenario = scenario or read_scenario(folder)
    return Run(folder, record, scenario, **{name: read_table(folder, name) for name in COLUMNS})


def read_run_city(run: Run) -> "City":
    """Read the city a run was planned for, from the inputs its scenario names.

    Raises RunError where the inputs are gone.
    """
    from geodata.findings import InputError
    from geodata.read import read_city

    data = run.scenario.data
    layers = {name: layer.model_dump() for name, layer in data.layers.items()}
    try:
        return read_city(data.path, crs=data.crs, metric_crs=data.metric_crs, layers=layers, base=run.folder)
    except (OSError, InputError) as error:
        raise RunError(f"{run.folder}: its inputs cannot be read again from {data.path} ({error})") from None
