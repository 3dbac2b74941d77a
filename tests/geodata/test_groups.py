import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geodata.groups import compact_groups, most_central, neighbour_distance_m


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 1000))
def test_groups_are_nearly_equal_and_all_used(places: int, number: int, seed: int) -> None:
    xy = np.random.default_rng(seed).uniform(size=(places, 2))
    group = compact_groups(xy, number)
    sizes = np.bincount(group)
    assert len(sizes) == min(number, places)
    assert sizes.min() >= 1
    assert sizes.max() <= -(-places // min(number, places)) + 2
    assert np.array_equal(group, compact_groups(xy, number))


def test_groups_are_compact() -> None:
    xy = [(0, 0), (1, 0), (100, 0), (101, 0)]
    assert compact_groups(xy, 2).tolist() == [0, 0, 1, 1]
    assert compact_groups([(0, 0)] * 4, 2).tolist() == [0, 0, 1, 1]


def test_middle_and_neighbours() -> None:
    assert most_central([(0, 0), (10, 0), (4, 0)]) == 2
    assert neighbour_distance_m([(0, 0), (10, 0), (20, 0)]) == pytest.approx(10)
    assert neighbour_distance_m([(0, 0)]) == 0
