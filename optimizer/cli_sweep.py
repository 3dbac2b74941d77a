"""The command `allot sweep`: a grid of scenarios, planned side by side, in one table."""

import hashlib
import math
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from optimizer import jobs
from optimizer.answers import NO, STOPPED, WRONG, Answer, counted
from optimizer.cli_run import load, must_be_free, print_json, shown, side_by_side, stoppable, whole_folder
from optimizer.scenario_file import LoadedScenario, ScenarioError
from optimizer.sweep import Vary, grid, read_vary, sweep_table
from optimizer.terminal import Terminal, percent

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
    """Plan every combination and leave a table of them; exit with 1 where one has no plan."""
    if not vary:
        typer.echo("Say what varies, for example --vary programmes.work_funds.floor_yuan=40000,50000.", err=True)
        raise typer.Exit(WRONG)
    if out is not None:
        must_be_free(out)
    varies = read_vary(vary)
    scenarios = _scenarios(ref, varies, overrides, years)
    with Terminal(currency=scenarios[0].scenario.currency.name) as terminal, stoppable(terminal) as stop:
        outcomes = _plan(scenarios, varies, terminal, stop, again=again, workers=workers, dask=dask)
    table = sweep_table(varies, [o if isinstance(o, Path) else " ".join(o.lines) for o in outcomes])
    target = out or _sweep_folder(scenarios[0].scenario.name, vary)
    with whole_folder(target) as part:
        table.to_csv(part / "sweep.csv", index=False, lineterminator="\n", encoding="utf-8")
    if as_json:
        rows = [
            {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
            for row in table.to_dict("records")
        ]
        print_json({"folder": str(target), "table": str(target / "sweep.csv"), "plans": rows})
    else:
        typer.echo(sweep_text(table, max(60, shutil.get_terminal_size((120, 24)).columns)))
        typer.echo(f"\nSweep   {shown(target / 'sweep.csv')}")
    if stop.is_set():
        raise typer.Exit(STOPPED)
    codes = [outcome.code for outcome in outcomes if isinstance(outcome, Answer)]
    if codes:
        raise typer.Exit(max(codes) if min(codes) != NO else NO)


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
    """Return the run folder of every scenario, or why there is none; equal scenarios are run once."""
    combinations = [" ".join(values) for values in grid(varies)]
    places = [jobs.place_for(loaded, again=again) for loaded in scenarios]
    todo: dict[Path, jobs.Job] = {}
    for loaded, place, label in zip(scenarios, places, combinations, strict=True):
        if not place.finished:
            todo.setdefault(place.folder, jobs.Job(loaded, place.folder, label=label))
    used = sum(place.finished for place in places)
    again_used = f", {used} finished before and used again" if used else ""
    terminal.note(f"{counted(len(scenarios), 'combination')} of {', '.join(v.key for v in varies)}{again_used}")
    made = (
        dict(zip(todo, side_by_side(list(todo.values()), terminal, stop, workers, dask), strict=True)) if todo else {}
    )
    return [made.get(place.folder, place.folder) for place in places]


def sweep_text(table: "pd.DataFrame", width: int) -> str:
    """Return the table of a sweep for a terminal."""
    keys = list(table.columns[: list(table.columns).index("status")])
    short = {key: key.rsplit(".", 1)[-1] for key in keys}
    names = [short[key] if list(short.values()).count(short[key]) == 1 else key for key in keys]
    heads = [*names, "money, M", "met", "worst-off", "unmet need", "gap", "status"]
    rows = [heads]
    for row in table.to_dict("records"):
        none = not isinstance(row["run"], str)
        figures = (
            ["", "", "", "", ""]
            if none
            else [
                f"{row['money'] / 1e6:,.1f}",
                f"{row['met']:.3f}",
                _number(row["worst_off"], "{:.3f}"),
                _number(row["unmet_need"], "{:,.0f}"),
                percent(row["gap"]) if isinstance(row["gap"], float) and row["gap"] == row["gap"] else "",
            ]
        )
        rows.append([*(str(row[key]) for key in keys), *figures, str(row["status"])])
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads) - 1)]
    lines = ["  ".join([*(f"{c:>{w}}" for c, w in zip(row, widths, strict=False)), row[-1]]) for row in rows]
    return "\n".join(line[: max(width, sum(widths) + 40)].rstrip() for line in lines)


def _number(value: object, form: str) -> str:
    return form.format(value) if isinstance(value, (int, float)) and value == value else ""


def _sweep_folder(name: str, vary: Sequence[str]) -> Path:
    """Return a folder that is not there yet, named after what is swept."""
    stem = f"sweep-{name}-{hashlib.sha256(' '.join(vary).encode('utf-8')).hexdigest()[:4]}"
    number, folder = 1, jobs.RUNS / stem
    while folder.exists():
        number += 1
        folder = jobs.RUNS / f"{stem}-{number}"
    return folder
