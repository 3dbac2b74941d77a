"""Money: which source pays which cost in which year, equations (19) to (22).

The costs of a plan fall into cells (purpose, district, eligible sources) and years. `Money` holds the columns and rows
of the sources' side; equation (19) links it to the costs of one model or of many.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from optimizer.model import MONEY_UNIT_YUAN, labels
from optimizer.problem import Floats, Ints, Problem


@dataclass(frozen=True)
class Money:
    """Payments `pay(source,cell,year)` and `carry(source,year)`, in money units.

    `link` (cells x years, columns) sums payments by cell and year; `matrix @ x <= upper` holds rules (20) and (22).
    """

    source: Ints  # (payments,)
    cell: Ints  # (payments,)
    year: Ints  # (payments,)
    carry_source: Ints
    carry_year: Ints
    carry_upper: Floats
    link: csr_array
    matrix: csr_array
    upper: Floats
    row_names: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def n_columns(self) -> int:
        """Number of columns, payments first."""
        return len(self.names)

    @property
    def column_upper(self) -> Floats:
        """(columns,) upper limits."""
        return np.concatenate([np.full(len(self.source), np.inf), self.carry_upper])


_Add = Callable[[str, Ints, Floats, float], None]
"""Adds a row: its name, columns, coefficients and upper limit."""


def build_money(problem: Problem, unit: float = MONEY_UNIT_YUAN) -> Money:
    """Return the money side of a problem, in units of `unit` yuan."""
    years = len(problem.years)
    cells = problem.cells
    triples = [(s, c, t) for c in range(len(cells)) for s in cells.sources[c] for t in range(years)]
    source, cell, year = np.array(triples, dtype=np.int64).reshape(-1, 3).T
    carry_source, carry_year = np.nonzero(problem.carry_limit[:, :-1] > 0)
    payments, carries = len(source), len(carry_source)
    columns = payments + carries
    link = csr_array(
        coo_array((np.ones(payments), (cell * years + year, np.arange(payments))), shape=(len(cells) * years, columns))
    )
    entries: list[tuple[Ints, Ints, Floats]] = []
    upper: list[float] = []
    row_names: list[str] = []
    label = [str(y) for y in problem.years]

    def add(name: str, columns_of: Ints, values: Floats, limit: float) -> None:
        entries.append((np.full(len(columns_of), len(upper)), columns_of, values))
        upper.append(limit)
        row_names.append(name)

    for s, name in enumerate(problem.sources):
        for t in range(years):
            mine = np.flatnonzero((source == s) & (year == t))
            out = payments + np.flatnonzero((carry_source == s) & (carry_year == t))
            into = payments + np.flatnonzero((carry_source == s) & (carry_year == t - 1))
            where = np.concatenate([mine, out, into])
            value = np.concatenate([np.ones(len(mine) + len(out)), -np.ones(len(into))])
            add(f"eq20_source({name},{label[t]})", where, value, problem.amount[s, t] / unit)
        for purpose, share in sorted(problem.scenario.sources[name].ceiling_share.items()):
            paid_for = np.array([p == purpose for p in cells.purpose], dtype=bool)
            for t in range(years):
                mine = np.flatnonzero((source == s) & (year == t) & paid_for[cell])
                limit = np.floor(share * problem.amount[s, t]) / unit
                add(f"eq22_ceiling({name},{purpose},{label[t]})", mine, np.ones(len(mine)), limit)
    _co_funding(problem, source, cell, year, add)
    rows, where, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    place = labels(problem.districts, "d")
    letters = {"work_funds": "w", "space": "s", "service_capital": "c", "service_running": "r"}
    cell_label = [
        f"{letters[p]}.{place[d]}.{c}" for c, (p, d) in enumerate(zip(cells.purpose, cells.district, strict=True))
    ]
    names = [f"pay({problem.sources[s]},{cell_label[c]},{label[t]})" for s, c, t in triples]
    names += [f"carry({problem.sources[s]},{label[t]})" for s, t in zip(carry_source, carry_year, strict=True)]
    return Money(
        source=source,
        cell=cell,
        year=year,
        carry_source=carry_source.astype(np.int64),
        carry_year=carry_year.astype(np.int64),
        carry_upper=problem.carry_limit[carry_source, carry_year] / unit,
        link=link,
        matrix=csr_array(coo_array((values, (rows, where)), shape=(len(upper), columns))),
        upper=np.array(upper),
        row_names=tuple(row_names),
        names=tuple(names),
    )


def district_sources(problem: Problem, district: int) -> list[int]:
    """Positions of a district's own sources: role district, allowed to pay there."""
    name = problem.districts[district]
    rules = problem.scenario.sources.values()
    return [s for s, r in enumerate(rules) if r.role == "district" and (not r.districts or name in r.districts)]


def _co_funding(problem: Problem, source: Ints, cell: Ints, year: Ints, add: _Add) -> None:
    """(22): ratio x what the matched source pays <= what the district's own sources pay, per district and year."""
    cells = problem.cells
    for number, rule in enumerate(problem.scenario.co_funding):
        matched = problem.sources.index(rule.of)
        paid_for = np.array([p == rule.purpose for p in cells.purpose], dtype=bool)
        for d, name in enumerate(labels(problem.districts, "d")):
            payers = district_sources(problem, d)
            there = paid_for[cell] & (cells.district[cell] == d)
            for t in range(len(problem.years)):
                of = np.flatnonzero(there & (year == t) & (source == matched))
                by = np.flatnonzero(there & (year == t) & np.isin(source, payers))
                value = np.concatenate([np.full(len(of), rule.ratio), -np.ones(len(by))])
                label = f"eq22_match({number},{name},{problem.years[t]})"
                add(label, np.concatenate([of, by]), value, 0.0)
