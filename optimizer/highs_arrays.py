"""What goes into HiGHS and what comes out: arrays, options, progress, outcome.

Always minimised: ``cost @ x + offset`` subject to ``row_lower <= matrix @ x <= row_upper``,
``lower <= x <= upper`` and ``x[integer]`` whole. To maximise, pass ``-cost`` and ``-offset`` and turn the signs of
value, bound, duals and reduced costs (``optimizer.highs_pulp`` does so).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Mapping

Floats = npt.NDArray[np.float64]
Stopped = Literal["", "time", "interrupt", "nodes", "other"]

SNAP = 1e-5
"""Largest distance of an integer column from a whole number that is rounded away; beyond it is an error."""

_INF = float("inf")


class SolverError(RuntimeError):
    """HiGHS gave back an answer that is not one (the message says which)."""


class Status(StrEnum):
    """What is known after a solve."""

    OPTIMAL = "optimal"  #: within the gap asked for
    FEASIBLE = "feasible"  #: stopped with a plan
    INFEASIBLE = "infeasible"  #: proven: no plan (with a cutoff: none below it)
    UNBOUNDED = "unbounded"
    NO_PLAN = "no_plan"  #: stopped without a plan
    ERROR = "error"


@dataclass(frozen=True, eq=False)
class Arrays:
    """A mixed-integer linear programme as arrays (n columns, m rows); minimised. No bound: ``np.inf``."""

    cost: Floats  #: (n,)
    lower: Floats  #: (n,)
    upper: Floats  #: (n,)
    integer: npt.NDArray[np.bool_]  #: (n,)
    matrix: Any  #: (m, n) scipy sparse, CSR or CSC (others are converted)
    row_lower: Floats  #: (m,)
    row_upper: Floats  #: (m,)
    offset: float = 0.0

    def check(self) -> None:
        """Raise ``ValueError`` naming the array whose shape or content cannot be meant."""
        rows, columns = self.matrix.shape
        sizes = {"cost": columns, "lower": columns, "upper": columns, "integer": columns}
        for name, size in {**sizes, "row_lower": rows, "row_upper": rows}.items():
            array = np.asarray(getattr(self, name))
            if array.shape != (size,):
                raise ValueError(f"{name} has shape {array.shape}, expected ({size},)")
            if array.dtype.kind == "f" and np.isnan(array).any():
                raise ValueError(f"{name}[{int(np.isnan(array).argmax())}] is not a number")
        for name, array in (("cost", self.cost), ("matrix", self.matrix.data), ("offset", np.array([self.offset]))):
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has a value that is not finite")
        for name, array, wrong in (
            ("lower", self.lower, _INF), ("row_lower", self.row_lower, _INF),
            ("upper", self.upper, -_INF), ("row_upper", self.row_upper, -_INF),
        ):  # fmt: skip
            if (array == wrong).any():
                raise ValueError(f"{name}[{int((array == wrong).argmax())}] is {wrong}")

    def value(self, x: Floats) -> float:
        """Objective of ``x``, offset included."""
        return float(self.cost @ x + self.offset)

    def violation(self, x: Floats) -> float:
        """Largest breach of a row or a bound by ``x`` (0 if none), each relative to ``1 + |side|``."""
        return max(_breach(self.matrix @ x, self.row_lower, self.row_upper), _breach(x, self.lower, self.upper))

    def dual_bound(self, row_dual: Floats, *, tolerance: float = 1e-7) -> float:
        """Proven lower bound on the value of every plan, from any row duals (weak duality; offset included).

        Reduced costs up to ``tolerance`` against an infinite bound count as zero; larger ones make it ``-inf``.
        """
        y = np.asarray(row_dual, float)
        rows = _least(y, self.row_lower, self.row_upper, tolerance)
        columns = _least(self.cost - self.matrix.T @ y, self.lower, self.upper, tolerance)
        return self.offset + rows + columns


def _breach(values: Floats, lower: Floats, upper: Floats) -> float:
    if not values.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        below = np.where(np.isfinite(lower), (lower - values) / (1 + np.abs(lower)), 0.0)
        above = np.where(np.isfinite(upper), (values - upper) / (1 + np.abs(upper)), 0.0)
    return float(max(below.max(), above.max(), 0.0))


def _least(weight: Floats, lower: Floats, upper: Floats, tolerance: float) -> float:
    """Minimum of ``weight @ v`` over ``lower <= v <= upper``."""
    side = np.where(weight > 0, lower, upper)
    open_side = ~np.isfinite(side)
    if (np.abs(weight[open_side]) > tolerance).any():
        return -_INF
    return float(weight[~open_side] @ side[~open_side])


@dataclass(frozen=True)
class Options:
    """How to search.

    ``extra`` goes to HiGHS by name: https://ergo-code.github.io/HiGHS/dev/options/definitions/
    """

    gap: float = 1e-4  #: relative gap at which the search ends
    absolute_gap: float = 1e-6
    time_limit_seconds: float = _INF  #: of each run
    nodes: int | None = None
    threads: int = 1  #: 0 lets HiGHS choose (then two machines may find two plans)
    seed: int = 0
    solver: str = "choose"  #: simplex | ipm | pdlp | hipdlp | hipo (where built in) | choose
    crossover: bool = True
    presolve: bool = True
    log: bool = False  #: HiGHS's log on stderr
    objective_target: float | None = None  #: stop at a plan this good
    cutoff: float | None = None  #: only plans below this value are looked for
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Where a running search stands. ``incumbent`` is None before the first plan and throughout an LP."""

    incumbent: float | None
    bound: float
    gap: float
    seconds: float
    nodes: int
    iterations: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a solve gave: ``bound <= value of the best plan there is <= value``."""

    status: Status
    value: float | None
    bound: float
    gap: float  #: (value - bound) / max(|value|, 1e-9), inf without a plan
    seconds: float
    x: Floats | None  #: integers are exact, bounds are kept
    row_dual: Floats | None  #: LP only: change of value per unit of the row's side
    reduced_cost: Floats | None  #: LP only
    nodes: int
    stopped: Stopped
    iterations: int
    violation: float = 0.0  #: of rows by x, relative to 1 + |side|
    message: str = ""  #: HiGHS's own word for how it ended

    @property
    def has_plan(self) -> bool:
        """True if ``x`` may be used."""
        return self.x is not None


def relative_gap(value: float | None, bound: float) -> float:
    """``(value - bound) / max(|value|, 1e-9)``, never negative; ``inf`` without a plan or a bound."""
    if value is None or not np.isfinite(bound):
        return _INF
    return float(max(0.0, value - bound) / max(abs(value), 1e-9))


def within(value: float | None, bound: float, options: Options) -> bool:
    """True if the plan is proven to be within the relative or the absolute gap asked for."""
    if value is None:
        return False
    allowed = max(options.gap * abs(value), options.absolute_gap)
    return value - bound <= allowed * (1 + 1e-6) + 1e-9 * abs(value)


def snapped(arrays: Arrays, x: Floats) -> Floats:
    """``x`` with integer columns exactly whole and all bounds kept.

    Raises ``SolverError`` if an integer column is farther than ``SNAP`` from a whole number.
    """
    x = np.clip(x, arrays.lower, arrays.upper)
    whole = np.rint(x[arrays.integer])
    off = np.abs(whole - x[arrays.integer])
    if off.size and off.max() > SNAP:
        column = int(np.flatnonzero(arrays.integer)[off.argmax()])
        raise SolverError(f"column {column} should be whole but is {x[column]!r}")
    x[arrays.integer] = whole + 0.0
    return x


def as_columns(matrix: Any) -> Any:
    """The matrix by columns, duplicates summed, indices in order."""
    columns = sparse.csc_matrix(matrix)
    columns.sum_duplicates()
    return columns
