"""Rules of the record of a run: it has every part, says what the scenario says, and claims no more than is proven."""

from typing import Any

from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder

PARTS = (
    "scenario", "title", "status", "stages", "not_reached", "gap", "method", "years", "currency", "set_aside",
    "fairness", "classes", "one_stop", "audit", "inputs", "tables", "versions", "seed", "threads",
)  # fmt: skip
STATUSES = ("proven", "feasible", "by rule", "stopped by hand", "stopped by time")
STOPPED = ("stopped by hand", "stopped by time")
METHODS = {"whole": ("whole",), "prices": ("prices", "whole, as prices did not settle")}
ALL_PLANS = "all plans"
SAME_STATIONS = "plans with these stations and rooms"
SAME_LEVELS = "plans that keep the level of every community"
OTHER_GOALS = "plans as good in the frontier's other goals"
UNITS = {
    "worst_off": "score", "unmet_need": "person-needs", "travel": "person-metres", "spending": "yuan",
    "weighted": "points", "closeness": "decisions",
}  # fmt: skip
CLOSE_ENOUGH = 0.01  # gap at which a plan is called closest to another
# Rounding to whole yuan moves the value of a finished plan past the bound of the plan in fractions.
BOUND_SLACK = 1e-4
NO_GAP = 1e-6  # values so close to their bound are at it: figures have six decimals
GAP_SLACK = 2e-6  # gaps are quotients of written figures


def check_record(case: Case, recorder: Recorder) -> None:
    """Check that the record has its parts, and that gaps, bounds, scopes, method and status agree."""
    record = case.record
    recorder.checked("record", len(PARTS))
    for part in PARTS:
        if part not in record:
            _find(recorder, part, f"{part} is missing")
    _as_asked(case, recorder)
    status = record.get("status")
    if status not in STATUSES:
        _find(recorder, "status", f"unknown status {status}; it is one of {', '.join(STATUSES)}", status)
    aside = record.get("set_aside", [])
    if not isinstance(aside, list) or not {_name(item) for item in aside} <= set(case.communities.index):
        _find(recorder, "set_aside", "set_aside is no list of communities")
    goals = {goal["goal"]: goal for goal in case.scenario["goals"]}
    stages = record.get("stages", [])
    stages = stages if isinstance(stages, list) else []
    for stage in stages:
        _stage(stage, goals, recorder)
        _scope(stage, case, recorder)
    if case.scenario.get("rule") is None:
        _reached(stages, list(goals), record, recorder)
        _closeness(stages, record, recorder)
        _status(stages, list(goals), record, recorder)
    _by_rule(record, case.scenario, recorder)


def _find(recorder: Recorder, row: str, message: str, value: object = "", limit: object = "") -> None:
    recorder.find("record", message, table="run.json", row=row, value=value, limit=limit)


def _as_asked(case: Case, recorder: Recorder) -> None:
    """What the record repeats of the scenario is what stands there."""
    record, scenario = case.record, case.scenario
    solver = scenario["solver"]
    due = {
        "scenario": scenario["name"], "title": scenario["title"], "years": case.years, "currency": scenario["currency"],
        "seed": solver["seed"], "threads": solver["threads"],
    }  # fmt: skip
    recorder.checked("record", len(due))
    for part, value in due.items():
        if part in record and record[part] != value:
            said, asked = _words(record[part]), _words(value)
            _find(recorder, part, f"{part} is {said}, in the scenario {asked}", said, asked)


def _words(value: object) -> str:
    """A value of the record in words, without brackets."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _by_rule(record: dict[str, Any], scenario: dict[str, Any], recorder: Recorder) -> None:
    """A plan made by a rule says so and claims no proof; any other says a method the scenario lets it be made by."""
    recorder.checked("record", 1)
    rule = scenario.get("rule")
    status, method = record.get("status"), record.get("method")
    if (status == "by rule") != (rule is not None):
        _find(recorder, "status", f"the status is {status}, the scenario's rule {rule['split'] if rule else 'none'}")
    if rule is None:
        asked = scenario["solver"]["method"]
        allowed = METHODS.get(asked, METHODS["whole"] + METHODS["prices"])
        if "method" in record and method not in allowed:
            said = f"the method is {method}; with solver.method {asked} it is {' or '.join(allowed)}"
            _find(recorder, "method", said, method, " or ".join(allowed))
        return
    if method != rule["split"]:
        _find(recorder, "method", f"the method is {method}, the scenario's rule {rule['split']}")
    if record.get("stages") or record.get("not_reached") or record.get("gap") is not None:
        _find(recorder, "stages", "a plan made by a rule claims a proof")


def _name(item: object) -> str:
    return str(item.get("community")) if isinstance(item, dict) else str(item)


def _number(item: object) -> float:
    return float(item) if isinstance(item, (int, float)) else float("nan")


def _reached(stages: list[dict[str, Any]], goals: list[str], record: dict[str, Any], recorder: Recorder) -> None:
    """Goals stand once and in their order; those without a stage are named; the gap is that of the unmet need."""
    recorder.checked("record", len(goals) + 2)
    said = [str(stage.get("goal")) for stage in stages]
    due = [goal for goal in [*goals, "closeness"] if goal in said]
    if said != due:
        _find(recorder, "stages", f"the stages are {', '.join(said)}; the goals, in their order, {', '.join(due)}")
    left = [goal for goal in goals if goal not in said]
    if "not_reached" in record and record["not_reached"] != left:
        words = (
            f"not_reached names {_words(record['not_reached']) or 'none'}; without a stage: {_words(left) or 'none'}"
        )
        _find(recorder, "not_reached", words, _words(record["not_reached"]), _words(left))
    gaps = {name: stage.get("gap") for name, stage in zip(said, stages, strict=True)}
    gap = gaps.get("unmet_need", next(iter(gaps.values()), None))
    same = record.get("gap") is None if gap is None else abs(_number(record.get("gap")) - _number(gap)) <= GAP_SLACK
    if not same:
        words = f"the gap of the plan is {record.get('gap')}; its stages make it {gap}, that of unmet need"
        _find(recorder, "gap", words, record.get("gap"), gap)


def _closeness(stages: list[dict[str, Any]], record: dict[str, Any], recorder: Recorder) -> None:
    """What differs from another plan is said only where there is one, and the goal of closeness says the same."""
    recorder.checked("record", 1)
    close_to, differ = record.get("closest_to"), record.get("decisions_that_differ")
    stage = next((stage for stage in stages if stage.get("goal") == "closeness"), None)
    if not close_to and (stage is not None or differ is not None):
        _find(recorder, "closest_to", "differences are counted, but no plan is named that this one was kept close to")
    if stage is not None and _number(stage.get("value")) != _number(differ):
        words = f"{differ} decisions are said to differ; the goal of closeness says {stage.get('value')}"
        _find(recorder, "decisions_that_differ", words, differ, stage.get("value"))


def _status(stages: list[dict[str, Any]], goals: list[str], record: dict[str, Any], recorder: Recorder) -> None:
    """A plan is proven where every goal is, and only there; one that was stopped is called that."""
    recorder.checked("record", len(goals))
    status = record.get("status")
    proven = {stage.get("goal") for stage in stages if stage.get("status") == "proven"}
    missing = [goal for goal in goals if goal not in proven]
    if status == "proven":
        for goal in missing:
            _find(recorder, goal, f"the plan is called proven, but {goal} is not")
    if status == "feasible" and not missing:
        _find(recorder, "status", "the plan is called feasible, but every goal is proven", status, "proven")


def _scope(stage: dict[str, Any], case: Case, recorder: Recorder) -> None:
    """A bound holds for all plans, unless the method, the levels of leximin or a frontier keep something before."""
    goal, said = str(stage.get("goal")), stage.get("scope")
    recorder.checked("record", 1)
    goals = {rule["goal"] for rule in case.scenario["goals"]}
    main = "weighted" if "weighted" in goals and "unmet_need" not in goals else "unmet_need"
    levels = SAME_LEVELS if "leximin" in case.record else ALL_PLANS
    if goal in ("worst_off", "closeness"):
        allowed: tuple[str, ...] = (ALL_PLANS,)
    elif case.record.get("method") == "prices" and goal != main:
        allowed = (SAME_STATIONS,)
    else:
        allowed = (levels, OTHER_GOALS)
    if said not in allowed:
        words = f"the bound of {goal} is said to hold for: {said}; by the method it holds for: {' or '.join(allowed)}"
        _find(recorder, goal, words, said, " or ".join(allowed))


def _stage(stage: dict[str, object], goals: dict[str, dict[str, float]], recorder: Recorder) -> None:
    goal = str(stage.get("goal"))
    recorder.checked("record", 4)
    value, bound, gap = (_number(stage.get(key)) for key in ("value", "bound", "gap"))
    if not (abs(value) + abs(bound) + abs(gap) < float("inf")):
        _find(recorder, goal, f"the stage {goal} lacks a value, bound or gap")
        return
    _agree(goal, ("value", value), bound, ("gap", gap), recorder)
    if "reached" in stage or "reached_gap" in stage:
        reached, reached_gap = _number(stage.get("reached")), _number(stage.get("reached_gap"))
        _agree(goal, ("reached", reached), bound, ("reached_gap", reached_gap), recorder)
    if not _number(stage.get("seconds")) >= 0:
        _find(recorder, goal, f"the seconds of {goal} are {stage.get('seconds')}, no time that was taken")
    tolerance = float(goals[goal]["tolerance"]) if goal in goals else 0.0
    for key, asked in (("unit", UNITS.get(goal)), ("tolerance", tolerance)):
        if stage.get(key) != asked:
            _find(recorder, goal, f"the {key} of {goal} is {stage.get(key)}; it must be {asked}", stage.get(key), asked)
    # Later goals may give up the tolerance of an earlier one; a gap refers to the value after that.
    allowed = (goals[goal]["gap"] + tolerance) / max(1e-9, 1 - tolerance) if goal in goals else CLOSE_ENOUGH
    due = "proven" if gap <= allowed or (goal not in goals and value - bound < 1) else "feasible"
    said = stage.get("status")
    if said not in ("proven", "feasible") or (said != due and abs(gap - allowed) > GAP_SLACK):
        words = f"{goal} is called {said}; its gap is {gap:g}, and proven is what has at most {allowed:g}"
        _find(recorder, goal, words, gap, allowed)


def _agree(goal: str, value: tuple[str, float], bound: float, gap: tuple[str, float], recorder: Recorder) -> None:
    """Judge whether a value, each with its name in the record, is no better than the bound and makes the gap."""
    recorder.checked("record", 2)
    apart = abs(value[1] - bound)
    expected = 0.0 if apart <= NO_GAP else apart / max(1e-9, abs(value[1]))
    if not abs(gap[1] - expected) <= GAP_SLACK * max(1.0, expected):
        _find(
            recorder,
            goal,
            f"the {gap[0]} of {goal} is {gap[1]:g}, but {value[0]} {value[1]:g} and bound {bound:g} make {expected:g}",
            gap[1],
            expected,
        )
    beyond = (value[1] - bound) if goal == "worst_off" else (bound - value[1])
    if beyond > 1e-6 + BOUND_SLACK * abs(value[1]):
        _find(recorder, goal, f"the {value[0]} of {goal}, {value[1]:g}, is better than its bound {bound:g}")
