"""From a joint model to a plan: the goals of the scenario one after another, by the method that suits the size.

Small cities are one model (`whole_plan`); large ones are planned by prices (`price_plan`), their later goals with
the stations and rooms of the second goal kept.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from optimizer.beginning import Beginning
from optimizer.coupling import Kept, Levels
from optimizer.fair_rows import Fair
from optimizer.fit import achieved, build_fit, keep_levels, relaxed_levels
from optimizer.highs_arrays import Options, Outcome, Status
from optimizer.joint import Goal, Joint
from optimizer.levels import KEEPS, attainable_alone, attainable_together, set_aside, without_floors
from optimizer.leximin_goal import ROOM, Levelled, level_kept, level_whole
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.price_level import raise_level
from optimizer.price_plan import Infeasible, PricePlan, Settings, names_of
from optimizer.price_search import NoPlan, Search
from optimizer.problem import Bools, Floats, Ints
from optimizer.scenario import Goal as GoalRule
from optimizer.watch import Watch
from optimizer.whole_plan import WholePlan
from optimizer.without_fairness import Without, as_one_model, asked, by_prices

WHOLE_LIMIT = 400
"""Up to so many yes-or-no decisions a city is one model."""
WHOLE_NODES = {"worst_off": 300, "unmet_need": 5000, "travel": 500, "spending": 500, "weighted": 5000}
"""Most nodes of the search for a goal in one model; a worst-off goal is hardly ever proven to the end that way."""
SHOWN = {"spending": MONEY_UNIT_YUAN}
"""Goals that are shown in another unit than the joint model's."""
ALL_PLANS, KEPT_STATIONS = "all plans", "plans with these stations and rooms"
KEPT_LEVELS = "plans that keep the level of every community"
PRICES_FAILED = "whole, as prices did not settle"
FOR_FAIRNESS = "whole, as bounds of fairness ask for it"
"""Method of a plan of a large city whose bounds of fairness tie all communities together."""
"""Method of a plan for which the method by prices was tried first."""


class NoPlanYet(Exception):
    """The search was stopped before it had a plan; `reason` is hand or time.

    `goal` and `bound`: what no plan is better than in that goal, in the joint model's unit; infinite where nothing is
    proven.
    """

    def __init__(self, reason: str, goal: str = "", bound: float = -np.inf) -> None:
        super().__init__("stopped before any plan was found")
        self.reason, self.goal, self.bound = reason, goal, bound


@dataclass
class Found:
    """A plan found: columns of the joint model, levels kept, and per goal its bound, seconds and scope.

    The bound of `worst_off` is the largest level possible; the others are in the units of the joint model.
    """

    x: Floats
    levels: Levels
    method: str
    bounds: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    different: int | None = None
    reached: dict[str, float] = field(default_factory=dict)
    fair: Fair | None = None
    levelled: Levelled | None = None
    without: Without | None = None
    leaves: Beginning | None = None


def highest_level(joint: Joint, watch: Watch) -> tuple[Levels, float, float, Floats]:
    """Return the first goal of a city that is one model: levels, the common level reached, its bound, and the plan.

    Raises Infeasible where no plan keeps the hard rules, NoPlanYet where the search was stopped too early.
    """
    solver = joint.problem.scenario.solver
    fair = Fair.of(joint, watch.ending)
    options = Options(gap=0.0, nodes=WHOLE_NODES["unmet_need"], threads=solver.threads, seed=solver.seed)
    levels, outcome = _Whole(fair, watch, None).raise_level(WholePlan(fair, options, watch.ending, watch))
    if outcome.x is None or outcome.value is None:
        if outcome.status is Status.INFEASIBLE:
            raise Infeasible
        raise NoPlanYet(watch.reason or "time", "worst_off", -outcome.bound)
    x, kept = keep_levels(joint, replace(levels, common=max(0.0, -outcome.value)), outcome.x)
    return kept, -outcome.value, -outcome.bound, x


def is_whole(joint: Joint) -> bool:
    """Whether a city is planned as one model."""
    method = joint.problem.scenario.solver.method
    return method == "whole" or (method == "auto" and int(joint.integer.sum()) <= WHOLE_LIMIT)


def goal_of(joint: Joint, name: str) -> Goal:
    """Return the vector and constant of a goal after the first."""
    if name == "weighted":
        rules = joint.problem.scenario.goals
        return joint.weighted(next({str(k): w for k, w in rule.weights.items()} for rule in rules if rule.goal == name))
    goals: dict[str, Goal] = {"unmet_need": joint.unmet, "travel": joint.travel, "spending": joint.spending}
    return goals[name]


def main_goal(joint: Joint) -> str:
    """Name of the goal after the worst-off: unmet need, unless a weighted sum stands in for it."""
    names = {goal.goal for goal in joint.problem.scenario.goals}
    return "weighted" if "weighted" in names and "unmet_need" not in names else "unmet_need"


def value_of(goal: Goal, x: Floats) -> float:
    """Value of a goal in a plan."""
    return float(goal[0] @ x[: len(goal[0])] + goal[1])


def find_plan(joint: Joint, watch: Watch, near: Bools | None = None, begin: Beginning | None = None) -> Found:
    """Return a plan for the goals of the scenario.

    `near` (columns,) marks the yes-or-no decisions of a plan to stay close to, `begin` is what its search left. Raises
    Infeasible where no plan keeps the hard rules, NoPlanYet where the search was stopped too early.
    """
    if is_whole(joint):
        return _Whole(Fair.of(joint, watch.ending), watch, near).find()
    bounds = joint.problem.scenario.fairness
    if bounds is not None and bounds.bounds:
        return replace(_Whole(Fair.of(joint, watch.ending), watch, near).find(), method=FOR_FAIRNESS)
    try:
        return _Prices(joint, watch, near, begin).find()
    except NoPlan:  # prices that run away: the coupling rules cannot be kept, or hardly
        return replace(_Whole(Fair.of(joint, watch.ending), watch, near).find(), method=PRICES_FAILED)


@dataclass
class _Whole:
    fair: Fair
    watch: Watch
    near: Bools | None

    @property
    def joint(self) -> Joint:
        """The joint model with the rows of fairness found so far."""
        return self.fair.joint

    def find(self) -> Found:
        joint, watch = self.joint, self.watch
        goals = joint.problem.scenario.goals
        found: Found | None = None
        levels = set_aside(joint.problem, np.ones(len(joint.problem.communities)), 0.0)
        kept: list[Kept] = []
        for index, goal in enumerate(goals, start=1):
            if watch.stopped():
                break
            watch.start(goal.goal, index, len(goals))
            run = WholePlan(self.fair, self._options(goal), watch.ending, watch)
            start = None if found is None else found.x
            levelled: Levelled | None = None
            if goal.goal == "worst_off":
                levels, outcome, levelled = self._first(run, goal, levels)
                value, bound = -1.0 * (outcome.value or 0.0), -outcome.bound
            else:
                outcome = run.minimise(goal.goal, goal_of(joint, goal.goal), levels, tuple(kept), start)
                value, bound = outcome.value or 0.0, outcome.bound
            if outcome.x is None:
                if found is None:
                    if outcome.status is Status.INFEASIBLE:
                        raise Infeasible
                    raise NoPlanYet(watch.reason or "time", goal.goal, bound)
                watch.end(goal.goal, None, None, "not reached")
                break
            x = outcome.x[: joint.n_columns]
            found = found or Found(x, levels, "whole", fair=self.fair)
            found.x = x
            found.bounds[goal.goal], found.scopes[goal.goal] = bound, KEPT_LEVELS if found.levelled else ALL_PLANS
            unit = SHOWN.get(goal.goal, 1.0)
            found.reached[goal.goal] = value
            found.seconds[goal.goal] = watch.end(goal.goal, value * unit, bound * unit, outcome.status.value)
            if goal.goal == "worst_off":
                keeping = Levels(levels.scored, levels.floor, max(0.0, value * (1 - goal.tolerance)))
                self._keep(found, levelled, goal.tolerance)
                found.x, levels = self._kept(keeping, x)
            else:
                vector = goal_of(joint, goal.goal)
                kept.append(Kept(vector, value_of(vector, x) * (1 + goal.tolerance) + 1e-6))
            found.levels = levels
        if found is None:
            raise NoPlanYet(watch.reason or "time")
        found.stopped = watch.reason
        if self.near is not None and not found.stopped:
            _stay_close(self.fair, watch, found, tuple(kept), self.near)
        if asked(joint.problem):
            found.without = self._without(found)
        return found

    def _without(self, found: Found) -> Without:
        """The goal after the worst-off once more, without fairness."""
        name = main_goal(self.joint)
        rule = next(goal for goal in self.joint.problem.scenario.goals if goal.goal == name)
        goal = name, goal_of(self.joint, name)
        return as_one_model(self.joint, self._options(rule), found.x, goal, self.watch)

    def _options(self, goal: GoalRule) -> Options:
        solver = self.joint.problem.scenario.solver
        return Options(
            gap=goal.gap,
            absolute_gap=0.005 if goal.goal == "worst_off" else 1e-6,
            nodes=WHOLE_NODES[goal.goal],
            threads=solver.threads,
            seed=solver.seed,
            time_limit_seconds=self.watch.left,
        )

    def _keep(self, found: Found, levelled: Levelled | None, tolerance: float) -> None:
        if levelled is not None:
            found.levelled = levelled
            self.fair.joint = self.joint.with_rows(levelled.rows(self.joint, tolerance))

    def _kept(self, keeping: Levels, x: Floats) -> tuple[Floats, Levels]:
        """Fit the decisions of `x` to its levels; `x` as it is where that comes to no end before the search does."""
        kept: list[Levels] = []

        def fitted(joint: Joint) -> Floats | None:
            if self.watch.stopped():
                return None
            plan, levels = keep_levels(joint, keeping, x)
            kept.append(levels)
            return plan

        plan = self.fair.settled(fitted)
        return (x, relaxed_levels(keeping, achieved(self.joint, x))) if plan is None else (plan, kept[-1])

    def _first(self, run: WholePlan, rule: GoalRule, levels: Levels) -> tuple[Levels, Outcome, Levelled | None]:
        """The first goal, level after level where the scenario asks for leximin: then nobody is set aside."""
        if not rule.leximin:
            return (*self.raise_level(run), None)
        levelled = level_whole(run, rule.leximin_step, ALL_PLANS)
        outcome = levelled.found.outcome or run.raise_level(levels)
        if levelled.found.x is not None:
            outcome = replace(outcome, x=levelled.found.x)
        return levels, outcome, levelled

    def raise_level(self, run: WholePlan) -> tuple[Levels, Outcome]:
        """Raise the common level; set aside communities that hold it down whatever the money, and raise it again."""
        problem = self.joint.problem
        best = attainable_together(problem)
        levels = set_aside(problem, best, 0.0)
        outcome = run.raise_level(levels)
        for _ in range(4):
            if outcome.value is None:
                return levels, outcome
            level = -outcome.value
            low = np.flatnonzero(levels.follows & (best <= level + 0.01))
            if not len(low) or self.watch.stopped():
                return levels, outcome
            best[low] = np.maximum(best[low], attainable_alone(problem, low))
            stuck = low[best[low] <= level + 1e-3]
            if not len(stuck) or len(stuck) == levels.follows.sum():
                return levels, outcome
            floor = levels.floor.copy()
            floor[stuck] = best[stuck] * KEEPS
            raised = Levels(levels.scored, floor)
            again = run.raise_level(without_floors(raised))
            if again.value is None:
                return levels, outcome
            levels, outcome = raised, again
        return levels, outcome


@dataclass
class _Prices:
    joint: Joint
    watch: Watch
    near: Bools | None
    begin: Beginning | None = None

    def find(self) -> Found:
        rules = {goal.goal: goal for goal in self.joint.problem.scenario.goals}
        main = main_goal(self.joint)
        if main == "weighted":
            self.joint = replace(self.joint, stands_in=goal_of(self.joint, main))
        joint, watch = self.joint, self.watch
        solver = joint.problem.scenario.solver
        count = len(rules)
        settings = Settings(threads=solver.threads)
        if "worst_off" in rules:
            rule = rules["worst_off"]
            settings = replace(settings, level_slack=rule.tolerance, level_gap=max(1e-3, 2 / 3 * rule.gap))
        if main in rules:
            settings = replace(settings, target_gap=rules[main].gap)
        begin = None if self.begin is None else self.begin.fitted(*names_of(joint))
        method = PricePlan(joint, settings, watch.stopped, watch.update, watch.ending, near=self.near, begin=begin)
        levels = set_aside(joint.problem, np.ones(len(joint.problem.communities)), 0.0)
        found = Found(method.nothing_new(levels), levels, "prices")
        watch.start("worst_off" if "worst_off" in rules else main, 1, count)
        method.best = found.x
        relaxed = method.relaxed()
        found.bounds[main], found.scopes[main] = method.bound, ALL_PLANS
        if "worst_off" in rules and not watch.stopped():
            raised = raise_level(method, relaxed)
            found.levels, found.x = raised.levels, raised.x
            found.bounds["worst_off"], found.scopes["worst_off"] = raised.top, ALL_PLANS
            found.reached["worst_off"] = raised.reached
            found.seconds["worst_off"] = watch.end("worst_off", raised.reached, raised.top, "")
            watch.start(main, 2, count)
        if not watch.stopped():
            found.x, found.bounds[main] = method.unmet(found.levels, relaxed)
            relaxed.loaded.clear()  # room for the later goals
            found.levels = relaxed_levels(found.levels, achieved(joint, found.x))
        value = value_of(joint.second, found.x)
        found.reached[main] = value
        found.seconds[main] = watch.end(main, value, found.bounds[main], "")
        if main in rules and "worst_off" in rules and rules["worst_off"].leximin and not watch.stopped():
            self._level(method, relaxed, found, rules["worst_off"])
        later_goals(self.joint, watch, found, main)
        if self.near is not None:
            whole = joint.integer
            found.different = int((np.rint(found.x[whole]).astype(bool) != self.near[whole]).sum())
        found.stopped = watch.reason
        if asked(joint.problem):
            found.without = by_prices(method, relaxed, found.x, main, watch)
        found.leaves = method.leaves
        return found

    def _level(self, method: PricePlan, relaxed: Search, found: Found, rule: GoalRule) -> None:
        """Full leximin with stations and rooms kept, and the second goal once more with every level kept."""
        watch, main, count = self.watch, main_goal(self.joint), len(self.joint.problem.scenario.goals)
        watch.start("leximin", 0, 0)
        levelled = level_kept(self.joint, found.levels, found.x, rule.leximin_step, watch, KEPT_STATIONS)
        settled = "everybody is settled" if levelled.found.complete else "the highest are not settled"
        watch.end("leximin", float(len(levelled.found.rungs)), None, settled)
        joint = self.joint.with_rows(levelled.rows(self.joint, rule.tolerance))
        floor = np.where(np.isneginf(found.levels.floor), -np.inf, found.levels.floor - ROOM)
        levels = replace(found.levels, common=max(0.0, found.levels.common - ROOM), floor=floor)
        outcome = build_fit(joint, joint.second, levels, hard=True).solve(found.x)
        if outcome.x is None:
            return
        found.levels = levels
        self.joint, found.fair, found.levelled = joint, Fair(joint), levelled
        method.best, method.patterns = outcome.x[: joint.n_columns], []
        watch.start(main, 2, count)
        found.x, found.bounds[main] = method.unmet(levelled.floors(levels, rule.tolerance), relaxed)
        found.scopes[main] = KEPT_LEVELS
        relaxed.loaded.clear()
        found.reached[main] = value = value_of(joint.second, found.x)
        found.seconds[main] += watch.end(main, value, found.bounds[main], KEPT_LEVELS)


def later_goals(joint: Joint, watch: Watch, found: Found, main: str = "unmet_need") -> None:
    """Travel and spending with stations and rooms kept: a relaxed model, solved to the end."""
    goals = joint.problem.scenario.goals
    kept: list[Kept] = []
    for index, goal in enumerate(goals, start=1):
        if goal.goal == "worst_off":
            continue
        vector = goal_of(joint, goal.goal)
        if goal.goal != main:
            if watch.stopped():
                return
            watch.start(goal.goal, index, len(goals))
            fit = build_fit(joint, vector, found.levels, tuple(kept), hard=True)
            outcome = fit.solve(found.x, options=Options(time_limit_seconds=watch.left))
            if outcome.x is None:
                watch.end(goal.goal, None, None, "not reached")
                return
            found.x = outcome.x[: joint.n_columns]
            found.bounds[goal.goal], found.scopes[goal.goal] = outcome.bound, KEPT_STATIONS
            found.reached[goal.goal] = value_of(vector, found.x)
            shown = value_of(vector, found.x) * SHOWN.get(goal.goal, 1.0), outcome.bound * SHOWN.get(goal.goal, 1.0)
            found.seconds[goal.goal] = watch.end(goal.goal, *shown, KEPT_STATIONS)
        kept.append(Kept(vector, value_of(vector, found.x) * (1 + goal.tolerance) + 1e-6))


def _stay_close(fair: Fair, watch: Watch, found: Found, kept: tuple[Kept, ...], near: Bools) -> None:
    """Last goal when a plan is compared: fewest yes-or-no decisions that differ from another plan."""
    joint = fair.joint
    whole: Ints = np.flatnonzero(joint.integer)
    vector = np.zeros(joint.n_columns)
    vector[whole] = np.where(near[whole], -1.0, 1.0)
    goal: Goal = (vector, float(near[whole].sum()))
    watch.start("closeness", len(kept) + 2, len(kept) + 2)
    options = Options(gap=0.01, threads=joint.problem.scenario.solver.threads, time_limit_seconds=min(60, watch.left))
    outcome = WholePlan(fair, options, watch.ending, watch).minimise("closeness", goal, found.levels, kept, found.x)
    if outcome.x is None or outcome.value is None:
        watch.end("closeness", None, None, "not reached")
        return
    found.x = outcome.x[: joint.n_columns]
    found.bounds["closeness"], found.scopes["closeness"] = outcome.bound, ALL_PLANS
    found.different = round(value_of(goal, found.x))
    found.seconds["closeness"] = watch.end("closeness", outcome.value, outcome.bound, "")
