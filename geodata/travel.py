"""Travel between places, in whole metres along the streets."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from geodata.city import City

Floats = NDArray[np.float64]
ACCESS_LIMIT_M = 1000.0  # farther from any street end point: straight line x DETOUR
DETOUR = 1.3
SNAP_M = 0.01  # end points in the same cell of this size are one junction
_CHUNK = 256


@dataclass(frozen=True)
class Network:
    """Junctions (n, 2) in metres, the symmetric graph of street lengths, and each junction's connected part."""

    xy: Floats
    graph: csr_array
    part: NDArray[np.int64]


def street_network(streets: gpd.GeoDataFrame) -> Network | None:
    """Return the network of street segments, or None where there is none.

    Junctions are the end points of the lines, equal when they agree to the centimetre. Between two junctions the
    shortest of parallel segments counts; `length_m` is used where it is given, else the length of the line.
    """
    lines = streets.geometry.to_numpy()
    usable = ~(shapely.is_missing(lines) | shapely.is_empty(lines))
    lines = lines[usable]
    if len(lines) == 0:
        return None
    coordinates, index = shapely.get_coordinates(lines, return_index=True)
    first = np.searchsorted(index, np.arange(len(lines)), side="left")
    last = np.searchsorted(index, np.arange(len(lines)), side="right") - 1
    ends = np.rint(np.vstack([coordinates[first], coordinates[last]]) / SNAP_M)
    cells, inverse = np.unique(ends, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    a, b = inverse[: len(lines)], inverse[len(lines) :]
    length = shapely.length(lines)
    if "length_m" in streets.columns:
        given = streets["length_m"].to_numpy(dtype=float)[usable]
        length = np.where(np.isfinite(given), given, length)
    low, high = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((length, high, low))
    low, high, length = low[order], high[order], length[order]
    keep = low != high
    keep[1:] &= ~((low[1:] == low[:-1]) & (high[1:] == high[:-1]))
    low, high, length = low[keep], high[keep], length[keep]
    n = len(cells)
    graph = csr_array((np.r_[length, length], (np.r_[low, high], np.r_[high, low])), shape=(n, n))
    _, part = connected_components(graph, directed=False)
    return Network(cells * SNAP_M, graph, part.astype(np.int64))


def travel_m(origins: ArrayLike, destinations: ArrayLike, streets: gpd.GeoDataFrame, limit_m: float) -> Floats:
    """Return travel from every origin (n, 2) to every destination (m, 2) as an (n, m) array of whole metres.

    Coordinates are metric. Travel is the straight line to the nearest street end point, the shortest path along the
    streets and the straight line from the end point nearest to the destination. Where there are no streets, where a
    place is farther than 1,000 m from any end point, or where the two are not connected, it is the straight line x 1.3.
    The same point is 0 away. Rounded to whole metres (half to even); `inf` above `limit_m` (inclusive).
    """
    return _travel(origins, destinations, street_network(streets), limit_m)


def _travel(origins: ArrayLike, destinations: ArrayLike, network: Network | None, limit_m: float) -> Floats:
    start = np.asarray(origins, dtype=float).reshape(-1, 2)
    goal = np.asarray(destinations, dtype=float).reshape(-1, 2)
    if len(start) > len(goal):  # the streets are the same both ways: search from the fewer
        return np.ascontiguousarray(_travel(goal, start, network, limit_m).T)
    metres = np.full((len(start), len(goal)), np.inf)
    if not metres.size:
        return metres
    places = None if network is None else (_nearest(network, start), _nearest(network, goal))
    for begin in range(0, len(start), _CHUNK):
        rows = slice(begin, min(begin + _CHUNK, len(start)))
        straight = np.hypot(start[rows, None, 0] - goal[None, :, 0], start[rows, None, 1] - goal[None, :, 1])
        total = straight * DETOUR
        if network is not None and places is not None:
            (access, node), (egress, target) = places
            along = _along(network, node[rows], target, limit_m)
            joined = (access[rows, None] <= ACCESS_LIMIT_M) & (egress[None, :] <= ACCESS_LIMIT_M)
            joined &= network.part[node[rows]][:, None] == network.part[target][None, :]
            total = np.where(joined, access[rows, None] + along + egress[None, :], total)
        total[straight == 0] = 0.0
        metres[rows] = np.rint(total)
    metres[metres > limit_m] = np.inf
    return metres


def _nearest(network: Network, xy: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Distance to, and index of, the junction nearest to each place."""
    distance, node = cKDTree(network.xy).query(xy)
    return np.asarray(distance, dtype=float), np.asarray(node, dtype=np.int64)


def _along(network: Network, nodes: NDArray[np.int64], targets: NDArray[np.int64], limit_m: float) -> Floats:
    """Shortest path along the streets from every node to every target; inf where it is above the limit."""
    sources, back = np.unique(nodes, return_inverse=True)
    found = dijkstra(network.graph, directed=True, indices=sources, limit=limit_m + 1.0)
    return np.asarray(found[back.reshape(-1)][:, targets], dtype=float)


def by_straight_line(points: ArrayLike, streets: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Return for each point (n, 2) whether it reaches nothing along the streets, only by straight lines."""
    xy = np.asarray(points, dtype=float).reshape(-1, 2)
    network = street_network(streets)
    if network is None or not len(xy):
        return np.ones(len(xy), dtype=bool)
    distance, _ = _nearest(network, xy)
    return distance > ACCESS_LIMIT_M


def office_points(city: "City") -> Floats:
    """Return the place of each community (n, 2): its office, else a point inside its polygon."""
    inside = city.communities.geometry.representative_point()
    xy = np.column_stack([inside.x.to_numpy(), inside.y.to_numpy()]).astype(float)
    position = {community: i for i, community in enumerate(city.communities["community"])}
    offices = city.sites[(city.sites["use"] == "office") & city.sites.geometry.notna()]
    for community, point in zip(offices["community"], offices.geometry, strict=True):
        if community in position and not point.is_empty:
            xy[position[community]] = point.x, point.y
    return xy
