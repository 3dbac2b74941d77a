"""What a plan by rule must do whatever it splits: stations that must close, sites that must be taken.

Everything else stays as it is. A station that must close does so as late as it may; a site that must be taken is taken
as early as it can be.
"""

from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from optimizer.plan_tables import half_up
from optimizer.problem import Floats, Ints, Problem
from optimizer.rules.bills import room_bills
from optimizer.shortage import hard_costs

TIE = 1e-6
"""How much less it counts to be served far away: it decides between ways to serve as much."""


def closing_years(problem: Problem) -> Ints:
    """Return (existing,) the year in which each station closes, past the horizon where it stays, equation (10)."""
    old = problem.existing
    return np.asarray(np.where(old.close_must, old.close_last, len(problem.years)), dtype=np.int64)


def forced_costs(problem: Problem) -> Floats:
    """Return (cells, T) yuan to be paid whatever a rule decides, equation (19).

    Existing stations until they close, and their closing; sites that must be taken; entitlements under a hard floor.
    """
    closes, old = closing_years(problem), problem.existing
    cost = hard_costs(problem, closes)
    rules = list(problem.scenario.services.values())
    for e in np.flatnonzero(closes < len(problem.years)).tolist():
        i, k, t = int(old.community[e]), int(old.service[e]), int(closes[e])
        rule = rules[k].closing
        once = half_up(float(problem.price_index[t]) * (rule.yuan if rule else 0.0))
        cost[problem.cell("service_capital", i, k, shared=True), t] += once
    for room in np.flatnonzero(problem.rooms.forced).tolist():
        for bill in room_bills(problem, room, int(problem.rooms.first[room]), float(problem.rooms.area_m2[room])):
            cost[bill.cell, bill.year] += bill.yuan
    return cost


def seen_to(problem: Problem) -> list[int]:
    """Services for which nobody may be left without for longer than a gap when stations close, equation (10)."""
    rules = problem.scenario.services.values()
    return [k for k, rule in enumerate(rules) if rule.closing and rule.closing.longest_gap_years is not None]


def fullest(problem: Problem, arcs: Ints) -> Floats:
    """Return (arcs,) shares by which existing stations serve, of all that they can, as much as possible, (8) and (9).

    `arcs`: positions of existing arcs. Near stations come first where as much is served.
    """
    old, all_arcs = problem.existing, problem.existing_arcs
    target, needs = all_arcs.target[arcs], len(problem.needs)
    who = all_arcs.community[arcs] * needs + old.service[target] + 2
    some, need = np.unique(who, return_inverse=True)
    used, station = np.unique(target, return_inverse=True)
    peak = problem.peak[all_arcs.community[arcs], old.service[target] + 2]
    far = all_arcs.travel_m[arcs] / max(1.0, float(all_arcs.travel_m[arcs].max(initial=0.0)))
    n, arc = len(some), np.arange(len(arcs))
    rows, columns = np.concatenate([need, n + station]), np.concatenate([arc, arc])
    limits = coo_array((np.concatenate([np.ones(len(arcs)), peak]), (rows, columns)), shape=(n + len(used), len(arcs)))
    most = np.concatenate([np.ones(n), old.capacity[used]])
    solve: Any = linprog
    found = solve(-peak * (1 - TIE * far), A_ub=limits.tocsr(), b_ub=most, bounds=(0, None), method="highs")
    return np.asarray(found.x, dtype=float)
