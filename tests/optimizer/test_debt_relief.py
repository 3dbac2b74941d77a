"""Debts paid off, on cities small enough to solve by hand, equation (26); and a whole run with its audit."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from optimizer.audit import audit_run
from optimizer.joint import build_joint
from optimizer.problem_data import build_problem
from optimizer.run import run_scenario
from optimizer.scenario_file import load_scenario, resolved_yaml
from tests.optimizer.test_properties import highest, least_unmet
from tests.optimizer.tiny import ALL, Plan, Row, make_city, make_scenario, plan, write_city

A: Row = {"community": "a", "debt_yuan": 9000}
B: Row = {"community": "b", "debt_yuan": 3001}
CLASS: Row = {"general": {"purposes": [*ALL, "debt_relief"]}}
GIFT: Row = {"role": "donor", "purposes": ["debt_relief"]}


def relief(found: Plan) -> dict[tuple[str, int], int]:
    debts = found.tables.debts
    assert debts is not None
    return {(c, y): r for c, y, r in zip(debts["community"], debts["year"], debts["relief_yuan"], strict=True) if r}


def scenario_of(amount: object, **changes: Any) -> Any:
    changes = {"programmes": {"debt_relief": {}}, "guidance": CLASS} | changes
    return make_scenario(sources={"gift": {**GIFT, "amount_yuan": amount}}, **changes)


def test_the_worst_off_debtors_share_what_there_is() -> None:
    # 6,000 for debts of 9,000 and 3,000: half of each. The second debt is 3,001 but only whole yuan are paid.
    found = plan(make_city([A, B]), scenario_of(6000))
    assert found.worst == pytest.approx(6000 / 12_001, abs=1e-6)
    assert relief(found) == {("a", 2020): 4499, ("b", 2020): 1500}
    assert found.books.ledger[["purpose", "yuan"]].to_numpy().tolist() == [["debt_relief", 4499], ["debt_relief", 1500]]


def test_what_is_paid_off_stays_paid_off() -> None:
    # 3,000 a year: a third of 9,000, then two thirds; weights 5/9 and 4/9.
    found = plan(make_city([A]), scenario_of(3000, horizon={"years": 2, "discount": 0.25}))
    assert relief(found) == {("a", 2020): 3000, ("a", 2021): 3000}
    assert found.worst == pytest.approx(5 / 9 / 3 + 4 / 9 * 2 / 3, abs=1e-6)
    assert found.met("a", "debt_relief", 2021) == pytest.approx(2 / 3)
    debts = found.tables.debts
    assert debts is not None
    assert debts.drop(columns="community").to_numpy().tolist() == [[2020, 9000, 3000, 6000], [2021, 6000, 3000, 3000]]


def test_only_a_share_of_debts_that_are_large_enough() -> None:
    rule = {"debt_relief": {"share": 0.5, "min_debt_yuan": 3002}}
    found = plan(make_city([A, B]), scenario_of(50_000, programmes=rule))
    assert relief(found) == {("a", 2020): 4500}


def test_only_classes_and_sources_that_name_it() -> None:
    classes = {
        "general": {"when": {"debt_yuan": {"at_most": 8999}}, "purposes": ALL},
        "poor": {"purposes": ["debt_relief"]},
    }
    city = make_city([A, B])
    assert relief(plan(city, scenario_of(50_000, guidance=classes))) == {("a", 2020): 9000}
    with pytest.raises(ValidationError, match="no source may pay for debt_relief"):
        make_scenario(programmes={"debt_relief": {}}, guidance=CLASS)
    with pytest.raises(ValidationError, match="names debt_relief, but programmes has none"):
        scenario_of(5, programmes={})
    with pytest.raises(ValidationError, match="no class of guidance has debt_relief"):
        scenario_of(5, guidance={"general": {"purposes": ALL}})


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],
)
@given(st.integers(0, 9000), st.integers(0, 9000), st.integers(0, 9))
def test_a_larger_share_or_more_money_never_hurts(first: int, second: int, more: int) -> None:
    city = make_city([A, B])
    poor = build_joint(build_problem(city, scenario_of([first, second], horizon={"years": 2})))
    rich = build_joint(build_problem(city, scenario_of([first + 100 * more, second], horizon={"years": 2})))
    assert highest(rich) >= highest(poor) - 1e-6
    assert least_unmet(rich) <= least_unmet(poor) + 1e-4


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with debts, every rule of money and a ledger, audited as it was written."""
    folder = tmp_path_factory.mktemp("debts")
    city = make_city([A, B], needs=[("a", "desk", 100), ("b", "desk", 50)])
    write_city(city, folder / "city.gpkg")
    desk = {"siting": "own", "unit": "cases", "running_yuan_per_unit": 10, "fixed_yuan": 100}
    scenario = make_scenario(
        data={"path": str(folder / "city.gpkg"), "metric_crs": "EPSG:32648"},
        horizon={"years": 2, "price_growth": 0.1},
        programmes={"work_funds": {"floor_yuan": 4000}, "services": {"desk": desk}, "debt_relief": {}},
        guidance=CLASS,
        sources={
            "city": {
                "role": "city",
                "amount_yuan": [9000, 5000],
                "committed_yuan": [0, 500],
                "carry_limit_yuan": 2000,
                "lasts_years": 2,
                "limits": [{"for_each": "community", "at_least_yuan": 1501, "at_most_yuan": 4999}],
            },
            "gift": {**GIFT, "amount_yuan": 1000, "recurring": False, "purposes": ["debt_relief", "work_funds"]},
        },
        co_funding=[{"payer": "city", "of": "gift", "ratio": 0.7, "cap_yuan": 333}],
        running_commitment={"share": 0.2, "years_after": 3},
    )
    (folder / "scenario.yaml").write_text(resolved_yaml(scenario), encoding="utf-8")
    return run_scenario(load_scenario(folder / "scenario.yaml"), folder / "run")


def test_a_run_under_every_rule_passes_its_audit(run: Path) -> None:
    report = audit_run(run)
    assert report.passed, report.text()
    asked = {"debt_relief", "limits", "expiry", "running_commitment", "yearly_cost", "match_cap", "ledger_figure"}
    assert asked <= {check.name for check in report.checks if check.figures_recomputed}
    assert "Debt relief" in (run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("column", ["debt_yuan", "relief_yuan", "left_yuan"])
def test_a_debt_written_wrongly_is_found(run: Path, column: str) -> None:
    path = run / "tables" / "debts.csv"
    right = path.read_bytes()
    table = pd.read_csv(path)
    table.loc[0, column] += 1
    table.to_csv(path, index=False)
    found = {finding.rule for finding in audit_run(run).findings}
    path.write_bytes(right)
    assert "debt_relief" in found


def test_debts_left_out_are_found(run: Path) -> None:
    path = run / "tables" / "debts.csv"
    right = path.read_bytes()
    path.unlink()
    found = {finding.rule for finding in audit_run(run).findings}
    path.write_bytes(right)
    assert "files" in found
