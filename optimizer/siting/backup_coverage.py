"""Backup coverage: every client has a site within the limit, and as much weight as possible has two."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt
from scipy import sparse

from optimizer.highs import Arrays, Status, solve
from optimizer.siting.checks import Checks
from optimizer.siting.covering import cover, first_sites
from optimizer.siting.errors import Finding, SitingInfeasible
from optimizer.siting.limits import Limits, unit_of_weights
from optimizer.siting.result import EXACT, Flags, Floats, Ints, Result, make_result, nearest


def backup_coverage(
    cost: npt.ArrayLike,
    *,
    limit: npt.ArrayLike,
    p: int | None = None,
    weights: npt.ArrayLike | None = None,
    existing: Sequence[int] | npt.ArrayLike = (),
    time_limit: float = np.inf,
    threads: int = 1,
    seed: int = 0,
) -> Result:
    """Open ``p`` sites that cover every client once and as much weight as possible twice.

    ``max sum_i w_i u_i`` with ``sum_{j: c_ij <= limit_i} y_j >= 1 + u_i``, ``0 <= u_i <= 1`` and ``sum_j y_j = p``.

    Args:
        cost: (n clients, m sites) distance, 0 or more, ``inf`` where a site may not serve a client.
        limit: the farthest a site may be, inclusive; one number, or (n,) one for each client.
        p: number of open sites, existing ones included; the fewest that cover all where not given.
        weights: (n,) weight of each client, 0 or more; 1 where not given.
        existing: indices of sites that are open whatever is decided.
        time_limit: seconds after which the search stops with what is known.
        threads: of the solver.
        seed: of the solver.

    Returns:
        ``value`` is the weight of the clients with two open sites or more within the limit, ``covered`` how many.

    Raises:
        SitingInputError: with all mistakes in the input, clients that no site can reach among them.
        SitingInfeasible: ``p`` sites cannot cover all clients; says how many are needed.

    Source: K. Hogan and C. ReVelle, Management Science 32 (1986), their first model.
    """
    began = perf_counter()
    checks = Checks(cost)
    reach = checks.limit(limit)
    weight = checks.numbers("weights", weights, 1.0, checks.clients)
    stands = checks.existing(existing)
    count = None if p is None else checks.count(p, stands)
    allowed = (checks.cost <= reach[:, None]) & np.isfinite(checks.cost)
    checks.reachable(allowed, "raise the limit, add a site near, or leave the client out")
    checks.search(time_limit, threads, seed)
    checks.done()
    limits = Limits(began + time_limit, threads, seed)
    keep = np.zeros(checks.sites, bool)
    keep[stands] = True
    least = cover(allowed, np.ones(checks.sites), keep, limits, enough=None if count is None else float(count))
    count = least.sites.size if count is None else count
    if least.bound > count:
        what = f"{count} sites cannot cover all clients: at least {least.bound:.0f} are needed"
        remedy = "ask for more sites or raise the limit"
        raise SitingInfeasible([Finding("p_cannot_cover_all", what, remedy=remedy)])
    start = first_sites(count, least.sites, checks.sites) if least.sites.size <= count else None
    fewest = p is not None or least.bound >= count
    unit = unit_of_weights(weight)
    sites, bound = _twice(allowed, weight / unit, count, keep, start, limits)
    if sites is None:
        none = np.full(checks.clients, -1, np.int64)
        return make_result("backup-coverage", None, bound * unit, [], none, began, maximise=True)
    bound = bound * unit if fewest else float(weight.sum())  # of a smaller number of sites nothing is known
    covered = allowed[:, sites].sum(axis=1)
    value = float(weight[covered > 1].sum())
    bound = value if bound - value <= 1e-9 * float(weight.sum()) else bound  # rounding only
    assignment = nearest(checks.cost, sites)
    return make_result("backup-coverage", value, bound, sites, assignment, began, covered=covered, maximise=True)


def _twice(
    allowed: Flags, weight: Floats, p: int, keep: Flags, start: Ints | None, limits: Limits
) -> tuple[Ints | None, float]:
    """Sites that cover all once and most twice, and a bound on the weight covered twice."""
    clients, sites = allowed.shape
    ones = sparse.csr_matrix(np.concatenate([np.ones(sites), np.zeros(clients)])[None, :])
    reach = sparse.hstack([sparse.csr_matrix(allowed.astype(float)), sparse.identity(clients)])
    once = sparse.csr_matrix(np.hstack([allowed, np.zeros((clients, clients))]))
    arrays = Arrays(
        cost=np.concatenate([np.zeros(sites), weight]),
        lower=np.concatenate([keep.astype(float), np.zeros(clients)]),
        upper=np.ones(sites + clients),
        integer=np.arange(sites + clients) < sites,
        matrix=sparse.vstack([ones, reach, once], format="csr"),
        row_lower=np.concatenate([[float(p)], np.full(clients, 2.0), np.ones(clients)]),
        row_upper=np.concatenate([[float(p)], np.full(2 * clients, np.inf)]),
    )
    whole = bool((weight == np.rint(weight)).all()) and float(weight.sum()) <= EXACT
    first = None
    if start is not None:
        y = np.isin(np.arange(sites), start).astype(float)
        first = np.concatenate([y, (allowed @ y < 2).astype(float)])
    total = float(weight.sum())
    outcome = solve(arrays, limits.whole(absolute_gap=0.99 if whole else 1e-9 * total), start=first)
    if outcome.status is Status.INFEASIBLE:
        what = f"{p} sites cannot cover all clients"
        raise SitingInfeasible([Finding("p_cannot_cover_all", what, remedy="ask for more sites or raise the limit")])
    missed = max(0.0, float(np.ceil(outcome.bound - 1e-6)) if whole else outcome.bound)
    if outcome.x is not None:
        return np.flatnonzero(outcome.x[:sites] > 0.5), total - missed
    return start, total - missed
