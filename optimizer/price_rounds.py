"""The second goal of the price method in whole numbers: rounds of plans of all pieces, made to fit the money.

Quick rounds look for plans, a proof bounds what any plan can reach; prices are corrected between them for what plans in
whole numbers use more than relaxed ones. The plans of all rounds are mixed, and at last searched together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.beginning import KEPT
from optimizer.coupling import Levels
from optimizer.fit import Fit, build_fit
from optimizer.highs_arrays import Options
from optimizer.piece_plans import SPARING, PiecePlans, completed, mix_plans, nearer_plans, plan_pieces
from optimizer.price_plan import PricePlan
from optimizer.price_search import NoPlan, Search
from optimizer.problem import Floats

MOST_UNITED = 200
"""Where the plans of all rounds differ in no more decisions, these can be searched together."""
UNITED_NODES = 100
"""Most nodes of that search."""
STUCK = 1e-5
"""A round that gains less than this part of the second goal has found nothing new."""
FINER = 0.25
"""A proof once more, where plans are good enough or no better ones are found, leaves open so much of what it did."""
HARDLY = 0.1
"""Where plans do not get better, one more proof is worth it if it may prove more than this part of what is open."""
MOST_LOOKS = 3
"""At most so many rounds look for plans before the first proof."""
READY = 0.01
"""Where the best plan is within this part of the second goal of what money would allow, a proof is worth it."""


def unmet(method: PricePlan, levels: Levels, start: Search) -> tuple[Floats, float]:
    """Return a plan of the second goal in whole numbers that keeps the levels, and the bound.

    `start` is the search without levels (`PricePlan.relaxed`): where no level is asked for, there is nothing to search
    again. A search begun with what that for a like plan left begins with its decisions and corrections too. Raises
    NoPlan where there is none.
    """
    settings, begin = method.settings, method.begin
    search = start
    if (levels.required > 0).any():
        search = method.search(method.joint.second, levels, start.prices.copy())
        method.improve(KEPT, search, gap=settings.price_gap)
    method.bound = max(method.bound, search.bound)
    rounds = Rounds(method, search, levels)
    extra_use = None
    before = method.decisions(begin, KEPT)
    if before is not None and begin is not None:
        extra_use = begin.extra_use.get(KEPT)
        rounds.fits(before)
    elif method.near is not None:
        before = method.near.astype(float)
    plans = None if before is None else completed(search, before, search.prices)
    x, bound = rounds.run(plans, extra_use, look=True)
    method.note_plan(KEPT, x)
    if method.extra_use is not None:
        method.note_extra_use(KEPT, method.extra_use)
    return x, bound


@dataclass
class Rounds:
    """Rounds at the prices of `search` and at corrected ones; what they find and prove is kept in `method`.

    `value` is that of the best plan, which keeps the levels; `left` is what the last proof left open.
    """

    method: PricePlan
    search: Search
    levels: Levels
    left: float = 0.0

    def __post_init__(self) -> None:
        method = self.method
        self.fit: Fit = build_fit(method.fair, method.joint.second, self.levels, hard=True)
        self.value: float = np.inf if method.best is None else self._worth(method.best)

    def run(self, plans: Mapping[int, Floats] | None, extra_use: Floats | None, *, look: bool) -> tuple[Floats, float]:
        """Plan all pieces until the gap is reached; return the best plan and the bound. Raises NoPlan.

        `plans` are those to begin with, `extra_use` is what they or those of a like search use more than relaxed ones.
        First some quick rounds `look` for plans, or none do, then one round proves a bound. Quick rounds follow, and
        more proofs where only these are missing or nothing better is found: at better prices, or finer ones.
        """
        method, search, settings = self.method, self.search, self.method.settings
        worth, gap = abs(search.bound), settings.piece_gap * abs(search.bound)
        at, before, promised = search, np.inf, -np.inf
        looks, proofs, tries, rounds = MOST_LOOKS if look else 0, 0, 0, 0  # tries: quick rounds since the last proof
        begun = extra_use is not None
        while rounds < settings.rounds:
            method.report("unmet_need", None if method.best is None else self.value, method.bound)
            if method.stopped() or self._near():
                break
            stuck = tries > 0 and method.best is not None and self.value > before - STUCK * worth
            finer, elsewhere = (1 - FINER) * self.left, promised - method.bound  # what one more proof may prove
            if stuck and max(finer, elsewhere) <= HARDLY * (self.value - method.bound):
                break  # neither other plans nor another proof
            again = tries > 0 and (stuck or self._near(max(finer, elsewhere)))
            before, prove = self.value, not looks and (not proofs or again)
            method.add_rows(search)
            if extra_use is not None:
                at = search.corrected(extra_use, gap=settings.price_gap)
            gap = FINER * gap if prove and proofs and finer > elsewhere else gap
            good = proofs > 0 or begun
            done = plan_pieces(search, at.prices, gap=gap, start=plans, quick=not prove, good=good, event=method.stop)
            if prove:
                method.bound, self.left = max(method.bound, done.bound), done.value - done.bound
                method.proofs.append(done)
                proofs, tries, promised = proofs + 1, 0, -np.inf
            else:  # hardly more than a proof at these prices would prove
                promised = max(promised, done.value - gap)
            self._keep(done)
            if looks:
                looks = looks - 1 if self.value - done.value > READY * worth else 0
            else:
                rounds, tries = rounds + 1, tries + (not prove)
            if tries and not method.stopped() and not self._near((1 - FINER) * self.left):
                self.unite()
            extra_use, plans = done.use - at.mixed_use(), done.plans
            method.extra_use = extra_use
        if method.best is None:
            raise NoPlan
        method.report("unmet_need", self.value, method.bound)
        return method.best, method.bound

    def _near(self, proven: float = 0.0) -> bool:
        """Whether the best plan is good enough, with so much more `proven` than the bound says."""
        method = self.method
        allowed = method.settings.target_gap * self.value
        return method.best is not None and self.value - method.bound - proven <= allowed

    def _keep(self, done: PiecePlans) -> None:
        """Make plans of all pieces fit the money and keep the result where it is better.

        Where that is not good enough, the plans of all rounds are mixed.
        """
        method, search = self.method, self.search
        method.patterns.append(done.plans)
        self.fits(method.assembled(search, done.plans))
        if method.near is not None:
            closeness = method.settings.closeness
            closer = nearer_plans(search, done, method.near, closeness)
            self.fits(method.assembled(search, closer), closeness)
        if len(method.patterns) > 1 and not method.stopped() and not self._near():
            self.fits(method.assembled(search, mix_plans(search, method.patterns)))

    def fits(self, x: Floats, worse: float = 0.0) -> None:
        """Fit the money to the decisions of `x` (columns,), keep the plan where it is better or but a little `worse`.

        `worse` is relative.
        """
        outcome = self.fit.solve(x)
        if outcome.x is not None and outcome.value is not None and outcome.value < self.value * (1 + worse):
            self.value, self.method.best = outcome.value, outcome.x[: self.method.joint.n_columns]

    def unite(self) -> None:
        """Put the best plan together from the decisions of all rounds' plans.

        Decisions in which none of them differs from the best plan stay as they are; where many differ, nothing is done.
        Source: E. Rothberg, INFORMS Journal on Computing 19 (2007), a union of plans searched for a better one.
        """
        method, whole = self.method, self.method.joint.integer
        best = method.best
        if best is None:
            return
        others = [np.rint(method.assembled(self.search, plans)) for plans in method.patterns]
        free = whole & np.any([other != np.rint(best) for other in others], axis=0)
        if method.fair.curved or not free.any() or free.sum() > MOST_UNITED:
            return
        options = Options(gap=0.1 * method.settings.target_gap, nodes=UNITED_NODES, extra=SPARING)
        outcome = self.fit.solve(np.append(best, np.zeros(self.fit.misses)), free, options, method.stop)
        if outcome.x is not None:
            method.best = outcome.x[: method.joint.n_columns]
            self.value = self._worth(method.best)

    def _worth(self, x: Floats) -> float:
        return float(self.fit.arrays.cost[: len(x)] @ x + self.fit.arrays.offset)
