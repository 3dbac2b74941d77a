"""The command `allot compare`: what is not run yet is run, side by side, and all plans are compared."""

import hashlib
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from optimizer import jobs
from optimizer.answers import STOPPED, Answer, counted
from optimizer.cli_run import (
    heading,
    load,
    must_be_free,
    must_be_writable,
    print_json,
    run_facts,
    run_here,
    shown,
    side_by_side,
    stoppable,
)
from optimizer.scenario_file import LoadedScenario, ScenarioError, erased, find_scenario
from optimizer.terminal import Terminal
from optimizer.whole_folder import whole_folder
from optimizer.words import listed, years_listed


@dataclass
class _Entry:
    """One thing to be compared: a finished run, or a scenario to be run."""

    ref: str
    loaded: LoadedScenario | None = None
    folder: Path | None = None
    reused: bool = False

    @property
    def name(self) -> str:
        return self.loaded.scenario.name if self.loaded else (self.folder.name if self.folder else self.ref)


def compare_all(
    refs: Sequence[str],
    out: Path | None,
    *,
    overrides: Sequence[str],
    years: int | None,
    again: bool,
    as_json: bool,
) -> None:
    """Run what is not run yet, the first before the others, and compare all plans with the first."""
    if out is not None:
        must_be_free(out)
    entries = _entries(refs, overrides, years)
    currency = next((e.loaded.scenario.currency.name for e in entries if e.loaded), "yuan")
    with Terminal(currency=currency) as terminal, stoppable(terminal) as stop:
        _make(entries, terminal, stop, again=again)
    from optimizer.compare import compare, write_comparison
    from optimizer.report.compare_table import comparison_text

    comparison = compare([entry.folder for entry in entries if entry.folder is not None])
    target = out or _comparison_folder(entries)
    with whole_folder(target) as draft:
        write_comparison(comparison, draft.part)
    target = draft.folder
    if as_json:
        runs = [run_facts(e.folder, jobs.read_record(e.folder) or {}, reused=e.reused) for e in entries if e.folder]
        print_json({"folder": str(target), "report": str(target / "comparison.html"), "runs": runs})
    else:
        width = max(60, shutil.get_terminal_size((120, 24)).columns)
        typer.echo(comparison_text(comparison, width).rstrip())
        typer.echo("")
        typer.echo(f"Comparison   {shown(target / 'comparison.html')}")
    if stop.is_set():
        raise typer.Exit(STOPPED)


def _entries(refs: Sequence[str], overrides: Sequence[str], years: int | None) -> list[_Entry]:
    """Return what is to be compared; ScenarioError with the mistakes of all scenarios at once."""
    from optimizer.run_folder import must_be_whole

    entries: list[_Entry] = []
    findings: list[str] = []
    for ref in refs:
        if (Path(ref) / "run.json").is_file():
            must_be_whole(Path(ref))  # a broken one is named, and not planned anew
            entries.append(_Entry(ref, folder=Path(ref), reused=True))
            continue
        try:
            entries.append(_Entry(ref, loaded=load(ref, overrides, years)))
        except ScenarioError as error:
            findings += [finding for finding in error.findings if finding not in findings]
    places = [e.folder.resolve() if e.folder else find_scenario(e.ref).resolve() for e in entries]
    twice = [e.ref for i, e in enumerate(entries) if places[i] in places[:i]]
    findings += [f"{ref}  is named twice; compare different plans" for ref in twice]
    findings += _other_years(entries)
    findings += erased([e.ref for e in entries if e.loaded], overrides)
    if findings:
        raise ScenarioError(findings)
    return entries


def _other_years(entries: Sequence[_Entry]) -> list[str]:
    """Return what plans years that the first does not, before anything is run."""
    planned = [e.loaded.scenario.years if e.loaded else _years_of(e.folder) for e in entries]
    return [
        f"{entry.ref}  plans {years_listed(years)}, {entries[0].ref} {years_listed(planned[0])}: plans of other years "
        "cannot be compared; plan the same years (--years)"
        for entry, years in zip(entries, planned, strict=True)
        if years and planned[0] and years != planned[0]
    ]


def _years_of(folder: Path | None) -> list[int]:
    """Return the years of a finished run; none where its record does not say."""
    years = (jobs.read_record(folder) or {}).get("years") if folder else None
    return [int(year) for year in years] if isinstance(years, list) else []


def _make(entries: Sequence[_Entry], terminal: Terminal, stop: threading.Event, *, again: bool) -> None:
    """Fill in the folders of all entries, running what has to be run."""
    base = entries[0]
    _place([base], None, terminal, stop, again=again)
    if not stop.is_set():
        _place(entries[1:], base.folder, terminal, stop, again=again)
    unmade = [entry.name for entry in entries if entry.folder is None]
    if unmade:
        terminal.note(f"Stopped. Not run: {listed(unmade)}; nothing was compared.")
        raise typer.Exit(STOPPED)


def _place(
    entries: Sequence[_Entry], close_to: Path | None, terminal: Terminal, stop: threading.Event, *, again: bool
) -> None:
    todo: list[tuple[_Entry, jobs.Job]] = []
    for entry in entries:
        if entry.folder is not None or entry.loaded is None:
            continue
        place = jobs.place_for(entry.loaded, again=again, close_to=close_to)
        for note in place.notes:
            terminal.note(note)
        if place.finished:
            entry.folder, entry.reused = place.folder, True
            terminal.note(f"{entry.name}: unchanged, {shown(place.folder)} is used again")
        else:
            must_be_writable(place.folder)
            todo.append((entry, jobs.Job(entry.loaded, place.folder, close_to)))
    if len(todo) == 1:
        entry, job = todo[0]
        terminal.note(heading(job.loaded))
        entry.folder = run_here(job, terminal, stop)
    elif todo:
        _side_by_side(todo, terminal, stop)


def _side_by_side(todo: "Sequence[tuple[_Entry, jobs.Job]]", terminal: Terminal, stop: threading.Event) -> None:
    results = side_by_side([job for _, job in todo], terminal, stop)
    failed: list[tuple[str, Answer]] = []
    for (entry, _), result in zip(todo, results, strict=True):
        if isinstance(result, Answer):
            failed.append((entry.name, result))
        else:
            entry.folder = result
    for name, said in failed:
        for line in said.lines:
            terminal.note(f"{name}: {line}")
    if failed:
        terminal.note(f"{counted(len(failed), 'scenario')} without a plan; nothing was compared.")
        raise typer.Exit(max(said.code for _, said in failed))


def _comparison_folder(entries: Sequence[_Entry]) -> Path:
    """Return a folder that is not there yet, named after what is compared."""
    folders = "\n".join(str(entry.folder.name) for entry in entries if entry.folder)
    names = "-".join(entry.name for entry in entries)[:60].rstrip("-")
    return jobs.free_folder(f"compare-{names}-{hashlib.sha256(folders.encode('utf-8')).hexdigest()[:4]}")
