"""What a community buys for itself from a purse: grants, rooms, own stations, debt relief (equations 3 to 12, 26).

Of every purchase it takes the start year and the size that meet most over the years, the earlier and cheaper of equals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.problem import SPACE, WORK_FUNDS, Ints, Problem
from optimizer.rules.bills import Bill, more, room_bills, space_bills, station_bills
from optimizer.rules.levels import down
from optimizer.rules.openings import Openings, has_levels
from optimizer.rules.payers import Payers
from optimizer.rules.purse import Purse
from optimizer.rules.state import State
from optimizer.solution import AREA_STEP_M2

_Take = Callable[[State, int, int, Purse], bool]
HALVINGS = 24
"""Steps of the search for the largest size a purse can pay."""


def buy_grants(state: State, i: int, purse: Purse) -> bool:
    """Pay the work funds of a community, year by year, as far as the purse goes; return whether anything was bought."""
    problem = state.problem
    cell, unit = problem.cell("work_funds", i), problem.scenario.currency.unit_yuan
    bought = False
    for t in range(len(problem.years)):
        most = int(problem.grant_limit[i, t]) - int(state.grant[i, t])
        yuan = min(most, purse.most(state.cells[cell], t)) // unit * unit
        if yuan > 0 and purse.pay([Bill(cell, t, yuan)], state.cells):
            state.grant[i, t] += yuan
            bought = True
    return bought


def debt_need(problem: Problem) -> int:
    """Return the position of debts among the needs, which is the last; -1 where the scenario has no debt relief."""
    return problem.needs.index("debt_relief") if "debt_relief" in problem.needs else -1


def pay_debts(state: State, i: int, purse: Purse) -> bool:
    """Pay off the debt of a community, each year as far as the purse goes, equation (26); return whether any was."""
    problem, k = state.problem, debt_need(state.problem)
    cell, bought = problem.cell("debt_relief", i), False
    for t in range(len(problem.years)):
        yuan = min(int(problem.need[i, k, t]) - int(state.relief[i].sum()), purse.most(state.cells[cell], t))
        if yuan > 0 and purse.pay([Bill(cell, t, yuan)], state.cells):
            state.relief[i, t] += yuan
            bought = True
    state.left[i, k] = 1 - state.relief[i].sum() / problem.peak[i, k]
    return bought


def buy_rooms(state: State, i: int, purse: Purse) -> bool:
    """Take rooms for a community, what costs least per m2 first; return whether anything was taken."""
    problem = state.problem
    rooms = [r for r in np.flatnonzero(problem.rooms.community == i).tolist() if not problem.rooms.is_station[r]]
    shared = {problem.hall_arcs.target[a] for a, _, _ in state.halls if problem.hall_arcs.community[a] == i}
    arcs: list[int] = np.flatnonzero(problem.hall_arcs.community == i).tolist()
    offers: list[tuple[float, str, int, _Take]] = [
        (_room_price(problem, r), problem.rooms.site[r], r, _take_room) for r in rooms if r not in state.rooms
    ]
    offers += [
        (_hall_price(problem, h), problem.halls.site[h], a, _take_hall)
        for a in arcs
        if (h := int(problem.hall_arcs.target[a])) not in shared
    ]
    took = [take(state, i, n, purse) for _, _, n, take in sorted(offers, key=lambda o: o[:2])]
    return any(took)


def buy_station(openings: Openings, i: int, k: int, purse: Purse, pot: Purse | None = None) -> bool:
    """Open or upgrade the own station of service `k` of a community; return whether it was opened.

    What it needs of a centre is paid from `pot`, if that is given.
    """
    state = openings.state
    problem, places = state.problem, state.problem.places
    found: Ints = np.flatnonzero((places.community == i) & (places.service == k) & (places.room < 0))
    if not len(found) or state.open[found[0]] or state.left[i, k + 2] <= 0:
        return False
    place = int(found[0])
    if has_levels(problem, place):
        return _open_levelled(openings, place, purse, pot)
    rule = list(problem.scenario.services.values())[k]
    wanted = min(state.left[i, k + 2] * problem.peak[i, k + 2], rule.max_capacity)
    least = max(rule.min_capacity, min(1.0, problem.peak[i, k + 2]))

    def most(t: int) -> float:
        if rule.area_m2_per_unit <= 0:
            return float(wanted)
        return float(min(wanted, max(0.0, state.floor_m2[i, t:].min()) / rule.area_m2_per_unit))

    def bills(t: int, size: float) -> list[Bill]:
        return list(station_bills(problem, place, t, size))

    chosen = best_start(state, purse, range(len(problem.years)), least, most, bills)
    if chosen is None:
        return False
    year, size = chosen
    purse.pay(bills(year, size), state.cells)
    state.floor_m2[i, year:] -= size * rule.area_m2_per_unit
    state.serve(place, year, size, np.flatnonzero(problem.arcs.target == place))
    return True


@dataclass(frozen=True)
class _Tried:
    """An own station that was tried: what it is worth, its own cost, that of the centre above, the plan with it."""

    worth: float
    own: tuple[Bill, ...]
    above: tuple[Bill, ...]
    plan: dict[str, Any]

    def paid(self, purse: Purse, pot: Purse | None, cells: Sequence[Payers], *, dry: bool) -> bool:
        """Pay it, the centre from the pot if there is one; return whether that can be done. `dry`: only ask."""
        if pot is None:
            bills = (*self.own, *self.above)
            return purse.can_pay(bills, cells) if dry else purse.pay(bills, cells)
        able = purse.can_pay(self.own, cells) and pot.can_pay(self.above, cells)
        return able and (dry or (purse.pay(self.own, cells) and pot.pay(self.above, cells)))


def _open_levelled(openings: Openings, place: int, purse: Purse, pot: Purse | None) -> bool:
    """Open an own station with levels, and what it needs above, in the year in which it is worth most."""
    state, best = openings.state, _Tried(0.0, (), (), {})
    for year in range(len(state.problem.years)):
        low, high = 0.0, 2.0
        for _ in range(HALVINGS):  # all of it first
            middle = (low + high) / 2
            found = _try(openings, place, year, middle)
            if middle == 1 and found.worth <= best.worth * (1 + 1e-9):
                break
            able = found.worth > 0 and found.paid(purse, pot, state.cells, dry=True)
            best = found if able and found.worth > best.worth * (1 + 1e-9) else best
            if able and middle == 1:
                break
            low, high = (middle, high) if able else (low, middle)
    if best.plan:
        best.paid(purse, pot, state.cells, dry=False)
        state.load(best.plan)
    return bool(best.plan)


def _try(openings: Openings, place: int, year: int, scale: float) -> _Tried:
    """Open an own station in a year, for a part `scale` of the need, and take it back."""
    state, problem = openings.state, openings.state.problem
    before = openings.begin(int(problem.district[problem.places.community[place]]))
    found = _Tried(0.0, (), (), {})
    if openings.open(place, year, scale):
        own = tuple(station_bills(problem, place, *state.sizes[place]))
        above = tuple(more(openings.bills(before), own))
        found = _Tried(openings.worth(before), own, above, openings.finish(state.save()))
    state.load(before)
    return found


def best_start(
    state: State,
    purse: Purse,
    years: range,
    least: float,
    most: Callable[[int], float],
    bills: Callable[[int, float], list[Bill]],
    *,
    lead: int = 0,
    step: float = 0.0,
) -> tuple[int, float] | None:
    """Return the start year and the size, at least `least` and at most `most(year)`, that give most over the years.

    None where the purse can pay no size in any year.
    """
    best: tuple[int, float] | None = None
    worth = 0.0
    weights = np.cumsum(state.problem.year_weight[::-1])[::-1]
    for t in years:
        ready = weights[t + lead]
        high = _stepped(most(t), step)
        if high < least or high <= 0 or high * ready <= worth * (1 + 1e-9):
            continue
        size = _largest(purse, state, max(least, 0.0), high, lambda s, t=t: bills(t, s), step)  # type: ignore[misc]
        if size > 0 and size * ready > worth * (1 + 1e-9):
            best, worth = (t, size), size * ready
    return best


def _stepped(size: float, step: float) -> float:
    return float(np.floor(size / step + 1e-6)) * step if step else down(size)


def _largest(
    purse: Purse, state: State, least: float, most: float, bills: Callable[[float], list[Bill]], step: float
) -> float:
    """Largest size between the two that the purse can pay; 0 where it cannot pay the least."""
    if purse.can_pay(bills(most), state.cells):
        return most
    if not purse.can_pay(bills(least), state.cells):
        return 0.0
    low, high = least, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if purse.can_pay(bills(middle), state.cells) else (low, middle)
    return max(least, _stepped(low, step))


def _room_price(problem: Problem, room: int) -> float:
    """Cost of a whole room per m2 and year of use, taken as early as it can be."""
    rooms, years = problem.rooms, len(problem.years)
    use = max(1, years - int(rooms.first[room] + rooms.lead[room]))
    once = rooms.fixed_yuan[room] / max(rooms.area_m2[room], 1e-9) + rooms.capital_yuan_per_m2[room]
    return float(once / use + rooms.yearly_yuan_per_m2[room])


def _hall_price(problem: Problem, hall: int) -> float:
    use = max(1, len(problem.years) - int(problem.halls.first[hall]))
    return float(problem.halls.capital_yuan_per_m2[hall] / use + problem.halls.yearly_yuan_per_m2[hall])


def _take_room(state: State, i: int, room: int, purse: Purse) -> bool:
    problem, rooms = state.problem, state.problem.rooms
    lead, least, gives = int(rooms.lead[room]), float(rooms.min_area_m2[room]), float(rooms.gives_m2[room])
    if gives > state.office_m2[i]:
        return False

    def most(t: int) -> float:
        short = state.short_m2[i, t + lead :].min()
        return float(min(rooms.area_m2[room], max(least, short + gives))) if short > 0 else 0.0

    def bills(t: int, size: float) -> list[Bill]:
        return list(room_bills(problem, room, t, size))

    years = range(int(rooms.first[room]), len(problem.years) - lead)
    chosen = best_start(state, purse, years, least, most, bills, lead=lead)
    if chosen is None or chosen[1] <= 1e-3:
        return False
    year, size = chosen
    purse.pay(bills(year, size), state.cells)
    state.rooms[room] = year, size
    state.office_m2[i] -= gives
    state.short_m2[i, year + lead :] -= size - gives
    state.floor_m2[i, year + lead :] += size - gives
    return True


def _take_hall(state: State, i: int, arc: int, purse: Purse) -> bool:
    problem, halls = state.problem, state.problem.halls
    h = int(problem.hall_arcs.target[arc])

    def most(t: int) -> float:
        return float(max(0.0, min(state.hall_left[h], state.hall_user_left[i], state.short_m2[i, t:].min())))

    def bills(start: int, size: float) -> list[Bill]:
        found = list[Bill]()
        for t in range(start, len(problem.years)):
            once = halls.capital_yuan_per_m2[h] * size if t == start else 0.0
            found += space_bills(problem, i, t, once, halls.yearly_yuan_per_m2[h] * size, shared=False)
        return found

    years = range(int(halls.first[h]), len(problem.years))
    chosen = best_start(state, purse, years, 0.0, most, bills, step=AREA_STEP_M2)
    if chosen is None or chosen[1] < AREA_STEP_M2:
        return False
    year, size = chosen
    purse.pay(bills(year, size), state.cells)
    size = round(size, 2)
    state.halls.append((arc, year, size))
    state.hall_left[h] -= size
    state.hall_user_left[i] -= size
    state.short_m2[i, year:] -= size
    return True


def own_needs(problem: Problem, i: int) -> list[int]:
    """Needs a community buys for itself beside work funds, the most weighted first; ties by name, debts last."""
    own = [SPACE, *(k + 2 for k, s in enumerate(problem.scenario.services.values()) if s.siting == "own")]
    debt = debt_need(problem)
    own += [debt] if debt >= 0 else []
    mine = (k for k in own if problem.peak[i, k] > 0)
    return sorted(mine, key=lambda k: (-problem.weight[i, k], k == debt, problem.needs[k]))


def buy(openings: Openings, i: int, need: int, purse: Purse) -> bool:
    """Buy as much of one need of a community as a purse can pay; return whether anything was bought."""
    state = openings.state
    if need == WORK_FUNDS:
        return buy_grants(state, i, purse)
    if need == debt_need(state.problem):
        return pay_debts(state, i, purse)
    return buy_rooms(state, i, purse) if need == SPACE else buy_station(openings, i, need - 2, purse)
