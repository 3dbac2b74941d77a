"""Coordinate systems: what was declared, GCJ-02, and the metric system a city is planned in."""

import re

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Geod, Proj
from pyproj.exceptions import CRSError, ProjError

Floats = NDArray[np.float64]
WGS84 = "EPSG:4326"
GCJ02 = "GCJ-02"
_GCJ_NAMES = {"gcj02", "gcj-02", "gcj_02", "gcj 02", "mars"}
_A = 6378245.0  # Krasovsky 1940, on which the GCJ-02 offset is built
_EE = 0.00669342162296594323
_MAX_DISTORTION = 0.01


def is_gcj02(text: str) -> bool:
    """Return whether a declared coordinate system means GCJ-02."""
    return text.strip().casefold() in _GCJ_NAMES


def parse_crs(text: str) -> CRS:
    """Return the coordinate system declared as `text` (EPSG:4326, 4326, a name); ValueError where there is none."""
    text = text.strip()
    if re.fullmatch(r"\d{4,6}", text):
        text = f"EPSG:{text}"
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise ValueError(f"{text!r} is not a known coordinate system") from error


def label(crs: CRS) -> str:
    """Return a short name such as EPSG:32648, else the system's WKT."""
    authority = crs.to_authority(min_confidence=70)
    return ":".join(authority) if authority else crs.to_wkt()


def _gcj_offset(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Offset of GCJ-02 from WGS-84 at WGS-84 places, in degrees (zero outside China)."""
    x, y = lon - 105.0, lat - 35.0
    common = (20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi)) * 2 / 3
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + common
    d_lat += (20 * np.sin(y * np.pi) + 40 * np.sin(y / 3 * np.pi)) * 2 / 3
    d_lat += (160 * np.sin(y / 12 * np.pi) + 320 * np.sin(y * np.pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + common
    d_lon += (20 * np.sin(x * np.pi) + 40 * np.sin(x / 3 * np.pi)) * 2 / 3
    d_lon += (150 * np.sin(x / 12 * np.pi) + 300 * np.sin(x / 30 * np.pi)) * 2 / 3
    radians = np.radians(lat)
    magic = 1 - _EE * np.sin(radians) ** 2
    d_lat = np.degrees(d_lat * magic * np.sqrt(magic) / (_A * (1 - _EE)))
    d_lon = np.degrees(d_lon * np.sqrt(magic) / (_A * np.cos(radians)))
    outside = (lon < 72.004) | (lon > 137.8347) | (lat < 0.8293) | (lat > 55.8271)
    return np.where(outside, 0.0, d_lon), np.where(outside, 0.0, d_lat)


def gcj02_to_wgs84(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Return WGS-84 longitudes and latitudes of GCJ-02 ones, in degrees, by iterating the forward offset."""
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    x, y = lon.copy(), lat.copy()
    for _ in range(30):
        d_lon, d_lat = _gcj_offset(x, y)
        new_x, new_y = lon - d_lon, lat - d_lat
        done = x.size == 0 or max(np.abs(new_x - x).max(), np.abs(new_y - y).max()) < 1e-10
        x, y = new_x, new_y
        if done:
            break
    return x, y


def convert_gcj02(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the frame with GCJ-02 longitudes and latitudes turned into WGS-84 ones."""

    def shift(xy: Floats) -> Floats:
        return np.column_stack(gcj02_to_wgs84(xy[:, 0], xy[:, 1]))

    moved = shapely.transform(frame.geometry.to_numpy(), shift)
    return frame.set_geometry(gpd.GeoSeries(moved, index=frame.index, crs=WGS84))


def distortion(crs: CRS, lon: float, lat: float) -> float:
    """Return how far lengths of a projected system are off at a place (0.01 is one in a hundred)."""
    try:
        factors = Proj(crs).get_factors(lon, lat)
    except ProjError:
        return float("inf")
    return max(abs(factors.meridional_scale - 1), abs(factors.parallel_scale - 1))


def is_metric(crs: CRS) -> bool:
    """Return whether a system is projected with metres on both axes."""
    return crs.is_projected and all(abs(axis.unit_conversion_factor - 1) < 1e-9 for axis in crs.axis_info[:2])


def metric_crs_for(frame: gpd.GeoDataFrame) -> CRS:
    """Return the system to plan in: the frame's own if it is metric and true to length here, else the local UTM zone.

    Web Mercator, for example, is metric but stretches lengths in the middle latitudes.
    """
    crs = CRS.from_user_input(frame.crs)
    lon, lat = centre(frame)
    if is_metric(crs) and distortion(crs, lon, lat) <= _MAX_DISTORTION:
        return crs
    zone = min(60, int((lon + 180) // 6) + 1)
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + zone)


def centre(frame: gpd.GeoDataFrame) -> tuple[float, float]:
    """Return the longitude and latitude of the middle of a frame's bounding box."""
    x0, y0, x1, y1 = frame.total_bounds
    point = gpd.GeoSeries([shapely.Point((x0 + x1) / 2, (y0 + y1) / 2)], crs=frame.crs).to_crs(WGS84)
    return float(point.x.iloc[0]), float(point.y.iloc[0])


def coordinate_trouble(frame: gpd.GeoDataFrame, gcj: bool = False) -> tuple[str, str, str] | None:
    """Return (value, message, remedy) where the coordinates cannot be what their system says, else None.

    Finds degrees under a metric system, metres under a geographic one, latitude and longitude swapped, and places
    far outside the system's area of use.
    """
    bounds = frame.total_bounds
    if not np.isfinite(bounds).all():
        return None
    x0, y0, x1, y1 = (float(b) for b in bounds)
    crs = CRS.from_user_input(frame.crs)
    value = f"x {x0:.6g} to {x1:.6g}, y {y0:.6g} to {y1:.6g}"
    name = GCJ02 if gcj else label(crs) if len(label(crs)) < 40 else crs.name
    if crs.is_geographic:
        if _within(x0, x1, 180.0001) and _within(y0, y1, 90.0001):
            return None
        if _within(x0, x1, 90) and _within(y0, y1, 180):
            return value, f"latitude and longitude look swapped for {name}", "write longitude (x) before latitude (y)"
        remedy = "declare the projected system they are in (crs of this layer)"
        return value, f"coordinates are no degrees, but the coordinate system is {name}", remedy
    if _within(x0, x1, 180) and _within(y0, y1, 180):
        remedy = "declare the geographic system they are in, for example crs: EPSG:4326 (or GCJ-02)"
        return value, f"coordinates look like degrees, but the coordinate system is {name}", remedy
    return _outside_area_of_use(frame, crs, name, value)


def _within(low: float, high: float, most: float) -> bool:
    return -most <= low and high <= most


def _outside_area_of_use(frame: gpd.GeoDataFrame, crs: CRS, name: str, value: str) -> tuple[str, str, str] | None:
    remedy = "check the coordinate system; declare the right one (crs of this layer)"
    try:
        lon, lat = centre(frame)
    except ProjError:
        lon = lat = float("inf")
    if not (np.isfinite(lon) and np.isfinite(lat)):
        return value, f"coordinates cannot be places in {name}", remedy
    area = crs.area_of_use
    if area is None:
        return None
    if area.south - 3 <= lat <= area.north + 3:
        if area.west <= area.east and area.west - 5 <= lon <= area.east + 5:
            return None
        if area.west > area.east and (lon >= area.west - 5 or lon <= area.east + 5):
            return None
    where = f"{lon:.2f}°, {lat:.2f}°"
    return value, f"lies at longitude and latitude {where}, far outside the area of use of {name}", remedy


def ground_metres(lon0: float, lat0: float, lon1: float, lat1: float) -> float:
    """Return the length in metres of the geodesic between two WGS-84 places."""
    return float(Geod(ellps="WGS84").inv(lon0, lat0, lon1, lat1)[2])
