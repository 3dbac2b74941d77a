"""A bound for the capacitated p-median: prices for serving clients, and a knapsack problem for every site.

With prices u, ``sum_i u_i + min_{|S| = p} sum_{j in S} r_j`` where ``r_j`` is the least of ``sum_i (c_ij - u_i) x_i``
over whole x with ``sum_i d_i x_i <= s_j``: stronger than the relaxed model (A. Ceselli and G. Righini, Networks 45,
2005).
Whole demands: by dynamic programming over the capacity, all sites at once; others: the relaxed knapsack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from optimizer.siting.result import Flags, Floats, Ints

_LARGEST = 4e8  # steps of the dynamic programme of a round; beyond, knapsacks are relaxed
_LARGEST_ROOM = 200  # capacity, in units of demand, up to which that is worth it: times the number of clients
FULL = 1e-8  # a site is full where no more than this part of its capacity is left, or too much
Improve = Callable[[Ints], tuple[float, Ints, Ints] | None]


@dataclass(frozen=True, eq=False)
class Case:
    """Costs with weights (inf forbidden), demands, capacities, sites to keep."""

    cost: Floats
    demand: Floats
    capacity: Floats
    keep: Flags
    p: int


@dataclass(eq=False)
class Bounded:
    """Best prices with their bound; best plan (value, sites, place of each client's site in them)."""

    price: Floats
    bound: float
    worth: Floats
    plan: tuple[float, Ints, Ints] | None


class Knapsacks:
    """The knapsack problems of all sites."""

    def __init__(self, case: Case) -> None:
        self.case = case
        whole = bool((case.demand == np.rint(case.demand)).all())
        unit = float(np.gcd.reduce(case.demand.astype(np.int64))) if whole and case.demand.any() else 1.0
        self.size = np.rint(case.demand / max(unit, 1.0)).astype(np.int64) if whole else np.zeros(0, np.int64)
        room = np.minimum(case.capacity, case.demand.sum())
        self.room = np.floor(room / max(unit, 1.0)).astype(np.int64)
        steps = float(case.cost.size) * (float(self.room.max()) + 1)
        self.exact = whole and steps <= _LARGEST and self.room.max() <= _LARGEST_ROOM * len(case.demand)

    def worth(self, reduced: Floats) -> Floats:
        """r_j of every site for reduced costs (n, m), ``inf`` where forbidden."""
        return self._dynamic(reduced) if self.exact else self._relaxed(reduced)

    def _dynamic(self, reduced: Floats) -> Floats:
        best = np.zeros((reduced.shape[1], int(self.room.max()) + 1))
        for client in np.flatnonzero((reduced < 0).any(axis=1)):
            rows, size = np.flatnonzero(reduced[client] < 0), self.size[client]
            part = best[rows]
            taken = part[:, : part.shape[1] - size] + reduced[client, rows, None] if size < part.shape[1] else None
            if taken is not None:
                part[:, size:] = np.minimum(part[:, size:], taken)
                best[rows] = part
        return np.asarray(best[np.arange(best.shape[0]), self.room])

    def _relaxed(self, reduced: Floats) -> Floats:
        gain = np.minimum(reduced, 0)
        density = gain / np.maximum(self.case.demand, 1e-12)[:, None]
        order = np.argsort(density, axis=0, kind="stable")
        size = self.case.demand[order]
        before = np.cumsum(size, axis=0) - size
        share = np.clip((self.case.capacity[None, :] - before) / np.maximum(size, 1e-12), 0, 1)
        return np.asarray((np.take_along_axis(gain, order, axis=0) * share).sum(axis=0))

    def taken(self, reduced: Floats, sites: Ints) -> Floats:
        """(n, k) what each of a few sites takes."""
        if not self.exact:
            return self._relaxed_taken(reduced[:, sites], sites)
        take = np.zeros((reduced.shape[0], sites.size))
        for place, site in enumerate(sites):
            items = np.flatnonzero(reduced[:, site] < 0)
            best, room = np.zeros(int(self.room[site]) + 1), int(self.room[site])
            flags = np.zeros((items.size, room + 1), bool)
            for k, item in enumerate(items):
                size = int(self.size[item])
                if size > room:
                    continue
                other = best[: room + 1 - size] + reduced[item, site]
                flags[k, size:] = other < best[size:]
                best[size:] = np.minimum(best[size:], other)
            left = room
            for k in range(items.size - 1, -1, -1):
                if flags[k, left]:
                    take[items[k], place] = 1.0
                    left -= int(self.size[items[k]])
        return take

    def _relaxed_taken(self, reduced: Floats, sites: Ints) -> Floats:
        density = np.minimum(reduced, 0) / np.maximum(self.case.demand, 1e-12)[:, None]
        order = np.argsort(density, axis=0, kind="stable")
        size = self.case.demand[order]
        share = np.clip((self.case.capacity[sites] - np.cumsum(size, axis=0) + size) / np.maximum(size, 1e-12), 0, 1)
        take = np.zeros(reduced.shape)
        np.put_along_axis(take, order, share, axis=0)
        return np.where(reduced < 0, take, 0.0)

    def forced(self, reduced: Floats, worth: Floats) -> Floats:
        """(n, m) at least what site j is worth if it has to take client i; inf where that cannot be."""
        if not self.exact:
            return worth[None, :] + np.maximum(np.where(np.isfinite(reduced), reduced, np.inf), 0)
        out = np.full(reduced.shape, np.inf)
        for site in range(reduced.shape[1]):
            out[:, site] = self._forced_at(reduced[:, site], int(self.room[site]))
        return out

    def _forced_at(self, reduced: Floats, room: int) -> Floats:
        items = np.flatnonzero(reduced < 0)
        ahead = np.zeros((items.size + 1, room + 1))
        behind = np.zeros((items.size + 1, room + 1))
        for k, item in enumerate(items):
            ahead[k + 1] = _with(ahead[k], int(self.size[item]), reduced[item])
        for k in range(items.size - 1, -1, -1):
            behind[k] = _with(behind[k + 1], int(self.size[items[k]]), reduced[items[k]])
        out = np.full(reduced.size, np.inf)
        others = np.flatnonzero(np.isfinite(reduced) & (reduced >= 0) & (self.size <= room))
        out[others] = reduced[others] + ahead[-1][room - self.size[others]]
        for k, item in enumerate(items):
            left = room - int(self.size[item])
            if left >= 0:
                out[item] = reduced[item] + (ahead[k][: left + 1] + behind[k + 1][left::-1]).min()
        return out


def _with(best: Floats, size: int, gain: float) -> Floats:
    out = best.copy()
    if size < best.size:
        out[size:] = np.minimum(out[size:], best[: best.size - size] + gain)
    return out


def chosen(worth: Floats, keep: Flags, p: int) -> Ints:
    """The p sites of least worth, those to keep first."""
    return np.sort(np.lexsort((np.arange(worth.size), np.where(keep, -np.inf, worth)))[:p])


def priced(case: Case, knapsacks: Knapsacks, price: Floats, improve: Improve, rounds: int, end: float) -> Bounded:
    """Search for good prices by deflected subgradients; sites met on the way are tried as plans by ``improve``."""
    best = Bounded(price, -np.inf, np.zeros(case.cost.shape[1]), improve(np.zeros(0, np.int64)))
    tried: set[tuple[int, ...]] = set()
    step, idle, direction = 1.0, 0, np.zeros(price.size)
    for number in range(rounds):
        reduced = case.cost - price[:, None]
        worth = knapsacks.worth(reduced)
        sites = chosen(worth, case.keep, case.p)
        bound = float(price.sum() + worth[sites].sum())
        slope = 1.0 - knapsacks.taken(reduced, sites).sum(axis=1)
        idle += 1
        if bound > best.bound:
            best.price, best.bound, best.worth, idle = price, bound, worth, 0
        if tuple(sites) not in tried and len(tried) < 150:
            tried.add(tuple(sites))
            plan = improve(sites)
            if plan is not None and (best.plan is None or plan[0] < best.plan[0] * (1 - 1e-12)):
                best.plan = plan
        direction = slope if number == 0 else 0.7 * direction + 0.3 * slope
        if idle >= 10:
            step, idle, price, direction = step * 0.6, 0, best.price, slope
        length = float((direction**2).sum())
        aim = best.plan[0] if best.plan else abs(best.bound) * 1.05
        if length == 0 or step < 1e-3 or aim - best.bound < 1e-9 * aim or perf_counter() > end:
            break
        price = price + step * max(aim - bound, 0.0) / length * direction
    return best
