"""Streets open to walkers or drivers, cut into pieces where they meet, and where places hang on them."""

import itertools
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geodata.read import City

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Junction = tuple[float, float]
Shapes = NDArray[np.object_]
GRID_M = 0.01  # vertices that agree to the centimetre are one
TIE_M = 0.001  # streets equally near, to the millimetre: the first counts
CLOSED_TO_WALKERS = {"motorway"}


@dataclass(frozen=True)
class Open:
    """Pieces of open streets: junctions at their ends, lines, length, minutes, directions; and the barriers."""

    tail: list[Junction]
    head: list[Junction]
    lines: Shapes
    metres: Floats
    minutes: Floats
    ahead: Bools
    back: Bools
    barriers: Shapes

    @cached_property
    def lengths(self) -> Floats:
        """Length of the line of each piece, which `metres` may differ from."""
        return np.asarray(shapely.length(self.lines), dtype=float)

    def between(self, start: Floats, goal: Floats) -> Bools:
        """Whether the straight line of each pair (n, 2) crosses a barrier."""
        if not len(self.barriers):
            return np.zeros(len(start), dtype=bool)
        return _crosses(shapely.linestrings(np.stack([start, goal], axis=1)), self.barriers)


def open_streets(city: City, rules: dict[str, Any], mode: str) -> Open:
    """Return the streets of a city that a mode may use; `rules` is the scenario's part `travel`."""
    barriers = _there(city.barriers.geometry.to_numpy())
    streets = city.streets[~(city.streets.geometry.isna() | city.streets.geometry.is_empty)]
    cut = [_rounded(line) for line in streets.geometry]
    times = Counter(vertex for vertices, _ in cut for vertex in vertices)
    tail: list[Junction] = []
    head: list[Junction] = []
    lines: list[Any] = []
    of: list[int] = []
    for row, (vertices, xy) in enumerate(cut):
        stops = [i for i, v in enumerate(vertices) if i in (0, len(vertices) - 1) or times[v] > 1]
        for first, last in itertools.pairwise(stops):
            line = shapely.linestrings(xy[first : last + 1])
            if line.length > (GRID_M if vertices[first] == vertices[last] else 0.0):
                tail.append(vertices[first])
                head.append(vertices[last])
                lines.append(line)
                of.append(row)
    street = np.array(of, dtype=np.int64)
    shapes = np.array(lines, dtype=object)
    speed = _speeds(streets["class"].tolist(), streets["speed_kmh"].to_numpy(dtype=float), rules, mode)
    usable = (speed > 0)[street]
    usable &= ~_cut_off(shapes, street, barriers) | streets["bridge"].to_numpy(dtype=bool)[street]
    length = shapely.length(shapes)
    whole = np.bincount(street, weights=length, minlength=len(streets))
    given = streets["length_m"].to_numpy(dtype=float)
    factor = np.where(np.isfinite(given), given, whole) / np.where(whole > 0, whole, 1.0)
    metres = length * factor[street]
    way = streets["one_way"].to_numpy(dtype=int)[street] * (mode == "driving")
    keep = np.flatnonzero(usable)
    return Open(
        tail=[tail[k] for k in keep],
        head=[head[k] for k in keep],
        lines=shapes[keep],
        metres=metres[keep],
        minutes=metres[keep] * 0.06 / speed[street[keep]],
        ahead=way[keep] >= 0,
        back=way[keep] <= 0,
        barriers=barriers,
    )


def _there(shapes: Shapes) -> Shapes:
    return np.asarray(shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))], dtype=object)


def _rounded(line: Any) -> tuple[list[Junction], Floats]:
    """Vertices of a line to the centimetre, and as they are."""
    xy = shapely.get_coordinates(line)
    return [(x, y) for x, y in (np.rint(xy / GRID_M) * GRID_M + 0.0).tolist()], xy


def _speeds(classes: list[str], given: Floats, rules: dict[str, Any], mode: str) -> Floats:
    """Speed on every street in km/h; 0 where the mode may not go."""
    plain = [name.removesuffix("_link") for name in classes]
    if mode == "walking":
        return np.array([0.0 if name in CLOSED_TO_WALKERS else rules["walking_kmh"] for name in plain], dtype=float)
    table = rules["driving_kmh"]
    speed = [float(table.get(full, table.get(name, table[""]))) for full, name in zip(classes, plain, strict=True)]
    by_class = np.array(speed, dtype=float)
    return np.where(np.isfinite(given) & (by_class > 0), given, by_class)


def _crosses(lines: Shapes, barriers: Shapes) -> Bools:
    """Whether each line crosses a barrier; one that only touches it with an end does not."""
    out = np.zeros(len(lines), dtype=bool)
    if len(lines) and len(barriers):
        line, wall = shapely.STRtree(barriers).query(lines, predicate="intersects")
        real = ~shapely.touches(lines[line], barriers[wall])
        out[line[real]] = True
    return out


def _cut_off(pieces: Shapes, street: NDArray[np.int64], barriers: Shapes) -> Bools:
    """Whether each piece crosses a barrier, or meets one that its street as a whole crosses."""
    crosses = _crosses(pieces, barriers)
    if not len(barriers) or not len(pieces):
        return crosses
    meets = np.zeros(len(pieces), dtype=bool)
    meets[shapely.STRtree(barriers).query(pieces, predicate="intersects")[0]] = True
    for row in np.unique(street[meets & ~crosses]):
        mine = np.flatnonzero(street == row)
        whole = np.array([shapely.MultiLineString(list(pieces[mine]))], dtype=object)
        if _crosses(whole, barriers)[0]:
            crosses[mine[meets[mine]]] = True
    return crosses


def snapped(streets: Open, xy: Floats, limit_m: float) -> list[tuple[int, float, float]]:
    """Where each place (n, 2) meets the streets: piece (-1: nowhere), share of it from its tail, metres to there.

    It is the nearest piece within the limit that no barrier keeps it from.
    """
    tree = shapely.STRtree(streets.lines)
    places, back = np.unique(xy, axis=0, return_inverse=True)
    found = []
    for point in shapely.points(places):
        at = int(tree.nearest(point))
        least = shapely.distance(point, streets.lines[at])
        piece = int(tree.query(point, predicate="dwithin", distance=least + TIE_M).min())
        found.append(_hung(streets, tree, point, piece, limit_m))
    return [found[k] for k in back.reshape(-1)]


def _hung(streets: Open, tree: shapely.STRtree, point: Any, piece: int, limit_m: float) -> tuple[int, float, float]:
    """Place on a piece, or on the nearest other one where a barrier is between."""
    away = float(shapely.distance(point, streets.lines[piece]))
    if away > limit_m:
        return -1, 0.0, np.inf
    if away > 0 and len(streets.barriers) and _blocked(streets, point, piece):
        near = sorted(tree.query(point, predicate="dwithin", distance=limit_m).tolist())
        free = [(float(shapely.distance(point, streets.lines[k])), k) for k in near if not _blocked(streets, point, k)]
        if not free:
            return -1, 0.0, np.inf
        away, piece = min(free)
    return piece, float(shapely.line_locate_point(streets.lines[piece], point, normalized=True)), away


def _blocked(streets: Open, point: Any, piece: int) -> bool:
    way = np.array([shapely.shortest_line(point, streets.lines[piece])], dtype=object)
    return bool(_crosses(way, streets.barriers)[0])
