"""A stage of the joint model taken apart: independent parts, and the rows that couple them.

Without the money of (19), the halls of (7), the scores of (2) and earlier goals, a joint model falls into many small
pieces: a community's own rooms and own services, a sub-district's network of stations. For any prices on the coupling
rows (of the right sign) the sum of the pieces' own minima is a bound of the whole (Geoffrion 1974, Lagrangean
relaxation).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, hstack, vstack
from scipy.sparse.csgraph import connected_components

from optimizer.highs_arrays import Arrays
from optimizer.joint import Goal, Joint
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.problem import Bools, Floats, Ints

COUPLING_FAMILIES = ("eq7_hall",)


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
    """A part: its columns in the joint model, its own rows, and its use of the coupling rows."""

    columns: Ints
    arrays: Arrays
    rows: Ints  # coupling rows it touches
    use: csr_array  # (rows touched, columns)


@dataclass(frozen=True)
class Coupling:
    """minimise Σ pieces + shared + constant, with coupling rows `Σ use + shared_use (= or ≥) rhs`.

    The shared columns are money, whatever has no whole numbers (grants) and, for the first goal, the common level
    (last).

    `scale` (coupling rows,) says how large a price of each row may typically be, so that prices can be searched in
    steps.
    """

    pieces: tuple[Piece, ...]
    shared_columns: Ints
    shared: Arrays
    shared_use: csr_array
    rhs: Floats
    equal: Bools
    scale: Floats
    constant: float
    n_columns: int


def score_rows(joint: Joint, levels: Levels, raising: bool) -> tuple[csr_array, Floats]:
    """Rows `score_i − level ≥ −base_i` (with a last column for the level) or `score_i ≥ required_i − base_i`."""
    scored = np.flatnonzero(levels.scored)
    rows = csr_array(joint.score[scored])
    follows = levels.follows[scored]
    low = np.where(follows & raising, 0.0, levels.required[scored]) - joint.model.score_base[scored]
    if raising:
        where = np.flatnonzero(follows)
        last = coo_array((-np.ones(len(where)), (where, np.full(len(where), 0))), shape=(len(scored), 1))
        rows = csr_array(hstack([rows, csr_array(last)], format="csr"))
    return rows, low


def couple(
    joint: Joint, goal: Goal | None, levels: Levels, kept: tuple[Kept, ...] = (), *, towns: bool = False
) -> Coupling:
    """Return a stage in pieces; `goal` None raises the common level (first goal, value = −level).

    With `towns`, scores and halls stay within the pieces: these are then whole sub-districts, fewer and harder, whose
    plans keep every community's level.
    """
    raising = goal is None
    width = joint.n_columns + (1 if raising else 0)
    cost = np.zeros(width)
    constant = 0.0
    if goal is None:
        cost[-1] = -1.0
    else:
        cost[: joint.n_columns], constant = goal
    lower, upper = (np.append(v, tail)[:width] for v, tail in ((joint.lower, 0.0), (joint.upper, 1.0)))
    integer = np.append(joint.integer, False)[:width]

    matrix = csr_array((joint.matrix.data, joint.matrix.indices, joint.matrix.indptr), (joint.matrix.shape[0], width))
    couples = np.zeros(matrix.shape[0], dtype=bool)
    couples[joint.link_rows] = True
    for family in joint.model.row_families:
        if family.name in COUPLING_FAMILIES and not towns:
            couples[family.positions] = True
    scores, score_low = score_rows(joint, levels, raising)
    inside, inside_low = csr_array((0, width)), score_low[:0]
    if towns:
        inside, inside_low, scores, score_low = scores, score_low, inside, inside_low
    halls = np.flatnonzero(couples & (np.arange(len(couples)) < joint.model.n_rows))
    money = np.arange(len(couples))[joint.link_rows]
    keep_rows = [csr_array(np.append(-k.goal[0], 0.0)[:width].reshape(1, -1)) for k in kept]
    link = csc_array(vstack([matrix[money], -matrix[halls], scores, *keep_rows], format="csr"))
    rhs = np.concatenate(
        [joint.row_lower[money], -joint.row_upper[halls], score_low, [k.goal[1] - k.limit for k in kept]]
    )
    own = csr_array(vstack([matrix[~couples], inside], format="csr"))
    own_low = np.concatenate([joint.row_lower[~couples], inside_low])
    own_high = np.concatenate([joint.row_upper[~couples], np.full(len(inside_low), np.inf)])

    label, whole = _components(own, integer)
    shared_columns = np.flatnonzero(~whole[label])
    own_by_column = csc_array(own)
    bounds = (cost, lower, upper, integer, own_low, own_high)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    pieces = []
    for columns in groups:
        if whole[label[columns[0]]]:
            arrays = _cut(own_by_column, columns, bounds)
            use = csr_array(link[:, columns])
            rows = np.flatnonzero(np.diff(use.indptr))
            pieces.append(Piece(columns, arrays, rows, csr_array(use[rows])))
    return Coupling(
        pieces=tuple(pieces),
        shared_columns=shared_columns,
        shared=_cut(own_by_column, shared_columns, bounds),
        shared_use=csr_array(link[:, shared_columns]),
        rhs=rhs,
        equal=np.arange(len(rhs)) < len(money),
        scale=np.concatenate(_scales(joint, levels, raising, len(halls), scores.shape[0] > 0, kept)),
        constant=constant,
        n_columns=width,
    )


def _scales(
    joint: Joint, levels: Levels, raising: bool, halls: int, scores: bool, kept: tuple[Kept, ...]
) -> list[Floats]:
    """Typical prices: of money, what it meets on average; of a score, what all needs of the community count."""
    problem = joint.problem
    points = problem.unmet_weight.sum(axis=1)[levels.scored]
    whole = max(1e-9, float(points.sum()))
    worth = joint.unmet[1] / max(1.0, float(problem.amount.sum()) / MONEY_UNIT_YUAN)
    unit = 1 / whole if raising else 1.0
    return [
        np.full(len(joint.model.fixed_cost), 0.2 * worth * unit),
        np.full(halls, 0.002 * worth * unit),
        points * unit if scores else points[:0],
        np.ones(len(kept)),
    ]


def _components(own: csr_array, integer: Bools) -> tuple[Ints, Bools]:
    """Return the component of each column when rows tie columns together, and which components have whole numbers."""
    rows, columns = own.shape
    coordinates = coo_array(own)
    ties = coo_array(
        (np.ones(len(coordinates.row)), (coordinates.row, coordinates.col + rows)), shape=(rows + columns,) * 2
    )
    count, label = connected_components(ties, directed=False)
    whole = np.zeros(count, dtype=bool)
    whole[label[rows:][integer]] = True
    return label[rows:].astype(np.int64), whole


def _cut(own: csc_array, columns: Ints, bounds: tuple[Floats, ...]) -> Arrays:
    """Return the model of some columns and the rows they touch."""
    cost, lower, upper, integer, low, high = bounds
    part = csr_array(own[:, columns])
    rows = np.flatnonzero(np.diff(part.indptr))
    return Arrays(
        cost[columns],
        lower[columns],
        upper[columns],
        np.asarray(integer[columns], dtype=bool),
        csr_array(part[rows]),
        low[rows],
        high[rows],
    )
