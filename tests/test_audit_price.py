"""The price of fairness through a whole run: tables, record, terminal, report, comparison; each corruption is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from optimizer.audit import audit_run
from optimizer.compare import compare
from optimizer.run import run_scenario
from optimizer.scenario_file import load_scenario
from tests.audit_city import signed
from tests.optimizer.test_price_of_fairness import towns, two
from tests.optimizer.tiny import CRS_M, write_city
from tests.test_audit_closing import set_where, table

SAID = (
    "Fairness costs 1,000 person-needs (33.33 % of what could be met without it); the worst-off community has 0.50 of "
    "its needs met, and 0.00 in the plan without fairness."
)


def run(folder: Path, *, price: bool) -> Path:
    """Run two communities with money for one, with or without the price of fairness."""
    write_city(towns(), folder / "city.gpkg")
    made = two(data={"path": str(folder / "city.gpkg"), "metric_crs": CRS_M}, fairness={"price": price})
    with (folder / "s.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(json.loads(made.model_dump_json()), file)
    return run_scenario(load_scenario(str(folder / "s.yaml")), folder / "run")


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("priced"), price=True)


def test_nothing_else_of_the_plan_changes(priced: Path, tmp_path: Path) -> None:
    quiet = run(tmp_path, price=False)
    tables = {path.name for path in (quiet / "tables").iterdir()}
    assert {path.name for path in (priced / "tables").iterdir()} - tables == {"price_of_fairness.csv"}
    for name in sorted(tables):
        assert (priced / "tables" / name).read_bytes() == (quiet / "tables" / name).read_bytes(), name
    assert "price" not in json.loads((quiet / "run.json").read_text(encoding="utf-8"))["fairness"]


def test_it_is_said_in_the_record_the_terminal_the_report_and_a_comparison(priced: Path, tmp_path: Path) -> None:
    from optimizer.report.summary import summarise_folder

    record = json.loads((priced / "run.json").read_text(encoding="utf-8"))
    assert record["fairness"]["price"]["said"] == SAID
    assert record["audit"]["passed"]
    assert "price_of_fairness" in {check["name"] for check in record["audit"]["checks"]}
    assert pd.read_csv(priced / "tables" / "price_of_fairness.csv").to_numpy().tolist() == [
        ["a", 1500.0, 0.0, 0.5, 1.0],
        ["b", 500.0, 1000.0, 0.5, 0.0],
    ]
    assert SAID in " ".join(summarise_folder(priced).text().split())
    page = (priced / "report.html").read_text(encoding="utf-8")
    assert SAID in page
    assert 'id="price-table"' in page
    shutil.copytree(priced, tmp_path / "again")
    assert f"tiny (again): {SAID}" in compare([priced, tmp_path / "again"]).text(400)


def said(part: str, name: str, value: float) -> Callable[[Path], None]:
    """Change a figure of the record; `part` may be empty."""

    def corrupt(folder: Path) -> None:
        path = folder / "run.json"
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        price = record["fairness"]["price"]
        (price[part] if part else price)[name] = value
        path.write_text(json.dumps(record), encoding="utf-8")

    return corrupt


def forgotten(folder: Path) -> None:
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del record["fairness"]["price"]
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")


RULE, A = "price_of_fairness", "community == 'a'"
CASES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "not said": (RULE, forgotten),
    "not found, and nothing stopped it": (RULE, said("", "found", False)),
    "another value with fairness": (RULE, said("with", "value", 1990.0)),
    "another bound with fairness": (RULE, said("with", "bound", 1990.0)),
    "another value without": (RULE, said("without", "value", 1010.0)),
    "a bound above the value": (RULE, said("without", "bound", 1200.0)),
    "a price that is too high": (RULE, said("", "high", 1100.0)),
    "a price that is too low": (RULE, said("", "low", 0.0)),
    "a share of something else": (RULE, said("", "high_share", 0.5)),
    "a better score without": (RULE, said("worst_off", "without", 0.3)),
    "more met with": (RULE, said("met_share", "with", 0.6)),
    "less unmet with": (RULE, table(RULE, set_where(A, unmet_need=1400.0))),
    "more unmet than there is": (RULE, table(RULE, set_where(A, unmet_need_without=3100.0))),
    "another score with": (RULE, table(RULE, set_where(A, score=0.6))),
    "a score above 1": (RULE, table(RULE, set_where(A, score_without=1.2))),
    "a community forgotten": ("complete", table(RULE, lambda f: f.query("community != 'a'"))),
    "a community twice": ("complete", table(RULE, lambda f: pd.concat([f, f.tail(1)]))),
    "no table": ("files", lambda folder: (folder / "tables" / f"{RULE}.csv").unlink()),
}


@pytest.mark.parametrize("case", CASES)
def test_a_corruption_is_named(case: str, priced: Path, tmp_path: Path) -> None:
    rule, corrupt = CASES[case]
    folder = tmp_path / "run"
    shutil.copytree(priced, folder)
    corrupt(folder)
    report = audit_run(signed(folder))
    assert set(report.counts) == {rule}, report.text()
