"""One-stop buildings: counters that come once, and what sharing saves beside a building for every service."""

import json
from pathlib import Path

import pandas as pd
import pytest

from optimizer.audit import audit_run
from optimizer.facts import Facts
from optimizer.report.page import page
from optimizer.report.summary import one_stop_text, summarise
from optimizer.run_folder import read_run, read_run_city
from tests.audit_city import signed
from tests.optimizer.test_rules import run_folder
from tests.optimizer.tiny import Row, make_city, make_scenario, plan

A: Row = {"community": "a"}
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
CLINIC: Row = {"siting": "network", "limit_m": 1500, "fixed_yuan": 2000, "area_m2_per_unit": 0.1}
TWO: Row = {"services": {"clinic": CLINIC, "care": CLINIC}, "one_stop": {"counter_yuan": 300, "counter_m2": 4}}
NEEDS = [("a", "clinic", 200), ("a", "care", 60)]


def test_a_counter_is_paid_once_for_all_services_of_a_building() -> None:
    """20 + 6 m2 of stations and 4 m2 of counter: 1,000 + 300 + 30 x 55 for the building, 2 x 2,000 for the stations."""
    found = plan(make_city([A], sites=[BUILDING], needs=NEEDS), make_scenario(programmes=TWO))
    assert (found.met("a", "clinic"), found.met("a", "care")) == (1.0, 1.0)
    (room,) = found.tables.space.itertuples()
    assert (room.area_m2, room.cost_yuan) == (pytest.approx(30, abs=1e-5), 2950)
    assert found.books.ledger["yuan"].sum() == 2950 + 4000


def test_what_sharing_saves_is_what_buildings_of_their_own_would_cost_more() -> None:
    """Alone: 24 m2 for the clinic, and 20, the smallest, for care: 2 x 1,300 + 44 x 55 = 5,020 yuan."""
    found = plan(make_city([A], sites=[BUILDING], needs=NEEDS), make_scenario(programmes=TWO))
    (row,) = found.tables.one_stop.itertuples()
    assert (row.site, row.community, row.services) == ("st", "a", 2)
    assert (row.area_m2, row.alone_m2) == (pytest.approx(30, abs=1e-5), pytest.approx(44, abs=1e-5))
    assert (row.cost_yuan, row.alone_yuan, row.saved_yuan) == (2950, 5020, 2070)


def test_a_building_that_must_be_taken_whole_is_compared_with_small_ones(tmp_path: Path) -> None:
    """1,300 + 100 x 55 = 6,800 yuan beside the 5,020 of two small buildings."""
    city = make_city([A], sites=[{**BUILDING, "must": "take"}], needs=NEEDS)
    run = run_folder(city, make_scenario(programmes=TWO), tmp_path)
    (row,) = pd.read_csv(run / "tables" / "one_stop.csv").itertuples()
    assert (row.cost_yuan, row.alone_yuan, row.saved_yuan) == (6800, 5020, -1780)
    assert audit_run(run).findings == []


def test_the_counter_takes_its_floor_from_the_stations() -> None:
    """14 m2 less 4 leave 10: 100 of the clinic's 200 units."""
    small = {**BUILDING, "area_m2": 14, "min_area_m2": 0}
    programmes = {"services": {"clinic": CLINIC}, "one_stop": TWO["one_stop"]}
    found = plan(make_city([A], sites=[small], needs=NEEDS[:1]), make_scenario(programmes=programmes))
    assert found.met("a", "clinic") == pytest.approx(0.5, abs=1e-5)
    assert found.tables.one_stop.empty


def test_without_counters_a_building_costs_what_it_did() -> None:
    programmes = {"services": TWO["services"]}
    found = plan(make_city([A], sites=[BUILDING], needs=NEEDS), make_scenario(programmes=programmes))
    assert found.tables.space["cost_yuan"].tolist() == [1000 + 26 * 55]
    (row,) = found.tables.one_stop.itertuples()
    assert row.saved_yuan == 2 * 1000 + (20 + 20) * 55 - (1000 + 26 * 55)


@pytest.mark.parametrize("yuan_per_m2", [0.07, 0.25, 0.27])
def test_rounding_alone_saves_and_loses_nothing(yuan_per_m2: float, tmp_path: Path) -> None:
    """20 + 6 m2 at 0.07 yuan are 1.40 + 0.42 alone and 1.82 together: rounded one by one, 1 yuan would be lost."""
    cheap = {"fixed_yuan": 0, "min_area_m2": 0, "capital_yuan_per_m2": yuan_per_m2, "yearly_yuan_per_m2": 0}
    city = make_city([A], sites=[{**BUILDING, **cheap}], needs=NEEDS)
    run = run_folder(city, make_scenario(programmes={"services": TWO["services"]}), tmp_path)
    (row,) = pd.read_csv(run / "tables" / "one_stop.csv").itertuples()
    assert row.saved_yuan == 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of two services in one building."""
    horizon = {"years": 2, "price_growth": 0.1}
    city = make_city([A], sites=[{**BUILDING, "lead_years": 1}], needs=NEEDS)
    return run_folder(city, make_scenario(programmes=TWO, horizon=horizon), tmp_path_factory.mktemp("one_stop"))


def test_a_run_says_what_it_saves(run: Path) -> None:
    """A year of lead: 1,300 + 30 x 50 first, 1.1 x 30 x 5 then; alone 2 x 1,300 + 44 x 50 and 1.1 x (24 + 20) x 5."""
    table = pd.read_csv(run / "tables" / "one_stop.csv")
    assert table[["cost_yuan", "alone_yuan", "saved_yuan"]].to_numpy().tolist() == [[2965, 5042, 2077]]
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["one_stop"] == {"buildings": 1, "saved_yuan": 2077}
    read = read_run(run)
    facts = Facts(read, read_run_city(read))
    said = "2,077 yuan and 14 m² of floor saved by 1 building that 2 stations share, against a building for each"
    assert one_stop_text(facts) == said
    (line,) = [line for line in summarise(facts).lines if line.label == "One-stop"]
    assert (line.figure, line.text) == ("", said)
    shown = page(facts)
    assert "What one-stop buildings save" in shown
    assert said in shown


@pytest.mark.parametrize(
    ("column", "value"),
    [("services", 3), ("area_m2", 31), ("alone_m2", 60), ("cost_yuan", 2900), ("alone_yuan", 6000), ("saved_yuan", 1),
     ("site", "o_a"), ("community", "b")],
)  # fmt: skip
def test_the_audit_finds_every_wrong_figure(run: Path, column: str, value: object) -> None:
    assert audit_run(run).passed
    path = run / "tables" / "one_stop.csv"
    good = path.read_text(encoding="utf-8")
    frame = pd.read_csv(path, dtype=str)
    frame[column] = str(value)
    if column in {"cost_yuan", "alone_yuan"}:
        frame["saved_yuan"] = (frame["alone_yuan"].astype(int) - frame["cost_yuan"].astype(int)).astype(str)
    record = (run / "run.json").read_text(encoding="utf-8")
    try:
        frame.to_csv(path, index=False)
        told = {**json.loads(record), "one_stop": {"buildings": 1, "saved_yuan": int(frame["saved_yuan"].item())}}
        (run / "run.json").write_text(json.dumps(told), encoding="utf-8")
        assert {finding.rule for finding in audit_run(signed(run)).findings} == {"one_stop_saving"}
    finally:
        path.write_text(good, encoding="utf-8")
        (run / "run.json").write_text(record, encoding="utf-8")


def test_a_missing_table_is_found(run: Path) -> None:
    path = run / "tables" / "one_stop.csv"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    try:
        assert [finding.table for finding in audit_run(run).findings] == ["one_stop"]
    finally:
        path.write_text(text, encoding="utf-8")
