"""How long the proofs of a city's sub-districts take, and what of HiGHS's search for them is worth its time.

    python -m benchmarks.proofs base

Prices, level and a quick round of plans are sought as the planner does; then all sub-districts are proven at the
corrected prices, begun with these plans, once as the planner does and once for every change in `CHANGES`; at last begun
with the best plans there are, as the proofs of a sweep nearly are.
"""

import argparse
import threading
import time
from collections.abc import Mapping
from unittest import mock

from benchmarks.joint_model import problem_of
from benchmarks.run_benchmarks import machine, table
from optimizer import piece_plans
from optimizer.beginning import KEPT
from optimizer.fair import Fair
from optimizer.joint import build_joint
from optimizer.levels import no_levels
from optimizer.piece_plans import PiecePlans, plan_pieces
from optimizer.price_goals import PriceGoals
from optimizer.price_level import raise_level
from optimizer.price_plan import PricePlan
from optimizer.price_search import Search
from optimizer.progress import Silent
from optimizer.watch import Watch

CHANGES: dict[str, Mapping[str, object]] = {
    "as the planner does": {},
    "no search for plans at the first node": {"mip_heuristic_run_rens": False},
    "cuts at all nodes": {"mip_allow_cut_separation_at_nodes": True},
    "every decision tried eight times before it is branched on": {"mip_pscost_minreliable": 8},
}


def prepared(ref: str) -> tuple[PricePlan, Search, Search, PiecePlans]:
    """Return the method on a scenario, the second goal with the level kept, its corrected prices and quick plans."""
    joint = build_joint(problem_of(ref))
    method = PriceGoals(Fair(joint), Watch(Silent(), threading.Event()), None).method()
    settings = method.settings
    method.best = method.nothing_new(no_levels(joint.problem))
    start = method.relaxed()
    raised = raise_level(method, start)
    search = method.search(joint.second, raised.levels, start.prices.copy())
    method.improve(KEPT, search, gap=settings.price_gap)
    quick = plan_pieces(search, search.prices, gap=settings.piece_gap * search.bound, quick=True)
    at = search.corrected(quick.use - search.mixed_use(), gap=settings.price_gap)
    return method, search, at, quick


def proofs_rows(ref: str) -> list[list[str]]:
    """Return one row per way to prove the sub-districts of a scenario."""
    method, search, at, quick = prepared(ref)
    gap, rows = method.settings.piece_gap * search.bound, []
    best = quick.plans
    for name, change in [*CHANGES.items(), ("begun with the best plans there are", {})]:
        last = name not in CHANGES
        with mock.patch.dict(piece_plans.PROVING, change):
            wall, own = time.perf_counter(), time.process_time()
            done = plan_pieces(search, at.prices, gap=gap, start=best if last else quick.plans, good=last)
            wall, own = time.perf_counter() - wall, time.process_time() - own
        if name == "as the planner does":
            best = done.plans
        gap_left = 100 * (done.value - done.bound) / search.bound
        rows.append([name, f"{own:.0f}", f"{wall:.0f}", f"{done.bound:,.0f}", f"{gap_left:.3f} %"])
        print(" | ".join(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure the proofs of a city's sub-districts.")
    parser.add_argument("scenario", nargs="?", default="base")
    ref = parser.parse_args().scenario
    print(machine())
    head = ["proofs of all sub-districts", "CPU seconds", "seconds", "bound", "left open"]
    print("\n" + table(head, proofs_rows(ref)))


if __name__ == "__main__":
    main()
