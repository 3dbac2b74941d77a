"""Three ways to solve the same model agree on every goal: arrays, PuLP with our bridge, and CBC as a second opinion."""

from collections.abc import Iterator
from math import inf
from threading import Event

import pulp
import pytest

from optimizer.coupling import Kept, Levels
from optimizer.fair import Fair
from optimizer.fit import achieved, raising_arrays
from optimizer.goals import goal_of
from optimizer.highs import solve
from optimizer.highs_arrays import Options, Status
from optimizer.highs_pulp import HighsArrays
from optimizer.joint import Joint, build_joint
from optimizer.levels import no_levels
from optimizer.problem import Floats
from optimizer.problem_data import build_problem
from optimizer.progress import Silent
from optimizer.pulp_model import to_pulp
from optimizer.watch import Watch
from optimizer.whole_plan import WholePlan
from tests.optimizer.cases import CASES, case

EXACT = Options(gap=1e-6, absolute_gap=1e-9)
LATER = ("unmet_need", "travel", "spending")


@pytest.fixture(scope="module", params=CASES)
def joint(request: pytest.FixtureRequest) -> Joint:
    return build_joint(build_problem(*case(request.param)))


@pytest.fixture(scope="module")
def cbc() -> pulp.LpSolver:
    solver = pulp.PULP_CBC_CMD(msg=False, gapRel=0.0, gapAbs=0.0, threads=1)
    if not solver.available():
        pytest.skip("this PuLP comes without CBC; install pulp[cbc]")
    return solver


def highest(joint: Joint) -> float:
    """Largest common level, of everybody."""
    outcome = solve(raising_arrays(joint, no_levels(joint.problem)), EXACT)
    assert outcome.status is Status.OPTIMAL
    assert outcome.value is not None
    return -outcome.value


def stages(joint: Joint) -> Iterator[tuple[str, Levels, tuple[Kept, ...], float, Floats]]:
    """Every later goal with what is kept before it, solved by arrays: name, levels, goals kept, value, plan."""
    level = highest(joint)
    levels = Levels(no_levels(joint.problem).scored, no_levels(joint.problem).floor, level * 0.98)
    kept: tuple[Kept, ...] = ()
    for name in LATER:
        run = WholePlan(Fair.of(joint), EXACT, Event(), Watch(Silent(), Event(), inf))
        outcome = run.minimise(name, goal_of(joint, name), levels, kept, None)
        assert outcome.status is Status.OPTIMAL
        assert outcome.value is not None
        assert outcome.x is not None
        yield name, levels, kept, outcome.value, outcome.x
        kept = (*kept, Kept(goal_of(joint, name), outcome.value * 1.01 + 1e-4))


def test_they_agree_on_every_later_goal(joint: Joint, cbc: pulp.LpSolver) -> None:
    for name, levels, kept, value, x in stages(joint):
        assert achieved(joint, x).min() >= levels.common - 1e-6
        for solver in (HighsArrays(msg=False, search=EXACT), cbc):
            model = to_pulp(joint, name, goal_of(joint, name), levels, kept)
            assert pulp.LpStatus[model.solve(solver)] == "Optimal", (name, solver.name)
            reached = pulp.value(model.objective) or 0.0  # None for a goal without any column
            assert reached == pytest.approx(value, rel=1e-5, abs=1e-4), (name, solver.name)


def test_they_agree_on_the_worst_off(joint: Joint, cbc: pulp.LpSolver) -> None:
    # The model with scores asked for has a plan at the highest level and none just above it.
    level = highest(joint)
    assert 0 < level <= 1
    free = no_levels(joint.problem)
    for asked, status in ((level - 1e-5, "Optimal"), (level + 1e-3, "Infeasible")):
        if asked > 1:
            continue
        for solver in (HighsArrays(msg=False), cbc):
            model = to_pulp(joint, "level", joint.unmet, Levels(free.scored, free.floor, asked))
            assert pulp.LpStatus[model.solve(solver)] == status, (asked, solver.name)
