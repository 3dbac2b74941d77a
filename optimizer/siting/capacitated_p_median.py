"""The capacitated p-median: p sites, every client wholly at one, no site beyond its capacity."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt
from scipy import sparse

from optimizer.highs import Arrays, Outcome, Status, solve
from optimizer.siting.checks import Checks
from optimizer.siting.covering import first_sites
from optimizer.siting.errors import Finding, SitingInfeasible
from optimizer.siting.interchange import Near, greedy, improved
from optimizer.siting.knapsack_prices import FULL, Bounded, Case, Knapsacks, chosen, priced
from optimizer.siting.limits import Limits, unit_of
from optimizer.siting.p_median import step_of
from optimizer.siting.result import EXACT, Flags, Floats, Ints, Result, make_result
from optimizer.siting.single_source import plan_from

_ROUNDS = 250


def capacitated_p_median(
    cost: npt.ArrayLike,
    *,
    p: int,
    demand: npt.ArrayLike,
    capacity: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    existing: Sequence[int] | npt.ArrayLike = (),
    time_limit: float = np.inf,
    threads: int = 1,
    seed: int = 0,
) -> Result:
    """Open ``p`` sites and put every client wholly to one of them within its capacity, at the least cost.

    ``min sum_ij w_i c_ij x_ij`` with ``sum_j x_ij = 1``, ``sum_i d_i x_ij <= s_j y_j``, ``x_ij <= y_j``,
    ``sum_j y_j = p``, x and y whole. Prices and knapsacks give a bound, plans, and the pairs that no better plan can
    use; an integer programme decides the rest.

    Args:
        cost: (n clients, m sites) cost of putting a client to a site, 0 or more; ``inf`` forbids. It is not
            multiplied by the demand.
        p: number of open sites, existing ones included.
        demand: (n,) demand of each client, 0 or more.
        capacity: (m,) most demand a site takes; a number for all.
        weights: (n,) factor on each client's cost; 1 where not given.
        existing: indices of sites that are open whatever is decided.
        time_limit: seconds after which the search stops with what is known.
        threads: of the solver.
        seed: of the solver.

    Returns:
        ``assignment`` is the index of each client's site.

    Raises:
        SitingInputError: with all mistakes in the input; capacity below demand says how much is missing.
        SitingInfeasible: the demands do not fit whole into any ``p`` sites.

    Sources: I. H. Osman and N. Christofides, International Transactions in Operational Research 1 (1994); the bound:
    A. Ceselli and G. Righini, Networks 45 (2005).
    """
    began = perf_counter()
    checks = Checks(cost)
    weight = checks.numbers("weights", weights, 1.0, checks.clients)
    need = checks.numbers("demand", demand, 1.0, checks.clients)
    room = checks.numbers("capacity", capacity, np.inf, checks.sites, infinite=True)
    stands = checks.existing(existing)
    count = checks.count(p, stands)
    fits = np.isfinite(checks.cost) & (need[:, None] <= room[None, :])
    checks.reachable(fits, "allow a site large enough for each of them")
    checks.enough(need, room, min(count, checks.sites), stands)
    checks.search(time_limit, threads, seed)
    checks.done()
    with np.errstate(invalid="ignore"):
        weighted = np.where(fits, weight[:, None] * checks.cost, np.inf)
    keep, size = np.isin(np.arange(checks.sites), stands), unit_of(float(need.max()))
    unit = _unit(weighted)
    if (need == np.rint(need)).all():  # as they are
        size = 1.0
    case = Case(weighted / unit, need / size, np.minimum(room, need.sum()) / size, keep, count)
    plan, bound, nodes = _searched(case, Limits(began + time_limit, threads, seed))
    bound *= unit
    if plan is None:
        none = np.full(checks.clients, -1, np.int64)
        return make_result("capacitated-p-median", None, bound, [], none, began, nodes=nodes)
    _, sites, place = plan
    value = float(weighted[np.arange(checks.clients), sites[place]].sum())
    return make_result("capacitated-p-median", value, bound, sites, sites[place], began, nodes=nodes)


def _unit(cost: Floats) -> float:
    """1 for whole costs; else a power of two that costs are divided by, so that no unit is too small to be told."""
    finite = cost[np.isfinite(cost)]
    usual = float(finite.max())
    return 1.0 if (finite == np.rint(finite)).all() and usual < EXACT else unit_of(usual / 1000)


def _searched(case: Case, limits: Limits) -> tuple[tuple[float, Ints, Ints] | None, float, int]:
    """The best plan, a bound, and the branches looked at."""
    step = step_of(case.cost, float(np.where(np.isfinite(case.cost), case.cost, 0.0).max(axis=1).sum()))
    knapsacks = Knapsacks(case)
    start = _first_sites(case)

    def improve(sites: Ints) -> tuple[float, Ints, Ints] | None:
        return plan_from(case, sites if sites.size else start)

    near = np.sort(np.where(np.isfinite(case.cost[:, start]), case.cost[:, start], np.inf), axis=1)
    price = near[:, : min(2, start.size)].mean(axis=1)
    usual = float(case.cost[np.isfinite(case.cost)].mean())
    price = np.where(np.isfinite(price), price, usual)
    found = priced(case, knapsacks, price, improve, _ROUNDS, limits.end)
    bound = _rounded(found.bound, step)
    if found.plan is not None and bound >= found.plan[0] * (1 - 1e-9):
        return found.plan, found.plan[0], 0
    pairs = _useful(case, knapsacks, found, step)
    outcome = _decided(case, pairs, found.plan, step, limits)
    if outcome.status is Status.INFEASIBLE:
        if found.plan is None:
            what = f"the demands do not fit whole into any {case.p} sites"
            raise SitingInfeasible([Finding("demands_do_not_fit", what, remedy="add capacity or sites")])
        return found.plan, found.plan[0] if step else found.plan[0] * (1 - 1e-9), outcome.nodes
    bound = max(bound, min(_rounded(outcome.bound, step), np.inf if found.plan is None else found.plan[0]))
    better = _plan_of(case, pairs, outcome)
    if better is not None and (found.plan is None or better[0] < found.plan[0]):
        return better, bound, outcome.nodes
    return found.plan, bound, outcome.nodes


def _rounded(bound: float, step: float) -> float:
    """Raised to the next value that a plan can have."""
    return float(np.ceil(bound / step - 1e-6) * step) if step and np.isfinite(bound) else bound


def _first_sites(case: Case) -> Ints:
    """The sites of a good p-median without capacities."""
    finite = np.where(np.isfinite(case.cost), case.cost, 0.0).max(axis=1).sum() + 1
    cost = np.where(np.isfinite(case.cost), case.cost, finite)
    sites = greedy(cost, case.p, np.flatnonzero(case.keep))
    near = Near.of(case.cost, max(50, 8 * case.cost.shape[1] // case.p))
    _, sites = improved(cost, near, sites, case.keep)
    return first_sites(case.p, sites, case.cost.shape[1])


def _useful(case: Case, knapsacks: Knapsacks, found: Bounded, step: float) -> Flags:
    """(n, m) pairs that a plan better than the one found can use."""
    allowed = np.isfinite(case.cost)
    if found.plan is None:
        return allowed
    reduced = case.cost - found.price[:, None]
    sites = chosen(found.worth, case.keep, case.p)
    in_bound = np.isin(np.arange(case.cost.shape[1]), sites)
    free = sites[~case.keep[sites]]
    last = found.worth[free].max() if free.size else -np.inf
    instead = np.where(in_bound, found.worth, last)
    least = found.bound + knapsacks.forced(reduced, found.worth) - instead[None, :]
    cutoff = found.plan[0] - step * (1 - 1e-4) if step else found.plan[0] * (1 - 1e-9)
    return allowed & (least <= cutoff)


def _decided(case: Case, pairs: Flags, plan: tuple[float, Ints, Ints] | None, step: float, limits: Limits) -> Outcome:
    """The integer programme over the pairs left: sites first, then pairs; only plans better than ``plan``."""
    client, site = np.nonzero(pairs)
    clients, sites = pairs.shape
    number = np.arange(client.size)
    links = clients + sites + 1 + number
    pair = sites + number
    rows = np.concatenate(
        [client, clients + site, clients + np.arange(sites), np.full(sites, clients + sites), links, links]
    )
    columns = np.concatenate([pair, pair, np.arange(sites), np.arange(sites), pair, site])
    ones = np.ones(client.size)
    room = np.where(case.capacity > 0, case.capacity, 1.0)  # a row says which share of its capacity a site gives
    full = np.where(case.capacity > 0, 1.0, 0.0)
    entries = np.concatenate([ones, case.demand[client] / room[site], -full, np.ones(sites), ones, -ones])
    low = [np.ones(clients), np.full(sites, -np.inf), np.array([float(case.p)]), np.full(client.size, -np.inf)]
    high = [np.ones(clients), np.zeros(sites), np.array([float(case.p)]), np.zeros(client.size)]
    arrays = Arrays(
        cost=np.concatenate([np.zeros(sites), case.cost[client, site]]),
        lower=np.concatenate([case.keep.astype(float), np.zeros(client.size)]),
        upper=np.ones(sites + client.size),
        integer=np.ones(sites + client.size, bool),
        matrix=sparse.csr_matrix((entries, (rows, columns)), (clients + sites + 1 + client.size, sites + client.size)),
        row_lower=np.concatenate(low),
        row_upper=np.concatenate(high),
    )
    usual = 1.0 if plan is None else plan[0]
    cutoff = None if plan is None else plan[0] - (step * 0.5 if step else 1e-9 * plan[0])
    return solve(arrays, limits.whole(absolute_gap=0.99 * step if step else 1e-8 * usual, cutoff=cutoff, strict=True))


def _plan_of(case: Case, pairs: Flags, outcome: Outcome) -> tuple[float, Ints, Ints] | None:
    if outcome.x is None:
        return None
    client, site = np.nonzero(pairs)
    taken = outcome.x[case.cost.shape[1] :] > 0.5
    sites = np.flatnonzero(outcome.x[: case.cost.shape[1]] > 0.5)
    place = np.zeros(case.cost.shape[0], np.int64)
    place[client[taken]] = np.searchsorted(sites, site[taken])
    if (np.bincount(place, case.demand, sites.size) > case.capacity[sites] * (1 + FULL)).any():
        return None  # beyond what the solver tells apart
    value: Floats = case.cost[np.arange(place.size), sites[place]]
    return float(value.sum()), sites, place
