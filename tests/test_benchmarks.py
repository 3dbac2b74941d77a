"""The synthetic cities of the benchmarks are sound and repeatable."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from benchmarks.instances import SERVICES, Variant, make_scenario, make_tables, write_instance
from benchmarks.proofs import CHANGES, proofs_rows
from benchmarks.run_benchmarks import goals_table, measured, plans_table
from benchmarks.slowdown import RECORD, compared, tasks
from geodata.check import check_city
from geodata.read import read_city
from geodata.schema import TABLES
from optimizer.scenario import Scenario


@pytest.mark.parametrize("variant", ["structured", "hard"])
def test_city_and_scenario_are_sound(variant: Variant, tmp_path: Path) -> None:
    path = write_instance(tmp_path, communities=60, seed=7, variant=variant)
    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    scenario = Scenario.model_validate(content)
    city = read_city(tmp_path / scenario.data.path)
    services = {name: service.siting for name, service in scenario.services.items()}
    errors = [f.text() for f in check_city(city, types=scenario.types, services=services) if f.severity == "error"]
    assert errors == []
    assert len(city.communities) == 60
    assert len(city.needs) == 60 * len(SERVICES)


def test_communities_are_a_partition() -> None:
    places = make_tables(200, 1, "hard")["communities"]
    whole = places.union_all()
    assert places.geometry.is_valid.all()
    assert places.area.sum() == pytest.approx(whole.area)
    assert whole.area == pytest.approx(whole.minimum_rotated_rectangle.area)


def test_same_arguments_same_city() -> None:
    first, again = make_tables(50, 3, "structured"), make_tables(50, 3, "structured")
    for name, table in first.items():
        pd.testing.assert_frame_equal(pd.DataFrame(table), pd.DataFrame(again[name]))
    assert not first["communities"]["population"].equals(make_tables(50, 4, "structured")["communities"]["population"])


def test_columns_are_those_of_the_schema() -> None:
    for name, table in make_tables(50, 3, "hard").items():
        assert set(table.columns) - {"geometry"} <= set(TABLES[name].names)
        required = {column.name for column in TABLES[name].columns if column.required}
        assert required <= set(table.columns)


def test_money_falls_short_of_what_is_wanted() -> None:
    tables = make_tables(100, 5, "structured")
    sources = make_scenario(tables, "small", "structured")["sources"]
    total = sum(source["amount_yuan"] for source in sources.values())
    assert np.isclose(sources["city_finance"]["amount_yuan"] / total, 0.55, atol=0.001)
    assert 0 < total < 1e9


def test_the_page_says_what_was_measured_and_not_where_it_went() -> None:
    assert measured(["base", "--add", "--out", "somewhere/else.md", "--set", "a=b"]) == ["base", "--set", "a=b"]


def test_a_city_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="below 4"):
        make_tables(1, 0, "hard")


def test_tables_of_results_show_value_bound_and_gap() -> None:
    stage = {"goal": "unmet_need", "value": 200.0, "bound": 198.0, "gap": 0.01, "seconds": 3.21, "unit": "person-needs"}
    record = {
        "scenario": "base",
        "status": "feasible",
        "gap": 0.01,
        "seconds": {"solving": 3.2},
        "peak_memory_mb": 812.4,
        "wall_seconds": 9.7,
        "stages": [{**stage, "reached_gap": 0.005}, {**stage, "goal": "travel", "bound": None, "gap": None}],
    }
    plans, goals = plans_table([record]), goals_table([record])
    assert "| base | feasible | 1.00 % | 10 |" in plans
    assert "| base | unmet_need | 200 | 198 | 1.00 % | 0.50 % | 3.2 | person-needs |" in goals
    assert "| base | travel | 200 | – | – | – |" in goals


def test_slowdown_marks_what_is_slower_than_recorded_and_what_is_new() -> None:
    rows, slower = compared({"a": 2.0, "b": 1.4, "c": 1.0}, {"a": 1.0, "b": 1.0})
    assert slower == ["a"]
    assert [row[-1] for row in rows] == ["slower", "", "new"]


def test_slowdown_records_every_task() -> None:
    assert set(json.loads(RECORD.read_text(encoding="utf-8"))) == set(tasks())


def test_proofs_of_sub_districts_prove_the_same_whatever_helps_them(tmp_path: Path) -> None:
    path = write_instance(tmp_path, communities=10, seed=7, variant="structured")
    yaml = YAML(typ="safe")
    content = yaml.load(path.read_text(encoding="utf-8"))
    yaml.dump({**content, "goals": [{"goal": "worst_off"}, {"goal": "unmet_need", "gap": 0.003}]}, path)
    rows = proofs_rows(str(path))
    assert [row[0] for row in rows[:-1]] == list(CHANGES)
    bounds = [float(row[3].replace(",", "")) for row in rows]
    assert max(bounds) - min(bounds) <= 5e-4 * max(bounds)
