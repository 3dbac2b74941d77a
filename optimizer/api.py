"""For notebooks: make or load a plan, look at it as frames and maps, compare it.

`import optimizer as allot`, then `allot.run("base")`, `allot.load("runs/…")`, `allot.compare(plan, "budget_cut")`.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import pandas as pd

from geodata.findings import InputError
from optimizer.compare import CompareError, Comparison
from optimizer.compare import compare as compare_folders
from optimizer.facts import Facts
from optimizer.run import Infeasible
from optimizer.run_folder import Run, RunError, read_run, read_run_city
from optimizer.scenario_find import ScenarioError

if TYPE_CHECKING:
    from altair import Chart

    from optimizer.audit import AuditReport
    from optimizer.progress import Progress
    from optimizer.report.summary import Summary

__all__ = [
    "CompareError", "Comparison", "Frontier", "Infeasible", "InputError", "Plan", "RunError", "ScenarioError",
    "compare", "frontier", "load", "run",
]  # fmt: skip


class Plan:
    """A finished plan, read from its run folder.

    Tables are plain frames with the columns of `tables/*.csv`; money is in whole units of the scenario's currency,
    areas in m2, travel in metres, shares and scores between 0 and 1.
    """

    def __init__(self, folder: Path | str):
        self._run = read_run(Path(folder))

    def __repr__(self) -> str:
        years = f"{self._run.years[0]}–{self._run.years[-1]}"
        return f"<Plan {self._run.name} {years}, {self._run.record.get('status', 'unknown')}, in {self.folder}>"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self._run.folder

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self._run.name

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` says: status, goals with value, bound and gap, the audit, inputs, versions."""
        return self._run.record

    @property
    def notes(self) -> list[str]:
        """What a reader must know before using the plan: doubtful inputs, a stopped search, a goal short of its gap."""
        from optimizer.report.summary import warnings as cautions

        return [*map(str, self.record.get("warnings", [])), *cautions(self._run)]

    @property
    def years(self) -> list[int]:
        """Years of the plan."""
        return self._run.years

    @cached_property
    def facts(self) -> Facts:
        """Figures of the plan that the report uses."""
        return Facts(self._run, read_run_city(self._run))

    @cached_property
    def communities(self) -> gpd.GeoDataFrame:
        """Communities with outlines: who lives there, class, scores, money, and what is met in the last year.

        `met_share` is the part of all needs met in the last year, `change` what it gained since the first, `gain`
        since before the plan, `score` that of all years, `score_before` that before the plan; `met_<need>` is the part
        of one need, missing where there is no such need.
        """
        from optimizer.report.geopackage import community_layer

        frame = community_layer(self.facts)
        frame.insert(frame.columns.get_loc("score"), "met_share", frame["score_last"])
        return frame

    @cached_property
    def stations(self) -> gpd.GeoDataFrame:
        """Stations as points, one per site and service, as they are in the last year; `change` says what is new."""
        from optimizer.report.geopackage import station_layer

        return station_layer(self.facts)

    @property
    def ledger(self) -> pd.DataFrame:
        """Who pays what: source, purpose, district, community, year, yuan, service, site."""
        return self._run.ledger

    @property
    def grants(self) -> pd.DataFrame:
        """Entitlement and grant of every community and year."""
        return self._run.grants

    @property
    def space(self) -> pd.DataFrame:
        """Rooms in use or paid for, by community, site and year."""
        return self._run.space

    @property
    def station_years(self) -> pd.DataFrame:
        """Stations year by year."""
        return self._run.stations

    @property
    def assignments(self) -> pd.DataFrame:
        """Who is served where: community, site, service, year, amount, travel_m."""
        return self._run.assignments

    @property
    def met(self) -> pd.DataFrame:
        """Need and what is met of it, by community, need and year."""
        return self._run.met

    @property
    def sources(self) -> pd.DataFrame:
        """The books of every source by year."""
        return self._run.sources

    @property
    def scores(self) -> pd.DataFrame:
        """Score of every community by year; the year is missing for all years together."""
        return self._run.scores

    def summary(self) -> "Summary":
        """Return the plan in a sentence and lines; `print(plan.summary())` shows them."""
        from optimizer.report.summary import summarise

        return summarise(self.facts)

    def why(self, community: str) -> list[str]:
        """Say why a community gets what it gets; KeyError where there is no such community."""
        from optimizer.report.why import why

        return why(self.facts, community)

    def map(self, column: str = "met_share", *, stations: bool = False, main_city: bool = False) -> "Chart":
        """Return a map of a column of `communities`, with the new and enlarged shared stations where asked for.

        `main_city` shows only the communities of the main city.
        Raises KeyError for a column that is not there.
        """
        from optimizer.report.notebook_map import community_map

        networks = [name for name, rule in self._run.scenario.services.items() if rule.siting == "network"]
        dots = self.stations
        dots = dots[dots["change"].isin(["opened", "upgraded"]) & dots["service"].isin(networks)]
        title = f"{self._run.title}: {column.replace('_', ' ')}"
        frame = self.communities
        if main_city:
            frame = frame[frame["main_city"]]
            dots = dots[dots["community"].isin(frame["community"])]
        return community_map(frame, column, title, stations=dots if stations else None)

    def compare(self, *others: "Plan | Path | str") -> Comparison:
        """Compare this plan with others: plans, run folders, or scenarios, which are run for the same years."""
        return compare(self, *others)

    def audit(self) -> "AuditReport":
        """Check the plan again: recompute every rule and total from the inputs and the tables."""
        from optimizer.audit import audit_run

        return audit_run(self.folder)


def load(folder: Path | str) -> Plan:
    """Return the plan in a run folder; RunError where there is none."""
    return Plan(folder)


def run(
    scenario: Path | str = "base", *, changes: Sequence[str] = (), years: int | None = None,
    out: Path | str | None = None, again: bool = False, close_to: "Plan | Path | str | None" = None,
    progress: "Progress | None" = None,
) -> Plan:  # fmt: skip
    """Make a plan, or find it where nothing has changed since it was made (unless `again`).

    `scenario` is the name of one that ships, or a file; `changes` are of the form `sources.city_finance.scale=0.9`;
    `years` shortens the horizon. Without `out` the run folder is made under `runs/`. A plan stays as close as it can
    to that of `close_to`. What is to be known of the plan (`Plan.notes`), and of finished runs that could not be used
    again, is given as warnings. Raises `ScenarioError` or `InputError` with all mistakes at once, `Infeasible` with the
    reason and ways out where no plan keeps the hard rules, FileExistsError where `out` holds something.
    """
    from optimizer import jobs
    from optimizer.progress import Silent
    from optimizer.run import run_scenario
    from optimizer.scenario_file import load_scenario

    loaded = load_scenario(scenario, _several(changes), years=years, data_must_exist=True)
    near = _folder(close_to) if close_to is not None else None
    if out is not None:
        place = jobs.Place(Path(out), finished=False)
    else:
        place = jobs.place_for(loaded, again=again, close_to=near)
    folder = place.folder
    if not place.finished:
        folder = run_scenario(loaded, folder, progress=progress or Silent(), close_to=near)
    plan = Plan(folder)
    for note in (*place.notes, *plan.notes):
        warnings.warn(note, stacklevel=2)
    return plan


def compare(*plans: "Plan | Path | str") -> Comparison:
    """Compare plans; the first is the base.

    Each is a plan, a run folder, or a scenario (a name or a file), which is run first: for the years of the base and
    as close to it as can be. Raises `CompareError` where plans cannot be compared.
    """
    folders: list[Path] = []
    base: Run | None = None
    for plan in plans:
        if isinstance(plan, Plan):
            folders.append(plan.folder)
        elif (Path(plan) / "run.json").is_file():
            folders.append(Path(plan))
        else:
            made = run(plan, years=len(base.years) if base else None, close_to=base.folder if base else None)
            folders.append(made.folder)
        base = base or read_run(folders[0])
    return compare_folders(folders)


@dataclass(frozen=True)
class Frontier:
    """Plans between goals or over budgets; `table` has one row per point (columns: docs/frontier.md).

    `lines` say what each step costs or buys, `sure` how sure the points are.
    """

    folder: Path
    table: pd.DataFrame
    lines: list[str]
    sure: str

    @property
    def plans(self) -> list[Plan]:
        """The plans of the points, in the order of the table."""
        return [Plan(self.folder / str(name)) for name in self.table["run"]]


def frontier(
    scenario: Path | str = "base", *, between: Sequence[str] = (), budget: str = "", points: int = 15,
    changes: Sequence[str] = (), years: int | None = None, out: Path | str | None = None,
    progress: "Progress | None" = None,
) -> Frontier:  # fmt: skip
    """Trace the frontier between two or three goals, or the plans of a range of budgets such as `80%..120%`.

    One run folder per point is left in `out`, a new folder (under `runs/` where it is not given), whole or not at all.
    Raises `ScenarioError` or `InputError` with all mistakes at once, FileExistsError where `out` holds something.
    """
    from optimizer import jobs
    from optimizer.frontier import read_question
    from optimizer.frontier_run import run_frontier
    from optimizer.progress import Silent
    from optimizer.scenario_file import load_scenario
    from optimizer.whole_folder import whole_folder

    loaded = load_scenario(scenario, _several(changes), years=years, data_must_exist=True)
    question = read_question(_several(between), budget, points, loaded.scenario)
    folder = Path(out) if out is not None else jobs.free_folder(f"frontier-{loaded.scenario.name}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(17, "exists already and is not empty; choose another folder with out", str(folder))
    with whole_folder(folder) as draft:
        made = run_frontier(loaded, question, draft.part, progress=progress or Silent())
    return Frontier(draft.folder, made.table, made.lines, made.sure)


def _folder(plan: "Plan | Path | str") -> Path:
    """Return the folder of a plan; RunError where there is no finished run."""
    return plan.folder if isinstance(plan, Plan) else read_run(Path(plan)).folder


def _several(given: Sequence[str]) -> list[str]:
    """Return what is given as a list; one text is one thing, not its letters."""
    return [given] if isinstance(given, str) else list(given)
