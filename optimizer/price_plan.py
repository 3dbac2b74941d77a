"""The price method: a plan in whole numbers for a large city, with a proven bound.

1. Prices for the second goal, pieces relaxed (`price_search`). 2. The common level that the first goal can reach, and
its bound. 3. Prices again with that level, pieces in whole numbers: the bound of the second goal. 4. The plans the
prices pay for are made to fit the money, then the pieces that lose most at these prices are decided again, together.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Event

import numpy as np

from optimizer.coupling import Coupling, Levels, couple
from optimizer.fit import Fit, achieved, best_level, build_fit, relaxed_levels
from optimizer.highs import solve
from optimizer.highs_arrays import Options, Outcome
from optimizer.joint import Joint
from optimizer.levels import attainable_alone, attainable_together, set_aside
from optimizer.price_search import ALL_PIECES, SMALL_PIECE, NoPlan, Search
from optimizer.problem import Bools, Floats

Report = Callable[[str, float | None, float | None], None]
LEVEL_TRIES = 3
MISSED = 1e-5
"""A score this much below its level keeps it."""
LEVEL_MARGIN = 0.997
"""Part of the level that fixed decisions could reach at most that is asked of them: the last bit costs most."""


class Infeasible(Exception):
    """No plan keeps the hard rules."""


@dataclass(frozen=True)
class Settings:
    """How long to search: rounds of prices and neighbourhoods; work, not seconds, so that a run repeats.

    `level_slack` is how far below the bound of the first goal its level is asked for, `target_gap` the gap of the
    second goal at which the search ends; the other gaps follow from it.
    """

    threads: int = 2
    level_gap: float = 0.008
    level_slack: float = 0.05
    target_gap: float = 0.01
    whole_rounds: int = 0
    free_columns: int = 700
    closeness: float = 0.001
    lifts: int = 3
    neighbourhoods: int = 4

    @property
    def price_gap(self) -> float:
        """Gap between master and bound at which prices of relaxed pieces are good enough."""
        return 0.2 * self.target_gap

    @property
    def piece_gap(self) -> float:
        """Part of the second goal that the plans of all sub-districts together may leave open."""
        return 0.4 * self.target_gap


@dataclass
class PricePlan:
    """State of the price method on one joint model."""

    joint: Joint
    settings: Settings
    stopped: Callable[[], bool]
    report: Report
    stop: Event | None = None
    near: Bools | None = None

    def first_prices(self, coupling: Coupling) -> Floats:
        """Prices to start from: what money meets on average, half as much a year later."""
        joint = self.joint
        years = len(joint.problem.years)
        worth = joint.unmet[1] / max(1.0, float(joint.problem.amount.sum()) / 1e4)
        prices = np.zeros(len(coupling.rhs))
        money = len(joint.model.fixed_cost)
        prices[:money] = np.tile(0.5 * worth * 0.65 ** np.arange(years), money // years)
        return prices

    def relaxed_unmet(self) -> Search:
        """Search prices of the second goal without levels, everything relaxed: a start for all that follows."""
        joint = self.joint
        free = set_aside(joint.problem, np.ones(len(joint.problem.communities)), 0.0)
        coupling = couple(joint, joint.unmet, free)
        search = Search(coupling, self.first_prices(coupling), self.settings.threads, self.stopped)
        search.improve(gap=0.02, rounds=15)
        return search

    def level(self, start: Search) -> tuple[Levels, float, Search]:
        """Return the levels to ask for, the proven bound of the common level, and the search that found it."""
        problem = self.joint.problem
        best = attainable_together(problem)
        who = problem.score_weight.sum(axis=1) > 0
        if not who.any():
            levels = set_aside(problem, best, 0.0)
            return levels, 1.0, start
        guess = float(np.quantile(best[who], 0.25))
        search = start
        value = 0.0
        for _ in range(LEVEL_TRIES):
            low = np.flatnonzero(who & (best < guess))
            best[low] = np.maximum(best[low], attainable_alone(problem, low))
            levels = set_aside(problem, best, guess)
            search = self._raise(levels, search)
            value = -search.bound
            if not np.any((levels.floor > -np.inf) & (best >= value)) and value >= guess * (1 - 1e-3) - 1e-6:
                break
            if value >= guess:
                break
            guess = value
        levels = set_aside(problem, best, min(guess, value))
        return replace(levels, common=min(guess, value) * (1 - self.settings.level_slack)), value, search

    def _raise(self, levels: Levels, start: Search) -> Search:
        coupling = couple(self.joint, None, levels)
        search = Search(coupling, np.zeros(len(coupling.rhs)), self.settings.threads, self.stopped)
        search.adopt(start)
        search.start()
        search.improve(
            gap=self.settings.level_gap,
            rounds=30,
            width=1.0,
            report=lambda value, bound: self.report("worst_off", -value, -bound),
        )
        return search

    def whole_unmet(self, levels: Levels, starts: tuple[Search, ...]) -> Search:
        """Search prices of the second goal with levels, pieces in whole numbers; the bound is of the true problem."""
        coupling = couple(self.joint, self.joint.unmet, levels)
        search = Search(coupling, np.zeros(len(coupling.rhs)), self.settings.threads, self.stopped)
        for start in starts:
            search.adopt(start)
        search.start()
        report = partial(self.report, "unmet_need")
        search.improve(gap=0.01, rounds=12, report=report)
        search.improve(gap=2 * self.settings.price_gap, rounds=8, whole=SMALL_PIECE, report=report)
        return search

    def towns(self, levels: Levels, fine: Search) -> Search:
        """Plan every sub-district in whole numbers at the prices found, every level kept: bound and plans."""
        coupling = couple(self.joint, self.joint.unmet, levels, towns=True)
        search = Search(coupling, fine.prices[: len(coupling.rhs)].copy(), self.settings.threads, self.stopped)
        search.worth, search.event = abs(fine.bound), self.stop
        report = partial(self.report, "unmet_need")
        search.improve(
            gap=self.settings.price_gap,
            rounds=self.settings.whole_rounds,
            whole=ALL_PIECES,
            piece_gap=self.settings.piece_gap,
            width=0.15,
            report=report,
        )
        return search

    def plan(self, levels: Levels, fine: Search, towns: Search) -> tuple[Floats, Levels, float]:
        """Return a plan in whole numbers, the levels it keeps and the bound of the second goal at these levels."""
        joint = self.joint
        x, asked = self._fitted(levels, towns)
        x = self._neighbourhoods(build_fit(joint, joint.unmet, asked), asked, levels, (fine, towns), x)
        kept = relaxed_levels(asked, achieved(joint, x))
        return x, kept, proven(fine, towns, levels, kept)

    def _fitted(self, levels: Levels, search: Search) -> tuple[Floats, Levels]:
        """Make plans of all pieces fit the money; return the best and the levels that it can be asked to keep.

        Candidates are the plans at the last prices and those that the master chooses together.
        """
        joint = self.joint
        fit = build_fit(joint, joint.unmet, levels)
        best: Outcome | None = None
        for pick in (dict(search.last), self._chosen(search) if search.rounds else {}):
            if len(pick) < len(search.coupling.pieces) and not self.stopped():
                continue  # a search stopped by hand decides nothing new where it had no plan yet
            x = np.zeros(joint.n_columns)
            chosen = pick if self.near is None or self.stopped() else self._nearer(search, pick, self.near)
            for piece, plan in chosen.items():
                x[search.coupling.pieces[piece].columns] = plan
            outcome = fit.solve(x)
            if outcome.value is not None and (best is None or best.value is None or outcome.value < best.value):
                best = outcome
        if best is None or best.x is None:
            raise Infeasible
        x = self._lift(fit, levels, search, best.x)
        if x[joint.n_columns :].max(initial=0.0) <= MISSED:
            return x, levels
        asked = replace(levels, common=min(levels.common, LEVEL_MARGIN * best_level(joint, levels, x)))
        fitted = build_fit(joint, joint.unmet, asked).solve(x)
        return (x if fitted.x is None else fitted.x), asked

    def _lift(self, fit: Fit, levels: Levels, search: Search, x: Floats) -> Floats:
        """Decide again the pieces of communities that miss their level, most missing first, as long as that helps."""
        scored = np.flatnonzero(levels.scored)
        pieces = search.coupling.pieces
        owner = np.full(self.joint.n_columns, -1, dtype=np.int64)
        for number, piece in enumerate(pieces):
            owner[piece.columns] = number
        for _ in range(self.settings.lifts):
            misses = x[self.joint.n_columns :]
            if self.stopped() or misses.max(initial=0.0) < MISSED:
                break
            free, count = np.zeros(self.joint.n_columns, dtype=bool), 0
            for who in np.argsort(-misses, kind="stable")[: int((misses > MISSED).sum())]:
                touched = np.unique(owner[self.joint.score[[scored[who]]].indices])
                for piece in touched[touched >= 0]:
                    columns = pieces[piece].columns
                    size = int(pieces[piece].arrays.integer.sum())
                    if not free[columns[0]] and (count == 0 or count + size <= self.settings.free_columns):
                        free[columns] = True
                        count += size
            options = Options(gap=1e-3, nodes=100, threads=self.settings.threads, time_limit_seconds=30)
            outcome = fit.solve(x, free, options, self.stop)
            if outcome.x is None or outcome.x[self.joint.n_columns :].sum() > 0.98 * misses.sum():
                break
            x = outcome.x
        return x

    def _nearer(self, search: Search, pick: dict[int, Floats], near: Bools) -> dict[int, Floats]:
        """Take a piece's decisions from the plan to stay close to wherever that is worth the same at the prices.

        The pieces that lose least by it come first; what all of them lose together stays within `closeness` of the
        goal.
        """
        losses: list[tuple[float, int, Floats]] = []
        for piece, p in enumerate(search.coupling.pieces):
            whole = p.arrays.integer
            lower, upper = p.arrays.lower.copy(), p.arrays.upper.copy()
            lower[whole] = upper[whole] = near[p.columns[whole]]
            cost = search.priced_cost(piece, search.prices)
            outcome = solve(replace(p.arrays, cost=cost, lower=lower, upper=upper, integer=np.zeros_like(whole)))
            if outcome.x is not None and outcome.value is not None:
                losses.append((max(0.0, outcome.value - float(cost @ pick[piece])), piece, outcome.x))
        left = self.settings.closeness * abs(search.bound)
        chosen = dict(pick)
        for loss, piece, x in sorted(losses, key=lambda entry: entry[:2]):
            left -= loss
            if left < 0:
                break
            chosen[piece] = x
        return chosen

    def _chosen(self, search: Search) -> dict[int, Floats]:
        """One plan per piece, chosen together by the master; breaking a coupling row costs thrice its price."""
        scale = search.scale()
        try:
            search.master(np.where(search.coupling.equal, -2 * scale, 0.0), search.prices + 2 * scale, whole=True)
        except NoPlan:
            return {}
        return _heaviest(search)

    def _neighbourhoods(
        self, fit: Fit, asked: Levels, levels: Levels, searches: tuple[Search, Search], x: Floats
    ) -> Floats:
        """Decide again, together, the pieces that lose most at the prices, until the gap is small enough."""
        fine, towns = searches
        value = float(fit.arrays.cost @ x + fit.arrays.offset)
        tried: set[int] = set()
        for _ in range(self.settings.neighbourhoods):
            bound = proven(fine, towns, levels, relaxed_levels(asked, achieved(self.joint, x)))
            self.report("unmet_need", value, bound)
            if self.stopped() or value - bound <= self.settings.target_gap * abs(value):
                break
            free, chosen = self._losing(towns, x, tried)
            if not chosen:
                break
            tried |= chosen
            options = Options(gap=5e-4, nodes=50, threads=self.settings.threads, time_limit_seconds=60)
            outcome = fit.solve(x, free, options, self.stop)
            if outcome.x is not None and outcome.value is not None and outcome.value < value - 1e-9 * abs(value):
                value, x = outcome.value, outcome.x
        return x

    def _losing(self, search: Search, x: Floats, skip: set[int]) -> tuple[np.ndarray, set[int]]:
        """Return the columns to free and their pieces: the largest losses against each piece's own bound."""
        coupling = search.coupling
        loss = []
        for piece, p in enumerate(coupling.pieces):
            value = float(search.priced_cost(piece, search.prices) @ x[p.columns])
            loss.append((value - search.piece_bound.get(piece, value), piece))
        free = np.zeros(self.joint.n_columns, dtype=bool)
        chosen: set[int] = set()
        count = 0
        for lost, piece in sorted(loss, key=lambda entry: (-entry[0], entry[1])):
            size = int(coupling.pieces[piece].arrays.integer.sum())
            if piece in skip or lost <= 0 or (count and count + size > self.settings.free_columns):
                continue
            free[coupling.pieces[piece].columns] = True
            chosen.add(piece)
            count += size
        return free, chosen


def _heaviest(search: Search) -> dict[int, Floats]:
    """Plan of each piece that weighs most in the master's mix, among those in whole numbers."""
    best: dict[int, tuple[float, Floats]] = {}
    for column, weight in search.mix:
        if column.whole and weight > best.get(column.piece, (0.0, column.x))[0]:
            best[column.piece] = (weight, column.x)
    return {piece: x for piece, (_, x) in best.items()}


def bound_at(search: Search, levels: Levels, kept: Levels) -> float:
    """Bound of the goal when lower levels `kept` are asked for instead: linear in the levels."""
    coupling = search.coupling
    who = np.flatnonzero(levels.scored)
    first = _score_row(coupling, levels)
    price = search.prices[first : first + len(who)]
    return search.bound - float(price @ (levels.required - kept.required)[who])


def proven(fine: Search, towns: Search, levels: Levels, kept: Levels) -> float:
    """Best bound of the second goal for plans that keep the levels `kept`.

    The bound of the towns holds for the levels they were asked to keep; below these only that of the fine pieces does.
    """
    lower = bool(np.any((levels.required - kept.required)[levels.scored] > 10 * MISSED))
    at = bound_at(fine, levels, kept)
    return at if lower else max(at, towns.bound)


def _score_row(coupling: Coupling, levels: Levels) -> int:
    """First of the coupling rows for scores; they are the last ones of a stage without goals kept."""
    return len(coupling.rhs) - int(levels.scored.sum())
