"""Outlines as paths of an inline SVG: simplified together so that neighbours keep touching, in whole map units."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely

from optimizer.report.html import Html, tag

WIDTH = 100_000  # map units across; a whole number a path can hold
MOST_VERTICES = 60_000

SEQUENTIAL = ("#fdf6c3", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#0c2c84")
SHARE_EDGES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
DIVERGING = ("#8c510a", "#d8a24a", "#f3dfb2", "#f1f1f1", "#b7ddd7", "#5ab4ac", "#01665e")
NO_VALUE = "#d5d5d5"


@dataclass(frozen=True)
class Outline:
    """Outlines of a city in map units: x to the right, y downwards, the width is `WIDTH`."""

    paths: list[str]
    boxes: list[tuple[int, int, int, int]]
    borders: list[str]
    height: int
    left: float
    top: float
    scale: float

    def place(self, x: float, y: float) -> tuple[int, int]:
        """Return metric coordinates as map units."""
        return round((x - self.left) * self.scale), round((self.top - y) * self.scale)


def outline(communities: gpd.GeoDataFrame, districts: gpd.GeoDataFrame) -> Outline:
    """Return the outlines of communities and districts, simplified to a resolution a screen can show."""
    left, bottom, right, top = (float(v) for v in communities.total_bounds)
    scale = WIDTH / max(right - left, 1.0)
    shapes = simplified(np.asarray(communities.geometry), max(right - left, top - bottom))
    borders = _borders(communities, shapes) if len(set(communities["district"])) > 1 else []
    made = Outline([], [], [], max(1, round((top - bottom) * scale)), left, top, scale)
    made.paths.extend(_path(made, shape) for shape in shapes)
    made.borders.extend(_path(made, shape) for shape in borders)
    for shape in shapes:
        west, south, east, north = shape.bounds if not shape.is_empty else (left, bottom, right, top)
        made.boxes.append((*made.place(west, north), *made.place(east, south)))
    del districts
    return made


def simplified(shapes: np.ndarray, extent: float) -> Sequence[shapely.Geometry]:
    """Return polygons with at most `MOST_VERTICES` vertices in all; shared borders stay shared."""
    tolerance = extent / 20_000
    result = shapes
    for _ in range(8):
        if int(shapely.get_num_coordinates(result).sum()) <= MOST_VERTICES:
            break
        if bool(shapely.coverage_is_valid(shapes)):
            result = shapely.coverage_simplify(shapes, tolerance)
        else:
            result = shapely.simplify(shapes, tolerance)
        tolerance *= 2
    kept = [new if not new.is_empty else old for new, old in zip(result, shapes, strict=True)]
    return kept


def _borders(communities: gpd.GeoDataFrame, shapes: Sequence[shapely.Geometry]) -> list[shapely.Geometry]:
    """Return the outlines of districts, joined from the simplified communities so that they coincide."""
    names = np.asarray(communities["district"], dtype=object)
    borders = []
    for name in sorted(set(names)):
        members = [shape for shape, own in zip(shapes, names, strict=True) if own == name]
        borders.append(shapely.union_all([shapely.make_valid(m) for m in members]))
    return borders


def _path(made: Outline, shape: shapely.Geometry) -> str:
    """Return polygons as path commands with relative whole steps."""
    parts = []
    for polygon in shapely.get_parts(shape):
        if polygon.geom_type != "Polygon":
            continue
        for ring in (polygon.exterior, *polygon.interiors):
            parts.append(_ring([made.place(x, y) for x, y in shapely.get_coordinates(ring)]))
    return "".join(parts)


def _ring(points: list[tuple[int, int]]) -> str:
    steps, (at_x, at_y) = [], points[0]
    for x, y in points[1:-1]:
        if (x, y) != (at_x, at_y):
            steps.append(f"{x - at_x} {y - at_y}")
            at_x, at_y = x, y
    return f"M{points[0][0]} {points[0][1]}l{' '.join(steps)}z" if steps else ""


def shade(value: float | None, edges: Sequence[float], colours: Sequence[str]) -> str:
    """Return the colour of a value: the first where it lies below the first edge, and so on."""
    if value is None or value != value:
        return NO_VALUE
    return colours[sum(value >= edge for edge in edges)]


def svg(made: Outline, fills: Sequence[str], titles: Sequence[str], label: str) -> Html:
    """Return the map; every community is a path with `data-i`, ready for the page's script."""
    shapes = [
        tag("path", tag("title", title), d=path, fill=fill, data_i=i)
        for i, (path, fill, title) in enumerate(zip(made.paths, fills, titles, strict=True))
    ]
    edge = WIDTH // 100
    layers = [
        tag("g", *shapes, id="areas"),
        tag("g", *(tag("path", d=path) for path in made.borders), id="borders"),
        tag("g", id="marks"),
        tag("g", id="chosen"),
    ]
    box = f"{-edge} {-edge} {WIDTH + 2 * edge} {made.height + 2 * edge}"
    return tag("svg", *layers, id="map", viewBox=box, role="application", aria_label=label, tabindex="0")
