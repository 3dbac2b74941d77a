"""Hard rules that money cannot keep, found before any search: which rule, where, when and how much is missing."""

import numpy as np
from scipy.sparse import block_array, csr_array, eye_array

from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options
from optimizer.money import build_money
from optimizer.problem import WORK_FUNDS, Floats, Problem


def hard_costs(problem: Problem) -> Floats:
    """(cells, T) yuan to be paid whatever is decided: existing stations, and entitlements under a hard floor."""
    years = len(problem.years)
    cost = np.zeros((len(problem.cells), years))
    existing, services = problem.existing, list(problem.scenario.services.values())
    for e in np.flatnonzero(existing.paid & (existing.running_yuan > 0)):
        k, i = int(existing.service[e]), int(existing.community[e])
        cell = problem.cell("service_running", i, k, shared=services[k].siting == "network")
        cost[cell] += np.floor(existing.running_yuan[e] * problem.price_index + 0.5)
    if problem.scenario.programmes.work_funds.hard_floor:
        for i in range(len(problem.communities)):
            cost[problem.cell("work_funds", i)] += problem.need[i, WORK_FUNDS]
    return cost


def missing_money(problem: Problem, cost: Floats) -> Floats:
    """(cells, T) yuan of `cost` that the sources cannot pay at the least, whatever else they pay."""
    money = build_money(problem, unit=1.0)
    rows, columns = cost.size, money.n_columns
    matrix = block_array(
        [[money.link, eye_array(rows)], [money.matrix, csr_array((len(money.upper), rows))]], format="csr"
    )
    flat = cost.ravel()
    arrays = Arrays(
        np.concatenate([np.zeros(columns), np.ones(rows)]),
        np.zeros(columns + rows),
        np.concatenate([money.column_upper, flat]),
        np.zeros(columns + rows, dtype=bool),
        matrix,
        np.concatenate([flat, np.full(len(money.upper), -np.inf)]),
        np.concatenate([flat, money.upper]),
    )
    outcome = solve(arrays, Options(solver="simplex"))
    return np.zeros_like(cost) if outcome.x is None else outcome.x[columns:].reshape(cost.shape)


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
        return ""
    name = problem.scenario.currency.name
    lines = [f"No plan can pay what must be paid: {missing.sum():,.0f} {name} are missing at the least."]
    words = {
        "work_funds": "work funds at the hard floor",
        "service_running": "running costs of existing stations",
        "service_capital": "opening stations",
        "space": "space",
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
    shown.append("Ways out: lower programmes.work_funds.floor_yuan or make it soft (hard_floor: false); raise the")
    shown.append("amounts of the sources that may pay there; lower the co-funding ratio.")
    return "\n".join(shown)
