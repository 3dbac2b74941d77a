"""The command line: what it prints where, its exit codes, and that nothing is lost or repeated."""

import errno
import importlib
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from geodata.findings import Finding, InputError
from optimizer import cli, cli_check, cli_run, jobs
from optimizer.answers import answer
from optimizer.beginning import Beginning
from optimizer.identity import file_hash, run_identity
from optimizer.run_folder import COLUMNS
from optimizer.scenario_file import LoadedScenario, load_scenario, resolved_yaml
from optimizer.sweep import FIGURES, read_vary, set_in_vain, sweep_table
from optimizer.terminal import Terminal, bar, percent, proven

TOWN = """\
name: town
title: A town
data: {path: city.gpkg}
horizon: {first_year: 2007, years: 2}
types: {core: {}}
guidance: {all: {purposes: [work_funds, space, services]}}
programmes:
  work_funds: {floor_yuan: 50000}
  services: {legal: {siting: own}}
sources: {city: {role: city, amount_yuan: 1000000}}
"""
GOALS = ("worst_off", "unmet_need", "travel", "spending")
Act = Callable[[LoadedScenario, Any], None]


class Infeasible(Exception):
    def __init__(self, report: str):
        super().__init__(report)
        self.report = report


def nothing(_loaded: LoadedScenario, _stop: Any) -> None:
    """Just go on."""


class FakeRuns:
    """Stands for `optimizer.run`: writes a run folder, or does what a test asks for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Path | None, int]] = []
        self.begun: list[Beginning | None] = []
        self.act: Act = nothing
        self.audit = True

    def run_scenario(
        self,
        loaded: LoadedScenario,
        out: Path,
        *,
        progress: Any,
        close_to: Path | None = None,
        stop: Any = None,
        begin: Beginning | None = None,
    ) -> Path:
        self.calls.append((loaded.scenario.name, close_to, loaded.scenario.solver.threads))
        self.begun.append(begin)
        progress.phase("Reading", "3 communities", 0.5)
        self.act(loaded, stop)
        stopped = stop is not None and stop.is_set()
        stages: list[dict[str, Any]] = []
        for index, goal in enumerate(GOALS, 1):
            done = not stopped or index <= 2
            progress.stage_start(goal, index, len(GOALS))
            progress.stage_update(goal, 5.0, 4.0, 0.25, 0.1)
            progress.stage_end(goal, 5.0 if done else None, 4.9, 0.018, 0.2, "")
            stages.append({"goal": goal, "value": 5.0 if done else None, "gap": 0.018 if done else None})
        status = "stopped by hand" if stopped else "proven"
        record = {"scenario": loaded.scenario.name, "status": status, "gap": 0.018, "stages": stages}
        record["audit"] = {"passed": self.audit, "checks": [], "findings": []}
        (out / "tables").mkdir(parents=True)
        for name in COLUMNS:
            (out / "tables" / f"{name}.csv").write_text(f"community\n{loaded.scenario.name}\n", encoding="utf-8")
        record["tables"] = {path.name: file_hash(path) for path in (out / "tables").iterdir()}
        (out / "scenario.resolved.yaml").write_text(resolved_yaml(loaded.scenario), encoding="utf-8")
        (out / "report.html").write_text("<p>report</p>", encoding="utf-8")
        Beginning(("money",), ("open",), level=0.5 if begin is None else 0.25).write(out)
        (out / "run.json").write_text(json.dumps(record), encoding="utf-8")
        return out


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "town.yaml").write_text(TOWN, encoding="utf-8")
    (tmp_path / "city.gpkg").write_bytes(b"a city")
    return tmp_path


@pytest.fixture
def fake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    del folder
    runs = FakeRuns()
    module = types.ModuleType("optimizer.run")
    module.run_scenario, module.Infeasible = runs.run_scenario, Infeasible  # type: ignore[attr-defined]
    module.RunStopped = type("RunStopped", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "optimizer.run", module)
    summary = types.SimpleNamespace(text=lambda: "Plan  2007–2008, the summary")
    monkeypatch.setattr("optimizer.report.summary.summarise_folder", lambda _: summary)
    return runs


def allot(*words: str) -> Result:
    return CliRunner().invoke(cli.app, list(words), prog_name="allot")


def blot(path: Path) -> None:
    """Change a table."""
    path.write_text(path.read_text(encoding="utf-8") + "more\n", encoding="utf-8")


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


# ---- run


def test_a_run_prints_progress_on_stderr_and_the_summary_on_stdout(fake: FakeRuns) -> None:
    done = allot("run", "town")
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    assert lines[0] == "A town · scenario town · 2007–2008"
    assert lines[1].startswith("Reading      3 communities")
    assert [line[:11] for line in lines[2:]] == [f"Goal {i} of 4" for i in (1, 2, 3, 4)]
    assert "proven within 1.8 %" in lines[3]
    assert "\x1b" not in done.stderr
    assert "Plan  2007–2008, the summary" in done.stdout
    folder = fake_folder()
    assert f"Report   {folder.as_posix()}/report.html      (allot open {folder.as_posix()})" in done.stdout


def test_the_heading_of_a_run_says_what_was_changed(fake: FakeRuns) -> None:
    done = allot("run", "town", "--set", "programmes.work_funds.floor_yuan=60000", "--hard-floor")
    changed = "programmes.work_funds.floor_yuan = 60000 · programmes.work_funds.hard_floor = true"
    assert done.stderr.splitlines()[0] == f"A town · scenario town · 2007–2008 · {changed}"


def fake_folder(stem: str = "town") -> Path:
    found = sorted(Path("runs").glob(f"{stem}-*"))
    assert len(found) == 1
    return found[0]


def test_an_unchanged_run_is_used_again(fake: FakeRuns, folder: Path) -> None:
    allot("run", "town")
    again = allot("run", "town.yaml", "--set", "solver.threads=1")
    assert again.exit_code == 0
    assert "Nothing has changed since this plan was made" in again.stderr
    assert len(fake.calls) == 1
    assert allot("run", "town", "--again").exit_code == 0
    assert len(fake.calls) == 2
    assert len(list(Path("runs").iterdir())) == 2
    allot("run", "town", "--set", "sources.city.scale=0.9")
    (folder / "city.gpkg").write_bytes(b"another city")
    allot("run", "town")
    assert len(fake.calls) == 4


def test_a_run_that_was_stopped_or_failed_is_not_used_again(fake: FakeRuns) -> None:
    fake.audit = False
    failed = allot("run", "town")
    assert failed.exit_code == 1
    fake.audit = True
    assert allot("run", "town").exit_code == 0
    assert allot("run", "town").exit_code == 0
    assert len(fake.calls) == 2


@pytest.mark.parametrize(("spoil", "said"), [(Path.unlink, "missing"), (Path.touch, ""), (blot, "changed since")])
def test_a_plan_whose_tables_are_not_as_written_is_left_alone_and_made_anew(
    fake: FakeRuns, spoil: Callable[[Path], None], said: str
) -> None:
    allot("run", "town")
    table = fake_folder() / "tables" / "met.csv"
    spoil(table)
    done = allot("run", "town")
    assert done.exit_code == 0, done.output
    assert len(fake.calls) == (2 if said else 1)
    note = f"{table}: {said}"
    assert (note in done.stderr and "is not used, and its folder is left as it is" in done.stderr) == bool(said)
    again = allot("run", "town")
    assert "Nothing has changed since this plan was made" in again.stderr
    assert len(fake.calls) == (2 if said else 1)


def test_runs_from_before_tables_were_hashed_are_used_as_they_are(fake: FakeRuns) -> None:
    allot("run", "town")
    path = fake_folder() / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["tables"]
    path.write_text(json.dumps(record), encoding="utf-8")
    blot(path.parent / "tables" / "met.csv")
    assert "Nothing has changed since this plan was made" in allot("run", "town").stderr
    assert len(fake.calls) == 1


def test_an_output_folder_that_holds_something_is_refused_before_anything_is_run(fake: FakeRuns, folder: Path) -> None:
    (folder / "mine").mkdir()
    assert allot("run", "town", "--out", "mine").exit_code == 0
    before = sorted(path.name for path in (folder / "mine").iterdir())
    done = allot("run", "town", "--out", "mine")
    assert done.exit_code == 2
    assert "--out mine: is not empty; name a folder that is not there yet" in done.stderr
    assert sorted(path.name for path in (folder / "mine").iterdir()) == before
    assert "is a file" in allot("run", "town", "--out", "town.yaml").stderr
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("run", "town"),
        ("run", "town", "--out", "new/mine"),
        ("sweep", "town", "--vary", "horizon.discount=0.02,0.04"),
        ("compare", "town", "less"),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_run(
    fake: FakeRuns, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    Path("less.yaml").write_text("extends: town\nsources: {city: {scale: 0.9}}\n", encoding="utf-8")

    def refuse(path: Path, *_: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    done = allot(*words)
    assert done.exit_code == 2, done.stderr
    said = "cannot be written there (Read-only file system); work in another folder, or name one with --out"
    assert said in done.stderr
    assert not fake.calls


def test_json_is_all_that_stands_on_stdout(fake: FakeRuns) -> None:
    content = json.loads(allot("run", "town", "--json").stdout)
    assert content["status"] == "proven"
    assert content["reused"] is False
    assert Path(content["folder"]).name.startswith("town-")
    assert [stage["goal"] for stage in content["stages"]] == list(GOALS)
    assert json.loads(allot("run", "town", "--json").stdout)["reused"] is True
    assert len(fake.calls) == 1


def test_short_words_for_common_changes(fake: FakeRuns) -> None:
    seen: list[LoadedScenario] = []
    fake.act = lambda loaded, _: seen.append(loaded)
    words = ["--years", "1", "--method", "whole", "--time-limit", "7", "--hard-floor"]
    assert allot("run", "town", *words).exit_code == 0
    scenario = seen[0].scenario
    assert (scenario.horizon.years, scenario.solver.method, scenario.solver.time_limit_seconds) == (1, "whole", 7)
    assert scenario.programmes.work_funds.hard_floor


# ---- what cannot be done


def test_mistakes_are_listed_with_their_number_and_nothing_is_run(fake: FakeRuns, folder: Path) -> None:
    write(folder, "bad.yaml", "extends: town\nsources: {city: {amuont_yuan: 3}}\nhorizon: {years: many}\n")
    done = allot("run", "bad.yaml")
    assert done.exit_code == 2
    assert "bad.yaml:2:18  sources.city.amuont_yuan  unknown key; did you mean amount_yuan?" in done.stderr
    assert "bad.yaml:3:18  horizon.years = many" in done.stderr
    assert done.stderr.rstrip().endswith("errors, nothing was run.")
    assert done.stdout == ""
    assert fake.calls == []
    assert not Path("runs").exists()


def raiser(error: BaseException) -> Act:
    def act(loaded: LoadedScenario, stop: Any) -> None:
        raise error

    return act


FINDING = Finding("error", "city.gpkg", "communities", 17, "x", "population", "-3", message="must be 0 or more")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError([FINDING]), 2, "city.gpkg   communities, row 17 (x): population = -3  must be 0 or more\n1 error"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), 2, "runs/x: the disk is full; free some space"),
        (PermissionError(errno.EACCES, "denied", "runs/x"), 2, "runs/x: no permission"),
        (FileNotFoundError(errno.ENOENT, "gone", "x.gpkg"), 2, "x.gpkg: there is no such file or folder"),
        (MemoryError(), 2, "too little memory for this city"),
        (KeyboardInterrupt(), 130, "Stopped at once; nothing was saved"),
        (RuntimeError("odd"), 3, "Something went wrong inside allot: RuntimeError: odd"),
    ],
)
def test_errors_are_answers(fake: FakeRuns, error: BaseException, code: int, said: str) -> None:
    fake.act = raiser(error)
    done = allot("run", "town")
    assert done.exit_code == code
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


def test_debug_shows_where_an_error_comes_from(fake: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.act = raiser(RuntimeError("odd"))
    monkeypatch.setattr(cli, "_debug", True)
    assert isinstance(allot("run", "town").exception, RuntimeError)


def test_no_plan_is_an_answer(fake: FakeRuns) -> None:
    fake.act = raiser(Infeasible("No plan can keep these rules together:\n  lower the floor"))
    done = allot("run", "town")
    assert (done.exit_code, done.stdout) == (1, "No plan can keep these rules together:\n  lower the floor\n")
    content = json.loads(allot("run", "town", "--json").stdout)
    assert content["status"] == "infeasible"
    assert content["messages"][1] == "  lower the floor"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "Missing argument"),
        (["run", "twon"], "there is no such scenario; did you mean town?"),
        (["run", "town", "--method", "magic"], "magic"),
        (["run", "town", "--years", "0"], "--years"),
        (["run", "town", "--set", "years"], "write KEY=VALUE"),
        (["rnu", "town"], "No such command"),
        (["compare", "town"], "at least two"),
        (["compare", "town", "town.yaml"], "is named twice"),
        (["check", "nothing.gpkg"], "there is no such file or folder"),
        (["check", "nothing.yaml"], "there is no such scenario"),
        (["audit", "town.yaml"], "town.yaml"),
        (["open"], "there is no finished run here"),
        (["schema", "--data", "--scenario"], "not both"),
        (["init", "new", "--boundaries", "nothing.shp"], "nothing.shp"),
    ],
)
def test_wrong_usage(folder: Path, words: list[str], said: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    done = allot(*words)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert sorted(path.name for path in folder.iterdir()) == before


# ---- stopping


def test_ctrl_c_keeps_the_best_plan_and_says_how_good_it_is(fake: FakeRuns) -> None:
    def interrupt(loaded: LoadedScenario, stop: threading.Event) -> None:
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(5)

    fake.act = interrupt
    before = signal.getsignal(signal.SIGINT)
    done = allot("run", "town")
    assert done.exit_code == 130
    saved = fake_folder().as_posix()
    said = "Stopped. Best plan so far: gap 1.8 % for goal 2, goals 3 and 4 not reached. Saved as"
    assert f"{said} {saved} (marked: stopped by hand)." in done.stderr
    assert "Plan  2007–2008" in done.stdout
    assert signal.getsignal(signal.SIGINT) is before
    fake.act = nothing
    allot("run", "town")
    assert len(fake.calls) == 2


def test_a_second_ctrl_c_ends_at_once(fake: FakeRuns) -> None:
    def interrupt(loaded: LoadedScenario, stop: threading.Event) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    fake.act = interrupt
    done = allot("run", "town")
    assert done.exit_code == 130
    assert "Stopped at once; nothing was saved" in done.stderr
    assert not Path("runs").exists()


def test_goals_without_a_stage_are_named_as_not_reached() -> None:
    stages = [{"goal": "worst_off", "value": 0.8, "gap": 0.01}, {"goal": "unmet_need", "value": 5.0, "gap": 0.084}]
    record = {"stages": stages, "not_reached": ["travel", "spending"]}
    said = cli_run.stopped_text(record, Path("runs/base"))
    assert said.startswith("Stopped. Best plan so far: gap 8.4 % for goal 2, goals 3 and 4 not reached. Saved as")


# ---- compare


def in_threads(workers: int, _context: Any, shared: tuple[Any, Any]) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, initializer=jobs._begin, initargs=shared)


@pytest.fixture
def compared(fake: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> list[list[Path]]:
    seen: list[list[Path]] = []

    def compare(folders: list[Path]) -> str:
        seen.append(list(folders))
        return "a comparison"

    def written(comparison: str, folder: Path) -> None:
        (folder / "comparison.csv").write_text(comparison, encoding="utf-8")

    module = importlib.import_module("optimizer.compare")
    monkeypatch.setattr(module, "compare", compare)
    monkeypatch.setattr(module, "write_comparison", written)
    monkeypatch.setattr("optimizer.report.compare_table.comparison_text", lambda *_: "the table\n")
    monkeypatch.setattr(jobs, "cores", lambda: 2)
    monkeypatch.setattr(jobs, "_executor", in_threads)
    Path("less.yaml").write_text("extends: town\nsources: {city: {scale: 0.9}}\n", encoding="utf-8")
    Path("more.yaml").write_text("extends: town\nhorizon: {discount: 0.05}\n", encoding="utf-8")
    del fake
    return seen


def test_the_first_is_run_first_and_the_others_stay_close_to_it(fake: FakeRuns, compared: list[list[Path]]) -> None:
    done = allot("compare", "town", "less", "more.yaml")
    assert done.exit_code == 0, done.output
    base = fake_folder()
    assert fake.calls[0] == ("town", None, 2)
    assert sorted(fake.calls[1:]) == [("less", base, 1), ("more", base, 1)]
    assert compared == [[base, fake_folder("less"), fake_folder("more")]]
    assert done.stdout.startswith("the table\n\nComparison   runs/compare-town-less-more-")
    assert any(line.startswith("less  Reading") for line in done.stderr.splitlines())
    assert any(line.startswith("more  Goal 2 of 4") for line in done.stderr.splitlines())

    again = allot("compare", "town", "less", "more.yaml", "--json")
    assert len(fake.calls) == 3
    content = json.loads(again.stdout)
    assert [run["reused"] for run in content["runs"]] == [True, True, True]
    assert content["report"].endswith("comparison.html")
    assert not list(Path("runs").glob(".*"))


def test_finished_runs_are_compared_as_they_are(fake: FakeRuns, compared: list[list[Path]]) -> None:
    allot("run", "town", "--out", "mine")
    done = allot("compare", "mine", "less", "--out", "result")
    assert done.exit_code == 0, done.output
    assert [name for name, _, _ in fake.calls] == ["town", "less"]
    assert fake.calls[1][1] == Path("mine")
    assert Path("result/comparison.csv").read_text(encoding="utf-8") == "a comparison"
    assert allot("compare", "mine", "less", "--out", "result").exit_code == 2
    assert len(compared) == 1


def test_a_broken_run_folder_is_named_and_not_planned_anew(fake: FakeRuns, folder: Path) -> None:
    broken = folder / "broken"
    broken.mkdir()
    write(broken, "run.json", '{"scenario": ')
    write(broken, "scenario.yaml", TOWN)
    done = allot("compare", "broken", "less")
    assert done.exit_code == 2
    assert "run.json: cannot be read" in done.stderr
    assert fake.calls == []


@pytest.mark.parametrize(("spoil", "said"), [(Path.unlink, "missing"), (blot, "changed since the plan was made")])
def test_a_run_whose_tables_are_not_as_written_is_named_before_anything_is_run(
    fake: FakeRuns, compared: list[list[Path]], spoil: Callable[[Path], None], said: str
) -> None:
    allot("run", "town", "--out", "mine")
    spoil(Path("mine/tables/met.csv"))
    for words in (("compare", "less", "mine"), ("open", "mine")):
        done = allot(*words)
        assert done.exit_code == 2, done.output
        assert f"{Path('mine/tables/met.csv')}: {said}; put back what was written there, or make the" in done.stderr
    assert len(fake.calls) == 1
    assert compared == []


def test_a_change_may_not_erase_what_is_compared(folder: Path, fake: FakeRuns, compared: list[list[Path]]) -> None:
    write(folder, "poor.yaml", "extends: town\nsources: {city: {amount_yuan: 900000}}\nsolver: {seed: 3}\n")
    for change in ("sources.city.amount_yuan=800000", "sources.city={amount_yuan: 800000}"):
        done = allot("compare", "town", "poor", "--set", change)
        assert (done.exit_code, fake.calls) == (2, []), done.output
        assert "poor.yaml:2:18  sources.city.amount_yuan  is 900000 in poor, 1000000 in town" in done.stderr
        assert f"--set {change} would erase this difference; leave --set out, or take the key out of the" in done.stderr
    words = ["--set", "sources.city.scale=0.9", "--set", "solver.seed=2"]
    assert allot("compare", "town", "poor", *words).exit_code == 0
    assert len(compared) == 1


def test_other_years_are_told_before_anything_is_run(fake: FakeRuns, compared: list[list[Path]]) -> None:
    Path("long.yaml").write_text("extends: town\nhorizon: {years: 3}\n", encoding="utf-8")
    done = allot("compare", "town", "less", "long")
    assert done.exit_code == 2
    assert "long  plans 2007–2009, town 2007–2008: plans of other years cannot be compared" in done.stderr
    assert fake.calls == []
    assert allot("compare", "town", "long", "--years", "1").exit_code == 0
    assert len(compared) == 1


def test_a_scenario_without_a_plan_stops_the_comparison(fake: FakeRuns, compared: list[list[Path]]) -> None:
    def refuse(loaded: LoadedScenario, stop: Any) -> None:
        if loaded.scenario.name == "less":
            raise Infeasible("no plan at all")

    fake.act = refuse
    done = allot("compare", "town", "less", "more")
    assert done.exit_code == 1
    assert "less: no plan at all" in done.stderr
    assert compared == []
    assert fake_folder("more").is_dir()


def test_the_mistakes_of_all_scenarios_are_listed_together(fake: FakeRuns, compared: list[list[Path]]) -> None:
    Path("less.yaml").write_text("extends: town\nsorces: {}\n", encoding="utf-8")
    Path("more.yaml").write_text("extends: town\ngaols: []\n", encoding="utf-8")
    done = allot("compare", "town", "less", "more")
    assert done.exit_code == 2
    assert "did you mean sources?" in done.stderr
    assert "did you mean goals?" in done.stderr
    assert fake.calls == compared == []


def test_ctrl_c_stops_all_runs_of_a_comparison(fake: FakeRuns, compared: list[list[Path]]) -> None:
    def wait_for_stop(loaded: LoadedScenario, stop: threading.Event) -> None:
        if loaded.scenario.name == "town":
            return
        if loaded.scenario.name == "less":
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start() if os.name != "nt" else stop.set()
        assert stop.wait(10)

    fake.act = wait_for_stop
    done = allot("compare", "town", "less", "more")
    assert done.exit_code == 130, done.output
    assert [json.loads((path / "run.json").read_text("utf-8"))["status"] for path in compared[0]] == [
        "proven",
        "stopped by hand",
        "stopped by hand",
    ]


def test_workers_are_spawned_and_send_their_answers_back(folder: Path) -> None:
    pytest.importorskip("optimizer.run")
    job = jobs.Job(load_scenario("town"), folder / "out")
    results = jobs.run_jobs([job, job], lambda *_: None, threading.Event(), most=2)
    assert [result.code for result in results if not isinstance(result, Path)] == [2, 2]
    assert not (folder / "out").exists()


def test_what_a_dead_worker_left_undone_is_begun_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def dies_twice(job: jobs.Job) -> Path:
        begun.append(job.name)
        if job.name == "frail" and begun.count("frail") <= deaths:
            raise BrokenExecutor("a process died")
        return job.out

    monkeypatch.setattr(jobs, "_executor", in_threads)
    monkeypatch.setattr(jobs, "work", dies_twice)
    town = load_scenario("town")
    both = [jobs.Job(town, folder / "a", label="strong"), jobs.Job(town, folder / "b", label="frail")]
    deaths = 2
    assert jobs.run_jobs(both, lambda *_: None, threading.Event(), most=2) == [folder / "a", folder / "b"]
    assert sorted(begun) == ["frail", "frail", "frail", "strong"]
    begun.clear()
    deaths = 9
    assert jobs.run_jobs(both, lambda *_: None, threading.Event(), most=2) == [folder / "a", jobs.LOST]


@pytest.mark.skipif(os.name == "nt", reason="kills a process by a signal that Windows does not have")
def test_a_worker_killed_from_outside_is_replaced(tmp_path: Path) -> None:
    from tests.optimizer.test_run import loaded

    job = jobs.Job(loaded("everything", tmp_path), tmp_path / "run")
    killed: list[int | None] = []

    def kill(lane: str, method: str, _: Any) -> None:
        del lane
        if method == "stage_start" and not killed:
            killed.extend(child.pid for child in multiprocessing.active_children())
            for pid in killed:
                assert pid is not None
                os.kill(pid, signal.SIGKILL)

    assert jobs.run_jobs([job], kill, threading.Event(), most=1) == [tmp_path / "run"]
    assert len(killed) == 1


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="holds back a signal that Windows does not have")
def test_workers_hear_of_no_ctrl_c_from_their_very_start(tmp_path: Path) -> None:
    from tests.optimizer.test_run import loaded

    job = jobs.Job(loaded("work_funds", tmp_path), tmp_path / "run")
    searching, hit = threading.Event(), set()

    def interrupt() -> None:
        while not searching.wait(0.02):
            for child in multiprocessing.active_children():
                assert child.pid is not None
                hit.add(child.pid)
                os.kill(child.pid, signal.SIGINT)

    def hear(lane: str, method: str, _: Any) -> None:
        searching.set()

    thread = threading.Thread(target=interrupt)
    thread.start()
    made = jobs.run_jobs([job], hear, threading.Event(), most=1)
    searching.set()
    thread.join()
    assert (made, len(hit)) == ([job.out], 1)


# ---- sweep


def test_a_sweep_shows_the_figures_of_a_comparison(tmp_path: Path) -> None:
    from optimizer.compare import compare
    from optimizer.run import run_scenario
    from tests.optimizer.test_run import loaded

    runs = [
        run_scenario(loaded("everything", tmp_path, horizon={"discount": discount}), tmp_path / f"run {discount}")
        for discount in (0.0, 0.1)
    ]
    varies = read_vary(["horizon.discount=0.0,0.1,0.2"])
    table = sweep_table(varies, [*runs, "no plan"]).set_index("horizon.discount")
    comparison = compare(runs)
    for figure, column in FIGURES.items():
        assert table.loc["0.0", column] == pytest.approx(comparison.value(figure)), figure
    for run, row in zip(runs, table.itertuples(), strict=False):
        assert row.spent_yuan == pd.read_csv(run / "tables" / "ledger.csv")["yuan"].sum()
        unmet = json.loads((run / "run.json").read_text(encoding="utf-8"))["stages"][1]
        assert row.unmet_need == pytest.approx(unmet["value"], rel=1e-4)
        assert (row.unmet_need_bound, row.gap) == (unmet["bound"], unmet["gap"])
    assert table.loc["0.2", "status"] == "no plan"
    assert table.loc["0.2"].drop("status").isna().all()


def test_a_sweep_plans_every_combination_once(
    fake: FakeRuns, compared: list[list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    del compared
    figures = {"status": "proven", "spent_yuan": 2_500_000, "met_share": 0.5}
    scenario = types.SimpleNamespace(data=load_scenario("town").scenario.data)
    monkeypatch.setattr("optimizer.sweep._figures", lambda *_: figures)
    monkeypatch.setattr("optimizer.sweep.read_run", lambda _: types.SimpleNamespace(scenario=scenario))
    monkeypatch.setattr("optimizer.sweep.read_run_city", lambda _: None)

    def refuse(loaded: LoadedScenario, stop: Any) -> None:
        if loaded.scenario.horizon.years == 3:
            raise Infeasible("no plan at all")

    fake.act = refuse
    monkeypatch.setattr(jobs, "cores", lambda: 2)
    words = ["sweep", "town", "--vary", "horizon.years=1,3", "--vary", "sources.city.scale=0.9, 1,1.0"]
    done = allot(*words)
    assert done.exit_code == 1, done.output
    assert len(fake.calls) == 4  # 1 and 1.0 are one scenario
    assert [threads for _, _, threads in fake.calls] == [2, 1, 1, 1]  # the first has all cores
    first, *others = fake.begun
    assert first is None
    assert [left.level for left in others if left is not None] == [0.5, 0.5, 0.5]  # what the first left
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "years",
        "scale",
        "million",
        "yuan",
        "met",
        "worst-off",
        "unmet",
        "need",
        "gap",
        "status",
    ]
    assert lines[1].split() == ["1", "0.9", "2.5", "0.500", "proven"]
    assert lines[4].split() == ["3", "0.9", "no", "plan", "at", "all"]
    table = next(Path("runs").glob("sweep-town-*/sweep.csv")).read_text(encoding="utf-8").splitlines()
    assert table[0].startswith("horizon.years,sources.city.scale,status,spent_yuan,met_share,worst_off_score,")
    assert len(table) == 7
    assert (table[1].split(",")[3], table[4].split(",")[3]) == ("2500000", "")
    fake.act = nothing
    again = allot(*words, "--json")
    assert again.exit_code == 0, again.output
    assert len(fake.calls) == 6
    assert [plan["status"] for plan in json.loads(again.stdout)["plans"]] == ["proven"] * 6


@pytest.mark.skipif(os.name == "nt", reason="sends a signal that Windows does not have")
@pytest.mark.parametrize(("at", "begun"), [(0.02, 1), (0.03, 2)])
def test_ctrl_c_begins_no_further_combination(
    fake: FakeRuns, compared: list[list[Path]], monkeypatch: pytest.MonkeyPatch, at: float, begun: int
) -> None:
    del compared
    scenario = types.SimpleNamespace(data=load_scenario("town").scenario.data)
    monkeypatch.setattr("optimizer.sweep._figures", lambda *_: {"status": "planned"})
    monkeypatch.setattr("optimizer.sweep.read_run", lambda _: types.SimpleNamespace(scenario=scenario))
    monkeypatch.setattr("optimizer.sweep.read_run_city", lambda _: None)

    def interrupt(loaded: LoadedScenario, stop: threading.Event) -> None:
        if loaded.scenario.horizon.discount == at:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.wait(10)

    fake.act = interrupt
    done = allot("sweep", "town", "--vary", "horizon.discount=0.02,0.03,0.04,0.05", "--workers", "1", "--out", "grid")
    assert done.exit_code == 130, done.output
    assert len(fake.calls) == begun
    statuses = pd.read_csv("grid/sweep.csv")["status"].tolist()
    assert statuses == ["planned"] * begun + ["Not planned: stopped before it was begun."] * (4 - begun)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Say what varies"),
        (["--vary", "horizon.years=1", "--vary", "=2,3"], "a key and two values or more"),
        (["--vary", "horizon.years=1,1"], "a value is named twice"),
        (["--vary", "horizon.years=1,2", "--vary", "horizon.years=2,3"], "the key is named twice"),
        (["--vary", "horizon.yeers=1,2"], "did you mean years?"),
        (
            ["--vary", "horizon.discount=0,0.1", "--set", "horizon.discount=0.05"],
            "--set horizon.discount=0.05  gives a key that --vary horizon.discount=0,0.1 varies",
        ),
        (["--vary", "horizon.years=1,2", "--set", "horizon={years: 1}"], "--set horizon={years: 1}  gives a key that"),
        (["--vary", "horizon.years=1,2", "--workers", "0"], "--workers"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_refused(fake: FakeRuns, words: list[str], said: str) -> None:
    done = allot("sweep", "town", *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert fake.calls == []


def test_a_key_that_varies_is_known_by_all_its_names() -> None:
    values = {"goals": [{"goal": "worst_off"}, {"goal": "unmet_need"}]}
    (said,) = set_in_vain(read_vary(["goals.unmet_need.gap=0.1,0.2"]), ["goals.1.gap=0.3", "goals.0.gap=0.3"], values)
    assert said.startswith("--set goals.1.gap=0.3  gives a key that --vary goals.unmet_need.gap=0.1,0.2 varies")


def test_a_sweep_may_change_other_keys_beside_those_that_vary(
    fake: FakeRuns, compared: list[list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    del compared
    seen: list[float] = []

    def note(loaded: LoadedScenario, stop: Any) -> None:
        del stop
        seen.append(loaded.scenario.sources["city"].scale)

    fake.act = note
    monkeypatch.setattr("optimizer.cli_sweep.sweep_table", lambda *_: pd.DataFrame({"status": []}))
    monkeypatch.setattr("optimizer.cli_sweep.sweep_text", lambda *_: "")
    done = allot("sweep", "town", "--vary", "horizon.years=1,2", "--set", "sources.city.scale=0.5", "--workers", "1")
    assert (done.exit_code, seen) == (0, [0.5, 0.5]), done.output


def test_years_that_contradict_a_change_are_refused(fake: FakeRuns) -> None:
    for words in (["run", "town", "--set", "horizon.years=2"], ["sweep", "town", "--vary", "horizon.years=1,2"]):
        done = allot(*words, "--years", "1")
        assert (done.exit_code, fake.calls) == (2, []), done.output
        assert "horizon.years = 2  contradicts --years 1; give one of the two" in done.stderr
    assert allot("run", "town", "--set", "horizon.years=1", "--years", "1").exit_code == 0


# ---- looking


def test_check_of_the_reference_city_and_of_a_scenario() -> None:
    done = allot("check", "mianyang")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("no errors, ")
    assert json.loads(allot("check", "base", "--json").stdout)["errors"] == 0


def test_check_finds_the_mistakes_of_a_scenario_and_of_its_data(folder: Path) -> None:
    write(folder, "bad.yaml", "extends: town\ngaols: []\n")
    done = allot("check", "bad.yaml")
    assert done.exit_code == 1
    assert "bad.yaml:2:1  gaols  unknown key; did you mean goals?" in done.stdout
    assert "city.gpkg" in done.stdout
    content = json.loads(allot("check", "bad.yaml", "--json").stdout)
    assert content["errors"] >= 2
    assert allot("check", "city.gpkg").exit_code == 1


def test_check_of_a_scenario_finds_what_a_run_refuses(folder: Path, small_city: Path) -> None:
    text = f"extends: one_year\ndata:\n  path: {small_city}\nsources:\n  city_finance:\n    districts: [Fuchng]\n"
    write(folder, "ours.yaml", text)
    done = allot("check", "ours.yaml")
    assert done.exit_code == 1, done.output
    said = "ours.yaml:6:5   sources.city_finance.districts = Fuchng  there is no district Fuchng; did you mean Fucheng?"
    assert said in done.stdout
    refused = allot("run", "ours.yaml")
    assert (refused.exit_code, said.split("   ")[1] in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("programme", "source", "code"),
    [
        ("{floor_yuan: 9000000, ceiling_yuan: null, hard_floor: true}", "{}", 1),  # above all money there is
        (
            "{floor_yuan: 60000, ceiling_yuan: 60000, hard_floor: true}",
            "{}",
            1,
        ),  # above the ceiling where care is added
        (
            "{}",
            "{limits: [{for_each: community, at_least_yuan: 9000000}]}",
            1,
        ),  # above the source's money in all places
        ("{floor_yuan: 9000000, ceiling_yuan: null, hard_floor: true}", "{districts: [Fuchng]}", 2),
    ],
)
def test_hard_floors_above_what_there_is_are_a_no_and_mistakes_beside_them_are_not(
    programme: str, source: str, code: int, folder: Path, small_city: Path
) -> None:
    text = f"extends: one_year\ndata:\n  path: {small_city}\nprogrammes:\n  work_funds: {programme}\n"
    write(folder, "ours.yaml", f"{text}sources:\n  city_finance: {source}\n")
    done = allot("run", "ours.yaml")
    assert done.exit_code == code, done.output
    assert "floor" in (done.stdout if code == 1 else done.stderr)
    assert allot("check", "ours.yaml").exit_code == 1
    if code == 1:
        assert json.loads(allot("run", "ours.yaml", "--json").stdout)["status"] == "infeasible"


def test_a_file_of_a_city_is_no_scenario(folder: Path, small_city: Path) -> None:
    for name in ("city.geojson", "city.shp"):
        write(folder, name, '{"features": [')
        said = allot("check", name).stdout
        assert "unknown key" not in said
        assert f"{name}   communities: cannot be read" in said or f"{name}   cannot be read" in said
    done = allot("check", str(small_city))
    assert done.exit_code == 0, done.output


def test_scenarios_and_schema() -> None:
    lines = allot("scenarios").stdout.splitlines()
    assert lines[0].startswith("base ")
    assert len(lines) >= 7
    assert json.loads(allot("scenarios", "--json").stdout)[0]["name"] == "base"
    assert "extends" in json.loads(allot("schema").stdout)["properties"]
    assert (
        "| `population` | number | persons | an error | at least 0; a warning above 10,000,000 |"
        in allot("schema", "--data").stdout
    )


def test_open_takes_the_newest_run(fake: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda uri: opened.append(uri) or True)
    allot("run", "town")
    assert allot("open").exit_code == 0
    assert allot("open", "town").exit_code == 0
    assert allot("open", fake_folder().name).exit_code == 0
    assert opened == [(fake_folder() / "report.html").resolve().as_uri()] * 3
    del fake


def test_open_prefers_plans_that_can_be_used(fake: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    fake.act = lambda _, stop: stop.set()
    allot("run", "town")
    stopped = fake_folder()
    only = allot("open", "town")
    assert (only.exit_code, Path(only.stdout).parent) == (0, stopped), only.output
    assert f"{stopped}: this plan was stopped by hand or failed its audit" in only.stderr
    fake.act = nothing
    allot("run", "town")
    os.utime(stopped / "run.json", (4e9, 4e9))
    good = stopped.with_name(f"{stopped.name}-2")
    for words in ([], ["town"]):
        done = allot("open", *words)
        assert (Path(done.stdout).parent, done.stderr) == (good, "")
    blot(good / "tables" / "met.csv")
    assert Path(allot("open", "town").stdout).parent == stopped


def test_audit_says_whether_a_plan_keeps_the_rules(fake: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    allot("run", "town", "--out", "mine")
    report = types.SimpleNamespace(passed=False, text=lambda: "14 rules, 1 finding", to_json=lambda: {"passed": False})
    monkeypatch.setattr("optimizer.audit.audit_run", lambda _: report)
    done = allot("audit", "mine")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (1, "14 rules, 1 finding")
    assert json.loads(allot("audit", "mine", "--json").stdout) == {"passed": False}
    report.passed = True
    assert allot("audit", "mine").exit_code == 0
    del fake


# ---- the command itself


def command(*words: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-c", "from optimizer.cli import main; main()", *words]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    return subprocess.run(program, capture_output=True, encoding="utf-8", env=environment, check=False, timeout=60)


def test_help_imports_nothing_heavy() -> None:
    heavy = "pandas geopandas numpy scipy altair highspy pulp pyogrio shapely ruamel rich.console networkx"
    code = (
        "import sys; sys.argv = ['allot', 'run', '--help']\n"
        "from optimizer.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([m for m in {heavy.split()!r} if m in sys.modules], file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "--time-limit" in done.stdout


def test_help_is_instant() -> None:
    command("--help")
    best = min(_timed() for _ in range(3))
    assert best < (0.5 if os.environ.get("ALLOT_TIME_TESTS") else 2.0)


def _timed() -> float:
    begun = time.perf_counter()
    assert command("--help").returncode == 0
    return time.perf_counter() - begun


def test_version_and_debug_anywhere() -> None:
    assert command("--version").stdout.startswith("allot ")
    assert command("version").stdout.splitlines()[1].startswith("python 3.")
    done = command("run", "nothing", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "Traceback" not in command("run", "nothing").stderr


@pytest.mark.parametrize("module", ["typer", "optimizer.cli_run", "numpy", "optimizer.run"])
def test_ctrl_c_while_the_program_starts_ends_it_quietly(module: str, tmp_path: Path) -> None:
    code = (
        "import signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from optimizer.cli import main\n"
        "sys.argv = ['allot', 'run', 'one_year', '--json', '--time-limit', '0.001']\n"
        "main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment, check=False, cwd=tmp_path
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr


# ---- progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_one_moving_line_and_leaves_only_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen = Screen()
    with Terminal(screen) as terminal:
        lane = terminal.lane()
        lane.phase("Reading", "396 communities", 0.9)
        lane.stage_start("unmet_need", 2, 4)
        lane.stage_update("unmet_need", 112_400.0, 90_000.0, 0.2, 1.0)
        lane.stage_update("unmet_need", 98_310.0, 97_400.0, 0.009, 2.0)
        line = str(terminal._moving_lines())
        time.sleep(0.4)
        lane.stage_end("unmet_need", 98_310.0, 98_000.0, 0.003, 30.0, "")
    assert line.startswith("Goal 2 of 4  unmet need of people")
    assert "112,400 → 98,310 person-needs, bound 97,400, gap 0.9 %, 00:0" in line
    text = screen.getvalue()
    assert "98,310 person-needs, proven within 0.3 %" in text
    assert "\x1b[" in text


def test_words_of_progress() -> None:
    assert (bar(None), bar(1.0), bar(0.0)) == ("░" * 20, "░" * 20, "█" * 20)
    assert bar(0.01).count("█") == 13
    assert (proven(None), proven(0.0), proven(0.003)) == ("not proven", "proven best", "proven within 0.3 %")
    assert [percent(x) for x in (0.3, 0.018, 0.0033, 0.00001)] == ["30 %", "1.8 %", "0.33 %", "under 0.01 %"]
    terminal = Terminal(io.StringIO(), currency="euro")
    assert terminal.value("spending", 184_200_000.0) == "184.2 million euro"
    assert terminal.value("travel", 2_500_000.0) == "2,500 person-km"
    assert terminal.value("worst_off", None) == "no plan yet"
    assert terminal.value("spending", 5514.0) == "0.006 million euro"
    assert terminal.value("unmet_need", -1e-9) == "0 person-needs"


def test_a_stream_that_knows_no_chinese_is_written_to_all_the_same() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    Terminal(stream).note("绵阳 – done")
    assert raw.getvalue() == b"?? ? done\n"


# ---- identity


def test_the_identity_follows_scenario_data_and_the_plan_it_stays_close_to(folder: Path) -> None:
    first = run_identity(load_scenario("town"))
    assert run_identity(load_scenario("town")) == first
    assert run_identity(load_scenario("town", ["horizon.discount=0.01"])) != first
    (folder / "base" / "tables").mkdir(parents=True)
    (folder / "base" / "tables" / "grants.csv").write_text("x", encoding="utf-8")
    assert run_identity(load_scenario("town"), folder / "base") != first
    (folder / "moved").mkdir()
    write(folder, "moved/town.yaml", TOWN)
    (folder / "moved" / "city.gpkg").write_bytes(b"a city")
    assert run_identity(load_scenario("moved/town.yaml")) == first
    (folder / "city.gpkg").write_bytes(b"b city")
    assert run_identity(load_scenario("town")) != first


def test_a_folder_of_files_is_hashed_without_what_runs_leave_there(folder: Path) -> None:
    (folder / "mine").mkdir()
    write(folder, "mine/scenario.yaml", TOWN.replace("city.gpkg", "."))
    write(folder, "mine/needs.csv", "x")
    first = run_identity(load_scenario("mine"))
    (folder / "mine" / "runs").mkdir()
    write(folder, "mine/README.md", "x")
    assert run_identity(load_scenario("mine")) == first
    write(folder, "mine/needs.csv", "y")
    assert run_identity(load_scenario("mine")) != first


def test_answers_of_wrapped_errors() -> None:
    assert answer(OSError(errno.EIO, "Input/output error")).lines == ("Input/output error.",)
    assert (
        cli_run.stopped_text({"stages": []}, Path("x"))
        == "Stopped. Best plan so far. Saved as x (marked: stopped by hand)."
    )
    assert cli_check.data_findings({}) == []
