"""Synthetic cities of any size, for measuring and for tests: a GeoPackage and a scenario that `allot run` takes.

    python -m benchmarks.instances structured runs/structured --communities 396 --seed 2006

Two variants of the same city:

- `structured`: four services stand at each community's own office, four are networks with about five candidate
  buildings per town. Real cities look like this.
- `hard`: every service is a network and every community has a building that may take any of them, so catchments
  overlap everywhere in a sub-district: a covering problem with fractional vertices.

Same arguments, same city, on every machine.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from ruamel.yaml import YAML

from geodata.schema import TABLES

Variant = Literal["structured", "hard"]
CRS = "EPSG:32648"
ORIGIN = np.array([450_000.0, 3_470_000.0])  # metres; south-west corner of the square the city lies in
DISTRICTS = 5
COMMUNITIES_PER_TOWN = 396 / 19
TYPES = {"core": (0.65, 0.0), "enterprise": (0.25, 0.25), "fringe": (0.10, 0.5)}  # share of communities, care
YEARS = 5


@dataclass(frozen=True)
class Kind:
    """One service: share of people who need it, travel limit in the hard variant, costs in yuan, floor in m2."""

    share: float
    limit_m: float
    own: bool
    fixed_yuan: float
    capital_yuan_per_unit: float
    running_yuan_per_unit: float
    area_m2_per_unit: float


SERVICES = {
    "affairs": Kind(0.60, 800, True, 40_000, 10, 4, 0.010),
    "health": Kind(0.45, 1000, False, 100_000, 60, 20, 0.040),
    "legal": Kind(0.05, 3000, False, 30_000, 40, 25, 0.050),
    "security": Kind(0.50, 800, True, 30_000, 6, 5, 0.005),
    "library": Kind(0.30, 1200, True, 60_000, 20, 5, 0.030),
    "fitness": Kind(0.35, 1000, True, 40_000, 25, 3, 0.050),
    "elderly": Kind(0.10, 1200, False, 120_000, 150, 50, 0.300),
    "training": Kind(0.08, 3000, False, 60_000, 80, 60, 0.150),
}
STRUCTURED_LIMIT_M = 4000.0
# instrument: (fixed yuan, capital yuan per m2, yearly yuan per m2, lead years)
INSTRUMENTS = {
    "build": (60_000, 1400, 10, 1),
    "renovate": (20_000, 600, 15, 0),
    "rent": (0, 50, 120, 0),
    "swap": (30_000, 900, 10, 0),
}


def make_tables(communities: int, seed: int, variant: Variant) -> dict[str, pd.DataFrame]:
    """Return the tables of a city as in `geodata.schema`, without streets, in metres of EPSG:32648.

    Raises ValueError where `communities` is below 4: districts and towns need something to divide.
    """
    if communities < 4:
        raise ValueError(f"communities = {communities} is below 4")
    draw = np.random.default_rng([seed, communities])
    places = _communities(communities, draw)
    sites = _sites(places, variant, draw)
    facilities = _facilities(places, draw)
    tables = {
        "communities": places,
        "sites": sites,
        "facilities": facilities,
        "needs": _needs(places),
        "districts": places.dissolve("district", as_index=False)[["district", "geometry"]],
    }
    return {name: _in_order(name, table) for name, table in tables.items()}


def _in_order(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Columns of the schema that are there, in its order, then the geometry; rows by key."""
    columns = [c for c in [*TABLES[name].names, "geometry"] if c in table.columns]
    return table[columns].sort_values(list(TABLES[name].key), ignore_index=True)


def _communities(n: int, draw: np.random.Generator) -> gpd.GeoDataFrame:
    towns = max(2, round(n / COMMUNITIES_PER_TOWN))
    side = 12_000 * np.sqrt(n / 396)
    centres = draw.uniform(0, side, (towns, 2))
    town = np.sort(np.arange(n) % towns)
    points = np.clip(centres[town] + draw.normal(0, 750, (n, 2)), 1, side - 1) + draw.uniform(-0.5, 0.5, (n, 2))
    box = shapely.box(0, 0, side, side)
    cells = shapely.voronoi_polygons(shapely.multipoints(points), extend_to=box, ordered=True)
    outlines = shapely.intersection(shapely.get_parts(cells), box)
    population = np.clip(draw.lognormal(np.log(3600), 0.5, n), 1000, 12_000).round()
    bands = np.minimum(centres[:, 0] / side * DISTRICTS, DISTRICTS - 1).astype(int)
    return gpd.GeoDataFrame(
        {
            "community": [f"c{i:05d}" for i in range(n)],
            "name": [f"Community {i}" for i in range(n)],
            "district": [f"district_{bands[t] + 1}" for t in town],
            "sub_district": [f"town_{t + 1:03d}" for t in town],
            "type": draw.choice(list(TYPES), n, p=[share for share, _ in TYPES.values()]),
            "population": population,
            "households": (population / 2.6).round(),
            "hardship": np.where(draw.random(n) < 0.1, 1.0, 0.0),
            "middle_x": points[:, 0] + ORIGIN[0],
            "middle_y": points[:, 1] + ORIGIN[1],
        },
        geometry=[shapely.transform(cell, lambda xy: xy + ORIGIN) for cell in outlines],
        crs=CRS,
    )


def _sites(places: gpd.GeoDataFrame, variant: Variant, draw: np.random.Generator) -> gpd.GeoDataFrame:
    rows: list[dict[str, Any]] = []
    for place in places.itertuples():
        office = round(float(draw.gamma(2.0, 45.0)), 1)
        rows.append(_site("o", place, place.middle_x, place.middle_y, "office", "existing", office))
        rows.append(_room("e", place, "extension", float(draw.uniform(100, 400)), draw))
        if variant == "hard":
            rows.append(_room("s", place, "station", float(draw.uniform(300, 900)), draw))
    for _, members in places.groupby("sub_district"):
        hosts = members.sample(min(6, len(members)), random_state=draw)
        for place in hosts.iloc[:5].itertuples() if variant == "structured" else ():
            room = _room("s", place, "station", float(draw.uniform(600, 2500)), draw)
            rows.append(room)
        for place in hosts.iloc[5:].itertuples():
            hall = _site("h", place, place.middle_x, place.middle_y, "hall", "share", float(draw.integers(80, 300)))
            rows.append({**hall, "yearly_yuan_per_m2": 20.0, "hours_per_week": float(draw.integers(4, 24))})
    frame = pd.DataFrame(rows).fillna({"fixed_yuan": 0.0, "yearly_yuan_per_m2": 0.0, "capital_yuan_per_m2": 0.0})
    frame = frame.fillna({"lead_years": 0, "min_area_m2": 0.0, "hours_per_week": 40.0})
    return gpd.GeoDataFrame(
        frame.drop(columns=["x", "y"]).astype({"lead_years": "int64"}),
        geometry=gpd.points_from_xy(frame["x"], frame["y"]),
        crs=CRS,
    )


def _site(letter: str, place: Any, x: float, y: float, use: str, instrument: str, area_m2: float) -> dict[str, Any]:
    return {
        "site": f"{letter}{place.community[1:]}",
        "community": place.community,
        "use": use,
        "instrument": instrument,
        "area_m2": area_m2,
        "x": x,
        "y": y,
    }


def _room(letter: str, place: Any, use: str, area_m2: float, draw: np.random.Generator) -> dict[str, Any]:
    """Rooms that could be had, near the middle of a community, by an instrument drawn by chance."""
    instrument = str(draw.choice(list(INSTRUMENTS)))
    fixed, capital, yearly, lead = INSTRUMENTS[instrument]
    x, y = np.array([place.middle_x, place.middle_y]) + draw.normal(0, 60, 2)
    return {
        **_site(letter, place, float(x), float(y), use, instrument, round(area_m2)),
        "min_area_m2": 20.0 if use == "extension" else 60.0,
        "fixed_yuan": float(fixed),
        "capital_yuan_per_m2": capital * round(float(draw.uniform(0.7, 1.3)), 2),
        "yearly_yuan_per_m2": float(yearly),
        "lead_years": lead,
    }


def _facilities(places: gpd.GeoDataFrame, draw: np.random.Generator) -> gpd.GeoDataFrame:
    """Existing stations in 15 % of the communities, in the office, each with room for half of its people's need."""
    hosts = places.sample(max(1, round(0.15 * len(places))), random_state=draw).sort_values("community")
    services = draw.choice(list(SERVICES), len(hosts))
    share = np.array([SERVICES[name].share for name in services])
    capacity = (hosts["population"].to_numpy() * share * 0.5).round()
    return gpd.GeoDataFrame(
        {
            "facility": [f"f{c[1:]}" for c in hosts["community"]],
            "community": hosts["community"].to_numpy(),
            "service": services,
            "level": "station",
            "capacity": capacity,
            "area_m2": 0.0,
            "running_yuan": (capacity * 5).round(),
        },
        geometry=gpd.points_from_xy(hosts["middle_x"], hosts["middle_y"]),
        crs=CRS,
    )


def _needs(places: gpd.GeoDataFrame) -> pd.DataFrame:
    tables = [
        pd.DataFrame(
            {
                "community": places["community"],
                "need": name,
                "amount": (places["population"] * kind.share).round(),
                "persons": (places["population"] * kind.share).round(),
            }
        )
        for name, kind in SERVICES.items()
    ]
    return pd.concat(tables, ignore_index=True)


def desire_yuan_a_year(tables: dict[str, pd.DataFrame]) -> float:
    """Return roughly what meeting every need would cost a year, in yuan: the yardstick of the budgets."""
    places, sites, needs = tables["communities"], tables["sites"], tables["needs"]
    care = places["type"].map({name: care for name, (_, care) in TYPES.items()})
    work_funds = float((50_000 * (1 + care)).sum())
    offices = sites.loc[sites["use"] == "office", "area_m2"]
    space = float((300 - offices).clip(lower=0).sum()) * 900 / YEARS
    services = 0.0
    for name, kind in SERVICES.items():
        amount = float(needs.loc[needs["need"] == name, "amount"].sum())
        stations = len(places) if kind.own else len(places) / 8
        capital = stations * kind.fixed_yuan + amount * (kind.capital_yuan_per_unit + 900 * kind.area_m2_per_unit)
        services += capital / YEARS + amount * kind.running_yuan_per_unit
    return work_funds + space + services


def make_scenario(tables: dict[str, pd.DataFrame], name: str, variant: Variant) -> dict[str, Any]:
    """Return the scenario of a city as plain data: five years, money for about 60 % of what would be wanted."""
    money = 0.6 * desire_yuan_a_year(tables)
    districts = sorted(set(tables["communities"]["district"]))
    sources: dict[str, Any] = {
        "city_finance": {"role": "city", "amount_yuan": round(0.55 * money), "carry_limit_share": 0.2},
        "donations": {
            "role": "donor",
            "amount_yuan": round(0.05 * money),
            "types": ["enterprise", "fringe"],
            "purposes": ["space", "service_capital", "work_funds"],
        },
    }
    people = tables["communities"].groupby("district")["population"].sum()
    for district in districts:
        part = float(people[district] / people.sum())
        sources[district] = {"role": "district", "districts": [district], "amount_yuan": round(0.40 * money * part)}
    return {
        "name": name,
        "title": f"{variant.capitalize()} synthetic city of {len(tables['communities'])} communities",
        "data": {"path": "city.gpkg"},
        "horizon": {"first_year": 2007, "years": YEARS, "discount": 0.03},
        "types": {kind: {"care": care} for kind, (_, care) in TYPES.items()},
        "guidance": {"general": {"purposes": ["work_funds", "space", "services"]}},
        "programmes": {
            "work_funds": {"floor_yuan": 50_000},
            "space": {"target_m2": 300},
            "services": {service: _service(kind, variant) for service, kind in SERVICES.items()},
        },
        "sources": sources,
    }


def _service(kind: Kind, variant: Variant) -> dict[str, Any]:
    costs = {
        "fixed_yuan": kind.fixed_yuan,
        "capital_yuan_per_unit": kind.capital_yuan_per_unit,
        "running_yuan_per_unit": kind.running_yuan_per_unit,
        "area_m2_per_unit": kind.area_m2_per_unit,
        "unit": "people served",
        "need": {"per": "population", "rate": kind.share},
    }
    if variant == "hard":
        return {"siting": "network", "limit_m": kind.limit_m * 1.3, "candidates": 8, **costs}
    if kind.own:
        return {"siting": "own", **costs}
    return {"siting": "network", "limit_m": STRUCTURED_LIMIT_M, "candidates": 5, **costs}


def write_instance(directory: Path, communities: int = 396, seed: int = 2006, variant: Variant = "structured") -> Path:
    """Write `city.gpkg` and a scenario into a folder, made where it is missing; return the scenario's path."""
    directory.mkdir(parents=True, exist_ok=True)
    tables = make_tables(communities, seed, variant)
    city = directory / "city.gpkg"
    city.unlink(missing_ok=True)
    for name, table in tables.items():
        pyogrio.write_dataframe(table, city, layer=name, driver="GPKG")
    path = directory / f"{variant}_{communities}.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML().dump(make_scenario(tables, f"{variant}_{communities}", variant), file)
    return path


def main() -> None:
    """Write an instance from the command line."""
    parser = argparse.ArgumentParser(description="Write a synthetic city and its scenario.")
    parser.add_argument("variant", choices=["structured", "hard"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--communities", type=int, default=396)
    parser.add_argument("--seed", type=int, default=2006)
    words = parser.parse_args()
    print(write_instance(words.directory, words.communities, words.seed, words.variant))


if __name__ == "__main__":
    main()
