"""Referrals between levels of a network: what is referred must fit where it goes, equation (13)."""

from dataclasses import dataclass

import numpy as np

from optimizer.hanging import Tree
from optimizer.model import Model
from optimizer.problem import Floats, Ints, Problem
from optimizer.programmes.hierarchy import positions
from optimizer.programmes.services import of_places


@dataclass(frozen=True)
class _Load:
    """What comes up in a unit: columns, units of the service a year that one of each makes, the year it begins."""

    column: Ints
    units: Floats
    year: Ints

    def times(self, share: float) -> "_Load":
        return _Load(self.column, self.units * share, self.year)

    @property
    def most(self) -> "_Load":
        """All that comes up, whatever of it ends before the horizon does: what room is kept for.

        Of one unit that is the most that comes up in any year: one that closes takes on nothing before.
        """
        lasts = self.units > 0
        return _Load(self.column[lasts], self.units[lasts], self.year[lasts])


def _sum(parts: list[_Load]) -> _Load:
    return _Load(
        np.concatenate([np.zeros(0, dtype=np.int64), *(p.column for p in parts)]),
        np.concatenate([np.zeros(0), *(p.units for p in parts)]),
        np.concatenate([np.zeros(0, dtype=np.int64), *(p.year for p in parts)]),
    )


def columns(problem: Problem, model: Model) -> None:
    """Add `referred(site,need,year)` and `refer(lower,upper,need)`, units of the service a year.

    `referred` is capacity of a start that takes in what is referred; `refer` what a unit with a choice refers where.
    """
    if not len(problem.units):
        return
    tree, hangs, service = Tree(problem), problem.hangs, problem.units.service
    place, _, start = positions(model.columns["open"])
    most = np.append(tree.most_in, 0.0)[problem.place_unit]
    mine = np.flatnonzero(most[place] > 0)
    keys = [("site", place[mine]), ("need", problem.places.service[place[mine]] + 2), ("year", start[mine])]
    model.add_columns("referred", keys, upper=np.minimum(most, problem.places.most)[place[mine]])
    model.notes["referred_open"] = mine
    pairs = np.flatnonzero(tree.chooses[hangs.lower] & (tree.most_out[hangs.lower] > 0))
    lower = hangs.lower[pairs]
    keys = [("unit", lower), ("unit", hangs.upper[pairs]), ("need", service[lower] + 2)]
    model.add_columns("refer", keys, upper=tree.most_out[lower])


def rows(problem: Problem, model: Model) -> None:
    """(13): what is referred to a unit, and what it serves itself, fits into its capacity, existing and new.

    One row `eq13_referral(unit,need)` for every unit that others may hang on, as a share of what exists there; where
    services of closing stations end, one for every year instead.
    """
    if not len(problem.units):
        return
    tree = Tree(problem)
    flows = _Flows(problem, model, tree)
    _refer_rows(problem, model, flows)
    _fit_rows(problem, model, flows)
    _new_rows(problem, model)


class _Flows:
    """What comes up in every unit: what exists serves, what new capacity serves, what is referred to it."""

    def __init__(self, problem: Problem, model: Model, tree: Tree) -> None:
        self.tree = tree
        none = _sum([])
        self.old, self.new = ([none] * len(problem.units) for _ in range(2))
        start = positions(model.columns["serve"])[3]
        self._add(self.new, problem, model, "serve", start, 1.0)
        self._add(self.old, problem, model, "kept", np.zeros(model.columns["kept"].count, dtype=np.int64), 1.0)
        for name, sign in (("joined", 1.0), ("handed", 1.0), ("ended", -1.0)):
            if name in model.columns:
                self._add(self.old, problem, model, name, positions(model.columns[name])[3], sign)
        self.refers = _by_unit(problem, model, "refer", 0)
        chosen = _by_unit(problem, model, "refer", 1)
        self.into = [none] * len(problem.units)
        for u in tree.order.tolist():
            below = np.flatnonzero(tree.only == u).tolist()
            self.into[u] = _sum([chosen[u], *(self.total(v).times(float(tree.share[v])) for v in below)])

    def total(self, unit: int) -> _Load:
        """All that a unit serves or takes in."""
        return _sum([self.old[unit], self.new[unit], self.into[unit]])

    def _add(self, to: list[_Load], problem: Problem, model: Model, name: str, year: Ints, sign: float) -> None:
        arcs, unit_of, arc = problem.existing_arcs, problem.existing_unit, model.notes[f"{name}_arc"]
        if name == "serve":
            arcs, unit_of = problem.arcs, problem.place_unit
        unit = unit_of[arcs.target[arc]]
        mine = np.flatnonzero(unit >= 0)
        mine = mine[np.argsort(unit[mine], kind="stable")]
        peak = sign * problem.peak[arcs.community[arc[mine]], problem.units.service[unit[mine]] + 2]
        found, first = np.unique(unit[mine], return_index=True)
        for u, part in zip(found.tolist(), np.split(np.arange(len(mine)), first[1:]), strict=len(found) > 0):
            more = _Load(model.columns[name].positions[mine[part]], peak[part], year[mine[part]])
            to[u] = _sum([to[u], more])


def _by_unit(problem: Problem, model: Model, name: str, key: int) -> list[_Load]:
    """Columns of a family of amounts for each unit, the one named by its key; in all years."""
    family = model.columns[name]
    unit = positions(family)[key]
    parts = []
    for u in range(len(problem.units)):
        column = family.positions[unit == u]
        parts.append(_Load(column, np.ones(len(column)), np.zeros(len(column), dtype=np.int64)))
    return parts


def _refer_rows(problem: Problem, model: Model, flows: _Flows) -> None:
    """What has a choice refers its share, no more and no less, and only to what it hangs on.

    It keeps its room in every year: the share is of the most it serves and takes in.
    """
    tree, service = flows.tree, problem.units.service
    refer, hang = model.columns["refer"], model.columns["hang"]
    units, end = np.unique(positions(refer)[0]), len(problem.years)
    row = model.add_rows("eq13_refer", [("unit", units), ("need", service[units] + 2)], lower=0.0, upper=0.0)
    for r, u in zip(row.tolist(), units.tolist(), strict=True):
        _put(model, r, flows.refers[u], end, 1.0)
        _put(model, r, flows.total(u).most.times(float(tree.share[u])), end, -1.0)
    lower, upper, _ = positions(refer)
    keys = [("unit", lower), ("unit", upper), ("need", service[lower] + 2)]
    row = model.add_rows("eq13_refer_link", keys, upper=0.0)
    model.put(row, refer.positions, 1.0)
    below, above, _, _ = positions(hang)
    row_of = dict(zip(zip(lower.tolist(), upper.tolist(), strict=True), row.tolist(), strict=True))
    for column, u, v in zip(hang.positions.tolist(), below.tolist(), above.tolist(), strict=True):
        if (u, v) in row_of:
            model.put(row_of[u, v], column, -float(tree.most_out[u]))


def _fit_rows(problem: Problem, model: Model, flows: _Flows) -> None:
    """What exists has room for what it serves and what is referred there, less what new capacity takes in.

    New capacity takes in no more than what is referred there, else a centre could get to its smallest size by nothing.
    """
    capacity = np.zeros(len(problem.units))
    mine = problem.existing_unit >= 0
    np.add.at(capacity, problem.existing_unit[mine], problem.existing.capacity[mine])
    taken = _taken(problem, model)
    used = np.unique(problem.hangs.upper)
    loads = [_sum([flows.old[u], flows.into[u]]) for u in used.tolist()]
    load_of = dict(zip(used.tolist(), loads, strict=True))
    for name, keys, at, year in _rows_of(problem, used, loads):
        there = capacity[at] > 0
        low = np.where(there | bool(name), -np.inf, 0.0)  # what is all new is no larger than what is referred there
        row = model.add_rows(f"eq13_referral{name}", keys, lower=low, upper=np.where(there, 1.0, 0.0))
        part = np.where(there, 1 / np.where(there, capacity[at], 1.0), 1.0)
        for r, u, t, share in zip(row.tolist(), at.tolist(), year.tolist(), part.tolist(), strict=True):
            _put(model, r, load_of[u], t, share)
            _put(model, r, taken[u], t, -share)
    loose = [u for u in used.tolist() if len(taken[u].column) and (capacity[u] > 0 or (load_of[u].units < 0).any())]
    some = np.array(loose, dtype=np.int64)
    row = model.add_rows("eq13_taken_in", [("unit", some), ("need", problem.units.service[some] + 2)], upper=0.0)
    for r, u in zip(row.tolist(), some.tolist(), strict=True):
        _put(model, r, taken[u], len(problem.years), 1.0)
        _put(model, r, flows.into[u].most, len(problem.years), -1.0)


def _rows_of(problem: Problem, units: Ints, loads: list[_Load]) -> list[tuple[str, list[tuple[str, Ints]], Ints, Ints]]:
    """Rows of units in two groups, of the last year and, where loads end, of every year: name, keys, units, years."""
    ends = np.array([bool((load.units < 0).any()) for load in loads], dtype=bool)
    years, need = len(problem.years), problem.units.service + 2
    once, every = units[~ends], np.repeat(units[ends], years)
    year = np.tile(np.arange(years), int(ends.sum()))
    last = np.full(len(once), years - 1, dtype=np.int64)
    groups = [("", [("unit", once), ("need", need[once])], once, last)]
    if len(every):
        groups.append(("_yearly", [("unit", every), ("need", need[every]), ("year", year)], every, year))
    return groups


def _taken(problem: Problem, model: Model) -> list[_Load]:
    """Columns `referred` of every unit."""
    unit = problem.place_unit[positions(model.columns["referred"])[0]]
    columns = model.columns["referred"].positions
    parts = [columns[unit == u] for u in range(len(problem.units))]
    return [_Load(part, np.ones(len(part)), np.zeros(len(part), dtype=np.int64)) for part in parts]


def _put(model: Model, row: int, load: _Load, year: int, factor: float) -> None:
    now = load.year <= year
    model.put(row, load.column[now], load.units[now] * factor)


def _new_rows(problem: Problem, model: Model) -> None:
    """(9) and (12) with what new capacity takes in: its size, its limits, the floor of an office."""
    referred = model.columns["referred"]
    place, _, start = positions(referred)
    for name in ("eq9_size", "eq9_smallest"):
        family = next(f for f in model.row_families if f.name == name)
        of_place, _, of_start = (index.tolist() for index in positions(family))
        row_of = dict(zip(zip(of_place, of_start, strict=True), family.positions.tolist(), strict=True))
        rows = np.array([row_of.get(at, -1) for at in zip(place.tolist(), start.tolist(), strict=True)], dtype=np.int64)
        has = np.flatnonzero(rows >= 0)
        model.put(rows[has], referred.positions[has], 1.0)
    own = np.flatnonzero(problem.places.own[place])
    keys = [("site", place[own]), ("need", problem.places.service[place[own]] + 2), ("year", start[own])]
    row = model.add_rows("eq13_largest", keys, upper=0.0)
    model.put(row, referred.positions[own], 1.0)
    tree, unit = Tree(problem), problem.place_unit[place[own]]
    largest = np.minimum(problem.places.most[place[own]], tree.most_own[unit] + tree.most_in[unit])
    model.put(row, model.columns["open"].positions[model.notes["referred_open"][own]], -largest)
    row_at = dict(zip(zip(place[own].tolist(), start[own].tolist(), strict=True), row.tolist(), strict=True))
    _, at, need, year = positions(model.columns["serve"])
    peak = problem.peak[positions(model.columns["serve"])[0], need]
    rows = np.array([row_at.get(key, -1) for key in zip(at.tolist(), year.tolist(), strict=True)], dtype=np.int64)
    has = np.flatnonzero(rows >= 0)
    model.put(rows[has], model.columns["serve"].positions[has], peak[has])
    floor = next(f for f in model.row_families if f.name == "eq12_office_floor")
    per_unit = of_places(problem, "area_m2_per_unit")
    office, in_year = positions(floor)
    for r, i, t in zip(floor.positions.tolist(), office.tolist(), in_year.tolist(), strict=True):
        now = own[(problem.places.community[place[own]] == i) & (start[own] <= t)]
        model.put(r, referred.positions[now], per_unit[place[now]])


def cost(problem: Problem, model: Model) -> None:
    """Own stations pay for capacity that takes in referrals as for what they serve, equation (19); others by size."""
    if not len(problem.units):
        return
    place, _, start = positions(model.columns["referred"])
    index, years = problem.price_index, len(problem.years)
    own = np.flatnonzero(problem.places.own[place])
    column, at, first = model.columns["referred"].positions[own], place[own], start[own]
    for kind in ("capital", "running"):
        places = zip(problem.places.community[at].tolist(), problem.places.service[at].tolist(), strict=True)
        cell = np.array([problem.cell(f"service_{kind}", i, k) for i, k in places], dtype=np.int64)
        yuan = of_places(problem, f"{kind}_yuan_per_unit")[at]
        for t in range(years):
            now = np.flatnonzero(first == t if kind == "capital" else first <= t)
            model.add_cost(column[now], cell[now], t, yuan[now] * index[t])


def met(problem: Problem, model: Model) -> None:
    """Add nothing: what is served meets the need, and its referrals have their place."""
