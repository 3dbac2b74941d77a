"""From points to run folders, each an ordinary run with its audit and report, several written side by side."""

import math
import multiprocessing
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geodata.city import City
from optimizer.answers import Answer, answer
from optimizer.clock import Clock
from optimizer.fair import Fair
from optimizer.frontier import FIRST, Question
from optimizer.frontier_points import Point, Traced, joint_for, level_of
from optimizer.goals import ALL_PLANS, Found, value_of
from optimizer.joint import Joint
from optimizer.price_goals import later_goals
from optimizer.progress import Silent
from optimizer.run_write import write_run
from optimizer.scenario import Scenario
from optimizer.scenario_file import LoadedScenario
from optimizer.watch import Watch

OTHER_GOALS = "plans as good in the frontier's other goals"
"""Scope of a bound that holds for plans with limits on the other goals of the frontier."""


@dataclass(frozen=True)
class Ground:
    """What all points of a frontier stand on."""

    loaded: LoadedScenario
    city: City
    joint: Joint


@dataclass(frozen=True)
class Order:
    """A point to be written into the new folder `out`: its scenario, the plan, what is proven of it.

    `changes` is what the frontier changed of the scenario asked for, as `key = value`.
    """

    out: Path
    scenario: Scenario
    point: Point
    found: Found
    changes: tuple[str, ...] = ()


def order_for(ground: Ground, question: Question, traced: Traced, number: int, out: Path) -> Order:
    """Return what is written for point `number` (from 0).

    Its scenario is that of the frontier with the money of the point, and with tolerances of goals that say how much of
    the best the point gives away for the others.
    """
    point, of = traced.points[number], len(traced.points)
    joint = ground.joint
    level, unmet = level_of(joint, point.levels, point.x), value_of(joint.unmet, point.x)
    best = traced.top if question.budget else traced.reached
    least = min(value_of(joint.unmet, other.x) for other in traced.points)
    given = {}
    if "worst_off" in question.between or question.budget:
        given["worst_off"] = 1 - point.levels.common / best if best > 0 else 1.0
    if {"spending", "travel"} & set(question.between):
        given[FIRST] = unmet / least - 1 if least > 0 else 1.0
    elif question.between:
        given[FIRST] = 0.0
    goals = [
        goal.model_copy(update={"tolerance": min(1.0, max(0.0, given.get(str(goal.goal), goal.tolerance)))})
        for goal in point.asked.scenario.goals
    ]
    title = point.asked.scenario.title or point.asked.scenario.name
    said = {"goals": goals, "title": f"{title}, point {number + 1} of {of}"}
    scenario = point.asked.scenario.model_copy(update=said)
    scope = ALL_PLANS if set(question.between) <= {"worst_off", FIRST} else OTHER_GOALS
    found = Found(point.x, point.levels, traced.method, {FIRST: point.bound}, {}, {FIRST: scope}, traced.stopped)
    if "worst_off" in [str(goal.goal) for goal in goals]:
        found.bounds["worst_off"], found.scopes["worst_off"] = traced.top, ALL_PLANS
        found.reached["worst_off"] = level if question.budget else max(level, traced.reached)
    for goal, bound in point.bounds.items():
        found.bounds[goal], found.scopes[goal] = bound, OTHER_GOALS
    for goal in question.between if traced.method == "whole" else ():
        found.bounds.setdefault(goal, 0.0)  # a search that ended before it: every plan has some value of it
        found.scopes.setdefault(goal, OTHER_GOALS)
    found.reached[FIRST] = unmet
    budget = (f"budget = {100 * point.asked.share:.4g} % of the scenario's money",) if question.budget else ()
    return Order(out, scenario, point, found, budget)


def write_order(ground: Ground, order: Order) -> Path | Answer:
    """Optimise the goals after the frontier's and write the run folder; return it, or why there is none."""
    try:
        joint = joint_for(ground.joint, replace(order.point.asked, scenario=order.scenario))
        found = order.found
        if found.method == "prices":
            later_goals(Fair(joint), Watch(Silent(), threading.Event(), math.inf), found)
        resolved, changes = order.scenario.model_dump(), (*ground.loaded.changes, *order.changes)
        loaded = replace(ground.loaded, scenario=order.scenario, resolved=resolved, changes=changes)
        return write_run(loaded, ground.city, joint, found, order.out, Clock(Silent()), None)
    except Exception as error:  # what to say about it is decided in one place
        return answer(error)


def write_orders(ground: Ground, orders: Sequence[Order], workers: int) -> list[Path | Answer]:
    """Write all points, `workers` at once.

    Where a process dies, its points are written by this one.
    """
    done: dict[int, Path | Answer] = {}
    if workers > 1 and len(orders) > 1:
        context = multiprocessing.get_context("spawn")
        try:
            with ProcessPoolExecutor(min(workers, len(orders)), context, _begin, (ground,)) as pool:
                futures: dict[int, Future[Path | Answer]] = {
                    number: pool.submit(_work, order) for number, order in enumerate(orders)
                }
                for number, future in futures.items():
                    done[number] = future.result()
        except BrokenExecutor:
            pass
    for number, order in enumerate(orders):
        if number not in done:
            done[number] = write_order(ground, order)
    return [done[number] for number in range(len(orders))]


class _Worker:
    ground: Any = None


def _begin(ground: Ground) -> None:
    """Set a writing process up: the process that started it decides what Ctrl-C means."""
    _Worker.ground = ground
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(order: Order) -> Path | Answer:
    return write_order(_Worker.ground, order)
