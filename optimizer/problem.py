"""The problem: every set, amount, cost and limit of one scenario as labelled arrays, frozen.

A `Problem` is built from a city and a scenario by `optimizer.problem_data.build_problem`, can be cut
down to some communities (`Problem.part`) and stays a `Problem`. Money is yuan of the first year's prices,
areas m2, distances m, years are indices 0..T-1. Symbols and equation numbers: `docs/mathematics.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from optimizer.scenario import Scenario

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

WORK_FUNDS, SPACE = 0, 1  # positions in Problem.needs; services follow
YEARLY_SPACE = "space_yearly"
"""Stands for the yearly costs of rooms and halls where cells are looked up; their purpose is space."""
Tag = tuple[int, int, str]


@dataclass(frozen=True)
class Rows:
    """Base of column-wise tables: every field is an array (or tuple) of the same length."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(getattr(self, fields(self)[0].name))

    def take(self, keep: Ints) -> Self:
        """Return the rows at positions `keep`, in that order."""
        values: dict[str, Any] = {}
        for column in fields(self):
            value = getattr(self, column.name)
            values[column.name] = tuple(value[i] for i in keep) if isinstance(value, tuple) else value[keep]
        return replace(self, **values)


class Located(Rows):
    """Rows that lie in communities."""

    community: Ints


L = TypeVar("L", bound=Located)
_ARRAYS = ("district", "sub_district", "need", "persons", "weight", "grant_limit", "existing_m2", "free_office_m2")
_LABELS = ("communities", "names", "types", "classes", "office")


@dataclass(frozen=True)
class Rooms(Located):
    """Extensions and station buildings that could be taken, equations (5), (7), (11)."""

    site: tuple[str, ...]
    community: Ints
    instrument: tuple[str, ...]
    is_station: Bools
    area_m2: Floats
    min_area_m2: Floats
    fixed_yuan: Floats
    capital_yuan_per_m2: Floats
    yearly_yuan_per_m2: Floats
    first: Ints
    lead: Ints
    forced: Bools

    @property
    def whole(self) -> Bools:
        """Which rooms need a yes-or-no decision: those with a smallest size, a fixed cost or stations, forced ones."""
        return self.is_station | (self.min_area_m2 > 0) | (self.fixed_yuan > 0) | self.forced


@dataclass(frozen=True)
class Halls(Located):
    """Halls that may be shared by the hour; `credit_m2` is what all users together may count, equation (7)."""

    site: tuple[str, ...]
    community: Ints
    credit_m2: Floats
    capital_yuan_per_m2: Floats
    yearly_yuan_per_m2: Floats
    first: Ints


@dataclass(frozen=True)
class Places(Located):
    """Where new capacity of a service could be: a community's own office, a station building, an existing station.

    `room` is the building, else -1; `upgrades` the existing station, else -1; `most` the largest new capacity.
    """

    site: tuple[str, ...]
    community: Ints
    service: Ints
    room: Ints
    upgrades: Ints
    most: Floats

    @property
    def own(self) -> Bools:
        """Which are communities' own offices."""
        return (self.room < 0) & (self.upgrades < 0)


@dataclass(frozen=True)
class Existing(Located):
    """What exists: capacity per site, service and level; `paid` where budgets bear the running cost.

    It may close in the years `close_first` to `close_last` (none where the first is later) and must where `close_must`.
    """

    site: tuple[str, ...]
    community: Ints
    service: Ints
    level: tuple[str, ...]
    capacity: Floats
    area_m2: Floats
    spare_m2: Floats
    running_yuan: Floats
    paid: Bools
    close_first: Ints
    close_last: Ints
    close_must: Bools


@dataclass(frozen=True)
class Arcs(Located):
    """Pairs within reach: a community and the position of what could serve it, with the travel, equation (8)."""

    community: Ints
    target: Ints
    travel_m: Floats


@dataclass(frozen=True)
class Cells(Rows):
    """Costs that every rule of money treats alike: purpose, district and the tuple of eligible sources, equation (21).

    `tags` name the floors and ceilings by community that count them, equation (22): (source, its limit, community or
    "" where communities count together). `yearly` costs come again every year; only told apart where (23) asks.
    """

    purpose: tuple[str, ...]
    district: Ints
    sources: tuple[tuple[int, ...], ...]
    tags: tuple[tuple[Tag, ...], ...]
    yearly: Bools


@dataclass(frozen=True)
class Problem:
    """One planning problem. n communities, K needs (work funds, space, then services), T years, S sources."""

    scenario: Scenario
    years: tuple[int, ...]
    price_index: Floats  # (T,)
    year_weight: Floats  # (T,), sums to 1
    communities: tuple[str, ...]
    names: tuple[str, ...]
    districts: tuple[str, ...]
    district: Ints  # (n,)
    sub_districts: tuple[str, ...]
    sub_district: Ints  # (n,)
    types: tuple[str, ...]  # (n,) type of each community
    classes: tuple[str, ...]  # (n,) class of guidance of each community
    office: tuple[str, ...]  # (n,) site of the own office; the community itself where it has none
    needs: tuple[str, ...]
    need: Floats  # (n, K, T)
    persons: Floats  # (n, K)
    weight: Floats  # (n, K)
    grant_limit: Floats  # (n, T) yuan of the year, equation (4)
    existing_m2: Floats  # (n,) office floor that counts towards the target (5)
    free_office_m2: Floats  # (n,) office floor that nothing uses, for new own stations (12)
    rooms: Rooms
    halls: Halls
    hall_arcs: Arcs
    places: Places
    arcs: Arcs  # community -> place
    existing: Existing
    existing_arcs: Arcs  # community -> existing
    sources: tuple[str, ...]
    amount: Floats  # (S, T) yuan
    carry_limit: Floats  # (S, T) yuan
    cells: Cells
    cell_of: dict[tuple[str, int, int, int], int]  # (purpose, district, service or -1, community or -1) -> cell
    place_centre: Ints  # (places,) existing centre a station there hangs on (13); -1: none in reach, -2: no levels
    existing_centre: Ints  # (existing,) the same for existing stations
    group: Bools = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))  # (n, G) groups of fairness
    origin: Mapping[str, Ints] = field(default_factory=dict)  # of a part: table -> positions in the whole problem

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of communities, needs and years."""
        n, k, t = self.need.shape
        return n, k, t

    @cached_property
    def peak(self) -> Floats:
        """(n, K) largest need of the horizon."""
        return np.asarray(self.need.max(axis=2))

    @cached_property
    def score_weight(self) -> Floats:
        """(n, K) weights of equation (2), summing to 1 over the needs above zero; 0 for a community without needs."""
        w = np.where(self.peak > 0, self.weight, 0.0)
        total = w.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(w, total, out=np.zeros_like(w), where=total > 0))

    @cached_property
    def unmet_weight(self) -> Floats:
        """(n, K) persons x weight of needs above zero: what one share of the need counts in the second goal."""
        return np.where(self.peak > 0, self.weight * self.persons, 0.0)

    def cell(self, purpose: str, community: int, service: int = -1, *, shared: bool = False) -> int:
        """Return the cell of a cost; `shared` costs (stations for several communities) belong to no community."""
        return self.cell_of[purpose, int(self.district[community]), service, -1 if shared else int(community)]

    @cached_property
    def parts(self) -> list[Ints]:
        """Groups of communities that share no site, hall or station: sub-districts, merged where arcs cross them."""
        parent = np.arange(len(self.sub_districts))

        def root(a: int) -> int:
            while parent[a] != a:
                a = int(parent[a])
            return a

        sites = (
            (self.arcs, self.places.community),
            (self.existing_arcs, self.existing.community),
            (self.hall_arcs, self.halls.community),
        )
        for where, located in (
            *((arcs.community, located[arcs.target]) for arcs, located in sites),
            *self._hanging,
        ):
            pairs = set(zip(self.sub_district[where], self.sub_district[located], strict=True))
            for a, b in sorted(pairs):
                low, high = sorted((root(int(a)), root(int(b))))
                parent[high] = low
        roots = np.array([root(int(s)) for s in self.sub_district], dtype=np.int64)
        return [np.flatnonzero(roots == r) for r in np.unique(roots)]

    @property
    def _hanging(self) -> list[tuple[Ints, Ints]]:
        """Communities of stations, and of the centres they hang on, equation (13)."""
        return [
            (rows.community[centre >= 0], self.existing.community[centre[centre >= 0]])
            for rows, centre in ((self.places, self.place_centre), (self.existing, self.existing_centre))
        ]

    def part(self, communities: Ints) -> "Problem":
        """Return the problem of some communities, with all money; `communities` are positions, sorted.

        Sites, halls and stations that lie elsewhere are left out, so a part is complete only if it is a union of
        `Problem.parts`. Cells and sources stay as they are, so that costs of parts can be added.
        """
        position = np.full(len(self.communities), -1, dtype=np.int64)
        position[communities] = np.arange(len(communities))

        def within(rows: Located) -> Ints:
            return np.flatnonzero(position[rows.community] >= 0)

        def moved(rows: L, keep: Ints, **more: Ints) -> L:
            kept: Any = rows.take(keep)
            moved_rows: L = replace(kept, community=position[kept.community], **more)
            return moved_rows

        def renumber(size: int, keep: Ints) -> Ints:
            new = np.full(size + 1, -1, dtype=np.int64)  # the last entry serves target -1
            new[keep] = np.arange(len(keep))
            return new

        def cut(name: str, size: int, keep: Ints) -> Arcs:
            arcs: Arcs = getattr(self, name)
            new = renumber(size, keep)
            kept = np.flatnonzero((position[arcs.community] >= 0) & (new[arcs.target] >= 0))
            origin[name] = kept
            return moved(arcs, kept, target=new[arcs.target[kept]])

        rooms, halls, places, existing = (within(r) for r in (self.rooms, self.halls, self.places, self.existing))
        origin = {
            "communities": communities, "rooms": rooms, "halls": halls, "places": places, "existing": existing
        }  # fmt: skip
        room_new = renumber(len(self.rooms), rooms)
        old_new = renumber(len(self.existing), existing)

        def centres(of: Ints, keep: Ints) -> Ints:
            kept = of[keep]
            there: Ints = kept.copy()
            there[kept >= 0] = old_new[kept[kept >= 0]]
            return there

        pick = communities.tolist()
        cells = {
            key if key[3] < 0 else (*key[:3], int(position[key[3]])): cell
            for key, cell in self.cell_of.items()
            if key[3] < 0 or position[key[3]] >= 0
        }
        by_community: dict[str, Any] = {name: getattr(self, name)[communities] for name in _ARRAYS}
        by_community |= {name: tuple(getattr(self, name)[i] for i in pick) for name in _LABELS}
        return replace(
            self,
            **by_community,
            rooms=moved(self.rooms, rooms),
            halls=moved(self.halls, halls),
            hall_arcs=cut("hall_arcs", len(self.halls), halls),
            places=moved(
                self.places,
                places,
                room=room_new[self.places.room[places]],
                upgrades=old_new[self.places.upgrades[places]],
            ),
            arcs=cut("arcs", len(self.places), places),
            existing=moved(self.existing, existing),
            existing_arcs=cut("existing_arcs", len(self.existing), existing),
            cell_of=cells,
            place_centre=centres(self.place_centre, places),
            existing_centre=centres(self.existing_centre, existing),
            group=self.group[communities] if len(self.group) else self.group,
            origin=origin,
        )
