"""Stations shared by several communities, opened one building after another (equations 8 to 12)."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from optimizer.rules.bills import Bill, station_bills
from optimizer.rules.levels import STEP, down
from optimizer.rules.openings import Openings, has_levels
from optimizer.rules.purse import Purse
from optimizer.rules.state import State
from optimizer.scenario_services import Service

PASSES = 3
"""Most times that buildings are gone through; again where centres have opened that stations can hang on."""
SCALES = tuple(n / 8 for n in range(8, 0, -1))
"""Parts of the demand within reach that are tried where a purse cannot pay for all of it."""


@dataclass(frozen=True)
class Offer:
    """Stations that would open in a building: what they meet and cost, and the plan with them.

    `worth` is person-needs (goal 2) over the horizon.
    """

    room: int
    year: int
    worth: float
    bills: tuple[Bill, ...]
    plan: dict[str, Any]

    @property
    def yuan(self) -> int:
        """Cost over the horizon."""
        return sum(bill.yuan for bill in self.bills)

    @property
    def per_yuan(self) -> float:
        """Person-needs per yuan."""
        return self.worth / max(1, self.yuan)


class Market:
    """Buildings and what could open in them."""

    def __init__(self, state: State, *, across: bool) -> None:
        """Look up which places are in which building; `across`: money of a district pays for centres in another too."""
        self.state, self.openings = state, Openings(state, across=across)
        self.services = list(state.problem.scenario.services.values())
        self.reach, self.ready = self.openings.reach, self.openings.ready

    @cached_property
    def buildings(self) -> dict[int, list[int]]:
        """Building -> its places, in order of names."""
        places = self.state.problem.places
        found: dict[int, list[int]] = {}
        some = {*self.reach, *np.flatnonzero(places.centre).tolist()}  # some centres serve nobody themselves
        for place in sorted(some - self.openings.idle, key=lambda p: (places.site[p], places.service[p], p)):
            if places.room[place] >= 0:
                found.setdefault(int(places.room[place]), []).append(place)
        return found

    def district(self, room: int) -> int:
        """District a building lies in."""
        problem = self.state.problem
        return int(problem.district[problem.rooms.community[room]])

    def levelled(self, room: int) -> bool:
        """Whether a service with levels may open in a building."""
        return any(has_levels(self.state.problem, place) for place in self.buildings[room])

    @property
    def centres(self) -> int:
        """Centres that are used by some year."""
        return int((self.state.levels.since[~self.state.problem.units.must] < len(self.state.problem.years)).sum())

    def offers(self, room: int, year: int, scale: float = 1.0) -> Offer | None:
        """Return the stations with the most person-needs per yuan that could open in a building from a year on.

        In `year` a building is taken, or, where it is taken already, stations open in it. `scale` is the part of the
        demand within reach they are built for. None where nothing can open.
        """
        problem, state, openings = self.state.problem, self.state, self.openings
        fewest = 1 if room in state.taken else problem.scenario.programmes.one_stop.min_services
        before = openings.begin(self.district(room), room)
        if room not in state.taken:
            openings.take(room, year)
        ready = max(state.taken[room][0], year)
        best, count = None, 0
        for _, _, place in sorted(self._alone(room, before, ready, scale)):
            if not self._opened(place, room, ready, scale):
                continue
            count += 1
            bills, worth = openings.bills(before), openings.worth(before)
            offer = Offer(room, year, worth, bills, {})
            if count >= fewest and (best is None or offer.per_yuan > best.per_yuan * (1 + 1e-9)):
                best = replace(offer, plan=openings.finish(state.save()))
        state.load(before)
        return best

    def _alone(self, room: int, before: dict[str, Any], ready: int, scale: float) -> Iterator[tuple[float, str, int]]:
        """Yield the places of a building that could open: less person-needs a year per yuan, name, place."""
        problem, state, openings = self.state.problem, self.state, self.openings
        for place in self.buildings.get(room, []):
            name = problem.needs[problem.places.service[place] + 2]
            if has_levels(problem, place):
                plan, fresh = state.save(), dict(openings.fresh)
                if not state.open[place] and openings.open(place, ready, scale):
                    yuan = sum(bill.yuan for bill in openings.bills(before, without=room))
                    yield -openings.worth(before) / float(self.ready[ready]) / max(1, yuan), name, place
                    state.load(plan)
                    openings.fresh = fresh
                continue
            size = self._size(place, openings.floor_m2(room, wider=room in state.wide), scale, ready)
            if size > 0:
                yuan = sum(bill.yuan for bill in station_bills(problem, place, ready, size))
                yield -self._worth(place, size, ready) / max(1, yuan), name, place

    def _opened(self, place: int, room: int, ready: int, scale: float) -> bool:
        """Open a place in a building that is ready in a year; return whether it could be."""
        state, openings = self.state, self.openings
        if has_levels(state.problem, place):
            return not state.open[place] and openings.open(place, ready, scale)
        size = self._size(place, openings.floor_m2(room, wider=room in state.wide), scale, ready)
        if size > 0:
            state.serve(place, ready, size, np.array(self.reach[place], dtype=np.int64))
            openings.touched.add(place)
            openings.use_floor(room, size * self._service(place).area_m2_per_unit)
        return size > 0

    def _service(self, place: int) -> Service:
        return self.services[int(self.state.problem.places.service[place])]

    def _demand(self, place: int, year: int) -> float:
        problem, k = self.state.problem, int(self.state.problem.places.service[place]) + 2
        who = problem.arcs.community[self.reach[place]]
        return float((self.state.open_need(who, k, year) * problem.peak[who, k]).sum())

    def _size(self, place: int, floor_m2: float, scale: float, year: int) -> float:
        """Capacity a station would have that is new in a year; 0 where it would be too small."""
        if self.state.open[place]:
            return 0.0
        rule, demand = self._service(place), self._demand(place, year)
        most = min(demand, rule.max_capacity)
        if rule.area_m2_per_unit > 0:
            most = min(most, max(0.0, floor_m2) / rule.area_m2_per_unit)
        least = max(rule.min_capacity, min(1.0, demand))
        size = down(min(most, max(least, scale * most)))
        return size if size > 0 and size >= least else 0.0

    def _worth(self, place: int, size: float, year: int) -> float:
        """Person-needs a station of a capacity that is new in a year meets in a year."""
        problem, k = self.state.problem, int(self.state.problem.places.service[place]) + 2
        total = 0.0
        for a in self.reach[place]:
            i = problem.arcs.community[a]
            amount = min(size, float(self.state.open_need(i, k, year)) * problem.peak[i, k])
            total += problem.unmet_weight[i, k] * amount / problem.peak[i, k]
            size -= amount
            if size <= 0:
                break
        return total

    def first(self, room: int) -> Offer | None:
        """Return the offer of a building as early as it could be, whoever pays."""
        start, state = int(self.state.problem.rooms.first[room]), self.state
        years = range(start, len(state.problem.years) - self._lead(room))
        later = state.ends.any() or self.levelled(room)
        some = (self.offers(room, year) for year in (years if later else years[:1]))
        return next((offer for offer in some if offer is not None), None)

    def _lead(self, room: int) -> int:
        return 0 if room in self.state.taken else int(self.state.problem.rooms.lead[room])

    def open(self, room: int, purse: Purse) -> bool:
        """Open in a building what meets most of what a purse can pay; return whether anything was opened."""
        problem, state = self.state.problem, self.state
        best: Offer | None = None
        for year in range(int(problem.rooms.first[room]), len(problem.years) - self._lead(room)):
            for scale in SCALES:
                offer = self.offers(room, year, scale)
                if offer is None or (best is not None and offer.worth <= best.worth * (1 + 1e-9)):
                    break
                if purse.can_pay(offer.bills, state.cells):
                    best = offer
                    break
        if best is None:
            return False
        purse.pay(best.bills, state.cells)
        was_taken = room in state.taken
        state.load(best.plan)
        if was_taken:
            ready, floor = state.taken[room]
            state.taken[room] = ready, max(0.0, floor - STEP)
        return True


def open_by_yuan(market: Market, purses: Callable[[int], Purse]) -> bool:
    """Open stations, the most person-needs per yuan first, each from the purse of its building; whether any opened."""
    opened, rooms = False, list(market.buildings)
    for _ in range(PASSES):
        centres = market.centres
        opened |= _once_by_yuan(market, purses, rooms)
        if market.centres == centres:
            break
        rooms = [room for room in rooms if market.levelled(room)]  # what opened is there for stations to hang on
    return opened


def _once_by_yuan(market: Market, purses: Callable[[int], Purse], rooms: list[int]) -> bool:
    names = market.state.problem.rooms.site
    first = [(room, market.first(room)) for room in rooms]
    heap = [(-offer.per_yuan, names[room], room) for room, offer in first if offer is not None]
    heapq.heapify(heap)
    opened = False
    while heap:
        worth, name, room = heapq.heappop(heap)
        offer = market.first(room)
        if offer is None:
            continue
        if offer.per_yuan < -worth * (1 - 1e-9):  # others have opened since: less is left to meet
            heapq.heappush(heap, (-offer.per_yuan, name, room))
        elif market.open(room, purses(room)):
            opened = True
            heapq.heappush(heap, (-offer.per_yuan, name, room))  # another service may still fit
    return opened
