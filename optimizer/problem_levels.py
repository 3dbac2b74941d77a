"""Levels of a network: what could hang on what, and who may be served where because of it (equation 13)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from geodata.read import City
from geodata.travel_matrix import travel
from geodata.travel_people import city_network
from optimizer.problem import Arcs, Bools, Existing, Floats, Hangs, Ints, Places, Rooms, Units
from optimizer.problem_facilities import facility_sites
from optimizer.problem_reach import site_points
from optimizer.scenario import Scenario
from optimizer.scenario_services import Service

Pair = tuple[int, int, float]


@dataclass(frozen=True)
class Levels:
    """Units, what could hang on what, and the unit of every place and of all that exists (-1: no levels)."""

    units: Units
    hangs: Hangs
    place_unit: Ints
    existing_unit: Ints


def with_centres(
    city: City, scenario: Scenario, rooms: Rooms, places: Places, existing: Existing, arcs: Arcs
) -> tuple[Places, Arcs]:
    """Return the places and arcs with those of new centres: in every station building that is for the service.

    Where a station or centre of the service exists there is none. An inclusive centre of a network is reached by whom
    a station there is reached by; centres of own services, and exclusive ones, serve nobody themselves.
    """
    listed = dict(zip(city.sites["site"], city.sites["services"], strict=True))
    old = zip(existing.site, existing.service, existing.level, existing.capacity, strict=True)
    there = {(site, int(k)) for site, k, level, units in old if level != "outlet" and units > 0}
    found = []
    for r in np.flatnonzero(rooms.is_station).tolist():
        words = {w.strip() for w in str(listed[rooms.site[r]] or "").split(",") if w.strip()}
        for k, (name, service) in enumerate(scenario.services.items()):
            if service.hierarchy is None or service.hierarchy.centre is None or (rooms.site[r], k) in there:
                continue
            if not words or name in words:
                found.append((rooms.site[r], int(rooms.community[r]), k, r, service.of_centre.max_capacity))
    if not found:
        return places, arcs
    at, community, kind, room, most = zip(*found, strict=True)
    more = Places(
        at, np.array(community, dtype=np.int64), np.array(kind, dtype=np.int64), np.array(room, dtype=np.int64),
        np.full(len(found), -1, dtype=np.int64), np.array(most, dtype=float), np.ones(len(found), dtype=bool),
    )  # fmt: skip
    return _joined(places, more), _with_arcs(list(scenario.services.values()), places, more, arcs)


def _joined(a: Places, b: Places) -> Places:
    joined = {
        name: np.concatenate([getattr(a, name), getattr(b, name)])
        for name in ("community", "service", "room", "upgrades", "most", "centre")
    }
    return Places(site=(*a.site, *b.site), **joined)


def _with_arcs(services: list[Service], places: Places, centres: Places, arcs: Arcs) -> Arcs:
    """Arcs with those to new centres, which are the arcs of a station of the service in the same building."""
    twin = {
        (int(r), int(k)): len(places) + n
        for n, (r, k) in enumerate(zip(centres.room, centres.service, strict=True))
        if (rule := services[k].hierarchy) is not None and rule.inclusive and services[k].siting == "network"
    }
    station = [twin.get((int(r), int(k)), -1) for r, k in zip(places.room, places.service, strict=True)]
    centre = np.array(station, dtype=np.int64)[arcs.target]
    mine = np.flatnonzero(centre >= 0)
    community = np.concatenate([arcs.community, arcs.community[mine]])
    target = np.concatenate([arcs.target, centre[mine]])
    metres = np.concatenate([arcs.travel_m, arcs.travel_m[mine]])
    return Arcs(community, target, metres).take(np.lexsort((target, community)))


def build_levels(
    city: City, scenario: Scenario, places: Places, existing: Existing, district: Ints, sub_district: Ints
) -> Levels:
    """Return the units of services with levels, and what could hang on what, the nearest first; ties by name.

    What facilities say (`hangs_on`) holds. Else a station hangs on a centre within `limit_m` (inclusive) and its area:
    the nearest existing one where no new centres may open, else one of the `candidates` nearest existing ones, or of as
    many new ones. Outlets hang on stations, and on inclusive centres, in the same way. Nothing hangs on what may close.
    """
    units, place_unit, existing_unit = _units(scenario, places, existing)
    made = _Making(
        city, scenario, units, {"sub_district": sub_district, "district": district}, tied(city, units, scenario)
    )
    new, closes = np.zeros((2, len(units)), dtype=bool)
    new[place_unit[place_unit >= 0]] = True
    ends = (existing_unit >= 0) & ((existing.close_first < scenario.horizon.years) | existing.close_must)
    closes[existing_unit[ends]] = True
    lasts = np.zeros(len(units), dtype=bool)
    lasts[existing_unit[(existing_unit >= 0) & (existing.capacity > 0)]] = True
    lasts &= ~closes
    pairs = list[Pair]()
    for k, (name, service) in enumerate(scenario.services.items()):
        if service.hierarchy is None:
            continue
        found = made.pairs(k, name, "station", lasts, new & ~lasts & ~closes)
        pairs += found
        if service.hierarchy.outlets is not None:
            idle = units.must.copy()
            idle[[u for u, _, _ in found]] = False
            pairs += made.pairs(k, name, "outlet", lasts & ~idle, new & ~lasts & ~closes & ~idle)
    at = sorted(pairs, key=lambda pair: (pair[0], pair[2], units.level[pair[1]] != "station", units.site[pair[1]]))
    low, up, metres = zip(*at, strict=True) if at else ((), (), ())
    low_at = np.array(low, dtype=np.int64)
    hangs = Hangs(units.community[low_at], low_at, np.array(up, dtype=np.int64), np.array(metres, dtype=float))
    return Levels(units, hangs, place_unit, existing_unit)


class _Making:
    """What pairs of units follow from."""

    def __init__(
        self, city: City, scenario: Scenario, units: Units, areas: dict[str, Ints], ties: dict[int, int]
    ) -> None:
        self.city, self.scenario, self.units, self.ties = city, scenario, units, ties
        self.areas = {**areas, "city": np.zeros_like(areas["district"])}
        self.points = unit_points(city, units)
        self.level = np.array(units.level, dtype=object)

    def pairs(self, k: int, name: str, level: str, lasts: Bools, new: Bools) -> list[Pair]:
        """Pairs of the units of a service on one level, with those above that last or could be new."""
        service, units = self.scenario.services[name], self.units
        rule = service.hierarchy
        assert rule is not None
        lower = np.flatnonzero((units.service == k) & (self.level == level))
        upper, area = (units.service == k) & (self.level == "centre"), self.areas[rule.within or service.within]
        most_old = 1 if rule.centre is None else service.candidates
        if level == "outlet":
            serves = (self.level == "station") | (rule.inclusive & (self.level == "centre"))
            upper, most_old = (units.service == k) & serves, service.candidates
            if service.siting == "own":  # at the office of its community; new centres serve nobody themselves
                area, new = np.arange(len(self.city.communities)), new & (self.level == "station")
        ways = ways_up(self.city, self.scenario, name, level)
        free = np.array([u not in self.ties for u in lower.tolist()], dtype=bool)
        found = list[Pair]()
        for chosen, most in ((lasts, most_old), (new, service.candidates)):
            found += _nearest(units, self.points, lower[free], np.flatnonzero(upper & chosen), area, ways, most)
        found = [p for p in found if lasts[p[1]] or units.site[p[0]] != units.site[p[1]] or level == "outlet"]
        for u in lower[~free].tolist():
            v = self.ties[u]
            metres = float(ways(self.points[[u]], self.points[[v]])[0, 0])
            if (
                upper[v]
                and (lasts[v] or new[v])
                and np.isfinite(metres)
                and area[units.community[u]] == area[units.community[v]]
            ):
                found.append((u, v, metres))
        return found


def tied(city: City, units: Units, scenario: Scenario) -> dict[int, int]:
    """Return for units whose facilities say what they hang on, the unit that is."""
    frame = city.facilities
    if not (frame["hangs_on"] != "").any():
        return {}
    position = {key: u for u, key in enumerate(zip(units.site, units.service.tolist(), units.level, strict=True))}
    number = {name: k for k, name in enumerate(scenario.services)}
    keys = zip(facility_sites(city), frame["service"], frame["level"], strict=True)
    of = {
        facility: position.get((site, number.get(service, -1), level), -1)
        for facility, (site, service, level) in zip(frame["facility"], keys, strict=True)
    }
    pairs = {
        of[facility]: of.get(on, -1) for facility, on in zip(frame["facility"], frame["hangs_on"], strict=True) if on
    }
    return {u: v for u, v in pairs.items() if u >= 0 and v >= 0}


def _units(scenario: Scenario, places: Places, existing: Existing) -> tuple[Units, Ints, Ints]:
    """Return units in the order of names, and the unit of every place and of everything that exists."""
    rules = [service.hierarchy for service in scenario.services.values()]
    new_level = ["centre" if centre else "station" for centre in places.centre]
    of_place = zip(places.site, places.service, new_level, places.community, strict=True)
    of_existing = zip(existing.site, existing.service, existing.level, existing.community, strict=True)
    keys, where = list[list[tuple[str, int, str] | None]](), dict[tuple[str, int, str], int]()
    for rows in (of_existing, of_place):
        keys.append([])
        for site, k, level, community in rows:
            rule = rules[k]
            has = rule is not None and (level != "outlet" or rule.outlets is not None)
            key = (site, int(k), level) if has else None
            keys[-1].append(key)
            if key is not None:
                where.setdefault(key, int(community))
    order = {key: n for n, key in enumerate(sorted(where))}
    units = Units(
        tuple(site for site, _, _ in order),
        np.array([where[key] for key in order], dtype=np.int64),
        np.array([k for _, k, _ in order], dtype=np.int64),
        tuple(level for _, _, level in order),
        np.array([level != "centre" for _, _, level in order], dtype=bool),
    )
    old, new = (np.array([-1 if key is None else order[key] for key in column], dtype=np.int64) for column in keys)
    return units, new, old


def _nearest(
    units: Units, points: Floats, lower: Ints, upper: Ints, area: Ints,
    ways: Callable[[ArrayLike, ArrayLike], Floats], most: int,
) -> Iterable[Pair]:  # fmt: skip
    """Yield at most `most` pairs for each of `lower`, the nearest of `upper` in its area; ties by name."""
    if not len(lower) or not len(upper):
        return
    upper = np.array(sorted(upper.tolist(), key=lambda u: (units.level[u] != "station", units.site[u])), dtype=np.int64)
    same = area[units.community[lower]][:, None] == area[units.community[upper]][None, :]
    metres = np.where(same, ways(points[lower], points[upper]), np.inf)
    order = metres.argsort(axis=1, kind="stable")[:, :most]
    for u, row, ranked in zip(lower.tolist(), metres, order, strict=True):
        yield from ((u, int(upper[m]), float(row[m])) for m in ranked.tolist() if np.isfinite(row[m]))


def unit_points(city: City, units: Units) -> Floats:
    """Return (units, 2) metric coordinates; of a community without an office, a point inside its polygon."""
    points = site_points(city)
    inside = city.communities.geometry.representative_point()
    bare = dict(zip(city.communities["community"], zip(inside.x, inside.y, strict=True), strict=True))
    return np.array([points.get(site) or bare[site] for site in units.site], dtype=float).reshape(-1, 2)


def ways_up(city: City, scenario: Scenario, name: str, level: str) -> Callable[[ArrayLike, ArrayLike], Floats]:
    """Return what gives metres from units of a level (n, 2) to those above (m, 2); infinite beyond its limit."""
    service, rules = scenario.services[name], scenario.travel
    rule = service.hierarchy if service.hierarchy is None or level == "station" else service.hierarchy.outlets
    limit = np.inf if rule is None else rule.limit_m
    network = city_network(city, service.travel, rules.driving_kmh, rules.walking_kmh)
    how = partial(travel, network, limit=limit, snap_limit_m=rules.snap_limit_m, detour=rules.detour)
    return lambda lower, upper: how(lower, upper).amount


def with_levels(
    scenario: Scenario, levels: Levels, existing: Existing, arcs: Arcs, existing_arcs: Arcs
) -> tuple[Arcs, Arcs]:
    """Return the arcs that levels leave: what must hang must be able to, an exclusive centre serves nobody itself."""
    rules = [service.hierarchy for service in scenario.services.values()]
    exclusive = np.array([rule is not None and not rule.inclusive for rule in rules], dtype=bool)
    closed = np.array([level == "centre" for level in existing.level], dtype=bool) & exclusive[existing.service]
    lost = levels.units.must.copy()
    lost[levels.hangs.lower] = False
    lost = np.append(lost, False)  # the last for what has no levels
    keep = np.flatnonzero(~lost[levels.place_unit[arcs.target]])
    old = existing_arcs.target
    keep_old = np.flatnonzero(~lost[levels.existing_unit[old]] & ~closed[old])
    return arcs.take(keep), existing_arcs.take(keep_old)
