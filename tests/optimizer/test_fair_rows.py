"""Bounds of inequality and least shares of groups: by hand, against all plans of tiny cities, and their mistakes."""

import itertools
from threading import Event

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from optimizer.coupling import couple
from optimizer.fair import Fair, FairSession
from optimizer.fair_groups import check_groups
from optimizer.fair_rows import atkinson_cut, gini_cut
from optimizer.fit import achieved
from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome, Status
from optimizer.indices import atkinson, gini
from optimizer.joint import build_joint
from optimizer.levels import no_levels
from optimizer.price_plan import Infeasible
from optimizer.problem import Floats
from optimizer.problem_data import build_problem
from optimizer.scenario import Scenario
from tests.optimizer.tiny import Row, make_city, make_scenario, plan

UNMET = [{"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0}]
SCORES = st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).map(np.array)


def funds(fairness: Row | None, **changes: object) -> Scenario:
    """15,000 yuan for three communities entitled to 10,000 each; a has 3,000 people, b 1,000, c 500."""
    return make_scenario(
        programmes={"work_funds": {"floor_yuan": 10_000}, "space": {"target_m2": 0}},
        sources={"city": {"role": "city", "amount_yuan": 15_000, "purposes": ["work_funds"]}},
        goals=UNMET,
        **({"fairness": fairness} if fairness else {}),
        **changes,
    )


THREE = make_city([{"community": c, "population": p} for c, p in (("a", 3000), ("b", 1000), ("c", 500))])


@given(SCORES, SCORES, st.floats(0, 1))
def test_a_gini_cut_is_exact_where_it_is_made_and_holds_wherever_the_bound_does(
    at: np.ndarray, other: np.ndarray, most: float
) -> None:
    row = gini_cut(at, most)
    assert row @ at == pytest.approx((gini(at) - most) * at.mean(), abs=1e-9)
    assert row @ other <= (gini(other) - most) * other.mean() + 1e-9


@given(SCORES, SCORES, st.floats(0, 1), st.sampled_from([0.3, 0.5, 1.0, 2.0]))
def test_an_atkinson_cut_holds_wherever_the_bound_does(
    at: np.ndarray, other: np.ndarray, most: float, epsilon: float
) -> None:
    row = atkinson_cut(at, epsilon, most)
    if at.min() > 1e-3:
        assert row @ at == pytest.approx((atkinson(at, epsilon) - most) * at.mean(), abs=1e-9)
    assert row @ other <= (atkinson(other, epsilon) - most) * other.mean() + 1e-9


def test_a_gini_bound_by_hand() -> None:
    """Scores sum to 1.5. With b = c = y, a = x: 4 (x - y) / (18 x 0.5) = 0.2 where x = 0.8, y = 0.35."""
    found = plan(THREE, funds({"gini_at_most": 0.2}))
    assert achieved(found.joint, found.found.x) == pytest.approx([0.8, 0.35, 0.35], abs=1e-6)
    assert found.value("unmet_need") == pytest.approx(3000 * 0.2 + 1500 * 0.65)
    assert found.found.bounds["unmet_need"] == pytest.approx(found.value("unmet_need"))
    assert found.grants() == {("a", 2020): 8000, ("b", 2020): 3500, ("c", 2020): 3500}


def test_a_search_within_bounds_ends_when_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one plan found then breaks the bound, so there is none; what it proves of all plans stands."""
    monkeypatch.setattr("optimizer.fair.FEW", 0)
    joint = build_joint(build_problem(THREE, funds({"gini_at_most": 0.2})))
    ending, asked = Event(), list[int]()
    ending.set()

    def find(arrays: Arrays, start: Floats | None) -> Outcome:
        asked.append(len(arrays.cost))
        return solve(arrays, Options(), start=start)

    outcome = Fair.of(joint, ending).run(lambda more: more.arrays(more.unmet), find, None, Options())
    assert len(asked) == 1
    assert (outcome.status, outcome.x, outcome.value) == (Status.NO_PLAN, None, None)
    assert 0 < outcome.bound < 3000 * 0.2 + 1500 * 0.65


def many(most: float) -> Fair:
    """Forty communities of all sizes, money for half of what they are entitled to: a linear programme."""
    people = [300 + 97 * (n * n % 41) for n in range(40)]
    scenario = make_scenario(
        programmes={"work_funds": {"floor_yuan": 10_000}, "space": {"target_m2": 0}},
        sources={"city": {"role": "city", "amount_yuan": 200_000, "purposes": ["work_funds"]}},
        goals=UNMET,
        fairness={"gini_at_most": most},
    )
    city = make_city([{"community": f"c{n}", "population": p} for n, p in enumerate(people)])
    return Fair.of(build_joint(build_problem(city, scenario)))


def test_a_fit_that_need_not_be_exact_keeps_the_bound_and_loses_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows alone take more rounds than are given; what is proven stays true, and the plan is near the best."""
    rough = many(0.2)
    arrays = rough.joint.arrays(rough.joint.unmet)
    best = FairSession(many(0.2), arrays, 0).run()  # written out pair by pair
    assert best.value is not None
    monkeypatch.setattr("optimizer.fair.FEW", 3)
    monkeypatch.setattr("optimizer.fair.EXACT_ROUNDS", 100)
    monkeypatch.setattr("optimizer.fair.TIGHT_ROUNDS", 1000)
    monkeypatch.setattr("optimizer.fair.TIGHTER", (0.05,))
    found = FairSession(rough, arrays, 0).run()
    assert found.x is not None
    assert found.value is not None
    assert rough.count == 100
    assert rough.broken(found.x) <= 0
    assert arrays.violation(found.x) < 1e-6
    assert found.bound <= best.value + 1e-6 <= found.value + 2e-6
    assert found.value <= 1.02 * best.value
    known = FairSession(many(0.2), arrays, 0).run(inside=found.x)
    assert known.value is not None
    assert best.value - 1e-6 <= known.value <= 1.02 * best.value


def test_a_fit_whose_tighter_bounds_cannot_be_kept_is_written_out_in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    fair = many(0.2)
    arrays = fair.joint.arrays(fair.joint.unmet)
    best = FairSession(many(0.2), arrays, 0).run()
    monkeypatch.setattr("optimizer.fair.FEW", 3)
    monkeypatch.setattr("optimizer.fair.TIGHTER", (5.0,))  # a bound below 0
    found = FairSession(fair, arrays, 0).run()
    assert found.value == pytest.approx(best.value, rel=1e-6)
    assert found.x is not None
    assert len(found.x) == fair.joint.n_columns
    assert FairSession(fair, arrays, 0, exact=True).run().value == pytest.approx(best.value, rel=1e-6)


def test_forty_communities_within_a_bound_are_one_model_solved_once() -> None:
    """Rows for single orders alone do not come to an end in hundreds of rounds here."""
    fair = many(0.2)
    outcome = fair.run(
        lambda joint: joint.arrays(joint.unmet), lambda arrays, _: solve(arrays, Options()), None, Options()
    )
    assert outcome.status is Status.OPTIMAL
    assert outcome.x is not None
    assert len(outcome.x) == fair.joint.n_columns
    assert fair.count == 0
    assert gini(achieved(fair.joint, outcome.x)) == pytest.approx(0.2, abs=1e-5)


@pytest.mark.parametrize("epsilon", [0.5, 2.0, 5.0])
def test_no_plan_has_more_to_spare_than_a_coupling_row_lets_it(epsilon: float) -> None:
    """Where somebody has nothing an Atkinson row has huge weights; the best plan of all must still be in the bound."""
    joint = build_joint(build_problem(THREE, funds({"atkinson_at_most": {"epsilon": epsilon, "value": 0.1}})))
    fair = Fair.of(joint)
    levels = no_levels(joint.problem)
    for scores in ([1.0, 0.5, 0.0], [0.0, 0.0, 1.0], [1e-4, 0.3, 0.9]):
        fair.cut_scores(np.array(scores))
    assert fair.count == 3
    coupling, rows = couple(fair.joint, fair.joint.unmet, levels), fair.joint.extra
    assert rows is not None
    everybody = rows.matrix[:, joint.model.columns["score"].positions] @ np.ones(3)
    assert (coupling.shared.upper[-3:] >= rows.upper - everybody).all()
    assert (coupling.shared.upper[-3:] >= rows.upper + abs(rows.matrix).sum(axis=1)).all()


def test_leximin_within_a_bound_settles_the_same_communities_by_rows_as_in_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rows that are added later are not those of the communities."""
    goals = [
        {"goal": "worst_off", "tolerance": 0.0, "gap": 0.0, "leximin": True, "leximin_step": 0.01},
        {"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0},
    ]
    scenario = funds({"gini_at_most": 0.05}, solver={"method": "prices"}).model_dump() | {"goals": goals}
    city = make_city([{"community": c, "office": m2, "population": p}
                      for c, m2, p in (("a", 10, 3000), ("b", 40, 1000), ("c", 70, 500))])  # fmt: skip
    scenario["programmes"]["space"]["target_m2"] = 100
    scenario["sources"]["city"]["scale"] = 2.0  # money for all: rooms, and the bound, hold communities down
    floors = []
    for few in (80, 0):
        monkeypatch.setattr("optimizer.fair.FEW", few)
        found = plan(city, Scenario.model_validate(scenario)).found
        assert found.levelled is not None
        assert found.levelled.found.complete
        floors.append(found.levelled.floor)
    assert floors[0] == pytest.approx(floors[1], abs=1e-5)
    assert len(set(np.round(floors[0], 3))) > 1


def test_everybody_alike() -> None:
    found = plan(THREE, funds({"gini_at_most": 0.0}))
    assert achieved(found.joint, found.found.x) == pytest.approx([0.5, 0.5, 0.5], abs=1e-6)


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0])
def test_an_atkinson_bound_is_used_up_and_no_other_split_is_better(epsilon: float) -> None:
    found = plan(THREE, funds({"atkinson_at_most": {"epsilon": epsilon, "value": 0.1}}))
    scores = achieved(found.joint, found.found.x)
    assert atkinson(scores, epsilon) == pytest.approx(0.1, abs=2e-6)
    steps = np.linspace(0, 1, 201)
    splits = [np.array([a, b, 1.5 - a - b]) for a, b in itertools.product(steps, steps) if 0 <= 1.5 - a - b <= 1]
    best = min(3000 * (1 - s[0]) + 1000 * (1 - s[1]) + 500 * (1 - s[2]) for s in splits if atkinson(s, epsilon) <= 0.1)
    assert found.value("unmet_need") <= best + 1e-6
    assert best <= found.value("unmet_need") + 3000 * 0.01


def test_a_bound_that_holds_anyway_changes_nothing() -> None:
    free, bound = plan(THREE, funds(None)), plan(THREE, funds({"gini_at_most": 0.5}))
    assert free.grants() == bound.grants() == {("a", 2020): 10_000, ("b", 2020): 5000}


@pytest.mark.parametrize("most", [0.05, 0.12, 0.2, 0.3])
@pytest.mark.parametrize("money", [6_000, 9_000, 13_000])
@pytest.mark.parametrize("method", ["whole", "prices"])
def test_bounds_are_exact_in_whole_numbers(most: float, money: int, method: str) -> None:
    """Rooms taken whole or not at all: every choice the money allows is tried."""
    m2, cost, people = [20, 35, 10, 50, 40], [4000, 3000, 5000, 2000, 4500], [900, 300, 1500, 100, 700]
    city = make_city(
        [{"community": f"c{n}", "office": m2[n], "population": people[n]} for n in range(5)],
        sites=[
            {"site": f"e{n}", "community": f"c{n}", "use": "extension", "area_m2": 100 - m2[n],
             "min_area_m2": 100 - m2[n], "fixed_yuan": cost[n], "capital_yuan_per_m2": 0}
            for n in range(5)
        ],
    )  # fmt: skip
    scenario = make_scenario(
        programmes={"space": {"target_m2": 100}},
        sources={"city": {"role": "city", "amount_yuan": money}},
        goals=UNMET,
        fairness={"gini_at_most": most},
        solver={"method": method},
    )
    values = []
    for taken in itertools.product([0, 1], repeat=5):
        score = np.where(taken, 1.0, np.array(m2) / 100)
        if np.dot(taken, cost) <= money and gini(score) <= most + 1e-9:
            values.append(float(np.array(people) @ (1 - score)))
    if not values:
        with pytest.raises(Infeasible):
            plan(city, scenario)
        return
    found = plan(city, scenario)
    if method == "whole":
        assert found.value("unmet_need") == pytest.approx(min(values))
    assert found.found.bounds["unmet_need"] - 1e-6 <= min(values) <= found.value("unmet_need") + 1e-6
    assert gini(achieved(found.joint, found.found.x)) <= most + 1e-5


def test_least_shares_of_groups_by_hand() -> None:
    """Without groups a gets 10,000 and b 5,000; c is asked a fifth of the money, then three tenths of its need."""
    small = {"column": "population", "at_least": 0, "districts": ["east"], "types": ["needy"]}
    city = make_city(
        [{"community": c, "population": p, "type": k} for c, p, k in (("a", 3000, "plain"), ("b", 1000, "plain"),
                                                                       ("c", 500, "needy"))]
    )  # fmt: skip
    types = {"plain": {}, "needy": {}}
    share = plan(city, funds({"groups": [{**small, "least_share_of_money": 0.2}]}, types=types))
    assert share.grants() == {("a", 2020): 10_000, ("b", 2020): 2000, ("c", 2020): 3000}
    met = plan(city, funds({"groups": [{**small, "least_met_share": 0.2}]}, types={"plain": {}, "needy": {"care": 0}}))
    assert met.grants() == {("a", 2020): 10_000, ("b", 2020): 3000, ("c", 2020): 2000}
    assert met.value("unmet_need") == pytest.approx(1000 * 0.7 + 500 * 0.8, abs=1e-3)


def test_rooms_that_stand_count_in_full() -> None:
    """An office of 300 m2 for a target of 100 is met in full; no bound is kept by counting less."""
    city = make_city([{"community": "a", "office": 300}, {"community": "b", "office": 40}])
    rooms = {"programmes": {"space": {"target_m2": 100}}, "goals": UNMET}
    found = plan(city, make_scenario(fairness={"gini_at_most": 0.3}, **rooms))
    assert achieved(found.joint, found.found.x) == pytest.approx([1.0, 0.4], abs=1e-6)
    with pytest.raises(Infeasible):  # the Gini index of 1 and 0.4 is 0.6 / 2.8
        plan(city, make_scenario(fairness={"gini_at_most": 0.21}, **rooms))


def test_a_group_by_share_of_people() -> None:
    city = make_city([{"community": c, "population": 1000, "elderly": e} for c, e in (("a", 50), ("b", 300))])
    asked = {"column": "elderly", "per": "population", "at_least": 0.3, "least_share_of_money": 0.9}
    found = plan(city, funds({"groups": [asked]}))
    assert found.problem.group.tolist() == [[False], [True]]
    # b can use 10,000: nine tenths of all that may be spent, so a gets a ninth of it.
    assert found.grants() == {("a", 2020): 1111, ("b", 2020): 10_000}


def test_by_prices_too() -> None:
    found = plan(THREE, funds({"gini_at_most": 0.2}, solver={"method": "prices"}))
    assert found.found.method == "prices"
    assert found.value("unmet_need") == pytest.approx(1575.0)


@pytest.mark.parametrize(
    ("fairness", "said"),
    [
        ({"gini_at_most": 1.2}, "gini_at_most"),
        ({"gini_at_most": -0.1}, "gini_at_most"),
        ({"atkinson_at_most": {"epsilon": 0, "value": 0.1}}, "epsilon"),
        ({"atkinson_at_most": {"epsilon": 1}}, "value"),
        ({"groups": [{"least_met_share": 0.5}]}, "names no communities"),
        ({"groups": [{"types": ["plain"]}]}, "asks for nothing"),
        ({"groups": [{"types": ["rural"], "least_met_share": 0.5}]}, "unknown type 'rural'"),
        ({"groups": [{"classes": ["rich"], "least_met_share": 0.5}]}, "unknown class 'rich'"),
        ({"groups": [{"column": "elderly", "least_met_share": 0.5}]}, "belong together"),
        ({"groups": [{"types": ["plain"], "per": "population", "least_met_share": 0.5}]}, "per needs a column"),
        ({"groups": [{"types": ["plain"], "least_share_of_money": 1.5}]}, "least_share_of_money"),
    ],
)
def test_bounds_that_cannot_be_meant_are_named(fairness: Row, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        funds(fairness)


def test_fairness_beside_a_rule_is_named() -> None:
    with pytest.raises(ValidationError, match="drop fairness or rule"):
        funds({"gini_at_most": 0.2}, rule={"split": "equal"})


def test_what_the_city_has_not_is_named_at_once() -> None:
    groups = [
        {"districts": ["west"], "least_met_share": 0.1},
        {"column": "eldery", "per": "name", "at_least": 0.1, "least_met_share": 0.1},
    ]
    found = check_groups(THREE, funds({"groups": groups}))
    assert [(f.column, f.value) for f in found] == [
        ("fairness.groups.0.districts", "west"),
        ("fairness.groups.1.column", "eldery"),
        ("fairness.groups.1.per", "name"),
    ]
    assert "elderly" in found[1].remedy


def test_bounds_hold_where_nobody_needs_anything() -> None:
    scenario = make_scenario(fairness={"gini_at_most": 0.1, "atkinson_at_most": {"epsilon": 1, "value": 0.1}})
    found = plan(make_city([{"community": "a"}], needs=[("a", "desk", 0, 0)]), scenario)
    assert found.value("unmet_need") == 0


def test_a_group_of_nobody_and_more_than_all_money_are_named() -> None:
    nobody = [{"column": "population", "at_least": 1e6, "least_met_share": 0.1}]
    assert "no community" in check_groups(THREE, funds({"groups": nobody}))[0].message
    halves = [
        {"column": "population", "at_least": 2000, "least_share_of_money": 0.6},
        {"column": "own_income_yuan_per_person", "at_least": 0, "types": ["plain"], "least_share_of_money": 0.3},
    ]
    assert check_groups(THREE, funds({"groups": halves})) == []  # they share communities
    city = make_city([{"community": "a"}, {"community": "b", "district": "west"}])
    apart = [{"districts": [d], "least_share_of_money": 0.6} for d in ("east", "west")]
    found = check_groups(city, funds({"groups": apart}))
    assert [(f.value, f.message) for f in found] == [("1.2", "least shares of money are more than all the money")]
