"""New centres, and stations that choose among several, on cities small enough to solve by hand (13)."""

from math import inf
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from geodata.city import City
from optimizer.audit import audit_run
from optimizer.goals import value_of
from optimizer.joint import build_joint
from optimizer.levels_table import referrals_table
from optimizer.previous_plan import previous_decisions
from optimizer.problem_data import build_problem
from optimizer.programmes import build_model
from optimizer.progress import Silent
from optimizer.scenario import Scenario
from optimizer.scenario_check import check_scenario
from optimizer.search import find_plan
from optimizer.watch import Watch
from tests.optimizer.test_properties import least_unmet
from tests.optimizer.test_rules import run_folder
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, merged, plan

A: Row = {"community": "a"}
B: Row = {"community": "b"}
AT_A: Row = {"site": "sa", "community": "a", "use": "station", "area_m2": 100}
AT_B: Row = {"site": "sb", "community": "b", "use": "station", "area_m2": 100}
OLD: Row = {"facility": "f", "community": "b", "service": "clinic", "level": "station", "capacity": 200}
NEEDS = [("a", "clinic", 100), ("b", "clinic", 200)]
CENTRE: Row = {"fixed_yuan": 1000, "capital_yuan_per_unit": 10}


def scenario(years: int = 1, yuan: object = 1_000_000, clinic: Row | None = None, **levels: object) -> Scenario:
    """A station costs 100, a centre 1,000 and 10 a unit; a unit takes 0.1 m2; the next community is too far to go."""
    hierarchy = {"limit_m": 1300, "referral_share": 0.25, "centre": CENTRE, **levels}
    rule: Row = {"siting": "network", "limit_m": 1000, "within": "district", "area_m2_per_unit": 0.1, "fixed_yuan": 100}
    return make_scenario(
        horizon={"years": years},
        programmes={"services": {"clinic": {**rule, "hierarchy": hierarchy, **(clinic or {})}}},
        sources={"city": {"role": "city", "amount_yuan": yuan, "carry_limit_share": 0}},
    )


def two(*sites: Row, facilities: tuple[Row, ...] = (), **more: Any) -> Plan:
    return plan(make_city([A, B], sites=sites, facilities=facilities, needs=NEEDS), scenario(**more))


def stations(found: Plan, year: int = 2020) -> list[tuple[Any, ...]]:
    rows = found.tables.stations.query("year == @year and service == 'clinic'")
    columns = ["site", "level", "status", "capacity", "area_m2", "capital_yuan"]
    return [tuple(pytest.approx(v, abs=1e-3) if isinstance(v, float) else v for v in row)
            for row in rows[columns].itertuples(index=False)]  # fmt: skip


def hung(found: Plan) -> list[tuple[str, str, int]]:
    """What hangs on what, since when."""
    chosen, units = found.decisions, found.problem.units
    names = [f"{site}.{level}" for site, level in zip(units.site, units.level, strict=True)]
    return [(names[u], names[v], found.problem.years[t])
            for u, v, t in zip(chosen.hang_lower, chosen.hang_upper, chosen.hang_year, strict=True)]  # fmt: skip


def test_a_centre_opens_for_what_it_serves_and_what_is_referred_to_it() -> None:
    # In a for 100 of its own and 50 referred, 1,000 + 150 x 10 yuan; the station in b costs 100. The other way round
    # it would be 200 + 25 units.
    found = two(AT_A, AT_B)
    assert stations(found) == [
        ("sa", "centre", "opened", 150.0, 15.0, 2500), ("sb", "station", "opened", 200.0, 20.0, 100)
    ]  # fmt: skip
    assert hung(found) == [("sb.station", "sa.centre", 2020)]
    assert [found.met(c, "clinic") for c in "ab"] == [1.0, 1.0]
    assert found.value("spending") == pytest.approx(2600, abs=0.1)


def test_a_centre_needs_floor_for_referrals_too() -> None:
    # 12 m2 in a are 120 units: a centre there holds 100 s + 50 s = 120, s = 0.8. 20 m2 in b are 200 units: a centre
    # there holds 200 s + 25 s = 200, s = 8/9, and the station in a 120.
    found = two({**AT_A, "area_m2": 12}, {**AT_B, "area_m2": 20}, yuan=3100)  # two centres would have 1,100 for units
    assert found.worst == pytest.approx(8 / 9, abs=1e-6)
    assert hung(found) == [("sa.station", "sb.centre", 2020)]


def test_an_exclusive_centre_only_takes_what_is_referred() -> None:
    found = two(AT_A, AT_B, inclusive=False)
    assert found.met("a", "clinic") + found.met("b", "clinic") == 1.0  # the other building holds the centre
    assert [row[1:4:2] for row in stations(found) if row[1] == "centre"] == [("centre", pytest.approx(50, abs=1e-3))]
    found = two(AT_A, AT_B, {**AT_A, "site": "sc"}, inclusive=False)
    assert [found.met(c, "clinic") for c in "ab"] == [1.0, 1.0]


def test_floor_and_costs_of_a_centre_are_its_own_where_they_are_given() -> None:
    dear = {**CENTRE, "running_yuan": 70, "running_yuan_per_unit": 2, "area_m2_per_unit": 0.5}
    found = two(AT_A, AT_B, centre=dear, clinic={"running_yuan": 30, "running_yuan_per_unit": 1})
    assert [row[4] for row in stations(found)] == [75.0, 20.0]
    assert found.tables.stations["running_yuan"].tolist() == [70 + 2 * 150, 30 + 200]


def test_the_smallest_and_the_largest_centre() -> None:
    # A centre of at least 160 units does not open for 150 of them: b's 200 and 25 referred make one.
    assert hung(two(AT_A, AT_B, centre={**CENTRE, "min_capacity": 160})) == [("sa.station", "sb.centre", 2020)]
    # At most 75: half of a and of b.
    found = two(AT_A, AT_B, centre={**CENTRE, "max_capacity": 75})
    assert found.worst == pytest.approx(0.5, abs=1e-6)


def test_one_building_holds_a_station_or_a_centre_of_a_service() -> None:
    found = two(AT_B)
    assert stations(found) == [("sb", "centre", "opened", 200.0, 20.0, 3000)]
    rows = [name for name in two(AT_A, AT_B).joint.row_names() if "one_level" in name]
    assert rows == ["eq13_one_level(sa.centre,clinic)", "eq13_one_level(sb.centre,clinic)"]


def test_an_existing_station_serves_from_the_year_on_in_which_its_centre_opens() -> None:
    # The building in a is ready in 2021; until then the station in b hangs on nothing. It is paid for all the same.
    old = {**OLD, "running_yuan": 40}
    found = two({**AT_A, "lead_years": 1}, facilities=(old,), years=2)
    assert [found.met("b", "clinic", year) for year in (2020, 2021)] == [0.0, 1.0]
    assert [found.met("a", "clinic", year) for year in (2020, 2021)] == [0.0, 1.0]
    assert hung(found) == [("o_b.station", "sa.centre", 2021)]
    rows = found.tables.stations.query("site == 'o_b'")
    assert rows[["status", "capacity", "running_yuan"]].to_numpy().tolist() == [["existing", 200.0, 40]] * 2
    travel = found.value("travel")
    assert travel == pytest.approx(0.0)


def test_a_station_chooses_a_new_centre_where_the_existing_one_is_full() -> None:
    # The centre in a has room for 20, the station in b refers a quarter of its 200.
    full = {**OLD, "facility": "c", "community": "a", "level": "centre", "capacity": 20}
    city = make_city([A, B], sites=[AT_A], facilities=[OLD, full], needs=NEEDS[1:])
    found = plan(city, scenario(inclusive=False, yuan=1499))  # the new one costs 1,500 for 50
    assert found.met("b", "clinic") == pytest.approx(49.9 / 50, abs=1e-4)
    found = plan(city, scenario(inclusive=False, yuan=999))
    assert found.met("b", "clinic") == pytest.approx(0.4, abs=1e-4)
    assert hung(found) == [("o_b.station", "o_a.centre", 2020)]
    found = plan(city, scenario(inclusive=False))
    assert found.met("b", "clinic") == 1.0
    assert hung(found) == [("o_b.station", "sa.centre", 2020)]


def test_a_station_hangs_on_one_centre_and_shares_out_nothing() -> None:
    # Two stations refer 25 and 50 to exclusive centres of at most 40: half of 50 to each would fit, but it is one
    # centre, so b is served to 160 of 200; the 25 of a go to another, as 40 are full.
    more = {**OLD, "facility": "g", "community": "a", "capacity": 100}
    found = two(
        {**AT_A, "site": "s1"}, {**AT_A, "site": "s2"}, facilities=(OLD, more), inclusive=False,
        centre={**CENTRE, "max_capacity": 40},
    )  # fmt: skip
    assert [found.met(c, "clinic") for c in "ab"] == pytest.approx([1.0, 0.8], abs=1e-4)
    assert len({centre for _, centre, _ in hung(found)}) == 2


def test_no_money_no_centre_and_nobody_is_served() -> None:
    found = two(AT_A, AT_B, facilities=(OLD,), yuan=999)
    assert [found.met(c, "clinic") for c in "ab"] == [0.0, 0.0]
    assert hung(found) == []


def test_new_centres_lie_within_limit_and_area() -> None:
    def pairs(**levels: object) -> int:
        city = make_city([A, {**B, "sub_district": "s2"}], sites=[AT_A, AT_B], facilities=[OLD], needs=NEEDS)
        return len(build_problem(city, scenario(**levels)).hangs)

    assert pairs() == 4  # o_b on sa and sb; sa on sb, sb on sa
    assert pairs(limit_m=1299) == 1
    assert pairs(within="sub_district") == 1
    assert pairs(within="city") == 4


def test_the_nearest_new_centres_are_candidates_and_every_existing_one() -> None:
    far = {**OLD, "facility": "c", "community": "a", "level": "centre", "capacity": 20}
    close = [{**AT_B, "site": f"s{n}", "at": (1500 + n, 500)} for n in range(1, 4)]
    city = make_city([A, B], sites=close, facilities=[OLD, far], needs=NEEDS)
    problem = build_problem(city, scenario(clinic={"candidates": 2}))
    units, pairs = problem.units, problem.hangs
    mine = [units.site[v] for u, v in zip(pairs.lower, pairs.upper, strict=True) if units.site[u] == "o_b"]
    assert mine == ["s1", "s2", "o_a"]


def test_a_centre_that_must_close_is_none_to_hang_on_and_others_stay() -> None:
    old = {**OLD, "facility": "c", "community": "a", "level": "centre", "capacity": 99}
    closing = {"closing": {"freely": True, "longest_gap_years": None}}
    for change, lasts in (({}, True), ({"lease_until": 2020}, False), ({"must": "close"}, False)):
        city = make_city([A, B], facilities=[OLD, {**old, **change}], needs=NEEDS)
        problem = build_problem(city, scenario(years=2, centre=None, clinic=closing))
        assert len(problem.hangs) == (1 if lasts else 0)
        assert bool((problem.existing.close_first < 2)[list(problem.existing.site).index("o_a")]) != lasts


@pytest.mark.parametrize("new", [False, True])
def test_who_takes_on_what_a_closing_station_served_refers_it(new: bool, tmp_path: Path) -> None:
    # 100 of b's 200 are served, and 25 referred: in 2020 by its own station, whose lease then ends; from 2021 on by the
    # one in a. The centre, which is old or new, has room for these 25 in every year, and not for twice as much.
    old = {**OLD, "capacity": 100, "lease_until": 2020}
    other = {**OLD, "facility": "g", "community": "a", "capacity": 100}
    centre = {**OLD, "facility": "c", "community": "a", "level": "centre", "capacity": 25, "must": "keep"}
    facilities = [old, other] if new else [old, other, centre]
    city = make_city(
        [A, B], sites=[{**AT_A, "services": "clinic"}] if new else [], facilities=facilities, needs=NEEDS[1:]
    )
    rule = {"limit_m": 1300, "within": "district"}
    levels = scenario(years=2, inclusive=False, clinic=rule, centre={**CENTRE, "max_capacity": 25} if new else None)
    found = plan(city, levels)
    assert [found.met("b", "clinic", year) for year in (2020, 2021)] == pytest.approx([0.5, 0.5], abs=1e-5)
    flow = referrals_table(found.problem, found.decisions, found.tables.stations)
    assert flow.query("level == 'centre'")["referred_in"].tolist() == pytest.approx([25, 25], abs=1e-3)
    report = audit_run(run_folder(city, levels, tmp_path))
    assert report.passed, report.text()


@pytest.mark.parametrize(("least", "met"), [(120, 0.62), (100, 1.0)])
def test_a_centre_is_no_larger_than_what_is_referred_and_served_there(least: int, met: float, tmp_path: Path) -> None:
    # The station in a serves 62 and refers 24.8, all that the centre in b has room for. One in the building would serve
    # all 100, but is at least 120: with referrals of cases that the old station does not serve, it would get there.
    old = {**OLD, "community": "a", "capacity": 62}
    centre = {**OLD, "facility": "c", "level": "centre", "capacity": 24.8}
    city = make_city([A, B], sites=[AT_A], facilities=[old, centre], needs=NEEDS[:1])
    levels = scenario(referral_share=0.4, centre={**CENTRE, "min_capacity": least})
    assert plan(city, levels).met("a", "clinic") == pytest.approx(met, abs=1e-5)
    report = audit_run(run_folder(city, levels, tmp_path))
    assert report.passed, report.text()


@pytest.mark.parametrize("sites", [["sa"], ["sa", "sc"]])
@pytest.mark.parametrize(("least", "met"), [(49, 1.0), (51, 0.0)])
def test_a_centre_keeps_room_for_what_each_station_refers_at_its_most(
    least: int, met: float, sites: list[str], tmp_path: Path
) -> None:
    # In 2020 the station in b refers 25, then its lease ends and the one in a refers them: 50 in all, for which the
    # smallest centre may be; a larger one would stand there for nothing. With one building nobody has a choice.
    old = {**OLD, "capacity": 100, "lease_until": 2020}
    other = {**OLD, "facility": "g", "community": "a", "capacity": 100}
    places = [{**AT_A, "site": site, "services": "clinic"} for site in sites]
    city = make_city([A, B], sites=places, facilities=[old, other], needs=[("b", "clinic", 100)])
    rule = {"limit_m": 1300, "closing": {"freely": False, "longest_gap_years": None}}
    levels = scenario(years=2, inclusive=False, clinic=rule, centre={**CENTRE, "min_capacity": least})
    found = plan(city, levels)
    assert [found.met("b", "clinic", year) for year in (2020, 2021)] == pytest.approx([met, met], abs=1e-5)
    report = audit_run(run_folder(city, levels, tmp_path))
    assert report.passed, report.text()


def test_the_audit_finds_a_centre_larger_than_what_is_referred_there(run: Path) -> None:
    change(run, "stations", "site == 'sa'", capacity="200", area_m2="20")
    assert "capacity_used" in rules(run)


def test_stations_of_own_services_hang_on_centres_too() -> None:
    # Desks at the offices of a and b; the centre in a building takes a quarter of their 100 and 200 cases, no more.
    desk: Row = {"siting": "own", "capital_yuan_per_unit": 1, "hierarchy": {
        "limit_m": 1300, "referral_share": 0.25, "within": "district", "centre": {"fixed_yuan": 500}}}  # fmt: skip
    city = make_city([A, B], sites=[AT_A], needs=[("a", "desk", 100), ("b", "desk", 200)])
    found = plan(city, make_scenario(programmes={"services": {"desk": desk}}))
    assert [found.met(c, "desk") for c in "ab"] == [1.0, 1.0]
    rows = found.tables.stations[["site", "level", "capacity", "capital_yuan"]].to_numpy().tolist()
    assert rows == [
        ["o_a", "station", pytest.approx(100, abs=1e-3), 100], ["o_b", "station", pytest.approx(200, abs=1e-3), 200],
        ["sa", "centre", pytest.approx(75, abs=1e-3), 575],
    ]  # fmt: skip


def apart(**changes: Any) -> tuple[City, Scenario]:
    """Two sub-districts of two communities, each with a station that needs a centre, and two buildings for one."""
    places = [{"community": c, "sub_district": "s1" if c in "ab" else "s2"} for c in "abcd"]
    sites = [{**AT_A, "site": f"s{c}", "community": c, "capital_yuan_per_m2": 20} for c in "abcd"]
    old = [{**OLD, "facility": f"f{c}", "community": c, "capacity": 80} for c in "bd"]
    needs = [("a", "clinic", 100), ("b", "clinic", 200), ("c", "clinic", 150), ("d", "clinic", 60)]
    found = scenario(years=2, yuan=[2500, 1500], clinic={"within": "sub_district"})
    return make_city(places, sites=sites, facilities=old, needs=needs), Scenario.model_validate(
        merged(found.model_dump(), changes)
    )


def test_parts_of_a_city_keep_their_levels_and_add_up() -> None:
    problem = build_problem(*apart())
    parts = [problem.part(communities) for communities in problem.parts]
    assert [part.communities for part in parts] == [("a", "b"), ("c", "d")]
    assert [[part.units.site[u] for u in part.existing_unit] for part in parts] == [["o_b"], ["o_d"]]
    models = [build_model(part) for part in parts]
    whole = build_model(problem)
    assert sum(m.n_columns for m in models) == whole.n_columns
    assert sum(m.n_rows for m in models) == whole.n_rows
    assert sum(m.matrix.sum() for m in models) == pytest.approx(whole.matrix.sum())


def test_prices_plan_levels_no_better_than_they_prove() -> None:
    goals = [{"goal": "worst_off", "tolerance": 0.01, "gap": 0.02}, {"goal": "unmet_need", "tolerance": 0, "gap": 0.01}]
    joint = build_joint(build_problem(*apart(goals=goals, solver={"method": "prices", "threads": 1})))
    found = find_plan(joint, Watch(Silent(), Event(), inf))
    assert joint.arrays(joint.unmet).violation(found.x[: joint.n_columns]) < 1e-5
    best = least_unmet(joint, found.levels)
    assert found.bounds["unmet_need"] <= best + 1e-4 <= value_of(joint.unmet, found.x) + 2e-4


def test_a_plan_stays_close_to_one_with_the_same_centres(tmp_path: Path) -> None:
    city, rule = apart()
    folder = run_folder(city, rule, tmp_path)
    joint = build_joint(build_problem(city, rule))
    near = previous_decisions(joint, folder)
    x = find_plan(joint, Watch(Silent(), Event(), inf)).x
    whole = np.flatnonzero(joint.integer)
    assert near[whole].tolist() == (x[whole] > 0.5).tolist()
    assert near[joint.model.columns["hang"].positions].sum() == 2


def test_a_station_that_is_upgraded_refers_more() -> None:
    # 200 there and 100 more by upgrade: a's 100 of 1,300 m away and b's 200 refer 75 to a new centre.
    rule = {"limit_m": 1300, "upgrade": {"fixed_yuan": 10, "most_capacity_share": 1.0}}
    found = two(AT_A, facilities=(OLD,), inclusive=False, clinic=rule)
    assert stations(found) == [
        ("o_b", "station", "upgraded", 300.0, 10.0, 10), ("sa", "centre", "opened", 75.0, 7.5, 1750)
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Run folder in which a centre opens in 2021 and an existing station hangs on it from then on."""
    city = make_city([A, B], sites=[{**AT_A, "lead_years": 1}], facilities=[OLD], needs=NEEDS)
    return run_folder(city, scenario(years=2), tmp_path)


def test_a_run_with_a_new_centre_passes_its_audit(run: Path) -> None:
    table = pd.read_csv(run / "tables" / "levels.csv", keep_default_na=False)
    assert table.to_numpy().tolist() == [["o_b", "clinic", "station", "sa", 1300, "sa", "centre", 2021]]
    report = audit_run(run)
    assert report.passed, report.text()


def rules(run: Path) -> set[str]:
    return {finding.rule for finding in audit_run(run).findings}


def change(run: Path, table: str, where: str, **values: str) -> None:
    path = run / "tables" / f"{table}.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(frame.query(where))
    for column, value in values.items():
        frame.loc[frame.query(where).index, column] = value
    frame.to_csv(path, index=False)


def test_the_audit_finds_a_station_that_serves_before_its_centre_is_open(run: Path) -> None:
    change(run, "levels", "site == 'o_b'", since="2020")
    assert "hangs_on_centre" in rules(run)


def test_the_audit_finds_what_is_served_before_anything_hangs(run: Path) -> None:
    change(run, "referrals", "site == 'o_b' and year == '2020'", served="200", referred_on="50")
    assert "referral" in rules(run)


def test_the_audit_finds_a_centre_too_small_for_what_is_referred(run: Path) -> None:
    change(run, "stations", "site == 'sa'", capacity="120", area_m2="12")
    assert {"referral", "station_cost"} <= rules(run)


def test_the_audit_finds_new_centres_that_the_scenario_does_not_have(run: Path) -> None:
    path = run / "scenario.resolved.yaml"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = next(n for n, line in enumerate(lines) if line.strip() == "centre:")
    indent = len(lines[at]) - len(lines[at].lstrip())
    rest = [n for n in range(at + 1, len(lines)) if len(lines[n]) - len(lines[n].lstrip()) <= indent]
    path.write_text("\n".join([*lines[:at], f"{' ' * indent}centre: null", *lines[rest[0] :]]) + "\n", encoding="utf-8")
    assert {"station_size", "hangs_on_centre"} <= rules(run)


def test_the_audit_finds_a_centre_whose_costs_are_those_of_a_station(run: Path) -> None:
    path = run / "scenario.resolved.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count("fixed_yuan: 1000\n") == 1
    path.write_text(text.replace("fixed_yuan: 1000\n", "fixed_yuan: null\n"), encoding="utf-8")
    assert "station_cost" in rules(run)


def findings(city: City, **more: Any) -> list[str]:
    return [finding.text() for finding in check_scenario(city, scenario(**more))]


def test_stations_that_can_hang_on_no_centre_are_listed() -> None:
    centre = {**OLD, "facility": "c", "community": "a", "level": "centre"}
    city = make_city([A, B], sites=[AT_B], facilities=[{**OLD, "name": "Old clinic"}, centre], needs=NEEDS)
    (said,) = findings(city, centre=None, limit_m=1000)
    assert "2 stations can hang on no centre and would serve nobody: Old clinic, sb" in said
    assert "hierarchy.limit_m = 1000" in said
    assert findings(city, centre=None) == []
    (said,) = findings(city, limit_m=1000)  # the centre that may open in sb is one for the old station, not for sb
    assert "1 stations" in said or "sb" in said
    assert findings(make_city([A, B], sites=[AT_A, AT_B], facilities=[OLD], needs=NEEDS)) == []


def test_a_network_without_any_centre_is_an_error() -> None:
    city = make_city([A, B], facilities=[OLD], needs=NEEDS)
    assert "there is no centre and none may open" in findings(city, centre=None)[0]
    assert "there is no centre and none may open" in findings(city)[0]  # there is no building for one


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"limit_m": None}, "limit_m"),
        ({"centre": {"min_capacity": 9, "max_capacity": 8}}, "min_capacity = 9 is above max_capacity = 8"),
        (
            {"inclusive": False, "referral_share": 0.0},
            "hierarchy.referral_share = 0 leaves new centres nobody to serve",
        ),
        ({"within": "town"}, "sub_district"),
    ],
)
def test_what_cannot_be_is_an_error_of_the_scenario(levels: Row, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        scenario(**levels)


def test_continuity_is_not_kept_with_levels() -> None:
    with pytest.raises(ValidationError, match="longest_gap_years is not kept where stations hang on centres"):
        scenario(clinic={"closing": {"freely": True}})
