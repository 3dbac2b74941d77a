"""Travel from many places to many, in metres or minutes, on a street network; the straight line where it has none.

Places hang on the nearest point of the nearest segment, not on its junctions: that point becomes a junction of the
graph that is searched, so that one-way streets and places on one street need no rule of their own. The search is
Dijkstra's (`scipy.sparse.csgraph.dijkstra`), from the fewer side: where there are fewer destinations, from these on the
reversed graph.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from geodata.findings import Finding, InputError
from geodata.street_build import GRID_M
from geodata.street_network import Bools, Edges, Floats, Ints, Measure, StreetNetwork, crossing, sparse
from geodata.street_words import DETOUR, SNAP_LIMIT_M

TIE_M = 0.001
DRIVING_STRAIGHT_KMH = 25.0  # along straight lines x detour; assumed
_CHUNK = 64


@dataclass(frozen=True, eq=False)
class Snap:
    """Where places (n,) meet the network: segment (-1: too far), share of it from its tail, metres to there."""

    segment: Ints
    share: Floats
    access_m: Floats


@dataclass(frozen=True, eq=False)
class Travel:
    """Travel from n origins to m destinations.

    `amount` (n, m) is in `measure`: whole metres, or minutes to the hundredth; `inf` where it is above `limit`
    (inclusive) or where there is no way. `by_straight_line` (n, m) says where it is the straight line x detour.
    """

    measure: Measure
    limit: float
    amount: Floats
    by_straight_line: Bools
    origins: Snap
    destinations: Snap


def as_places(places: ArrayLike, name: str) -> Floats:
    """Return places as an array (n, 2); InputError, which calls them `name`, where they are none."""
    try:
        xy = np.asarray(places, dtype=float)
    except (TypeError, ValueError):
        xy = np.empty((1, 1))
    if xy.size and (xy.ndim != 2 or xy.shape[1] != 2):
        raise InputError(
            [Finding("error", "", name, message="are no places", remedy="give an array (n, 2) of x and y")]
        )
    return xy.reshape(-1, 2)


def snap(network: StreetNetwork, places: ArrayLike, limit_m: float = SNAP_LIMIT_M) -> Snap:
    """Return where places (n, 2), in metres of the network's system, meet it: the nearest segment not behind a barrier.

    Those farther than `limit_m` (inclusive) from every such segment have segment -1 and access_m `inf`.
    """
    xy = as_places(places, "places")
    segment, access = np.full(len(xy), -1, dtype=np.int64), np.full(len(xy), np.inf)
    points = shapely.points(xy)
    if len(xy) and len(network.lines):
        (which, _), metres = network.tree.query_nearest(points, return_distance=True, all_matches=False)
        access[which] = metres
        # Of streets equally near, to the millimetre, the first counts: on every machine the same.
        which, near = network.tree.query(points, predicate="dwithin", distance=access + TIE_M)
        order = np.lexsort((near, which))
        first = order[np.r_[True, which[order][1:] != which[order][:-1]]]
        segment[which[first]] = near[first]
        access = np.asarray(shapely.distance(points, network.lines[segment]), dtype=float)
    far = ~(access <= limit_m)
    segment[far], access[far] = -1, np.inf
    behind = np.flatnonzero(segment >= 0)[_blocked(network, points, segment)]
    for i in behind.tolist():
        segment[i], access[i] = _around(network, points[i], limit_m)
    share, on = np.zeros(len(xy)), segment >= 0
    share[on] = shapely.line_locate_point(network.lines[segment[on]], points[on], normalized=True)
    return Snap(segment, share, access)


def travel(
    network: StreetNetwork,
    origins: ArrayLike,
    destinations: ArrayLike,
    *,
    measure: Measure = "metres",
    limit: float = np.inf,
    snap_limit_m: float = SNAP_LIMIT_M,
    detour: float | None = DETOUR,
) -> Travel:
    """Return travel from every origin (n, 2) to every destination (m, 2), metres in the network's system.

    It is the straight line to the nearest street, walked, the shortest (metres) or fastest (minutes) way along the
    streets, and the straight line from there. Where a place is farther than `snap_limit_m` from every street, or where
    two places are on parts that do not connect, it is the straight line x `detour`, unless that crosses a barrier; with
    `detour` None there is no such way. The same point is 0 away. `limit` is in the measure and inclusive.
    Raises InputError for coordinates or limits that are no numbers.
    """
    start, goal = as_places(origins, "origins"), as_places(destinations, "destinations")
    _check(network, start, goal, measure, limit, snap_limit_m, detour)
    first, last = snap(network, start, snap_limit_m), snap(network, goal, snap_limit_m)
    straight = np.hypot(start[:, None, 0] - goal[None, :, 0], start[:, None, 1] - goal[None, :, 1])
    here, there = _parts(network, first), _parts(network, last)
    joined = (here[:, None] >= 0) & (here[:, None] == there[None, :])
    amount = np.full(straight.shape, np.inf)
    if joined.any():
        pace = 1.0 if measure == "metres" else 0.06 / network.walking_kmh
        along = _along(network, first, last, measure, limit)
        whole = (first.access_m[:, None] + last.access_m[None, :]) * pace + along
        amount = np.where(joined, whole, amount)
    if detour is not None:
        kmh = network.walking_kmh if network.mode == "walking" else DRIVING_STRAIGHT_KMH
        pace = 1.0 if measure == "metres" else 0.06 / kmh
        guess = _open(network, start, goal, np.where(joined, np.inf, straight * detour * pace), limit)
        amount = np.where(joined, amount, guess)
    amount[straight == 0] = 0.0
    amount = np.asarray(np.round(amount, 0 if measure == "metres" else 2), dtype=float)
    amount[amount > limit] = np.inf
    return Travel(measure, limit, amount, ~joined & np.isfinite(amount) & (straight > 0), first, last)


def _check(
    network: StreetNetwork,
    start: Floats,
    goal: Floats,
    measure: Measure,
    limit: float,
    snap_limit_m: float,
    detour: float | None,
) -> None:
    projected = len(network.xy) > 0 and bool(
        (np.abs(network.xy).max(axis=1) > 10_000).all()
    )  # not a plan with an origin of its own
    found = []
    for name, xy in (("origins", start), ("destinations", goal)):
        bad = np.flatnonzero(~np.isfinite(xy).all(axis=1)).tolist()
        said, remedy = "is no place", "give x and y"
        found += [Finding("error", "", name, r + 1, "", "", str(xy[r].tolist()), "", remedy, said) for r in bad]
        if projected and len(xy) and (np.abs(xy) <= [180, 90]).all():
            remedy = f"give metres in {network.crs}, as geometry.to_crs does"
            found.append(Finding("error", "", name, message="look like degrees", remedy=remedy))
    if measure not in ("metres", "minutes"):
        found.append(Finding("error", column="measure", value=str(measure), message="must be metres or minutes"))
    for name, value, least in (
        ("limit", limit, 0.0),
        ("snap_limit_m", snap_limit_m, 0.0),
        ("detour", 1.0 if detour is None else detour, 1.0),
    ):
        if not value >= least:
            said = f"must be {least:g} or more"
            found.append(Finding("error", column=name, value=str(value), limit=f"{least:g} or more", message=said))
    if found:
        raise InputError(found)


def _blocked(network: StreetNetwork, points: NDArray[np.object_], segment: Ints) -> Bools:
    """Whether the straight way from each snapped point to its segment crosses a barrier."""
    on = segment >= 0
    ways = shapely.shortest_line(points[on], network.lines[segment[on]])
    blocked = crossing(ways, network.barriers)
    blocked[shapely.length(ways) == 0] = False  # a place on a bridge is not behind the river
    return blocked


def _around(network: StreetNetwork, point: object, limit_m: float) -> tuple[int, float]:
    """The nearest segment that no barrier keeps a point from, and the metres to it; -1 and inf where there is none."""
    near = np.sort(network.tree.query(point, predicate="dwithin", distance=limit_m))
    ways = shapely.shortest_line(point, network.lines[near])
    metres = np.where(crossing(ways, network.barriers), np.inf, shapely.length(ways))
    if not np.isfinite(metres).any():
        return -1, float(np.inf)
    best = int(np.argmin(metres))
    return int(near[best]), float(metres[best])


def _parts(network: StreetNetwork, at: Snap) -> Ints:
    """Connected part that each place hangs on; -1 for none."""
    out = np.full(len(at.segment), -1, dtype=np.int64)
    on = at.segment >= 0
    out[on] = network.part[network.tail[at.segment[on]]]
    return out


def _along(network: StreetNetwork, first: Snap, last: Snap, measure: Measure, limit: float) -> Floats:
    """Shortest ways (n, m) along the streets; inf where it is above the limit or there is none."""
    on, off = first.segment >= 0, last.segment >= 0
    segment = np.r_[first.segment[on], last.segment[off]]
    node, added, n = _junctions(network, segment, np.r_[first.share[on], last.share[off]], measure)
    start, end, amount = (np.r_[a, b] for a, b in zip(network.edges(measure), added, strict=True))
    graph = sparse((start, end, amount), n)
    here, there = np.split(node, [int(on.sum())])
    out = np.full((len(on), len(off)), np.inf)
    if len(np.unique(here)) <= len(np.unique(there)):
        found = _search(graph, here, there, limit)
    else:
        found = _search(csr_array(graph.T), there, here, limit).T
    out[np.ix_(on, off)] = found
    return out


def _search(graph: csr_array, start: Ints, goal: Ints, limit: float) -> Floats:
    sources, back = np.unique(start, return_inverse=True)
    out = np.empty((len(sources), len(goal)))
    for begin in range(0, len(sources), _CHUNK):
        rows = slice(begin, begin + _CHUNK)
        out[rows] = dijkstra(graph, directed=True, indices=sources[rows], limit=limit + 1.0)[:, goal]
    return out[back.reshape(-1)]


def _junctions(network: StreetNetwork, segment: Ints, share: Floats, measure: Measure) -> tuple[Ints, Edges, int]:
    """Junction of each place on a segment, the edges that make these junctions part of the graph, and their number."""
    n = len(network.xy)
    metres = shapely.length(network.lines[segment])
    node = np.where(share * metres < GRID_M, network.tail[segment], -1)
    node = np.where((node < 0) & ((1 - share) * metres < GRID_M), network.head[segment], node)
    inside = node < 0
    pairs, place = np.unique(np.column_stack([segment[inside], share[inside]]), axis=0, return_inverse=True)
    node[inside] = n + place.reshape(-1)
    of, at = pairs[:, 0].astype(np.int64), pairs[:, 1]
    new = n + np.arange(len(of))
    first, last = np.r_[True, of[1:] != of[:-1]], np.r_[of[1:] != of[:-1], True]
    if not len(of):
        first = last = np.zeros(0, dtype=bool)
    before = np.where(first, network.tail[of], np.r_[-1, new[:-1]][: len(of)])
    since = np.where(first, 0.0, np.r_[0.0, at[:-1]][: len(of)])
    start = np.r_[before, new[last]]
    end = np.r_[new, network.head[of[last]]]
    on = np.r_[of, of[last]]
    amount = np.r_[at - since, 1 - at[last]] * network.amount(measure)[on]
    ahead, back = network.forward[on], network.backward[on]
    edges = (np.r_[start[ahead], end[back]], np.r_[end[ahead], start[back]], np.r_[amount[ahead], amount[back]])
    return node, edges, n + len(of)


def _open(network: StreetNetwork, start: Floats, goal: Floats, guess: Floats, limit: float) -> Floats:
    """Straight ways (n, m) without those that cross a barrier."""
    i, j = np.nonzero(np.isfinite(guess) & (guess <= limit + 1) & (guess > 0))
    if len(network.barriers) and len(i):
        blocked = crossing(shapely.linestrings(np.stack([start[i], goal[j]], axis=1)), network.barriers)
        guess[i[blocked], j[blocked]] = np.inf
    return guess
