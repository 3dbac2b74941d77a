"""What the bridge to HiGHS costs: against highspy called directly, and against PuLP's own hand-over.

    python -m benchmarks.array_bridge
    python -m benchmarks.array_bridge --clients 400 --sites 100 --repeat 5

The model is the relaxation of a capacitated facility-location problem (clients × sites arcs). Times are CPU seconds of
this process, the least of the repetitions, taken in turn, so that other work on the machine does not decide.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import highspy
import numpy as np
import pulp
from scipy import sparse

from optimizer.highs import Arrays, Options, Session, solve
from optimizer.highs_pulp import to_arrays

ALLOWED = 1.10  # the bridge may take a tenth longer than highspy alone


def location(clients: int, sites: int, seed: int = 1) -> Arrays:
    """A capacitated facility-location problem with fixed costs, relaxed."""
    rng = np.random.default_rng(seed)
    arcs = clients * sites
    number = np.arange(arcs)
    size = rng.uniform(1, 9, clients)
    rows = np.concatenate([number // sites, clients + number, clients + number, clients + arcs + number % sites])
    columns = np.concatenate([number, number, arcs + number % sites, number])
    entries = np.concatenate([np.ones(arcs), np.ones(arcs), -np.ones(arcs), np.repeat(size, sites)])
    places = rng.uniform(0, 1, (clients, 1, 2)), rng.uniform(0, 1, (1, sites, 2))
    distance = np.hypot(*(places[0] - places[1]).transpose(2, 0, 1))
    capacity = np.full(sites, 1.5 * size.sum() / sites)
    return Arrays(
        cost=np.concatenate([(distance * size[:, None]).ravel(), rng.uniform(3, 9, sites)]),
        lower=np.zeros(arcs + sites),
        upper=np.ones(arcs + sites),
        integer=np.zeros(arcs + sites, bool),
        matrix=sparse.csr_matrix((entries, (rows, columns))),
        row_lower=np.concatenate([np.ones(clients), np.full(arcs + sites, -np.inf)]),
        row_upper=np.concatenate([np.full(clients, np.inf), np.zeros(arcs), capacity]),
    )


def direct(arrays: Arrays, *, run: bool = True) -> float:
    """The shortest way to HiGHS: its own objects, no check, no callback. Returns the value."""
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    matrix = arrays.matrix.tocsc()
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = arrays.cost, arrays.lower, arrays.upper
    lp.row_lower_, lp.row_upper_ = arrays.row_lower, arrays.row_upper
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    highs.passModel(lp)
    if run:
        highs.run()
        solution = highs.getSolution()
        np.array(solution.col_value)
        np.array(solution.row_dual)
    return float(highs.getObjectiveValue())


def modelled(arrays: Arrays) -> pulp.LpProblem:
    """The same model written in PuLP."""
    x = [pulp.LpVariable(f"x{number}", 0, 1) for number in range(arrays.cost.size)]
    problem = pulp.LpProblem("location")
    problem.setObjective(pulp.LpAffineExpression(zip(x, arrays.cost.tolist(), strict=True)))
    matrix = arrays.matrix.tocsr()
    for row in range(matrix.shape[0]):
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        terms = pulp.LpAffineExpression(
            (x[column], value)
            for column, value in zip(matrix.indices[part].tolist(), matrix.data[part].tolist(), strict=True)
        )
        at_least = np.isfinite(arrays.row_lower[row])
        side = float(arrays.row_lower[row] if at_least else arrays.row_upper[row])
        sense = pulp.LpConstraintGE if at_least else pulp.LpConstraintLE
        problem.addConstraint(pulp.LpConstraint(terms, sense, f"r{row}", side))
    return problem


def pulp_hands_over(problem: pulp.LpProblem) -> None:
    """What pulp.HiGHS does before it solves."""
    solver = pulp.HiGHS(msg=False)
    solver.createAndConfigureSolver(problem)
    solver.buildSolverModel(problem)


def least(tasks: dict[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Least CPU seconds of each task, the tasks taken in turn."""
    best = dict.fromkeys(tasks, float("inf"))
    for _ in range(repeat):
        for name, task in tasks.items():
            began = time.process_time()
            task()
            best[name] = min(best[name], time.process_time() - began)
    return best


def warm(arrays: Arrays) -> tuple[float, float]:
    """CPU seconds of a first run and of one after all costs moved by up to 2 %."""
    rng = np.random.default_rng(2)
    session = Session(arrays, Options(solver="simplex"))
    began = time.process_time()
    session.run()
    first = time.process_time() - began
    session.set_cost(np.arange(arrays.cost.size), arrays.cost * rng.uniform(0.98, 1.02, arrays.cost.size))
    began = time.process_time()
    session.run()
    return first, time.process_time() - began


def main() -> int:
    """Measure and print; 1 if the bridge is slower than allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=250)
    parser.add_argument("--sites", type=int, default=60)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    arrays = location(given.clients, given.sites)
    rows, columns = arrays.matrix.shape
    print(f"{columns:,} columns, {rows:,} rows, {arrays.matrix.nnz:,} non-zeros; CPU seconds, least of {given.repeat}")
    problem = modelled(arrays)
    assert abs(solve(arrays).value - direct(arrays)) < 1e-6  # type: ignore[operator]
    assert (to_arrays(problem).arrays.matrix != arrays.matrix).nnz == 0
    times = least(
        {
            "highspy, solve": lambda: direct(arrays),
            "allot, solve": lambda: solve(arrays),
            "allot, solve with progress": lambda: solve(arrays, on_progress=lambda _: None),
            "highspy, hand over": lambda: direct(arrays, run=False),
            "allot, hand over": lambda: Session(replace(arrays)),
            "pulp.HiGHS, hand over": lambda: pulp_hands_over(problem),
            "allot, PuLP to arrays": lambda: to_arrays(problem),
        },
        given.repeat,
    )
    for name, seconds in times.items():
        print(f"  {name:28} {seconds:8.3f}")
    first, again = warm(arrays)
    print(f"  {'a session, first run':28} {first:8.3f}\n  {'  after costs moved by 2 %':28} {again:8.3f}")
    ratio = times["allot, solve"] / times["highspy, solve"]
    print(f"allot takes {ratio:.3f} times as long as highspy (at most {ALLOWED})")
    return 0 if ratio <= ALLOWED else 1


if __name__ == "__main__":
    raise SystemExit(main())
