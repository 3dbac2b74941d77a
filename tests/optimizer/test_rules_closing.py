"""Plans by rule keep everything open that need not close, close what must, and take what must be taken."""

from pathlib import Path

import pytest

from optimizer.rules import unkept
from optimizer.run import Infeasible
from optimizer.scenario import Scenario
from tests.optimizer.cases import case
from tests.optimizer.test_closing import OLD, OTHER, THREE, city, served, status
from tests.optimizer.test_rules import CLINIC, NONE, RULES, STATION, A, B, by_rule, only, record_of, ruled, run_folder
from tests.optimizer.tiny import Row, make_city, merged

EVERY = ("equal", "greedy_by_need")


def closing(split: str, amount: int | list[int], rule: Row, **more: object) -> Scenario:
    services = {"clinic": {**CLINIC, "closing": rule}, "desk": {"siting": "own", "capital_yuan_per_unit": 10}}
    return ruled(
        split, last_year_yuan=9000, horizon=THREE, programmes={"services": services, **more}, sources=only(amount)
    )


@pytest.mark.parametrize("split", EVERY)
def test_what_may_close_stays(split: str) -> None:
    """Closing the first station would save 1,000 yuan a year, which the desk could use."""
    found = by_rule(city(OLD, OTHER), closing(split, 2000, {"yuan": 400}))
    assert status(found, "o_a") == [(year, "existing", 100, 0, 1000) for year in (2020, 2021, 2022)]
    assert status(found, "o_b") == [(year, "existing", 200, 0, 300) for year in (2020, 2021, 2022)]


@pytest.mark.parametrize("split", EVERY)
def test_a_lease_that_ends_closes_a_station_and_its_people_are_taken_on(split: str) -> None:
    """Paid are its running cost until 2020, 400 yuan in 2021, and the other station, which serves all from then on."""
    found = by_rule(city({**OLD, "lease_until": 2020}, OTHER), closing(split, 2000, {"yuan": 400}))
    assert status(found, "o_a") == [(2020, "existing", 100, 0, 1000), (2021, "closed", 0, 400, 0)]
    assert served(found) == {("o_a", 2020): 100, ("o_b", 2021): 100, ("o_b", 2022): 100}
    assert unkept(found.problem, found.decisions) == ""


@pytest.mark.parametrize("split", EVERY)
def test_who_is_not_taken_on_is_served_by_a_new_station(split: str) -> None:
    """The other station has room for 60 of 100; a new one opens in 2021 for the other 40, and not before."""
    small = {**OTHER, "capacity": 60}
    ground = city({**OLD, "lease_until": 2020}, small, sites=[{**STATION, "site": "new"}])
    found = by_rule(ground, closing(split, 4000, {"longest_gap_years": 0}))
    assert served(found) == {
        ("o_a", 2020): 100, ("o_b", 2021): 60, ("o_b", 2022): 60, ("new", 2021): 40, ("new", 2022): 40
    }  # fmt: skip
    assert unkept(found.problem, found.decisions) == ""


def test_who_is_left_without_for_too_long_is_named(tmp_path: Path) -> None:
    ground = city({**OLD, "lease_until": 2020}, {**OTHER, "capacity": 60})
    with pytest.raises(Infeasible) as error:
        run_folder(ground, closing("equal", 4000, {"longest_gap_years": 1}), tmp_path)
    assert "closing.longest_gap_years (1), from 2022: a.\nWays out: allow a longer gap" in error.value.report
    anyway = by_rule(ground, closing("equal", 4000, {"longest_gap_years": None}))
    assert unkept(anyway.problem, anyway.decisions) == ""
    assert served(anyway) == {("o_a", 2020): 100, ("o_b", 2021): 60, ("o_b", 2022): 60}


def test_what_must_be_paid_but_cannot_is_said(tmp_path: Path) -> None:
    """1,300 yuan a year are needed to keep both stations, 800 more than there are in the later years."""
    with pytest.raises(Infeasible) as error:
        run_folder(city(OLD, OTHER), closing("equal", [2000, 500, 500], {"longest_gap_years": None}), tmp_path)
    assert "can pay what must be paid: 1,600 yuan are missing" in error.value.report
    assert "must = close" in error.value.report


@pytest.mark.parametrize("split", EVERY)
def test_sites_that_must_be_taken_come_off_the_top(split: str) -> None:
    """30 m2 at 10 yuan though nobody needs rooms, and 700 yuan for work funds."""
    room = {"site": "e", "community": "a", "use": "extension", "area_m2": 30, "capital_yuan_per_m2": 10, "must": "take"}
    scenario = ruled(split, programmes={"work_funds": {"floor_yuan": 5000}}, sources=only(1000))
    found = by_rule(make_city([A], sites=[room], needs=NONE), scenario)
    assert found.grants() == {("a", 2020): 700}
    assert found.tables.space[["site", "area_m2", "cost_yuan"]].to_numpy().tolist() == [["e", 30.0, 300]]


def test_a_building_that_must_be_taken_needs_its_services(tmp_path: Path) -> None:
    scenario = ruled("equal", programmes={"services": {"clinic": CLINIC}}, sources=only(1000))
    empty = make_city([A, B], sites=[{**STATION, "must": "take"}], needs=NONE)
    with pytest.raises(Infeasible, match="opens 0 services in st, which must be taken"):
        run_folder(empty, scenario, tmp_path)
    used = make_city([A, B], sites=[{**STATION, "must": "take"}], needs=[("a", "clinic", 50)])
    found = by_rule(used, scenario)
    assert unkept(found.problem, found.decisions) == ""
    assert found.tables.space["area_m2"].tolist() == [100]


@pytest.mark.parametrize("split", RULES)
def test_such_plans_pass_the_audit(split: str, tmp_path: Path) -> None:
    """A station may close and another must in 2022; a building must be taken."""
    ground, scenario = case("closing")
    changes = {"rule": {"split": split, "last_year_yuan": 4000}}
    whole = Scenario.model_validate(merged(scenario.model_dump(exclude_unset=True), changes))
    record = record_of(run_folder(ground, whole, tmp_path))
    assert record["audit"]["passed"] is True
