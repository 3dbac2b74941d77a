"""Frontiers: all efficient plans between two or three goals, and what a city's unmet need is at every budget.

What is asked (`Question`) is checked before anything is planned. How points are found: `frontier_whole` and
`frontier_prices`; their run folders, the table and the page: `frontier_write`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.coupling import Kept, Levels
from optimizer.fair import Fair
from optimizer.fit import build_fit
from optimizer.frontier_points import Asked, Point, Traced, cost_of, efficient, joint_for, level_of, scaled
from optimizer.frontier_prices import PricedPoints
from optimizer.frontier_whole import WholePoints, among_three, between_two
from optimizer.goals import value_of
from optimizer.highs_arrays import Options
from optimizer.joint import Joint
from optimizer.levels import attainable_level, no_levels, set_aside
from optimizer.price_plan import Infeasible, Settings
from optimizer.problem import Floats
from optimizer.scenario import Scenario
from optimizer.scenario_file import ScenarioError
from optimizer.search import is_whole
from optimizer.watch import Watch
from optimizer.whole_goals import highest_level

GOALS = ("worst_off", "unmet_need", "travel", "spending")
FIRST = "unmet_need"
"""The goal that is optimised while limits hold the others; every frontier has it."""
POINTS = 15
MOST_POINTS = 200
MOST_SHARE = 10.0
SMALLEST = 1e-9
_BUDGET = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*\.\.\s*(\d+(?:\.\d+)?)\s*%\s*")


@dataclass(frozen=True)
class Question:
    """What is asked: goals of a frontier, or a range of budgets (shares of the scenario's money); so many points."""

    between: tuple[str, ...] = ()
    budget: tuple[float, float] | None = None
    points: int = POINTS

    @property
    def second(self) -> str:
        """The goal that points are ordered by; empty for budgets."""
        return next((goal for goal in self.between if goal != FIRST), "")

    @property
    def shares(self) -> list[float]:
        """Budgets asked for, as shares of the scenario's money; none for goals."""
        return [] if self.budget is None else [float(round(s, 9)) for s in np.linspace(*self.budget, self.points)]


def read_question(between: Sequence[str], budget: str, points: int, scenario: Scenario) -> Question:
    """Return what is asked of a scenario; ScenarioError with all mistakes at once."""
    wrong = [*_of_goals(between, budget, scenario)] if between or not budget else []
    shares = None
    if budget:
        shares, mistakes = _read_budget(budget)
        wrong += mistakes
        if between:
            wrong.append("--between, --budget  ask for two different things; give one of them")
        if FIRST not in _names(scenario):
            wrong.append(f"--budget {budget}  scenario {scenario.name} has no goal {FIRST}; add it to its goals")
    if not 2 <= points <= MOST_POINTS:
        wrong.append(f"--points {points}  give 2 to {MOST_POINTS} points")
    if scenario.rule is not None:
        split = scenario.rule.split
        wrong.append(f"scenario {scenario.name} is planned by rule ({split}), nothing is searched; take one without it")
    if scenario.fairness is not None and scenario.fairness.bounds:
        wrong.append("fairness  points of a frontier do not keep bounds of fairness; leave them out")
    if scenario.fairness is not None and scenario.fairness.price:
        wrong.append("fairness.price  the frontier says itself what a higher level costs; leave price out")
    if any(goal.leximin for goal in scenario.goals):
        wrong.append("goals  points of a frontier raise one level, not all of leximin; leave leximin out")
    if wrong:
        raise ScenarioError(wrong)
    return Question(tuple(goal for goal in GOALS if goal in between), shares, points)


def _names(scenario: Scenario) -> list[str]:
    return [str(goal.goal) for goal in scenario.goals]


def _of_goals(between: Sequence[str], budget: str, scenario: Scenario) -> list[str]:
    said = f"--between {' '.join(between)}".rstrip()
    if not between and not budget:
        return ["Say what the frontier is between, for example --between worst_off unmet_need, or --budget 80%..120%."]
    wrong = [
        f"{said}  there is no goal {goal!r}; goals are {', '.join(GOALS)}" for goal in between if goal not in GOALS
    ]
    known = [goal for goal in between if goal in GOALS]
    wrong += [
        f"{said}  scenario {scenario.name} has no goal {goal}; its goals are {', '.join(_names(scenario))}"
        for goal in dict.fromkeys(known)
        if goal not in _names(scenario)
    ]
    if len(set(between)) < len(between):
        wrong.append(f"{said}  a goal is named twice")
    elif len(between) not in (2, 3):
        wrong.append(f"{said}  give two or three goals")
    if len(known) > 1 and FIRST not in known:
        wrong.append(f"{said}  name {FIRST} too: what the other goals cost is counted in it")
    return wrong


def _read_budget(text: str) -> tuple[tuple[float, float] | None, list[str]]:
    """Return the range of `80%..120%` as shares, or what is wrong with it."""
    found = _BUDGET.fullmatch(text)
    if not found:
        return None, [f"--budget {text}  give a range in per cent of the scenario's money, for example 80%..120%"]
    low, high = (float(part) / 100 for part in found.groups())
    if low >= high:
        return None, [f"--budget {text}  the first budget must be below the second"]
    if low <= 0 or high > MOST_SHARE:
        return None, [f"--budget {text}  budgets must be above 0% and at most {MOST_SHARE:.0%}"]
    return (low, high), []


def refuse_city(question: Question, joint: Joint) -> None:
    """Refuse, before the search, what only a small city can be asked. Raises ScenarioError."""
    if "travel" in question.between and not is_whole(joint):
        count = int(joint.integer.sum())
        said = (
            f"--between {' '.join(question.between)}  travel is traded against other goals only where a city is one "
            f"model; this one has {count:,} yes-or-no decisions and is planned by prices. Leave travel out: it is made "
            "small at every point anyway."
        )
        raise ScenarioError([said])


def trace(joint: Joint, question: Question, watch: Watch) -> Traced:
    """Return the points of a frontier, each with its bound; budgets for which there is no plan are named.

    Raises Infeasible where no plan keeps the hard rules, NoPlanYet where the search was stopped before any plan.
    """
    tracer = _Whole if is_whole(joint) else _Priced
    shares = question.shares
    for first in range(len(shares)):
        try:
            traced = tracer(joint, question, watch, shares[first:]).trace()
        except Infeasible:
            if first + 1 == len(shares):
                raise
        else:
            return replace(traced, too_little=tuple(shares[:first]))
    return tracer(joint, question, watch).trace()


@dataclass
class _Tracer:
    joint: Joint
    question: Question
    watch: Watch
    shares: Sequence[float] = ()  # budgets, the lowest first

    @property
    def scenario(self) -> Scenario:
        return self.joint.problem.scenario

    @property
    def leveled(self) -> bool:
        return "worst_off" in _names(self.scenario)

    def lowest(self) -> Asked:
        """What is asked with the least money: there the level that all budgets keep is found."""
        return Asked(0.0, scaled(self.scenario, self.shares[0]) if self.shares else self.scenario)

    def budgets(self, level: float) -> list[Asked]:
        return [Asked(level, scaled(self.scenario, share), share=share) for share in self.shares]

    def tolerance(self) -> float:
        """Part of the best level that the scenario lets later goals take."""
        return next((goal.tolerance for goal in self.scenario.goals if goal.goal == "worst_off"), 0.0)

    def top(self, top: float, level: float) -> float:
        """Bound of the worst-off score at every point: with more money, what can be reached without any limit."""
        if self.question.budget is None or not self.leveled:
            return top
        levels = set_aside(self.joint.problem, np.ones(len(self.joint.problem.communities)), level)
        return max(top, attainable_level(self.joint.problem, levels))


class _Whole(_Tracer):
    """A city that is one model."""

    def trace(self) -> Traced:
        question, watch = self.question, self.watch
        problem, lowest = self.joint.problem, self.lowest()
        levels, reached, top, level = no_levels(problem), 1.0, 1.0, 0.0
        if self.leveled:
            levels, reached, top, _ = highest_level(joint_for(self.joint, lowest), watch)
            if "worst_off" not in question.between:
                level = max(0.0, reached * (1 - self.tolerance()) - SMALLEST)
        levels = replace(levels, common=level)
        order = [FIRST, *(goal for goal in question.between if goal != FIRST)]
        later = [goal for goal in _names(self.scenario) if goal not in order and goal != "worst_off"]
        points = WholePoints(self.joint, levels, order, later, watch)
        complete, resolution = False, 0.0
        if question.budget is not None:
            found = [self._budget(points, asked) for asked in self.budgets(level) if not watch.stopped()]
            kept = [point for point in found if point is not None]
        elif len(order) == 3:
            kept = among_three(points, replace(lowest, level=level), question.points, watch.stopped)
            kept.sort(key=lambda point: [points.costs(point)[goal] for goal in order[1:]])
        else:
            kept, complete, resolution = self._two(points, replace(lowest, level=level))
        complete &= all(point.exact for point in kept)
        return Traced(kept, self.top(top, level), reached, complete, resolution, "whole", watch.reason)

    def _budget(self, points: WholePoints, asked: Asked) -> Point | None:
        point = points.find(asked, {})
        if point is not None:
            point.worth = points.worth(asked)
        return point

    def _two(self, points: WholePoints, asked: Asked) -> tuple[list[Point], bool, float]:
        second = points.order[1]

        def find(limit: float | None, best_second: bool) -> tuple[float, Point] | None:
            most = {} if limit is None else {second: limit}
            point = points.find(asked, most, first=second if best_second else "")
            if point is None:
                return None
            self.watch.update(FIRST, points.costs(point)[FIRST], None)
            return points.costs(point)[second], point

        found, complete, resolution = between_two(find, self.question.points, self.watch.stopped)
        if second == "worst_off":
            found.reverse()
        return [found[i] for i in efficient([points.costs(point) for point in found])], complete, resolution


class _Priced(_Tracer):
    """A city planned by prices."""

    def trace(self) -> Traced:
        question, watch = self.question, self.watch
        lowest = self.lowest()
        points = PricedPoints(self.joint, self._settings(), watch)
        kept_level = points.begin(lowest, raise_level=self.leveled)
        if question.budget is not None:
            found = points.find_all(self.budgets(kept_level))
        elif "worst_off" not in question.between:
            found = self._spending(points, Asked(kept_level, self.scenario), question.points)
        elif "spending" in question.between:
            side = max(2, int(np.sqrt(question.points)))
            ends = [
                points.find(Asked(0.0, self.scenario)),
                points.find(Asked(points.reached, self.scenario), rounds=False),
            ]
            found = []
            for level in self._between(points, [end for end in ends if end is not None], side):
                found += self._spending(points, Asked(level, self.scenario), side)
        else:
            found = self._levels(points, question.points)
        kept = [point for point in found if point is not None]
        if question.budget is None:
            order = [FIRST, *(goal for goal in question.between if goal != FIRST)]
            costs = [{goal: cost_of(self.joint, points.levels, goal, point.x) for goal in order} for point in kept]
            kept = [kept[i] for i in efficient(costs)]
        top = self.top(points.top, kept_level)
        return Traced(kept, top, points.reached, False, 0.0, "prices", watch.reason)

    def _settings(self) -> Settings:
        solver, rules = self.scenario.solver, {goal.goal: goal for goal in self.scenario.goals}
        settings = Settings(threads=solver.threads, target_gap=rules["unmet_need"].gap)
        if "worst_off" in rules:
            slack = 0.0 if "worst_off" in self.question.between else rules["worst_off"].tolerance
            settings = replace(settings, level_slack=slack, level_gap=max(1e-3, 0.7 * rules["worst_off"].gap))
        return settings

    def _between(self, points: PricedPoints, ends: Sequence[Point], count: int) -> list[float]:
        """Levels between that of the plan of least unmet need and the highest."""
        if len(ends) < 2:
            return [end.asked.level for end in ends]
        low = level_of(self.joint, points.levels, ends[0].x)
        return [0.0, *np.linspace(low, points.reached, count)[1:-1].tolist(), points.reached]

    def _levels(self, points: PricedPoints, count: int) -> list[Point | None]:
        """Plans of least unmet need at levels from that of the least of all to the highest."""
        asked = [Asked(level, self.scenario) for level in (0.0, points.reached)]
        ends = [points.find(one) for one in asked]
        if None in ends or self.watch.stopped():
            return ends
        levels = self._between(points, [end for end in ends if end is not None], count)
        return points.find_between(
            [asked[0], *(Asked(level, self.scenario) for level in levels[1:-1]), asked[1]],
            [ends[0], *([None] * (count - 2)), ends[1]],
        )

    def _spending(self, points: PricedPoints, asked: Asked, count: int) -> list[Point | None]:
        """Plans of least unmet need at amounts spent, from the cheapest plan known to that of the least of all."""
        free = points.find(asked)
        if free is None or self.watch.stopped():
            return [free]
        levels = replace(points.levels, common=asked.level)
        high = self._cheapest(levels, free.x, value_of(self.joint.unmet, free.x))
        low = min(self._cheapest(levels, x, None) for x in [free.x, *points.safe])
        amounts = np.linspace(low, high, count)[:-1] * (1 + 1e-9)
        return points.find_between([*(replace(asked, most=float(most)) for most in amounts), asked],
                                   [*([None] * (count - 1)), free])  # fmt: skip

    def _cheapest(self, levels: Levels, x: Floats, unmet: float | None) -> float:
        """Least that is spent with the decisions of a plan, its levels and (where given) its unmet need."""
        kept = () if unmet is None else (Kept(self.joint.unmet, unmet + 1e-6),)
        outcome = build_fit(Fair(self.joint), self.joint.spending, levels, kept, hard=True).solve(x, options=Options())
        return np.inf if outcome.x is None else value_of(self.joint.spending, outcome.x[: self.joint.n_columns])
