"""Norms by which a city is estimated where there is nothing but polygons and populations.

Every figure made here is an estimate and is called so in the README of the city that is started.
"""

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geodata.groups import compact_groups, most_central

# Shares of the population (minimum income: of households) where the file has no column of that name.
SHARES: dict[str, tuple[str, float, str]] = {
    "elderly": ("population", 0.11, "60 and over, China, sample survey of 2005"),
    "children": ("population", 0.20, "under 15, China, sample survey of 2005"),
    "migrants": ("population", 0.11, "floating population, China, sample survey of 2005"),
    "laid_off": ("population", 0.025, "4.1 % registered unemployed of a labour force of six in ten, China 2006"),
    "min_income_households": ("households", 0.04, "urban minimum income, China 2006: 22 of 577 million people"),
}
OFFICE_M2_PER_100_HOUSEHOLDS = 20.0  # lower end of earlier provincial norms (20-30 m2)
OFFICE_MOST_M2 = 150.0
COMMUNITIES_PER_SUB_DISTRICT = 20  # Mianyang: 396 under 19
COMMUNITIES_PER_STATION = 4
COMMUNITIES_PER_HALL = 8
ROOM = 1.5  # how much more floor could be had than is needed
STATION_LEAST_M2 = 200.0
HALL_M2 = 240.0

# instrument -> (share of the rooms lacking that could be had so, together ROOM; smallest part, fixed, capital per m2,
# yearly per m2, lead years)
EXTENSIONS: dict[str, tuple[float, float, float, float, float, int]] = {
    "rent": (0.4, 0.0, 0.0, 0.0, 135.0, 0),
    "renovate": (0.5, 0.5, 27_000.0, 340.0, 12.0, 0),
    "build": (0.6, 0.5, 0.0, 1_150.0, 12.0, 1),
}
STATIONS: tuple[tuple[str, float, float, float, int], ...] = (  # instrument, fixed, capital, yearly, lead years
    ("renovate", 24_500.0, 330.0, 12.0, 0),
    ("rent", 0.0, 0.0, 140.0, 0),
    ("build", 0.0, 1_200.0, 12.0, 1),
)
Services = Mapping[str, Mapping[str, Any]]


def fill_groups(communities: gpd.GeoDataFrame, given: set[str]) -> gpd.GeoDataFrame:
    """Return the communities with the groups of people estimated that are not among the columns `given`."""
    out = communities.copy()
    for group, (base, share, _) in SHARES.items():
        if group not in given:
            out[group] = np.rint(out[base].to_numpy(dtype=float) * share)
    return out


def sub_districts(communities: gpd.GeoDataFrame) -> pd.Series:
    """Return names of sub-districts: in each district compact groups of about 20 communities."""
    xy = places(communities)
    out = np.full(len(communities), "", dtype=object)
    for district, rows in communities.groupby("district", sort=True):
        at = communities.index.get_indexer(rows.index)
        group = compact_groups(xy[at], -(-len(at) // COMMUNITIES_PER_SUB_DISTRICT))
        several = group.max() > 0
        out[at] = [f"{district} {number + 1}" if several else str(district) for number in group]
    return pd.Series(out, index=communities.index, dtype="str")


def places(communities: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return a point (n, 2) inside each polygon."""
    inside = communities.geometry.representative_point()
    return np.column_stack([inside.x.to_numpy(), inside.y.to_numpy()])


def needs(communities: gpd.GeoDataFrame, services: Services) -> pd.DataFrame:
    """Return the table of needs: of each service the rate of its norm times the people of its group."""
    parts = []
    for service, rule in services.items():
        norm = rule.get("need") or {}
        group, rate = str(norm.get("per", "population")), float(norm.get("rate", 1.0))
        amount = np.rint(communities[group].to_numpy(dtype=float) * rate)
        people = communities[group].to_numpy(dtype=float)
        if group in ("households", "min_income_households"):
            size = communities["population"] / communities["households"].where(communities["households"] > 0)
            people = people * size.fillna(0.0).to_numpy(dtype=float)
        persons = np.minimum(np.rint(people), communities["population"].to_numpy(dtype=float))
        frame = pd.DataFrame(
            {"community": communities["community"], "need": service, "amount": amount, "persons": persons}
        )
        parts.append(frame[frame["amount"] > 0])
    out = pd.concat(parts, ignore_index=True)
    return out.sort_values(["community", "need"], ignore_index=True)


def floor_m2(communities: gpd.GeoDataFrame, table: pd.DataFrame, services: Services, siting: str) -> pd.Series:
    """Return the floor that the needs of own or network services take, for each of the communities."""
    per_unit = {
        name: float(rule.get("area_m2_per_unit", 0.0)) * max(1.0, (1 + float(rule.get("growth", 0.0))) ** 5)
        for name, rule in services.items()
        if rule["siting"] == siting
    }
    used = table["amount"] * table["need"].map(per_unit).fillna(0.0)
    floor: pd.Series = communities["community"].map(used.groupby(table["community"]).sum()).fillna(0.0)
    return floor


def sites(communities: gpd.GeoDataFrame, table: pd.DataFrame, services: Services, target_m2: float) -> gpd.GeoDataFrame:
    """Return the table of buildings: offices, rooms that could be added, station buildings, halls."""
    own = floor_m2(communities, table, services, "own")
    rows = [*_offices(communities), *_extensions(communities, own, target_m2)]
    shared = floor_m2(communities, table, services, "network")
    for group in communities.groupby(["district", "sub_district"], sort=True).groups.values():
        rows += _shared(communities.loc[group], shared)
    frame = pd.DataFrame(rows)
    points = gpd.points_from_xy(frame.pop("x"), frame.pop("y"))
    return gpd.GeoDataFrame(frame, geometry=points, crs=communities.crs)


def _row(
    site: str, name: str, community: str, use: str, instrument: str, area: float, at: tuple[float, float], **more: float
) -> dict[str, Any]:
    row: dict[str, Any] = {"site": site, "name": name, "community": community, "use": use, "instrument": instrument}
    row |= {"area_m2": area, "min_area_m2": 0.0, "fixed_yuan": 0.0, "capital_yuan_per_m2": 0.0}
    row |= {"yearly_yuan_per_m2": 0.0, "lead_years": 0, "hours_per_week": 40.0}
    return row | more | {"x": at[0], "y": at[1]}


def office_m2(households: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return estimated floor areas of offices: 20 m2 for every 100 households, at most 150 m2."""
    return np.rint(np.minimum(households / 100 * OFFICE_M2_PER_100_HOUSEHOLDS, OFFICE_MOST_M2))


def _offices(communities: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    area = office_m2(communities["households"].to_numpy(dtype=float))
    columns = (communities["community"], communities["name"], area, places(communities))
    return [
        _row(f"{c}-office", f"{n} office", c, "office", "existing", float(a), (float(x), float(y)))
        for c, n, a, (x, y) in zip(*columns, strict=True)
    ]


def _extensions(communities: gpd.GeoDataFrame, own: pd.Series, target_m2: float) -> list[dict[str, Any]]:
    there = office_m2(communities["households"].to_numpy(dtype=float))
    lacking = np.maximum(target_m2, own.to_numpy(dtype=float)) - there
    rows = []
    xy = places(communities)
    for i, (community, name) in enumerate(zip(communities["community"], communities["name"], strict=True)):
        for instrument, (share, least, fixed, capital, yearly, lead) in EXTENSIONS.items():
            area = float(np.ceil(share * max(lacking[i], 0.0) / 5) * 5)
            if area < 10:
                continue
            smallest = float(np.floor(min(least * area, 100.0)))
            rows.append(
                _row(
                    f"{community}-{instrument}", f"{name}: rooms to {instrument}", community, "extension", instrument,
                    area, (float(xy[i, 0]), float(xy[i, 1])), min_area_m2=smallest, fixed_yuan=fixed,
                    capital_yuan_per_m2=capital, yearly_yuan_per_m2=yearly, lead_years=lead,
                )
            )  # fmt: skip
    return rows


def _shared(members: gpd.GeoDataFrame, shared: pd.Series) -> list[dict[str, Any]]:
    """Station buildings and halls of one sub-district, spread over compact groups of its communities."""
    xy = places(members)
    floor = shared.loc[members.index].to_numpy(dtype=float)
    rows = []
    station = compact_groups(xy, max(2, -(-len(members) // COMMUNITIES_PER_STATION)))
    area = ROOM * float(floor.sum()) / (int(station.max()) + 1)
    area = max(STATION_LEAST_M2, float(np.ceil(area / 10) * 10), float(np.ceil(0.25 * floor.max() * ROOM / 10) * 10))
    for number in range(int(station.max()) + 1):
        at = np.flatnonzero(station == number)
        middle = int(at[most_central(xy[at])])
        instrument, fixed, capital, yearly, lead = STATIONS[number % len(STATIONS)]
        community, name = str(members["community"].iloc[middle]), str(members["name"].iloc[middle])
        rows.append(
            _row(
                f"{community}-station", f"{name}: building to {instrument}", community, "station", instrument, area,
                (float(xy[middle, 0]), float(xy[middle, 1])), min_area_m2=min(60.0, area), fixed_yuan=fixed,
                capital_yuan_per_m2=capital, yearly_yuan_per_m2=yearly, lead_years=lead,
            )
        )  # fmt: skip
    hall = compact_groups(xy, -(-len(members) // COMMUNITIES_PER_HALL))
    for number in range(int(hall.max()) + 1):
        at = np.flatnonzero(hall == number)
        middle = int(at[most_central(xy[at])])
        community, name = str(members["community"].iloc[middle]), str(members["name"].iloc[middle])
        rows.append(
            _row(
                f"{community}-hall", f"{name}: hall", community, "hall", "share", HALL_M2,
                (float(xy[middle, 0]), float(xy[middle, 1])), yearly_yuan_per_m2=45.0, hours_per_week=14.0,
            )
        )  # fmt: skip
    return rows
