"""Stations shared by several communities, opened one building after another (equations 8 to 12)."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optimizer.rules.bills import Bill, room_bills, station_bills
from optimizer.rules.purse import Purse
from optimizer.rules.state import State, down, nearest
from optimizer.scenario_services import Service

SCALES = tuple(n / 8 for n in range(8, 0, -1))
"""Parts of the demand within reach that are tried where a purse cannot pay for all of it."""


@dataclass(frozen=True)
class Offer:
    """Stations that would open in a building: places with their capacities, the area taken, what they meet and cost.

    `worth` is person-needs (goal 2) over the horizon; `area_m2` is 0 for a building that is taken already.
    """

    room: int
    year: int
    area_m2: float
    sizes: tuple[tuple[int, float], ...]
    worth: float
    bills: tuple[Bill, ...]

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

    def __init__(self, state: State) -> None:
        """Look up which places are in which building and whom they reach, the nearest first."""
        problem = state.problem
        self.state = state
        self.counter_m2 = problem.scenario.programmes.one_stop.counter_m2
        self.services = list(problem.scenario.services.values())
        self.ready = np.cumsum(problem.year_weight[::-1])[::-1]
        self.reach: dict[int, list[int]] = {}
        for a in nearest(problem, problem.arcs, problem.places.site):
            self.reach.setdefault(int(problem.arcs.target[a]), []).append(a)

    @cached_property
    def buildings(self) -> dict[int, list[int]]:
        """Building -> its places, in order of names."""
        places = self.state.problem.places
        found: dict[int, list[int]] = {}
        for place in sorted(self.reach, key=lambda p: (places.site[p], places.service[p])):
            if places.room[place] >= 0:
                found.setdefault(int(places.room[place]), []).append(place)
        return found

    def district(self, room: int) -> int:
        """District a building lies in."""
        problem = self.state.problem
        return int(problem.district[problem.rooms.community[room]])

    def offers(self, room: int, year: int, scale: float = 1.0) -> Offer | None:
        """Return the stations with the most person-needs per yuan that could open in a building from a year on.

        In `year` a building is taken, or, where it is taken already, stations open in it. `scale` is the part of the
        demand within reach they are built for. None where nothing can open.
        """
        problem = self.state.problem
        whole_m2 = max(0.0, float(problem.rooms.area_m2[room]) - self.counter_m2)
        ready, floor = self.state.taken.get(room, (year + self._lead(room), whole_m2))
        ready = max(ready, year)
        alone = []
        for place in self.buildings.get(room, []):
            size = self._size(place, floor, scale, ready)
            if size > 0:
                yuan = sum(bill.yuan for bill in station_bills(problem, place, ready, size))
                name = problem.needs[problem.places.service[place] + 2]
                alone.append((-self._worth(place, size, ready) / max(1, yuan), name, place))
        fewest = 1 if room in self.state.taken else problem.scenario.programmes.one_stop.min_services
        best: Offer | None = None
        sizes: list[tuple[int, float]] = []
        used = 0.0
        for _, _, place in sorted(alone):
            size = self._size(place, floor - used, scale, ready)
            if size > 0:
                sizes.append((place, size))
                used += size * self._service(place).area_m2_per_unit
                if len(sizes) >= fewest:
                    offer = self._offer(room, year, ready, used, sizes)
                    best = offer if best is None or offer.per_yuan > best.per_yuan * (1 + 1e-9) else best
        return best

    def _offer(self, room: int, year: int, ready: int, used_m2: float, sizes: list[tuple[int, float]]) -> Offer:
        problem, area, bills = self.state.problem, 0.0, list[Bill]()
        if room not in self.state.taken:
            rooms = problem.rooms
            area = min(float(rooms.area_m2[room]), max(float(rooms.min_area_m2[room]), used_m2 + self.counter_m2))
            area = float(np.ceil(area * 1e6 - 1e-3)) / 1e6
            bills += room_bills(problem, room, year, area)
        for place, size in sizes:
            bills += station_bills(problem, place, ready, size)
        worth = sum(self._worth(place, size, ready) for place, size in sizes) * float(self.ready[ready])
        return Offer(room, year, area, tuple(sizes), worth, tuple(bills))

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
        most = min(demand, rule.max_capacity, self.state.most_at(place))
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
        some = (self.offers(room, year) for year in (years if state.ends.any() else years[:1]))
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
        new = best.year + int(problem.rooms.lead[room]), best.area_m2 - self.counter_m2
        ready, floor = state.taken.get(room, new)
        if room not in state.taken:
            state.rooms.append((room, best.year, best.area_m2))
        start = max(ready, best.year)
        for place, size in best.sizes:
            floor -= size * self._service(place).area_m2_per_unit
            state.serve(place, start, size, np.array(self.reach[place], dtype=np.int64))
        state.taken[room] = ready, max(0.0, floor - 1e-6)
        return True


def open_by_yuan(market: Market, purses: Callable[[int], Purse]) -> bool:
    """Open stations, the most person-needs per yuan first, each from the purse of its building; whether any opened."""
    names = market.state.problem.rooms.site
    first = [(room, market.first(room)) for room in market.buildings]
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
