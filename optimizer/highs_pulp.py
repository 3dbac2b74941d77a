"""HiGHS for any PuLP problem, handed over as arrays: ``problem.solve(HighsArrays(gapRel=1e-3, msg=False))``.

Unlike ``pulp.HiGHS`` it never calls a stopped search "Optimal", gives duals and reduced costs the signs CBC gives
them when maximising too, knows the objective's constant, refuses unknown options, and leaves the full
:class:`~optimizer.highs_arrays.Outcome` (value, proven bound, gap) in ``problem.outcome``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pulp
from pulp import constants
from scipy import sparse

from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Floats, Options, Outcome, Progress, Status
from optimizer.highs_load import FIELDS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

_STATUS = {
    Status.OPTIMAL: (constants.LpStatusOptimal, constants.LpSolutionOptimal),
    Status.FEASIBLE: (constants.LpStatusNotSolved, constants.LpSolutionIntegerFeasible),
    Status.NO_PLAN: (constants.LpStatusNotSolved, constants.LpSolutionNoSolutionFound),
    Status.INFEASIBLE: (constants.LpStatusInfeasible, constants.LpSolutionInfeasible),
    Status.UNBOUNDED: (constants.LpStatusUnbounded, constants.LpSolutionUnbounded),
    Status.ERROR: (constants.LpStatusUndefined, constants.LpSolutionNoSolutionFound),
}


@dataclass(frozen=True, eq=False)
class Labelled:
    """A PuLP problem as arrays, with the variable of each column and the constraint of each row."""

    arrays: Arrays  #: minimising, whatever the problem's sense
    sense: int  #: 1 minimise, -1 maximise: the problem's objective is ``sense`` times that of the arrays
    columns: list[Any]
    rows: list[Any]


def to_arrays(problem: pulp.LpProblem, *, mip: bool = True) -> Labelled:
    """The problem as arrays; columns in the order in which variables first appear (objective, then constraints).

    Raises ``pulp.PulpSolverError`` for two variables of one name or for special ordered sets, which HiGHS lacks.
    """
    if problem.sos1 or problem.sos2:
        raise pulp.PulpSolverError("HiGHS has no special ordered sets")
    objective = problem.objective if problem.objective is not None else pulp.LpAffineExpression()
    rows = list(problem._constraints.values())  # noqa: SLF001 (the public view warns at every call)
    terms = [row.expr for row in rows]
    columns = _columns(problem, objective, terms)
    index = {id(variable): number for number, variable in enumerate(columns)}
    sense = -1 if problem.sense == constants.LpMaximize else 1
    cost = np.zeros(len(columns))
    cost[_indices(index, objective)] = sense * _floats(objective.values(), len(objective))
    sizes = np.fromiter(map(len, terms), np.int64, len(terms))
    count = int(sizes.sum())
    entries = _floats(chain.from_iterable(term.values() for term in terms), count)
    places = np.fromiter(map(index.__getitem__, map(id, chain.from_iterable(terms))), np.int32, count)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    sides = -_floats((row.constant for row in rows), len(rows))
    senses = np.fromiter((row.sense for row in rows), np.int8, len(rows))
    integer = (variable.cat == constants.LpInteger for variable in columns)
    arrays = Arrays(
        cost=cost,
        lower=_bounds((variable.lowBound for variable in columns), len(columns), -np.inf),
        upper=_bounds((variable.upBound for variable in columns), len(columns), np.inf),
        integer=np.fromiter(integer, bool, len(columns)) & mip,
        matrix=sparse.csr_matrix((entries, places, starts), shape=(len(rows), len(columns))),
        row_lower=np.where(senses >= 0, sides, -np.inf),
        row_upper=np.where(senses <= 0, sides, np.inf),
        offset=sense * float(objective.constant),
    )
    return Labelled(arrays, sense, columns, rows)


def _columns(problem: pulp.LpProblem, objective: Any, terms: list[Any]) -> list[Any]:
    everything = list(chain(objective, chain.from_iterable(terms)))
    found = dict(zip(map(id, everything), everything, strict=True))
    unused = problem._variables  # noqa: SLF001 (variables() goes through every term in Python)
    for variable in sorted(unused, key=lambda variable: variable.name):
        found.setdefault(id(variable), variable)
    names: set[str] = set()
    for variable in found.values():
        if variable.name in names:
            raise pulp.PulpSolverError(f"two variables are called {variable.name!r}")
        names.add(variable.name)
    return list(found.values())


def _indices(index: dict[int, int], variables: Iterable[Any]) -> list[int]:
    return [index[id(variable)] for variable in variables]


def _floats(values: Iterable[Any], count: int) -> Floats:
    return np.fromiter(values, np.float64, count)


def _bounds(values: Iterable[float | None], count: int, missing: float) -> Floats:
    return _floats((missing if value is None else value for value in values), count)


class HighsArrays(pulp.LpSolver):  # type: ignore[misc]
    """PuLP solver plug-in: HiGHS through whole arrays.

    ``gapRel``, ``gapAbs``, ``timeLimit`` (seconds), ``threads``, ``maxNodes``, ``warmStart`` (from the variables'
    values), ``msg`` (HiGHS's log, on stderr) and ``mip=False`` (drop integrality) mean what they mean in PuLP; they
    override ``search``. Other keywords are HiGHS options by name; solving raises ``ValueError`` for an unknown one.

    After ``problem.solve`` a proven plan is ``LpStatusOptimal``; a stopped search is ``LpStatusNotSolved`` with
    ``problem.sol_status`` ``LpSolutionIntegerFeasible`` (values are a plan) or ``LpSolutionNoSolutionFound`` (values
    are None). ``pi`` and ``dj`` are set for LPs only (None otherwise). ``problem.outcome`` holds the rest, in the
    problem's own sense: when maximising, ``bound >= value``.
    """

    name = "HighsArrays"

    def __init__(
        self,
        mip: bool = True,
        msg: bool = True,
        timeLimit: float | None = None,  # noqa: N803
        gapRel: float | None = None,  # noqa: N803
        gapAbs: float | None = None,  # noqa: N803
        threads: int | None = None,
        maxNodes: int | None = None,  # noqa: N803
        warmStart: bool = False,  # noqa: N803
        *,
        search: Options | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
        **extra: object,
    ) -> None:
        super().__init__(mip=mip, msg=msg, timeLimit=timeLimit)
        search = search or Options()
        given: dict[str, Any] = {
            "gap": gapRel,
            "absolute_gap": gapAbs,
            "threads": threads,
            "nodes": maxNodes,
            "time_limit_seconds": timeLimit,
        }
        for name in FIELDS.keys() & extra.keys():  # HiGHS's own name of something Options has
            value = extra.pop(name)
            given[FIELDS[name]] = value not in ("off", False) if name in ("presolve", "run_crossover") else value
        fields = {name: value for name, value in given.items() if value is not None}
        self.search = replace(search, **{"log": bool(msg), "extra": {**search.extra, **extra}, **fields})
        self.warm_start, self.on_progress, self.stop = warmStart, on_progress, stop

    def available(self) -> bool:
        """HiGHS comes with the package."""
        return True

    def copy(self) -> HighsArrays:
        """The same solver once more."""
        return HighsArrays(
            mip=self.mip,
            msg=self.msg,
            timeLimit=self.timeLimit,
            warmStart=self.warm_start,
            search=self.search,
            on_progress=self.on_progress,
            stop=self.stop,
        )

    def actualSolve(self, lp: pulp.LpProblem) -> int:  # noqa: N802
        """Solve ``lp`` and write values, duals, slacks and status into it (called by ``lp.solve``)."""
        labelled = to_arrays(lp, mip=self.mip)
        start = None
        if self.warm_start:
            start = _bounds((variable.varValue for variable in labelled.columns), len(labelled.columns), np.nan)
        outcome = solve(labelled.arrays, self.search, start=start, on_progress=self.on_progress, stop=self.stop)
        _write(labelled, outcome)
        status, solution = _STATUS[outcome.status]
        lp.assignStatus(status, solution)
        lp.outcome = _turned(outcome) if labelled.sense < 0 else outcome
        return int(status)


def _turned(outcome: Outcome) -> Outcome:
    """The outcome of maximising: value, bound, duals and reduced costs with the other sign."""
    return replace(
        outcome,
        value=None if outcome.value is None else -outcome.value,
        bound=-outcome.bound,
        row_dual=None if outcome.row_dual is None else -outcome.row_dual,
        reduced_cost=None if outcome.reduced_cost is None else -outcome.reduced_cost,
    )


def _write(labelled: Labelled, outcome: Outcome) -> None:
    arrays, sense = labelled.arrays, labelled.sense
    nothing_columns, nothing_rows = [None] * len(labelled.columns), [None] * len(labelled.rows)
    values: list[Any] = nothing_columns
    slacks: list[Any] = nothing_rows
    costs: list[Any] = nothing_columns
    duals: list[Any] = nothing_rows
    if outcome.x is not None:
        sides = np.where(np.isfinite(arrays.row_lower), arrays.row_lower, arrays.row_upper)
        values = outcome.x.tolist()
        slacks = (sides - arrays.matrix @ outcome.x).tolist()
        if outcome.reduced_cost is not None and outcome.row_dual is not None:
            costs = (sense * outcome.reduced_cost).tolist()
            duals = (sense * outcome.row_dual).tolist()
    for variable, value, cost in zip(labelled.columns, values, costs, strict=True):
        variable.varValue, variable.dj, variable.modified = value, cost, False
    for row, slack, dual in zip(labelled.rows, slacks, duals, strict=True):
        row.slack, row.pi, row.modified = slack, dual, False
