"""Plans that keep the bounds of fairness: rows are added only where a plan breaks them (`fair_rows`)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event

import numpy as np
from scipy.sparse import csr_array

from optimizer.fair_rows import atkinson_cut, gini_cut, group_rows, with_pairs
from optimizer.highs import Session
from optimizer.highs_arrays import Arrays, Options, Outcome, Status, relative_gap
from optimizer.joint import ExtraRows, Joint
from optimizer.problem import Bools, Floats, Ints
from optimizer.programmes.space_exact import asked

HOLDS = 1e-6
"""A bound is kept where a plan breaks its row by no more, in mean scores."""
NEARLY = 1e-5
"""What solvers may leave of a row in whole numbers; the same decisions are then fitted exactly."""
FEW, MANY = 80, 200
"""A bound of the Gini index is written out pair by pair for so many communities: at once, and where nothing else helps.
"""
ROUNDS, RELAXED_ROUNDS = 60, 60
"""Most rounds with new rows of a search in whole numbers, and of a linear programme that is to be exact."""
EXACT_ROUNDS, TIGHT_ROUNDS, MORE_ROUNDS = 8, 40, 60
"""Rounds of a linear programme that need not be exact: with rows of the bounds, of tighter ones, and of the bounds once
more, Gini's in pairs, where those cannot be kept."""
TIGHTER, PATIENCE = (0.05, 0.15, 0.3), 15
"""Tighter bounds are tighter by this part, after so many rounds by the next."""
HALVINGS = 30
"""Steps in which the best plan between two is found."""
ROOM = 2e-6
"""What such a plan keeps away from a bound, in mean scores, for rounding inside the solver later."""

Make = Callable[[Joint], Arrays]
Find = Callable[[Arrays, Floats | None], Outcome]


@dataclass
class Fair:
    """A joint model with the rows of fairness found so far; plans are sought with it until they keep every bound."""

    joint: Joint
    ending: Event = field(default_factory=Event)  # set when the search is to end

    @classmethod
    def of(cls, joint: Joint, ending: Event | None = None) -> "Fair":
        """Begin with the rows of groups, equation (31); `ending` is set when the search is to end."""
        rows = group_rows(joint)
        return cls(joint if rows is None else joint.with_rows(rows), ending or Event())

    @property
    def curved(self) -> bool:
        """Whether there are bounds that need cuts."""
        return asked(self.joint.problem)

    @property
    def count(self) -> int:
        """Rows of fairness found so far."""
        return 0 if self.joint.extra is None else len(self.joint.extra.names)

    def run(self, make: Make, find: Find, start: Floats | None, options: Options) -> Outcome:
        """Return the best plan `find` gets from the model `make` makes that keeps every bound, and a bound of it.

        First relaxed plans, then plans in whole numbers add rows; decisions whose amounts break a bound are fitted
        again. Where the search is ended before that, the best so far, if there is any, with what is proven by then.
        """
        if not self.curved:
            return find(make(self.joint), start)
        self._linear(make, None)
        best: Outcome | None = None
        bound = -np.inf
        for _ in range(ROUNDS):
            arrays = make(self.joint)
            outcome = find(with_pairs(arrays, self.joint, FEW), start)
            bound = max(bound, outcome.bound)
            if outcome.x is None:
                return outcome if best is None else _ended(best, bound, Status.FEASIBLE)
            outcome = replace(outcome, x=outcome.x[: len(arrays.cost)])
            assert outcome.x is not None
            broken = self.cut(outcome.x)
            if broken <= HOLDS:
                return _ended(outcome, bound, outcome.status)
            if self.ending.is_set():
                break
            fitted = self._linear(make, outcome.x)
            if fitted is not None and fitted.value is not None and (best is None or fitted.value < (best.value or 0.0)):
                best = fitted
            if best is None or best.value is None:
                continue
            allowed = max(options.absolute_gap, options.gap * abs(best.value))
            if best.value - bound <= allowed:
                return _ended(best, bound, outcome.status)
            if broken <= NEARLY:  # other rows would change nothing that the solver sees
                return _ended(best, bound, Status.FEASIBLE)
        if best is None:
            return replace(outcome, x=None, value=None, bound=bound, status=Status.NO_PLAN, gap=np.inf)
        return _ended(best, bound, Status.FEASIBLE)

    def _linear(self, make: Make, x: Floats | None) -> Outcome | None:
        """Solve with whole numbers relaxed, or as in `x`, until all bounds hold; None where nothing keeps them."""
        arrays = make(self.joint)
        outcome = FairSession(self, decided(arrays, x), self.count, exact=True).run(self.ending)
        return None if outcome.x is None else outcome

    def cut(self, x: Floats) -> float:
        """Add the rows that the plan `x` breaks; return by how much it breaks the worst, in mean scores."""
        return self.cut_scores(self.scores(x))

    def broken(self, x: Floats) -> float:
        """By how much a plan breaks the worst bound, in mean scores; at most 0 where it keeps all."""
        return self.rows_against(self.scores(x))[1]

    def scores(self, x: Floats) -> Floats:
        """(n,) scores of a plan, equation (2)."""
        return np.asarray(self.joint.score @ x[: self.joint.n_columns] + self.joint.model.score_base)

    def cut_scores(self, scores: Floats) -> float:
        """Add the rows that plans with these scores (n,) break; return by how much they break the worst."""
        rows, broken = self.rows_against(scores)
        if rows is not None:
            self.joint = self.joint.with_rows(rows)
        return broken

    def rows_against(self, scores: Floats, tighter: float = 0.0) -> tuple[ExtraRows | None, float]:
        """Return the rows that plans with these scores (n,) break, and by how much they break the worst.

        The rows are those of bounds `tighter` by so large a part; they then hold for fewer plans than there are.
        """
        joint = self.joint
        rule = joint.problem.scenario.fairness
        if rule is None or not self.curved:
            return None, 0.0
        who = np.flatnonzero(joint.problem.scored)
        if not len(who):
            return None, 0.0
        score = np.clip(scores[who], 0.0, 1.0)
        rows = dict[str, Floats]()
        if rule.gini_at_most is not None:
            rows["eq27_gini"] = gini_cut(score, rule.gini_at_most * (1 - tighter))
        if rule.atkinson_at_most is not None:
            most = rule.atkinson_at_most.value * (1 - tighter)
            rows["eq28_atkinson"] = atkinson_cut(score, rule.atkinson_at_most.epsilon, most)
        broken = {name: float(row @ score) for name, row in rows.items()}
        new = [name for name, much in broken.items() if much > 0.1 * HOLDS]
        if not new:
            return None, max(broken.values(), default=0.0)
        weights = np.array([rows[name] for name in new])
        limit = -weights @ joint.model.score_base[who]
        matrix = csr_array(csr_array(weights) @ joint.score[who])
        names = tuple(f"{name}({1 + self.count + n})" for n, name in enumerate(new))
        low = np.full(len(new), -np.inf)
        whole = tuple(np.maximum(1.0, np.abs(weights).sum(axis=1)).tolist())  # no score is above 1
        return ExtraRows(matrix, low, np.asarray(limit), names, whole), max(broken.values())


class FairSession:
    """A linear programme kept loaded; rows of fairness are added to it wherever its plan breaks a bound.

    Its first columns are those of the joint model, and it has the first `has` rows of fairness. Bounds of many
    communities are met more and more slowly by rows that just cut a plan off. So where it is not to be `exact`, some
    rounds of these are followed by rounds with rows of tighter bounds, until a plan keeps the bounds; the best plan
    between it and the last that broke them is taken, which a convex set of plans has. Otherwise the bound of the Gini
    index is written out. With new rows the programme is
    solved `afresh`, which presolve makes quicker, except where a level is raised.
    """

    def __init__(
        self,
        fair: Fair,
        arrays: Arrays,
        has: int,
        options: Options = Options(),  # noqa: B008 (frozen)
        *,
        exact: bool = False,
        afresh: bool = True,
    ) -> None:
        self._fair, self._has, self._exact, self._afresh = fair, has, exact, afresh
        self._width, self._rows, self._options = len(arrays.cost), len(arrays.row_lower), options
        self._session = Session(with_pairs(arrays, fair.joint, FEW), options)

    def set_bounds(self, columns: Ints, lower: Floats, upper: Floats) -> None:
        """Give columns new bounds."""
        self._session.set_bounds(columns, lower, upper)

    def run(self, stop: Event | None = None, inside: Floats | None = None) -> Outcome:
        """Return the best plan within the bounds; without `x` where there is none, or the search ended before it.

        `inside` is a plan that keeps them, where one is known, to fall back on.
        """
        outcome = self._cut_off(EXACT_ROUNDS if self._fair.curved and not self._exact else RELAXED_ROUNDS, stop)
        if outcome.x is None or self._fair.broken(outcome.x) <= HOLDS or _ended_by(stop):
            return self._kept(outcome)
        within = None if self._exact else self._tighter(stop)
        if within is None and inside is not None and self._fair.broken(inside) <= HOLDS:
            within = inside
        if within is None:
            return self._in_pairs(stop)
        x = self._between(within, outcome.x)
        arrays = self._session.arrays
        value = float(arrays.cost[: self._width] @ x + arrays.offset)
        bound = min(value, outcome.bound)
        return replace(outcome, x=x, value=value, bound=bound, gap=relative_gap(value, bound), status=Status.FEASIBLE)

    def _in_pairs(self, stop: Event | None) -> Outcome:
        """Solve once more, the bound of the Gini index written out pair by pair where communities are not too many."""
        pairs = with_pairs(self._session.arrays, self._fair.joint, MANY)
        if len(pairs.cost) > len(self._session.arrays.cost):
            self._session = Session(pairs, self._options)
        return self._kept(self._cut_off(MORE_ROUNDS, stop))

    def _kept(self, outcome: Outcome) -> Outcome:
        """The outcome, or one without a plan where its plan breaks a bound."""
        if outcome.x is None or not self._fair.curved or self._fair.broken(outcome.x) <= HOLDS:
            return outcome
        return replace(outcome, x=None, value=None, status=Status.NO_PLAN, gap=np.inf)

    def _cut_off(self, rounds: int, stop: Event | None) -> Outcome:
        """Solve and add the rows that the plan breaks, so many times at most."""
        for _ in range(rounds):
            self._catch_up()
            outcome = self._session.run(stop=stop)
            if outcome.x is None or not self._fair.curved or _ended_by(stop) or self._fair.cut(outcome.x) <= HOLDS:
                break
        if outcome.x is None:
            return outcome
        prices = None if outcome.row_dual is None else outcome.row_dual[: self._rows]  # of those there were at first
        return replace(outcome, x=outcome.x[: self._width], row_dual=prices)

    def _tighter(self, stop: Event | None) -> Floats | None:
        """Return a plan that keeps the bounds, found with rows of tighter ones; None where none keeps those."""
        first, found = len(self._session.arrays.row_lower), None
        for number in range(TIGHT_ROUNDS):
            outcome = self._session.run(stop=stop)
            if outcome.x is None or _ended_by(stop):
                break
            scores = self._fair.scores(outcome.x)
            if self._fair.rows_against(scores)[1] <= -ROOM:
                found = outcome.x[: self._width]
                break
            part = TIGHTER[min(number // PATIENCE, len(TIGHTER) - 1)]
            rows = self._fair.rows_against(scores, part)[0]
            if rows is None:
                break
            self._add(rows.matrix, rows.lower, rows.upper)
        added = np.arange(first, len(self._session.arrays.row_lower))
        self._session.set_row_bounds(added, np.full(len(added), -np.inf), np.full(len(added), np.inf))
        return found

    def _between(self, inside: Floats, outside: Floats) -> Floats:
        """The plan nearest to `outside`, on the way to `inside`, that keeps the bounds with room to spare."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            part = 0.5 * (low + high)
            low, high = (part, high) if self._fair.broken(inside + part * (outside - inside)) <= -ROOM else (low, part)
        return inside + low * (outside - inside)

    def _catch_up(self) -> None:
        """Add the rows found meanwhile, by plans of this programme or by others."""
        extra = self._fair.joint.extra
        if extra is None or self._fair.count == self._has:
            return
        self._add(csr_array(extra.matrix[self._has :]), extra.lower[self._has :], extra.upper[self._has :])
        self._has = self._fair.count

    def _add(self, rows: csr_array, lower: Floats, upper: Floats) -> None:
        width = len(self._session.arrays.cost)
        wide = csr_array((rows.data, rows.indices, rows.indptr), shape=(rows.shape[0], width))
        self._session.add_rows(wide, lower, upper)
        if self._afresh:
            self._session.forget()


def _ended_by(stop: Event | None) -> bool:
    return stop is not None and stop.is_set()


def decided(arrays: Arrays, x: Floats | None, free: Bools | None = None) -> Arrays:
    """Return the model with its yes-or-no columns as in `x` where they are not `free`, open within limits without `x`.

    Only the columns that are `free` are still whole numbers.
    """
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    still = np.zeros_like(arrays.integer)
    if free is not None:
        still[: len(free)] = arrays.integer[: len(free)] & free
    if x is not None:
        whole = np.flatnonzero(arrays.integer & ~still)
        lower[whole] = upper[whole] = np.rint(x[whole])
    return replace(arrays, lower=lower, upper=upper, integer=still)


def _ended(outcome: Outcome, bound: float, status: Status) -> Outcome:
    return replace(outcome, bound=bound, status=status, gap=relative_gap(outcome.value, bound))
