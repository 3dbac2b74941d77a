"""A frontier from its scenario to its folder: read, check, build, trace, write the points, the table and the page."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from optimizer import jobs
from optimizer.answers import Answer
from optimizer.clock import Clock
from optimizer.frontier import FIRST, Question, refuse_city, trace
from optimizer.frontier_points import Traced
from optimizer.frontier_table import BUYS, STEP_YUAN, STEPS, TITLES, frontier_lines, frontier_table, how_sure
from optimizer.frontier_write import Ground, order_for, write_orders
from optimizer.joint import build_joint
from optimizer.problem_data import build_problem
from optimizer.progress import Progress
from optimizer.report.frontier_page import Axis, frontier_page
from optimizer.run import RunStopped, checked_city, searching
from optimizer.scenario import Scenario
from optimizer.scenario_file import LoadedScenario
from optimizer.search import is_whole
from optimizer.watch import Watch
from optimizer.words import listed


@dataclass(frozen=True)
class FrontierMade:
    """A frontier in a folder: its table, sentences about its steps and its proof, `frontier.json`, points refused."""

    table: pd.DataFrame
    lines: list[str]
    sure: str
    record: dict[str, Any]
    refused: list[tuple[int, Answer]]


def run_frontier(
    loaded: LoadedScenario,
    question: Question,
    folder: Path,
    *,
    progress: Progress,
    stop: threading.Event | None = None,
    workers: int | None = None,
) -> FrontierMade:
    """Trace a frontier and write it into `folder`, a run folder for each point; `stop` keeps the points made so far.

    Raises InputError, ScenarioError, Infeasible, and RunStopped where no point had been found.
    """
    clock = Clock(progress)
    scenario = loaded.scenario
    city = checked_city(loaded, clock)
    with clock.phase("travel"):
        problem = build_problem(city, scenario)
    with clock.phase("building"):
        joint = build_joint(problem)
    refuse_city(question, joint)
    count = question.points
    watch = Watch(progress, stop or threading.Event(), count * scenario.solver.time_limit_seconds)
    watch.start(FIRST, 1, 1)
    with clock.phase("solving") as said, searching(problem):
        traced = trace(joint, question, watch)
        said.append(f"{len(traced.points)} points, {count} asked for")
    if not traced.points:
        raise RunStopped("stopped before any point of the frontier was found" if watch.reason else
                         "no point of the frontier was found")  # fmt: skip
    ground = Ground(loaded, city, joint)
    names = [folder / f"point-{number + 1:02d}" for number in range(len(traced.points))]
    orders = [order_for(ground, question, traced, number, out) for number, out in enumerate(names)]
    at_once = 1 if is_whole(joint) else (workers or jobs.cores())
    with clock.phase("writing") as said:
        outcomes = write_orders(ground, orders, at_once)
        said.append(f"{sum(isinstance(o, Path) for o in outcomes)} run folders, each audited")
    table = frontier_table(question, traced, outcomes)
    record = _record(scenario, question, traced, clock)
    currency = scenario.currency.name
    lines, sure = frontier_lines(table, question, currency), how_sure(table, question, traced)
    table.to_csv(folder / "frontier.csv", index=False, lineterminator="\n", encoding="utf-8", float_format="%.9g")
    text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "frontier.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    if len(table):
        page = frontier_page(
            table,
            title=_title(scenario, question),
            kicker=f"{city.name} · {scenario.years[0]}–{scenario.years[-1]}",
            axes=_axes(question, currency),
            heads=_heads(table, currency),
            lines=lines,
            sure=sure,
        )
        (folder / "frontier.html").write_text(page, encoding="utf-8", newline="\n")
    refused = [(n, outcome) for n, outcome in enumerate(outcomes, start=1) if isinstance(outcome, Answer)]
    return FrontierMade(table, lines, sure, record, refused)


def _record(scenario: Scenario, question: Question, traced: Traced, clock: Clock) -> dict[str, Any]:
    return {
        "scenario": scenario.name,
        "between": list(question.between),
        "budget": None if question.budget is None else list(question.budget),
        "points_asked": question.points,
        "method": traced.method,
        "complete": traced.complete,
        "resolution": traced.resolution,
        "worst_off_bound": traced.top,
        "stopped": traced.stopped,
        "too_little": list(traced.too_little),
        "seconds": clock.seconds,
    }


def _title(scenario: Scenario, question: Question) -> str:
    name = scenario.title or scenario.name
    if question.budget is not None:
        return f"{name}: what money buys"
    return f"{name}: {listed(TITLES[goal] for goal in question.between)}"


def _axes(question: Question, currency: str) -> tuple[Axis, Axis]:
    up = Axis(FIRST, "unmet need (person-needs)")
    if question.budget is not None:
        return Axis("money_yuan", f"million {currency}", 1e6, 1), up
    across = {
        "worst_off": Axis("worst_off", "worst-off score", 1.0, 3),
        "spending": Axis("spending_yuan", f"million {currency} spent", 1e6, 2),
        "travel": Axis("travel", "travel (person-km)", 1e3),
    }
    return across[question.second], up


def _heads(table: pd.DataFrame, currency: str) -> dict[str, Axis]:
    heads = {
        "budget_share": Axis("budget_share", "Budget, %", 0.01, 1),
        "money_yuan": Axis("money_yuan", f"Budget, million {currency}", 1e6, 2),
        "worst_off": Axis("worst_off", "Worst-off score", 1.0, 4),
        FIRST: Axis(FIRST, "Unmet need, person-needs"),
        "unmet_need_bound": Axis("unmet_need_bound", "No plan below"),
        "gap": Axis("gap", "Gap, %", 0.01, 2),
        "proof": Axis("proof", "Proof"),
        "travel": Axis("travel", "Travel, person-km", 1e3),
        "spending_yuan": Axis("spending_yuan", f"Spent, million {currency}", 1e6, 2),
        STEPS[1]: Axis(STEPS[1], "Unmet need to the next point"),
        BUYS[0]: Axis(BUYS[0], f"The next {STEP_YUAN:,} {currency} buy, person-needs"),
        BUYS[1]: Axis(BUYS[1], "at least"),
        BUYS[2]: Axis(BUYS[2], "at most"),
        BUYS[3]: Axis(BUYS[3], "Price of the search"),
        BUYS[4]: Axis(BUYS[4], "Confirmed"),
    }
    return {column: axis for column, axis in heads.items() if column in table.columns}
