"""The interface for notebooks: plans as frames and maps."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import altair as alt
import pytest
import vl_convert

import optimizer as allot
from optimizer.audit.report import AuditCheck, AuditReport
from optimizer.jobs import Place
from optimizer.run_folder import RunError
from optimizer.scenario_find import ScenarioError
from tests.report_run import make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [make_run(folder / "base"), make_run(folder / "cut", "cut", cut=0.1, library=False)]


@pytest.fixture(scope="module")
def plan(runs: list[Path]) -> allot.Plan:
    return allot.load(runs[0])


def test_a_plan_is_frames(plan: allot.Plan) -> None:
    assert plan.years == [2007, 2008]
    assert "base 2007–2008, proven" in repr(plan)
    communities = plan.communities.set_index("community")
    assert communities.loc["c000", "met_share"] == pytest.approx(0.775)
    assert communities.loc["c000", "change"] == pytest.approx(0.35)
    assert communities.loc["c000", "score_before"] == pytest.approx(0.175)
    assert communities.loc["c000", "gain"] == pytest.approx(0.6)
    assert communities.crs is not None
    assert plan.stations.geometry.geom_type.eq("Point").all()
    paid = plan.ledger.pivot_table(index="source", columns="year", values="yuan", aggfunc="sum", fill_value=0)
    assert paid.to_numpy().sum() == plan.sources["spent_yuan"].sum()
    assert set(plan.grants.columns) >= {"community", "year", "entitled_yuan", "grant_yuan"}
    assert plan.scores["year"].isna().sum() == 6
    assert len(plan.met) == 6 * 4 * 2
    for frame in (plan.space, plan.assignments, plan.station_years):
        assert len(frame)


def test_a_plan_speaks(plan: allot.Plan) -> None:
    assert str(plan.summary()).startswith("Plan  2007–2008")
    assert plan.why("c000")[0].startswith("Guidance class")
    with pytest.raises(KeyError):
        plan.why("nowhere")


@pytest.mark.parametrize(
    "column", ["met_share", "change", "gain", "met_space", "grant_yuan", "class", "set_aside", "score", "score_before"]
)
def test_maps_are_drawn_without_a_network(plan: allot.Plan, column: str) -> None:
    chart = plan.map(column, stations=column == "met_share")
    picture = vl_convert.vegalite_to_svg(chart.to_json())
    assert picture.count("<path") > 6
    assert alt.renderers.active != "default"


def test_map_of_an_unknown_column_names_the_columns(plan: allot.Plan) -> None:
    with pytest.raises(KeyError, match="met_share"):
        plan.map("metshare")


def test_plans_are_compared(plan: allot.Plan, runs: list[Path]) -> None:
    comparison = plan.compare(runs[1])
    assert comparison.labels == ["base", "cut"]
    assert vl_convert.vegalite_to_svg(comparison.map().to_json()).count("<path") > 6
    assert vl_convert.vegalite_to_svg(comparison.map("cut", "library").to_json()).count("<path") > 6
    with pytest.raises(KeyError, match="not compared"):
        comparison.map("other")
    with pytest.raises(KeyError, match="no such need"):
        comparison.map("cut", "bread")
    assert allot.compare(plan, allot.load(runs[1])).value("money", "", "cut") == comparison.value("money", "", "cut")


def test_what_a_cell_shows_is_short(plan: allot.Plan, runs: list[Path]) -> None:
    assert repr(plan.compare(runs[1])).startswith("<Comparison of ")
    report = AuditReport(passed=False, checks=[AuditCheck("ledger", "19", 1234)], findings=[], findings_count=2)
    assert repr(report) == "<AuditReport not passed, 2 findings; 1 rules, 1,234 figures recomputed>"


def test_what_can_go_wrong_can_be_caught_by_name(plan: allot.Plan, runs: list[Path], tmp_path: Path) -> None:
    for name in ("CompareError", "Infeasible", "InputError", "RunError", "ScenarioError"):
        assert issubclass(getattr(allot, name), Exception)
        assert name in allot.__all__
    with pytest.raises(allot.RunError):
        allot.load(tmp_path)
    with pytest.raises(allot.ScenarioError):
        allot.run("bse")
    with pytest.raises(allot.CompareError):
        allot.compare(plan)
    comparison = plan.compare(runs[1])
    with pytest.raises(KeyError, match="there is no figure 'mony'; there are 'money'"):
        comparison.value("mony")
    with pytest.raises(KeyError, match="there is no scenario 'other'; there are 'base', 'cut'"):
        comparison.value("money", "", "other")


def test_one_text_is_one_change(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"^--set  horizon\.yeers  unknown key"):
        allot.run("one_year", changes="horizon.yeers=1", out=tmp_path / "a")


def test_what_a_reader_must_know_is_on_the_plan_and_warned_of(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert allot.load(runs[0]).notes == []
    made = tmp_path / "made"
    shutil.copytree(runs[0], made)
    record = json.loads((made / "run.json").read_text(encoding="utf-8"))
    doubtful = "town.gpkg   communities, row 3: population = 0"
    record |= {"status": "stopped by time", "warnings": [doubtful]}
    (made / "run.json").write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(importlib.import_module("optimizer.run"), "run_scenario", lambda *_, **__: made)
    with pytest.warns(UserWarning, match="population = 0|stopped by time") as said:
        plan = allot.run("one_year", out=tmp_path / "a")
    assert [str(one.message) for one in said] == plan.notes
    assert plan.notes[0] == doubtful
    assert plan.notes[1].startswith("The search was stopped by time; ")
    assert {one.filename for one in said} == {__file__}
    spoilt = "runs/one_year-1: changed since the plan was made. This plan is not used, and its folder is left as it is."
    monkeypatch.setattr("optimizer.jobs.place_for", lambda *_, **__: Place(made, True, (spoilt,)))
    with pytest.warns(UserWarning, match="This plan is not used|population = 0|stopped by time") as said:
        allot.run("one_year")
    assert [str(one.message) for one in said] == [spoilt, *plan.notes]


def test_who_and_what_is_not_there_is_named(plan: allot.Plan, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="nobody: there is no such community; communities are c000, "):
        plan.why("nobody")
    with pytest.raises(RunError, match="not a run folder"):
        allot.run("one_year", close_to=tmp_path / "none", out=tmp_path / "a")


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(allot.api.RunError, match=r"no run\.json"):
        allot.load(tmp_path)


def test_modules_of_the_same_name_do_not_hide_the_functions() -> None:
    importlib.import_module("optimizer.compare")
    assert callable(allot.compare)
    assert callable(allot.run)
    assert set(allot.__all__) <= set(dir(allot))


def test_importing_the_package_loads_nothing_else(root: Path) -> None:
    """All of it would be time in which Ctrl-C still ends the command with a traceback."""
    code = "import sys; before = set(sys.modules); import optimizer; print(sorted(set(sys.modules) - before))"
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "['optimizer']"
