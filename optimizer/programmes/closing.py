"""Existing stations that close, move or pass their people on, equations (8) to (10).

Only stations that may close have anything here: those of services with `closing`, with a lease that ends, or that must
close. What exists is open until the year it closes; `kept` of `services` is the share it serves until then.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from optimizer.model import Family, Model
from optimizer.problem import Bools, Floats, Ints, Problem
from optimizer.scenario_services import Closing


@dataclass(frozen=True)
class _Index:
    """Positions shared by the verbs.

    `station`, `year`: closings that may be; `ending`, `end_year`: existing arcs whose share may end, and when;
    `taking`, `take_year`: existing arcs that may take on what ends elsewhere, and when.
    """

    station: Ints
    year: Ints
    ending: Ints
    end_year: Ints
    taking: Ints
    take_year: Ints
    moved: Ints  # positions of columns `open` that may be a move

    def __bool__(self) -> bool:
        return len(self.station) > 0


def _index(problem: Problem, model: Model) -> _Index:
    old, arcs = problem.existing, problem.existing_arcs
    years = np.arange(len(problem.years))
    may = (years >= old.close_first[:, None]) & (years <= old.close_last[:, None])
    station, year = (a.astype(np.int64) for a in np.nonzero(may))
    ending, end_year = (a.astype(np.int64) for a in np.nonzero(may[arcs.target]))
    key = arcs.community * len(problem.needs) + old.service[arcs.target]  # one need of one community
    ends = np.zeros((len(problem.communities) * len(problem.needs), len(years)), dtype=bool)
    ends[key[ending], end_year] = True
    taking, take_year = (a.astype(np.int64) for a in np.nonzero(ends[key] & _shared(problem)[arcs.target][:, None]))
    return _Index(station, year, ending, end_year, taking, take_year, _movable(problem, model, station, year))


def _shared(problem: Problem) -> Bools:
    """Which existing stations serve several communities."""
    old = problem.existing
    network = np.array([s.siting == "network" for s in problem.scenario.services.values()], dtype=bool)
    return np.asarray(network[old.service] & np.array([level != "outlet" for level in old.level], dtype=bool))


def _rule(problem: Problem, service: int) -> Closing | None:
    return list(problem.scenario.services.values())[service].closing


def _longest_gaps(problem: Problem) -> dict[int, int]:
    """Service -> years after which who is served by a station that closes is served as much again."""
    rules = {k: service.closing for k, service in enumerate(problem.scenario.services.values())}
    gaps = {k: None if rule is None else rule.longest_gap_years for k, rule in rules.items()}
    return {k: gap for k, gap in gaps.items() if gap is not None}


def _movable(problem: Problem, model: Model, station: Ints, year: Ints) -> Ints:
    """Columns `open` where a station of the same service and sub-district may close in that year."""
    (place, _, start), first = _keys(model.columns["open"]), model.columns["open"].start
    old = problem.existing
    where = problem.sub_district[old.community[station]]
    closing = set(zip(old.service[station].tolist(), where.tolist(), year.tolist(), strict=True))
    found = [
        first + n
        for n, (j, t) in enumerate(zip(place.tolist(), start.tolist(), strict=True))
        if problem.places.upgrades[j] < 0
        and not problem.places.centre[j]
        and (key := _place_key(problem, j, t)) in closing
        and (rule := _rule(problem, key[0])) is not None
        and rule.moving_yuan is not None
    ]
    return np.array(found, dtype=np.int64)


def _place_key(problem: Problem, place: int, year: int) -> tuple[int, int, int]:
    """Service, sub-district and year of a start."""
    places = problem.places
    return int(places.service[place]), int(problem.sub_district[places.community[place]]), year


def _keys(family: Family) -> list[Ints]:
    return [index for index, _ in family.keys]


def columns(problem: Problem, model: Model) -> None:
    """Add the families of this programme, none where nothing may close.

    `close(existing,need,year)`: yes or no; `ended(community,existing,need,year)`: share that ends then;
    `handed(community,existing,need,year)`: share that an existing station takes on from then; `moved(site,need,year)`:
    yes or no, a station that opens with what another leaves.
    """
    ix = _index(problem, model)
    if not ix:
        return
    old, arcs = problem.existing, problem.existing_arcs
    need = old.service + 2
    keys = [("existing", ix.station), ("need", need[ix.station]), ("year", ix.year)]
    model.add_columns("close", keys, upper=1.0, integer=True)
    upper = _most(problem)
    for name, arc, year in (("ended", ix.ending, ix.end_year), ("handed", ix.taking, ix.take_year)):
        target = arcs.target[arc]
        keys = [("community", arcs.community[arc]), ("existing", target), ("need", need[target]), ("year", year)]
        model.add_columns(name, keys, upper=upper[arc])
    model.notes["handed_arc"], model.notes["ended_arc"] = ix.taking, ix.ending
    place, kind, start = (index[ix.moved - model.columns["open"].start] for index in _keys(model.columns["open"]))
    model.add_columns("moved", [("site", place), ("need", kind), ("year", start)], upper=1.0, integer=True)


def _most(problem: Problem) -> Floats:
    """Largest share each existing arc may carry."""
    old, arcs = problem.existing, problem.existing_arcs
    peak = problem.peak[arcs.community, old.service[arcs.target] + 2]
    return np.asarray(np.minimum(1.0, old.capacity[arcs.target] / peak))


def rows(problem: Problem, model: Model) -> None:
    """Add (10) one closing, what ends with it, who takes it on, moves, continuity; to (8) and (9) what that changes."""
    ix = _index(problem, model)
    if ix:
        _closing_rows(problem, model, ix)
        _taking_rows(problem, model, ix)
        _demand_rows(problem, model, ix)
        _place_rows(problem, model, ix)
        _continuity_rows(problem, model, ix)
    _today_rows(problem, model)


def _closing_rows(problem: Problem, model: Model, ix: _Index) -> None:
    """(10): a station closes once, those that must do; what it served ends with it, all of it."""
    old, arcs = problem.existing, problem.existing_arcs
    close, ended = model.columns["close"].positions, model.columns["ended"].positions
    some = np.unique(ix.station)
    once = np.full(len(old), -1, dtype=np.int64)
    lower = old.close_must[some].astype(float)
    once[some] = model.add_rows(
        "eq10_close", [("existing", some), ("need", old.service[some] + 2)], lower=lower, upper=1.0
    )
    model.put(once[ix.station], close, 1.0)
    at = np.full((len(old), len(problem.years)), -1, dtype=np.int64)
    at[ix.station, ix.year] = close
    upper, target = _most(problem), arcs.target[ix.ending]
    need = old.service[target] + 2
    keys = [("community", arcs.community[ix.ending]), ("existing", target), ("need", need), ("year", ix.end_year)]
    row = model.add_rows("eq10_ended", keys, upper=0.0)
    model.put(row, ended, 1.0)
    model.put(row, at[target, ix.end_year], -upper[ix.ending])
    arc = np.unique(ix.ending)
    pair = [
        ("community", arcs.community[arc]),
        ("existing", arcs.target[arc]),
        ("need", old.service[arcs.target[arc]] + 2),
    ]
    kept = model.columns["kept"].positions
    was, leaves = np.full((2, len(arcs)), -1, dtype=np.int64)
    was[arc] = model.add_rows("eq10_was", pair, upper=0.0)
    model.put(was[arc], kept[arc], -1.0)
    model.put(was[ix.ending], ended, 1.0)
    leaves[arc] = model.add_rows("eq10_leaves", pair, upper=upper[arc])
    model.put(leaves[arc], kept[arc], 1.0)
    model.put(leaves[ix.ending], ended, -1.0)
    model.put(leaves[ix.ending], at[target, ix.end_year], upper[ix.ending])


def _taking_rows(problem: Problem, model: Model, ix: _Index) -> None:
    """(9) with what is taken on; (10) no more is taken on than ends, and only by stations that stay."""
    old, arcs = problem.existing, problem.existing_arcs
    handed, ended, close = (model.columns[name].positions for name in ("handed", "ended", "close"))
    if not len(handed):
        return
    target = arcs.target[ix.taking]
    peak = problem.peak[arcs.community[ix.taking], old.service[target] + 2]
    full = np.full(len(old), -1, dtype=np.int64)
    family = next(f for f in model.row_families if f.name == "eq9_existing")
    full[_keys(family)[0]] = family.positions
    model.put(
        full[target],
        handed,
        np.divide(peak, old.capacity[target], out=np.zeros(len(peak)), where=old.capacity[target] > 0),
    )
    upper = _most(problem)[ix.taking]
    stays = np.flatnonzero(np.isin(target, ix.station))
    keys = [("community", arcs.community[ix.taking]), ("existing", target), ("need", old.service[target] + 2)]
    row = model.add_rows("eq10_stays", [(n, k[stays]) for n, k in [*keys, ("year", ix.take_year)]], upper=upper[stays])
    model.put(row, handed[stays], 1.0)
    for r, e, most in zip(row.tolist(), target[stays].tolist(), upper[stays].tolist(), strict=True):
        model.put(r, close[ix.station == e], most)
    needs, years = len(problem.needs), len(problem.years)
    taker = (arcs.community[ix.taking] * needs + old.service[target] + 2) * years + ix.take_year
    giver = (arcs.community[ix.ending] * needs + old.service[arcs.target[ix.ending]] + 2) * years + ix.end_year
    some = np.unique(taker)
    keys = [("community", some // years // needs), ("need", some // years % needs), ("year", some % years)]
    row_of = dict(zip(some.tolist(), model.add_rows("eq10_handed", keys, upper=0.0).tolist(), strict=True))
    model.put([row_of[k] for k in taker.tolist()], handed, 1.0)
    gives = np.flatnonzero(np.isin(giver, some))
    model.put([row_of[k] for k in giver[gives].tolist()], ended[gives], -1.0)


def _served(problem: Problem, model: Model, ix: _Index) -> list[tuple[Ints, Ints, Ints, Floats]]:
    """Columns that change what is served of a need over time: need of a community, year from which, column, sign."""
    old, arcs, needs = problem.existing, problem.existing_arcs, len(problem.needs)
    community, _, need, year = _keys(model.columns["serve"])
    parts = [(community * needs + need, year, model.columns["serve"].positions, 1.0)]
    for name, arc, when, sign in (
        ("handed", ix.taking, ix.take_year, 1.0),
        ("ended", ix.ending, ix.end_year, -1.0),
    ):
        key = arcs.community[arc] * needs + old.service[arcs.target[arc]] + 2
        parts.append((key, when, model.columns[name].positions, sign))
    return [(key, when, column, np.full(len(column), sign)) for key, when, column, sign in parts]


def _concerned(problem: Problem, ix: _Index) -> Ints:
    """Needs of communities that a station which may close could serve, as community x needs + need."""
    arcs, needs = problem.existing_arcs, len(problem.needs)
    return np.unique(arcs.community[ix.ending] * needs + problem.existing.service[arcs.target[ix.ending]] + 2)


def _demand_rows(problem: Problem, model: Model, ix: _Index) -> None:
    """(8) in every year, where shares may end: in the last year by the row there is, before by rows of their own."""
    old, arcs, needs = problem.existing, problem.existing_arcs, len(problem.needs)
    some, last = _concerned(problem, ix), len(problem.years) - 1
    family = next(f for f in model.row_families if f.name == "eq8_demand")
    row_of = np.full(len(problem.communities) * needs, -1, dtype=np.int64)
    community, need = _keys(family)
    row_of[community * needs + need] = family.positions
    served = _served(problem, model, ix)
    for key, _, column, sign in served[1:]:
        model.put(row_of[key], column, sign)
    key, year = (a.ravel() for a in np.meshgrid(some, np.arange(last), indexing="ij"))
    at = np.full((len(problem.communities) * needs, last), -1, dtype=np.int64)
    keys = [("community", key // needs), ("need", key % needs), ("year", year)]
    at[key, year] = model.add_rows("eq8_yearly", keys, upper=1.0)
    kept = arcs.community * needs + old.service[arcs.target] + 2
    mine = np.flatnonzero(np.isin(kept, some))
    for t in range(last):
        model.put(at[kept[mine], t], model.columns["kept"].positions[mine], 1.0)
        for key, when, column, sign in served:
            now = np.flatnonzero(np.isin(key, some) & (when <= t))
            model.put(at[key[now], t], column[now], sign[now])


def _place_rows(problem: Problem, model: Model, ix: _Index) -> None:
    """(10): nothing opens where a station of the service closes; a move is a start, one for each that closes there."""
    old, places = problem.existing, problem.places
    close, opened = model.columns["close"].positions, model.columns["open"]
    place, kind, start = _keys(opened)
    closing: dict[tuple[str, int], list[int]] = {}
    for e, column in zip(ix.station.tolist(), close.tolist(), strict=True):
        closing.setdefault((old.site[e], int(old.service[e])), []).append(column)
    both = [j for j in np.unique(place).tolist() if (places.site[j], int(places.service[j])) in closing]
    row = model.add_rows(
        "eq10_same_site",
        [("site", np.array(both, dtype=np.int64)), ("need", places.service[both] + 2)],
        upper=1.0,
    )
    for r, j in zip(row.tolist(), both, strict=True):
        model.put(r, opened.positions[place == j], 1.0)
        model.put(r, closing[places.site[j], int(places.service[j])], 1.0)
    moved = model.columns["moved"].positions
    at = ix.moved - opened.start
    row = model.add_rows("eq10_move_opens", [("site", place[at]), ("need", kind[at]), ("year", start[at])], upper=0.0)
    model.put(row, moved, 1.0)
    model.put(row, ix.moved, -1.0)
    groups = [_place_key(problem, j, t) for j, t in zip(place[at].tolist(), start[at].tolist(), strict=True)]
    where = problem.sub_district[old.community[ix.station]]
    left = list(zip(old.service[ix.station].tolist(), where.tolist(), ix.year.tolist(), strict=True))
    first = {group: left.index(group) for group in sorted(set(groups))}
    station = np.array(list(first.values()), dtype=np.int64)
    keys = [
        ("existing", ix.station[station]),
        ("need", old.service[ix.station[station]] + 2),
        ("year", ix.year[station]),
    ]
    row_of = dict(zip(first, model.add_rows("eq10_moves", keys, upper=0.0).tolist(), strict=True))
    model.put([row_of[group] for group in groups], moved, 1.0)
    gone = [n for n, group in enumerate(left) if group in row_of]
    model.put([row_of[left[n]] for n in gone], close[gone], -1.0)


def _continuity_rows(problem: Problem, model: Model, ix: _Index) -> None:
    """(10): what ended `longest_gap_years` ago or earlier is served again by what started after the first year."""
    needs, years = len(problem.needs), len(problem.years)
    some = _concerned(problem, ix)
    gap = _longest_gaps(problem)
    pairs = [
        (key, t) for key in some.tolist() if (g := gap.get(key % needs - 2)) is not None for t in range(1 + g, years)
    ]
    key, year = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    at = np.full((len(problem.communities) * needs, years), -1, dtype=np.int64)
    keys = [("community", key // needs), ("need", key % needs), ("year", year)]
    at[key, year] = model.add_rows("eq10_continuity", keys, lower=0.0)
    wait = np.array([gap.get(k % needs - 2, 0) for k in range(len(problem.communities) * needs)], dtype=np.int64)
    for pair, when, column, sign in _served(problem, model, ix):
        late = np.where(sign < 0, wait[pair], 0)
        for t in range(1, years):
            now = np.flatnonzero((when >= 1) & (when + late <= t) & (at[pair, t] >= 0))
            model.put(at[pair[now], t], column[now], sign[now])


def _today_rows(problem: Problem, model: Model) -> None:
    """(10): with a longest gap, what exists serves as much in the first year as it can: nobody is left out before.

    One row for each group of stations and communities that arcs connect, so that parts of the city have the same rows.
    """
    old, arcs = problem.existing, problem.existing_arcs
    ruled = list(_longest_gaps(problem))
    mine = np.flatnonzero(np.isin(old.service[arcs.target], ruled) & _shared(problem)[arcs.target])
    if not len(mine):
        return
    who = arcs.community[mine] * len(problem.needs) + old.service[arcs.target[mine]] + 2
    _, need = np.unique(who, return_inverse=True)
    used, station = np.unique(arcs.target[mine], return_inverse=True)
    peak = problem.peak[arcs.community[mine], old.service[arcs.target[mine]] + 2]
    n, m, arc = int(need.max()) + 1, len(used), np.arange(len(mine))
    limits = coo_array(
        (np.r_[np.ones(len(mine)), peak], (np.r_[need, n + station], np.r_[arc, arc])), shape=(n + m, len(mine))
    )
    most = np.r_[np.ones(n), old.capacity[used]]
    solve: Any = linprog
    share = solve(-peak, A_ub=limits.tocsr(), b_ub=most, bounds=(0, None), method="highs").x
    pairs = coo_array((np.ones(len(mine)), (need, n + station)), shape=(n + m, n + m))
    _, group = connected_components(pairs, directed=False)
    group = group[need]
    total = np.bincount(group, weights=peak * share)
    some, first = np.unique(group, return_index=True)
    keys = [("existing", arcs.target[mine[first]]), ("need", old.service[arcs.target[mine[first]]] + 2)]
    row_of = np.full(int(group.max()) + 1, -1, dtype=np.int64)
    row_of[some] = model.add_rows("eq10_today", keys, lower=total[some] * (1 - 1e-6))
    model.put(row_of[group], model.columns["kept"].positions[mine], peak)


def cost(problem: Problem, model: Model) -> None:
    """Closing costs once and saves the running cost from then on; a move costs less than an opening, equation (19)."""
    ix = _index(problem, model)
    if not ix:
        return
    old, index, places = problem.existing, problem.price_index, problem.places
    for e, t, column in zip(ix.station, ix.year, model.columns["close"].positions, strict=True):
        k, i = int(old.service[e]), int(old.community[e])
        rule = _rule(problem, k)
        if rule is not None:
            model.add_cost(column, problem.cell("service_capital", i, k, shared=True), t, rule.yuan * index[t])
        rest = np.arange(t, len(problem.years))
        saved = np.floor(old.running_yuan[e] * index[rest] + 0.5) * bool(old.paid[e])
        model.add_cost(column, problem.cell("service_running", i, k, shared=True), rest, -saved)
    place, kind, start = _keys(model.columns["moved"])
    for j, need, t, column in zip(place, kind, start, model.columns["moved"].positions, strict=True):
        k = int(need) - 2
        rule, service = _rule(problem, k), list(problem.scenario.services.values())[k]
        assert rule is not None
        assert rule.moving_yuan is not None
        less = service.fixed_yuan - rule.moving_yuan
        cell = problem.cell("service_capital", int(places.community[j]), k, shared=True)
        model.add_cost(column, cell, t, -less * index[t])


def met(problem: Problem, model: Model) -> None:
    """What ends is not met from then on, what is taken on is; travel likewise, equations (1) and (8)."""
    ix = _index(problem, model)
    if not ix:
        return
    old, arcs = problem.existing, problem.existing_arcs
    from_start = np.cumsum(problem.year_weight[::-1])[::-1]
    for name, arc, when, sign in (("ended", ix.ending, ix.end_year, -1.0), ("handed", ix.taking, ix.take_year, 1.0)):
        column = model.columns[name].positions
        need = old.service[arcs.target[arc]] + 2
        metres = problem.persons[arcs.community[arc], need] * arcs.travel_m[arc]
        model.add_travel(column, sign * metres * from_start[when])
        for t in range(len(problem.years)):
            now = np.flatnonzero(when <= t)
            model.add_met(arcs.community[arc[now]], need[now], t, column[now], sign)
