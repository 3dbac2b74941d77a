"""The table of a frontier: what every point reaches, how sure that is, and what the next step costs or buys.

What the next money buys is the difference of two plans that were made, with what is proven of both: no less than the
bound of the poorer less the value of the richer, no more than the value of the poorer less the bound of the richer. The
price that the search of a point puts on money (a dual value) is only called confirmed where it lies between what the
steps to its neighbours allow: with a curve that bends one way, not below what the next step surely gains, and not above
what the last one can have gained.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from optimizer.answers import Answer
from optimizer.frontier import FIRST, Question
from optimizer.frontier_points import Traced, efficient
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.run_folder import read_record
from optimizer.words import listed, money, number

STEP_YUAN = 100_000
COLUMNS = ["point", "worst_off", FIRST, "unmet_need_bound", "gap", "proof", "travel", "spending_yuan", "run"]
STEPS = ["step", "step_unmet_need"]
MONEY = ["budget_share", "money_yuan"]
BUYS = ["next_buys", "next_buys_at_least", "next_buys_at_most", "price", "price_confirmed"]
TITLES = {"worst_off": "worst-off score", FIRST: "unmet need", "travel": "travel", "spending": "money spent"}


def frontier_table(question: Question, traced: Traced, outcomes: Sequence[Path | Answer]) -> pd.DataFrame:
    """Return one row per point that was written and that no other point beats, in order.

    Columns are `COLUMNS` and, between two goals, `STEPS` (to the next row); for budgets `MONEY` and `BUYS`: the
    person-needs that the next `STEP_YUAN` buy.
    """
    rows = []
    for index, (point, outcome) in enumerate(zip(traced.points, outcomes, strict=True)):
        if isinstance(outcome, Answer):
            continue
        stages = {stage["goal"]: stage for stage in read_record(outcome)["stages"]}
        unmet = stages[FIRST]
        row: dict[str, object] = {
            "point": index + 1,
            "worst_off": stages["worst_off"]["value"] if "worst_off" in stages else None,
            FIRST: unmet["value"],
            "unmet_need_bound": unmet["bound"],
            "gap": unmet["gap"],
            "proof": "exact" if point.exact else ("within its gap" if unmet["gap"] < 1 else "none"),
            "travel": stages["travel"]["value"] if "travel" in stages else None,
            "spending_yuan": stages["spending"]["value"] if "spending" in stages else None,
            "run": outcome.name,
        }
        if question.budget is not None:
            scenario = point.asked.scenario
            all_yuan = sum(sum(scenario.free_yuan(name)) for name in scenario.sources)
            row |= {"budget_share": round(point.asked.share, 6), "money_yuan": all_yuan}
            row |= {"price": None if point.worth is None else point.worth * _PER_STEP}
        rows.append(row)
    if question.budget is not None:
        return _bought(pd.DataFrame(rows, columns=[*COLUMNS[:1], *MONEY, *COLUMNS[1:-1], *BUYS, "run"]))
    costs = [{goal: _cost(row, goal) for goal in question.between} for row in rows]
    frame = pd.DataFrame([rows[i] for i in efficient(costs)], columns=COLUMNS)
    return _stepped(frame, question) if len(question.between) == 2 else frame


_PER_STEP = STEP_YUAN / MONEY_UNIT_YUAN


def _cost(row: dict[str, object], goal: str) -> float:
    value = row["spending_yuan" if goal == "spending" else goal]
    return float(str(value)) * (-1 if goal == "worst_off" else 1)


def _stepped(frame: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Add what the next step in the second goal is, and what it costs (or saves) of unmet need."""
    column = "spending_yuan" if question.second == "spending" else question.second
    steps = {STEPS[0]: frame[column].shift(-1) - frame[column], STEPS[1]: frame[FIRST].shift(-1) - frame[FIRST]}
    return frame.assign(**steps)[[*COLUMNS[:-1], *STEPS, "run"]]


def _bought(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what the next money buys, and whether the neighbours confirm the price."""
    value, bound, yuan = frame[FIRST], frame["unmet_need_bound"], frame["money_yuan"]
    more = (yuan.shift(-1) - yuan) / STEP_YUAN
    frame["next_buys"] = (value - value.shift(-1)) / more
    frame["next_buys_at_least"] = ((bound - value.shift(-1)) / more).clip(lower=0)
    frame["next_buys_at_most"] = (value - bound.shift(-1)) / more
    before = frame["next_buys_at_most"].shift(1)
    price = frame["price"].astype(float)
    slack = 1e-6 * price.abs() + 1e-9
    low = frame["next_buys_at_least"].isna() | (price >= frame["next_buys_at_least"] - slack)
    high = before.isna() | (price <= before + slack)
    frame["price_confirmed"] = (low & high).map({True: "yes", False: "no"}).where(price.notna(), "")
    return frame


def frontier_lines(frame: pd.DataFrame, question: Question, currency: str) -> list[str]:
    """Return a sentence for every step from one point to the next."""
    rows = frame.to_dict("records")
    pairs = list(pairwise(rows))
    if question.budget is not None:
        return [
            f"From {a['budget_share']:.1%} to {b['budget_share']:.1%} of the money, the next {STEP_YUAN:,} "
            f"{currency} "
            f"buy {number(a['next_buys'])} person-needs (proven: {number(a['next_buys_at_least'])} to "
            f"{number(a['next_buys_at_most'])}); {_price(a)}."
            for a, b in pairs
        ]
    if len(question.between) != 2:
        return []
    if question.second == "worst_off":
        return [
            f"The next step up in the worst-off score, from {low} to {high}, costs {number(a[STEPS[1]])} person-needs "
            "more unmet."
            for a, b in pairs
            for low, high in [_apart(a["worst_off"], b["worst_off"])]
        ]
    if question.second == "spending":
        return [
            f"{money(a[STEPS[0]], currency)} more, {money(b['spending_yuan'], currency)} in all, meet "
            f"{number(-a[STEPS[1]])} person-needs more."
            for a, b in pairs
        ]
    return [
        f"{number(a[STEPS[0]] / 1000)} person-km more of travel, {number(b['travel'] / 1000)} in all, meet "
        f"{number(-a[STEPS[1]])} person-needs more."
        for a, b in pairs
    ]


def _apart(low: float, high: float) -> tuple[str, str]:
    """Return two scores with as many digits as tell them apart, three at least and six at most."""
    digits = next((n for n in (3, 4, 5) if f"{low:.{n}f}" != f"{high:.{n}f}"), 6)
    return f"{low:.{digits}f}", f"{high:.{digits}f}"


def _price(row: Mapping[Any, Any]) -> str:
    if row["price_confirmed"] == "":
        return "the search puts no price on money there"
    confirmed = row["price_confirmed"] == "yes"
    said = "which its neighbours confirm" if confirmed else "which its neighbours do not confirm"
    return f"by the price of the search {number(float(str(row['price'])))}, {said}"


def how_sure(frame: pd.DataFrame, question: Question, traced: Traced) -> str:
    """Say what the points are, and what is not claimed of them."""
    if frame.empty:
        return "No point was found."
    ended = {"hand": " The search was stopped by hand.", "time": " The search was stopped by its time limit."}
    worst, end = float(frame["gap"].max()), ended.get(traced.stopped, "")
    if traced.too_little:
        shares = listed(f"{share:.1%}" for share in traced.too_little)
        end = f" With {shares} of the money no plan keeps the hard rules.{end}"
    exact = int((frame["proof"] == "exact").sum())
    if exact == len(frame):
        said = "Every point is proven: no plan is better in one of these goals and as good in the others."
        if traced.complete:
            return f"{said} There are no other efficient plans but those next to one of these."
        return f"{said} Between them there are, or may be, others; ask for more points to see them.{end}"
    named = listed(TITLES[goal] for goal in question.between) or "unmet need and money"
    return (
        f"No point found is better than another in {named}. How far a point may be from the best is its gap, "
        f"{100 * worst:.2f} % of its unmet need at most: none of them is claimed to be the very best.{end}"
    )
