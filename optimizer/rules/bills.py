"""Bills: what stations and rooms cost, year by year, in whole yuan (equations 7 and 19)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from optimizer.plan_tables import half_up
from optimizer.problem import YEARLY_SPACE, Problem
from optimizer.scenario_services import Service


@dataclass(frozen=True)
class Bill:
    """A cost in whole yuan: the cell it belongs to and the year it is paid."""

    cell: int
    year: int
    yuan: int


def rule_at(problem: Problem, place: int) -> Service:
    """Return the costs, floor and limits of a new station, or of a new centre (13)."""
    rule = list(problem.scenario.services.values())[int(problem.places.service[place])]
    return rule.of_centre if problem.places.centre[place] else rule


def station_bills(problem: Problem, place: int, start: int, size: float) -> Iterator[Bill]:
    """Yield what a station of a capacity costs from its start year on, in whole yuan (equation 19)."""
    i, k, shared = int(problem.places.community[place]), int(problem.places.service[place]), problem.places.room[place]
    rule, index = rule_at(problem, place), problem.price_index
    capital, running = (problem.cell(f"service_{p}", i, k, shared=bool(shared >= 0)) for p in ("capital", "running"))
    yield Bill(capital, start, half_up(index[start] * (rule.fixed_yuan + rule.capital_yuan_per_unit * size)))
    for t in range(start, len(problem.years)):
        yield Bill(running, t, half_up(index[t] * (rule.running_yuan + rule.running_yuan_per_unit * size)))


def room_bills(problem: Problem, room: int, start: int, area_m2: float) -> Iterator[Bill]:
    """Yield what a room taken in a year costs, in whole yuan (equations 7 and 19)."""
    rooms, shared = problem.rooms, bool(problem.rooms.is_station[room])
    fixed = rooms.fixed_yuan[room] + (problem.scenario.programmes.one_stop.counter_yuan if shared else 0.0)
    for t in range(start, len(problem.years)):
        once = fixed + rooms.capital_yuan_per_m2[room] * area_m2 if t == start else 0.0
        yearly = rooms.yearly_yuan_per_m2[room] * (area_m2 if start + rooms.lead[room] <= t else 0.0)
        yield from space_bills(problem, int(rooms.community[room]), t, once, yearly, shared=shared)


def space_bills(problem: Problem, i: int, t: int, once: float, yearly: float, *, shared: bool) -> Iterator[Bill]:
    """Yield a cost of rooms in first-year prices as whole yuan of a year; what is yearly apart where (23) asks."""
    cell, again = (problem.cell(kind, i, shared=shared) for kind in ("space", YEARLY_SPACE))
    yuan, index = half_up(problem.price_index[t] * (once + yearly)), problem.price_index[t]
    apart = min(yuan, half_up(index * yearly)) if again != cell else 0
    yield Bill(cell, t, yuan - apart)
    if apart:
        yield Bill(again, t, apart)


def more(bills: Iterable[Bill], paid: Iterable[Bill]) -> Iterator[Bill]:
    """Yield what bills ask for beyond those `paid` already for the same cells and years."""
    had = Counter[tuple[int, int]]()
    for bill in paid:
        had[bill.cell, bill.year] += bill.yuan
    for bill in bills:
        yuan = bill.yuan - had[bill.cell, bill.year]
        had[bill.cell, bill.year] = 0
        if yuan:
            yield Bill(bill.cell, bill.year, yuan)
