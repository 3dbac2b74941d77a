"""Bounds of inequality and least shares of groups, recomputed from the tables, equations (27), (28) and (31)."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from optimizer.audit.goals import scores
from optimizer.audit.inputs import WORK_FUNDS, Case, Floats, unit_yuan
from optimizer.audit.report import Recorder
from optimizer.audit.rules_fairness import indices
from optimizer.audit.tables import WHOLE_HORIZON

ROUNDING = 1e-4  # areas and amounts of the tables are rounded; money counts apart, by its unit


def check_bounds(case: Case, met: pd.DataFrame, recorder: Recorder) -> None:
    """Check the bounds of the Gini and Atkinson index; whole units of money may move scores a little past them."""
    rule = case.scenario.get("fairness") or {}
    bounds: list[tuple[str, float, float]] = []
    if rule.get("gini_at_most") is not None:
        bounds.append(("gini", 0.5, float(rule["gini_at_most"])))
    if rule.get("atkinson_at_most"):
        bounds.append(
            ("atkinson", float(rule["atkinson_at_most"]["epsilon"]), float(rule["atkinson_at_most"]["value"]))
        )
    for name, epsilon, most in bounds:
        value = indices(case, met, epsilon)[name]
        slack = ROUNDING + _moved(case, met, name, epsilon)
        recorder.checked("inequality_bound", 1)
        if value > most + slack:
            recorder.find(
                "inequality_bound",
                f"the {name} index of scores is {value:.6f}; the scenario allows {most:g}",
                table="scores",
                value=value,
                limit=most,
            )


def _moved(case: Case, met: pd.DataFrame, name: str, epsilon: float) -> float:
    """How far an index may move where every grant is less by a unit of money."""
    funds = met[(met["need"] == WORK_FUNDS) & (met["need_amount"] > 0)]
    whole = scores(case, met).xs(WHOLE_HORIZON, level="year")
    x = np.maximum(1e-6, whole.to_numpy(dtype=float))
    less = funds["year"].map(case.year_weight).astype(float) * unit_yuan(case.scenario) / funds["need_amount"]
    shift = less.groupby(funds["community"]).sum().reindex(whole.index).fillna(0.0).to_numpy(dtype=float)
    if name == "gini":
        return float(2 * shift.mean() / x.mean())
    alike = np.exp(np.log(x).mean()) if epsilon == 1 else (x ** (1 - epsilon)).mean() ** (1 / (1 - epsilon))
    return float((shift * (1 + (alike / x) ** epsilon)).mean() / x.mean())


def check_groups(case: Case, met: pd.DataFrame, recorder: Recorder) -> None:
    """Check the least shares of groups: of the money spent on single communities, and of their person-needs met."""
    for n, group in enumerate((case.scenario.get("fairness") or {}).get("groups") or []):
        inside = _members(case, group)
        names = set(case.communities.index[inside])
        if group["least_share_of_money"] is not None:
            ledger = case.tables["ledger"]
            ledger = ledger[ledger["community"] != ""]
            total = float(ledger["yuan"].sum())
            mine = float(ledger.loc[ledger["community"].isin(names), "yuan"].sum())
            unit = unit_yuan(case.scenario)
            slack = float(unit) * (len(ledger) + len(case.communities) * len(case.years))
            _judge(n, "money", mine, float(group["least_share_of_money"]), total, slack, recorder)
        if group["least_met_share"] is not None:
            rows = met[met["community"].isin(names) & (met["need_amount"] > 0)]
            heft = rows["persons"] * rows["weight"] * rows["year"].map(case.year_weight).astype(float)
            got, total = float((heft * rows["share"]).sum()), float(heft.sum())
            funds = rows["need"] == WORK_FUNDS
            less = heft[funds] * unit_yuan(case.scenario) / rows.loc[funds, "need_amount"]
            slack = ROUNDING * total + float(less.sum())
            _judge(n, "person-needs met", got, float(group["least_met_share"]), total, slack, recorder)


def _judge(n: int, what: str, mine: float, least: float, total: float, slack: float, recorder: Recorder) -> None:
    recorder.checked("group_share", 1)
    if total > 0 and mine < least * total - slack:
        recorder.find(
            "group_share",
            f"group {n} has {mine:,.2f} of {total:,.2f} {what}, a share of {mine / total:.6f}; it is to have {least:g}",
            table="run.json",
            row=f"fairness.groups.{n}",
            value=mine / total,
            limit=least,
        )


def _members(case: Case, group: dict[str, Any]) -> NDArray[np.bool_]:
    frame = case.communities
    inside = np.ones(len(frame), dtype=bool)
    for key, column in (("districts", "district"), ("types", "type"), ("classes", "class")):
        if group[key]:
            inside &= frame[column].isin(group[key]).to_numpy()
    if group["column"]:
        value = _column(frame, group["column"])
        if group["per"]:
            per = _column(frame, group["per"])
            value = np.where(per > 0, value / np.where(per > 0, per, 1.0), 0.0)
        inside &= value >= float(group["at_least"])
    return inside


def _column(frame: pd.DataFrame, name: str) -> Floats:
    if name == "own_income_yuan_per_person":
        return np.asarray(frame["own_income_yuan"].astype(float) / frame["population"].astype(float).clip(lower=1))
    return np.asarray(frame[name], dtype=float)
