"""The price method: plans in whole numbers for a large city, with proven bounds.

1. Prices of the second goal, pieces relaxed (`price_search`). 2. The bound of the common level, and a plan that reaches
it nearly (`price_level`). 3. Prices of the second goal with that level; quick plans of all pieces in whole numbers
(`piece_plans`), made to fit the money (`fit`). 4. Prices corrected for what these use more than relaxed ones; plans of
all pieces there, quick ones or proven: the bound. The plans of all rounds are mixed, and at last searched together
(`price_rounds`). Here is what these steps share.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event

import numpy as np

from optimizer.beginning import FREE, KEPT, Beginning
from optimizer.coupling import Levels, couple
from optimizer.fair import Fair
from optimizer.fit import build_fit
from optimizer.highs_arrays import Options, Status
from optimizer.joint import Goal, Joint
from optimizer.levels import no_levels
from optimizer.piece_plans import PiecePlans
from optimizer.price_search import Search, lengthened
from optimizer.problem import Bools, Floats

Report = Callable[[str, float | None, float | None], None]
MUST = ("close", "take", "hang")
"""Families of yes-or-no columns that may have to be yes whatever is opened."""
FIRST_NODES = 1000
"""Most nodes of the search for a first plan where deciding nothing is none."""
FINE = 5e-4
"""Plans of pieces to this part of the second goal take hardly longer than rougher ones, and prove more."""
FAIR_ROUNDS = 25
"""Prices are searched so many times at most with more rows of fairness."""
POOR_ROUNDS = 5
"""After so many searches in a row that gain less than the gap of prices, more rows are not worth it."""
NEARLY_FAIR = 1e-4
"""Relaxed plans that break a bound of inequality by no more, in mean scores, need no further rows."""
ROUGH = 0.01
"""For a gap as wide as this, plans of pieces are not sought finer than it needs."""


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


def names_of(joint: Joint) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the coupling rows and of the yes-or-no columns, by which a plan is known to another model."""
    names = joint.column_names()
    rows = [*joint.row_names()[joint.link_rows], *(() if joint.extra is None else joint.extra.names)]
    return tuple(rows), tuple(names[column] for column in np.flatnonzero(joint.integer))


@dataclass
class PricePlan:
    """State of the price method on the joint model of `fair`; `best` is the best plan so far, whatever happens."""

    fair: Fair
    settings: Settings
    stopped: Callable[[], bool]
    report: Report
    stop: Event | None = None
    near: Bools | None = None
    best: Floats | None = None
    bound: float = -np.inf
    patterns: list[Mapping[int, Floats]] = field(default_factory=list)
    extra_use: Floats | None = None  # (coupling rows,) what the last round's plans used more than relaxed ones
    proofs: list[PiecePlans] = field(default_factory=list)  # rounds that proved a bound of every piece
    begin: Beginning | None = None  # what the search for a like plan left

    def __post_init__(self) -> None:
        self.names = names_of(self.joint)  # rows found later mean nothing to other models

    @property
    def joint(self) -> Joint:
        """The joint model with the rows of fairness found so far."""
        return self.fair.joint

    @cached_property
    def leaves(self) -> Beginning:
        """What this search leaves for others; at first what it began with."""
        return Beginning(*self.names) if self.begin is None else self.begin.copy()

    def note_plan(self, stage: str, x: Floats) -> None:
        """Leave the decisions of a plan."""
        self.leaves.plans[stage] = np.rint(x[: self.joint.n_columns][self.joint.integer]).astype(bool)

    def note_extra_use(self, stage: str, extra_use: Floats) -> None:
        """Leave what the plans of a stage use more than relaxed ones; rows found later mean nothing to others."""
        self.leaves.extra_use[stage] = extra_use[: len(self.names[0])]

    def decisions(self, left: Beginning | None, stage: str) -> Floats | None:
        """(columns,) the decisions of a stage's plan, other columns 0; None where there is none."""
        if left is None or stage not in left.plans:
            return None
        x = np.zeros(self.joint.n_columns)
        x[self.joint.integer] = left.plans[stage]
        return x

    def search(self, goal: Goal | None, levels: Levels, prices: Floats, after: Search | None = None) -> Search:
        """Return a search of a stage at prices to begin with, with the loaded pieces of the one before."""
        coupling = couple(self.joint, goal, levels)
        search = Search(coupling, prices, levels.follows, self.settings.threads, self.stopped)
        if after is not None:
            search.follow(after)
        return search

    def improve(self, stage: str, search: Search, *, gap: float) -> None:
        """Search prices of a stage, begun with those of a like plan where there are any, and keep them."""
        if self.begin is not None and stage in self.begin.prices:
            search.prices = lengthened(self.begin.prices[stage], len(search.coupling.rhs))
        told = (lambda _, bound: self.report("unmet_need", None, bound)) if stage == KEPT else None
        search.improve(gap=gap, rounds=40, report=told)
        poor = 0
        for _ in range(FAIR_ROUNDS):
            if poor == POOR_ROUNDS or self.stopped() or self._broken(search) <= NEARLY_FAIR:
                break
            before = search.bound
            self.add_rows(search)
            search.improve(gap=gap, rounds=40, report=told)
            poor = 0 if search.bound - before > gap * abs(search.bound) else poor + 1
        self.leaves.prices[stage] = search.prices[: len(self.names[0])]

    def _broken(self, search: Search) -> float:
        """Find rows of fairness that the mix of relaxed plans breaks; return by how much it breaks the worst."""
        if not self.fair.curved:
            return 0.0
        return self.fair.cut_scores(self.mixed_scores(search))

    def mixed_scores(self, search: Search) -> Floats:
        """(n,) scores in the mix of relaxed plans that a search ended with."""
        scores = self.joint.model.score_base.copy()
        for community, score in search.mixed_scores().items():
            scores[community] += score
        return scores

    def add_rows(self, search: Search) -> None:
        """Let a search know the rows of fairness found since it began."""
        known = len(search.coupling.rhs) - len(self.joint.model.fixed_cost)
        if self.joint.extra is not None and known < self.fair.count:
            search.add_rows(self.joint.extra, known)

    def relaxed(self) -> Search:
        """Search prices of the second goal without levels: a start for all that follows, and a first bound."""
        joint = self.joint
        years = len(joint.problem.years)
        worth = joint.second[1] / max(1.0, float(joint.problem.amount.sum()) / 1e4)
        prices = np.tile(0.5 * worth * 0.65 ** np.arange(years), len(joint.model.fixed_cost) // years)
        levels = no_levels(joint.problem)
        search = self.search(joint.second, levels, prices)
        self.improve(FREE, search, gap=self.settings.price_gap)
        self.bound = search.bound
        return search

    def assembled(self, search: Search, plans: Mapping[int, Floats]) -> Floats:
        """Columns of the joint model with the plans of all pieces; nothing is decided where there is none."""
        x = np.zeros(self.joint.n_columns)
        for number, plan in plans.items():
            x[search.coupling.pieces[number].columns] = plan
        return x

    def nothing_new(self, levels: Levels) -> Floats | None:
        """Return the plan that opens nothing and takes no room. Raises Infeasible where it breaks a hard rule.

        Where stations must close, sites must be taken or sources have floors, nothing may be too little; then a plan
        is sought that decides what must be, and after that one that opens something. Where there are bounds of
        fairness, nothing may be unfair; then there is no plan to begin with, and so where a short search finds none.
        """
        fit, nothing = build_fit(self.fair, self.joint.second, levels), np.zeros(self.joint.n_columns)
        outcome = fit.solve(nothing)
        for families in (MUST, None):
            if outcome.x is not None:
                break
            outcome = fit.solve(nothing, self._columns(families), Options(gap=1.0, nodes=FIRST_NODES))
        if outcome.status is Status.INFEASIBLE and not self.fair.curved and not self.fair.count:
            raise Infeasible
        return None if outcome.x is None else outcome.x[: self.joint.n_columns]

    def _columns(self, families: tuple[str, ...] | None) -> Bools:
        """(columns,) marks of the columns of some families that there are, or of all."""
        marks = np.full(self.joint.n_columns, families is None)
        for name in families or ():
            if name in self.joint.model.columns:
                marks[self.joint.model.columns[name].positions] = True
        return marks
