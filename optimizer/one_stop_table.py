"""What one-stop buildings save: the same stations, each in a building of its own, beside the buildings they share."""

import numpy as np
import pandas as pd

from optimizer.problem import Problem
from optimizer.solution import Decisions

COLUMNS = ["site", "community", "services", "area_m2", "alone_m2", "cost_yuan", "alone_yuan", "saved_yuan"]


def one_stop_table(problem: Problem, decisions: Decisions, space: pd.DataFrame, stations: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `one_stop.csv`: buildings taken in which several services open, over the horizon (equation 11).

    `cost_yuan` is what the building costs with its counter; `alone_yuan` what a building of the same kind and price
    for every service would, no smaller than the smallest sensible size, each with a counter, taken in time for it.
    """
    rooms = problem.rooms
    last = stations[stations["year"] == problem.years[-1]].set_index(["site", "service"])
    places = problem.places
    start = {
        (places.site[j], problem.needs[places.service[j] + 2]): (int(t), "centre" if places.centre[j] else "station")
        for j, t in zip(decisions.opened, decisions.open_year, strict=True)
        if places.room[j] >= 0
    }
    rows = []
    for r in sorted({int(r) for r in decisions.room if rooms.is_station[r]}, key=lambda r: rooms.site[r]):
        site = rooms.site[r]
        inside = sorted(service for place, service in start if place == site)
        if len(inside) < 2:
            continue
        alone_m2 = alone_yuan = 0.0
        for service in inside:
            year, level = start[site, service]
            area = _alone_m2(problem, r, _new_m2(problem, (site, service, level), last.loc[[(site, service)]]))
            alone_m2 += area
            alone_yuan += _alone_yuan(problem, r, year, area)
        mine = space[space["site"] == site]
        cost = int(mine["cost_yuan"].sum())
        rows.append(
            (site, problem.communities[rooms.community[r]], len(inside), float(mine["area_m2"].max()),
             round(alone_m2, 6), cost, int(alone_yuan), int(alone_yuan) - cost)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def _new_m2(problem: Problem, key: tuple[str, str, str], rows: pd.DataFrame) -> float:
    """Floor of the new capacity of a station or centre (site, service, level): all of it less what existed."""
    old = problem.existing
    had = sum(
        m2
        for site, k, level, m2 in zip(old.site, old.service, old.level, old.area_m2, strict=True)
        if (site, problem.needs[k + 2], level) == key
    )
    return float(rows[rows["level"] == key[2]]["area_m2"].iloc[0]) - float(had)


def _alone_m2(problem: Problem, room: int, station_m2: float) -> float:
    return max(float(problem.rooms.smallest_m2[room]), problem.scenario.programmes.one_stop.counter_m2 + station_m2)


def _alone_yuan(problem: Problem, room: int, start: int, area_m2: float) -> int:
    rooms, index = problem.rooms, problem.price_index
    fixed = rooms.fixed_yuan[room] + problem.scenario.programmes.one_stop.counter_yuan
    taken = start - int(rooms.lead[room])
    total = 0
    for t in range(taken, len(problem.years)):
        once = fixed + rooms.capital_yuan_per_m2[room] * area_m2 if t == taken else 0.0
        yearly = rooms.yearly_yuan_per_m2[room] * area_m2 if t >= start else 0.0
        total += int(np.floor(index[t] * (once + yearly) + 0.5))
    return total
