"""The joint model of a scenario, step by step and beside other tools.

    python -m benchmarks.joint_model steps base
    python -m benchmarks.joint_model peers one_year base --seconds 120

`steps` leaves out one strengthening of the formulation at a time, then all of them, and searches prices of money
again: what each does to the size of the model and to the bound of its relaxation. `peers` plans the unmet need alone,
without levels: the planner by prices, and the plain model (all strengthenings left out, as one would write it down)
in PuLP with CBC, in PuLP with HiGHS and in `scipy.optimize.milp`. Nothing that is left out excludes a plan, so that
one bound holds for all and every plan found is measured against it.
"""

import argparse
import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pulp
from scipy.optimize import Bounds, LinearConstraint, milp

from benchmarks.run_benchmarks import machine, table
from geodata.read import read_city
from optimizer.fair import Fair
from optimizer.goals import Found, value_of
from optimizer.joint import Joint, build_joint
from optimizer.price_plan import PricePlan, Settings
from optimizer.problem import Floats, Problem
from optimizer.problem_data import build_problem
from optimizer.programmes import services
from optimizer.progress import Silent
from optimizer.pulp_model import to_pulp
from optimizer.scenario_file import load_scenario
from optimizer.search import find_plan
from optimizer.watch import Watch

LINKS = "share by share links to openings (8)"
BUILDINGS = "stations no larger than their building"
FLOORS = "shares no larger than the floor of their year"
OUTLETS = "shares no larger than what own outlets leave"
OFFICES = "nothing beyond an office's floor without an extension (12)"
STEPS = (LINKS, BUILDINGS, FLOORS, OUTLETS, OFFICES)


def problem_of(ref: str) -> Problem:
    """Return the problem of a scenario by name or file."""
    loaded = load_scenario(ref)
    data = loaded.resolved["data"]
    city = read_city(data["path"], crs=data["crs"], metric_crs=data["metric_crs"], layers=data["layers"])
    return build_problem(city, loaded.scenario)


@contextlib.contextmanager
def left_out(steps: tuple[str, ...]) -> Iterator[None]:
    """Build models without some of the steps."""
    none: dict[str, tuple[str, Callable[..., Any]]] = {
        BUILDINGS: ("_most_by_building", lambda _, ix: np.full(len(ix.place), np.inf)),
        FLOORS: ("_most_by_floor", lambda _, ix: np.full(len(ix.arc), np.inf)),
        OUTLETS: ("_most", lambda _, peak, __: np.ones(len(peak))),
        OFFICES: ("_office_links", lambda *_: None),
    }
    with contextlib.ExitStack() as stack:
        for step in steps:
            if step in none:
                stack.enter_context(mock.patch.object(services, *none[step]))
        yield


def build(problem: Problem, without: tuple[str, ...]) -> Joint:
    """Return the joint model without some of the steps; links of network stations that are left out bind nothing."""
    with left_out(without):
        joint = build_joint(problem)
    if LINKS in without:
        family = next(f for f in joint.model.row_families if f.name == "eq8_link")
        _, (place, _), *_ = family.keys  # community, site, need, year
        network = problem.places.room[place] >= 0
        upper = joint.row_upper.copy()
        upper[family.positions[network]] = np.inf
        joint.__dict__["row_upper"] = upper  # in place of the cached one
    return joint


def rows_that_bind(joint: Joint) -> int:
    """Rows with a limit on either side."""
    return int((np.isfinite(joint.row_lower) | np.isfinite(joint.row_upper)).sum())


def relaxed_bound(joint: Joint) -> float:
    """Bound of the unmet need with whole numbers relaxed, as the search of prices finds it."""
    method = PricePlan(Fair(joint), Settings(target_gap=0.003), lambda: False, lambda *_: None)
    return method.relaxed().bound


def steps_table(problem: Problem) -> str:
    """Return the table of the steps, each left out in turn."""
    rows = []
    whole = relaxed_bound(build(problem, ()))
    for name, without in [("none: the model as it is", ()), *((step, (step,)) for step in STEPS), ("all five", STEPS)]:
        start = time.perf_counter()
        joint = build(problem, without)
        built = time.perf_counter() - start
        start = time.perf_counter()
        bound = relaxed_bound(joint)
        seconds = time.perf_counter() - start
        size = [f"{n:,}" for n in (joint.n_columns, int(joint.integer.sum()), rows_that_bind(joint))]
        rows.append(
            [name, *size, f"{built:.2f}", f"{bound:,.0f}", f"{100 * (bound - whole) / whole:+.2f} %", f"{seconds:.1f}"]
        )
        print(" | ".join(rows[-1]), flush=True)
    head = ["left out", "columns", "yes or no", "rows", "building, s", "relaxed bound", "change", "prices, s"]
    return table(head, rows)


def only_unmet(problem: Problem) -> Problem:
    """Return the problem with the unmet need as its only goal."""
    goals = [goal for goal in problem.scenario.goals if goal.goal == "unmet_need"]
    return replace(problem, scenario=problem.scenario.model_copy(update={"goals": goals}))


def by_prices(problem: Problem) -> Found:
    """Plan the unmet need as the planner does."""
    return find_plan(build_joint(only_unmet(problem)), Watch(Silent(), threading.Event()))


def by_scipy(problem: Problem, seconds: float) -> tuple[Floats | None, float | None]:
    """Plan the unmet need with the plain model in `scipy.optimize.milp`; return plan and proven bound."""
    joint = build(problem, STEPS)
    vector, constant = joint.unmet
    done = milp(
        vector,
        integrality=joint.integer.astype(int),
        bounds=Bounds(joint.lower, joint.upper),
        constraints=LinearConstraint(joint.matrix, joint.row_lower, joint.row_upper),
        options={"time_limit": seconds},
    )
    bound = None if done.mip_dual_bound is None else float(done.mip_dual_bound) + constant
    return done.x, bound


def by_pulp(problem: Problem, solver: pulp.LpSolver) -> Floats | None:
    """Plan the unmet need with the plain model in PuLP; return the plan."""
    joint = build(problem, STEPS)
    model = to_pulp(joint, "plain", joint.unmet)
    model.solve(solver)
    found = model.variablesDict()
    x = np.array([found[name].varValue if name in found else 0.0 for name in joint.column_names()], dtype=float)
    none = np.isnan(x).any() or not x.any() or not kept(joint, x)  # stopped without a plan, PuLP gives zeros
    return None if none else x


def kept(joint: Joint, x: Floats) -> bool:
    """Tell whether a plan keeps the rules."""
    left = joint.matrix @ x
    slack = 1e-4 * np.maximum(1.0, np.abs(np.where(np.isfinite(joint.row_upper), joint.row_upper, 0.0)))
    return bool((left <= joint.row_upper + slack).all() and (left >= joint.row_lower - slack).all())


def peers_rows(ref: str, seconds: float) -> list[list[str]]:
    """Return one row per tool for a scenario."""
    problem = problem_of(ref)
    joint = build_joint(problem)
    start = time.perf_counter()
    found = by_prices(problem)
    took = time.perf_counter() - start
    bound = found.bounds["unmet_need"]
    rows = [_peer_row(ref, "allot", value_of(joint.unmet, found.x), bound, bound, took)]
    peers: list[tuple[str, Callable[[], tuple[Floats | None, float | None]]]] = [
        ("scipy.optimize.milp, plain model", lambda: by_scipy(problem, seconds)),
        ("PuLP + HiGHS, plain model", lambda: (by_pulp(problem, pulp.HiGHS(timeLimit=seconds, msg=False)), None)),
        ("PuLP + CBC, plain model", lambda: (by_pulp(problem, pulp.PULP_CBC_CMD(timeLimit=seconds, msg=False)), None)),
    ]
    for name, plan in peers:
        start = time.perf_counter()
        x, own = plan()
        took = time.perf_counter() - start
        value = None if x is None else value_of(joint.unmet, x)
        rows.append(_peer_row(ref, name, value, own, bound, took))
        print(" | ".join(rows[-1]), flush=True)
    return rows


def _peer_row(ref: str, name: str, value: float | None, own: float | None, bound: float, seconds: float) -> list[str]:
    def share(low: float | None) -> str:
        return "–" if low is None or value is None else f"{100 * (value - low) / value:.2f} %"

    return [ref, name, "no plan" if value is None else f"{value:,.0f}", share(own), share(bound), f"{seconds:.0f}"]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure the formulation step by step, or beside other tools.")
    parser.add_argument("what", choices=["steps", "peers"])
    parser.add_argument("scenarios", nargs="*", default=["base"])
    parser.add_argument("--seconds", type=float, default=120.0, help="time limit of the other tools")
    words = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    print(machine())
    if words.what == "steps":
        for ref in words.scenarios:
            print("\n" + steps_table(problem_of(ref)))
        return
    head = ["scenario", "tool", "unmet need", "own gap", "above allot's bound", "seconds"]
    print("\n" + table(head, [row for ref in words.scenarios for row in peers_rows(ref, words.seconds)]))


if __name__ == "__main__":
    main()
