"""Travel along the streets, recomputed on a graph of its own."""

from collections import defaultdict

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geodata.read import City

Floats = NDArray[np.float64]
Point = tuple[float, float]
FARTHEST_ACCESS_M = 1000.0  # a place farther from every street end point is reached by straight line
DETOUR = 1.3  # straight line to travel, where streets do not tell
GRID_M = 0.01  # street ends that agree to the centimetre are one junction


class Streets:
    """The streets of a city as a graph: junctions are ends of segments, the shortest of parallel segments counts."""

    def __init__(self, city: City) -> None:
        self._graph = _graph(city)
        self._nodes: list[Point] = sorted(self._graph)
        self._xy = np.array(self._nodes, dtype=float).reshape(-1, 2)
        self._part = {node: n for n, nodes in enumerate(nx.connected_components(self._graph)) for node in nodes}

    def travel_m(self, pairs: pd.DataFrame) -> Floats:
        """Return whole metres of travel of each row of `pairs` (columns x, y, to_x, to_y in metres, and limit_m).

        What is beyond `limit_m` + 1 is infinite. Searches once from every junction a destination hangs on.
        """
        straight = np.asarray(np.hypot(pairs["x"] - pairs["to_x"], pairs["y"] - pairs["to_y"]), dtype=float)
        metres = straight * DETOUR
        if len(self._nodes) and len(pairs):
            start, walk = self._nearest(pairs[["x", "y"]].to_numpy(dtype=float))
            goal, on = self._nearest(pairs[["to_x", "to_y"]].to_numpy(dtype=float))
            near = (walk <= FARTHEST_ACCESS_M) & (on <= FARTHEST_ACCESS_M)
            joined = near & np.array(
                [self._part[self._nodes[a]] == self._part[self._nodes[b]] for a, b in zip(start, goal, strict=True)]
            )
            along = self._along(start, goal, joined, pairs["limit_m"].to_numpy(dtype=float) + 1)
            metres = np.where(joined, walk + along + on, metres)
        metres[straight == 0] = 0.0
        return np.asarray(np.rint(metres), dtype=float)

    def _nearest(self, xy: Floats) -> tuple[NDArray[np.int64], Floats]:
        """Position of, and distance to, the junction nearest to each point."""
        points, back = np.unique(xy, axis=0, return_inverse=True)
        index = np.empty(len(points), dtype=np.int64)
        for begin in range(0, len(points), 128):
            some = points[begin : begin + 128]
            square = (some[:, None, 0] - self._xy[None, :, 0]) ** 2 + (some[:, None, 1] - self._xy[None, :, 1]) ** 2
            index[begin : begin + 128] = square.argmin(axis=1)
        distance = np.hypot(*(points - self._xy[index]).T)
        return index[back.reshape(-1)], distance[back.reshape(-1)]

    def _along(
        self, start: NDArray[np.int64], goal: NDArray[np.int64], joined: NDArray[np.bool_], limit_m: Floats
    ) -> Floats:
        """Shortest path between junctions of each pair; infinite beyond the pair's limit."""
        along = np.full(len(start), np.inf)
        by_goal: defaultdict[int, list[int]] = defaultdict(list)
        for row in np.flatnonzero(joined):
            by_goal[int(goal[row])].append(int(row))
        for node, rows in by_goal.items():
            cutoff = float(limit_m[rows].max())
            found = nx.single_source_dijkstra_path_length(self._graph, self._nodes[node], cutoff=cutoff)
            along[rows] = [found.get(self._nodes[start[row]], np.inf) for row in rows]
        return along


def _graph(city: City) -> nx.Graph:
    graph = nx.Graph()
    lines = city.streets[~(city.streets.geometry.isna() | city.streets.geometry.is_empty)]
    if not len(lines):
        return graph
    given = lines["length_m"].to_numpy(dtype=float)
    length = np.where(np.isfinite(given), given, lines.geometry.length.to_numpy(dtype=float))
    points = lines.geometry.get_coordinates()
    place = np.repeat(np.arange(len(lines)), np.asarray(lines.geometry.count_coordinates(), dtype=np.int64))
    ends = points.assign(place=place).groupby("place")[["x", "y"]]
    first, last = (np.rint(part.to_numpy(dtype=float) / GRID_M) * GRID_M for part in (ends.first(), ends.last()))
    for (ax, ay), (bx, by), metres in zip(first.tolist(), last.tolist(), length.tolist(), strict=True):
        a, b = (ax, ay), (bx, by)
        graph.add_nodes_from((a, b))
        if a != b and (not graph.has_edge(a, b) or graph.edges[a, b]["weight"] > metres):
            graph.add_edge(a, b, weight=metres)
    return graph
