"""The figures of a comparison, with the differences that are proven; see `optimizer.compare` for the rule."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from optimizer.compare_side import Side
from optimizer.words import PURPOSE_TITLES

NOTABLE = 0.05  # a score that changes by more than this is counted as a gain or a loss
Row = list[Any]


def _rows(
    sides: Sequence[Side], figure: str, group: str, value: Callable[[Side], float],
    slack: Callable[[Side], float] | None = None, *, sign: int = 0,
) -> list[Row]:  # fmt: skip
    """Return one row per plan. `slack` is in the unit of the value; `sign` says which way the slack may go.

    With a sign the intervals [value, value + sign x slack] are compared, without one the two slacks are added.
    """
    rows: list[Row] = []
    base = value(sides[0])
    for i, side in enumerate(sides):
        mine = value(side)
        if i == 0:
            rows.append([figure, group, side.label, mine, None, ""])
            continue
        judged = ""
        if slack is not None:
            judged = _judge(base, mine, slack(sides[0]), slack(side), sign)
        rows.append([figure, group, side.label, mine, mine - base, judged])
    return rows


def _judge(a: float, b: float, slack_a: float, slack_b: float, sign: int) -> str:
    """Return `yes` where the difference of two values is greater than searching better could explain."""
    if not (np.isfinite(slack_a) and np.isfinite(slack_b)):
        return "no" if a != b else ""
    if abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b)):
        return "no"
    if sign == 0:
        return "yes" if abs(a - b) > slack_a + slack_b else "no"
    (low_a, high_a), (low_b, high_b) = (sorted((v, v + sign * s)) for v, s in ((a, slack_a), (b, slack_b)))
    return "yes" if low_a > high_b or low_b > high_a else "no"


def _money(sides: Sequence[Side]) -> list[Row]:
    def spare(side: Side) -> float:
        return side.slack("spending")

    slack = spare if all(np.isfinite(spare(side)) for side in sides) else None
    rows = _rows(sides, "money", "", lambda s: float(s.run.ledger["yuan"].sum()), slack, sign=-1)
    sources = list(dict.fromkeys(s for side in sides for s in side.run.scenario.sources))
    for column, keys in (("source", sources), ("purpose", list(PURPOSE_TITLES))):
        sums = {side.label: side.run.ledger.groupby(column)["yuan"].sum() for side in sides}
        for key in keys:
            if any(sums[s.label].get(key, 0) for s in sides):
                rows += _rows(sides, f"money_by_{column}", key,
                              lambda s, k=key, t=sums: float(t[s.label].get(k, 0)), slack)  # type: ignore[misc] # fmt: skip
    return rows


def _met(sides: Sequence[Side]) -> list[Row]:
    def judged(side: Side) -> float:
        return side.slack("unmet_need")

    same = all(side.same_measure for side in sides)
    rows = _rows(sides, "unmet_need", "", _unmet, judged if same else None, sign=-1)
    rows += _rows(sides, "met_person_needs", "", _done, judged if same else None, sign=1)
    rows += _rows(sides, "yuan_per_met_need", "", _yuan_per_met_need, _yuan_slack if same else None, sign=-1)
    rows += _share_rows(sides, "met", {"": slice(None)})
    for column in ("type", "district", "need"):
        values = sides[0].met[column]
        order = sides[0].facts.needs if column == "need" else sorted(set(values))
        rows += _share_rows(sides, f"met_by_{column}", {str(v): (values == v).to_numpy() for v in order})
    return rows


def _unmet(side: Side) -> float:
    return float((side.met["heft"] - side.met["done"]).sum())


def _done(side: Side) -> float:
    return float(side.met["done"].sum())


def _yuan_per_met_need(side: Side) -> float:
    """Money a year for each person-need that is met (goal 2 counts the same person-needs)."""
    return float(side.run.ledger["yuan"].sum()) / len(side.run.years) / max(_done(side), 1e-9)


def _yuan_slack(side: Side) -> float:
    """How much less a person-need could cost if a better search met more for the same money."""
    value, done = _yuan_per_met_need(side), max(_done(side), 1e-9)
    return value - value * done / (done + side.slack("unmet_need"))


def _share_rows(sides: Sequence[Side], figure: str, groups: dict[str, Any]) -> list[Row]:
    """Return met shares of groups of rows of `met`; rows of all plans stand in the same order."""
    rows = []
    for group, chosen in groups.items():
        heft = float(sides[0].met["heft"].to_numpy()[chosen].sum())
        if heft <= 0:
            continue
        rows += _rows(sides, figure, group, lambda s, c=chosen, h=heft: float(s.met["done"].to_numpy()[c].sum()) / h,  # type: ignore[misc]
                      lambda s, h=heft: min(1.0, s.slack("unmet_need") / h))  # type: ignore[misc] # fmt: skip
    return rows


def _worst(sides: Sequence[Side]) -> list[Row]:
    aside = sides[0].facts.set_aside

    def smallest(side: Side) -> float:
        kept = side.scores.drop(labels=[c for c in aside if c in side.scores.index]).dropna()
        return float(kept.min()) if len(kept) else 1.0

    def slack(side: Side) -> float:
        if side.by_rule:
            return 0.0
        bound = side.run.bound("worst_off")
        return float("inf") if bound is None else max(0.0, bound - smallest(side))

    same = all(side.same_measure for side in sides)
    rows = _rows(sides, "worst_off", "", smallest, slack if same else None, sign=1)
    return rows + _rows(sides, "gini", "", lambda s: gini(s.scores.dropna().to_numpy()))


def gini(values: np.ndarray) -> float:
    """Return the Gini coefficient of values that are zero or more; 0 where all are equal or there are none."""
    ordered = np.sort(np.asarray(values, dtype=float))
    n, total = len(ordered), float(ordered.sum())
    if n == 0 or total <= 0:
        return 0.0
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * total) - (n + 1) / n)


def _stations(sides: Sequence[Side]) -> list[Row]:
    opened = {s.label: s.facts.open_stations(s.facts.last).drop_duplicates(["site", "service"]) for s in sides}
    rows = _rows(sides, "stations", "", lambda s: float(len(opened[s.label])))
    services = list(dict.fromkeys(k for side in sides for k in side.run.scenario.services))
    for service in services:
        counts = {label: float((frame["service"] == service).sum()) for label, frame in opened.items()}
        if any(counts.values()):
            rows += _rows(sides, "stations_by_service", service, lambda s, c=counts: c[s.label])  # type: ignore[misc]
    travel = {s.label: float((s.run.assignments["amount"] * s.run.assignments["travel_m"]).sum()) for s in sides}
    amount = {s.label: float(s.run.assignments["amount"].sum()) for s in sides}
    return rows + _rows(sides, "mean_travel_m", "", lambda s: travel[s.label] / max(amount[s.label], 1e-9))


def _changes(sides: Sequence[Side]) -> list[Row]:
    def count(direction: int) -> Callable[[Side], float]:
        return lambda s: float((direction * (s.scores - sides[0].scores) > NOTABLE).sum())

    return _rows(sides, "communities_that_lose", "", count(-1)) + _rows(sides, "communities_that_gain", "", count(1))


def figure_rows(sides: Sequence[Side]) -> list[Row]:
    """Return the figures of all plans: figure, group, plan, value, difference to the base, proven."""
    parts = (_money, _met, _worst, _stations, _changes)
    return [row for make in parts for row in make(sides)]
