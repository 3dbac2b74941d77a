"""A stage of the joint model taken apart: independent pieces, and the rows that couple them.

Without the money of (19) and rows of fairness a joint model falls into sub-districts (or several together where their
communities share stations or halls), each with the levels that its own communities must reach. For any prices on the
coupling rows (of the right sign) the sum of the pieces' own minima is a bound of the whole (Geoffrion 1974, Lagrangean
relaxation).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, diags_array, hstack, vstack
from scipy.sparse.csgraph import connected_components

from optimizer.highs_arrays import Arrays
from optimizer.joint import ExtraRows, Goal, Joint
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.problem import Bools, Floats, Ints

MOST_MORE = 10.0
"""Most that is asked for when the question is how much more money levels would take: so many times what there is."""
PRICE_PART = 0.2
"""A typical price of money is this part of what it meets on average."""
WIDE = 10.0
"""A row of fairness holds with no more than this part of its whole to spare."""


@dataclass(frozen=True)
class Levels:
    """What every community's score must reach: the common level, or a floor of its own where it is set aside.

    `floor` (n,) is minus infinity where a community follows the common level; communities without needs are not
    `scored`.
    """

    scored: Bools
    floor: Floats
    common: float = 0.0

    @property
    def follows(self) -> Bools:
        """(n,) communities that follow the common level."""
        return np.isneginf(self.floor) & self.scored

    @property
    def required(self) -> Floats:
        """(n,) score that each community must reach."""
        return np.where(self.follows, self.common, np.where(self.scored, self.floor, 0.0))


@dataclass(frozen=True)
class Kept:
    """An earlier goal that may not get worse than `limit` (in its own unit, constant included)."""

    goal: Goal
    limit: float


@dataclass(frozen=True)
class Piece:
    """A part: its columns in the joint model, its own rows, and its use of the coupling rows.

    Its own rows at `score_rows` are the scores of `communities`.
    """

    columns: Ints
    arrays: Arrays
    rows: Ints  # coupling rows it touches
    use: csr_array  # (rows touched, columns)
    score_rows: Ints
    communities: Ints


@dataclass(frozen=True)
class Coupling:
    """minimise Σ pieces + shared + constant, with coupling rows `Σ use + shared_use = rhs`.

    These are the money of (19), then rows of fairness. The shared columns are payments and whatever has neither whole
    numbers nor scores (`shared_columns`), then what rows of fairness have to spare.

    `scale` (coupling rows,) says how large a price of each row may typically be, so that prices can be searched in
    steps; `worth` is that of a row of fairness whose whole is 1.
    """

    pieces: tuple[Piece, ...]
    shared_columns: Ints
    shared: Arrays
    shared_use: csr_array
    rhs: Floats
    scale: Floats
    constant: float
    worth: float = 1.0

    def with_rows(self, rows: ExtraRows, first: int = 0) -> "Coupling":
        """Return the same with the rows of fairness from number `first` on, each bounded on one side."""
        width = max(rows.matrix.shape[1], int(self.shared_columns.max(initial=0)) + 1)
        matrix = csc_array(_wider(csr_array(rows.matrix[first:]), width))
        count = matrix.shape[0]
        if not count:
            return self
        low, high, whole = rows.lower[first:], rows.upper[first:], np.array(rows.whole[first:])
        pieces = []
        for piece in self.pieces:
            use = csr_array(matrix[:, piece.columns])
            touched = np.flatnonzero(np.diff(use.indptr))
            both = csr_array(vstack([piece.use, use[touched]], format="csr"))
            pieces.append(replace(piece, rows=np.concatenate([piece.rows, len(self.rhs) + touched]), use=both))
        bounded_above = np.isfinite(high)
        spare = diags_array(np.where(bounded_above, 1.0, -1.0))
        shared, known = self.shared, len(self.shared_columns)
        there = hstack([matrix[:, self.shared_columns], csr_array((count, len(shared.cost) - known))])
        shared_use = vstack([hstack([self.shared_use, csr_array((len(self.rhs), count))]), hstack([there, spare])])
        return replace(
            self,
            pieces=tuple(pieces),
            shared=Arrays(
                cost=np.append(shared.cost, np.zeros(count)),
                lower=np.append(shared.lower, np.zeros(count)),
                upper=np.append(shared.upper, WIDE * whole),
                integer=np.append(shared.integer, np.zeros(count, dtype=bool)),
                matrix=csr_array(hstack([shared.matrix, csr_array((shared.matrix.shape[0], count))], format="csr")),
                row_lower=shared.row_lower,
                row_upper=shared.row_upper,
                offset=shared.offset,
            ),
            shared_use=csr_array(shared_use),
            rhs=np.append(self.rhs, np.where(bounded_above, high, low)),
            scale=np.append(self.scale, self.worth / whole),
        )

    @cached_property
    def by_size(self) -> list[int]:
        """Numbers of the pieces, those with most yes-or-no columns first: they take longest."""
        size = [int(p.arrays.integer.sum()) for p in self.pieces]
        return sorted(range(len(size)), key=lambda i: -size[i])


def score_rows(joint: Joint, levels: Levels, *, raising: bool = False) -> tuple[csr_array, Floats]:
    """Rows `score_i ≥ required_i − base_i`, or with a last column for the level `score_i − level ≥ −base_i`."""
    scored = np.flatnonzero(levels.scored)
    rows = csr_array(joint.score[scored])
    follows = levels.follows[scored]
    low = np.where(follows & raising, 0.0, levels.required[scored]) - joint.model.score_base[scored]
    if raising:
        where = np.flatnonzero(follows)
        last = coo_array((-np.ones(len(where)), (where, np.full(len(where), 0))), shape=(len(scored), 1))
        rows = csr_array(hstack([rows, csr_array(last)], format="csr"))
    return rows, low


def couple(joint: Joint, goal: Goal | None, levels: Levels) -> Coupling:
    """Return a stage in pieces, the levels of communities inside them.

    `goal` None asks how much more money the levels would take: least η such that every source's money and limit of a
    year, times 1 + η, suffices. At most 0: the levels can be kept. η is one more column, the last.
    """
    asking = goal is None
    width = joint.n_columns + (1 if asking else 0)
    cost, constant = (np.append(np.zeros(joint.n_columns), 1.0), 0.0) if goal is None else goal
    lower, upper = np.append(joint.lower, -1.0)[:width], np.append(joint.upper, MOST_MORE)[:width]
    integer = np.append(joint.integer, False)[:width]

    count = joint.link_rows.stop + len(joint.money.upper)  # the rows of fairness are the last
    matrix, row_lower, row_upper = csr_array(joint.matrix[:count]), joint.row_lower[:count], joint.row_upper[:count]
    couples = np.zeros(count, dtype=bool)
    couples[joint.link_rows] = True
    if asking:
        of_money = np.arange(joint.link_rows.stop, count)
        there_is = np.maximum(row_upper[of_money], 0)  # floors, the rows below 0, stay as they are
        more = coo_array((-there_is, (of_money, np.zeros_like(of_money))), shape=(count, 1))
        matrix = csr_array(hstack([matrix, csr_array(more)], format="csr"))
    scores, score_low = score_rows(joint, levels)
    own = csr_array(vstack([matrix[~couples], _wider(scores, width)], format="csr"))
    own_low = np.concatenate([row_lower[~couples], score_low])
    own_high = np.concatenate([row_upper[~couples], np.full(len(score_low), np.inf)])
    link = csc_array(matrix[couples])

    scored, first_score = np.flatnonzero(levels.scored), own.shape[0] - len(score_low)
    label, in_piece = _components(own, integer, first_score)
    shared_columns = np.flatnonzero(~in_piece[label])
    own_by_column = csc_array(own)
    bounds = (cost, lower, upper, integer, own_low, own_high)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    pieces = []
    for columns in groups:
        if in_piece[label[columns[0]]]:
            arrays, own_rows = _cut(own_by_column, columns, bounds)
            use = csr_array(link[:, columns])
            rows = np.flatnonzero(np.diff(use.indptr))
            at = np.flatnonzero(own_rows >= first_score)
            pieces.append(Piece(columns, arrays, rows, csr_array(use[rows]), at, scored[own_rows[at] - first_score]))
    coupling = Coupling(
        pieces=tuple(pieces),
        shared_columns=shared_columns,
        shared=_cut(own_by_column, shared_columns, bounds)[0],
        shared_use=csr_array(link[:, shared_columns]),
        rhs=row_lower[couples],
        scale=_scale(joint, asking),
        constant=constant,
        worth=1.0 if asking else PRICE_PART * joint.second[1],
    )
    return coupling if joint.extra is None else coupling.with_rows(joint.extra)


def _wider(matrix: csr_array, width: int) -> csr_array:
    return csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], width))


def _scale(joint: Joint, asking: bool) -> Floats:
    """Typical prices of money: what it meets on average, or its share of all money."""
    money = max(1.0, float(joint.problem.amount.sum()) / MONEY_UNIT_YUAN)
    return np.full(len(joint.model.fixed_cost), 1 / money if asking else PRICE_PART * joint.second[1] / money)


def _components(own: csr_array, integer: Bools, first_score: int) -> tuple[Ints, Bools]:
    """Return the component of each column when rows tie columns together, and which components are pieces.

    These have whole numbers or scores (rows from `first_score` on); the rest is money.
    """
    rows, columns = own.shape
    coordinates = coo_array(own)
    ties = coo_array(
        (np.ones(len(coordinates.row)), (coordinates.row, coordinates.col + rows)), shape=(rows + columns,) * 2
    )
    count, label = connected_components(ties, directed=False)
    in_piece = np.zeros(count, dtype=bool)
    in_piece[label[rows:][integer]] = True
    in_piece[label[first_score:rows]] = True
    return label[rows:].astype(np.int64), in_piece


def _cut(own: csc_array, columns: Ints, bounds: tuple[Floats, ...]) -> tuple[Arrays, Ints]:
    """Return the model of some columns and the rows they touch, and these rows."""
    cost, lower, upper, integer, low, high = bounds
    part = csr_array(own[:, columns])
    rows = np.flatnonzero(np.diff(part.indptr))
    arrays = Arrays(
        cost[columns],
        lower[columns],
        upper[columns],
        np.asarray(integer[columns], dtype=bool),
        csr_array(part[rows]),
        low[rows],
        high[rows],
    )
    return arrays, rows
