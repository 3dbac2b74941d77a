"""Rules of sources on cities small enough to solve by hand, equations (22) to (25), and what holds for any costs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from optimizer.audit.rules_money import _spend
from optimizer.joint import build_joint
from optimizer.ledger import MoneyShortError, keep_books
from optimizer.levels import no_levels
from optimizer.plan_tables import Item
from optimizer.price_plan import Infeasible
from optimizer.problem import YEARLY_SPACE
from optimizer.problem_data import build_problem
from optimizer.shortage import explain
from tests.optimizer.cases import case
from tests.optimizer.test_ledger import COMMUNITIES, SERVICES, SOURCES, check, costs
from tests.optimizer.test_properties import highest, least_unmet
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, plan

A: Row = {"community": "a"}
B: Row = {"community": "b"}
FUNDS: Row = {"work_funds": {"floor_yuan": 10_000}}
ROOM: Row = {"site": "e", "community": "a", "use": "extension", "area_m2": 200, "capital_yuan_per_m2": 100}
few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)


def city_money(amount: object, **more: object) -> Row:
    return {"city": {"role": "city", "amount_yuan": amount, **more}}


def paid(found: Plan, **where: object) -> int:
    ledger = found.books.ledger
    for column, value in where.items():
        ledger = ledger[ledger[column] == value]
    return int(ledger["yuan"].sum())


# Floors and ceilings by purpose and place (22)


def test_a_floor_by_purpose_is_spent_there_though_it_would_do_more_elsewhere() -> None:
    # Of 12,000, at least 5,000 go to rooms: 50 m2 at 100 yuan; 7,000 are left of the 10,000 that work funds would take.
    city = make_city([{**A, "office": 100}], sites=[ROOM])
    programmes = {**FUNDS, "space": {"target_m2": 300}}
    goals = [{"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0}]
    free = plan(city, make_scenario(programmes=programmes, sources=city_money(12_000), goals=goals))
    assert (paid(free, purpose="work_funds"), paid(free, purpose="space")) == (10_000, 2000)
    rule = [{"purposes": ["space"], "at_least_yuan": 5000}]
    bound = plan(city, make_scenario(programmes=programmes, sources=city_money(12_000, limits=rule), goals=goals))
    assert (paid(bound, purpose="work_funds"), paid(bound, purpose="space")) == (7000, 5000)
    assert bound.met("a", "space") == pytest.approx(150 / 300)


def test_a_ceiling_for_each_community() -> None:
    # Each may get 6,000 of the city's money: 12,000 of 18,000 are paid.
    rule = [{"for_each": "community", "at_most_yuan": 6000}]
    found = plan(make_city([A, B]), make_scenario(programmes=FUNDS, sources=city_money(18_000, limits=rule)))
    assert found.grants() == {("a", 2020): 6000, ("b", 2020): 6000}


def test_a_floor_for_one_community_takes_from_the_others() -> None:
    # 12,000 for both; a must get 9,000 of them.
    rule = [{"communities": ["a"], "at_least_yuan": 9000}]
    found = plan(make_city([A, B]), make_scenario(programmes=FUNDS, sources=city_money(12_000, limits=rule)))
    assert found.grants() == {("a", 2020): 9000, ("b", 2020): 3000}


def test_a_floor_as_a_share_for_each_district() -> None:
    # A quarter of 12,000 in each district at least; the west would get nothing: its community needs 1,000 persons less.
    city = make_city([{**A, "population": 2000}, {**B, "district": "west", "population": 1}])
    goals = [{"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0}]
    rule = [{"for_each": "district", "at_least_share": 0.25}]
    money = city_money(12_000, limits=rule)
    found = plan(city, make_scenario(programmes=FUNDS, sources=money, goals=goals))
    assert found.grants() == {("a", 2020): 9000, ("b", 2020): 3000}


def test_shared_stations_do_not_count_for_a_community() -> None:
    # The station in a costs 5,000 and belongs to no community: a ceiling of nothing for each does not stop it.
    services = {"clinic": {"siting": "network", "limit_m": 500, "fixed_yuan": 5000, "unit": "visits"}}
    site = {"site": "s", "community": "a", "use": "station", "area_m2": 10}
    rule = [{"for_each": "community", "at_most_yuan": 0}]
    found = plan(
        make_city([A], sites=[site], needs=[("a", "clinic", 10)]),
        make_scenario(programmes={**FUNDS, "services": services}, sources=city_money(20_000, limits=rule)),
    )
    assert found.grants() == {}
    assert paid(found, purpose="service_capital") == 5000


def test_a_floor_that_nothing_can_be_spent_on_is_explained_before_any_search() -> None:
    # 200 m2 at 100 yuan are 20,000; the floor asks for 30,000.
    rule = [{"purposes": ["space"], "at_least_yuan": 30_000}]
    city = make_city([{**A, "office": 100}], sites=[ROOM])
    scenario = make_scenario(programmes={"space": {"target_m2": 300}}, sources=city_money(50_000, limits=rule))
    text = explain(build_problem(city, scenario))
    assert "sources.city.limits.0 2020: the floor is 30,000 yuan, 10,000 of it cannot be spent" in text
    with pytest.raises(Infeasible):
        plan(city, scenario)


@pytest.mark.parametrize(("place", "name"), [("district", "城东 1"), ("community", '=a, "b"')])
def test_places_of_a_floor_have_their_own_names(place: str, name: str) -> None:
    # The floor asks for 5,000 in each place; work funds of 2,000 are all there is to pay for.
    rule = [{"purposes": ["work_funds"], "for_each": place, "at_least_yuan": 5000}]
    city = make_city([{"community": '=a, "b"', "district": "城东 1"}], needs=[])
    funds = {"work_funds": {"floor_yuan": 2000}}
    scenario = make_scenario(programmes=funds, sources=city_money(9000, limits=rule))
    said = explain(build_problem(city, scenario))
    assert f"sources.city.limits.0 ({name}) 2020: the floor is 5,000 yuan, 3,000 of it cannot be spent" in said


def test_a_floor_on_grants_is_one_in_whole_units() -> None:
    # Grants come in thousands: a floor of 90 is one of 1,000, more than there is, or what is paid.
    rule = [{"purposes": ["work_funds"], "at_least_yuan": 90}]
    changes: Row = {"currency": {"unit_yuan": 1000}, "programmes": FUNDS}
    poor = make_scenario(**changes, sources=city_money(900, limits=rule))
    assert "the floor is 1,000 yuan, 100 of it cannot be spent" in explain(build_problem(make_city([A]), poor))
    goals = [{"goal": "spending"}]
    found = plan(make_city([A]), make_scenario(**changes, sources=city_money(5000, limits=rule), goals=goals))
    assert found.grants() == {("a", 2020): 1000}


def test_running_costs_that_nobody_can_pay_are_explained_with_what_helps() -> None:
    services = {"clinic": {"siting": "network", "limit_m": 500, "unit": "visits"}}
    old = {"facility": "f", "community": "a", "service": "clinic", "capacity": 9, "running_yuan": 700}
    city = make_city([A], facilities=[old], needs=[("a", "clinic", 9)])
    text = explain(build_problem(city, make_scenario(programmes={"services": services}, sources=city_money(500))))
    assert "running costs of existing stations cost 700 yuan, 200 of it not covered" in text
    assert "let them close (closing of their service)" in text
    assert "floor_yuan" not in text


def test_floors_that_co_funding_does_not_allow_are_explained() -> None:
    # The district has 2,000 and must pay as much as the city: the city's floor of 5,000 lacks 3,000.
    rule = [{"purposes": ["work_funds"], "at_least_yuan": 5000}]
    sources = {
        **city_money(9000, limits=rule),
        "east": {"role": "district", "districts": ["east"], "amount_yuan": 2000},
    }
    scenario = make_scenario(programmes=FUNDS, sources=sources, co_funding=[{"of": "city", "ratio": 1}])
    assert "the floor is 5,000 yuan, 3,000 of it cannot" in explain(build_problem(make_city([A, B]), scenario))


# Matches and their caps (22)


def test_a_donor_gives_as_much_as_the_city_up_to_a_cap() -> None:
    # 20,000 are needed and the city has 6,000: the donor gives as much; with a cap of 4,000 only that.
    sources = {**city_money(6000), "gift": {"role": "donor", "amount_yuan": 50_000}}
    match: Row = {"payer": "city", "of": "gift", "ratio": 1}
    found = plan(make_city([A, B]), make_scenario(programmes=FUNDS, sources=sources, co_funding=[match]))
    assert (paid(found, source="city"), paid(found, source="gift")) == (6000, 6000)
    match["cap_yuan"] = 4000
    found = plan(make_city([A, B]), make_scenario(programmes=FUNDS, sources=sources, co_funding=[match]))
    assert (paid(found, source="city"), paid(found, source="gift")) == (6000, 4000)


def test_a_match_over_the_whole_city() -> None:
    # The city may pay in the east only; by district the gift may not pay in the west, over the city it may.
    city = make_city([A, {**B, "district": "west"}])
    sources = {**city_money(20_000, districts=["east"]), "gift": {"role": "donor", "amount_yuan": 10_000}}
    match: Row = {"payer": "city", "of": "gift", "ratio": 1}
    alone = plan(city, make_scenario(programmes=FUNDS, sources=sources, co_funding=[match]))
    assert alone.grants() == {("a", 2020): 10_000}
    match["within"] = "city"
    found = plan(city, make_scenario(programmes=FUNDS, sources=sources, co_funding=[match]))
    assert found.grants() == {("a", 2020): 10_000, ("b", 2020): 10_000}
    assert paid(found, source="gift") == 10_000


# Running costs that go on (23)

DESK: Row = {"siting": "own", "unit": "cases", "running_yuan_per_unit": 10}


def desks(**rules: Any) -> Plan:
    """100 cases in a at 10 yuan a year; the city has 1,000 a year, a gift as much that does not recur."""
    scenario = make_scenario(
        programmes={"services": {"desk": DESK}},
        sources={
            "city": {"role": "city", "amount_yuan": 1000, "growth": 0.0},
            "gift": {"role": "donor", "amount_yuan": 1000, "recurring": False},
        },
        **rules,
    )
    return plan(make_city([A], needs=[("a", "desk", 100)]), scenario)


def test_running_costs_of_the_last_year_are_a_share_of_recurring_money() -> None:
    assert desks().met("a", "desk") == 1.0
    found = desks(running_commitment={"share": 0.6})
    # 60 cases at 10 yuan; the gift may not bear what goes on.
    assert found.met("a", "desk") == pytest.approx(0.6)
    assert found.books.ledger[["source", "yuan", "yearly_yuan"]].to_numpy().tolist() == [["city", 600, 600]]


def test_running_costs_after_the_horizon_grow_with_prices() -> None:
    # Prices rise by a quarter a year and the city's money does not: a year later 0.8 of it buys as much.
    grows = {"years": 1, "price_growth": 0.25}
    found = desks(horizon=grows, running_commitment={"share": 1.0, "years_after": 2})
    assert found.met("a", "desk") == pytest.approx(0.64)
    assert desks(horizon=grows, running_commitment={"share": 1.0}).met("a", "desk") == 1.0


def test_yearly_costs_of_rooms_count_and_what_is_paid_once_does_not() -> None:
    # 100 m2 at 100 yuan once and 10 a year. 500 yuan a year may be bound: 50 m2. The gift may pay what is paid once.
    city = make_city([{**A, "office": 100}], sites=[{**ROOM, "yearly_yuan_per_m2": 10}])
    sources = {
        "city": {"role": "city", "amount_yuan": 1000},
        "gift": {"role": "donor", "amount_yuan": 20_000, "recurring": False},
    }
    programmes = {"space": {"target_m2": 200}}
    scenario = make_scenario(programmes=programmes, sources=sources, running_commitment={"share": 0.5})
    found = plan(city, scenario)
    assert found.met("a", "space") == pytest.approx(150 / 200)
    assert paid(found, source="gift") == 5000
    rows = found.books.ledger.groupby("source")[["yuan", "yearly_yuan"]].sum()
    assert rows.to_numpy().tolist() == [[500, 500], [5000, 0]]
    problem = found.problem
    assert problem.cells.purpose[problem.cell(YEARLY_SPACE, 0)] == "space"


# Money spoken for (24) and money that expires (25)


def test_money_that_is_spoken_for_is_not_there() -> None:
    # 10,000 a year, 4,000 of the second spoken for; shares refer to what is left: at most half of 6,000 for work funds.
    money = city_money(10_000, committed_yuan=[0, 4000])
    found = plan(make_city([A]), make_scenario(horizon={"years": 2}, programmes=FUNDS, sources=money))
    assert found.grants() == {("a", 2020): 10_000, ("a", 2021): 6000}
    assert found.books.sources["amount_yuan"].tolist() == [10_000, 6000]
    money["city"]["ceiling_share"] = {"work_funds": 0.5}
    found = plan(make_city([A]), make_scenario(horizon={"years": 2}, programmes=FUNDS, sources=money))
    assert found.grants() == {("a", 2020): 5000, ("a", 2021): 3000}


def test_money_expires_after_its_years() -> None:
    # 27,000 in the first year and nothing later, any part may be carried: enough for 2.7 years.
    money = city_money([27_000, 0, 0], carry_limit_yuan=1_000_000)
    horizon = {"years": 3}
    free = plan(make_city([A]), make_scenario(horizon=horizon, programmes=FUNDS, sources=money))
    assert sum(free.grants().values()) == 27_000
    # If it lasts two years, 7,000 lapse at the end of the second.
    money["city"]["lasts_years"] = 2
    found = plan(make_city([A]), make_scenario(horizon=horizon, programmes=FUNDS, sources=money))
    assert found.grants() == {("a", 2020): 10_000, ("a", 2021): 10_000}
    rows = found.books.sources.drop(columns="source").to_numpy().tolist()
    assert rows == [[2020, 27_000, 0, 10_000, 17_000, 0], [2021, 0, 17_000, 10_000, 0, 7000], [2022, 0, 0, 0, 0, 0]]


def test_the_oldest_money_is_spent_first_and_what_is_too_old_lapses() -> None:
    # 8,000, then 8,000 and 8,000; nothing to pay in 2020, 3,000 in 2021. Of the first year's money 5,000 lapse then.
    money = city_money(8000, carry_limit_yuan=20_000, lasts_years=2)
    problem = build_problem(make_city([A]), make_scenario(horizon={"years": 3}, programmes=FUNDS, sources=money))
    items = [Item("work_funds", problem.cell("work_funds", 0), 1, "a", "", "", 3000)]
    rows = keep_books(problem, items).sources.drop(columns="source").to_numpy().tolist()
    assert rows == [[2020, 8000, 0, 0, 8000, 0], [2021, 8000, 8000, 3000, 8000, 5000], [2022, 8000, 8000, 0, 0, 16_000]]


def test_money_too_old_cannot_pay() -> None:
    money = city_money([9000, 1000, 0], carry_limit_yuan=9000, lasts_years=2)
    problem = build_problem(make_city([A]), make_scenario(horizon={"years": 3}, programmes=FUNDS, sources=money))
    room = Item("space", problem.cell("space", 0), 2, "a", "", "x", 1000)
    assert len(keep_books(problem, [room]).ledger) == 1
    with pytest.raises(MoneyShortError):
        keep_books(problem, [replace(room, yuan=1001)])


# Any costs


RULES: dict[str, Any] = {
    "city": {
        **SOURCES["city"],
        "lasts_years": 2,
        "committed_yuan": [1, 777],
        "limits": [
            {"for_each": "community", "at_most_yuan": 12_345},
            {"purposes": ["service_running", "space"], "for_each": "district", "at_most_share": 0.31},
        ],
    },
    "gift": {**SOURCES["gift"], "recurring": False, "purposes": ["space", "work_funds", "service_running"]},
}
STRICT = build_problem(
    make_city(COMMUNITIES),
    make_scenario(
        sources={**SOURCES, **RULES},
        programmes={"work_funds": {"floor_yuan": 10_000}, "services": SERVICES},
        horizon={"years": 2},
        co_funding=[{"of": "city", "ratio": 0.3}, {"of": "gift", "payer": "city", "ratio": 0.7, "cap_yuan": 1999}],
        running_commitment={"share": 0.2},
    ),
)


@few
@given(costs())
def test_books_keep_every_rule_in_whole_yuan(items: list[Item]) -> None:
    # `costs` places items in the cells of another problem with the same communities.
    moved = []
    for item in items:
        i = STRICT.communities.index(item.community) if item.community else 0
        k = STRICT.needs.index(item.service) - 2 if item.service else -1
        cell = STRICT.cell(item.purpose, i, k, shared=not item.community)
        moved.append(replace(item, cell=cell, yearly=bool(STRICT.cells.yearly[cell])))
    try:
        books = keep_books(STRICT, moved)
    except MoneyShortError:
        return
    loose = replace_rule(STRICT)
    check(loose, books, moved)
    ledger, city = books.ledger, books.ledger[books.ledger["source"] == "city"]
    assert (city[city["community"] != ""].groupby(["community", "year"])["yuan"].sum() <= 12_345).all()
    new = {2020: 50_000, 2021: 39_223}
    counted = city[city["purpose"].isin(["service_running", "space"])].groupby(["district", "year"])["yuan"].sum()
    assert all(yuan <= 0.31 * new[year] for (_, year), yuan in counted.items())  # type: ignore[misc, index]
    gift = ledger[(ledger["source"] == "gift") & (ledger["purpose"] == "work_funds")].groupby("year")["yuan"].sum()
    assert (gift <= 1999).all()
    bound = ledger[ledger["year"] == 2021].groupby("source")["yearly_yuan"].sum()
    assert bound.get("gift", 0) == 0
    assert bound.get("city", 0) <= 0.2 * new[2021]


def replace_rule(problem: Any) -> Any:
    """The problem with co-funding by districts only, which `check` knows."""
    rules = [rule for rule in problem.scenario.co_funding if rule.payer == "district"]
    return replace(problem, scenario=problem.scenario.model_copy(update={"co_funding": rules}))


@few
@given(st.integers(2, 4), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=5, max_size=5))
def test_books_of_expiring_money_are_those_of_single_years(lasts: int, yuan: list[tuple[int, int]]) -> None:
    """Whatever the model says can be paid from money told apart by year, the books pay oldest first; nothing more."""
    money = city_money([new for new, _ in yuan], carry_limit_yuan=1200, lasts_years=lasts)
    problem = build_problem(make_city([A]), make_scenario(horizon={"years": 5}, sources=money))
    items = [Item("space", problem.cell("space", 0), t, "a", "", "x", cost) for t, (_, cost) in enumerate(yuan) if cost]
    left: list[list[int]] = []
    short = False
    for t, (new, cost) in enumerate(yuan):
        left = [vintage for vintage in left if vintage[0] + lasts > t]
        _spend(left, max(0, sum(rest for _, rest in left) - 1200))  # the youngest are carried
        left.append([t, new])
        short |= sum(rest for _, rest in left) < cost
        _spend(left, cost)
    if short:
        with pytest.raises(MoneyShortError):
            keep_books(problem, items)
    else:
        assert keep_books(problem, items).ledger["yuan"].sum() == sum(cost for _, cost in yuan)


# Looser rules


@few
@given(st.integers(1, 9), st.integers(0, 3))
def test_a_looser_rule_never_hurts(tight: int, which: int) -> None:
    """A higher ceiling, a lower floor, a higher cap, a larger share of running costs never make a plan worse."""

    def joint(size: int) -> Any:
        city, scenario = case("everything")
        values = scenario.model_dump()
        if which == 0:
            values["sources"]["city"]["limits"] = [{"for_each": "community", "at_most_yuan": 900.0 * size}]
        elif which == 1:
            values["sources"]["city"]["limits"] = [{"purposes": ["work_funds"], "at_least_yuan": 700.0 * (10 - size)}]
        elif which == 2:
            values["co_funding"].append({"payer": "city", "of": "gift", "ratio": 0.5, "cap_yuan": 300.0 * size})
        else:
            values["running_commitment"] = {"share": 0.1 * size}
        return build_joint(build_problem(city, type(scenario).model_validate(values)))

    strict, loose = joint(tight), joint(tight + 1)
    if highest_or_none(strict) is not None:
        assert highest(loose) >= highest(strict) - 1e-6
        assert least_unmet(loose, no_levels(loose.problem)) <= least_unmet(strict, no_levels(strict.problem)) + 1e-4


def highest_or_none(joint: Any) -> float | None:
    try:
        return highest(joint)
    except AssertionError:
        return None


def test_rules_stay_off_the_pieces_of_the_city() -> None:
    """Floors and ceilings by community tie no parts of the city together but through money."""
    from optimizer.coupling import couple

    city = make_city([{**A, "sub_district": "s1"}, {**B, "sub_district": "s2"}])
    rule = [{"for_each": "community", "at_most_yuan": 6000}, {"communities": ["a", "b"], "at_least_yuan": 10}]
    joint = build_joint(
        build_problem(city, make_scenario(programmes=FUNDS, sources=city_money(18_000, limits=rule, lasts_years=2,
                                                                               carry_limit_share=0.5),
                                          running_commitment={"share": 0.5}, horizon={"years": 2}))
    )  # fmt: skip
    pieces = couple(joint, joint.unmet, no_levels(joint.problem)).pieces
    assert [sorted(piece.communities.tolist()) for piece in pieces] == [[0], [1]]


def test_the_price_method_keeps_floors() -> None:
    city = make_city([{**A, "office": 100}, B], sites=[{**ROOM, "min_area_m2": 10}])
    rule = [{"purposes": ["space"], "at_least_yuan": 5000}]
    changes: dict[str, Any] = {"solver": {"method": "prices"}}
    found = plan(city, make_scenario(programmes={**FUNDS, "space": {"target_m2": 300}},
                                     sources=city_money(12_000, limits=rule), **changes))  # fmt: skip
    assert paid(found, purpose="space") >= 5000


# Bad input


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"committed_yuan": [5, 2000]}, "2,000 yuan of 2021 are spoken for, but there are only 1,000"),
        ({"committed_yuan": [1, 2, 3]}, "has 3 amounts for 2 years"),
        ({"committed_yuan": -1}, "greater than or equal to 0"),
        ({"amount_yuan": -1}, "greater than or equal to 0"),
        ({"amount_yuan": None}, "amount_yuan"),
        ({"lasts_years": 3}, "nothing may be carried over"),
        ({"carry_limit_yuan": 5, "carry_limit_share": 0.5}, "give only one of them"),
        ({"lasts_years": 1, "carry_limit_share": 0.5}, "greater than or equal to 2"),
        ({"limits": [{}]}, "gives no floor and no ceiling"),
        ({"limits": [{"at_least_yuan": 5, "at_most_yuan": 4}]}, "at_least_yuan = 5 is above at_most_yuan = 4"),
        (
            {"limits": [{"at_least_share": 0.5, "at_most_yuan": 4}]},
            "the floor of 500 yuan in 2020 is above its ceiling",
        ),
        ({"limits": [{"at_least_yuan": 1500}]}, "the floor of 1,500 yuan in 2020 is above the 1,000"),
        ({"limits": [{"at_least_yuan": 900, "purposes": ["space"]}], "ceiling_share": {"space": 0.5}}, "ceiling_share"),
        ({"limits": [{"at_least_yuan": 1, "types": ["rich"]}]}, "unknown type 'rich'"),
        ({"limits": [{"at_least_yuan": 1, "purposes": ["space"]}], "purposes": ["work_funds"]}, "is not among the"),
        ({"limits": [{"at_least_yuan": 1, "districts": ["west"]}], "districts": ["east"]}, "is not among the source"),
    ],
)
def test_bad_sources(source: Row, said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        make_scenario(sources=city_money(1000) | {"city": {**city_money(1000)["city"], **source}}, horizon={"years": 2})


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            [{"payer": "gift", "of": "city", "ratio": 1}, {"payer": "city", "of": "gift", "ratio": 1}],
            "goes in a circle",
        ),
        ([{"payer": "city", "of": "city", "ratio": 1}], "city waits for city"),
        ([{"of": "city", "ratio": 1, "cap_yuan": -5}], "greater than or equal to 0"),
        ([{"of": "city", "ratio": -1}], "greater than or equal to 0"),
        ([{"payer": "nobody", "of": "city", "ratio": 1}], "there is no source 'nobody'"),
        ([{"payer": "gift", "of": "city", "purpose": "space", "ratio": 1}], "gift may not pay for space"),
        ([{"of": "city", "ratio": 1, "within": "city"}], "cannot hold for the districts' own"),
    ],
)
def test_bad_co_funding(rules: list[Row], said: str) -> None:
    sources = {
        **city_money(1000),
        "gift": {"role": "donor", "purposes": ["work_funds"], "amount_yuan": 5},
        "east": {"role": "district", "amount_yuan": 5},
    }
    with pytest.raises(ValidationError, match=said):
        make_scenario(sources=sources, co_funding=rules)


def test_a_circle_of_another_purpose_is_none() -> None:
    sources = {**city_money(1000), "gift": {"role": "donor", "amount_yuan": 5}}
    rules = [
        {"payer": "gift", "of": "city", "ratio": 1},
        {"payer": "city", "of": "gift", "ratio": 1, "purpose": "space"},
    ]
    assert len(make_scenario(sources=sources, co_funding=rules).co_funding) == 2


def test_running_costs_need_money_that_goes_on() -> None:
    with pytest.raises(ValidationError, match="no source is recurring"):
        make_scenario(sources=city_money(1000, recurring=False), running_commitment={"share": 0.5})


def test_no_rule_no_rows() -> None:
    """Without the new rules the money side is what it was: no floors, no cells apart."""
    problem = build_problem(*case("everything"))
    money = build_joint(problem).money
    assert not money.floors.any()
    assert not problem.cells.yearly.any()
    assert {name.split("(")[0] for name in money.row_names} == {"eq20_source", "eq22_match"}
    assert np.isfinite(money.upper).all()
