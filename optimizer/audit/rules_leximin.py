"""Levels of full leximin against the tables: what they can show of equations (33) and (34)."""

from typing import Any

import pandas as pd

from optimizer.audit.goals import SHARE_SLACK, scores
from optimizer.audit.inputs import Case
from optimizer.audit.report import Recorder
from optimizer.audit.rules_fair_bounds import ROUNDING
from optimizer.audit.rules_record import ALL_PLANS, SAME_STATIONS
from optimizer.audit.tables import WHOLE_HORIZON

UNLEVELLED = {"stopped by hand", "stopped by time", "by rule"}
"""Status of plans that may have no levels though the scenario asks for them."""


def check_leximin(case: Case, met: pd.DataFrame, recorder: Recorder) -> None:
    """Check that levels rise, none passes its bound, everybody stands at one, and all keep theirs within tolerance."""
    rule = next((goal for goal in case.scenario["goals"] if goal["goal"] == "worst_off"), None)
    said = case.record.get("leximin")
    if said is not None and not (rule or {}).get("leximin"):
        recorder.find("levels", "the record has levels, but the scenario asks for no leximin", table="run.json")
    if rule is None or said is None:
        if rule is not None and rule.get("leximin") and case.record["status"] not in UNLEVELLED:
            recorder.find("levels", "leximin is asked for, but the record has no levels", table="run.json")
        return
    _claims(said, rule, str(case.record.get("method")), recorder)
    whole = scores(case, met).xs(WHOLE_HORIZON, level="year")
    named = [str(name) for level in said["levels"] for name in level["communities"]]
    recorder.checked("levels", 1)
    if sorted(named) != sorted(str(name) for name in whole.index):
        recorder.find("levels", "not every community with a score is at one level", table="run.json", row="leximin")
    last = -1.0
    for number, level in enumerate(said["levels"]):
        height, bound = float(level["level"]), float(level["bound"])
        recorder.checked("levels", 2)
        if height < last - SHARE_SLACK or bound < height - SHARE_SLACK:
            recorder.find(
                "levels",
                f"level {number} is {height:.6f}, after {last:.6f}, with the bound {bound:.6f}",
                table="run.json",
                row=f"leximin.levels.{number}",
                value=height,
                limit=bound,
            )
        last = height
        for name in level["communities"]:
            recorder.checked("levels", 1)
            least = height * (1 - float(rule["tolerance"])) - 10 * ROUNDING
            if float(whole.get(name, 1.0)) < least:
                recorder.find(
                    "levels",
                    f"{name} is to keep {least:.6f}; its score is {float(whole[name]):.6f}",
                    table="scores",
                    row=str(name),
                    value=float(whole[name]),
                    limit=least,
                )


def _claims(said: dict[str, Any], rule: dict[str, Any], method: str, recorder: Recorder) -> None:
    """Check what is claimed of the levels: their step, for which plans they hold, and proofs from the lowest on."""
    scope = SAME_STATIONS if method == "prices" else ALL_PLANS
    recorder.checked("levels", 3)
    for part, due in (("step", rule["leximin_step"]), ("scope", scope)):
        if said.get(part) != due:
            recorder.find(
                "levels",
                f"the {part} of leximin is {said.get(part)}; it must be {due}",
                table="run.json",
                row=f"leximin.{part}",
                value=said.get(part),
                limit=due,
            )
    proven = [bool(level["proven"]) for level in said["levels"]]
    if sorted(proven, reverse=True) != proven:
        recorder.find(
            "levels", "a level is called proven, but one below it is not", table="run.json", row="leximin.levels"
        )
