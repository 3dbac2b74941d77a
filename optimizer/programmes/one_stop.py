"""Counters of one-stop buildings: paid and given floor once, whatever number of services share them (equation 11)."""

import numpy as np

from optimizer.model import Model
from optimizer.problem import Ints, Problem
from optimizer.programmes.space import room_years


def _buildings(problem: Problem, model: Model) -> tuple[Ints, Ints, Ints]:
    """Return (building, year, column of taking it) of every station building and year it may be taken in."""
    room, year = room_years(problem)
    whole = problem.rooms.whole[room]
    room, year, take = room[whole], year[whole], model.columns["take"].positions
    station = problem.rooms.is_station[room]
    return room[station], year[station], take[station]


def columns(problem: Problem, model: Model) -> None:
    """Add nothing: a counter comes with the building."""


def rows(problem: Problem, model: Model) -> None:
    """(12): in a building in use the counter takes its floor from the stations (rows `eq12_building_floor`)."""
    counter_m2 = problem.scenario.programmes.one_stop.counter_m2
    if counter_m2 <= 0:
        return
    (family,) = [f for f in model.row_families if f.name == "eq12_building_floor"]
    row_of = np.full((len(problem.rooms), len(problem.years)), -1, dtype=np.int64)
    building, in_year = (index for index, _ in family.keys)
    row_of[building, in_year] = family.positions
    room, year, take = _buildings(problem, model)
    for t in range(len(problem.years)):
        used = (year + problem.rooms.lead[room] <= t) & (row_of[room, t] >= 0)
        model.put(row_of[room[used], t], take[used], counter_m2)


def cost(problem: Problem, model: Model) -> None:
    """A counter is paid with the building, purpose space, equation (19)."""
    yuan = problem.scenario.programmes.one_stop.counter_yuan
    if yuan <= 0:
        return
    room, year, take = _buildings(problem, model)
    cell = [problem.cell("space", int(problem.rooms.community[r]), shared=True) for r in room]
    model.add_cost(take, np.array(cell, dtype=np.int64), year, yuan * problem.price_index[year])


def met(problem: Problem, model: Model) -> None:
    """Add nothing: stations meet needs, not counters."""
