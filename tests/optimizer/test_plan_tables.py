"""From a solver's numbers to decisions and tables: what is rounded, which way, and what still foots."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.joint import build_joint
from optimizer.ledger import keep_books
from optimizer.plan_tables import half_up, plan_tables, share_of
from optimizer.problem_data import build_problem
from optimizer.solution import decode
from tests.optimizer.cases import CASES, case
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, plan


@pytest.mark.parametrize(
    ("yuan", "whole"), [(0.5, 1), (1.5, 2), (2.5, 3), (2.4999, 2), (0.0, 0), (1e9 + 0.5, 10**9 + 1)]
)
def test_half_a_yuan_is_rounded_up(yuan: float, whole: int) -> None:
    assert half_up(yuan) == whole


@given(st.integers(0, 10**10))
def test_whole_yuan_stay(yuan: int) -> None:
    assert half_up(float(yuan)) == yuan


def with_values(values: dict[str, float]) -> Plan:
    """The case with everything, decided by name; all other columns zero."""
    joint = build_joint(build_problem(*case("everything")))
    x = np.zeros(joint.n_columns)
    names = joint.column_names()
    for name, value in values.items():
        head, _, tail = name.partition("*")  # what is between may change: kept(a,*,desk)
        [at] = [
            n
            for n, known in enumerate(names)
            if known == name or (tail and known.startswith(head) and known.endswith(tail))
        ]
        x[at] = value
    found = Plan(joint.problem, joint, None)  # type: ignore[arg-type]
    found.decisions = decode(joint, x)
    return found


def test_grants_are_cut_to_whole_yuan() -> None:
    found = with_values({"grant(a,2020)": 0.12345678, "grant(b,2020)": 0.3 - 1e-12})
    assert found.grants() == {("a", 2020): 1234, ("b", 2020): 3000}


def test_areas_of_rooms_go_up_a_millionth_and_those_of_halls_down_to_a_hundredth() -> None:
    values = {"take(ea,2020)": 1.0, "area(ea,2020)": 50.0012341, "hall_m2(a,h,2020)": 9.999, "area(eb,2021)": 79.999}
    rows = with_values(values).tables.space
    areas = {(r.site, r.year): r.area_m2 for r in rows.itertuples()}
    assert areas == {
        ("ea", 2020): 50.001235,
        ("ea", 2021): 50.001235,
        ("h", 2020): 9.99,
        ("h", 2021): 9.99,
        ("eb", 2021): 79.999,
    }


def test_parts_of_a_room_rounded_up_are_together_no_more_than_there_is() -> None:
    # eb has 80 m2.
    rows = with_values({"area(eb,2020)": 30.004, "area(eb,2021)": 49.996}).tables.space
    assert rows.groupby("year")["area_m2"].sum().max() <= 80


def test_noise_of_a_solver_is_no_decision() -> None:
    values = {
        "take(ea,2020)": 1e-7,
        "area(ea,2020)": 1e-6,
        "hall_m2(a,h,2020)": 1e-5,
        "area(eb,2020)": 1e-9,
        "open(o_a,desk,2020)": 1e-7,
        "serve(a,o_a,desk,2020)": 1e-7,
        "kept(a,*,desk)": 1e-8,
    }
    tables = with_values(values).tables
    assert tables.space.empty
    assert tables.assignments.empty
    assert set(tables.stations["status"]) == {"existing"}


def test_a_station_is_at_least_of_the_smallest_size_and_a_room_too() -> None:
    values = {
        "take(ea,2020)": 1.0,
        "area(ea,2020)": 39.9999999,
        "open(o_b,desk,2021)": 1.0,
        "serve(b,o_b,desk,2021)": 0.30303030,
    }
    tables = with_values(values).tables
    assert tables.space.iloc[0]["area_m2"] == 40.0
    # b needs 60, 66 at the peak; 0.303 of it is a hair below the smallest size of 20.
    station = tables.stations[tables.stations["site"] == "o_b"].iloc[0]
    assert (station["capacity"], station["status"]) == (20.0, "opened")


def test_no_more_is_served_than_needed() -> None:
    values = {"kept(a,*,desk)": 0.2727273, "open(o_a,desk,2020)": 1.0, "serve(a,o_a,desk,2020)": 0.7272728}
    tables = with_values(values).tables
    assert tables.assignments.groupby(["community", "year"])["amount"].sum().tolist() == pytest.approx([100, 110])
    met = tables.met.query("community == 'a' and need == 'desk'")
    assert (met["met_amount"] <= met["need_amount"]).all()
    assert met["met_share"].tolist() == [1.0, 1.0]


def test_costs_are_prices_of_their_year_rounded_half_up() -> None:
    # 45 m2: 500 + 100 x 45 and 5 x 45 = 5,225; then 1.1 x 225 = 247.5 -> 248.
    rows = with_values({"take(ea,2020)": 1.0, "area(ea,2020)": 45.0}).tables.space
    assert rows["cost_yuan"].tolist() == [5225, 248]


@pytest.mark.parametrize("name", CASES)
def test_tables_of_a_plan_say_what_the_solver_found(name: str) -> None:
    found = plan(*case(name))
    problem, tables = found.problem, plan_tables(found.problem, found.decisions)
    share = share_of(problem, tables.met)
    unmet = float((problem.unmet_weight[:, :, None] * problem.year_weight[None, None, :] * (1 - share)).sum())
    assert unmet == pytest.approx(found.value("unmet_need"), rel=2e-3, abs=0.5)
    assert len(tables.met) == problem.need.size
    assert len(tables.grants) == len(problem.communities) * len(problem.years)
    scored = tables.scores[tables.scores["year"] == ""].set_index("community")["score"]
    assert scored.min() == pytest.approx(found.worst, abs=2e-3)
    books = keep_books(problem, tables.items)
    assert books.ledger["yuan"].sum() == pytest.approx(found.value("spending"), abs=50 + len(tables.items))


ROOM: Row = {"site": "e", "community": "a", "use": "extension", "area_m2": 150, "capital_yuan_per_m2": 3000}


def test_rounding_never_costs_more_than_there_is() -> None:
    # 100,000 yuan, for space alone, buy 33.333 m2; 33.34 would cost 100,020, and no grant is there to give way.
    sources = {"city": {"role": "city", "amount_yuan": 100_000, "purposes": ["space"]}}
    found = plan(
        make_city([{"community": "a"}], sites=[ROOM]),
        make_scenario(programmes={"space": {"target_m2": 300}}, sources=sources),
    )
    assert found.books.ledger["yuan"].sum() <= 100_000
    assert found.met("a", "space") == pytest.approx(133.33 / 300, abs=1e-4)


def test_rounding_of_costs_never_costs_more_than_there_is() -> None:
    # Two rooms of 0.7 yuan a year: 1 + 1 yuan in the books, 1.4 in the model, and 1 yuan is there.
    rooms = [{**ROOM, "site": f"e{n}", "area_m2": 1, "capital_yuan_per_m2": 0.5} for n in range(2)]
    sources = {"city": {"role": "city", "amount_yuan": 1, "purposes": ["space"]}}
    found = plan(
        make_city([{"community": "a"}], sites=rooms),
        make_scenario(programmes={"space": {"target_m2": 300}}, sources=sources),
    )
    assert found.books.ledger["yuan"].sum() <= 1


def test_shares_beyond_all_of_a_large_need_are_cut_alike_where_it_is_served_and_where_stations_are_sized() -> None:
    # A solver keeps shares within a millionth of all; of 300,000 units that is 0.3, while sb serves 30.
    clinic: Row = {"siting": "network", "limit_m": 9000, "min_capacity": 0}
    buildings = [
        {"site": site, "community": "a", "use": "station", "area_m2": 100, "at": (300 + 100 * n, 500)}
        for n, site in enumerate(("sa", "sb"))
    ]
    city = make_city([{"community": "a"}], sites=buildings, needs=[("a", "clinic", 300_000)])
    joint = build_joint(build_problem(city, make_scenario(programmes={"services": {"clinic": clinic}})))
    x, names = np.zeros(joint.n_columns), joint.column_names()
    for name, value in {"sa": 0.9999, "sb": 0.0001 + 8e-7}.items():
        x[names.index(f"open({name},clinic,2020)")] = 1.0
        x[names.index(f"serve(a,{name},clinic,2020)")] = value
    found = Plan(joint.problem, joint, None)  # type: ignore[arg-type]
    found.decisions = decode(joint, x)
    capacity = found.tables.stations.set_index("site")["capacity"]
    served = found.tables.assignments.set_index("site")["amount"]
    assert served.sum() == pytest.approx(300_000, abs=1e-5)
    assert capacity["sb"] == pytest.approx(served["sb"], abs=2e-6)
    assert capacity["sa"] == pytest.approx(served["sa"], abs=2e-6)


@pytest.mark.parametrize(("lacks", "met"), [(9e-5, True), (1.2e-4, False)])
def test_what_lacks_only_the_last_digit_is_met(lacks: float, met: bool) -> None:
    # 100 cases: a millionth of them and one millionth of a case are 0.000101.
    problem = build_problem(*case("own_services"))
    table = plan_tables(problem, decode(joint := build_joint(problem), np.zeros(joint.n_columns))).met
    here = (table["community"] == "a") & (table["need"] == "desk") & (table["year"] == 2020)
    table.loc[here, "met_amount"] = 100 - lacks
    share = share_of(problem, table)[0, problem.needs.index("desk"), 0]
    assert share == (1.0 if met else pytest.approx(1 - lacks / 100, abs=1e-12))
