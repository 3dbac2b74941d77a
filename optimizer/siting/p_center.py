"""The p-center problem: p sites so that the farthest client is as near as possible."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt

from optimizer.siting.checks import Checks
from optimizer.siting.covering import cover, first_sites, greedy_cover
from optimizer.siting.errors import Finding, SitingInfeasible
from optimizer.siting.limits import Limits
from optimizer.siting.result import Flags, Floats, Ints, Result, make_result, nearest

_CLOSE = 1.05  # times a distance: no quick look at what lies nearer


def p_center(
    cost: npt.ArrayLike,
    *,
    p: int,
    weights: npt.ArrayLike | None = None,
    existing: Sequence[int] | npt.ArrayLike = (),
    time_limit: float = np.inf,
    threads: int = 1,
    seed: int = 0,
) -> Result:
    """Open ``p`` sites so that the greatest weighted distance of a client to its nearest open site is least.

    ``min max_i w_i min_{j open} c_ij`` with ``|open| = p``. The answer is one of the distances: bisection on them,
    each step the question whether p sites cover all clients within the distance (see ``covering``).

    Args:
        cost: (n clients, m sites) distance, 0 or more, ``inf`` where a site may not serve a client.
        p: number of open sites, existing ones included.
        weights: (n,) weight of each client, 0 or more; 1 where not given.
        existing: indices of sites that are open whatever is decided.
        time_limit: seconds after which the search stops with what is known.
        threads: of the solver.
        seed: of the solver.

    Returns:
        ``value`` is the greatest weighted distance: exactly a number of the input (times a weight).

    Raises:
        SitingInputError: with all mistakes in the input.
        SitingInfeasible: no ``p`` sites reach all clients.

    Sources: S. L. Hakimi, Operations Research 12 (1964); bisection: E. Minieka, SIAM Review 12 (1970).
    """
    began = perf_counter()
    checks = Checks(cost)
    weight = checks.numbers("weights", weights, 1.0, checks.clients)
    stands = checks.existing(existing)
    count = checks.count(p, stands)
    checks.reachable(np.isfinite(checks.cost), "allow a site for each of them or leave them out")
    checks.search(time_limit, threads, seed)
    checks.done()
    with np.errstate(invalid="ignore"):
        far = np.where(np.isfinite(checks.cost), weight[:, None] * checks.cost, np.inf)
    keep = np.zeros(checks.sites, bool)
    keep[stands] = True
    sites, bound = _bisected(far, count, keep, Limits(began + time_limit, threads, seed))
    if sites is None:
        return make_result("p-center", None, bound, [], np.full(checks.clients, -1, np.int64), began)
    sites = first_sites(count, sites, checks.sites)
    value = float(far[:, sites].min(axis=1).max())
    return make_result("p-center", value, bound, sites, nearest(checks.cost, sites), began)


def _bisected(far: Floats, p: int, keep: Flags, limits: Limits) -> tuple[Ints | None, float]:
    """Sites and a bound: the least distance within which p sites cover all.

    First every distance that is decided quickly, from below and from above, so that long searches are few and a clock
    that ends one leaves value and bound near each other.
    """
    least = float(far.min(axis=1).max())  # every client needs a site at all
    distances = np.unique(far[np.isfinite(far) & (far >= least)])
    low, (high, sites) = 0, _by_greedy(far, distances, p, keep)
    if sites is None:
        high = distances.size - 1
        sites, known = _covering(far, distances[-1], p, keep, limits)
        if sites is None and known:
            what = f"{p} sites cannot reach all clients"
            raise SitingInfeasible([Finding("p_cannot_reach_all", what, remedy="ask for more or allow more pairs")])
        if sites is None:
            return None, float(distances[0])
    for first, quick in ((True, True), (False, True), (False, False)):
        start, end = low, high  # what is still undecided, seen from below (first) or from above
        while start < end and not (quick and distances[end] <= _CLOSE * distances[start]):
            middle = (start + end) // 2
            found, known = _covering(far, distances[middle], p, keep, limits, quick=quick)
            if found is not None:
                sites = found
                high = min(high, int(np.searchsorted(distances, far[:, sites].min(axis=1).max())))
                end = min(end, high)
            elif known:
                low = start = middle + 1
            elif not quick:
                return sites, float(distances[low])
            elif first:
                end = middle
            else:
                start = middle + 1
    return sites, float(distances[low])


def _covering(
    far: Floats, distance: float, p: int, keep: Flags, limits: Limits, *, quick: bool = False
) -> tuple[Ints | None, bool]:
    """At most p sites that cover all within the distance, or None; and whether that is known."""
    if limits.left <= 0:
        return None, False
    found = cover(far <= distance, np.ones(keep.size), keep, limits, enough=float(p), quick=quick)
    if found.sites.size <= p:
        return found.sites, True
    return None, found.bound > p


def _by_greedy(far: Floats, distances: Floats, p: int, keep: Flags) -> tuple[int, Ints | None]:
    """The place of the least distance at which opening greedily covers all, found by bisection; and the sites."""
    low, high = 0, distances.size
    best: Ints | None = None
    while low < high:
        middle = (low + high) // 2
        allowed = far <= distances[middle]
        rest = ~allowed[:, keep].any(axis=1)
        sites = np.union1d(np.flatnonzero(keep), greedy_cover(allowed[rest], np.ones(keep.size)))
        if sites.size <= p:
            best = sites
            high = middle
        else:
            low = middle + 1
    return high, best
