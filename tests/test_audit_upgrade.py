"""Plans in which stations are upgraded where they stand, through a whole run; each corruption is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from optimizer.audit import audit_run
from optimizer.run import run_scenario
from optimizer.scenario_file import load_scenario
from tests.optimizer.test_upgrade import BUILDING, CLINIC, OLD, city
from tests.optimizer.tiny import CRS_M, Row, make_scenario, write_city
from tests.test_audit_closing import scenario, set_where, table

FEW: Row = {**OLD, "facility": "f2", "community": "b", "capacity": 10, "spare_m2": 0}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The station in a is upgraded in 2021; the one in b is not, and nothing opens in the building."""
    folder = tmp_path_factory.mktemp("upgraded")
    write_city(city(OLD, FEW, sites=({**BUILDING, "must": "leave"},), b=250), folder / "city.gpkg")
    made = make_scenario(
        horizon={"years": 3},
        data={"path": str(folder / "city.gpkg"), "metric_crs": CRS_M},
        programmes={"services": {"clinic": CLINIC}},
        sources={"city": {"role": "city", "amount_yuan": [1500, 3000, 3000]}},
    )
    with (folder / "s.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(json.loads(made.model_dump_json()), file)
    return run_scenario(load_scenario(str(folder / "s.yaml")), folder / "run")


def facilities(**values: object) -> Callable[[Path], None]:
    """Change what facilities say: the scenario reads columns from others of the same file."""

    def corrupt(folder: Path) -> None:
        path = folder / "scenario.resolved.yaml"
        read = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        read["data"]["layers"]["facilities"] = values
        with path.open("w", encoding="utf-8") as file:
            YAML().dump(read, file)

    return corrupt


def test_the_plan_passes(plan: Path) -> None:
    stations = pd.read_csv(plan / "tables" / "stations.csv").query("site == 'o_a'")
    assert stations["status"].tolist() == ["existing", "upgraded", "kept"]
    assert stations["capacity"].tolist() == pytest.approx([100, 180, 180], abs=1e-4)
    assert stations["capital_yuan"].tolist() == [0, 1100, 0]
    assert json.loads((plan / "run.json").read_text(encoding="utf-8"))["audit"]["passed"]
    assert audit_run(plan).passed


UP = "site == 'o_a' and year == 2021"
AFTER = "site == 'o_a' and year >= 2021"
CASES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no key": ("station_size", scenario(lambda clinic: clinic.update(upgrade=None))),
    "less may be added": ("station_size", scenario(lambda clinic: clinic["upgrade"].update(most_capacity_share=0.7))),
    "more floor a visit": ("station_size", scenario(lambda clinic: clinic.update(area_m2_per_unit=0.2))),
    "no floor to spare": ("station_size", facilities(columns={"spare_m2": "lease_until"})),
    "a lease that ends": ("station_size", facilities(columns={"lease_until": "area_m2"})),
    "dearer": ("station_cost", scenario(lambda clinic: clinic["upgrade"].update(fixed_yuan=500))),
    "paid as an opening": ("station_cost", table("stations", set_where(UP, capital_yuan=9800))),
    "runs at the cost of a new one": ("station_cost", table("stations", set_where(UP, running_yuan=1360))),
    "larger": ("station_size", table("stations", set_where(AFTER, capacity=190, area_m2=21))),
    "shrinks again": ("stays_open", table("stations", set_where("site == 'o_a' and year == 2022", capacity=100))),
    "no floor": ("station_area", table("stations", set_where(UP, area_m2=12))),
    "called kept": ("status", table("stations", set_where(UP, status="kept"))),
    "called opened": ("status", table("stations", set_where(UP, status="opened"))),
    "moved, it says": ("moving", table("stations", set_where(UP, moved=1))),
    "used before": ("capacity", table("assignments", set_where("site == 'o_a' and year == 2020", amount=140))),
    "not used": ("capacity_used", table("assignments", lambda f: f.query("not (site == 'o_a' and year == 2022)"))),
}


@pytest.mark.parametrize("case", CASES)
def test_a_corruption_is_named(case: str, plan: Path, tmp_path: Path) -> None:
    rule, corrupt = CASES[case]
    folder = tmp_path / "run"
    shutil.copytree(plan, folder)
    corrupt(folder)
    report = audit_run(folder)
    assert rule in report.counts, report.text()
