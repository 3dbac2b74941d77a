"""The price method: plans in whole numbers for a large city, with proven bounds.

1. Prices of the second goal, pieces relaxed (`price_search`). 2. The bound of the common level, and a plan that reaches
it nearly. 3. Prices of the second goal with that level; plans of all pieces in whole numbers at these prices
(`piece_plans`): the bound. 4. Prices corrected for what whole numbers use more than relaxed ones, plans again, made to
fit the money (`fit`); the best is improved by exchanging plans of single pieces.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event

import numpy as np

from optimizer.coupling import Levels, couple
from optimizer.fit import Exchange, Fit, best_level, build_fit, keep_levels
from optimizer.highs_arrays import Options
from optimizer.joint import Goal, Joint
from optimizer.levels import attainable_alone, attainable_level, attainable_together, set_aside, without_floors
from optimizer.piece_plans import PiecePlans, mix_plans, nearer_plans, plan_pieces
from optimizer.price_search import NoPlan, Search
from optimizer.problem import Bools, Floats

Report = Callable[[str, float | None, float | None], None]
LEVEL_TRIES = 20
MOST_ASIDE = 0.15
"""At most this share of the communities is set aside because others can be raised higher."""
LEVEL_SETTLED = 2e-3
"""A level within so much of the one that decided who is set aside is final."""
LEVEL_NEAR = 0.05
"""A level that moved less than this since the last try is near the one looked for."""
LACKING = 0.05
"""Where a level takes so much more money than there is, prices need not be better to try a lower one."""
LEVEL_PRICES, LEVEL_PIECES = 0.2, 0.4
"""Gaps, of the second goal, of prices and of plans of pieces when a plan for the first goal is sought: parts of that
goal's gap."""
FIRST_NODES = 1000
"""Most nodes of the search for a first plan where sources have floors, so that opening nothing is none."""
MOST_EXCHANGED = 60
"""In a large city a try takes seconds and a single piece is worth little: so many are tried, the largest first."""
FINE = 5e-4
"""Plans of pieces to this part of the second goal take hardly longer than rougher ones, and prove more."""
STUCK = 1e-5
"""A round that gains less than this part of the second goal has found nothing new."""
FINER = 0.25
"""A proof once more, where plans are good enough or no better ones are found, leaves open so much of what it did."""
ROUGH = 0.01
"""For a gap as wide as this, prices corrected for the plans of the first goal are good enough for the proof."""


class Infeasible(Exception):
    """No plan keeps the hard rules."""


@dataclass(frozen=True)
class Settings:
    """How long to search: gaps and rounds, work and not seconds, so that a run repeats.

    `level_gap` is what the first goal's plan may lack of its bound, `level_slack` what later goals may take from it
    (relative); `target_gap` the gap of the second goal at which the search ends; the other gaps follow from it.
    """

    threads: int = 2
    level_gap: float = 0.01
    level_slack: float = 0.05
    target_gap: float = 0.01
    rounds: int = 4
    closeness: float = 0.001

    @property
    def price_gap(self) -> float:
        """Gap between master and bound at which prices of relaxed pieces are good enough."""
        return min(0.005, 0.2 * self.target_gap)

    @property
    def piece_gap(self) -> float:
        """Part of the second goal that the plans of all pieces together may leave open."""
        part = 0.4 * self.target_gap
        return part if self.target_gap >= ROUGH else min(part, FINE)


@dataclass(frozen=True)
class Raised:
    """The first goal: who follows which level, the bound `top` of the common level, what of it is reached, a plan."""

    levels: Levels
    top: float
    reached: float
    x: Floats


@dataclass
class PricePlan:
    """State of the price method on one joint model; `best` is the best plan so far, whatever happens."""

    joint: Joint
    settings: Settings
    stopped: Callable[[], bool]
    report: Report
    stop: Event | None = None
    near: Bools | None = None
    best: Floats | None = None
    bound: float = -np.inf
    patterns: list[Mapping[int, Floats]] = field(default_factory=list)
    extra_use: Floats | None = None  # (coupling rows,) what the first goal's plans used more than relaxed ones
    proofs: list[PiecePlans] = field(default_factory=list)  # rounds that proved a bound of every piece

    def _search(self, goal: Goal | None, levels: Levels, prices: Floats, after: Search | None = None) -> Search:
        coupling = couple(self.joint, goal, levels)
        search = Search(coupling, prices, levels.follows, self.settings.threads, self.stopped)
        if after is not None:
            search.follow(after)
        return search

    def relaxed(self) -> Search:
        """Search prices of the second goal without levels: a start for all that follows, and a first bound."""
        joint = self.joint
        years = len(joint.problem.years)
        worth = joint.second[1] / max(1.0, float(joint.problem.amount.sum()) / 1e4)
        prices = np.tile(0.5 * worth * 0.65 ** np.arange(years), len(joint.model.fixed_cost) // years)
        levels = set_aside(joint.problem, np.ones(len(joint.problem.communities)), 0.0)
        search = self._search(joint.second, levels, prices)
        search.improve(gap=self.settings.price_gap, rounds=25)
        self.bound = search.bound
        return search

    def level(self, start: Search) -> Raised:
        """Raise the common level of all communities that can follow it.

        For a level, prices tell how much more money than there is it would take, η, and what a point more of the
        level costs. η is convex in the level, so that the level at which the tangent is zero is a bound; it is tried
        next (Newton), who cannot reach it set aside, until it stays.
        """
        problem = self.joint.problem
        best = attainable_together(problem)
        who = problem.score_weight.sum(axis=1) > 0
        top, search, tried, level = 1.0, start, np.inf, float(np.quantile(best[who], MOST_ASIDE)) if who.any() else 1.0
        prices = start.prices / max(1e-9, start.worth_of_money())
        aside = level  # who cannot reach this level is set aside; a bound for fewer communities holds for more
        sure = False  # that those set aside cannot reach the level: a look at each, not worth it at a level far off
        for _ in range(LEVEL_TRIES):
            if not who.any() or (sure and abs(level - tried) < LEVEL_SETTLED) or self.stopped():
                break
            sure = abs(level - tried) < LEVEL_NEAR
            tried, aside = level, min(aside, level)
            low = np.flatnonzero(who & (best < aside))
            if sure:
                best[low] = np.maximum(best[low], attainable_alone(problem, low))
            levels = replace(set_aside(problem, best, aside), common=level)
            search = self._search(None, without_floors(levels), prices, search)
            try:
                search.improve(gap=0.0, rounds=5, least=5 * LEVEL_SETTLED, enough=LACKING)
            except NoPlan:  # not even with all money; how far the money goes is asked just below what can be reached
                top = min(top, attainable_level(problem, levels))
                level, tried = max(0.0, top - 0.5 * LEVEL_SETTLED), np.inf
                continue
            prices = search.prices
            level = float(np.clip(tried - search.bound / max(1e-9, search.level_price), 0.0, top))
            top = min(top, level)
            self.report("worst_off", None, top)
        start.loaded.clear()  # a large city's pieces, loaded twice, would take too much memory
        aside = min(aside, top) if sure else 0.0  # stopped early, nobody is said to be unable to follow
        return self._reach(set_aside(problem, best, aside), top, start.prices)

    def _reach(self, levels: Levels, top: float, start: Floats) -> Raised:
        """Make a plan whose level is near the bound: one of the second goal that must keep a level just below it.

        Its yes-or-no decisions are kept; how high the level can be with them, money decides.
        """
        joint, settings = self.joint, self.settings
        assert self.best is not None
        x, reached = self.best, best_level(joint, levels, self.best)
        for part in (0.3, 1.0, 3.0):
            if self.stopped() or not levels.follows.any():
                break
            asked = replace(without_floors(levels), common=max(0.0, top - part * settings.level_gap))
            try:
                for plan in self._near_level(self._search(joint.second, asked, start.copy())):
                    level = best_level(joint, levels, plan)
                    if level > reached:
                        x, reached = plan, level
                    self.report("worst_off", reached, top)
                    if top - reached <= settings.level_gap or self.stopped():
                        break
            except NoPlan:  # whole numbers cannot reach it somewhere, whatever the money
                continue
            break
        if reached < 0:
            raise Infeasible
        keeping = replace(levels, common=max(0.0, reached * (1 - settings.level_slack)))
        self.best, kept = keep_levels(joint, keeping, x)
        return Raised(kept, top, reached, self.best)

    def _near_level(self, search: Search) -> Iterator[Floats]:
        """Yield plans in whole numbers at the prices of a stage, then at prices corrected for them."""
        prices = LEVEL_PRICES * self.settings.level_gap
        search.improve(gap=prices, rounds=40)
        gap = LEVEL_PIECES * self.settings.level_gap * abs(search.bound)
        plans = plan_pieces(search, search.prices, gap=gap, near_ties=0.05 * gap, event=self.stop)
        self.extra_use = plans.use - search.mixed_use()
        yield self.assembled(search, plans.plans)
        corrected = search.corrected(self.extra_use)
        corrected.improve(gap=prices, rounds=25, width=0.3)
        ties = 0.2 * gap
        plans = plan_pieces(search, corrected.prices, gap=gap, near_ties=ties, start=plans.plans, event=self.stop)
        self.extra_use = plans.use - corrected.mixed_use()
        yield self.assembled(search, plans.plans)

    def assembled(self, search: Search, plans: Mapping[int, Floats]) -> Floats:
        """Columns of the joint model with the plans of all pieces; nothing is decided where there is none."""
        x = np.zeros(self.joint.n_columns)
        for number, plan in plans.items():
            x[search.coupling.pieces[number].columns] = plan
        return x

    def nothing_new(self, levels: Levels) -> Floats:
        """Return the plan that opens nothing and takes no room. Raises Infeasible where it breaks a hard rule.

        Where sources have floors, nothing may be too little; then a plan that opens something is sought.
        """
        fit = build_fit(self.joint, self.joint.second, levels)
        outcome = fit.solve(np.zeros(self.joint.n_columns))
        if outcome.x is None and self.joint.money.floors.any():
            everything = np.ones(self.joint.n_columns, dtype=bool)
            outcome = fit.solve(np.zeros(self.joint.n_columns), everything, Options(gap=1.0, nodes=FIRST_NODES))
        if outcome.x is None:
            raise Infeasible
        return outcome.x[: self.joint.n_columns]

    def unmet(self, levels: Levels, start: Search) -> tuple[Floats, float]:
        """Return a plan of the second goal in whole numbers that keeps the levels, and the bound.

        `start` is the search without levels (`relaxed`): where no level is asked for, there is nothing to search again.
        """
        joint, settings = self.joint, self.settings
        report = partial(self.report, "unmet_need")
        search = start
        if (levels.required > 0).any():
            search = self._search(joint.second, levels, start.prices.copy())
            search.improve(gap=settings.price_gap, rounds=40, report=lambda _, bound: report(None, bound))
        self.bound = max(self.bound, search.bound)
        extra_use = self.extra_use if settings.target_gap >= ROUGH else None
        return self.in_rounds(search, levels, self._near_start(search), extra_use)

    def in_rounds(
        self, search: Search, levels: Levels, plans: Mapping[int, Floats] | None, extra_use: Floats | None
    ) -> tuple[Floats, float]:
        """Plan all pieces at the prices of `search` and at corrected ones until the gap is reached; see `unmet`.

        `best` keeps the levels; `plans` are those to begin with, `extra_use` is what they use more than relaxed ones.
        """
        joint, settings = self.joint, self.settings
        report = partial(self.report, "unmet_need")
        worth = abs(search.bound)
        fit = build_fit(joint, joint.second, levels, hard=True)
        assert self.best is not None
        value = float(fit.arrays.cost[: joint.n_columns] @ self.best + fit.arrays.offset)
        gap = settings.piece_gap * worth
        at, left, before = search, 0.0, np.inf
        proof = 1 if extra_use is None else 0
        for number in range(settings.rounds + 1):
            report(value, self.bound)
            if self.stopped() or value - self.bound <= settings.target_gap * value:
                break
            stuck = number > proof and value > before - STUCK * worth
            if stuck and left <= 0.1 * (value - self.bound):
                break  # neither other plans nor a finer proof
            before = value
            if stuck or (number > proof and value - self.bound - (1 - FINER) * left <= settings.target_gap * value):
                gap, proof = FINER * gap, number
            if extra_use is not None:
                at = search.corrected(extra_use)
                at.improve(gap=settings.price_gap, rounds=25, width=0.3)
            ties = None if number == proof else 0.3 * gap
            done = plan_pieces(search, at.prices, gap=gap, near_ties=ties, start=plans, event=self.stop)
            if ties is None:
                self.bound, left = max(self.bound, done.bound), done.value - done.bound
                self.proofs.append(done)
            value = self._better(fit, search, done, value)
            extra_use, plans = done.use - at.mixed_use(), done.plans
            self.extra_use = extra_use
            if number >= proof and not self.stopped() and value - self.bound > settings.target_gap * value:
                value = self._mixed(fit, search, value)
            if number >= proof and not self.stopped() and value - self.bound > settings.target_gap * value:
                value = self._exchanged(fit, search)
        report(value, self.bound)
        return self.best, self.bound

    def _mixed(self, fit: Fit, search: Search, value: float) -> float:
        """Mix the plans of all rounds, fit the money, keep the result where it is better; return the best value."""
        if len(self.patterns) > 1:
            outcome = fit.solve(self.assembled(search, mix_plans(search, self.patterns)))
            if outcome.x is not None and outcome.value is not None and outcome.value < value:
                value, self.best = outcome.value, outcome.x[: self.joint.n_columns]
        return value

    def _exchanged(self, fit: Fit, search: Search) -> float:
        """Exchange the plans of single pieces in the best plan for those of other rounds; return its new value."""
        assert self.best is not None
        largest = search.coupling.by_size[:MOST_EXCHANGED]
        columns = [search.coupling.pieces[number].columns for number in largest]
        exchange = Exchange(fit, self.best, columns, self.joint.integer)
        others = [self.assembled(search, plans) for plans in self.patterns]
        self.best = exchange.improve(others, self.stopped)[: self.joint.n_columns]
        return float(fit.arrays.cost[: self.joint.n_columns] @ self.best + fit.arrays.offset)

    def _better(self, fit: Fit, search: Search, plans: PiecePlans, value: float) -> float:
        """Make plans of all pieces fit the money, keep the result where it is better; return the best value."""
        self.patterns.append(plans.plans)
        candidates = [plans.plans]
        if self.near is not None:
            candidates.append(nearer_plans(search, plans, self.near, self.settings.closeness))
        for candidate in candidates:
            outcome = fit.solve(self.assembled(search, candidate))
            if outcome.x is not None and outcome.value is not None:
                closer = candidate is not plans.plans and outcome.value <= value * (1 + self.settings.closeness)
                if outcome.value < value or closer:
                    value, self.best = outcome.value, outcome.x[: self.joint.n_columns]
        return value

    def _near_start(self, search: Search) -> dict[int, Floats] | None:
        """Plans of all pieces that decide as the plan to stay close to does; what it does not decide is unknown."""
        if self.near is None:
            return None
        start = {}
        for number, piece in enumerate(search.coupling.pieces):
            start[number] = np.where(piece.arrays.integer, self.near[piece.columns].astype(float), np.nan)
        return start
