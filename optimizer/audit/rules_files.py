"""Rules of the files: names, completeness, hashes of the inputs, and the record of the run."""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder
from optimizer.audit.tables import KEYS, WHOLE_HORIZON

PARTS = ("scenario", "status", "stages", "gap", "inputs", "versions", "seed", "set_aside", "classes", "years")
STATUSES = ("proven", "feasible", "by rule", "stopped by hand", "stopped by time")
# Rounding to whole yuan moves the value of a finished plan past the bound of the plan in fractions.
BOUND_SLACK = 1e-4


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
        "space": {"community"},
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
            recorder.judge(
                "names",
                name,
                table,
                fits,
                key=KEYS[name],
                value=column,
                limit="",
                message=f"unknown {column} {{value}}",
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


def check_record(case: Case, recorder: Recorder) -> None:
    """Check that the record has its parts and that gaps, bounds and status of the stages agree."""
    record = case.record
    recorder.checked("record", len(PARTS))
    for part in PARTS:
        if part not in record:
            recorder.find("record", f"{part} is missing", table="run.json", row=part)
    if record.get("status") not in STATUSES:
        recorder.find("record", f"unknown status {record.get('status')}", table="run.json", row="status")
    _by_rule(record, case.scenario, recorder)
    if "years" in record and record["years"] != case.years:
        said = f"the years are {record['years']}, those of the scenario {case.years}"
        recorder.find("record", said, table="run.json", row="years")
    aside = record.get("set_aside", [])
    if not isinstance(aside, list) or not {_name(item) for item in aside} <= set(case.communities.index):
        recorder.find("record", "set_aside is no list of communities", table="run.json", row="set_aside")
    goals = {goal["goal"]: goal for goal in case.scenario["goals"]}
    stages = record.get("stages", [])
    for stage in stages if isinstance(stages, list) else []:
        _stage(stage, goals, str(record.get("status")), recorder)
    if record.get("status") == "proven":
        recorder.checked("record", len(goals))
        for goal in goals.keys() - {stage.get("goal") for stage in stages}:
            recorder.find("record", f"the plan is called proven without a stage for {goal}", table="run.json", row=goal)


def _by_rule(record: dict[str, Any], scenario: dict[str, Any], recorder: Recorder) -> None:
    """A plan made by a rule says so and claims no proof; any other does not say so."""
    recorder.checked("record", 1)
    rule = scenario.get("rule")
    if (record.get("status") == "by rule") != (rule is not None):
        said = f"the status is {record.get('status')}, the scenario's rule {rule['split'] if rule else 'none'}"
        recorder.find("record", said, table="run.json", row="status")
    if rule is None:
        return
    if record.get("method") != rule["split"]:
        said = f"the method is {record.get('method')}, the scenario's rule {rule['split']}"
        recorder.find("record", said, table="run.json", row="method")
    if record.get("stages") or record.get("gap") is not None:
        recorder.find("record", "a plan made by a rule claims a proof", table="run.json", row="stages")


def _name(item: object) -> str:
    return str(item.get("community")) if isinstance(item, dict) else str(item)


def _number(item: object) -> float:
    return float(item) if isinstance(item, (int, float)) else float("nan")


def _stage(stage: dict[str, object], goals: dict[str, dict[str, float]], status: str, recorder: Recorder) -> None:
    goal = str(stage.get("goal"))
    recorder.checked("record", 2)
    value, bound, gap = (_number(stage.get(key)) for key in ("value", "bound", "gap"))
    if not (abs(value) + abs(bound) + abs(gap) < float("inf")):
        recorder.find("record", f"the stage {goal} lacks a value, bound or gap", table="run.json", row=goal)
        return
    _agree(goal, ("value", value), bound, ("gap", gap), recorder)
    if "reached" in stage or "reached_gap" in stage:
        reached, reached_gap = _number(stage.get("reached")), _number(stage.get("reached_gap"))
        _agree(goal, ("reached", reached), bound, ("reached_gap", reached_gap), recorder)
    allowed = float("inf")
    if goal in goals:  # later goals may give up the tolerance of an earlier one; a gap refers to the value after that
        tolerance = goals[goal]["tolerance"]
        allowed = (goals[goal]["gap"] + tolerance) / max(1e-9, 1 - tolerance) + BOUND_SLACK
    if status == "proven" and gap > allowed and abs(value - bound) > 1e-6:
        recorder.find(
            "record",
            f"the plan is called proven, but the gap of {goal} is {gap:g}, above {allowed:g}",
            table="run.json",
            row=goal,
            value=gap,
            limit=allowed,
        )


def _agree(goal: str, value: tuple[str, float], bound: float, gap: tuple[str, float], recorder: Recorder) -> None:
    """Judge whether a value, each with its name in the record, is no better than the bound and makes the gap."""
    recorder.checked("record", 2)
    expected = abs(value[1] - bound) / max(1e-9, abs(value[1]))
    if not abs(gap[1] - expected) <= 2e-6 and not abs(value[1] - bound) <= 1e-6:
        recorder.find(
            "record",
            f"the {gap[0]} of {goal} is {gap[1]:g}, but {value[0]} {value[1]:g} and bound {bound:g} make {expected:g}",
            table="run.json",
            row=goal,
            value=gap[1],
            limit=expected,
        )
    beyond = (value[1] - bound) if goal == "worst_off" else (bound - value[1])
    if beyond > 1e-6 + BOUND_SLACK * abs(value[1]):
        recorder.find(
            "record",
            f"the {value[0]} of {goal}, {value[1]:g}, is better than its bound {bound:g}",
            table="run.json",
            row=goal,
        )
