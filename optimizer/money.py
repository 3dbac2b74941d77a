"""Money: which source pays which cost in which year, equations (19) to (25).

The costs of a plan fall into cells (purpose, district, eligible sources) and years. `Money` holds the columns and rows
of the sources' side; equation (19) links it to the costs of one model or of many. Every rule is a row over payments
alone, so that money still falls apart from the parts of the city.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array, csr_array

from optimizer.model import MONEY_UNIT_YUAN, labels
from optimizer.problem import Bools, Floats, Ints, Problem
from optimizer.scenario_money import CoFunding, Limit, Source


@dataclass(frozen=True)
class Money:
    """Payments `pay(source,cell,year)`, then what is carried over, in money units.

    Of sources whose money expires, `carry(source,year of the money,year)` and `use(source,year of the money,year)`
    tell the money of each year apart (25). `link` (cells x years, columns) sums payments by cell and year;
    `matrix @ x <= upper` holds rules (20) and (22) to (25), floors as rows whose limit is below 0.
    """

    source: Ints  # (payments,)
    cell: Ints  # (payments,)
    year: Ints  # (payments,)
    column_upper: Floats
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
    def floors(self) -> Bools:
        """(rows,) which rows ask that something is paid."""
        return np.asarray(self.upper < 0)


@dataclass
class _Side:
    """The money side under construction; `unit` yuan are a money unit."""

    problem: Problem
    unit: float
    source: Ints
    cell: Ints
    year: Ints
    more_names: list[str] = field(default_factory=list)
    more_upper: list[float] = field(default_factory=list)
    entries: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    row_names: list[str] = field(default_factory=list)

    def column(self, name: str, upper: float) -> int:
        """Add a column after the payments; return its position."""
        self.more_names.append(name)
        self.more_upper.append(upper)
        return len(self.source) + len(self.more_names) - 1

    def row(self, name: str, columns: Ints, values: Floats, limit_yuan: float) -> None:
        """Add `values @ columns <= limit`."""
        self.entries.append((np.full(len(columns), len(self.upper)), columns, values))
        self.upper.append(limit_yuan / self.unit)
        self.row_names.append(name)

    def paid(self, source: int, year: int, cells: Bools | None = None) -> Ints:
        """Columns of what a source pays in a year, for some cells."""
        mine = (self.source == source) & (self.year == year)
        return np.flatnonzero(mine if cells is None else mine & cells[self.cell])

    @property
    def labels(self) -> list[str]:
        """Labels of the years."""
        return [str(y) for y in self.problem.years]

    def for_purpose(self, *purposes: str) -> Bools:
        """(cells,) which are for one of some purposes; all where none is named."""
        return np.array([not purposes or p in purposes for p in self.problem.cells.purpose], dtype=bool)


def build_money(problem: Problem, unit: float = MONEY_UNIT_YUAN) -> Money:
    """Return the money side of a problem, in units of `unit` yuan."""
    years, cells = len(problem.years), problem.cells
    triples = [(s, c, t) for c in range(len(cells)) for s in cells.sources[c] for t in range(years)]
    source, cell, year = np.array(triples, dtype=np.int64).reshape(-1, 3).T
    side = _Side(problem, unit, source, cell, year)
    carried = {s: _carry_columns(side, s) for s, rule in enumerate(_rules(problem)) if rule.lasts_years is None}
    for s, name in enumerate(problem.sources):
        if s in carried:
            _balance(side, s, carried[s])
        else:
            _expiring(side, s)
        for purpose, share in sorted(problem.scenario.sources[name].ceiling_share.items()):
            for t in range(years):
                mine = side.paid(s, t, side.for_purpose(purpose))
                limit = np.floor(share * problem.amount[s, t])
                side.row(f"eq22_ceiling({name},{purpose},{side.labels[t]})", mine, np.ones(len(mine)), limit)
    _co_funding(side)
    for s, rule in enumerate(_rules(problem)):
        for number, limit_rule in enumerate(rule.limits):
            _limit(side, s, number, limit_rule)
    _running(side)
    rows, where, values = (np.concatenate(part) for part in zip(*side.entries, strict=True))
    columns = len(source) + len(side.more_names)
    link = coo_array((np.ones(len(source)), (cell * years + year, np.arange(len(source)))))
    place = labels(problem.districts, "d")
    letters = {"work_funds": "w", "space": "s", "service_capital": "c", "service_running": "r", "debt_relief": "d"}
    cell_label = [
        f"{letters[p]}.{place[d]}.{c}" for c, (p, d) in enumerate(zip(cells.purpose, cells.district, strict=True))
    ]
    return Money(
        source=source,
        cell=cell,
        year=year,
        column_upper=np.concatenate([np.full(len(source), np.inf), side.more_upper]),
        link=csr_array((link.data, link.coords), shape=(len(cells) * years, columns)),
        matrix=csr_array(coo_array((values, (rows, where)), shape=(len(side.upper), columns))),
        upper=np.array(side.upper),
        row_names=tuple(side.row_names),
        names=(
            *(f"pay({problem.sources[s]},{cell_label[c]},{side.labels[t]})" for s, c, t in triples),
            *side.more_names,
        ),
    )


def _rules(problem: Problem) -> list[Source]:
    return list(problem.scenario.sources.values())


def _carry_columns(side: _Side, s: int) -> dict[int, int]:
    """Add `carry(source,year)`, at most its limit; return year -> column."""
    problem = side.problem
    return {
        t: side.column(f"carry({problem.sources[s]},{side.labels[t]})", problem.carry_limit[s, t] / side.unit)
        for t in range(len(problem.years) - 1)
        if problem.carry_limit[s, t] > 0
    }


def _balance(side: _Side, s: int, carry: dict[int, int]) -> None:
    """(20) per year: what is paid and carried on is at most the free new money (24) and what was carried in."""
    problem = side.problem
    for t in range(len(problem.years)):
        mine = side.paid(s, t)
        out, into = (np.array([carry[y]] if y in carry else [], dtype=np.int64) for y in (t, t - 1))
        value = np.concatenate([np.ones(len(mine) + len(out)), -np.ones(len(into))])
        name = f"eq20_source({problem.sources[s]},{side.labels[t]})"
        side.row(name, np.concatenate([mine, out, into]), value, problem.amount[s, t])


def _expiring(side: _Side, s: int) -> None:
    """(20) and (25): money of each year by itself, used or carried until it expires; all carried has a limit."""
    problem, label, name = side.problem, side.labels, side.problem.sources[s]
    years, lasts = len(problem.years), problem.scenario.sources[name].lasts_years or 1
    spans = [(v, t) for v in range(years) for t in range(v, min(v + lasts, years))]
    use = {(v, t): side.column(f"use({name},{label[v]},{label[t]})", np.inf) for v, t in spans}
    carry = {
        (v, t): side.column(f"carry({name},{label[v]},{label[t]})", np.inf)
        for v, t in spans
        if (v, t + 1) in use and problem.carry_limit[s, t] > 0
    }
    for t in range(years):
        mine, of = side.paid(s, t), np.array([use[v, y] for v, y in spans if y == t], dtype=np.int64)
        value = np.concatenate([np.ones(len(mine)), -np.ones(len(of))])
        side.row(f"eq20_source({name},{label[t]})", np.concatenate([mine, of]), value, 0.0)
        out = np.array([column for (_, y), column in carry.items() if y == t], dtype=np.int64)
        if len(out):
            side.row(f"eq20_carry({name},{label[t]})", out, np.ones(len(out)), problem.carry_limit[s, t])
    for v, t in spans:
        kept = [carry[v, y] for y in (t, t - 1) if (v, y) in carry]
        value = np.array([1.0, *(1.0 if (v, t) in carry and n == 0 else -1.0 for n in range(len(kept)))])
        new = problem.amount[s, t] if v == t else 0.0
        side.row(f"eq25_expiry({name},{label[v]},{label[t]})", np.array([use[v, t], *kept], dtype=np.int64), value, new)


def district_sources(problem: Problem, district: int) -> list[int]:
    """Positions of a district's own sources: role district, allowed to pay there."""
    name = problem.districts[district]
    return [
        s for s, r in enumerate(_rules(problem)) if r.role == "district" and (not r.districts or name in r.districts)
    ]


def _co_funding(side: _Side) -> None:
    """(22): ratio x what the matched source pays <= what the payers pay, per year and district (or city); its cap."""
    problem = side.problem
    for number, rule in enumerate(problem.scenario.co_funding):
        matched, cells = problem.sources.index(rule.of), side.for_purpose(rule.purpose)
        if rule.within == "city":
            places: list[tuple[str, Bools, list[int]]] = [("city", cells, _payers(problem, rule, 0))]
        else:
            places = [
                (name, cells & (problem.cells.district == d), _payers(problem, rule, d))
                for d, name in enumerate(labels(problem.districts, "d"))
            ]
        for name, there, payers in places:
            for t, label in enumerate(side.labels):
                of = side.paid(matched, t, there)
                by = np.flatnonzero(there[side.cell] & (side.year == t) & np.isin(side.source, payers))
                value = np.concatenate([np.full(len(of), rule.ratio), -np.ones(len(by))])
                side.row(f"eq22_match({number},{name},{label})", np.concatenate([of, by]), value, 0.0)
        for t, label in enumerate(side.labels if rule.cap_yuan is not None else ()):
            of = side.paid(matched, t, cells)
            side.row(f"eq22_cap({number},{label})", of, np.ones(len(of)), np.floor(rule.cap_yuan or 0.0))


def _payers(problem: Problem, rule: CoFunding, district: int) -> list[int]:
    if rule.payer == "district":
        return district_sources(problem, district)
    return [problem.sources.index(rule.payer)]


def limit_places(problem: Problem, s: int, number: int) -> list[tuple[str, str, Bools]]:
    """Places a limit (22) of a source holds in: label for names of rows, what it is called, (cells,) that count."""
    cells, name = problem.cells, problem.sources[s]
    rule = problem.scenario.sources[name].limits[number]
    counted = np.array([not rule.purposes or p in rule.purposes for p in cells.purpose], dtype=bool)
    if rule.districts:
        counted &= np.isin(cells.district, [d for d, x in enumerate(problem.districts) if x in rule.districts])
    if rule.by_community:
        ours = [{community for source, n, community in tags if (source, n) == (s, number)} for tags in cells.tags]
        counted &= np.array([bool(mine) for mine in ours], dtype=bool)
    if rule.for_each == "community":
        there = sorted({community for mine in ours for community in mine})
        named = zip(labels(there, "c"), there, strict=True)
        return [(label, c, counted & np.array([c in mine for mine in ours], dtype=bool)) for label, c in named]
    if rule.for_each == "district":
        return [
            (label, name, counted & (cells.district == d))
            for d, (label, name) in enumerate(zip(labels(problem.districts, "d"), problem.districts, strict=True))
            if not rule.districts or name in rule.districts
        ]
    return [("all", "", counted)]


def _limit(side: _Side, s: int, number: int, rule: Limit) -> None:
    """(22): floor and ceiling of what a source pays in a year for some purposes, by place."""
    problem, cells, name = side.problem, side.problem.cells, side.problem.sources[s]
    for place, _, mine in limit_places(problem, s, number):
        if rule.for_each != "source" and not mine.any():
            continue  # it may not pay there
        grants = np.array([cells.purpose[c] == "work_funds" for c in np.flatnonzero(mine)], dtype=bool)
        whole = problem.scenario.currency.unit_yuan if grants.all() else 1  # grants are paid in whole units
        for t, label in enumerate(side.labels):
            low, high = rule.range_yuan(problem.amount[s, t])
            low, high = np.ceil(low / whole) * whole, np.floor(high / whole) * whole
            paid = side.paid(s, t, mine)
            if low > 0:
                side.row(f"eq22_floor({name},{number},{place},{label})", paid, -np.ones(len(paid)), -low)
            if np.isfinite(high):
                side.row(f"eq22_most({name},{number},{place},{label})", paid, np.ones(len(paid)), high)


def _running(side: _Side) -> None:
    """(23): what is paid for yearly costs in the last year is bound, and goes on: a share of recurring money."""
    problem, rule = side.problem, side.problem.scenario.running_commitment
    if rule is None:
        return
    last = len(problem.years) - 1
    for s, source in enumerate(_rules(problem)):
        most = 0.0
        if source.recurring:
            most = rule.share * problem.amount[s, last] * problem.scenario.staying_power(problem.sources[s])
        paid = side.paid(s, last, problem.cells.yearly)
        name = f"eq23_running({problem.sources[s]},{side.labels[last]})"
        side.row(name, paid, np.ones(len(paid)), np.floor(most + 1e-6))
