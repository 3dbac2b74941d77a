"""Travel of the audit: solved by hand, and the same as the planner's, which shares no code with it."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from shapely import LineString, Point, Polygon

from geodata.city import City
from geodata.files import Raw
from geodata.findings import InputError
from geodata.finish import empty, finish
from geodata.schema import TABLES
from geodata.street_network import Measure
from geodata.tables import Builder, Spec
from geodata.travel_people import city_network, city_people, people_travel
from optimizer.audit.travel import Ways
from optimizer.scenario import Travel

CRS = "EPSG:32648"
X, Y = 500_000.0, 3_480_000.0
RULES = Travel().model_dump()
Pair = tuple[float, float, float, float]


def table(name: str, rows: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    """A table of a city as it is read from a file with these rows."""
    if not rows:
        return empty(TABLES[name], pyproj.CRS.from_user_input(CRS))  # type: ignore[return-value]
    frame = gpd.GeoDataFrame(rows, crs=CRS)
    built = Builder(Raw(frame.set_geometry(frame.translate(X, Y)), Path("city.gpkg"), name), TABLES[name], Spec())
    done = built.build()
    assert done.frame is not None, done.findings
    return finish(done.frame, TABLES[name], done.rows)[0]  # type: ignore[return-value]


def make(
    streets: list[dict[str, Any]], origins: dict[str, tuple[float, float]], barriers: Any = (), people: Any = ()
) -> City:
    """A city of communities that are points, streets, barriers, and points of people."""
    frames: dict[str, Any] = {name: empty(t, pyproj.CRS.from_user_input(CRS)) for name, t in TABLES.items()}
    around = [Point(X + xy[0], Y + xy[1]).buffer(1) for xy in origins.values()]
    frames["communities"] = gpd.GeoDataFrame({"community": list(origins), "population": 1.0}, geometry=around, crs=CRS)
    offices = [
        {
            "site": f"o{c}",
            "community": c,
            "use": "office",
            "instrument": "existing",
            "area_m2": 0,
            "geometry": Point(xy),
        }
        for c, xy in origins.items()
    ]
    frames["sites"] = table("sites", offices)
    frames["streets"] = table("streets", streets)
    frames["barriers"] = table("barriers", [{"geometry": shape} for shape in barriers])
    frames["people"] = table("people", [{"community": c, "persons": n, "geometry": Point(xy)} for c, n, xy in people])
    return City(**frames, metric_crs=CRS)


def line(*points: tuple[float, float], **columns: Any) -> dict[str, Any]:
    return {**columns, "geometry": LineString(points)}


def both(
    city: City,
    goals: list[tuple[float, float]],
    mode: str,
    measure: Measure,
    limit: float,
    rules: dict[str, Any] = RULES,
) -> tuple[np.ndarray, np.ndarray]:
    """Travel by the planner and by the audit, (communities, goals)."""
    goals = [(X + x, Y + y) for x, y in goals]
    network = city_network(city, mode, rules["driving_kmh"], rules["walking_kmh"])
    theirs = people_travel(network, city_people(city), goals, limit=limit, measure=measure).mean
    office = city.sites.set_index("community").geometry
    places = pd.DataFrame({"x": office.x, "y": office.y})
    rows = [(c, x, y, limit) for c in city.communities["community"] for x, y in goals]
    pairs = pd.DataFrame(rows, columns=["community", "to_x", "to_y", "limit"])
    return theirs, Ways(city, rules, places).travel(pairs, mode, measure).reshape(theirs.shape)


ROAD = [line((0, 0), (1000, 0)), line((1000, 0), (1000, 1000))]


@pytest.mark.parametrize(
    ("streets", "mode", "minutes"),
    [
        (ROAD, "walking", 0.3 / 3.6 * 60 + 1 / 3.6 * 60),  # to the street as slowly as along it
        (ROAD, "driving", 0.3 / 3.6 * 60 + 1 / 30 * 60),
        ([], "walking", 1.3 * np.hypot(0.3, 1) / 3.6 * 60),
    ],
)
def test_the_speed_of_walking_holds_on_all_ways(streets: list[Any], mode: str, minutes: float) -> None:
    rules = Travel(walking_kmh=3.6).model_dump()
    for found in both(make(streets, {"a": (0, 300)}), [(1000, 0)], mode, "minutes", 1e6, rules):
        assert found == pytest.approx(minutes, abs=0.005)


def test_a_link_road_may_be_open_where_its_street_is_closed() -> None:
    short, long = line((0, 0), (1000, 0), highway="motorway_link"), line((0, 0), (0, 900), (1000, 0), highway="primary")
    for speeds, metres in (({"motorway": 0, "motorway_link": 40}, 1000), ({"motorway": 0}, 900 + np.hypot(900, 1000))):
        rules = Travel(driving_kmh=speeds).model_dump()
        for found in both(make([short, long], {"a": (0, 0)}), [(1000, 0)], "driving", "metres", 1e6, rules):
            assert found == pytest.approx(metres, abs=0.5)


@pytest.mark.parametrize(
    ("streets", "pair", "metres"),
    [
        ([], (0, 0, 300, 400), 650),  # no streets: 500 x 1.3
        ([], (7, 7, 7, 7), 0),
        (ROAD, (0, 30, 1040, 1000), 30 + 2000 + 40),
        (ROAD, (300, 30, 700, -40), 30 + 400 + 40),  # on one street, between its ends
        (ROAD, (300, 30, 1020, 500), 30 + 700 + 500 + 20),
        (ROAD, (0, 30, 0, -40), 70),  # both at one junction
        (ROAD, (5, 5, 5, 5), 0),
        (ROAD, (-1000, 0, 1000, 0), 1000 + 1000),  # 1,000 m to the street still counts
        (ROAD, (-1001, 0, 1000, 0), 2601),  # farther does not: 2,001 x 1.3
        ([line((0, 0), (100, 0)), line((300, 0), (400, 0))], (0, 0, 400, 0), 520),  # not connected
        ([line((0, 0), (100, 0), length_m=400), line((100, 0), (0, 0), length_m=250)], (0, 0, 100, 0), 250),
        ([line((0, 0), (100, 0)), line((100.004, 0), (200, 0))], (0, 0, 200, 0), 200),  # ends to the centimetre
        ([line((0, 0), (50, 0), (100, 0)), line((50, 0), (50, 80))], (0, 0, 50, 80), 130),  # met between the ends
        ([line((0, 0), (100, 0)), line((50, -50), (50, 50))], (0, 0, 50, 50), 92),  # only crossing: 70.7 x 1.3
        ([line((0, 0), (100, 0), highway="motorway"), line((0, 10), (100, 10))], (0, 5, 100, 5), 110),
    ],
)
def test_travel_by_hand(streets: list[dict[str, Any]], pair: Pair, metres: float) -> None:
    for x, y, to_x, to_y in (pair, (*pair[2:], *pair[:2])):
        theirs, mine = both(make(streets, {"a": (x, y)}), [(to_x, to_y)], "walking", "metres", 1e6)
        assert mine.tolist() == [[metres]]
        assert theirs.tolist() == [[metres]]


@pytest.mark.parametrize(
    ("columns", "metres", "minutes"),
    [
        ({}, 1000, 2.0),  # 30 km/h where no class is known
        ({"highway": "primary"}, 1000, 1.33),
        ({"highway": "primary_link", "maxspeed": "20 mph"}, 1000, 1.86),
        ({"oneway": "yes"}, 1000, 2.0),
        ({"oneway": "-1"}, np.inf, np.inf),
        ({"highway": "footway", "oneway": "yes"}, 1300, 3.12),  # closed: straight line at 25 km/h
    ],
)
def test_driving_by_hand(columns: dict[str, Any], metres: float, minutes: float) -> None:
    city = make([line((0, 0), (1000, 0), **columns), line((0, 5000), (9, 5000), highway="service")], {"a": (0, 0)})
    for measure, due in (("metres", metres), ("minutes", minutes)):
        theirs, mine = both(city, [(1000, 0)], "driving", measure, 1e6)  # type: ignore[arg-type]
        assert (theirs.tolist(), mine.tolist()) == ([[due]], [[due]])


def test_a_river_closes_streets_and_straight_lines_but_not_bridges() -> None:
    river = [LineString([(500, -3000), (500, 3000)])]
    south, north = line((0, 0), (1000, 0)), line((0, 900), (1000, 900), bridge="yes")
    joined = [line((0, 0), (0, 900)), line((1000, 0), (1000, 900))]
    for streets, due in (([south, *joined], np.inf), ([south, north, *joined], 2800.0)):
        theirs, mine = both(make(streets, {"a": (0, 0)}, river), [(1000, 0)], "walking", "metres", 1e6)
        assert (theirs.tolist(), mine.tolist()) == ([[due]], [[due]])


def test_people_travel_from_their_points_and_others_from_the_office() -> None:
    people = [("a", 300, (100, 0)), ("a", 100, (900, 0)), ("b", 0, (0, 0)), ("b", 0, (200, 0))]
    city = make([line((0, 0), (2000, 0))], {"a": (500, 0), "b": (500, 0), "c": (500, 0)}, people=people)
    theirs, mine = both(city, [(0, 0), (1000, 0)], "walking", "metres", 100)
    assert mine[:2].tolist() == theirs[:2].tolist() == [[300, 700], [100, 900]]
    assert theirs[2].tolist() == [500, 500]  # where one community has several points, all are sought to the end
    assert (mine[2] > 101).all()


grid = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(lambda p: (p[0] * 200.0, p[1] * 200.0))
street = st.builds(
    lambda points, facts: line(*points, **facts),
    st.lists(grid, min_size=2, max_size=3, unique=True),
    st.fixed_dictionaries(
        {
            "length_m": st.none() | st.integers(100, 900).map(float),
            "one_way": st.sampled_from(["", "yes", "-1"]),
            "class": st.sampled_from(["primary", "motorway", "footway", "residential_link", "strange"]),
            "speed_kmh": st.none() | st.sampled_from([10.0, 60.0]),
            "bridge": st.sampled_from(["", "yes"]),
        }
    ),
)
spot = st.tuples(st.integers(-1200, 2800), st.integers(-1200, 2800)).map(lambda p: (p[0] + 0.213, p[1] + 0.371))
walls = st.lists(
    st.tuples(spot, spot).filter(lambda p: p[0] != p[1]).map(LineString)
    | spot.map(lambda p: Polygon([p, (p[0] + 211, p[1] + 3), (p[0] + 100, p[1] + 307)])),
    max_size=2,
)


@given(
    streets=st.lists(street, max_size=12),
    start=st.lists(spot | grid, min_size=1, max_size=3),
    goals=st.lists(spot | grid, min_size=1, max_size=3),
    barriers=walls,
    homes=st.lists(st.tuples(st.integers(0, 3), spot), max_size=4),
    mode=st.sampled_from(["walking", "driving"]),
    measure=st.sampled_from(["metres", "minutes"]),
)
@example([line((0, 0), (200, 0), one_way="yes")], [(0.0, 0.0)], [(200.0, 0.0)], [], [], "driving", "minutes")
def test_travel_is_the_planners(
    streets: Any, start: Any, goals: Any, barriers: Any, homes: Any, mode: str, measure: Measure
) -> None:
    closed = {"walking": "motorway", "driving": "footway"}[mode]
    if streets and all(s.get("class") == closed for s in streets):
        streets = [*streets, line((0, 0), (200, 0), **{"class": "primary"})]
    origins = {str(n): xy for n, xy in enumerate(start)}
    city = make(streets, origins, barriers, [("0", n, xy) for n, xy in homes])
    limit = 2500.0 if measure == "metres" else 20.0
    with suppress(InputError):  # every street is cut by a barrier
        agree(*both(city, goals, mode, measure, limit), limit, 1 if measure == "metres" else 0.011)


def agree(theirs: np.ndarray, mine: np.ndarray, limit: float, slack: float) -> None:
    """Both say the same of what is within the limit, and that the rest is beyond it."""
    within = theirs <= limit
    assert np.abs(mine[within] - theirs[within]).max(initial=0.0) <= slack
    assert (mine[~within] >= limit - slack).all()
