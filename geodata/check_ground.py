"""Checks of geometries: validity, overlaps and gaps, places outside their community."""

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from geodata.check_columns import feature
from geodata.city import City
from geodata.findings import Finding
from geodata.schema import TABLES

FAR_M = 250.0  # how far from its community's polygon a building may lie, or a tenth of the polygon's width
SLIVER_SHARE = 0.01  # overlaps below this share of the smaller polygon are added up in one finding
_REPAIR = "repair it (QGIS: Fix geometries)"
Geometries = NDArray[np.object_]


def check_ground(city: City) -> list[Finding]:
    """Return what is wrong or odd on the map."""
    found: list[Finding] = []
    for name, table in TABLES.items():
        if table.geometry == "polygon":
            found += _invalid(city, name)
    shapes = city.communities.geometry.to_numpy()
    usable = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    usable[usable] = shapely.is_valid(shapes[usable])
    found += _overlaps(city, shapes, usable)
    found += _gaps(city, shapes, usable)
    for name in ("sites", "facilities"):
        found += _outside(city, name, shapes, usable)
    return found


def _invalid(city: City, name: str) -> Iterable[Finding]:
    frame = city.table(name)
    assert isinstance(frame, gpd.GeoDataFrame)
    shapes = frame.geometry.to_numpy()
    there = ~shapely.is_missing(shapes)
    for p in np.flatnonzero(there & ~shapely.is_valid(shapes)).tolist():
        reason = shapely.is_valid_reason(shapes[p])
        yield city.finding(
            "error", name, p, f"geometry is invalid ({reason})", feature=feature(city, name, p), remedy=_REPAIR
        )
    zero = there & shapely.is_valid(shapes) & (shapely.area(shapes) == 0)
    for p in np.flatnonzero(zero).tolist():
        yield city.finding("error", name, p, "geometry has no area", feature=feature(city, name, p), remedy=_REPAIR)


def _overlaps(city: City, shapes: Geometries, usable: NDArray[np.bool_]) -> Iterable[Finding]:
    positions = np.flatnonzero(usable)
    polygons = shapes[positions]
    a, b = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    a, b = a[a < b], b[a < b]
    area = shapely.area(shapely.intersection(polygons[a], polygons[b]))
    smaller = np.minimum(shapely.area(polygons[a]), shapely.area(polygons[b]))
    large = area > SLIVER_SHARE * smaller
    for k in np.flatnonzero(large)[np.argsort(-area[large], kind="stable")].tolist():
        p, q = int(positions[a[k]]), int(positions[b[k]])
        yield city.finding(
            "warning",
            "communities",
            p,
            f"overlaps {feature(city, 'communities', q)} by {_area(area[k])}",
            feature=feature(city, "communities", p),
            value=f"{area[k] / smaller[k]:.0%} of the smaller",
            limit="no overlap",
            remedy="draw the border between them once",
        )
    small = area[~large]
    if small.sum() > 100:
        yield city.finding(
            "warning",
            "communities",
            None,
            f"{count(int((small > 1).sum()), 'sliver')} of overlap, together {_area(small.sum())}",
            limit="no overlap",
            remedy="harmless for planning; draw shared borders once",
        )


def _gaps(city: City, shapes: Geometries, usable: NDArray[np.bool_]) -> Iterable[Finding]:
    positions = np.flatnonzero(usable)
    if not len(positions):
        return
    whole = shapely.union_all(shapes[positions])
    rings = [ring for part in shapely.get_parts(whole) for ring in part.interiors]
    holes = [h for h in (shapely.Polygon(ring) for ring in rings) if h.area > 1]
    if not holes:
        return
    holes.sort(key=lambda h: -h.area)
    near = int(positions[np.argmin(shapely.distance(shapes[positions], holes[0]))])
    together = sum(h.area for h in holes)
    yield city.finding(
        "warning",
        "communities",
        None,
        f"{count(len(holes), 'gap')} between the communities, together {_area(together)}; "
        f"the largest has {_area(holes[0].area)} beside {feature(city, 'communities', near)}",
        limit="no gap",
        remedy="nobody lives there? else extend the polygons around",
    )


def count(number: int, word: str) -> str:
    """Return a number with its word, in the plural where it is not 1."""
    return f"{number:,} {word}" + ("s" if number != 1 else "")


def _area(m2: float) -> str:
    return f"{m2 / 1e6:,.2f} km2" if m2 >= 100_000 else f"{m2:,.0f} m2"


def _outside(city: City, name: str, shapes: Geometries, usable: NDArray[np.bool_]) -> Iterable[Finding]:
    frame = city.table(name)
    assert isinstance(frame, gpd.GeoDataFrame)
    if not len(frame) or not usable.any():
        return
    position = {c: i for i, c in enumerate(city.communities["community"])}
    home = np.array([position.get(c, -1) for c in frame["community"]])
    points = frame.geometry.to_numpy()
    known = (home >= 0) & ~shapely.is_missing(points)
    known[known] &= usable[home[known]]
    distance = np.zeros(len(frame))
    distance[known] = shapely.distance(points[known], shapes[home[known]])
    limit = np.full(len(frame), FAR_M)
    limit[known] = np.maximum(FAR_M, 0.1 * np.sqrt(shapely.area(shapes[home[known]])))
    box = shapely.total_bounds(shapes[usable])
    diagonal = float(np.hypot(box[2] - box[0], box[3] - box[1]))
    middle = float(np.median(distance[known])) if known.any() else 0.0
    if middle > diagonal:
        remedy = "check the coordinate system of both layers, and that longitude comes before latitude"
        message, limit_km = (
            f"lie {middle / 1000:,.0f} km away from the communities",
            f"within {diagonal / 1000:,.0f} km",
        )
        yield city.finding("error", name, None, message, limit=limit_km, remedy=remedy)
        return
    tree, positions = shapely.STRtree(shapes[usable]), np.flatnonzero(usable)
    for p in np.flatnonzero(known & (distance > limit)).tolist():
        inside = tree.query(points[p], predicate="within")
        where = f", in {feature(city, 'communities', int(positions[inside[0]]))}" if len(inside) else ""
        yield city.finding(
            "warning",
            name,
            p,
            f"lies {distance[p]:,.0f} m outside its community{where}",
            feature=feature(city, name, p),
            column="community",
            value=str(frame["community"].iloc[p]),
            limit=f"within {limit[p]:,.0f} m",
            remedy="move it or name the community it lies in",
        )
