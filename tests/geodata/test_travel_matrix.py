"""Travel many-to-many: solved by hand, and the same as NetworkX finds on random networks."""

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, Polygon

from geodata.findings import InputError
from geodata.street_build import network_of_lines
from geodata.street_files import read_network
from geodata.street_network import StreetNetwork, sparse
from geodata.street_report import check_places, travel_said
from geodata.travel_matrix import snap, travel

CRS = "EPSG:32648"


def net(
    *lines: list[tuple[float, float]], mode: str = "walking", barriers: Any = None, **columns: Any
) -> StreetNetwork:
    streets = gpd.GeoDataFrame(columns, geometry=[LineString(p) for p in lines], crs=CRS)
    wall = None if barriers is None else gpd.GeoDataFrame(geometry=barriers, crs=CRS)
    return network_of_lines(streets, mode=mode, barriers=wall)


ROAD = net([(0, 0), (1000, 0)], [(1000, 0), (1000, 1000)])


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((0, 30), (1040, 1000), 30 + 2000 + 40),
        ((400, 30), (600, -40), 30 + 200 + 40),  # both along one street, not by its ends
        ((600, 5), (400, 5), 5 + 200 + 5),
        ((600, 5), (1007, 300), 5 + 400 + 300 + 7),
        ((600, 5), (600, 5), 0),
        ((1000, 0), (1000, 0), 0),
        ((-300, -400), (0, 0), 500),
        ((400, 10), (400, -10), 20),  # both at one point of the street
        ((1000, 8), (990, 0), 10 + 8),
    ],
)
def test_by_hand(a: tuple[float, float], b: tuple[float, float], metres: float) -> None:
    assert travel(ROAD, [a], [b]).amount.tolist() == [[metres]]
    assert travel(ROAD, [b], [a]).amount.tolist() == [[metres]]


def test_minutes_of_walking_and_driving() -> None:
    assert travel(ROAD, [(0, 40)], [(1000, 0)], measure="minutes").amount.tolist() == [[1040 / 80]]
    fast = net([(0, 0), (1000, 0)], mode="driving", speed_kmh=[60])
    assert travel(fast, [(0, 40)], [(1000, 0)], measure="minutes").amount.tolist() == [[1.5]]
    ways = net([(0, 0), (1000, 0)], [(0, 0), (500, 500), (1000, 0)], mode="driving", speed_kmh=[10, 60])
    assert travel(ways, [(0, 0)], [(1000, 0)]).amount.tolist() == [[1000]]
    assert travel(ways, [(0, 0)], [(1000, 0)], measure="minutes").amount.tolist() == [[1.41]]


def test_one_way_both_directions() -> None:
    """A square driven round one way: (0,0) -> (100,0) -> (100,100) -> (0,100) -> (0,0)."""
    corners = [(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)]
    ring = net(*[[corners[i], corners[i + 1]] for i in range(4)], mode="driving", one_way=["yes"] * 4)
    places = [(0, 0), (100, 0), (30, 0), (60, 0)]
    assert travel(ring, places, places).amount.tolist() == [
        [0, 100, 30, 60],
        [300, 0, 330, 360],
        [370, 70, 0, 30],
        [340, 40, 370, 0],
    ]
    assert travel(ring, places[:1], places).amount.tolist() == [[0, 100, 30, 60]]
    assert travel(ring, places, places[:1]).amount.T.tolist() == [[0, 300, 370, 340]]
    against = net([(0, 0), (100, 0)], mode="driving", one_way=["-1"])
    assert travel(against, [(0, 0), (100, 0)], [(0, 0), (100, 0)]).amount.tolist() == [[0, np.inf], [100, 0]]


def test_parallel_edges_count_by_the_least() -> None:
    twice = net([(0, 0), (100, 0)], [(0, 0), (50, 50), (100, 0)], [(100, 0), (0, 0)], length_m=[300, None, 250])
    assert travel(twice, [(0, 0)], [(100, 0)]).amount.tolist() == [[141]]
    graph = sparse((np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0]), np.array([5.0, 3.0, 1.0, 7.0])), 2)
    assert graph.toarray().tolist() == [[0, 3], [7, 0]]


def test_edges_of_no_length_can_be_used() -> None:
    bridge = net([(0, 0), (10, 0)], [(10, 0), (20, 0)], [(20, 0), (30, 0)], length_m=[10, 0, 10])
    assert travel(bridge, [(0, 0)], [(30, 0)]).amount.tolist() == [[20]]


def test_the_limit_is_inclusive_after_rounding() -> None:
    assert travel(ROAD, [(0, 30)], [(1000, 0)], limit=1030).amount.tolist() == [[1030]]
    assert travel(ROAD, [(0, 30.4)], [(1000, 0)], limit=1030).amount.tolist() == [[1030]]
    assert travel(ROAD, [(0, 30)], [(1000, 0)], limit=1029.9).amount.tolist() == [[np.inf]]
    assert travel(ROAD, [(0, 0)], [(1000, 0)], measure="minutes", limit=12.5).amount.tolist() == [[12.5]]
    assert travel(ROAD, [(0, 0)], [(1000, 0)], measure="minutes", limit=12.49).amount.tolist() == [[np.inf]]


def test_far_from_streets_it_is_the_straight_line_and_said() -> None:
    far = travel(ROAD, [(-1001, 0), (-1000, 0)], [(0, 0)])
    assert far.amount.tolist() == [[1301], [1000]]
    assert far.by_straight_line.tolist() == [[True], [False]]
    assert travel_said(far).startswith("1 of 2 pairs along the streets, 1 by straight line, 0 ")
    assert travel(ROAD, [(-1001, 0)], [(0, 0)], detour=None).amount.tolist() == [[np.inf]]
    assert travel(ROAD, [(-1001, 0)], [(0, 0)], detour=2).amount.tolist() == [[2002]]
    assert travel(ROAD, [(-201, 0)], [(0, 0)], snap_limit_m=200).by_straight_line.all()
    minutes = travel(ROAD, [(-2000, 0)], [(0, 0)], measure="minutes")
    assert minutes.amount.tolist() == [[2600 / 80]]


def test_parts_that_do_not_connect() -> None:
    two = net([(0, 0), (100, 0)], [(0, 50), (100, 50)])
    got = travel(two, [(0, 0)], [(100, 50), (100, 0)])
    assert got.amount.tolist() == [[round(np.hypot(100, 50) * 1.3), 100]]
    assert got.by_straight_line.tolist() == [[True, False]]


def test_places_too_far_or_on_a_small_part_are_named() -> None:
    two = net([(0, 0), (100, 0)], [(100, 0), (200, 0)], [(0, 500), (100, 500)])
    at = snap(two, [(0, 0), (0, 900), (50, 500)], 300)
    found = [f.text() for f in check_places(two, at, ["a", "b", "c"], "sites", 300)]
    assert found[0].startswith("sites, row 2 (b): geometry  has no street within 300 m; ")
    assert found[1].startswith("sites, row 3 (c): geometry  is on a part of 2 junctions that is not connected")
    assert len(found) == 2


RIVER = [LineString([(-5000, 50), (5000, 50)])]


def test_nobody_is_led_through_a_river() -> None:
    """Streets on both banks; the bridge is 1,000 m away. A place by the river hangs on its own bank."""
    banks = [[(0, 0), (1000, 0)], [(0, 60), (1000, 60)], [(1000, 0), (1000, 60)]]
    network = net(*banks, barriers=RIVER, bridge=["", "", "yes"])
    got = travel(network, [(0, 45)], [(0, 60)])
    assert got.amount.tolist() == [[45 + 1000 + 60 + 1000]]
    assert travel(net(*banks), [(0, 45)], [(0, 60)]).amount.tolist() == [[15]]
    cut = net(*banks, barriers=RIVER)
    assert travel(cut, [(0, 0)], [(0, 60)]).amount.tolist() == [[np.inf]]  # not by a straight line either
    lake = net([(0, 0), (100, 0)], barriers=[Polygon([(-50, 10), (150, 10), (150, 20), (-50, 20)])])
    assert snap(lake, [(50, 30)]).segment.tolist() == [-1]
    assert travel(lake, [(50, 30)], [(0, 0)]).amount.tolist() == [[np.inf]]


def test_no_places() -> None:
    assert travel(ROAD, np.empty((0, 2)), [(0, 0)]).amount.shape == (0, 1)
    assert travel(ROAD, [(0, 0)], np.empty((0, 2))).amount.shape == (1, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"limit": -1}, "limit = -1  must be 0 or more"),
        ({"limit": np.nan}, "limit = nan"),
        ({"snap_limit_m": -1}, "snap_limit_m = -1"),
        ({"detour": 0.9}, "detour = 0.9  must be 1 or more"),
        ({"detour": 0}, "detour = 0  must be 1 or more"),
        ({"measure": "miles"}, "must be metres or minutes"),
        ({"origins": [(np.nan, 0)]}, "origins, row 1: "),
        ({"destinations": [(0, 0), (np.inf, 0)]}, "destinations, row 2: "),
        ({"origins": [(0, 0, 0), (1, 1, 1)]}, "origins: are no places"),
        ({"origins": [("a", "b")]}, "origins: are no places"),
        ({"destinations": [1, 2]}, "destinations: are no places"),
    ],
)
def test_what_cannot_be_is_named(change: dict[str, Any], said: str) -> None:
    arguments: dict[str, Any] = {"origins": [(0, 0)], "destinations": [(1, 1)], **change}
    with pytest.raises(InputError) as error:
        travel(ROAD, arguments.pop("origins"), arguments.pop("destinations"), **arguments)
    assert said in str(error.value)


def test_degrees_are_not_taken_for_metres() -> None:
    network = net([(500_000, 3_480_000), (501_000, 3_480_000)])
    with pytest.raises(InputError, match="destinations: look like degrees; give metres in EPSG:32648"):
        travel(network, [(500_000, 3_480_000)], [(104.7, 31.4)])


def test_a_place_on_a_bridge_is_not_behind_the_river() -> None:
    network = net([(0, 0), (0, 100)], barriers=RIVER, bridge=["yes"])
    assert travel(network, [(0, 50)], [(0, 0)]).amount.tolist() == [[50]]


# ------------------------------------------------------------------------------------------------- oracle


def oracle(lines: list[Any], direction: list[str], mode: str, start: Any, goal: Any) -> np.ndarray:
    """Travel by NetworkX: every place is a node of a graph of straight streets, cut where places hang on it."""
    graph, access = nx.MultiDiGraph(), {}
    ends = np.array(lines, dtype=float)
    on: dict[int, list[tuple[float, Any]]] = {k: [(0.0, tuple(a)), (1.0, tuple(b))] for k, (a, b) in enumerate(lines)}
    for which, places in (("s", start), ("g", goal)):
        for i, p in enumerate(np.asarray(places, dtype=float)):
            along = ends[:, 1] - ends[:, 0]
            share = np.clip(((p - ends[:, 0]) * along).sum(axis=1) / (along**2).sum(axis=1), 0, 1)
            metres = np.hypot(*(ends[:, 0] + share[:, None] * along - p).T)
            k = int(np.argmax(metres <= metres.min() + 0.001))  # of equally near ones the first
            access[which, i] = float(metres[k])
            on[k].append((float(share[k]), (which, i)))
            for t, end in enumerate(lines[k]):  # at an end the place is at the junction, not only on the street
                if share[k] == t:
                    graph.add_edge((which, i), tuple(end), weight=0.0)
                    graph.add_edge(tuple(end), (which, i), weight=0.0)
    for k, stops in on.items():
        stops.sort(key=lambda s: s[0])
        whole = float(np.hypot(*(ends[k, 1] - ends[k, 0])))
        for (s, a), (t, b) in pairwise(stops):
            if mode == "walking" or direction[k] != "-1" or s == t:
                graph.add_edge(a, b, weight=(t - s) * whole)
            if mode == "walking" or direction[k] != "yes" or s == t:
                graph.add_edge(b, a, weight=(t - s) * whole)
    part = {node: n for n, nodes in enumerate(nx.weakly_connected_components(graph)) for node in nodes}
    out = np.full((len(start), len(goal)), np.inf)
    for i, a in enumerate(start):
        found = nx.single_source_dijkstra_path_length(graph, ("s", i))
        for j, b in enumerate(goal):
            if part["s", i] == part["g", j]:
                out[i, j] = access["s", i] + found.get(("g", j), np.inf) + access["g", j]
            else:
                out[i, j] = np.hypot(*(np.array(a) - b)) * 1.3
            out[i, j] = 0.0 if tuple(a) == tuple(b) else out[i, j]
    return out


node = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda p: (p[0] * 100.0, p[1] * 100.0 + p[0] * 7.0))
spot = st.tuples(st.integers(-50, 650), st.integers(-50, 690)).map(lambda p: (p[0] + 0.213, p[1] + 0.371)) | node
street = st.tuples(node, node, st.sampled_from(["yes", "no", "-1"])).filter(lambda s: s[0] != s[1])


@given(
    streets=st.lists(street, min_size=1, max_size=16, unique_by=lambda s: frozenset(s[:2])),
    start=st.lists(spot, min_size=1, max_size=5),
    goal=st.lists(spot, min_size=1, max_size=5),
    mode=st.sampled_from(["walking", "driving"]),
)
def test_against_networkx(streets: list[Any], start: list[Any], goal: list[Any], mode: str) -> None:
    lines, direction = [s[:2] for s in streets], [s[2] for s in streets]
    network = net(*[list(line) for line in lines], mode=mode, one_way=direction)
    got, wanted = travel(network, start, goal).amount, oracle(lines, direction, mode, start, goal)
    at = np.r_[snap(network, start).access_m, snap(network, goal).access_m]
    assert np.isfinite(at).all()
    assert np.array_equal(np.isfinite(got), np.isfinite(wanted))
    there = np.isfinite(wanted)
    assert np.abs(got[there] - wanted[there]).max(initial=0) <= 0.5 + 1e-6
    limited = travel(network, start, goal, limit=400).amount
    assert np.array_equal(limited, np.where(got <= 400, got, np.inf))


def test_the_real_streets(shared: Path) -> None:
    """Walking in the city: against NetworkX from some junctions, and never shorter than the straight line."""
    network = read_network(shared / "data" / "mianyang" / "streets_osm.geojson")
    draw = np.random.default_rng(1)
    nodes = np.flatnonzero(network.part == 0)
    start, goal = draw.choice(nodes, 6, replace=False), draw.choice(nodes, 40, replace=False)
    got = travel(network, network.xy[start], network.xy[goal]).amount
    graph = network.to_networkx()
    for i, a in enumerate(start.tolist()):
        found = nx.single_source_dijkstra_path_length(graph, a, weight="length_m")
        assert got[i] == pytest.approx([found[b] for b in goal.tolist()], abs=0.51)
    straight = np.hypot(*(network.xy[start][:, None] - network.xy[goal][None]).transpose(2, 0, 1))
    assert (got >= straight * 0.999 - 1).all()


def test_a_city_in_seconds() -> None:
    """100 × 100 places on 20,000 segments well within a second each; the benchmark has the full size."""
    side = 100
    lines = [[(x * 100.0, y * 100.0), (x * 100.0 + 100, y * 100.0)] for x in range(side) for y in range(side)]
    lines += [[(x * 100.0, y * 100.0), (x * 100.0, y * 100.0 + 100)] for x in range(side) for y in range(side)]
    network = net(*lines)
    places = np.random.default_rng(0).uniform(0, side * 100, (100, 2))
    began = time.process_time()
    got = travel(network, places, places)
    assert time.process_time() - began < 5
    assert np.array_equal(got.amount, got.amount.T)
