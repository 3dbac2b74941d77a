"""Prices that make the bound of a coupled stage best: Dantzig-Wolfe columns with a box step.

The pieces are solved relaxed. A master mixes their plans so that the coupling rows hold; its prices stay inside a box
around the best prices so far (Marsten, Hogan, Blankenship 1975). Every price evaluated gives a proven bound, wherever
the search is stopped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array, hstack, vstack

from optimizer.coupling import Coupling
from optimizer.highs import Session, solve
from optimizer.highs_arrays import Arrays, Options, Outcome
from optimizer.joint import ExtraRows
from optimizer.problem import Bools, Floats
from optimizer.threads import in_parallel

KEEP_ROUNDS = 12
"""Columns older than this many rounds are dropped, unless the master uses them or the best prices gave them."""
HIGHEST = 1e4
"""Prices stay below so many times what is typical: beyond, a row cannot be kept at any price."""
CORRECTED = (1.0, 0.5, 0.25)
"""Prices are corrected for the whole of what plans use more than relaxed ones, or for a part of it."""
ASTRAY = 0.02
"""Corrected prices that prove less by this part of the goal are not worth planning at."""
SIMPLEX = Options(solver="simplex")


class NoPlan(Exception):
    """A piece, or what is shared, has no plan at all: the stage is infeasible. `communities` are scored there."""

    def __init__(self, communities: Sequence[int] = ()) -> None:
        super().__init__("a part of the city has no plan under these rules")
        self.communities = communities


@dataclass
class Column:
    """A plan of one piece: its columns, its value, its use of the coupling rows it touches, the round that found it."""

    piece: int
    x: Floats
    value: float
    use: Floats
    born: int


@dataclass
class Search:
    """State of the search on one stage."""

    coupling: Coupling
    prices: Floats
    follows: Bools  # (n,) communities that follow the common level
    threads: int = 2
    stop: Callable[[], bool] = lambda: False
    bound: float = -np.inf
    columns: list[Column] = field(default_factory=list)
    rounds: int = 0
    mix: list[tuple[Column, float]] = field(default_factory=list)
    best_columns: list[Column] = field(default_factory=list)
    level_price: float = 0.0  # at the best prices: what one more point of everybody's level costs
    loaded: dict[int, Session] = field(default_factory=dict)  # the pieces relaxed

    def __post_init__(self) -> None:
        self.prices = lengthened(self.prices, len(self.coupling.rhs))

    def priced_cost(self, piece: int, prices: Floats) -> Floats:
        """Cost of a piece's columns at prices."""
        p = self.coupling.pieces[piece]
        return np.asarray(p.arrays.cost - p.use.T @ prices[p.rows])

    def shared_minimum(self, prices: Floats) -> float:
        """Least of the shared side at prices, plus the price of the right-hand side and the goal's constant."""
        shared = self.coupling.shared
        outcome = solve(replace(shared, cost=shared.cost - self.coupling.shared_use.T @ prices), Options())
        if outcome.value is None:
            raise NoPlan
        return outcome.bound + float(prices @ self.coupling.rhs) + self.coupling.constant

    def worth_of_money(self) -> float:
        """What all money together is worth at the prices; infinite where prices and goal do not agree at all."""
        shared = self.coupling.shared
        cost = np.asarray(-(self.coupling.shared_use.T @ self.prices))
        outcome = solve(replace(shared, cost=cost), Options())
        return np.inf if outcome.value is None else -outcome.value

    def relaxed(self, piece: int, prices: Floats) -> Outcome:
        """Solve a relaxed piece at prices. It is kept loaded: solving it again at other prices is much quicker."""
        if piece not in self.loaded:
            arrays = self.coupling.pieces[piece].arrays
            self.loaded[piece] = Session(replace(arrays, integer=np.zeros_like(arrays.integer)), SIMPLEX)
        session, cost = self.loaded[piece], self.priced_cost(piece, prices)
        session.set_cost(np.arange(len(cost)), cost)
        return session.run()

    def follow(self, other: "Search") -> None:
        """Take over the loaded pieces of another stage of the same city, with this one's levels."""
        self.loaded = other.loaded
        for piece, session in self.loaded.items():
            p = self.coupling.pieces[piece]
            session.set_row_bounds(p.score_rows, p.arrays.row_lower[p.score_rows], p.arrays.row_upper[p.score_rows])

    def evaluate(self, prices: Floats) -> float:
        """Solve every relaxed piece at prices and keep its plan; return the bound proven."""
        total = self.shared_minimum(prices)
        fresh, level_price = [], 0.0
        order = self.coupling.by_size
        outcomes = in_parallel(lambda piece: self.relaxed(piece, prices), order, self.threads)
        without = [self.coupling.pieces[piece] for piece, o in zip(order, outcomes, strict=True) if o.x is None]
        if without:
            raise NoPlan([int(i) for p in without for i in p.communities])
        for piece, outcome in zip(order, outcomes, strict=True):
            p = self.coupling.pieces[piece]
            assert outcome.x is not None
            total += outcome.bound
            fresh.append(self.column(piece, outcome.x))
            if outcome.row_dual is not None:
                level_price += float(outcome.row_dual[p.score_rows[self.follows[p.communities]]].sum())
        self.columns += fresh
        if total > self.bound:
            self.best_columns, self.level_price = fresh, level_price
        return total

    def column(self, piece: int, x: Floats) -> Column:
        """Return a plan of a piece as a column of the master."""
        p = self.coupling.pieces[piece]
        return Column(piece, x, float(p.arrays.cost @ x), p.use @ x, self.rounds)

    def add_rows(self, rows: ExtraRows, first: int) -> None:
        """Take rows of fairness from number `first` on into account, at no price to begin with."""
        self.coupling = self.coupling.with_rows(rows, first)
        self.prices = lengthened(self.prices, len(self.coupling.rhs))
        for column in {id(column): column for column in [*self.columns, *self.best_columns]}.values():
            column.use = self.coupling.pieces[column.piece].use @ column.x

    def mixed_scores(self) -> dict[int, float]:
        """Scores of communities, less what they have anyway, in the mix of the last master."""
        scores = dict[int, float]()
        for column, weight in self.mix:
            piece = self.coupling.pieces[column.piece]
            part = weight * (piece.arrays.matrix[piece.score_rows] @ column.x)
            for community, score in zip(piece.communities.tolist(), part.tolist(), strict=True):
                scores[community] = scores.get(community, 0.0) + score
        return scores

    def _master(self, low: Floats, high: Floats) -> Arrays:
        """Return the master: a mix of the columns, one of every piece in all, so that the coupling rows hold.

        A row that does not hold costs `high` or brings `low` for every unit, so that prices stay between these.
        """
        coupling, shared, columns = self.coupling, self.coupling.shared, self.columns
        n_rows, n_shared, n_cols, n_pieces = len(coupling.rhs), len(shared.cost), len(columns), len(coupling.pieces)
        rows = np.concatenate([coupling.pieces[c.piece].rows for c in columns])
        at = np.repeat(np.arange(n_cols), [len(c.use) for c in columns])
        use = coo_array((np.concatenate([c.use for c in columns]), (rows, at)), shape=(n_rows, n_cols))
        pick = coo_array((np.ones(n_cols), ([c.piece for c in columns], np.arange(n_cols))), shape=(n_pieces, n_cols))
        slack = eye_array(n_rows)
        top = hstack([csr_array(use), coupling.shared_use, slack, -slack])
        own_rows = shared.matrix.shape[0]
        own = hstack([csr_array((own_rows, n_cols)), shared.matrix, csr_array((own_rows, 2 * n_rows))])
        convex = hstack([csr_array(pick), csr_array((n_pieces, n_shared + 2 * n_rows))])
        return Arrays(
            cost=np.concatenate([[c.value for c in columns], shared.cost, high, -low]),
            lower=np.concatenate([np.zeros(n_cols), shared.lower, np.zeros(2 * n_rows)]),
            upper=np.concatenate([np.ones(n_cols), shared.upper, np.full(2 * n_rows, np.inf)]),
            integer=np.zeros(n_cols + n_shared + 2 * n_rows, dtype=bool),
            matrix=csr_array(vstack([top, own, convex], format="csr")),
            row_lower=np.concatenate([coupling.rhs, shared.row_lower, np.ones(n_pieces)]),
            row_upper=np.concatenate([coupling.rhs, shared.row_upper, np.ones(n_pieces)]),
        )

    def picked(self, low: Floats, high: Floats, options: Options) -> list[Column]:
        """Pick one column for every piece; the coupling rows hold as nearly as `low` and `high` make it worth it."""
        arrays, count = self._master(low, high), len(self.columns)
        outcome = solve(replace(arrays, integer=np.arange(len(arrays.cost)) < count), options)
        if outcome.x is None:
            raise NoPlan
        return [column for column, part in zip(self.columns, outcome.x, strict=False) if part > 0.5]

    def master(self, low: Floats, high: Floats) -> tuple[float, Floats]:
        """Mix the columns so that the coupling rows hold, prices kept within [low, high]; return value and prices."""
        outcome, columns, n_rows = solve(self._master(low, high), SIMPLEX), self.columns, len(self.coupling.rhs)
        if outcome.x is None or outcome.value is None:
            raise NoPlan
        prices = np.zeros(n_rows) if outcome.row_dual is None else outcome.row_dual[:n_rows]
        self.mix = [(c, float(w)) for c, w in zip(columns, outcome.x, strict=False) if w > 1e-9]
        used = {id(c) for c, _ in self.mix} | {id(c) for c in self.best_columns}
        self.columns = [c for c in columns if self.rounds - c.born <= KEEP_ROUNDS or id(c) in used]
        return outcome.value + self.coupling.constant, prices

    def mixed_use(self) -> Floats:
        """(coupling rows,) use of the rows by the mix of the last master."""
        use = np.zeros(len(self.coupling.rhs))
        for column, weight in self.mix:
            use[self.coupling.pieces[column.piece].rows] += weight * column.use
        return use

    def box(self, width: float) -> tuple[Floats, Floats]:
        """Limits of the prices around the best ones."""
        scale, most = self.scale(), HIGHEST * self.coupling.scale
        return np.maximum(-most, self.prices - width * scale), np.minimum(most, self.prices + width * scale)

    def scale(self) -> Floats:
        """What counts as a step of each price: its own size, but not less than a tenth of a typical one."""
        return np.asarray(np.maximum(np.abs(self.prices), 0.1 * self.coupling.scale))

    def improve(
        self,
        *,
        gap: float,
        rounds: int,
        width: float = 0.5,
        least: float = 1e-9,
        enough: float = np.inf,
        report: Callable[[float, float], None] | None = None,
    ) -> float:
        """Search for better prices by box steps until bound and master agree; return the latter.

        They agree when they are within `gap` (relative) or `least` (in the unit of the goal). A bound of `enough` ends
        the search too.
        """
        self.bound = -np.inf
        self.bound = self.evaluate(self.prices)
        value = np.inf
        for _ in range(rounds):
            if self.stop() or self.bound >= enough:
                break
            self.rounds += 1
            low, high = self.box(width)
            value, prices = self.master(low, high)
            if report:
                report(value, self.bound)
            if value - self.bound <= max(least, gap * abs(value)):
                scale = self.scale()
                if width > 30 or bool(np.all((prices > low + 1e-6 * scale) & (prices < high - 1e-6 * scale))):
                    break
                width *= 4
                continue
            bound = self.evaluate(prices)
            if bound > self.bound:
                gain = (bound - self.bound) / (value - self.bound)
                self.prices, self.bound = prices, bound
                width = min(50.0, width * 1.5) if gain > 0.3 else width
            else:
                width /= 2.5
        return value

    def shifted(self, extra_use: Floats) -> "Search":
        """Return a search with `extra_use` (coupling rows, in their units) less to use of every row.

        Its bound is not one of the stage.
        """
        shifted = replace(self.coupling, rhs=self.coupling.rhs - lengthened(extra_use, len(self.coupling.rhs)))
        return Search(
            shifted,
            self.prices.copy(),
            self.follows,
            self.threads,
            self.stop,
            columns=self.columns,
            loaded=self.loaded,
        )

    def corrected(self, extra_use: Floats, *, gap: float) -> "Search":
        """Return a search with prices that leave room for what plans in whole numbers use more than relaxed ones.

        `extra_use` (coupling rows, in their units) is how much more they use: at these prices plans in whole numbers,
        and not relaxed ones, use what there is. `gap` (relative) is how near to the best such prices are sought. In a
        city of few pieces that may be much of the money there is; prices are corrected for a part of it where they
        would prove too little, and where they still do, not at all.
        """
        for part in CORRECTED:
            at = self.shifted(part * extra_use)
            at.improve(gap=gap, rounds=25, width=0.3)
            bound = at.bound + float(at.prices @ lengthened(part * extra_use, len(at.prices)))
            if bound >= self.bound - ASTRAY * abs(self.bound):
                return at
        return self


def lengthened(values: Floats, count: int) -> Floats:
    """Return numbers of coupling rows with 0 for the rows that came later."""
    return np.append(values, np.zeros(count - len(values)))
