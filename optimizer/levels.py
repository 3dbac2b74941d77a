"""How high a score each community could reach at best, and who is set aside before the common level is raised."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from optimizer.coupling import Levels
from optimizer.highs import Session, solve
from optimizer.highs_arrays import Arrays, Options
from optimizer.model import Model
from optimizer.problem import Bools, Floats, Ints, Problem
from optimizer.programmes import build_model
from optimizer.threads import in_parallel

T = TypeVar("T")
SIMPLEX = Options(solver="simplex")
KEEPS = 0.9
"""Share of its best attainable score that a community set aside must keep."""
FLOOR_MISSED = 0.005
"""Communities set aside that are so little below that share keep it nearly enough."""
MOST_ASIDE = 0.15
"""At most this share of the communities, rounded down, is set aside because others can be raised higher."""


def scored(problem: Problem) -> Bools:
    """(n,) communities with at least one weighted need above zero."""
    return np.asarray(problem.scored)


def attainable_together(problem: Problem) -> Floats:
    """(n,) scores of a plan without any limit of money that makes their sum largest (yes-or-no decisions relaxed)."""

    def scores(part: Ints) -> Floats:
        model = build_model(problem.part(part))
        total = -np.asarray(model.score.sum(axis=0), dtype=float).ravel()
        x = solve(_without_money(model, total), SIMPLEX).x
        return np.zeros(len(part)) if x is None else np.asarray(model.score @ x + model.score_base)

    best = np.zeros(len(problem.communities))
    for part, reached in zip(problem.parts, _side_by_side(scores, problem), strict=True):
        best[part] = reached
    return best


def attainable_alone(problem: Problem, communities: Ints) -> Floats:
    """Largest score each of `communities` could have if all money and stations served it: no plan gives more."""
    wanted = np.zeros(len(problem.communities), dtype=bool)
    wanted[communities] = True
    best = np.zeros(len(problem.communities))

    def scores(part: Ints) -> Floats:
        mine = np.flatnonzero(wanted[part])
        if not len(mine):
            return np.zeros(0)
        model = build_model(problem.part(part))
        session = Session(_without_money(model, np.zeros(model.n_columns)), SIMPLEX)
        everything, found = np.arange(model.n_columns), np.zeros(len(mine))
        for n, i in enumerate(mine):
            session.set_cost(everything, -np.asarray(model.score[[i]].toarray()).ravel())
            found[n] = model.score_base[i] - session.run().bound
        return found

    for part, found in zip(problem.parts, _side_by_side(scores, problem), strict=True):
        best[part[wanted[part]]] = found
    return best[communities]


def attainable_level(problem: Problem, levels: Levels, some: Sequence[int] = ()) -> float:
    """Largest level that all who follow it could reach at once if money had no limit: no plan gives more.

    With `some` communities only the parts of the city they lie in are looked at; that bounds the level too.
    """
    parts = [part for part in problem.parts if not some or np.isin(part, some).any()]

    def highest(part: Ints) -> float:
        follows = np.flatnonzero(levels.follows[part])
        if not len(follows):
            return 1.0
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
        return -solve(level, SIMPLEX).bound

    return min([1.0, *in_parallel(highest, parts, problem.scenario.solver.threads)])


def _side_by_side(task: Callable[[Ints], T], problem: Problem) -> list[T]:
    return in_parallel(task, problem.parts, problem.scenario.solver.threads)


def _without_money(model: Model, cost: Floats) -> Arrays:
    relaxed = np.zeros(model.n_columns, dtype=bool)
    return Arrays(cost, model.lower, model.upper, relaxed, model.matrix, model.row_lower, model.row_upper)


def highest_aside(problem: Problem, best: Floats) -> float:
    """Return the score that keeps who can reach it from being set aside, of `best` (n,): few enough are below it."""
    best = np.sort(best[scored(problem)])
    return float(best[int(MOST_ASIDE * len(best) + 1e-9)]) if len(best) else 1.0


def set_aside(problem: Problem, best: Floats, level: float) -> Levels:
    """Return the levels in which communities that cannot reach `level` are set aside."""
    who = scored(problem)
    floor = np.where(who & (best < level), KEEPS * best, -np.inf)
    return Levels(who, floor, level)


def no_levels(problem: Problem) -> Levels:
    """Return levels that ask for nothing."""
    return set_aside(problem, np.ones(len(problem.communities)), 0.0)


def without_floors(levels: Levels) -> Levels:
    """Return the levels without floors of communities set aside: what can be reached at all ignores them."""
    return replace(levels, floor=np.where(np.isneginf(levels.floor), -np.inf, 0.0))
