"""Outlines of the map: shared borders stay shared, far parts are moved together, colours follow the classes."""

import re
from itertools import pairwise

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from optimizer.report.map_chart import (
    BETWEEN,
    LETTERS,
    NO_VALUE,
    SEQUENTIAL,
    SHARE_EDGES,
    WIDTH,
    outline,
    shade,
    simplified,
)
from optimizer.report.map_parts import LETTER, arrange, parts
from tests.report_run import city


def test_path_of_a_square_is_in_whole_units_with_y_downwards() -> None:
    made = outline(city(2, 1).communities, {})
    assert (made.height, made.moved) == (WIDTH // 2, False)
    assert made.boxes == [(0, 0, 50_000, 50_000), (50_000, 0, 100_000, 50_000)]
    assert all(re.fullmatch(r"M\d+ \d+l(-?\d+ -?\d+ ?)+z", path) for path in made.paths)
    assert made.place(1_000, 1_000, 0) == (50_000, 0)
    assert len(made.borders) == 2


def test_holes_and_several_polygons_stay() -> None:
    holed = Polygon(box(0, 0, 9, 9).exterior, [box(3, 3, 6, 6).exterior])
    frame = gpd.GeoDataFrame({"district": ["a"]}, geometry=[MultiPolygon([holed, box(20, 0, 29, 9)])], crs="EPSG:32648")
    assert outline(frame, {}).paths[0].count("M") == 3


def test_simplified_coverage_keeps_neighbours_touching() -> None:
    angles = np.linspace(0, 2 * np.pi, 40_001)[:-1]
    ring = np.c_[np.cos(angles), np.sin(angles)] * (1_000 + 30 * np.sin(60 * angles))[:, None]
    inner = Polygon(ring)
    shapes = np.array([inner, box(-2_000, -2_000, 2_000, 2_000).difference(inner)])
    small = simplified(shapes, 4_000.0)
    assert shapely.get_num_coordinates(np.array(small)).sum() <= 60_000
    assert bool(shapely.coverage_is_valid(np.array(small)))


def test_far_parts_are_moved_together_and_do_not_overlap() -> None:
    squares = [box(x, y, x + 100, y + 100) for x, y in ((0, 0), (100, 0), (9_000, 0), (0, 9_000), (9_000, 9_000))]
    part, made = parts(np.array(squares), (0.0, 0.0, 9_100.0, 9_100.0), 5)
    assert part == [0, 0, 1, 2, 3]
    assert made.moved
    placed = []
    for own in range(4):
        west, south, east, north = shapely.total_bounds(
            np.array([s for s, p in zip(squares, part, strict=True) if p == own])
        )
        left, top = made.shifts[own]
        placed.append(box(west - left, top - north, east - left, top - south))
    assert all(not a.intersects(b) for i, a in enumerate(placed) for b in placed[:i])
    assert all(made_box.within(box(0, 0, made.width, made.height)) for made_box in placed)
    assert made.width < 1_000


def test_names_of_parts_side_by_side_leave_room_between_them() -> None:
    squares = [box(x, y, x + 100, y + 100) for x, y in ((0, 0), (9_000, 0), (0, 9_000), (9_000, 9_000))]
    names = {key: f"A county with a long name, {key}" for key in "abcd"}
    made = outline(gpd.GeoDataFrame({"district": list("abcd")}, geometry=squares, crs="EPSG:32648"), names)
    assert made.moved
    assert [len(text) <= LETTERS for _, _, text in made.labels] == [False, True, True, True]
    assert all(text.endswith("…") for _, _, text in made.labels[1:])
    rows: dict[int, list[int]] = {}
    for x, y, _ in made.labels:
        rows.setdefault(y, []).append(x)
    steps = [b - a for row in rows.values() for a, b in pairwise(sorted(row))]
    assert min(steps) >= (LETTERS + BETWEEN) * LETTER * WIDTH * 0.9


def test_connected_city_is_not_moved() -> None:
    small = city(3, 2).communities
    part, made = parts(np.asarray(small.geometry), tuple(float(v) for v in small.total_bounds), 10)  # type: ignore[arg-type]
    assert set(part) == {0}
    assert not made.moved


def test_arrangement_comes_close_to_a_square() -> None:
    made = arrange([(0, 0, 100, 100)] * 16, 3)
    assert 0.6 < made.width / made.height < 1.7


@pytest.mark.parametrize(("value", "place"), [(0.0, 0), (0.299, 0), (0.3, 1), (0.5, 2), (0.89, 5), (0.9, 6), (1.0, 6)])
def test_shade_takes_the_class_of_the_value(value: float, place: int) -> None:
    assert shade(value, SHARE_EDGES, SEQUENTIAL) == SEQUENTIAL[place]


def test_shade_without_value_is_grey() -> None:
    assert shade(None, SHARE_EDGES, SEQUENTIAL) == shade(float("nan"), SHARE_EDGES, SEQUENTIAL) == NO_VALUE
