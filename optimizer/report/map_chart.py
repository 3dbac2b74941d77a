"""Outlines as paths of an inline SVG: simplified together so that neighbours keep touching, in whole map units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely

from optimizer.report.html import Html, tag
from optimizer.report.map_parts import parts

WIDTH = 100_000  # map units across; a whole number a path can hold
MOST_VERTICES = 60_000
LETTERS = 15  # of the name of a part; longer ones are cut
BETWEEN = 2  # letters left free between two names

SEQUENTIAL = ("#fdf6c3", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#0c2c84")
SHARE_EDGES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
DIVERGING = ("#8c510a", "#d8a24a", "#f3dfb2", "#f1f1f1", "#b7ddd7", "#5ab4ac", "#01665e")
NO_VALUE = "#d5d5d5"


@dataclass(frozen=True)
class Outline:
    """Outlines of a city in map units: x to the right, y downwards, the width is `WIDTH`.

    Parts of a city that lie far apart are moved together (`moved`), all at one scale; `part` is the part of each
    community, `labels` are position and text of each part's name.
    """

    paths: list[str]
    boxes: list[tuple[int, int, int, int]]
    borders: list[str]
    labels: list[tuple[int, int, str]]
    part: list[int]
    shifts: list[tuple[float, float]]
    scale: float
    height: int
    moved: bool

    def place(self, x: float, y: float, part: int) -> tuple[int, int]:
        """Return metric coordinates of a place in a part of the city as map units."""
        east, south = self.shifts[part]
        return round((x - east) * self.scale), round((south - y) * self.scale)


def outline(communities: gpd.GeoDataFrame, names: Mapping[str, str]) -> Outline:
    """Return the outlines of communities and districts, simplified to what a screen can show.

    `names` are the names of districts, for the labels of parts that are moved together.
    """
    left, bottom, right, top = (float(v) for v in communities.total_bounds)
    shapes = np.asarray(simplified(np.asarray(communities.geometry), max(right - left, top - bottom)), dtype=object)
    part, arranged = parts(shapes, (left, bottom, right, top), LETTERS + BETWEEN)
    scale = WIDTH / max(arranged.width, 1.0)
    made = Outline([], [], [], [], part, arranged.shifts, scale, max(1, round(arranged.height * scale)), arranged.moved)
    district = np.asarray(communities["district"], dtype=object)
    for shape, own in zip(shapes, part, strict=True):
        made.paths.append(_path(made, shape, own))
        west, south, east, north = shape.bounds if not shape.is_empty else (left, bottom, left, bottom)
        made.boxes.append((*made.place(west, north, own), *made.place(east, south, own)))
    pairs = sorted({(str(d), own) for d, own in zip(district, part, strict=True)})
    for name, own in pairs if len(pairs) > 1 else []:
        members = [s for s, d, p in zip(shapes, district, part, strict=True) if d == name and p == own]
        made.borders.append(_path(made, shapely.union_all([shapely.make_valid(m) for m in members]), own))
    for own, (x, y) in enumerate(arranged.corners if arranged.moved else []):
        inside = [str(d) for d, p in zip(district, part, strict=True) if p == own]
        most = sorted(set(inside), key=lambda d: -inside.count(d))
        text = " and ".join(names.get(d, d) for d in most[:2]) + (" …" if len(most) > 2 else "")
        if own and len(text) > LETTERS:
            text = text[: LETTERS - 1].rstrip() + "…"
        made.labels.append((round(x * scale), round(y * scale), text))
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
    return [new if not new.is_empty else old for new, old in zip(result, shapes, strict=True)]


def _path(made: Outline, shape: shapely.Geometry, part: int) -> str:
    """Return polygons as path commands with relative whole steps."""
    pieces = []
    for polygon in shapely.get_parts(shape):
        if polygon.geom_type != "Polygon":
            continue
        rings = (polygon.exterior, *polygon.interiors)
        pieces += [_ring([made.place(x, y, part) for x, y in shapely.get_coordinates(ring)]) for ring in rings]
    return "".join(pieces)


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
        tag("g", *(tag("text", text, x=x, y=y) for x, y, text in made.labels), id="labels"),
        tag("g", id="marks"),
        tag("g", id="chosen"),
    ]
    box = f"{-edge} {-edge} {WIDTH + 2 * edge} {made.height + 2 * edge}"
    return tag("svg", *layers, id="map", viewBox=box, role="application", aria_label=label, tabindex="0")
