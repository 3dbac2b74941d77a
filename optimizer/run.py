"""The whole program on one page: read, check, build, search, write down, audit, report.

A run folder appears whole or not at all: everything is written beside it first, and a plan that fails its audit is not
written as a plan.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from geodata.check import check_city
from geodata.city import City
from geodata.findings import Finding, InputError
from geodata.read import read_city
from optimizer.beginning import Beginning, read_beginning
from optimizer.clock import Clock
from optimizer.contradiction import contradiction
from optimizer.goals import SHOWN, Found, NoPlanYet
from optimizer.joint import Joint, build_joint
from optimizer.ledger import MoneyShortError
from optimizer.levels import no_levels
from optimizer.previous_plan import previous_decisions
from optimizer.price_plan import Infeasible as _NoPlan
from optimizer.problem import Bools, Problem
from optimizer.problem_data import build_problem
from optimizer.progress import Progress, Silent
from optimizer.rules import plan_by_rule, unkept
from optimizer.rules.columns import encode
from optimizer.rules.split import keys_of
from optimizer.rules.unkept import unpaid
from optimizer.run_write import write_run
from optimizer.scenario import RULE_TITLES, Rule
from optimizer.scenario_check import at_lines, check_scenario
from optimizer.scenario_file import LoadedScenario
from optimizer.search import find_plan
from optimizer.shortage import explain
from optimizer.watch import Watch
from optimizer.words import plural

BOUND_WORDS = {
    "worst_off": "a worst-off score above",
    "unmet_need": "an unmet need below",
    "travel": "travel of persons x metres below",
    "spending": "spending below",
    "weighted": "a weighted sum below",
}

_COUNTED = {
    "communities": ("community", "communities"),
    "sites": ("building",),
    "facilities": ("facility", "facilities"),
    "districts": ("district",),
}

ENDED = {
    "hand": "by hand",
    "time": "by the time limit (solver.time_limit_seconds)",
    "work": "after as many nodes and rounds as a search may take",
}
TOO_FAIR = (
    "\nThe bounds under fairness are rules too: raise gini_at_most or atkinson_at_most, or lower the least shares of "
    "groups."
)


class Infeasible(Exception):
    """No plan keeps the hard rules; `report` says which and what is missing, for the planner."""

    def __init__(self, report: str) -> None:
        super().__init__(report)
        self.report = report


class RunStopped(Exception):
    """The search was stopped before it had any plan."""


def run_scenario(
    loaded: LoadedScenario,
    out: Path,
    *,
    progress: Progress | None = None,
    close_to: Path | None = None,
    stop: threading.Event | None = None,
    begin: Beginning | None = None,
) -> Path:
    """Make the plan of a scenario and write its run folder `out`; return it.

    `close_to` is the run folder of a plan to stay close to at equal worth. The search begins with what that plan's
    left, or with `begin`. `stop` ends the search early and keeps the best plan found. Raises InputError for unusable
    data, Infeasible, RunStopped, FileExistsError where `out` holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(17, "exists already and is not empty; choose another folder", str(out))
    progress = progress or Silent()
    clock = Clock(progress)
    scenario = loaded.scenario
    city = checked_city(loaded, clock)
    with clock.phase("travel") as said:
        problem = build_problem(city, scenario)
        pairs = len(problem.arcs) + len(problem.existing_arcs) + len(problem.hall_arcs)
        ways = plural(len(city.streets), "street segment") if len(city.streets) else ""
        said.append(f"{plural(pairs, 'pair')} within reach {f'over {ways}' if ways else 'by straight line'}")
    with clock.phase("building") as said:
        joint = build_joint(problem)
        rows = joint.matrix.shape[0]
        said.append(f"{joint.n_columns:,} decisions, {int(joint.integer.sum()):,} of them yes or no; {rows:,} rules")
    watch = Watch(progress, stop or threading.Event(), scenario.solver.time_limit_seconds)
    with clock.phase("solving") as said:
        if scenario.rule is None:
            near = previous_decisions(joint, close_to) if close_to else None
            begin = begin or (read_beginning(close_to) if close_to else None)
            found = _search(problem, joint, watch, near, begin)
        else:
            found, close_to = _by_rule(city, joint, scenario.rule), None
            said.append(f"by rule: {RULE_TITLES[scenario.rule.split]}; nothing is searched")
    return write_run(loaded, city, joint, found, out, clock, close_to)


def checked_city(loaded: LoadedScenario, clock: Clock) -> City:
    """Read and check the city; its findings are all warnings. Raises InputError with every error at once."""
    data = loaded.resolved["data"]
    with clock.phase("reading") as said:
        city = read_city(data["path"], crs=data["crs"], metric_crs=data["metric_crs"], layers=data["layers"])
        said += [plural(len(city.table(name)), *words) for name, words in _COUNTED.items() if len(city.table(name))]
    with clock.phase("checking") as said:
        findings = check_inputs(city, loaded)
        errors = [f for f in findings if f.severity == "error"]
        if errors:
            raise InputError(findings)
        count = len(findings)
        said.append(f"no errors, {count or 'no'} warning{'' if count == 1 else 's'}")
    return replace(city, findings=tuple(findings))


def check_inputs(city: City, loaded: LoadedScenario) -> list[Finding]:
    """Return all findings about a city, and about a scenario on that city, at the lines of its file."""
    scenario = loaded.scenario
    services = {name: service.siting for name, service in scenario.services.items()}
    modes = {"walking", *(service.travel for service in scenario.services.values())}
    found = check_city(city, types=list(scenario.types), services=services, modes=modes)
    if not any(f.severity == "error" for f in found):
        found = [*found, *at_lines(check_scenario(city, scenario), loaded)]
    return found


def _by_rule(city: City, joint: Joint, rule: Rule) -> Found:
    """Return the plan a rule makes; it has no bounds, and nobody is set aside. Raises Infeasible."""
    problem = joint.problem
    shortage = explain(problem)
    if shortage:
        raise Infeasible(shortage)
    try:
        decisions = plan_by_rule(problem, rule, keys_of(city, rule))
    except MoneyShortError as error:
        raise Infeasible(unpaid(problem, error)) from None
    broken = unkept(problem, decisions)
    if broken:
        raise Infeasible(broken)
    levels = no_levels(problem)
    return Found(encode(joint, decisions), levels, rule.split)


def _fair_bounds(problem: Problem) -> bool:
    """Whether the scenario bounds inequality or asks for least shares of groups."""
    rule = problem.scenario.fairness
    return rule is not None and rule.bounds


def _search(problem: Problem, joint: Joint, watch: Watch, near: Bools | None, begin: Beginning | None) -> Found:
    with searching(problem):
        return find_plan(joint, watch, near, begin)


@contextmanager
def searching(problem: Problem) -> Iterator[None]:
    """Say in words why a search has no plan, before it where hard rules alone tell. Raises Infeasible, RunStopped."""
    shortage = explain(problem)
    if shortage:
        raise Infeasible(shortage)
    try:
        yield
    except _NoPlan:
        raise Infeasible(
            contradiction(problem)
            or "No plan keeps the hard rules together. Existing stations and hard floors must be paid by sources that "
            "may pay for them, and floors of sources (limits) must be spent.\nSoften the floor "
            "(programmes.work_funds.hard_floor: false), add money, lower the floors of sources, or widen what the "
            "sources may pay for."
            + (TOO_FAIR if _fair_bounds(problem) else "")
        ) from None
    except NoPlanYet as error:
        proven = "nothing is proven yet"
        if math.isfinite(error.bound):
            bound = error.bound * SHOWN.get(error.goal, 1.0)
            proven = f"proven so far: no plan has {BOUND_WORDS[error.goal]} {bound:,.6g}"
        raise RunStopped(f"stopped {ENDED[error.reason]} before any plan was found; {proven}") from None
