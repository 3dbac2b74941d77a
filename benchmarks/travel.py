"""Travel from 396 communities to 600 sites on a network of 50,000 segments; prints the table in `docs/travel.md`.

    python -m benchmarks.travel
    python -m benchmarks.travel --side 60      a smaller grid

Wall-clock seconds, one run, one thread. The streets are a grid with lengths drawn at random and every fifth street
one-way; NetworkX searches from a few of the places on the same network, and is reckoned up to all of them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, TypeVar

import geopandas as gpd
import networkx as nx
import numpy as np
import shapely

from geodata.street_build import network_of_lines
from geodata.street_network import Floats, StreetNetwork
from geodata.travel_cache import TravelCache
from geodata.travel_matrix import travel
from geodata.travel_people import People, people_travel

T = TypeVar("T")
COMMUNITIES, SITES, POINTS = 396, 600, 10
STEP_M = 100.0


def grid(side: int, seed: int = 0) -> gpd.GeoDataFrame:
    """Return the streets of a grid of `side` × `side` junctions, about 2 side² segments."""
    draw = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(side) * STEP_M, np.arange(side) * STEP_M)
    xy = np.stack([x, y], axis=-1) + draw.uniform(-30, 30, (side, side, 2))
    across = np.stack([xy[:, :-1], xy[:, 1:]], axis=2).reshape(-1, 2, 2)
    along = np.stack([xy[:-1], xy[1:]], axis=2).reshape(-1, 2, 2)
    ends = np.concatenate([across, along])
    one_way = np.where(draw.random(len(ends)) < 0.2, "yes", "no")
    return gpd.GeoDataFrame({"one_way": one_way}, geometry=shapely.linestrings(ends), crs="EPSG:32648")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return seconds and result."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def by_networkx(network: StreetNetwork, starts: int) -> float:
    """Return seconds that NetworkX would take from every community, measured from `starts` junctions."""
    graph = nx.DiGraph()
    for a, b, metres in zip(*(part.tolist() for part in network.edges("metres")), strict=True):
        if not graph.has_edge(a, b) or graph.edges[a, b]["weight"] > metres:
            graph.add_edge(a, b, weight=metres)
    nodes = np.random.default_rng(2).choice(len(network.xy), starts).tolist()
    seconds, _ = timed(lambda: [nx.single_source_dijkstra_path_length(graph, node) for node in nodes])
    return seconds / starts * COMMUNITIES


def rows(side: int) -> list[tuple[str, float]]:
    """Return what was measured, with seconds."""
    streets = grid(side)
    built, network = timed(lambda: network_of_lines(streets, mode="driving"))
    draw = np.random.default_rng(1)
    places: Callable[[int], Floats] = lambda n: draw.uniform(0, (side - 1) * STEP_M, (n, 2))  # noqa: E731
    origins, sites = places(COMMUNITIES), places(SITES)
    count = f"{len(network.tail):,} segments, {len(network.edges('metres')[0]):,} directed edges"
    found = [(f"network of {count} built from lines", built)]
    cases: list[dict[str, Any]] = [
        {"measure": "metres"},
        {"measure": "minutes"},
        {"measure": "metres", "limit": 3000.0},
    ]
    for words in cases:
        said = ", ".join(f"{key} {value:,.0f}" if key == "limit" else str(value) for key, value in words.items())
        seconds, _ = timed(lambda: travel(network, origins, sites, **words))  # noqa: B023
        found.append((f"{COMMUNITIES} × {SITES}, {said}", seconds))
    community = np.repeat(np.arange(COMMUNITIES), POINTS)
    names = tuple(map(str, range(COMMUNITIES)))
    people = People(names, community, np.ones(len(community)), places(len(community)))
    with tempfile.TemporaryDirectory() as folder:
        cache = TravelCache(folder)
        for said in ("computed and kept", "from the cache"):
            seconds, _ = timed(lambda: people_travel(network, people, sites, limit=1000, cache=cache))
            found.append((f"{len(community):,} points of {COMMUNITIES} communities × {SITES}, metres, {said}", seconds))
    return [*found, (f"NetworkX from {COMMUNITIES} junctions to all (reckoned from 4)", by_networkx(network, 4))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=159, help="junctions along each side of the grid")
    measured = rows(parser.parse_args().side)
    print(f"SciPy {version('scipy')}, NumPy {version('numpy')}, NetworkX {version('networkx')}\n")
    print("| what | s |\n|---|---|")
    for what, seconds in measured:
        print(f"| {what} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
