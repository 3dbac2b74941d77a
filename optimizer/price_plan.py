"""The price method: a plan in whole numbers for a large city, with a proven bound.

1. Prices for the second goal, pieces relaxed (`price_search`). 2. The common level that the first goal can reach, and its bound.
3. Prices again with that level, pieces in whole numbers: the bound of the second goal. 4. The plans the prices pay for are
made to fit the money, then the pieces that lose most at these prices are decided again, together.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event

import numpy as np

from optimizer.coupling import Coupling, Levels, couple
from optimizer.fit import Fit, achieved, best_level, build_fit, relaxed_levels
from optimizer.highs_arrays import Options
from optimizer.joint import Joint
from optimizer.levels import attainable_alone, attainable_together, set_aside
from optimizer.price_search import ALL_PIECES, SMALL_PIECE, NoPlan, Search
from optimizer.problem import Bools, Floats

Report = Callable[[str, float | None, float | None], None]
LEVEL_TRIES = 3
LEVEL_MARGIN = 0.997
"""Part of the level that fixed decisions could reach at most that is asked of them: the last bit costs most."""


class Infeasible(Exception):
    """No plan keeps the hard rules."""



@dataclass(frozen=True)
class Settings:
    """How long to search: rounds of prices and neighbourhoods; work, not seconds, so that a run repeats."""

    threads: int = 2
    level_gap: float = 0.008
    level_slack: float = 0.015  # below the bound of the level: whole numbers hardly ever reach it
    price_gap: float = 0.002
    whole_rounds: int = 6
    piece_gap: float = 0.002
    free_columns: int = 700
    neighbourhoods: int = 6
    target_gap: float = 0.003


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
        wide = np.full(len(coupling.rhs), 1e3)
        _, search.prices = search.master(np.where(coupling.equal, -wide, 0.0), wide)
        search.improve(
            gap=self.settings.level_gap,
            rounds=30,
            width=1.0,
            report=lambda value, bound: self.report("worst_off", -value, -bound),
        )
        return search

    def whole_unmet(self, levels: Levels, start: Search) -> Search:
        """Search prices of the second goal with levels, pieces in whole numbers; the bound is of the true problem."""
        coupling = couple(self.joint, self.joint.unmet, levels)
        search = Search(coupling, self._carried(coupling, start), self.settings.threads, self.stopped)
        search.adopt(start)
        report = lambda value, bound: self.report("unmet_need", value, bound)  # noqa: E731
        search.improve(gap=0.01, rounds=12, report=report)
        search.improve(gap=2 * self.settings.price_gap, rounds=8, whole=SMALL_PIECE, report=report)
        search.improve(
            gap=self.settings.price_gap,
            rounds=self.settings.whole_rounds,
            whole=ALL_PIECES,
            piece_gap=self.settings.piece_gap,
            width=0.15,
            report=report,
        )
        return search

    @staticmethod
    def _carried(coupling: Coupling, start: Search) -> Floats:
        return start.prices if len(start.prices) == len(coupling.rhs) else np.zeros(len(coupling.rhs))

    def plan(self, levels: Levels, search: Search) -> tuple[Floats, Levels, float]:
        """Return a plan in whole numbers, the levels it keeps and the bound of the second goal at these levels."""
        joint = self.joint
        x, asked = self._fitted(levels, search)
        x = self._neighbourhoods(build_fit(joint, joint.unmet, asked), asked, levels, search, x)
        kept = relaxed_levels(asked, achieved(joint, x))
        return x, kept, bound_at(search, levels, kept)

    def _fitted(self, levels: Levels, search: Search) -> tuple[Floats, Levels]:
        """Make plans of all pieces fit the money; return the best and the levels that it can be asked to keep.

        Candidates are the plans at the last prices, the heaviest of the master's mix and those chosen together. The level
        comes first, as far as it is asked for.
        """
        joint = self.joint
        candidates: list[tuple[float, Floats]] = []
        for pick in (dict(search.last), _heaviest(search), self._chosen(search)):
            if len(pick) == len(search.coupling.pieces):
                x = np.zeros(joint.n_columns)
                for piece, plan in pick.items():
                    x[search.coupling.pieces[piece].columns] = plan
                candidates.append((best_level(joint, levels, x) if levels.follows.any() else 0.0, x))
        top = max((level for level, _ in candidates), default=-1.0)
        if top < 0:
            raise Infeasible
        asked = replace(levels, common=min(levels.common, LEVEL_MARGIN * top))
        fit, best = build_fit(joint, joint.unmet, asked), None
        for level, x in candidates:
            outcome = fit.solve(x) if level >= asked.common else None
            if outcome is not None and outcome.x is not None and (best is None or outcome.value < best.value):
                best = outcome
        if best is None or best.x is None:
            raise Infeasible
        return best.x, asked

    def _chosen(self, search: Search) -> dict[int, Floats]:
        """One plan per piece, chosen together by the master; breaking a coupling row costs thrice its price."""
        scale = search.scale()
        try:
            search.master(np.where(search.coupling.equal, -2 * scale, 0.0), search.prices + 2 * scale, whole=True)
        except NoPlan:
            return {}
        return _heaviest(search)

    def _neighbourhoods(self, fit: Fit, asked: Levels, levels: Levels, search: Search, x: Floats) -> Floats:
        """Decide again, together, the pieces that lose most at the prices, until the gap is small enough."""
        value = float(fit.arrays.cost @ x + fit.arrays.offset)
        tried: set[int] = set()
        for round_ in range(self.settings.neighbourhoods):
            bound = bound_at(search, levels, relaxed_levels(asked, achieved(self.joint, x)))
            self.report("unmet_need", value, bound)
            if self.stopped() or value - bound <= self.settings.target_gap * abs(value):
                break
            free, chosen = self._losing(search, x, tried)
            if not chosen:
                break
            tried = chosen if round_ % 2 == 0 else tried | chosen
            options = Options(gap=2e-4, nodes=300, threads=self.settings.threads, time_limit_seconds=60)
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
            if piece in skip or lost <= 0 or count + size > self.settings.free_columns:
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
    """Bound of the search's goal when levels `kept` (not above `levels`) are asked for instead: linear in the levels."""
    coupling = search.coupling
    who = np.flatnonzero(levels.scored)
    first = int(coupling.equal.sum()) + _hall_rows(coupling, len(who))
    price = search.prices[first : first + len(who)]
    return search.bound - float(price @ (levels.required - kept.required)[who])


def _hall_rows(coupling: Coupling, scored: int) -> int:
    return len(coupling.rhs) - int(coupling.equal.sum()) - scored

