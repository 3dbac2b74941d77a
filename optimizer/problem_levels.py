"""Levels of a network: which centre every station hangs on, and who may be served where because of it (equation 13)."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from geodata.read import City
from geodata.travel_matrix import travel
from geodata.travel_people import city_network
from optimizer.problem import Arcs, Existing, Floats, Ints, Places
from optimizer.problem_reach import site_points
from optimizer.scenario import Scenario

FREE, NONE = -2, -1
"""Instead of a centre: the service has no levels; there is no centre within the limit."""


def hang(
    city: City, scenario: Scenario, places: Places, existing: Existing, district: Ints, sub_district: Ints
) -> tuple[Ints, Ints]:
    """Return for every place and every existing station the position of the centre it hangs on, `FREE` or `NONE`.

    That is the nearest existing centre of the service within `limit_m` (inclusive) and the area the service is planned
    within; ties by name. Centres and outlets hang on nothing.
    """
    of_place, of_existing = (np.full(len(table), FREE, dtype=np.int64) for table in (places, existing))
    points = site_points(city)
    group = {"sub_district": sub_district, "district": district, "city": np.zeros_like(district)}
    level = np.array(existing.level, dtype=object)
    for k, (name, service) in enumerate(scenario.services.items()):
        if service.hierarchy is None:
            continue
        area, ways = group[service.within], ways_to_centres(city, scenario, name)
        centre = np.flatnonzero((existing.service == k) & (level == "centre") & (existing.capacity > 0))
        centre = np.array(sorted(centre.tolist(), key=lambda e: existing.site[e]), dtype=np.int64)
        to = np.array([points[existing.site[e]] for e in centre]).reshape(-1, 2)
        for table, found, mine in (
            (places, of_place, np.flatnonzero(places.service == k)),
            (existing, of_existing, np.flatnonzero((existing.service == k) & (level == "station"))),
        ):
            if not len(mine):
                continue
            if not len(centre):
                found[mine] = NONE
                continue
            at = np.array([points[table.site[m]] for m in mine]).reshape(-1, 2)
            same = area[table.community[mine]][:, None] == area[existing.community[centre]][None, :]
            metres = np.where(same, ways(at, to), np.inf)
            best = metres.argmin(axis=1)
            found[mine] = np.where(np.isfinite(metres[np.arange(len(mine)), best]), centre[best], NONE)
    return of_place, of_existing


def ways_to_centres(city: City, scenario: Scenario, name: str) -> Callable[[ArrayLike, ArrayLike], Floats]:
    """Return what gives metres from stations (n, 2) to centres (m, 2) of a service; infinite beyond its limit."""
    service, rules = scenario.services[name], scenario.travel
    limit = np.inf if service.hierarchy is None else service.hierarchy.limit_m
    network = city_network(city, service.travel, rules.driving_kmh, rules.walking_kmh)
    how = partial(travel, network, limit=limit, snap_limit_m=rules.snap_limit_m, detour=rules.detour)
    return lambda stations, centres: how(stations, centres).amount


def with_levels(
    scenario: Scenario, existing: Existing, arcs: Arcs, existing_arcs: Arcs, of_place: Ints, of_existing: Ints
) -> tuple[Arcs, Arcs]:
    """Return the arcs that levels leave: stations must hang on a centre, an exclusive centre serves nobody itself."""
    rules = [service.hierarchy for service in scenario.services.values()]
    exclusive = np.array([rule is not None and not rule.inclusive for rule in rules], dtype=bool)
    closed = np.array([level == "centre" for level in existing.level], dtype=bool) & exclusive[existing.service]
    keep = np.flatnonzero(of_place[arcs.target] != NONE)
    keep_old = np.flatnonzero((of_existing[existing_arcs.target] != NONE) & ~closed[existing_arcs.target])
    return arcs.take(keep), existing_arcs.take(keep_old)
