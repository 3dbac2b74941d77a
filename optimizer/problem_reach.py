"""Who can reach what (equation 8), and which sources may pay which costs (equation 21)."""

from collections.abc import Sequence

import numpy as np

from geodata.read import City
from geodata.street_network import Measure
from geodata.travel_cache import TravelCache
from geodata.travel_people import city_network, city_people, people_travel
from optimizer.problem import YEARLY_SPACE, Arcs, Bools, Cells, Existing, Floats, Halls, Ints, Places, Tag
from optimizer.scenario import Scenario
from optimizer.scenario_base import PURPOSES, Purpose
from optimizer.scenario_services import Service

_Kind = tuple[int, int, tuple[int, ...], tuple[Tag, ...], bool]
Ways = dict[tuple[str, Measure], Floats]  # travel (n, m) by mode and measure
WORTH_KEEPING = 50_000  # pairs from which on travel is kept between runs


def reach(
    city: City,
    scenario: Scenario,
    *,
    need: Floats,
    target_m2: Floats,
    district: Ints,
    sub_district: Ints,
    places: Places,
    existing: Existing,
    halls: Halls,
) -> tuple[Arcs, Arcs, Arcs]:
    """Return the pairs within reach: community to place, to existing station, to hall (equations 7 and 8).

    Own services and outlets serve only their own community, at no travel. Of the station buildings only the
    `candidates` nearest per community and service are kept; existing stations are all kept. Limits are inclusive.
    """
    services = list(scenario.services.values())
    network = np.array([s.siting == "network" for s in services], dtype=bool)
    shared = network[existing.service] & np.array([level != "outlet" for level in existing.level], dtype=bool)
    sites = sorted(
        {s for s, k in zip(places.site, places.service, strict=True) if network[k]}
        | {s for s, keep in zip(existing.site, shared, strict=True) if keep}
        | set(halls.site)
    )
    column = {site: m for m, site in enumerate(sites)}
    points = site_points(city)
    where = np.array([points[s] for s in sites]).reshape(len(sites), 2)
    travel = _travel(city, scenario, where, halls=len(halls) > 0)
    group = {"sub_district": sub_district, "district": district, "city": np.zeros_like(district)}

    def pairs(table: Places | Existing, keep: Bools, nearest: bool) -> Arcs:
        found: list[tuple[int, int, float]] = []
        at = np.array([column.get(s, -1) for s in table.site], dtype=np.int64)
        for k, service in enumerate(services):
            mine = np.flatnonzero((table.service == k) & keep)
            if not len(mine):
                continue
            area = group[service.within]
            metres = travel[service.travel, "metres"][:, at[mine]]
            possible = within_limits(service, travel, at[mine]) & (
                area[:, None] == area[table.community[mine]][None, :]
            )
            possible &= need[:, k + 2, :].max(axis=1)[:, None] > 0
            if nearest:
                rank = np.argsort(np.argsort(np.where(possible, metres, np.inf), axis=1, kind="stable"), axis=1)
                possible &= rank < service.candidates
            found += [(int(i), int(mine[m]), float(metres[i, m])) for i, m in zip(*np.nonzero(possible), strict=True)]
        return _arcs(found)

    def local(table: Places | Existing, keep: Bools) -> Arcs:
        has_need = need[table.community, table.service + 2, :].max(axis=1, initial=0.0) > 0
        return _arcs([(int(table.community[m]), int(m), 0.0) for m in np.flatnonzero(keep & has_need)])

    is_network_place = network[places.service]
    arcs = _joined(pairs(places, is_network_place, True), local(places, ~is_network_place))
    existing_arcs = _joined(pairs(existing, shared, False), local(existing, ~shared))
    hall_at = np.array([column[s] for s in halls.site], dtype=np.int64)
    metres = travel["walking", "metres"][:, hall_at] if len(halls) else np.zeros((len(need), 0))
    near = (metres <= scenario.programmes.space.hall_limit_m) & (target_m2 > 0)[:, None]
    near &= sub_district[:, None] == sub_district[halls.community][None, :]
    hall_arcs = _arcs([(int(i), int(h), float(metres[i, h])) for i, h in zip(*np.nonzero(near), strict=True)])
    return arcs, existing_arcs, hall_arcs


def _travel(city: City, scenario: Scenario, where: Floats, *, halls: bool) -> Ways:
    """Travel of every community to places (m, 2) by mode and measure; infinite beyond what any limit asks for."""
    limits: dict[tuple[str, Measure], float] = {}
    if halls:
        limits["walking", "metres"] = scenario.programmes.space.hall_limit_m
    for service in scenario.services.values():
        if service.siting != "network":
            continue
        asked: dict[Measure, float] = {"metres": service.limit_m or np.inf}
        if service.limit_minutes is not None:
            asked["minutes"] = service.limit_minutes
        for measure, limit in asked.items():
            limits[service.travel, measure] = max(limit, limits.get((service.travel, measure), 0.0))
    people, rules = city_people(city), scenario.travel
    cache = TravelCache() if len(people.xy) * len(where) >= WORTH_KEEPING else None
    found: Ways = {}
    for mode in sorted({mode for mode, _ in limits}):
        network = city_network(city, mode, rules.driving_kmh, rules.walking_kmh)
        for measure in (m for kind, m in sorted(limits) if kind == mode):
            found[mode, measure] = people_travel(
                network, people, where, limit=limits[mode, measure], measure=measure,
                snap_limit_m=rules.snap_limit_m, detour=rules.detour, cache=cache,
            ).mean  # fmt: skip
    return found


def within_limits(service: Service, travel: Ways, at: Ints) -> Bools:
    """Whether each community (n,) is within the limits of a network service of places (positions `at`), inclusive."""
    metres = travel[service.travel, "metres"][:, at]
    near: Bools = np.isfinite(metres) & (metres <= (service.limit_m or np.inf))
    if service.limit_minutes is not None:
        near &= travel[service.travel, "minutes"][:, at] <= service.limit_minutes
    return near


def site_points(city: City) -> dict[str, tuple[float, float]]:
    """Return metric coordinates of sites, and of facilities that stand at a place of their own."""
    points: dict[str, tuple[float, float]] = {}
    for frame, key in ((city.facilities, "facility"), (city.sites, "site")):
        if len(frame):
            xs, ys = frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy()
            points |= dict(zip(frame[key], zip(xs, ys, strict=True), strict=True))
    return points


def _arcs(rows: Sequence[tuple[int, int, float]]) -> Arcs:
    ordered = sorted(rows)
    return Arcs(
        np.array([r[0] for r in ordered], dtype=np.int64),
        np.array([r[1] for r in ordered], dtype=np.int64),
        np.array([r[2] for r in ordered], dtype=np.float64),
    )


def _joined(a: Arcs, b: Arcs) -> Arcs:
    rows = [
        (int(i), int(j), float(m)) for x in (a, b) for i, j, m in zip(x.community, x.target, x.travel_m, strict=True)
    ]
    return _arcs(rows)


def cells(
    scenario: Scenario, communities: Sequence[str], types: Sequence[str], districts: Sequence[str], district: Ints
) -> tuple[Cells, dict[tuple[str, int, int, int], int]]:
    """Return the cells of costs that every rule of money treats alike, and the cell of every cost.

    A cost is (purpose, district, service, community), service and community -1 where it has none; the yearly costs of
    rooms stand under the purpose `YEARLY_SPACE`. A cell may have no source: its costs cannot be paid.
    """
    services = list(scenario.services.items())
    apart = scenario.running_commitment is not None  # equation (23) looks at yearly costs alone
    keys: dict[tuple[str, int, int, int], _Kind] = {}

    def put(purpose: Purpose, d: int, k: int, i: int) -> None:
        name = services[k][0] if k >= 0 else ""
        community, kind = (communities[i], types[i]) if i >= 0 else ("", "")
        payers = tuple(
            s
            for s, source in enumerate(scenario.sources.values())
            if source.may_pay(purpose, name, districts[d], community, kind)
        )
        tags = _tags(scenario, payers, purpose, community, kind)
        order = PURPOSES.index(purpose)
        keys[purpose, d, k, i] = (order, d, payers, tags, apart and purpose == "service_running")
        if purpose == "space":
            keys[YEARLY_SPACE, d, k, i] = (order, d, payers, tags, apart)

    for d in range(len(districts)):
        put("space", d, -1, -1)
    for k, (_, service) in enumerate(services):
        for purpose in ("service_capital", "service_running"):
            for d in range(len(districts)):
                put(purpose, d, k, -1)
            if service.siting == "own":
                for i in range(len(communities)):
                    put(purpose, int(district[i]), k, i)
    for i in range(len(communities)):
        put("work_funds", int(district[i]), -1, i)
        put("space", int(district[i]), -1, i)
        if scenario.programmes.debt_relief is not None:
            put("debt_relief", int(district[i]), -1, i)
    kinds = sorted(set(keys.values()))
    number = {kind: c for c, kind in enumerate(kinds)}
    cell_of = {key: number[kind] for key, kind in keys.items()}
    table = Cells(
        tuple(PURPOSES[kind[0]] for kind in kinds),
        np.array([kind[1] for kind in kinds], dtype=np.int64),
        tuple(kind[2] for kind in kinds),
        tuple(kind[3] for kind in kinds),
        np.array([kind[4] for kind in kinds], dtype=bool),
    )
    return table, cell_of


def _tags(scenario: Scenario, payers: Sequence[int], purpose: str, community: str, kind: str) -> tuple[Tag, ...]:
    """Floors and ceilings by community (22) that count a cost: (source, limit, community or "" for all together)."""
    sources = list(scenario.sources.values())
    return tuple(
        (s, n, community if limit.for_each == "community" else "")
        for s in payers
        for n, limit in enumerate(sources[s].limits)
        if community and limit.by_community and limit.counts(community, kind)
        if not limit.purposes or purpose in limit.purposes
    )
