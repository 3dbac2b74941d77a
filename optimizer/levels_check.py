"""Checks of levels of networks against a city: what could hang on nothing is named before anything is planned (13)."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from geodata.city import City
from geodata.findings import Finding, listed
from geodata.travel_matrix import travel
from geodata.travel_people import city_network
from optimizer.scenario import Scenario
from optimizer.scenario_services import Service

WHERE = {"sub_district": "its sub-district", "district": "its district", "city": "the city"}


def check_levels(city: City, scenario: Scenario) -> Iterable[Finding]:
    """Yield findings about services with levels: no centre at all, and everything that could hang on nothing."""
    for name, service in scenario.services.items():
        if service.hierarchy is None:
            continue
        at = f"programmes.services.{name}.hierarchy"
        centres, stations = _centres(city, scenario, name, service), _stations(city, scenario, name, service)
        if not len(centres):
            yield Finding(
                "error", file="scenario", column=at, value=name, limit="a facility of it of level centre",
                remedy="give its centres among the facilities, or let new ones open (hierarchy.centre)",
                message="there is no centre and none may open, so every station would hang on nothing and serve nobody",
            )  # fmt: skip
            continue
        rule = service.hierarchy
        lost = _lost(city, scenario, service, stations, centres, rule.limit_m)
        remedy = "raise limit_m, widen within, or let new centres open (hierarchy.centre)"
        yield from _named(lost, f"{at}.limit_m", "stations", "centre", rule.limit_m, service, remedy)
        outlets = _level(city, name, "outlet")
        if rule.outlets is not None:
            upper = stations.drop(lost.index)
            upper = pd.concat([upper, centres], ignore_index=True) if rule.inclusive else upper
            lost = _lost(city, scenario, service, outlets, upper, rule.outlets.limit_m)
            remedy = "raise limit_m, widen within, or leave outlets out of the hierarchy"
            yield from _named(
                lost, f"{at}.outlets.limit_m", "outlets", "station", rule.outlets.limit_m, service, remedy
            )
        else:
            yield from _idle(outlets, at)


def _named(
    lost: pd.DataFrame, column: str, what: str, upper: str, limit_m: float, service: Service, remedy: str
) -> Iterable[Finding]:
    if len(lost):
        rule = service.hierarchy
        where = WHERE[(rule.within if rule is not None else None) or service.within]
        yield Finding(
            "warning", file="scenario", column=column, value=f"{limit_m:g}", limit=f"a {upper} within it in {where}",
            remedy=remedy,
            message=f"{len(lost)} {what} can hang on no {upper} and would serve nobody: {listed(lost['name'])}",
        )  # fmt: skip


def _idle(outlets: pd.DataFrame, at: str) -> Iterable[Finding]:
    """A warning for outlets that are said to hang on something where outlets hang on nothing."""
    said = outlets[outlets["hangs_on"] != ""]
    if len(said):
        yield Finding(
            "warning", file="scenario", column=f"{at}.outlets", limit="limit_m and referral_share of outlets",
            remedy="give them, or leave hangs_on of outlets empty",
            message=f"{len(said)} outlets are said to hang on something, but outlets hang on nothing: "
            f"{listed(said['name'])}",
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
    frame = _level(city, name, "station")
    more = [_buildings(city, scenario, name)] if service.siting == "network" else []
    return pd.concat([frame, *more], ignore_index=True)


def _level(city: City, name: str, level: str) -> pd.DataFrame:
    frame = _points(city)
    return frame[(frame["service"] == name) & (frame["level"] == level)]


def _buildings(city: City, scenario: Scenario, name: str) -> pd.DataFrame:
    sites = city.sites[(city.sites["use"] == "station") & (city.sites["must"] != "leave")]
    sites = sites[sites["instrument"].isin(scenario.programmes.space.instruments)]
    fits = [not text or name in text.replace(" ", "").split(",") for text in sites["services"].fillna("")]
    rooms = sites[np.array(fits, dtype=bool)]
    label = rooms["name"].where(rooms["name"] != "", rooms["site"])
    return pd.DataFrame(
        {"name": label, "community": rooms["community"], "at": rooms["site"], "x": rooms.geometry.x,
         "y": rooms.geometry.y, "level": "", "facility": None, "hangs_on": ""}
    )  # fmt: skip


def _lost(
    city: City, scenario: Scenario, service: Service, lower: pd.DataFrame, upper: pd.DataFrame, limit_m: float
) -> pd.DataFrame:
    """Rows that nothing above in their area is within the limit of, or not what they are said to hang on.

    What would be new in the same building does not count for what is new itself.
    """
    if not len(lower) or not len(upper):
        return lower
    rule, rules = service.hierarchy, scenario.travel
    network = city_network(city, service.travel, rules.driving_kmh, rules.walking_kmh)
    metres = travel(
        network, lower[["x", "y"]].to_numpy(dtype=float), upper[["x", "y"]].to_numpy(dtype=float),
        limit=limit_m, snap_limit_m=rules.snap_limit_m, detour=rules.detour,
    ).amount  # fmt: skip
    near = np.isfinite(metres)
    within = (rule.within if rule is not None else None) or service.within
    if within != "city":
        area = city.communities.set_index("community")[within]
        here, there = (frame["community"].map(area).to_numpy() for frame in (lower, upper))
        near &= here[:, None] == there[None, :]
    if service.siting == "own" and lower["level"].eq("outlet").all():
        near &= lower["community"].to_numpy()[:, None] == upper["community"].to_numpy()[None, :]
    same = lower["at"].to_numpy()[:, None] == upper["at"].to_numpy()[None, :]
    near &= ~(same & upper["facility"].isna().to_numpy()[None, :] & lower["facility"].isna().to_numpy()[:, None])
    said = lower["hangs_on"].fillna("").to_numpy()[:, None]
    near &= (said == "") | (said == upper["facility"].fillna("").to_numpy()[None, :])
    return lower.take(np.flatnonzero(~near.any(axis=1)))
