"""The PuLP solver plug-in against CBC, and where it must not repeat what pulp.HiGHS does."""

import threading
from itertools import product

import numpy as np
import pulp
import pytest

from optimizer.highs import Options, Status
from optimizer.highs_pulp import HighsArrays, to_arrays

HIGHS = HighsArrays(msg=False)


def cbc(problem):
    solver = pulp.PULP_CBC_CMD(msg=False)
    if not solver.available():
        pytest.skip("needs CBC")
    problem.solve(solver)
    return read(problem)


def highs(problem, solver=HIGHS):
    problem.solve(solver)
    return read(problem)


def read(problem):
    columns, rows = problem.variables(), list(problem.constraints())
    return {
        "status": problem.status,
        "sol_status": problem.sol_status,
        "value": None if problem.objective is None else pulp.value(problem.objective),
        "x": [column.varValue for column in columns],
        "dj": [column.dj for column in columns],
        "pi": [row.pi for row in rows],
        "slack": [row.slack for row in rows],
    }


def random_problem(seed, sense, integer):
    """Rows of all three senses, free and boxed columns, an objective with a constant; one optimum almost surely."""
    rng = np.random.default_rng(seed)
    problem = pulp.LpProblem("random", sense)
    x = [pulp.LpVariable(f"x{number}", -float(rng.integers(0, 6)), float(rng.integers(1, 9))) for number in range(4)]
    x.append(pulp.LpVariable("free"))
    if integer:
        x += [pulp.LpVariable("whole", -3.5, 4.5, pulp.LpInteger), pulp.LpVariable("yes", cat=pulp.LpBinary)]
    weight = rng.normal(size=(6, len(x)))
    middle = rng.normal(size=len(x))
    problem += pulp.lpSum(c * v for c, v in zip(rng.normal(size=len(x)), x, strict=True)) + 7.25
    for number, row in enumerate(weight):
        total, side = pulp.lpSum(c * v for c, v in zip(row, x, strict=True)) + 1.5, float(row @ middle) + 1.5
        if number % 3 == 0:
            problem += total <= side + 1, f"le{number}"
        elif number % 3 == 1:
            problem += total >= side - 1, f"ge{number}"
        elif number == 2:
            problem += total == side, f"eq{number}"
        else:
            problem += x[-1] + total >= x[-1] + side - 2, f"both{number}"
    problem += x[4] <= 20, "free_top"
    problem += x[4] >= -20, "free_bottom"
    return problem


@pytest.mark.parametrize(("seed", "sense"), [*product(range(6), (1, -1))])
def test_linear_problems_agree_with_cbc(seed, sense):
    ours, theirs = highs(random_problem(seed, sense, False)), cbc(random_problem(seed, sense, False))
    assert ours["status"] == theirs["status"]
    if ours["status"] == pulp.LpStatusOptimal:
        for key in ("value", "x", "dj", "pi", "slack"):
            assert ours[key] == pytest.approx(theirs[key], abs=1e-5), key


@pytest.mark.parametrize(("seed", "sense"), [*product(range(6), (1, -1))])
def test_integer_problems_agree_with_cbc(seed, sense):
    problem = random_problem(seed, sense, True)
    ours, theirs = highs(problem), cbc(random_problem(seed, sense, True))
    assert ours["status"] == theirs["status"]
    if ours["status"] == pulp.LpStatusOptimal:
        assert ours["value"] == pytest.approx(theirs["value"], abs=1e-4)
        assert all(dual is None for dual in ours["pi"] + ours["dj"])
        assert all(float(v.varValue).is_integer() for v in problem.variables() if v.cat == pulp.LpInteger)
        assert problem.valid(1e-6)


def test_outcome_in_the_sense_of_the_problem():
    x = pulp.LpVariable("x", 0, 10)
    problem = pulp.LpProblem("max", pulp.LpMaximize)
    problem += 3 * x + 5
    problem += 2 * x <= 8, "limit"
    assert problem.solve(HIGHS) == pulp.LpStatusOptimal
    assert (problem.outcome.value, problem.outcome.bound, problem.outcome.gap) == (17, 17, 0)
    assert problem.constraints()[0].pi == 1.5
    assert problem.outcome.row_dual.tolist() == [1.5]


@pytest.mark.parametrize("cat", [pulp.LpContinuous, pulp.LpInteger])
def test_infeasible_and_unbounded(cat):
    x, y = pulp.LpVariable("x", 0, cat=cat), pulp.LpVariable("y", 0, cat=cat)
    problem = pulp.LpProblem("infeasible")
    problem += x
    problem += x >= 3
    problem += x <= 2
    problem += y >= 0
    ours = highs(problem)
    assert (ours["status"], ours["sol_status"]) == (pulp.LpStatusInfeasible, pulp.LpSolutionInfeasible)
    assert ours["x"] == [None, None]
    problem = pulp.LpProblem("unbounded", pulp.LpMaximize)
    problem += x + y
    problem += x - y <= 3
    ours = highs(problem)
    assert (ours["status"], ours["sol_status"]) == (pulp.LpStatusUnbounded, pulp.LpSolutionUnbounded)
    assert problem.outcome.bound == np.inf


def test_no_objective_constant_objective_and_no_rows():
    x = pulp.LpVariable("x", 2, 5)
    problem = pulp.LpProblem("none")
    problem += x >= 3
    assert problem.solve(HIGHS) == pulp.LpStatusOptimal
    assert problem.objective is None
    assert 3 <= x.varValue <= 5
    problem.setObjective(pulp.LpAffineExpression(constant=4))
    assert problem.solve(HIGHS) == pulp.LpStatusOptimal
    assert problem.outcome.value == 4
    problem = pulp.LpProblem("no_rows", pulp.LpMaximize)
    problem += 2 * x
    assert problem.solve(HIGHS) == pulp.LpStatusOptimal
    assert x.varValue == 5


def market_split(size=60, rows=12):
    rng = np.random.default_rng(1)
    problem = pulp.LpProblem("split", pulp.LpMaximize)
    x = [pulp.LpVariable(f"x{number}", cat=pulp.LpBinary) for number in range(size)]
    problem += x[0]
    for weights in rng.integers(1, 100, (rows, size)):
        problem += pulp.lpSum(int(w) * v for w, v in zip(weights, x, strict=True)) == int(weights.sum() // 2)
    return problem


def knapsacks(size=100, rows=20):
    rng = np.random.default_rng(2)
    problem = pulp.LpProblem("knapsacks", pulp.LpMaximize)
    x = [pulp.LpVariable(f"x{number}", cat=pulp.LpBinary) for number in range(size)]
    problem += pulp.lpSum(int(w) * v for w, v in zip(rng.integers(20, 60, size), x, strict=True)) + 11
    for weights in rng.integers(5, 100, (rows, size)):
        problem += pulp.lpSum(int(w) * v for w, v in zip(weights, x, strict=True)) <= int(weights.sum() // 2)
    return problem


def test_stopped_without_a_plan_is_not_optimal_and_has_no_values():
    problem = market_split()
    ours = highs(problem, HighsArrays(msg=False, timeLimit=0.3))
    assert (ours["status"], ours["sol_status"]) == (pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound)
    assert set(ours["x"]) == {None}
    assert problem.outcome.stopped == "time"


def test_stopped_with_a_plan_is_not_optimal_and_says_its_gap():
    problem = knapsacks()
    ours = highs(problem, HighsArrays(msg=False, maxNodes=2))
    assert (ours["status"], ours["sol_status"]) == (pulp.LpStatusNotSolved, pulp.LpSolutionIntegerFeasible)
    assert problem.valid(1e-9)
    assert problem.outcome.status is Status.FEASIBLE
    assert problem.outcome.value == pytest.approx(ours["value"])
    assert problem.outcome.bound > problem.outcome.value
    assert problem.outcome.gap > 0


def test_interrupt():
    stop = threading.Event()
    stop.set()
    problem = market_split()
    assert problem.solve(HighsArrays(msg=False, stop=stop)) == pulp.LpStatusNotSolved
    assert problem.outcome.stopped == "interrupt"


def test_gap_is_optimal_within_it_and_options_are_checked():
    problem = knapsacks()
    assert problem.solve(HighsArrays(msg=False, gapRel=0.2)) == pulp.LpStatusOptimal
    assert problem.outcome.gap <= 0.2
    with pytest.raises(ValueError, match="mip_gap"):
        problem.solve(HighsArrays(msg=False, mip_gap=0.2))
    solver = HighsArrays(msg=False, gapRel=0.2, random_seed=5, search=Options(gap=0.5, threads=2)).copy()
    assert solver.search == Options(gap=0.2, threads=2, seed=5)
    assert problem.solve(solver) == pulp.LpStatusOptimal


def test_highs_names_of_what_pulp_has_names_for():
    solver = HighsArrays(
        msg=False, presolve="off", run_crossover="on", time_limit=9, mip_rel_gap=0.3, mip_heuristic_effort=0.1
    )
    assert solver.search == Options(presolve=False, time_limit_seconds=9, gap=0.3, extra={"mip_heuristic_effort": 0.1})


def test_warm_start_from_the_variables():
    problem = knapsacks()
    problem.solve(HighsArrays(msg=False, maxNodes=5))
    before = problem.outcome.value
    bare = {"maxNodes": 0, "mip_heuristic_effort": 0.0, "presolve": "off"}
    problem.solve(HighsArrays(msg=False, warmStart=True, **bare))
    assert problem.outcome.value >= before - 1e-9
    for number, variable in enumerate(problem.variables()):
        variable.varValue = variable.varValue if number % 2 else None
    problem.solve(HighsArrays(msg=False, warmStart=True, **bare))
    assert problem.outcome.has_plan


def test_threads_may_change():
    problem = knapsacks(20, 4)
    values = set()
    for threads in (1, 2, 1):
        assert problem.solve(HighsArrays(msg=False, threads=threads)) == pulp.LpStatusOptimal
        values.add(problem.outcome.value)
    assert len(values) == 1


def test_relaxation():
    x = pulp.LpVariable("x", 0, 9, pulp.LpInteger)
    problem = pulp.LpProblem("relaxed", pulp.LpMaximize)
    problem += x
    problem += 2 * x <= 7
    problem.solve(HighsArrays(msg=False, mip=False))
    assert x.varValue == 3.5
    assert problem.constraints()[0].pi == 0.5


def test_arrays_of_a_problem():
    x, y, z = pulp.LpVariable("x", None, 4), pulp.LpVariable("y", 1, cat=pulp.LpInteger), pulp.LpVariable("z", 0)
    problem = pulp.LpProblem("arrays", pulp.LpMaximize)
    problem += 2 * y + 3
    problem += x + 2 * y - 1 <= 5, "first"
    problem += 4 * x == 8 + z, "second"
    labelled = to_arrays(problem)
    assert [column.name for column in labelled.columns] == ["y", "x", "z"]
    assert [row.name for row in labelled.rows] == ["first", "second"]
    arrays = labelled.arrays
    assert arrays.cost.tolist() == [-2, 0, 0]
    assert (arrays.offset, labelled.sense) == (-3, -1)
    assert arrays.lower.tolist() == [1, -np.inf, 0]
    assert arrays.upper.tolist() == [np.inf, 4, np.inf]
    assert arrays.integer.tolist() == [True, False, False]
    assert arrays.matrix.toarray().tolist() == [[2, 1, 0], [0, 4, -1]]
    assert arrays.row_lower.tolist() == [-np.inf, 8]
    assert arrays.row_upper.tolist() == [6, 8]


def test_names_that_collide_and_special_ordered_sets_are_refused():
    problem = pulp.LpProblem("names")
    first, second = pulp.LpVariable("a-b", 0), pulp.LpVariable("a+b", 0)  # PuLP calls both a_b
    problem += first + second
    with pytest.raises(pulp.PulpSolverError, match="a_b"):
        problem.solve(HIGHS)
    problem = pulp.LpProblem("sets")
    problem += first
    problem.sos1["s"] = {first: 1}
    with pytest.raises(pulp.PulpSolverError, match="ordered sets"):
        problem.solve(HIGHS)
