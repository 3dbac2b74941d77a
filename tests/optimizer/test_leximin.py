"""Full leximin against all plans of tiny models, and against published examples of max-min fairness."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_array

from optimizer.fit import achieved
from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome, Status
from optimizer.leximin import Extend, Leximin, leximin
from tests.optimizer.tiny import Plan, make_city, make_scenario, plan

STEP = 1e-3


def searched(arrays: Arrays, score: np.ndarray, base: np.ndarray, *, convex: bool = False) -> Leximin:
    def run(extend: Extend) -> Outcome:
        return solve(extend(arrays), Options(gap=0.0, absolute_gap=1e-7))

    return leximin(csr_array(score), base, run, step=STEP, convex=convex)


def scores_of(found: Leximin, score: np.ndarray, base: np.ndarray) -> np.ndarray:
    assert found.x is not None
    return score @ found.x[: score.shape[1]] + base


def model(matrix: np.ndarray, upper: np.ndarray, *, whole: bool, most: float = 1.0) -> Arrays:
    n = matrix.shape[1]
    return Arrays(np.zeros(n), np.zeros(n), np.full(n, most), np.full(n, whole), csr_array(matrix),
                  np.full(len(upper), -np.inf), upper)  # fmt: skip


@pytest.mark.parametrize("convex", [True, False])
def test_flows_that_share_links(convex: bool) -> None:
    """As Bertsekas and Gallager have it, section 6.5.2: sessions on links of capacity 1, the max-min fair rates.

    Sessions 0, 1 and 3 share a link, 0 and 2 another, 4 has one of its own: rates 1/3, 1/3, 2/3, 1/3, 1.
    """
    links = np.array([[1, 1, 0, 1, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1.0]])
    found = searched(model(links, np.ones(3), whole=False), np.eye(5), np.zeros(5), convex=convex)
    assert scores_of(found, np.eye(5), np.zeros(5)) == pytest.approx([1 / 3, 1 / 3, 2 / 3, 1 / 3, 1], abs=1e-3)
    assert [r.settled for r in found.rungs] == [(0, 1, 3), (2,), (4,)]
    assert [r.level for r in found.rungs] == pytest.approx([1 / 3, 2 / 3, 1], abs=1e-5)
    assert found.complete
    assert all(r.bound >= r.level - 1e-6 and r.bound - r.level <= 1e-5 for r in found.rungs)


def test_no_level_is_proven_after_a_count_that_was_cut_off() -> None:
    """Two of three communities can be served; a search that ends early leaves two out, and knows no better."""
    budget, score = np.array([2.0]), 0.5 * np.eye(3)
    arrays = model(np.ones((1, 3)), budget, whole=True)
    counts = 0

    def run(extend: Extend) -> Outcome:
        nonlocal counts
        outcome = solve(extended := extend(arrays), Options(gap=0.0, absolute_gap=1e-7))
        counting = len(extended.cost) > 4 and extended.cost[3] == 0 and counts == 0
        if not counting:
            return outcome
        counts += 1
        assert outcome.x is not None
        x = outcome.x.copy()
        x[:3], x[-3:] = [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]
        return replace(outcome, x=x, value=2.0, status=Status.FEASIBLE)

    found = leximin(csr_array(score), np.zeros(3), run, step=STEP)
    assert counts == 1
    assert [r.proven for r in found.rungs] == [True, False]
    whole = searched(arrays, score, np.zeros(3))
    assert [r.proven for r in whole.rungs] == [True, True]


@pytest.mark.parametrize("seed", range(6))
def test_the_best_of_all_plans_in_whole_numbers(seed: int) -> None:
    """Seven things that serve five communities under one budget: every choice is tried."""
    rng = np.random.default_rng(seed)
    score = np.round(rng.uniform(0, 0.5, (5, 7)) * (rng.random((5, 7)) < 0.5), 2)
    base = np.round(rng.uniform(0, 0.2, 5), 2)
    score = score / max(1.0, float((score.sum(axis=1) + base).max()))
    cost = rng.integers(1, 9, 7).astype(float)
    budget = np.array([float(cost.sum() // 2)])
    plans = [np.array(p, dtype=float) for p in itertools.product([0, 1], repeat=7) if cost @ np.array(p) <= budget]
    best = max(tuple(np.round(np.sort(score @ p + base), 9)) for p in plans)
    found = searched(model(cost[None, :], budget, whole=True), score, base)
    got = np.sort(scores_of(found, score, base))
    assert found.complete
    assert got == pytest.approx(np.array(best), abs=STEP)
    assert sorted(i for r in found.rungs for i in r.settled) == list(range(5))


def test_who_is_left_behind_may_differ_from_plan_to_plan() -> None:
    """One of a and b gets a room; with a's room c gains too. Both plans leave one at 0, the better lets c gain."""
    score = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
    base = np.array([0.0, 0.0, 0.1])
    found = searched(model(np.ones((1, 2)), np.ones(1), whole=True), score, base)
    assert np.sort(scores_of(found, score, base)) == pytest.approx([0, 0.6, 1.0])
    assert [(round(r.level, 6), r.settled) for r in found.rungs] == [(0.0, (1,)), (0.6, (2,)), (1.0, (0,))]


def test_nobody_and_everybody_alike() -> None:
    empty = searched(model(np.ones((1, 1)), np.ones(1), whole=False), np.zeros((0, 1)), np.zeros(0))
    assert empty.complete
    assert empty.rungs == []
    same = searched(model(np.ones((1, 2)), np.ones(1), whole=False), np.eye(2), np.zeros(2))
    assert [(round(r.level, 4), r.settled) for r in same.rungs] == [(0.5, (0, 1))]


def levelled_city(method: str) -> Plan:
    """No rooms can be had: a has all its space, b a fifth of it, c none; 16,000 yuan for work funds of 10,000 each."""
    city = make_city(
        [{"community": c, "population": p, "office": m} for c, p, m in (("a", 3000, 100), ("b", 1000, 20), ("c", 9, 0))]
    )
    first = {"goal": "worst_off", "tolerance": 0.0, "leximin": True, "leximin_step": 0.001}
    scenario = make_scenario(
        programmes={"work_funds": {"floor_yuan": 10_000}, "space": {"target_m2": 100}},
        sources={"city": {"role": "city", "amount_yuan": 16_000, "purposes": ["work_funds"]}},
        goals=[first, {"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0}],
        solver={"method": method},
    )
    return plan(city, scenario)


def test_leximin_as_the_first_goal_of_a_city() -> None:
    """Scores are the mean of grant and space; b and c are raised together, and a needs nothing."""
    found = levelled_city("whole")
    # b = c = z takes 2 z - 0.2 and 2 z full grants: 1.6 of them where z = 0.45; a stays at 0.5.
    assert achieved(found.joint, found.found.x) == pytest.approx([0.5, 0.45, 0.45], abs=1e-3)
    assert found.found.levelled is not None
    assert found.found.levelled.found.complete
    named = [i for rung in found.found.levelled.found.rungs for i in rung.settled]
    assert sorted(named) == [0, 1, 2]


def test_leximin_by_prices_keeps_the_first_level_and_says_what_it_kept() -> None:
    found = levelled_city("prices")
    assert found.found.levelled is not None
    assert found.found.levelled.found.complete
    assert found.found.levelled.scope == "plans with these stations and rooms"
    scores = achieved(found.joint, found.found.x)
    assert scores[found.found.levels.follows].min() >= found.found.reached["worst_off"] - 1e-5
    assert (scores >= found.found.levelled.floor - 1e-5).all()
    assert found.found.scopes["unmet_need"] == "plans that keep the level of every community"
    assert found.found.bounds["unmet_need"] == pytest.approx(found.found.reached["unmet_need"], rel=1e-4)


def test_a_city_of_many_levels_takes_one_linear_programme_for_each() -> None:
    """Thirty that share money, the dearer the fewer, and ten that nothing can raise above levels of their own."""
    n, cost = 30, np.linspace(1, 20, 30)
    base = np.concatenate([np.zeros(n), np.linspace(0.01, 0.1, 10)])
    score = np.vstack([np.eye(n), np.zeros((10, n))])
    arrays = model(cost[None, :], np.array([0.5 * cost.sum()]), whole=False)
    asked = list[int]()

    def run(extend: Extend) -> Outcome:
        asked.append(1)
        return solve(extend(arrays), Options())

    found = leximin(csr_array(score), base, run, step=STEP, convex=True)
    assert found.complete
    assert [r.settled for r in found.rungs] == [*((n + i,) for i in range(10)), tuple(range(n))]
    assert [r.level for r in found.rungs] == pytest.approx([*base[n:], 0.5], abs=1e-5)
    assert len(asked) == 11


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_a_weighted_sum_by_hand(method: str) -> None:
    """10,000 yuan meet the need of 3,000, 1,000 or 500 people and cost 800 points, so the last is left alone."""
    city = make_city([{"community": c, "population": p} for c, p in (("a", 3000), ("b", 1000), ("c", 500))])
    scenario = make_scenario(
        programmes={"work_funds": {"floor_yuan": 10_000}, "space": {"target_m2": 0}},
        goals=[{"goal": "weighted", "weights": {"unmet_need": 1, "spending": 0.08}, "tolerance": 0.0, "gap": 0.0}],
        solver={"method": method},
    )
    found = plan(city, scenario)
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 10_000}
    assert found.value("weighted") == pytest.approx(500 + 1600)
    assert found.found.bounds["weighted"] == pytest.approx(2100)
    assert found.found.scopes["weighted"] == "all plans"


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ({"goal": "travel", "leximin": True}, "belongs to the goal worst_off"),
        ({"goal": "weighted"}, "weights belong"),
        ({"goal": "travel", "weights": {"travel": 1}}, "weights belong"),
        ({"goal": "weighted", "weights": {"travel": 0}}, "all weights are 0"),
        ({"goal": "weighted", "weights": {"worst_off": 1}}, "weights"),
        ({"goal": "worst_off", "leximin_step": 0}, "leximin_step"),
    ],
)
def test_goals_that_cannot_be_meant_are_named(goal: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        make_scenario(goals=[goal])
