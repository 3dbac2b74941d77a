"""Rules of the files: names, completeness, and hashes of the inputs."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder
from optimizer.audit.tables import KEYS, WHOLE_HORIZON


def check_names(case: Case, recorder: Recorder) -> dict[str, pd.DataFrame]:
    """Check that every name and year is one of the inputs; return the tables without the rows where one is not."""
    needs = {"work_funds", "space", *case.services, "debt_relief"}
    places = set(case.places.index)
    known: dict[str, set[object]] = {
        "community": set(case.communities.index),
        "year": set(case.years),
        "service": set(case.services),
        "need": set(needs),
        "site": set(places),
        "source": set(case.scenario["sources"]),
        "district": set(case.communities["district"]),
        "purpose": {"work_funds", "space", "service_capital", "service_running", "debt_relief"},
        "level": {"outlet", "station", "centre"},
    }
    empty = {
        "ledger": {"community", "service", "site"},
        "source_ledger": {"purpose", "district"},
    }
    out = {}
    for name, table in case.tables.items():
        good = pd.Series(True, index=table.index)
        for column in table.columns:
            if column not in known:
                continue
            fits = table[column].isin(known[column])
            if column in empty.get(name, set()):
                fits |= table[column] == ""
            if name == "scores" and column == "year":
                fits |= table[column] == WHOLE_HORIZON
            unknown = f"unknown {column} " + table[column].astype(str)
            recorder.judge(
                "names",
                name,
                table.assign(said=np.where(table[column] == "", f"the {column} is empty", unknown)),
                fits,
                key=KEYS[name],
                value=column,
                limit="",
                message="{said}",
            )
            good &= fits
        out[name] = table[good].reset_index(drop=True)
    return out


def check_complete(case: Case, recorder: Recorder) -> None:
    """Check that tables that must name everything do: grants, needs, sources, scores."""
    communities, years = list(case.communities.index), case.years
    scored = case.needs[case.needs["need_amount"] * case.needs["weight"] > 0].index.get_level_values("community")
    wanted = {
        "grants": pd.MultiIndex.from_product([communities, years]),
        "met": case.needs.index,
        "sources": pd.MultiIndex.from_product([list(case.scenario["sources"]), years]),
        "scores": pd.MultiIndex.from_product([scored.unique(), [*years, WHOLE_HORIZON]]),
    }
    for name, index in wanted.items():
        there = pd.MultiIndex.from_frame(case.tables[name][list(KEYS[name])])
        rows = pd.DataFrame(index.to_list(), columns=list(KEYS[name])).replace({"year": {WHOLE_HORIZON: "all years"}})
        recorder.judge(
            "complete", name, rows, index.isin(there), key=KEYS[name], value="", limit="", message="the row is missing"
        )


def check_hashes(case: Case, recorder: Recorder) -> None:
    """Check that every file of the city is named in the record and has the hash written there."""
    named = case.record.get("inputs", {})
    if not isinstance(named, dict):
        recorder.find("input_hashes", "inputs is no mapping of files to hashes", table="run.json", row="inputs")
        return
    files = [Path(file).resolve() for file in case.city.files]
    resolved = {name: _file(case.folder, name, files) for name in named}
    for name, digest in named.items():
        recorder.checked("input_hashes", 1)
        path = resolved[name]
        if path is None:
            recorder.find("input_hashes", f"{name} is not there any more", table="run.json", row=name, limit=digest)
            continue
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != digest:
            recorder.find(
                "input_hashes",
                f"{name} has changed since the run",
                table="run.json",
                row=name,
                value=found,
                limit=digest,
            )
    for path in files:
        if path not in resolved.values():
            recorder.find("input_hashes", f"{path.name} was read, but its hash is not in the record", table="run.json")


def check_table_hashes(case: Case, recorder: Recorder) -> None:
    """Check that every table is named in the record, and is as it was written.

    Tables that are missing are named where they are read.
    """
    named = case.record.get("tables")
    if not isinstance(named, dict):
        if named is not None:
            recorder.find("table_hashes", "tables is no mapping of files to hashes", table="run.json", row="tables")
        return
    for path in sorted((case.folder / "tables").iterdir()):
        recorder.checked("table_hashes", 1)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.name not in named:
            recorder.find("table_hashes", f"{path.name} is there, but its hash is not in the record", table="run.json")
        elif found != named[path.name]:
            recorder.find(
                "table_hashes",
                f"{path.name} has changed since the plan was written",
                table="run.json",
                row=path.name,
                value=found,
                limit=named[path.name],
            )


def _file(folder: Path, name: str, files: list[Path]) -> Path | None:
    """The file a name in the record means: a file of the city by its name or end of path, or a path."""
    parts = Path(name).parts
    for file in files:
        if str(file) == name or (not Path(name).is_absolute() and file.parts[-len(parts) :] == parts):
            return file
    for path in (Path(name), folder / name):
        if path.is_file():
            return path.resolve()
    return None
