"""The tree of levels as the model sees it: who has a choice, who needs whom to be there, what may come up (13).

A unit *lasts* where something of it is there from the first year to the end. It is *held* where nothing has to happen
for it to be used: it need not hang, or has one thing to hang on, which lasts. Else its use waits for a *start*: that of
what it hangs on.
"""

from functools import cached_property

import numpy as np

from optimizer.problem import Bools, Floats, Ints, Problem

LEVELS = ("outlet", "station", "centre")
"""From below."""


class Tree:
    """Positions and limits that follow from the units of a problem and what could hang on what."""

    def __init__(self, problem: Problem) -> None:
        """Look up members and options of every unit."""
        self.problem = problem
        self.order: Ints = np.array(
            sorted(range(len(problem.units)), key=lambda u: LEVELS.index(problem.units.level[u])), dtype=np.int64
        )
        self.options: list[list[int]] = [[] for _ in range(len(problem.units))]  # pairs, the nearest first
        for pair, unit in enumerate(problem.hangs.lower.tolist()):
            self.options[unit].append(pair)
        self.places: list[list[int]] = [[] for _ in range(len(problem.units))]
        for place, unit in enumerate(problem.place_unit.tolist()):
            if unit >= 0:
                self.places[unit].append(place)

    @cached_property
    def there(self) -> Bools:
        """(units,) where something with a capacity exists."""
        there = np.zeros(len(self.problem.units), dtype=bool)
        mine = (self.problem.existing_unit >= 0) & (self.problem.existing.capacity > 0)
        there[self.problem.existing_unit[mine]] = True
        return there

    @cached_property
    def closes(self) -> Bools:
        """(units,) where what exists may close."""
        problem, old = self.problem, self.problem.existing
        closes = np.zeros(len(problem.units), dtype=bool)
        may = (problem.existing_unit >= 0) & (old.close_must | (old.close_first < len(problem.years)))
        closes[problem.existing_unit[may]] = True
        return closes

    @cached_property
    def chooses(self) -> Bools:
        """(units,) which have several things to hang on."""
        return np.array([len(pairs) > 1 for pairs in self.options], dtype=bool)

    @cached_property
    def only(self) -> Ints:
        """(units,) what a unit hangs on where it has no choice, else -1."""
        upper = self.problem.hangs.upper
        return np.array([int(upper[pairs[0]]) if len(pairs) == 1 else -1 for pairs in self.options], dtype=np.int64)

    @cached_property
    def held(self) -> Bools:
        """(units,) whose use waits for nothing."""
        held = ~self.problem.units.must
        for u in self.order[::-1].tolist():
            held[u] |= self.only[u] >= 0 and self._lasts(int(self.only[u]), held)
        return held

    @cached_property
    def lasts(self) -> Bools:
        """(units,) which are there from the first year to the end."""
        return np.array([self._lasts(u, self.held) for u in range(len(self.problem.units))], dtype=bool)

    def _lasts(self, unit: int, held: Bools) -> bool:
        return bool(held[unit] and self.there[unit] and not self.closes[unit])

    @cached_property
    def share(self) -> Floats:
        """(units,) share of what a unit serves that it refers to what it hangs on."""
        rules = [service.hierarchy for service in self.problem.scenario.services.values()]
        level, of = self.problem.units.level, np.zeros(len(self.problem.units))
        for u, k in enumerate(self.problem.units.service.tolist()):
            rule = rules[k] if level[u] == "station" or rules[k] is None else rules[k].outlets
            of[u] = 0.0 if rule is None or level[u] == "centre" else rule.referral_share
        return of

    @cached_property
    def most_own(self) -> Floats:
        """(units,) most a unit can serve itself, units of the service a year."""
        problem = self.problem
        reach = np.zeros((len(problem.units), len(problem.communities)))
        for arcs, unit_of in (
            (problem.arcs, problem.place_unit), (problem.existing_arcs, problem.existing_unit)
        ):  # fmt: skip
            unit = unit_of[arcs.target]
            mine = np.flatnonzero(unit >= 0)
            need = problem.units.service[unit[mine]] + 2
            reach[unit[mine], arcs.community[mine]] = problem.peak[arcs.community[mine], need]
        room = np.zeros(len(problem.units))
        for capacity, unit_of in (
            (problem.places.most, problem.place_unit), (problem.existing.capacity, problem.existing_unit)
        ):  # fmt: skip
            np.add.at(room, unit_of[unit_of >= 0], capacity[unit_of >= 0])
        return np.asarray(np.minimum(reach.sum(axis=1), room))

    @cached_property
    def most_in(self) -> Floats:
        """(units,) most that may be referred to a unit, units of the service a year."""
        most, hangs = np.zeros(len(self.problem.units)), self.problem.hangs
        for u in self.order.tolist():
            out = self.share[u] * (self.most_own[u] + most[u])
            for pair in self.options[u]:
                most[hangs.upper[pair]] += out
        return most

    @cached_property
    def most_out(self) -> Floats:
        """(units,) most that a unit may refer."""
        return np.asarray(self.share * (self.most_own + self.most_in))
