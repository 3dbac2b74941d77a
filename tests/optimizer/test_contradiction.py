"""Wishes that contradict each other are named, no more than needed, and what each way out takes at the least."""

from dataclasses import replace

import pytest

from geodata.city import City
from optimizer.contradiction import Wish, contradiction
from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Outcome, Status
from optimizer.price_plan import Infeasible
from optimizer.problem_data import build_problem
from optimizer.run import Infeasible as NoPlan
from optimizer.run import searching
from optimizer.scenario import Scenario
from optimizer.scenario_fairness import Fairness
from optimizer.shortage import explain
from tests.optimizer.tiny import Row, make_city, make_scenario, plan

A: Row = {"community": "a"}
B: Row = {"community": "b"}
ROOM: Row = {
    "site": "e", "community": "a", "use": "extension", "area_m2": 200, "min_area_m2": 0, "capital_yuan_per_m2": 100,
    "must": "take",
}  # fmt: skip
CLINIC: Row = {"siting": "network", "unit": "visits", "limit_m": 900, "fixed_yuan": 2000, "capital_yuan_per_unit": 10}
OLD: Row = {"facility": "f1", "community": "a", "service": "clinic", "capacity": 100, "running_yuan": 0, "site": ""}


def floors_and_a_room(yuan: int, method: str = "whole", **room: object) -> tuple[City, Scenario]:
    """Two floors of 10,000 and a room of 200 m2 at 100 yuan: 40,000."""
    return make_city([A, B], sites=[{**ROOM, **room}]), make_scenario(
        programmes={"work_funds": {"floor_yuan": 10_000, "hard_floor": True}, "space": {"target_m2": 300}},
        sources={"city": {"role": "city", "amount_yuan": yuan}},
        solver={"method": method},
    )


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_what_lacks_money_is_named_with_every_way_out(method: str) -> None:
    problem = build_problem(*floors_and_a_room(35_000, method))
    assert explain(problem) == ""  # the floors alone can be paid
    assert contradiction(problem).splitlines() == [
        "No plan keeps these wishes together:",
        "  City pays no more than it has (sources.city.amount_yuan)",
        "  every entitled community gets its floor (programmes.work_funds.hard_floor)",
        "  building e must be taken (must: take)",
        "Ways out, each of them by itself:",
        "  leave building e a choice",
        "  give City more: 5,000 yuan more at the least",
        (
            "  make the floor soft (programmes.work_funds.hard_floor: false) or lower floor_yuan: "
            "5,000 yuan less in all at the least"
        ),
    ]


def test_the_ways_out_are_ways_out_and_less_is_none() -> None:
    plan(*floors_and_a_room(40_000))
    plan(*floors_and_a_room(35_000, must=""))
    with pytest.raises(Infeasible):
        plan(*floors_and_a_room(39_999))


def test_what_is_said_reaches_the_planner() -> None:
    city, scenario = floors_and_a_room(35_000)
    with pytest.raises(NoPlan, match="give City more: 5,000 yuan more"), searching(build_problem(city, scenario)):
        plan(city, scenario)


def test_wishes_that_have_no_part_in_it_are_not_named() -> None:
    # The building must be taken, but a building needs two services and one alone may stand there; money is plenty.
    station: Row = {"site": "st", "community": "a", "use": "station", "area_m2": 100, "min_area_m2": 0, "must": "take"}
    rules: Row = {"one_stop": {"min_services": 2}, "services": {"clinic": CLINIC}}
    scenario = make_scenario(programmes={**rules, "work_funds": {"floor_yuan": 10_000, "hard_floor": True}})
    city = make_city([A, B], sites=[station], needs=[("a", "clinic", 100)])
    text = contradiction(build_problem(city, scenario))
    assert text.splitlines() == [
        "No plan keeps these wishes together:",
        "  a building that opens holds 2 services at least (programmes.one_stop.min_services)",
        "  building st must be taken (must: take)",
        "Ways out, each of them by itself:",
        "  lower programmes.one_stop.min_services",
        "  leave building st a choice",
    ]


def test_a_lease_that_ends_against_a_longest_gap() -> None:
    scenario = make_scenario(
        horizon={"years": 3}, programmes={"services": {"clinic": {**CLINIC, "closing": {"longest_gap_years": 0}}}}
    )
    city = make_city([A, B], facilities=[{**OLD, "lease_until": 2020}], needs=[("a", "clinic", 100)])
    text = contradiction(build_problem(city, scenario))
    assert "clinic at o_a must close (its lease ends, or must: close)" in text
    assert (
        "nobody loses clinic for longer than is allowed (programmes.services.clinic.closing.longest_gap_years)" in text
    )
    assert "raise programmes.services.clinic.closing.longest_gap_years or make it null" in text
    assert "let clinic at o_a stay: prolong its lease, or leave it a choice" in text


def test_floors_of_sources_against_shares_of_groups() -> None:
    # The gift must be spent in the west, where it is all there is; the east is to get half of all money.
    scenario = make_scenario(
        programmes={"work_funds": {"floor_yuan": 10_000}},
        sources={"gift": {"role": "donor", "districts": ["west"], "amount_yuan": 8000,
                          "limits": [{"at_least_yuan": 5000}]}},
        fairness={"groups": [{"districts": ["east"], "least_share_of_money": 0.5}]},
    )  # fmt: skip
    lines = contradiction(build_problem(make_city([A, {**B, "district": "west"}]), scenario)).splitlines()
    assert "  Gift spends its floor (sources.gift.limits.0)" in lines
    key = "fairness.groups.0.least_share_of_money"
    assert f"  east has its least share of the money ({key})" in lines
    assert f"  lower {key}" in lines
    assert "  lower the floor sources.gift.limits.0: 5,000 yuan less at the least" in lines


def test_nothing_is_said_where_there_is_a_plan() -> None:
    assert contradiction(build_problem(*floors_and_a_room(40_000))) == ""


@pytest.mark.parametrize("least", [1, 2])
def test_a_building_that_no_service_fits_is_not_helped_by_asking_for_fewer(least: int) -> None:
    station: Row = {"site": "st", "community": "a", "use": "station", "area_m2": 100, "min_area_m2": 0, "must": "take"}
    scenario = make_scenario(programmes={"one_stop": {"min_services": least}, "services": {"clinic": CLINIC}})
    text = contradiction(build_problem(make_city([A, B], sites=[station]), scenario))  # nobody needs a clinic
    assert "building st must be taken (must: take)" in text
    assert "min_services" not in text


def test_a_station_that_must_close_does_not_save_its_costs_twice() -> None:
    # Every year has 22,000 yuan; the room costs 20,000 and what stays open 3,000. What must close is no part of it.
    stays: Row = {**OLD, "facility": "f2", "community": "b", "running_yuan": 3000, "must": "keep"}
    scenario = make_scenario(
        horizon={"years": 3},
        programmes={
            "space": {"target_m2": 300},
            "services": {"clinic": {**CLINIC, "closing": {"longest_gap_years": None}}},
        },
        sources={"city": {"role": "city", "amount_yuan": 22_000}},
    )
    city = make_city([A, B], sites=[ROOM], facilities=[{**OLD, "running_yuan": 3000, "must": "close"}, stays])
    text = contradiction(build_problem(city, scenario))
    assert "building e must be taken (must: take)" in text
    assert "must close" not in text


def test_a_limit_of_what_is_carried_over_is_named_and_how_far_it_is_to_be_raised() -> None:
    # The room is there from 2021 on and costs 20,000; every year has 12,000 yuan, of which 1,000 may be carried over.
    city = make_city([A], sites=[{**ROOM, "first_year": 2021}])
    scenario: Row = {
        "horizon": {"years": 2},
        "programmes": {"space": {"target_m2": 300}},
        "sources": {"city": {"role": "city", "amount_yuan": 12_000, "carry_limit_yuan": 1000}},
    }
    lines = contradiction(build_problem(city, make_scenario(**scenario))).splitlines()
    assert "  City carries over no more than its limit (sources.city.carry_limit_yuan)" in lines
    assert "  raise sources.city.carry_limit_yuan: 7,000 yuan more at the least" in lines
    assert "  give City more: 7,000 yuan more in all at the least" in lines
    scenario["sources"]["city"]["carry_limit_yuan"] = 8000
    plan(city, make_scenario(**scenario))


def test_shares_that_others_pay_and_caps_are_told_apart() -> None:
    scenario = make_scenario(
        programmes={"work_funds": {"floor_yuan": 10_000, "hard_floor": True}, "space": {"target_m2": 300}},
        sources={
            "city": {"role": "city", "amount_yuan": 90_000},
            "east": {"role": "district", "districts": ["east"], "amount_yuan": 12_000},
        },
        co_funding=[{"purpose": "space", "of": "city", "ratio": 1.0, "cap_yuan": 5000}],
    )
    lines = contradiction(build_problem(make_city([A], sites=[ROOM]), scenario)).splitlines()
    assert "  City pays no more than a cap for space (co_funding.0.cap_yuan)" in lines
    assert "  East pays no more than it has (sources.east.amount_yuan)" in lines


def test_money_that_does_not_go_on_is_no_reason_to_raise_a_share_of_what_does() -> None:
    # The room costs 1,000 yuan a year, and only a gift may pay; no share of recurring money helps.
    room = {**ROOM, "capital_yuan_per_m2": 0, "yearly_yuan_per_m2": 5}
    scenario = make_scenario(
        programmes={"space": {"target_m2": 300}},
        sources={
            "city": {"role": "city", "amount_yuan": 9000, "purposes": ["work_funds"]},
            "gift": {"role": "donor", "amount_yuan": 9000, "recurring": False},
        },
        running_commitment={"share": 0.5},
    )
    text = contradiction(build_problem(make_city([A], sites=[room]), scenario))
    assert "or make running_commitment null" in text


def test_where_one_way_out_does_not_do_that_is_said() -> None:
    station: Row = {"site": "st", "community": "a", "use": "station", "area_m2": 100, "min_area_m2": 0, "must": "take"}
    scenario = make_scenario(programmes={"services": {"clinic": CLINIC}})  # nobody needs a clinic
    city = make_city([A, B], sites=[station, {**station, "site": "st2"}])
    head, _, last = contradiction(build_problem(city, scenario)).splitlines()
    assert head == "No plan keeps this wish:"
    assert last == "Giving up this one is not enough for a plan: other wishes contradict each other too."


def test_bounds_of_inequality_may_stand_against_a_way_out() -> None:
    city, scenario = floors_and_a_room(35_000)
    fair = scenario.model_copy(update={"fairness": Fairness(gini_at_most=0.1)})
    assert "Ways out, each of them by itself, if the bounds of inequality allow it:" in contradiction(
        build_problem(city, fair)
    )


def test_a_small_city_by_prices_is_looked_at_with_every_yes_or_no() -> None:
    # Half a station would be paid, a whole one is not: 2,000 yuan and 10 for each of 50 visits.
    station: Row = {"site": "st", "community": "a", "use": "station", "area_m2": 100, "min_area_m2": 0}
    scenario = make_scenario(
        programmes={"services": {"clinic": CLINIC}},
        sources={"city": {"role": "city", "amount_yuan": 1600}},
        fairness={"groups": [{"types": ["plain"], "least_met_share": 0.5}]},
        solver={"method": "prices"},
    )
    text = contradiction(build_problem(make_city([A], sites=[station], needs=[("a", "clinic", 100)]), scenario))
    assert "give City more: 900 yuan more at the least" in text


def test_what_a_search_has_not_settled_is_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def given_up(model: Arrays, wish: Wish) -> Outcome:
        found = solve(model)
        return replace(found, x=None, value=None, status=Status.NO_PLAN)

    monkeypatch.setattr("optimizer.contradiction._giving_way", given_up)
    lines = contradiction(build_problem(*floors_and_a_room(35_000))).splitlines()
    assert lines[0] == "No plan keeps these wishes together:"
    assert len(lines) == 4
