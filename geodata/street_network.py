"""A street network to walk or drive on: junctions, directed edges, lengths and minutes.

Built from lines (`network_of_lines`) or GraphML (`geodata.street_graphml`); travel on it is in `geodata.travel_matrix`.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import networkx as nx
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from geodata.findings import Finding

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Measure = Literal["metres", "minutes"]
Edges = tuple[Ints, Ints, Floats]


@dataclass(frozen=True, eq=False)
class StreetNetwork:
    """Segments of streets between junctions; n junctions, s segments.

    `walking_kmh` is the speed to the nearest street, whatever the mode, and of walkers along straight lines. `xy`
    (n, 2) are metres in `crs`. Segment k is `lines[k]` from junction `tail[k]` to `head[k]`, `length_m[k]` long
    (which may differ from the length of the line) and takes `minutes[k]`; it may be used along the line where
    `forward[k]`, against it where `backward[k]`. `street[k]` is the position in `names` and `classes` of the street it
    is part of. `barriers` (b,) may be crossed by bridges only. `findings` are warnings made on the way.
    """

    mode: str
    walking_kmh: float
    crs: str
    xy: Floats
    tail: Ints
    head: Ints
    length_m: Floats
    minutes: Floats
    forward: Bools
    backward: Bools
    lines: NDArray[np.object_]
    street: Ints
    names: tuple[str, ...]
    classes: tuple[str, ...]
    barriers: NDArray[np.object_]
    findings: tuple[Finding, ...] = ()

    def amount(self, measure: Measure) -> Floats:
        """Return metres or minutes of every segment (s,)."""
        return self.length_m if measure == "metres" else self.minutes

    def edges(self, measure: Measure) -> Edges:
        """Return junctions from, junctions to and amounts of all directed edges, parallel ones included."""
        ahead, back, amount = self.forward, self.backward, self.amount(measure)
        return (
            np.r_[self.tail[ahead], self.head[back]],
            np.r_[self.head[ahead], self.tail[back]],
            np.r_[amount[ahead], amount[back]],
        )

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Spatial index of the segments."""
        return shapely.STRtree(self.lines)

    @cached_property
    def part(self) -> Ints:
        """Connected part of every junction (n,), one-way streets counted as both ways; 0 is the largest."""
        _, part = connected_components(self._any_way, directed=False)
        return _by_size(part)

    @cached_property
    def round_trip(self) -> Ints:
        """Part of every junction (n,) within which every junction is reached from every other; 0 is the largest."""
        _, part = connected_components(self._any_way, directed=True, connection="strong")
        return _by_size(part)

    @cached_property
    def _any_way(self) -> csr_array:
        start, end, _ = self.edges("metres")
        return csr_array((np.ones(len(start)), (start, end)), shape=(len(self.xy), len(self.xy)))

    def largest_part(self) -> "StreetNetwork":
        """Return the network without the parts that do not connect with the largest, so that no place hangs on one."""
        keep = self.part[self.tail] == 0
        used, ends = np.unique(np.r_[self.tail[keep], self.head[keep]], return_inverse=True)
        tail, head = np.split(ends.reshape(-1).astype(np.int64), 2)
        return replace(
            self, xy=self.xy[used], tail=tail, head=head, length_m=self.length_m[keep], minutes=self.minutes[keep],
            forward=self.forward[keep], backward=self.backward[keep], lines=self.lines[keep], street=self.street[keep],
        )  # fmt: skip

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that travel depends on."""
        parts = [self.mode.encode(), repr(float(self.walking_kmh)).encode(), self.crs.encode()]
        arrays = (self.xy, self.tail, self.head, self.length_m, self.minutes, self.forward, self.backward)
        parts += [f"{a.dtype}{a.shape}".encode() + np.ascontiguousarray(a).tobytes() for a in arrays]
        parts += [b"|".join(shapely.to_wkb(shapes)) for shapes in (self.lines, self.barriers)]
        whole = hashlib.sha256()
        for part in parts:
            whole.update(len(part).to_bytes(8, "big") + part)
        return whole.hexdigest()

    def to_networkx(self) -> nx.MultiDiGraph:
        """Return the network for checks: nodes with x and y, edges with length_m, minutes, street and class."""
        graph = nx.MultiDiGraph(crs=self.crs, mode=self.mode)
        graph.add_nodes_from((i, {"x": x, "y": y}) for i, (x, y) in enumerate(self.xy.tolist()))
        for k, (a, b) in enumerate(zip(self.tail.tolist(), self.head.tolist(), strict=True)):
            row = int(self.street[k])
            facts: dict[str, float | str] = {"length_m": float(self.length_m[k]), "minutes": float(self.minutes[k])}
            facts |= {"street": self.names[row], "class": self.classes[row]}
            if self.forward[k]:
                graph.add_edge(a, b, **facts)
            if self.backward[k]:
                graph.add_edge(b, a, **facts)
        return graph


def sparse(edges: Edges, n: int) -> csr_array:
    """Return the graph of directed edges as (n, n); of parallel edges the least counts, loops are left out."""
    start, end, amount = edges
    order = np.lexsort((amount, end, start))
    start, end, amount = start[order], end[order], amount[order]
    keep = start != end
    # A sparse array adds up what stands at one place: the least must be taken before it is built.
    keep[1:] &= (start[1:] != start[:-1]) | (end[1:] != end[:-1])
    return csr_array((amount[keep], (start[keep], end[keep])), shape=(n, n))


def crossing(lines: NDArray[np.object_], barriers: NDArray[np.object_]) -> Bools:
    """Return which lines (k,) cross a barrier; one that only touches it with an end does not."""
    out = np.zeros(len(lines), dtype=bool)
    if len(barriers) and len(lines):
        which, barrier = shapely.STRtree(barriers).query(lines, predicate="intersects")
        out[which[~shapely.touches(lines[which], barriers[barrier])]] = True
    return out


def _by_size(part: NDArray[np.int32]) -> Ints:
    """Numbers of parts anew: the largest is 0, of equal ones the one that comes first."""
    if not len(part):
        return np.zeros(0, dtype=np.int64)
    size = np.bincount(part)
    _, first = np.unique(part, return_index=True)
    rank = np.empty(len(size), dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(len(size))
    return rank[part]
