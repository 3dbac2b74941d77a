"""Checks of levels of networks against a city: what could hang on nothing is named before anything is planned (13)."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from geodata.city import City
from geodata.findings import Finding, listed
from geodata.travel_matrix import travel
from geodata.travel_people import city_network
from optimizer.scenario import Scenario
from optimizer.scenario_services import Hierarchy, Service


def check_levels(city: City, scenario: Scenario) -> Iterable[Finding]:
    """Yield findings about services with levels: no centre at all, stations and buildings that none is near enough."""
    for name, service in scenario.services.items():
        if service.hierarchy is None:
            continue
        at = f"programmes.services.{name}.hierarchy"
        centres = _centres(city, scenario, name, service)
        if not len(centres):
            yield Finding(
                "error", file="scenario", column=at, value=name, limit="a facility of it of level centre",
                remedy="give its centres among the facilities, or let new ones open (hierarchy.centre)",
                message="there is no centre and none may open, so every station would hang on nothing and serve nobody",
            )  # fmt: skip
            continue
        lost = _lost(city, scenario, service, _stations(city, scenario, name, service), centres)
        if len(lost):
            rule = service.hierarchy
            where = {"sub_district": "its sub-district", "district": "its district", "city": "the city"}
            yield Finding(
                "warning", file="scenario", column=f"{at}.limit_m", value=f"{rule.limit_m:g}",
                limit=f"a centre within it in {where[rule.within or service.within]}",
                remedy="raise limit_m, widen within, or let new centres open (hierarchy.centre)",
                message=f"{len(lost)} stations can hang on no centre and would serve nobody: {listed(lost['name'])}",
            )  # fmt: skip


def _points(city: City) -> pd.DataFrame:
    """Facilities with a planned service, at the building they stand in: name, community, service, level, x, y."""
    frame = pd.DataFrame(city.facilities.drop(columns="geometry"))
    sites = city.sites.set_index("site")
    offices = city.sites[city.sites["use"] == "office"].drop_duplicates("community").set_index("community")["site"]
    frame["at"] = frame["site"].where(frame["site"] != "", frame["community"].map(offices).fillna(""))
    known = frame["at"].isin(sites.index).to_numpy()
    x, y = city.facilities.geometry.x.to_numpy(dtype=float), city.facilities.geometry.y.to_numpy(dtype=float)
    there = sites.geometry.reindex(frame["at"].where(known, sites.index[0] if len(sites) else ""))
    if known.any():
        x, y = np.where(known, there.x.to_numpy(), x), np.where(known, there.y.to_numpy(), y)
    name = frame["name"].where(frame["name"] != "", frame["facility"])
    return frame.assign(name=name, x=x, y=y)


def _centres(city: City, scenario: Scenario, name: str, service: Service) -> pd.DataFrame:
    """Centres that exist and do not have to close, and buildings where one may open."""
    frame = _points(city)
    last = scenario.horizon.first_year + scenario.horizon.years - 1
    ends = (frame["must"] == "close") | ((frame["lease_until"] > 0) & (frame["lease_until"] < last))
    frame = frame[(frame["service"] == name) & (frame["level"] == "centre") & (frame["capacity"] > 0) & ~ends]
    rule = service.hierarchy
    rooms = _buildings(city, scenario, name) if rule is not None and rule.centre is not None else None
    return frame if rooms is None else pd.concat([frame, rooms], ignore_index=True)


def _stations(city: City, scenario: Scenario, name: str, service: Service) -> pd.DataFrame:
    """Stations that exist, and buildings where one could open."""
    frame = _points(city)
    frame = frame[(frame["service"] == name) & (frame["level"] == "station")]
    more = [_buildings(city, scenario, name)] if service.siting == "network" else []
    return pd.concat([frame, *more], ignore_index=True)


def _buildings(city: City, scenario: Scenario, name: str) -> pd.DataFrame:
    sites = city.sites[(city.sites["use"] == "station") & (city.sites["must"] != "leave")]
    sites = sites[sites["instrument"].isin(scenario.programmes.space.instruments)]
    fits = [not text or name in text.replace(" ", "").split(",") for text in sites["services"].fillna("")]
    rooms = sites[np.array(fits, dtype=bool)]
    label = rooms["name"].where(rooms["name"] != "", rooms["site"])
    return pd.DataFrame(
        {"name": label, "community": rooms["community"], "at": rooms["site"], "x": rooms.geometry.x,
         "y": rooms.geometry.y}
    )  # fmt: skip


def _lost(
    city: City, scenario: Scenario, service: Service, stations: pd.DataFrame, centres: pd.DataFrame
) -> pd.DataFrame:
    """Stations that no centre in their area is within the limit of; one in the same new building does not count."""
    rule, rules = service.hierarchy or Hierarchy(limit_m=1.0), scenario.travel
    network = city_network(city, service.travel, rules.driving_kmh, rules.walking_kmh)
    metres = travel(
        network, stations[["x", "y"]].to_numpy(dtype=float), centres[["x", "y"]].to_numpy(dtype=float),
        limit=rule.limit_m, snap_limit_m=rules.snap_limit_m, detour=rules.detour,
    ).amount  # fmt: skip
    near = np.isfinite(metres)
    within = rule.within or service.within
    if within != "city":
        area = city.communities.set_index("community")[within]
        here, there = (frame["community"].map(area).to_numpy() for frame in (stations, centres))
        near &= here[:, None] == there[None, :]
    opens = centres["level"].isna().to_numpy() if "level" in centres else np.ones(len(centres), dtype=bool)
    same = stations["at"].to_numpy()[:, None] == centres["at"].to_numpy()[None, :]
    near &= ~(same & opens[None, :])
    return stations.take(np.flatnonzero(~near.any(axis=1)))
