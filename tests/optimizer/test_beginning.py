"""Searches that begin with what another left: the same proof, and a plan as good."""

from dataclasses import replace
from math import inf
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from benchmarks.instances import write_instance
from geodata.read import read_city
from optimizer import price_rounds
from optimizer.beginning import FILE, KEPT, NEAR, Beginning, read_beginning
from optimizer.goals import Found
from optimizer.joint import Joint, build_joint
from optimizer.piece_plans import PiecePlans, plan_pieces
from optimizer.price_plan import names_of
from optimizer.problem import Problem
from optimizer.problem_data import build_problem
from optimizer.progress import Silent
from optimizer.scenario_file import load_scenario
from optimizer.search import find_plan
from optimizer.watch import Watch
from tests.optimizer.test_properties import RUNAWAY_CHANGES, joint_of

LEFT = Beginning(
    rows=("a", "b"),
    columns=("x", "y", "z"),
    level=0.75,
    prices={KEPT: np.array([-1.0, -2.0])},
    extra_use={KEPT: np.array([0.5, 0.0])},
    plans={NEAR: np.array([True, False, True]), KEPT: np.array([False, False, True])},
)


def test_what_a_search_leaves_is_read_as_it_was_written(tmp_path: Path) -> None:
    LEFT.write(tmp_path)
    first = (tmp_path / FILE).read_bytes()
    read = read_beginning(tmp_path)
    assert read is not None
    assert (read.rows, read.columns, read.level) == (LEFT.rows, LEFT.columns, LEFT.level)
    for kind in ("prices", "extra_use", "plans"):
        found, expected = getattr(read, kind), getattr(LEFT, kind)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[stage], expected[stage]) for stage in expected)
    read.write(tmp_path)
    assert (tmp_path / FILE).read_bytes() == first


@pytest.mark.parametrize("content", [None, b"", b"not an archive", b"PK\x03\x04 broken"])
def test_a_file_that_cannot_be_read_is_nothing_to_begin_with(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert read_beginning(tmp_path) is None


def test_decisions_go_by_name_and_prices_only_to_the_same_money() -> None:
    fitted = LEFT.fitted(("a", "b"), ("new", "z", "x"))
    assert fitted is not None
    assert fitted.plans[NEAR].tolist() == [False, True, True]
    assert fitted.plans[KEPT].tolist() == [False, True, False]
    assert LEFT.fitted(("a", "c"), ("x", "y", "z")) is None
    assert LEFT.fitted(LEFT.rows, LEFT.columns) is LEFT


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Problem:
    """A synthetic city of 24 communities and two years, planned by prices."""
    path = write_instance(tmp_path_factory.mktemp("city"), communities=24, seed=3)
    goals = "goals=[{goal: worst_off, gap: 0.01}, {goal: unmet_need, gap: 0.01}]"
    loaded = load_scenario(str(path), ["horizon.years=2", "solver={method: prices, threads: 1}", goals])
    data = loaded.resolved["data"]
    return build_problem(
        read_city(data["path"], crs=data["crs"], metric_crs=data["metric_crs"], layers=data["layers"]), loaded.scenario
    )


def found(joint: Joint, begin: Beginning | None = None) -> Found:
    return find_plan(joint, Watch(Silent(), Event()), begin=begin)


def less_money(problem: Problem, share: float) -> Joint:
    return build_joint(replace(problem, amount=problem.amount * share))


def test_a_search_begun_with_another_proves_its_own_bounds(city: Problem) -> None:
    first = found(build_joint(city))
    assert first.leaves is not None
    joint = less_money(city, 0.93)
    alone, begun = found(joint), found(joint, first.leaves)
    highest = max(alone.reached["worst_off"], begun.reached["worst_off"])
    assert min(alone.bounds["worst_off"], begun.bounds["worst_off"]) >= highest - 1e-6
    assert begun.reached["worst_off"] >= begun.bounds["worst_off"] - 0.02
    for one in (alone, begun):
        assert one.bounds["unmet_need"] <= one.reached["unmet_need"] * (1 + 1e-9)
        assert one.reached["unmet_need"] - one.bounds["unmet_need"] <= 0.02 * one.reached["unmet_need"]


def test_bounds_without_levels_hold_for_plans_found_otherwise(city: Problem) -> None:
    goals = [goal for goal in city.scenario.goals if goal.goal == "unmet_need"]
    city = replace(city, scenario=city.scenario.model_copy(update={"goals": goals}))
    first = found(build_joint(city))
    joint = less_money(city, 0.9)
    alone, begun = found(joint), found(joint, first.leaves)
    least = min(alone.reached["unmet_need"], begun.reached["unmet_need"])
    assert max(alone.bounds["unmet_need"], begun.bounds["unmet_need"]) <= least * (1 + 1e-9)


def test_what_is_left_fits_the_model_it_came_from(city: Problem) -> None:
    joint = build_joint(city)
    left = found(joint).leaves
    assert left is not None
    assert left.fitted(*names_of(joint)) is left
    assert {NEAR, KEPT} <= left.plans.keys()
    assert all(plan.shape == (int(joint.integer.sum()),) for plan in left.plans.values())


def test_a_search_with_corrections_to_begin_with_looks_first_and_seeks_no_plans_in_its_proof(
    city: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    joint = build_joint(city)
    left = found(joint).leaves
    assert left is not None
    assert KEPT in left.extra_use
    quick: list[bool] = []
    good: list[bool] = []

    def counted(*args: Any, **words: Any) -> PiecePlans:
        quick.append(words["quick"])
        good.append(words["good"])
        return plan_pieces(*args, **words)

    monkeypatch.setattr(price_rounds, "plan_pieces", counted)
    found(joint)
    assert quick[0]
    assert not good[quick.index(False)]
    quick.clear()
    good.clear()
    found(joint, left)
    assert quick[0]
    assert good[quick.index(False)]


UNEQUAL = {
    "communities": [
        {"community": "a", "office": 0, "population": 300, "district": "east", "sub_district": "e1"},
        {"community": "b", "office": 50, "population": 2500, "district": "west", "sub_district": "w1"},
        {"community": "c", "office": 200, "population": 900, "district": "west", "sub_district": "w2"},
        {"community": "d", "office": 100, "population": 1700, "district": "east", "sub_district": "e2"},
    ],
    "sites": [{"site": "st", "community": "b", "use": "station", "area_m2": 60, "capital_yuan_per_m2": 40}],
    "needs": [(name, k, 40.0 * n, 30.0 * n) for n, name in enumerate("abcd", 1) for k in ("clinic", "desk")],
}
"""Communities with very different rooms, so that a bound of inequality takes rows."""


def test_a_search_begun_after_rows_of_fairness_were_found_goes_on_without_them() -> None:
    def joint(gini: float) -> Joint:
        changes = {**RUNAWAY_CHANGES, "fairness": {"gini_at_most": gini}, "solver": {"method": "prices", "threads": 1}}
        changes["sources"] = {"city": {"role": "city", "amount_yuan": [40000]}}
        changes["goals"] = [{"goal": "unmet_need", "tolerance": 0.001, "gap": 0.0005}]
        return joint_of(UNEQUAL, {k: v for k, v in changes.items() if k != "co_funding"})

    first = find_plan(joint(0.08), Watch(Silent(), Event(), inf))
    assert first.fair is not None
    assert first.fair.count > 0
    assert first.leaves is not None
    assert {len(v) for v in first.leaves.extra_use.values()} == {len(first.leaves.rows)}
    again = find_plan(joint(0.3), Watch(Silent(), Event(), inf), begin=first.leaves)
    assert again.bounds["unmet_need"] <= first.reached["unmet_need"] + 1e-6


def test_a_proof_at_poor_prices_is_made_once_more_at_those_of_later_plans(
    city: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first proof here proves 3 % less than it did, as at poor prices; its plans leave no more open."""
    proofs: list[float] = []

    def poor(*args: Any, **words: Any) -> PiecePlans:
        done = plan_pieces(*args, **words)
        if words["quick"]:
            return done
        proofs.append(words["gap"])
        less = 0.03 * abs(done.value) if len(proofs) == 1 else 0.0
        return replace(done, value=done.value - less, bound=done.bound - less)

    joint = build_joint(city)
    sound = found(joint)
    monkeypatch.setattr(price_rounds, "plan_pieces", poor)
    again = found(joint)
    assert proofs[1] == proofs[0]  # no finer one: its own plans left next to nothing open
    gap = again.reached["unmet_need"] / again.bounds["unmet_need"] - 1
    assert gap < 0.02
    assert again.bounds["unmet_need"] <= min(sound.reached["unmet_need"], again.reached["unmet_need"]) + 1e-6
