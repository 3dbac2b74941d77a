"""From a joint model to a plan: the goals of the scenario one after another, by the method that suits the size.

Small cities are one model (`whole_goals`); large ones are planned by prices (`price_goals`), their later goals with
the stations and rooms of the second goal kept.
"""

from dataclasses import replace

from optimizer.beginning import Beginning
from optimizer.fair import Fair
from optimizer.goals import Found
from optimizer.joint import Joint
from optimizer.price_goals import PriceGoals
from optimizer.price_search import NoPlan
from optimizer.problem import Bools
from optimizer.watch import Watch
from optimizer.whole_goals import WholeGoals

WHOLE_LIMIT = 400
"""Up to so many yes-or-no decisions a city is one model."""
PRICES_FAILED = "whole, as prices did not settle"
"""Method of a plan for which the method by prices was tried first."""


def is_whole(joint: Joint) -> bool:
    """Whether a city is planned as one model."""
    method = joint.problem.scenario.solver.method
    return method == "whole" or (method == "auto" and int(joint.integer.sum()) <= WHOLE_LIMIT)


def find_plan(joint: Joint, watch: Watch, near: Bools | None = None, begin: Beginning | None = None) -> Found:
    """Return a plan for the goals of the scenario.

    `near` (columns,) marks the yes-or-no decisions of a plan to stay close to, `begin` is what its search left. Raises
    Infeasible where no plan keeps the hard rules, NoPlanYet where the search was stopped too early.
    """
    if not is_whole(joint):
        try:
            return PriceGoals(Fair.of(joint, watch.ending), watch, near, begin).find()
        except NoPlan:  # prices that run away: the coupling rules cannot be kept, or hardly
            return replace(WholeGoals(Fair.of(joint, watch.ending), watch, near).find(), method=PRICES_FAILED)
    return WholeGoals(Fair.of(joint, watch.ending), watch, near).find()
