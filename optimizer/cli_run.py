"""The command `allot run`, and what it shares with `allot compare` and `allot sweep`."""

import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from optimizer import jobs
from optimizer.answers import NO, STOPPED, WRONG, Answer
from optimizer.scenario_file import LoadedScenario, NoScenarioError, ScenarioError, load_scenario
from optimizer.terminal import Terminal, percent
from optimizer.words import listed

_STOPPING = "Stopping: the best plan so far is being finished and saved (Ctrl-C again ends at once, without it)."


def load(ref: str, overrides: Sequence[str] = (), years: int | None = None) -> LoadedScenario:
    """Read a scenario for a run; where it has mistakes, those of its data are reported with them."""
    try:
        return load_scenario(ref, overrides, years=years, data_must_exist=True)
    except NoScenarioError:
        raise
    except ScenarioError as error:
        from optimizer.cli_check import data_findings

        raise ScenarioError([*error.findings, *data_findings(error.values)]) from None


def run_one(loaded: LoadedScenario, out: Path | None, *, again: bool, as_json: bool) -> None:
    """Make one plan (or find it made), print its summary, and exit with 130 where it was stopped by hand."""
    if out is not None:
        must_be_free(out)
        place = jobs.Place(out, finished=False)
    else:
        place = jobs.place_for(loaded, again=again)
        if not place.finished:
            must_be_writable(place.folder)
    folder = place.folder
    with Terminal(currency=loaded.scenario.currency.name) as terminal, stoppable(terminal) as stop:
        terminal.note(heading(loaded))
        for note in place.notes:
            terminal.note(note)
        if place.finished:
            terminal.note(f"Nothing has changed since this plan was made: {shown(folder)} (--again makes it again).")
        else:
            folder = run_here(jobs.Job(loaded, folder), terminal, stop)
    _say_plan(folder, reused=place.finished, as_json=as_json, stopped=stop.is_set())


def run_here(job: jobs.Job, terminal: Terminal, stop: threading.Event) -> Path:
    """Make one plan in this process; return its run folder."""
    from optimizer.run import run_scenario

    return run_scenario(
        job.loaded, job.out, progress=terminal.lane(), close_to=job.close_to, stop=stop, begin=job.begin
    )


def side_by_side(
    todo: Sequence[jobs.Job], terminal: Terminal, stop: threading.Event, most: int | None = None, dask: str = ""
) -> list[Path | Answer]:
    """Make several plans, each with a line of progress; return folders or why there is none.

    At most `most` are made at once here, or as many as the Dask cluster at the address `dask` takes. After a stop none
    is begun.
    """
    if stop.is_set():
        return [jobs.NOT_BEGUN] * len(todo)
    for job in todo:
        terminal.lane(job.name)

    def say(lane: str, method: str, args: tuple[Any, ...]) -> None:
        getattr(terminal.lane(lane), method)(*args)

    if dask:
        from optimizer.jobs_dask import run_on_dask

        return run_on_dask(todo, say, stop, dask)
    return jobs.run_jobs(todo, say, stop, most)


def must_be_free(out: Path) -> None:
    """Refuse, before anything is run, an output folder that holds something."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        what = "is not empty" if out.is_dir() else "is a file"
        typer.echo(f"--out {out}: {what}; name a folder that is not there yet. Nothing was changed.", err=True)
        raise typer.Exit(WRONG)
    must_be_writable(out)


def must_be_writable(folder: Path) -> None:
    """Refuse, before anything is run, a folder to be made where nothing can be written."""
    parent = next((p for p in folder.absolute().parents if p.exists()), folder.absolute().parent)
    try:
        with TemporaryDirectory(prefix=f".{folder.name}-", dir=parent):
            pass
    except OSError as error:
        why = error.strerror or error
        typer.echo(
            f"{folder}: cannot be written there ({why}); work in another folder, or name one with --out.", err=True
        )
        raise typer.Exit(WRONG) from None


def heading(loaded: LoadedScenario) -> str:
    """Return the first line of a run: title, name, years and what the command line changed."""
    scenario = loaded.scenario
    years = f"{scenario.years[0]}–{scenario.years[-1]}" if len(scenario.years) > 1 else f"{scenario.years[0]}"
    title = f"{scenario.title} · " if scenario.title else ""
    return " · ".join([f"{title}scenario {scenario.name}", years, *loaded.changes])


def _say_plan(folder: Path, *, reused: bool, as_json: bool, stopped: bool) -> None:
    record = jobs.read_record(folder) or {}
    by_hand = stopped and record.get("status") == "stopped by hand"
    if by_hand:
        typer.echo(stopped_text(record, folder), err=True)
    if as_json:
        print_json(run_facts(folder, record, reused=reused))
    else:
        from geodata.files import typed
        from optimizer.report.summary import summarise_folder

        typer.echo("")
        typer.echo(summarise_folder(folder).text())
        typer.echo("")
        typer.echo(f"Report   {shown(folder / 'report.html')}      (allot open {typed(folder)})")
    audit = record.get("audit")
    if isinstance(audit, dict) and audit.get("passed") is False:
        raise typer.Exit(NO)
    if by_hand:
        raise typer.Exit(STOPPED)


def run_facts(folder: Path, record: dict[str, Any], *, reused: bool) -> dict[str, Any]:
    """Return what `--json` prints of a run."""
    keys = ("scenario", "title", "changes", "status", "gap", "stages", "seconds", "audit", "years", "set_aside")
    facts = {key: record[key] for key in keys if key in record}
    price = (record.get("fairness") or {}).get("price")
    if price is not None:
        facts["price_of_fairness"] = price
    return {"folder": str(folder), "report": str(folder / "report.html"), "reused": reused, **facts}


def stopped_text(record: dict[str, Any], folder: Path) -> str:
    """Return the sentence about a search that was stopped by hand."""
    stages = [stage for stage in record.get("stages", []) if isinstance(stage, dict)]
    reached = [i for i, stage in enumerate(stages) if stage.get("value") is not None]
    later = range(len(stages), len(stages) + len(record.get("not_reached", [])))  # goals come in their order
    missing = [i + 1 for i in [*range(len(stages)), *later] if i not in reached]
    parts = []
    if reached:
        gap = stages[reached[-1]].get("gap")
        sure = f"gap {percent(gap)}" if isinstance(gap, (int, float)) else "no proof"
        parts.append(f"{sure} for goal {reached[-1] + 1}")
    if missing:
        parts.append(f"{'goal' if len(missing) == 1 else 'goals'} {listed(map(str, missing))} not reached")
    said = f": {', '.join(parts)}" if parts else ""
    return f"Stopped. Best plan so far{said}. Saved as {shown(folder)} (marked: stopped by hand)."


def shown(path: Path) -> str:
    """Return a path as people should see it: relative where it lies below the current folder."""
    with suppress(ValueError, OSError):
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    return str(path)


def print_json(content: Any) -> None:
    """Print an answer as JSON on standard output."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))


@contextmanager
def stoppable(terminal: Terminal) -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C sets; the second ends the program."""
    stop = threading.Event()
    timers: list[threading.Timer] = []

    def interrupt(number: int, frame: object) -> None:
        del number, frame
        if not stop.is_set():
            stop.set()
            threading.Thread(target=terminal.note, args=(_STOPPING,), daemon=True).start()
            return
        # A solver that swallows the exception must not keep the program alive.
        timers.append(threading.Timer(2.0, os._exit, (STOPPED,)))
        timers[-1].daemon = True
        timers[-1].start()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
        for timer in timers:
            timer.cancel()
