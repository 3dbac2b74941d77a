"""No room counts twice: what offices have for the target and for stations, and halls by the hour."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geodata.check_meaning import check_meaning
from geodata.city import City
from optimizer.problem_data import build_problem
from tests.optimizer.tiny import Row, make_city, make_scenario, plan

DESK: Row = {"siting": "own", "unit": "cases", "area_m2_per_unit": 1}
CLINIC: Row = {"siting": "network", "unit": "visits", "limit_m": 2000}
RULES: Row = {"space": {"target_m2": 300}, "services": {"desk": DESK, "clinic": CLINIC}}
OWN: Row = {"facility": "own", "community": "a", "service": "desk", "capacity": 20, "area_m2": 20}
SHARED: Row = {"facility": "sh", "community": "a", "site": "o_a", "service": "clinic", "capacity": 9, "area_m2": 30}
OUTLET: Row = {**SHARED, "facility": "out", "level": "outlet", "area_m2": 10}
POLICE: Row = {"facility": "pol", "community": "a", "site": "o_a", "service": "", "area_m2": 5}


def city(*facilities: Row, sites: tuple[Row, ...] = (), office: float = 100) -> City:
    return make_city(
        [{"community": "a", "office": office}],
        sites=sites,
        facilities=facilities,
        needs=[("a", "desk", 200), ("a", "clinic", 100)],
    )


@pytest.mark.parametrize(
    ("facilities", "counted", "free"),
    [
        ((), 100, 100),
        ((OWN,), 100, 80),  # service space is part of the target
        ((OUTLET,), 100, 90),
        ((SHARED,), 70, 70),  # it is the rooms of all who use it
        (({**SHARED, "spare_m2": 15},), 55, 55),
        (({**SHARED, "site": ""},), 100, 100),  # it is somewhere in the community
        ((POLICE,), 95, 95),
        ((OWN, OUTLET, SHARED, POLICE), 65, 35),
        (({**SHARED, "area_m2": 120},), 0, 0),
    ],
)
def test_floor_of_an_office_is_there_for_one_use(facilities: tuple[Row, ...], counted: float, free: float) -> None:
    problem = build_problem(city(*facilities), make_scenario(programmes=RULES))
    assert problem.existing_m2.tolist() == [counted]
    assert problem.free_office_m2.tolist() == [free]


def test_a_plan_uses_the_floor_once() -> None:
    # 100 m2: 30 of the clinic, 20 of the desk that is there; 50 are left for 50 cases more, and 70 count as space.
    found = plan(city(OWN, SHARED), make_scenario(programmes=RULES))
    assert found.met("a", "desk") == pytest.approx((20 + 50) / 200, abs=1e-6)
    assert found.met("a", "space") == pytest.approx(70 / 300, abs=1e-6)


@pytest.mark.parametrize(("office", "named"), [(65, False), (64, True)])
def test_an_office_with_more_in_it_than_there_is_is_named(office: float, named: bool) -> None:
    found = check_meaning(city(OWN, OUTLET, SHARED, POLICE, office=office), {"clinic": "network", "desk": "own"})
    texts = [f.text() for f in found if "less floor than the facilities in it" in f.text()]
    assert (len(texts) == 1) == named
    assert all("o_a" in text and "64" in text for text in texts)


@st.composite
def halls(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """Two to four communities of one sub-district, and up to two halls, some of them free of charge."""
    names = "abcd"[: draw(st.integers(2, 4))]
    people = [
        {"community": c, "office": draw(st.integers(0, 5)) * 50, "population": draw(st.integers(1, 9)) * 300}
        for c in names
    ]
    rooms = [
        {
            "site": f"h{n}",
            "community": draw(st.sampled_from(names)),
            "use": "hall",
            "instrument": "share",
            "area_m2": draw(st.integers(1, 30)) * 10,
            "hours_per_week": draw(st.sampled_from([0, 3, 17.5, 40, 80])),
            "yearly_yuan_per_m2": draw(st.integers(0, 9)),
            "first_year": draw(st.sampled_from([0, 2021])),
        }
        for n in range(draw(st.integers(1, 2)))
    ]
    return people, rooms


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(halls(), st.sampled_from([20.0, 40.0, 168.0]), st.integers(0, 3))
def test_hours_of_a_hall_are_shared_and_never_given_twice(made: Any, full_hours: float, thousands: int) -> None:
    people, rooms = made
    space = {"target_m2": 300, "hall_limit_m": 1500, "hall_full_hours": full_hours, "hall_share_of_target": 0.3}
    sources = {"city": {"role": "city", "amount_yuan": 1000 * thousands}}
    scenario = make_scenario(horizon={"years": 2}, programmes={"space": space}, sources=sources)
    table = plan(make_city(people, sites=rooms), scenario).tables.space
    offered = {row["site"]: row["area_m2"] * row["hours_per_week"] for row in rooms}  # m2 x hours a week
    used = (table["area_m2"] * full_hours).groupby([table["site"], table["year"]]).sum()
    for (site, _), m2_hours in used.items():
        assert m2_hours <= offered[site] + 1e-6
    assert (table.groupby(["community", "year"])["area_m2"].sum() <= 90 + 1e-6).all()
    first = {row["site"]: row["first_year"] for row in rooms}
    assert all(year >= first[site] for site, year in zip(table["site"], table["year"], strict=True))
