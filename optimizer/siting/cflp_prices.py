"""Prices of clients for the CFLP: a bound, plans met on the way, and sites that every better plan opens or closes.

With a price ``u_i`` for serving all demand of client i, ``sum_i u_i + min_y sum_j (f_j + r_j) y_j`` is at most the
value of every plan, where ``r_j`` is the least of ``sum_i (c_ij - u_i) x_ij`` over shares within the capacity of site j
(a relaxed knapsack), and y holds all demand: ``sum_j s_j y_j >= sum_i d_i`` (or is p sites). The best such bound is
that of the relaxed model with all its links. Prices by deflected subgradients (N. Christofides and J. E. Beasley, EJOR
12, 1983; J. E. Beasley, EJOR 33, 1988), which also rule out sites by their reduced cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optimizer.siting.limits import Limits
from optimizer.siting.result import Flags, Floats, Ints

_ROUNDS = 500
_PATIENCE = 12  # rounds without a better bound before the step is shortened
_SHORTER = 0.6
_SMALLEST_STEP = 1e-3
_PLANS = 40  # choices of sites whose plan is looked at
_NEAR = 0.03  # of the best bound: rounds this near it are looked at
_EQUAL = 1e-9

Plan = tuple[float, Ints, Floats]
"""Value, open sites, and shares (n, m)."""


@dataclass(frozen=True, eq=False)
class Case:
    """Sound input of n clients and m sites, in the units of `cflp`'s search.

    `cost` (n, m) of serving all demand of a client, with its weight (inf where forbidden), and `fixed` (m,) are in one
    unit; `demand` (n,) and `capacity` (m,) are shares of all demand, at most one. `p` sites are open where it is given;
    `existing` are indices of sites that are open anyway.
    """

    cost: Floats
    demand: Floats
    capacity: Floats
    fixed: Floats
    p: int | None
    existing: Ints

    @property
    def pairs(self) -> tuple[Ints, Ints]:
        """Clients and sites of the pairs that are allowed."""
        client, site = np.nonzero(np.isfinite(self.cost))
        return client, site


@dataclass(eq=False)
class Priced:
    """A bound in the unit of costs, the best plan met, and sites (m,) no better plan opens (``closed``) or closes."""

    bound: float
    plan: Plan | None
    closed: Flags
    opened: Flags


@dataclass(eq=False)
class _Best:
    bound: float
    price: Floats
    y: Floats
    site_cost: tuple[Floats, Floats]


def priced(case: Case, evaluate: Callable[[Ints], Plan | None], limits: Limits) -> Priced:
    """Search for good prices until they settle, ``_ROUNDS`` or the clock are used up; nothing is raised.

    ``evaluate`` makes a plan of open sites (their indices), or None where they cannot serve all. Without any plan no
    site is ruled out.
    """
    price: Floats = case.cost.min(axis=1)
    best = _Best(-np.inf, price, np.zeros(case.fixed.size), (case.fixed, case.fixed))
    plan = evaluate(_first_sites(case)) if limits.left > 0 else None
    tried: set[tuple[int, ...]] = set()
    step, idle, direction = 1.0, 0, np.zeros(price.size)
    for number in range(_ROUNDS):
        gain, taken = _knapsacks(case, case.cost - price[:, None])
        y, site_cost = _cheapest(case, case.fixed + gain)
        bound = float(price.sum() + (case.fixed + gain) @ y)
        idle += 1
        if bound > best.bound:
            best, idle = _Best(bound, price, y, site_cost), 0
        sites = tuple(np.flatnonzero(y > 0).tolist())
        if number % 5 == 4 and bound >= best.bound - _NEAR * abs(best.bound):
            plan = _tried(sites, tried, evaluate, plan, limits)
        slope = 1.0 - taken @ y
        direction = slope if number == 0 else 0.7 * direction + 0.3 * slope
        if idle >= _PATIENCE:
            step, idle, price, direction = step * _SHORTER, 0, best.price, slope
        length = float((direction**2).sum())
        aim = plan[0] if plan is not None else 1.05 * abs(best.bound) + _EQUAL
        if limits.left <= 0 or length == 0 or step < _SMALLEST_STEP or aim - best.bound <= _EQUAL * abs(aim):
            break
        price = price + step * max(aim - bound, 0.0) / length * direction
    return _ruled_out(best, plan)


def _tried(
    sites: tuple[int, ...],
    tried: set[tuple[int, ...]],
    evaluate: Callable[[Ints], Plan | None],
    plan: Plan | None,
    limits: Limits,
) -> Plan | None:
    """The better of the plan and that of other sites."""
    if sites in tried or len(tried) >= _PLANS or limits.left <= 0:
        return plan
    tried.add(sites)
    other = evaluate(np.array(sites, np.int64))
    return other if other is not None and (plan is None or other[0] < plan[0] * (1 - 1e-12)) else plan


def _ruled_out(best: _Best, plan: Plan | None) -> Priced:
    """Sites whose reduced cost shows that the other choice holds no plan as good as the one known."""
    most = np.inf if plan is None else plan[0] * (1 + _EQUAL)
    to_open, to_close = best.site_cost
    closed = (best.y <= 0) & (best.bound + to_open > most)
    opened = (best.y >= 1) & (best.bound - to_close > most)
    return Priced(best.bound, plan, closed, opened)


def _knapsacks(case: Case, reduced: Floats) -> tuple[Floats, Floats]:
    """r_j of every site (m,) and the shares that give it (n, m): clients by what a unit saves, to the capacity."""
    gain = np.minimum(reduced, 0.0)
    free = case.demand == 0
    density = gain / np.where(free, 1.0, case.demand)[:, None]
    density[free] = -np.inf  # no capacity is needed
    order = np.argsort(density, axis=0, kind="stable")
    size = case.demand[order]
    before = np.cumsum(size, axis=0) - size
    share = np.where(size > 0, np.clip((case.capacity - before) / np.where(size > 0, size, 1.0), 0.0, 1.0), 1.0)
    taken = np.zeros(reduced.shape)
    np.put_along_axis(taken, order, share, axis=0)
    taken[gain >= 0] = 0.0
    return np.asarray((gain * taken).sum(axis=0)), taken


def _cheapest(case: Case, worth: Floats) -> tuple[Floats, tuple[Floats, Floats]]:
    """Relaxed y (m,) of least worth, and what it costs at least to open a closed and to close an open site."""
    y = np.zeros(worth.size)
    y[case.existing] = 1.0
    if case.p is not None:
        order = np.argsort(np.where(y > 0, -np.inf, worth), kind="stable")
        y[order[: case.p]] = 1.0
        free = case.p > case.existing.size
        last = worth[order[case.p - 1]] if free else -np.inf
        after = worth[order[case.p]] if case.p < worth.size else np.inf
        return y, (worth - last, worth - after)
    y[worth < 0] = 1.0
    missing = case.demand.sum() * (1 - 1e-12) - case.capacity @ y
    if missing <= 0:
        return y, (worth, worth)
    others = np.flatnonzero((y == 0) & (case.capacity > 0))
    rate = worth[others] / case.capacity[others]
    order = np.argsort(rate, kind="stable")
    room = case.capacity[others[order]]
    share = np.clip((missing - (np.cumsum(room) - room)) / room, 0.0, 1.0)
    y[others[order]] = share
    last = float(rate[order][share > 0][-1])
    return y, (worth - last * case.capacity, worth - last * case.capacity)


def _first_sites(case: Case) -> Ints:
    """Sites opened one after another, each the one that saves most, until all demand has room and none saves more."""
    finite = np.isfinite(case.cost)
    cost = np.where(finite, case.cost, np.where(finite, case.cost, 0.0).max(axis=1).sum() + 1.0)
    chosen = case.existing.tolist()
    served = cost[:, chosen].min(axis=1) if chosen else np.full(cost.shape[0], cost.max())
    while len(chosen) < (cost.shape[1] if case.p is None else case.p):
        saved = (served[:, None] - np.minimum(cost, served[:, None])).sum(axis=0) - case.fixed
        saved[chosen] = -np.inf
        saved[case.capacity <= 0] = np.minimum(saved[case.capacity <= 0], -1e300)
        best = int(saved.argmax())
        if case.p is None and saved[best] <= 0 and case.capacity[chosen].sum() >= case.demand.sum() * (1 - 1e-12):
            break
        chosen.append(best)
        served = np.minimum(served, cost[:, best])
    return np.sort(np.array(chosen, np.int64))
