"""What one-stop buildings save: the same stations, each in a building of its own, beside the buildings they share."""

import numpy as np
import pandas as pd

from optimizer.problem import Floats, Problem
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
        alone_m2, yuan = 0.0, np.zeros(len(problem.years))
        for service in inside:
            year, level = start[site, service]
            area = _alone_m2(problem, r, _new_m2(problem, (site, service, level), last.loc[[(site, service)]]))
            alone_m2 += area
            yuan += _alone_yuan(problem, r, year, area)
        mine = space[space["site"] == site]
        cost = int(mine["cost_yuan"].sum())
        # Rounded once a year, as the building's own cost is; its area is a millionth more than that of its stations.
        last_digit = 1e-6 * len(inside) * (rooms.capital_yuan_per_m2[r] + rooms.yearly_yuan_per_m2[r])
        alone_yuan = int(np.floor(yuan + last_digit + 0.5).sum())
        rows.append(
            (site, problem.communities[rooms.community[r]], len(inside), float(mine["area_m2"].max()),
             round(alone_m2, 6), cost, alone_yuan, alone_yuan - cost)
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


def _alone_yuan(problem: Problem, room: int, start: int, area_m2: float) -> Floats:
    """(T,) yuan that a building of `area_m2` for one service would cost, in use from the year `start` on."""
    rooms, index = problem.rooms, problem.price_index
    fixed = rooms.fixed_yuan[room] + problem.scenario.programmes.one_stop.counter_yuan
    taken = start - int(rooms.lead[room])
    yuan = np.zeros(len(problem.years))
    for t in range(taken, len(problem.years)):
        once = fixed + rooms.capital_yuan_per_m2[room] * area_m2 if t == taken else 0.0
        yearly = rooms.yearly_yuan_per_m2[room] * area_m2 if t >= start else 0.0
        yuan[t] = index[t] * (once + yearly)
    return yuan
