"""Existing stations that close, move or pass their people on, on cities small enough to solve by hand."""

from typing import Any

import pytest
from pydantic import ValidationError

from geodata.city import City
from optimizer.scenario_check import check_scenario
from tests.optimizer.tiny import ALL, Plan, Row, make_city, make_scenario, plan

CLINIC: Row = {"siting": "network", "unit": "visits", "limit_m": 1300, "fixed_yuan": 2000, "capital_yuan_per_unit": 10}
DESK: Row = {"siting": "own", "unit": "cases", "capital_yuan_per_unit": 10}
THREE: Row = {"years": 3}
OLD: Row = {"facility": "f1", "community": "a", "service": "clinic", "capacity": 100, "running_yuan": 1000, "site": ""}
OTHER: Row = {"facility": "f2", "community": "b", "service": "clinic", "capacity": 200, "running_yuan": 300}
BUILDING: Row = {"site": "st", "community": "a", "use": "station", "area_m2": 100, "min_area_m2": 20}


def city(*facilities: Row, sites: tuple[Row, ...] = (), desk: float = 1000, people: float = 100) -> City:
    """Two neighbours; a needs 100 visits and a desk."""
    return make_city(
        [{"community": "a"}, {"community": "b"}],
        sites=sites,
        facilities=facilities,
        needs=[("a", "clinic", 100, people), ("a", "desk", desk, desk)],
    )


def solve(tiny: City, amount: Any, closing: Row | None = None, weight: float = 1.0, **clinic: Any) -> Plan:
    rule = {**CLINIC, **clinic, **({} if closing is None else {"closing": closing})}
    scenario = make_scenario(
        horizon=THREE,
        types={"plain": {"weights": {"clinic": weight}}},
        programmes={"services": {"clinic": rule, "desk": DESK}},
        sources={"city": {"role": "city", "amount_yuan": amount}},
    )
    return plan(tiny, scenario)


def status(found: Plan, site: str) -> list[tuple[int, str, float, int, int]]:
    rows = found.tables.stations.query("site == @site and service == 'clinic'")
    columns = ("year", "status", "capacity", "capital_yuan", "running_yuan")
    return [tuple(row) for row in rows[list(columns)].itertuples(index=False)]  # type: ignore[misc]


def served(found: Plan, service: str = "clinic") -> dict[tuple[str, int], float]:
    rows = found.tables.assignments.query("service == @service")
    return {
        (s, y): pytest.approx(m, abs=1e-4) for s, y, m in zip(rows["site"], rows["year"], rows["amount"], strict=True)
    }


def test_a_station_closes_where_its_running_cost_buys_more_elsewhere_and_its_people_are_taken_on() -> None:
    # 700 yuan are left a year. The desk opens once: 70 units for three years, or, when the old station closes in 2021
    # (400 once, 1,000 saved), 130 units for two years, which is more. f2 has room for the 100 visits, 1,300 m away.
    found = solve(city(OLD, OTHER), 2000, {"yuan": 400})
    assert status(found, "o_a") == [(2020, "existing", 100, 0, 1000), (2021, "closed", 0, 400, 0)]
    assert served(found) == {("o_a", 2020): 100, ("o_b", 2021): 100, ("o_b", 2022): 100}
    assert [found.met("a", "desk", year) for year in (2020, 2021, 2022)] == pytest.approx([0, 0.13, 0.13], abs=1e-5)
    assert found.value("unmet_need") == pytest.approx((1000 * 3 - 260) / 3, abs=1e-3)
    assert found.books.ledger["yuan"].sum() == 1300 + (400 + 300 + 1300) + 300


def test_without_the_key_everything_stays() -> None:
    found = solve(city(OLD, OTHER), 2000)
    assert status(found, "o_a") == [(year, "existing", 100, 0, 1000) for year in (2020, 2021, 2022)]
    assert found.met("a", "desk") == pytest.approx(0.07, abs=1e-5)
    assert "close" not in found.joint.model.columns


@pytest.mark.parametrize(("gap", "closes"), [(0, False), (1, False), (2, True), (None, True)])
def test_nobody_loses_service_for_longer_than_allowed(gap: int | None, closes: bool) -> None:
    # Visits count little here beside cases, so closing pays; but nobody else could serve the visitors.
    found = solve(city(OLD, people=1), 2000, {"longest_gap_years": gap}, weight=0.01)
    assert (len(status(found, "o_a")) == 2) == closes
    assert found.met("a", "clinic", 2022) == pytest.approx(0.0 if closes else 1.0, abs=1e-5)


def test_what_exists_is_used_to_the_full_where_nothing_may_close_too() -> None:
    # Metres count more than visits here, so that a plan would rather serve nobody.
    scenario = make_scenario(
        horizon=THREE,
        programmes={"services": {"clinic": {**CLINIC, "closing": {"freely": False}}, "desk": DESK}},
        goals=[{"goal": "weighted", "weights": {"unmet_need": 1, "travel": 1}}],
    )
    rows = plan(city(OTHER), scenario).tables.assignments.query("service == 'clinic'")
    assert rows["amount"].tolist() == pytest.approx([100, 100, 100], abs=1e-3)


def test_stations_close_where_debts_are_paid_off_too() -> None:
    scenario = make_scenario(
        horizon=THREE,
        guidance={"general": {"purposes": [*ALL, "debt_relief"]}},
        programmes={"debt_relief": {}, "services": {"clinic": {**CLINIC, "closing": {}}, "desk": DESK}},
        sources={"city": {"role": "city", "amount_yuan": 2000, "purposes": ["service_running", "debt_relief"]}},
    )
    tiny = make_city([{"community": "a", "debt_yuan": 1600}, {"community": "b"}], facilities=[OLD, OTHER],
                     needs=[("a", "clinic", 100), ("a", "desk", 100)])  # fmt: skip
    found = plan(tiny, scenario)
    assert found.met("a", "debt_relief", 2021) == 1
    assert found.met("a", "clinic", 2022) == pytest.approx(1)


def test_a_lease_that_ends_closes_the_station_and_only_then() -> None:
    found = solve(city({**OLD, "lease_until": 2021}), 50_000)
    assert status(found, "o_a")[1:] == [(2021, "existing", 100, 0, 1000), (2022, "closed", 0, 0, 0)]
    assert [found.met("a", "clinic", year) for year in (2020, 2021, 2022)] == [1, 1, 0]
    later = solve(city({**OLD, "lease_until": 2022}), 50_000)
    assert [row[1] for row in status(later, "o_a")] == ["existing"] * 3


@pytest.mark.parametrize("site", [{}, {"must": "take"}])
def test_by_prices_what_must_be_is_no_contradiction(site: Row) -> None:
    # The station's lease ends, or the building must be taken: to decide nothing at all is no plan.
    scenario = make_scenario(
        horizon=THREE,
        programmes={"services": {"clinic": {**CLINIC, "closing": {"longest_gap_years": None}}, "desk": DESK}},
        sources={"city": {"role": "city", "amount_yuan": 9000}},
        solver={"method": "prices"},
    )
    old = OLD if site else {**OLD, "lease_until": 2020}
    found = plan(city(old, OTHER, sites=({**BUILDING, **site},)), scenario)
    assert (status(found, "o_a")[-1][1] == "closed") or site
    assert found.found.bounds["unmet_need"] <= found.value("unmet_need") + 1e-6


def test_a_station_moves_for_less_than_a_new_one_costs() -> None:
    # Moving: 500 + 10 x 100 in 2021; an opening would be 3,000, which the year does not have.
    found = solve(city({**OLD, "lease_until": 2020}, sites=(BUILDING,), desk=0), 1500, {"moving_yuan": 500})
    assert status(found, "st") == [
        (2021, "opened", pytest.approx(100, abs=1e-4), 1500, 0),
        (2022, "kept", pytest.approx(100, abs=1e-4), 0, 0),
    ]
    assert found.tables.stations.query("site == 'st'")["moved"].tolist() == [1, 0]
    assert [found.met("a", "clinic", year) for year in (2020, 2021, 2022)] == pytest.approx([1, 1, 1], abs=1e-5)
    stays = solve(city({**OLD, "lease_until": 2020}, sites=(BUILDING,), desk=0), 1500, {"longest_gap_years": None})
    assert stays.met("a", "clinic", 2021) == 0


def test_what_must_stay_stays_and_what_must_close_closes() -> None:
    kept = solve(city({**OLD, "must": "keep"}, OTHER), 2000, {"yuan": 400})
    assert [row[1] for row in status(kept, "o_a")] == ["existing"] * 3
    gone = solve(city({**OLD, "must": "close"}), 50_000)  # as late as possible: it serves until then
    assert [row[1] for row in status(gone, "o_a")] == ["existing", "existing", "closed"]
    only = solve(city(OLD, OTHER), 2000, {"yuan": 400, "freely": False})
    assert [row[1] for row in status(only, "o_a")] == ["existing"] * 3


def test_sites_that_must_be_taken_or_left() -> None:
    must = {**BUILDING, "must": "take", "min_area_m2": 0, "area_m2": 30}
    taken = solve(city(OLD, sites=(must,)), 50_000)
    space = taken.tables.space.query("site == 'st'")
    assert space["area_m2"].max() == 30
    left = solve(city(sites=({**BUILDING, "must": "leave"},)), 50_000)
    assert left.met("a", "clinic", 2022) == 0
    assert solve(city(sites=(BUILDING,)), 50_000).met("a", "clinic", 2022) == pytest.approx(1.0)


def test_what_cannot_be_is_said_before_anything_is_planned() -> None:
    late = {**BUILDING, "must": "take", "first_year": 2022, "lead_years": 1}
    rented = {**BUILDING, "site": "sr", "must": "take", "instrument": "rent"}
    tiny = city({**OLD, "lease_until": 2019}, sites=(late, rented))
    rules: Row = {"services": {"clinic": CLINIC, "desk": DESK}, "space": {"instruments": ["build"]}}
    found = [f.text() for f in check_scenario(tiny, make_scenario(horizon=THREE, programmes=rules))]
    assert len(found) == 3
    for line in (
        "f1: lease_until = 2019  is before 2020, the first year planned for; remove the facility, or correct the year",
        "sr: must = take  must be taken, but the scenario does not allow to rent",
        "st: must = take  must be taken, but is ready in 2023 and the plan ends in 2022",
    ):
        assert any(line.split(": ", 1)[1] in text for text in found), found


def test_own_services_have_no_closing() -> None:
    with pytest.raises(ValidationError, match="closing is for network services"):
        make_scenario(programmes={"services": {"desk": {**DESK, "closing": {}}}})
