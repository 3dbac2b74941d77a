"""What stations and outlets hang on in a plan by rule, since when, and the room that is left there (equation 13)."""

from collections.abc import Callable

import numpy as np

from optimizer.hanging import Tree
from optimizer.problem import Floats, Ints, Problem

STEP = 1e-6
"""Capacities and areas are multiples of it."""
Growth = Callable[[int], float]
"""Most by which the new capacity of a unit may still be enlarged."""


def down(amount: float) -> float:
    """Return an amount rounded down to six decimals."""
    return float(np.floor(amount / STEP + 1e-6)) * STEP


def nothing(_: int) -> float:
    """Growth of what is not enlarged."""
    return 0.0


class Levels:
    """Units of a plan in the making: `upper`, what each hangs on (-1: nothing), `since`, the year it is used from.

    `since` is the number of years for what is not used; `room` (units, T) is the capacity that nothing uses yet.
    """

    def __init__(self, problem: Problem, closes: Ints) -> None:
        """Begin with what exists; `closes` (existing,): the year each station closes, past the horizon if it stays."""
        self.problem, self.tree = problem, Tree(problem)
        tree, years, units = self.tree, len(problem.years), len(problem.units)
        self.room: Floats = np.zeros((units, years))
        for e, u in enumerate(problem.existing_unit.tolist()):
            if u >= 0:
                self.room[u, : closes[e]] += problem.existing.capacity[e]
        self.since: Ints = np.where(tree.there & tree.held, 0, years).astype(np.int64)
        self.upper: Ints = np.where(tree.held, tree.only, -1).astype(np.int64)
        self.below: list[list[int]] = [[] for _ in range(units)]  # the nearest first; ties by name
        for pair in np.argsort(problem.hangs.travel_m, kind="stable").tolist():
            self.below[problem.hangs.upper[pair]].append(int(problem.hangs.lower[pair]))
        self._begin_today()

    def _begin_today(self) -> None:
        """Hang what exists on the nearest that is used from the first year on and has room for all it may refer."""
        tree = self.tree
        spare = self.room.min(axis=1, initial=np.inf)
        wants = tree.share * tree.most_own
        held = np.flatnonzero((self.since == 0) & (self.upper >= 0))
        np.subtract.at(spare, self.upper[held], wants[held])
        for u in tree.order[::-1].tolist():
            if tree.there[u] and self.waits(u):
                upper = self.pick(u, 0, wants[u], lambda v: float(spare[v]))
                if upper >= 0:
                    self.begin(u, upper, 0)
                    spare[upper] -= wants[u]

    def copy(self) -> "Levels":
        """Return the same units, to be changed on their own."""
        other = object.__new__(Levels)
        other.problem, other.tree, other.below = self.problem, self.tree, self.below
        other.since, other.upper, other.room = self.since.copy(), self.upper.copy(), self.room.copy()
        return other

    def waits(self, unit: int) -> bool:
        """Whether a unit is not used yet."""
        return bool(self.since[unit] == self.room.shape[1])

    def options(self, unit: int) -> list[int]:
        """What a unit could hang on, the nearest first."""
        return [int(self.problem.hangs.upper[pair]) for pair in self.tree.options[unit]]

    def pick(self, unit: int, year: int, wants: float, room: Callable[[int], float]) -> int:
        """Return what a unit would hang on that is used by a year; -1 where nothing has room.

        The nearest with room for all it `wants` to refer, else that with the most room. What has no choice needs none.
        """
        used = [v for v in self.options(unit) if self.since[v] <= year]
        if not self.tree.chooses[unit]:
            return used[0] if used else -1
        rooms = [room(v) for v in used]
        enough = [v for v, has in zip(used, rooms, strict=True) if has >= wants - STEP]
        if enough or not used:
            return enough[0] if enough else -1
        most = int(np.argmax(rooms))
        return used[most] if rooms[most] > STEP else -1

    def begin(self, unit: int, upper: int, year: int) -> None:
        """Use a unit from a year on; `upper` is what it hangs on, -1 for a centre."""
        self.upper[unit], self.since[unit] = upper, year

    def leave(self, unit: int) -> None:
        """Do not use a unit after all."""
        self.upper[unit], self.since[unit] = -1, self.room.shape[1]

    def most(self, unit: int, year: int, until: int, growth: Growth = nothing) -> float:
        """Most a unit may still serve from a year on, `until` another, as what it refers needs its room too.

        Where a unit has a choice, what it refers keeps its room in every year, as in the model.
        """
        limit, part = np.inf, 1.0
        while unit >= 0 and part > 0:
            limit = min(limit, down(self._left(unit, year, until) + growth(unit)) / part)
            year, until = (0, self.room.shape[1]) if self.tree.chooses[unit] else (year, until)
            part, unit = part * float(self.tree.share[unit]), int(self.upper[unit])
        return max(0.0, limit)

    def use(self, unit: int, units: float, year: int, until: int, grow: Callable[[int, float], None]) -> None:
        """Serve `units` more in a unit, and refer its share; what has no room for it is enlarged by `grow`."""
        while unit >= 0 and units > 0:
            lacks = units - self._left(unit, year, until)
            if lacks > 0:
                grow(unit, lacks)
            self.room[unit, year:until] -= units
            year, until = (0, self.room.shape[1]) if self.tree.chooses[unit] else (year, until)
            units, unit = units * float(self.tree.share[unit]), int(self.upper[unit])

    def _left(self, unit: int, year: int, until: int) -> float:
        return float(self.room[unit, year:until].min(initial=np.inf))
