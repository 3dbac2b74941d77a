"""The goals of a large city: the first two by prices (`price_level`, `price_rounds`), later ones with stations kept."""

from dataclasses import dataclass, replace

import numpy as np

from optimizer.beginning import Beginning
from optimizer.coupling import Kept
from optimizer.fair import Fair
from optimizer.fit import achieved, build_fit, relaxed_levels
from optimizer.goals import (
    ALL_PLANS,
    KEPT_LEVELS,
    KEPT_STATIONS,
    SHOWN,
    Found,
    NoPlanYet,
    goal_of,
    main_goal,
    value_of,
)
from optimizer.highs_arrays import Options
from optimizer.joint import Joint
from optimizer.levels import no_levels
from optimizer.leximin_goal import ROOM, level_kept
from optimizer.price_level import raise_level
from optimizer.price_plan import PricePlan, Settings, names_of
from optimizer.price_rounds import unmet
from optimizer.price_search import NoPlan, Search
from optimizer.problem import Bools
from optimizer.scenario import Goal as GoalRule
from optimizer.watch import Watch
from optimizer.without_fairness import asked, by_prices


@dataclass
class PriceGoals:
    """The goals of the joint model of `fair`; `near` and `begin` are those of `find_plan`."""

    fair: Fair
    watch: Watch
    near: Bools | None
    begin: Beginning | None = None

    @property
    def joint(self) -> Joint:
        """The joint model with the rows of fairness found so far."""
        return self.fair.joint

    def find(self) -> Found:
        """Return a plan.

        Raises Infeasible where none keeps the hard rules, NoPlan where prices find none, NoPlanYet where the search was
        stopped before.
        """
        method = self.method()
        try:
            return self._found(method)
        except NoPlan:
            if not self.watch.stopped():
                raise
            raise NoPlanYet(self.watch.reason, main_goal(self.joint), method.bound) from None

    def method(self) -> PricePlan:
        """Return the price method with the settings that the goals of the scenario ask for, nothing searched yet."""
        rules = {goal.goal: goal for goal in self.joint.problem.scenario.goals}
        main = main_goal(self.joint)
        if main == "weighted":
            self.fair.joint = replace(self.joint, stands_in=goal_of(self.joint, main))
        watch = self.watch
        settings = Settings(threads=self.joint.problem.scenario.solver.threads)
        if "worst_off" in rules:
            rule = rules["worst_off"]
            settings = replace(settings, level_slack=rule.tolerance, level_gap=max(1e-3, 2 / 3 * rule.gap))
        if main in rules:
            settings = replace(settings, target_gap=rules[main].gap)
        begin = None if self.begin is None else self.begin.fitted(*names_of(self.joint))
        return PricePlan(self.fair, settings, watch.stopped, watch.update, watch.ending, near=self.near, begin=begin)

    def _found(self, method: PricePlan) -> Found:
        watch, problem, main = self.watch, self.joint.problem, main_goal(self.joint)
        rules = {goal.goal: goal for goal in problem.scenario.goals}
        count = len(rules)
        levels = no_levels(problem)
        method.best = method.nothing_new(levels)
        watch.start("worst_off" if "worst_off" in rules else main, 1, count)
        relaxed = method.relaxed()
        if method.best is None and watch.stopped():
            raise NoPlan
        found = Found(np.zeros(0) if method.best is None else method.best, levels, "prices", fair=self.fair)
        found.bounds[main], found.scopes[main] = method.bound, ALL_PLANS
        if "worst_off" in rules and not watch.stopped():
            raised = raise_level(method, relaxed)
            found.levels, found.x = raised.levels, raised.x
            found.bounds["worst_off"], found.scopes["worst_off"] = raised.top, ALL_PLANS
            found.reached["worst_off"] = raised.reached
            found.seconds["worst_off"] = watch.end("worst_off", raised.reached, raised.top, "")
            watch.start(main, 2, count)
        if not watch.stopped():
            found.x, found.bounds[main] = unmet(method, found.levels, relaxed)
            relaxed.loaded.clear()  # room for the later goals
            found.levels = relaxed_levels(found.levels, achieved(self.joint, found.x))
        value = value_of(self.joint.second, found.x)
        found.reached[main] = value
        found.seconds[main] = watch.end(main, value, found.bounds[main], "")
        if main in rules and "worst_off" in rules and rules["worst_off"].leximin and not watch.stopped():
            self._level(method, relaxed, found, rules["worst_off"])
        later_goals(found.fair or self.fair, watch, found, main)
        if self.near is not None:
            found.compare(self.joint, self.near)
        found.stopped = watch.reason
        if asked(problem):
            found.without = by_prices(method, relaxed, found.x, main, watch)
        found.leaves = method.leaves
        return found

    def _level(self, method: PricePlan, relaxed: Search, found: Found, rule: GoalRule) -> None:
        """Full leximin with stations and rooms kept, and the second goal once more with every level kept."""
        watch, main, count = self.watch, main_goal(self.joint), len(self.joint.problem.scenario.goals)
        watch.start("leximin", 0, 0)
        levelled = level_kept(self.fair, found.levels, found.x, rule.leximin_step, watch, KEPT_STATIONS)
        settled = "everybody is settled" if levelled.found.complete else "the highest are not settled"
        watch.end("leximin", float(len(levelled.found.rungs)), None, settled)
        joint = self.joint.with_rows(levelled.rows(self.joint, rule.tolerance))
        fair = Fair(joint, watch.ending)
        floor = np.where(np.isneginf(found.levels.floor), -np.inf, found.levels.floor - ROOM)
        levels = replace(found.levels, common=max(0.0, found.levels.common - ROOM), floor=floor)
        outcome = build_fit(fair, joint.second, levels, hard=True).solve(found.x)
        if outcome.x is None:
            return
        found.levels, found.fair, found.levelled = levels, fair, levelled
        method.best, method.patterns = outcome.x[: joint.n_columns], []
        watch.start(main, 2, count)
        found.x, found.bounds[main] = unmet(method, levelled.floors(levels, rule.tolerance), relaxed)
        found.scopes[main] = KEPT_LEVELS
        relaxed.loaded.clear()
        found.reached[main] = value = value_of(joint.second, found.x)
        found.seconds[main] += watch.end(main, value, found.bounds[main], KEPT_LEVELS)


def later_goals(fair: Fair, watch: Watch, found: Found, main: str = "unmet_need") -> None:
    """Travel and spending with stations and rooms kept: a relaxed model, solved to the end."""
    joint = fair.joint
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
            for margin in (0.0, ROOM):  # a level that the plan just reaches may be missed by a rounding error
                levels = replace(found.levels, common=found.levels.common - margin, floor=found.levels.floor - margin)
                fit = build_fit(fair, vector, levels, tuple(kept), hard=True)
                outcome = fit.solve(found.x, options=Options(time_limit_seconds=watch.left))
                if outcome.x is not None or watch.stopped():
                    break
            if outcome.x is None:
                watch.end(goal.goal, None, None, "not reached")
                return
            found.x = outcome.x[: joint.n_columns]
            found.bounds[goal.goal], found.scopes[goal.goal] = outcome.bound, KEPT_STATIONS
            found.reached[goal.goal] = value_of(vector, found.x)
            shown = value_of(vector, found.x) * SHOWN.get(goal.goal, 1.0), outcome.bound * SHOWN.get(goal.goal, 1.0)
            found.seconds[goal.goal] = watch.end(goal.goal, *shown, KEPT_STATIONS)
        kept.append(Kept(vector, value_of(vector, found.x) * (1 + goal.tolerance) + 1e-6))
