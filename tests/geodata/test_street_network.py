"""Networks of streets: where lines meet, directions, speeds, barriers, GraphML, and what is wrong with a file."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import dijkstra
from shapely.geometry import LineString, MultiLineString, Point, Polygon

from geodata.findings import InputError
from geodata.street_build import network_of_lines
from geodata.street_files import read_network
from geodata.street_network import StreetNetwork, sparse
from geodata.street_report import check_network
from geodata.travel_matrix import travel

CRS = "EPSG:32648"


def frame(*lines: Any, **columns: list[Any]) -> gpd.GeoDataFrame:
    shapes = [LineString(line) if isinstance(line, list) else line for line in lines]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS)


def said(error: pytest.ExceptionInfo[InputError]) -> str:
    return "\n".join(finding.text() for finding in error.value.findings)


def segments(network: StreetNetwork) -> list[tuple[Any, ...]]:
    """Ends, metres and directions of every segment, in order."""
    xy = network.xy.tolist()
    rows = zip(network.tail, network.head, network.length_m, network.forward, network.backward, strict=True)
    return sorted((tuple(xy[a]), tuple(xy[b]), round(float(m), 6), bool(f), bool(w)) for a, b, m, f, w in rows)


def test_lines_are_cut_where_they_share_a_vertex_and_only_there() -> None:
    cross = network_of_lines(frame([(0, 0), (100, 0), (200, 0)], [(100, -50), (100, 0), (100, 50)]))
    assert len(cross.xy) == 5
    assert sorted(row[2] for row in segments(cross)) == [50, 50, 100, 100]
    bridge = network_of_lines(frame([(0, 0), (200, 0)], [(100, -50), (100, 50)]))
    assert len(bridge.tail) == 2
    assert np.bincount(bridge.part).tolist() == [2, 2]


def test_vertices_between_junctions_stay_one_segment() -> None:
    bent = network_of_lines(frame([(0, 0), (30, 40), (60, 0)]))
    assert segments(bent) == [((0, 0), (60, 0), 100.0, True, True)]


def test_given_lengths_are_shared_out_along_the_line() -> None:
    network = network_of_lines(frame([(0, 0), (100, 0), (400, 0)], [(100, 0), (100, 50)], length_m=[800, None]))
    assert sorted(network.length_m.tolist()) == [50, 200, 600]


def test_several_lines_in_one_row_and_repeated_vertices() -> None:
    parts = MultiLineString([[(0, 0), (100, 0)], [(100, 0), (100, 0), (100, 100)]])
    network = network_of_lines(frame(parts, length_m=[400]))
    assert sorted(network.length_m.tolist()) == [200, 200]
    assert network.names == ("1",)


def test_a_loop_is_kept_for_the_places_on_it() -> None:
    network = network_of_lines(frame([(0, 0), (100, 0)], [(0, 0), (0, 50), (-50, 50), (0, 0)]))
    got = travel(network, [(-25, 60)], [(100, 0)]).amount
    assert got.tolist() == [[10 + 25 + 50 + 100]]


def test_one_way_streets_bind_drivers_not_walkers() -> None:
    lines = frame(
        [(0, 0), (100, 0)], [(100, 0), (200, 0)], [(200, 0), (300, 0)], one_way=["yes", "-1", "no"],
    )  # fmt: skip
    driving = network_of_lines(lines, mode="driving")
    assert [row[3:] for row in segments(driving)] == [(True, False), (False, True), (True, True)]
    assert all(row[3:] == (True, True) for row in segments(network_of_lines(lines)))


vertex = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda p: (p[0] * 100.0, p[1] * 110.0))


@given(st.lists(st.lists(vertex, min_size=2, max_size=6), min_size=1, max_size=6))
def test_cut_lines_are_the_graph_of_their_vertices(lines: list[list[tuple[float, float]]]) -> None:
    """Between junctions the ways are as long as on a graph with a node at every vertex of every line."""
    lines = [line for line in lines if len(set(line)) > 1]
    graph = nx.Graph()
    for a, b in (pair for line in lines for pair in pairwise(line) if pair[0] != pair[1]):
        graph.add_edge(a, b, weight=float(np.hypot(a[0] - b[0], a[1] - b[1])))
    if not lines:
        return
    network = network_of_lines(frame(*lines))
    n = len(network.xy)
    got = dijkstra(sparse(network.edges("metres"), n))
    places = [(round(x, 6), round(y, 6)) for x, y in network.xy.tolist()]
    assert set(places) <= set(graph)
    wanted = dict(nx.all_pairs_dijkstra_path_length(graph))
    assert got == pytest.approx(np.array([[wanted[a].get(b, np.inf) for b in places] for a in places]))
    assert {node for line in lines for node in (line[0], line[-1])} <= set(places)


@pytest.mark.parametrize(
    ("cell", "direction"),
    [
        ("yes", 1),
        (True, 1),
        (1, 1),
        (1.0, 1),
        ("F", 1),
        (-1, -1),
        ("T", -1),
        ("no", 0),
        (False, 0),
        (None, 0),
        ("B", 0),
    ],
)
def test_words_for_one_way(cell: object, direction: int) -> None:
    network = network_of_lines(frame([(0, 0), (100, 0)], oneway=[cell]), mode="driving")
    assert int(network.forward[0]) - int(network.backward[0]) == direction


def test_speeds_by_class_and_given() -> None:
    lines = frame(*[[(0, i), (1000, i)] for i in range(5)])
    lines["highway"] = ["primary", "primary_link", "['residential', 'service']", "strange", None]
    lines["maxspeed"] = [None, None, None, "30;50", "20 mph"]
    network = network_of_lines(lines, mode="driving", speeds_kmh={"residential": 20})
    assert network.minutes == pytest.approx([60 / 45, 60 / 45, 3, 2, 60 / 32.18688])
    assert "classes without a speed" in network.findings[0].text()
    walked = network_of_lines(lines, walking_kmh=6)
    assert walked.minutes == pytest.approx([10] * 5)


def test_classes_closed_to_walkers_or_drivers() -> None:
    lines = frame([(0, 0), (100, 0)], [(0, 0), (0, 100)], [(0, 0), (0, 70)])
    lines["class"] = ["motorway_link", "Footway", "primary"]
    assert sorted(network_of_lines(lines).length_m) == [70, 100]
    assert sorted(network_of_lines(lines, mode="driving").length_m) == [70, 100]
    assert len(network_of_lines(lines, mode="driving", speeds_kmh={"footway": 5}).tail) == 3
    only = lines.iloc[[1]]
    with pytest.raises(InputError, match="no street is open for driving"):
        network_of_lines(only, mode="driving")


RIVER = gpd.GeoDataFrame(geometry=[LineString([(50, -500), (50, 500)])], crs=CRS)


def test_a_barrier_closes_the_streets_that_cross_it_but_no_bridge() -> None:
    lines = frame([(0, 0), (100, 0)], [(0, 10), (100, 10)], [(50, 20), (100, 20)], bridge=[None, "yes", None])
    network = network_of_lines(lines, barriers=RIVER)
    assert sorted(row[0][1] for row in segments(network)) == [10, 20]
    assert "1 segment is closed" in network.findings[0].text()


def test_a_barrier_through_a_vertex_of_a_street_closes_it() -> None:
    """The first street crosses the river at a vertex it shares with the second, which only ends on the bank."""
    lines = frame([(0, 0), (50, 0), (100, 0)], [(50, 0), (80, 80)], [(200, 0), (300, 0)])
    assert len(network_of_lines(lines).tail) == 4
    open_ = network_of_lines(lines, barriers=RIVER)
    assert [row[:2] for row in segments(open_)] == [((50, 0), (80, 80)), ((200, 0), (300, 0))]
    pond = gpd.GeoDataFrame(geometry=[Polygon([(-9, -9), (300, -9), (300, 9), (-9, 9)])], crs=CRS)
    with pytest.raises(InputError, match="no street is open for walking"):
        network_of_lines(lines, barriers=pond)


def test_degrees_are_projected() -> None:
    network = network_of_lines(frame([(500_000, 3_480_000), (501_000, 3_480_000)]).to_crs("EPSG:4326"))
    assert network.crs == CRS
    assert network.xy == pytest.approx(np.array([[500_000, 3_480_000], [501_000, 3_480_000]]), abs=0.02)


def test_parts_and_one_way_traps_are_named() -> None:
    lines = frame(
        [(0, 0), (100, 0)],
        [(100, 0), (100, 100)],
        [(500, 0), (530, 0)],
        street=["a", "b", "c"],
        one_way=["no", "yes", ""],
    )
    found = [f.text() for f in check_network(network_of_lines(lines, mode="driving"))]
    assert len(found) == 2
    assert "1 parts not connected with the largest of 3 junctions (0.2 km): 2 junctions (0.0 km)" in found[0]
    assert "1 junctions can be entered or left only, on streets b" in found[1]
    assert len(check_network(network_of_lines(lines))) == 1


def test_the_largest_part_alone() -> None:
    lines = frame([(0, 300), (30, 300)], [(0, 0), (100, 0)], [(100, 0), (100, 100)], street=["x", "a", "b"])
    whole = network_of_lines(lines)
    part = whole.largest_part()
    assert segments(part) == [row for row in segments(whole) if row[2] == 100]
    assert [part.names[k] for k in part.street] == ["a", "b"]
    assert part.part.tolist() == [0, 0, 0]
    assert travel(part, [(0, 300)], [(0, 0)]).amount.tolist() == [[round(np.hypot(100, 200) + 200)]]


def test_as_networkx() -> None:
    graph = network_of_lines(frame([(0, 0), (100, 0)], one_way=["yes"], street=["s"]), mode="driving").to_networkx()
    assert list(graph.edges(data=True)) == [(0, 1, {"length_m": 100.0, "minutes": 0.2, "street": "s", "class": ""})]
    assert graph.nodes[1] == {"x": 100.0, "y": 0.0}


def test_the_digest_is_of_the_content() -> None:
    one, same = network_of_lines(frame([(0, 0), (100, 0)])), network_of_lines(frame([(0, 0), (100, 0)]))
    assert one.digest == same.digest
    others = [
        network_of_lines(frame([(0, 0), (100, 0)], length_m=[101])),
        network_of_lines(frame([(0, 0), (100, 0)]), walking_kmh=5),
        network_of_lines(frame([(0, 0), (100, 0)]), barriers=RIVER.translate(500).to_frame("geometry")),
        network_of_lines(frame([(0, 0), (50, 1), (100, 0)], length_m=[100])),
    ]
    assert len({one.digest, *(other.digest for other in others)}) == 5


# ------------------------------------------------------------------------------------------------- bad input


def test_everything_wrong_with_a_file_is_named_at_once() -> None:
    lines = frame(
        [(0, 0), (1, 0)], None, Point(0, 0), [(0, 0), (np.inf, 0)],
        length_m=["-5", "x", "inf", "1"], one_way=["no", "perhaps", "", ""], speed_kmh=["0", "250", "fast", ""],
        bridge=["", "maybe", "", ""],
    )  # fmt: skip
    with pytest.raises(InputError) as error:
        network_of_lines(lines, mode="flying", walking_kmh=0, speeds_kmh={"primary": -1}, file="s.gpkg")
    wanted = [
        "mode = flying  is no way of travel", "walking_kmh = 0", "speeds_kmh of 'primary' = -1",
        "row 1: length_m = -5  is negative", "row 2: length_m = x  is not a number", "row 3: length_m = inf",
        "row 2: one_way = perhaps  says no direction", "row 1: speed_kmh = 0", "row 2: speed_kmh = 250",
        "row 3: speed_kmh = fast", "row 2: bridge = maybe", "row 2: geometry  geometry is missing",
        "row 3: geometry  geometry is a Point", "row 4: geometry  geometry has coordinates that are no numbers",
    ]  # fmt: skip
    text = said(error)
    for line in wanted:
        assert line in text
    assert len(error.value.findings) == len(wanted)


def test_other_column_names_are_mapped_or_refused() -> None:
    lines = frame([(0, 0), (100, 0)], direction=["yes"])
    assert not network_of_lines(lines, mode="driving", columns={"one_way": "direction"}).backward[0]
    with pytest.raises(InputError) as error:
        network_of_lines(lines, columns={"one_way": "dirction", "oneway": "direction"})
    assert "did you mean direction?" in said(error)
    assert "no column 'oneway'; did you mean one_way?" in said(error)


def test_no_crs_no_rows_and_bad_systems() -> None:
    with pytest.raises(InputError, match="no coordinate system"):
        network_of_lines(frame([(0, 0), (1, 0)]).set_crs(None, allow_override=True))
    with pytest.raises(InputError, match="has no rows"):
        network_of_lines(frame())
    with pytest.raises(InputError, match="not projected in metres"):
        network_of_lines(frame([(0, 0), (1, 0)]), crs="EPSG:4326")
    with pytest.raises(InputError, match="not a known coordinate system"):
        network_of_lines(frame([(0, 0), (1, 0)]), crs="nowhere")
    with pytest.raises(InputError, match=r"barriers: +have no coordinate system"):
        network_of_lines(frame([(0, 0), (1, 0)]), barriers=RIVER.set_crs(None, allow_override=True))
    with pytest.raises(InputError, match="barriers, row 1: geometry  geometry is a Point"):
        network_of_lines(frame([(0, 0), (1, 0)]), barriers=gpd.GeoDataFrame(geometry=[Point(0, 0)], crs=CRS))


def test_kilometres_given_for_metres_are_doubted() -> None:
    network = network_of_lines(frame([(0, 0), (1000, 0)], length_m=[1.0]))
    assert "length_m = 1  is shorter than the line is, in 1 streets (rows 1)" in network.findings[0].text()


# ------------------------------------------------------------------------------------------------- files


def test_lines_of_a_geopackage_with_barriers(tmp_path: Path) -> None:
    frame([(0, 0), (100, 0)], [(0, 0), (0, 70)]).to_file(tmp_path / "街 道.gpkg", layer="roads")
    RIVER.to_file(tmp_path / "river.geojson")
    network = read_network(tmp_path / "街 道.gpkg", layer="roads", barriers=tmp_path / "river.geojson")
    assert network.length_m.tolist() == [70]
    with pytest.raises(InputError, match="there is no layer 'road'"):
        read_network(tmp_path / "街 道.gpkg", layer="road")
    with pytest.raises(InputError, match="no such file"):
        read_network(tmp_path / "streets.gpkg")


def graphml(path: Path, graph: Any) -> Path:
    nx.write_graphml(graph, path)
    return path


def osm_graph() -> nx.MultiDiGraph:
    """Two junctions with a street both ways, a bent one-way street, as OSMnx saves them."""
    graph = nx.MultiDiGraph(crs=CRS)
    for node, (x, y) in {11: (0, 0), 12: (1000, 0), 13: (1000, 300)}.items():
        graph.add_node(node, x=str(x), y=str(y))
    graph.add_edge(11, 12, osmid="7", length="1000.0", highway="primary", oneway="False")
    graph.add_edge(12, 11, osmid="7", length="1000.0", highway="primary", oneway="False")
    bent = "LINESTRING (1000 0, 1400 0, 1000 300)"
    graph.add_edge(
        12, 13, osmid="[8, 9]", length="900.0", highway="['service', 'residential']", oneway="True", geometry=bent
    )
    return graph


def test_graphml(tmp_path: Path) -> None:
    file = graphml(tmp_path / "s.graphml", osm_graph())
    driving = read_network(file, mode="driving")
    assert segments(driving) == [
        ((0, 0), (1000, 0), 1000, True, True),
        ((1000, 0), (1000, 300), 900, True, False),
    ]
    assert driving.minutes == pytest.approx([60 / 45, 0.9 * 60 / 15])
    assert travel(driving, [(1000, 300)], [(1000, 0)]).amount.tolist() == [[np.inf]]
    walking = read_network(file)
    assert travel(walking, [(1000, 300)], [(1000, 0)]).amount.tolist() == [[900]]
    assert travel(driving, [(500, 20)], [(0, 0), (1000, 0)]).amount.tolist() == [[520, 520]]


def test_there_and_back_are_one_street_though_not_measured_the_same(tmp_path: Path) -> None:
    graph = nx.MultiDiGraph(crs=CRS)
    graph.add_nodes_from([("a", {"x": 0, "y": 0}), ("b", {"x": 400, "y": 0})])
    for a, b, metres in [("a", "b", 400.04), ("a", "b", 700), ("b", "a", 699.5), ("b", "a", 400.06), ("b", "b", 90)]:
        graph.add_edge(a, b, length=metres)
    network = read_network(graphml(tmp_path / "s.graphml", graph), mode="driving")
    assert sorted(network.length_m.tolist()) == [400.04, 700]  # a loop without a shape leads nowhere
    assert network.forward.tolist() == network.backward.tolist() == [True] * 2


def test_undirected_graphml_in_degrees_without_crs(tmp_path: Path) -> None:
    graph = nx.Graph()
    graph.add_node("a", x=104.70, y=31.46)
    graph.add_node("b", x=104.71, y=31.46)
    graph.add_edge("a", "b")
    network = read_network(graphml(tmp_path / "s.graphml", graph), mode="driving")
    assert network.crs == CRS
    assert network.length_m == pytest.approx([950], abs=5)
    assert network.forward.tolist() == network.backward.tolist() == [True]


def test_bad_graphml(tmp_path: Path) -> None:
    graph = osm_graph()
    graph.nodes[12]["x"] = "east"
    del graph.nodes[13]["y"]
    with pytest.raises(InputError) as error:
        read_network(graphml(tmp_path / "a.graphml", graph))
    assert "nodes, row 2 (12): x = east  is no coordinate" in said(error)
    assert "nodes, row 3 (13): y  is no coordinate" in said(error)
    graph = osm_graph()
    for a, b, k, facts in [(11, 12, 0, {"length": "long"}), (12, 13, 0, {"geometry": "LINES (0 0)"})]:
        graph.edges[a, b, k].update(facts)
    with pytest.raises(InputError) as error:
        read_network(graphml(tmp_path / "b.graphml", graph))
    assert "(length_m) = long" in said(error) or "length = long  is not a number" in said(error)
    assert "geometry = LINES (0 0)  is no line" in said(error)
    del graph.graph["crs"]
    graph = nx.MultiDiGraph(osm_graph(), crs="")
    with pytest.raises(InputError, match="does not say its coordinate system"):
        read_network(graphml(tmp_path / "c.graphml", graph))
    with pytest.raises(InputError, match="has no edges"):
        read_network(graphml(tmp_path / "d.graphml", nx.Graph()))
    (tmp_path / "e.graphml").write_text("<graphml", encoding="utf-8")
    with pytest.raises(InputError, match="is no readable GraphML"):
        read_network(tmp_path / "e.graphml")
    with pytest.raises(InputError, match="there is no such file"):
        read_network(tmp_path / "f.graphml")


def test_the_real_streets(shared: Path) -> None:
    network = read_network(shared / "data" / "mianyang" / "streets_osm.geojson")
    assert network.crs == CRS
    assert len(network.names) == 2500
    assert network.length_m.sum() / 1000 == pytest.approx(2187, rel=0.01)
    size = np.bincount(network.part)
    assert size[0] > 0.95 * size.sum()
    assert any("parts not connected" in f.message for f in check_network(network))
    graph = nx.MultiGraph(network.to_networkx())
    assert sorted(map(len, nx.connected_components(graph)), reverse=True) == size.tolist()
