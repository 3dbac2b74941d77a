"""The price of fairness: by hand, against all plans of tiny cities, where it is nothing, and where there is no time."""

import itertools
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from geodata.city import City
from optimizer.fairness_price import price_record, price_table
from optimizer.run_write import footed
from optimizer.scenario import Scenario
from tests.optimizer.cases import NONE
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, plan

FIRST = {"goal": "worst_off", "tolerance": 0.0, "gap": 0.0}
UNMET = {"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0}


def two(method: str = "whole", money: int = 10_000, **changes: object) -> Scenario:
    """Money for one of two communities entitled to 10,000 yuan each."""
    values: Row = {
        "programmes": {"work_funds": {"floor_yuan": 10_000}, "space": {"target_m2": 0}},
        "sources": {"city": {"role": "city", "amount_yuan": money, "purposes": ["work_funds"]}},
        "goals": [FIRST, UNMET],
        "fairness": {"price": True},
        "solver": {"method": method},
    }
    return make_scenario(**{**values, **changes})


def towns(a: int = 3000, b: int = 1000) -> City:
    return make_city([{"community": "a", "population": a}, {"community": "b", "population": b}], needs=NONE)


def price_of(found: Plan) -> Row:
    """The record of the price, with the stage of unmet need as a run would have it."""
    assert found.found.without is not None
    tables, _, _ = footed(found.joint, found.found)
    value = found.value("unmet_need")
    stage = {"value": value, "bound": min(value, found.found.bounds["unmet_need"]), "unit": "person-needs"}
    return price_record(found.joint, found.found, found.found.without, stage, tables.met)


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_two_communities_by_hand(method: str) -> None:
    """Half of both needs is met for the worst-off: 1,500 + 500 stay unmet; all for a leaves 1,000."""
    found = plan(towns(), two(method))
    price = price_of(found)
    assert price["with"]["value"] == pytest.approx(2000, abs=1e-3)
    assert price["without"] == pytest.approx({"value": 1000, "bound": 1000}, abs=1e-3)
    assert (price["low"], price["high"]) == pytest.approx((1000, 1000), abs=1e-2)
    assert (price["low_share"], price["high_share"]) == pytest.approx((1 / 3, 1 / 3), abs=1e-5)
    assert price["worst_off"] == pytest.approx({"with": 0.5, "without": 0.0}, abs=1e-5)
    assert price["met_share"] == pytest.approx({"with": 0.5, "without": 0.75}, abs=1e-5)
    assert price["said"] == (
        "Fairness costs 1,000 person-needs (33.33 % of what could be met without it); the worst-off community has 0.50 "
        "of its needs met, and 0.00 in the plan without fairness."
    )


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_it_costs_nothing_where_the_worst_off_goal_does_not_bind(method: str) -> None:
    """All of both needs can be met."""
    price = price_of(plan(towns(), two(method, money=20_000)))
    assert (price["low"], price["high"]) == pytest.approx((0, 0), abs=1e-3)
    assert price["said"].startswith("Fairness costs nothing: without it no plan would be better in sum; ")
    assert price["worst_off"] == pytest.approx({"with": 1.0, "without": 1.0}, abs=1e-5)


@pytest.mark.parametrize(
    ("goals", "fairness"),
    [
        ([UNMET], {"gini_at_most": 0.0}),
        ([UNMET], {"groups": [{"column": "population", "at_least": 1, "types": ["needy"], "least_met_share": 0.5}]}),
        ([{**FIRST, "leximin": True}, UNMET], {}),
    ],
)
@pytest.mark.parametrize("method", ["whole", "prices"])
def test_bounds_groups_and_leximin_are_left_out_too(method: str, goals: list[Row], fairness: Row) -> None:
    """Each of them asks for half of each need, as the worst-off goal does."""
    city = make_city([{"community": "a", "population": 3000}, {"community": "b", "population": 1000, "type": "needy"}])
    types = {"plain": {}, "needy": {"care": 0}}
    price = price_of(plan(city, two(method, goals=goals, fairness={"price": True, **fairness}, types=types)))
    assert price["without"] == pytest.approx({"value": 1000, "bound": 1000}, abs=1e-3)
    assert price["low"] <= 1000 + 1e-2
    assert price["high"] == pytest.approx(1000, abs=20)  # levels of leximin are steps


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_a_weighted_sum_is_what_the_price_is_measured_in_where_it_stands_in(method: str) -> None:
    """A point per person-need, a thousandth per yuan: 2,010 points with half of each, 1,010 with all for a."""
    weighted = {"goal": "weighted", "weights": {"unmet_need": 1, "spending": 0.001}, "tolerance": 0.0, "gap": 0.0}
    found = plan(towns(), two(method, goals=[FIRST, weighted])).found
    assert found.without is not None
    assert found.reached["weighted"] == pytest.approx(2010, abs=1e-3)
    assert (found.without.goal, found.without.value) == ("weighted", pytest.approx(1010, abs=1e-3))
    assert found.without.bound == pytest.approx(1010, abs=1e-3)


def rooms(people: list[int], offices: list[int], cost: list[int], money: int, method: str) -> tuple[City, Scenario]:
    """Rooms that are taken whole or not at all, up to a target of 100 m2."""
    n = len(people)
    city = make_city(
        [{"community": f"c{i}", "office": offices[i], "population": people[i]} for i in range(n)],
        sites=[
            {"site": f"e{i}", "community": f"c{i}", "use": "extension", "area_m2": 100 - offices[i],
             "min_area_m2": 100 - offices[i], "fixed_yuan": cost[i], "capital_yuan_per_m2": 0}
            for i in range(n)
        ],
    )  # fmt: skip
    goals = [FIRST, {**UNMET, "gap": 0.1}]  # wide, so that values and bounds lie apart
    scenario = make_scenario(
        programmes={"space": {"target_m2": 100}},
        sources={"city": {"role": "city", "amount_yuan": money}},
        goals=goals,
        fairness={"price": True},
        solver={"method": method},
    )
    return city, scenario


COMMUNITY = st.tuples(st.integers(50, 3000), st.integers(5, 80), st.integers(500, 5000))


@settings(max_examples=15)
@given(st.lists(COMMUNITY, min_size=4, max_size=4), st.integers(1000, 9000), st.sampled_from(["whole", "prices"]))
def test_the_true_price_lies_between_low_and_high(
    communities: list[tuple[int, int, int]], money: int, method: str
) -> None:
    people, offices, cost = (list(column) for column in zip(*communities, strict=True))
    found = plan(*rooms(people, offices, cost, money, method))
    scores, unmet = [], []
    for taken in itertools.product([0, 1], repeat=4):
        if np.dot(taken, cost) <= money:
            scores.append(np.where(taken, 1.0, np.array(offices) / 100))
            unmet.append(float(np.array(people) @ (1 - scores[-1])))
    levels = found.found.levels.required - 1e-6
    fair = min(u for s, u in zip(scores, unmet, strict=True) if (s >= levels).all())
    price = price_of(found)
    assert 0 <= price["low"] <= fair - min(unmet) + 1e-3
    assert fair - min(unmet) <= price["high"] + 1e-3
    assert price["without"]["bound"] - 1e-3 <= min(unmet) <= price["without"]["value"] + 1e-3


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_the_plan_is_the_same_with_and_without_its_price(method: str) -> None:
    made = rooms([900, 300, 1500, 100], [20, 35, 10, 50], [4000, 3000, 5000, 2000], 9000, method)
    asked, quiet = plan(*made), plan(made[0], made[1].model_copy(update={"fairness": None}))
    assert np.array_equal(asked.found.x, quiet.found.x)
    assert asked.found.levels.common == quiet.found.levels.common
    assert asked.found.bounds == quiet.found.bounds
    assert quiet.found.without is None


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_a_search_stopped_for_its_price_keeps_the_plan_and_says_so(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is finished and stays called so; only the price is missing."""
    stop = Event()
    whole = plan(towns(), two(method)).found

    def ended(*_: object) -> bool:
        stop.set()
        return True

    monkeypatch.setattr("optimizer.whole_goals.asked", ended)
    monkeypatch.setattr("optimizer.price_goals.asked", ended)
    found = plan(towns(), two(method), stop=stop)
    assert np.array_equal(found.found.x, whole.x)
    assert found.found.stopped == ""
    assert found.found.without is not None
    assert found.found.without.x is None
    assert price_of(found) == {
        "goal": "unmet_need",
        "unit": "person-needs",
        "found": False,
        "stopped": "hand",
        "said": "What fairness costs was not found: the search was stopped by hand.",
    }


def test_the_table_has_both_plans_of_every_community() -> None:
    found = plan(towns(), two())
    assert found.found.without is not None
    table = price_table(found.joint, found.found.without, footed(found.joint, found.found)[0].met)
    rows = {row[0]: row[1:] for row in table.itertuples(index=False, name=None)}
    assert rows["a"] == pytest.approx((1500, 0, 0.5, 1), abs=1e-5)
    assert rows["b"] == pytest.approx((500, 1000, 0.5, 0), abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"goals": [UNMET]}, "nothing here is fair"),
        ({"goals": [FIRST, {"goal": "travel"}]}, "name it first among the goals"),
        ({"goals": [FIRST, {"goal": "spending"}, UNMET]}, "name it first among the goals"),
        ({"rule": {"split": "equal"}}, "drop fairness or rule"),
    ],
)
def test_a_price_that_cannot_be_meant_is_named(changes: Row, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        two(**changes)
