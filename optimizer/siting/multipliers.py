"""A bound for the p-median by Lagrangian multipliers, and which sites it rules out.

With a price ``u_i`` for serving client i, ``sum_i u_i + min_{|S| = p} sum_{j in S} r_j`` with
``r_j = sum_i min(0, c_ij - u_i)`` is at most the value of every plan. Prices by deflected subgradients (N. Christofides
and J. E. Beasley, "A tree search algorithm for the p-median problem", EJOR 10, 1982; P. M. Camerini, L. Fratta and
F. Maffioli, Mathematical Programming Study 3, 1975).
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from optimizer.siting.interchange import Near, improved
from optimizer.siting.result import Flags, Floats, Ints

_PATIENCE = 15  # rounds without a better bound before the step is shortened
_SHORTER = 0.6
_SMALLEST_STEP = 1e-3


@dataclass(eq=False)
class Prices:
    """The best prices found, with their bound, and the best plan met on the way."""

    price: Floats  #: (n,)
    worth: Floats  #: (m,) r_j, at most 0
    bound: float
    value: float
    sites: Ints

    def candidates(self, p: int, existing: Ints, cutoff: float) -> Ints:
        """Sites that a plan no worse than ``cutoff`` may open; existing ones always."""
        free = np.delete(self.worth, existing)
        open_more = p - existing.size
        if open_more <= 0:
            return existing
        last = np.partition(free, open_more - 1)[open_more - 1]
        allowed = self.bound + np.maximum(self.worth - last, 0) <= cutoff
        allowed[existing] = allowed[self.sites] = True
        return np.flatnonzero(allowed)


def priced(cost: Floats, near: Near, keep: Flags, start: tuple[float, Ints], rounds: int, end: float) -> Prices:
    """Search for good prices, from the plan ``start`` (value, sites), at most ``rounds`` rounds or to the ``end``.

    ``cost`` is finite; ``near`` has ``inf`` for forbidden pairs. Where the lists of ``near`` are cut, a price
    never passes the last cost listed, so that no pair is missing in ``r_j``.
    """
    value, sites = start
    p = sites.size
    cap = np.where(np.isfinite(near.cost), near.cost, -np.inf).max(axis=1)
    price = np.minimum(_first_prices(cost, sites), cap)
    best = Prices(price, np.zeros(cost.shape[1]), -np.inf, value, sites)
    step, idle, direction = 1.0, 0, np.zeros(cost.shape[0])
    for number in range(rounds):
        saving = np.minimum(near.cost - price[:, None], 0)
        worth: Floats = np.bincount(near.site.ravel(), saving.ravel(), cost.shape[1]).astype(float)
        chosen = _cheapest(worth, keep, p)
        bound = float(price.sum() + worth[chosen].sum())
        if bound > best.bound:
            best.price, best.worth, best.bound, idle = price, worth, bound, 0
        else:
            idle += 1
        taken = np.zeros(cost.shape[1], bool)
        taken[chosen] = True
        slope = 1.0 - ((saving < 0) & taken[near.site]).sum(axis=1)
        if number % 5 == 0:
            _try(cost, near, keep, chosen, best, end)
        direction = slope if number == 0 else 0.7 * direction + 0.3 * slope
        if idle >= _PATIENCE:
            step, idle, price, direction = step * _SHORTER, 0, best.price, slope
        length = float((direction**2).sum())
        if best.value - best.bound <= 1e-9 * best.value or step < _SMALLEST_STEP or length == 0 or perf_counter() > end:
            break
        price = np.clip(price + step * (best.value - bound) / length * direction, near.cost[:, 0], cap)
    return best


def _first_prices(cost: Floats, sites: Ints) -> Floats:
    """Half way between the nearest and the second nearest open site."""
    if sites.size == 1:
        return np.asarray(2 * cost[:, sites[0]])
    return np.asarray(np.partition(cost[:, sites], 1, axis=1)[:, :2].mean(axis=1))


def _cheapest(worth: Floats, keep: Flags, p: int) -> Ints:
    """The p sites of least worth, those to keep first."""
    ranked = np.where(keep, -np.inf, worth)
    return np.argpartition(ranked, p - 1)[:p]


def _try(cost: Floats, near: Near, keep: Flags, sites: Ints, best: Prices, end: float) -> None:
    """Take the sites of the bound as a plan, improved where it is close to the best."""
    value = float(cost[:, sites].min(axis=1).sum())
    if value < 1.01 * best.value:
        value, sites = improved(cost, near, sites, keep, most=30, end=end)
    if value < best.value * (1 - 1e-12):
        best.value, best.sites = value, np.sort(sites)
