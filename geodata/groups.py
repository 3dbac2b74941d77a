"""Compact groups of neighbouring places, the same every time."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]


def compact_groups(points: ArrayLike, number: int) -> NDArray[np.int64]:
    """Return for each place (n, 2) the number of its group, 0 to `number` - 1, groups of nearly equal size.

    The places are cut in two along the longer side of their bounding box, in proportion to the groups on either side,
    and so on. Groups are numbered as they are cut; ties are broken by the other coordinate, then by position.
    """
    xy = np.asarray(points, dtype=float).reshape(-1, 2)
    group = np.zeros(len(xy), dtype=np.int64)
    number = max(1, min(number, len(xy)))
    _cut(xy, np.arange(len(xy)), 0, number, group)
    return group


def _cut(xy: NDArray[np.float64], members: Ints, first: int, number: int, group: Ints) -> None:
    if number <= 1:
        group[members] = first
        return
    spread = np.ptp(xy[members], axis=0)
    axis = int(spread[1] > spread[0])
    order = members[np.lexsort((members, xy[members, 1 - axis], xy[members, axis]))]
    left = number // 2
    cut = max(left, min(len(order) - (number - left), round(len(order) * left / number)))
    _cut(xy, order[:cut], first, left, group)
    _cut(xy, order[cut:], first + left, number - left, group)


def most_central(points: ArrayLike) -> int:
    """Return the position of the place (n, 2) nearest to the middle of them all; the first of equals."""
    xy = np.asarray(points, dtype=float).reshape(-1, 2)
    middle = xy.mean(axis=0)
    return int(np.argmin(np.rint(np.hypot(*(xy - middle).T))))


def neighbour_distance_m(points: ArrayLike) -> float:
    """Return the middle distance of places (n, 2) to their nearest other place; 0 where there is only one."""
    from scipy.spatial import cKDTree

    xy = np.asarray(points, dtype=float).reshape(-1, 2)
    if len(xy) < 2:
        return 0.0
    distance, _ = cKDTree(xy).query(xy, k=2)
    return float(np.median(np.asarray(distance)[:, 1]))
