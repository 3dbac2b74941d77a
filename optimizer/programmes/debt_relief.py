"""Debt relief: money that pays off debts of communities, equation (26)."""

import numpy as np

from optimizer.model import MONEY_UNIT_YUAN, Model
from optimizer.problem import Ints, Problem

NEED = "debt_relief"


def _years(problem: Problem) -> tuple[Ints, Ints, int]:
    """Return (community, year) of every debt that may be relieved, and the position of the need (-1: no programme)."""
    if NEED not in problem.needs:
        none = np.zeros(0, dtype=np.int64)
        return none, none, -1
    k = problem.needs.index(NEED)
    community, year = np.nonzero(problem.need[:, k, :] > 0)
    return community.astype(np.int64), year.astype(np.int64), k


def columns(problem: Problem, model: Model) -> None:
    """Add `relief(community,year)` in money units: what is paid off in a year."""
    community, year, k = _years(problem)
    if k >= 0:
        debt = problem.need[community, k, year] / MONEY_UNIT_YUAN
        model.add_columns("relief", [("community", community), ("year", year)], upper=debt)


def rows(problem: Problem, model: Model) -> None:
    """Add (26) `eq26_debt(community)`: over all years no more is paid off than is owed."""
    community, _, k = _years(problem)
    if k < 0:
        return
    debtor, which = np.unique(community, return_inverse=True)
    row = model.add_rows("eq26_debt", [("community", debtor)], upper=problem.need[debtor, k, 0] / MONEY_UNIT_YUAN)
    model.put(row[which], model.columns["relief"].positions, 1.0)


def cost(problem: Problem, model: Model) -> None:
    """What is paid off costs itself, equation (19)."""
    community, year, k = _years(problem)
    if k >= 0:
        cell = np.array([problem.cell(NEED, int(i)) for i in community], dtype=np.int64)
        model.add_cost(model.columns["relief"].positions, cell, year, MONEY_UNIT_YUAN)


def met(problem: Problem, model: Model) -> None:
    """What is paid off by a year meets its share of the debt from then on, equations (1) and (26)."""
    community, year, k = _years(problem)
    if k < 0:
        return
    relief = model.columns["relief"].positions
    for t in range(len(problem.years)):
        by = year <= t
        share = MONEY_UNIT_YUAN / problem.need[community[by], k, t]
        model.add_met(community[by], k, t, relief[by], share)
    free = np.argwhere(problem.need[:, k, :] <= 0)
    model.met_base[model.need_row(free[:, 0], k, free[:, 1])] = 1.0
