"""Streets of the reference city: a synthetic network, connected, dense where the communities are dense."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import Delaunay

from geodata.reference.layout import CRS, rng

NODES_PER_COMMUNITY = 11
LONG_M = 1500.0


def _nodes(communities: gpd.GeoDataFrame, offices: pd.DataFrame) -> NDArray[np.float64]:
    """Junctions: a jittered grid in every community, of about the same number in each, and one near its office."""
    random = rng(61)
    points = []
    for polygon, x, y in zip(communities.geometry, offices["x"], offices["y"], strict=True):
        step = (polygon.area / NODES_PER_COMMUNITY) ** 0.5
        west, south, east, north = polygon.bounds
        across, up = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
        grid = np.column_stack([across.ravel(), up.ravel()])
        grid = np.rint(grid + 0.35 * step * (2 * random.random(grid.shape) - 1))
        grid = grid[shapely.contains_xy(polygon, grid[:, 0], grid[:, 1])]
        corner = np.rint(np.array([[x, y]]) + 30 + 40 * random.random((1, 2)))
        points.append(np.vstack([corner, grid[np.hypot(*(grid - corner).T) > 0.4 * step]]))
    return np.unique(np.vstack(points), axis=0)


def _edges(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Gabriel graph of the points; of its long edges only those that hold the network together."""
    triangles = Delaunay(points).simplices
    pairs = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    corner: dict[tuple[int, int], list[int]] = {}
    for triangle in triangles.tolist():
        for k in range(3):
            a, b = sorted((triangle[k], triangle[(k + 1) % 3]))
            corner.setdefault((a, b), []).append(triangle[(k + 2) % 3])
    keep = []
    for a, b in pairs.tolist():
        middle, radius = (points[a] + points[b]) / 2, np.hypot(*(points[a] - points[b])) / 2
        keep.append(all(np.hypot(*(points[c] - middle)) >= radius for c in corner[a, b]))
    pairs = pairs[np.array(keep)]
    length = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    graph = coo_array((length, (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    tree = minimum_spanning_tree(graph.tocsr()).tocoo()
    needed = set(zip(tree.row.tolist(), tree.col.tolist(), strict=True))
    short = [n for n, (a, b) in enumerate(pairs.tolist()) if length[n] <= LONG_M or (a, b) in needed]
    return np.asarray(pairs[short], dtype=np.int64)


def build_streets(communities: gpd.GeoDataFrame, offices: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return street segments with a length to travel of 2 to 15 % above the straight line, sorted by identifier."""
    points = _nodes(communities, offices)
    pairs = _edges(points)
    straight = np.hypot(*(points[pairs[:, 0]] - points[pairs[:, 1]]).T)
    length = np.ceil(straight * (1.02 + 0.13 * rng(62).random(len(pairs))))
    lines = shapely.linestrings(np.stack([points[pairs[:, 0]], points[pairs[:, 1]]], axis=1))
    frame = pd.DataFrame({"street": [f"s{n:05d}" for n in range(1, len(pairs) + 1)], "name": "", "length_m": length})
    return gpd.GeoDataFrame(frame, geometry=list(lines), crs=CRS)
