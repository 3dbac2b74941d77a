"""What a plan made by a rule has decided so far, and what is still unmet, free or open."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optimizer.problem import SPACE, WORK_FUNDS, Arcs, Bools, Floats, Ints, Problem
from optimizer.rules.forced import closing_years, fullest, seen_to
from optimizer.rules.levels import Levels, down
from optimizer.rules.payers import Payers
from optimizer.solution import SHARE_NOISE, Decisions

CHANGES = (
    "left", "ends", "levels", "floor_m2", "open", "taken", "wide", "rooms", "sizes", "serves", "kept", "joined"
)  # fmt: skip
"""What opening stations changes."""


@dataclass
class State:
    """A plan in the making. Positions refer to the problem, years are indices.

    `left` (n, K): share of each need that nothing serves yet; `ends` (n, K, T): share that nothing serves from the year
    on in which a station closes; `closes` (existing,): that year, T for those that stay;
    `room_left` (existing,): capacity that nobody uses, of what has no levels; `levels` knows that of the rest;
    `short_m2` (n, T): rooms missing to the target; `floor_m2` (n, T): office floor that no own station uses;
    `office_m2` (n,): of the office, what no swap gives up; `taken`: building -> (year it is ready, floor left);
    `wide`: buildings taken for a centre that stations elsewhere needed, of which more may still be taken;
    `rooms`: room taken -> (year, area); `sizes`: place -> (start year, capacity).
    """

    problem: Problem
    cells: list[Payers]
    grant: Ints = field(init=False)
    relief: Ints = field(init=False)
    left: Floats = field(init=False)
    ends: Floats = field(init=False)
    closes: Ints = field(init=False)
    levels: Levels = field(init=False)
    room_left: Floats = field(init=False)
    short_m2: Floats = field(init=False)
    floor_m2: Floats = field(init=False)
    office_m2: Floats = field(init=False)
    hall_left: Floats = field(init=False)
    hall_user_left: Floats = field(init=False)
    open: Bools = field(init=False)
    taken: dict[int, tuple[int, float]] = field(default_factory=dict)
    wide: set[int] = field(default_factory=set)
    rooms: dict[int, tuple[int, float]] = field(default_factory=dict)
    halls: list[tuple[int, int, float]] = field(default_factory=list)
    sizes: dict[int, tuple[int, float]] = field(default_factory=dict)
    serves: list[tuple[int, int, float]] = field(default_factory=list)
    kept: list[tuple[int, float]] = field(default_factory=list)
    joined: list[tuple[int, int, float]] = field(default_factory=list)
    handed: list[tuple[int, int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with what exists: communities use it, the nearest first, as far as its capacity goes."""
        problem = self.problem
        hard = problem.scenario.programmes.work_funds.hard_floor
        self.grant = (problem.need[:, WORK_FUNDS] * hard).astype(np.int64)
        self.relief = np.zeros_like(self.grant)
        self.left = np.where(problem.peak > 0, 1.0, 0.0)
        self.short_m2 = np.maximum(0.0, problem.need[:, SPACE] - problem.existing_m2[:, None])
        self.floor_m2 = np.repeat(problem.free_office_m2[:, None], len(problem.years), axis=1)
        self.office_m2 = problem.existing_m2.copy()
        self.hall_left = problem.halls.credit_m2.copy()
        part = problem.scenario.programmes.space.hall_share_of_target
        self.hall_user_left = part * problem.need[:, SPACE, 0]
        self.open = np.zeros(len(problem.places), dtype=bool)
        self.ends = np.zeros(problem.need.shape)
        self.closes = closing_years(problem)
        self.levels, self.room_left = Levels(problem, self.closes), problem.existing.capacity.copy()
        self._use_existing()
        self._take_forced()

    def _use_existing(self) -> None:
        """Serve from what exists, the nearest first; what a closing station served goes to others that have room.

        Where nobody may be left without when stations close, as much is served as they can together.
        """
        problem, old, arcs = self.problem, self.problem.existing, self.problem.existing_arcs
        order = nearest(problem, arcs, old.site)
        full = [a for a in order if self._kind(a) in seen_to(problem)]
        shares = dict(zip(full, fullest(problem, np.array(full, dtype=np.int64)), strict=True)) if full else {}
        for a in order:
            i, k = int(arcs.community[a]), self._kind(a) + 2
            share = min(self.left[i, k], self._room(a, 0), shares.get(a, 1.0))
            if share > SHARE_NOISE:
                self.kept.append((a, share))
                self.left[i, k] -= share
                self._use(a, share, 0)
        stay = self.closes == len(problem.years)
        for gone, share in [(a, share) for a, share in self.kept if not stay[arcs.target[a]]]:
            i, k, t = int(arcs.community[gone]), self._kind(gone), int(self.closes[arcs.target[gone]])
            left = share
            for a in order:
                e = arcs.target[a]
                if arcs.community[a] == i and old.service[e] == k and stay[e] and old.level[e] != "outlet":
                    some = min(left, self._room(a, t))
                    if some > SHARE_NOISE:
                        self.handed.append((a, t, some))
                        self._use(a, some, t)
                        left -= some
            self.ends[i, k + 2, t] += left if left > SHARE_NOISE else 0.0
        closing = {(old.site[e], int(old.service[e])) for e in np.flatnonzero(~stay).tolist()}
        at = zip(problem.places.site, problem.places.service.tolist(), strict=True)
        self.open |= np.array([place in closing for place in at], dtype=bool)  # nothing opens in their place

    def _room(self, arc: int, year: int) -> float:
        """Largest share that what exists could serve by an arc from a year on; none where it is not used yet."""
        e, i = int(self.problem.existing_arcs.target[arc]), int(self.problem.existing_arcs.community[arc])
        unit, most = int(self.problem.existing_unit[e]), down(self.room_left[e])
        if unit >= 0:
            most = self.levels.most(unit, year, int(self.closes[e])) if self.levels.since[unit] <= year else 0.0
        return float(most / self.problem.peak[i, self._kind(arc) + 2])

    def _use(self, arc: int, share: float, year: int) -> None:
        """Serve a share by an existing arc from a year on."""
        e, i = int(self.problem.existing_arcs.target[arc]), int(self.problem.existing_arcs.community[arc])
        unit, units = int(self.problem.existing_unit[e]), share * float(self.problem.peak[i, self._kind(arc) + 2])
        if unit >= 0:
            self.levels.use(unit, units, year, int(self.closes[e]), lambda *_: None)
        else:
            self.room_left[e] -= units

    def _kind(self, arc: int) -> int:
        """Service of an existing arc."""
        return int(self.problem.existing.service[self.problem.existing_arcs.target[arc]])

    def _take_forced(self) -> None:
        """Take what must be taken, in full and as early as it can be."""
        rooms, counter = self.problem.rooms, self.problem.scenario.programmes.one_stop.counter_m2
        for r in np.flatnonzero(rooms.forced).tolist():
            first, ready, area = int(rooms.first[r]), int(rooms.first[r] + rooms.lead[r]), float(rooms.area_m2[r])
            self.rooms[r] = first, area
            if rooms.is_station[r]:
                self.taken[r] = ready, max(0.0, area - counter)
            else:
                i, more = int(rooms.community[r]), area - float(rooms.gives_m2[r])
                self.office_m2[i] -= rooms.gives_m2[r]
                self.short_m2[i, ready:] -= more
                self.floor_m2[i, ready:] += more

    def open_need(self, community: Ints | int, need: int, year: int) -> Floats:
        """Return the share of a need that a station could serve which is new in a year."""
        return np.asarray(self.left[community, need] + self.ends[community, need, : year + 1].sum(axis=-1))

    def serve(self, place: int, year: int, capacity: float, arcs: Ints) -> float:
        """Serve from a place that is new in a year, up to a capacity; the communities of `arcs` use it, in that order.

        Return the units that are served.
        """
        problem, before = self.problem, capacity
        self.open[place] = True
        self.sizes.setdefault(place, (year, capacity))
        k = int(problem.places.service[place]) + 2
        for a in arcs.tolist():
            i = int(problem.arcs.community[a])
            share = min(float(self.open_need(i, k, year)), capacity / problem.peak[i, k])
            if share > SHARE_NOISE:
                self.serves.append((a, year, share))
                capacity -= share * problem.peak[i, k]
                self.meet(i, k, year, share)
        return before - capacity

    def meet(self, i: int, k: int, year: int, share: float) -> None:
        """Count a share of a need as served from a year on: first what ended by then."""
        for t in range(year + 1):
            some = min(share, self.ends[i, k, t])
            self.ends[i, k, t] -= some
            share -= some
        self.left[i, k] -= share

    def join(self, arc: int, year: int, share: float) -> None:
        """Serve a share by an existing arc whose station is used from a year on only, until it closes."""
        i, e = int(self.problem.existing_arcs.community[arc]), int(self.problem.existing_arcs.target[arc])
        k = self._kind(arc) + 2
        self.meet(i, k, year, share)
        if year:
            self.joined.append((arc, year, share))
        else:
            self.kept.append((arc, share))
        if self.closes[e] < len(self.problem.years):
            self.ends[i, k, self.closes[e]] += share

    def save(self) -> dict[str, Any]:
        """Return what opening stations changes, as it is."""
        return {name: getattr(self, name).copy() for name in CHANGES}

    def load(self, saved: dict[str, Any]) -> None:
        """Make the plan what it was, or would be; `saved` becomes part of it."""
        for name, value in saved.items():
            setattr(self, name, value)

    def decisions(self) -> Decisions:
        """Return the plan as decisions."""
        room, room_year, room_m2 = _columns([(r, year, area) for r, (year, area) in self.rooms.items()])
        hall, hall_year, hall_m2 = _columns(self.halls)
        serve, serve_year, serve_share = _columns(self.serves)
        place = np.array(list(self.sizes), dtype=np.int64)
        start = np.array([t for t, _ in self.sizes.values()], dtype=np.int64)
        joined, joined_year, joined_share = _columns(self.joined)
        hung = np.flatnonzero(self.problem.units.must & (self.levels.since < len(self.problem.years)))
        handed, handed_year, handed_share = _columns(self.handed)
        closed = np.flatnonzero(self.closes < len(self.problem.years))
        return Decisions(
            grant_yuan=self.grant.astype(float),
            relief_yuan=self.relief.astype(float),
            moved=np.zeros(len(place), dtype=bool),
            closed=closed,
            close_year=self.closes[closed],
            handed_arc=handed,
            handed_year=handed_year,
            handed_share=handed_share,
            hang_lower=hung,
            hang_upper=self.levels.upper[hung],
            hang_year=self.levels.since[hung],
            joined_arc=joined,
            joined_year=joined_year,
            joined_share=joined_share,
            room=room,
            room_year=room_year,
            room_m2=room_m2,
            hall_arc=hall,
            hall_year=hall_year,
            hall_m2=hall_m2,
            opened=place,
            open_year=start,
            serve_arc=serve,
            serve_year=serve_year,
            serve_share=serve_share,
            kept_arc=np.array([a for a, _ in self.kept], dtype=np.int64),
            kept_share=np.array([share for _, share in self.kept], dtype=float),
        )


def _columns(rows: list[tuple[int, int, float]]) -> tuple[Ints, Ints, Floats]:
    first, second, third = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(first, np.int64), np.array(second, np.int64), np.array(third, float)


def nearest(problem: Problem, arcs: Arcs, site: tuple[str, ...]) -> list[int]:
    """Return the positions of arcs, the shortest first; ties by name of community, then of site."""
    rows = zip(arcs.travel_m.tolist(), arcs.community.tolist(), arcs.target.tolist(), strict=True)
    keyed = [(metres, problem.communities[i], site[j], a) for a, (metres, i, j) in enumerate(rows)]
    return [row[-1] for row in sorted(keyed)]
