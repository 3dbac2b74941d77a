"""Swaps that give rooms up, and land of new buildings, on cities small enough to solve by hand (5), (7), (12)."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from geodata.check_swaps import check_swaps
from geodata.city import City
from optimizer.audit import audit_run
from optimizer.problem_data import build_problem
from optimizer.rules import plan_by_rule
from optimizer.rules.split import keys_of
from optimizer.scenario import Rule
from tests.optimizer.test_rules import run_folder
from tests.optimizer.tiny import Plan, Row, make_city, make_scenario, plan

A: Row = {"community": "a", "office": 100}
SWAP: Row = {
    "site": "e", "community": "a", "use": "extension", "instrument": "swap", "area_m2": 250, "gives_m2": 80,
    "fixed_yuan": 1000, "capital_yuan_per_m2": 10, "yearly_yuan_per_m2": 2,
}  # fmt: skip
BUILD: Row = {**SWAP, "instrument": "build", "area_m2": 150, "gives_m2": 0, "plot_m2": 40, "land_yuan_per_m2": 100}


def solve(*sites: Row, yuan: object = 1_000_000, years: int = 1, space: Row | None = None, **more: Any) -> Plan:
    scenario = make_scenario(
        horizon={"years": years},
        programmes={"space": {"target_m2": 300, **(space or {})}, **more},
        sources={"city": {"role": "city", "amount_yuan": yuan}},
    )
    return plan(make_city([A], sites=sites), scenario)


def rooms(found: Plan) -> list[tuple[Any, ...]]:
    columns = ["site", "year", "area_m2", "given_m2", "cost_yuan"]
    return [tuple(pytest.approx(v, abs=1e-4) if isinstance(v, float) else v for v in row)
            for row in found.tables.space[columns].itertuples(index=False)]  # fmt: skip


def test_a_swap_gives_up_part_of_the_office_and_pays_for_what_there_is_more() -> None:
    # 100 - 80 + 250 = 270 m2 of 300: 1,000 + 170 x 10 once and 250 x 2 a year.
    found = solve(SWAP)
    assert found.met("a", "space") == pytest.approx(270 / 300, abs=1e-6)
    assert rooms(found) == [("e", 2020, 250.0, 80.0, 1000 + 1700 + 500)]
    # 1,000 + 10 (q - 80) + 2 q = 2,000 make q = 150: 170 m2.
    found = solve(SWAP, yuan=2000)
    assert rooms(found) == [("e", 2020, 150.0, 80.0, 2000)]
    assert found.met("a", "space") == pytest.approx(170 / 300, abs=1e-6)


def test_a_swap_leaves_no_less_than_there_was() -> None:
    # The smallest, 80 m2 for 80, would cost 1,160 and give nothing; it is not taken.
    assert rooms(solve(SWAP, yuan=1160)) == []
    assert rooms(solve({**SWAP, "must": "take"})) == [("e", 2020, 250.0, 80.0, 3200)]


def test_the_office_is_used_until_the_new_rooms_are_ready() -> None:
    found = solve({**SWAP, "lead_years": 1}, years=2)
    assert [found.met("a", "space", year) for year in (2020, 2021)] == pytest.approx([100 / 300, 270 / 300], abs=1e-6)
    assert rooms(found) == [("e", 2020, 0.0, 0.0, 2700), ("e", 2021, 250.0, 80.0, 500)]


def test_two_swaps_give_up_no_more_than_the_office_has() -> None:
    # 80 and 60 are more than 100: the one that brings more, 170 to 140.
    other = {**SWAP, "site": "f", "area_m2": 200, "gives_m2": 60}
    found = solve(SWAP, other)
    assert [name for name in found.joint.row_names() if name.startswith("eq7_given")] == ["eq7_given(a)"]
    assert rooms(found) == [("e", 2020, 250.0, 80.0, 3200)]
    both = solve(SWAP, {**other, "gives_m2": 20})  # 100 - 80 + 250 - 20 + 200 is more than 300, with 130 of 200 at most
    assert [row[0] for row in rooms(both)] == ["e", "f"] or both.met("a", "space") == 1.0
    assert both.met("a", "space") == 1.0


def test_what_is_given_up_is_no_floor_for_new_stations() -> None:
    # A desk of 200 cases needs 200 m2; the swap leaves 20 + 150 m2.
    city = make_city([A], sites=[{**SWAP, "area_m2": 150}], needs=[("a", "desk", 200)])
    desk = {"siting": "own", "area_m2_per_unit": 1.0}
    found = plan(city, make_scenario(programmes={"space": {"target_m2": 300}, "services": {"desk": desk}}))
    assert found.met("a", "desk") == pytest.approx(170 / 200, abs=1e-5)


def test_the_share_of_the_price_of_land_that_is_paid() -> None:
    # 40 m2 of land at 100 yuan are paid once, with 1,000 fixed and 150 x 10: in full, by half, not at all.
    for part, land in ((1.0, 4000), (0.5, 2000), (0.0, 0)):
        assert rooms(solve(BUILD, space={"land_fee_share": part})) == [("e", 2020, 150.0, 0.0, 2800 + land)]
    assert rooms(solve({**BUILD, "instrument": "renovate"})) == [("e", 2020, 150.0, 0.0, 2800)]
    # Land alone makes taking a part a matter of yes or no.
    small = solve({**BUILD, "fixed_yuan": 0}, yuan=3999)
    assert rooms(small) == []


def test_plans_by_rule_swap_too() -> None:
    scenario = make_scenario(
        programmes={"space": {"target_m2": 300}}, sources={"city": {"role": "city", "amount_yuan": 100_000}}
    )
    other = {**SWAP, "site": "f", "area_m2": 90, "gives_m2": 60, "capital_yuan_per_m2": 1000}
    city = make_city([A], sites=[SWAP, other])
    problem = build_problem(city, scenario)
    rule = Rule(split="equal")
    chosen = plan_by_rule(problem, rule, keys_of(city, rule))
    assert [problem.rooms.site[r] for r in chosen.room] == ["e"]  # a second one would give up more than is left
    assert chosen.room_m2.tolist() == pytest.approx([250.0])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Run folder with a swap and a new building."""
    build = {**BUILD, "site": "b", "area_m2": 30}
    scenario = make_scenario(horizon={"years": 2, "price_growth": 0.1}, programmes={"space": {"target_m2": 300}})
    city = make_city([A], sites=[{**SWAP, "lead_years": 1}, build], needs=[("a", "desk", 0.0)])
    return run_folder(city, scenario, tmp_path)


def rules(run: Path) -> set[str]:
    return {finding.rule for finding in audit_run(run).findings}


def test_a_run_with_swap_and_land_passes_its_audit(run: Path) -> None:
    report = audit_run(run)
    assert report.passed, report.text()
    assert "given_up" in {check.name for check in report.checks}


@pytest.mark.parametrize("value", ["0", "70"])
def test_the_audit_finds_rooms_that_are_not_given_up(run: Path, value: str) -> None:
    path = run / "tables" / "space.csv"
    table = pd.read_csv(path, dtype=str)
    table.loc[(table["site"] == "e") & (table["year"] == "2021"), "given_m2"] = value
    table.to_csv(path, index=False)
    assert "given_up" in rules(run)


def test_the_audit_finds_met_space_that_counts_what_is_given_up(run: Path) -> None:
    path = run / "tables" / "met.csv"
    table = pd.read_csv(path, dtype=str)
    mine = (table["need"] == "space") & (table["year"] == "2021")
    assert float(table.loc[mine, "met_amount"].item()) == pytest.approx(300)
    table.loc[(table["need"] == "space") & (table["year"] == "2020"), ["met_amount", "met_share"]] = ["210", "0.7"]
    table.to_csv(path, index=False)
    assert "met_amount" in rules(run)


def test_the_audit_finds_land_that_is_not_paid(run: Path) -> None:
    path = run / "scenario.resolved.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count("land_fee_share: 1") == 1
    path.write_text(text.replace("land_fee_share: 1", "land_fee_share: 0.9"), encoding="utf-8")
    assert "room_cost" in rules(run)


def test_an_office_given_up_twice_is_found(run: Path) -> None:
    import geopandas as gpd

    city = next((run.parent).glob("*.gpkg"))
    sites = gpd.read_file(city, layer="sites")
    sites.loc[sites["site"] == "o_a", "area_m2"] = 70.0
    sites.to_file(city, layer="sites", driver="GPKG")
    assert "given_up" in rules(run)


def said(*sites: Row) -> list[str]:
    city: City = make_city([A], sites=sites)
    return [f"{finding.severity}: {finding.text()}" for finding in check_swaps(city)]


def test_swaps_and_land_that_cannot_be_are_named() -> None:
    assert said(SWAP, {**BUILD, "site": "b"}) == []
    assert "error" in said({**SWAP, "gives_m2": 101})[0]
    assert "is more than the office of the community has" in said({**SWAP, "gives_m2": 101})[0]
    assert "is more than the new rooms have" in said({**SWAP, "area_m2": 70})[0]
    assert "warning" in said({**SWAP, "instrument": "rent"})[0]
    assert "only swaps of extensions give rooms up" in said({**SWAP, "use": "station"})[0]
    assert "only new buildings take land" in said({**BUILD, "instrument": "rent"})[0]
    assert "its price of land counts for nothing" in said({**BUILD, "plot_m2": 0})[0]
