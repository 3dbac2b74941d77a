"""A small correct city, in degrees, as tables that tests change and write in any format."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
from shapely.geometry import LineString, Point, box

from geodata.check import check_city
from geodata.city import City
from geodata.findings import Finding
from geodata.read import read_city

Tables = dict[str, pd.DataFrame]
SERVICES = {"affairs": "own", "health": "network"}
TYPES = ("pure_residential", "enterprise")
WEST, SOUTH, STEP = 104.70, 31.46, 0.01


def make_tables() -> Tables:
    """Four communities in a row, each with an office, needs of two services, streets along the bottom."""
    ids, names = ["c1", "c2", "c3", "c4"], ["开元", "顺河", "金菊", "东津"]
    west = [WEST + i * STEP for i in range(4)]
    communities = gpd.GeoDataFrame(
        {"community": ids, "name": names, "population": [1000.0, 2000, 3000, 4000], "elderly": [100.0, 200, 300, 400]},
        geometry=[box(x, SOUTH, x + STEP, SOUTH + STEP) for x in west],
        crs="EPSG:4326",
    )
    middle = [Point(x + STEP / 2, SOUTH + STEP / 2) for x in west]
    office = {"use": "office", "instrument": "existing", "area_m2": 80.0, "min_area_m2": 0.0, "first_year": 0}
    station = {"use": "station", "instrument": "rent", "area_m2": 300.0, "min_area_m2": 60.0, "first_year": 2010}
    rows = [{"site": f"o{i}", "community": c, **office} for i, c in enumerate(ids, 1)]
    rows.append({"site": "s1", "community": "c2", **station})
    sites = gpd.GeoDataFrame(rows, geometry=[*middle, middle[1]], crs="EPSG:4326")
    facilities = gpd.GeoDataFrame(
        {"facility": ["f1"], "community": ["c1"], "site": ["o1"], "service": ["health"], "capacity": [500.0]},
        geometry=[middle[0]],
        crs="EPSG:4326",
    )
    streets = gpd.GeoDataFrame(
        {"street": ["a", "b", "c"]},
        geometry=[LineString([middle[i], middle[i + 1]]) for i in range(3)],
        crs="EPSG:4326",
    )
    needs = pd.DataFrame(
        [{"community": c, "need": s, "amount": 100.0 * i} for i, c in enumerate(ids, 1) for s in SERVICES]
    )
    return {"communities": communities, "sites": sites, "facilities": facilities, "streets": streets, "needs": needs}


def write_package(tables: Tables, path: Path) -> Path:
    """Write tables as layers of one GeoPackage, anew."""
    path.unlink(missing_ok=True)
    for name, frame in tables.items():
        if isinstance(frame, gpd.GeoDataFrame):
            frame.to_file(path, layer=name, driver="GPKG")
        else:
            pyogrio.write_dataframe(frame, path, layer=name, driver="GPKG", append=path.exists())
    return path


@pytest.fixture
def tables() -> Tables:
    return make_tables()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Tables], Path]:
    """Write tables into a GeoPackage in a folder with a blank and Chinese characters in its name."""
    folder = tmp_path / "my 城市"
    folder.mkdir()
    return lambda tables: write_package(tables, folder / "city.gpkg")


@pytest.fixture
def found(write: Callable[[Tables], Path]) -> Callable[[Tables], list[Finding]]:
    """Return all findings about tables."""

    def findings(tables: Tables) -> list[Finding]:
        return check_city(read_city(write(tables)), types=TYPES, services=SERVICES)

    return findings


@pytest.fixture
def city(tables: Tables, write: Callable[[Tables], Path]) -> City:
    return read_city(write(tables))
