"""The model: named columns and rows that programmes write, kept as arrays, with what they cost and what they meet.

A `Model` belongs to one `Problem` (the whole city or a part). It has no money rules: `optimizer.money` couples the
costs of one or more models to the sources. Money inside the model is in units of `MONEY_UNIT_YUAN`, shares are 0..1,
areas m2.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array

from optimizer.problem import Floats, Ints, Problem

MONEY_UNIT_YUAN = 10_000.0
MOST_OF_TWO = 18
"""Longest identifier in names that hold two of them: names of more than 100 characters break an LP file."""
_PLAIN = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.]{0,23}")

Key = tuple[Ints, Sequence[str]]  # positions of one index of a family, and the labels of that index


def labels(identifiers: Sequence[str], prefix: str, most: int = 24) -> list[str]:
    """Return identifiers fit for names in LP files: those not plain ASCII, or too long, become _prefix + position."""
    plain = [len(name) <= most and _PLAIN.fullmatch(name) for name in identifiers]
    return [name if fits else f"_{prefix}{i}" for i, (name, fits) in enumerate(zip(identifiers, plain, strict=True))]


def with_level(identifiers: Sequence[str], levels: Sequence[str], prefix: str, most: int = 24) -> list[str]:
    """Return identifiers fit for names, with a level after each."""
    return [f"{site}.{level}" for site, level in zip(labels(identifiers, prefix, most), levels, strict=True)]


@dataclass(frozen=True)
class Family:
    """Columns or rows of one kind, at positions `start` to `start + count - 1`."""

    name: str
    start: int
    count: int
    keys: tuple[Key, ...]

    @property
    def positions(self) -> Ints:
        """Positions of its columns or rows."""
        return np.arange(self.start, self.start + self.count, dtype=np.int64)

    def names(self) -> list[str]:
        """Names of the form `family(key,key)`."""
        if not self.keys:
            return [self.name] * self.count
        parts = [[text[i] for i in index] for index, text in self.keys]
        return [f"{self.name}({','.join(row)})" for row in zip(*parts, strict=True)]


@dataclass
class _Entries:
    """Coordinates of a sparse matrix under construction."""

    row: list[Ints] = field(default_factory=list)
    column: list[Ints] = field(default_factory=list)
    value: list[Floats] = field(default_factory=list)

    def add(self, row: npt.ArrayLike, column: npt.ArrayLike, value: npt.ArrayLike) -> None:
        rows, columns, values = np.broadcast_arrays(row, column, value)
        self.row.append(rows.ravel().astype(np.int64))
        self.column.append(columns.ravel().astype(np.int64))
        self.value.append(values.ravel().astype(np.float64))

    def matrix(self, rows: int, columns: int) -> csr_array:
        if not self.row:
            return csr_array((rows, columns))
        coordinates = np.concatenate(self.row), np.concatenate(self.column)
        return csr_array(coo_array((np.concatenate(self.value), coordinates), shape=(rows, columns)))


class Model:
    """Columns, rows, costs and met shares of one problem, written by the programmes."""

    def __init__(self, problem: Problem) -> None:
        """Start an empty model of `problem`."""
        self.problem = problem
        n, k, t = problem.shape
        self.columns: dict[str, Family] = {}
        self.row_families: list[Family] = []
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._integer: list[npt.NDArray[np.bool_]] = []
        self._row_lower: list[Floats] = []
        self._row_upper: list[Floats] = []
        self._entries, self._cost, self._met, self._travel = _Entries(), _Entries(), _Entries(), _Entries()
        self.n_columns = self.n_rows = 0
        self._score_of: Ints | None = None  # communities with a column for their score, where there are such columns
        self.notes: dict[str, Ints] = {}  # name -> position in a table of the problem, per column of a family
        self.fixed_cost = np.zeros(len(problem.cells) * t)
        self.met_base = np.zeros(n * k * t)
        self.key_labels: dict[str, list[str]] = {
            "community": labels(problem.communities, "c"),
            "year": [str(y) for y in problem.years],
            "need": labels(problem.needs, "k"),
            "room": labels(problem.rooms.site, "r"),
            "hall": labels(problem.halls.site, "h"),
            "site": [
                f"_{site}.centre" if centre else site  # no plain identifier and no made-up name begins like this
                for site, centre in zip(labels(problem.places.site, "j"), problem.places.centre, strict=True)
            ],
            "existing": with_level(problem.existing.site, problem.existing.level, "e"),
            "unit": with_level(problem.units.site, problem.units.level, "u", MOST_OF_TWO),
        }

    def add_columns(
        self,
        name: str,
        keys: Sequence[tuple[str, Ints]],
        *,
        upper: npt.ArrayLike,
        integer: bool = False,
    ) -> Ints:
        """Add a family of columns from 0 to `upper`; `keys` are (index name, positions); return their positions."""
        count = len(keys[0][1])
        family = Family(name, self.n_columns, count, self._keys(keys))
        self.columns[name] = family
        self._lower.append(np.zeros(count))
        self._upper.append(np.broadcast_to(np.asarray(upper, dtype=float), (count,)).copy())
        self._integer.append(np.full(count, integer))
        self.n_columns += count
        return family.positions

    def add_rows(
        self,
        name: str,
        keys: Sequence[tuple[str, Ints]],
        *,
        lower: npt.ArrayLike = -np.inf,
        upper: npt.ArrayLike = np.inf,
    ) -> Ints:
        """Add a family of rows (filled by `put`) with limits; return their positions."""
        count = len(keys[0][1])
        family = Family(name, self.n_rows, count, self._keys(keys))
        self.row_families.append(family)
        self._row_lower.append(np.broadcast_to(np.asarray(lower, dtype=float), (count,)).copy())
        self._row_upper.append(np.broadcast_to(np.asarray(upper, dtype=float), (count,)).copy())
        self.n_rows += count
        return family.positions

    def _keys(self, keys: Sequence[tuple[str, Ints]]) -> tuple[Key, ...]:
        return tuple((index, self.key_labels[name]) for name, index in keys)

    def put(self, row: npt.ArrayLike, column: npt.ArrayLike, value: npt.ArrayLike) -> None:
        """Add coefficients to rows."""
        self._entries.add(row, column, value)

    def add_cost(self, column: npt.ArrayLike, cell: npt.ArrayLike, year: npt.ArrayLike, yuan: npt.ArrayLike) -> None:
        """Say what a unit of a column costs, in yuan of that year's prices, in a cell and year (equation 19)."""
        row = np.asarray(cell) * len(self.problem.years) + np.asarray(year)
        self._cost.add(row, column, np.asarray(yuan, dtype=float) / MONEY_UNIT_YUAN)

    def add_fixed_cost(self, cell: Ints, year: npt.ArrayLike, yuan: npt.ArrayLike) -> None:
        """Say what is to be paid whatever is decided, in yuan of that year's prices."""
        row, value = np.broadcast_arrays(np.asarray(cell) * len(self.problem.years) + np.asarray(year), yuan)
        np.add.at(self.fixed_cost, row.ravel(), value.ravel() / MONEY_UNIT_YUAN)

    def need_row(self, community: npt.ArrayLike, need: npt.ArrayLike, year: npt.ArrayLike) -> Ints:
        """Position of a (community, need, year) in met shares."""
        _, k, t = self.problem.shape
        return np.asarray((np.asarray(community) * k + np.asarray(need)) * t + np.asarray(year), dtype=np.int64)

    def add_met(
        self,
        community: npt.ArrayLike,
        need: npt.ArrayLike,
        year: npt.ArrayLike,
        column: npt.ArrayLike,
        share: npt.ArrayLike,
    ) -> None:
        """Say what share of a need a unit of a column meets in a year (equation 1)."""
        self._met.add(self.need_row(community, need, year), column, share)

    def add_travel(self, column: npt.ArrayLike, person_metres: npt.ArrayLike) -> None:
        """Say what travel (weighted person-metres a year) a unit of a column causes."""
        self._travel.add(0, column, person_metres)

    def add_scores(self) -> None:
        """Add a column for the score of every community that has one, equation (2).

        To be called last. Rows that speak of the scores of all communities have few numbers then.
        """
        who = np.flatnonzero(self.problem.scored)
        met = self._met.matrix(len(self.met_base), self.n_columns)
        part, base = coo_array(csr_array(self._score_rows @ met)[who]), (self._score_rows @ self.met_base)[who]
        columns = self.add_columns("score", [("community", who)], upper=np.inf)
        rows = self.add_rows("eq2_mean", [("community", who)], lower=base, upper=base)
        self.put(rows, columns, 1.0)
        self.put(rows[part.row], part.col, -part.data)
        self._score_of = who

    @cached_property
    def lower(self) -> Floats:
        """(columns,) lower limits."""
        return np.concatenate(self._lower) if self._lower else np.zeros(0)

    @cached_property
    def upper(self) -> Floats:
        """(columns,) upper limits."""
        return np.concatenate(self._upper) if self._upper else np.zeros(0)

    @cached_property
    def integer(self) -> npt.NDArray[np.bool_]:
        """(columns,) which are whole."""
        return np.concatenate(self._integer) if self._integer else np.zeros(0, dtype=bool)

    @cached_property
    def row_lower(self) -> Floats:
        """(rows,) lower limits."""
        return np.concatenate(self._row_lower) if self._row_lower else np.zeros(0)

    @cached_property
    def row_upper(self) -> Floats:
        """(rows,) upper limits."""
        return np.concatenate(self._row_upper) if self._row_upper else np.zeros(0)

    @cached_property
    def matrix(self) -> csr_array:
        """(rows, columns) coefficients."""
        return self._entries.matrix(self.n_rows, self.n_columns)

    @cached_property
    def cost(self) -> csr_array:
        """(cells x years, columns) money units that a unit of each column costs."""
        return self._cost.matrix(len(self.fixed_cost), self.n_columns)

    @cached_property
    def met(self) -> csr_array:
        """(communities x needs x years, columns) met share per unit of each column; `met_base` is met anyway."""
        return self._met.matrix(len(self.met_base), self.n_columns)

    @cached_property
    def travel(self) -> Floats:
        """(columns,) weighted person-metres per unit."""
        return np.asarray(self._travel.matrix(1, self.n_columns).toarray()).ravel()

    @cached_property
    def score(self) -> csr_array:
        """(communities, columns) score over the horizon per unit of each column, equation (2)."""
        if self._score_of is not None:
            at, one = self.columns["score"].positions, np.ones(len(self._score_of))
            shape = len(self.problem.communities), self.n_columns
            return csr_array(coo_array((one, (self._score_of, at)), shape=shape))
        return csr_array(self._score_rows @ self.met)

    @cached_property
    def score_base(self) -> Floats:
        """(communities,) score without any decision; 0 where a column has the whole score."""
        if self._score_of is not None:
            return np.zeros(len(self.problem.communities))
        return np.asarray(self._score_rows @ self.met_base)

    @cached_property
    def _score_rows(self) -> csr_array:
        p = self.problem
        n, k, t = p.shape
        value = p.score_weight * p.year_weight
        row = np.repeat(np.arange(n), k * t)
        return csr_array(coo_array((value.ravel(), (row, np.arange(n * k * t))), shape=(n, n * k * t)))

    @cached_property
    def unmet(self) -> tuple[Floats, float]:
        """Second goal: (columns,) person-needs per unit (at most 0), and person-needs without any decision."""
        p = self.problem
        value = (p.unmet_weight[:, :, None] * p.year_weight[None, None, :]).ravel()
        return -np.asarray(self.met.T @ value), float(value @ (1 - self.met_base))

    def column_names(self) -> list[str]:
        """Names of all columns."""
        return [name for family in self.columns.values() for name in family.names()]

    def row_names(self) -> list[str]:
        """Names of all rows."""
        return [name for family in self.row_families for name in family.names()]


Verb = Callable[[Problem, Model], None]
