"""Travel along the streets, recomputed on a graph of its own."""

from collections import defaultdict
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geodata.read import City
from optimizer.audit.street_graph import GRID_M, Junction, Open, open_streets, snapped

Floats = NDArray[np.float64]
DRIVE_STRAIGHT_KMH = 25.0  # along straight lines, where streets do not tell
DIGITS = {"metres": 0, "minutes": 2}


class Ways:
    """Travel of the communities of a city, each mode over a graph that is built when it is first asked for."""

    def __init__(self, city: City, rules: dict[str, Any], places: pd.DataFrame) -> None:
        """Take the city, the scenario's part `travel`, and the place (x, y) of each community as its index."""
        self._city, self._rules = city, rules
        self._streets: dict[str, Streets] = {}
        self._people = _people(city, places)

    def streets(self, mode: str) -> "Streets":
        """Return the streets open to a mode."""
        if mode not in self._streets:
            self._streets[mode] = Streets(self._city, self._rules, mode)
        return self._streets[mode]

    def travel(self, pairs: pd.DataFrame, mode: str, measure: str = "metres") -> Floats:
        """Return travel of each row of `pairs` (community, to_x, to_y, limit): the mean over the community's people.

        In whole metres, or minutes to the hundredth. Beyond the limit it is infinite where nobody has to be averaged.
        """
        ends = pairs[["community", "to_x", "to_y", "limit"]].assign(row=np.arange(len(pairs)))
        rows = ends.merge(self._people, on="community", how="left", sort=False)
        rows["limit"] = rows["limit"].where(rows["points"] == 1, np.inf)
        rows = rows[rows["part"] > 0].reset_index(drop=True)
        found = self.streets(mode).travel(rows, measure) * rows["part"]
        mean = found.groupby(rows["row"]).sum().reindex(range(len(pairs)))
        return np.asarray(np.round(mean.to_numpy(dtype=float), DIGITS[measure]), dtype=float)


def _people(city: City, places: pd.DataFrame) -> pd.DataFrame:
    """Points of people: community, x, y, their part of its people, and how many points it has."""
    given = city.people[city.people["community"].isin(places.index)]
    own = pd.DataFrame(
        {
            "community": given["community"].astype(str), "x": given.geometry.x, "y": given.geometry.y,
            "persons": given["persons"].astype(float),
        }
    )  # fmt: skip
    rest = places[~places.index.isin(own["community"])]
    whole = pd.DataFrame({"community": rest.index.astype(str), "x": rest["x"], "y": rest["y"], "persons": 1.0})
    frame = pd.concat([part for part in (own, whole) if len(part)], ignore_index=True)
    group = frame.groupby("community")["persons"]
    total, points = group.transform("sum"), group.transform("size")
    part = (frame["persons"] / total.where(total > 0)).fillna(1 / points)
    return frame.assign(part=part, points=points)


class Streets:
    """The streets of a city open to a mode, as a graph; every direction of a street is an edge."""

    def __init__(self, city: City, rules: dict[str, Any], mode: str) -> None:
        self._rules, self._mode = rules, mode
        self._walk = float(rules["walking_kmh"])
        self._open: Open = open_streets(city, rules, mode)
        graph = nx.MultiDiGraph()
        s = self._open
        for k, (a, b) in enumerate(zip(s.tail, s.head, strict=True)):
            facts = {"metres": float(s.metres[k]), "minutes": float(s.minutes[k])}
            graph.add_nodes_from((a, b))
            # Searches start at destinations, so every edge stands against the traffic.
            if s.ahead[k]:
                graph.add_edge(b, a, **facts)
            if s.back[k]:
                graph.add_edge(a, b, **facts)
        self._graph = graph
        parts = nx.weakly_connected_components(graph)
        self._part = {node: n for n, nodes in enumerate(parts) for node in nodes}

    def travel(self, pairs: pd.DataFrame, measure: str = "metres") -> Floats:
        """Return travel of each row of `pairs` (columns x, y, to_x, to_y in metres, and limit in the measure).

        In whole metres, or minutes to the hundredth; what is beyond limit + 1 may be infinite.
        """
        start, goal = pairs[["x", "y"]].to_numpy(dtype=float), pairs[["to_x", "to_y"]].to_numpy(dtype=float)
        straight = np.asarray(np.hypot(*(start - goal).T), dtype=float)
        pace = {"metres": 1.0, "minutes": 0.06 / (self._walk if self._mode == "walking" else DRIVE_STRAIGHT_KMH)}
        amount = straight * float(self._rules["detour"]) * pace[measure]
        amount[self._open.between(start, goal) & (amount <= pairs["limit"] + 1)] = np.inf
        if len(self._open.lines) and len(pairs):
            limit_m = float(self._rules["snap_limit_m"])
            ends = [snapped(self._open, xy, limit_m) for xy in (start, goal)]
            here, there = (pd.DataFrame(end, columns=["piece", "share", "access"]) for end in ends)
            joined = self._joined(here["piece"].to_numpy(int), there["piece"].to_numpy(int))
            along = self._along(here, there, joined, pairs["limit"].to_numpy(dtype=float) + 1, measure)
            walk = 1.0 if measure == "metres" else 0.06 / self._walk
            amount = np.where(joined, (here["access"] + there["access"]) * walk + along, amount)
        amount[straight == 0] = 0.0
        return np.asarray(np.round(amount, DIGITS[measure]), dtype=float)

    def _joined(self, here: "NDArray[np.int64]", there: "NDArray[np.int64]") -> "NDArray[np.bool_]":
        part = np.array([self._part[node] for node in self._open.tail] + [-1])  # the last for piece -1
        return np.asarray((here >= 0) & (there >= 0) & (part[here] == part[there]), dtype=bool)

    def _along(
        self, here: pd.DataFrame, there: pd.DataFrame, joined: "NDArray[np.bool_]", limit: Floats, measure: str
    ) -> Floats:
        """Shortest way between the points on streets of each pair; infinite beyond the pair's limit."""
        along = np.full(len(here), np.inf)
        by_goal: defaultdict[tuple[int, float], list[int]] = defaultdict(list)
        for row in np.flatnonzero(joined).tolist():
            by_goal[int(there["piece"][row]), float(there["share"][row])].append(row)
        origin, share = here["piece"].to_numpy(int), here["share"].to_numpy(float)
        for (piece, at), rows in by_goal.items():
            cutoff = float(limit[rows].max())
            found = [
                (rest, nx.single_source_dijkstra_path_length(self._graph, node, cutoff - rest, weight=measure))
                for node, rest in self._ends(piece, at, measure, leaving=False)
                if rest <= cutoff
            ]
            for row in rows:
                k, f = int(origin[row]), float(share[row])
                best = self._on_one(k, f, at, measure) if k == piece else np.inf
                for node, first in self._ends(k, f, measure, leaving=True):
                    best = min([best, *(first + ways.get(node, np.inf) + rest for rest, ways in found)])
                along[row] = best
        return along

    def _ends(self, piece: int, at: float, measure: str, *, leaving: bool) -> list[tuple[Junction, float]]:
        """Junctions one gets to (or comes from) at a point of a piece, with the way there along the piece."""
        s, length = self._open, float(self._open.lengths[piece])
        whole = float(getattr(s, measure)[piece])
        if at * length < GRID_M:
            return [(s.tail[piece], 0.0)]
        if (1 - at) * length < GRID_M:
            return [(s.head[piece], 0.0)]
        to_head, to_tail = (s.ahead, s.back) if leaving else (s.back, s.ahead)
        ends = [(s.head[piece], (1 - at) * whole)] if to_head[piece] else []
        return [*ends, (s.tail[piece], at * whole)] if to_tail[piece] else ends

    def _on_one(self, piece: int, start: float, goal: float, measure: str) -> float:
        """Way along one piece between two points of it; infinite against a one-way street."""
        s = self._open
        allowed = start == goal or (s.ahead[piece] if goal > start else s.back[piece])
        return abs(goal - start) * float(getattr(s, measure)[piece]) if allowed else np.inf
