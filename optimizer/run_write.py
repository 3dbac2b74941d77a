"""Writing a run folder: tables, record, audit and report, beside its place first, then all at once."""

import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geodata.city import City
from geodata.findings import condensed
from optimizer.audit import audit_run
from optimizer.clock import Clock, peak_memory_mb
from optimizer.contradiction import contradiction
from optimizer.deposits_table import deposits_table
from optimizer.fair import Fair
from optimizer.fairness import fairness_record
from optimizer.fairness_price import price_record, price_table
from optimizer.fit import give_up, hold_back
from optimizer.gaps import gap_of
from optimizer.goals import CLOSENESS_GAP, SHOWN, Found, goal_of
from optimizer.identity import file_hash
from optimizer.joint import Joint
from optimizer.ledger import MoneyShortError, keep_books
from optimizer.levels_table import levels_table, referrals_table
from optimizer.plan_tables import Tables, plan_tables, share_of, worst_off
from optimizer.problem import Problem
from optimizer.report import write_report
from optimizer.rules.split import with_split
from optimizer.scenario_file import LoadedScenario, resolved_yaml
from optimizer.solution import Decisions, decode
from optimizer.source_ledger import source_ledger
from optimizer.version import versions
from optimizer.whole_folder import whole_folder
from optimizer.words import number

MOST_HELD_YUAN = 5000.0
"""Most that is held back of a source's money in a year, in whole units of the currency, so that they foot."""
UNITS = {
    "worst_off": "score",
    "unmet_need": "person-needs",
    "travel": "person-metres",
    "spending": "yuan",
    "weighted": "points",
    "closeness": "decisions",
}


class AuditFailed(Exception):
    """The plan did not pass its audit; it was not written as a plan."""


def write_run(
    loaded: LoadedScenario,
    city: City,
    joint: Joint,
    found: Found,
    out: Path,
    clock: Clock,
    close_to: Path | None,
) -> Path:
    """Write the run folder of a plan and return it (`whole_folder`); nothing is left behind where that fails.

    Raises AuditFailed where the plan breaks a rule, MoneyShortError where whole yuan cannot be made to foot.
    """
    problem = joint.problem
    with whole_folder(out) as writing:
        draft = writing.part
        (draft / "tables").mkdir()
        with clock.phase("rounding"):
            tables, ledger, sources = footed(joint, found)
        scores = tables.scores.assign(set_aside=_aside(problem, found, tables.scores))
        frames = {
            "grants": tables.grants,
            "space": tables.space,
            "stations": tables.stations,
            "assignments": tables.assignments,
            "met": tables.met,
            "scores": scores,
            "one_stop": tables.one_stop,
            "ledger": ledger,
            "sources": with_split(problem, sources),
            "source_ledger": source_ledger(problem.scenario, ledger, sources),
        }
        if tables.debts is not None:
            frames["debts"] = tables.debts
        if any(service.hierarchy for service in loaded.scenario.services.values()):
            decided = decode(joint, found.x)
            frames["levels"] = levels_table(problem, city, decided, tables.stations)
            frames["referrals"] = referrals_table(problem, decided, tables.stations)
        if loaded.scenario.programmes.space.deposit is not None:
            frames["deposits"] = deposits_table(problem, city, decode(joint, found.x))
        if found.without is not None and found.without.x is not None:
            frames["price_of_fairness"] = price_table(joint, found.without, tables.met)
        for name, frame in frames.items():
            write_table(frame, draft / "tables" / f"{name}.csv")
        resolved = resolved_yaml(loaded.scenario)
        (draft / "scenario.resolved.yaml").write_text(resolved, encoding="utf-8", newline="\n")
        if found.leaves is not None:
            found.leaves.write(draft)
        record = _record(loaded, city, joint, found, tables, ledger, close_to)
        record["seconds"] = clock.seconds
        record["tables"] = {path.name: file_hash(path) for path in sorted((draft / "tables").iterdir())}
        _write(draft, record)
        with clock.phase("audit") as said:
            report = audit_run(draft)
            said.append(
                f"{len(report.checks)} rules, {report.figures:,} figures recomputed, {report.findings_count} findings"
            )
        record["audit"] = report.to_json()
        if not report.passed:
            raise AuditFailed("The plan did not pass its audit and was not written:\n" + report.text())
        _write(draft, record)
        with clock.phase("report"):
            write_report(draft, city, loaded.scenario)
        record["peak_memory_mb"] = peak_memory_mb()
        _write(draft, record)
    return writing.folder


def _write(folder: Path, record: dict[str, Any]) -> None:
    text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV (UTF-8, a header); small numbers in digits too, never as 3e-06."""
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8", float_format=_in_digits)


def _in_digits(number: object) -> str:
    assert isinstance(number, float)
    return np.format_float_positional(number, trim="0")


def footed(joint: Joint, found: Found) -> tuple[Tables, pd.DataFrame, pd.DataFrame]:
    """Return tables, ledger and sources in whole yuan.

    Where rounding lacks a few yuan, these are held back first; where the decisions leave no room for that, some are
    given up. Raises MoneyShortError, saying why, where that does not help either.
    """
    problem, begun = joint.problem, found.x
    later = [goal.goal for goal in problem.scenario.goals if goal.goal != "worst_off"]
    goals = [goal_of(joint, name) for name in later if name in found.bounds]
    most = MOST_HELD_YUAN * problem.scenario.currency.unit_yuan
    for giving_up in (False, True):
        held = 0.0
        while True:
            try:
                return _whole_yuan(problem, decode(joint, found.x))
            except MoneyShortError as error:
                if problem.scenario.rule is not None:
                    raise
                held, short = max(2 * held, error.yuan + 10), error
            fair, x = found.fair or Fair(joint), None
            if held < most and giving_up:
                x = give_up(fair, found.levels, begun, held)
            elif held < most:
                x = hold_back(fair, found.levels, found.x, held, goals)
            if x is None:
                break
            found.take(joint, x)
    raise MoneyShortError(short.yuan, _unfooted(problem, short)) from None


def _unfooted(problem: Problem, error: MoneyShortError) -> str:
    """Return in words why no plan foots, and what could be done."""
    unit, name = problem.scenario.currency.unit_yuan, problem.scenario.currency.name
    smaller = "smaller units (currency.unit_yuan), " if unit > 1 else ""
    said = contradiction(problem, in_units=True) if unit > 1 else ""
    if said:
        return f"{said}\nSmaller units (currency.unit_yuan) leave more room."
    return (
        f"The plan found cannot be paid in whole units of {number(unit)} {name}: in costs rounded to whole {name}, "
        f"{number(error.yuan)} lack at the least, and no plan was found that gives up a part of it instead.\n"
        f"Ways out: {smaller}more money in the sources, or lower floors of sources (limits)."
    )


def _whole_yuan(problem: Problem, decisions: Decisions) -> tuple[Tables, pd.DataFrame, pd.DataFrame]:
    """Return the tables with the grants that the books could pay, the ledger and the sources."""
    tables = plan_tables(problem, decisions)
    books = keep_books(problem, tables.items)
    grant = np.zeros_like(decisions.grant_yuan)
    position = {c: i for i, c in enumerate(problem.communities)}
    for item in books.items:
        if item.purpose == "work_funds":
            grant[position[item.community], item.year] = item.yuan
    return plan_tables(problem, replace(decisions, grant_yuan=grant)), books.ledger, books.sources


def _aside(problem: Problem, found: Found, scores: pd.DataFrame) -> list[int]:
    aside = {problem.communities[i] for i in np.flatnonzero(~np.isneginf(found.levels.floor))}
    return [int(name in aside) for name in scores["community"]]


def _record(
    loaded: LoadedScenario,
    city: City,
    joint: Joint,
    found: Found,
    tables: Tables,
    ledger: pd.DataFrame,
    close_to: Path | None,
) -> dict[str, Any]:
    """Return `run.json`; values of goals are those of the written tables."""
    problem, scenario = joint.problem, loaded.scenario
    values = _values(problem, found, tables, ledger)
    stages = []
    rules = {str(goal.goal): goal for goal in scenario.goals}
    for name in [*rules, "closeness"]:
        if name not in found.bounds:
            continue
        value, bound = values[name], found.bounds[name] * SHOWN.get(name, 1.0)
        bound = min(bound, 1.0) if name == "worst_off" else max(bound, 0.0)  # a search stopped at once knows no better
        # Rounding to whole yuan and six decimals may pass the bound by a hair.
        bound = max(bound, value) if name == "worst_off" else min(bound, value)
        rule = rules.get(name)
        gap = gap_of(value, bound)
        if rule is None:  # a number of decisions: one less is another plan
            reached = gap <= CLOSENESS_GAP or value - bound < 1
        else:
            reached = gap <= (rule.gap + rule.tolerance) / max(1e-9, 1 - rule.tolerance)
        stages.append(
            {
                "goal": name,
                "unit": UNITS[name],
                "value": value,
                "bound": bound,
                "gap": gap,
                **_reached(found, name, value, bound),
                "seconds": round(found.seconds.get(name, 0.0), 3),
                "tolerance": rule.tolerance if rule else 0.0,
                "status": "proven" if reached else "feasible",
                "scope": found.scopes[name],
            }
        )
    gaps = {stage["goal"]: stage["gap"] for stage in stages}
    proven = len(gaps) >= len(rules) and all(s["status"] == "proven" for s in stages if s["goal"] in rules)
    status = {"hand": "stopped by hand", "time": "stopped by time"}.get(found.stopped)
    if scenario.rule is not None:
        status = "by rule"
    aside = np.flatnonzero(~np.isneginf(found.levels.floor))
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "changes": list(loaded.changes),
        "status": status or ("proven" if proven else "feasible"),
        "stages": stages,
        "not_reached": [name for name in rules if name not in gaps] if scenario.rule is None else [],
        "gap": gaps.get("unmet_need", gaps[next(iter(gaps))] if gaps else None),
        "method": found.method,
        "years": list(problem.years),
        "currency": scenario.currency.model_dump(),
        "set_aside": [problem.communities[i] for i in aside],
        "fairness": {
            **fairness_record(problem, tables.met, tables.assignments),
            **_price(joint, found, stages, tables),
        },
        **_levels(problem, found),
        "classes": dict(zip(problem.communities, problem.classes, strict=True)),
        "closest_to": close_to.name if close_to else "",
        "decisions_that_differ": found.different,
        "one_stop": {
            "buildings": len(tables.one_stop),
            "saved_yuan": int(tables.one_stop["saved_yuan"].sum()),
        },
        "size": {
            "communities": len(problem.communities),
            "columns": joint.n_columns,
            "rows": int(joint.matrix.shape[0]),
            "whole": int(joint.integer.sum()),
        },
        "seconds": {},
        "peak_memory_mb": 0.0,
        "audit": {"passed": False, "checks": [], "findings": []},
        "warnings": condensed(city.findings),
        "inputs": {str(_named(path, loaded)): file_hash(path) for path in city.files},
        "versions": versions(),
        "machine": platform.machine(),
        "seed": scenario.solver.seed,
        "threads": scenario.solver.threads,
    }


def _levels(problem: Problem, found: Found) -> dict[str, Any]:
    """The part `leximin`: every level, what is proven of it, and who is settled at it; none where not asked for."""
    levelled = found.levelled
    if levelled is None:
        return {}
    levels = [
        {
            "level": rung.level,
            "bound": max(rung.level, rung.bound),
            "proven": rung.proven,
            "communities": [problem.communities[int(levelled.who[i])] for i in rung.settled],
        }
        for rung in levelled.found.rungs
    ]
    said = {"step": levelled.step, "scope": levelled.scope, "complete": levelled.found.complete, "levels": levels}
    return {"leximin": said}


def _price(joint: Joint, found: Found, stages: list[dict[str, Any]], tables: Tables) -> dict[str, Any]:
    """The price of fairness where it was asked for; `stages` has the goal it is measured in."""
    without = found.without
    if without is None:
        return {}
    stage = next((stage for stage in stages if stage["goal"] == without.goal), {"unit": UNITS[without.goal]})
    return {"price": price_record(joint, found, without, stage, tables.met)}


def _reached(found: Found, name: str, value: float, bound: float) -> dict[str, float]:
    """What the plan had reached when its goal ended, before later goals took what the tolerance gives them.

    That is never worse than the value of the plan as written, but for the last digits of the solver.
    """
    if name not in found.reached:
        return {}
    reached = found.reached[name] * SHOWN.get(name, 1.0)
    reached = max(reached, value) if name == "worst_off" else min(reached, value)
    return {"reached": reached, "reached_gap": gap_of(reached, bound)}


def _named(path: Path, loaded: LoadedScenario) -> str:
    """Name of an input: the file's own name for a city that ships, else the path it was read from."""
    return (
        path.name
        if not Path(loaded.scenario.data.path).suffix and not Path(loaded.scenario.data.path).exists()
        else str(path)
    )


def _values(problem: Problem, found: Found, tables: Tables, ledger: pd.DataFrame) -> dict[str, float]:
    share = share_of(problem, tables.met)
    unmet = problem.unmet_weight[:, :, None] * problem.year_weight[None, None, :] * (1 - share)
    position = {c: i for i, c in enumerate(problem.communities)}
    need = {k: i for i, k in enumerate(problem.needs)}
    rows = tables.assignments
    i, k = rows["community"].map(position).to_numpy(int), rows["service"].map(need).to_numpy(int)
    t = rows["year"].to_numpy(int) - problem.years[0]
    part = rows["amount"].to_numpy(float) / problem.need[i, k, t]
    travel = problem.year_weight[t] * problem.persons[i, k] * part * rows["travel_m"].to_numpy(float)
    values = {
        "worst_off": worst_off(problem, share, found.levels.follows),
        "unmet_need": float(unmet.sum()),
        "travel": float(travel.sum()),
        "spending": float(ledger["yuan"].sum()),
        "closeness": float(found.different or 0),
    }
    for goal in problem.scenario.goals:
        if goal.goal == "weighted":
            values["weighted"] = sum(weight * values[name] for name, weight in goal.weights.items())
    return values
