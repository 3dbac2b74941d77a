"""Fewest (or cheapest) sites that cover all clients: reductions first, then a search for what is left.

A client whose sites include all sites of another need not be looked at: who covers the other covers it. A site whose
clients are all covered by another site that costs no more need not be opened. Both to the end, with sites forced by a
client that has only one (C. Toregas and C. ReVelle, Papers of the Regional Science Association 28, 1972). What is left
goes to the search of ``cover_search`` where all sites cost the same, and to the solver's own search where they do not
or where that search would take too long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from optimizer.highs import solve
from optimizer.siting.cover_relaxed import programme
from optimizer.siting.cover_search import CoverSearch
from optimizer.siting.limits import Limits, unit_of
from optimizer.siting.result import Flags, Floats, Ints

_LARGEST = 4e10  # multiplications up to which sets are compared pair by pair
_SPARSE = 100  # times as many multiplications that dense arrays take no longer for
_LOWEST, _HIGHEST = 0.1, 1e6  # largest costs in between are taken as they are
_LARGEST_SEARCH = 1e7  # pairs of clients and sites up to which the search of this package is used


@dataclass(frozen=True)
class Cover:
    """Sites that cover all clients, and a bound on what any cover costs."""

    sites: Ints
    bound: float


@dataclass(frozen=True)
class Reduced:
    """What is left to decide: clients, sites, and sites that must be open."""

    clients: Ints
    sites: Ints
    forced: Ints


def cover(
    allowed: Flags, cost: Floats, keep: Flags, limits: Limits, *, enough: float | None = None, quick: bool = False
) -> Cover:
    """The cheapest sites that cover every client; ``allowed`` (n, m) has a site for each, ``keep`` are open anyway.

    With ``enough`` the search ends as soon as a cover costs that little, or none can (then ``bound`` is above it). A
    ``quick`` one (for sites of equal cost) ends at the relaxed bound and a short local search.
    """
    unit = unit_of(float(cost.max()))
    if not _LOWEST < unit < _HIGHEST:  # the solver's tolerances are for numbers near one
        found = cover(allowed, cost / unit, keep, limits, enough=None if enough is None else enough / unit, quick=quick)
        return Cover(found.sites, found.bound * unit)
    left = reduced(allowed, cost, keep)
    forced, base = left.forced, float(cost[left.forced].sum())
    if not left.clients.size:
        return Cover(forced, base)
    part, price = allowed[np.ix_(left.clients, left.sites)], cost[left.sites]
    chosen = greedy_cover(part, price)
    if enough is not None and base + price[chosen].sum() <= enough:
        return Cover(np.union1d(forced, left.sites[chosen]), base)
    need = None if enough is None else enough - base
    bound = 0.0
    if price.min() == price.max() > 0 and part.size <= _LARGEST_SEARCH:
        search = CoverSearch(part, chosen, limits)
        number = None if need is None else int(np.floor(need / price[0] + 1e-9))
        search.run(number, steps=0) if quick else search.run(number)
        chosen, bound = search.chosen, float(search.bound * price[0])
    value = float(price[chosen].sum())
    if not quick and bound < value - 1e-9 * value and (need is None or bound <= need < value):
        chosen, further = _by_solver(part, price, chosen, need, bound, limits)
        bound = max(bound, further)
    return Cover(np.union1d(forced, left.sites[chosen]), base + bound)


def _by_solver(
    allowed: Flags, cost: Floats, chosen: Ints, enough: float | None, known: float, limits: Limits
) -> tuple[Ints, float]:
    """A cover no dearer than ``chosen`` and a bound, by the solver's own search; no cover is below ``known``."""
    whole = bool((cost == np.rint(cost)).all())
    cutoff = None if enough is None or not whole else enough + 0.5
    target = enough if enough is not None else (known + 1e-6 if known > 0 else None)
    options = limits.whole(absolute_gap=0.99 if whole else 1e-9, cutoff=cutoff, target=target, presolve=False)
    outcome = solve(programme(allowed, cost), options)
    bound = max(0.0, outcome.bound)
    if whole and np.isfinite(bound):
        bound = float(np.ceil(bound - 1e-6))
    if outcome.x is not None and cost @ outcome.x < cost[chosen].sum() + 1e-9:
        chosen = np.flatnonzero(outcome.x > 0.5)
    return chosen, bound


def greedy_cover(allowed: Flags, cost: Floats) -> Ints:
    """Sites opened one after another, each the one that covers most per cost, and the needless closed again."""
    open_ = np.zeros(allowed.shape[1], bool)
    missing = np.ones(allowed.shape[0], bool)
    while missing.any():
        worth = allowed[missing].sum(axis=0) / np.maximum(cost, 1e-9)
        best = int(worth.argmax())
        open_[best] = True
        missing &= ~allowed[:, best]
    times = allowed[:, open_].sum(axis=1)
    for site in np.flatnonzero(open_)[::-1]:
        if (times[allowed[:, site]] > 1).all():
            open_[site] = False
            times = times - allowed[:, site]
    return np.flatnonzero(open_)


def reduced(allowed: Flags, cost: Floats, keep: Flags) -> Reduced:
    """Leave out clients and sites that decide nothing."""
    clients = np.flatnonzero(~allowed[:, keep].any(axis=1))
    sites = np.flatnonzero(~keep)
    forced = list(np.flatnonzero(keep))
    part = allowed[np.ix_(clients, sites)]
    while clients.size:
        before = part.shape
        needed = ~_needless_clients(part)
        clients, part = clients[needed], part[needed]
        needed = ~_needless_sites(part, cost[sites])
        sites, part = sites[needed], part[:, needed]
        alone = part.sum(axis=1) == 1
        if alone.any():
            single = np.unique(part[alone].argmax(axis=1))
            forced += list(sites[single])
            left = np.asarray(~part[:, single].any(axis=1), bool)
            clients, part = clients[left], np.delete(part[left], single, axis=1)
            sites = np.delete(sites, single)
        if before == part.shape:
            break
    return Reduced(clients, sites, np.sort(np.array(forced, np.int64)))


def merged(allowed: Flags, weight: Floats) -> tuple[Flags, Floats]:
    """Clients with the same sites become one with their weights together; those without site or weight are left out."""
    counts = (weight > 0) & allowed.any(axis=1)
    if not counts.any():
        return allowed[:0], weight[:0]
    packed, first, group = np.unique(
        np.packbits(allowed[counts], axis=1), axis=0, return_index=True, return_inverse=True
    )
    return allowed[counts][first], np.bincount(group.ravel(), weight[counts], packed.shape[0]).astype(float)


def first_sites(p: int, chosen: Ints, count: int) -> Ints:
    """The chosen of ``count`` sites, filled up to ``p`` with the first others."""
    others = np.setdiff1d(np.arange(count), chosen)
    return np.sort(np.concatenate([chosen, others[: max(0, p - chosen.size)]])).astype(np.int64)


def _needless_clients(allowed: Flags) -> Flags:
    """Clients whose sites include all sites of another client (of equals all but the first)."""
    count, size = allowed.shape[0], allowed.sum(axis=1)
    if count * count * allowed.shape[1] > _LARGEST:
        return np.zeros(count, bool)
    number = np.arange(count)
    within: Flags = _common(allowed) == size[None, :]  # [i, r]: the sites of r are all sites of i
    within &= (size[None, :] < size[:, None]) | ((size[None, :] == size[:, None]) & (number[None, :] < number[:, None]))
    return np.asarray(within.any(axis=1), bool)


def _needless_sites(allowed: Flags, cost: Floats) -> Flags:
    """Sites whose clients are all covered by another site that costs no more (of equals all but the first)."""
    count, size = allowed.shape[1], allowed.sum(axis=0)
    if count * count * allowed.shape[0] > _LARGEST:
        return np.asarray(size == 0, bool)
    number = np.arange(count)
    within: Flags = _common(allowed.T) == size[:, None]  # [j, k]: the clients of j are all clients of k
    larger = (size[None, :] > size[:, None]) | ((size[None, :] == size[:, None]) & (number[None, :] < number[:, None]))
    within &= (cost[None, :] < cost[:, None]) | ((cost[None, :] == cost[:, None]) & larger)
    return np.asarray(within.any(axis=1) | (size == 0), bool)


def _common(rows: Flags) -> Floats:
    """How many members each pair of rows shares."""
    times = rows.sum(axis=0, dtype=float)
    if times @ times * _SPARSE < float(rows.shape[0]) * rows.size:
        sites = sparse.csr_matrix(rows, dtype=np.float32)
        return np.asarray((sites @ sites.T).toarray())
    part = rows.astype(np.float32)  # whole numbers up to 2^24 are exact
    return np.asarray(part @ part.T)
