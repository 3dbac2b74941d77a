"""Whole-yuan money of a plan: which source pays which cost, so that everything foots (equations 19 to 22).

The costs of a plan are whole yuan. Payments by cell and year are found by a small integer programme with the same
rules as in the model, those for grants in whole units of the currency; grants may give way by a few units where
rounding leaves too little. Payments are then dealt out to the single costs.
"""

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import block_array, coo_array, csr_array

from optimizer.highs import solve
from optimizer.highs_arrays import Arrays, Options, Outcome
from optimizer.money import Money, build_money
from optimizer.plan_tables import Item
from optimizer.problem import Floats, Ints, Problem
from optimizer.shortage import missing_money

_USE_FIRST = {"donor": 0.0, "lottery": 1.0, "other": 2.0, "district": 3.0, "city": 4.0}
"""Restricted money first, so that what is left over can be used most freely."""


class MoneyShortError(Exception):
    """No whole-yuan payments exist for these costs; `yuan` says how much is missing in all, `said` why, if known."""

    def __init__(self, yuan: float, said: str = "") -> None:
        super().__init__(said or f"{yuan:,.0f} yuan are missing")
        self.yuan, self.said = yuan, said


@dataclass(frozen=True)
class Books:
    """Ledger and sources of a plan, and its costs after grants gave way to rounding."""

    ledger: pd.DataFrame
    sources: pd.DataFrame
    items: list[Item]


def keep_books(problem: Problem, items: list[Item]) -> Books:
    """Return the ledger of `items`; raises MoneyShortError where the sources cannot pay them."""
    money = build_money(problem, unit=1.0)
    years = len(problem.years)
    total = np.zeros(len(problem.cells) * years)
    for item in items:
        total[item.cell * years + item.year] += item.yuan
    grants = np.repeat([p == "work_funds" for p in problem.cells.purpose], years)
    give = np.where(grants & (not problem.scenario.programmes.work_funds.hard_floor), total, 0.0)
    step = _steps(problem, money, int((give > 0).sum()))
    outcome = _pay(problem, money, total, give, step)
    if outcome.x is None:
        raise MoneyShortError(max(1.0, float(missing_money(problem, total.reshape(-1, years)).sum())))
    x = np.rint(outcome.x).astype(np.int64) * step
    pay, given = x[: money.n_columns], x[money.n_columns :]
    less = dict(zip(np.flatnonzero(give > 0).tolist(), given.tolist(), strict=True))
    kept = _give_way(items, less, years, problem.scenario.currency.unit_yuan)
    ledger = _deal(problem, money, pay, kept)
    return Books(ledger, _sources(problem, money, pay), kept)


def payments(problem: Problem, cost: Floats) -> tuple[Money, Ints]:
    """Return whole-yuan payments (columns of the returned money side) for costs (cells, T) that must all be paid.

    Floors of sources are left out, as other costs are still to come. Raises MoneyShortError where the sources cannot
    pay the costs.
    """
    money = build_money(problem, unit=1.0)
    limits = ~money.floors
    names = tuple(name for name, keep in zip(money.row_names, limits, strict=True) if keep)
    asked = replace(money, matrix=csr_array(money.matrix[limits]), upper=money.upper[limits], row_names=names)
    step = _steps(problem, asked, 0)
    outcome = _pay(problem, asked, cost.ravel(), np.zeros(cost.size), step)
    if outcome.x is None:
        raise MoneyShortError(max(1.0, float(missing_money(problem, cost).sum())))
    return money, np.rint(outcome.x).astype(np.int64) * step


def _steps(problem: Problem, money: Money, flexible: int) -> Ints:
    """(columns,) yuan in a step of each payment, carry-over and giving up: a unit where it is for grants, else 1."""
    unit = problem.scenario.currency.unit_yuan
    grants = np.array([problem.cells.purpose[c] == "work_funds" for c in money.cell], dtype=bool)
    carry = np.ones(money.n_columns - len(money.cell), dtype=np.int64)  # and what is used of money that expires
    return np.concatenate([np.where(grants, unit, 1), carry, np.full(flexible, unit)])


def _pay(problem: Problem, money: Money, total: Floats, give: Floats, step: Ints) -> Outcome:
    """Payments by source, cell and year, then what grants give up, in whole steps; the least given up first."""
    flexible = np.flatnonzero(give > 0)
    rows, columns = len(total), money.n_columns
    back = coo_array((np.ones(len(flexible)), (flexible, np.arange(len(flexible)))), shape=(rows, len(flexible)))
    matrix = block_array(
        [[money.link, csr_array(back)], [money.matrix, csr_array((len(money.upper), len(flexible)))]], format="csr"
    )
    roles = [rule.role for rule in problem.scenario.sources.values()]
    order = np.array([_USE_FIRST[roles[s]] for s in money.source])
    cost = np.concatenate([order * 1e-3, np.zeros(columns - len(order)), np.full(len(flexible), 1.0)])
    whole = np.ones(columns + len(flexible), dtype=bool)
    most = np.concatenate([np.floor(money.column_upper), give[flexible]]) / step
    matrix = csr_array(matrix.multiply(step[None, :]))
    arrays = Arrays(
        cost * step,
        np.zeros(len(cost)),
        most,
        np.zeros_like(whole),
        matrix,
        np.concatenate([total, np.full(len(money.upper), -np.inf)]),
        np.concatenate([total, money.upper]),
    )
    relaxed = solve(arrays, Options(solver="simplex"))
    if relaxed.x is not None and np.abs(relaxed.x - np.rint(relaxed.x)).max() < 1e-6:
        return relaxed  # without co-funding the rules are a network, whose corner plans are whole
    if relaxed.x is None:
        return relaxed
    # Whole payments lie next to the relaxed ones: a unit or two each way keeps the search small.
    width = np.where(step > 1, 2, 2 * problem.scenario.currency.unit_yuan)
    near = replace(
        arrays,
        lower=np.maximum(0.0, np.floor(relaxed.x) - width),
        upper=np.minimum(most, np.ceil(relaxed.x) + width),
        integer=whole,
    )
    outcome = solve(near, Options(gap=1e-6, nodes=20_000))
    return outcome if outcome.x is not None else solve(replace(arrays, integer=whole), Options(gap=1e-5, nodes=50_000))


def _give_way(items: list[Item], given: dict[int, int], years: int, unit: int) -> list[Item]:
    """Take what each cell gives up from its grants, a unit at a time in turn, largest grants first."""
    by_cell: dict[int, list[int]] = defaultdict(list)
    for n, item in enumerate(items):
        if item.purpose == "work_funds":
            by_cell[item.cell * years + item.year].append(n)
    yuan = [item.yuan for item in items]
    for key in sorted(given):
        less = given[key]
        order = sorted(by_cell[key], key=lambda n: (-items[n].yuan, items[n].community))
        each, rest = divmod(less // unit, max(1, len(order)))
        for rank, n in enumerate(order):
            cut = min(yuan[n], (each + (1 if rank < rest else 0)) * unit)
            yuan[n], less = yuan[n] - cut, less - cut
        for n in order:
            cut = min(yuan[n], less)
            yuan[n], less = yuan[n] - cut, less - cut
    return [replace(item, yuan=y) for item, y in zip(items, yuan, strict=True) if y > 0]


def _deal(problem: Problem, money: Money, pay: np.ndarray, items: list[Item]) -> pd.DataFrame:
    """Deal the payments of each cell and year out to its costs, in order of names."""
    purses: dict[tuple[int, int], list[list[int]]] = defaultdict(list)
    for s, c, t, yuan in zip(money.source, money.cell, money.year, pay, strict=False):
        if yuan > 0:
            purses[int(c), int(t)].append([int(s), int(yuan)])
    rows: list[tuple[str, str, str, str, int, int, str, str, int]] = []
    for item in sorted(items, key=lambda x: (x.cell, x.year, x.community, x.service, x.site, x.purpose)):
        left = item.yuan
        purse = purses[item.cell, item.year]
        district = problem.districts[problem.cells.district[item.cell]]
        while left > 0:
            if not purse:
                raise MoneyShortError(left)
            take = min(left, purse[0][1])
            source = problem.sources[purse[0][0]]
            year = problem.years[item.year]
            again = take if item.yearly else 0
            rows.append((source, item.purpose, district, item.community, year, take, item.service, item.site, again))
            left -= take
            purse[0][1] -= take
            if purse[0][1] == 0:
                purse.pop(0)
    columns = ["source", "purpose", "district", "community", "year", "yuan", "service", "site", "yearly_yuan"]
    frame = pd.DataFrame(rows, columns=columns)
    keys = [c for c in columns if not c.endswith("yuan")]
    if len(frame):
        frame = pd.DataFrame(frame.groupby(keys, as_index=False, sort=True)[["yuan", "yearly_yuan"]].sum())
    return frame[columns if problem.scenario.running_commitment else columns[:-1]]


def _sources(problem: Problem, money: Money, pay: np.ndarray) -> pd.DataFrame:
    """Rows of `sources.csv`, equations (20) and (25)."""
    years = len(problem.years)
    spent = np.zeros((len(problem.sources), years), dtype=np.int64)
    np.add.at(spent, (money.source, money.year), pay[: len(money.source)])
    rows = []
    for s, name in enumerate(problem.sources):
        lasts = problem.scenario.sources[name].lasts_years or years
        carried, left_of = 0, [0] * years  # what is left of the money of each year
        for t, year in enumerate(problem.years):
            amount = left_of[t] = int(problem.amount[s, t])
            _take_oldest(left_of, int(spent[s, t]))
            for old in range(max(0, t - lasts + 2)):
                left_of[old] = 0  # it may not be spent next year
            left = amount + carried - int(spent[s, t])
            # Carry what may be carried: money that is kept can still help, money that lapses cannot.
            out = min(sum(left_of), int(problem.carry_limit[s, t])) if t < years - 1 else 0
            _take_oldest(left_of, sum(left_of) - out)
            rows.append((name, year, amount, carried, int(spent[s, t]), out, left - out))
            carried = out
    columns = ["source", "year", "amount_yuan", "carried_in_yuan", "spent_yuan", "carried_out_yuan", "lapsed_yuan"]
    return pd.DataFrame(rows, columns=columns)


def _take_oldest(left_of: list[int], yuan: int) -> None:
    """Take money of the oldest years first from what is left of each."""
    for year, there in enumerate(left_of):
        taken = min(there, yuan)
        left_of[year], yuan = there - taken, yuan - taken
