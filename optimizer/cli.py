"""The command `allot`. Heavy libraries are imported inside the commands, so that --help is instant."""

try:
    import json
    import os
    import signal
    import sys
    from collections.abc import Iterator
    from contextlib import contextmanager, suppress
    from pathlib import Path
    from typing import Annotated, Any, Literal, NoReturn

    import typer

    from optimizer.answers import NO, STOPPED, WRONG, Answer, answer
except KeyboardInterrupt:  # Ctrl-C before there is anything to stop
    raise SystemExit(130) from None

app = typer.Typer(
    help="Plan community resources of a whole city: work funds, space and service stations, over several years.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_debug = False

Scenario = Annotated[str, typer.Argument(metavar="SCENARIO", help="Name of a scenario that ships, or a YAML file.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="New folder for what is written.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one key, for example horizon.years=3. May be repeated."),
]
Years = Annotated[int | None, typer.Option("--years", min=1, max=30, help="Plan so many years.")]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Again = Annotated[bool, typer.Option("--again", "--force", help="Run again although a finished run is there.")]
_MODELS = (
    "lscp, backup-coverage, mclp, p-median, p-center, cflp, capacitated-p-median or p-dispersion; docs/siting.md has "
    "the mathematics of each."
)


def main() -> None:
    """Run the command line: the entry point of `allot`."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
            if os.name == "nt" and not stream.isatty():
                stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    global _debug  # noqa: PLW0603 - one switch for the whole process
    _debug = "--debug" in sys.argv
    app(args=[word for word in sys.argv[1:] if word != "--debug"], prog_name="allot")


def _leave(number: int, frame: object) -> NoReturn:
    """End on a Ctrl-C that comes before a command has begun its work."""
    del number, frame
    raise SystemExit(STOPPED)


def _print_version(wanted: bool) -> None:
    if wanted:
        from optimizer.version import version

        typer.echo(f"allot {version()}")
        raise typer.Exit


@app.callback()
def _options(
    show: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where an error comes from (may stand anywhere).")
    ] = False,
) -> None:
    del show, debug


@contextmanager
def _answering(as_json: bool = False) -> Iterator[None]:
    """Turn errors, and Ctrl-C from here on, into an answer in words and an exit code."""
    try:
        if signal.getsignal(signal.SIGINT) is _leave:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        _leave_quietly()
    except (Exception, KeyboardInterrupt) as error:
        if _debug:
            raise
        _refuse(answer(error), as_json)


def _leave_quietly() -> NoReturn:
    """End although nobody reads on (`allot … | head`)."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(0)


def _refuse(said: Answer, as_json: bool) -> NoReturn:
    if as_json:
        _print_json({"status": said.kind, "messages": list(said.lines)})
    infeasible = said.code == NO
    for line in () if as_json and infeasible else said.lines:
        typer.echo(line, err=not infeasible)
    raise typer.Exit(said.code)


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False))


@app.command(short_help="Make the plan of a scenario.")
def run(
    scenario: Scenario,
    out: Out = None,
    sets: Sets = None,
    years: Years = None,
    method: Annotated[
        Literal["auto", "whole", "prices"] | None, typer.Option("--method", help="How the plan is searched.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", min=0.001, metavar="SECONDS", help="Stop the search after this.")
    ] = None,
    hard_floor: Annotated[
        bool, typer.Option("--hard-floor", help="Every community gets its work funds in full, or there is no plan.")
    ] = False,
    again: Again = False,
    as_json: Json = False,
) -> None:
    """Make the plan of a scenario and leave it, with its report, in a new folder under runs/.

    A finished run of the same scenario, data and version is used again. Ctrl-C stops the search and keeps the best
    plan found.
    """
    from optimizer import cli_run

    with _answering(as_json):
        overrides = list(sets or [])
        overrides += [f"solver.method={method}"] if method else []
        overrides += [f"solver.time_limit_seconds={time_limit:g}"] if time_limit is not None else []
        overrides += ["programmes.work_funds.hard_floor=true"] if hard_floor else []
        loaded = cli_run.load(scenario, overrides, years)
        cli_run.run_one(loaded, out, again=again, as_json=as_json)


@app.command(short_help="Find mistakes in data or in a scenario.")
def check(
    what: Annotated[str, typer.Argument(metavar="DATA_OR_SCENARIO", help="File or folder of a city, or a scenario.")],
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", help="Scenario whose types, services and column names the data uses.")
    ] = "base",
    as_json: Json = False,
) -> None:
    """Look for mistakes in data or in a scenario and its data, and print all of them at once."""
    from optimizer import cli_check

    with _answering(as_json):
        raise typer.Exit(cli_check.check(what, scenario, as_json=as_json))


@app.command(short_help="Compare plans side by side.")
def compare(
    what: Annotated[
        list[str], typer.Argument(metavar="SCENARIO_OR_RUN...", help="Scenarios or run folders; the first is the base.")
    ],
    out: Out = None,
    sets: Sets = None,
    years: Years = None,
    again: Again = False,
    as_json: Json = False,
) -> None:
    """Compare plans side by side; scenarios that have no finished run are run first, side by side.

    Changed scenarios are solved from the plan of the first and stay as close to it as they can.
    """
    from optimizer import cli_compare

    with _answering(as_json):
        if len(what) < 2:
            typer.echo("Give at least two scenarios or run folders to compare.", err=True)
            raise typer.Exit(WRONG)
        cli_compare.compare_all(what, out, overrides=list(sets or []), years=years, again=again, as_json=as_json)


@app.command(short_help="Plan every combination of some values.")
def sweep(
    scenario: Scenario,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary", metavar="KEY=A,B,…", help="Values that a key takes, for example horizon.discount=0.02,0.04."
        ),
    ] = None,
    out: Out = None,
    sets: Sets = None,
    years: Years = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=512, help="Plan so many at once; else as many as cores.")
    ] = None,
    dask: Annotated[
        str, typer.Option("--dask", metavar="ADDRESS", help="Plan on a Dask cluster: its scheduler, tcp://host:port.")
    ] = "",
    again: Again = False,
    as_json: Json = False,
) -> None:
    """Plan a scenario with every combination of the values given, side by side, and leave one table of all plans.

    Combinations that have a finished run are not run again. Ctrl-C stops all searches and keeps the best plans found.
    """
    from optimizer import cli_sweep

    with _answering(as_json):
        cli_sweep.sweep_all(
            scenario,
            list(vary or []),
            out,
            overrides=list(sets or []),
            years=years,
            again=again,
            workers=workers,
            dask=dask,
            as_json=as_json,
        )


@app.command(short_help="Show what goals cost one another, or what money buys.")
def frontier(
    scenario: Scenario,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[GOAL...]", help="Further goals of --between.", show_default=False)
    ] = None,
    between: Annotated[
        list[str] | None,
        typer.Option(
            "--between", metavar="GOAL GOAL [GOAL]", help="Two or three of worst_off, unmet_need, travel, spending."
        ),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", metavar="A%..B%", help="A range of budgets, for example 80%..120%.")
    ] = "",
    points: Annotated[
        int, typer.Option("--points", help="How many plans; for three goals at most about so many.")
    ] = 15,
    out: Out = None,
    sets: Sets = None,
    years: Years = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, max=512, help="Write so many plans at once; else one a core."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the efficient plans between two or three goals (--between), or a plan for each budget of a range (--budget).

    Every point is a run folder of its own, audited; table and picture say what each step costs, and how sure that is.
    Ctrl-C keeps the points made so far.
    """
    from optimizer import cli_frontier

    with _answering(as_json):
        goals = [goal for word in [*(between or []), *(more or [])] for goal in word.split(",") if goal]
        cli_frontier.frontier_all(
            scenario,
            goals,
            budget,
            out,
            points=points,
            overrides=list(sets or []),
            years=years,
            workers=workers,
            as_json=as_json,
        )


@app.command(short_help="Choose sites by a classical location model.")
def site(
    model: Annotated[
        Literal[
            "lscp",
            "backup-coverage",
            "mclp",
            "p-median",
            "p-center",
            "cflp",
            "capacitated-p-median",
            "p-dispersion",
        ],
        typer.Argument(metavar="MODEL", help=_MODELS),
    ],
    demand: Annotated[
        Path | None, typer.Option("--demand", metavar="FILE", help="Clients: id, x, y (m), weight, demand.")
    ] = None,
    sites: Annotated[
        Path | None,
        typer.Option("--sites", metavar="FILE", help="Sites: id, x, y (m), capacity, fixed_cost, existing (0 or 1)."),
    ] = None,
    costs: Annotated[
        Path | None,
        typer.Option("--costs", metavar="FILE", help="Cost of pairs: client, site, cost; else straight-line metres."),
    ] = None,
    p: Annotated[int | None, typer.Option("-p", help="Number of open sites, existing ones included.")] = None,
    limit: Annotated[
        float | None, typer.Option("--limit", help="The farthest a site may be, inclusive (coverage models).")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", metavar="NAME=COLUMN", help="Take weight, demand, capacity … from another column."),
    ] = None,
    duplicates: Annotated[
        bool, typer.Option("--allow-duplicates", help="Let two clients or two sites stand at the same place.")
    ] = False,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", min=0.001, metavar="SECONDS", help="Stop the search after this.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the solver.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, max=512, help="Threads of the solver.")] = 1,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Choose sites by a classical location model, with a proof of how good the choice is.

    Tables are CSV, GeoPackage, GeoJSON or Parquet. With --out, sites and assignments are left in a new folder.
    """
    from optimizer import cli_site

    with _answering(as_json):
        asked = cli_site.Asked(model, demand, sites, costs, p, limit, tuple(columns or ()), duplicates)
        search = {"time_limit": time_limit, "seed": seed, "threads": threads}
        raise typer.Exit(cli_site.site(asked, search, out, as_json=as_json))


@app.command(short_help="Start a city of your own from polygons.")
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="New folder for the city.")],
    boundaries: Annotated[
        Path, typer.Option("--boundaries", "-b", metavar="FILE", help="Polygons of the communities.")
    ],
    identifier: Annotated[
        str, typer.Option("--id", metavar="COLUMN", help="Column of identifiers; # stands for the row number.")
    ] = "",
    name: Annotated[str, typer.Option("--name", metavar="COLUMN", help="Column of names.")] = "",
    population: Annotated[str, typer.Option("--population", metavar="COLUMN", help="Column of residents.")] = "",
    district: Annotated[str, typer.Option("--district", metavar="COLUMN", help="Column of districts.")] = "",
    sub_district: Annotated[
        str, typer.Option("--sub-district", metavar="COLUMN", help="Column of sub-districts.")
    ] = "",
    layer: Annotated[str, typer.Option("--layer", help="Layer of the file, where it has several.")] = "",
    crs: Annotated[str, typer.Option("--crs", help="Coordinate system, where the file does not say it.")] = "",
    encoding: Annotated[str, typer.Option("--encoding", help="Text encoding of a Shapefile, for example GBK.")] = "",
    first_year: Annotated[
        int | None, typer.Option("--first-year", min=1900, max=2200, help="First year planned for; else next year.")
    ] = None,
    streets: Annotated[
        Path | None, typer.Option("--streets", metavar="FILE", help="Street lines or GraphML, for travel.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the files of an earlier start in DIR.")] = False,
) -> None:
    """Start a city of your own from a file of polygons: tables with needs estimated by norms, and a scenario.

    Columns that are not named are guessed, and what was taken is said.
    """
    with _answering():
        named = {
            "community": identifier,
            "name": name,
            "population": population,
            "district": district,
            "sub_district": sub_district,
        }
        from geodata.init import init_city

        said = init_city(
            directory,
            boundaries,
            columns={ours: theirs for ours, theirs in named.items() if theirs},
            layer=layer,
            crs=crs,
            encoding=encoding,
            first_year=first_year,
            streets=streets,
            force=force,
        )
        typer.echo("\n".join(said))


@app.command(short_help="Recompute every figure of a plan.")
def audit(
    folder: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="Folder of a run.")], as_json: Json = False
) -> None:
    """Recompute every rule and every total of a plan from its inputs and tables."""
    from optimizer import cli_check

    with _answering(as_json):
        raise typer.Exit(cli_check.audit(folder, as_json=as_json))


@app.command()
def scenarios(as_json: Json = False) -> None:
    """List the scenarios that ship."""
    from optimizer import cli_check

    with _answering(as_json):
        rows = cli_check.shipped_titles()
        if as_json:
            _print_json([{"name": name, "title": title, "file": str(file)} for name, title, file in rows])
            return
        wide = max((len(name) for name, _, _ in rows), default=0)
        for name, title, _ in rows:
            typer.echo(f"{name:<{wide}}  {title}".rstrip())


@app.command(short_help="Print what a scenario or the data may say.")
def schema(
    data: Annotated[bool, typer.Option("--data", help="The tables and columns of a city, as Markdown.")] = False,
    scenario: Annotated[
        bool, typer.Option("--scenario", help="The keys of a scenario, as JSON Schema (default).")
    ] = False,
) -> None:
    """Print what a scenario (JSON Schema, for editors) or the data (Markdown) may say."""
    with _answering():
        if data and scenario:
            typer.echo("Give --data or --scenario, not both.", err=True)
            raise typer.Exit(WRONG)
        if data:
            from geodata.describe import schema_markdown

            typer.echo(schema_markdown())
        else:
            from optimizer.scenario_file import json_schema

            _print_json(json_schema())


@app.command(name="open")
def open_report(
    what: Annotated[
        str, typer.Argument(metavar="RUN", help="Run folder or name of a scenario; the newest run where not given.")
    ] = "",
) -> None:
    """Open the report of a run in the browser."""
    from optimizer import cli_check

    with _answering():
        typer.echo(cli_check.open_report(what))


@app.command()
def version() -> None:
    """Print the versions of the planner, the solvers and Python."""
    from optimizer.version import versions

    for name, number in versions().items():
        typer.echo(f"{name} {number}")


if __name__ == "__main__":
    main()
