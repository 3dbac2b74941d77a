"""Levels of a network by hand: stations hang on a centre within its limit, and their referrals fit there (13)."""

from pathlib import Path

import pandas as pd
import pytest

from optimizer.audit import audit_run
from optimizer.problem import Problem
from optimizer.problem_data import build_problem
from optimizer.scenario import Scenario
from tests.optimizer.test_rules import run_folder
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, plan

A: Row = {"community": "a"}
B: Row = {"community": "b"}
CENTRE: Row = {"facility": "f", "community": "a", "service": "clinic", "level": "centre", "capacity": 100}
STATION: Row = {"site": "st", "community": "b", "use": "station", "area_m2": 100}
NEEDS = [("a", "clinic", 100), ("b", "clinic", 200)]


def scenario(**levels: object) -> Scenario:
    hierarchy = {"limit_m": 1300, "referral_share": 0.25, **levels}
    clinic: Row = {"siting": "network", "limit_m": 1000, "within": "district", "area_m2_per_unit": 0.1}
    clinic["hierarchy"] = hierarchy
    return make_scenario(programmes={"services": {"clinic": clinic}})


def hangs(problem: Problem) -> list[tuple[str, str, float]]:
    """What could hang on what, how far away."""
    site, pairs = problem.units.site, problem.hangs
    return [(site[u], site[v], m) for u, v, m in zip(pairs.lower, pairs.upper, pairs.travel_m, strict=True)]


def two(**levels: object) -> Plan:
    """The centre is in a; the station in b, 1,300 m away, refers a quarter of its cases to it."""
    return plan(make_city([A, B], sites=[STATION], facilities=[CENTRE], needs=NEEDS), scenario(**levels))


def test_an_inclusive_centre_has_its_own_cases_beside_the_referrals() -> None:
    """The same share s for both: 100 s + 200 s / 4 = 100, so s = 2/3."""
    found = two()
    assert found.worst == pytest.approx(2 / 3, abs=1e-6)
    assert found.met("a", "clinic") == pytest.approx(2 / 3, abs=1e-4)
    assert found.met("b", "clinic") == pytest.approx(2 / 3, abs=1e-4)


def test_an_exclusive_centre_serves_no_community_itself() -> None:
    found = two(inclusive=False)
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (0.0, 1.0)


def test_the_limit_is_inclusive() -> None:
    assert two(limit_m=1299).met("b", "clinic") == 0.0
    assert two(limit_m=1300).met("b", "clinic") > 0.0


def test_without_referrals_only_the_way_counts() -> None:
    found = two(referral_share=0)
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (1.0, 1.0)


def test_an_existing_station_hangs_on_a_centre_like_a_new_one() -> None:
    old = {**CENTRE, "facility": "g", "community": "b", "level": "station", "capacity": 200}
    city = make_city([A, B], facilities=[CENTRE, old], needs=NEEDS)
    assert plan(city, scenario()).worst == pytest.approx(2 / 3, abs=1e-6)
    assert plan(city, scenario(limit_m=1000)).met("b", "clinic") == 0.0


def test_outlets_hang_on_nothing() -> None:
    old = {**CENTRE, "facility": "g", "community": "b", "level": "outlet", "capacity": 200}
    found = plan(make_city([A, B], facilities=[CENTRE, old], needs=NEEDS), scenario(limit_m=1000))
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (1.0, 1.0)


def test_of_several_centres_a_station_hangs_on_the_nearest_in_its_area() -> None:
    west = {"community": "c", "district": "west"}
    other = {**CENTRE, "facility": "w", "community": "c"}  # as near to b as a is, but in another district
    city = make_city([A, B, west], sites=[STATION], facilities=[CENTRE, other], needs=[*NEEDS, ("c", "clinic", 1)])
    problem = build_problem(city, scenario())
    assert hangs(problem) == [("st", "o_a", 1300.0)]


def test_pieces_of_the_city_hold_stations_and_their_centres_together() -> None:
    """Nobody may travel between the sub-districts, but the station of one hangs on the centre of the other."""
    city = make_city(
        [{**A, "sub_district": "s1"}, {**B, "sub_district": "s2"}],
        sites=[STATION], facilities=[CENTRE], needs=NEEDS,
    )  # fmt: skip
    assert [part.tolist() for part in build_problem(city, scenario()).parts] == [[0, 1]]
    alone = build_problem(city, scenario(limit_m=1000))
    assert [part.tolist() for part in alone.parts] == [[0], [1]]
    part = build_problem(city, scenario()).part(build_problem(city, scenario()).parts[0])
    assert hangs(part) == [("st", "o_a", 1300.0)]
    assert [part.units.site[u] for u in (*part.place_unit, *part.existing_unit)] == ["st", "o_a"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Run folder of the two communities of `two`."""
    city = make_city([A, B], sites=[STATION], facilities=[CENTRE], needs=NEEDS)
    return run_folder(city, scenario(), tmp_path)


def test_a_run_says_who_hangs_where(run: Path) -> None:
    table = pd.read_csv(run / "tables" / "levels.csv", keep_default_na=False)
    assert table.to_numpy().tolist() == [["st", "clinic", "station", "o_a", 1300, "o_a", "centre", 2020]]
    table = pd.read_csv(run / "tables" / "referrals.csv", keep_default_na=False).round(3)
    assert table.to_numpy().tolist() == [
        ["o_a", "clinic", "centre", 2020, 66.667, 33.333, 0], ["st", "clinic", "station", 2020, 133.333, 0, 33.333]
    ]  # fmt: skip
    assert audit_run(run).passed


@pytest.mark.parametrize(
    ("column", "value"),
    [("centre", ""), ("centre", "o_b"), ("travel_m", "7"), ("site", "o_b"), ("hangs_on", "o_b"), ("hangs_on", ""),
     ("hangs_on_level", "station"), ("since", "2021")],
)  # fmt: skip
def test_the_audit_finds_a_wrong_centre(run: Path, column: str, value: str) -> None:
    path = run / "tables" / "levels.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table[column] = value
    table.to_csv(path, index=False)
    assert "hangs_on_centre" in {finding.rule for finding in audit_run(run).findings}


def changed(run: Path, old: str, new: str) -> set[str]:
    """Rules the audit finds broken when the scenario asks for more than the plan was made for."""
    path = run / "scenario.resolved.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return {finding.rule for finding in audit_run(run).findings}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("referral_share: 0.25", "referral_share: 0.9", "referral"),
        ("inclusive: true", "inclusive: false", "referral"),
        ("limit_m: 1300", "limit_m: 1200", "hangs_on_centre"),
    ],
)
def test_the_audit_holds_a_plan_against_the_levels_of_its_scenario(run: Path, old: str, new: str, rule: str) -> None:
    assert rule in changed(run, old, new)


@pytest.mark.parametrize("name", ["levels", "referrals"])
def test_a_missing_table_of_levels_is_found(run: Path, name: str) -> None:
    (run / "tables" / f"{name}.csv").unlink()
    assert [finding.table for finding in audit_run(run).findings] == [name]


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(0, "served", "70"), (0, "referred_in", "20"), (1, "referred_on", "20"), (1, "served", "10"), (0, "site", "o_b"),
     (1, "referred_in", "-1")],
)  # fmt: skip
def test_the_audit_finds_wrong_referrals(run: Path, row: int, column: str, value: str) -> None:
    path = run / "tables" / "referrals.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[row, column] = value
    table.to_csv(path, index=False)
    assert "referral" in {finding.rule for finding in audit_run(run).findings}


def test_a_row_of_referrals_that_stands_twice_is_found(run: Path) -> None:
    path = run / "tables" / "referrals.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + text.splitlines()[1] + "\n", encoding="utf-8")
    assert "keys" in {finding.rule for finding in audit_run(run).findings}
