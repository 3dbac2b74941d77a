"""Plans in whole numbers: fixed decisions made to fit the money, and neighbourhoods searched again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event

import numpy as np
from scipy.sparse import csr_array, eye_array, hstack, vstack

from optimizer.coupling import Kept, Levels, score_rows
from optimizer.fair import Fair, FairSession, decided
from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome
from optimizer.highs_arrays import Progress as Tick
from optimizer.joint import Goal, Joint
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.problem import Bools, Floats

INTERIOR = Options(solver="ipm")
"""Raising a level with all decisions made takes half the time by interior point."""
GIVING_UP = Options(gap=1e-3, nodes=2000)
"""How long decisions to give up are sought: a plan is wanted, hardly a better one."""
MARGINS = (0.0, 1e-7, 2e-6)
"""A level that decisions just reach is missed by a rounding error, or by what a search in whole numbers leaves open."""
KEEPS_ROWS = 1e-6
"""A plan keeps the rows of a model where it breaks none by more."""


@dataclass(frozen=True)
class Fit:
    """The joint model of one goal with levels of scores that may be missed at a price.

    `arrays` has one more column per scored community: how much of its level it misses. `penalty` is the price of a
    whole point of score; it is large beside the goal, so levels are missed only where they must be. `has` is how many
    rows of fairness there are in it; plans keep those found later too.
    """

    fair: Fair
    arrays: Arrays
    misses: int
    has: int

    def session(self, x: Floats, options: Options = Options()) -> FairSession:  # noqa: B008 (frozen)
        """Return the model with the yes-or-no columns as in `x`, kept loaded."""
        return FairSession(self.fair, decided(self.arrays, x), self.has, options)

    def _kept(self, x: Floats) -> Floats | None:
        """The plan `x` as one of this model where it is one."""
        if not self.fair.curved or len(x) != self.fair.joint.n_columns:
            return None
        rows = slice(len(self.arrays.row_lower) - self.misses, None)  # the levels
        short = self.arrays.row_lower[rows] - self.arrays.matrix[rows, : len(x)] @ x
        whole = np.append(x, np.maximum(0.0, short))
        return whole if self.arrays.violation(whole) <= KEEPS_ROWS else None

    def solve(
        self,
        x: Floats,
        free: Bools | None = None,
        options: Options = Options(),  # noqa: B008 (frozen)
        stop: Event | None = None,
        on_progress: Callable[[Tick], None] | None = None,
    ) -> Outcome:
        """Return the best plan that decides as `x` does wherever it is not `free`; `x` starts the search."""
        if free is None:
            return self.session(x, options).run(stop, self._kept(x))
        start = x if len(x) == len(self.arrays.cost) else None
        found = solve(decided(self.arrays, x, free), options, start=start, stop=stop, on_progress=on_progress)
        return found if found.x is None or not self.fair.curved else self.session(found.x).run(stop)


def build_fit(
    fair: Fair, goal: Goal, levels: Levels, kept: tuple[Kept, ...] = (), *, hard: bool | Bools = False
) -> Fit:
    """Return the model of a goal; where `hard` (all, or (n,) communities), levels may not be missed at all."""
    joint = fair.joint
    rows, low = score_rows(joint, levels)
    arrays = joint.arrays(goal)
    count = len(low)
    penalty = max(1.0, abs(goal[1]), float(np.abs(goal[0]).sum()) * 1e-2)
    extra = [csr_array(k.goal[0].reshape(1, -1)) for k in kept]
    limits = np.array([k.limit - k.goal[1] for k in kept])
    wide = vstack([arrays.matrix, *extra], format="csr")
    matrix = vstack(
        [
            hstack([wide, csr_array((wide.shape[0], count))]),
            hstack([rows, eye_array(count)]),
        ],
        format="csr",
    )
    full = Arrays(
        cost=np.concatenate([arrays.cost, np.full(count, penalty)]),
        lower=np.concatenate([arrays.lower, np.zeros(count)]),
        upper=np.concatenate(
            [arrays.upper, np.where(np.broadcast_to(hard, levels.scored.shape)[levels.scored], 0.0, 1.0)]
        ),
        integer=np.concatenate([arrays.integer, np.zeros(count, dtype=bool)]),
        matrix=matrix,
        row_lower=np.concatenate([arrays.row_lower, np.full(len(kept), -np.inf), low]),
        row_upper=np.concatenate([arrays.row_upper, limits, np.full(count, np.inf)]),
        offset=arrays.offset,
    )
    return Fit(fair, full, count, fair.count)


def raising_arrays(joint: Joint, levels: Levels) -> Arrays:
    """Return the joint model that raises the common level, its last column; the value is the negative level."""
    rows, low = score_rows(joint, levels, raising=True)
    wide = csr_array(
        (joint.matrix.data, joint.matrix.indices, joint.matrix.indptr), (joint.matrix.shape[0], joint.n_columns + 1)
    )
    return Arrays(
        cost=np.append(np.zeros(joint.n_columns), -1.0),
        lower=np.append(joint.lower, 0.0),
        upper=np.append(joint.upper, 1.0),
        integer=np.append(joint.integer, False),
        matrix=vstack([wide, rows], format="csr"),
        row_lower=np.concatenate([joint.row_lower, low]),
        row_upper=np.concatenate([joint.row_upper, np.full(len(low), np.inf)]),
    )


def best_level(fair: Fair, levels: Levels, x: Floats) -> tuple[float, Floats]:
    """Largest common level that money can reach with the yes-or-no decisions of `x`, and a plan that does.

    The level is -1, and the plan `x`, where these cannot be paid. Floors of communities set aside are left out: they
    are asked for as far as they can be kept.
    """
    no_floors = replace(levels, floor=np.where(np.isneginf(levels.floor), -np.inf, 0.0))
    arrays = decided(raising_arrays(fair.joint, no_floors), x)
    options = Options() if fair.curved else INTERIOR
    outcome = FairSession(fair, arrays, fair.count, options, afresh=False).run()
    if outcome.value is None or outcome.x is None:
        return -1.0, x
    return -outcome.value, outcome.x[: fair.joint.n_columns]


def keep_levels(fair: Fair, levels: Levels, x: Floats) -> tuple[Floats, Levels]:
    """Return the plan of the second goal with the decisions of `x`, and the levels it can be asked to keep.

    The common level comes first; floors of communities set aside are kept as far as the money goes. Raises ValueError
    where these decisions cannot be paid.
    """
    joint = fair.joint
    for margin in MARGINS:
        asked = replace(levels, common=max(0.0, levels.common - margin))
        outcome = build_fit(fair, joint.second, asked, hard=levels.follows).solve(x[: joint.n_columns])
        if outcome.x is not None:
            plan = outcome.x[: joint.n_columns]
            return plan, relaxed_levels(asked, achieved(joint, plan))
    raise ValueError("these decisions cannot be paid")


def raise_floors(fair: Fair, levels: Levels, x: Floats, options: Options, stop: Event | None = None) -> Floats:
    """Return decisions that keep the common level of `levels` and miss the floors of those set aside least in all.

    Those of `x` keep the level too; they are returned where the search finds no better ones.
    """
    joint = fair.joint
    fit = build_fit(fair, (np.zeros(joint.n_columns), 0.0), levels, hard=levels.follows)
    start = np.append(x[: joint.n_columns], _short(joint, levels, x))
    found = fit.solve(start, np.ones(joint.n_columns, dtype=bool), options, stop).x
    return x if found is None else found[: joint.n_columns]


def _short(joint: Joint, levels: Levels, x: Floats) -> Floats:
    """(scored,) by how much a plan misses the levels asked for."""
    return np.maximum(0.0, levels.required - achieved(joint, x))[levels.scored]


def floors_missed(asked: Levels, kept: Levels) -> float:
    """Return by how much the floors of those set aside are lower than asked for, in the worst case."""
    aside = ~np.isneginf(asked.floor)
    return float((asked.floor[aside] - kept.floor[aside]).max(initial=0.0))


def hold_back(fair: Fair, levels: Levels, x: Floats, yuan: float, goals: Sequence[Goal] = ()) -> Floats | None:
    """Return `x` fitted again with `yuan` of every source and year held back for rounding; None where it cannot be.

    `goals` are those after the worst-off, in their order: each is kept at what `x` has of it, or as near as can be,
    while the next is optimised. So far stays the plan from every floor and ceiling of a source too; from floors only
    where there is room.
    """
    plan: Floats | None = None
    kept: list[Kept] = []
    for goal in goals or (fair.joint.second,):
        reached = achieved(fair.joint, x) if plan is None else achieved(fair.joint, plan) - 1e-7
        asked = relaxed_levels(levels, reached)  # missed at a price for the first goal, by the others not at all
        fit = build_fit(fair, goal, asked, tuple(kept), hard=plan is not None)
        found = _best_held_back(fit, decided(fit.arrays, x), yuan)
        if found is None:
            return plan
        plan = found
        kept.append(Kept(goal, max(float(goal[0] @ one[: len(goal[0])]) for one in (x, plan)) + goal[1] + 1e-6))
    return plan


def give_up(fair: Fair, levels: Levels, x: Floats, yuan: float) -> Floats | None:
    """Return a plan that holds `yuan` back as `hold_back` does, without some of the decisions of `x`; None without any.

    It decides nothing that `x` does not, and gives up what the second goal loses least by. Grants, and payments for
    them, are in whole units.
    """
    joint = fair.joint
    fit = build_fit(fair, joint.second, relaxed_levels(levels, achieved(joint, x)))
    whole = np.flatnonzero(fit.arrays.integer)
    for arrays in _held_back(joint, fit.arrays, yuan):
        most = arrays.upper.copy()
        most[whole] = np.rint(x[whole])
        in_units, size = joint.in_units(replace(arrays, upper=most))
        found = solve(in_units, GIVING_UP).x
        if found is None:
            continue
        lower, upper = arrays.lower.copy(), arrays.upper.copy()
        settled = np.flatnonzero(in_units.integer)
        lower[settled] = upper[settled] = np.rint(found[settled]) * size[settled]
        settled_arrays = replace(arrays, lower=lower, upper=upper, integer=np.zeros_like(arrays.integer))
        outcome = FairSession(fair, settled_arrays, fit.has).run()
        if outcome.x is not None:
            return outcome.x[: joint.n_columns]
    return None


def _held_back(joint: Joint, arrays: Arrays, yuan: float) -> Iterator[Arrays]:
    """Yield a model with `yuan` held back from limits of money and from its floors, then one without that of floors."""
    money, first = joint.money, joint.link_rows.stop
    for floors in (True, False) if money.floors.any() else (False,):
        upper = arrays.row_upper.copy()
        at = first + np.flatnonzero(~money.floors)
        upper[at] -= np.minimum(yuan / MONEY_UNIT_YUAN, 0.5 * upper[at])
        upper[first + np.flatnonzero(money.floors)] -= yuan / MONEY_UNIT_YUAN if floors else 0.0
        yield replace(arrays, row_upper=upper)


def _best_held_back(fit: Fit, arrays: Arrays, yuan: float) -> Floats | None:
    """The best plan of a model of `fit` with all decisions made that holds `yuan` back; None without any."""
    for model in _held_back(fit.fair.joint, arrays, yuan):
        outcome = FairSession(fit.fair, model, fit.has).run()
        if outcome.x is not None:
            return outcome.x[: fit.fair.joint.n_columns]
    return None


def achieved(joint: Joint, x: Floats) -> Floats:
    """(n,) scores of a plan."""
    return np.asarray(joint.score @ x[: joint.n_columns] + joint.model.score_base)


def relaxed_levels(levels: Levels, scores: Floats) -> Levels:
    """Return the levels that a plan with these scores keeps, not above those asked for."""
    follows = levels.follows
    common = float(min(levels.common, scores[follows].min())) if follows.any() else levels.common
    floor = np.where(np.isneginf(levels.floor), -np.inf, np.minimum(levels.floor, scores))
    return Levels(levels.scored, floor, common)
