"""The goals of a small city one after another, each over all plans of the one model (`whole_plan`)."""

from dataclasses import dataclass, replace

import numpy as np

from optimizer.coupling import Kept, Levels
from optimizer.fair import Fair
from optimizer.fit import achieved, floors_missed, keep_levels, raise_floors, relaxed_levels
from optimizer.goals import ALL_PLANS, CLOSENESS_GAP, KEPT_LEVELS, SHOWN, Found, NoPlanYet, goal_of, main_goal, value_of
from optimizer.highs_arrays import Options, Outcome, Status
from optimizer.joint import Goal, Joint
from optimizer.levels import (
    FLOOR_MISSED,
    KEEPS,
    attainable_alone,
    attainable_together,
    highest_aside,
    no_levels,
    set_aside,
    without_floors,
)
from optimizer.leximin_goal import Levelled, level_whole
from optimizer.price_plan import Infeasible
from optimizer.problem import Bools, Floats, Ints
from optimizer.scenario import Goal as GoalRule
from optimizer.watch import Watch
from optimizer.whole_plan import WholePlan
from optimizer.without_fairness import Without, as_one_model, asked

WHOLE_NODES = {"worst_off": 300, "unmet_need": 5000, "travel": 500, "spending": 500, "weighted": 5000,
               "closeness": 5000}  # fmt: skip
"""Most nodes of the search for a goal in one model; a worst-off goal is hardly ever proven to the end that way."""


def highest_level(joint: Joint, watch: Watch) -> tuple[Levels, float, float, Floats]:
    """Return the first goal of a city that is one model: levels, the common level reached, its bound, and the plan.

    Raises Infeasible where no plan keeps the hard rules, NoPlanYet where the search was stopped too early.
    """
    solver = joint.problem.scenario.solver
    fair = Fair.of(joint, watch.ending)
    options = Options(gap=0.0, nodes=WHOLE_NODES["unmet_need"], threads=solver.threads, seed=solver.seed)
    levels, outcome = WholeGoals(fair, watch, None).raise_level(WholePlan(fair, options, watch.ending, watch))
    if outcome.x is None or outcome.value is None:
        if outcome.status is Status.INFEASIBLE:
            raise Infeasible
        raise NoPlanYet(watch.reason or "work", "worst_off", -outcome.bound)
    x, kept = keep_levels(fair, replace(levels, common=max(0.0, -outcome.value)), outcome.x)
    return kept, -outcome.value, -outcome.bound, x


@dataclass
class WholeGoals:
    """The goals of the joint model of `fair`; `near` marks the decisions of a plan to stay close to."""

    fair: Fair
    watch: Watch
    near: Bools | None

    @property
    def joint(self) -> Joint:
        """The joint model with the rows of fairness found so far."""
        return self.fair.joint

    def find(self) -> Found:
        """Return a plan. Raises Infeasible where none keeps the hard rules, NoPlanYet where the search ended before."""
        joint, watch = self.joint, self.watch
        goals = joint.problem.scenario.goals
        found: Found | None = None
        levels = no_levels(joint.problem)
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
                    raise NoPlanYet(watch.reason or "work", goal.goal, bound)
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
            raise NoPlanYet(watch.reason or "work")
        if self.near is not None and not watch.stopped():
            _stay_close(self.fair, watch, found, tuple(kept), self.near)
        found.stopped = watch.reason
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
        if self.watch.stopped():
            return x, relaxed_levels(keeping, achieved(self.joint, x))
        plan, kept = keep_levels(self.fair, keeping, x)
        if floors_missed(keeping, kept) > FLOOR_MISSED:  # the plan was made for the level alone
            solver = self.joint.problem.scenario.solver
            options = Options(
                gap=0.0, absolute_gap=FLOOR_MISSED, nodes=WHOLE_NODES["worst_off"], threads=solver.threads,
                seed=solver.seed, time_limit_seconds=self.watch.left,
            )  # fmt: skip
            decided = raise_floors(self.fair, keeping, plan, options, self.watch.ending)
            plan, kept = keep_levels(self.fair, keeping, decided)
        return plan, kept

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
        highest = highest_aside(problem, best)
        levels = set_aside(problem, best, 0.0)
        outcome = run.raise_level(levels)
        for _ in range(4):
            if outcome.value is None:
                return levels, outcome
            level = -outcome.value
            low = np.flatnonzero(levels.follows & (best <= level + 0.01) & (best < highest))
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


def _stay_close(fair: Fair, watch: Watch, found: Found, kept: tuple[Kept, ...], near: Bools) -> None:
    """Last goal when a plan is compared: fewest yes-or-no decisions that differ from another plan."""
    joint = fair.joint
    whole: Ints = np.flatnonzero(joint.integer)
    vector = np.zeros(joint.n_columns)
    vector[whole] = np.where(near[whole], -1.0, 1.0)
    goal: Goal = (vector, float(near[whole].sum()))
    watch.start("closeness", len(kept) + 2, len(kept) + 2)
    solver = joint.problem.scenario.solver
    options = Options(
        gap=CLOSENESS_GAP, nodes=WHOLE_NODES["closeness"], threads=solver.threads, seed=solver.seed,
        time_limit_seconds=watch.left,
    )  # fmt: skip
    outcome = WholePlan(fair, options, watch.ending, watch).minimise("closeness", goal, found.levels, kept, found.x)
    if outcome.x is None or outcome.value is None:
        watch.end("closeness", None, None, "not reached")
        return
    found.x = outcome.x[: joint.n_columns]
    found.bounds["closeness"], found.scopes["closeness"] = outcome.bound, ALL_PLANS
    found.compare(joint, near)
    found.seconds["closeness"] = watch.end("closeness", outcome.value, outcome.bound, outcome.status.value)
