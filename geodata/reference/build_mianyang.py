"""Build the reference city Mianyang: `python -m geodata.reference.build_mianyang [--out FILE]`.

Reads only files of this project: `districts.geojson`, `facts.csv` and `studied_communities.csv` in
`geodata/reference/mianyang/`. The same files give the same content, layer by layer.
"""

import argparse
import sys
from importlib.resources import files
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from geodata.reference.buildings import build_sites
from geodata.reference.communities import build_communities
from geodata.reference.demand import build_needs
from geodata.reference.existing import build_facilities
from geodata.reference.layout import CRS, project
from geodata.reference.network import build_streets
from geodata.reference.provenance import build_provenance
from geodata.schema import TABLES

FOLDER = Path(str(files("geodata.reference") / "mianyang"))
CITY = FOLDER / "mianyang.gpkg"
Tables = dict[str, gpd.GeoDataFrame | pd.DataFrame]


def read_inputs(folder: Path = FOLDER) -> tuple[gpd.GeoDataFrame, pd.DataFrame, pd.DataFrame]:
    """Return districts (WGS-84), facts and studied communities as they stand in the project."""
    districts = gpd.read_file(folder / "districts.geojson").sort_values("district", ignore_index=True)
    facts = pd.read_csv(folder / "facts.csv", encoding="utf-8", keep_default_na=False)
    studied = pd.read_csv(folder / "studied_communities.csv", encoding="utf-8")
    return districts, facts, studied


def build(folder: Path = FOLDER) -> Tables:
    """Return every layer of the reference city: tables of the schema, `facts` and `provenance`."""
    districts, facts, studied = read_inputs(folder)
    number = dict(zip(facts["key"], facts["value"], strict=True))
    communities, offices = build_communities(districts, studied, int(number["floating_population"]))
    sites = build_sites(communities, offices, studied)
    needs = build_needs(communities)
    at_office = sites[sites["use"] == "office"]
    areas = dict(zip(at_office["community"], at_office["area_m2"], strict=True))
    outlines = gpd.GeoDataFrame(
        districts[["district", "name", "name_zh"]], geometry=project(list(districts.geometry)), crs=CRS
    )
    tables: Tables = {
        "communities": communities,
        "sites": sites,
        "facilities": build_facilities(communities, offices, areas, needs, number),
        "streets": build_streets(communities, offices),
        "needs": needs,
        "districts": outlines,
    }
    for name in list(tables):
        given = set(tables[name].columns)
        tables[name] = tables[name][[c for c in (*TABLES[name].names, "geometry") if c in given]]
    tables["facts"] = facts
    tables["provenance"] = build_provenance(
        studied, {name: list(tables[name].columns) for name in tables if name in TABLES}
    )
    return tables


def write(tables: Tables, path: Path) -> None:
    """Write all layers to a new GeoPackage at `path`; an old file there is replaced when the new one is whole."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2006-12-01T00:00:00.000Z"})
    unfinished = path.with_name(f"{path.stem}.unfinished.gpkg")
    unfinished.unlink(missing_ok=True)
    for name, table in tables.items():
        pyogrio.write_dataframe(table, unfinished, layer=name, driver="GPKG")
    unfinished.replace(path)


def main() -> None:
    """Build the city and write it where the project keeps it, or to `--out`."""
    parser = argparse.ArgumentParser(description="Build the reference city Mianyang.")
    parser.add_argument("--out", type=Path, default=CITY, help="GeoPackage to write")
    out = parser.parse_args().out
    tables = build()
    write(tables, out)
    sys.stdout.write(f"{out}: {', '.join(f'{len(table)} {name}' for name, table in tables.items())}\n")


if __name__ == "__main__":
    main()
