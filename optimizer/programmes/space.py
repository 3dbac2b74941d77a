"""Office and service space: rooms taken and halls shared, equations (5) to (7)."""

import numpy as np

from optimizer.model import Model
from optimizer.problem import SPACE, YEARLY_SPACE, Bools, Floats, Halls, Ints, Problem, Rooms
from optimizer.programmes import space_exact


def room_years(problem: Problem) -> tuple[Ints, Ints]:
    """Return (room, year) of every year in which a room may be taken and still comes into use."""
    years = np.arange(len(problem.years))[None, :]
    possible = (years >= problem.rooms.first[:, None]) & (years + problem.rooms.lead[:, None] < len(problem.years))
    room, year = np.nonzero(possible)
    return room.astype(np.int64), year.astype(np.int64)


def _whole_room_years(problem: Problem) -> tuple[Ints, Ints]:
    room, year = room_years(problem)
    keep = problem.rooms.whole[room]
    return room[keep], year[keep]


def _hall_years(problem: Problem) -> tuple[Ints, Ints]:
    """Return (hall arc, year) of every year from which a hall may be shared."""
    first = problem.halls.first[problem.hall_arcs.target]
    arc, year = np.nonzero(np.arange(len(problem.years))[None, :] >= first[:, None])
    return arc.astype(np.int64), year.astype(np.int64)


def _spaced(problem: Problem) -> tuple[Ints, Ints]:
    """Return (community, year) with a space target."""
    community, year = np.nonzero(problem.need[:, SPACE, :] > 0)
    return community.astype(np.int64), year.astype(np.int64)


def columns(problem: Problem, model: Model) -> None:
    """Add `area(room,year)` in m2, `take(room,year)`, `hall_m2(community,hall,year)`, `space_met(community,year)`."""
    room, year = room_years(problem)
    model.add_columns("area", [("room", room), ("year", year)], upper=problem.rooms.area_m2[room])
    room, year = _whole_room_years(problem)
    model.add_columns("take", [("room", room), ("year", year)], upper=1.0, integer=True)
    arc, year = _hall_years(problem)
    model.notes["hall_arc"] = arc
    community, hall = problem.hall_arcs.community[arc], problem.hall_arcs.target[arc]
    rule = problem.scenario.programmes.space
    most = np.minimum(problem.halls.credit_m2[hall], rule.hall_share_of_target * problem.need[community, SPACE, 0])
    model.add_columns("hall_m2", [("community", community), ("hall", hall), ("year", year)], upper=most)
    community, year = _spaced(problem)
    model.add_columns("space_met", [("community", community), ("year", year)], upper=1.0)
    if space_exact.asked(problem):
        space_exact.add_full(problem, model, community, year)


def rows(problem: Problem, model: Model) -> None:
    """Add (6) met share, (7) sizes of rooms, one start each, and limits of halls."""
    area, take = model.columns["area"].positions, model.columns["take"].positions
    hall_m2, space_met = model.columns["hall_m2"].positions, model.columns["space_met"].positions
    room, year = room_years(problem)
    arc, hall_year = _hall_years(problem)
    n, _, years = problem.shape
    target = problem.need[:, SPACE, 0]

    community, in_year = _spaced(problem)
    row_of = np.full((n, years), -1, dtype=np.int64)
    row_of[community, in_year] = model.add_rows(
        "eq6_space_met",
        [("community", community), ("year", in_year)],
        upper=problem.existing_m2[community] / target[community],
    )
    model.put(row_of[community, in_year], space_met, 1.0)
    of = [row_of]
    if space_exact.asked(problem):
        of.append(np.full((n, years), -1, dtype=np.int64))
        of[1][community, in_year] = space_exact.add_rows(problem, model, community, in_year)
    extension = ~problem.rooms.is_station[room]
    take_of = take_columns(problem, model)
    for row_of in of:
        for t in range(years):
            use = np.flatnonzero(extension & (year + problem.rooms.lead[room] <= t))
            owner = problem.rooms.community[room[use]]
            has = row_of[owner, t] >= 0
            model.put(row_of[owner[has], t], area[use[has]], -1.0 / target[owner[has]])
            swap, gives = swaps(problem, t)
            owner = problem.rooms.community[room[swap]]
            has = row_of[owner, t] >= 0
            model.put(row_of[owner[has], t], take_of[swap[has]], gives[has] / target[owner[has]])
            use = np.flatnonzero(hall_year <= t)
            user = problem.hall_arcs.community[arc[use]]
            model.put(row_of[user, t], hall_m2[use], -1.0 / target[user])

    whole = problem.rooms.whole
    position = np.full((len(problem.rooms), years), -1, dtype=np.int64)
    position[room, year] = area
    yes_room, yes_year = _whole_room_years(problem)
    keys = [("room", yes_room), ("year", yes_year)]
    row = model.add_rows("eq7_largest", keys, upper=0.0)
    model.put(row, position[yes_room, yes_year], 1.0)
    model.put(row, take, -problem.rooms.area_m2[yes_room])
    small = np.flatnonzero(problem.rooms.min_area_m2[yes_room] > 0)
    row = model.add_rows("eq7_smallest", [(name, index[small]) for name, index in keys], lower=0.0)
    model.put(row, position[yes_room[small], yes_year[small]], 1.0)
    model.put(row, take[small], -problem.rooms.min_area_m2[yes_room[small]])
    once = np.full(len(problem.rooms), -1, dtype=np.int64)
    some = np.unique(yes_room)
    forced = problem.rooms.forced[some].astype(float)
    once[some] = model.add_rows("eq7_once", [("room", some)], lower=np.where(forced, 1.0, -np.inf), upper=1.0)
    model.put(once[yes_room], take, 1.0)
    _given_rows(problem, model)
    parts = np.unique(room[~whole[room]])
    total = np.full(len(problem.rooms), -1, dtype=np.int64)
    total[parts] = model.add_rows("eq7_total", [("room", parts)], upper=problem.rooms.area_m2[parts])
    model.put(total[room[~whole[room]]], area[~whole[room]], 1.0)

    used = np.unique(problem.hall_arcs.target[arc])
    hall_row = np.full(len(problem.halls), -1, dtype=np.int64)
    hall_row[used] = model.add_rows("eq7_hall", [("hall", used)], upper=problem.halls.credit_m2[used])
    model.put(hall_row[problem.hall_arcs.target[arc]], hall_m2, 1.0)
    users = np.unique(problem.hall_arcs.community[arc])
    most = problem.scenario.programmes.space.hall_share_of_target * target[users]
    user_row = np.full(n, -1, dtype=np.int64)
    user_row[users] = model.add_rows("eq7_shared", [("community", users)], upper=most)
    model.put(user_row[problem.hall_arcs.community[arc]], hall_m2, 1.0)


def take_columns(problem: Problem, model: Model) -> Ints:
    """Return the column `take` of every room and year of `room_years`, -1 where a room may be taken in parts."""
    room, _ = room_years(problem)
    columns = np.full(len(room), -1, dtype=np.int64)
    columns[problem.rooms.whole[room]] = model.columns["take"].positions
    return columns


def swaps(problem: Problem, year: int) -> tuple[Ints, Floats]:
    """Return swaps whose rooms are in use in a year (positions in `room_years`), and what each gives up, in m2."""
    room, start = room_years(problem)
    swap = np.flatnonzero((problem.rooms.gives_m2[room] > 0) & (start + problem.rooms.lead[room] <= year))
    return swap, problem.rooms.gives_m2[room[swap]]


def _given_rows(problem: Problem, model: Model) -> None:
    """(7): swaps together give up no more of an office than the community has there."""
    rooms, (swap, gives) = problem.rooms, swaps(problem, len(problem.years))
    room = room_years(problem)[0][swap]
    once = np.unique(room)
    asked = np.zeros(len(problem.communities))
    np.add.at(asked, rooms.community[once], rooms.gives_m2[once])
    short = np.flatnonzero(asked > problem.existing_m2)
    row_of = np.full(len(problem.communities), -1, dtype=np.int64)
    row_of[short] = model.add_rows("eq7_given", [("community", short)], upper=problem.existing_m2[short])
    row = row_of[rooms.community[room]]
    model.put(row[row >= 0], take_columns(problem, model)[swap[row >= 0]], gives[row >= 0])


def cost(problem: Problem, model: Model) -> None:
    """Rooms: fixed and per m2 when taken, yearly while in use; halls: per m2 of credit, equation (19)."""
    index, years = problem.price_index, len(problem.years)
    rooms: Rooms = problem.rooms
    once, yearly = _cells(problem, rooms.community, rooms.is_station)
    room, year = room_years(problem)
    area = model.columns["area"].positions
    model.add_cost(area, once[room], year, rooms.capital_yuan_per_m2[room] * index[year])
    for t in range(years):
        use = np.flatnonzero(year + rooms.lead[room] <= t)
        model.add_cost(area[use], yearly[room[use]], t, rooms.yearly_yuan_per_m2[room[use]] * index[t])
    yes_room, yes_year = _whole_room_years(problem)
    fixed = rooms.fixed_yuan[yes_room] * index[yes_year]
    model.add_cost(model.columns["take"].positions, once[yes_room], yes_year, fixed)

    halls: Halls = problem.halls
    arc, hall_year = _hall_years(problem)
    hall = problem.hall_arcs.target[arc]
    once, yearly = _cells(problem, problem.hall_arcs.community, np.zeros(len(problem.hall_arcs), dtype=bool))
    hall_m2 = model.columns["hall_m2"].positions
    model.add_cost(hall_m2, once[arc], hall_year, halls.capital_yuan_per_m2[hall] * index[hall_year])
    for t in range(years):
        use = np.flatnonzero(hall_year <= t)
        model.add_cost(hall_m2[use], yearly[arc[use]], t, halls.yearly_yuan_per_m2[hall[use]] * index[t])


def _cells(problem: Problem, community: Ints, shared: Bools) -> tuple[Ints, Ints]:
    """Return the cells of what is paid once and of what is paid every year, equations (19) and (23)."""
    pairs = list(zip(community, shared, strict=True))
    kinds = ("space", YEARLY_SPACE)
    once, yearly = (
        np.array([problem.cell(kind, i, shared=bool(all_of)) for i, all_of in pairs], dtype=np.int64) for kind in kinds
    )
    return once, yearly


def met(problem: Problem, model: Model) -> None:
    """Space meets its share of the target, equations (1) and (6)."""
    community, year = _spaced(problem)
    model.add_met(community, SPACE, year, model.columns["space_met"].positions, 1.0)
    none = np.argwhere(problem.need[:, SPACE, :] <= 0)
    model.met_base[model.need_row(none[:, 0], SPACE, none[:, 1])] = 1.0
