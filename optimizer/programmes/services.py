"""Services at own offices and in networks of stations, equations (8) to (12)."""

from itertools import combinations

import numpy as np

from optimizer.hanging import Tree
from optimizer.model import Model
from optimizer.problem import Bools, Floats, Ints, Problem
from optimizer.programmes.space import room_years, swaps, take_columns


class _Index:
    """Positions shared by the verbs: stations that may start in a year, and shares served from a year on."""

    def __init__(self, problem: Problem) -> None:
        years = np.arange(len(problem.years))
        places, rooms = problem.places, problem.rooms
        first = np.zeros(len(places), dtype=np.int64)
        in_room = places.room >= 0
        first[in_room] = (rooms.first + rooms.lead)[places.room[in_room]]
        used = np.zeros(len(places), dtype=bool)
        used[problem.arcs.target] = True
        most_in = np.append(Tree(problem).most_in, 0.0)[problem.place_unit]  # the last for services without levels
        used |= most_in > 0
        self.place, self.start = (
            a.astype(np.int64) for a in np.nonzero(used[:, None] & (years[None, :] >= first[:, None]))
        )
        self.station_of: Ints = np.full((len(places), len(years)), -1, dtype=np.int64)
        self.station_of[self.place, self.start] = np.arange(len(self.place))
        self.arc, self.year = (a.astype(np.int64) for a in np.nonzero(self.station_of[problem.arcs.target] >= 0))
        self.own: Bools = places.own
        self.upgrade: Bools = places.upgrades >= 0
        service = places.service[problem.arcs.target]
        self.peak: Floats = problem.peak[problem.arcs.community, service + 2]
        self.most: Floats = _most(problem, self.peak, service)[self.arc]
        self.most = np.minimum(self.most, _most_by_floor(problem, self))
        reach_peak = np.zeros(len(self.place))  # all that a station could ever be asked for
        np.add.at(
            reach_peak, self.station_of[problem.arcs.target[self.arc], self.year], self.peak[self.arc] * self.most
        )
        reach_peak += most_in[self.place]
        limit = np.minimum(places.most[self.place], _most_by_building(problem, self))
        self.largest: Floats = np.minimum(limit, reach_peak)
        least = np.minimum(1.0, reach_peak)  # what is open serves somebody
        min_capacity = of_places(problem, "min_capacity")[self.place]
        self.smallest: Floats = np.maximum(np.where(self.upgrade[self.place], 0.0, min_capacity), least)


def of_places(problem: Problem, name: str) -> Floats:
    """(places,) a cost, floor or limit of its service: of new centres for places that would be one (13)."""
    rules, places = list(problem.scenario.services.values()), problem.places
    of = np.array([[getattr(s, name), getattr(s.of_centre, name)] for s in rules], dtype=float)
    return np.asarray(of[places.service, places.centre.astype(int)])


def _most(problem: Problem, peak: Floats, service: Ints) -> Floats:
    """Return the largest share worth serving per arc.

    Not more than the largest station gives, and no more than what the community's own outlets leave: using those first
    costs nothing and needs no travel, so a plan that does otherwise is never better. (A station of the smallest size
    may serve what outlets could.) This makes the link (8) much stronger than a share of 1.
    """
    n, needs, _ = problem.shape
    old, arcs = problem.existing, problem.existing_arcs
    own = np.array([s.siting == "own" for s in problem.scenario.services.values()], dtype=bool)
    outlet = np.array([level == "outlet" for level in old.level], dtype=bool)
    local = own[old.service[arcs.target]] | outlet[arcs.target]
    must = np.append(problem.units.must, False)[problem.existing_unit]  # what hangs on others may be no use without
    local &= ~must[arcs.target]
    community, need = arcs.community[local], old.service[arcs.target[local]] + 2
    had = np.zeros((n, needs))
    np.add.at(had, (community, need), old.capacity[arcs.target[local]] / problem.peak[community, need])
    left = np.maximum(0.0, 1 - had)[problem.arcs.community, service + 2]
    target = problem.arcs.target
    smallest = np.where(problem.places.upgrades >= 0, 0.0, of_places(problem, "min_capacity"))[target] / peak
    return np.minimum(np.minimum(1.0, problem.places.most[target] / peak), np.maximum(left, smallest))


def _most_by_floor(problem: Problem, ix: _Index) -> Floats:
    """Return the largest share whose floor, equation (12), can be there in the year it is served from on."""
    rooms, arcs, years = problem.rooms, problem.arcs, len(problem.years)
    room, year = room_years(problem)
    ready = np.zeros((len(rooms) + 1, years))  # the last for services at no room
    np.maximum.at(ready, (room, np.minimum(year + rooms.lead[room], years - 1)), rooms.area_m2[room])
    ready = np.maximum.accumulate(ready, axis=1)
    office = np.repeat(problem.free_office_m2[:, None], years, axis=1)
    extension = np.flatnonzero(~rooms.is_station)
    np.add.at(office, rooms.community[extension], ready[extension])
    target = arcs.target[ix.arc]
    floor = np.where(
        ix.own[target], office[arcs.community[ix.arc], ix.year], ready[problem.places.room[target], ix.year]
    )
    per_share = ix.peak[ix.arc] * of_places(problem, "area_m2_per_unit")[target]
    per_share = np.where(ix.upgrade[target], 0.0, per_share)  # their floor is in the limit of their capacity
    return np.asarray(np.divide(floor, per_share, out=np.full(len(floor), np.inf), where=per_share > 0))


def _most_by_building(problem: Problem, ix: _Index) -> Floats:
    """Return the largest capacity per station whose floor, equation (12), its building can ever give."""
    rooms, places = problem.rooms, problem.places
    floor = np.append(rooms.area_m2, np.inf)[places.room[ix.place]]  # the last for services at no room
    per_unit = of_places(problem, "area_m2_per_unit")[ix.place]
    return np.asarray(np.divide(floor, per_unit, out=np.full(len(floor), np.inf), where=per_unit > 0))


def columns(problem: Problem, model: Model) -> None:
    """Add the families of this programme.

    `kept(community,existing,need)`: share served by what exists; `open(site,need,year)`: yes or no;
    `serve(community,site,need,year)`: share served from that year on; `size(site,need,year)`: new capacity of a
    station in a building.
    """
    ix, places = _Index(problem), problem.places
    arcs, existing = problem.existing_arcs, problem.existing
    peak = problem.peak[arcs.community, existing.service[arcs.target] + 2]
    share = np.minimum(1.0, existing.capacity[arcs.target] / peak)
    need = existing.service[arcs.target] + 2
    model.add_columns("kept", [("community", arcs.community), ("existing", arcs.target), ("need", need)], upper=share)
    model.notes["serve_arc"], model.notes["kept_arc"] = ix.arc, np.arange(len(arcs))
    need = places.service[ix.place] + 2
    keys = [("site", ix.place), ("need", need), ("year", ix.start)]
    serves = (ix.largest > 0).astype(float)  # where nobody can be served, nothing opens
    model.add_columns("open", keys, upper=serves, integer=True)
    target = problem.arcs.target[ix.arc]
    keys = [("community", problem.arcs.community[ix.arc]), ("site", target), ("need", places.service[target] + 2)]
    model.add_columns("serve", [*keys, ("year", ix.year)], upper=ix.most)
    built = np.flatnonzero(~ix.own[ix.place])
    need = places.service[ix.place[built]] + 2
    keys = [("site", ix.place[built]), ("need", need), ("year", ix.start[built])]
    model.add_columns("size", keys, upper=ix.largest[built])


def rows(problem: Problem, model: Model) -> None:
    """Add (8) demand and links, (9) capacities, (10) one start, (11) one-stop, (12) floor."""
    ix, places, arcs = _Index(problem), problem.places, problem.arcs
    opened, serve = model.columns["open"].positions, model.columns["serve"].positions
    kept, size = model.columns["kept"].positions, model.columns["size"].positions
    n, needs, _ = problem.shape
    target, community = arcs.target[ix.arc], arcs.community[ix.arc]
    need = places.service[target] + 2
    station = ix.station_of[target, ix.year]
    size_of = np.full(len(ix.place), -1, dtype=np.int64)
    size_of[~ix.own[ix.place]] = size

    old, old_arcs = problem.existing, problem.existing_arcs
    old_need = old.service[old_arcs.target] + 2
    pair = np.unique(np.concatenate([community * needs + need, old_arcs.community * needs + old_need]))
    row_of = np.full(n * needs, -1, dtype=np.int64)
    row_of[pair] = model.add_rows("eq8_demand", [("community", pair // needs), ("need", pair % needs)], upper=1.0)
    model.put(row_of[community * needs + need], serve, 1.0)
    model.put(row_of[old_arcs.community * needs + old_need], kept, 1.0)

    keys = [("community", community), ("site", target), ("need", need), ("year", ix.year)]
    row = model.add_rows("eq8_link", keys, upper=0.0)
    model.put(row, serve, 1.0)
    model.put(row, opened[station], -ix.most)

    scarce = np.unique(old_arcs.target)
    row_of = np.full(len(old), -1, dtype=np.int64)
    row_of[scarce] = model.add_rows(
        "eq9_existing", [("existing", scarce), ("need", old.service[scarce] + 2)], upper=1.0
    )
    old_peak = problem.peak[old_arcs.community, old_need]
    with np.errstate(divide="ignore"):
        filled = np.where(old.capacity[old_arcs.target] > 0, old_peak / old.capacity[old_arcs.target], 0.0)
    model.put(row_of[old_arcs.target], kept, filled)

    service, start = places.service[ix.place], ix.start
    keys = [("site", ix.place), ("need", service + 2), ("year", start)]
    built = np.flatnonzero(~ix.own[ix.place])
    built_keys = [(name, index[built]) for name, index in keys]
    row = np.full(len(ix.place), -1, dtype=np.int64)
    row[built] = model.add_rows("eq9_size", built_keys, lower=0.0, upper=0.0)
    model.put(row[built], size, -1.0)
    in_building = np.flatnonzero(size_of[station] >= 0)
    model.put(row[station[in_building]], serve[in_building], ix.peak[ix.arc[in_building]])
    row = model.add_rows("eq9_largest", built_keys, upper=0.0)
    model.put(row, size, 1.0)
    model.put(row, opened[built], -ix.largest[built])
    small = np.flatnonzero(ix.smallest > 0)
    row = np.full(len(ix.place), -1, dtype=np.int64)
    row[small] = model.add_rows("eq9_smallest", [(name, index[small]) for name, index in keys], lower=0.0)
    model.put(row[small], opened[small], -ix.smallest[small])
    chosen = np.flatnonzero(row[station] >= 0)
    model.put(row[station[chosen]], serve[chosen], ix.peak[ix.arc[chosen]])

    used = np.unique(ix.place)
    once = np.full(len(places), -1, dtype=np.int64)
    once[used] = model.add_rows("eq10_once", [("site", used), ("need", places.service[used] + 2)], upper=1.0)
    model.put(once[ix.place], opened, 1.0)
    _one_stop_rows(problem, model, ix)
    _floor_rows(problem, model, ix, size_of)
    _office_links(problem, model, ix)


def _one_stop_rows(problem: Problem, model: Model, ix: _Index) -> None:
    """(11): a station is open only in a building in use; a building in use has enough services by the last year."""
    places, rooms, years = problem.places, problem.rooms, len(problem.years)
    opened, take = model.columns["open"].positions, model.columns["take"].positions
    room, year = room_years(problem)
    whole = rooms.whole[room]
    room, year = room[whole], year[whole]
    built = np.flatnonzero(places.room[ix.place] >= 0)
    keys = [("site", ix.place[built]), ("need", places.service[ix.place[built]] + 2), ("year", ix.start[built])]
    row_of = np.full((len(places), years), -1, dtype=np.int64)
    row_of[ix.place[built], ix.start[built]] = model.add_rows("eq11_building", keys, upper=0.0)
    by_room: list[list[int]] = [[] for _ in range(len(rooms))]
    for place in np.unique(ix.place[built]):
        by_room[places.room[place]].append(int(place))
    for t in range(years):
        now = built[ix.start[built] <= t]
        has = row_of[ix.place[now], t] >= 0
        model.put(row_of[ix.place[now[has]], t], opened[now[has]], 1.0)
        ready = np.flatnonzero((year + rooms.lead[room] <= t) & rooms.is_station[room])
        pairs = [(m, p) for m in ready for p in by_room[room[m]] if row_of[p, t] >= 0]
        if pairs:
            taken, place = np.array(pairs, dtype=np.int64).T
            model.put(row_of[place, t], take[taken], -1.0)
    fewest = problem.scenario.programmes.one_stop.min_services
    station_rooms = np.flatnonzero(rooms.is_station)
    row_at = np.full(len(rooms), -1, dtype=np.int64)
    row_at[station_rooms] = model.add_rows("eq11_services", [("room", station_rooms)], lower=0.0)
    model.put(row_at[places.room[ix.place[built]]], opened[built], 1.0)
    mine = np.flatnonzero(rooms.is_station[room])
    model.put(row_at[room[mine]], take[mine], -float(fewest))


def _floor_rows(problem: Problem, model: Model, ix: _Index, size_of: Ints) -> None:
    """(12): new stations use floor that is there: of the office and its extensions, or of the building."""
    places, rooms, arcs = problem.places, problem.rooms, problem.arcs
    n, _, years = problem.shape
    area, serve = model.columns["area"].positions, model.columns["serve"].positions
    per_unit = of_places(problem, "area_m2_per_unit")
    room, room_year = room_years(problem)
    target = arcs.target[ix.arc]
    own = np.flatnonzero(ix.own[target] & (per_unit[target] > 0))
    offices = np.unique(arcs.community[ix.arc[own]])
    office, year = (a.ravel() for a in np.meshgrid(offices, np.arange(years), indexing="ij"))
    row_of = np.full((n, years), -1, dtype=np.int64)
    row_of[office, year] = model.add_rows(
        "eq12_office_floor", [("community", office), ("year", year)], upper=problem.free_office_m2[office]
    )
    station_rooms = np.unique(places.room[ix.place[places.room[ix.place] >= 0]])
    building, year = (a.ravel() for a in np.meshgrid(station_rooms, np.arange(years), indexing="ij"))
    room_row = np.full((len(rooms), years), -1, dtype=np.int64)
    room_row[building, year] = model.add_rows("eq12_building_floor", [("room", building), ("year", year)], upper=0.0)
    built = np.flatnonzero((size_of >= 0) & (places.room[ix.place] >= 0))
    for t in range(years):
        now = own[ix.year[own] <= t]
        user = arcs.community[ix.arc[now]]
        used_m2 = ix.peak[ix.arc[now]] * per_unit[target[now]]
        model.put(row_of[user, t], serve[now], used_m2)
        now = built[ix.start[built] <= t]
        place = ix.place[now]
        model.put(room_row[places.room[place], t], size_of[now], per_unit[place])
        ready = np.flatnonzero(room_year + rooms.lead[room] <= t)
        owner = rooms.community[room[ready]]
        extends = ~rooms.is_station[room[ready]] & (row_of[owner, t] >= 0)
        model.put(row_of[owner[extends], t], area[ready[extends]], -1.0)
        swap, gives = swaps(problem, t)
        owner = rooms.community[room[swap]]
        has = row_of[owner, t] >= 0
        model.put(row_of[owner[has], t], take_columns(problem, model)[swap[has]], gives[has])
        houses = rooms.is_station[room[ready]] & (room_row[room[ready], t] >= 0)
        model.put(room_row[room[ready[houses]], t], area[ready[houses]], -1.0)


def _office_links(problem: Problem, model: Model, ix: _Index) -> None:
    """(12) made stronger: beyond the free floor of an office nothing is served until an extension is taken.

    For services S at an office with free floor F and full use D_S of floor: use of S ≤ F + (D_S − F)·Σ take. No plan
    breaks it: with no extension it is (12), with one the right-hand side is at least D_S. Without it a relaxed plan
    takes a sliver of an extension, too small to exist.
    """
    places, rooms, arcs, years = problem.places, problem.rooms, problem.arcs, len(problem.years)
    n = len(problem.communities)
    take, area, serve, opened = (model.columns[f].positions for f in ("take", "area", "serve", "open"))
    station = ix.station_of[arcs.target[ix.arc], ix.year]
    per_unit = np.array([s.area_m2_per_unit for s in problem.scenario.services.values()])
    room, year = room_years(problem)
    take_of = np.full(len(room), -1, dtype=np.int64)
    take_of[rooms.whole[room]] = take
    extension = ~rooms.is_station[room]
    extends = np.zeros(n, dtype=bool)
    extends[rooms.community[room[extension & (take_of >= 0)]]] = True

    own = np.flatnonzero(ix.own[arcs.target[ix.arc]] & extends[arcs.community[ix.arc]])
    service, who = places.service[arcs.target[ix.arc[own]]], arcs.community[ix.arc[own]]
    use_m2 = np.zeros((n, len(per_unit)))  # of the largest share that may be served
    np.maximum.at(use_m2, (who, service), ix.most[own] * ix.peak[ix.arc[own]] * per_unit[service])
    serve_service, serve_who = places.service[arcs.target[ix.arc]], arcs.community[ix.arc]
    serve_m2 = np.where(ix.own[arcs.target[ix.arc]], ix.peak[ix.arc] * per_unit[serve_service], 0.0)
    for group in _groups(np.unique(service[per_unit[service] > 0])):
        floor, alone = problem.free_office_m2, len(group) == 1
        full = use_m2[:, group].sum(axis=1)
        short = np.flatnonzero((full > floor * (1 + 1e-9)) & (use_m2[:, group] > 0).all(axis=1))
        if not len(short):
            continue
        user, in_year = (a.ravel() for a in np.meshgrid(short, np.arange(years), indexing="ij"))
        row_of = np.full((n, years), -1, dtype=np.int64)
        keys = [("community", user), ("services", np.full(len(user), _label(model, group))), ("year", in_year)]
        row_of[user, in_year] = model.add_rows("eq12_office_link", keys, upper=0.0 if alone else floor[user])
        for t in range(years):
            now = np.flatnonzero((ix.year <= t) & np.isin(serve_service, group) & (serve_m2 > 0))
            now = now[row_of[serve_who[now], t] >= 0]
            model.put(row_of[serve_who[now], t], serve[now], serve_m2[now])
            if alone:
                model.put(row_of[serve_who[now], t], opened[station[now]], -floor[serve_who[now]])
            ready = np.flatnonzero(extension & (year + rooms.lead[room] <= t))
            ready = ready[row_of[rooms.community[room[ready]], t] >= 0]
            owner, taken = rooms.community[room[ready]], take_of[ready]
            model.put(
                row_of[owner, t],
                np.where(taken >= 0, taken, area[ready]),
                np.where(taken >= 0, floor[owner] - full[owner], -1.0),
            )


def _groups(services: Ints) -> list[list[int]]:
    """All groups of up to four services; of more, each one alone and all together."""
    every = services.tolist()
    sizes = range(1, len(every) + 1) if len(every) <= 4 else (1, len(every))
    return [list(group) for size in sizes for group in combinations(every, size)]


def _label(model: Model, group: list[int]) -> int:
    """Position of the name of a group of services among the labels of that index."""
    names = model.key_labels.setdefault("services", [])
    names.append(".".join(model.key_labels["need"][k + 2] for k in group))
    return len(names) - 1


def cost(problem: Problem, model: Model) -> None:
    """Opening: fixed and per unit of capacity; running: per station and per unit, equation (19)."""
    ix, places, index = _Index(problem), problem.places, problem.price_index
    years = len(problem.years)
    capital, running = (
        np.array(
            [
                problem.cell(purpose, i, int(k), shared=not own)
                for i, k, own in zip(places.community, places.service, places.own, strict=True)
            ],
            dtype=np.int64,
        )
        for purpose in ("service_capital", "service_running")
    )
    opened = model.columns["open"].positions
    fixed, yearly = _station_yuan(problem)
    model.add_cost(opened, capital[ix.place], ix.start, fixed[ix.place] * index[ix.start])
    target = problem.arcs.target[ix.arc]
    own = np.flatnonzero(ix.own[target])
    built = np.flatnonzero(~ix.own[ix.place])
    sized = [
        (model.columns["size"].positions, ix.place[built], ix.start[built], np.ones(len(built))),
        (model.columns["serve"].positions[own], target[own], ix.year[own], ix.peak[ix.arc[own]]),
    ]
    for column, place, start, units in sized:
        yuan = of_places(problem, "capital_yuan_per_unit")[place] * units
        model.add_cost(column, capital[place], start, yuan * index[start])
    for t in range(years):
        now = np.flatnonzero(ix.start <= t)
        yuan = yearly[ix.place[now]] * index[t]
        model.add_cost(opened[now], running[ix.place[now]], t, yuan)
        for column, place, start, units in sized:
            now = np.flatnonzero(start <= t)
            yuan = of_places(problem, "running_yuan_per_unit")[place[now]] * units[now] * index[t]
            model.add_cost(column[now], running[place[now]], t, yuan)
    existing = problem.existing
    own_service = np.array([s.siting == "own" for s in problem.scenario.services.values()])
    for e in np.flatnonzero(existing.paid & (existing.running_yuan > 0)):
        k = int(existing.service[e])
        cell = problem.cell("service_running", int(existing.community[e]), k, shared=not own_service[k])
        yuan = np.floor(existing.running_yuan[e] * index + 0.5)
        model.add_fixed_cost(np.full(years, cell), np.arange(years), yuan)


def _station_yuan(problem: Problem) -> tuple[Floats, Floats]:
    """Cost of each place whatever its size, once and every year: an upgrade has its own, and adds no running cost."""
    service, upgrade = problem.places.service, problem.places.upgrades >= 0
    once = np.array([0.0 if s.upgrade is None else s.upgrade.fixed_yuan for s in problem.scenario.services.values()])
    fixed = np.where(upgrade, once[service], of_places(problem, "fixed_yuan"))
    return fixed, np.where(upgrade, 0.0, of_places(problem, "running_yuan"))


def met(problem: Problem, model: Model) -> None:
    """Shares served meet needs and cause travel, equations (1) and (8); travel counts persons x metres."""
    ix, arcs = _Index(problem), problem.arcs
    years = len(problem.years)
    serve, kept = model.columns["serve"].positions, model.columns["kept"].positions
    need = problem.places.service[arcs.target[ix.arc]] + 2
    community = arcs.community[ix.arc]
    from_start = np.cumsum(problem.year_weight[::-1])[::-1]
    metres = problem.persons[community, need] * arcs.travel_m[ix.arc]
    model.add_travel(serve, metres * from_start[ix.year])
    old = problem.existing_arcs
    old_need = problem.existing.service[old.target] + 2
    model.add_travel(kept, problem.persons[old.community, old_need] * old.travel_m)
    for t in range(years):
        now = np.flatnonzero(ix.year <= t)
        model.add_met(community[now], need[now], t, serve[now], 1.0)
        model.add_met(old.community, old_need, t, kept, 1.0)
    none = np.argwhere(problem.need[:, 2:, :] <= 0)
    model.met_base[model.need_row(none[:, 0], none[:, 1] + 2, none[:, 2])] = 1.0
