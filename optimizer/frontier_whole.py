"""Efficient plans of a city that is one model, each proven: the ε-constraint method without weakly efficient points.

AUGMECON (Mavrotas 2009) keeps weakly efficient plans out by adding the slacks of the limits to the goal with a small
weight. Here the same is done without a weight: the goals are optimised one after another under the limits, each kept
while the next is optimised. A plan that were better in one goal and not worse in the others would keep the limits and
come first in that order, so there is none. As in AUGMECON2 (Mavrotas, Florios 2013) limits that the plan found keeps
anyway are passed over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from optimizer.coupling import Levels
from optimizer.fit import raising_arrays
from optimizer.frontier_points import Asked, Point, cost_of, efficient, joint_for, money_of, scaled
from optimizer.goals import goal_of
from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Status
from optimizer.joint import Joint
from optimizer.problem import Floats
from optimizer.watch import Watch

NODES = 5000
"""Most nodes of the search for one goal of one point."""
SOLVES = 8
"""So many times as many plans are sought as points are asked for, at most."""
RESOLUTION = 1e-4
"""Part of a goal's range within which a second efficient plan is not looked for."""
KEEPS = 1e-6
"""What a goal may lose, by rounding errors, while the next is optimised (person-needs, money units, person-metres)."""


@dataclass
class WholePoints:
    """Finds efficient plans of `joint`; `order` has the goals of the frontier, the one that is optimised first first.

    `later` are the scenario's other goals, optimised after them. `levels` says who follows the common level.
    """

    joint: Joint
    levels: Levels
    order: Sequence[str]
    later: Sequence[str]
    watch: Watch
    solves: int = field(default=0)

    def find(self, asked: Asked, most: Mapping[str, float], first: str = "") -> Point | None:
        """Return an efficient plan with every goal of `most` (as a cost) at most its limit; None where there is none.

        `first` puts another goal first. The money is that of `asked`; its level holds too.
        """
        joint = joint_for(self.joint, asked)
        order = [*([first] if first else []), *(goal for goal in self.order if goal != first)]
        stage = _Stage(joint, self.levels, max(asked.level, -most.get("worst_off", np.inf)))
        for goal, limit in most.items():
            if goal != "worst_off":
                stage.limit(goal, limit)
        tolerance = {str(goal.goal): goal.tolerance for goal in joint.problem.scenario.goals}
        point: Point | None = None
        for goal in [*order, *self.later]:
            self.solves += 1
            outcome = solve(stage.arrays(goal), self._options(), start=stage.x, stop=self.watch.ending)
            if outcome.x is None or outcome.value is None:
                if point is not None and goal in self.order:
                    point.exact = False  # another plan may be better in this goal
                break
            stage.x = outcome.x
            x = outcome.x[: joint.n_columns]
            if point is None:
                point = Point(asked, x, self.levels, 0.0, exact=True)
            point.x = x
            if goal == self.order[0]:  # with another goal put first, its best value is one of the limits
                point.bound = outcome.bound
            elif goal != "worst_off":  # its bound is that of all plans
                point.bounds[goal] = outcome.bound
            if goal in self.order:
                point.exact &= outcome.status is Status.OPTIMAL
            stage.keep(goal, outcome.value, 0.0 if goal in self.order else tolerance.get(goal, 0.0))
        if point is not None:
            reached = -cost_of(joint, self.levels, "worst_off", point.x)
            point.levels = replace(self.levels, common=max(asked.level, min(stage.level, reached)))
        return point

    def _options(self) -> Options:
        solver = self.joint.problem.scenario.solver
        left = self.watch.left
        return Options(gap=0.0, nodes=NODES, threads=solver.threads, seed=solver.seed, time_limit_seconds=left)

    def costs(self, point: Point) -> dict[str, float]:
        """Goals of the frontier in a plan, as costs."""
        return {goal: cost_of(self.joint, self.levels, goal, point.x) for goal in self.order}

    def worth(self, asked: Asked) -> float | None:
        """What a money unit more is worth in the first goal where yes-or-no decisions are relaxed."""
        step = 0.01
        joint = joint_for(self.joint, asked)
        more = joint_for(self.joint, replace(asked, scenario=scaled(asked.scenario, 1 + step)))
        arrays = _Stage(joint, self.levels, asked.level).arrays(self.order[0])
        outcome = solve(replace(arrays, integer=np.zeros_like(arrays.integer)), Options(solver="simplex"))
        if outcome.row_dual is None:
            return None
        first = joint.link_rows.stop
        rows = slice(first, first + len(joint.money.upper))
        gain = -float(outcome.row_dual[rows] @ (more.money.upper - joint.money.upper))
        return gain / max(1e-9, money_of(more.problem.scenario) - money_of(asked.scenario))


@dataclass
class _Stage:
    """The joint model with the common level as its last column, and the limits of goals so far."""

    joint: Joint
    levels: Levels
    level: float
    rows: list[Floats] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    x: Floats | None = None

    def limit(self, goal: str, most: float) -> None:
        vector, constant = goal_of(self.joint, goal)
        self.rows.append(vector)
        self.highs.append(most - constant)

    def keep(self, goal: str, value: float, tolerance: float) -> None:
        if goal == "worst_off":
            self.level = max(self.level, -value - 1e-9)
        else:
            self.limit(goal, value * (1 + tolerance) + KEEPS)

    def arrays(self, goal: str) -> Arrays:
        base = raising_arrays(self.joint, self.levels)
        cost, offset = base.cost, 0.0
        if goal != "worst_off":
            vector, offset = goal_of(self.joint, goal)
            cost = np.append(vector, 0.0)
        lower = base.lower.copy()
        lower[-1] = min(1.0, max(0.0, self.level))
        limits = csr_array(np.array(self.rows).reshape(len(self.rows), self.joint.n_columns))
        wide = hstack([limits, csr_array((len(self.rows), 1))])
        return replace(
            base,
            cost=cost,
            offset=offset,
            lower=lower,
            matrix=csr_array(vstack([base.matrix, wide], format="csr")),
            row_lower=np.concatenate([base.row_lower, np.full(len(self.highs), -np.inf)]),
            row_upper=np.concatenate([base.row_upper, self.highs]),
        )


@dataclass(frozen=True)
class _Open:
    """Values of the second goal strictly between `low` and `high` that may have efficient plans; `high` is a plan's."""

    low: float
    high: float
    probed: bool  # `low` is a limit already tried, and not a plan


def between_two(
    find: Callable[[float | None, bool], tuple[float, Point] | None], points: int, stopped: Callable[[], bool]
) -> tuple[list[Point], bool, float]:
    """Return at most `points` efficient plans, whether there are no others, and the resolution of that statement.

    `find(limit, second)` gives the plan best in the first goal (in the second, where `second`) with the second at most
    `limit`, and its value of the second. The widest stretch in which there may be other plans is halved next; where
    its lower half is free, only what lies just below its upper end is asked.
    """
    ends = [find(None, True), find(None, False)]
    found = {value: point for end in ends if end is not None for value, point in [end]}
    if len(found) < 2 or stopped():
        return [found[v] for v in sorted(found)], len(found) == 1 and None not in ends and not stopped(), 0.0
    low, high = min(found), max(found)
    resolution = RESOLUTION * (high - low)
    todo = [_Open(low, high, probed=False)]
    for _ in range(SOLVES * points):
        todo = [part for part in todo if part.high - part.low > 1.001 * resolution]
        if not todo or len(found) >= points or stopped():
            break
        part = max(todo, key=lambda part: (part.high - part.low, -part.low))
        todo.remove(part)
        limit = part.high - resolution if part.probed else (part.low + part.high) / 2
        got = find(limit, False)
        if got is None:
            todo.append(part)
            break
        value, point = got
        if value <= part.low + 0.01 * resolution:  # nothing between low and the limit
            todo.append(_Open(limit, part.high, probed=True))
            continue
        found[value] = point
        todo += [_Open(part.low, value, part.probed), _Open(limit, part.high, probed=True)]
    return [found[v] for v in sorted(found)], not todo and not stopped(), resolution


def among_three(points: WholePoints, asked: Asked, count: int, stopped: Callable[[], bool]) -> list[Point]:
    """Return efficient plans for three goals: a grid of limits of the second and third goal, the rest as above.

    Limits run between the best and the worst value in the table of best plans; where the third is so tight that there
    is no plan, tighter ones are left out (Mavrotas 2009), and those that a plan keeps anyway are passed over.
    """
    _, second, third = points.order
    ends = [points.find(asked, {}, first=goal) for goal in points.order]
    found = [point for point in ends if point is not None]
    if len(found) < len(ends) or stopped():
        return found
    table = [points.costs(point) for point in found]
    side = max(2, int(np.sqrt(count)))
    grid = {}
    for goal in (second, third):
        values = [row[goal] for row in table]
        grid[goal] = np.linspace(max(values), min(values), side)
    for limit in grid[second]:
        passed = np.inf
        for tight in grid[third]:
            if stopped():
                return found
            if tight >= passed:  # the plan of a looser limit keeps this one too
                continue
            point = points.find(asked, {second: float(limit), third: float(tight)})
            if point is None:
                break
            found.append(point)
            passed = points.costs(point)[third]
    kept = efficient([points.costs(point) for point in found])
    return [found[i] for i in kept]
