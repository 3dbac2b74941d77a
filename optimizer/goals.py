"""Goals of a scenario as vectors over a joint model, and what a search for them has found."""

from dataclasses import dataclass, field

import numpy as np

from optimizer.beginning import Beginning
from optimizer.coupling import Levels
from optimizer.fair import Fair
from optimizer.joint import Goal, Joint
from optimizer.leximin_goal import Levelled
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.problem import Bools, Floats
from optimizer.without_fairness import Without

SHOWN = {"spending": MONEY_UNIT_YUAN}
"""Goals that are shown in another unit than the joint model's."""
CLOSENESS_GAP = 0.01
"""A plan is close enough to another where none has so much less (relative) that is decided otherwise."""
ALL_PLANS, KEPT_STATIONS = "all plans", "plans with these stations and rooms"
KEPT_LEVELS = "plans that keep the level of every community"


class NoPlanYet(Exception):
    """The search ended before it had a plan; `reason` is hand, time or work (as many nodes and rounds as it may take).

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
    near: Bools | None = None  # (columns,) yes-or-no decisions of the plan that `different` counts from
    reached: dict[str, float] = field(default_factory=dict)
    fair: Fair | None = None
    levelled: Levelled | None = None
    without: Without | None = None
    leaves: Beginning | None = None

    def compare(self, joint: Joint, near: Bools) -> None:
        """Count the yes-or-no decisions that differ from those of another plan."""
        self.near, whole = near, np.flatnonzero(joint.integer)
        self.different = int((np.rint(self.x[whole]).astype(bool) != near[whole]).sum())

    def take(self, joint: Joint, x: Floats) -> None:
        """Take another plan in place of this one."""
        self.x = x
        if self.near is not None:
            self.compare(joint, self.near)


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
