"""Rooms that are used once, and developers' deposits, through a whole run; each corruption is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from optimizer.audit import audit_run
from optimizer.run import run_scenario
from optimizer.scenario_check import check_scenario
from optimizer.scenario_file import load_scenario
from tests.optimizer.test_floor import OWN, RULES, SHARED, city
from tests.optimizer.tiny import CRS_M, Row, make_city, make_scenario, merged, write_city
from tests.test_audit_closing import set_where, table

GIVEN: Row = {"community": "a", "use": "extension", "instrument": "hand_over", "lead_years": 1}
SITES = (
    {**GIVEN, "site": "g1", "area_m2": 40, "min_area_m2": 40, "first_year": 2021, "project_m2": 5000},
    {**GIVEN, "site": "g2", "area_m2": 10, "project_m2": 333},  # may be taken in parts
    {**GIVEN, "site": "g3", "area_m2": 10},  # a project of no size
)
ASKED = merged(RULES, {"space": {"deposit": {"yuan_per_m2": 2.5}}})


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three developers hand over rooms beside an office that a shared station stands in."""
    folder = tmp_path_factory.mktemp("space")
    tiny = city(OWN, SHARED, sites=SITES)
    write_city(tiny, folder / "city.gpkg")
    made = make_scenario(
        horizon={"years": 3, "price_growth": 0.1},
        data={"path": str(folder / "city.gpkg"), "metric_crs": CRS_M},
        programmes=ASKED,
    )
    with (folder / "s.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(json.loads(made.model_dump_json()), file)
    return run_scenario(load_scenario(str(folder / "s.yaml")), folder / "run")


def test_a_deposit_is_held_from_the_start_of_a_project_until_its_rooms_are_handed_over(plan: Path) -> None:
    # 2.5 x 5,000 x 1.1 in 2021, and 2.5 x 333 = 832.5, half up, in 2020. They pay for nothing.
    rows = pd.read_csv(plan / "tables" / "deposits.csv").to_numpy().tolist()
    assert rows == [
        ["g1", "a", 2021, 13750, 0, 13750],
        ["g1", "a", 2022, 0, 13750, 0],
        ["g2", "a", 2020, 833, 0, 833],
        ["g2", "a", 2021, 0, 833, 0],
    ]
    assert pd.read_csv(plan / "tables" / "ledger.csv")["yuan"].sum() == 0
    met = pd.read_csv(plan / "tables" / "met.csv").query("need == 'space'")["met_amount"].tolist()
    assert met == pytest.approx([70, 90, 130], abs=1e-4)
    assert audit_run(plan).passed


FIRST = "site == 'g1' and year == 2021"
CASES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "held too little": ("deposit", table("deposits", set_where(FIRST, held_yuan=1))),
    "paid in too little": ("deposit", table("deposits", set_where(FIRST, paid_in_yuan=12500))),
    "not paid back": ("deposit", table("deposits", set_where("site == 'g1'", paid_back_yuan=0))),
    "a yuan less": ("deposit", table("deposits", set_where("site == 'g2' and year == 2021", paid_back_yuan=832))),
    "of another community": ("deposit", table("deposits", set_where(FIRST, community="b"))),
    "forgotten": ("deposit", table("deposits", lambda f: f.query("site != 'g1'"))),
    "held for longer": ("deposit", table("deposits", lambda f: pd.concat([f, f.tail(1).assign(year=2022)]))),
    "no table": ("files", lambda folder: (folder / "tables" / "deposits.csv").unlink()),
    "the clinic's floor counts": ("met_amount", table("met", set_where("need == 'space'", met_amount=160))),
    "the clinic's floor is used": (
        "floor", table("stations", set_where("service == 'desk' and year == 2020", capacity=100, area_m2=100)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_corruption_is_named(case: str, plan: Path, tmp_path: Path) -> None:
    rule, corrupt = CASES[case]
    folder = tmp_path / "run"
    shutil.copytree(plan, folder)
    corrupt(folder)
    report = audit_run(folder)
    assert rule in report.counts, report.text()


def test_a_deposit_without_projects_is_named() -> None:
    bare = make_city([{"community": "a"}], sites=[SITES[2]], needs=[("a", "desk", 1)])
    asked = make_scenario(programmes=ASKED)
    found = [f.text() for f in check_scenario(bare, asked)]
    assert any("no developer's project has a size" in text for text in found), found
    sized = make_city([{"community": "a"}], sites=[SITES[0]], needs=[("a", "desk", 1)])
    assert not [f for f in check_scenario(sized, asked) if "deposit" in f.text()]
