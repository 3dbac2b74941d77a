"""What `allot check` says of travel: the street network, where people are, and who is within the limits of what."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from geodata.city import City
from geodata.findings import listed
from geodata.street_network import Floats, Measure, StreetNetwork
from geodata.travel_cache import TravelCache
from geodata.travel_matrix import snap
from geodata.travel_people import People, city_network, city_people, people_travel
from optimizer.scenario import Scenario
from optimizer.scenario_services import Service


@dataclass(frozen=True)
class ReachReport:
    """Lines to print; `services` has for every network service the part of its people within reach, 0 to 1.

    `today`: of a facility; `possible`: of a facility or a building that could be taken.
    """

    lines: list[str]
    services: list[dict[str, Any]]


def reach_report(city: City, scenario: Scenario) -> ReachReport:
    """Return what is to be said of the travel of a city that has passed its checks."""
    rules, people = scenario.travel, city_people(city)
    network = {
        mode: city_network(city, mode, rules.driving_kmh, rules.walking_kmh)
        for mode in sorted({s.travel for s in scenario.services.values() if s.siting == "network"})
    }
    lines = [_network_line(net) for net in network.values()]
    if network:
        lines.append(_people_line(city, people, next(iter(network.values())), rules.snap_limit_m))
    rows = [
        _service_row(city, scenario, name, service, people, network[service.travel])
        for name, service in scenario.services.items()
        if service.siting == "network"
    ]
    for row in rows:
        said = f"{row['today']:.1%} of its people today, {row['possible']:.1%} with every building there could be"
        lines.append(f"{'Within reach':<13}{row['title']}, {row['limit']}: {said}")
    return ReachReport(lines, rows)


def _network_line(network: StreetNetwork) -> str:
    head = f"{network.mode.capitalize():<13}"
    if not len(network.lines):
        return head + "no streets: the straight line times the detour"
    size = np.bincount(network.part)
    parts = "all connected" if len(size) == 1 else f"{len(size) - 1:,} parts not connected with the largest"
    one_way = int((network.forward != network.backward).sum())
    ways = f", {one_way:,} of them one-way" if one_way else ""
    return head + f"{len(network.lines):,} segments{ways}, {network.length_m.sum() / 1000:,.0f} km of streets, {parts}"


def _people_line(city: City, people: People, network: StreetNetwork, snap_limit_m: float) -> str:
    points = len(people.xy) - (len(people.communities) - people.given)
    said = f"{len(people.communities) - people.given:,} communities at their office"
    if people.given:
        said = f"{points:,} points in {people.given:,} communities, {said}"
    if not len(network.lines):
        return f"{'People':<13}{said}"
    access = snap(network, people.xy, snap_limit_m).access_m
    far = sorted({city.communities["name"].iloc[i] for i in people.community[~np.isfinite(access)].tolist()})
    near = access[np.isfinite(access)]
    if len(near):
        said += f"; to the nearest street {np.median(near):,.0f} m in the middle, {near.max():,.0f} m at most"
    if far:
        said += f"; beyond {snap_limit_m:,.0f} m, by straight line: {listed(far, 5)}"
    return f"{'People':<13}{said}"


def _service_row(
    city: City, scenario: Scenario, name: str, service: Service, people: People, network: StreetNetwork
) -> dict[str, Any]:
    """Parts of the people of a service within its limits, in the area where stations may serve them."""
    places = _places(city, name)
    near = np.ones((len(people.xy), len(places)), dtype=bool)
    limits: dict[Measure, float] = {}
    if service.limit_m:
        limits["metres"] = service.limit_m
    if service.limit_minutes is not None:
        limits["minutes"] = service.limit_minutes
    rules, where = scenario.travel, places[["x", "y"]].to_numpy(dtype=float)
    cache = TravelCache() if near.size >= 50_000 else None
    for measure, limit in limits.items():
        found = people_travel(
            network, people, where, limit=limit, measure=measure, snap_limit_m=rules.snap_limit_m,
            detour=rules.detour, cache=cache,
        )  # fmt: skip
        near &= found.points.amount <= limit
    if service.within != "city":
        area = city.communities.set_index("community")[service.within].astype(str)
        at = area.to_numpy()[people.community]
        near &= at[:, None] == places["community"].map(area).to_numpy()[None, :]
    needs = city.needs[city.needs["need"] == name].set_index("community")["persons"]
    persons = needs.reindex(list(people.communities)).fillna(0.0).to_numpy(dtype=float)
    today = _part(people, persons, near[:, ~places["could_be"].to_numpy(dtype=bool)])
    said = [f"{limits['metres']:,.0f} m" if "metres" in limits else "", f"{service.limit_minutes:g} minutes"
            if service.limit_minutes is not None else ""]  # fmt: skip
    return {
        "service": name,
        "title": service.title or name,
        "limit": f"{' and '.join(filter(None, said))} {service.travel}",
        "today": today,
        "possible": _part(people, persons, near),
    }


def _part(people: People, persons: Floats, near: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> float:
    whole = float(persons.sum())
    return float((people.weights @ near.any(axis=1).astype(float)) @ persons / whole) if whole else 1.0


def _places(city: City, service: str) -> pd.DataFrame:
    """Facilities that serve several communities, and buildings that could hold a station of the service."""
    there = city.facilities
    there = there[(there["service"] == service) & (there["level"] != "outlet") & (there["capacity"] > 0)]
    sites = city.sites[city.sites["use"] == "station"]
    fits = [not text or service in text.replace(" ", "").split(",") for text in sites["services"].fillna("")]
    rooms = sites[np.array(fits, dtype=bool)]
    at = city.sites.drop_duplicates("site").set_index("site").geometry
    point = there["site"].map(at).where(there["site"].isin(at.index), there.geometry)
    parts = [
        pd.DataFrame({"community": there["community"], "could_be": False, "x": [p.x for p in point],
                      "y": [p.y for p in point]}),
        pd.DataFrame({"community": rooms["community"], "could_be": True, "x": rooms.geometry.x, "y": rooms.geometry.y}),
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)
