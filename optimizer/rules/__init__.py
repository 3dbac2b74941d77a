"""Plans made by rules people use: per head, per community, last year and a little more, the neediest first.

Nothing is searched. Money is split by the rule, then spent as people would. Every rule of the mathematics holds and
is audited like that of any plan, so that what optimisation gains can be read off a comparison.
"""

import heapq

import numpy as np

from optimizer.problem import SPACE, WORK_FUNDS, Floats, Problem
from optimizer.rules.own import buy, own_needs
from optimizer.rules.purse import Purse
from optimizer.rules.shared import Market, open_by_yuan
from optimizer.rules.split import may_use, split, whole_purse
from optimizer.rules.state import State
from optimizer.scenario import Rule
from optimizer.solution import Decisions

__all__ = ["plan_by_rule"]
PASSES = 3
"""Most times the neediest are gone through; a second time pays where rooms taken in the first give floor."""


def plan_by_rule(problem: Problem, rule: Rule, key: Floats) -> Decisions:
    """Return the plan a rule makes.

    `key` (n,) is what a community's part is in proportion to (`optimizer.rules.split.keys_of`). Raises MoneyShortError
    where the sources cannot pay what must be paid.
    """
    state, purse = State(problem), whole_purse(problem)
    if rule.split == "greedy_by_need":
        _by_need(state, purse)
    else:
        _by_shares(state, split(problem, rule, key, purse))
    return state.decisions()


def _by_shares(state: State, purses: list[Purse]) -> None:
    """Every community spends its own part: work funds first, then what its type weighs most.

    For stations shared with others it first sets aside, of what work funds leave, the part that their weights make,
    into the pot of its district. What a pot does not use goes back; what is left at last opens more stations.
    """
    problem = state.problem
    order = sorted(range(len(purses)), key=problem.communities.__getitem__)
    for i in order:
        buy(state, i, WORK_FUNDS, purses[i])
    aside = _aside(problem)
    set_aside = [purse.part(aside[i]) for i, purse in enumerate(purses)]
    market = Market(state)
    _open_from_pots(market, set_aside, purses)
    for _ in range(2):  # rooms may give the floor that a station of a heavier need lacked
        for i in order:
            for need in own_needs(problem, i):
                buy(state, i, need, purses[i])
    _open_from_pots(market, purses, None)


def _open_from_pots(market: Market, parts: list[Purse], back_to: list[Purse] | None) -> None:
    """Open stations from pots of the districts, filled by `parts`; what is left goes back to the communities."""
    problem = market.state.problem
    pots = []
    members = [np.flatnonzero(problem.district == d).tolist() for d in range(len(problem.districts))]
    for mine in members:
        pot = parts[mine[0]].copy()
        for i in mine[1:]:
            pot.add(parts[i])
        pots.append(pot)
    open_by_yuan(market, lambda room: pots[market.district(room)])
    if back_to is not None:
        for pot, mine in zip(pots, members, strict=True):
            pot.give_back([back_to[i] for i in mine], [parts[i] for i in mine])


def _by_need(state: State, purse: Purse) -> None:
    """One purse for all: what would meet the most person-needs comes next, whoever it is for."""
    market = Market(state)
    for _ in range(PASSES):
        if not _once_by_need(state, market, purse):
            return


def _once_by_need(state: State, market: Market, purse: Purse) -> bool:
    problem = state.problem
    heap: list[tuple[float, str, int, int]] = []  # less person-needs, name, need (-1: building), position
    for i, name in enumerate(problem.communities):
        for need in (WORK_FUNDS, *own_needs(problem, i)):
            unmet = _unmet(state, i, need)
            if unmet > 1e-9:
                heap.append((-unmet, name, need, i))
    for room in market.buildings:
        offer = market.first(room)
        if offer is not None:
            heap.append((-offer.worth, problem.rooms.site[room], -1, room))
    heapq.heapify(heap)
    bought = False
    while heap:
        worth, name, need, n = heapq.heappop(heap)
        if need >= 0:
            bought |= buy(state, n, need, purse)
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
    network = np.zeros(problem.shape[1], dtype=bool)  # (K,)
    network[2 : 2 + len(problem.scenario.services)] = [
        s.siting == "network" for s in problem.scenario.services.values()
    ]
    weight = may_use(problem) * problem.weight[:, None, :]
    weight[:, :, WORK_FUNDS] = 0.0
    total = weight.sum(axis=2)
    return np.asarray(np.divide(weight[:, :, network].sum(axis=2), total, out=np.zeros_like(total), where=total > 0))
