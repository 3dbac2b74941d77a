"""What a plan made by a rule has decided so far, and what is still unmet, free or open."""

from dataclasses import dataclass, field

import numpy as np

from optimizer.problem import SPACE, WORK_FUNDS, Arcs, Bools, Floats, Ints, Problem
from optimizer.rules.payers import Payers
from optimizer.solution import SHARE_NOISE, Decisions

STEP = 1e-6
"""Capacities and areas are multiples of it."""


def down(amount: float) -> float:
    """Return an amount rounded down to six decimals."""
    return float(np.floor(amount / STEP + 1e-6)) * STEP


@dataclass
class State:
    """A plan in the making. Positions refer to the problem, years are indices.

    `left` (n, K): share of each need that nothing serves yet; `short_m2` (n, T): rooms missing to the target;
    `floor_m2` (n, T): office floor that no own station uses; `office_m2` (n,): of the office, what no swap gives up;
    `taken`: building -> (year it is ready, floor left).
    """

    problem: Problem
    cells: list[Payers]
    grant: Ints = field(init=False)
    left: Floats = field(init=False)
    short_m2: Floats = field(init=False)
    floor_m2: Floats = field(init=False)
    office_m2: Floats = field(init=False)
    hall_left: Floats = field(init=False)
    hall_user_left: Floats = field(init=False)
    open: Bools = field(init=False)
    taken: dict[int, tuple[int, float]] = field(default_factory=dict)
    rooms: list[tuple[int, int, float]] = field(default_factory=list)
    halls: list[tuple[int, int, float]] = field(default_factory=list)
    stations: list[tuple[int, int]] = field(default_factory=list)
    serves: list[tuple[int, int, float]] = field(default_factory=list)
    kept: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with what exists: communities use it, the nearest first, as far as its capacity goes."""
        problem = self.problem
        hard = problem.scenario.programmes.work_funds.hard_floor
        self.grant = (problem.need[:, WORK_FUNDS] * hard).astype(np.int64)
        self.left = np.where(problem.peak > 0, 1.0, 0.0)
        self.short_m2 = np.maximum(0.0, problem.need[:, SPACE] - problem.existing_m2[:, None])
        self.floor_m2 = np.repeat(problem.free_office_m2[:, None], len(problem.years), axis=1)
        self.office_m2 = problem.existing_m2.copy()
        self.hall_left = problem.halls.credit_m2.copy()
        part = problem.scenario.programmes.space.hall_share_of_target
        self.hall_user_left = part * problem.need[:, SPACE, 0]
        self.open = np.zeros(len(problem.places), dtype=bool)
        capacity = problem.existing.capacity.copy()
        for a in nearest(problem, problem.existing_arcs, problem.existing.site):
            i, e = int(problem.existing_arcs.community[a]), int(problem.existing_arcs.target[a])
            k = int(problem.existing.service[e]) + 2
            share = min(self.left[i, k], down(capacity[e]) / problem.peak[i, k])
            if share > SHARE_NOISE:
                self.kept.append((a, share))
                self.left[i, k] -= share
                capacity[e] -= share * problem.peak[i, k]

    def serve(self, place: int, year: int, capacity: float, arcs: Ints) -> None:
        """Open a station in a year at a capacity; the communities of `arcs` use it, in that order."""
        problem = self.problem
        self.open[place] = True
        self.stations.append((place, year))
        k = int(problem.places.service[place]) + 2
        for a in arcs.tolist():
            i = int(problem.arcs.community[a])
            share = min(self.left[i, k], capacity / problem.peak[i, k])
            if share > SHARE_NOISE:
                self.serves.append((a, year, share))
                self.left[i, k] -= share
                capacity -= share * problem.peak[i, k]

    def decisions(self) -> Decisions:
        """Return the plan as decisions."""
        room, room_year, room_m2 = _columns(self.rooms)
        hall, hall_year, hall_m2 = _columns(self.halls)
        serve, serve_year, serve_share = _columns(self.serves)
        place = np.array([p for p, _ in self.stations], dtype=np.int64)
        start = np.array([t for _, t in self.stations], dtype=np.int64)
        none, no_share = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Decisions(
            grant_yuan=self.grant.astype(float),
            relief_yuan=np.zeros(self.grant.shape),
            moved=np.zeros(len(place), dtype=bool),
            closed=none,
            close_year=none,
            handed_arc=none,
            handed_year=none,
            handed_share=no_share,
            hang_lower=none,
            hang_upper=none,
            hang_year=none,
            joined_arc=none,
            joined_year=none,
            joined_share=no_share,
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
