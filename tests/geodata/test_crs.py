import eviltransform
import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, box

from geodata import crs


@given(st.floats(74, 134), st.floats(4, 53))
def test_gcj02_round_trip_against_another_implementation(lon: float, lat: float) -> None:
    gcj_lat, gcj_lon = eviltransform.wgs2gcj(lat, lon)
    x, y = crs.gcj02_to_wgs84(np.array([gcj_lon]), np.array([gcj_lat]))
    assert crs.ground_metres(lon, lat, float(x[0]), float(y[0])) < 0.05


def test_gcj02_is_far_off_in_mianyang_and_nothing_abroad() -> None:
    x, y = crs.gcj02_to_wgs84(np.array([104.74, 2.35]), np.array([31.46, 48.85]))
    assert 250 < crs.ground_metres(104.74, 31.46, float(x[0]), float(y[0])) < 700
    assert (x[1], y[1]) == (2.35, 48.85)


def test_a_frame_in_gcj02_is_converted_with_all_its_vertices() -> None:
    frame = gpd.GeoDataFrame(geometry=[box(104.7, 31.4, 104.8, 31.5), None], crs="EPSG:4326")
    moved = crs.convert_gcj02(frame)
    assert moved.geometry.iloc[1] is None
    expected = eviltransform.gcj2wgs_exact(31.4, 104.8)
    assert moved.geometry.iloc[0].exterior.coords[0] == pytest.approx((expected[1], expected[0]), abs=1e-6)


def test_no_point_at_all() -> None:
    x, _ = crs.gcj02_to_wgs84(np.array([]), np.array([]))
    assert len(x) == 0


@pytest.mark.parametrize("word", ["GCJ-02", "gcj02", " GCJ_02 "])
def test_gcj02_may_be_written_in_several_ways(word: str) -> None:
    assert crs.is_gcj02(word)


def test_declared_systems() -> None:
    assert crs.label(crs.parse_crs("32648")) == "EPSG:32648"
    assert crs.label(crs.parse_crs("epsg:4490")) == "EPSG:4490"
    with pytest.raises(ValueError, match="not a known"):
        crs.parse_crs("EPSG:9")
    with pytest.raises(ValueError, match="not a known"):
        crs.parse_crs("WGS-48")


def frame(x: float, y: float, system: str) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(geometry=[Point(x, y)], crs=system)


@pytest.mark.parametrize(
    ("system", "x", "y", "planned"),
    [
        ("EPSG:4326", 104.7, 31.5, "EPSG:32648"),
        ("EPSG:32648", 472_000, 3_485_000, "EPSG:32648"),
        ("EPSG:3857", 11_655_000, 3_700_000, "EPSG:32648"),  # metric, but 17 % too long here
        ("EPSG:2264", 1_450_000, 540_000, "EPSG:32617"),  # feet
    ],
)
def test_the_system_to_plan_in_is_metric_and_true_to_length(system: str, x: float, y: float, planned: str) -> None:
    assert crs.label(crs.metric_crs_for(frame(x, y, system))) == planned


@pytest.mark.parametrize(
    ("system", "x", "y", "said"),
    [
        ("EPSG:4326", 472_000, 3_485_000, "no degrees"),
        ("EPSG:4326", 31.5, 104.7, "swapped"),
        ("EPSG:32648", 104.7, 31.5, "look like degrees"),
        ("EPSG:32648", 472_000, -9_000_000, "area of use"),
        ("EPSG:27700", 4_000_000, 4_000_000, "area of use"),
    ],
)
def test_coordinates_that_cannot_be(system: str, x: float, y: float, said: str) -> None:
    trouble = crs.coordinate_trouble(frame(x, y, system))
    assert trouble is not None
    assert said in trouble[1]
    assert trouble[2]


def test_coordinates_that_can_be() -> None:
    assert crs.coordinate_trouble(frame(104.7, 31.5, "EPSG:4326")) is None
    assert crs.coordinate_trouble(frame(472_000, 3_485_000, "EPSG:32648")) is None
    assert crs.coordinate_trouble(frame(179.9, -17, "EPSG:4326")) is None
