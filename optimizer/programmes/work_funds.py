"""Work funds: grants to communities, equations (3) and (4)."""

import numpy as np

from optimizer.model import MONEY_UNIT_YUAN, Model
from optimizer.problem import WORK_FUNDS, Problem


def columns(problem: Problem, model: Model) -> None:
    """Add `grant(community,year)` in money units, at most the limit of equation (4); none where nothing is due."""
    community, year = np.nonzero(problem.grant_limit > 0)
    limit = problem.grant_limit[community, year] / MONEY_UNIT_YUAN
    model.add_columns("grant", [("community", community), ("year", year)], upper=limit)


def rows(problem: Problem, model: Model) -> None:
    """Add (3) as `eq3_hard_floor(community,year)` where the floor is hard; a soft floor is the goals' affair."""
    if not problem.scenario.programmes.work_funds.hard_floor:
        return
    community, year = np.nonzero(problem.grant_limit > 0)
    due = problem.need[community, WORK_FUNDS, year] / MONEY_UNIT_YUAN
    row = model.add_rows("eq3_hard_floor", [("community", community), ("year", year)], lower=due)
    model.put(row, model.columns["grant"].positions, 1.0)


def cost(problem: Problem, model: Model) -> None:
    """A grant costs itself, equation (19)."""
    community, year = np.nonzero(problem.grant_limit > 0)
    cell = np.array([problem.cell("work_funds", int(i)) for i in community], dtype=np.int64)
    model.add_cost(model.columns["grant"].positions, cell, year, MONEY_UNIT_YUAN)


def met(problem: Problem, model: Model) -> None:
    """A grant meets its share of the entitlement, equations (1) and (3)."""
    community, year = np.nonzero(problem.grant_limit > 0)
    share = MONEY_UNIT_YUAN / problem.need[community, WORK_FUNDS, year]
    model.add_met(community, WORK_FUNDS, year, model.columns["grant"].positions, share)
    nothing_due = np.argwhere(problem.need[:, WORK_FUNDS, :] <= 0)
    model.met_base[model.need_row(nothing_due[:, 0], WORK_FUNDS, nothing_due[:, 1])] = 1.0
