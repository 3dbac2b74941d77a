"""Points of a frontier: plans of which none is better than another in every goal, and the money they have.

A point is found by the ε-constraint method (Haimes, Lasdon, Wismer 1971): one goal is optimised while the others may
not be worse than a limit ε. What keeps weakly efficient plans out, and what makes the steps, is in `frontier_whole`
(cities that are one model) and `frontier_prices` (cities planned by prices).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from optimizer.coupling import Levels
from optimizer.fit import achieved
from optimizer.goals import goal_of, value_of
from optimizer.joint import Joint
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.money import build_money
from optimizer.problem import Floats
from optimizer.problem_data import with_money
from optimizer.scenario import Scenario

SAME = 1e-9
"""Values that differ by less, relative to the larger, are the same."""


@dataclass(frozen=True)
class Asked:
    """One plan to be found: the common level it must reach, what it may spend, and the scenario with its money.

    `most` is in money units of the model; None where the sources alone set the limit. `share` is the budget as a share
    of the money of the scenario that the frontier is of.
    """

    level: float
    scenario: Scenario
    most: float | None = None
    share: float = 1.0


@dataclass
class Point:
    """A plan found for `asked`.

    `bound`: no plan that keeps the same limits has less of the frontier's first goal; `exact`: nor has this one more,
    and it is proven best in the other goals too. `bounds` are those of goals after the frontier's. `worth` is what a
    yuan more is worth in the first goal, by the prices of the search (budgets only).
    """

    asked: Asked
    x: Floats
    levels: Levels
    bound: float
    exact: bool = False
    bounds: dict[str, float] = field(default_factory=dict)
    worth: float | None = None


@dataclass(frozen=True)
class Traced:
    """All points of a frontier, in order.

    `top` is the bound of the worst-off score, `reached` its best value found; `complete`: there is no efficient plan
    beside these, except within `resolution` of one of them. `stopped` says why the search ended early: hand, time or
    nothing. `too_little` are the budgets asked for that no plan keeps the hard rules with, as shares of the money.
    """

    points: list[Point]
    top: float = 1.0
    reached: float = 1.0
    complete: bool = False
    resolution: float = 0.0
    method: str = ""
    stopped: str = ""
    too_little: tuple[float, ...] = ()


def level_of(joint: Joint, levels: Levels, x: Floats) -> float:
    """Smallest score of the communities that follow the common level; 1 where none does."""
    follows = levels.follows
    return float(achieved(joint, x)[follows].min()) if follows.any() else 1.0


def cost_of(joint: Joint, levels: Levels, goal: str, x: Floats) -> float:
    """A goal of a plan as a cost: less is better, so the worst-off score with its sign turned."""
    return -level_of(joint, levels, x) if goal == "worst_off" else value_of(goal_of(joint, goal), x)


def joint_for(joint: Joint, asked: Asked) -> Joint:
    """Return the joint model with the money of a point: its sources, and the row Σ payments ≤ most.

    That row is a ceiling (22) of all sources together.
    """
    problem = with_money(joint.problem, asked.scenario)
    money = build_money(problem)
    if asked.most is not None:
        paid = np.arange(len(money.source))
        row = coo_array((np.ones(len(paid)), (np.zeros_like(paid), paid)), shape=(1, money.n_columns))
        money = replace(
            money,
            matrix=csr_array(vstack([money.matrix, row], format="csr")),
            upper=np.append(money.upper, max(0.0, asked.most)),
            row_names=(*money.row_names, "eq22_most"),
        )
    return Joint(problem, joint.model, money)


def scaled(scenario: Scenario, factor: float) -> Scenario:
    """Return the scenario with all money of all sources times `factor`."""
    sources = {
        name: source.model_copy(update={"scale": source.scale * factor}) for name, source in scenario.sources.items()
    }
    return scenario.model_copy(update={"sources": sources})


def money_of(scenario: Scenario) -> float:
    """All new money of a scenario over its years, in money units of the model."""
    return sum(sum(scenario.free_yuan(name)) for name in scenario.sources) / MONEY_UNIT_YUAN


def efficient(costs: Sequence[Mapping[str, float]]) -> list[int]:
    """Return the numbers of those that no other is at least as good as in every goal; of equal ones the first stays."""

    def beaten(mine: Mapping[str, float], other: Mapping[str, float], earlier: bool) -> bool:
        slack = {goal: SAME * max(1.0, abs(value)) for goal, value in mine.items()}
        if not all(other[goal] <= mine[goal] + slack[goal] for goal in mine):
            return False
        return earlier or any(other[goal] < mine[goal] - slack[goal] for goal in mine)

    return [
        i
        for i, mine in enumerate(costs)
        if not any(beaten(mine, other, j < i) for j, other in enumerate(costs) if j != i)
    ]
