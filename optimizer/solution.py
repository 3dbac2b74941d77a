"""From the columns of a solved model to decisions.

Small values that a solver leaves behind are cleaned here, once: areas (rooms: a millionth of a m2, halls: 0.01 m2
down), grants to whole units, shares below a millionth dropped, and shares of a need that make up more than all of it
cut to all of it. What a plan says, sizes of stations too, is what is left after that.
"""

from dataclasses import dataclass, replace

import numpy as np

from optimizer.joint import Joint
from optimizer.model import MONEY_UNIT_YUAN
from optimizer.problem import WORK_FUNDS, Bools, Floats, Ints, Problem
from optimizer.programmes.hierarchy import Starts, positions
from optimizer.programmes.services import of_places
from optimizer.rounding import Margin, round_table

SHARE_NOISE = 1e-6
AREA_STEP_M2 = 0.01
AREA_NOISE_M2 = 1e-4
GRANT_NOISE_YUAN = 1e-3


@dataclass(frozen=True)
class Decisions:
    """What a plan decides. Positions refer to the problem; years are indices.

    `grant_yuan` (n, T); `room*`: rooms taken, start year and area; `hall_*`: hall arcs, first year and credit;
    `opened`, `open_year`: places and start years, `moved` which of them are moves; `serve_*`: arcs, first year and
    share; `kept_*`: existing arcs and share; `closed`, `close_year`: existing stations and the years they close;
    `handed_*`: existing arcs, first year and share taken on; `relief_yuan` (n, T): what is paid off of debts;
    `hang_*`: units, what each hangs on, and from which year on; `joined_*`: existing arcs, first year and share, of
    stations that hang on something only from then on.
    """

    grant_yuan: Floats
    room: Ints
    room_year: Ints
    room_m2: Floats
    hall_arc: Ints
    hall_year: Ints
    hall_m2: Floats
    opened: Ints
    open_year: Ints
    serve_arc: Ints
    serve_year: Ints
    serve_share: Floats
    kept_arc: Ints
    kept_share: Floats
    relief_yuan: Floats
    moved: Bools
    closed: Ints
    close_year: Ints
    handed_arc: Ints
    handed_year: Ints
    handed_share: Floats
    hang_lower: Ints
    hang_upper: Ints
    hang_year: Ints
    joined_arc: Ints
    joined_year: Ints
    joined_share: Floats


def decode(joint: Joint, x: Floats) -> Decisions:
    """Return the decisions in a solution `x` (columns of the joint model)."""
    problem, families = joint.problem, joint.model.columns

    def family(name: str) -> tuple[list[Ints], Floats]:
        found = families[name]
        return [index for index, _ in found.keys], x[found.start : found.start + found.count]

    (community, year), value = family("grant")
    grant = np.zeros(problem.grant_limit.shape)
    grant[community, year] = _grants(problem, community, year, value * MONEY_UNIT_YUAN)

    (room, year), value = family("take")
    taken = np.zeros((len(problem.rooms), len(problem.years)), dtype=bool)
    taken[room, year] = value > 0.5
    (room, room_year), area = family("area")
    # Upwards by a millionth, so that the stations in it still fit; not beyond what can be had.
    area = np.minimum(np.ceil(area * 1e6 - 1e-2) / 1e6, problem.rooms.area_m2[room])
    whole = problem.rooms.whole[room]
    smallest = problem.rooms.min_area_m2[room]
    rooms = np.flatnonzero(np.where(whole, taken[room, room_year], area > AREA_NOISE_M2))
    area = np.maximum(area, np.where(whole, smallest, 0.0))

    (_, _, hall_year), credit = family("hall_m2")
    credit = np.floor(credit / AREA_STEP_M2 + 1e-4) * AREA_STEP_M2
    halls = np.flatnonzero(credit > 0)

    (place, _, open_year), value = family("open")
    stations = np.flatnonzero(value > 0.5)
    started = np.zeros((len(problem.places), len(problem.years)), dtype=bool)
    started[place[stations], open_year[stations]] = True
    (_, _, _, serve_year), share = family("serve")
    arc = joint.model.notes["serve_arc"]
    there = started[problem.arcs.target[arc], serve_year]
    some = there & (share > SHARE_NOISE)
    small = _too_small(problem, arc, np.where(some, share, 0.0))[problem.arcs.target[arc]]
    serves = np.flatnonzero(some | (there & small & (share > 0)))
    _, kept = family("kept")
    keeps = np.flatnonzero(kept > SHARE_NOISE)
    relief = np.zeros(problem.grant_limit.shape)
    if "relief" in families:
        (debtor, year), value = family("relief")
        relief[debtor, year] = np.floor(value * MONEY_UNIT_YUAN + GRANT_NOISE_YUAN)
    closed, close_year, moved_at, handed_arc, handed_year, handed = _closings(joint, x)
    lower, upper, since, joined_arc, joined_year, joined = _levels(joint, x)
    decided = Decisions(
        grant_yuan=grant,
        room=room[rooms],
        room_year=room_year[rooms],
        room_m2=np.round(area[rooms], 6),
        hall_arc=joint.model.notes["hall_arc"][halls],
        hall_year=hall_year[halls],
        hall_m2=np.round(credit[halls], 2),
        opened=place[stations],
        open_year=open_year[stations],
        serve_arc=arc[serves],
        serve_year=serve_year[serves],
        serve_share=share[serves],
        kept_arc=joint.model.notes["kept_arc"][keeps],
        kept_share=kept[keeps],
        relief_yuan=relief,
        moved=np.array([p in moved_at for p in zip(place[stations], open_year[stations], strict=True)], dtype=bool),
        closed=closed,
        close_year=close_year,
        handed_arc=handed_arc,
        handed_year=handed_year,
        handed_share=handed,
        hang_lower=lower,
        hang_upper=upper,
        hang_year=since,
        joined_arc=joined_arc,
        joined_year=joined_year,
        joined_share=joined,
    )
    return _cut(problem, decided)


def _too_small(problem: Problem, arc: Ints, share: Floats) -> Bools:
    """(places,) stations that serve less than their smallest size (9) by shares of arcs: there, no share is noise."""
    target = problem.arcs.target[arc]
    units = problem.peak[problem.arcs.community[arc], problem.places.service[target] + 2] * share
    served = np.bincount(target, weights=units, minlength=len(problem.places))
    least = np.where(problem.places.upgrades >= 0, 0.0, of_places(problem, "min_capacity"))
    return np.asarray(served < least)


def _cut(problem: Problem, decided: Decisions) -> Decisions:
    """Return decisions in which no need is served beyond all of it in any year, equation (8).

    A solver keeps that within its tolerance only. All shares of such a need are cut alike, so that what a station
    serves and the size it is built to stay the same figure, however large the need.
    """
    years, old, arcs = len(problem.years), problem.existing_arcs, problem.arcs
    ends = np.full(len(problem.existing), years, dtype=np.int64)
    ends[decided.closed] = decided.close_year
    of_old = old.community * len(problem.needs) + problem.existing.service[old.target] + 2
    of_new = arcs.community * len(problem.needs) + problem.places.service[arcs.target] + 2
    total = np.zeros((len(problem.communities) * len(problem.needs), years))
    parts = {
        "kept": (of_old[decided.kept_arc], np.zeros(len(decided.kept_arc), dtype=np.int64)),
        "handed": (of_old[decided.handed_arc], decided.handed_year),
        "joined": (of_old[decided.joined_arc], decided.joined_year),
        "serve": (of_new[decided.serve_arc], decided.serve_year),
    }
    until = {"kept": ends[old.target[decided.kept_arc]]}
    for t in range(years):
        for name, (need, since) in parts.items():
            now = (since <= t) & (t < until.get(name, years))
            np.add.at(total[:, t], need[now], getattr(decided, f"{name}_share")[now])
    most = np.maximum(1.0, total.max(axis=1))
    cut = {f"{name}_share": getattr(decided, f"{name}_share") / most[need] for name, (need, _) in parts.items()}
    return replace(decided, **cut)


def _levels(joint: Joint, x: Floats) -> tuple[Ints, Ints, Ints, Ints, Ints, Floats]:
    """What hangs on what and since when; existing arcs that serve only from a year on, which year, and their share."""
    problem, families, none = joint.problem, joint.model.columns, np.zeros(0, dtype=np.int64)
    if not len(problem.units):
        return none, none, none, none, none, np.zeros(0)
    starts, rows = Starts(problem, joint.model), list[tuple[int, int, int]]()

    def begun(of: list[tuple[int, int]]) -> list[int]:
        return [t for column, t in of if x[column] > 0.5]

    for u in np.flatnonzero(problem.units.must).tolist():
        since = [0] if starts.tree.held[u] else begun(starts.waited_for(u))
        if not starts.tree.there[u]:
            since = begun(starts.opened(u))
        chosen = [v for column, v, _ in starts.hangs.get(u, []) if x[column] > 0.5] or [int(starts.tree.only[u])]
        if since and chosen[0] >= 0:
            rows.append((u, chosen[0], min(since)))
    share, when = x[families["joined"].positions], positions(families["joined"])[3]
    some = np.flatnonzero(share > SHARE_NOISE)
    lower, upper, year = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return lower, upper, year, joint.model.notes["joined_arc"][some], when[some], share[some]


def _closings(joint: Joint, x: Floats) -> tuple[Ints, Ints, set[tuple[int, int]], Ints, Ints, Floats]:
    """Stations that close, when; places and years of moves; existing arcs that take on a share, when, how much."""
    families, none = joint.model.columns, np.zeros(0, dtype=np.int64)
    if "close" not in families:
        return none, none, set(), none, none, np.zeros(0)
    value = {n: x[families[n].start : families[n].start + families[n].count] for n in ("close", "moved", "handed")}
    (station, _, year), (place, _, start) = ([k for k, _ in families[n].keys] for n in ("close", "moved"))
    closes, moves = np.flatnonzero(value["close"] > 0.5), np.flatnonzero(value["moved"] > 0.5)
    takes = np.flatnonzero(value["handed"] > SHARE_NOISE)
    return (
        station[closes], year[closes], set(zip(place[moves], start[moves], strict=True)),
        joint.model.notes["handed_arc"][takes], families["handed"].keys[3][0][takes], value["handed"][takes],
    )  # fmt: skip


def _grants(problem: Problem, community: Ints, year: Ints, yuan: Floats) -> Ints:
    """Grants in whole units: those that the same money pays in a year make up what the plan has for them, rounded down.

    Each changes by less than a unit; none passes its limit (4) or falls below a hard floor (3).
    """
    limit, entitled = problem.grant_limit[community, year], problem.need[community, WORK_FUNDS, year]
    unit = problem.scenario.currency.unit_yuan
    hard = problem.scenario.programmes.work_funds.hard_floor
    floor = np.minimum(entitled, limit) if hard else np.zeros(len(limit))
    yuan = np.where(np.abs(yuan - np.rint(yuan)) <= GRANT_NOISE_YUAN, np.rint(yuan), yuan)
    yuan = np.clip(yuan, floor, limit)
    cell = np.array([problem.cell("work_funds", int(i)) for i in community], dtype=np.int64)
    margins = []
    for c, t in sorted(set(zip(cell.tolist(), year.tolist(), strict=True))):
        mine = np.flatnonzero((cell == c) & (year == t))
        margins.append(Margin(f"{c} {t}", mine, ceiling=float(yuan[mine].sum())))
    names = [f"{problem.communities[i]} {t}" for i, t in zip(community, year, strict=True)]
    return round_table(yuan, margins, unit=unit, names=names, floor=floor, ceiling=limit).yuan
