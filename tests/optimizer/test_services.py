"""Services on cities small enough to solve by hand, equations (8) to (12)."""

import pytest

from optimizer.problem_data import build_problem
from optimizer.programmes import build_model
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, plan

A: Row = {"community": "a", "office": 100}
B: Row = {"community": "b", "office": 100}
DESK: Row = {
    "siting": "own",
    "unit": "cases",
    "fixed_yuan": 1000,
    "capital_yuan_per_unit": 10,
    "running_yuan": 500,
    "running_yuan_per_unit": 2,
    "area_m2_per_unit": 0.5,
}
CLINIC: Row = {
    "siting": "network",
    "unit": "visits",
    "limit_m": 1300,
    "fixed_yuan": 2000,
    "capital_yuan_per_unit": 10,
    "running_yuan": 500,
    "running_yuan_per_unit": 1,
    "area_m2_per_unit": 0.1,
}
BUILDING: Row = {
    "site": "st",
    "community": "a",
    "use": "station",
    "area_m2": 100,
    "min_area_m2": 20,
    "fixed_yuan": 1000,
    "capital_yuan_per_m2": 50,
    "yearly_yuan_per_m2": 5,
}


def money(amount: object, **more: object) -> Row:
    return {"city": {"role": "city", "amount_yuan": amount, **more}}


def desk(amount: object = 1_000_000, *, city: object = None, horizon: Row | None = None, **changes: object) -> Plan:
    tiny_city = city or make_city([A], needs=[("a", "desk", 100)])
    services = {"desk": {**DESK, **changes}}
    return plan(
        tiny_city, make_scenario(horizon=horizon or {}, programmes={"services": services}, sources=money(amount))
    )


def test_an_own_station_is_as_large_as_the_money_allows() -> None:
    # 1,000 + 500 + 12 a unit: 2,400 buy 75 of the 100 units, on 37.5 m2 of the office.
    found = desk(2400)
    assert found.met("a", "desk") == pytest.approx(0.75, abs=1e-6)
    assert found.worst == pytest.approx(0.75, abs=1e-6)
    row = found.tables.stations.iloc[0].to_dict()
    assert row == {
        "site": "o_a",
        "service": "desk",
        "level": "station",
        "year": 2020,
        "status": "opened",
        "capacity": pytest.approx(75, abs=1e-5),
        "area_m2": pytest.approx(37.5, abs=1e-5),
        "capital_yuan": 1750,
        "running_yuan": 650,
        "community": "a",
        "district": "east",
        "moved": 0,
    }
    assert found.tables.assignments.iloc[0].to_dict() == {
        "community": "a",
        "site": "o_a",
        "service": "desk",
        "year": 2020,
        "amount": pytest.approx(75, abs=1e-5),
        "travel_m": 0,
    }


def test_an_own_station_has_a_smallest_and_a_largest_size() -> None:
    assert desk(2400, min_capacity=80).tables.stations.empty
    assert desk(2460, min_capacity=80).met("a", "desk") == pytest.approx(0.8)
    assert desk(max_capacity=60).met("a", "desk") == pytest.approx(0.6, abs=1e-6)


def test_own_stations_need_floor_of_the_office_or_of_rooms_added_to_it() -> None:
    # 20 m2 hold 40 units; 10 m2 more are had for 100 yuan each and hold 20 more.
    small = [{**A, "office": 20}]
    needs = [("a", "desk", 100)]
    assert desk(city=make_city(small, needs=needs)).met("a", "desk") == pytest.approx(0.4, abs=1e-6)
    room = {"site": "e", "community": "a", "use": "extension", "area_m2": 10, "capital_yuan_per_m2": 100}
    assert desk(city=make_city(small, needs=needs, sites=[room])).met("a", "desk") == pytest.approx(0.6, abs=1e-6)


def test_existing_own_stations_take_floor_serve_first_and_are_paid() -> None:
    # 30 units exist on 15 of 20 m2, for 600 a year. The 5 m2 left hold 10 units more: upgraded.
    there = {"facility": "f", "community": "a", "service": "desk", "capacity": 30, "area_m2": 15, "running_yuan": 600}
    found = desk(city=make_city([{**A, "office": 20}], facilities=[there], needs=[("a", "desk", 100)]))
    assert found.met("a", "desk") == pytest.approx(0.4, abs=1e-6)
    row = found.tables.stations.iloc[0]
    # 1,000 + 10 x 10 to open; running 600 + 500 + 2 x 10.
    assert (row["status"], row["capital_yuan"], row["running_yuan"]) == ("upgraded", 1100, 1120)
    assert row["capacity"] == pytest.approx(40, abs=1e-5)


def test_capacity_is_sized_for_the_peak_of_a_growing_need() -> None:
    # 100 then 110 units: to serve all from the first year, 110 are built: 1,000 + 1,100, then 500 + 220 every year.
    found = desk(horizon={"years": 2}, growth=0.1)
    assert [found.met("a", "desk", y) for y in (2020, 2021)] == pytest.approx([1, 1], abs=1e-6)
    rows = found.tables.stations[["year", "status", "capital_yuan", "running_yuan"]].to_numpy().tolist()
    assert rows == [[2020, "opened", 2100, 720], [2021, "kept", 0, 720]]
    assert found.tables.stations["capacity"].tolist() == pytest.approx([110, 110], abs=1e-5)
    amounts = found.tables.assignments["amount"].tolist()
    assert amounts == pytest.approx([100, 110], abs=1e-5)


def test_a_station_opens_once_money_is_there_and_stays() -> None:
    # 1,700 and 1,220 a year do not reach for it before 2021, when both are there: 2,700 + 700 x 2 over 2021 and 2022.
    found = desk([0, 2700, 700], horizon={"years": 3})
    assert [found.met("a", "desk", y) for y in (2020, 2021, 2022)] == pytest.approx([0, 1, 1], abs=1e-6)
    assert found.tables.stations["status"].tolist() == ["opened", "kept"]


def test_a_community_without_an_office_has_no_floor_of_its_own() -> None:
    city = make_city([{**A, "office": None}, B], needs=[("a", "desk", 100)])
    assert desk(city=city).tables.stations.empty
    found = desk(city=city, area_m2_per_unit=0)
    assert found.tables.stations["site"].tolist() == ["a"]


def clinic(
    amount: object = 1_000_000,
    *,
    sites: list[Row] | None = None,
    horizon: Row | None = None,
    more: Row | None = None,
    **changes: object,
) -> Plan:
    city = make_city([A, B], sites=sites or [BUILDING], needs=[("a", "clinic", 300, 200), ("b", "clinic", 100, 50)])
    services = {"clinic": {**CLINIC, **changes}}
    programmes = {"services": services, **(more or {})}
    return plan(city, make_scenario(horizon=horizon or {}, programmes=programmes, sources=money(amount)))


def test_a_network_station_serves_both_and_the_building_is_paid_once() -> None:
    # 400 visits: 2,000 + 4,000 to open, 500 + 400 to run; 40 m2: 1,000 + 2,000 + 200.
    found = clinic()
    assert [found.met(c, "clinic") for c in ("a", "b")] == pytest.approx([1, 1], abs=1e-6)
    assert found.value("unmet_need") == pytest.approx(0, abs=1e-5)
    assert found.value("spending") == pytest.approx(10_100, abs=0.01)
    # b's 50 people travel 1,000 m x 1.3.
    assert found.value("travel") == pytest.approx(65_000, abs=0.01)
    assert found.tables.stations[["capacity", "area_m2"]].iloc[0].tolist() == pytest.approx([400, 40], abs=1e-4)
    assert found.tables.space[["site", "area_m2", "cost_yuan", "use"]].to_numpy().tolist() == [
        ["st", 40.0, 3200, "station"]
    ]
    assert set(found.books.ledger["community"]) == {""}  # shared by both: belongs to neither


def test_shared_capacity_lifts_the_worst_off_first() -> None:
    # 200 visits for needs of 300 and 100: half of each.
    found = clinic(max_capacity=200)
    assert found.met("a", "clinic") == pytest.approx(0.5, abs=1e-4)
    assert found.met("b", "clinic") == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(("limit", "served"), [(1300, 1.0), (1299, 0.0)])
def test_the_travel_limit_is_inclusive(limit: float, served: float) -> None:
    assert clinic(limit_m=limit).met("b", "clinic") == served


def test_streets_count_from_end_points_and_the_limit_holds_on_them() -> None:
    # Along the street: 1,000 m from middle to middle, which is nearer than the straight line x 1.3.
    city = make_city([A, B], sites=[BUILDING], needs=[("b", "clinic", 100)], streets=[(500, 500, 1500, 500)])
    services = {"services": {"clinic": {**CLINIC, "limit_m": 1000}}}
    found = plan(city, make_scenario(programmes=services))
    assert found.problem.arcs.travel_m.tolist() == [1000.0]
    assert found.met("b", "clinic") == 1.0


def test_a_station_serves_only_its_sub_district_unless_the_service_says_otherwise() -> None:
    city = make_city(
        [{**A, "sub_district": "s1"}, {**B, "sub_district": "s2"}], sites=[BUILDING], needs=[("b", "clinic", 100)]
    )
    for within, served in (("sub_district", 0.0), ("district", 1.0), ("city", 1.0)):
        found = plan(city, make_scenario(programmes={"services": {"clinic": {**CLINIC, "within": within}}}))
        assert found.met("b", "clinic") == served, within


def test_a_building_is_as_large_as_what_stands_in_it() -> None:
    # 0.1 m2 a visit: 30 m2 hold 300 visits of 400; shares are equal.
    found = clinic(sites=[{**BUILDING, "area_m2": 30}])
    assert found.met("a", "clinic") == pytest.approx(0.75, abs=1e-4)
    assert found.met("b", "clinic") == pytest.approx(0.75, abs=1e-4)


def test_stations_open_when_their_building_is_ready() -> None:
    found = clinic(sites=[{**BUILDING, "lead_years": 1}], horizon={"years": 3})
    assert [found.met("a", "clinic", y) for y in (2020, 2021, 2022)] == [0.0, 1.0, 1.0]
    assert found.tables.space[["year", "area_m2"]].to_numpy().tolist() == [[2020, 0], [2021, 40], [2022, 40]]
    assert found.tables.stations["year"].tolist() == [2021, 2022]


TWO: Row = {"services": {"clinic": CLINIC, "care": {**CLINIC, "unit": "hours"}}}


@pytest.mark.parametrize(
    ("fewest", "amount", "opened"), [(1, 6900, ["clinic"]), (2, 6900, []), (2, 20_000, ["care", "clinic"])]
)
def test_one_stop_buildings_hold_enough_services(fewest: int, amount: float, opened: list[str]) -> None:
    # One service with 200 visits: 2,000 + 2,000 + 500 + 200, its building 1,000 + 1,000 + 100: 6,800. Two cost 12,600.
    city = make_city([A], sites=[BUILDING], needs=[("a", "clinic", 200, 300), ("a", "care", 200, 100)])
    smallest = {name: {**rule, "min_capacity": 200} for name, rule in TWO["services"].items()}
    programmes = {"services": smallest, "one_stop": {"min_services": fewest}}
    goals = [{"goal": "unmet_need", "tolerance": 0.0, "gap": 0.0}, {"goal": "spending", "tolerance": 0.0, "gap": 0.0}]
    found = plan(city, make_scenario(programmes=programmes, sources=money(amount), goals=goals))
    assert sorted(found.tables.stations["service"]) == opened
    if len(opened) == 2:
        assert found.value("spending") == pytest.approx(12_600, abs=0.1)
        assert len(found.tables.space) == 1  # one building, paid once


def test_a_building_that_names_its_services_holds_no_others() -> None:
    city = make_city([A], sites=[{**BUILDING, "services": "care"}], needs=[("a", "clinic", 200), ("a", "care", 200)])
    found = plan(city, make_scenario(programmes=TWO))
    assert found.tables.stations["service"].tolist() == ["care"]


OLD: Row = {"facility": "f", "community": "a", "service": "clinic", "capacity": 100, "area_m2": 10, "running_yuan": 800}


@pytest.mark.parametrize(("level", "served"), [("station", 1.0), ("centre", 1.0), ("outlet", 0.0)])
def test_outlets_serve_only_their_own_community(level: str, served: float) -> None:
    city = make_city([A, B], facilities=[{**OLD, "level": level}], needs=[("b", "clinic", 100)])
    found = plan(city, make_scenario(programmes={"services": {"clinic": CLINIC}}))
    assert found.met("b", "clinic") == served
    assert found.value("spending") == pytest.approx(800, abs=0.01)  # paid whoever uses it


def test_existing_capacity_is_shared_for_the_worst_off() -> None:
    # 100 units, 300 and 100 needed: a quarter for each.
    city = make_city([A, B], facilities=[OLD], needs=[("a", "clinic", 300), ("b", "clinic", 100)])
    found = plan(city, make_scenario(programmes={"services": {"clinic": CLINIC}}))
    assert found.worst == pytest.approx(0.25, abs=1e-6)
    assert found.met("a", "clinic") == pytest.approx(0.25, abs=1e-4)


def test_network_needs_count_whatever_the_class_but_own_ones_do_not() -> None:
    guidance = {"general": {"purposes": []}}
    old_desk = {"facility": "g", "community": "a", "service": "desk", "capacity": 10, "running_yuan": 300}
    city = make_city([A], facilities=[OLD, old_desk], needs=[("a", "clinic", 200), ("a", "desk", 100)])
    scenario = make_scenario(programmes={"services": {"clinic": CLINIC, "desk": DESK}}, guidance=guidance)
    found = plan(city, scenario)
    assert found.met("a", "clinic") == pytest.approx(0.5)
    assert found.met("a", "desk") == 1.0  # no need of ours
    assert found.value("spending") == pytest.approx(800, abs=0.01)  # the desk is not paid for from the budgets


def test_a_source_for_one_service_pays_for_no_other() -> None:
    sources = {"lottery": {"role": "lottery", "amount_yuan": 100_000, "services": ["clinic"]}}
    needs = [("a", "clinic", 200), ("a", "care", 200)]
    found = plan(make_city([A], sites=[BUILDING], needs=needs), make_scenario(programmes=TWO, sources=sources))
    assert found.tables.stations["service"].tolist() == ["clinic"]


def test_weights_of_types_change_the_score() -> None:
    # Work funds met, clinic not at all: 1 / (1 + 3).
    programmes = {"work_funds": {"floor_yuan": 1000}, "services": {"clinic": CLINIC}}
    found = plan(
        make_city([A], needs=[("a", "clinic", 100)]),
        make_scenario(programmes=programmes, types={"plain": {"weights": {"clinic": 3}}}),
    )
    assert found.worst == pytest.approx(0.25)
    assert found.value("unmet_need") == pytest.approx(300)


@pytest.mark.parametrize(("office_m2", "most"), [(0, 0), (50, 1)])
def test_nothing_opens_where_it_could_serve_nobody(office_m2: int, most: int) -> None:
    """Without floor a desk serves nobody; where money has no price, a search could open it for nothing."""
    city = make_city([{"community": "a", "office": office_m2}], needs=[("a", "desk", 100)])
    model = build_model(build_problem(city, make_scenario(programmes={"services": {"desk": DESK}})))
    assert model.upper[model.columns["open"].positions].tolist() == [most]
