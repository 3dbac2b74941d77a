"""Met needs, scores and goals recomputed from grants, rooms and assignments, equations (1) and (2)."""

import numpy as np
import pandas as pd

from optimizer.audit.inputs import DEBT_RELIEF, SPACE, WORK_FUNDS, Case, near
from optimizer.audit.report import Recorder
from optimizer.audit.rooms import Rooms
from optimizer.audit.rules_funds import relieved
from optimizer.audit.tables import WHOLE_HORIZON

KEY = ("community", "need", "year")
SHARE_SLACK = 2e-6  # six decimals, of a share that is a quotient of figures of six decimals
GOAL_SLACK = 1e-6  # relative
MOST_ASIDE = 0.15  # at most this part of the communities with a score, rounded down, is set aside
LAST_DIGIT = 1e-6  # of units, and of a need: what lacks no more than both together is met, equation (1)


def met_needs(case: Case, served: pd.DataFrame, rooms: Rooms) -> pd.DataFrame:
    """Needs of every community, need and year with `met` (amount) and `share` recomputed from the plan's own tables.

    Work funds: the grant; rooms: equations (5) and (6), all that they give as (32) asks; services: what the
    assignments give.
    """
    frame = case.needs.reset_index()
    pair = pd.MultiIndex.from_frame(frame[["community", "year"]])
    grants = case.tables["grants"].set_index(["community", "year"])["grant_yuan"]
    halls, extensions = rooms.area_m2("hall"), rooms.area_m2("extension")
    where = case.communities
    counted = (where["office_area_m2"] - where["others_m2"]).clip(lower=0.0)
    area = frame["community"].map(counted).to_numpy(dtype=float)
    area = area + sum(a.reindex(pair).fillna(0.0).to_numpy(dtype=float) for a in (halls, extensions))
    amount = served.groupby(["community", "service", "year"])["amount"].sum()
    services = amount.reindex(pd.MultiIndex.from_frame(frame[list(KEY)])).fillna(0.0).to_numpy(dtype=float)
    funds = grants.reindex(pair).fillna(0).to_numpy(dtype=float)
    need = frame["need_amount"].to_numpy(dtype=float)
    had = np.select(
        [frame["need"] == WORK_FUNDS, frame["need"] == SPACE, frame["need"] == DEBT_RELIEF],
        [funds, area, relieved(case).reindex(pair).fillna(0).to_numpy(dtype=float)],
        services,
    )
    met = np.minimum(had, need)
    share = np.divide(met, need, out=np.ones_like(need), where=need - met > LAST_DIGIT * (1 + need))
    return frame.assign(met=met, share=share)


def check_met(case: Case, met: pd.DataFrame, recorder: Recorder) -> None:
    """Check the table of met needs against `met`, equation (1)."""
    table = case.tables["met"].merge(met.drop(columns=["formula", "peak"]), on=list(KEY), suffixes=("", "_due"))
    good = near(table["need_amount"], table["need_amount_due"]) & near(table["persons"], table["persons_due"])
    good &= near(table["weight"], table["weight_due"]) & (table["unit"] == table["unit_due"]).to_numpy(dtype=bool)
    recorder.judge(
        "need_amount",
        "met",
        table,
        good,
        key=KEY,
        value="need_amount",
        limit="need_amount_due",
        message="{need} of {community} in {year} is {value} {unit} for {persons} people, weight {weight}; "
        "by the inputs it is {limit} {unit_due} for {persons_due}, weight {weight_due}",
    )
    recorder.judge(
        "met_amount",
        "met",
        table,
        near(table["met_amount"], table["met"]),
        key=KEY,
        value="met_amount",
        limit="met",
        message="{need} of {community} is said to be met with {value} in {year}; the plan gives {limit}",
    )
    said = np.divide(
        table["met_amount"], table["need_amount"], out=np.ones(len(table)), where=(table["need_amount"] > 0).to_numpy()
    )
    slack = SHARE_SLACK + 1e-6 / table["need_amount"].where(table["need_amount"] > 0, 1.0)
    recorder.judge(
        "met_share",
        "met",
        table.assign(due=said),
        (np.abs(table["met_share"] - said) <= slack).to_numpy(dtype=bool),
        key=KEY,
        value="met_share",
        limit="due",
        message="the met share of {need} of {community} in {year} is given as {value}; the amounts make {limit}",
    )


def scores(case: Case, met: pd.DataFrame) -> "pd.Series[float]":
    """Score by (community, year), and of the whole horizon under year 0, equation (2); 1 in a year without needs."""
    frame = met[met["need_amount"] * met["weight"] > 0]
    weighted = (
        frame.assign(met=frame["weight"] * frame["share"]).groupby(["community", "year"])[["met", "weight"]].sum()
    )
    every = pd.MultiIndex.from_product([weighted.index.unique("community"), case.years], names=["community", "year"])
    yearly = (weighted["met"] / weighted["weight"]).rename("score").reindex(every, fill_value=1.0)
    beta = yearly.index.get_level_values("year").map(case.year_weight).to_numpy(dtype=float)
    whole = (yearly * beta).groupby("community").sum()
    whole.index = pd.MultiIndex.from_product([whole.index, [WHOLE_HORIZON]], names=["community", "year"])
    both: pd.Series[float] = pd.concat([yearly, whole])
    return both


def check_scores(case: Case, met: pd.DataFrame, recorder: Recorder) -> None:
    """Check the table of scores, the worst-off goal and who is set aside, equation (2)."""
    due = scores(case, met)
    table = case.tables["scores"]
    table = table.assign(due=due.reindex(pd.MultiIndex.from_frame(table[["community", "year"]])).to_numpy(dtype=float))
    table["of"] = table["year"].astype(str).where(table["year"] != WHOLE_HORIZON, "all years")
    recorder.judge(
        "score",
        "scores",
        table,
        ((table["score"] - table["due"]).abs() <= SHARE_SLACK).to_numpy(dtype=bool),
        key=("community", "of"),
        value="score",
        limit="due",
        message="the score of {community} ({of}) is given as {value}; met shares make {limit}",
    )
    named = case.record.get("set_aside", [])
    names = {str(item["community"]) if isinstance(item, dict) else str(item) for item in named}
    whole = due.xs(WHOLE_HORIZON, level="year")
    best = whole[~whole.index.isin(names)].min()
    stage = _stage(case, "worst_off")
    reach = np.inf if stage is None else max(stage["value"], stage["bound"]) * (1 + 1e-6) + SHARE_SLACK
    aside = table["community"].isin(names)
    table["named"] = aside.astype(int)
    table["level"] = np.where(aside & (table["year"] == WHOLE_HORIZON), reach, np.inf)
    recorder.judge(
        "set_aside",
        "scores",
        table,
        ((table["set_aside"] == table["named"]) & (table["due"] <= table["level"])).to_numpy(dtype=bool),
        key=("community", "of"),
        value="set_aside",
        limit="named",
        message="{community} ({of}): set aside is {value} in the table and {limit} in the record; its score {score}, "
        "and the others reach {level} at most",
    )
    most = int(MOST_ASIDE * len(whole) + 1e-9)
    recorder.checked("set_aside", 1)
    if len(names) > most:
        recorder.find(
            "set_aside",
            f"{len(names)} communities are set aside; of {len(whole)} with a score it may be {most}",
            table="run.json",
            row="set_aside",
            value=len(names),
            limit=most,
        )
    if len(whole) and not np.isnan(best):
        _goal(case, "worst_off", "worst_off", float(best), recorder)


def check_goals(case: Case, met: pd.DataFrame, served: pd.DataFrame, recorder: Recorder) -> None:
    """Check unmet need, travel, spending and their weighted sum, equation (35), against the stages of the record."""
    beta = met["year"].map(case.year_weight).astype(float)
    unmet = (beta * met["persons"] * met["weight"] * (1 - met["share"])).where(met["need_amount"] > 0, 0.0).sum()
    _goal(case, "unmet_need", "unmet_need", float(unmet), recorder)
    beta = served["year"].map(case.year_weight).astype(float)
    metres = (beta * served["persons"] * served["share"] * served["travel_used"]).sum()
    _goal(case, "travel", "travel_total", float(metres), recorder)
    spent = float(case.tables["ledger"]["yuan"].sum())
    _goal(case, "spending", "spending", spent, recorder)
    values = {"unmet_need": float(unmet), "travel": float(metres), "spending": spent}
    for rule in case.scenario["goals"]:
        if rule["goal"] == "weighted":
            points = sum(float(weight) * values[name] for name, weight in rule["weights"].items())
            _goal(case, "weighted", "weighted", points, recorder)


def _stage(case: Case, goal: str) -> dict[str, float] | None:
    """The last stage of a goal in the record, with its numbers; None where there is none."""
    stages = case.record.get("stages", [])
    mine = [stage for stage in stages if isinstance(stage, dict) and stage.get("goal") == goal]
    if not mine or not all(isinstance(mine[-1].get(key), (int, float)) for key in ("value", "bound", "gap")):
        return None
    return {key: float(mine[-1][key]) for key in ("value", "bound", "gap")}


def _goal(case: Case, goal: str, rule: str, value: float, recorder: Recorder) -> None:
    """Compare a goal's value with the record; a goal the record does not have is not compared."""
    recorder.checked(rule, 1)
    stage = _stage(case, goal)
    if stage is None or abs(stage["value"] - value) <= 1e-6 + GOAL_SLACK * max(abs(value), abs(stage["value"])):
        return
    said = stage["value"]
    recorder.find(
        rule,
        f"{goal.replace('_', ' ')} is {value:,.6f} by the tables, the record says {said:,.6f}",
        table="run.json",
        row=goal,
        value=said,
        limit=value,
    )
