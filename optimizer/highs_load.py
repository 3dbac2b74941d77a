"""Arrays, options and a start put into a HiGHS object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import highspy
import numpy as np

if TYPE_CHECKING:
    from optimizer.highs_arrays import Arrays, Floats, Options

FIELDS = {
    "mip_rel_gap": "gap",
    "mip_abs_gap": "absolute_gap",
    "time_limit": "time_limit_seconds",
    "mip_max_nodes": "nodes",
    "threads": "threads",
    "random_seed": "seed",
    "solver": "solver",
    "run_crossover": "crossover",
    "presolve": "presolve",
    "output_flag": "log",
    "log_to_console": "log",
    "objective_target": "objective_target",
    "objective_bound": "cutoff",
}
"""HiGHS's options that fields of Options stand for."""

_INF = float("inf")


def accept(status: Any, what: str) -> None:
    """Raise ``ValueError`` if HiGHS refused ``what``."""
    if status == highspy.HighsStatus.kError:
        raise ValueError(f"HiGHS does not take {what}")


def new_highs() -> Any:
    """A quiet HiGHS object.

    HiGHS 1.16 prints a banner on descriptor 1 at the first call of a process that logs; ``highspy.Highs()`` makes
    such a call before options can be set, its base class does not.
    """
    highs = highspy._Highs()  # type: ignore[attr-defined]  # noqa: SLF001
    highs.setOptionValue("output_flag", False)
    return highs


def pass_model(highs: Any, arrays: Arrays) -> None:
    """Hand the arrays over (the matrix must be CSC): in one call, as fields of a HighsLp they are copied one by one."""
    rows, columns = arrays.matrix.shape
    status = highs.passModel(
        columns,
        rows,
        arrays.matrix.nnz,
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        float(arrays.offset),
        np.asarray(arrays.cost, float),
        np.asarray(arrays.lower, float),
        np.asarray(arrays.upper, float),
        np.asarray(arrays.row_lower, float),
        np.asarray(arrays.row_upper, float),
        arrays.matrix.indptr.astype(np.int32),
        arrays.matrix.indices.astype(np.int32),
        arrays.matrix.data.astype(float),
        arrays.integer.astype(np.int32),
    )
    accept(status, "the model")


def set_options(highs: Any, options: Options) -> None:
    """Options of the next runs; raises ``ValueError`` naming one that HiGHS does not take."""
    defaults = highspy.HighsOptions()
    defaults.output_flag = defaults.log_to_console = False
    highs.passOptions(defaults)  # resetOptions would print the banner
    for name in options.extra:
        if name in FIELDS:
            raise ValueError(f"HiGHS option {name!r} is set by Options.{FIELDS[name]}")
    chosen: dict[str, object] = {
        "output_flag": options.log,
        "mip_rel_gap": options.gap,
        "mip_abs_gap": options.absolute_gap,
        "mip_max_nodes": 2**31 - 1 if options.nodes is None else options.nodes,
        "threads": options.threads,
        "random_seed": options.seed,
        "solver": options.solver,
        "run_crossover": "on" if options.crossover else "off",
        "presolve": "choose" if options.presolve else "off",
        "objective_target": -_INF if options.objective_target is None else options.objective_target,
        "objective_bound": _INF if options.cutoff is None else options.cutoff,
    }
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


def set_time_limit(highs: Any, seconds: float) -> None:
    """HiGHS counts the time of all runs of one object; the limit here is of the next run."""
    highs.setOptionValue("time_limit", max(0.0, seconds) + highs.getRunTime())


def set_start(highs: Any, arrays: Arrays, start: Floats) -> None:
    """A plan to start from, NaN where unknown; brought to whole numbers and into the bounds."""
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
