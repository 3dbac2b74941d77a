"""The search for the fewest sites, against plain HiGHS and all choices, and stopped at any point."""

from itertools import combinations
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer import siting
from optimizer.highs import Options, solve
from optimizer.siting.cover_local import LocalCover
from optimizer.siting.cover_local_lists import LocalCoverLists
from optimizer.siting.cover_relaxed import RelaxedCover, programme
from optimizer.siting.cover_search import CoverSearch
from optimizer.siting.cover_tree import CoverTree
from optimizer.siting.covering import cover, greedy_cover
from optimizer.siting.limits import Limits


def _random(seed: int, clients: int, sites: int, each: int) -> np.ndarray:
    """Every client has exactly ``each`` sites: the relaxed programme is far from whole."""
    order = np.random.default_rng(seed).random((clients, sites)).argsort(axis=1)
    return np.asarray(order < each)


def _fewest(allowed: np.ndarray) -> int:
    arrays = programme(allowed, np.ones(allowed.shape[1]))
    value = solve(arrays, Options(gap=0.0, absolute_gap=1e-9)).value
    assert value is not None
    return round(value)


def _search(allowed: np.ndarray, local: int) -> CoverSearch:
    return CoverSearch(allowed, greedy_cover(allowed, np.ones(allowed.shape[1])), Limits(), local=local)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("local", [0, 300])
def test_the_fewest_sites_are_found_and_proven(seed: int, local: int) -> None:
    allowed = _random(seed, 40 + seed, 30, 3 + seed % 3)
    search = _search(allowed, local)
    search.run(steps=10**6, near=99)
    assert search.bound == search.chosen.size == _fewest(allowed)
    assert allowed[:, search.chosen].any(axis=1).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(2, 8), st.integers(1, 3))
def test_the_fewest_sites_are_those_of_all_choices(seed: int, clients: int, sites: int, each: int) -> None:
    allowed = _random(seed, clients, sites, min(each, sites))
    covers = (
        count
        for count in range(sites + 1)
        for some in combinations(range(sites), count)
        if allowed[:, list(some)].any(axis=1).all()
    )
    search = _search(allowed, 20)
    search.run(near=99)
    assert search.bound == search.chosen.size == next(covers)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("steps", [0, 100, 400, 2000])
def test_a_search_that_ends_early_claims_no_wrong_bound(seed: int, steps: int) -> None:
    allowed = _random(seed, 80, 60, 4)
    search = _search(allowed, 0)
    search.run(steps=steps, near=99)
    assert search.bound <= _fewest(allowed) <= search.chosen.size


@pytest.mark.parametrize("seed", range(6))
def test_enough_is_decided_and_no_bound_is_too_high(seed: int) -> None:
    allowed = _random(seed, 60, 45, 4)
    fewest, sites = _fewest(allowed), allowed.shape[1]
    for enough in range(fewest - 3, fewest + 3):
        for price in (1.0, 2.5):
            found = cover(allowed, np.full(sites, price), np.zeros(sites, bool), Limits(), enough=price * enough)
            assert allowed[:, found.sites].any(axis=1).all()
            assert found.bound <= price * fewest + 1e-9
            assert (found.sites.size <= enough) == (fewest <= enough)
            assert (found.bound > price * enough) == (fewest > enough)


@pytest.mark.parametrize("seed", range(6))
def test_costs_that_differ_are_proven_and_bounded_as_well(seed: int) -> None:
    allowed = _random(seed, 60, 45, 4)
    cost = np.random.default_rng(seed).integers(1, 20, 45).astype(float)
    value = solve(programme(allowed, cost), Options(gap=0.0, absolute_gap=1e-9)).value
    assert value is not None
    found = cover(allowed, cost, np.zeros(45, bool), Limits())
    assert cost[found.sites].sum() == pytest.approx(value)
    assert found.bound == pytest.approx(value)
    for enough in (value - 3, value + 3):
        assert cover(allowed, cost, np.zeros(45, bool), Limits(), enough=enough).bound <= value + 1e-9


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rounds", [0, 2])
def test_the_tree_excludes_what_is_less_than_the_fewest_and_nothing_else(seed: int, rounds: int) -> None:
    allowed = _random(seed, 70, 50, 4)
    fewest, relaxed = _fewest(allowed), RelaxedCover(allowed, Limits())
    for _ in range(rounds):
        y = relaxed.solved(relaxed.root).x
        assert y is not None
        relaxed.cut(y)
    tree, shown = CoverTree(relaxed, Limits()), []

    def look(number: float, y: np.ndarray) -> float:
        shown.append(y)
        return number + 1e-6

    assert tree.excluded(fewest - 1 + 1e-6, 10**6, lambda y, _: look(fewest - 1, y))
    assert all((allowed @ y >= 1 - 1e-6).all() for y in shown)
    assert not tree.excluded(fewest + 1e-6, 10**6, lambda y, _: look(fewest, y))


def test_branches_begin_where_their_parent_ended_and_end_at_the_same_bound() -> None:
    allowed = _random(2, 80, 60, 4)
    relaxed = RelaxedCover(allowed, Limits())
    first = relaxed.solved(relaxed.root)
    assert first.x is not None
    basis, half = relaxed.basis, int(np.abs(first.x - 0.5).argmin())
    lower, upper = relaxed.root[0].copy(), relaxed.root[1].copy()
    lower[half], upper[half] = 1.0, 0.0
    branches = (lower, relaxed.root[1]), (relaxed.root[0], upper)
    for branch in (*branches, *branches):
        bound = relaxed.dual(relaxed.solved(branch, basis))[0]
        afresh = RelaxedCover(allowed, Limits())
        assert bound == pytest.approx(afresh.dual(afresh.solved(branch))[0])
    assert relaxed.solved(relaxed.root, basis).iterations == 0


def test_a_bound_above_what_is_asked_for_may_end_a_branch_early() -> None:
    allowed = _random(4, 120, 80, 4)
    relaxed = RelaxedCover(allowed, Limits())
    value = relaxed.dual(relaxed.solved(relaxed.root))[0]
    basis = relaxed.basis
    for site in range(80):
        lower = np.zeros(80)
        lower[site] = 1.0
        whole = relaxed.dual(relaxed.solved((lower, relaxed.root[1]), basis))[0]
        early = relaxed.solved((lower, relaxed.root[1]), basis, value + 0.01)
        bound = relaxed.dual(early)[0]
        assert bound <= whole + 1e-6
        assert bound == pytest.approx(whole) or bound > value + 0.01


def test_loose_cuts_leave_without_a_step_of_the_simplex_method() -> None:
    allowed = _random(2, 80, 60, 4)
    relaxed = RelaxedCover(allowed, Limits())
    for _ in range(4):
        y = relaxed.solved(relaxed.root).x
        assert y is not None
        relaxed.cut(y)
    last = relaxed.solved(relaxed.root)
    assert last.x is not None
    rows, bound = relaxed.rows.shape[0], relaxed.dual(last)[0]
    relaxed.drop_loose(last.x, 0.05)
    assert allowed.shape[0] < relaxed.rows.shape[0] < rows
    again = relaxed.solved(relaxed.root)
    assert again.iterations == 0
    assert relaxed.dual(again)[0] == pytest.approx(bound)


def test_longer_local_search_on_few_sites_finds_covers_of_all_clients() -> None:
    points = np.random.default_rng(2).uniform(0, 1000, (400, 2))
    allowed = ((points[:, None] - points[None, :]) ** 2).sum(axis=2) <= 90.0**2
    first = greedy_cover(allowed, np.ones(400))
    for enough in (first.size + 5, first.size - 3, 1):
        search = _search(allowed, 500)
        outcome = search._relaxed.solved(search._relaxed.root)
        assert outcome.x is not None
        search._look_near(outcome, outcome.x, 0.1)
        search._longer(outcome.x, enough)
        assert allowed[:, search.chosen].any(axis=1).all()
        assert search.chosen.size >= min(first.size, enough)
        assert search.bound == 0
    assert search.chosen.size < first.size


def test_no_time_leaves_a_cover_and_a_true_bound() -> None:
    points = np.random.default_rng(3).uniform(0, 1000, (300, 2))
    cost = np.sqrt(((points[:, None] - points[None, :]) ** 2).sum(axis=2))
    known = siting.lscp(cost, limit=120)
    assert known.status == "optimal"
    assert known.value is not None
    for seconds in (0.0, 0.05, 0.2):
        found = siting.lscp(cost, limit=120, time_limit=seconds)
        assert found.value is not None
        assert found.bound <= known.value <= found.value
        assert found.covered is not None
        assert (found.covered >= 1).all()


@pytest.mark.parametrize("search", [LocalCover, LocalCoverLists])
def test_local_search_leaves_covers_only(search: type[LocalCover | LocalCoverLists]) -> None:
    points = np.random.default_rng(0).uniform(0, 1000, (400, 2))
    allowed = ((points[:, None] - points[None, :]) ** 2).sum(axis=2) <= 100.0**2
    first = sites = greedy_cover(allowed, np.ones(400))
    local = search(allowed, 0)
    found: np.ndarray | None = sites
    while found is not None:
        assert allowed[:, found].any(axis=1).all()
        sites = found
        found = local.fewer(sites, sites.size - 1, 500, perf_counter() + 60)
        assert found is None or found.size == sites.size - 1
    assert sites.size < first.size
    assert local.fewer(sites, 1, 50, perf_counter() + 60) is None


@pytest.mark.parametrize("search", [LocalCover, LocalCoverLists])
def test_local_search_opens_only_the_sites_it_may(search: type[LocalCover | LocalCoverLists]) -> None:
    allowed = _random(1, 60, 40, 6)
    may = np.zeros(40, bool)
    may[greedy_cover(allowed, np.ones(40))] = True
    may[:10] = True
    local, start = search(allowed, 3), np.flatnonzero(may)
    local.look_at(may)
    for most in range(start.size - 1, 5, -1):
        found = local.fewer(start, most, 200, perf_counter() + 60)
        start = local.sites
        assert start.size == most
        assert found is None or allowed[:, found].any(axis=1).all()
        assert may[start].all()
    assert np.array_equal(local._times, allowed[:, local.sites].sum(axis=1))


@pytest.mark.parametrize("search", [LocalCover, LocalCoverLists])
def test_local_search_repeats_and_finds_the_fewest_of_small_cases(
    search: type[LocalCover | LocalCoverLists],
) -> None:
    for seed in range(8):
        allowed = _random(seed, 30, 20, 3)
        start, fewest = greedy_cover(allowed, np.ones(20)), _fewest(allowed)
        first, again = (search(allowed, 5).fewer(start, fewest, 3000, perf_counter() + 60) for _ in range(2))
        assert first is not None
        assert again is not None
        assert list(first) == list(again)
        assert first.size == fewest
        assert allowed[:, first].any(axis=1).all()
        assert search(allowed, 5).fewer(start, fewest - 1, 500, perf_counter() + 60) is None
