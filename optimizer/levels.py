"""How high a score each community could reach at best, and who is set aside before the common level is raised."""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from optimizer.coupling import Levels
from optimizer.highs import Session, solve
from optimizer.highs_arrays import Arrays, Options
from optimizer.model import Model
from optimizer.problem import Bools, Floats, Ints, Problem
from optimizer.programmes import build_model

KEEPS = 0.9
"""Share of its best attainable score that a community set aside must keep."""


def scored(problem: Problem) -> Bools:
    """(n,) communities with at least one weighted need above zero."""
    return np.asarray(problem.score_weight.sum(axis=1) > 0)


def attainable_together(problem: Problem) -> Floats:
    """(n,) scores of a plan without any limit of money that makes their sum largest (yes-or-no decisions relaxed)."""
    best = np.zeros(len(problem.communities))
    for part in problem.parts:
        model = build_model(problem.part(part))
        outcome = solve(
            _without_money(model, -np.asarray(model.score.sum(axis=0), dtype=float).ravel()), Options(solver="simplex")
        )
        if outcome.x is not None:
            best[part] = model.score @ outcome.x + model.score_base
    return best


def attainable_alone(problem: Problem, communities: Ints) -> Floats:
    """Largest score each of `communities` could have if all money and stations served it: no plan gives more."""
    best = dict.fromkeys(communities.tolist(), 0.0)
    for part in problem.parts:
        mine = [(place, int(i)) for place, i in enumerate(part) if int(i) in best]
        if not mine:
            continue
        model = build_model(problem.part(part))
        session = Session(_without_money(model, np.zeros(model.n_columns)), Options(solver="simplex"))
        everything = np.arange(model.n_columns)
        for place, i in mine:
            session.set_cost(everything, -np.asarray(model.score[[place]].toarray()).ravel())
            best[i] = model.score_base[place] - session.run().bound
    return np.array([best[i] for i in communities.tolist()])


def attainable_level(problem: Problem, levels: Levels) -> float:
    """Largest level that all who follow it could reach at once if money had no limit: no plan gives more."""
    highest = 1.0
    for part in problem.parts:
        follows = np.flatnonzero(levels.follows[part])
        if not len(follows):
            continue
        model = build_model(problem.part(part))
        free = _without_money(model, np.zeros(model.n_columns))
        rows = hstack([model.score[follows], csr_array(-np.ones((len(follows), 1)))])
        level = Arrays(
            cost=np.append(free.cost, -1.0),
            lower=np.append(free.lower, 0.0),
            upper=np.append(free.upper, 1.0),
            integer=np.zeros(model.n_columns + 1, dtype=bool),
            matrix=csr_array(vstack([hstack([free.matrix, csr_array((free.matrix.shape[0], 1))]), rows], format="csr")),
            row_lower=np.concatenate([free.row_lower, -model.score_base[follows]]),
            row_upper=np.concatenate([free.row_upper, np.full(len(follows), np.inf)]),
        )
        highest = min(highest, -solve(level, Options(solver="simplex")).bound)
    return highest


def _without_money(model: Model, cost: Floats) -> Arrays:
    relaxed = np.zeros(model.n_columns, dtype=bool)
    return Arrays(cost, model.lower, model.upper, relaxed, model.matrix, model.row_lower, model.row_upper)


def set_aside(problem: Problem, best: Floats, level: float) -> Levels:
    """Return the levels in which communities that cannot reach `level` are set aside."""
    who = scored(problem)
    floor = np.where(who & (best < level), KEEPS * best, -np.inf)
    return Levels(who, floor, level)


def without_floors(levels: Levels) -> Levels:
    """Return the levels without floors of communities set aside: what can be reached at all ignores them."""
    return replace(levels, floor=np.where(np.isneginf(levels.floor), -np.inf, 0.0))
