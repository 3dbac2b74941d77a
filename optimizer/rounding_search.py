"""The search of controlled rounding: which cells of a table go up to the next unit, so that its margins foot.

What is rounded and what the answer promises: `optimizer.rounding`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from optimizer.highs import Session, solve
from optimizer.highs_arrays import Arrays, Options, Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NOISE_YUAN = 1e-6
"""Distance from a multiple of the unit that is noise of floating-point numbers, not money."""
SMALL = 2000
"""Cells up to which a table that is no network is rounded to the nearest of all tables; larger ones nearly so."""


@dataclass(frozen=True)
class Margin:
    """A sum of cells that must foot: positions of its cells, and its own limits in yuan."""

    name: str
    cells: Sequence[int] | Ints
    floor: float = -np.inf
    ceiling: float = np.inf


@dataclass(frozen=True)
class Choice:
    """Units that cells or margins may take, `low` to `high`, and limits by their own floors and ceilings alone."""

    low: Ints
    high: Ints
    least: Floats
    most: Floats
    below: Ints  #: the multiple next below the value
    above: Ints


@dataclass(frozen=True)
class Table:
    """A table in the order of names; `member` (margins, cells) says which cells a margin sums."""

    names: Sequence[str]
    margins: Sequence[Margin]
    member: Any
    floor: Floats
    ceiling: Floats
    part: Floats  #: (cells,) of a unit above `cells.below`
    cells: Choice
    sums: Choice
    free: Ints  #: cells with two choices


def choose(table: Table, nodes: int) -> tuple[Ints, bool]:
    """Which of the free cells go up (1) or down (0), and whether no other choice violates the margins less."""
    count = table.free.size
    base = table.member @ table.cells.low
    matrix = sparse.csr_array(table.member[:, table.free], dtype=float)
    cost = 1.0 - 2.0 * table.part[table.free]
    if not count:
        return np.zeros(0, np.int64), True
    arrays = Arrays(
        cost, np.zeros(count), np.ones(count), np.zeros(count, bool), matrix,
        (table.sums.low - base).astype(float), (table.sums.high - base).astype(float),
    )  # fmt: skip
    outcome = solve(arrays, Options(solver="simplex"))
    if outcome.x is not None and (split := np.abs(outcome.x - np.rint(outcome.x)) > NOISE_YUAN).any():
        outcome = _whole(arrays, outcome.x, split, nodes)
    if outcome.x is not None:
        return np.rint(outcome.x).astype(np.int64), True
    return _give_way(table, arrays, base, nodes)


def _whole(arrays: Arrays, x: Floats, split: npt.NDArray[np.bool_], nodes: int) -> Outcome:
    """Whole numbers near a corner `x` that is not whole where `split`: those alone first, then all cells."""
    whole = replace(arrays, integer=np.ones(x.size, bool))
    near = np.rint(x)
    kept = replace(whole, lower=np.where(split, 0.0, near), upper=np.where(split, 1.0, near))
    outcome = solve(kept, Options(gap=1e-3, nodes=nodes))
    if outcome.x is not None and x.size > SMALL:
        return outcome
    full = solve(whole, Options(gap=1e-6, nodes=nodes), start=outcome.x)
    return full if full.x is not None else outcome


def _give_way(table: Table, arrays: Arrays, base: Ints, nodes: int) -> tuple[Ints, bool]:
    """As `choose` where no table keeps all margins: as few units as can be beyond limits, then beyond neighbours."""
    count, margins = arrays.cost.size, len(table.margins)
    eye, none = sparse.eye_array(margins), sparse.csr_array((margins, 2 * margins))
    matrix = sparse.vstack(
        [sparse.hstack([arrays.matrix, eye, -eye, none]), sparse.hstack([arrays.matrix, none, eye, -eye])], format="csr"
    )
    low, high = (
        np.concatenate([limit - base, side])
        for limit, side in ((table.sums.least, arrays.row_lower), (table.sums.most, arrays.row_upper))
    )
    size = count + 4 * margins
    costs = np.zeros((3, size))
    costs[0, count : count + 2 * margins] = 1
    costs[1, count + 2 * margins :] = 1
    costs[2, :count] = arrays.cost
    start = np.concatenate([(arrays.cost <= 0).astype(float), np.full(4 * margins, np.nan)])
    upper = np.concatenate([np.ones(count), np.full(4 * margins, np.inf)])
    session = Session(
        Arrays(costs[0], np.zeros(size), upper, np.arange(size) < count, matrix, low, high),
        Options(gap=0.0, absolute_gap=0.99, nodes=nodes),
    )
    x, proven = start, True
    for stage, cost in enumerate(costs):
        if stage:
            # Violations are whole units: half a unit of room leaves no room for more of them.
            session.add_rows(costs[stage - 1].reshape(1, -1), np.array([-np.inf]), np.rint(costs[stage - 1] @ x) + 0.5)
            session.set_cost(np.arange(size), cost)
        if stage == 2:
            session.set_options(Options(gap=1e-6, nodes=nodes))
        outcome = session.run(x)
        if outcome.x is None:
            return np.rint(x[:count]).astype(np.int64), False
        proven &= stage == 2 or outcome.status is Status.OPTIMAL
        x = outcome.x
    return np.rint(x[:count]).astype(np.int64), proven
