"""Hard rules that money cannot keep, found before any search: which rule, where, when and how much is missing."""

import re
from collections.abc import Iterator

import numpy as np
from scipy.sparse import block_array, csr_array, eye_array

from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.money import build_money, limit_places
from optimizer.problem import WORK_FUNDS, Floats, Ints, Problem
from optimizer.programmes import build_model


def hard_costs(problem: Problem, closes: Ints | None = None) -> Floats:
    """(cells, T) yuan to be paid whatever is decided: existing stations, and entitlements under a hard floor.

    Stations are paid for until they may close, or until they do, where `closes` (existing,) says in which year.
    """
    years = len(problem.years)
    cost = np.zeros((len(problem.cells), years))
    existing, services = problem.existing, list(problem.scenario.services.values())
    if closes is None:
        closes = np.where(existing.close_first <= existing.close_last, np.minimum(existing.close_first, years), years)
    for e in np.flatnonzero(existing.paid & (existing.running_yuan > 0)):
        k, i = int(existing.service[e]), int(existing.community[e])
        cell = problem.cell("service_running", i, k, shared=services[k].siting == "network")
        cost[cell, : closes[e]] += np.floor(existing.running_yuan[e] * problem.price_index[: closes[e]] + 0.5)
    if problem.scenario.programmes.work_funds.hard_floor:
        for i in range(len(problem.communities)):
            cost[problem.cell("work_funds", i)] += problem.need[i, WORK_FUNDS]
    return cost


def missing_money(problem: Problem, cost: Floats) -> Floats:
    """(cells, T) yuan of `cost` that the sources cannot pay at the least, whatever else they pay.

    Floors of sources are left out: they ask for more costs, not for fewer.
    """
    money = build_money(problem, unit=1.0)
    rows, columns = cost.size, money.n_columns
    limits = ~money.floors
    matrix = block_array(
        [[money.link, eye_array(rows)], [money.matrix[limits], csr_array((int(limits.sum()), rows))]], format="csr"
    )
    flat = cost.ravel()
    arrays = Arrays(
        np.concatenate([np.zeros(columns), np.ones(rows)]),
        np.zeros(columns + rows),
        np.concatenate([money.column_upper, flat]),
        np.zeros(columns + rows, dtype=bool),
        matrix,
        np.concatenate([flat, np.full(int(limits.sum()), -np.inf)]),
        np.concatenate([flat, money.upper[limits]]),
    )
    outcome = solve(arrays, Options(solver="simplex"))
    return np.zeros_like(cost) if outcome.x is None else outcome.x[columns:].reshape(cost.shape)


def unkept_floors(problem: Problem, cost: Floats | None = None) -> list[tuple[str, str, str, float, float]]:
    """Return floors of sources (22) that no plan can keep: the rule, its place (empty: all), year, floor, what lacks.

    Asked is whether there is anything to spend the money on, and money beside the other rules; a plan may fail for
    other reasons too. With `cost` (cells, T) it is the plan with these costs that cannot keep them. In yuan.
    """
    money = build_money(problem, unit=1.0)
    if not money.floors.any():
        return []
    if cost is None:
        model = build_model(problem)
        with np.errstate(invalid="ignore"):
            most = (model.cost @ model.upper + model.fixed_cost) * MONEY_UNIT_YUAN
        least, most = model.fixed_cost * MONEY_UNIT_YUAN, np.where(np.isnan(most), np.inf, most)
    else:
        least = most = cost.ravel()
    floors, rows = np.flatnonzero(money.floors), len(most)
    elastic = csr_array(
        (-np.ones(len(floors)), (floors, np.arange(len(floors)))), shape=(len(money.upper), len(floors))
    )
    matrix = block_array([[money.link, -eye_array(rows), None], [money.matrix, None, elastic]], format="csr")
    arrays = Arrays(
        np.concatenate([np.zeros(money.n_columns + rows), np.ones(len(floors))]),
        np.concatenate([np.zeros(money.n_columns), least, np.zeros(len(floors))]),
        np.concatenate([money.column_upper, most, np.full(len(floors), np.inf)]),
        np.zeros(matrix.shape[1], dtype=bool),
        csr_array(matrix),
        np.concatenate([np.zeros(rows), np.full(len(money.upper), -np.inf)]),
        np.concatenate([np.zeros(rows), money.upper]),
    )
    outcome = solve(arrays, Options(solver="simplex"))
    lacks = np.zeros(len(floors)) if outcome.x is None else outcome.x[money.n_columns + rows :]
    found = []
    for row, yuan in zip(floors, lacks, strict=True):
        said = re.fullmatch(r"eq22_floor\((.+),(\d+),(.+),(\d+)\)", money.row_names[row])
        if yuan >= 1 and said:
            source, number = problem.sources.index(said[1]), int(said[2])
            called = {label: name for label, name, _ in limit_places(problem, source, number)}
            floor = float(-money.upper[row])
            found.append((f"sources.{said[1]}.limits.{number}", called[said[3]], said[4], floor, float(yuan)))
    return found


def said_of_floors(problem: Problem, cost: Floats | None = None) -> str:
    """Return in words which floors of sources no plan, or not the one with these costs, can keep; empty if it can."""
    name = problem.scenario.currency.name
    lines = [
        f"  {rule}{f' ({place})' if place else ''} {year}: the floor is {floor:,.0f} {name}, "
        f"{lacks:,.0f} of it cannot be spent"
        for rule, place, year, floor, lacks in unkept_floors(problem, cost)
    ]
    if not lines:
        return ""
    more = [f"  … and {len(lines) - 12} more"] if len(lines) > 12 else []
    head = "No plan can keep the floors of the sources:"
    ways = "Ways out: lower these floors, raise the ceilings, co-funding or money beside them, or widen the needs."
    if cost is not None:
        head = "The plan made by this rule does not keep the floors of the sources:"
        ways += "\nOther plans may keep them: take another rule.split, or drop rule to have the best plan searched."
    return "\n".join([head, *lines[:12], *more, ways])


def explain(problem: Problem) -> str:
    """Return in words what hard rules lack money, or an empty string where all can be paid."""
    if problem.scenario.programmes.work_funds.hard_floor:
        over = np.argwhere(problem.need[:, WORK_FUNDS] > problem.grant_limit)
        if len(over):
            i, t = over[0]
            due, limit = problem.need[i, WORK_FUNDS, t], problem.grant_limit[i, t]
            return (
                f"No plan keeps the hard floor: {problem.names[i]} is due {due:,.0f} in {problem.years[t]}, but "
                f"ceiling_yuan allows {limit:,.0f} ({len(over)} such cases).\n"
                "Raise programmes.work_funds.ceiling_yuan, lower floor_yuan or the care, or make the floor soft."
            )
    cost = hard_costs(problem)
    missing = missing_money(problem, cost)
    if missing.sum() < 1.0:
        return said_of_floors(problem)
    name = problem.scenario.currency.name
    lines = [f"No plan can pay what must be paid: {missing.sum():,.0f} {name} are missing at the least."]
    words = {
        "work_funds": "work funds at the hard floor",
        "service_running": "running costs of existing stations",
        "service_capital": "opening stations",
        "space": "space",
        "debt_relief": "debt relief",
    }
    for purpose, word in words.items():
        for d, district in enumerate(problem.districts):
            mine = [
                c
                for c, (p, e) in enumerate(zip(problem.cells.purpose, problem.cells.district, strict=True))
                if (p, e) == (purpose, d)
            ]
            for t, year in enumerate(problem.years):
                short = missing[mine, t].sum()
                if short >= 1:
                    due = cost[mine, t].sum()
                    lines.append(f"  {district} {year}: {word} cost {due:,.0f} {name}, {short:,.0f} of it not covered")
    shown = lines[:13] + ([f"  … and {len(lines) - 13} more"] if len(lines) > 13 else [])
    short = {purpose for c, purpose in enumerate(problem.cells.purpose) if missing[c].sum() >= 1}
    return "\n".join([*shown, f"Ways out: {'; '.join(_ways_out(problem, short))}."])


def _ways_out(problem: Problem, short: set[str]) -> Iterator[str]:
    """Yield what could be done about money that is missing for these purposes."""
    scenario = problem.scenario
    if "work_funds" in short:
        yield "lower programmes.work_funds.floor_yuan or make it soft (hard_floor: false)"
    yield "raise the amounts of the sources that may pay there"
    if any(source.limits or source.ceiling_share for source in scenario.sources.values()):
        yield "raise their ceilings (limits, ceiling_share)"
    if any(rule.purpose in short for rule in scenario.co_funding):
        yield "lower the ratio of co_funding"
    if "service_running" in short:
        if scenario.running_commitment is not None:
            yield "raise running_commitment.share"
        yield "lower what stations cost (running_yuan of facilities), or let them close (closing of their service)"
