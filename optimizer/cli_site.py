"""The command `allot site`: tables in, a siting model solved, the choice of sites in words, JSON or tables."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import typer

from optimizer import siting
from optimizer.answers import DONE, NO, WRONG
from optimizer.cli_run import must_be_free, print_json, shown
from optimizer.siting import tables
from optimizer.siting.errors import Finding, SitingError, SitingInputError, listed
from optimizer.siting.result import Result
from optimizer.siting.tables import Columns, SitingData
from optimizer.terminal import proven
from optimizer.whole_folder import whole_folder

MODELS: dict[str, Callable[..., Result]] = {
    "lscp": siting.lscp,
    "backup-coverage": siting.backup_coverage,
    "mclp": siting.mclp,
    "p-median": siting.p_median,
    "p-center": siting.p_center,
    "cflp": siting.cflp,
    "capacitated-p-median": siting.capacitated_p_median,
    "p-dispersion": siting.p_dispersion,
}
WITH_LIMIT = {"lscp", "backup-coverage", "mclp"}
NEEDS_P = {"mclp", "p-median", "p-center", "capacitated-p-median", "p-dispersion"}
TAKES_P = NEEDS_P | {"backup-coverage", "cflp"}
ARRAYS = {
    "lscp": ("fixed_cost",),
    "backup-coverage": ("weights",),
    "mclp": ("weights",),
    "p-median": ("weights",),
    "p-center": ("weights",),
    "cflp": ("weights", "demand", "capacity", "fixed_cost"),
    "capacitated-p-median": ("weights", "demand", "capacity"),
    "p-dispersion": (),
}
REQUIRED = {"cflp": ("fixed_cost",), "capacitated-p-median": ("demand", "capacity")}
VALUES = {
    "lscp": "Sites",
    "backup-coverage": "Weight covered twice",
    "mclp": "Weight covered",
    "p-median": "Weighted distance",
    "p-center": "Greatest distance",
    "cflp": "Cost",
    "capacitated-p-median": "Weighted distance",
    "p-dispersion": "Least distance between two",
}


@dataclass(frozen=True)
class Asked:
    """What the command line says of the model and its tables."""

    model: str
    demand: Path | None
    sites: Path | None
    costs: Path | None
    p: int | None
    limit: float | None
    columns: tuple[str, ...]
    allow_duplicates: bool


def site(asked: Asked, search: dict[str, Any], out: Path | None, *, as_json: bool) -> int:
    """Solve the model and say the answer; returns the exit code."""
    wrong = _usage(asked)
    if wrong:
        for line in wrong:
            typer.echo(line, err=True)
        return WRONG
    if out is not None:
        must_be_free(out)
    data = _data(asked)
    given = {name: getattr(data, name) for name in ARRAYS[asked.model] if getattr(data, name) is not None}
    given |= {"p": asked.p} if asked.p is not None else {}
    given |= {"limit": asked.limit} if asked.limit is not None else {}
    given |= {"existing": data.existing} if data.existing is not None else {}
    search = {name: value for name, value in search.items() if value is not None}
    try:
        result = MODELS[asked.model](data.cost, **given, **search)
    except SitingError as error:
        raise type(error)(_by_name(finding, data) for finding in error.findings) from None
    facts = _facts(asked, data, result)
    if out is not None:
        _write(out, data, result, facts)
    if as_json:
        print_json(facts | ({"folder": str(out)} if out is not None else {}))
    else:
        typer.echo("\n".join(_said(asked, data, result)))
        if out is not None:
            typer.echo(f"Tables  {shown(out)}")
    return NO if result.value is None else DONE


def _usage(asked: Asked) -> list[str]:
    """What is missing or does not belong, all at once."""
    said = []
    if asked.model in NEEDS_P and asked.p is None:
        said.append(f"{asked.model} needs -p, the number of sites.")
    if asked.model not in TAKES_P and asked.p is not None:
        said.append(f"{asked.model} takes no -p: it finds the number of sites itself.")
    if asked.model in WITH_LIMIT and asked.limit is None:
        said.append(f"{asked.model} needs --limit, the farthest a site may be.")
    if asked.model not in WITH_LIMIT and asked.limit is not None:
        said.append(f"{asked.model} takes no --limit; leave far pairs out of --costs instead.")
    if asked.model == "p-dispersion" and (asked.demand or asked.costs or not asked.sites):
        said.append("p-dispersion is about sites alone: give --sites and neither --demand nor --costs.")
    elif asked.model != "p-dispersion" and not asked.costs and not (asked.demand and asked.sites):
        said.append("Give --demand and --sites, or --costs.")
    known = [field.name for field in fields(Columns)]
    for word in asked.columns:
        name, _, column = word.partition("=")
        if name not in known or not column:
            said.append(f"--column {word}: write NAME=COLUMN with NAME one of {', '.join(known)}.")
    names = [word.partition("=")[0] for word in asked.columns]
    said += [f"--column {name} is given twice; give it once." for name in known if names.count(name) > 1]
    return said


def _data(asked: Asked) -> SitingData:
    """Read the tables; ``SitingInputError`` with what is wrong, columns that the model needs included."""
    columns = _columns(asked)
    read: dict[str, pd.DataFrame] = {}
    found: list[Finding] = []
    for name, path in _files(asked).items():
        try:
            read[name] = tables.read(path)
        except SitingInputError as error:
            found += error.findings
    if found:
        raise SitingInputError(found)
    if asked.model == "p-dispersion":
        data = tables.from_sites(read["sites"], columns=columns, allow_duplicates=asked.allow_duplicates)
    elif asked.costs:
        data = tables.from_costs(read["costs"], read.get("demand"), read.get("sites"), columns=columns)
    else:
        data = tables.from_points(
            read["demand"], read["sites"], columns=columns, allow_duplicates=asked.allow_duplicates
        )
    missing = [name for name in REQUIRED.get(asked.model, ()) if getattr(data, name) is None]
    if missing:
        where = {"demand": "demand", "capacity": "sites", "fixed_cost": "sites"}
        raise SitingInputError(
            Finding("columns", f"{asked.model} needs the column {name}", where=where[name]) for name in missing
        )
    return data


def _columns(asked: Asked) -> Columns:
    return Columns(**dict(word.split("=", 1) for word in asked.columns))


def _measured(asked: Asked, data: SitingData) -> str:
    """What the value is, in words: of lscp the sites or, with a column of their cost, that cost."""
    if asked.model == "lscp" and data.fixed_cost is not None:
        return f"Cost of the sites (column {_columns(asked).fixed_cost or 'fixed_cost'})"
    return VALUES[asked.model]


def _files(asked: Asked) -> dict[str, Path]:
    files = {"demand": asked.demand, "sites": asked.sites, "costs": asked.costs}
    return {name: path for name, path in files.items() if path is not None}


def _by_name(finding: Finding, data: SitingData) -> Finding:
    """The finding with names of clients in place of their numbers."""
    if not finding.clients:
        return finding
    return replace(finding, where=f"client {listed(data.clients[i] for i in finding.clients)}")


def _facts(asked: Asked, data: SitingData, result: Result) -> dict[str, Any]:
    return {
        "model": asked.model,
        "status": result.status,
        "value": result.value,
        "value_is": _measured(asked, data),
        "bound": result.bound if math.isfinite(result.bound) else None,
        "gap": result.gap if math.isfinite(result.gap) else None,
        "open_sites": [data.sites[j] for j in result.open_sites],
        "clients": len(data.clients),
        "sites": len(data.sites),
        "p": asked.p,
        "limit": asked.limit,
        "seconds": round(result.seconds, 3),
    }


def _said(asked: Asked, data: SitingData, result: Result) -> list[str]:
    lines = [f"{asked.model}  {len(data.clients):,} clients, {len(data.sites):,} sites"]
    if result.value is None:
        return [*lines, "No plan was found in the time given; allow more with --time-limit."]
    gap = proven(0.0 if result.proven else result.gap)
    lines.append(f"{_measured(asked, data)}  {result.value:,.10g}, {gap}  ({result.seconds:.1f} s)")
    lines.append(f"Open ({len(result.open_sites)})  {listed((data.sites[j] for j in result.open_sites), 40)}")
    if result.assignment.ndim == 1 and (result.assignment < 0).any():
        left = [data.clients[i] for i in (result.assignment < 0).nonzero()[0]]
        lines.append(f"Not covered ({len(left)})  {listed(left)}")
    return lines


def _write(out: Path, data: SitingData, result: Result, facts: dict[str, Any]) -> None:
    """Leave sites.csv, assignments.csv and site.json in a new folder, all or nothing."""
    sites, assignments = tables.result_tables(data, result)
    with whole_folder(out) as draft:
        part = draft.part
        sites.to_csv(part / "sites.csv", index=False, lineterminator="\n", encoding="utf-8")
        assignments.to_csv(part / "assignments.csv", index=False, lineterminator="\n", encoding="utf-8")
        text = json.dumps(facts, ensure_ascii=False, indent=2, allow_nan=False)
        (part / "site.json").write_text(text + "\n", encoding="utf-8")
