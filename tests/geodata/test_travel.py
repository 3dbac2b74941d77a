import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString

from geodata.city import City
from geodata.travel import by_straight_line, office_points, street_network, travel_m

CRS = "EPSG:32648"


def streets(*lines: list[tuple[float, float]], length: list[float] | None = None) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(
        {"street": [str(i) for i in range(len(lines))]}, geometry=[LineString(p) for p in lines], crs=CRS
    )
    frame["length_m"] = np.nan if length is None else length
    return frame


NONE = gpd.GeoDataFrame(
    {"street": pd.Series([], dtype=str), "length_m": pd.Series([], dtype=float)}, geometry=[], crs=CRS
)
ROAD = streets([(0, 0), (100, 0)], [(100, 0), (100, 100)], [(100, 100), (500, 100)])


def test_without_streets_it_is_the_straight_line_times_1_3() -> None:
    assert travel_m([(0, 0)], [(0, 0), (3, 4), (30, 40)], NONE, 100).tolist() == [[0, 6, 65]]


def test_along_streets_with_access_and_egress() -> None:
    assert travel_m([(0, 10)], [(100, 100), (500, 130)], ROAD, 10_000).tolist() == [[210, 640]]


def test_the_limit_is_inclusive_after_rounding() -> None:
    assert travel_m([(0, 10)], [(500, 130)], ROAD, 640).tolist() == [[640]]
    assert travel_m([(0, 10)], [(500, 130)], ROAD, 639.9).tolist() == [[np.inf]]
    assert travel_m([(0, 0.4)], [(100, 100)], ROAD, 200).tolist() == [[200]]


def test_far_from_any_street_it_is_the_straight_line() -> None:
    assert travel_m([(-1001, 0)], [(0, 0)], ROAD, 1e6).tolist() == [[round(1001 * 1.3)]]
    assert travel_m([(-1000, 0)], [(0, 0)], ROAD, 1e6).tolist() == [[1000]]
    assert by_straight_line([(-1001, 0), (-1000, 0)], ROAD).tolist() == [True, False]
    assert by_straight_line([(0, 0)], NONE).tolist() == [True]


def test_parts_that_do_not_connect() -> None:
    two = streets([(0, 0), (100, 0)], [(0, 50), (100, 50)])
    assert travel_m([(0, 0)], [(100, 50)], two, 1e6).tolist() == [[round(np.hypot(100, 50) * 1.3)]]


def test_the_shortest_of_parallel_segments_and_given_lengths_count() -> None:
    twice = streets([(0, 0), (100, 0)], [(0, 0), (50, 50), (100, 0)], [(100, 0), (0, 0)], length=[300, np.nan, 250])
    assert travel_m([(0, 0)], [(100, 0)], twice, 1e6).tolist() == [[141]]


def test_ends_that_agree_to_the_centimetre_meet() -> None:
    near = streets([(0, 0), (100, 0)], [(100.001, 0), (100, 100)])
    assert travel_m([(0, 0)], [(100, 100)], near, 1e6).tolist() == [[200]]


def test_loops_and_missing_lines_do_no_harm() -> None:
    odd = streets([(0, 0), (100, 0)], [(0, 0), (10, 10), (0, 0)])
    odd.loc[2] = {"street": "x", "length_m": np.nan, "geometry": None}
    assert travel_m([(0, 0)], [(100, 0)], odd, 1e6).tolist() == [[100]]
    odd["geometry"] = None
    assert street_network(odd) is None


def test_no_places() -> None:
    assert travel_m(np.empty((0, 2)), [(0, 0)], ROAD, 10).shape == (0, 1)
    assert travel_m([(0, 0)], np.empty((0, 2)), ROAD, 10).shape == (1, 0)


@given(st.integers(0, 10_000))
def test_against_networkx(seed: int) -> None:
    random = np.random.default_rng(seed)
    nodes = random.integers(0, 2000, (12, 2)).astype(float)
    pairs = [(int(a), int(b)) for a, b in random.integers(0, 12, (16, 2)) if (nodes[a] != nodes[b]).any()]
    lines = streets(*[[tuple(nodes[a]), tuple(nodes[b])] for a, b in pairs])
    graph = nx.Graph()
    for a, b in pairs:
        graph.add_edge(tuple(nodes[a]), tuple(nodes[b]), weight=float(np.hypot(*(nodes[a] - nodes[b]))))
    ends = list(graph)
    start, goal = random.uniform(-300, 2300, (4, 2)), random.uniform(-300, 2300, (6, 2))
    got = travel_m(start, goal, lines, 2500.0)
    assert np.array_equal(got, travel_m(goal, start, lines, 2500.0).T)
    for i, p in enumerate(start):
        for j, q in enumerate(goal):
            access, egress = ([np.hypot(*(np.array(e) - z)) for e in ends] for z in (p, q))
            a, b = ends[int(np.argmin(access))], ends[int(np.argmin(egress))]
            metres = np.hypot(*(p - q)) * 1.3
            if min(access) <= 1000 and min(egress) <= 1000 and nx.has_path(graph, a, b):
                metres = min(access) + nx.dijkstra_path_length(graph, a, b) + min(egress)
            expected = np.rint(metres) if np.rint(metres) <= 2500 else np.inf
            assert got[i, j] == expected or (abs(got[i, j] - expected) <= 1 and abs(metres % 1 - 0.5) < 1e-6)


def test_office_points(city: City) -> None:
    points = office_points(city)
    assert points.shape == (4, 2)
    offices = city.sites[city.sites["use"] == "office"].geometry
    assert points[:, 0] == pytest.approx(offices.x.to_numpy())
    without = City(**{**vars(city), "sites": city.sites[city.sites["community"] != "c2"]})
    inside = city.communities.geometry.iloc[1]
    assert inside.contains(gpd.points_from_xy(*office_points(without)[[1]].T)[0])
