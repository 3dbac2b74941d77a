"""Existing shared stations that are enlarged where they stand, on cities small enough to solve by hand."""

from typing import Any

import pytest
from pydantic import ValidationError

from geodata.check_meaning import check_meaning
from geodata.city import City
from optimizer.problem_data import build_problem
from optimizer.scenario_check import check_scenario
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, plan

CLINIC: Row = {
    "siting": "network",
    "unit": "visits",
    "limit_m": 1300,
    "fixed_yuan": 9000,
    "capital_yuan_per_unit": 10,
    "running_yuan": 500,
    "running_yuan_per_unit": 2,
    "area_m2_per_unit": 0.1,
    "min_capacity": 100,
    "upgrade": {"fixed_yuan": 300},
}
OLD: Row = {
    "facility": "f1",
    "community": "a",
    "service": "clinic",
    "capacity": 100,
    "area_m2": 12,
    "spare_m2": 8,
    "running_yuan": 700,
}
BUILDING: Row = {"site": "st", "community": "a", "use": "station", "area_m2": 100}


def city(*facilities: Row, sites: tuple[Row, ...] = (), b: float = 150) -> City:
    """Two neighbours; a needs 50 visits, b `b`."""
    return make_city(
        [{"community": "a"}, {"community": "b"}],
        sites=sites,
        facilities=facilities,
        needs=[("a", "clinic", 50), ("b", "clinic", b)],
    )


def solve(tiny: City, amount: Any, years: int = 2, **clinic: Any) -> Plan:
    rule = {**CLINIC, **clinic}
    scenario = make_scenario(
        horizon={"years": years},
        programmes={"services": {"clinic": rule}},
        sources={"city": {"role": "city", "amount_yuan": amount, "carry_limit_share": 0}},
    )
    return plan(tiny, scenario)


def status(found: Plan, site: str = "o_a") -> list[tuple[Any, ...]]:
    rows = found.tables.stations.query("site == @site and service == 'clinic'")
    columns = ["year", "status", "capacity", "area_m2", "capital_yuan", "running_yuan"]
    return [
        tuple(pytest.approx(v, abs=1e-4) if isinstance(v, float) else v for v in row)
        for row in rows[columns].itertuples(index=False)
    ]


def test_a_station_is_upgraded_as_far_as_its_spare_floor_allows() -> None:
    # 8 m2 at 0.1 m2 a visit: 80 visits more for 300 + 80 x 10 once and 80 x 2 a year beside its 700: 180 of 200.
    found = solve(city(OLD), 100_000)
    assert status(found) == [(2020, "upgraded", 180.0, 20.0, 1100, 860), (2021, "kept", 180.0, 20.0, 0, 860)]
    assert [found.met(c, "clinic") for c in "ab"] == pytest.approx([0.9, 0.9], abs=1e-6)  # the worst-off first
    served = found.tables.assignments
    assert served["amount"].sum() == pytest.approx(360, abs=1e-3)
    assert found.value("spending") == pytest.approx(1100 + 2 * 860, abs=0.01)
    assert found.books.ledger["yuan"].sum() == 1100 + 2 * 860


def test_it_starts_when_there_is_money_for_it() -> None:
    # 1,000 a year: 300 are left in 2020, too little for any; of the 1,500 of 2021, 800 are left: 300 + 12 q.
    found = solve(city(OLD), [1000, 1500])
    more = (800 - 300) / 12
    assert status(found) == [
        (2020, "existing", 100.0, 12.0, 0, 700),
        (2021, "upgraded", 100 + more, 12 + more / 10, pytest.approx(300 + 10 * more, abs=0.51), 783),
    ]


def test_a_share_of_its_capacity_may_be_the_limit_instead() -> None:
    found = solve(city({**OLD, "spare_m2": 0}), 100_000, upgrade={"most_capacity_share": 0.5})
    assert [row[2] for row in status(found)] == [150.0, 150.0]
    assert status(found)[0][4] == 500  # nothing fixed


def test_without_the_key_a_station_stays_as_it_is() -> None:
    found = solve(city(OLD), 100_000, upgrade=None)
    assert [row[1:3] for row in status(found)] == [("existing", 100.0)] * 2


@pytest.mark.parametrize(
    ("change", "grows"),
    [
        ({}, True),
        ({"level": "centre"}, False),
        ({"level": "outlet"}, False),
        ({"must": "close"}, False),
        ({"lease_until": 2020}, False),
        ({"lease_until": 2021}, True),
        ({"must": "keep"}, True),
        ({"spare_m2": 0}, False),
        ({"site": "st"}, False),
    ],
)
def test_which_stations_may_be_upgraded(change: Row, grows: bool) -> None:
    tiny = city({**OLD, **change}, sites=(BUILDING,))
    scenario = make_scenario(horizon={"years": 2}, programmes={"services": {"clinic": CLINIC}})
    assert (build_problem(tiny, scenario).places.upgrades >= 0).any() == grows


def test_a_station_is_upgraded_or_closes_not_both() -> None:
    # Closing f1 in 2021 would save 700 and f2 could take its people; but its upgrade in 2020 serves the others too.
    far: Row = {**OLD, "facility": "f2", "community": "b", "spare_m2": 0, "running_yuan": 0}
    found = solve(city(OLD, far, b=400), 100_000, closing={"longest_gap_years": None})
    assert [row[1] for row in status(found)] == ["upgraded", "kept"]
    rows = [name for name in found.joint.row_names() if name.startswith("eq10_same_site")]
    assert rows == ["eq10_same_site(o_a,clinic)"]


def test_a_part_of_the_city_keeps_its_upgrades() -> None:
    tiny = make_city(
        [{"community": c, "sub_district": c} for c in "ab"],
        facilities=[OLD, {**OLD, "facility": "f2", "community": "b", "spare_m2": 5}],
        needs=[("a", "clinic", 50), ("b", "clinic", 150)],
    )
    problem = build_problem(tiny, make_scenario(programmes={"services": {"clinic": CLINIC}}))
    part = problem.part(problem.parts[1])
    assert part.places.site == ("o_b",)
    assert part.places.upgrades.tolist() == [0]
    assert part.places.most.tolist() == [50.0]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"siting": "own"}, "upgrade is for network services"),
        ({"area_m2_per_unit": 0}, "upgrade needs most_capacity_share"),
        ({"upgrade": {"most_capacity_share": 0}}, "greater than 0"),
    ],
)
def test_what_cannot_be_is_an_error_of_the_scenario(rule: Row, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_scenario(programmes={"services": {"clinic": {**CLINIC, **rule}}})


@pytest.mark.parametrize("change", [{"level": "outlet"}, {"service": "desk"}, {"site": "st"}])
def test_spare_floor_that_nothing_can_grow_into_is_named(change: Row) -> None:
    tiny = city({**OLD, **change}, sites=(BUILDING,))
    texts = [f.text() for f in check_meaning(tiny, {"clinic": "network", "desk": "own"})]
    assert [t for t in texts if "spare_m2" in t and "does nothing here" in t], texts


def test_a_service_whose_stations_have_no_floor_to_spare_is_named() -> None:
    tiny = city({**OLD, "spare_m2": 0})
    scenario = make_scenario(programmes={"services": {"clinic": CLINIC}})
    (found,) = [f.text() for f in check_scenario(tiny, scenario)]
    assert "programmes.services.clinic.upgrade" in found
    assert "no station has floor to spare" in found
    shared = make_scenario(programmes={"services": {"clinic": {**CLINIC, "upgrade": {"most_capacity_share": 1}}}})
    assert check_scenario(tiny, shared) == []
