"""Space on cities small enough to solve by hand, equations (5) to (7)."""

import pytest

from tests.optimizer.tiny import Row, make_city, make_scenario, plan

A: Row = {"community": "a", "office": 100}
TARGET: Row = {"space": {"target_m2": 300}}
ROOM: Row = {"site": "e", "community": "a", "use": "extension", "instrument": "renovate", "area_m2": 150}


def money(amount: object, **more: object) -> Row:
    return {"city": {"role": "city", "amount_yuan": amount, **more}}


def test_a_room_is_taken_as_large_as_the_money_allows() -> None:
    # 1,000 once, 100 + 10 a m2: 8,700 buy 70 m2. 100 + 70 of 300 m2.
    room = {**ROOM, "fixed_yuan": 1000, "capital_yuan_per_m2": 100, "yearly_yuan_per_m2": 10}
    found = plan(make_city([A], sites=[room]), make_scenario(programmes=TARGET, sources=money(8700)))
    assert found.met("a", "space") == pytest.approx(170 / 300, abs=1e-6)
    assert found.worst == pytest.approx(170 / 300, abs=1e-6)
    assert found.value("unmet_need") == pytest.approx(1000 * 130 / 300, abs=1e-3)
    row = found.tables.space.iloc[0].to_dict()
    expected = {"community": "a", "year": 2020, "instrument": "renovate", "area_m2": 70.0, "cost_yuan": 8700}
    assert row == {**expected, "site": "e", "use": "extension", "given_m2": 0.0}


def test_less_than_the_smallest_sensible_part_is_not_taken() -> None:
    # 80 m2 would cost 9,800.
    room = {**ROOM, "fixed_yuan": 1000, "capital_yuan_per_m2": 100, "yearly_yuan_per_m2": 10, "min_area_m2": 80}
    city = make_city([A], sites=[room])
    assert plan(city, make_scenario(programmes=TARGET, sources=money(9799))).tables.space.empty
    found = plan(city, make_scenario(programmes=TARGET, sources=money(9800)))
    assert found.met("a", "space") == pytest.approx(180 / 300)


def test_no_more_than_there_is_and_no_more_than_the_target() -> None:
    room = {**ROOM, "capital_yuan_per_m2": 100}
    found = plan(make_city([A], sites=[room]), make_scenario(programmes=TARGET))
    assert found.met("a", "space") == pytest.approx(250 / 300, abs=1e-6)
    # With 280 m2 there, 20 are enough: 2,000 yuan.
    found = plan(make_city([{**A, "office": 280}], sites=[room]), make_scenario(programmes=TARGET))
    assert found.met("a", "space") == 1.0
    assert found.value("spending") == pytest.approx(2000, abs=0.1)


def test_a_room_is_paid_when_taken_and_used_after_its_lead() -> None:
    # Prices rise by a tenth. 100 m2 are taken in 2020 for 10,000 and used from 2021 for 11, then 12.1 yuan each.
    room = {
        **ROOM,
        "area_m2": 100,
        "fixed_yuan": 2000,
        "capital_yuan_per_m2": 80,
        "yearly_yuan_per_m2": 10,
        "lead_years": 1,
    }
    horizon = {"years": 3, "price_growth": 0.1}
    found = plan(make_city([A], sites=[room]), make_scenario(horizon=horizon, programmes=TARGET))
    rows = found.tables.space[["year", "area_m2", "cost_yuan"]].to_numpy().tolist()
    assert rows == [[2020, 0, 10_000], [2021, 100, 1100], [2022, 100, 1210]]
    assert [found.met("a", "space", y) for y in (2020, 2021, 2022)] == pytest.approx([1 / 3, 2 / 3, 2 / 3], abs=1e-6)


def test_a_room_is_not_taken_before_its_first_year_nor_when_it_would_come_too_late() -> None:
    early = {**ROOM, "capital_yuan_per_m2": 10, "first_year": 2021}
    late = {**ROOM, "site": "f", "capital_yuan_per_m2": 10, "first_year": 2021, "lead_years": 1}
    found = plan(make_city([A], sites=[early, late]), make_scenario(horizon={"years": 2}, programmes=TARGET))
    assert found.problem.rooms.site == ("e",)
    assert found.tables.space[["year", "site"]].to_numpy().tolist() == [[2021, "e"]]


def test_only_instruments_that_are_allowed() -> None:
    programmes = {"space": {"target_m2": 300, "instruments": ["build", "share"]}}
    found = plan(make_city([A], sites=[{**ROOM, "capital_yuan_per_m2": 1}]), make_scenario(programmes=programmes))
    assert found.tables.space.empty


def test_a_norm_by_households() -> None:
    # 40 m2 for each 100 of 500 households: 200 m2, and 100 are there.
    programmes = {"space": {"m2_per_100_households": 40}}
    found = plan(make_city([{**A, "households": 500}]), make_scenario(programmes=programmes))
    assert found.met("a", "space") == 0.5


def test_a_room_without_a_smallest_part_may_grow_over_the_years() -> None:
    # Nothing fixed: 5,000 yuan buy 50 m2 in each of two years.
    found = plan(
        make_city([A], sites=[{**ROOM, "capital_yuan_per_m2": 100}]),
        make_scenario(horizon={"years": 2}, programmes=TARGET, sources=money([5000, 5000])),
    )
    assert [found.met("a", "space", y) for y in (2020, 2021)] == pytest.approx([150 / 300, 200 / 300], abs=1e-6)
    # One row a year: all that is in use, and what is paid that year.
    rows = found.tables.space[["year", "area_m2", "cost_yuan"]].to_numpy().tolist()
    assert rows == [[2020, 50, 5000], [2021, 100, 5000]]


HALL: Row = {
    "site": "h",
    "community": "a",
    "use": "hall",
    "instrument": "share",
    "area_m2": 100,
    "hours_per_week": 20,
    "yearly_yuan_per_m2": 10,
}


def test_a_hall_gives_credit_by_the_hour_and_is_shared() -> None:
    # 100 m2 for 20 of 40 hours count as 50 m2 for both together; both end at the same share: 125 of 300 m2.
    city = make_city([A, {**A, "community": "b"}], sites=[HALL])
    found = plan(city, make_scenario(programmes=TARGET))
    assert found.worst == pytest.approx(125 / 300, abs=1e-6)
    rows = found.tables.space[["community", "area_m2", "cost_yuan", "use"]].to_numpy().tolist()
    assert rows == [["a", 25.0, 250, "hall"], ["b", 25.0, 250, "hall"]]


def test_halls_meet_at_most_their_share_of_the_target() -> None:
    # 0.1 of 300 m2, although 50 could be had.
    programmes = {"space": {"target_m2": 300, "hall_share_of_target": 0.1}}
    found = plan(make_city([A], sites=[HALL]), make_scenario(programmes=programmes))
    assert found.met("a", "space") == pytest.approx(130 / 300, abs=1e-6)


@pytest.mark.parametrize(("limit", "used"), [(1300, True), (1299, False)])
def test_the_limit_of_a_hall_is_inclusive(limit: float, used: bool) -> None:
    # From the middle of b to the middle of a: 1,000 m x 1.3.
    city = make_city([{**A, "office": 300}, {**A, "community": "b"}], sites=[HALL])
    found = plan(city, make_scenario(programmes={"space": {"target_m2": 300, "hall_limit_m": limit}}))
    assert (found.met("b", "space") > 0.4) == used


def test_a_hall_serves_only_its_own_sub_district() -> None:
    city = make_city(
        [{**A, "office": 300, "sub_district": "s1"}, {**A, "community": "b", "sub_district": "s2"}], sites=[HALL]
    )
    assert plan(city, make_scenario(programmes=TARGET)).tables.space.empty


def test_a_class_without_space_gets_no_rooms() -> None:
    guidance = {"general": {"purposes": ["work_funds", "services"]}}
    found = plan(
        make_city([A], sites=[{**ROOM, "capital_yuan_per_m2": 1}, HALL]),
        make_scenario(programmes=TARGET, guidance=guidance),
    )
    assert found.tables.space.empty
    assert found.met("a", "space") == 1.0  # a zero need is met
