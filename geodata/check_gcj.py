"""Whether places look shifted by GCJ-02 against the other layers, which no file says by itself."""

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from geodata import crs as systems
from geodata.city import City
from geodata.findings import Finding

MIN_PLACES = 20
MIN_M = 40.0  # places nearer to the streets than this are where they should be
RATIO = 2.5


def check_gcj02(city: City) -> list[Finding]:
    """Return a finding for sites or facilities that fit the streets far better when taken for GCJ-02.

    Buildings stand along streets. Where the middle distance of places to the nearest street drops to 1/2.5 or less
    once they are converted, and is above 40 m before, they are in GCJ-02 (some 300 to 700 m off in China) while the
    streets are not.
    """
    if not len(city.streets) or not len(city.communities):
        return []
    return [f for name in ("sites", "facilities") for f in _shifted(city, name)]


def _shifted(city: City, name: str) -> Iterable[Finding]:
    frame = city.table(name)
    assert isinstance(frame, gpd.GeoDataFrame)
    places = frame.geometry[frame.geometry.notna()].drop_duplicates()
    if len(places) < MIN_PLACES:
        return
    lines = city.streets.geometry.to_numpy()
    lines = lines[~shapely.is_missing(lines)]
    if not len(lines):
        return
    degrees = gpd.GeoDataFrame(geometry=places).to_crs(systems.WGS84)
    converted = systems.convert_gcj02(degrees).to_crs(frame.crs).geometry
    east = float(np.median(places.x.to_numpy() - converted.x.to_numpy()))
    north = float(np.median(places.y.to_numpy() - converted.y.to_numpy()))
    if np.hypot(east, north) < 1:
        return
    tree = shapely.STRtree(lines)
    before, after = _to_streets(tree, places.to_numpy()), _to_streets(tree, converted.to_numpy())
    if before < MIN_M or before < RATIO * after:
        return
    yield city.finding(
        "error",
        name,
        None,
        f"coordinates look like GCJ-02 (median shift {np.hypot(east, north):.0f} m, {_side(east, 'east', 'west')}, "
        f"{_side(north, 'north', 'south')}; the middle distance to the streets is {before:.0f} m, "
        f"{after:.0f} m once converted)",
        limit="the coordinate system the data says",
        remedy=f"declare crs: GCJ-02 (data.layers.{name}.crs)",
    )


def _side(metres: float, plus: str, minus: str) -> str:
    return f"{abs(metres):.0f} m {plus if metres > 0 else minus}"


def _to_streets(tree: shapely.STRtree, points: NDArray[np.object_]) -> float:
    """Middle distance of points to the nearest street."""
    _, distance = tree.query_nearest(points, return_distance=True, all_matches=False)
    return float(np.median(distance))
