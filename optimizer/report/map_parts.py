"""Parts of a city that lie far apart, moved together so that a map shows communities and not the land between them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

Box = tuple[float, float, float, float]  # west, south, east, north, in metres
SPARSE = 0.35  # parts that cover less of the whole than this are moved together
TOGETHER = 0.01  # communities nearer than this part of the whole extent belong to one part
MARGIN = 0.05  # between parts, of the larger side of the largest part
LETTER = 0.0115  # width of a letter of a name as a part of the picture's width
ASPECT = 1.05  # width to height the arrangement should come close to


@dataclass(frozen=True)
class Arrangement:
    """Where each part stands: `shifts` are the metric coordinates of the picture's corner for each part.

    `corners` are the top left corners of the parts' names, in metres from the picture's corner.
    """

    shifts: list[tuple[float, float]]
    corners: list[tuple[float, float]]
    width: float
    height: float
    moved: bool


def parts(shapes: "np.ndarray[Any, Any]", whole: Box, letters: int) -> tuple[list[int], Arrangement]:
    """Return the part of each shape (largest part first) and where the parts stand; all at one scale.

    Every part gets room for a name of so many `letters`.
    """
    west, south, east, north = whole
    extent = max(east - west, north - south)
    part = _connected(shapes, extent * TOGETHER)
    boxes = [_box(shapes[np.asarray(part) == own]) for own in range(max(part, default=-1) + 1)]
    area = sum((b[2] - b[0]) * (b[3] - b[1]) for b in boxes)
    if len(boxes) < 2 or area >= SPARSE * (east - west) * (north - south):
        one = Arrangement([(west, north)], [], east - west, north - south, moved=False)
        return [0] * len(shapes), one
    return part, arrange(boxes, letters)


def _box(shapes: "np.ndarray[Any, Any]") -> Box:
    west, south, east, north = shapely.total_bounds(shapes)
    return float(west), float(south), float(east), float(north)


def _connected(shapes: "np.ndarray[Any, Any]", distance: float) -> list[int]:
    """Return the number of the connected part of each shape, the part with the largest box first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    tree = shapely.STRtree(shapes)
    one, other = tree.query(shapes, predicate="dwithin", distance=distance)
    links = coo_array((np.ones(len(one)), (one, other)), shape=(len(shapes), len(shapes)))
    count, found = connected_components(links, directed=False)
    sizes = [shapely.box(*_box(shapes[found == own])).area for own in range(count)]
    order = sorted(range(count), key=lambda own: (-sizes[own], int(np.argmax(found == own))))
    rank = {own: place for place, own in enumerate(order)}
    return [rank[int(own)] for own in found]


def arrange(boxes: list[Box], letters: int) -> Arrangement:
    """Return an arrangement of parts in rows below each other that comes close to `ASPECT`."""
    margin = MARGIN * max(max(b[2] - b[0], b[3] - b[1]) for b in boxes)
    area = sum((b[2] - b[0] + margin) * (b[3] - b[1] + 2 * margin) for b in boxes)
    name = LETTER * letters * float(np.sqrt(1.2 * ASPECT * area))
    sizes = [(max(b[2] - b[0], name) + margin, b[3] - b[1] + 2 * margin) for b in boxes]  # the name stands above
    least, most = max(w for w, _ in sizes), sum(w for w, _ in sizes)
    tried = [_rows(sizes, least + (most - least) * k / 24) for k in range(25)]
    corners, width, height = min(tried, key=lambda t: max(t[1] / ASPECT, t[2]))
    shifts = [(box[0] - x - margin / 2, box[3] + y + 1.5 * margin) for box, (x, y) in zip(boxes, corners, strict=True)]
    names = [(x + margin / 2, y + margin) for x, y in corners]
    return Arrangement(shifts, names, width, height, moved=True)


def _rows(sizes: list[tuple[float, float]], width: float) -> tuple[list[tuple[float, float]], float, float]:
    """Return corners of boxes set one after another into columns beside the first or rows below, and the size."""
    corners: list[tuple[float, float]] = [(0.0, 0.0)] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], i))
    x = y = row = used = 0.0
    at = 0
    while at < len(order):
        own = order[at]
        w, h = sizes[own]
        if x + w > width + 1e-6:
            x, y, row = 0.0, y + row, 0.0
        corners[own] = (x, y)
        row = row or h
        column = h
        at += 1
        while at < len(order) and sizes[order[at]][0] <= w and column + sizes[order[at]][1] <= row + 1e-6:
            corners[order[at]] = (x, y + column)
            column += sizes[order[at]][1]
            at += 1
        x += w
        used = max(used, x)
    return corners, used, y + row
