"""The command `allot frontier`: efficient plans between goals, or the curve of unmet need against money."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from optimizer import jobs
from optimizer.answers import STOPPED
from optimizer.cli_run import heading, load, must_be_free, must_be_writable, print_json, shown, stoppable
from optimizer.terminal import Terminal, percent
from optimizer.whole_folder import whole_folder

if TYPE_CHECKING:
    import pandas as pd


def frontier_all(
    ref: str,
    between: Sequence[str],
    budget: str,
    out: Path | None,
    *,
    points: int,
    overrides: Sequence[str],
    years: int | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Trace a frontier into a new folder; exit with 130 where it was stopped by hand."""
    from optimizer.frontier import read_question
    from optimizer.frontier_run import run_frontier

    if out is not None:
        must_be_free(out)
    loaded = load(ref, overrides, years)
    question = read_question(between, budget, points, loaded.scenario)
    currency = loaded.scenario.currency.name
    words = json.dumps([ref, *overrides, *question.between, question.budget, question.points, years])
    name = f"frontier-{loaded.scenario.name}-{hashlib.sha256(words.encode('utf-8')).hexdigest()[:4]}"
    target = out or jobs.free_folder(name)
    must_be_writable(target)
    with Terminal(currency=currency) as terminal, stoppable(terminal) as stop:
        terminal.note(heading(loaded))
        with whole_folder(target) as draft:
            made = run_frontier(loaded, question, draft.part, progress=terminal.lane(), stop=stop, workers=workers)
        target = draft.folder
        for number, said in made.refused:
            terminal.note(f"Point {number} has no run folder: {' '.join(said.lines)}")
    if as_json:
        print_json({"folder": str(target), "table": str(target / "frontier.csv"), **made.record,
                    "points": _plain(made.table)})  # fmt: skip
    else:
        typer.echo(frontier_text(made.table, currency))
        typer.echo("")
        for line in [*made.lines, made.sure]:
            typer.echo(line)
        typer.echo(f"\nFrontier   {shown(target / 'frontier.html')}")
    if stop.is_set():
        raise typer.Exit(STOPPED)


def _plain(table: "pd.DataFrame") -> list[dict[str, Any]]:
    return [
        {str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]


def frontier_text(table: "pd.DataFrame", currency: str) -> str:
    """Return the points of a frontier for a terminal."""
    heads = {
        "point": ("point", "{:.0f}"),
        "budget_share": ("budget", "{:.1%}"),
        "worst_off": ("worst-off", "{:.4f}"),
        "unmet_need": ("unmet need", "{:,.0f}"),
        "unmet_need_bound": ("at least", "{:,.0f}"),
        "spending_yuan": (f"{currency} spent", "{:,.0f}"),
        "next_buys": ("next 100,000 buy", "{:,.0f}"),
        "price": ("price", "{:,.0f}"),
        "price_confirmed": ("confirmed", "{}"),
        "proof": ("proof", "{}"),
        "run": ("run", "{}"),
    }
    used = [(column, *heads[column]) for column in heads if column in table.columns]
    used.insert(-2, ("gap", "gap", ""))
    rows = [[title for _, title, _ in used]]
    for row in table.to_dict("records"):
        cells = []
        for column, _, form in used:
            value = row[column]
            missing = value is None or (isinstance(value, float) and math.isnan(value))
            cells.append("" if missing else percent(float(value)) if column == "gap" else form.format(value))
        rows.append(cells)
    widths = [max(len(row[i]) for row in rows) for i in range(len(used))]
    return "\n".join("  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows)
