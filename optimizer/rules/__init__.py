"""Plans made by rules people use: per head, per community, last year and a little more, the neediest first.

Nothing is searched. Money is split by the rule, then spent as people would. Every rule of the mathematics holds and
is audited like that of any plan, so that what optimisation gains can be read off a comparison.
"""

import heapq

import numpy as np

from optimizer.problem import SPACE, WORK_FUNDS, Bools, Floats, Problem
from optimizer.rules.own import buy, buy_station, debt_need, own_needs
from optimizer.rules.purse import Purse
from optimizer.rules.shared import Market, open_by_yuan
from optimizer.rules.split import Funds, all_funds, may_use, pass_on, split
from optimizer.rules.state import State
from optimizer.rules.unkept import broken_floors, unkept
from optimizer.scenario import Rule
from optimizer.solution import Decisions

__all__ = ["plan_by_rule", "unkept"]
PASSES = 3
"""Most times the neediest are gone through; a second time pays where rooms taken in the first give floor."""
ROUNDS = 4
"""Most plans made while money that a floor wants spent is passed on to those who can use it."""


def plan_by_rule(problem: Problem, rule: Rule, key: Floats) -> Decisions:
    """Return the plan a rule makes.

    `key` (n,) is what a community's part is in proportion to (`optimizer.rules.split.keys_of`). Where floors of sources
    (22) are not kept, what communities leave of the money set apart for them goes to others, and if that is not
    enough, needs that floors count come before all others; a plan that still keeps them not is returned as it is
    (`optimizer.rules.unkept`). Raises MoneyShortError where the sources cannot pay what must be paid.
    """
    funds = all_funds(problem)
    counted = _counted(problem, funds)
    for first in (np.zeros_like(counted), counted) if counted.any() else (counted,):
        parts = [funds.purse] if rule.split == "greedy_by_need" else split(problem, rule, key, funds)
        for _ in range(ROUNDS):
            state, purses = State(problem, funds.payers), [part.copy() for part in parts]
            if rule.split == "greedy_by_need":
                _by_need(state, purses[0], first)
            else:
                _by_shares(state, purses, first)
            decisions = state.decisions()
            left = np.array([purse.kept for purse in purses])
            if not left.any() or not broken_floors(problem, decisions):
                return decisions
            if not pass_on(parts, left):
                break
    return decisions


def _counted(problem: Problem, funds: Funds) -> Bools:
    """Return (n, K) which needs cause costs, of their own or shared, that money set apart for floors may pay."""
    cells = np.zeros(len(problem.cells), dtype=bool)
    for row in np.flatnonzero(funds.purse.kept).tolist():
        cells[list(funds.floors.cells[row])] = True
    n, needs, _ = problem.shape
    counted = np.zeros((n, needs), dtype=bool)
    for (purpose, district, service, community), cell in problem.cell_of.items():
        if cells[cell]:
            of = {"work_funds": WORK_FUNDS, "debt_relief": debt_need(problem)}
            need = service + 2 if service >= 0 else of.get(purpose, SPACE)
            counted[problem.district == district if community < 0 else community, need] = True
    return counted


def _by_shares(state: State, purses: list[Purse], first: Bools) -> None:
    """Every community spends its own part: work funds first, then what its type weighs most.

    For stations shared with others it first sets aside, of what work funds leave, the part that their weights make,
    into the pot of its district. What a pot does not use goes back; what is left at last opens more stations, and
    centres for own stations. Needs that come `first` (n, K) come before work funds.
    """
    problem = state.problem
    order = sorted(range(len(purses)), key=problem.communities.__getitem__)
    aside, market = _aside(problem), Market(state, across=False)
    for i in order:
        for need in own_needs(problem, i):
            if first[i, need]:
                buy(market.openings, i, need, purses[i])
    if (first & _network(problem)).any():
        _open_from_pots(market, [purse.part(aside[i]) for i, purse in enumerate(purses)], purses)
    for i in order:
        buy(market.openings, i, WORK_FUNDS, purses[i])
    _open_from_pots(market, [purse.part(aside[i]) for i, purse in enumerate(purses)], purses)
    for _ in range(2):  # rooms may give the floor that a station of a heavier need lacked
        for i in order:
            for need in own_needs(problem, i):
                buy(market.openings, i, need, purses[i])
    _open_from_pots(market, [purse.part(np.ones(len(problem.sources))) for purse in purses], purses)
    for i in order:
        _with_centre(market, purses, i)


def _with_centre(market: Market, purses: list[Purse], i: int) -> None:
    """Open own stations of a community for which it could not pay the centre: the others of its district pay that."""
    problem, services = market.state.problem, list(market.state.problem.scenario.services.values())
    for need in own_needs(problem, i):
        rule = services[need - 2].hierarchy if need not in (SPACE, debt_need(problem)) else None
        if rule is not None and rule.centre is not None:
            others = [purses[j] for j in np.flatnonzero(problem.district == problem.district[i]).tolist() if j != i]
            parts = [purse.part(np.ones(len(problem.sources))) for purse in others]
            if parts:
                pot = parts[0].copy()
                for part in parts[1:]:
                    pot.add(part)
                buy_station(market.openings, i, need - 2, purses[i], pot)
                pot.give_back(others, parts)


def _open_from_pots(market: Market, parts: list[Purse], back_to: list[Purse]) -> None:
    """Open stations from pots of the districts, filled by `parts`; what is left goes back to the communities."""
    problem = market.state.problem
    members = [np.flatnonzero(problem.district == d).tolist() for d in range(len(problem.districts))]
    pots = []
    for mine in members:
        pot = parts[mine[0]].copy()
        for i in mine[1:]:
            pot.add(parts[i])
        pots.append(pot)
    open_by_yuan(market, lambda room: pots[market.district(room)])
    for pot, mine in zip(pots, members, strict=True):
        pot.give_back([back_to[i] for i in mine], [parts[i] for i in mine])


def _by_need(state: State, purse: Purse, first: Bools) -> None:
    """One purse for all: what would meet the most person-needs comes next, whoever it is for.

    Needs that come `first` (n, K) come before all others.
    """
    market = Market(state, across=True)
    if first.any():
        _once_by_need(state, market, purse, first)
    for _ in range(PASSES):
        if not _once_by_need(state, market, purse, np.ones_like(first)):
            return


def _once_by_need(state: State, market: Market, purse: Purse, some: Bools) -> bool:
    """Go once through the needs that are in `some` (n, K), the largest first; return whether anything was bought."""
    problem = state.problem
    heap: list[tuple[float, str, int, int]] = []  # less person-needs, name, need (-1: building), position
    for i, name in enumerate(problem.communities):
        for need in (WORK_FUNDS, *own_needs(problem, i)):
            unmet = _unmet(state, i, need) if some[i, need] else 0.0
            if unmet > 1e-9:
                heap.append((-unmet, name, need, i))
    for room, places in market.buildings.items():
        offer = market.first(room)
        counts = some[problem.rooms.community[room], problem.places.service[places] + 2].any()
        if offer is not None and counts:
            heap.append((-offer.worth, problem.rooms.site[room], -1, room))
    heapq.heapify(heap)
    bought = False
    while heap:
        worth, name, need, n = heapq.heappop(heap)
        if need >= 0:
            bought |= buy(market.openings, n, need, purse)
            continue
        offer = market.first(n)
        if offer is None:
            continue
        if offer.worth < -worth * (1 - 1e-9):
            heapq.heappush(heap, (-offer.worth, name, -1, n))
        elif market.open(n, purse):
            bought = True
            heapq.heappush(heap, (-offer.worth, name, -1, n))
    return bought


def _unmet(state: State, i: int, need: int) -> float:
    """Person-needs of a community that are not met yet, of one need it buys for itself (goal 2)."""
    problem = state.problem
    if need in (WORK_FUNDS, SPACE):
        due = problem.need[i, need]
        short = due - state.grant[i] if need == WORK_FUNDS else state.short_m2[i]
        share = np.divide(np.maximum(0.0, short), due, out=np.zeros(len(due)), where=due > 0)
        return float(problem.unmet_weight[i, need] * (share @ problem.year_weight))
    return float(problem.unmet_weight[i, need] * state.left[i, need])


def _aside(problem: Problem) -> Floats:
    """Return (n, S) the part of each source's money that a community sets aside for stations shared with others."""
    network = _network(problem)
    weight = may_use(problem) * problem.weight[:, None, :]
    weight[:, :, WORK_FUNDS] = 0.0
    total = weight.sum(axis=2)
    return np.asarray(np.divide(weight[:, :, network].sum(axis=2), total, out=np.zeros_like(total), where=total > 0))


def _network(problem: Problem) -> Bools:
    """(K,) which needs stations meet that are shared with others."""
    rules = problem.scenario.services
    return np.array([need in rules and rules[need].siting == "network" for need in problem.needs], dtype=bool)
