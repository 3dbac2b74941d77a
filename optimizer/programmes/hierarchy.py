"""Levels of a network: what stations refer to the centre they hang on must fit there, equation (13)."""

import numpy as np

from optimizer.model import Model
from optimizer.problem import Problem


def columns(problem: Problem, model: Model) -> None:
    """Add nothing: who refers where follows from who is served where."""


def rows(problem: Problem, model: Model) -> None:
    """(13): a referral share of what a centre's stations serve, and what it serves itself, fit into its capacity.

    One row `eq13_referral(existing,need)` per centre that stations hang on, as a share of its capacity.
    """
    rules = [service.hierarchy for service in problem.scenario.services.values()]
    share = np.array([0.0 if rule is None else rule.referral_share for rule in rules])
    old, old_arcs = problem.existing, problem.existing_arcs
    place = problem.arcs.target[model.notes["serve_arc"]]
    who, need = problem.arcs.community[model.notes["serve_arc"]], problem.places.service[place] + 2
    centre = problem.place_centre[place]
    old_need = old.service[old_arcs.target] + 2
    old_centre = problem.existing_centre[old_arcs.target]
    used = np.unique(np.concatenate([centre[centre >= 0], old_centre[old_centre >= 0]]))
    if not len(used):
        return
    row_of = np.full(len(old), -1, dtype=np.int64)
    row_of[used] = model.add_rows("eq13_referral", [("existing", used), ("need", old.service[used] + 2)], upper=1.0)
    serve, kept = model.columns["serve"].positions, model.columns["kept"].positions
    n = np.flatnonzero(centre >= 0)
    units = problem.peak[who[n], need[n]] * share[need[n] - 2]
    model.put(row_of[centre[n]], serve[n], units / old.capacity[centre[n]])
    peak = problem.peak[old_arcs.community, old_need]
    n = np.flatnonzero(old_centre >= 0)
    model.put(row_of[old_centre[n]], kept[n], peak[n] * share[old_need[n] - 2] / old.capacity[old_centre[n]])
    n = np.flatnonzero(row_of[old_arcs.target] >= 0)  # what the centre serves as a station
    model.put(row_of[old_arcs.target[n]], kept[n], peak[n] / old.capacity[old_arcs.target[n]])


def cost(problem: Problem, model: Model) -> None:
    """Add nothing: stations and centres are paid as such."""


def met(problem: Problem, model: Model) -> None:
    """Add nothing: what is served meets the need, and its referrals have their place."""
