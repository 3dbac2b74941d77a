"""Programmes: one file each, all with the same verbs.

`columns`, `rows`, `cost` and `met` take the problem and the model and write their part of it. A new programme is a new
file with these verbs, named in `ALL`.
"""

from optimizer.model import Model
from optimizer.problem import Problem
from optimizer.programmes import closing, debt_relief, hierarchy, one_stop, referrals, services, space, work_funds
from optimizer.programmes.space_exact import asked

ALL = (work_funds, space, services, closing, debt_relief, one_stop, hierarchy, referrals)


def build_model(problem: Problem) -> Model:
    """Return the model of a problem: columns and rows of every programme, what they cost and what they meet."""
    model = Model(problem)
    for programme in ALL:
        programme.columns(problem, model)
    for programme in ALL:
        programme.rows(problem, model)
        programme.cost(problem, model)
        programme.met(problem, model)
    if asked(problem):
        model.add_scores()
    return model
