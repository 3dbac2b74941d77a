"""HiGHS by arrays: honest outcomes, options, stopping, threads, sessions."""

import _thread
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import types
import weakref
from itertools import pairwise

import highspy
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import LinearConstraint, milp

from optimizer.highs import Arrays, Options, Session, SolverError, Status, solve
from optimizer.highs_arrays import snapped

INF = np.inf


def make(cost, matrix, row_lower, row_upper, lower=0.0, upper=INF, integer=False, offset=0.0):
    cost = np.asarray(cost, float)
    matrix = sparse.csr_matrix(np.atleast_2d(np.asarray(matrix, float)))
    fill = lambda value, size, kind=float: np.array(np.broadcast_to(value, size), kind)  # noqa: E731
    rows = matrix.shape[0]
    return Arrays(
        cost=cost,
        lower=fill(lower, cost.size),
        upper=fill(upper, cost.size),
        integer=fill(integer, cost.size, bool),
        matrix=matrix,
        row_lower=fill(row_lower, rows),
        row_upper=fill(row_upper, rows),
        offset=offset,
    )


def hard(size=60, rows=12, seed=1):
    """A market-split problem: no plan is found and nothing is proven for a long time."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 100, (rows, size)).astype(float)
    half = np.floor(weights.sum(1) / 2)
    return make(np.zeros(size), weights, half, half, upper=1, integer=True)


def slow(size=150, rows=40, seed=2):
    """A multi-knapsack: plans at once, proof never."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(5, 100, (rows, size)).astype(float)
    values = weights.mean(0) + rng.integers(0, 20, size)
    return make(-values, weights, -INF, np.floor(weights.sum(1) / 2), upper=1, integer=True, offset=3.0)


def lost_count():
    """A model and a start at which the presolve of HiGHS 1.16 takes the start for a better plan than there is."""
    rows = [
        {2: -0.002, 3: 1}, {0: -1, 8: 1}, {1: -1, 9: 1, 10: 1}, {11: 1, 12: 1}, {13: 1, 14: 1}, {8: 1, 13: 1},
        {9: 1, 11: 1, 14: 1}, {10: 1, 12: 1}, {0: 0.049, 7: 0.123},
        {0: -585.449, 1: -253.695, 3: -761.084, 4: -738.916, 5: -1500, 7: -1477.833}, {5: 1950000, 7: 1921182.266},
    ]  # fmt: skip
    matrix = [[row.get(n, 0) for n in range(15)] for row in rows]
    low = [-INF, 0, 0, 1, 0.01, -INF, -INF, -INF, 0.117, -INF, -INF]
    high = [0.125, 0, 0, 1, 0.01, 2.4, 4, 3, INF, -4206.032, 1953361.782]
    upper = [2.6, 3, 25, 1, 1, 1, 1, 0.3, *[INF] * 7]
    cost = [1, 1, 0.001, 0, 0, 0, -0.01, *[0] * 8]
    model = make(cost, matrix, low, high, upper=upper, integer=[n == 6 for n in range(15)])
    return model, np.array([2.4, 3, 25, 0.188, 0.538, 1, 0, 0, 2.4, 0, 3, 1, 0, 0, 0.01])


def test_a_start_taken_for_better_than_it_is_does_not_end_the_search():
    model, start = lost_count()
    alone, begun = solve(model), solve(model, start=start)
    assert begun.status is Status.OPTIMAL
    assert begun.value == pytest.approx(alone.value, abs=1e-6)
    assert begun.bound == pytest.approx(alone.value, abs=1e-6)


def transport(size=20, seed=3):
    """A transportation LP."""
    rng = np.random.default_rng(seed)
    number = np.arange(size * size)
    rows = np.concatenate([number // size, size + number % size])
    matrix = sparse.csr_matrix((np.ones(2 * number.size), (rows, np.tile(number, 2))))
    return Arrays(
        cost=rng.uniform(1, 10, number.size),
        lower=np.zeros(number.size),
        upper=np.full(number.size, INF),
        integer=np.zeros(number.size, bool),
        matrix=matrix,
        row_lower=np.concatenate([rng.uniform(1, 2, size), np.zeros(size)]),
        row_upper=np.concatenate([np.full(size, INF), np.full(size, 1.7)]),
    )


def long_lp(clients=150, sites=60, seed=3):
    """The relaxation of a capacitated facility-location problem, which takes the simplex method a second or more."""
    rng = np.random.default_rng(seed)
    served = clients * sites
    number = np.arange(served)
    size = rng.uniform(1, 9, clients)
    rows = np.concatenate([number // sites, clients + number, clients + number, clients + served + number % sites])
    columns = np.concatenate([number, number, served + number % sites, number])
    entries = np.concatenate([np.ones(served), np.ones(served), -np.ones(served), np.repeat(size, sites)])
    distance = np.hypot(*(rng.uniform(0, 1, (clients, 1, 2)) - rng.uniform(0, 1, (1, sites, 2))).transpose(2, 0, 1))
    return Arrays(
        cost=np.concatenate([(distance * size[:, None]).ravel(), rng.uniform(3, 9, sites)]),
        lower=np.zeros(served + sites),
        upper=np.ones(served + sites),
        integer=np.zeros(served + sites, bool),
        matrix=sparse.csr_matrix((entries, (rows, columns))),
        row_lower=np.concatenate([np.ones(clients), np.full(served + sites, -INF)]),
        row_upper=np.concatenate([np.full(clients, INF), np.zeros(served), np.full(sites, 1.5 * size.sum() / sites)]),
    )


def test_lp_value_bound_duals_and_offset():
    outcome = solve(make([1, 2], [[1, 1]], 3, INF, upper=[2, INF], offset=10))
    assert outcome.status is Status.OPTIMAL
    assert outcome.value == outcome.bound == pytest.approx(14)
    assert outcome.gap == 0
    assert outcome.x == pytest.approx([2, 1])
    assert outcome.row_dual == pytest.approx([2])
    assert outcome.reduced_cost == pytest.approx([-1, 0])
    assert outcome.stopped == ""


@pytest.mark.parametrize("watched", [{}, {"stop": threading.Event()}, {"on_progress": lambda _: None}])
def test_a_model_is_forgotten_when_its_session_is(watched):
    """HiGHS keeps its callback; if that kept HiGHS, every model of a long search would stay in memory."""
    session = Session(long_lp(clients=20, sites=10))
    session.run(**watched)
    highs = weakref.ref(session._highs)
    del session
    gc.collect()
    assert highs() is None


def test_integers_are_whole_and_no_duals_are_claimed():
    outcome = solve(make([-5, -4], [[6, 4], [1, 2]], -INF, [24, 6], integer=True))
    assert outcome.status is Status.OPTIMAL
    assert outcome.x.tolist() == [4.0, 0.0]
    assert outcome.row_dual is None
    assert outcome.reduced_cost is None
    assert outcome.value == -20


@pytest.mark.parametrize("integer", [False, True])
def test_infeasible(integer):
    outcome = solve(make([1], [[1], [1]], [3, -INF], [INF, 2], integer=integer))
    assert (outcome.status, outcome.value, outcome.x) == (Status.INFEASIBLE, None, None)
    assert outcome.bound == INF
    assert outcome.gap == INF


def test_infeasible_because_no_whole_number_lies_between():
    assert solve(make([1], [[1]], 0.2, 0.8, upper=5, integer=True)).status is Status.INFEASIBLE


@pytest.mark.parametrize("integer", [False, True])
def test_crossed_bounds_are_infeasible(integer):
    assert solve(make([1], [[1]], 0, 9, lower=3, upper=2, integer=integer)).status is Status.INFEASIBLE


@pytest.mark.parametrize("integer", [False, True, [True, False]])
@pytest.mark.parametrize("presolve", [False, True])
def test_unbounded(integer, presolve):
    outcome = solve(make([-1, 0.5], [[1, -1]], -INF, 4, integer=integer), Options(presolve=presolve))
    assert (outcome.status, outcome.value, outcome.bound) == (Status.UNBOUNDED, None, -INF)


def test_unbounded_relaxation_without_a_whole_plan_is_infeasible():
    model = make([-1, 0], [[0, 1]], 0.2, 0.8, upper=[INF, 5], integer=True)
    assert solve(model).status is Status.INFEASIBLE


def test_free_columns_and_equalities():
    outcome = solve(make([1, 1], [[1, -1], [1, 1]], [2, -4], [2, INF], lower=-INF))
    assert outcome.x == pytest.approx([-1, -3])


def test_no_columns_and_no_rows():
    assert solve(make([], np.zeros((1, 0)), -1, 1, offset=2.5)).value == 2.5
    assert solve(make([], np.zeros((1, 0)), 1, 2)).status is Status.INFEASIBLE
    outcome = solve(make([1, -1], np.zeros((0, 2)), 0, 0, lower=-1, upper=2))
    assert outcome.value == -3
    assert solve(make([1, -1], np.zeros((0, 2)), 0, 0, lower=-1, upper=2, integer=True)).value == -3


def test_stopped_by_time_without_a_plan():
    outcome = solve(hard(), Options(time_limit_seconds=0.3))
    assert (outcome.status, outcome.stopped, outcome.x, outcome.value) == (Status.NO_PLAN, "time", None, None)
    assert outcome.gap == INF


def test_stopped_by_time_with_a_plan():
    outcome = solve(slow(), Options(time_limit_seconds=1.5))
    assert (outcome.status, outcome.stopped) == (Status.FEASIBLE, "time")
    assert outcome.bound < outcome.value
    assert outcome.gap == pytest.approx((outcome.value - outcome.bound) / abs(outcome.value))
    assert outcome.violation == 0
    assert outcome.value == pytest.approx(slow().cost @ outcome.x + 3)


def test_stopped_by_nodes_repeats_exactly():
    first, second = (solve(slow(60, 10), Options(nodes=3, seed=7)) for _ in range(2))
    assert (first.stopped, first.status) == ("nodes", Status.FEASIBLE)
    assert np.array_equal(first.x, second.x)
    assert (first.bound, first.nodes, first.iterations) == (second.bound, second.nodes, second.iterations)


def test_gap_reached_is_optimal():
    outcome = solve(slow(), Options(gap=0.05))
    assert outcome.status is Status.OPTIMAL
    assert outcome.gap <= 0.05


def test_target_and_cutoff():
    best = solve(make([-1], [[2]], -INF, 7, integer=True))
    assert best.value == -3
    reached = solve(slow(), Options(objective_target=-10.0))
    assert reached.status is Status.FEASIBLE
    assert reached.value <= -10
    nothing = solve(make([-1], [[2]], -INF, 7, integer=True), Options(cutoff=-5.0))
    assert nothing.status is Status.INFEASIBLE
    assert nothing.bound <= -3 or nothing.bound == -5


def test_nothing_is_claimed_above_a_cutoff():
    """HiGHS may report a bound above its cutoff, though it has looked for no plan there."""
    session = Session(make([-1], [[2]], -INF, 7, integer=True), Options(cutoff=38.5))
    said = types.SimpleNamespace(mip_dual_bound=42.0)
    assert session._bound(highspy.HighsModelStatus.kOptimal, said, None, None) == 38.5
    assert session._bound(highspy.HighsModelStatus.kOptimal, said, 30.0, None) == 30.0
    said.mip_dual_bound = 37.0
    assert session._bound(highspy.HighsModelStatus.kSolutionLimit, said, None, None) == 37.0
    said.mip_dual_bound = INF
    assert session._bound(highspy.HighsModelStatus.kInterrupt, said, None, None) == -INF


def test_interrupted_search():
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    outcome = solve(hard(), Options(time_limit_seconds=120), stop=stop)
    assert (outcome.stopped, outcome.status) == ("interrupt", Status.NO_PLAN)
    assert outcome.seconds < 60


@pytest.mark.parametrize("solver", ["simplex", "ipm"])
def test_interrupted_lp(solver):
    stop = threading.Event()
    stop.set()
    outcome = solve(long_lp(), Options(solver=solver, presolve=False), stop=stop)
    assert (outcome.stopped, outcome.status) == ("interrupt", Status.NO_PLAN)


def test_ctrl_c_is_raised_after_the_search_and_its_handler_stays():
    handler = signal.default_int_handler  # a shell that starts the tests in the background leaves Ctrl-C ignored
    before = signal.signal(signal.SIGINT, handler)
    try:
        threading.Timer(0.3, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            solve(hard(), Options(time_limit_seconds=120))
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_progress_is_reported_and_its_exceptions_come_back():
    seen = []
    solve(slow(), Options(time_limit_seconds=1.5), on_progress=seen.append)
    assert len(seen) >= 2
    assert seen[-1].incumbent is not None
    assert all(a.seconds <= b.seconds for a, b in pairwise(seen))
    assert seen[-1].bound <= seen[-1].incumbent

    def fail(progress):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        solve(slow(), Options(time_limit_seconds=20), on_progress=fail)


def test_progress_of_an_lp():
    seen = []
    solve(long_lp(), Options(solver="simplex", presolve=False, time_limit_seconds=2), on_progress=seen.append)
    assert seen
    assert seen[-1].incumbent is None
    assert seen[-1].iterations > 0


def test_start_is_used():
    model = slow(60, 10)
    plan = solve(model, Options(nodes=20)).x
    bare = Options(nodes=0, presolve=False, extra={"mip_heuristic_effort": 0.0})
    assert solve(model, bare, start=plan).value <= model.value(plan) + 1e-9
    partial = plan.copy()
    partial[50:] = np.nan
    assert solve(model, bare, start=partial).has_plan
    with pytest.raises(ValueError, match="start has shape"):
        solve(model, start=plan[:5])


def test_unknown_option_and_bad_value():
    model = make([1], [[1]], 0, 1)
    with pytest.raises(ValueError, match="mip_relative_gap"):
        solve(model, Options(extra={"mip_relative_gap": 0.1}))
    with pytest.raises(ValueError, match=r"'lots'.*'mip_max_leaves'"):
        solve(model, Options(extra={"mip_max_leaves": "lots"}))
    with pytest.raises(ValueError, match="newton"):
        solve(model, Options(solver="newton"))
    with pytest.raises(ValueError, match="time_limit_seconds"):
        solve(model, Options(extra={"time_limit": 3.0}))
    assert solve(model, Options(extra={"mip_max_leaves": 10.0, "mip_heuristic_effort": 1})).value == 0


def test_arrays_that_cannot_be_meant():
    with pytest.raises(ValueError, match=r"cost has shape \(1,\), expected \(2,\)"):
        solve(Arrays(np.zeros(1), np.zeros(2), np.ones(2), np.zeros(2, bool), sparse.csr_matrix((1, 2)),
                     np.zeros(1), np.ones(1)))  # fmt: skip
    with pytest.raises(ValueError, match="not finite"):
        solve(make([np.inf], [[1]], 0, 1))
    with pytest.raises(ValueError, match=r"lower\[0\] is inf"):
        solve(make([1], [[1]], 0, 1, lower=INF))
    with pytest.raises(ValueError, match=r"row_upper\[0\] is not a number"):
        solve(make([1], [[1]], 0, np.nan))


def test_integers_far_from_whole_are_refused():
    model = make([1, 1], [[1, 1]], 0, 9, integer=[True, False])
    assert snapped(model, np.array([2.000001, -1e-9])).tolist() == [2.0, 0.0]
    with pytest.raises(SolverError, match="column 0"):
        snapped(model, np.array([2.01, 0.0]))


def test_thread_count_may_change():
    values = [solve(slow(25, 4), Options(threads=count)).value for count in (1, 2, 1, 3)]
    assert values == pytest.approx([values[0]] * 4)


def test_others_in_the_thread_may_use_highs_with_other_threads():
    highspy = pytest.importorskip("highspy")
    value = solve(slow(25, 4)).value
    highspy.Highs.resetGlobalScheduler(True)
    other = highspy.Highs()
    other.setOptionValue("output_flag", False)
    other.setOptionValue("threads", 2)
    other.addVar(0, 1)
    assert other.run() == highspy.HighsStatus.kOk
    assert solve(slow(25, 4)).value == pytest.approx(value)


def test_several_threads_at_once():
    outcomes: dict[int, list] = {}

    def work(number):
        count = 1 + number % 2
        outcomes[number] = [solve(slow(20, 4, seed), Options(threads=count)) for seed in range(3)]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    expected = [solve(slow(20, 4, seed)).value for seed in range(3)]
    for number in range(4):
        assert [outcome.value for outcome in outcomes[number]] == pytest.approx(expected)


@pytest.mark.parametrize("solver", ["simplex", "ipm", "pdlp"])
@pytest.mark.parametrize("crossover", [False, True])
def test_solvers_agree_and_bounds_hold(solver, crossover):
    model = transport(20)
    best = solve(model).value
    outcome = solve(model, Options(solver=solver, crossover=crossover, gap=1e-3))
    assert outcome.status is Status.OPTIMAL
    assert outcome.value == pytest.approx(best, rel=1e-3)
    assert outcome.bound <= best * (1 + 1e-7)
    assert outcome.gap < 1e-3


def test_any_duals_give_a_bound():
    model = transport(15)
    best = solve(model)
    assert model.dual_bound(best.row_dual) == pytest.approx(best.value)
    rng = np.random.default_rng(0)
    for _ in range(20):
        guess = best.row_dual * rng.uniform(0.8, 1.0, best.row_dual.size)
        assert model.dual_bound(guess) <= best.value + 1e-9
    free = make([1.0], [[1.0]], 2, INF, lower=-INF)
    assert free.dual_bound(np.array([0.5])) == -INF


def test_stopped_simplex_still_proves_a_bound():
    model = long_lp(60, 20)
    best = solve(model).value
    limited = Options(solver="simplex", presolve=False, extra={"simplex_iteration_limit": 150})
    outcome = solve(model, limited)
    assert (outcome.status, outcome.stopped) == (Status.NO_PLAN, "other")
    assert 0 < outcome.bound < best


def test_session_goes_on_from_the_last_basis():
    model = transport(40)
    session = Session(model)
    first = session.run()
    assert session.run().iterations == 0
    session.set_cost(np.arange(40), np.full(40, 0.5))
    changed = session.run()
    assert 0 < changed.iterations < first.iterations
    assert changed.value == pytest.approx(solve(session.arrays).value)
    session.set_row_bounds(np.array([0]), np.array([2.5]), np.array([INF]))
    session.set_bounds(np.array([1, 3]), np.array([0.1, 0.0]), np.array([0.2, 0.3]))
    rows = session.add_rows(sparse.csr_matrix(np.ones((2, 1600))), np.array([-INF, 0]), np.array([90.0, INF]))
    assert rows.tolist() == [80, 81]
    again = session.run()
    assert again.value == pytest.approx(solve(session.arrays).value)
    assert again.row_dual.shape == (82,)
    assert model.cost[0] != 0.5  # the caller's arrays stay as they are


def test_session_goes_back_to_an_earlier_basis():
    session = Session(transport(40), Options(presolve=False))
    first = session.run()
    basis = session.basis()
    session.set_bounds(np.arange(40), np.zeros(40), np.zeros(40))
    assert session.run().iterations > 0
    session.set_bounds(np.arange(40), np.zeros(40), np.full(40, INF))
    session.set_basis(basis)
    again = session.run()
    assert again.iterations == 0
    assert again.value == pytest.approx(first.value)
    rows = session.add_rows(sparse.csr_matrix(np.ones((1, 1600))), np.array([0.0]), np.array([INF]))
    assert rows.size == 1
    with pytest.raises(ValueError, match="the basis"):
        session.set_basis(basis)


def test_session_of_integers_and_time_limit_of_each_run():
    session = Session(slow(), Options(time_limit_seconds=0.7))
    first = session.run()
    began = time.perf_counter()
    second = session.run(first.x)
    assert time.perf_counter() - began > 0.3
    assert second.value <= first.value + 1e-9
    session.set_options(Options(gap=0.5))
    assert session.run().status is Status.OPTIMAL
    with pytest.raises(ValueError, match="nonsense"):
        session.set_options(Options(extra={"nonsense": 1}))


@pytest.mark.parametrize("log", [False, True])
def test_nothing_is_printed_on_stdout(root, log):
    code = (
        "import numpy as np\nfrom scipy import sparse\nfrom optimizer.highs import *\n"
        "a = Arrays(np.ones(2), np.zeros(2), np.ones(2), np.ones(2, bool), sparse.csr_matrix([[1.0, 1.0]]),"
        " np.ones(1), np.ones(1))\n"
        f"s = Session(a, Options(log={log})); s.run(); s.set_options(Options(log={log})); s.run()\n"
        "solve(a, Options(threads=2))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == ""
    assert ("Solving" in done.stderr) == log


@st.composite
def models(draw):
    columns, rows = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    small = st.integers(-4, 4)
    array = lambda size, values=small: np.array(draw(st.lists(values, min_size=size, max_size=size)))  # noqa: E731
    matrix = array(rows * columns).reshape(rows, columns).astype(float)
    lower, width = array(columns).astype(float), array(columns, st.integers(0, 5))
    middle, spread = array(rows).astype(float), array(rows, st.integers(0, 6))
    row_lower = np.where(array(rows, st.booleans()), middle, -INF)
    row_upper = np.where(array(rows, st.booleans()), middle + spread, INF)
    return Arrays(
        cost=array(columns).astype(float),
        lower=lower,
        upper=lower + width,
        integer=array(columns, st.booleans()).astype(bool),
        matrix=sparse.csc_matrix(matrix),
        row_lower=row_lower,
        row_upper=row_upper,
        offset=float(draw(small)),
    )


@given(models())
def test_agrees_with_scipy(model):
    rows = LinearConstraint(model.matrix, model.row_lower, model.row_upper)
    theirs = milp(model.cost, integrality=model.integer, bounds=(model.lower, model.upper), constraints=rows)
    ours = solve(model)
    if theirs.status == 2:
        assert ours.status is Status.INFEASIBLE
    else:
        assert ours.status is Status.OPTIMAL
        assert ours.value == pytest.approx(theirs.fun + model.offset, abs=1e-6)
        assert ours.bound <= ours.value
        assert model.violation(ours.x) < 1e-6
        if ours.row_dual is not None:
            assert model.dual_bound(ours.row_dual) == pytest.approx(ours.value, abs=1e-6)
            assert ours.reduced_cost == pytest.approx(model.cost - model.matrix.T @ ours.row_dual, abs=1e-7)
