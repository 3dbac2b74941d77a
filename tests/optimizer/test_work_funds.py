"""Work funds on cities small enough to solve by hand, equations (3), (4) and (19) to (22)."""

import re
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome, Status
from optimizer.price_plan import Infeasible
from optimizer.problem_data import build_problem
from optimizer.scenario_check import check_scenario
from optimizer.shortage import explain
from tests.optimizer.tiny import Row, make_city, make_scenario, plan

A: Row = {"community": "a"}
B: Row = {"community": "b"}
FUNDS: Row = {"work_funds": {"floor_yuan": 10_000}}


def city_money(amount: object, **more: object) -> Row:
    return {"city": {"role": "city", "amount_yuan": amount, **more}}


def test_worst_off_shares_too_little_money_evenly() -> None:
    # Entitled: a 10,000, b 10,000 x (1 + 0.5) = 15,000. Of 25,000, 20,000 are there: 0.8 for each.
    city = make_city([A, {**B, "type": "needy"}])
    found = plan(city, make_scenario(programmes=FUNDS, sources=city_money(20_000)))
    assert found.worst == pytest.approx(0.8, abs=1e-6)
    assert found.grants() == {("a", 2020): 8000, ("b", 2020): 12_000}
    # 1,000 persons each lack 0.2 of the need.
    assert found.value("unmet_need") == pytest.approx(400, abs=0.01)
    assert found.value("spending") == pytest.approx(20_000, abs=0.01)
    assert found.found.bounds["worst_off"] == pytest.approx(0.8)


def test_unmet_need_first_serves_those_who_cost_least() -> None:
    # Without the first goal, the 20,000 buy a whole need of a (10,000) and two thirds of that of b.
    city = make_city([A, {**B, "type": "needy"}])
    goals = [{"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0}]
    found = plan(city, make_scenario(programmes=FUNDS, sources=city_money(20_000), goals=goals))
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 10_000}
    assert found.value("unmet_need") == pytest.approx(1000 / 3, abs=0.01)


def test_hardship_and_care_raise_the_entitlement_rounded_half_up() -> None:
    # 10,001 x (1 + 0.5 + 0.4 x 0.5) = 17,001.7 -> 17,002; without either 10,001.
    city = make_city([A, {**B, "type": "needy", "hardship": 0.5}])
    funds = {"work_funds": {"floor_yuan": 10_001, "care_hardship": 0.4}}
    found = plan(city, make_scenario(programmes=funds))
    assert found.grants() == {("a", 2020): 10_001, ("b", 2020): 17_002}


def test_indicators_of_hardship_from_any_columns() -> None:
    # a: 150 of 1,000 are laid off, half way from 0.1 to 0.2: 0.3 x 0.5. b: 400: all of 0.3. Income per person from
    # 50 down to 10: b with 20 is at 0.75 of 0.4. 10,000 x 1.15 and 10,000 x 1.6.
    city = make_city(
        [
            {**A, "laid_off": 150, "own_income_yuan": 90_000},
            {**B, "laid_off": 400, "own_income_yuan": 20_000},
        ]
    )
    signs = [
        {"column": "laid_off", "per": "population", "none_at": 0.1, "full_at": 0.2, "weight": 0.3},
        {"column": "own_income_yuan_per_person", "none_at": 50, "full_at": 10, "weight": 0.4},
    ]
    found = plan(city, make_scenario(programmes={"work_funds": {"floor_yuan": 10_000, "care_indicators": signs}}))
    assert found.grants() == {("a", 2020): 11_500, ("b", 2020): 16_000}


def test_own_income_stands_in_after_debt_is_served() -> None:
    # Half of what is left beyond 2,000: a 8,000 -> 3,000 counted; b serves a tenth of 30,000 first: 3,000 -> 1,500;
    # c has 30,000 and is due nothing.
    city = make_city(
        [
            {**A, "own_income_yuan": 8000},
            {**B, "own_income_yuan": 8000, "debt_yuan": 30_000},
            {"community": "c", "own_income_yuan": 30_000},
        ]
    )
    own = {"share": 0.5, "free_yuan": 2000, "debt_service_share": 0.1}
    funds = {"work_funds": {"floor_yuan": 10_000, "own_income": own}}
    assert plan(city, make_scenario(programmes=funds)).grants() == {("a", 2020): 7000, ("b", 2020): 8500}


def test_an_indicator_without_a_span_is_refused() -> None:
    sign = {"column": "laid_off", "none_at": 1, "full_at": 1, "weight": 0.3}
    with pytest.raises(ValidationError, match="full_at = 1 is the same as none_at"):
        make_scenario(programmes={"work_funds": {"floor_yuan": 1, "care_indicators": [sign]}})


def test_names_that_the_city_does_not_have_are_all_named() -> None:
    signs = [{"column": "laidoff", "per": "name", "full_at": 1, "weight": 0.3}]
    gift = {"role": "donor", "amount_yuan": 5, "communities": ["a"], "districts": ["west"]}
    limits = [{"communities": ["x"], "at_most_yuan": 3}, {"districts": ["south"], "at_most_yuan": 3}]
    scenario = make_scenario(
        programmes={"work_funds": {"floor_yuan": 1, "care_indicators": signs}},
        sources={**city_money(10, limits=limits), "gift": gift},
    )
    found = check_scenario(make_city([A, {**B, "district": "west"}]), scenario)
    said = [(finding.column, finding.value) for finding in found if finding.severity == "error"]
    assert said == [
        ("sources.city.limits.0.communities", "x"),
        ("sources.city.limits.1.districts", "south"),
        ("sources.gift.communities", "a"),
        ("programmes.work_funds.care_indicators.0", "laidoff"),
        ("programmes.work_funds.care_indicators.0", "name"),
    ]


def test_ceiling_holds_grants_down_and_sets_nobody_back() -> None:
    # b is entitled to 15,000 but gets at most 12,000, 0.8 of it, whatever the money; a gets all. One of two is more
    # than may be set aside of a city.
    city = make_city([A, {**B, "type": "needy"}])
    found = plan(city, make_scenario(programmes={"work_funds": {"floor_yuan": 10_000, "ceiling_yuan": 12_000}}))
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 12_000}
    assert found.value("spending") == pytest.approx(22_000, abs=0.01)
    assert found.found.levels.follows.tolist() == [True, True]
    assert found.worst == pytest.approx(0.8, abs=1e-6)


def test_a_class_without_work_funds_is_entitled_to_nothing() -> None:
    city = make_city([{**A, "own_income_yuan": 900_000}, B])
    guidance = {
        "rich": {"when": {"own_income_yuan": {"at_least": 900_000}}, "purposes": ["space"]},
        "rest": {"purposes": ["work_funds"]},
    }
    scenario = make_scenario(programmes=FUNDS, guidance=guidance)
    order = {"guidance": {name: scenario.guidance[name] for name in ("rich", "rest")}}
    found = plan(city, scenario.model_copy(update=order))
    assert found.grants() == {("b", 2020): 10_000}
    assert found.problem.classes == ("rich", "rest")


def test_prices_raise_floor_and_later_years_weigh_less() -> None:
    # Entitled 10,000 and 11,000. Weights 1 / (1 + 1 / 1.25) = 5/9 and 4/9; nothing in the second year.
    city = make_city([A])
    horizon = {"years": 2, "price_growth": 0.1, "discount": 0.25}
    found = plan(city, make_scenario(horizon=horizon, programmes=FUNDS, sources=city_money([20_000, 5500])))
    assert found.grants() == {("a", 2020): 10_000, ("a", 2021): 5500}
    assert found.worst == pytest.approx(5 / 9 + 4 / 9 * 0.5, abs=1e-6)
    assert found.value("unmet_need") == pytest.approx(1000 * 4 / 9 * 0.5, abs=0.01)


def test_carry_over_is_limited_by_the_share_and_the_rest_lapses() -> None:
    # 30,000 now and nothing later: 10,000 are spent, 30% = 9,000 carried, 11,000 lapse. Score (1 + 0.9) / 2.
    city = make_city([A])
    money = city_money([30_000, 0], carry_limit_share=0.3)
    found = plan(city, make_scenario(horizon={"years": 2}, programmes=FUNDS, sources=money))
    assert found.grants() == {("a", 2020): 10_000, ("a", 2021): 9000}
    assert found.worst == pytest.approx(0.95, abs=1e-6)
    rows = found.books.sources.drop(columns="source").to_numpy().tolist()
    assert rows == [[2020, 30_000, 0, 10_000, 9000, 11_000], [2021, 0, 9000, 9000, 0, 0]]


def test_an_earmark_pays_only_for_its_communities() -> None:
    # 8,000 for b alone, 10,000 for both: a 9,000 and b 8,000 + 1,000 are equal shares.
    city = make_city([A, B])
    sources = {**city_money(10_000), "gift": {"role": "donor", "communities": ["b"], "amount_yuan": 8000}}
    found = plan(city, make_scenario(programmes=FUNDS, sources=sources))
    assert found.worst == pytest.approx(0.9, abs=1e-6)
    assert found.grants() == {("a", 2020): 9000, ("b", 2020): 9000}
    ledger = found.books.ledger
    assert ledger.loc[ledger["source"] == "gift", "community"].tolist() == ["b"]
    # 12,000 for b alone help nobody beyond b's 10,000, and 10,000 are left for a.
    sources["gift"]["amount_yuan"] = 12_000
    assert plan(city, make_scenario(programmes=FUNDS, sources=sources)).grants() == {
        ("a", 2020): 10_000,
        ("b", 2020): 10_000,
    }


def test_an_earmark_to_types() -> None:
    city = make_city([A, {**B, "type": "needy"}])
    sources = {"gift": {"role": "donor", "types": ["needy"], "amount_yuan": 15_000}}
    found = plan(city, make_scenario(programmes=FUNDS, sources=sources))
    assert found.grants() == {("b", 2020): 15_000}


def test_co_funding_limits_what_the_city_pays_in_a_district() -> None:
    # The district has 5,000 and must pay half of what the city pays: 10,000 + 5,000 of 20,000 are paid, 0.75 each.
    city = make_city([A, B])
    sources = {**city_money(20_000), "east": {"role": "district", "districts": ["east"], "amount_yuan": 5000}}
    rule = [{"purpose": "work_funds", "of": "city", "ratio": 0.5}]
    found = plan(city, make_scenario(programmes=FUNDS, sources=sources, co_funding=rule))
    assert found.worst == pytest.approx(0.75, abs=1e-6)
    assert sum(found.grants().values()) == 15_000
    by_source = found.books.ledger.groupby("source")["yuan"].sum().to_dict()
    assert by_source == {"city": 10_000, "east": 5000}


def test_co_funding_holds_in_each_district_for_itself() -> None:
    # b lies in the west, whose finance has nothing: the city may pay nothing there, though the east has plenty.
    city = make_city([A, {**B, "district": "west"}])
    sources = {
        **city_money(20_000),
        "east": {"role": "district", "districts": ["east"], "amount_yuan": 50_000},
        "west": {"role": "district", "districts": ["west"], "amount_yuan": 0},
    }
    rule = [{"purpose": "work_funds", "of": "city", "ratio": 0.5}]
    found = plan(city, make_scenario(programmes=FUNDS, sources=sources, co_funding=rule))
    assert found.grants() == {("a", 2020): 10_000}


def test_a_ceiling_share_limits_a_purpose_of_a_source() -> None:
    # At most 40% of 10,000 may go to work funds.
    found = plan(
        make_city([A]), make_scenario(programmes=FUNDS, sources=city_money(10_000, ceiling_share={"work_funds": 0.4}))
    )
    assert found.grants() == {("a", 2020): 4000}


HARD: Row = {"work_funds": {"floor_yuan": 10_000, "hard_floor": True}}


def test_a_hard_floor_that_can_be_paid_is_paid_though_it_costs_other_needs() -> None:
    # 25,000: the floors take 20,000, and 5,000 are left for 50 m2 of room at 100 yuan.
    city = make_city(
        [{**A, "office": 100}, {**B, "office": 300}],
        sites=[{"site": "e", "community": "a", "use": "extension", "area_m2": 200, "capital_yuan_per_m2": 100}],
    )
    found = plan(city, make_scenario(programmes={**HARD, "space": {"target_m2": 300}}, sources=city_money(25_000)))
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 10_000}
    assert found.met("a", "space") == pytest.approx(150 / 300)
    assert explain(found.problem) == ""


def test_no_plan_is_said_only_when_it_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong_in_presolve(arrays: Arrays, options: Options, **more: Any) -> Outcome:
        found = solve(arrays, options, **more)
        return replace(found, status=Status.INFEASIBLE, x=None, value=None) if options.presolve else found

    monkeypatch.setattr("optimizer.whole_plan.solve", wrong_in_presolve)
    found = plan(make_city([A, B]), make_scenario(programmes=FUNDS, sources=city_money(20_000)))
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 10_000}


def test_a_hard_floor_without_money_names_place_year_and_amount() -> None:
    # East: 2 x 10,000, west: 10,000; the city may pay in the east only: west lacks all, and the east 5,000.
    city = make_city([A, B, {"community": "c", "district": "west"}])
    sources = city_money([30_000, 15_000], districts=["east"])
    scenario = make_scenario(horizon={"years": 2}, programmes=HARD, sources=sources)
    with pytest.raises(Infeasible):
        plan(city, scenario)
    text = explain(build_problem(city, scenario))
    assert "25,000 yuan are missing" in text
    lines = re.findall(
        r"^  (\w+) (\d{4}): work funds at the hard floor cost ([\d,]+) yuan, ([\d,]+) of it", text, re.MULTILINE
    )
    assert lines == [
        ("east", "2021", "20,000", "5,000"),
        ("west", "2020", "10,000", "10,000"),
        ("west", "2021", "10,000", "10,000"),
    ]
    assert "Ways out: lower programmes.work_funds.floor_yuan or make it soft" in text
    assert "co_funding" not in text


def test_a_hard_floor_above_the_ceiling_is_explained() -> None:
    # b is entitled to 15,000 but may get at most 12,000: no money helps, and the explanation must say so.
    city = make_city([A, {**B, "type": "needy"}])
    funds = {"work_funds": {"floor_yuan": 10_000, "ceiling_yuan": 12_000, "hard_floor": True}}
    scenario = make_scenario(programmes=funds)
    with pytest.raises(Infeasible):
        plan(city, scenario)
    text = explain(build_problem(city, scenario))
    assert "ceiling" in text


def test_a_city_without_any_office() -> None:
    city = make_city([{**A, "office": None}, {**B, "office": None}])
    found = plan(city, make_scenario(programmes=FUNDS, sources=city_money(20_000)))
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 10_000}
    assert found.problem.office == ("a", "b")


def test_three_equal_grants_make_up_all_there_is() -> None:
    # 10,000 for three: 3,333 each and one yuan more for one of them; nothing is lost to rounding.
    city = make_city([A, B, {"community": "c"}])
    found = plan(city, make_scenario(programmes=FUNDS, sources=city_money(10_000)))
    assert sorted(found.grants().values()) == [3333, 3333, 3334]


@pytest.mark.parametrize("unit", [100, 1000])
def test_grants_and_their_payments_in_whole_units(unit: int) -> None:
    # Entitled: 10,449 -> 10,400 or 10,000. 20,850 are there for three: 6,950 each, so 20,800 or 20,000 in all.
    city = make_city([A, B, {"community": "c"}])
    funds = {"work_funds": {"floor_yuan": 10_449}}
    money = {
        "city": {"role": "city", "amount_yuan": 14_730},
        "district": {"role": "district", "amount_yuan": 6120},
    }
    scenario = make_scenario(programmes=funds, sources=money, currency={"unit_yuan": unit})
    assert build_problem(city, scenario).need[:, 0, 0].tolist() == [10_449 // unit * unit] * 3
    found = plan(city, scenario)
    grants = found.books.items
    assert all(item.yuan % unit == 0 and abs(item.yuan - 6950) < unit for item in grants)
    # Neither purse can be spent beyond its whole units.
    assert sum(item.yuan for item in grants) == 14_730 // unit * unit + 6120 // unit * unit
    assert not (found.books.ledger["yuan"] % unit).any()


def test_an_entitlement_under_a_hard_floor_is_whole_units_too() -> None:
    city = make_city([A, {**B, "type": "needy"}])
    funds = {"work_funds": {"floor_yuan": 10_033, "hard_floor": True}}
    found = plan(city, make_scenario(programmes=funds, sources=city_money(25_100), currency={"unit_yuan": 100}))
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 15_000}


def test_a_ceiling_is_not_passed_by_rounding_to_units() -> None:
    funds = {"work_funds": {"floor_yuan": 10_000, "ceiling_yuan": 10_990}}
    city = make_city([A, {**B, "type": "needy"}])
    found = plan(city, make_scenario(programmes=funds, currency={"unit_yuan": 1000}))
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 10_000}
