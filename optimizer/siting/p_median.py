"""The p-median problem: p sites so that the weighted distance of all clients to their nearest site is least."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt

from optimizer.siting.checks import Checks
from optimizer.siting.covering import cover, first_sites
from optimizer.siting.errors import Finding, SitingInfeasible
from optimizer.siting.interchange import Near, greedy, improved
from optimizer.siting.limits import Limits
from optimizer.siting.multipliers import priced
from optimizer.siting.radius_search import RadiusSearch
from optimizer.siting.result import EXACT, Flags, Floats, Ints, Result, make_result, nearest

_ROUNDS = 150
_PENALTIES = 1e6


def p_median(
    cost: npt.ArrayLike,
    *,
    p: int,
    weights: npt.ArrayLike | None = None,
    existing: Sequence[int] | npt.ArrayLike = (),
    time_limit: float = np.inf,
    threads: int = 1,
    seed: int = 0,
) -> Result:
    """Open ``p`` sites so that the weighted cost of all clients, each served by its cheapest open site, is least.

    ``min sum_i w_i min_{j open} c_ij`` with ``|open| = p``. Proven by multipliers, then by the relaxed radius
    formulation with rows added where broken, then by branch and cut: see ``radius_search``.

    Args:
        cost: (n clients, m sites) distance or cost, 0 or more, ``inf`` where a site may not serve a client.
        p: number of open sites, existing ones included.
        weights: (n,) weight of each client, 0 or more; 1 where not given.
        existing: indices of sites that are open whatever is decided.
        time_limit: seconds after which the search stops with what is known.
        threads: of the solver.
        seed: of the solver.

    Returns:
        ``assignment`` is the index of each client's site. With whole weights and costs the value is
            exact up to 1e8.

    Raises:
        SitingInputError: with all mistakes in the input.
        SitingInfeasible: no ``p`` sites reach all clients.

    Sources: S. L. Hakimi, Operations Research 12 (1964); the method: C. Duran-Mateluna, Z. Ales and S. Elloumi,
    European Journal of Operational Research 308 (2023).
    """
    began = perf_counter()
    checks = Checks(cost)
    weight = checks.numbers("weights", weights, 1.0, checks.clients)
    stands = checks.existing(existing)
    count = checks.count(p, stands)
    checks.reachable(np.isfinite(checks.cost), "allow a site for each of them or leave them out")
    checks.search(time_limit, threads, seed)
    checks.done()
    limits = Limits(began + time_limit, threads, seed)
    sites, bound, nodes = solve_median(checks.cost, weight, count, stands, limits)
    assignment = nearest(checks.cost, sites)
    if not sites.size:
        return make_result("p-median", None, bound, sites, assignment, began)
    value = float(weight @ checks.cost[np.arange(checks.clients), assignment])
    return make_result("p-median", value, bound, sites, assignment, began, nodes=nodes)


def solve_median(cost: Floats, weight: Floats, p: int, existing: Ints, limits: Limits) -> tuple[Ints, float, int]:
    """Sites, proven bound and branches of a p-median with sound input."""
    with np.errstate(invalid="ignore"):
        weighted = np.where(np.isfinite(cost), weight[:, None] * cost, np.inf)
    matters = (weight > 0) | ~np.isfinite(weighted).all(axis=1)
    weighted = weighted[matters]
    keep = np.zeros(cost.shape[1], bool)
    keep[existing] = True
    if not weighted.size or p == cost.shape[1]:
        sites = first_sites(p, existing, cost.shape[1])
        return sites, _value(weighted, sites), 0
    start = _start(weighted, p, keep, limits)
    if start is None:
        return np.zeros(0, np.int64), 0.0, 0
    value, sites = start
    if limits.left <= 0:
        return sites, float(weighted.min(axis=1).sum()), 0
    step = step_of(weighted, value)
    weighted[weighted > value * (1 + 1e-9)] = np.inf  # no plan as good pays so much; penalties of users are such
    scale = _scale(weighted)
    weighted, value, step = weighted / scale, value / scale, step / scale
    penalised = np.where(np.isfinite(weighted), weighted, _penalty(weighted))
    near = Near.of(weighted, _listed(cost.shape[1], p))
    prices = priced(penalised, near, keep, (value, sites), _ROUNDS, limits.end)
    cutoff = prices.value - step * (1 - 1e-4) if step else prices.value * (1 - 1e-9)
    if prices.bound > cutoff:
        return prices.sites, (prices.value if step else prices.bound) * scale, 0
    if limits.left <= 0:
        return prices.sites, prices.bound * scale, 0
    names = prices.candidates(p, existing, prices.value * (1 + 1e-9))
    plan = prices.value, np.searchsorted(names, prices.sites)
    search = RadiusSearch(weighted[:, names], penalised[:, names], keep[names], plan, step, limits)
    bound = search.run(prices.price)
    return names[search.chosen], max(bound, prices.bound) * scale, search.nodes


def _value(weighted: Floats, sites: Ints) -> float:
    return float(weighted[:, sites].min(axis=1).sum()) if weighted.size else 0.0


def _scale(weighted: Floats) -> float:
    """A power of two that brings the clients' usual costs near one hundred, so that nothing is rounded."""
    usual = float(np.mean(np.where(np.isfinite(weighted), weighted, 0.0)))
    return float(2.0 ** np.round(np.log2(usual / 100))) if usual > 0 else 1.0


def _penalty(weighted: Floats) -> float:
    """More than any plan that keeps all rules can cost."""
    return float(np.where(np.isfinite(weighted), weighted, 0.0).max(axis=1).sum() + 1)


def _listed(sites: int, p: int) -> int:
    """How many of a client's nearest sites are looked at in exchanges."""
    return max(50, 8 * sites // p)


def step_of(weighted: Floats, value: float) -> float:
    """The largest whole number that divides every weighted cost; 0 where they or the ``value`` are not told apart."""
    finite = weighted[np.isfinite(weighted)]
    finite = finite[finite <= value]
    if value > EXACT or (finite != np.rint(finite)).any() or not finite.any():
        return 0.0
    return float(max(1, np.gcd.reduce(finite.astype(np.int64))))


def _start(weighted: Floats, p: int, keep: Flags, limits: Limits) -> tuple[float, Ints] | None:
    """A good plan that reaches every client, None if time ran out; ``SitingInfeasible`` where there is none.

    Costs of a million times what all clients pay at least are left out at first: most often they are penalties.
    """
    usual = np.where(weighted > 0, weighted, np.inf).min(axis=1)
    low = np.where(weighted <= _PENALTIES * float(usual[np.isfinite(usual)].sum()), weighted, np.inf)
    if (low != weighted).any() and np.isfinite(low).any(axis=1).all():
        try:
            found = _start_within(low, p, keep, limits)
        except SitingInfeasible:
            found = None
        if found is not None:
            return found
    return _start_within(weighted, p, keep, limits)


def _start_within(weighted: Floats, p: int, keep: Flags, limits: Limits) -> tuple[float, Ints] | None:
    allowed = np.isfinite(weighted)
    penalised = np.where(allowed, weighted, _penalty(weighted))
    near = Near.of(weighted, _listed(keep.size, p))
    sites = greedy(penalised, p, np.flatnonzero(keep), limits.end)
    value, sites = improved(penalised, near, sites, keep, end=limits.end)
    if allowed[:, sites].any(axis=1).all():
        return value, sites
    needed = cover(allowed, np.ones(keep.size), keep, limits)
    if needed.bound > p:
        what = f"{p} sites cannot reach all clients: at least {needed.bound:.0f} are needed"
        remedy = f"ask for {needed.bound:.0f} or more, or allow more pairs"
        raise SitingInfeasible([Finding("p_cannot_reach_all", what, remedy=remedy)])
    if needed.sites.size > p:
        return None
    return improved(penalised, near, first_sites(p, needed.sites, keep.size), keep, end=limits.end)
