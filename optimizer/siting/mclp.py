"""Maximal covering (MCLP): p sites so that the weight of clients with one of them within the limit is greatest."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt
from scipy import sparse

from optimizer.highs import Arrays, solve
from optimizer.siting.checks import Checks
from optimizer.siting.covering import first_sites, merged
from optimizer.siting.limits import Limits, unit_of_weights
from optimizer.siting.mclp_search import MostSearch
from optimizer.siting.result import EXACT, Flags, Floats, Ints, Result, make_result, nearest

_LARGEST_SEARCH = 1e7  # entries of the relaxed programme up to which the search of this package is used


def mclp(
    cost: npt.ArrayLike,
    *,
    limit: npt.ArrayLike,
    p: int,
    weights: npt.ArrayLike | None = None,
    existing: Sequence[int] | npt.ArrayLike = (),
    time_limit: float = np.inf,
    threads: int = 1,
    seed: int = 0,
) -> Result:
    """Open ``p`` sites so that the weight of the clients with an open site within ``limit`` is greatest.

    ``max sum_i w_i (1 - u_i)`` with ``u_i + sum_{j: c_ij <= limit_i} y_j >= 1`` and ``sum_j y_j = p``; u_i is the
    part of client i that is left out. Clients with the same sites are one; a site that covers no more than another is
    not looked at.

    Args:
        cost: (n clients, m sites) distance, 0 or more, ``inf`` where a site may not serve a client.
        limit: the farthest a site may be, inclusive; one number, or (n,) one for each client.
        p: number of open sites, existing ones included.
        weights: (n,) weight of each client, 0 or more; 1 where not given.
        existing: indices of sites that are open whatever is decided.
        time_limit: seconds after which the search stops with what is known.
        threads: of the solver.
        seed: of the solver.

    Returns:
        ``value`` is the weight covered; ``assignment`` is -1 for clients that are not covered; ``covered`` counts the
        open sites within the limit.

    Raises:
        SitingInputError: with all mistakes in the input. A client that no site can reach is not one of them.

    Source: R. Church and C. ReVelle, Papers of the Regional Science Association 32 (1974).
    """
    began = perf_counter()
    checks = Checks(cost)
    reach = checks.limit(limit)
    weight = checks.numbers("weights", weights, 1.0, checks.clients)
    stands = checks.existing(existing)
    count = checks.count(p, stands)
    checks.search(time_limit, threads, seed)
    checks.done()
    allowed = (checks.cost <= reach[:, None]) & np.isfinite(checks.cost)
    unit = unit_of_weights(weight)
    sites, bound = _most(allowed, weight / unit, count, stands, Limits(began + time_limit, threads, seed))
    covered = allowed[:, sites].sum(axis=1)
    assignment = np.where(covered > 0, nearest(checks.cost, sites), -1)
    value = float(weight[covered > 0].sum())
    return make_result("mclp", value, bound * unit, sites, assignment, began, covered=covered, maximise=True)


def _most(allowed: Flags, weight: Floats, p: int, existing: Ints, limits: Limits) -> tuple[Ints, float]:
    """Sites that cover most, and a bound on what any p sites cover."""
    count = allowed.shape[1]
    served = allowed[:, existing].any(axis=1)
    base = float(weight[served].sum())
    rows, amount = merged(allowed[~served], weight[~served])
    sites = _not_included(rows, existing)
    more = min(p - existing.size, sites.size)
    if not amount.size or more <= 0:
        return first_sites(p, existing, count), base
    rows = rows[:, sites]
    chosen = _greedy(rows, amount, more)
    chosen, missed = _searched(rows, amount, more, chosen, limits)
    if missed is None:
        chosen, missed = _by_solver(rows, amount, more, chosen, limits)
    return first_sites(p, np.union1d(existing, sites[chosen]), count), base + float(amount.sum()) - missed


def _searched(rows: Flags, amount: Floats, p: int, chosen: Ints, limits: Limits) -> tuple[Ints, float | None]:
    """Sites no worse than ``chosen`` and, where proven, a bound on the weight that any leave out."""
    if rows.shape[0] * sum(rows.shape) > _LARGEST_SEARCH:
        return chosen, None
    search = MostSearch(rows, amount, p, chosen, limits)
    search.run()
    return search.chosen, search.bound if search.proven or limits.left <= 0 else None


def _by_solver(rows: Flags, amount: Floats, p: int, chosen: Ints, limits: Limits) -> tuple[Ints, float]:
    """Sites no worse than ``chosen`` and a bound on the weight that any leave out, by the solver's own search."""
    total, sites = float(amount.sum()), rows.shape[1]
    whole = bool((amount == np.rint(amount)).all()) and total <= EXACT
    start = np.concatenate([np.isin(np.arange(sites), chosen), ~rows[:, chosen].any(axis=1)]).astype(float)
    options = limits.whole(absolute_gap=0.99 if whole else 1e-9 * total, presolve=False)
    outcome = solve(_programme(rows, amount, p), options, start=start)
    if outcome.x is not None and outcome.value is not None:
        found = np.flatnonzero(outcome.x[:sites] > 0.5)
        if amount[rows[:, found].any(axis=1)].sum() > amount[rows[:, chosen].any(axis=1)].sum():
            chosen = found
    missed = max(0.0, float(np.ceil(outcome.bound - 1e-6)) if whole else outcome.bound)
    return chosen, missed


def _programme(rows: Flags, amount: Floats, p: int) -> Arrays:
    clients, sites = rows.shape
    ones = sparse.csr_matrix(np.concatenate([np.ones(sites), np.zeros(clients)])[None, :])
    reach = sparse.hstack([sparse.csr_matrix(rows.astype(float)), sparse.identity(clients)])
    return Arrays(
        cost=np.concatenate([np.zeros(sites), amount]),
        lower=np.zeros(sites + clients),
        upper=np.ones(sites + clients),
        integer=np.arange(sites + clients) < sites,
        matrix=sparse.vstack([ones, reach], format="csr"),
        row_lower=np.concatenate([[float(p)], np.ones(clients)]),
        row_upper=np.concatenate([[float(p)], np.full(clients, np.inf)]),
    )


def _not_included(rows: Flags, existing: Ints) -> Ints:
    """Sites whose clients are not all clients of another site (of equals the first), without the existing ones."""
    others = np.setdiff1d(np.arange(rows.shape[1]), existing)
    part = rows[:, others].astype(np.float32)
    size = part.sum(axis=0)
    number = np.arange(others.size)
    within = (part.T @ part) == size[:, None]
    within &= (size[None, :] > size[:, None]) | ((size[None, :] == size[:, None]) & (number[None, :] < number[:, None]))
    kept: Ints = others[~within.any(axis=1) & (size > 0)]
    return kept


def _greedy(rows: Flags, amount: Floats, p: int) -> Ints:
    """One site after another, each the one that adds most."""
    missing = np.ones(amount.size, bool)
    share = sparse.csr_matrix(rows.T, dtype=float)
    chosen: list[int] = []
    for _ in range(p):
        gain = share @ (amount * missing)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        missing &= ~rows[:, best]
    return np.array(chosen, np.int64)
