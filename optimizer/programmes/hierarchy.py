"""Levels of a network: what hangs on what, and from when, equation (13).

What has a choice chooses once, for good, in the year it begins to be used; what has none begins when the one thing it
can hang on is there. Nothing is to be decided where that lasts from the first year to the end.
"""

from collections.abc import Iterable

import numpy as np

from optimizer.hanging import Tree
from optimizer.model import Family, Model
from optimizer.problem import Floats, Ints, Problem

Start = tuple[int, int]
"""A column that is 1 where a unit begins to be used, and the year of that."""


class Starts:
    """Columns that say when units begin to be used; `tree` says which of them need any."""

    def __init__(self, problem: Problem, model: Model) -> None:
        """Look up the columns `open` of every unit."""
        self.problem, self.tree = problem, Tree(problem)
        place, _, year = positions(model.columns["open"])
        self.opens: dict[int, list[Start]] = {}  # place -> starts
        for column, j, t in zip(model.columns["open"].positions.tolist(), place.tolist(), year.tolist(), strict=True):
            self.opens.setdefault(j, []).append((column, t))
        self.hangs: dict[int, list[tuple[int, int, int]]] = {}  # unit -> column, upper unit, year
        if "hang" in model.columns:
            keys = [k.tolist() for k in positions(model.columns["hang"])]
            for column, lower, upper, t in zip(
                model.columns["hang"].positions.tolist(), keys[0], keys[1], keys[3], strict=True
            ):
                self.hangs.setdefault(lower, []).append((column, upper, t))

    def opened(self, unit: int) -> list[Start]:
        """Starts of new capacity of a unit."""
        return [start for place in self.tree.places[unit] for start in self.opens.get(place, [])]

    def of(self, unit: int) -> list[Start]:
        """Starts of a unit that does not last: of its use where something exists, else of its opening."""
        return self.waited_for(unit) if self.tree.there[unit] else self.opened(unit)

    def waited_for(self, unit: int) -> list[Start]:
        """Starts that the use of a unit waits for which is not held."""
        if self.tree.chooses[unit]:
            return [(column, t) for column, _, t in self.hangs.get(unit, [])]
        only = int(self.tree.only[unit])
        return self.of(only) if only >= 0 else []

    def years(self, unit: int) -> list[int]:
        """Years in which a unit with a choice may begin to be used; `hang` need not be there yet."""
        if not self.tree.there[unit]:
            return sorted({t for _, t in self.opened(unit)})
        return [0] if self.tree.closes[unit] else list(range(len(self.problem.years)))

    def first(self, unit: int) -> int:
        """First year in which a unit may be used; the number of years where it never is."""
        if self.tree.lasts[unit]:
            return 0
        if not self.tree.there[unit]:
            return min((t for _, t in self.opened(unit)), default=len(self.problem.years))
        uppers = self.problem.hangs.upper[self.tree.options[unit]].tolist()
        return min((self.first(v) for v in uppers), default=len(self.problem.years))


def positions(family: Family) -> list[Ints]:
    """Positions of the keys of a family, one array for each key."""
    return [index for index, _ in family.keys]


def waiting(problem: Problem) -> Ints:
    """Existing arcs whose share waits for something to hang on, but may begin in a later year."""
    tree = Tree(problem)
    unit = problem.existing_unit[problem.existing_arcs.target]
    later = np.append(~tree.held & ~tree.closes, False)  # the last for what has no levels
    return np.flatnonzero(later[unit])


def columns(problem: Problem, model: Model) -> None:
    """Add `hang(lower,upper,need,year)`, yes or no, and `joined(community,existing,need,year)`; none where all is held.

    `joined` is the share that an existing station serves from a year after the first, in which it hangs on something.
    """
    if not len(problem.units):
        return
    starts, hangs = Starts(problem, model), problem.hangs
    rows = [
        (u, int(hangs.upper[pair]), t)
        for u in np.flatnonzero(starts.tree.chooses).tolist()
        for pair in starts.tree.options[u]
        for t in starts.years(u)
        if t >= starts.first(int(hangs.upper[pair]))
    ]
    lower, upper, year = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    keys = [("unit", lower), ("unit", upper), ("need", problem.units.service[lower] + 2), ("year", year)]
    model.add_columns("hang", keys, upper=1.0, integer=True)
    old, arcs = problem.existing, problem.existing_arcs
    arc, later = waiting(problem), np.arange(1, len(problem.years))
    arc, year = np.repeat(arc, len(later)), np.tile(later, len(arc))
    need = old.service[arcs.target[arc]] + 2
    keys = [("community", arcs.community[arc]), ("existing", arcs.target[arc]), ("need", need), ("year", year)]
    model.add_columns("joined", keys, upper=most_kept(problem)[arc])
    model.notes["joined_arc"] = arc


def most_kept(problem: Problem) -> Floats:
    """Largest share each existing arc may carry."""
    old, arcs = problem.existing, problem.existing_arcs
    peak = problem.peak[arcs.community, old.service[arcs.target] + 2]
    return np.asarray(np.minimum(1.0, old.capacity[arcs.target] / peak))


def rows(problem: Problem, model: Model) -> None:
    """Add (13): what is used hangs on one thing, that is there by then; to (8) what begins later."""
    if not len(problem.units):
        return
    starts = Starts(problem, model)
    _choice_rows(problem, model, starts)
    _open_rows(problem, model, starts)
    _kept_rows(problem, model, starts)
    _demand_rows(problem, model)
    _one_level_rows(problem, model, starts)


def _choice_rows(problem: Problem, model: Model, starts: Starts) -> None:
    """What has a choice hangs on one thing once; what is new, in the year it opens; and that thing is there by then."""
    tree, service = starts.tree, problem.units.service
    choosing = np.flatnonzero(tree.chooses)
    old = choosing[tree.there[choosing]]
    row = model.add_rows("eq13_once", [("unit", old), ("need", service[old] + 2)], upper=1.0)
    for r, u in zip(row.tolist(), old.tolist(), strict=True):
        _put(model, r, starts.hangs.get(u, []), 1.0)
    rows = [(u, t) for u in choosing[~tree.there[choosing]].tolist() for t in starts.years(u)]
    unit, year = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    keys = [("unit", unit), ("need", service[unit] + 2), ("year", year)]
    for r, (u, t) in zip(model.add_rows("eq13_hangs", keys, lower=0.0, upper=0.0).tolist(), rows, strict=True):
        _put(model, r, [h for h in starts.hangs.get(u, []) if h[2] == t], 1.0)
        _put(model, r, [o for o in starts.opened(u) if o[1] == t], -1.0)
    pairs = [
        (u, v, t) for u, hung in sorted(starts.hangs.items()) for _, v, t in sorted(hung, key=lambda h: h[1:])
        if not tree.lasts[v]
    ]  # fmt: skip
    lower, upper, year = np.array(pairs, dtype=np.int64).reshape(-1, 3).T
    keys = [("unit", lower), ("unit", upper), ("need", service[lower] + 2), ("year", year)]
    for r, (u, v, t) in zip(model.add_rows("eq13_there", keys, upper=0.0).tolist(), pairs, strict=True):
        _put(model, r, [h for h in starts.hangs[u] if h[1] == v and h[2] <= t], 1.0)
        _put(model, r, _by(starts.of(v), t), -1.0)


def _open_rows(problem: Problem, model: Model, starts: Starts) -> None:
    """New capacity at what is used already, or has one thing to hang on, opens when that is so, not before."""
    tree = starts.tree
    rows = [
        (place, t)
        for u in np.flatnonzero(~tree.held).tolist()
        if tree.there[u] or not tree.chooses[u]
        for place in tree.places[u]
        for _, t in starts.opens.get(place, [])
    ]
    place, year = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    keys = [("site", place), ("need", problem.places.service[place] + 2), ("year", year)]
    for r, (j, t) in zip(model.add_rows("eq13_opens", keys, upper=0.0).tolist(), rows, strict=True):
        _put(model, r, _by(starts.opens[j], t), 1.0)
        _put(model, r, _by(starts.waited_for(int(problem.place_unit[j])), t), -1.0)


def _kept_rows(problem: Problem, model: Model, starts: Starts) -> None:
    """Existing stations serve from the year on in which they hang on something, and up to their capacity."""
    old, arcs, most = problem.existing, problem.existing_arcs, most_kept(problem)
    unit = problem.existing_unit[arcs.target]
    waits = np.append(~starts.tree.held, False)  # the last for what has no levels
    arc = np.flatnonzero(waits[unit])
    kept, joined = model.columns["kept"].positions, model.columns["joined"].positions
    later, year = model.notes["joined_arc"], positions(model.columns["joined"])[3]
    use = [(int(a), 0, int(kept[a])) for a in arc]
    use += list(zip(later.tolist(), year.tolist(), joined.tolist(), strict=True))
    if "handed" in model.columns:
        taking = model.notes["handed_arc"]
        when = positions(model.columns["handed"])[3]
        mine = np.flatnonzero(waits[problem.existing_unit[arcs.target[taking]]])
        columns = model.columns["handed"].positions[mine].tolist()
        taken_on = list(zip(taking[mine].tolist(), when[mine].tolist(), columns, strict=True))
        _handed_rows(problem, model, starts, taken_on)
    at, t_at = (np.array([row[n] for row in use], dtype=np.int64) for n in (0, 1))
    target = arcs.target[at]
    keys = [("community", arcs.community[at]), ("existing", target), ("need", old.service[target] + 2), ("year", t_at)]
    for r, (a, t, column) in zip(model.add_rows("eq13_serves", keys, upper=0.0).tolist(), use, strict=True):
        model.put(r, column, 1.0)
        _put(model, r, _in(starts.waited_for(int(unit[a])), t), -float(most[a]))
    pairs = sorted({(int(arcs.target[a]), t) for a, t, _ in use})
    station, year = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    keys = [("existing", station), ("need", old.service[station] + 2), ("year", year)]
    row_of = dict(zip(pairs, model.add_rows("eq13_full", keys, upper=0.0).tolist(), strict=True))
    for (e, t), r in row_of.items():
        _put(model, r, _in(starts.waited_for(int(problem.existing_unit[e])), t), -1.0)
    peak = problem.peak[arcs.community, old.service[arcs.target] + 2]
    for a, t, column in use:
        e = int(arcs.target[a])
        model.put(row_of[e, t], column, float(peak[a] / old.capacity[e]) if old.capacity[e] > 0 else 0.0)


def _handed_rows(problem: Problem, model: Model, starts: Starts, use: list[tuple[int, int, int]]) -> None:
    """What an existing station takes on from others that close, it takes on when it hangs on something."""
    arcs, most = problem.existing_arcs, most_kept(problem)
    at, t_at = (np.array([row[n] for row in use], dtype=np.int64) for n in (0, 1))
    target = arcs.target[at]
    need = problem.existing.service[target] + 2
    keys = [("community", arcs.community[at]), ("existing", target), ("need", need), ("year", t_at)]
    for r, (a, t, column) in zip(model.add_rows("eq13_takes_on", keys, upper=0.0).tolist(), use, strict=True):
        model.put(r, column, 1.0)
        unit = int(problem.existing_unit[arcs.target[a]])
        _put(model, r, _by(starts.waited_for(unit), t), -float(most[a]))


def _demand_rows(problem: Problem, model: Model) -> None:
    """(8) with what begins later: in the row of the last year, and in those of the years before where there are any."""
    joined = model.columns["joined"]
    if not joined.count:
        return
    community, _, need, year = positions(joined)
    for family in model.row_families:
        if family.name not in ("eq8_demand", "eq8_yearly"):
            continue
        keys = positions(family)
        last = np.full(family.count, len(problem.years) - 1)
        in_year = keys[2] if family.name == "eq8_yearly" else last
        row_of = dict(zip(zip(*(k.tolist() for k in (*keys[:2], in_year)), strict=True), family.positions, strict=True))
        for t in sorted(set(in_year.tolist())):
            now = np.flatnonzero(year <= t)
            rows = [row_of.get((i, k, t), -1) for i, k in zip(community[now].tolist(), need[now].tolist(), strict=True)]
            has = np.flatnonzero(np.array(rows, dtype=np.int64) >= 0)
            model.put(np.array(rows, dtype=np.int64)[has], joined.positions[now[has]], 1.0)


def _one_level_rows(problem: Problem, model: Model, starts: Starts) -> None:
    """In one building a service opens a station or a centre, not both."""
    units, at = problem.units, dict[tuple[str, int], list[int]]()
    for u, (site, k) in enumerate(zip(units.site, units.service.tolist(), strict=True)):
        if starts.opened(u):
            at.setdefault((site, k), []).append(u)
    both = [members for members in at.values() if len(members) > 1]
    first = np.array([members[0] for members in both], dtype=np.int64)
    row = model.add_rows("eq13_one_level", [("unit", first), ("need", units.service[first] + 2)], upper=1.0)
    for r, members in zip(row.tolist(), both, strict=True):
        for u in members:
            _put(model, r, starts.opened(u), 1.0)


def _by(starts: Iterable[Start], year: int) -> list[Start]:
    """Starts in a year or before it."""
    return [start for start in starts if start[1] <= year]


def _in(starts: Iterable[Start], year: int) -> list[Start]:
    """Starts in a year."""
    return [start for start in starts if start[1] == year]


def _put(model: Model, row: int, columns: Iterable[tuple[int, ...]], value: float) -> None:
    """Add a coefficient for each column, the first of every tuple."""
    at = [column[0] for column in columns]
    if at:
        model.put(row, at, value)


def cost(problem: Problem, model: Model) -> None:
    """Add nothing: stations and centres are paid as such."""


def met(problem: Problem, model: Model) -> None:
    """What begins later meets needs from then on, and causes travel, equations (1) and (8)."""
    if not len(problem.units):
        return
    arcs, arc = problem.existing_arcs, model.notes["joined_arc"]
    community, _, need, year = positions(model.columns["joined"])
    column = model.columns["joined"].positions
    from_start = np.cumsum(problem.year_weight[::-1])[::-1]
    model.add_travel(column, problem.persons[community, need] * arcs.travel_m[arc] * from_start[year])
    for t in range(len(problem.years)):
        now = np.flatnonzero(year <= t)
        model.add_met(community[now], need[now], t, column[now], 1.0)
