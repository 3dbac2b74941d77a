"""The siting models against spopt, on published optima and on large cases; writes `benchmarks/siting.md`.

    python -m benchmarks.siting
    python -m benchmarks.siting --sets FOLDER      where the published sets are (default ../shared/data/benchmarks)
    python -m benchmarks.siting --only large       one part: peer, large or published

The peer, spopt, is measured in the same run with the same solver where it is installed (`pip install spopt`).
Wall-clock seconds, one thread, from the cost matrix to the proven answer; a model's building time counts for both.
"""

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pulp

from benchmarks import siting_sets as sets
from optimizer import siting

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "benchmarks" / "siting.md"
SETS = ROOT.parent / "shared" / "data" / "benchmarks"


@dataclass(frozen=True)
class Case:
    """A case of the comparison: ours, and spopt's class with its words."""

    name: str
    ours: Callable[[], siting.Result]
    peer: str
    words: dict[str, Any]


def comparison() -> list[Case]:
    """Scattered points, equal for both; every client is a candidate site."""
    weights = np.random.default_rng(1).integers(1, 100, 1000).astype(float)
    small, large = sets.scattered(400), sets.scattered(1000)
    ones = np.ones(400)
    return [
        Case(
            "p-median 400 × 400, p = 20",
            lambda: siting.p_median(small, p=20),
            "PMedian",
            {"cost_matrix": small, "weights": ones, "p_facilities": 20},
        ),
        *(
            Case(
                f"LSCP 1,000 × 1,000, limit {limit}",
                partial(siting.lscp, large, limit=limit),
                "LSCP",
                {"cost_matrix": large, "service_radius": limit},
            )
            for limit in (30, 50, 60, 80, 100, 120, 300)
        ),
        *(
            Case(
                f"MCLP 1,000 × 1,000, limit {limit}, p = {p}",
                partial(siting.mclp, large, limit=limit, p=p, weights=weights),
                "MCLP",
                {"cost_matrix": large, "weights": weights, "service_radius": limit, "p_facilities": p},
            )
            for limit, p in ((50, 50), (80, 40), (100, 10), (100, 25))
        ),
    ]


def peer_value(case: Case) -> float | None:
    """What spopt finds with HiGHS and one thread; None where spopt is not installed."""
    if find_spec("spopt") is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        locate = import_module("spopt.locate")
        model = getattr(locate, case.peer).from_cost_matrix(**case.words)
        model = model.solve(pulp.HiGHS(msg=False, threads=1, gapRel=0.0))
        return float(pulp.value(model.problem.objective))


def compare() -> list[str]:
    """Rows of the comparison."""
    lines = ["| case | value | here, s | spopt, s | times faster |", "|---|---|---|---|---|"]
    for case in comparison():
        ours = case.ours()
        began = time.perf_counter()
        value = peer_value(case)
        seconds = time.perf_counter() - began
        if value is None:
            lines.append(f"| {case.name} | {ours.value:,.7g} | {ours.seconds:.2f} | not installed | – |")
        else:
            same = "" if np.isclose(value, float(ours.value or 0), rtol=1e-6) else f" (spopt: {value:,.7g})"
            ratio = seconds / ours.seconds
            lines.append(
                f"| {case.name} | {ours.value:,.7g}{same} | {ours.seconds:.2f} | {seconds:.1f} | {ratio:,.0f} |"
            )
        print(lines[-1], flush=True)
    return lines


def _scattered(n: int, seed: int, p: int) -> siting.Result:
    return siting.p_median(sets.scattered(n, seed), p=p, time_limit=300)


def large() -> list[str]:
    """Rows of p-medians on scattered points and of other large cases."""
    lines = ["| case | value | gap | status | branches | s |", "|---|---|---|---|---|---|"]
    cases: list[tuple[str, Callable[[], siting.Result]]] = [
        (
            f"p-median {n:,} × {n:,}, p = {p}, seed {seed}",
            partial(_scattered, n, seed, p),
        )
        for n, p, seed in ((1000, 50, 0), (2000, 100, 0), (1000, 10, 0), (1000, 10, 1), (1000, 10, 2), (1000, 5, 3))
    ]
    cases += [
        ("p-center 400 × 400, p = 10", lambda: siting.p_center(sets.scattered(400), p=10, time_limit=60)),
        ("LSCP 1,000 × 1,000, limit 80", lambda: siting.lscp(sets.scattered(1000), limit=80, time_limit=60)),
        ("p-dispersion 200, p = 15", lambda: siting.p_dispersion(sets.scattered(200), p=15, time_limit=100)),
        ("backup coverage 200 × 200, limit 150", lambda: siting.backup_coverage(sets.scattered(200), limit=150)),
        (
            "CFLP 200 × 50, capacity 8",
            lambda: siting.cflp(sets.scattered(200)[:, :50], fixed_cost=1000.0, capacity=8.0, time_limit=100),
        ),
    ]
    for name, solve in cases:
        found = solve()
        lines.append(_row(name, found))
        print(lines[-1], flush=True)
    return lines


def _row(name: str, found: siting.Result) -> str:
    gap = "0" if found.gap < 1e-8 else f"{found.gap:.2g}"
    value = "–" if found.value is None else f"{found.value:,.10g}"
    return f"| {name} | {value} | {gap} | {found.status} | {found.nodes} | {found.seconds:.2f} |"


def published(folder: Path) -> list[str]:
    """Rows of all published optima in a folder."""
    lines = ["| set, instance | published | found | bound | status | s |", "|---|---|---|---|---|---|"]
    for name, known, solve in _published(folder):
        found = solve()
        mark = "" if found.value is not None and abs(found.value - known) <= 1e-8 * known + 1e-3 else " (differs)"
        value = "–" if found.value is None else f"{found.value:,.10g}{mark}"
        row = f"| {name} | {known:,.10g} | {value} | {found.bound:,.10g} | {found.status} | {found.seconds:.2f} |"
        lines.append(row)
        print(row, flush=True)
    return lines


def _published(folder: Path) -> list[tuple[str, float, Callable[[], siting.Result]]]:
    out: list[tuple[str, float, Callable[[], siting.Result]]] = []
    for row in sets.rows(folder / "orlib-pmed" / "optima.csv"):
        cost, p = sets.pmed(folder / "orlib-pmed", row["instance"])
        head = f"{row['instance']}, p = {p}"
        out.append((f"p-median {head}", float(row["p_median_optimum"]), partial(siting.p_median, cost, p=p)))
        out.append((f"p-center {head}", float(row["p_center_optimum"]), partial(siting.p_center, cost, p=p)))
    points = sets.tsplib(folder / "tsplib-pmedian" / "fl1400.tsp")
    for row in sets.rows(folder / "tsplib-pmedian" / "optima.csv"):
        p, known = int(row["p"]), float(row["p_median_value"])
        out.append((f"p-median fl1400, p = {p}", known, partial(siting.p_median, points, p=p, time_limit=300)))
    for row in sets.rows(folder / "orlib-cap" / "optima.csv"):
        case = sets.warehouses(folder / "orlib-cap" / f"{row['instance']}.txt")
        out.append((f"CFLP {row['instance']}", float(row["value_found_here"]), partial(_warehouses, case)))
    for row in sets.rows(folder / "orlib-pmedcap" / "optima.csv"):
        group = sets.groups(folder / "orlib-pmedcap" / f"{row['instance']}.txt")
        head = f"capacitated p-median {row['instance']}"
        out.append((head, float(row["listed_optimum"]), partial(_groups, group)))
    return out


def _warehouses(case: sets.Warehouses) -> siting.Result:
    return siting.cflp(case.cost, demand=case.demand, capacity=case.capacity, fixed_cost=case.fixed_cost)


def _groups(case: sets.Groups) -> siting.Result:
    return siting.capacitated_p_median(case.cost, p=case.p, demand=case.demand, capacity=case.capacity, time_limit=60)


def _machine() -> str:
    peer = version("spopt") if find_spec("spopt") else "not installed"
    day = datetime.now(tz=UTC).strftime("%-d %B %Y") if os.name != "nt" else datetime.now(tz=UTC).date().isoformat()
    memory = ""
    if hasattr(os, "sysconf"):
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    return (
        f"{day}, {os.cpu_count()} cores{memory}, {platform.system()}, Python {platform.python_version()}, "
        f"HiGHS {version('highspy')}, PuLP {version('pulp')}, spopt {peer}; one thread, wall-clock seconds, "
        "one run"
    )


def main() -> None:
    """Run the parts asked for and write the page."""
    parser = argparse.ArgumentParser(description="Measure the siting models.")
    parser.add_argument("--sets", type=Path, default=SETS)
    parser.add_argument("--only", choices=["peer", "large", "published"])
    words = parser.parse_args()
    parts: dict[str, tuple[str, Callable[[], list[str]]]] = {
        "peer": ("Against spopt, both with HiGHS", compare),
        "large": ("Large cases", large),
        "published": ("Published optima", lambda: published(words.sets)),
    }
    if not words.sets.is_dir():
        print(f"{words.sets} is not there: the published sets are left out")
        del parts["published"]
    if find_spec("spopt") is None:
        print("spopt is not installed: its column stays empty (pip install spopt)")
    siting.p_median(sets.scattered(20), p=2)  # the first call loads the solver
    text = ["# The siting models, measured", "", f"Written by `python -m benchmarks.siting`: {_machine()}.", ""]
    for name, (title, run) in parts.items():
        if words.only in (None, name):
            text += [f"## {title}", "", *run(), ""]
    if words.only is None:
        PAGE.write_text("\n".join(text).rstrip() + "\n", encoding="utf-8")
        print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
