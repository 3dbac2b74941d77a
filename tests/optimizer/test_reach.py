"""Who is within reach in a plan: minutes, driving, people at points, and what is said of it."""

from dataclasses import replace
from typing import Any

import geopandas as gpd
import pytest
from pydantic import ValidationError
from shapely import Point

from geodata.city import City
from optimizer.problem_data import build_problem
from optimizer.reach_report import reach_report
from optimizer.scenario import Travel
from tests.optimizer.tiny import CRS_M, X, Y, make_city, make_scenario

STREETS = [(500.0, 500.0, 1500.0, 500.0), (1500.0, 500.0, 2500.0, 500.0)]


def city(**columns: Any) -> City:
    """Three communities along a street of 2 km, a station building in the first; columns are those of both streets."""
    made = make_city(
        [{"community": c} for c in "abc"],
        sites=[{"site": "s", "community": "a", "use": "station", "area_m2": 300}],
        needs=[(c, "clinic", 100) for c in "abc"],
        streets=STREETS,
    )
    made.streets[list(columns)] = [list(columns.values())] * 2
    return made


def reached(city: City, **clinic: Any) -> dict[str, float]:
    rule = {"siting": "network", **clinic}
    problem = build_problem(city, make_scenario(programmes={"services": {"clinic": rule, "desk": {"siting": "own"}}}))
    return {
        problem.communities[i]: float(m) for i, m in zip(problem.arcs.community, problem.arcs.travel_m, strict=True)
    }


@pytest.mark.parametrize(
    ("clinic", "within"),
    [
        ({"limit_m": 2000}, {"a": 0, "b": 1000, "c": 2000}),
        ({"limit_m": 1999}, {"a": 0, "b": 1000}),
        ({"limit_m": 0, "limit_minutes": 12.5}, {"a": 0, "b": 1000}),  # 80 m a minute, inclusive
        ({"limit_m": 2000, "limit_minutes": 12.4}, {"a": 0}),
        ({"limit_m": 0, "limit_minutes": 4, "travel": "driving"}, {"a": 0, "b": 1000, "c": 2000}),  # 30 km/h
        ({"limit_m": 1500, "limit_minutes": 4, "travel": "driving"}, {"a": 0, "b": 1000}),
    ],
)
def test_limits_in_metres_and_minutes(clinic: dict[str, Any], within: dict[str, float]) -> None:
    assert reached(city(), **clinic) == within


def test_one_way_streets_bind_who_drives_to_the_station() -> None:
    away = city(one_way=1)  # drawn from a to c: nobody drives to a
    assert reached(away, limit_m=9000, travel="driving") == {"a": 0}
    assert reached(away, limit_m=9000) == {"a": 0, "b": 1000, "c": 2000}
    assert reached(city(one_way=-1), limit_m=9000, travel="driving") == {"a": 0, "b": 1000, "c": 2000}
    slow = city(speed_kmh=10.0)
    assert reached(slow, limit_m=0, limit_minutes=6, travel="driving") == {"a": 0, "b": 1000}


def test_people_at_points_travel_their_mean_and_it_is_said_how_many_are_near() -> None:
    made = city()
    people = gpd.GeoDataFrame(
        {"point": ["1", "2"], "community": ["b", "b"], "persons": [3.0, 1.0]},
        geometry=[Point(X + 600, Y + 500), Point(X + 2500, Y + 500)],
        crs=CRS_M,
    )
    made = replace(made, people=people)
    assert reached(made, limit_m=1000) == {"a": 0, "b": (3 * 100 + 2000) / 4}
    rule = {"siting": "network", "limit_m": 1000, "title": "Clinic"}
    report = reach_report(made, make_scenario(programmes={"services": {"clinic": rule, "desk": {"siting": "own"}}}))
    # All of a and three quarters of b; c is 2 km away.
    assert report.services == [
        {"service": "clinic", "title": "Clinic", "limit": "1,000 m walking", "today": 0.0, "possible": 1.75 / 3}
    ]
    where = "2 points in 1 communities, 2 communities at their office"
    assert report.lines == [
        "Walking      2 segments, 2 km of streets, all connected",
        f"People       {where}; to the nearest street 0 m in the middle, 0 m at most",
        "Within reach Clinic, 1,000 m walking: 0.0% of its people today, 58.3% with every building there could be",
    ]


def test_a_network_service_needs_a_limit() -> None:
    with pytest.raises(ValidationError, match="limit_m must be above 0"):
        make_scenario(programmes={"services": {"clinic": {"siting": "network"}}})


def test_speeds_of_classes_add_to_the_defaults() -> None:
    assert Travel(driving_kmh={"primary": 20}).driving_kmh | {"primary": 45} == Travel().driving_kmh
    with pytest.raises(ValidationError, match="less than or equal to 200"):
        Travel(driving_kmh={"primary": 201})
