"""The problem: every set, amount, cost and limit of one scenario as labelled arrays, frozen.

A `Problem` is built from a city and a scenario by `optimizer.problem_data.build_problem`, can be cut
down to some communities (`Problem.part`) and stays a `Problem`. Money is yuan of the first year's prices,
areas m2, distances m, years are indices 0..T-1. Symbols and equation numbers: `docs/mathematics.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from optimizer.problem_tables import (
    Arcs,
    Bools,
    Cells,
    Existing,
    Floats,
    Halls,
    Hangs,
    Ints,
    Located,
    Places,
    Rooms,
    Rows,
    Tag,
    Units,
)
from optimizer.scenario import Scenario

__all__ = [
    "SPACE",
    "WORK_FUNDS",
    "YEARLY_SPACE",
    "Arcs",
    "Bools",
    "Cells",
    "Existing",
    "Floats",
    "Halls",
    "Hangs",
    "Ints",
    "Located",
    "Places",
    "Problem",
    "Rooms",
    "Rows",
    "Tag",
    "Units",
]

WORK_FUNDS, SPACE = 0, 1  # positions in Problem.needs; services follow
YEARLY_SPACE = "space_yearly"
"""Stands for the yearly costs of rooms and halls where cells are looked up; their purpose is space."""
L = TypeVar("L", bound=Located)
_ARRAYS = ("district", "sub_district", "need", "persons", "weight", "grant_limit", "existing_m2", "free_office_m2")
_LABELS = ("communities", "names", "types", "classes", "office")


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
    units: Units
    hangs: Hangs  # which unit could hang on which (13), the nearest first
    place_unit: Ints  # (places,) unit a place belongs to; -1: its service has no levels
    existing_unit: Ints  # (existing,) the same for what exists
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
        """(n, K, T) weights of equation (2), summing to 1 over the needs above zero of a year; 0 without any need.

        In a year in which a community needs nothing, those of its other years: all is met then, and its score is 1.
        """
        w = np.where(self.need > 0, self.weight[:, :, None], 0.0)
        some = np.where(self.peak > 0, self.weight, 0.0)[:, :, None]
        w = np.where(w.sum(axis=1, keepdims=True) > 0, w, some)
        total = w.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(w, total, out=np.zeros_like(w), where=total > 0))

    @cached_property
    def scored(self) -> Bools:
        """(n,) communities with a score: they have at least one weighted need above zero, in one year at least."""
        return np.asarray(((self.peak > 0) & (self.weight > 0)).any(axis=1))

    @cached_property
    def unmet_weight(self) -> Floats:
        """(n, K) persons x weight of needs above zero: what one share of the need counts in the second goal."""
        return np.where(self.peak > 0, self.weight * self.persons, 0.0)

    def cell(self, purpose: str, community: int, service: int = -1, *, shared: bool = False) -> int:
        """Return the cell of a cost; `shared` costs (stations for several communities) belong to no community."""
        return self.cell_of[purpose, int(self.district[community]), service, -1 if shared else int(community)]

    @cached_property
    def parts(self) -> list[Ints]:
        """Groups of communities that share no site, hall, station or centre: sub-districts, merged where these do."""
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
            (self.units.community[self.hangs.lower], self.units.community[self.hangs.upper]),
        ):
            pairs = set(zip(self.sub_district[where], self.sub_district[located], strict=True))
            for a, b in sorted(pairs):
                low, high = sorted((root(int(a)), root(int(b))))
                parent[high] = low
        roots = np.array([root(int(s)) for s in self.sub_district], dtype=np.int64)
        return [np.flatnonzero(roots == r) for r in np.unique(roots)]

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

        units = within(self.units)
        unit_new = renumber(len(self.units), units)
        lower, upper = unit_new[self.hangs.lower], unit_new[self.hangs.upper]
        hangs = np.flatnonzero((lower >= 0) & (upper >= 0))
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
            units=moved(self.units, units),
            hangs=moved(self.hangs, hangs, lower=lower[hangs], upper=upper[hangs]),
            place_unit=unit_new[self.place_unit[places]],
            existing_unit=unit_new[self.existing_unit[existing]],
            group=self.group[communities] if len(self.group) else self.group,
            origin=origin,
        )
