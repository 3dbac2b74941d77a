"""Numbers far apart, very large or very small: what is best does not hang on the unit, and no proof is false."""

import itertools
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from optimizer import siting
from optimizer.highs import Outcome, Status
from optimizer.siting.covering import Cover
from optimizer.siting.limits import Limits

FAR = 1e12
"""What users write where a site may not serve a client."""


def best_of_all(cost: np.ndarray, p: int) -> float:
    return min(cost[:, list(s)].min(axis=1).sum() for s in itertools.combinations(range(cost.shape[1]), p))


def test_penalties_beside_small_distances() -> None:
    cost = np.array([[2, FAR, FAR, 9], [8, FAR, 4, FAR], [1, FAR, 9, FAR], [5, 4, FAR, FAR]])
    found = siting.p_median(cost, p=2)
    assert (found.value, found.bound, found.status) == (12, 12, "optimal")


@pytest.mark.parametrize("penalty", [1e5, 1e7, 1e9, FAR])
def test_penalties_are_paid_only_where_they_must_be(penalty: float) -> None:
    rng = np.random.default_rng(int(penalty))
    for _ in range(25):
        cost = rng.integers(0, 11, rng.integers(2, 9, 2)).astype(float)
        cost[rng.random(cost.shape) < 0.4] = penalty
        p = int(rng.integers(1, cost.shape[1] + 1))
        found, best = siting.p_median(cost, p=p), best_of_all(cost, p)
        assert found.value == pytest.approx(best, rel=1e-6)
        assert found.bound <= best * (1 + 1e-12)
        assert found.proven


def test_sums_that_the_solver_cannot_tell_apart_are_not_called_the_same() -> None:
    cost = np.array([[1e9 + 2, 1e9, 3e9], [2e9 + 1, 2e9, 3e9 + 3], [1e9 + 3, 3e9 + 3, 1e9]])
    found = siting.p_median(cost, p=2)
    assert found.bound <= best_of_all(cost, 2) <= found.value


def cities(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Costs (12, 6), fixed costs, demands and capacities of 1.6 times the demand."""
    rng = np.random.default_rng(seed)
    cost, demand, room = rng.random((12, 6)) * 10, rng.integers(1, 10, 12) * 1.0, rng.random(6) + 0.3
    return cost, rng.random(6) * 10, demand, room * demand.sum() * 1.6 / room.sum()


@pytest.mark.parametrize("seed", [38, 39, 40])
@pytest.mark.parametrize(("money", "units"), [(1.0, 1e9), (1e-6, 1.0), (1e9, 1e-6)])
def test_units_change_no_answer(seed: int, money: float, units: float) -> None:
    cost, fixed, demand, room = cities(seed)
    one = siting.cflp(cost, fixed_cost=fixed, demand=demand, capacity=room)
    other = siting.cflp(cost * money, fixed_cost=fixed * money, demand=demand * units, capacity=room * units)
    assert one.proven
    assert other.proven
    assert one.open_sites.tolist() == other.open_sites.tolist()
    assert other.value == pytest.approx(one.value * money, rel=1e-9)
    whole = siting.capacitated_p_median(cost, p=4, demand=demand, capacity=1.3 * room)
    same = siting.capacitated_p_median(cost * money, p=4, demand=demand * units, capacity=1.3 * room * units)
    assert whole.proven
    assert same.proven
    assert same.value == pytest.approx(whole.value * money, rel=1e-9)


def test_small_fixed_costs_are_told_apart() -> None:
    """Sites 0 and 1 together cover all for 10; the other ways cost 11 and more."""
    covers = np.array([[0, 1, 0, 1, 0], [1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 1, 0, 1, 0], [1, 0, 1, 0, 0]])
    for unit in (1.0, 1e-7, 1e9):
        found = siting.lscp(1.0 - covers, limit=0, fixed_cost=unit * np.array([7, 3, 5, 3, 8]))
        assert found.value == pytest.approx(10 * unit)
        assert found.proven


def test_one_great_demand_beside_many_small_ones() -> None:
    """Small demands whose cheapest site is closed must not be served there for hardly any capacity."""
    rng = np.random.default_rng(1)
    cost, demand = rng.random((64, 48)) * 100 + 10, np.ones(64)
    demand[:32] = 1e6
    cost[32 + np.arange(32), np.arange(32)] = 0.0
    found = siting.cflp(cost, fixed_cost=1000.0, demand=demand, capacity=demand.sum() / 3)
    assert found.proven
    closed = np.setdiff1d(np.arange(48), found.open_sites)
    assert not found.assignment[:, closed].any()
    assert found.assignment.sum(axis=1) == pytest.approx(np.ones(64))
    assert (demand @ found.assignment <= demand.sum() / 3 * (1 + 1e-6)).all()
    cost = cost[:, :4]
    found = siting.cflp(cost, fixed_cost=1000.0, demand=demand, capacity=demand.sum())
    least = min(
        1000.0 * len(s) + cost[:, list(s)].min(axis=1).sum()
        for k in range(1, 5)
        for s in itertools.combinations(range(4), k)
    )
    assert found.proven
    assert found.value == pytest.approx(least)


def test_no_site_takes_more_than_its_capacity() -> None:
    found = siting.capacitated_p_median([[0.0, 1], [0, 1]], p=2, demand=[5.0000004] * 2, capacity=[10, 20])
    assert (found.value, sorted(found.assignment.tolist())) == (1, [0, 1])
    rng = np.random.default_rng(3)
    for _ in range(10):
        demand = rng.random(12) * 1e-6
        cost, room = rng.random((12, 5)), np.full(5, demand.sum() / 3)
        found = siting.capacitated_p_median(cost, p=4, demand=demand, capacity=room)
        assert (np.bincount(found.assignment, demand, 5) <= room * (1 + 1e-7)).all()


def test_large_whole_demands_give_the_same_as_others() -> None:
    rng = np.random.default_rng(5)
    cost, demand = rng.integers(1, 100, (20, 10)) * 1.0, rng.integers(50_000, 150_000, 20) * 1.0
    found = siting.capacitated_p_median(cost, p=4, demand=demand, capacity=demand.sum() / 3)
    other = siting.capacitated_p_median(cost, p=4, demand=demand + 0.25, capacity=demand.sum() / 3)
    assert found.proven
    assert found.value == other.value


def test_the_clock_ends_a_large_search() -> None:
    points = np.random.default_rng(1).random((1500, 2)) * 1000
    cost = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    found = siting.p_median(cost, p=30, time_limit=0.0)
    assert found.status == "feasible"
    assert found.bound <= found.value
    assert len(found.open_sites) == 30


@pytest.mark.parametrize("unit", [1e-12, 1e-7, 1e9])
def test_the_unit_of_weights_changes_no_covering(unit: float) -> None:
    rng = np.random.default_rng(8)
    cost, weights = rng.random((40, 20)), rng.random(40)
    for solve, p in ((siting.backup_coverage, 5), (siting.mclp, 3)):
        one = solve(cost, p=p, limit=0.4, weights=weights, time_limit=20)
        other = solve(cost, p=p, limit=0.4, weights=weights * unit, time_limit=20)
        assert one.proven
        assert other.proven
        assert other.value == pytest.approx(one.value * unit, rel=1e-9)
        assert other.bound == pytest.approx(one.value * unit, rel=1e-6)


def test_shares_that_cannot_be_found_anew_are_those_of_the_search() -> None:
    far = 1e9  # some demand has to pay it: the open sites are full
    cost = np.array(
        [
            [far + 7, 7, 2 * far + 5, 2 * far + 7, far + 2],
            [6, far + 5, far + 9, 0, far],
            [2 * far + 8, far + 9, 2 * far + 2, 6, far + 7],
            [8, far + 4, 1, 8, 7],
            [far + 3, 7, far + 4, far + 5, 2 * far + 2],
        ]
    )
    demand = np.array([4.0, 5, 1, 9, 9])
    found = siting.cflp(cost, fixed_cost=[0, 2, 2, 1, 2], demand=demand, capacity=10, existing=[2, 3])
    assert found.proven
    assert found.value == pytest.approx(far / 3, rel=1e-6)
    assert found.assignment.sum(axis=1) == pytest.approx(np.ones(5))
    assert (demand @ found.assignment <= 10 * (1 + 1e-8)).all()


def test_a_search_of_capacities_has_a_plan_and_a_bound_before_the_integer_programme(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = sys.modules["optimizer.siting.cflp"]
    real = module._solved

    def stopped(*given: Any) -> Outcome:
        ended = Limits(end=0.0)
        return replace(real(given[0], ended, *given[2:]), x=None, bound=-np.inf, status=Status.NO_PLAN)

    rng = np.random.default_rng(3)
    clients, sites = rng.random((120, 2)), rng.random((40, 2))
    demand = rng.integers(1, 20, 120) * 1.0
    cost = np.hypot(*(clients[:, None] - sites[None]).transpose(2, 0, 1)) * demand[:, None]
    case = {"fixed_cost": rng.uniform(10, 20, 40), "demand": demand, "capacity": demand.sum() / 9}
    at_once = siting.cflp(cost, **case, time_limit=0)
    assert at_once.bound >= float(cost.min(axis=1).sum())
    monkeypatch.setattr(module, "_solved", stopped)
    found = siting.cflp(cost, **case)
    assert found.value is not None
    assert found.gap < 0.05
    assert (demand @ found.assignment <= case["capacity"] * (1 + 1e-8)).all()


def test_long_searches_of_the_farthest_client_begin_between_near_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["optimizer.siting.p_center"]
    real = module.cover

    def only_quick(allowed: np.ndarray, *given: Any, quick: bool = False, **more: Any) -> Cover:
        return real(allowed, *given, quick=True, **more) if quick else Cover(np.arange(allowed.shape[1]), 0.0)

    points = np.random.default_rng(5).random((300, 2))
    cost = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    whole = siting.p_center(cost, p=15)
    monkeypatch.setattr(module, "cover", only_quick)
    found = siting.p_center(cost, p=15)
    assert found.value is not None
    assert found.bound <= whole.value <= found.value
    assert found.gap < 0.12
