"""Efficient plans of a city planned by prices: what one point has proven and found serves all others.

Levels stand inside the pieces, money outside (`coupling`). So what a round of plans of all pieces has proven holds

* at its prices for every budget, only the money's own part is reckoned again;
* at its level for every higher one: unmet need only grows with the level. What relaxed pieces must lose at the higher
  level is proven again for each.

Plans of pieces from all rounds are mixed for every point, decisions as they are and amounts made to keep its level;
new rounds are made only for points whose gap is still larger than the scenario's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_array, vstack

from optimizer.coupling import Levels, couple
from optimizer.fair import Fair, decided
from optimizer.fit import build_fit, raising_arrays
from optimizer.frontier_points import Asked, Point, joint_for, level_of, money_of
from optimizer.goals import value_of
from optimizer.highs import solve
from optimizer.highs_arrays import Options
from optimizer.joint import Joint
from optimizer.levels import no_levels
from optimizer.piece_plans import mix_plans, with_amounts
from optimizer.price_level import raise_level as level_raised
from optimizer.price_plan import PricePlan, Settings
from optimizer.price_rounds import Rounds
from optimizer.price_search import NoPlan, Search
from optimizer.problem import Floats
from optimizer.threads import in_parallel
from optimizer.watch import Watch

PATTERNS = 8
"""So many rounds, the newest, are mixed: an old one far away hardly helps, and each costs a little at every point."""
KEPT_LEVEL = 1e-7


@dataclass(frozen=True)
class _Proof:
    """What no plan of each piece is below, at prices, where the common level is at least `level`."""

    level: float
    prices: Floats
    bounds: Mapping[int, float]


@dataclass
class _Known:
    """What is known of a point: best prices of its relaxed pieces, its bound, after how many proofs, rounds' plans.

    `kept` are plans of pieces with amounts that keep its level, by the number of the round.
    """

    prices: Floats
    bound: float
    proofs: int = 0
    kept: dict[int, dict[int, Floats]] = field(default_factory=dict)


Key = tuple[float, float, float]  # level, money of the sources, most that may be spent


def _key(asked: Asked) -> Key:
    return asked.level, money_of(asked.scenario), np.inf if asked.most is None else asked.most


@dataclass
class PricedPoints:
    """Finds plans of least unmet need of `joint` for levels and money."""

    joint: Joint
    settings: Settings
    watch: Watch
    levels: Levels = field(init=False)
    reached: float = 1.0
    top: float = 1.0
    safe: list[Floats] = field(default_factory=list)  # plans that open nothing, and that reach the highest level
    _start: Search = field(init=False)
    _proofs: list[_Proof] = field(default_factory=list)
    _patterns: dict[int, Mapping[int, Floats]] = field(default_factory=dict)
    _known: dict[Key, _Known] = field(default_factory=dict)
    _extra_use: Floats | None = None

    def begin(self, asked: Asked, *, raise_level: bool) -> float:
        """Find prices without levels and, where asked, the highest level; return the level that later goals keep."""
        joint = joint_for(self.joint, asked)
        method = PricePlan(Fair(joint), self.settings, self.watch.stopped, self.watch.update, self.watch.ending)
        self.levels = no_levels(joint.problem)
        method.best = method.nothing_new(self.levels)
        if method.best is not None:
            self.safe.append(method.best)
        self._start = method.relaxed()
        if not raise_level or self.watch.stopped():
            return 0.0
        raised = level_raised(method, self._start)
        self.levels, self.reached, self.top = raised.levels, raised.reached, raised.top
        self.safe.append(raised.x)
        self._extra_use = method.extra_use
        return raised.levels.common

    def find_all(self, asked: Sequence[Asked]) -> list[Point | None]:
        """Return a plan for all asked, None where there is none; rounds at both ends, then where gaps are wide."""
        found: list[Point | None] = [None] * len(asked)
        for number in dict.fromkeys([0, len(asked) - 1]):
            if not self.watch.stopped():
                found[number] = self._raised(self._point(asked[number], _beside(found, number), rounds=True))
        return self.find_between(asked, found)

    def find(self, asked: Asked, *, rounds: bool = True) -> Point | None:
        """Return a plan for what is asked, None where there is none; without `rounds` from those made so far."""
        return self._raised(self._point(asked, (), rounds=rounds))

    def find_between(self, asked: Sequence[Asked], found: Sequence[Point | None]) -> list[Point | None]:
        """The same where some points, such as the ends, are `found` already, with rounds of their own."""
        points = list(found)
        fresh = {number for number, point in enumerate(found) if point is not None}
        most = len(fresh) + math.ceil(len(asked) / 4)
        while not self.watch.stopped():
            for number, one in enumerate(asked):
                if number not in fresh and not self._settled(points[number]) and not self.watch.stopped():
                    new = self._point(one, _beside(points, number), rounds=False)
                    points[number] = self._better(points[number], new)
            chosen = self._next(points, fresh)
            if chosen is None or len(fresh) >= most or self.watch.stopped():
                break
            new = self._point(asked[chosen], _beside(points, chosen), rounds=True)
            points[chosen] = self._better(points[chosen], new)
            fresh.add(chosen)
        plans = [None if point is None else point.x for point in found]
        return [
            point if point is None or point.x is plan else self._raised(point)
            for point, plan in zip(points, plans, strict=True)
        ]

    def _next(self, points: Sequence[Point | None], fresh: set[int]) -> int | None:
        """Return the point for which new rounds are made: half the gaps of its stretch lie before it, half behind.

        A stretch ends where rounds were made. What they prove holds for all points behind them, what they find for all
        before, so it is the one whose points have the widest gaps together.
        """
        stretches: list[list[tuple[int, float]]] = [[]]
        for n, point in enumerate(points):
            if n in fresh:
                stretches.append([])
            elif point is not None and not self._settled(point):
                stretches[-1].append((n, self._gap(point)))
        widest = max(stretches, key=lambda stretch: sum(gap for _, gap in stretch))
        left = 0.5 * sum(gap for _, gap in widest)
        for n, gap in widest:
            left -= gap
            if left <= 0:
                return n
        return None

    def _settled(self, point: Point | None) -> bool:
        return point is not None and self._gap(point) <= self.settings.target_gap

    def _gap(self, point: Point) -> float:
        """What is not proven of a point's unmet need, as a part of it."""
        value = value_of(self.joint.unmet, point.x)
        return (value - point.bound) / value if value > 0 else 0.0

    def _better(self, old: Point | None, new: Point | None) -> Point | None:
        if old is None or new is None:
            return old or new
        plan = min(old, new, key=lambda point: value_of(self.joint.unmet, point.x))
        return replace(plan, bound=max(old.bound, new.bound))

    def _point(self, asked: Asked, near: Sequence[Floats], *, rounds: bool) -> Point | None:
        joint = joint_for(self.joint, asked)
        levels = replace(self.levels, common=asked.level)
        try:
            search, known = self._priced(joint, levels, asked)
            known.kept = {
                number: known.kept.get(number) or self._keeping(search, plans)
                for number, plans in self._patterns.items()
            }
            bound = known.bound = max(known.bound, self._proven(search, asked, self._proofs[known.proofs :]))
            known.proofs = len(self._proofs)
        except NoPlan:
            return None
        candidates = [self._mixed(search, [kept for kept in known.kept.values() if kept]), *near, *self.safe]
        best, value = self._fitted(joint, levels, [x for x in candidates if x is not None], bound)
        if best is None:
            return None
        if rounds and not self.watch.stopped() and value - bound > self.settings.target_gap * value:
            best, bound = self._rounds(joint, levels, search, asked, best, bound)
        self.watch.update("unmet_need", value_of(joint.unmet, best), bound)
        worth = search.worth_of_money() / max(1e-9, money_of(asked.scenario))
        return Point(asked, best, levels, bound, worth=worth)

    def _fitted(
        self, joint: Joint, levels: Levels, plans: Sequence[Floats], bound: float
    ) -> tuple[Floats | None, float]:
        """Fit plans to the money and the level until one is good enough; return the best and its value."""
        fit = build_fit(Fair(joint), joint.unmet, levels, hard=True)
        best: Floats | None = None
        value = np.inf
        for plan in plans:
            outcome = fit.solve(plan)
            if outcome.x is not None and outcome.value is not None and outcome.value < value:
                best, value = outcome.x[: joint.n_columns], outcome.value
            if best is not None and value - bound <= self.settings.target_gap * value:
                break
        return best, value

    @property
    def _leveled(self) -> bool:
        return bool(self.levels.follows.any())

    def _priced(self, joint: Joint, levels: Levels, asked: Asked) -> tuple[Search, _Known]:
        """Return the search of a point's relaxed pieces at its best prices, and what is known of the point."""
        key = _key(asked)
        known = self._known.get(key)
        nearest = min(
            self._known,
            key=lambda k: [0.0 if a == b else abs(a - b) for a, b in zip(k, key, strict=True)],
            default=None,
        )
        prices = self._start.prices if nearest is None else self._known[nearest].prices
        coupling = couple(joint, joint.unmet, levels)
        threads = self.settings.threads
        search = Search(coupling, prices.copy(), levels.follows, threads, self.watch.stopped)
        search.follow(self._start)
        if known is None:
            search.improve(gap=self.settings.price_gap, rounds=40)
            self._known[key] = known = _Known(search.prices, search.bound)
        search.bound = known.bound
        return search, known

    def _proven(self, search: Search, asked: Asked, proofs: Sequence[_Proof]) -> float:
        """Best bound that earlier rounds' proofs give this point; minus infinity where they give none."""
        best = -np.inf
        for proof in proofs:
            if proof.level > asked.level + 1e-12 or self.watch.stopped():
                continue
            bounds = dict(proof.bounds)
            if asked.level > proof.level:
                order = search.coupling.by_size
                relaxed = in_parallel(lambda n, p=proof: search.relaxed(n, p.prices).bound, order, search.threads)  # type: ignore[misc]
                bounds = {n: max(bounds[n], bound) for n, bound in zip(order, relaxed, strict=True)}
            best = max(best, search.shared_minimum(proof.prices) + sum(bounds.values()))
        return best

    def _keeping(self, search: Search, plans: Mapping[int, Floats]) -> dict[int, Floats]:
        """Plans of pieces with amounts that keep the level; pieces whose decisions cannot are left out."""

        def one(number: int) -> Floats | None:
            piece, x = search.coupling.pieces[number], plans[number]
            rows = piece.score_rows
            if np.all(piece.arrays.matrix[rows] @ x >= piece.arrays.row_lower[rows] - KEPT_LEVEL):
                return x
            return with_amounts(search, number, search.prices, x)

        order = [number for number in search.coupling.by_size if number in plans]
        kept = dict(zip(order, in_parallel(one, order, search.threads), strict=True))
        return {number: x for number, x in kept.items() if x is not None}

    def _mixed(self, search: Search, patterns: Sequence[Mapping[int, Floats]]) -> Floats | None:
        if not patterns:
            return None
        try:
            mixed = mix_plans(search, patterns)
        except NoPlan:  # some piece has no plan that keeps the level
            return None
        return self._assembled(search, mixed)

    def _assembled(self, search: Search, plans: Mapping[int, Floats]) -> Floats:
        x = np.zeros(self.joint.n_columns)
        for number, plan in plans.items():
            x[search.coupling.pieces[number].columns] = plan
        return x

    def _rounds(
        self, joint: Joint, levels: Levels, search: Search, asked: Asked, best: Floats, bound: float
    ) -> tuple[Floats, float]:
        """Plan all pieces again for this point; keep what was found and proven for the others."""
        settings = replace(self.settings, rounds=1)
        method = PricePlan(Fair(joint), settings, self.watch.stopped, self.watch.update, self.watch.ending)
        method.best, method.bound, method.extra_use = best, bound, self._extra_use
        start = {n: best[piece.columns] for n, piece in enumerate(search.coupling.pieces)}
        if not search.mix:
            search.evaluate(search.prices)
            search.master(*search.box(0.3))
        x, proven = Rounds(method, search, levels).run(start, self._extra_use, look=self._extra_use is None)
        self._proofs += [_Proof(asked.level, proof.prices, proof.bounds) for proof in method.proofs]
        own = {n: x[piece.columns] for n, piece in enumerate(search.coupling.pieces)}
        more = enumerate([*method.patterns, own], start=max(self._patterns, default=-1) + 1)
        self._patterns = dict([*self._patterns.items(), *more][-PATTERNS:])
        self._extra_use = method.extra_use
        return x, proven

    def _raised(self, point: Point | None) -> Point | None:
        """Raise the level as far as money can without more unmet need and with the same decisions."""
        if point is None or not self._leveled or self.watch.stopped():
            return point
        joint, x = joint_for(self.joint, point.asked), point.x
        vector, constant = joint.unmet
        arrays = decided(raising_arrays(joint, point.levels), x)
        row = csr_array(np.append(vector, 0.0).reshape(1, -1))
        fixed = replace(
            arrays,
            matrix=csr_array(vstack([arrays.matrix, row], format="csr")),
            row_lower=np.append(arrays.row_lower, -np.inf),
            row_upper=np.append(arrays.row_upper, value_of(joint.unmet, x) - constant + 1e-6),
        )
        outcome = solve(fixed, Options())
        x = x if outcome.x is None else outcome.x[: joint.n_columns]
        level = max(point.asked.level, min(self.top, level_of(joint, point.levels, x) - KEPT_LEVEL))
        return replace(point, x=x, levels=replace(point.levels, common=level))


def _beside(found: Sequence[Point | None], number: int) -> list[Floats]:
    """Decisions of the nearest points found before and after one."""
    before = [point.x for point in found[:number] if point is not None]
    after = [point.x for point in found[number:] if point is not None]
    return [*before[-1:], *after[:1]]
