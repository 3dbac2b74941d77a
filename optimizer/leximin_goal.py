"""Full leximin as the first goal: over all plans of the one model, or with the stations and rooms of a city kept."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from optimizer.coupling import Levels, score_rows
from optimizer.fair import Fair, FairSession, decided
from optimizer.highs_arrays import Options, Outcome
from optimizer.joint import ExtraRows, Joint
from optimizer.leximin import Extend, Leximin, leximin
from optimizer.problem import Floats, Ints
from optimizer.watch import Watch
from optimizer.whole_plan import WholePlan

NODES = 5000
"""Most nodes of the search for a level, or for the fewest at it, in one model."""
MOST_LEVELS_KEPT = 40
"""Most levels looked for in a large city with its stations and rooms kept; who is not settled then shares the last."""
ROOM = 1e-6
"""What floors of communities are lowered by, beside the tolerance of the goal, for rounding inside the solver."""


@dataclass(frozen=True)
class Levelled:
    """The levels of a plan: the communities they speak of, the score each keeps, and how they were found."""

    who: Ints
    floor: Floats
    found: Leximin
    step: float
    scope: str

    def rows(self, joint: Joint, tolerance: float) -> ExtraRows:
        """Rows that keep every community at its level, less the tolerance of the goal."""
        low = self.kept(tolerance) - joint.model.score_base[self.who]
        labels = joint.model.key_labels["community"]
        names = tuple(f"eq33_level({labels[i]})" for i in self.who)
        return ExtraRows(csr_array(joint.score[self.who]), low, np.full(len(low), np.inf), names, (1.0,) * len(low))

    def kept(self, tolerance: float) -> Floats:
        """(who,) score that each community keeps."""
        return np.asarray(self.floor * (1 - tolerance) - ROOM)

    def floors(self, levels: Levels, tolerance: float) -> Levels:
        """Levels in which every community has a floor of its own: what it keeps, and not less than in `levels`."""
        floor = np.where(levels.scored, levels.required, -np.inf)
        floor[self.who] = np.maximum(floor[self.who], self.kept(tolerance))
        return Levels(levels.scored, floor)


def _levelled(who: Ints, found: Leximin, step: float, scope: str) -> Levelled:
    floor = np.zeros(len(who))
    for rung in found.rungs:
        floor[list(rung.settled)] = rung.level
    return Levelled(who, floor, found, step, scope)


def _scored(joint: Joint) -> Ints:
    return np.flatnonzero(joint.problem.scored)


def level_whole(plan: WholePlan, step: float, scope: str) -> Levelled:
    """Raise level after level over all plans of the one model."""
    joint = plan.fair.joint
    who = _scored(joint)
    options = replace(plan.options, gap=0.0, absolute_gap=0.2 * step, nodes=NODES)
    quiet = replace(plan, options=options)

    def run(extend: Extend) -> Outcome:
        return quiet.extended(extend)

    found = leximin(
        csr_array(joint.score[who]), joint.model.score_base[who], run, step=step, stopped=plan.watch.stopped
    )
    return _levelled(who, found, step, scope)


def level_kept(fair: Fair, levels: Levels, x: Floats, step: float, watch: Watch, scope: str) -> Levelled:
    """Raise level after level with the yes-or-no decisions of `x`, the levels of the first goal kept."""
    joint = fair.joint
    who = _scored(joint)
    rows, low = score_rows(joint, levels)
    extra = ExtraRows(rows, low - ROOM, np.full(len(low), np.inf))
    arrays = joint.arrays((np.zeros(joint.n_columns), 0.0), extra)
    fixed, has = decided(arrays, x), fair.count

    def run(extend: Extend) -> Outcome:
        options = Options(time_limit_seconds=watch.left)
        return FairSession(fair, extend(fixed), has, options, exact=True).run(watch.ending)

    found = leximin(
        csr_array(joint.score[who]),
        joint.model.score_base[who],
        run,
        step=step,
        convex=True,
        most=MOST_LEVELS_KEPT,
        stopped=watch.stopped,
    )
    return _levelled(who, found, step, scope)
