"""Plans by rule with levels: stations hang on the nearest existing centre and refer what it has room for."""

from pathlib import Path

import pytest

from optimizer.scenario import Scenario
from tests.optimizer.cases import case
from tests.optimizer.test_hierarchy import CENTRE, NEEDS, STATION, A, B, scenario
from tests.optimizer.test_rules import RULES, by_rule, record_of, run_folder
from tests.optimizer.tiny import Plan, Row, make_city, merged

EVERY = ("equal", "greedy_by_need")


def two(
    split: str, centre: Row, sites: tuple[Row, ...] = (STATION,), facilities: tuple[Row, ...] = (), **more: object
) -> Plan:
    """A centre in a, and what could be in b, 1,300 m away, that refers a quarter of its cases to it."""
    ruled = Scenario.model_validate(merged(scenario(**more).model_dump(), {"rule": {"split": split}}))
    ground = make_city([A, B], sites=sites, facilities=[{**CENTRE, **centre}, *facilities], needs=NEEDS)
    return by_rule(ground, ruled)


@pytest.mark.parametrize("split", EVERY)
def test_a_new_station_refers_no_more_than_its_centre_has_room_for(split: str) -> None:
    """Of 120 places a uses 100; the other 20 are a quarter of 80 cases."""
    found = two(split, {"capacity": 120})
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (1.0, pytest.approx(0.4, abs=1e-6))
    new = found.tables.stations.query("site == 'st'")
    assert new["capacity"].tolist() == pytest.approx([80])


@pytest.mark.parametrize("split", EVERY)
def test_where_the_centre_is_full_no_station_opens(split: str) -> None:
    found = two(split, {"capacity": 100})
    assert set(found.tables.stations["site"]) == {"o_a"}
    assert found.met("b", "clinic") == 0.0


@pytest.mark.parametrize("split", EVERY)
def test_without_a_centre_within_the_limit_no_station_opens(split: str) -> None:
    assert two(split, {"capacity": 500}, limit_m=1299).met("b", "clinic") == 0.0
    assert two(split, {"capacity": 500}, limit_m=1300).met("b", "clinic") == 1.0


def test_an_exclusive_centre_has_all_its_room_for_referrals() -> None:
    """40 places are a quarter of 160 cases."""
    found = two("equal", {"capacity": 40}, inclusive=False)
    assert (found.met("a", "clinic"), found.met("b", "clinic")) == (0.0, pytest.approx(0.8, abs=1e-6))


def test_existing_stations_refer_as_well() -> None:
    """Of 130 places a uses 100; the old station in b refers 20 for its 80 cases, and a new one 10 for 40."""
    old: Row = {"facility": "g", "community": "b", "service": "clinic", "capacity": 80}
    found = two("equal", {"capacity": 130}, facilities=(old,))
    rows = found.tables.assignments.set_index(["community", "site"])["amount"]
    assert rows.to_dict() == pytest.approx({("a", "o_a"): 100, ("b", "o_b"): 80, ("b", "st"): 40})


@pytest.mark.parametrize("split", RULES)
def test_such_plans_pass_the_audit(split: str, tmp_path: Path) -> None:
    ground, levelled = case("hierarchy")
    changes = {"rule": {"split": split, "last_year_yuan": 4000}}
    whole = Scenario.model_validate(merged(levelled.model_dump(exclude_unset=True), changes))
    out = run_folder(ground, whole, tmp_path)
    assert record_of(out)["audit"]["passed"] is True
    assert (out / "tables" / "levels.csv").read_text(encoding="utf-8").count("\n") > 1
