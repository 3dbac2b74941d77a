"""Controlled rounding: a table of money in whole units (1, 100 or 1,000 yuan) that still foots.

Every cell and every margin (row, column, total, or any other sum of cells) becomes one of the two multiples of the unit
next to it, and what is a multiple already stays: the zero-restricted controlled rounding of Bacharach (1966, "Matrix
rounding problems") and Cox (1987, "A constructive procedure for unbiased controlled rounding"). No floor or ceiling of
a cell or margin is broken. Among all such tables the one nearest to the values is taken (sum of changes, and of their
squares: between two neighbours the two agree).

Where the margins form two families, each nested like districts in a city, rounding is a flow in a network: it exists
whenever no limit is in the way, and a corner of the linear programme is one. Of other tables (three-way ones, for
instance) some have none: then cells keep their rules, and the margins give way as little as can be and are named.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse

from optimizer.rounding_search import NOISE_YUAN, Choice, Floats, Ints, Margin, Table, choose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Margin", "Rounded", "Violation", "margins_by", "round_table"]

SHOWN = 20
"""Most findings that an error lists."""


@dataclass(frozen=True)
class Violation:
    """A rule that a rounded table does not keep: `value` and `limit` in yuan, `by` how much."""

    name: str  #: of the cell or margin
    kind: Literal["cell", "margin"]
    rule: Literal["floor", "ceiling", "neighbour"]
    value: int
    limit: float  #: the floor or ceiling; for a neighbour the nearest of the two multiples next to the sum
    by: float

    def __str__(self) -> str:
        what = {"floor": "its floor", "ceiling": "its ceiling", "neighbour": "the nearest multiple of its sum"}[
            self.rule
        ]
        side = "below" if self.value < self.limit else "above"
        return f"{self.kind} {self.name}: {self.value:,} yuan is {self.by:,.10g} {side} {what}, {self.limit:,.10g}"


@dataclass(frozen=True, eq=False)
class Rounded:
    """A table in whole units. `exact`: every rule is kept. `proven`: no table violates the rules less."""

    yuan: Ints  #: (cells,) multiples of the unit, in the order of the values given
    exact: bool
    proven: bool
    violations: tuple[Violation, ...]


def margins_by(groups: Mapping[str, Sequence[object]]) -> list[Margin]:
    """Return a margin for every label of every group.

    Args:
        groups: name of a family of margins to the (cells,) label of each cell in it; `{"source": [...], "year": [...],
            "all": [""] * cells}` gives the margins "source city", "source east", …, "year 2007", … and "all".
    """
    found = []
    for group, labels in groups.items():
        cells: dict[str, list[int]] = {}
        for n, label in enumerate(labels):
            cells.setdefault(f"{group} {label}".strip(), []).append(n)
        found += [Margin(name, np.array(where, np.int64)) for name, where in cells.items()]
    return found


def round_table(
    values: Sequence[float] | Floats,
    margins: Sequence[Margin],
    *,
    unit: int = 1,
    names: Sequence[str] | None = None,
    floor: Sequence[float] | Floats | float = 0.0,
    ceiling: Sequence[float] | Floats | float = np.inf,
    nodes: int = 20_000,
) -> Rounded:
    """Round a table of money to multiples of `unit` so that every margin foots (see the head of the module).

    Args:
        values: (cells,) yuan, none negative.
        margins: sums of cells to keep, with limits of their own where they have any.
        unit: whole yuan that every cell is to be a multiple of.
        names: (cells,) a name for each; ties are decided by their order, so that the order of the cells given does not
            matter. Positions where None.
        floor: (cells,) or one number: least yuan of a cell.
        ceiling: (cells,) or one number: most yuan of a cell; 0 for one that may not be paid.
        nodes: work after which a search in whole numbers ends, which two-way tables never need.

    Raises:
        ValueError: naming all that cannot be meant: values that are negative, no number, or outside their limits.
    """
    value = np.asarray(values, float)
    label = [f"{n:09d}" for n in range(value.size)] if names is None else list(names)
    low, high = (np.array(np.broadcast_to(np.asarray(x, float), value.shape)) for x in (floor, ceiling))
    _check(value, label, margins, low, high, unit)
    order = np.array(sorted(range(value.size), key=label.__getitem__), dtype=np.int64)
    position = np.empty_like(order)
    position[order] = np.arange(value.size)
    ordered = [Margin(m.name, np.unique(position[np.asarray(m.cells, np.int64)]), m.floor, m.ceiling) for m in margins]
    ordered.sort(key=lambda m: (m.name, m.floor, m.ceiling, m.cells.tolist()))  # type: ignore[union-attr]
    table = _table(value[order], [label[n] for n in order.tolist()], ordered, low[order], high[order], unit)
    up, proven = choose(table, nodes)
    units = table.cells.low.copy()
    units[table.free] += up
    violations = _violations(table, units, unit)
    return Rounded((units * unit)[position], not violations, proven, violations)


def _check(
    value: Floats, names: Sequence[str], margins: Sequence[Margin], low: Floats, high: Floats, unit: int
) -> None:
    """Raise ValueError with everything that cannot be meant."""
    found = []
    if int(unit) != unit or unit < 1:
        found.append(f"unit = {unit!r}: must be whole yuan, 1 or more; give 1, 100 or 1000")
    if value.ndim != 1 or len(names) != value.size:
        raise ValueError(f"{len(names)} names for values of shape {value.shape}: give one name for every value")
    found += [
        f"cell {name}: is there {n} times; give every cell its own name" for name, n in Counter(names).items() if n > 1
    ]
    bad = ~np.isfinite(value) | (value < -NOISE_YUAN)
    found += [
        f"cell {names[n]}: {value[n]} is no amount of money; give a number from 0 up"
        for n in np.flatnonzero(bad).tolist()
    ]
    for n in np.flatnonzero(~bad).tolist():
        found += _outside(f"cell {names[n]}", value[n], low[n], high[n])
    for margin in margins:
        cells = np.asarray(margin.cells, np.int64)
        if cells.size and (cells.min() < 0 or cells.max() >= value.size):
            found.append(f"margin {margin.name}: names a cell beyond the {value.size} there are; correct its positions")
        elif not bad[cells].any():
            found += _outside(f"margin {margin.name}", value[np.unique(cells)].sum(), margin.floor, margin.ceiling)
    if found:
        more = [f"… and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise ValueError("\n".join(["The table cannot be rounded:", *found[:SHOWN], *more]))


def _outside(what: str, value: float, low: float, high: float) -> list[str]:
    """What is wrong between a value and its limits, in words."""
    noise = NOISE_YUAN + 1e-12 * abs(value)
    if np.isnan(low) or np.isnan(high) or low > high:
        return [f"{what}: floor {low:,.10g} and ceiling {high:,.10g} leave nothing between them; correct one"]
    if value < low - noise:
        return [f"{what}: {value:,.10g} yuan is below its floor of {low:,.10g}; raise the value or lower the floor"]
    if value > high + noise:
        return [
            f"{what}: {value:,.10g} yuan is above its ceiling of {high:,.10g}; lower the value or raise the ceiling"
        ]
    return []


def _table(
    value: Floats, names: Sequence[str], margins: Sequence[Margin], low: Floats, high: Floats, unit: int
) -> Table:
    """The table in units, with what every cell and margin may become."""
    scaled = np.maximum(value, 0.0) / unit
    below, part = _split(np.zeros(value.size, np.int64), scaled, NOISE_YUAN / unit + 1e-15 * scaled)
    cells = _choice(below, part, low, high, unit)
    sizes = [len(m.cells) for m in margins]
    where = np.concatenate([np.asarray(m.cells, np.int64) for m in margins]) if margins else np.zeros(0, np.int64)
    member = sparse.csr_array(
        (np.ones(where.size, np.int64), (np.repeat(np.arange(len(margins)), sizes), where)),
        shape=(len(margins), value.size),
    )
    # Whole units are summed as integers, so that a sum of a million cells is not whole by accident of floats.
    noise = NOISE_YUAN / unit + 1e-13 * np.array(sizes, float)
    sum_below, sum_part = _split(np.asarray(member @ below), np.asarray(member @ part), noise)
    limits = np.array([(m.floor, m.ceiling) for m in margins]).reshape(-1, 2)
    sums = _choice(sum_below, sum_part, limits[:, 0], limits[:, 1], unit)
    free = np.flatnonzero(cells.low < cells.high)
    return Table(names, margins, member, low, high, part, cells, sums, free)


def _split(whole: Ints, more: Floats, noise: Floats) -> tuple[Ints, Floats]:
    """`whole + more` as the whole number below it and the part beyond, 0 where that is noise."""
    near = np.rint(more)
    base = np.where(np.abs(more - near) <= noise, near, np.floor(more))
    part = np.where(np.abs(more - near) <= noise, 0.0, more - base)
    return whole + base.astype(np.int64), part


def _choice(below: Ints, part: Floats, low: Floats, high: Floats, unit: int) -> Choice:
    """The multiples next to each value that its limits allow; of two forbidden ones, the one that breaks them less."""
    above = below + (part > 0)
    noise = NOISE_YUAN / unit
    least, most = np.ceil(low / unit - noise), np.floor(high / unit + noise)
    broken_below = np.maximum(low - below * unit, 0) + np.maximum(below * unit - high, 0)
    broken_above = np.maximum(low - above * unit, 0) + np.maximum(above * unit - high, 0)
    neither = np.maximum(below, least) > np.minimum(above, most)
    forced = np.where(broken_above < broken_below, above, below)
    return Choice(
        low=np.where(neither, forced, np.maximum(below, least)).astype(np.int64),
        high=np.where(neither, forced, np.minimum(above, most)).astype(np.int64),
        least=np.where(neither, forced, least),
        most=np.where(neither, forced, most),
        below=below,
        above=above,
    )


def _violations(table: Table, units: Ints, unit: int) -> tuple[Violation, ...]:
    """Every rule that the rounded table does not keep, counted again from its values."""
    found: list[Violation] = []

    def judge(name: str, kind: Literal["cell", "margin"], value: int, low: float, high: float) -> None:
        for rule, limit, by in (("floor", low, low - value), ("ceiling", high, value - high)):
            if by > NOISE_YUAN + 1e-12 * abs(value):
                found.append(Violation(name, kind, "floor" if rule == "floor" else "ceiling", value, limit, by))

    yuan = units * unit
    for n in np.flatnonzero((yuan < table.floor - NOISE_YUAN) | (yuan > table.ceiling + NOISE_YUAN)).tolist():
        judge(table.names[n], "cell", int(yuan[n]), float(table.floor[n]), float(table.ceiling[n]))
    for margin, total, below, above in zip(
        table.margins,
        (table.member @ units).tolist(),
        table.sums.below.tolist(),
        table.sums.above.tolist(),
        strict=True,
    ):
        before = len(found)
        judge(margin.name, "margin", total * unit, margin.floor, margin.ceiling)
        if len(found) == before and not below <= total <= above:
            nearest = below if total < below else above
            found.append(
                Violation(margin.name, "margin", "neighbour", total * unit, nearest * unit, abs(total - nearest) * unit)
            )
    return tuple(found)
