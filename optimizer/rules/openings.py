"""Stations and centres of networks with levels, opened with all that this brings about (equation 13).

A new station hangs on the nearest centre that is used by then and has room for it. Where there is none, the nearest
centre that can be there in time opens with it. What waits for something to hang on joins what opens. New capacity is as
large as what it serves and what is referred to it: a station that opens later enlarges the new centre it hangs on.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from optimizer.problem import Ints, Problem
from optimizer.programmes.services import of_places
from optimizer.rules.bills import Bill, more, room_bills, station_bills
from optimizer.rules.levels import STEP, down
from optimizer.rules.state import State, nearest
from optimizer.solution import SHARE_NOISE


class Openings:
    """Opens places one at a time. What is opened is tried: `State.load` takes it back."""

    def __init__(self, state: State, *, across: bool) -> None:
        """Look up who reaches what; `across`: whether the money of one district pays for centres in another too."""
        problem = state.problem
        self.state, self.across = state, across
        self.district, self.building = -1, -1  # whose money pays, for which building
        self.fresh: dict[int, int] = {}  # buildings that are taken with it -> the year in which
        self.touched, self.wider = set[int](), set[int]()  # places, and buildings taken before, that it may change
        self.counter_m2 = problem.scenario.programmes.one_stop.counter_m2
        self.fewest = problem.scenario.programmes.one_stop.min_services
        self.ready = np.cumsum(problem.year_weight[::-1])[::-1]
        self.per_unit = of_places(problem, "area_m2_per_unit")
        self.least = of_places(problem, "min_capacity")
        unit, tree = problem.place_unit, state.levels.tree
        levelled = np.flatnonzero(unit >= 0)
        served = (tree.most_own + tree.most_in)[unit[levelled]]
        self.idle = set(levelled[served <= 0].tolist())  # nobody could ever need them
        self.least[levelled] = np.maximum(self.least[levelled], np.minimum(1.0, served))
        self.reach = _by_target(problem.arcs.target, nearest(problem, problem.arcs, problem.places.site))
        old = problem.existing_unit[problem.existing_arcs.target] if len(problem.existing_arcs) else unit[:0]
        self.old_reach = _by_target(old, nearest(problem, problem.existing_arcs, problem.existing.site))
        self.twins: dict[tuple[str, int], list[int]] = {}
        for place in levelled.tolist():
            self.twins.setdefault((problem.places.site[place], int(problem.places.service[place])), []).append(place)

    def begin(self, district: int, building: int = -1) -> dict[str, Any]:
        """Begin to try something that money of a district pays for; return what `State.load` takes it back with.

        `building` is the one that it is about.
        """
        self.district, self.building, self.fresh = district, building, {}
        self.touched, self.wider = set(), set()
        return self.state.save()

    def take(self, room: int, year: int) -> None:
        """Take a building in a year, for now with all its floor; `finish` takes as much as is used."""
        rooms = self.state.problem.rooms
        self.fresh[room] = year
        self.state.taken[room] = year + int(rooms.lead[room]), max(0.0, float(rooms.area_m2[room]) - self.counter_m2)

    def finish(self, saved: dict[str, Any]) -> dict[str, Any]:
        """Return `saved`, a plan with what was tried, with no more floor of new buildings than is used."""
        for room, year in self.fresh.items():
            area = self._area(room)
            used = self._used_m2(room)
            saved["rooms"][room] = year, area
            if room != self.building:
                saved["wide"].add(room)
            saved["taken"][room] = saved["taken"][room][0], max(0.0, area - self.counter_m2 - used - STEP)
        return saved

    def bills(self, before: dict[str, Any], *, without: int = -1) -> tuple[Bill, ...]:
        """Return what all that was tried since costs, `without` one of the buildings."""
        problem, state, found = self.state.problem, self.state, list[Bill]()
        for room, year in self.fresh.items():
            if room != without:
                found += room_bills(problem, room, year, self._area(room))
        for room in sorted(self.wider):
            was, now = before["rooms"][room], state.rooms[room]
            if now != was:
                found += more(room_bills(problem, room, *now), room_bills(problem, room, *was))
        for place in sorted(self.touched):
            had, has = before["sizes"].get(place), state.sizes.get(place)
            if has is not None and has != had:
                paid = station_bills(problem, place, *had) if had else iter(())
                found += more(station_bills(problem, place, *has), paid)
        return tuple(found)

    def worth(self, before: dict[str, Any]) -> float:
        """Person-needs (goal 2), over the horizon, that all that was tried since meets."""
        problem, state = self.state.problem, self.state
        rows = [(problem.arcs, problem.places.service, *row) for row in state.serves[len(before["serves"]) :]]
        old, service = problem.existing_arcs, problem.existing.service
        rows += [(old, service, *row) for row in state.joined[len(before["joined"]) :]]
        rows += [(old, service, a, 0, share) for a, share in state.kept[len(before["kept"]) :]]
        return float(
            sum(
                problem.unmet_weight[arcs.community[a], of[arcs.target[a]] + 2] * share * self.ready[year]
                for arcs, of, a, year, share in rows
            )
        )

    def open(self, place: int, year: int, scale: float) -> bool:
        """Open a place with levels in a year, for a part `scale` of those within reach; False, and nothing, if not."""
        for upper, centre in self._above(place, year):
            before, fresh = self.state.save(), dict(self.fresh)
            if self._open_with(place, year, scale, upper, centre):
                return True
            self.state.load(before)
            self.fresh = fresh
        return False

    def _above(self, place: int, year: int) -> Iterator[tuple[int, int]]:
        """Yield what a place could hang on: a unit (-1: it need not) and the centre that opens for it (-1: none)."""
        problem, levels = self.state.problem, self.state.levels
        unit = int(problem.place_unit[place])
        if not levels.waits(unit) or not problem.units.must[unit]:
            if levels.waits(unit) or levels.since[unit] <= year:
                yield int(levels.upper[unit]), -1
            return
        wants = float(levels.tree.share[unit]) * min(float(levels.tree.most_own[unit]), self._demand(place, year))
        until = len(problem.years)
        used = levels.pick(unit, year, wants, lambda v: levels.most(v, year, until, self._growth))
        if used >= 0:
            yield used, -1
        for upper in levels.options(unit):
            for centre in levels.tree.places[upper]:
                if levels.waits(upper) and not self.state.open[centre] and self._may_open(centre, year):
                    yield upper, centre

    def _may_open(self, centre: int, year: int) -> bool:
        """Whether a centre could open in a year for a station elsewhere."""
        problem, room = self.state.problem, int(self.state.problem.places.room[centre])
        if centre in self.idle or not self._pays(centre):
            return False
        if room in self.state.taken:
            return self.state.taken[room][0] <= year
        return self.fewest <= 1 and year - int(problem.rooms.lead[room]) >= int(problem.rooms.first[room])

    def _pays(self, place: int) -> bool:
        problem = self.state.problem
        return self.across or int(problem.district[problem.places.community[place]]) == self.district

    def _open_with(self, place: int, year: int, scale: float, upper: int, centre: int) -> bool:
        """Open a place that hangs on `upper`, with the centre that this is, if any; return whether all is large enough.

        Who waits joins before anybody else is served, as what exists costs nothing.
        """
        state, new = self.state, [centre, place] if centre >= 0 else [place]
        for p in new:
            room = int(state.problem.places.room[p])
            if room >= 0 and room not in state.taken:
                self.take(room, year - int(state.problem.rooms.lead[room]))
            self._begin(p, upper if p == place else -1, year, scale)
        for p in new[::-1]:
            self._fill(p, year, scale)
        return all(state.sizes[p][1] >= self.least[p] - STEP for p in new)

    def _begin(self, place: int, upper: int, year: int, scale: float) -> None:
        problem, state = self.state.problem, self.state
        unit = int(problem.place_unit[place])
        for twin in self.twins[problem.places.site[place], int(problem.places.service[place])]:
            state.open[twin] = True  # a station or a centre in one building, not both
        state.sizes[place] = year, 0.0
        self.touched.add(place)
        if state.levels.waits(unit):
            state.levels.begin(unit, upper, year)
            self._use_existing(unit, year, scale)
        self._join_below(unit, year, scale)

    def _join_below(self, upper: int, year: int, scale: float) -> None:
        """Let what exists and waits hang on what is used from now on, the nearest first."""
        levels, tree = self.state.levels, self.state.levels.tree
        for unit in levels.below[upper]:
            late = tree.closes[unit] and year > 0  # what may close hangs from the first year on or never
            if not tree.there[unit] or not levels.waits(unit) or late:
                continue
            levels.begin(unit, upper, year)
            self._join_below(unit, year, scale)
            used = self._use_existing(unit, year, scale)
            hung = any(levels.upper[lower] == unit and not levels.waits(lower) for lower in levels.below[unit])
            if tree.chooses[unit] and not used and not hung:
                levels.leave(unit)

    def _use_existing(self, unit: int, year: int, scale: float) -> bool:
        """Serve by what exists of a unit that is used from a year on; return whether anybody is."""
        problem, state, used = self.state.problem, self.state, False
        arcs = problem.existing_arcs

        def growth(v: int) -> float:
            return self._growth(v) if v != unit else 0.0  # it serves no more than what exists

        for a in self.old_reach.get(unit, []):
            i, e = int(arcs.community[a]), int(arcs.target[a])
            k, until = int(problem.existing.service[e]) + 2, int(state.closes[e])
            most = state.levels.most(unit, year, until, growth) / problem.peak[i, k]
            share = min(scale * float(state.open_need(i, k, year)), most)
            if share > SHARE_NOISE:
                state.levels.use(unit, share * float(problem.peak[i, k]), year, until, self._grow)
                state.join(a, year, share)
                used = True
        return used

    def _demand(self, place: int, year: int) -> float:
        problem, k = self.state.problem, int(self.state.problem.places.service[place]) + 2
        who = problem.arcs.community[self.reach.get(place, [])]
        return float((self.state.open_need(who, k, year) * problem.peak[who, k]).sum())

    def _fill(self, place: int, year: int, scale: float) -> None:
        """Serve those within reach of a place that opens, the nearest first."""
        problem, state = self.state.problem, self.state
        unit, until = int(problem.place_unit[place]), len(problem.years)
        upper, share = int(state.levels.upper[unit]), float(state.levels.tree.share[unit])
        above = state.levels.most(upper, year, until, self._growth) / share if share > 0 else np.inf
        most = min(self._demand(place, year), self._growth(unit), above)
        units = down(min(most, max(self.least[place] - state.sizes[place][1], scale * most)))
        if units > 0:
            served = state.serve(place, year, units, np.array(self.reach[place], dtype=np.int64))
            self._grow(unit, served)  # by new capacity, also where what exists has room
            state.levels.use(unit, served, year, until, self._grow)

    def _placed(self, unit: int) -> int:
        """Place at which a unit has new capacity, -1 for none."""
        return next((p for p in self.state.levels.tree.places[unit] if p in self.state.sizes), -1)

    def _growth(self, unit: int) -> float:
        """Most by which the new capacity of a unit may still be enlarged, by its limit, its floor and who pays."""
        problem, state, place = self.state.problem, self.state, self._placed(unit)
        if place < 0 or not self._pays(place):
            return 0.0
        start, size = state.sizes[place]
        limit, per_unit = max(0.0, float(problem.places.most[place]) - size), float(self.per_unit[place])
        if per_unit <= 0:
            return limit
        room = int(problem.places.room[place])
        if room < 0:
            floor = float(state.floor_m2[problem.places.community[place], start:].min())
        else:
            floor = self.floor_m2(room, wider=True)
        return min(limit, max(0.0, floor) / per_unit)

    def _grow(self, unit: int, units: float) -> None:
        """Enlarge the new capacity of a unit, and what is taken of its building where that is too small."""
        problem, state, place = self.state.problem, self.state, self._placed(unit)
        if place < 0:
            return
        start, size = state.sizes[place]
        state.sizes[place] = start, size + units
        self.touched.add(place)
        state.levels.room[unit] += units
        room, m2 = int(problem.places.room[place]), units * float(self.per_unit[place])
        if room < 0:
            state.floor_m2[problem.places.community[place], start:] -= m2
        else:
            self.use_floor(room, m2)

    def floor_m2(self, room: int, *, wider: bool) -> float:
        """Floor that nothing uses yet of a building that is taken; `wider`: with what could be taken of it yet."""
        state = self.state
        more_m2 = float(state.problem.rooms.area_m2[room]) - state.rooms[room][1] if room in state.rooms else 0.0
        return state.taken[room][1] + (more_m2 if wider else 0.0)

    def use_floor(self, room: int, m2: float) -> None:
        """Use floor of a building, and take more of it where that is too small."""
        state = self.state
        ready, floor = state.taken[room]
        if floor < m2 - STEP and room in state.rooms:
            year, area = state.rooms[room]
            wider = min(float(state.problem.rooms.area_m2[room]), _up(area + m2 - floor))
            floor, state.rooms[room] = floor + wider - area, (year, wider)
            self.wider.add(room)
        state.taken[room] = ready, floor - m2

    def _used_m2(self, room: int) -> float:
        return max(0.0, float(self.state.problem.rooms.area_m2[room]) - self.counter_m2) - self.state.taken[room][1]

    def _area(self, room: int) -> float:
        """Area of a new building that is taken for what is used of its floor."""
        rooms = self.state.problem.rooms
        area = max(float(rooms.min_area_m2[room]), self._used_m2(room) + self.counter_m2)
        return _up(min(float(rooms.area_m2[room]), area))


def _up(area_m2: float) -> float:
    """Return an area rounded up to six decimals."""
    return float(np.ceil(area_m2 * 1e6 - 1e-3)) / 1e6


def has_levels(problem: Problem, place: int) -> bool:
    """Whether the service of a place has levels."""
    return bool(problem.place_unit[place] >= 0)


def _by_target(target: Ints, order: list[int]) -> dict[int, list[int]]:
    """Return target -> arcs to it, in an order."""
    found: dict[int, list[int]] = {}
    for a in order:
        found.setdefault(int(target[a]), []).append(a)
    return found
