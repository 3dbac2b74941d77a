"""The one place where HiGHS is called: whole arrays in, an honest outcome out.

``solve`` is one call; ``Session`` keeps the model loaded between calls (the basis is kept, so that an LP is re-solved
from where it stood). The status is derived from what is proven: a stopped search is ``feasible`` or ``no_plan``,
never ``optimal``. What HiGHS does behind this, measured: ``docs/highs-bridge.md``.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

from optimizer import highs_load as load
from optimizer.highs_arrays import (
    SNAP,
    Arrays,
    Floats,
    Options,
    Outcome,
    Progress,
    SolverError,
    Status,
    Stopped,
    as_columns,
    relative_gap,
    snapped,
    within,
)
from optimizer.highs_watch import Watch, run

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

__all__ = ["SNAP", "Arrays", "Options", "Outcome", "Progress", "Session", "SolverError", "Status", "solve"]

Indices = npt.NDArray[np.integer[Any]]

_FEASIBLE = 1e-6
_INF = float("inf")
_Model = highspy.HighsModelStatus
_STOPPED: dict[Any, Stopped] = {
    _Model.kTimeLimit: "time",
    _Model.kInterrupt: "interrupt",
    _Model.kSolutionLimit: "nodes",
    _Model.kOptimal: "",
    _Model.kModelEmpty: "",
    _Model.kInfeasible: "",
    _Model.kUnbounded: "",
}


def solve(
    arrays: Arrays,
    options: Options = Options(),  # noqa: B008 (frozen)
    *,
    start: Floats | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Minimise ``arrays`` with HiGHS.

    ``start`` (n,) is a plan to start from (integer models only; NaN where unknown). ``on_progress`` is called about
    twice a second and at each better plan, from a helper thread, never twice at once; an exception in it stops
    the search and is raised here. Setting ``stop`` ends the search early with what is known then.

    Raises ``ValueError`` for arrays or options that cannot be meant, ``SolverError`` if HiGHS returns nonsense.
    """
    return Session(arrays, options).run(start, on_progress=on_progress, stop=stop)


class Session:
    """A model kept loaded in HiGHS, to be changed a little and solved again. Not for two threads at once."""

    def __init__(self, arrays: Arrays, options: Options = Options()) -> None:  # noqa: B008 (frozen)
        arrays.check()
        self._arrays = replace(
            arrays,
            cost=np.array(arrays.cost, float),
            lower=np.array(arrays.lower, float),
            upper=np.array(arrays.upper, float),
            integer=np.array(arrays.integer, bool),
            row_lower=np.array(arrays.row_lower, float),
            row_upper=np.array(arrays.row_upper, float),
            matrix=as_columns(arrays.matrix),
        )
        self._mip = bool(self._arrays.integer.any())
        self._added: list[Any] = []
        self._highs = load.new_highs()
        load.pass_model(self._highs, self._arrays)
        self.set_options(options)

    @property
    def arrays(self) -> Arrays:
        """The model as it stands now."""
        if self._added:
            self._arrays = replace(self._arrays, matrix=as_columns(sparse.vstack([self._arrays.matrix, *self._added])))
            self._added = []
        return self._arrays

    def set_options(self, options: Options) -> None:
        """Use other options from the next run on. Raises ``ValueError`` naming an option HiGHS does not take."""
        load.set_options(self._highs, options)
        self._options = options

    def set_cost(self, columns: Indices, cost: Floats) -> None:
        """Give columns a new cost."""
        index = np.asarray(columns, np.int32)
        self._arrays.cost[index] = cost
        load.accept(self._highs.changeColsCost(index.size, index, self._arrays.cost[index]), "the cost")

    def set_bounds(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """Give columns new bounds."""
        index = np.asarray(columns, np.int32)
        self._arrays.lower[index], self._arrays.upper[index] = lower, upper
        bounds = self._arrays.lower[index], self._arrays.upper[index]
        load.accept(self._highs.changeColsBounds(index.size, index, *bounds), "the bounds")

    def set_row_bounds(self, rows: Indices, lower: Floats, upper: Floats) -> None:
        """Give rows new sides."""
        index = np.asarray(rows, np.int32)
        self._arrays.row_lower[index], self._arrays.row_upper[index] = lower, upper
        sides = self._arrays.row_lower[index], self._arrays.row_upper[index]
        load.accept(self._highs.changeRowsBounds(index.size, index, *sides), "the sides of rows")

    def add_rows(self, matrix: Any, lower: Floats, upper: Floats) -> Indices:
        """Append rows (k, n) with their sides (k,); returns their numbers."""
        rows = sparse.csr_matrix(matrix)
        rows.sum_duplicates()
        first, count = self._arrays.row_lower.size, rows.shape[0]
        low, high = np.broadcast_to(lower, count).astype(float), np.broadcast_to(upper, count).astype(float)
        starts = rows.indptr[:-1].astype(np.int32)
        indices, values = rows.indices.astype(np.int32), rows.data.astype(float)
        load.accept(self._highs.addRows(count, low, high, rows.nnz, starts, indices, values), "the rows")
        self._arrays = replace(
            self._arrays,
            row_lower=np.concatenate([self._arrays.row_lower, low]),
            row_upper=np.concatenate([self._arrays.row_upper, high]),
        )
        self._added.append(rows)
        return np.arange(first, first + count)

    def delete_rows(self, rows: Indices) -> None:
        """Leave rows out; those behind them move up. Where none of them binds, the next run needs no step."""
        index, arrays = np.asarray(rows, np.int32), self.arrays
        load.accept(self._highs.deleteRows(index.size, index), "that rows are left out")
        keep = np.delete(np.arange(arrays.row_lower.size), index)
        self._arrays = replace(
            arrays,
            matrix=as_columns(arrays.matrix.tocsr()[keep]),
            row_lower=arrays.row_lower[keep],
            row_upper=arrays.row_upper[keep],
        )

    def basis(self) -> Any:
        """The basis of an LP as the last run left it, for ``set_basis`` while there are as many columns and rows."""
        return self._highs.getBasis()

    def set_basis(self, basis: Any) -> None:
        """Let the next run of an LP begin at a basis that ``basis`` gave."""
        load.accept(self._highs.setBasis(basis), "the basis")

    def forget(self) -> None:
        """Solve afresh next time: after new rows that change a lot, presolve saves more than the last basis."""
        load.accept(self._highs.clearSolver(), "that it is to begin afresh")

    def run(
        self,
        start: Floats | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Outcome:
        """Solve the model as it stands (see ``solve``); an LP goes on from the last basis."""
        began = time.perf_counter()
        if not self._arrays.cost.size:
            return _nothing_to_decide(self.arrays)
        if start is not None and self._mip:
            load.set_start(self._highs, self._arrays, start)
        outcome = self._search(began, on_progress, stop)
        value = outcome.value
        if start is None or not self._mip or value is None or outcome.status is Status.OPTIMAL or outcome.stopped:
            return outcome
        # HiGHS called the start the best plan, at a value it has not: its presolve had lost count. Without a start:
        self.forget()
        again = self._search(began, on_progress, stop)
        x = outcome.x
        if again.value is not None and again.value <= value:
            value, x = again.value, again.x
        bound = min(value, max(outcome.bound, again.bound))
        proven = Status.OPTIMAL if within(value, bound, self._options) else Status.FEASIBLE
        return replace(again, status=proven, value=value, bound=bound, gap=relative_gap(value, bound), x=x)

    def _search(
        self, began: float, on_progress: Callable[[Progress], None] | None, stop: threading.Event | None
    ) -> Outcome:
        left = self._options.time_limit_seconds - (time.perf_counter() - began)
        load.set_time_limit(self._highs, max(0.0, left))
        watch = Watch(self._highs, self._options.log, on_progress, stop, began)
        ran = run(self._highs, self._options.threads, watch)
        return self._outcome(ran, time.perf_counter() - began)

    def _outcome(self, ran: Any, seconds: float) -> Outcome:
        highs, arrays, info = self._highs, self.arrays, self._highs.getInfo()
        model = highs.getModelStatus()
        if model == _Model.kUnboundedOrInfeasible or (model == _Model.kUnbounded and self._mip):
            model = self._unbounded_or_infeasible()
        x, duals, costs, violation = self._solution(info)
        if model in (_Model.kInfeasible, _Model.kUnbounded):
            x = duals = costs = None
        value = None if x is None else arrays.value(x)
        bound = self._bound(model, info, value, duals)
        status = self._status(model, ran, value, bound)
        return Outcome(
            status=status,
            value=value,
            bound=bound,
            gap=relative_gap(value, bound),
            seconds=seconds,
            x=x,
            row_dual=duals,
            reduced_cost=costs,
            nodes=max(0, int(info.mip_node_count)),
            stopped=_STOPPED.get(model, "other"),
            iterations=_iterations(info),
            violation=violation,
            message=str(highs.modelStatusToString(model)),
        )

    def _bound(self, model: Any, info: Any, value: float | None, duals: Floats | None) -> float:
        """What is proven: HiGHS's bound of a search; of an LP the optimal basis or, without one, weak duality."""
        if model == _Model.kInfeasible:
            return _INF if self._options.cutoff is None else self._options.cutoff
        if model == _Model.kUnbounded:
            return -_INF
        if self._mip:
            bound = float(info.mip_dual_bound)
            if self._options.cutoff is not None and bound < highspy.kHighsInf:
                bound = min(bound, self._options.cutoff)  # HiGHS may say more, but plans above it were not looked at
        elif model == _Model.kOptimal and info.basis_validity == highspy.kBasisValidityValid and value is not None:
            bound = value
        else:
            bound = -_INF if duals is None else self.arrays.dual_bound(duals)
            if model == _Model.kOptimal and bound == -_INF:  # a reduced cost a little on the wrong side
                bound = self.arrays.dual_bound(duals, tolerance=_INF) if duals is not None else bound
        if math.isnan(bound) or bound >= highspy.kHighsInf:
            return -_INF
        return bound if value is None else min(bound, value)

    def _status(self, model: Any, ran: Any, value: float | None, bound: float) -> Status:
        if model == _Model.kInfeasible:
            return Status.INFEASIBLE
        if model == _Model.kUnbounded:
            return Status.UNBOUNDED
        if within(value, bound, self._options) or (value is not None and not self._mip and model == _Model.kOptimal):
            return Status.OPTIMAL
        if value is not None:
            return Status.FEASIBLE
        return Status.ERROR if ran == highspy.HighsStatus.kError else Status.NO_PLAN

    def _solution(self, info: Any) -> tuple[Floats | None, Floats | None, Floats | None, float]:
        """Values (None if they are no plan), row duals, reduced costs (None for integer models), breach."""
        solution, arrays = self._highs.getSolution(), self._arrays
        duals = costs = None
        if not self._mip and solution.dual_valid:
            duals, costs = np.array(solution.row_dual, float), np.array(solution.col_dual, float)
        if not solution.value_valid or (self._mip and info.primal_solution_status != highspy.kSolutionStatusFeasible):
            return None, duals, costs, 0.0
        x = np.array(solution.col_value, float)
        if not np.isfinite(x).all():
            return None, duals, costs, 0.0
        x = snapped(arrays, x)
        violation = self.arrays.violation(x)
        if info.primal_solution_status != highspy.kSolutionStatusFeasible and violation > _FEASIBLE:
            return None, duals, costs, violation
        return x, duals, costs, violation

    def _unbounded_or_infeasible(self) -> Any:
        """HiGHS could not tell which: there is a plan at zero cost, or there is none."""
        zero = replace(self.arrays, cost=np.zeros_like(self._arrays.cost), offset=0.0)
        limits = replace(self._options, objective_target=None, cutoff=None, log=False)
        found = Session(zero, limits).run()
        if found.status is Status.INFEASIBLE:
            return _Model.kInfeasible
        return _Model.kUnbounded if found.x is not None else _Model.kUnknown


def _nothing_to_decide(arrays: Arrays) -> Outcome:
    """The outcome of a model without columns: feasible if every row may be zero."""
    fine = bool((arrays.row_lower <= 0).all() and (arrays.row_upper >= 0).all())
    empty = np.zeros(0)
    status, bound = (Status.OPTIMAL, arrays.offset) if fine else (Status.INFEASIBLE, _INF)
    duals = np.zeros(arrays.row_lower.size) if fine else None
    x = empty if fine else None
    value = arrays.offset if fine else None
    return Outcome(status, value, bound, 0.0 if fine else _INF, 0.0, x, duals, x, 0, "", 0, 0.0, "no columns")


def _iterations(info: Any) -> int:
    counts = (info.simplex_iteration_count, info.ipm_iteration_count, info.pdlp_iteration_count)
    return int(sum(max(0, count) for count in counts))
