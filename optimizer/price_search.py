"""Prices that make the bound of a coupled stage best: Dantzig-Wolfe columns with a box step.

A master mixes the pieces' plans so that the coupling rows hold; its prices stay inside a box around the best prices so
far (Marsten, Hogan, Blankenship 1975). Every price evaluated gives a proven bound, wherever the search is stopped.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event

import numpy as np
from scipy.sparse import block_array, coo_array, csr_array, eye_array, hstack, vstack

from optimizer.coupling import Coupling, Piece
from optimizer.highs import Session, solve
from optimizer.highs_arrays import Arrays, Options, Outcome
from optimizer.problem import Floats

KEEP_ROUNDS = 12
"""Columns older than this many rounds are dropped, unless the master uses them or the best prices gave them."""
WHOLE = 1e-7
"""A relaxed plan whose yes-or-no columns are this close to whole numbers is a plan in whole numbers."""
SMALL_PIECE = 60
"""Pieces with at most so many yes-or-no columns are solved in whole numbers within milliseconds."""
ALL_PIECES = 10**9
HIGHEST = 1e4
"""Prices stay below so many times what is typical: beyond, a row cannot be kept at any price."""
LIGHT = Options(
    gap=1e-4,
    absolute_gap=0.0,
    nodes=2000,
    presolve=False,
    extra={
        "mip_heuristic_effort": 0.0,
        "mip_detect_symmetry": False,
        "mip_heuristic_run_root_reduced_cost": False,
        "mip_heuristic_run_rins": False,
        "mip_heuristic_run_rens": False,
        "mip_heuristic_run_feasibility_jump": False,
    },
)
"""For small pieces: without the preparations that pay for themselves only in large models, three times faster."""


class NoPlan(Exception):
    """A piece, or what is shared, has no plan at all: the stage is infeasible. `columns` are its columns."""

    def __init__(self, columns: Sequence[int]) -> None:
        super().__init__("a part of the city has no plan under these rules")
        self.columns = columns


@dataclass
class Column:
    """A plan of one piece: its columns, its value, its use of the coupling rows it touches."""

    piece: int
    x: Floats
    value: float
    use: Floats
    whole: bool
    born: int


@dataclass
class Search:
    """State of the search on one stage."""

    coupling: Coupling
    prices: Floats
    threads: int = 2
    stop: Callable[[], bool] = lambda: False
    event: Event | None = None  # interrupts the solver in the middle
    bound: float = -np.inf
    columns: list[Column] = field(default_factory=list)
    rounds: int = 0
    worth: float = 1.0  # size of the goal that gaps refer to
    mix: list[tuple[Column, float]] = field(default_factory=list)
    shared_x: Floats = field(default_factory=lambda: np.zeros(0))
    _relaxed: dict[int, Session] = field(default_factory=dict)
    last: dict[int, Floats] = field(default_factory=dict)
    best_columns: list[Column] = field(default_factory=list)
    piece_bound: dict[int, float] = field(default_factory=dict)  # at the best prices, see `prices`

    def priced_cost(self, piece: int, prices: Floats) -> Floats:
        """Cost of a piece's columns at prices."""
        p = self.coupling.pieces[piece]
        return np.asarray(p.arrays.cost - p.use.T @ prices[p.rows])

    def add(self, piece: int, x: Floats, whole: bool) -> Column:
        """Keep a plan of a piece as a column."""
        p = self.coupling.pieces[piece]
        column = Column(piece, x, float(p.arrays.cost @ x), p.use @ x, whole, self.rounds)
        self.columns.append(column)
        return column

    def adopt(self, other: "Search") -> None:
        """Take over the plans another stage of the same city has found; goals differ, the pieces do not."""
        for c in other.columns:
            self.add(c.piece, c.x, c.whole)

    def shared_minimum(self, prices: Floats) -> float:
        """Least of the shared side at prices, plus the price of the right-hand side and the goal's constant."""
        shared = self.coupling.shared
        outcome = solve(replace(shared, cost=shared.cost - self.coupling.shared_use.T @ prices), Options())
        if outcome.value is None:
            raise NoPlan(self.coupling.shared_columns.tolist())
        return outcome.bound + float(prices @ self.coupling.rhs) + self.coupling.constant

    def _session(self, piece: int) -> Session:
        """The relaxed piece, kept loaded: solving it again at other prices is much quicker than from scratch."""
        if piece not in self._relaxed:
            arrays = self.coupling.pieces[piece].arrays
            self._relaxed[piece] = Session(
                replace(arrays, integer=np.zeros_like(arrays.integer)), Options(solver="simplex")
            )
        return self._relaxed[piece]

    def evaluate(self, prices: Floats, *, whole: int, gap: float = 1e-3) -> float:
        """Solve every piece at prices and keep its plan; return the bound proven.

        Pieces with at most `whole` yes-or-no columns are solved in whole numbers; what all large ones together leave
        open is at most `gap` of what the goal is worth. Once the search is stopped, pieces are only solved relaxed: the
        bound still holds.
        """
        large = sum(int(p.arrays.integer.sum()) > SMALL_PIECE for p in self.coupling.pieces)
        allowed = gap * self.worth / max(1, large)

        def one(piece: int) -> tuple[Outcome, bool]:
            p = self.coupling.pieces[piece]
            cost = self.priced_cost(piece, prices)
            relaxed = self._session(piece)
            relaxed.set_cost(np.arange(len(cost)), cost)
            outcome = relaxed.run()
            if outcome.x is None:
                return outcome, False
            part = outcome.x[p.arrays.integer]
            if np.abs(part - np.rint(part)).max() < WHOLE:
                return outcome, True
            if len(part) > whole or self.stop():
                return outcome, False
            options = LIGHT if len(part) <= SMALL_PIECE else Options(gap=0.0, nodes=400, absolute_gap=allowed)
            exact = solve(replace(p.arrays, cost=cost), options, start=self.last.get(piece), stop=self.event)
            return (outcome, False) if exact.x is None and self.stop() else (exact, True)

        total = self.shared_minimum(prices)
        bounds: dict[int, float] = {}
        fresh = []
        order = sorted(range(len(self.coupling.pieces)), key=lambda i: -self.coupling.pieces[i].arrays.integer.sum())
        for piece, (outcome, exact) in zip(order, in_parallel(one, order, self.threads), strict=True):
            if outcome.x is None:
                raise NoPlan(self.coupling.pieces[piece].columns.tolist())
            total += outcome.bound
            bounds[piece] = outcome.bound
            fresh.append(self.add(piece, outcome.x, exact))
            if exact:
                self.last[piece] = outcome.x
        if total > self.bound:
            self.piece_bound, self.best_columns = bounds, fresh
        return total

    def master(self, low: Floats, high: Floats, *, whole: bool = False) -> tuple[float, Floats]:
        """Mix the columns so that the coupling rows hold, prices kept within [low, high]; return value and prices."""
        coupling, shared = self.coupling, self.coupling.shared
        columns = [c for c in self.columns if c.whole] if whole else self.columns
        pieces: tuple[Piece, ...] = coupling.pieces
        n_rows, n_shared, n_cols = len(coupling.rhs), len(shared.cost), len(columns)
        rows = np.concatenate([pieces[c.piece].rows for c in columns])
        at = np.repeat(np.arange(n_cols), [len(c.use) for c in columns])
        use = coo_array((np.concatenate([c.use for c in columns]), (rows, at)), shape=(n_rows, n_cols))
        pick = coo_array(
            (np.ones(n_cols), ([c.piece for c in columns], np.arange(n_cols))), shape=(len(pieces), n_cols)
        )
        identity = eye_array(n_rows)
        slack_high = np.where(np.isfinite(high), high, 0.0)
        top = hstack([csr_array(use), coupling.shared_use, identity, -identity])
        own = block_array(
            [
                [
                    csr_array((shared.matrix.shape[0], n_cols)),
                    shared.matrix,
                    csr_array((shared.matrix.shape[0], 2 * n_rows)),
                ]
            ]
        )
        convex = hstack([csr_array(pick), csr_array((len(pieces), n_shared + 2 * n_rows))])
        arrays = Arrays(
            cost=np.concatenate([[c.value for c in columns], shared.cost, slack_high, -low]),
            lower=np.concatenate([np.zeros(n_cols), shared.lower, np.zeros(2 * n_rows)]),
            upper=np.concatenate(
                [np.ones(n_cols), shared.upper, np.where(np.isfinite(high), np.inf, 0.0), np.full(n_rows, np.inf)]
            ),
            integer=np.concatenate([np.full(n_cols, whole), np.zeros(n_shared + 2 * n_rows, dtype=bool)]),
            matrix=vstack([top, own, convex], format="csr"),
            row_lower=np.concatenate([coupling.rhs, shared.row_lower, np.ones(len(pieces))]),
            row_upper=np.concatenate([coupling.rhs, shared.row_upper, np.ones(len(pieces))]),
        )
        outcome = solve(arrays, Options(gap=1e-3, nodes=200) if whole else Options(solver="simplex"))
        if outcome.x is None:
            raise NoPlan([])
        prices = np.zeros(n_rows) if outcome.row_dual is None else outcome.row_dual[:n_rows]
        weight = outcome.x[:n_cols]
        self.mix = [(c, float(w)) for c, w in zip(columns, weight, strict=True) if w > 1e-9]
        self.shared_x = outcome.x[n_cols : n_cols + n_shared]
        assert outcome.value is not None
        if not whole:
            used = {id(c) for c, _ in self.mix} | {id(c) for c in self.best_columns}
            self.columns = [c for c in self.columns if self.rounds - c.born <= KEEP_ROUNDS or id(c) in used]
        return outcome.value + coupling.constant, prices

    def box(self, width: float) -> tuple[Floats, Floats]:
        """Limits of the prices around the best ones; prices of ≥-rows stay at or above zero."""
        scale, most = self.scale(), HIGHEST * self.coupling.scale
        low, high = np.maximum(-most, self.prices - width * scale), np.minimum(most, self.prices + width * scale)
        return np.where(self.coupling.equal, low, np.maximum(0.0, low)), high

    def scale(self) -> Floats:
        """What counts as a step of each price: its own size, but not less than a tenth of a typical one."""
        return np.asarray(np.maximum(np.abs(self.prices), 0.1 * self.coupling.scale))

    def start(self) -> None:
        """Take the first prices from the plans adopted: those at which their best mix keeps the coupling rows."""
        wide = 1e3 * self.coupling.scale
        _, self.prices = self.master(np.where(self.coupling.equal, -wide, 0.0), wide)

    def improve(
        self,
        *,
        gap: float,
        rounds: int,
        whole: int = 0,
        piece_gap: float = 1e-3,
        width: float = 0.5,
        report: Callable[[float, float], None] | None = None,
    ) -> float:
        """Search for better prices by box steps until bound and master agree within `gap`; return the latter."""
        size = [int(p.arrays.integer.sum()) for p in self.coupling.pieces]
        self.columns = [c for c in self.columns if c.whole or size[c.piece] > whole]
        self.bound = -np.inf
        self.bound = self.evaluate(self.prices, whole=whole, gap=piece_gap)
        value = np.inf
        for _ in range(rounds):
            if self.stop():
                break
            self.rounds += 1
            low, high = self.box(width)
            value, prices = self.master(low, high)
            if report:
                report(value, self.bound)
            if value - self.bound <= gap * max(1e-9, abs(value)):
                scale = self.scale()
                free = (prices > low + 1e-6 * scale) | (~self.coupling.equal & (low <= 0))
                if width > 30 or bool(np.all(free & (prices < high - 1e-6 * scale))):
                    break
                width *= 4
                continue
            bound = self.evaluate(prices, whole=whole, gap=piece_gap)
            if bound > self.bound:
                gain = (bound - self.bound) / (value - self.bound)
                self.prices, self.bound = prices, bound
                width = min(50.0, width * 1.5) if gain > 0.3 else width
            else:
                width /= 2.5
        return value


def in_parallel(
    task: Callable[[int], tuple[Outcome, bool]], items: Sequence[int], threads: int
) -> list[tuple[Outcome, bool]]:
    """Run a task for every item on threads (HiGHS releases the interpreter lock); results in the order of items."""
    if threads <= 1 or len(items) <= 1:
        return [task(i) for i in items]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(task, items))
