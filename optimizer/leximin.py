"""Full leximin: the lowest score as high as can be, as few as can be at it, then the next, and so on (goal 1).

Sources: Bertsekas and Gallager, Data Networks (max-min fairness, 1987); Ogryczak and Śliwiński, On solving linear
programs with the ordered weighted averaging objective (2003); Kurokawa, Procaccia and Shah, Leximin allocations in the
real world (2018). Method and proof: `docs/mathematics.md`, equations (33) and (34).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy.sparse import csr_array, eye_array, hstack, vstack

from optimizer.highs_arrays import Arrays, Outcome, Status
from optimizer.problem import Floats, Ints

Extend = Callable[[Arrays], Arrays]
Run = Callable[[Extend], Outcome]
HAIR = 1e-7
"""What a level is lowered by when it is kept, so that rounding inside the solver does not break it."""
BINDING = 1e-6
"""In a convex model, a score whose row has a larger price (they sum to 1) cannot be above the level in any plan."""
SAME = 0.1
"""In a convex model, a level less than this part of a step above the last is the last."""


@dataclass(frozen=True)
class Rung:
    """A level: reached, the most that any plan could reach that keeps the levels before, and who is settled at it.

    It is `proven` where there is none above it, and where as few as can be lie at those before.
    """

    level: float
    bound: float
    settled: tuple[int, ...]
    proven: bool


@dataclass
class Leximin:
    """What was found: a plan, its levels from the lowest on, and whether the last is the last there is."""

    x: Floats | None = None
    rungs: list[Rung] = field(default_factory=list)
    complete: bool = False
    outcome: Outcome | None = None  # of the first level


@dataclass
class _Ladder:
    """Scores of those not settled, floors of those that are, and how many may lie below which level."""

    score: csr_array  # (n, columns)
    base: Floats
    floor: Floats  # (n,) minus infinity where not settled
    below: list[tuple[float, int]] = field(default_factory=list)  # (level, how many may be below it), rising

    @property
    def open(self) -> Ints:
        return np.flatnonzero(np.isneginf(self.floor))

    def _rows(self, arrays: Arrays) -> tuple[list[csr_array], list[Floats], int]:
        """Rows over columns, a level and a block of `open` yes-or-no columns per level that some may miss."""
        settled, unsettled = np.flatnonzero(~np.isneginf(self.floor)), self.open
        rows, low, blocks = list[csr_array](), list[Floats](), 0
        wide = 1 + len(unsettled) * sum(many > 0 for _, many in self.below)
        rows.append(_pad(csr_array(self.score[settled]), arrays, wide))
        low.append(self.floor[settled] - HAIR - self.base[settled])
        for level, many in self.below:
            mine = _pad(csr_array(self.score[unsettled]), arrays, wide)
            if many:
                first = len(arrays.cost) + 1 + blocks * len(unsettled)
                mine = csr_array(mine + _at(csr_array(eye_array(len(unsettled)) * level), first, mine.shape[1]))
                rows.append(_at(csr_array(-np.ones((1, len(unsettled)))), first, mine.shape[1]))
                low.append(np.array([-float(many)]))
                blocks += 1
            rows.append(mine)
            low.append(level - HAIR - self.base[unsettled])
        return rows, low, wide

    def extended(
        self, arrays: Arrays, more: csr_array, more_low: Floats, cost: Floats, upper: Floats, *, whole: bool
    ) -> Arrays:
        """Return the model with these levels, and with `more` rows over columns, the level and columns of its own.

        Own columns have `cost` and `upper`, are `whole` or not; the level (the first of `cost`) never is.
        """
        rows, low, wide = self._rows(arrays)
        own, columns = len(cost) - 1, len(arrays.cost)
        kept = vstack(rows, format="csr")
        kept = hstack([kept, csr_array((kept.shape[0], own))], format="csr")
        parts = csr_array(more)
        gap = csr_array((parts.shape[0], wide - 1))
        asked = hstack([parts[:, : columns + 1], gap, parts[:, columns + 1 :]], format="csr")
        old = hstack([arrays.matrix, csr_array((arrays.matrix.shape[0], wide + own))], format="csr")
        ones = np.ones(wide - 1)
        low_all = np.concatenate([*low, more_low])
        return Arrays(
            cost=np.concatenate([np.zeros(columns), cost[:1], 0 * ones, cost[1:]]),
            lower=np.concatenate([arrays.lower, np.zeros(wide + own)]),
            upper=np.concatenate([arrays.upper, upper[:1], ones, upper[1:]]),
            integer=np.concatenate([arrays.integer, [False], ones > 0, np.full(own, whole)]),
            matrix=vstack([old, kept, asked], format="csr"),
            row_lower=np.concatenate([arrays.row_lower, low_all]),
            row_upper=np.concatenate([arrays.row_upper, np.full(len(low_all), np.inf)]),
        )

    def raising(self, arrays: Arrays, many: int) -> Arrays:
        """Largest level that all but `many` of the open ones reach."""
        n = len(self.open)
        rows = _pad(csr_array(self.score[self.open]), arrays, 1)
        rows = csr_array(rows + _at(csr_array(-np.ones((n, 1))), len(arrays.cost), rows.shape[1]))
        low = -self.base[self.open]
        if many:
            rows = hstack([rows, eye_array(n)], format="csr")
            rows = vstack([rows, _at(csr_array(-np.ones((1, n))), len(arrays.cost) + 1, rows.shape[1])], format="csr")
            low = np.append(low, -float(many))
        own = n if many else 0
        return self.extended(arrays, csr_array(rows), low, np.append(-1.0, np.zeros(own)), np.ones(1 + own), whole=True)

    def fewest(self, arrays: Arrays, level: float, other: tuple[Ints, int] | None = None) -> Arrays:
        """Fewest of the open ones below a level; with `other` (positions among them, how many) not just these."""
        n = len(self.open)
        rows = _pad(csr_array(self.score[self.open]), arrays, 1)
        rows = hstack([rows, eye_array(n) * level], format="csr")
        low = level - self.base[self.open]
        if other is not None:
            chosen, many = other
            picks = np.zeros((2, n))
            picks[0, chosen], picks[1] = -1.0, -1.0
            rows = vstack([rows, _at(csr_array(picks), len(arrays.cost) + 1, rows.shape[1])], format="csr")
            low = np.concatenate([low, [1.0 - many, -float(many)]])
        cost = np.append(0.0, np.ones(n))
        return self.extended(arrays, csr_array(rows), low, cost, np.append(0.0, np.ones(n)), whole=True)


def _pad(rows: csr_array, arrays: Arrays, more: int) -> csr_array:
    shape = (rows.shape[0], len(arrays.cost) + more)
    return csr_array((rows.data, rows.indices, rows.indptr), shape=shape)


def _at(block: csr_array, first: int, width: int) -> csr_array:
    before, after = (csr_array((block.shape[0], k)) for k in (first, width - first - block.shape[1]))
    return csr_array(hstack([before, block, after], format="csr"))


def leximin(
    score: csr_array,
    base: Floats,
    run: Run,
    *,
    step: float,
    convex: bool = False,
    most: int = 1000,
    stopped: Callable[[], bool] = lambda: False,
) -> Leximin:
    """Return the plan whose scores, sorted, are lexicographically largest, exact up to `step` in each.

    `score` (n, columns) and `base` (n,) give the scores of a plan; `run` solves the model of all plans, as `Extend` has
    extended it. In a `convex` model (nothing to be decided in whole numbers) who is stuck at a level is stuck in every
    plan that reaches it. At most `most` levels are looked for.
    """
    ladder = _Ladder(csr_array(score), base, np.full(len(base), -np.inf))
    found = Leximin(complete=not len(base))
    many = 0
    levels: list[tuple[float, float, bool]] = []
    sure = True  # that as few as can be lie at the levels so far
    while len(ladder.open) and len(levels) < most and not stopped():
        first = run(partial(ladder.raising, many=many))
        found.outcome = found.outcome or first
        if first.x is None or first.value is None:
            break
        level = max(0.0, -first.value)
        found.x = first.x
        if convex and levels and level < levels[-1][0] + SAME * step:
            level = levels[-1][0]
        else:
            levels.append((level, min(1.0, -first.bound), sure and first.status is Status.OPTIMAL))
        if level + step > 1:
            found.complete = True
            break
        ladder.below = ladder.below if many else []
        ladder.below.append((level, many))
        if convex:
            stuck = _binding(first, len(ladder.open))
            ladder.floor[ladder.open[stuck]] = level
            ladder.below = []
            found.complete = not len(ladder.open)
            continue
        count = run(partial(ladder.fewest, level=level + step))
        if count.x is None:
            break
        found.x = count.x
        sure &= count.status is Status.OPTIMAL
        stuck = np.flatnonzero(count.x[-len(ladder.open) :] > 0.5)
        if len(stuck) >= len(ladder.open):
            found.complete = sure
            break
        if not many and _only(ladder, run, level + step, stuck):
            ladder.floor[ladder.open[stuck]] = level
            ladder.below = []
        else:
            many = len(stuck)
    if found.x is not None:
        found.rungs = _rungs(levels, ladder, found.x[: score.shape[1]])
    return found


def _only(ladder: _Ladder, run: Run, level: float, stuck: Ints) -> bool:
    """Whether these are stuck in every plan that has so few below the level."""
    if not len(stuck):
        return True
    outcome = run(partial(ladder.fewest, level=level, other=(stuck, len(stuck))))
    return outcome.status is Status.INFEASIBLE


def _binding(raised: Outcome, many: int) -> Ints:
    """Positions among the open ones of those whose rows, the last `many`, have a price in a convex model."""
    assert raised.row_dual is not None
    price = np.abs(raised.row_dual[-many:])
    return np.flatnonzero(price > min(BINDING, float(price.max()) / 2))


def _rungs(levels: list[tuple[float, float, bool]], ladder: _Ladder, x: Floats) -> list[Rung]:
    """Who is settled at which level in the plan found: the highest that it reaches."""
    scores = ladder.score @ x + ladder.base
    heights = np.array([level for level, _, _ in levels])
    at = np.maximum(0, np.searchsorted(heights, scores + 10 * HAIR, side="right") - 1)
    settled = np.flatnonzero(~np.isneginf(ladder.floor))
    at[settled] = np.minimum(at[settled], np.searchsorted(heights, ladder.floor[settled] - HAIR))
    return [
        Rung(level, bound, tuple(np.flatnonzero(at == r).tolist()), proven)
        for r, (level, bound, proven) in enumerate(levels)
    ]
