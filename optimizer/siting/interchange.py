"""Good choices of p sites fast: greedy adding, then the best exchange of an open for a closed site.

Fast interchange after R. A. Whitaker (INFOR 21, 1983) in the form of M. G. C. Resende and R. F. Werneck ("A fast
swap-based local search procedure for location problems", Annals of Operations Research 150, 2007): the profit of all
exchanges at once from gains, losses and their corrections, each a sum over the pairs (client, site) that matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from optimizer.siting.result import Flags, Floats, Ints

_WORTH = 1e-9  # an exchange must improve by this share of the value


@dataclass(frozen=True, eq=False)
class Near:
    """The nearest sites of every client, in order: ``site`` and ``cost`` are (n, k); ``whole`` where none is left out.

    Forbidden pairs cost ``inf`` and stand last.
    """

    site: Ints
    cost: Floats
    whole: bool

    @classmethod
    def of(cls, cost: Floats, most: int) -> Near:
        """The ``most`` nearest sites of every client; equals in the order of sites."""
        site = np.argsort(cost, axis=1, kind="stable")[:, : min(most, cost.shape[1])]
        return cls(site, np.take_along_axis(cost, site, axis=1), site.shape[1] == cost.shape[1])


def greedy(cost: Floats, p: int, existing: Ints, end: float = np.inf) -> Ints:
    """Open the existing sites, then one site after another, each the one that helps most. ``cost`` is finite.

    When the clock ends, the first sites that are left make up the number.
    """
    chosen = list(existing)
    served = cost[:, existing].min(axis=1) if existing.size else np.full(cost.shape[0], cost.max())
    while len(chosen) < p:
        if perf_counter() > end:
            others = np.setdiff1d(np.arange(cost.shape[1]), chosen)
            chosen += others[: p - len(chosen)].tolist()
            break
        total = np.minimum(cost, served[:, None]).sum(axis=0)
        total[chosen] = np.inf
        best = int(total.argmin())
        chosen.append(best)
        served = np.minimum(served, cost[:, best])
    return np.array(chosen, np.int64)


def improved(
    cost: Floats, near: Near, sites: Ints, keep: Flags, most: int = 1000, end: float = np.inf
) -> tuple[float, Ints]:
    """Exchange open for closed sites, always the best exchange, until none helps; returns value and sites.

    ``cost`` (n, m) is finite (a penalty where forbidden), ``keep`` (m,) sites that stay open, ``end`` of the clock.
    """
    sites = np.sort(sites)
    value = float(cost[:, sites].min(axis=1).sum())
    for _ in range(most):
        if perf_counter() > end:
            break
        change = _changes(cost, near, sites)
        change[keep[sites]] = 0.0
        change[:, sites] = 0.0
        out, into = divmod(int(change.argmin()), cost.shape[1])
        if change[out, into] >= -_WORTH * max(value, 1e-9):
            break
        sites = sites.copy()
        sites[out] = into
        sites.sort()
        value = float(cost[:, sites].min(axis=1).sum())
    return value, sites


def _changes(cost: Floats, near: Near, sites: Ints) -> Floats:
    """Change of the value (p, m) by closing one site and opening another; never too good where lists are cut."""
    clients, count, p = cost.shape[0], cost.shape[1], sites.size
    first, second, serving = _two_nearest(cost, sites)
    told = (near.cost < second[:, None]).sum(axis=1)
    client = np.repeat(np.arange(clients), told)
    place = np.arange(told.sum()) - np.repeat(np.cumsum(told) - told, told)
    site, there = near.site[client, place], near.cost[client, place]
    gain = np.bincount(site, np.maximum(first[client] - there, 0), count)
    correction = second[client] - np.maximum(there, first[client])
    spared = np.bincount(serving[client] * count + site, correction, p * count).reshape(p, count)
    loss = np.bincount(serving, second - first, p)
    return np.asarray(loss[:, None] - spared - gain[None, :])


def _two_nearest(cost: Floats, sites: Ints) -> tuple[Floats, Floats, Ints]:
    """Cost of the nearest and of the second nearest open site, and the place of the nearest in ``sites``."""
    part = cost[:, sites]
    if sites.size == 1:
        return part[:, 0], np.full(cost.shape[0], 2 * cost.max() + 1), np.zeros(cost.shape[0], np.int64)
    two = np.argpartition(part, 1, axis=1)[:, :2]
    values = np.take_along_axis(part, two, axis=1)
    swapped = values[:, 0] > values[:, 1]
    return values.min(axis=1), values.max(axis=1), np.where(swapped, two[:, 1], two[:, 0])
