"""Plans in which stations close, move and pass their people on, through a whole run; each corruption is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from optimizer.audit import audit_run
from optimizer.run import run_scenario
from optimizer.scenario_file import load_scenario
from tests.optimizer.test_closing import BUILDING, CLINIC, DESK, OLD, OTHER, THREE, city
from tests.optimizer.tiny import CRS_M, Row, make_scenario, write_city

LEASED: Row = {**OLD, "lease_until": 2020}
BUILDINGS = (BUILDING, {**BUILDING, "site": "sv", "community": "b", "must": "leave"})


def run(folder: Path, amount: int, closing: Row, *facilities: Row) -> Path:
    """Plan a city and write its run folder, as `allot run` does."""
    write_city(city(*facilities, sites=BUILDINGS, desk=500), folder / "city.gpkg")
    scenario = make_scenario(
        horizon=THREE,
        data={"path": str(folder / "city.gpkg"), "metric_crs": CRS_M},
        programmes={"services": {"clinic": {**CLINIC, "closing": closing}, "desk": DESK}},
        sources={"city": {"role": "city", "amount_yuan": amount}},
    )
    with (folder / "s.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(json.loads(scenario.model_dump_json()), file)
    return run_scenario(load_scenario(str(folder / "s.yaml")), folder / "run")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The station in a moves into a building when its lease ends; the building in b must be left."""
    return run(tmp_path_factory.mktemp("moved"), 1500, {"moving_yuan": 500}, LEASED)


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The station in a closes and its people go to the one in b."""
    return run(tmp_path_factory.mktemp("merged"), 2000, {"yuan": 400}, OLD, OTHER)


def test_plans_pass(moved: Path, merged: Path) -> None:
    stations = pd.read_csv(moved / "tables" / "stations.csv")
    assert stations.query("site == 'st' and moved == 1")["year"].tolist() == [2021]
    stations = pd.read_csv(merged / "tables" / "stations.csv")
    assert stations.query("status == 'closed'")[["site", "year", "capital_yuan"]].to_numpy().tolist() == [
        ["o_a", 2021, 400]
    ]
    for folder in (moved, merged):
        assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["audit"]["passed"]
        assert {"closing", "continuity", "must_take"} <= {check.name for check in audit_run(folder).checks}


def scenario(change: Callable[[Row], None]) -> Callable[[Path], None]:
    def corrupt(folder: Path) -> None:
        path = folder / "scenario.resolved.yaml"
        values = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        change(values["programmes"]["services"]["clinic"])
        with path.open("w", encoding="utf-8") as file:
            YAML().dump(values, file)

    return corrupt


def table(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def corrupt(folder: Path) -> None:
        path = folder / "tables" / f"{name}.csv"
        change(pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False, lineterminator="\n")

    return corrupt


def set_where(query: str, **values: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        rows = frame.query(query).index
        assert len(rows)
        for column, value in values.items():
            frame.loc[rows, column] = value
        return frame

    return change


def reopened(folder: Path) -> None:
    """Say that the station in a opens again, in the same building, in the year after it closed."""
    path = folder / "tables" / "stations.csv"
    frame = pd.read_csv(path, keep_default_na=False)
    row = frame.query(CLOSED).assign(year=2022, status="opened", capacity=50, capital_yuan=2500)
    pd.concat([frame, row]).to_csv(path, index=False, lineterminator="\n")


CLOSED = "site == 'o_a' and service == 'clinic' and year == 2021"
CASES: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "no key": ("merged", "closing", scenario(lambda clinic: clinic.update(closing=None))),
    "not freely": ("merged", "closing", scenario(lambda clinic: clinic["closing"].update(freely=False))),
    "closing is dearer": ("merged", "station_cost", scenario(lambda clinic: clinic["closing"].update(yuan=500))),
    "moving is dearer": ("moved", "station_cost", scenario(lambda clinic: clinic["closing"].update(moving_yuan=600))),
    "no moves": ("moved", "moving", scenario(lambda clinic: clinic["closing"].update(moving_yuan=None))),
    "moved, it says": ("merged", "moving", table("stations", set_where("site == 'o_b'", moved=1))),
    "stays after its lease": (
        "moved", "closing", table("stations", set_where(CLOSED, status="existing", capacity=100, running_yuan=1000)),
    ),
    "called existing": ("merged", "stays_open", table("stations", set_where(CLOSED, status="existing"))),
    "open though closed": ("merged", "status", table("stations", set_where(CLOSED, capacity=100))),
    "its people are forgotten": (
        "merged", "continuity", table("assignments", lambda f: f.query("not (site == 'o_b' and year == 2022)")),
    ),
    "nobody is served today": (
        "merged", "continuity", table("assignments", lambda f: f.query("not (site == 'o_a' and service == 'clinic')")),
    ),
    "nobody is served ever": (
        "merged", "continuity", table("assignments", lambda f: f.query("service != 'clinic'")),
    ),
    "moved into the building it closes in": ("merged", "closing", reopened),
    "more is taken on than ended": (
        "merged", "steady_share", table("assignments", set_where("site == 'o_a' and service == 'clinic'", amount=50)),
    ),
    "taken though it must be left": (
        "moved", "must_take", table("space", lambda f: pd.concat([f, f.query("site == 'st'").assign(site="sv")])),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_corruption_is_named(case: str, moved: Path, merged: Path, tmp_path: Path) -> None:
    plan, rule, corrupt = CASES[case]
    folder = tmp_path / "run"
    shutil.copytree({"moved": moved, "merged": merged}[plan], folder)
    corrupt(folder)
    report = audit_run(folder)
    assert rule in report.counts, report.text()


CENTRE: Row = {**OLD, "facility": "f0", "level": "centre", "capacity": 70}


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station and a centre serve a at its office, 100 visits together; the station (60) closes, the centre stays."""
    station = {**OLD, "capacity": 60, "lease_until": 2020}
    return run(tmp_path_factory.mktemp("halved"), 3000, {"freely": False, "longest_gap_years": None}, station, CENTRE)


def test_what_a_closed_station_served_ends_though_another_level_stays_in_its_place(halved: Path) -> None:
    amounts = pd.read_csv(halved / "tables" / "assignments.csv").query("site == 'o_a' and service == 'clinic'")
    assert amounts["amount"].tolist() == pytest.approx([100, 70, 70], abs=1e-3)


def test_no_more_ends_than_what_closes_had_room_for(halved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(halved, folder)
    table("assignments", set_where("site == 'o_a' and service == 'clinic' and year > 2020", amount=39))(folder)
    said = [f.text() for f in audit_run(folder).findings if f.rule == "steady_share"]
    assert len(said) == 1
    assert "clinic at o_a serves 61 units less from 2021 on; what closes there had room for 60" in said[0]


def test_two_levels_in_one_place_may_close_in_different_years(tmp_path: Path) -> None:
    station, centre = {**OLD, "capacity": 60, "lease_until": 2020}, {**CENTRE, "lease_until": 2021}
    folder = run(tmp_path, 3000, {"freely": False}, station, centre, OTHER)
    closed = pd.read_csv(folder / "tables" / "stations.csv").query("status == 'closed' and capital_yuan >= 0")
    assert closed.groupby("level")["year"].min().to_dict() == {"centre": 2022, "station": 2021}
