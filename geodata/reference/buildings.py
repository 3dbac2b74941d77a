"""Buildings of the reference city: offices, rooms that could be had, station buildings, halls. All synthetic."""

from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from geodata.reference.communities import zone_members
from geodata.reference.layout import CRS, SUB_DISTRICTS, records, rng
from geodata.reference.people import ZONE_COMMUNITIES

COLUMNS = (
    "site", "name", "community", "use", "instrument", "area_m2", "min_area_m2", "fixed_yuan", "capital_yuan_per_m2",
    "yearly_yuan_per_m2", "first_year", "lead_years", "hours_per_week", "services",
)  # fmt: skip
UPKEEP = 12  # yuan per m2 and year of rooms that are not rented
STATIONS_PER_SUB_DISTRICT = 5
STATION_INSTRUMENTS = ("rent", "renovate", "build", "rent", "renovate")
# Type -> chance of an extension by instrument, in the order in which they are tried; at most three each.
CHANCES = {
    "pure_residential": {"rent": 0.65, "renovate": 0.45, "swap": 0.2, "build": 0.2, "hand_over": 0.12},
    "enterprise": {"renovate": 0.7, "rent": 0.35, "swap": 0.25, "build": 0.25, "hand_over": 0.05},
    "urban_rural_fringe": {"build": 0.7, "hand_over": 0.35, "rent": 0.45, "renovate": 0.3, "swap": 0.05},
    "old_core": {"rent": 0.5, "swap": 0.35, "renovate": 0.1, "build": 0.0, "hand_over": 0.0},
}
WORDS = {
    "rent": "rooms to rent", "renovate": "rooms to renovate", "build": "plot", "swap": "housing to swap",
    "hand_over": "rooms handed over by a developer",
}  # fmt: skip
Row = dict[str, Any]
Draw = Callable[[], float]


def near(polygon: shapely.Geometry, x: float, y: float, away_m: float, draw: Draw) -> tuple[float, float]:
    """Whole-metre point at most about `away_m` from (x, y) and inside the polygon; (x, y) where none is found."""
    for _ in range(12):
        px, py = np.rint(x + away_m * (2 * draw() - 1)), np.rint(y + away_m * (2 * draw() - 1))
        if shapely.contains_xy(polygon, px, py):
            return float(px), float(py)
        away_m *= 0.8
    return x, y


def office_areas(communities: gpd.GeoDataFrame, studied: pd.DataFrame) -> pd.Series:
    """Rooms each community has, in m2: mostly 20 to 120, 300 and more in the zones (as the study says)."""
    random = rng(31)
    normal, extra = random.standard_normal(len(communities)), random.random(len(communities))
    areas = pd.Series(np.rint(np.clip(52 * np.exp(0.55 * normal), 14, 150)), index=communities["community"])
    bonus = pd.Series(np.rint(300 + 60 * np.maximum(0, extra - 0.6)), index=communities["community"])
    known = set(studied["community"])
    for sub_district, count in ZONE_COMMUNITIES.items():
        members = zone_members(communities, sub_district, count, known)
        areas[members] = bonus[members]
    for row in records(studied.dropna(subset=["office_area_m2"])):
        areas[row["community"]] = row["office_area_m2"]
    return areas


def _terms(instrument: str, area: float, small: float, draw: Draw) -> Row:
    """Money and time of one building by instrument; `small` is the smallest sensible part."""
    terms: Row = {"area_m2": area, "min_area_m2": 0.0, "fixed_yuan": 0, "capital_yuan_per_m2": 0, "lead_years": 0}
    terms |= {"yearly_yuan_per_m2": UPKEEP, "first_year": 0}
    if instrument == "rent":
        terms["yearly_yuan_per_m2"] = 100 + 5 * int(16 * draw())
    elif instrument == "renovate":
        terms |= {"min_area_m2": small, "fixed_yuan": 15_000 + 1000 * int(25 * draw())}
        terms["capital_yuan_per_m2"] = 250 + 10 * int(20 * draw())
    elif instrument == "build":
        terms |= {"min_area_m2": small, "capital_yuan_per_m2": 900 + 50 * int(12 * draw())}
        terms["lead_years"] = 1 + int(draw() < 0.35)
    elif instrument == "swap":
        terms |= {"min_area_m2": small, "capital_yuan_per_m2": 500 + 20 * int(15 * draw())}
    elif instrument == "hand_over":
        terms |= {"capital_yuan_per_m2": 50 * int(3 * draw()), "first_year": 2008 + int(3 * draw())}
    return terms


def _extensions(row: Row, draw: Draw) -> list[Row]:
    """Up to three extensions of a community's office."""
    sizes = {"rent": (60, 140), "renovate": (80, 140), "build": (150, 150), "swap": (80, 100), "hand_over": (100, 150)}
    found: list[Row] = []
    for instrument, chance in CHANCES[str(row["type"])].items():
        wanted, size = draw() < chance, draw()
        if not wanted or len(found) == 3:
            continue
        low, spread = sizes[instrument]
        if row["type"] == "old_core":
            low, spread = 30, 50
        area = float(low + 5 * int(spread / 5 * size))
        terms = _terms(instrument, area, 5 * np.ceil(area * 0.1), draw)
        number = len(found) + 1
        found.append(
            {
                "site": f"ext_{row['community']}_{number}",
                "name": f"{row['name']}, {WORDS[instrument]}",
                "community": row["community"],
                "use": "extension",
                "instrument": instrument,
                **terms,
            }
        )
    return found


def _spread(members: pd.DataFrame, count: int) -> list[int]:
    """`count` different rows of `members` (with x, y, population) near most people: k-means from far-apart starts."""
    points = members[["x", "y"]].to_numpy(dtype=float)
    people = members["population"].to_numpy(dtype=float)
    chosen = [int(people.argmax())]
    while len(chosen) < count:
        away = np.asarray(cKDTree(points[chosen]).query(points)[0])
        chosen.append(int(away.argmax()))
    centres = points[chosen]
    for _ in range(8):
        nearest = np.asarray(cKDTree(centres).query(points)[1])
        for number in range(count):
            mine = nearest == number
            centres[number] = np.average(points[mine], axis=0, weights=people[mine]) if mine.any() else centres[number]
    found: list[int] = []
    for centre in centres:
        order = np.argsort(np.hypot(*(points - centre).T), kind="stable").tolist()
        found.append(next(row for row in order if row not in found))
    return found


def _shared(communities: pd.DataFrame, use: str, taken: set[str], draw: Draw) -> list[Row]:
    """Station buildings (five a sub-district) or halls (two or three); `taken`: communities that have one already."""
    rows: list[Row] = []
    for order, sub in enumerate(SUB_DISTRICTS):
        members = communities[communities["sub_district"] == sub.name].reset_index(drop=True)
        count = STATIONS_PER_SUB_DISTRICT if use == "station" else (2 if sub.kind == "fringe" else 3)
        if use == "hall":
            members = members[~members["community"].isin(taken)].reset_index(drop=True)
        picks = _spread(members, count)
        taken |= {str(members["community"][pick]) for pick in picks}
        slug = sub.name.lower().replace(" ", "_").replace("-", "_")
        for number, pick in enumerate(picks, start=1):
            row: Row = {"site": f"{use}_{slug}_{number}", "community": members["community"][pick], "use": use}
            if use == "station":
                instrument = STATION_INSTRUMENTS[(number - 1 + order) % len(STATION_INSTRUMENTS)]
                area = float(200 + 20 * int(31 * draw() ** 1.3))
                row |= {"instrument": instrument, "name": f"{sub.name}, station building {number}"}
                row |= _terms(instrument, area, 100.0 if instrument == "renovate" else 150.0, draw)
                if instrument == "rent":
                    row["min_area_m2"] = 60.0
            else:
                row |= {"instrument": "share", "name": f"{sub.name}, hall {number}"}
                row |= {"area_m2": float(100 + 10 * int(31 * draw())), "hours_per_week": float(8 + 2 * int(7 * draw()))}
                row["yearly_yuan_per_m2"] = 0 if draw() < 0.3 else 30 + 5 * int(9 * draw())
            rows.append(row)
    return rows


def build_sites(communities: gpd.GeoDataFrame, offices: pd.DataFrame, studied: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return all buildings, sorted by identifier."""
    random = rng(32)

    def draw() -> float:
        return float(random.random())

    areas = office_areas(communities, studied)
    frame = pd.DataFrame(communities.drop(columns="geometry")).merge(offices, on="community")
    polygons = dict(zip(communities["community"], communities.geometry, strict=True))
    rows: list[Row] = []
    for row in records(frame):
        office: Row = {"site": f"office_{row['community']}", "name": f"{row['name']}, office", "use": "office"}
        office |= {"community": row["community"], "instrument": "existing", "area_m2": float(areas[row["community"]])}
        rows.append(office)
        if areas[row["community"]] < 300:
            rows += _extensions(row, draw)
    taken: set[str] = set()
    rows += _shared(frame, "station", taken, draw) + _shared(frame, "hall", taken, draw)
    at = {row["community"]: (float(row["x"]), float(row["y"])) for row in records(frame)}
    points = []
    for entry in rows:
        name = str(entry["community"])
        x, y = at[name]
        away = {"office": 0.0, "extension": 120.0}.get(str(entry["use"]), 250.0)
        points.append(shapely.Point(near(polygons[name], x, y, away, draw) if away else (x, y)))
    defaults: Row = {"min_area_m2": 0.0, "fixed_yuan": 0, "capital_yuan_per_m2": 0, "yearly_yuan_per_m2": 0}
    defaults |= {"first_year": 0, "lead_years": 0, "hours_per_week": 40.0, "services": ""}
    sites = pd.DataFrame([defaults | row for row in rows])[list(COLUMNS)]
    whole_numbers = ["fixed_yuan", "capital_yuan_per_m2", "yearly_yuan_per_m2", "first_year", "lead_years"]
    sites[whole_numbers] = sites[whole_numbers].astype(np.int64)
    return gpd.GeoDataFrame(sites, geometry=points, crs=CRS).sort_values("site", ignore_index=True)
