"""The search for the sites that leave out least, against all choices, and stopped at any point."""

from itertools import combinations
from time import perf_counter

import numpy as np
import pytest

from optimizer import siting
from optimizer.siting.limits import Limits
from optimizer.siting.mclp_search import MostSearch, exchanged


def _random(seed: int, clients: int, sites: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = random.random((clients, sites)) < 0.25
    return rows, random.integers(1, 30, clients).astype(float)


def _missed(rows: np.ndarray, amount: np.ndarray, sites: np.ndarray) -> float:
    return float(amount[~rows[:, sites].any(axis=1)].sum())


def _least(rows: np.ndarray, amount: np.ndarray, p: int) -> float:
    return min(_missed(rows, amount, np.array(some)) for some in combinations(range(rows.shape[1]), p))


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("share", [1.0, 0.37])
@pytest.mark.parametrize("rounds", [0, 12])
def test_the_least_is_that_of_all_choices(seed: int, share: float, rounds: int) -> None:
    rows, amount = _random(seed, 40, 12)
    p = 2 + seed % 4
    search = MostSearch(rows, share * amount, p, np.arange(p), Limits())
    search.run(rounds=rounds)
    least = _least(rows, share * amount, p)
    assert search.proven
    assert search.chosen.size == p
    assert search.missed == pytest.approx(_missed(rows, share * amount, search.chosen))
    assert search.missed == pytest.approx(least)
    assert search.bound <= least + 1e-6
    assert search.bound == pytest.approx(least)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("rounds", "steps"), [(0, 0), (1, 0), (0, 60), (2, 200)])
def test_a_search_that_ends_early_claims_no_wrong_bound(seed: int, rounds: int, steps: int) -> None:
    rows, amount = _random(seed, 60, 16)
    search = MostSearch(rows, amount, 4, np.arange(4), Limits())
    search.run(rounds=rounds, steps=steps)
    assert search.bound <= _least(rows, amount, 4) <= search.missed


def test_no_time_leaves_the_first_answer_and_a_true_bound() -> None:
    rows, amount = _random(1, 60, 16)
    search = MostSearch(rows, amount, 4, np.arange(4), Limits(end=perf_counter()))
    search.run()
    assert 0 <= search.bound <= _least(rows, amount, 4) <= search.missed <= _missed(rows, amount, np.arange(4))


@pytest.mark.parametrize("seed", range(10))
def test_no_exchange_helps_in_the_end(seed: int) -> None:
    rows, amount = _random(seed, 50, 14)
    sites = exchanged(rows, amount, np.arange(4))
    value = _missed(rows, amount, sites)
    assert value <= _missed(rows, amount, np.arange(4))
    for out, into in ((a, b) for a in range(4) for b in range(14) if b not in sites):
        assert _missed(rows, amount, np.append(np.delete(sites, out), into)) >= value


def test_a_stopped_search_says_so_and_its_bound_is_true() -> None:
    points = np.random.default_rng(3).uniform(0, 1000, (300, 2))
    cost = np.sqrt(((points[:, None] - points[None, :]) ** 2).sum(axis=2))
    known = siting.mclp(cost, limit=120, p=12)
    assert known.status == "optimal"
    assert known.value is not None
    for seconds in (0.0, 0.05, 0.2):
        found = siting.mclp(cost, limit=120, p=12, time_limit=seconds)
        assert found.value is not None
        assert found.value <= known.value <= found.bound
