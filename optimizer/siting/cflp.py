"""Capacitated facility location (CFLP): which sites to open so that fixed and serving costs together are least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
import numpy.typing as npt
from scipy import sparse

from optimizer.highs import Arrays, Outcome, Session, Status, solve
from optimizer.siting.cflp_prices import Case, Plan, priced
from optimizer.siting.checks import Checks
from optimizer.siting.errors import Finding, SitingInfeasible, listed
from optimizer.siting.limits import Limits, unit_of
from optimizer.siting.result import Flags, Floats, Ints, Result, make_result, nearest

_ALL_LINKS = 3_000  # pairs up to which all links stand in the model from the start
_ROUNDS = 40
_SMALL = 1e-5


def cflp(
    cost: npt.ArrayLike,
    *,
    fixed_cost: npt.ArrayLike,
    demand: npt.ArrayLike | None = None,
    capacity: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
    p: int | None = None,
    existing: Sequence[int] | npt.ArrayLike = (),
    time_limit: float = np.inf,
    threads: int = 1,
    seed: int = 0,
) -> Result:
    """Open sites and serve all demand from them, which may be split, at the least fixed and serving cost.

    ``min sum_j f_j y_j + sum_ij w_i c_ij x_ij`` with ``sum_j x_ij = 1``, ``sum_i d_i x_ij <= s_j y_j`` and the links
    ``x_ij <= min(1, s_j / d_i) y_j``, added where broken; x_ij is the share of client i's demand served by j.

    Args:
        cost: (n clients, m sites) cost of serving ALL demand of a client from a site, 0 or more; ``inf`` forbids.
        fixed_cost: (m,) cost of each open site, 0 or more; a number for all.
        demand: (n,) demand of each client, 0 or more; 1 where not given.
        capacity: (m,) most demand a site serves; a number for all; without limit where not given.
        weights: (n,) factor on each client's serving cost; 1 where not given.
        p: number of open sites, existing ones included; free where not given.
        existing: indices of sites that are open whatever is decided; their fixed cost counts.
        time_limit: seconds after which the search stops with what is known.
        threads: of the solver.
        seed: of the solver.

    Returns:
        ``assignment`` (n, m) holds the share of each client's demand served by each site; rows sum to 1.

    Raises:
        SitingInputError: with all mistakes in the input; capacity below demand says how much is missing.
        SitingInfeasible: capacity where it may be used does not hold the demand; says how much and whose.

    Sources: J. E. Beasley, European Journal of Operational Research 33 (1988); links: J. Krarup and P. M. Pruzan,
    European Journal of Operational Research 12 (1983).
    """
    began = perf_counter()
    checks = Checks(cost)
    weight = checks.numbers("weights", weights, 1.0, checks.clients)
    need = checks.numbers("demand", demand, 1.0, checks.clients)
    room = checks.numbers("capacity", capacity, np.inf, checks.sites, infinite=True)
    price = checks.numbers("fixed_cost", fixed_cost, 0.0, checks.sites)
    stands = checks.existing(existing)
    count = None if p is None else checks.count(p, stands)
    checks.reachable(np.isfinite(checks.cost), "allow a site for each of them or leave them out")
    checks.enough(need, room, count, stands)
    checks.search(time_limit, threads, seed)
    checks.done()
    with np.errstate(invalid="ignore"):
        weighted = np.where(np.isfinite(checks.cost), weight[:, None] * checks.cost, np.inf)
    total = float(need.sum()) or 1.0  # demand and capacity as shares of all demand, costs in a unit near one
    usual = max(float(weighted.min(axis=1).mean()), float(price.mean()))
    unit = unit_of(usual / 100)
    case = Case(weighted / unit, need / total, np.minimum(room / total, 1.0), price / unit, count, stands)
    limits = Limits(began + time_limit, threads, seed)
    plan, bound, nodes = _searched(case, limits)
    if plan is None and bound == np.inf:
        raise SitingInfeasible([_missing(replace(case, demand=need, capacity=np.minimum(room, need.sum())))])
    if plan is None:
        return make_result("cflp", None, bound * unit, [], np.zeros(checks.cost.shape), began, nodes=nodes)
    _, sites, shares = plan
    value = float(price[sites].sum() + (np.where(shares > 0, weighted, 0.0) * shares).sum())
    return make_result("cflp", value, bound * unit, sites, shares, began, nodes=nodes)


def _searched(case: Case, limits: Limits) -> tuple[Plan | None, float, int]:
    """The best plan, a bound (``inf`` where there is no plan), and the branches looked at."""
    found = priced(case, lambda sites: _plan_of(case, sites, limits), limits)
    if found.plan is not None and (found.bound >= found.plan[0] * (1 - 1e-9) or limits.left <= 0):
        return found.plan, found.bound, 0
    stay = np.flatnonzero(~found.closed)
    standing = np.flatnonzero(found.opened | np.isin(np.arange(case.fixed.size), case.existing))
    left = replace(
        case,
        cost=case.cost[:, stay],
        capacity=case.capacity[stay],
        fixed=case.fixed[stay],
        existing=np.searchsorted(stay, standing),
    )
    start = None
    if found.plan is not None:
        client, site = left.pairs
        start = np.concatenate([np.isin(stay, found.plan[1]).astype(float), found.plan[2][client, stay[site]]])
    outcome = _solved(left, limits, start)
    if outcome.status is Status.INFEASIBLE and found.plan is None:
        return None, np.inf, outcome.nodes
    plan, bound = found.plan, max(found.bound, min(outcome.bound, np.inf if found.plan is None else found.plan[0]))
    if outcome.x is not None:
        sites = np.flatnonzero(outcome.x[: stay.size] > 0.5)
        other = _plan_of(case, stay[sites], limits)
        if other is None:  # costs too far apart for the solver to find them anew
            shares = np.zeros(case.cost.shape)
            client, site = left.pairs
            known = outcome.x[stay.size :]
            shares[client, stay[site]] = np.where((known < 1e-9) | ~np.isin(site, sites), 0.0, known)
            shares /= shares.sum(axis=1, keepdims=True)
            other = _value(case, stay[sites], shares), stay[sites], shares
        plan = other if plan is None or other[0] < plan[0] else plan
    return plan, bound, outcome.nodes


def _value(case: Case, sites: Ints, shares: Floats) -> float:
    return float(case.fixed[sites].sum() + (np.where(shares > 0, case.cost, 0.0) * shares).sum())


def _plan_of(case: Case, sites: Ints, limits: Limits) -> Plan | None:
    """The plan of these open sites, without those that serve nobody where they may be closed."""
    shares = _shares(case, sites, limits)
    if shares is None:
        return None
    if case.p is None:
        serving = np.isin(sites, case.existing) | (shares[:, sites] > 0).any(axis=0)
        holds = case.capacity[sites[serving]].sum() >= case.demand.sum() * (1 - 1e-12)
        sites = sites[serving] if holds else sites
    return _value(case, sites, shares), sites, shares


def _arrays(case: Case) -> Arrays:
    """Sites first, then the allowed pairs; without links."""
    client, site = case.pairs
    clients, sites = case.cost.shape
    pair = sites + np.arange(client.size)
    capacity = clients + site
    rows = np.concatenate([client, capacity, clients + np.arange(sites), np.full(sites, clients + sites)])
    columns = np.concatenate([pair, pair, np.arange(sites), np.arange(sites)])
    room = np.where(case.capacity > 0, case.capacity, 1.0)  # a row says which share of its capacity a site gives
    full = np.where(case.capacity > 0, 1.0, 0.0)
    entries = np.concatenate([np.ones(client.size), case.demand[client] / room[site], -full, case.capacity])
    lowest: list[Floats] = [np.ones(clients), np.full(sites, -np.inf), np.array([case.demand.sum() * (1 - 1e-12)])]
    highest: list[Floats] = [np.ones(clients), np.zeros(sites), np.array([np.inf])]
    if case.p is not None:
        rows = np.concatenate([rows, np.full(sites, clients + sites + 1)])
        columns, entries = np.concatenate([columns, np.arange(sites)]), np.concatenate([entries, np.ones(sites)])
        lowest, highest = [*lowest, np.array([float(case.p)])], [*highest, np.array([float(case.p)])]
    row_lower: Floats = np.concatenate(lowest)
    return Arrays(
        cost=np.concatenate([case.fixed, case.cost[client, site]]),
        lower=np.concatenate([np.isin(np.arange(sites), case.existing).astype(float), np.zeros(client.size)]),
        upper=np.ones(sites + client.size),
        integer=np.arange(sites + client.size) < sites,
        matrix=sparse.csr_matrix((entries, (rows, columns)), (row_lower.size, sites + client.size)),
        row_lower=row_lower,
        row_upper=np.concatenate(highest),
    )


def _links(case: Case, which: Ints) -> sparse.csr_matrix:
    """The links of allowed pairs by number: share less what an open site can give is at most 0."""
    client, site = case.pairs
    sites = case.cost.shape[1]
    most = np.ones(which.size)
    some = case.demand[client[which]] > 0
    most[some] = np.minimum(1.0, case.capacity[site[which]][some] / case.demand[client[which]][some])
    row = np.arange(which.size)
    entries = np.concatenate([np.ones(which.size), -most])
    columns = np.concatenate([sites + which, site[which]])
    return sparse.csr_matrix((entries, (np.concatenate([row, row]), columns)), (which.size, sites + client.size))


def _solved(case: Case, limits: Limits, start: Floats | None) -> Outcome:
    arrays = _arrays(case)
    pairs = case.pairs[0].size
    if pairs <= _ALL_LINKS:
        links = _links(case, np.arange(pairs))
    else:
        links, bound = _broken_links(case, arrays, limits)
        if bound == np.inf:
            return solve(arrays, limits.whole(strict=True))
    count = links.shape[0]
    whole = replace(
        arrays,
        matrix=sparse.vstack([arrays.matrix, links]).tocsr(),
        row_lower=np.concatenate([arrays.row_lower, np.full(count, -np.inf)]),
        row_upper=np.concatenate([arrays.row_upper, np.zeros(count)]),
    )
    usual = float(case.cost.min(axis=1).sum() + case.fixed.min())
    return solve(whole, limits.whole(absolute_gap=1e-7 * max(usual, 1e-3), strict=True), start=start)


def _broken_links(case: Case, arrays: Arrays, limits: Limits) -> tuple[sparse.csr_matrix, float]:
    """The links that carry the relaxed model, found by adding those that are broken; and the relaxed value."""
    session = Session(replace(arrays, integer=np.zeros(arrays.cost.size, bool)), limits.linear())
    first, added, value = arrays.row_lower.size, np.zeros(0, np.int64), -np.inf
    client, site = case.pairs
    sites = case.cost.shape[1]
    most = np.ones(client.size)
    some = case.demand[client] > 0
    most[some] = np.minimum(1.0, case.capacity[site[some]] / case.demand[client[some]])
    outcome = session.run()
    for _ in range(_ROUNDS):
        if outcome.status is Status.INFEASIBLE:
            return _links(case, added), np.inf
        if outcome.x is None or limits.left <= 0:
            break
        broken = np.flatnonzero(outcome.x[sites:] > most * outcome.x[site] + 1e-6)
        if not broken.size:
            break
        session.add_rows(_links(case, broken), np.full(broken.size, -np.inf), np.zeros(broken.size))
        added = np.concatenate([added, broken])
        outcome = session.run()
    if outcome.row_dual is not None and outcome.value is not None:
        value = outcome.value
        added = added[np.abs(outcome.row_dual[first:]) > 1e-9]
    # Hardly any capacity keeps these from sites that are not quite closed.
    unbound = np.flatnonzero(case.demand[client] <= _SMALL * case.capacity[site])
    return _links(case, np.union1d(added, unbound)), value


def _shares(case: Case, sites: Ints, limits: Limits) -> Floats | None:
    """Shares served by open sites at the least cost: the nearest site wholly where capacity allows.

    None where they cannot serve all, or costs are too far apart for the solver.
    """
    whole = np.zeros(case.cost.shape)
    near = nearest(case.cost, sites)
    whole[np.arange(case.cost.shape[0]), near] = 1.0
    if (near < 0).any():
        return None
    if _fits(case, whole):
        return whole
    given = replace(case, cost=case.cost[:, sites], capacity=case.capacity[sites], fixed=case.fixed[sites], p=None)
    arrays = _arrays(replace(given, existing=np.arange(sites.size)))
    x = solve(replace(arrays, integer=np.zeros(arrays.cost.size, bool)), limits.linear()).x
    if x is None:
        return None
    shares = np.zeros(case.cost.shape)
    client, site = given.pairs
    shares[client, sites[site]] = np.where(x[sites.size :] < 1e-9, 0.0, x[sites.size :])
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _fits(case: Case, shares: Floats) -> bool:
    return bool((case.demand @ shares <= case.capacity * (1 + 1e-12)).all())


def _missing(case: Case) -> Finding:
    """What cannot be served with every site open, and whose; else that p sites are too few."""
    client, site = case.pairs
    clients, sites = case.cost.shape
    matrix = sparse.vstack(
        [
            sparse.csr_matrix((np.ones(client.size), (client, np.arange(client.size))), (clients, client.size)),
            sparse.csr_matrix((case.demand[client], (site, np.arange(client.size))), (sites, client.size)),
        ]
    )
    slack = sparse.vstack([sparse.identity(clients), sparse.csr_matrix((sites, clients))])
    elastic = Arrays(
        cost=np.concatenate([np.zeros(client.size), case.demand]),
        lower=np.zeros(client.size + clients),
        upper=np.ones(client.size + clients),
        integer=np.zeros(client.size + clients, bool),
        matrix=sparse.hstack([matrix, slack], format="csr"),
        row_lower=np.concatenate([np.ones(clients), np.full(sites, -np.inf)]),
        row_upper=np.concatenate([np.ones(clients), case.capacity]),
    )
    outcome = solve(elastic)
    short: Flags = np.zeros(clients, bool) if outcome.x is None else outcome.x[client.size :] > 1e-9
    if outcome.value is None or outcome.value <= 1e-9 * case.demand.sum():
        what = f"{case.p} sites cannot serve all demand where they may"
        return Finding("p_cannot_serve_all", what, remedy="ask for more sites or allow more pairs")
    what = f"with every site open, demand of {outcome.value:g} cannot be served where it may be"
    who = tuple(int(client) for client in np.flatnonzero(short))
    remedy = "add capacity there or allow more pairs"
    return Finding("demand_not_served", what, f"client {listed(who)}", remedy=remedy, clients=who)
