"""The joint model of a city: every programme's columns and rows, coupled by money.

Columns are those of the programmes' model, then those of `Money`. Rows are the programmes', then (19), then money's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import block_array, csr_array, vstack

from optimizer.highs_arrays import Arrays
from optimizer.model import MONEY_UNIT_YUAN, Model, labels
from optimizer.money import Money, build_money
from optimizer.problem import Floats, Problem
from optimizer.programmes import build_model

Goal = tuple[Floats, float]
"""A goal to be minimised: (columns,) coefficients and a constant."""


@dataclass(frozen=True)
class ExtraRows:
    """Rows over all columns of a joint model, added for one stage (goals kept, levels of scores) or for all.

    Rows that stay in the model have `names`, and `whole`: what a row's whole amounts to, in its unit (of scores: the
    sum of its weights, at least 1; of money: all money). No plan has ten times as much to spare.
    """

    matrix: csr_array
    lower: Floats
    upper: Floats
    names: tuple[str, ...] = ()
    whole: tuple[float, ...] = ()


@dataclass(frozen=True)
class Joint:
    """The programmes' model of a problem, and its money."""

    problem: Problem
    model: Model
    money: Money
    extra: ExtraRows | None = None  # rows of fairness, the last of all
    stands_in: Goal | None = None  # for unmet need as the second goal, where that is another

    def with_rows(self, rows: ExtraRows) -> "Joint":
        """Return the same model with more rows that every plan keeps."""
        old = self.extra
        if old is not None:
            both = csr_array(vstack([old.matrix, rows.matrix], format="csr"))
            low, high = np.concatenate([old.lower, rows.lower]), np.concatenate([old.upper, rows.upper])
            rows = ExtraRows(both, low, high, old.names + rows.names, old.whole + rows.whole)
        return replace(self, extra=rows)

    @property
    def n_columns(self) -> int:
        """Columns of the model and of money."""
        return self.model.n_columns + self.money.n_columns

    def _wide(self, model: Floats, money: Floats | None = None) -> Floats:
        return np.concatenate([model, np.zeros(self.money.n_columns) if money is None else money])

    def _padded(self, rows: csr_array) -> csr_array:
        return csr_array(block_array([[rows, csr_array((rows.shape[0], self.money.n_columns))]]))

    @cached_property
    def lower(self) -> Floats:
        """(columns,) lower limits."""
        return self._wide(self.model.lower)

    @cached_property
    def upper(self) -> Floats:
        """(columns,) upper limits."""
        return self._wide(self.model.upper, self.money.column_upper)

    @cached_property
    def integer(self) -> npt.NDArray[np.bool_]:
        """(columns,) which are whole."""
        return np.concatenate([self.model.integer, np.zeros(self.money.n_columns, dtype=bool)])

    @cached_property
    def link(self) -> csr_array:
        """(cells x years, columns) payments less costs, equation (19); equals the fixed costs."""
        return csr_array(block_array([[-self.model.cost, self.money.link]]))

    @cached_property
    def matrix(self) -> csr_array:
        """(rows, columns) the programmes' rows, then (19), then money's rules (20) and (22), then those of fairness."""
        money = block_array([[csr_array((len(self.money.upper), self.model.n_columns)), self.money.matrix]])
        more = [] if self.extra is None else [self.extra.matrix]
        return csr_array(vstack([self._padded(self.model.matrix), self.link, money, *more], format="csr"))

    @cached_property
    def row_lower(self) -> Floats:
        """(rows,) lower limits."""
        free = np.full(len(self.money.upper), -np.inf)
        more = [] if self.extra is None else [self.extra.lower]
        return np.concatenate([self.model.row_lower, self.model.fixed_cost, free, *more])

    @cached_property
    def row_upper(self) -> Floats:
        """(rows,) upper limits."""
        more = [] if self.extra is None else [self.extra.upper]
        return np.concatenate([self.model.row_upper, self.model.fixed_cost, self.money.upper, *more])

    @property
    def link_rows(self) -> slice:
        """Rows of equation (19) in `matrix`."""
        return slice(self.model.n_rows, self.model.n_rows + len(self.model.fixed_cost))

    @cached_property
    def second(self) -> Goal:
        """The goal after the worst-off: unmet need, unless another stands in for it."""
        return self.unmet if self.stands_in is None else self.stands_in

    @cached_property
    def unmet(self) -> Goal:
        """Unmet need: person-needs."""
        return self._wide(self.model.unmet[0]), self.model.unmet[1]

    @cached_property
    def travel(self) -> Goal:
        """Third goal: person-metres."""
        return self._wide(self.model.travel), 0.0

    @cached_property
    def spending(self) -> Goal:
        """Fourth goal: money units paid over the horizon."""
        return self._wide(np.asarray(self.model.cost.sum(axis=0), dtype=float).ravel()), float(
            self.model.fixed_cost.sum()
        )

    def weighted(self, weights: Mapping[str, float]) -> Goal:
        """Weighted sum of goals: points per person-need, person-metre and yuan, equation (35)."""
        parts = {"unmet_need": self.unmet, "travel": self.travel, "spending": self.spending}
        unit = {"spending": MONEY_UNIT_YUAN}
        total = [(weight * unit.get(name, 1.0), parts[name]) for name, weight in weights.items()]
        return sum((w * goal[0] for w, goal in total), np.zeros(self.n_columns)), sum(w * goal[1] for w, goal in total)

    @cached_property
    def score(self) -> csr_array:
        """(communities, columns) score of each community, equation (2); `model.score_base` is had anyway."""
        return self._padded(self.model.score)

    def arrays(self, goal: Goal, extra: ExtraRows | None = None) -> Arrays:
        """Return the whole model for a goal."""
        matrix, low, high = self.matrix, self.row_lower, self.row_upper
        if extra is not None:
            matrix = csr_array(vstack([matrix, extra.matrix], format="csr"))
            low, high = np.concatenate([low, extra.lower]), np.concatenate([high, extra.upper])
        return Arrays(goal[0], self.lower, self.upper, self.integer, matrix, low, high, goal[1])

    def in_units(self, arrays: Arrays) -> tuple[Arrays, Floats]:
        """Return a model of this one's columns (and more) with grants, and payments for them, in whole units, (3).

        With it comes the size of each column's step: a plan is `size * x`. Where the unit is one of the currency, the
        model is as it was: what is left of a yuan is rounded later.
        """
        size, unit = np.ones(len(arrays.cost)), self.problem.scenario.currency.unit_yuan
        if unit == 1:
            return arrays, size
        grants = np.array([purpose == "work_funds" for purpose in self.problem.cells.purpose], dtype=bool)
        paid = self.model.n_columns + np.flatnonzero(grants[self.money.cell])
        columns = np.concatenate([self.model.columns["grant"].positions, paid])
        size[columns] = unit / MONEY_UNIT_YUAN
        integer = arrays.integer.copy()
        integer[columns] = True
        scaled = replace(
            arrays, cost=arrays.cost * size, lower=arrays.lower / size, upper=arrays.upper / size, integer=integer,
            matrix=csr_array(arrays.matrix.multiply(size[None, :])),
        )  # fmt: skip
        return scaled, size

    def column_names(self) -> list[str]:
        """Names of all columns."""
        return self.model.column_names() + list(self.money.names)

    def row_names(self) -> list[str]:
        """Names of all rows of `matrix`."""
        cells, years = self.problem.cells, self.problem.years
        place = labels(self.problem.districts, "d")
        link = [
            f"eq19_paid({p},{place[d]}.{c},{y})"
            for c, (p, d) in enumerate(zip(cells.purpose, cells.district, strict=True))
            for y in years
        ]
        more = [] if self.extra is None else self.extra.names
        return [*self.model.row_names(), *link, *self.money.row_names, *more]


def build_joint(problem: Problem) -> Joint:
    """Return the joint model of a problem."""
    return Joint(problem, build_model(problem), build_money(problem))
