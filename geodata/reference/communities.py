"""The communities of the reference city: polygons, names, people. One row each, sorted by identifier."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geodata.reference import people
from geodata.reference.layout import CRS, SUB_DISTRICTS, footprints, metres, partition, project, records, seeds

MAIN_CITY = [sub.name for sub in SUB_DISTRICTS if sub.footprint == "main"]
OVERRIDES = ("own_income_yuan", "debt_yuan")


def _rows(studied: pd.DataFrame, names_zh: dict[str, str]) -> pd.DataFrame:
    """Names of all communities in order of sub-district; the studied ones first in theirs."""
    rows = []
    numbers: dict[str, int] = {}
    for sub in SUB_DISTRICTS:
        known = studied[studied["sub_district"] == sub.name]
        rows += [(r["community"], r["name"], r["name_zh"], sub.district, sub.name) for r in records(known)]
        for _ in range(sub.count - len(known)):
            number = numbers[sub.district] = numbers.get(sub.district, 0) + 1
            identifier = f"{sub.district.lower()}_{number:03d}"
            short = names_zh[sub.district]
            rows.append((identifier, f"{sub.district} {number:03d}", f"{short}{number:03d}", sub.district, sub.name))
    return pd.DataFrame(rows, columns=["community", "name", "name_zh", "district", "sub_district"])


def _notes(frame: pd.DataFrame, studied: pd.DataFrame) -> list[str]:
    notes = pd.Series("", index=frame["community"], dtype=object)
    for sub_district, count in people.ZONE_COMMUNITIES.items():
        for community in zone_members(frame, sub_district, count, set(studied["community"])):
            notes[community] = f"In the {people.ZONE_NAMES[sub_district]} (which communities do is synthetic)."
    for row in records(studied):
        notes[row["community"]] = row["study"]
    return [str(note) for note in notes]


def zone_members(frame: pd.DataFrame, sub_district: str, count: int, studied: set[str]) -> list[str]:
    """Communities of a zone: the last ones by number of their sub-district, Dongduan included where it is whole."""
    members = list(frame.loc[frame["sub_district"] == sub_district, "community"])
    if count >= len(members):
        return members
    return [name for name in members if name not in studied][-count:]


def build_communities(
    districts: gpd.GeoDataFrame, studied: pd.DataFrame, migrants_total: int
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return the communities and their office points (`community`, `x`, `y`), both sorted by community."""
    outlines = dict(zip(districts["district"], project(list(districts.geometry)), strict=True))
    areas = footprints(outlines)
    fixed = {
        sub.name: [metres(r["lon"], r["lat"]) for r in records(studied[studied["sub_district"] == sub.name])]
        for sub in SUB_DISTRICTS
    }
    centres = {sub.name: seeds(sub, areas[sub.name], fixed[sub.name], 100 + n) for n, sub in enumerate(SUB_DISTRICTS)}
    cells = partition(areas, centres)
    names_zh = {d: z[:2] for d, z in zip(districts["district"], districts["name_zh"], strict=True)}
    frame = _rows(studied, names_zh)
    types = dict(zip(studied["community"], studied["type"], strict=True))
    known = {n: types[c] for n, c in enumerate(frame["community"]) if c in types}
    frame["type"] = people.assign_types(frame, centres, known)
    frame["main_city"] = frame["sub_district"].isin(MAIN_CITY)
    people.add_people(frame, migrants_total)
    people.add_means(frame)
    for row in records(studied):
        for column in OVERRIDES:
            if not np.isnan(row[column]):
                frame.loc[frame["community"] == row["community"], column] = int(row[column])
    frame["hardship"] = people.hardship(frame)
    frame["note"] = _notes(frame, studied)
    polygons = [cell for sub in SUB_DISTRICTS for cell in cells[sub.name]]
    points = np.vstack([centres[sub.name] for sub in SUB_DISTRICTS])
    offices = pd.DataFrame({"community": frame["community"], "x": points[:, 0], "y": points[:, 1]})
    inside = shapely.contains_xy(polygons, points[:, 0], points[:, 1])
    for number in np.flatnonzero(~inside).tolist():
        point = shapely.point_on_surface(polygons[number])
        offices.loc[number, ["x", "y"]] = np.rint([point.x, point.y])
    communities = gpd.GeoDataFrame(frame, geometry=polygons, crs=CRS).sort_values("community", ignore_index=True)
    return communities, offices.sort_values("community", ignore_index=True)
