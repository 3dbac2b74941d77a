"""A whole run on a tiny city: its folder, its audit, the same bytes again, and nothing left behind when it fails."""

import errno
import hashlib
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
import pytest

import optimizer.run_write
from geodata.findings import Finding, InputError
from optimizer.gaps import gap_of
from optimizer.goals import NoPlanYet
from optimizer.highs_arrays import Outcome, Status
from optimizer.price_search import NoPlan
from optimizer.progress import Silent
from optimizer.run import Infeasible, RunStopped, run_scenario
from optimizer.run_folder import COLUMNS, read_run
from optimizer.scenario import Scenario
from optimizer.scenario_file import LoadedScenario
from optimizer.whole_plan import WholePlan
from tests.optimizer.cases import CASES, case
from tests.optimizer.tiny import make_city, make_scenario, merged, write_city

# Whole yuan and six decimals cost a plan a little: no run is proven to a gap of zero.
GOALS = [{"goal": goal, "tolerance": 0.005, "gap": 0.01} for goal in ("worst_off", "unmet_need", "travel", "spending")]
STAGES = ["worst_off", "unmet_need", "travel", "spending"]


def loaded(name: str, folder: Path, **changes: Any) -> LoadedScenario:
    """Write the city of a case into `folder` and return its scenario, with changes, as if read from a file there."""
    city, scenario = case(name)
    path = folder / "城市 data.gpkg"
    if not path.exists():
        write_city(city, path)
    values = merged(
        scenario.model_dump(), {"data": {"path": str(path), "metric_crs": "EPSG:32648"}, "goals": GOALS, **changes}
    )
    filled = Scenario.model_validate(values)
    return LoadedScenario(filled, folder / "tiny.yaml", filled.model_dump())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path has spaces and Chinese characters."""
    place = tmp_path_factory.mktemp("runs") / "绵阳 的 计划"
    place.mkdir()
    return place


@pytest.fixture(scope="module")
def finished(folder: Path) -> Path:
    """Run folder of the case with everything."""
    changed = replace(loaded("everything", folder), changes=("horizon.years = 2",))
    return run_scenario(changed, folder / "第一 run")


def test_the_folder_is_whole(finished: Path) -> None:
    files = {path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()}
    tables = {f"tables/{name}.csv" for name in COLUMNS}
    assert tables | {"run.json", "scenario.resolved.yaml", "report.html", "plan.xlsx", "plan.gpkg"} <= files
    run = read_run(finished)
    more = {"stations": ["moved"], "space": ["given_m2"]}
    for name, columns in COLUMNS.items():
        assert list(run.table(name).columns) == [*columns, *more.get(name, [])]
    assert b"\r" not in (finished / "tables" / "met.csv").read_bytes()
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (finished / "tables").iterdir()}
    assert run.record["tables"] == hashes
    assert list(run.record["tables"]) == sorted(hashes)


def test_numbers_stand_in_tables_in_digits(tmp_path: Path) -> None:
    frame = pd.DataFrame({"share": [3e-06, 0.25, 1.0, 0.0, 12345678.5], "yuan": [1, 2, 3, 4, 5]})
    optimizer.run_write.write_table(frame, tmp_path / "table.csv")
    lines = ["share,yuan", "0.000003,1", "0.25,2", "1.0,3", "0.0,4", "12345678.5,5"]
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines() == lines


def test_the_record_says_what_was_found(finished: Path) -> None:
    record = json.loads((finished / "run.json").read_text(encoding="utf-8"))
    assert record["audit"]["passed"]
    assert record["audit"]["findings"] == []
    assert record["method"] == "whole"
    assert record["changes"] == ["horizon.years = 2"]
    assert [stage["goal"] for stage in record["stages"]] == STAGES
    assert record["status"] == "proven"
    assert all(stage["scope"] == "all plans" for stage in record["stages"])
    assert record["years"] == [2020, 2021]
    assert [Path(name).name for name in record["inputs"]] == ["城市 data.gpkg"]
    assert {"reading", "checking", "travel", "building", "solving", "rounding", "audit", "report"} <= record[
        "seconds"
    ].keys()


def test_the_record_keeps_what_was_doubtful_about_the_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doubtful = Finding("warning", file="town.gpkg", layer="communities", row=3, column="population", value="0")
    monkeypatch.setattr(sys.modules["optimizer.run"], "check_inputs", lambda *_: [doubtful])
    made = run_scenario(loaded("work_funds", tmp_path), tmp_path / "run")
    assert read_run(made).record["warnings"] == [doubtful.text()]


def check_run(run: Path) -> str:
    """Output of the independent checker, which is empty of findings for a good run; skip where it is absent."""
    checker = Path(__file__).resolve().parents[3] / "shared" / "check_run.py"
    if not checker.is_file():
        pytest.skip("needs ../shared/check_run.py, which is not part of the project")
    done = subprocess.run(
        [sys.executable, "-X", "utf8", str(checker), str(run)], capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_independent_checker_finds_nothing(finished: Path) -> None:
    assert check_run(finished).strip() == "0 findings"


@pytest.mark.parametrize("name", [name for name in CASES if name != "everything"])
def test_runs_of_single_programmes_pass_audit_and_checker(name: str, tmp_path: Path) -> None:
    out = run_scenario(loaded(name, tmp_path), tmp_path / "out")
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["audit"]["passed"]
    check_run(out)


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_a_plan_that_meets_all_needs_is_proven(method: str, tmp_path: Path) -> None:
    # Amounts come in six decimals, so that a few millionths of 240 person-needs seem unmet; no plan is below 0.
    money = {"city": {"role": "city", "amount_yuan": 90_000}}
    rich = loaded("own_services", tmp_path, sources=money, solver={"method": method})
    out = run_scenario(rich, tmp_path / "out")
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    found = {stage["goal"]: (stage["value"], stage["bound"], stage["gap"]) for stage in record["stages"]}
    assert found["worst_off"] == (1.0, 1.0, 0.0)
    assert found["unmet_need"] == (0.0, 0.0, 0.0)
    assert record["status"] == "proven"
    unmet = next(stage for stage in record["stages"] if stage["goal"] == "unmet_need")
    assert (unmet["reached"], unmet["reached_gap"]) == pytest.approx((0.0, 0.0), abs=1e-9)
    check_run(out)


@pytest.mark.parametrize(
    ("value", "bound", "gap"),
    [(8e-7, 0.0, 0.0), (1.1e-6, 0.0, 1.0), (2.0, 1.0, 0.5), (0.5, 0.5000009, 0.0), (0.5, 0.6, 0.2), (0.0, 0.0, 0.0)],
)
def test_a_value_at_its_bound_has_no_gap(value: float, bound: float, gap: float) -> None:
    assert gap_of(value, bound) == pytest.approx(gap)


@pytest.mark.parametrize("unit", [100, 1000])
def test_a_run_with_grants_in_whole_units(unit: int, folder: Path) -> None:
    changes = {"currency": {"unit_yuan": unit}, "goals": [{**goal, "gap": 0.05} for goal in GOALS]}
    out = run_scenario(loaded("everything", folder, **changes), folder / f"unit {unit}")
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["audit"]["passed"]
    run = read_run(out)
    ledger = run.table("ledger")
    paid = ledger.loc[ledger["purpose"] == "work_funds", "yuan"]
    assert paid.sum() > 0
    assert not (paid % unit).any()
    assert not (run.table("grants")[["entitled_yuan", "grant_yuan"]] % unit).to_numpy().any()
    check_run(out)


def test_the_price_method_makes_a_run_of_the_same_kind(folder: Path) -> None:
    out = run_scenario(loaded("everything", folder, solver={"method": "prices"}), folder / "prices")
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["audit"]["passed"]
    assert record["method"] == "prices"
    check_run(out)


def test_the_same_run_again_gives_the_same_bytes(finished: Path, folder: Path) -> None:
    again = run_scenario(loaded("everything", folder), folder / "second")
    for name in COLUMNS:
        one, two = ((run / "tables" / f"{name}.csv").read_bytes() for run in (finished, again))
        assert one == two, name
    one, two = ((run / "scenario.resolved.yaml").read_bytes() for run in (finished, again))
    assert one == two


def test_a_plan_that_stays_close_to_itself_differs_in_nothing(finished: Path, folder: Path) -> None:
    close = run_scenario(loaded("everything", folder), folder / "close", close_to=finished)
    record = json.loads((close / "run.json").read_text(encoding="utf-8"))
    assert record["closest_to"] == finished.name
    assert next(s["value"] for s in record["stages"] if s["goal"] == "closeness") == 0


@pytest.mark.parametrize("name", ["closing", "centres", "outlets", "upgrade", "swap"])
def test_every_decision_of_a_plan_is_known_to_one_that_stays_close(name: str, tmp_path: Path) -> None:
    first = run_scenario(loaded(name, tmp_path), tmp_path / "first")
    close = run_scenario(loaded(name, tmp_path), tmp_path / "close", close_to=first)
    assert read_run(close).record["decisions_that_differ"] == 0
    assert all((close / "tables" / f.name).read_bytes() == f.read_bytes() for f in (first / "tables").iterdir())


def test_closeness_that_a_search_did_not_prove_is_not_called_proven(
    folder: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(self: WholePlan, name: str, *rest: Any) -> Outcome:
        outcome = minimise(self, name, *rest)
        if name != "closeness":
            return outcome
        return replace(outcome, bound=0.0, status=Status.FEASIBLE)

    minimise = WholePlan.minimise
    monkeypatch.setattr(WholePlan, "minimise", cut_off)
    other = loaded("everything", folder, sources={"city": {"amount_yuan": [20_000, 10_000]}})
    record = read_run(run_scenario(other, folder / "cut off", close_to=finished)).record
    assert [stage["status"] for stage in record["stages"]] == [*["proven"] * len(STAGES), "feasible"]
    assert record["status"] == "proven"


def test_a_plan_is_written_beside_a_folder_that_came_meanwhile(tmp_path: Path) -> None:
    class Other(Silent):
        """Another search for the same plan, finished first."""

        def stage_start(self, *_: object) -> None:
            (tmp_path / "run").mkdir(exist_ok=True)
            (tmp_path / "run" / "run.json").write_text("{}")

    made = run_scenario(loaded("work_funds", tmp_path), tmp_path / "run", progress=Other())
    assert made == tmp_path / "run-2"
    assert read_run(made).record["audit"]["passed"]
    assert (tmp_path / "run" / "run.json").read_text() == "{}"
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["run", "run-2"]


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine", encoding="utf-8")
    scenario = loaded("work_funds", tmp_path)
    with pytest.raises(FileExistsError, match="not empty"):
        run_scenario(scenario, out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    with pytest.raises(FileExistsError):
        run_scenario(scenario, out / "mine.txt")


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert (run_scenario(loaded("work_funds", tmp_path), out) / "run.json").is_file()


def left(folder: Path) -> list[str]:
    """What lies in a folder besides the city."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".gpkg")


def test_a_run_stopped_before_it_starts_leaves_nothing(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(RunStopped, match="by hand"):
        run_scenario(loaded("everything", tmp_path), tmp_path / "out", stop=stop)
    assert left(tmp_path) == []


def test_the_price_method_stopped_at_once_says_so_or_leaves_nothing(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    out = tmp_path / "out"
    try:
        run_scenario(loaded("own_services", tmp_path, solver={"method": "prices"}), out, stop=stop)
    except RunStopped:
        assert left(tmp_path) == []
    else:
        assert json.loads((out / "run.json").read_text(encoding="utf-8"))["status"] == "stopped by hand"


class StopsAt(Silent):
    """Stops the search when a goal begins."""

    def __init__(self, goal: str) -> None:
        self.goal, self.stop = goal, Event()

    def stage_start(self, goal: str, index: int, count: int) -> None:
        """Stop where the goal is the one asked for."""
        del index, count
        if goal == self.goal:
            self.stop.set()


@pytest.mark.parametrize("goal", STAGES)
@pytest.mark.parametrize("method", ["whole", "prices"])
def test_a_search_stopped_at_any_goal_still_has_bounds(goal: str, method: str, tmp_path: Path) -> None:
    watcher = StopsAt(goal)
    out = tmp_path / "out"
    try:
        scenario = loaded("everything", tmp_path, solver={"method": method})
        run_scenario(scenario, out, progress=watcher, stop=watcher.stop)
    except RunStopped:
        assert left(tmp_path) == []
        return
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "stopped by hand"
    assert record["audit"]["passed"] is True
    assert all(math.isfinite(stage["bound"]) and math.isfinite(stage["value"]) for stage in record["stages"])
    assert goal in [stage["goal"] for stage in record["stages"]] + record["not_reached"]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = pd.DataFrame.to_csv, []

    def full(self: pd.DataFrame, path: Path, **more: Any) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(self, path, **more)

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="No space left"):
        run_scenario(loaded("work_funds", tmp_path), tmp_path / "out")
    assert len(calls) == 3
    assert left(tmp_path) == []


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(optimizer.run_write, "write_report", full)
    with pytest.raises(OSError, match="No space left"):
        run_scenario(loaded("work_funds", tmp_path), tmp_path / "out")
    assert left(tmp_path) == []


def test_a_hard_floor_without_money_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    # 16,200 yuan in the first year; of 8,000 in the east the city may add a tenth.
    programmes = {"work_funds": {"floor_yuan": 6000, "ceiling_yuan": None, "hard_floor": True}}
    matched = [{"purpose": "work_funds", "of": "city", "ratio": 10}]
    with pytest.raises(Infeasible) as caught:
        run_scenario(loaded("work_funds", tmp_path, programmes=programmes, co_funding=matched), tmp_path / "out")
    assert "are missing" in caught.value.report
    assert "east 2020" in caught.value.report
    assert left(tmp_path) == []


def test_a_hard_floor_above_the_budget_is_an_error_in_the_scenario(tmp_path: Path) -> None:
    programmes = {"work_funds": {"floor_yuan": 1_000_000, "ceiling_yuan": None, "hard_floor": True}}
    with pytest.raises(InputError, match="the hard floor is above the budget"):
        run_scenario(loaded("work_funds", tmp_path, programmes=programmes), tmp_path / "out")
    assert left(tmp_path) == []


def test_unusable_data_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        run_scenario(
            loaded(
                "everything", tmp_path, types={"needy": {}, "plain": {}}, sources={"east": {"districts": ["nowhere"]}}
            ),
            tmp_path / "out",
        )
    assert any("nowhere" in finding.text() for finding in caught.value.findings)
    assert left(tmp_path) == []


@pytest.mark.parametrize("bound", [0.75, math.inf])
def test_a_search_stopped_before_any_plan_keeps_its_bound(
    bound: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise NoPlanYet("time", "worst_off", bound)

    monkeypatch.setattr(sys.modules["optimizer.run"], "find_plan", stopped)  # `optimizer.run` is the function
    with pytest.raises(RunStopped) as told:
        run_scenario(loaded("everything", tmp_path), tmp_path / "out")
    said = "no plan has a worst-off score above 0.75" if math.isfinite(bound) else "nothing is proven yet"
    assert "time limit" in str(told.value)
    assert said in str(told.value)
    assert left(tmp_path) == []


def test_prices_that_do_not_settle_are_left_for_one_model_and_the_record_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise NoPlan([])

    monkeypatch.setattr("optimizer.price_search.Search.improve", away)
    out = run_scenario(loaded("everything", tmp_path, solver={"method": "prices"}), tmp_path / "out")
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["method"] == "whole, as prices did not settle"
    assert record["audit"]["passed"] is True
    assert record["status"] == "proven"


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_a_yuan_beside_ten_thousand_million_is_planned_and_footed(method: str, tmp_path: Path) -> None:
    names = list(case("everything")[1].sources)
    amounts = {names[0]: 10_000_000_000, **dict.fromkeys(names[1:], 1)}
    sources = {name: {"amount_yuan": yuan} for name, yuan in amounts.items()}
    out = run_scenario(loaded("everything", tmp_path, solver={"method": method}, sources=sources), tmp_path / "out")
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["audit"]["passed"] is True
    assert all(stage["gap"] is not None for stage in record["stages"])


@pytest.mark.parametrize("by_rule", [False, True])
def test_a_need_that_is_zero_in_one_year_counts_in_no_score_of_that_year(by_rule: bool, tmp_path: Path) -> None:
    """Equation (2): 480 yuan are no whole thousand, 504 a year later are one; b needs nothing else."""
    city = make_city(
        [{"community": "a", "office": 50}, {"community": "b", "office": 50, "type": "needy"}], needs=[("a", "desk", 10)]
    )
    write_city(city, tmp_path / "city.gpkg")
    scenario = make_scenario(
        data={"path": str(tmp_path / "city.gpkg"), "metric_crs": "EPSG:32648"},
        horizon={"years": 2, "price_growth": 0.05},
        currency={"unit_yuan": 1000},
        programmes={
            "work_funds": {"floor_yuan": 480},
            "space": {"target_m2": 100},
            "services": {"desk": {"fixed_yuan": 10_000}},
        },
        types={"plain": {"care": 0.0, "weights": {"space": 3}}, "needy": {"care": 0.0, "weights": {"space": 0}}},
        sources={"city": {"role": "city", "amount_yuan": 4000}},
        rule={"split": "equal"} if by_rule else None,
    )
    run = read_run(run_scenario(LoadedScenario(scenario, tmp_path / "x.yaml", scenario.model_dump()), tmp_path / "run"))
    score = run.scores.set_index(["community", run.scores["year"].fillna(0).astype(int)])["score"]
    assert score["a", 2020] == pytest.approx(3 * 0.5 / (3 + 1))
    assert score["a", 2021] == pytest.approx((1 + 3 * 0.5) / (1 + 3 + 1))
    assert score["b"].tolist() == [1, 1, 1]  # nothing is needed in the first year, the grant is paid in the second


@pytest.mark.parametrize("method", ["whole", "prices"])
def test_a_station_of_the_smallest_size_serves_as_much_to_the_last_unit(method: str, tmp_path: Path) -> None:
    """The clinic may not serve less than 200: all 199.9996 of a, and 0.0004 of the 1,000 of b."""
    city = make_city(
        [{"community": "a"}, {"community": "b"}],
        sites=[{"site": "st", "community": "a", "use": "station", "area_m2": 1000}],
        needs=[("a", "clinic", 199.9996, 1000), ("b", "clinic", 1000, 10)],
    )
    write_city(city, tmp_path / "city.gpkg")
    clinic = {"siting": "network", "limit_m": 2000, "min_capacity": 200, "capital_yuan_per_unit": 10}
    scenario = make_scenario(
        data={"path": str(tmp_path / "city.gpkg"), "metric_crs": "EPSG:32648"},
        programmes={"services": {"clinic": clinic}},
        sources={"city": {"role": "city", "amount_yuan": 2000}},
        goals=[goal for goal in GOALS if goal["goal"] != "worst_off"],
        solver={"method": method, "threads": 1},
    )
    run = read_run(run_scenario(LoadedScenario(scenario, tmp_path / "x.yaml", scenario.model_dump()), tmp_path / "run"))
    assert run.stations["capacity"].tolist() == [200]
    assert run.assignments["amount"].sum() == pytest.approx(200, abs=1e-4)
