"""Street networks read from files: GraphML, or lines in any format of the city's tables."""

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd

from geodata.files import read_rows, shown
from geodata.findings import Finding, InputError
from geodata.street_build import network_of_lines
from geodata.street_network import StreetNetwork
from geodata.street_words import WALKING_KMH


def read_network(
    path: str | Path,
    *,
    mode: str = "walking",
    layer: str = "",
    barriers: str | Path | None = None,
    speeds_kmh: Mapping[str, float] | None = None,
    walking_kmh: float = WALKING_KMH,
    columns: Mapping[str, str] | None = None,
    crs: str = "",
) -> StreetNetwork:
    """Return the network of a file: GraphML, or lines in any format read here (GeoPackage, GeoJSON, Shapefile, …).

    `layer` and `barriers` name the layer of streets and a file of barriers. Else as `network_of_lines`.
    """
    file = Path(path)
    wall = None if barriers is None else _rows(Path(barriers), "barriers", "")
    return network_of_lines(
        _rows(file, "streets", layer), mode=mode, barriers=wall, speeds_kmh=speeds_kmh, walking_kmh=walking_kmh,
        columns=columns, crs=crs, file=shown(file),
    )  # fmt: skip


def _rows(file: Path, table: str, layer: str) -> gpd.GeoDataFrame:
    raw = read_rows(file, table, layer)
    if raw is None or not isinstance(raw.frame, gpd.GeoDataFrame):
        said = f"has no layer {table}" if raw is None else "has no geometries"
        raise InputError([Finding("error", shown(file), table, message=said, remedy="name the layer of lines")])
    return raw.frame
