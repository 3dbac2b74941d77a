"""The price of fairness of a plan for the record and as a table, equation (36)."""

from typing import Any

import numpy as np
import pandas as pd

from optimizer.fairness import scores_of
from optimizer.goals import Found
from optimizer.joint import Joint
from optimizer.plan_tables import DECIMALS, share_of, worst_off
from optimizer.problem import Floats, Problem
from optimizer.without_fairness import Without

STOPPED = {"hand": "by hand", "time": "by the time limit"}
NOTHING = 1e-6
"""A price below this part of what could be met is none."""


def price_table(joint: Joint, without: Without, met: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `price_of_fairness.csv`: what stays unmet of every community, and its score, with and without.

    `met` is the table of the plan as written. Unmet need is in person-needs, equation (2) has scores; those without any
    need have none.
    """
    problem = joint.problem
    there, alone = share_of(problem, met), shares_without(joint, without)
    none = ~problem.scored
    columns = {"unmet_need": unmet_of(problem, there), "unmet_need_without": unmet_of(problem, alone)}
    for name, share in (("score", there), ("score_without", alone)):
        columns[name] = np.where(none, np.nan, scores_of(problem, share))
    return pd.DataFrame({"community": problem.communities, **{k: np.round(v, DECIMALS) for k, v in columns.items()}})


def shares_without(joint: Joint, without: Without) -> Floats:
    """(n, K, T) met shares of the plan without fairness, equation (1)."""
    assert without.x is not None
    model, shape = joint.model, joint.problem.need.shape
    share = np.clip(model.met @ without.x[: model.n_columns] + model.met_base, 0.0, 1.0).reshape(shape)
    return np.asarray(np.where(joint.problem.need > 0, share, 1.0))


def unmet_of(problem: Problem, share: Floats) -> Floats:
    """(n,) person-needs that (n, K, T) met shares leave unmet, goal 2."""
    return np.asarray((_heft(problem) * (1 - share)).sum(axis=(1, 2)))


def _heft(problem: Problem) -> Floats:
    return np.asarray(problem.unmet_weight[:, :, None] * problem.year_weight * (problem.need > 0))


def price_record(
    joint: Joint, found: Found, without: Without, stage: dict[str, Any], met: pd.DataFrame
) -> dict[str, Any]:
    """Return the part `fairness.price` of the record; `stage` is that of the goal the price is measured in.

    The least value with fairness lies between its bound and what its own plan had reached, that without between its
    bound and value; so their difference lies in [`low`, `high`], in the unit of the goal. Shares are of what is met
    without fairness, or of the weighted sum.
    """
    if without.x is None:
        stopped = STOPPED.get(without.stopped, "by the time limit")
        said = f"What fairness costs was not found: the search was stopped {stopped}."
        return {"goal": without.goal, "unit": stage["unit"], "found": False, "stopped": without.stopped, "said": said}
    problem = joint.problem
    value, least = without.value, min(without.value, max(0.0, without.bound))
    reached = min(stage["value"], stage.get("reached", stage["value"]))
    low, high = max(0.0, stage["bound"] - value), max(0.0, reached - least)
    there, alone = share_of(problem, met), shares_without(joint, without)
    total = float(_heft(problem).sum())
    price: dict[str, Any] = {
        "goal": without.goal,
        "unit": stage["unit"],
        "found": True,
        "with": {"value": stage["value"], "reached": reached, "bound": stage["bound"]},
        "without": {"value": value, "bound": least},
        "low": low,
        "high": max(low, high),
        "low_share": _part(low, total - value if without.goal == "unmet_need" else value),
        "high_share": _part(max(low, high), total - least if without.goal == "unmet_need" else least),
        "worst_off": {
            "with": worst_off(problem, there, found.levels.follows),
            "without": worst_off(problem, alone, found.levels.follows),
        },
        "met_share": {
            "with": 1 - _part(float(unmet_of(problem, there).sum()), total),
            "without": 1 - _part(float(unmet_of(problem, alone).sum()), total),
        },
        "seconds": round(without.seconds, 3),
    }
    return {**price, "said": price_sentence(price)}


def _part(some: float, whole: float) -> float:
    return some / whole if whole > 0 else 0.0


def price_sentence(price: dict[str, Any]) -> str:
    """Say what fairness costs, and what the worst-off community has by it, in one plain sentence."""
    points = price["goal"] != "unmet_need"
    unit = "points of the weighted sum" if points else "person-needs"
    of = "of it without fairness" if points else "of what could be met without it"
    low, high = price["low"], price["high"]
    figures = [f"{amount:,.{0 if high >= 100 else 2}f}" for amount in (low, high)]
    shares = [f"{100 * price[end]:.2f} %" for end in ("low_share", "high_share")]
    if price["high_share"] < NOTHING:
        said = "Fairness costs nothing: without it no plan would be better in sum"
    elif price["low_share"] < NOTHING:
        said = f"Fairness costs at most {figures[1]} {unit} ({shares[1]} {of})"
    elif figures[0] == figures[1]:
        said = f"Fairness costs {figures[1]} {unit} ({shares[1]} {of})"
    else:
        said = f"Fairness costs between {figures[0]} and {figures[1]} {unit} ({shares[0]} to {shares[1]} {of})"
    there, alone = (f"{price['worst_off'][when]:.2f}" for when in ("with", "without"))
    return f"{said}; the worst-off community has {there} of its needs met, and {alone} in the plan without fairness."
