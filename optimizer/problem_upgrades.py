"""Existing shared stations that may be upgraded where they stand: as places with a limit, equations (9) and (10)."""

from dataclasses import replace

import numpy as np

from geodata.city import City
from optimizer.problem import Arcs, Existing, Floats, Ints, Places
from optimizer.scenario import Scenario
from optimizer.scenario_services import Service


def with_upgrades(city: City, scenario: Scenario, places: Places, existing: Existing) -> Places:
    """Return the places, and after them one for every existing station that its service lets be upgraded.

    Stations in buildings to be taken grow with the building (11) and have none here; nor have those that must close or
    whose lease ends, outlets, and centres.
    """
    buildings = set(city.sites.loc[city.sites["use"] == "station", "site"])
    services, found = list(scenario.services.values()), []
    for e, (site, k, level) in enumerate(zip(existing.site, existing.service, existing.level, strict=True)):
        room = _room_to_grow(services[k], float(existing.capacity[e]), float(existing.spare_m2[e]))
        if level == "station" and room > 0 and not existing.close_must[e] and site not in buildings:
            found.append((e, room))
    at, most = np.array([e for e, _ in found], dtype=np.int64), np.array([room for _, room in found], dtype=float)
    return Places(
        site=(*places.site, *(existing.site[e] for e in at)),
        community=np.concatenate([places.community, existing.community[at]]),
        service=np.concatenate([places.service, existing.service[at]]),
        room=np.concatenate([places.room, np.full(len(at), -1, dtype=np.int64)]),
        upgrades=np.concatenate([places.upgrades, at]),
        most=np.concatenate([places.most, most]),
        centre=np.concatenate([places.centre, np.zeros(len(at), dtype=bool)]),
    )


def _room_to_grow(service: Service, capacity: float, spare_m2: float) -> float:
    """Largest new capacity of an existing station, equation (9): a share of what it has, or what spare floor allows."""
    rule = service.upgrade
    if rule is None:
        return 0.0
    if rule.most_capacity_share is not None:
        return rule.most_capacity_share * capacity
    return spare_m2 / service.area_m2_per_unit


def arcs_with_upgrades(places: Places, arcs: Arcs, existing_arcs: Arcs) -> Arcs:
    """Return the arcs to places, with those of upgrades: whoever reaches the station reaches what is added to it."""
    place_of = dict(zip(places.upgrades.tolist(), range(len(places)), strict=True))
    pairs = existing_arcs.target.tolist()
    more: Ints = np.array([a for a, e in enumerate(pairs) if e in place_of], dtype=np.int64)
    grown = existing_arcs.take(more)
    grown = replace(grown, target=np.array([place_of[int(e)] for e in grown.target], dtype=np.int64))
    community = np.concatenate([arcs.community, grown.community])
    target = np.concatenate([arcs.target, grown.target])
    travel: Floats = np.concatenate([arcs.travel_m, grown.travel_m])
    return Arcs(community, target, travel).take(np.lexsort((target, community)))
