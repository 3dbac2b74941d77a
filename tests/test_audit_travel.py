"""Travel of the audit: solved by hand, and the same as the planner's, which shares no code with it."""

from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString

from geodata.travel import travel_m
from optimizer.audit.travel import Streets

Line = tuple[tuple[float, float], tuple[float, float], float | None]


def streets(lines: list[Line]) -> gpd.GeoDataFrame:
    frame = pd.DataFrame({"street": range(len(lines)), "length_m": [length for *_, length in lines]}, dtype=float)
    return gpd.GeoDataFrame(frame, geometry=[LineString([a, b]) for a, b, _ in lines], crs="EPSG:32648")


def audited(lines: list[Line], *pairs: tuple[float, float, float, float], limit_m: float = 1e6) -> list[float]:
    city: Any = SimpleNamespace(streets=streets(lines))
    frame = pd.DataFrame(list(pairs), columns=["x", "y", "to_x", "to_y"]).assign(limit_m=limit_m)
    return Streets(city).travel_m(frame).tolist()


ROAD: list[Line] = [((0, 0), (1000, 0), None), ((1000, 0), (1000, 1000), None)]


@pytest.mark.parametrize(
    ("lines", "pair", "metres"),
    [
        ([], (0, 0, 300, 400), 650),  # no streets: 500 x 1.3
        ([], (7, 7, 7, 7), 0),
        (ROAD, (0, 30, 1040, 1000), 30 + 2000 + 40),
        (ROAD, (0, 30, 0, -40), 70),  # both at one junction
        (ROAD, (5, 5, 5, 5), 0),
        (ROAD, (-1000, 0, 1000, 0), 1000 + 1000),  # 1,000 m to the street still counts
        (ROAD, (-1001, 0, 1000, 0), 2601),  # farther does not: 2,001 x 1.3
        ([((0, 0), (100, 0), None), ((300, 0), (400, 0), None)], (0, 0, 400, 0), 520),  # not connected
        ([((0, 0), (100, 0), 400.0), ((100, 0), (0, 0), 250.0)], (0, 0, 100, 0), 250),  # the shorter of parallel ones
        ([((0, 0), (100, 0), None), ((100.004, 0), (200, 0), None)], (0, 0, 200, 0), 200),  # ends to the centimetre
    ],
)
def test_travel_by_hand(lines: list[Line], pair: tuple[float, float, float, float], metres: float) -> None:
    assert audited(lines, pair) == [metres]
    assert audited(lines, (*pair[2:], *pair[:2])) == [metres]


def test_the_limit_is_inclusive_and_beyond_it_is_far() -> None:
    pairs = [(0, 0, 1000, 0), (0, 0, 1000, 1000)]
    assert audited(ROAD, *pairs, limit_m=1000) == [1000, np.inf]


place = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda p: (p[0] * 150.0, p[1] * 150.0))
lines = st.lists(st.tuples(place, place, st.none() | st.integers(1, 900).map(float)), max_size=14).map(
    lambda found: [(a, b, length) for a, b, length in found if a != b]
)
spot = st.tuples(st.integers(-1500, 3000), st.integers(-1500, 3000)).map(lambda p: (p[0] + 0.21, p[1] + 0.37))


@given(lines=lines, origins=st.lists(spot, min_size=1, max_size=4), goals=st.lists(spot, min_size=1, max_size=4))
def test_travel_is_the_planners(
    lines: list[Line], origins: list[tuple[float, float]], goals: list[tuple[float, float]]
) -> None:
    theirs = travel_m(origins, goals, streets(lines), 2500)
    mine = np.array(audited(lines, *[(*a, *b) for a in origins for b in goals], limit_m=2500)).reshape(theirs.shape)
    within = np.isfinite(theirs)
    assert np.abs(mine[within] - theirs[within]).max(initial=0.0) <= 1
    assert (mine[~within] >= 2500).all()
