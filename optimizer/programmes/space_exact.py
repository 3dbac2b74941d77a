"""Met space that is exactly what the rooms give, where scores may not be too unequal, equations (6) and (32).

Otherwise a plan may count less than its rooms give, which no goal rewards; a bound of inequality would.
"""

import numpy as np

from optimizer.model import Model
from optimizer.problem import SPACE, Floats, Ints, Problem


def asked(problem: Problem) -> bool:
    """Whether the scenario bounds inequality."""
    rule = problem.scenario.fairness
    return rule is not None and (rule.gini_at_most is not None or rule.atkinson_at_most is not None)


def over(problem: Problem, community: Ints) -> Floats:
    """By how much of the target the rooms of each of `community` could pass it at most."""
    most, rooms, halls = problem.existing_m2.copy(), problem.rooms, problem.hall_arcs
    extensions = ~rooms.is_station
    np.add.at(most, rooms.community[extensions], rooms.area_m2[extensions])
    np.add.at(most, halls.community, problem.halls.credit_m2[halls.target])
    return np.asarray(np.maximum(0.0, most[community] / problem.need[community, SPACE, 0] - 1), dtype=float)


def add_full(problem: Problem, model: Model, community: Ints, year: Ints) -> None:
    """Add `space_full(community,year)`: 1 where rooms reach the target; only where they could pass it."""
    can = over(problem, community) > 0
    model.add_columns("space_full", [("community", community[can]), ("year", year[can])], upper=1.0, integer=True)


def add_rows(problem: Problem, model: Model, community: Ints, year: Ints) -> Ints:
    """Add (32) `met ≥ full` and `met + over · full ≥ area / target`; return the second, whose area is to be put."""
    much = over(problem, community)
    can = np.flatnonzero(much > 0)
    full, met = model.columns["space_full"].positions, model.columns["space_met"].positions
    row = model.add_rows("eq32_full", [("community", community[can]), ("year", year[can])], lower=0.0)
    model.put(row, met[can], 1.0)
    model.put(row, full, -1.0)
    least = problem.existing_m2[community] / problem.need[community, SPACE, 0]
    row = model.add_rows("eq32_no_less", [("community", community), ("year", year)], lower=least)
    model.put(row, met, 1.0)
    model.put(row[can], full, much[can])
    return row
