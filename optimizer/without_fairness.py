"""What the goal after the worst-off could be if nothing were asked for fairness: a plan of it, and a bound, (36).

The difference to a plan with fairness is its price (Bertsimas, Farias and Trichakis 2011, The price of fairness,
Operations Research 59). The plan with fairness is a plan without it too, so the search begins with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from optimizer.fair import Fair
from optimizer.fit import build_fit
from optimizer.highs_arrays import Options
from optimizer.joint import Goal, Joint
from optimizer.levels import no_levels
from optimizer.price_plan import PricePlan
from optimizer.price_rounds import Rounds
from optimizer.price_search import Search
from optimizer.problem import Floats, Problem
from optimizer.watch import Watch
from optimizer.whole_plan import WholePlan

STAGE = "without_fairness"


@dataclass(frozen=True)
class Without:
    """The goal planned without fairness: columns of the joint model, value and bound in its unit, seconds.

    `x` is None where the search was ended before, by `stopped`: hand or time.
    """

    goal: str
    x: Floats | None = None
    value: float = np.inf
    bound: float = -np.inf
    seconds: float = 0.0
    stopped: str = ""


def asked(problem: Problem) -> bool:
    """Whether the scenario asks for the price of fairness."""
    rule = problem.scenario.fairness
    return rule is not None and rule.price


def free_of_fairness(joint: Joint) -> Joint:
    """Return the joint model without rows of fairness, of a scenario without any."""
    scenario = joint.problem.scenario.model_copy(update={"fairness": None})
    return replace(joint, problem=replace(joint.problem, scenario=scenario), extra=None)


def timed(goal: str, watch: Watch, find: Callable[[], tuple[Floats | None, float, float]]) -> Without:
    """Call `find` for plan, value and bound, and tell the watcher; nothing is found where the search is ended."""
    if watch.stopped():
        return Without(goal, stopped=watch.reason)
    watch.start(STAGE, 0, 0)
    x, value, bound = find()
    stopped = watch.reason
    if stopped or x is None:
        watch.end(STAGE, None, None, "not found")
        return Without(goal, stopped=stopped)
    return Without(goal, x, value, bound, watch.end(STAGE, value, bound, ""))


def by_prices(method: PricePlan, start: Search, plan: Floats, goal: str, watch: Watch) -> Without:
    """Plan by prices once more: at those of `start`, its search without levels, beginning with the decisions of `plan`.

    Where the model has rows of fairness, `start` keeps them, and prices are searched anew.
    """

    def report(_: str, value: float | None, bound: float | None) -> None:
        watch.update(STAGE, value, bound)

    def find() -> tuple[Floats | None, float, float]:
        joint, levels, fair = free_of_fairness(method.joint), no_levels(method.joint.problem), method.fair.count > 0
        free = PricePlan(Fair(joint), method.settings, method.stopped, report, method.stop)
        search = free.relaxed() if fair else start
        fit = build_fit(free.fair, joint.second, levels, hard=True)
        outcome = fit.solve(plan)
        free.best, free.bound = plan if outcome.x is None else outcome.x[: joint.n_columns], search.bound
        plans = {number: free.best[piece.columns] for number, piece in enumerate(search.coupling.pieces)}
        extra_use = None if fair else method.extra_use
        x, bound = Rounds(free, search, levels).run(plans, extra_use, look=extra_use is None)
        return x, float(joint.second[0] @ x + joint.second[1]), bound

    return timed(goal, watch, find)


def as_one_model(joint: Joint, options: Options, plan: Floats, goal: tuple[str, Goal], watch: Watch) -> Without:
    """Plan the goal (its name and vector) as one model once more, beginning with `plan`."""

    def find() -> tuple[Floats | None, float, float]:
        free = free_of_fairness(joint)
        run = WholePlan(Fair(free, watch.ending), replace(options, time_limit_seconds=watch.left), watch.ending, watch)
        outcome = run.minimise(STAGE, goal[1], no_levels(free.problem), (), plan)
        x = None if outcome.x is None else outcome.x[: free.n_columns]
        return x, np.inf if outcome.value is None else outcome.value, outcome.bound

    return timed(goal[0], watch, find)
