"""The command `allot sweep`: a grid of scenarios, planned side by side, in one table."""

import hashlib
import math
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from optimizer import jobs
from optimizer.answers import STOPPED, WRONG, Answer, counted
from optimizer.beginning import read_beginning
from optimizer.cli_run import load, must_be_free, must_be_writable, print_json, shown, side_by_side, stoppable
from optimizer.scenario_file import LoadedScenario, ScenarioError, scenario_hash
from optimizer.sweep import Vary, grid, read_vary, set_in_vain, sweep_table
from optimizer.terminal import Terminal, percent
from optimizer.whole_folder import whole_folder

if TYPE_CHECKING:
    import pandas as pd


def sweep_all(
    ref: str,
    vary: Sequence[str],
    out: Path | None,
    *,
    overrides: Sequence[str],
    years: int | None,
    again: bool,
    workers: int | None,
    dask: str,
    as_json: bool,
) -> None:
    """Plan every combination and leave a table of them; exit with the code of the worst that has no plan."""
    if not vary:
        typer.echo("Say what varies, for example --vary programmes.work_funds.floor_yuan=40000,50000.", err=True)
        raise typer.Exit(WRONG)
    if dask and workers:
        typer.echo("Give --workers (on this machine) or --dask (on a cluster), not both.", err=True)
        raise typer.Exit(WRONG)
    if out is not None:
        must_be_free(out)
    varies = read_vary(vary)
    scenarios = _scenarios(ref, varies, overrides, years)
    in_vain = set_in_vain(varies, overrides, scenarios[0].resolved)
    if in_vain:
        raise ScenarioError(in_vain)
    currency = scenarios[0].scenario.currency.name
    with Terminal(currency=currency) as terminal, stoppable(terminal) as stop:
        outcomes = _plan(scenarios, varies, terminal, stop, again=again, workers=workers, dask=dask)
    table = sweep_table(varies, [o if isinstance(o, Path) else " ".join(o.lines) for o in outcomes])
    words = " ".join([ref, *overrides, *vary])
    name = f"sweep-{scenarios[0].scenario.name}-{hashlib.sha256(words.encode('utf-8')).hexdigest()[:4]}"
    target = out or jobs.free_folder(name)
    with whole_folder(target) as draft:
        table.to_csv(draft.part / "sweep.csv", index=False, lineterminator="\n", encoding="utf-8")
    target = draft.folder
    if as_json:
        some = table.astype(object).where(table.notna(), None)
        rows = [{str(k): v for k, v in row.items()} for row in some.to_dict("records")]
        print_json({"folder": str(target), "table": str(target / "sweep.csv"), "plans": rows})
    else:
        typer.echo(sweep_text(table, currency, shutil.get_terminal_size((120, 24)).columns))
        typer.echo(f"\nSweep   {shown(target / 'sweep.csv')}")
    if stop.is_set():
        raise typer.Exit(STOPPED)
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, Answer)]
    if codes:
        raise typer.Exit(max(codes))


def _scenarios(ref: str, varies: Sequence[Vary], overrides: Sequence[str], years: int | None) -> list[LoadedScenario]:
    """Return the scenario of every combination; ScenarioError with the mistakes of all at once."""
    scenarios: list[LoadedScenario] = []
    findings: list[str] = []
    for values in grid(varies):
        settings = [f"{vary.key}={value}" for vary, value in zip(varies, values, strict=True)]
        try:
            scenarios.append(load(ref, [*overrides, *settings], years))
        except ScenarioError as error:
            findings += [finding for finding in error.findings if finding not in findings]
    if findings:
        raise ScenarioError(findings)
    return scenarios


def _plan(
    scenarios: Sequence[LoadedScenario],
    varies: Sequence[Vary],
    terminal: Terminal,
    stop: threading.Event,
    *,
    again: bool,
    workers: int | None,
    dask: str,
) -> list[Path | Answer]:
    """Return the run folder of every scenario, or why there is none; equal scenarios are run once.

    The first is planned by itself; the searches of all others begin with what its search left.
    """
    labels = [" ".join(values) for values in grid(varies)]
    hashes = [scenario_hash(loaded.scenario) for loaded in scenarios]
    terminal.note(f"{counted(len(scenarios), 'combination')} of {', '.join(v.key for v in varies)}")
    made: dict[str, Path | Answer] = {}

    def plan(some: Sequence[int], begin: Path | None) -> None:
        left = None if begin is None else read_beginning(begin)
        todo: dict[str, jobs.Job] = {}
        for n in some:
            place = jobs.place_for(scenarios[n], again=again, begin=begin)
            for note in place.notes:
                terminal.note(note)
            if place.finished:
                made[hashes[n]] = place.folder
            else:
                must_be_writable(place.folder)
                todo[hashes[n]] = jobs.Job(scenarios[n], place.folder, label=labels[n], begin=left)
        if len(todo) < len(some):
            terminal.note(f"{counted(len(some) - len(todo), 'plan')} finished before and used again")
        if todo:
            made.update(zip(todo, side_by_side(list(todo.values()), terminal, stop, workers, dask), strict=True))

    plan([0], None)
    first = made[hashes[0]]
    plan([n for n, key in enumerate(hashes) if hashes.index(key) == n > 0], first if isinstance(first, Path) else None)
    return [made[key] for key in hashes]


def sweep_text(table: "pd.DataFrame", currency: str, width: int) -> str:
    """Return the table of a sweep for a terminal; what is longer than `width` loses the end of its status."""
    keys = list(table.columns[: list(table.columns).index("status")])
    short = [key.rsplit(".", 1)[-1] for key in keys]
    names = [name if short.count(name) == 1 else key for name, key in zip(short, keys, strict=True)]
    rows = [[*names, f"million {currency}", "met", "worst-off", "unmet need", "gap", "status"]]
    for row in table.to_dict("records"):
        figures = [
            _text(row["spent_yuan"], lambda value: f"{value / 1e6:,.1f}"),
            _text(row["met_share"], "{:.3f}".format),
            _text(row["worst_off_score"], "{:.3f}".format),
            _text(row["unmet_need"], "{:,.0f}".format),
            _text(row["gap"], percent),
        ]
        rows.append([*(str(row[key]) for key in keys), *figures, str(row["status"])])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    room = max(20, width - sum(widths) - 2 * len(widths))
    cut = [f"{row[-1][: room - 1]}…" if len(row[-1]) > room else row[-1] for row in rows]
    return "\n".join(
        "  ".join([*(f"{cell:>{wide}}" for cell, wide in zip(row, widths, strict=False)), last])
        for row, last in zip(rows, cut, strict=True)
    )


def _text(value: object, form: Callable[[float], str]) -> str:
    return form(value) if isinstance(value, (int, float)) and not math.isnan(value) else ""
