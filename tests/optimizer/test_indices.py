"""Indices of inequality: by hand, against PySAL's `inequality`, their properties; and pairs with reason for envy."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.fairness import before as standing
from optimizer.fairness import envy, indices_of
from optimizer.indices import atkinson, equally_distributed, gini, theil
from optimizer.plan_tables import share_of
from tests.optimizer.tiny import make_city, make_scenario, plan

SCORES = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=12).map(np.array)


def test_by_hand() -> None:
    x = np.array([1.0, 3.0])  # mean 2, one difference of 2 among 4 pairs counted twice
    assert gini(x) == pytest.approx(4 / (2 * 4 * 2))
    assert atkinson(x, 1.0) == pytest.approx(1 - np.sqrt(3) / 2)
    assert atkinson(x, 0.5) == pytest.approx(1 - ((1 + np.sqrt(3)) / 2) ** 2 / 2)
    assert atkinson(x, 2.0) == pytest.approx(1 - 1.5 / 2)  # harmonic mean
    assert theil(x) == pytest.approx((0.5 * np.log(0.5) + 1.5 * np.log(1.5)) / 2)


@pytest.mark.parametrize("x", [np.zeros(3), np.full(4, 0.7), np.array([0.2])])
def test_nothing_is_uneven_where_all_have_the_same(x: np.ndarray) -> None:
    assert gini(x) == pytest.approx(0, abs=1e-12)
    assert theil(x) == pytest.approx(0, abs=1e-12)
    assert [atkinson(x, e) for e in (0.3, 1.0, 2.0)] == pytest.approx([0, 0, 0], abs=1e-12)


def test_one_has_everything() -> None:
    x = np.array([0.0, 0.0, 0.0, 1.0])
    assert gini(x) == pytest.approx(3 / 4)
    assert theil(x) == pytest.approx(np.log(4))
    assert [atkinson(x, e) for e in (0.5, 1.0, 2.0)] == pytest.approx([1 - 1 / 4, 1, 1])


def test_lengths_and_signs_are_checked() -> None:
    with pytest.raises(ValueError, match="one length"):
        gini(np.array([0.1, 0.2]), np.array([1.0]))
    with pytest.raises(ValueError, match="not negative"):
        theil(np.array([-0.1, 0.2]))


@given(SCORES)
def test_as_pysal_has_them(x: np.ndarray) -> None:
    pysal = pytest.importorskip("inequality")
    assert gini(x) == pytest.approx(pysal.gini.Gini(x).g, abs=1e-9)
    assert theil(x) == pytest.approx(pysal.theil.Theil(x).T, abs=1e-9)
    for epsilon in (0.5, 1, 2):
        assert atkinson(x, epsilon) == pytest.approx(pysal.atkinson.atkinson(x, epsilon), abs=1e-9)


@given(SCORES, st.floats(0.1, 3.0), st.lists(st.integers(1, 4), min_size=12, max_size=12))
def test_scale_does_not_matter_and_people_count_as_often_as_they_are(x: np.ndarray, k: float, n: list[int]) -> None:
    people = np.array(n[: len(x)], dtype=float)
    each = np.repeat(x, n[: len(x)])
    for index in (gini, theil, lambda v, w=None: atkinson(v, 0.7, w)):
        assert index(x, people) == pytest.approx(index(each), abs=1e-9)
        assert index(k * x) == pytest.approx(index(x), abs=1e-9)


@given(SCORES, st.floats(0.05, 0.45))
def test_giving_to_the_poorer_evens_out(x: np.ndarray, part: float) -> None:
    poor, rich = int(x.argmin()), int(x.argmax())
    y = x.copy()
    y[poor] += part * (x[rich] - x[poor])
    y[rich] -= part * (x[rich] - x[poor])
    for index in (gini, theil, lambda v: atkinson(v, 0.5)):
        assert index(y) <= index(x) + 1e-12
    assert equally_distributed(y, 2.0) >= equally_distributed(x, 2.0) - 1e-12


def test_before_is_what_stands_and_envy_is_named_worst_first() -> None:
    """Three alike communities of 1,000; money for one work fund of 10,000 and 5,000 more; a's office is full size."""
    city = make_city(
        [{"community": c, "office": m2} for c, m2 in (("a", 100), ("b", 50), ("c", 0))],
        facilities=[{"facility": "f", "community": "a", "service": "desk", "level": "station", "capacity": 50}],
        needs=[("a", "desk", 100, 1000)],
    )
    funds = {"floor_yuan": 10_000}
    scenario = make_scenario(
        programmes={"work_funds": funds, "space": {"target_m2": 100}},
        sources={"city": {"role": "city", "amount_yuan": 15_000, "purposes": ["work_funds"]}},
        goals=[{"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0}],
    )
    found = plan(city, scenario)
    there = standing(found.problem, found.tables.assignments)
    assert there[:, :, 0].tolist() == [[0.0, 1.0, 0.5], [0.0, 0.5, 1.0], [0.0, 0.0, 1.0]]
    # Scores before: a 1.5 / 3, b 0.5 / 2, c 0.
    said = indices_of(found.problem, there, 0.5)
    assert said["mean"] == pytest.approx(0.25)
    assert said["gini"] == pytest.approx(4 * (0.25 + 0.5 + 0.25) / 2 / (9 * 0.25) / 2)
    share = share_of(found.problem, found.tables.met)
    share[:, 0, 0] = [1.0, 0.5, 0.0]
    pairs = envy(found.problem, share)
    # Need per resident: a 3, b and c 2; only b and c are alike; b gets 0.5 + 0.5, c nothing.
    assert pairs["pairs"] == 1
    assert [(p["community"], p["other"], p["got_share"]) for p in pairs["worst"]] == [("c", "b", 0.0)]


def test_all_pairs_are_counted() -> None:
    city = make_city([{"community": f"c{n}"} for n in range(5)])
    scenario = make_scenario(programmes={"work_funds": {"floor_yuan": 10_000}, "space": {"target_m2": 0}})
    problem = plan(city, scenario).problem
    share = np.ones(problem.need.shape)
    share[:, 0, 0] = got = np.array([0.1, 0.5, 0.6, 0.75, 1.0])
    expected = sum(a <= 0.8 * b for a, b in itertools.permutations(got, 2))
    pairs = envy(problem, share)
    assert pairs["pairs"] == expected == len(pairs["worst"])
    assert [p["got_share"] for p in pairs["worst"]] == sorted(p["got_share"] for p in pairs["worst"])
