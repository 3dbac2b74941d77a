"""The one place where HiGHS is called: whole arrays in, an honest outcome out.

``solve`` is one call; ``Session`` keeps the model loaded between calls (the basis is kept, so that an LP is re-solved
from where it stood). The status is derived from what is proven: a stopped search is ``feasible`` or ``no_plan``,
never ``optimal``. What HiGHS does behind this, measured: ``docs/highs-bridge.md``.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import highspy
import numpy as np
import numpy.typing as npt
from scipy import sparse

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

__all__ = ["SNAP", "Arrays", "Options", "Outcome", "Progress", "Session", "SolverError", "Status", "solve"]

Indices = npt.NDArray[np.integer[Any]]
Watcher = Callable[[Progress], None]

_FEASIBLE = 1e-6
_INF = float("inf")
_HEARTBEAT_SECONDS = 0.4
_thread = threading.local()
_Callback = highspy.cb.HighsCallbackType
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
    on_progress: Watcher | None = None,
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
        self._highs = _new_highs()
        _accept(self._highs.passModel(_model(self._arrays)), "the model")
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
        _set_options(self._highs, options)
        self._options = options

    def set_cost(self, columns: Indices, cost: Floats) -> None:
        """Give columns a new cost."""
        index = np.asarray(columns, np.int32)
        self._arrays.cost[index] = cost
        _accept(self._highs.changeColsCost(index.size, index, self._arrays.cost[index]), "the cost")

    def set_bounds(self, columns: Indices, lower: Floats, upper: Floats) -> None:
        """Give columns new bounds."""
        index = np.asarray(columns, np.int32)
        self._arrays.lower[index], self._arrays.upper[index] = lower, upper
        bounds = self._arrays.lower[index], self._arrays.upper[index]
        _accept(self._highs.changeColsBounds(index.size, index, *bounds), "the bounds")

    def set_row_bounds(self, rows: Indices, lower: Floats, upper: Floats) -> None:
        """Give rows new sides."""
        index = np.asarray(rows, np.int32)
        self._arrays.row_lower[index], self._arrays.row_upper[index] = lower, upper
        sides = self._arrays.row_lower[index], self._arrays.row_upper[index]
        _accept(self._highs.changeRowsBounds(index.size, index, *sides), "the sides of rows")

    def add_rows(self, matrix: Any, lower: Floats, upper: Floats) -> Indices:
        """Append rows (k, n) with their sides (k,); returns their numbers."""
        rows = sparse.csr_matrix(matrix)
        rows.sum_duplicates()
        first, count = self._arrays.row_lower.size, rows.shape[0]
        low, high = np.broadcast_to(lower, count).astype(float), np.broadcast_to(upper, count).astype(float)
        starts = rows.indptr[:-1].astype(np.int32)
        indices, values = rows.indices.astype(np.int32), rows.data.astype(float)
        _accept(self._highs.addRows(count, low, high, rows.nnz, starts, indices, values), "the rows")
        self._arrays = replace(
            self._arrays,
            row_lower=np.concatenate([self._arrays.row_lower, low]),
            row_upper=np.concatenate([self._arrays.row_upper, high]),
        )
        self._added.append(rows)
        return np.arange(first, first + count)

    def run(
        self,
        start: Floats | None = None,
        *,
        on_progress: Watcher | None = None,
        stop: threading.Event | None = None,
    ) -> Outcome:
        """Solve the model as it stands (see ``solve``); an LP goes on from the last basis."""
        began = time.perf_counter()
        if not self._arrays.cost.size:
            return _nothing_to_decide(self.arrays)
        if start is not None and self._mip:
            _set_start(self._highs, self._arrays, start)
        _set_time_limit(self._highs, self._options.time_limit_seconds)
        watch = _Watch(self._highs, self._options.log, on_progress, stop, began)
        ran = _run(self._highs, self._options.threads, watch)
        return self._outcome(ran, time.perf_counter() - began)

    def _outcome(self, ran: Any, seconds: float) -> Outcome:
        highs, arrays, info = self._highs, self.arrays, self._highs.getInfo()
        model = highs.getModelStatus()
        if model == _Model.kUnboundedOrInfeasible or (model == _Model.kUnbounded and self._mip):
            model = self._unbounded_or_infeasible()
        x, duals, costs, violation = self._solution(info)
        if model in (_Model.kInfeasible, _Model.kUnbounded):
            x = None
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


class _Watch:
    """Callbacks of one run: progress from a helper thread, stopping, the log, and exceptions kept for later."""

    def __init__(
        self, highs: Any, log: bool, on_progress: Watcher | None, stop: threading.Event | None, began: float
    ) -> None:
        self._highs, self._log, self._on_progress, self._stop, self._began = highs, log, on_progress, stop, began
        self._state = Progress(None, -_INF, _INF, 0.0, 0, 0)
        self._wake, self._done = threading.Event(), False
        self._failure: BaseException | None = None
        self._helper: threading.Thread | None = None

    def __enter__(self) -> Self:
        kinds = [_Callback.kCallbackLogging] if self._log else []
        in_main = threading.current_thread() is threading.main_thread()
        if in_main or self._on_progress or self._stop:
            kinds += [_Callback.kCallbackMipInterrupt, _Callback.kCallbackSimplexInterrupt]
            kinds += [_Callback.kCallbackIpmInterrupt, _Callback.kCallbackMipImprovingSolution]
        if kinds:
            self._highs.setCallback(self._called, None)
            for kind in kinds:
                self._highs.startCallback(kind)
        if self._on_progress:
            self._helper = threading.Thread(target=self._report, name="highs-progress", daemon=True)
            self._helper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done = True
        self._wake.set()
        if self._helper:
            self._helper.join()
        self._highs.setCallback(None, None)

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _called(self, kind: Any, message: str, out: Any, into: Any, _: object) -> None:
        try:
            kind = int(kind)
            if kind == int(_Callback.kCallbackLogging):
                sys.stderr.write(message)
                return
            if kind in (int(_Callback.kCallbackMipInterrupt), int(_Callback.kCallbackMipImprovingSolution)):
                self._note(out)
            elif self._on_progress:
                self._state = replace(self._state, iterations=max(out.simplex_iteration_count, out.ipm_iteration_count))
            if self._failure is not None or (self._stop is not None and self._stop.is_set()):
                into.user_interrupt = True
        except BaseException as error:
            self._fail(error)
            if into is not None:
                into.user_interrupt = True

    def _fail(self, error: BaseException) -> None:
        """Keep the first exception: HiGHS loses those raised in callbacks."""
        if self._failure is None:
            self._failure = error

    def _note(self, out: Any) -> None:
        best = out.mip_primal_bound if abs(out.mip_primal_bound) < highspy.kHighsInf else None
        better = best is not None and best != self._state.incumbent
        bound = float(out.mip_dual_bound)
        self._state = Progress(best, bound, relative_gap(best, bound), 0.0, max(0, int(out.mip_node_count)), 0)
        if better:
            self._wake.set()

    def _report(self) -> None:
        """Tell where the search stands: now and then, at each better plan and once at the end."""
        last = False
        while self._on_progress and self._failure is None and not last:
            self._wake.wait(_HEARTBEAT_SECONDS)
            self._wake.clear()
            last = self._done
            try:
                self._on_progress(replace(self._state, seconds=time.perf_counter() - self._began))
            except BaseException as error:
                self._fail(error)


def _run(highs: Any, threads: int, watch: _Watch) -> Any:
    """``run`` with the wanted number of threads, whatever number this process used before."""
    if getattr(_thread, "count", None) != threads:
        _reset_scheduler()
        _thread.count = threads
    with watch:
        ran = highs.run()
    watch.raise_failure()
    return ran


def _reset_scheduler() -> None:
    """Forget the worker threads of the calling thread, so that another number of them may be used."""
    reset = getattr(highspy.Highs, "resetThreadScheduler", None) or highspy.Highs.resetGlobalScheduler
    reset(True)


def _new_highs() -> Any:
    """A quiet HiGHS object.

    HiGHS 1.16 prints a banner on descriptor 1 at the first call of a process that logs; ``highspy.Highs()`` makes
    such a call before options can be set, its base class does not.
    """
    highs = highspy._Highs()  # type: ignore[attr-defined]  # noqa: SLF001
    highs.setOptionValue("output_flag", False)
    return highs


def _model(arrays: Arrays) -> Any:
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = arrays.matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = arrays.cost, arrays.lower, arrays.upper
    lp.row_lower_, lp.row_upper_, lp.offset_ = arrays.row_lower, arrays.row_upper, float(arrays.offset)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_ = arrays.matrix.indptr.astype(np.int32)
    lp.a_matrix_.index_ = arrays.matrix.indices.astype(np.int32)
    lp.a_matrix_.value_ = arrays.matrix.data.astype(float)
    if arrays.integer.any():
        kinds = np.array([highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger], object)
        lp.integrality_ = kinds[arrays.integer.astype(int)].tolist()
    return lp


def _set_options(highs: Any, options: Options) -> None:
    defaults = highspy.HighsOptions()
    defaults.output_flag = defaults.log_to_console = False
    highs.passOptions(defaults)  # resetOptions would print the banner
    chosen: dict[str, object] = {
        "output_flag": options.log,
        "log_to_console": False,
        "mip_rel_gap": options.gap,
        "mip_abs_gap": options.absolute_gap,
        "mip_max_nodes": 2**31 - 1 if options.nodes is None else options.nodes,
        "threads": options.threads,
        "random_seed": options.seed,
        "solver": options.solver,
        "run_crossover": "on" if options.crossover else "off",
        "presolve": "choose" if options.presolve else "off",
    }
    if options.objective_target is not None:
        chosen["objective_target"] = options.objective_target
    if options.cutoff is not None:
        chosen["objective_bound"] = options.cutoff
    for name, value in {**chosen, **options.extra}.items():
        _set_option(highs, name, value)


def _set_option(highs: Any, name: str, value: object) -> None:
    status, kind = highs.getOptionType(name)
    if status != highspy.HighsStatus.kOk:
        raise ValueError(f"HiGHS has no option {name!r}")
    wanted: dict[Any, type] = {
        highspy.HighsOptionType.kBool: bool,
        highspy.HighsOptionType.kInt: int,
        highspy.HighsOptionType.kDouble: float,
        highspy.HighsOptionType.kString: str,
    }
    try:
        given = wanted[kind](value)
    except (TypeError, ValueError):
        given = value
    if (type(value) is not bool and given != value) or highs.setOptionValue(name, given) != highspy.HighsStatus.kOk:
        raise ValueError(f"HiGHS does not take {value!r} for its option {name!r}")


def _set_time_limit(highs: Any, seconds: float) -> None:
    """HiGHS counts the time of all runs of one object; the limit here is of the next run."""
    highs.setOptionValue("time_limit", max(0.0, seconds) + highs.getRunTime())


def _set_start(highs: Any, arrays: Arrays, start: Floats) -> None:
    start = np.asarray(start, float)
    if start.shape != arrays.cost.shape:
        raise ValueError(f"start has shape {start.shape}, expected {arrays.cost.shape}")
    known = np.flatnonzero(~np.isnan(start)).astype(np.int32)
    values = np.clip(start[known], arrays.lower[known], arrays.upper[known])
    whole = arrays.integer[known]
    values[whole] = np.rint(values[whole])
    if known.size == start.size:
        solution = highspy.HighsSolution()
        solution.col_value = values.tolist()
        highs.setSolution(solution)
    else:
        highs.setSolution(known.size, known, values)


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


def _accept(status: Any, what: str) -> None:
    if status == highspy.HighsStatus.kError:
        raise ValueError(f"HiGHS does not take {what}")
