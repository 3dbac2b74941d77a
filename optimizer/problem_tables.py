"""The tables of a problem: rooms, halls, places, what exists, who reaches what, and what hangs on what.

Every table is column-wise. Positions refer to other tables; -1 is none. Years are indices.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

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


@dataclass(frozen=True)
class Rooms(Located):
    """Extensions and station buildings that could be taken, equations (5), (7), (11).

    `min_area_m2` is the least that can be taken, all of it where the site must be; `smallest_m2` the smallest sensible
    size of such a site. `fixed_yuan` is all that is paid once whatever the size: land too, and less what `gives_m2`,
    floor of the own office given up, is worth.
    """

    site: tuple[str, ...]
    community: Ints
    instrument: tuple[str, ...]
    is_station: Bools
    area_m2: Floats
    min_area_m2: Floats
    smallest_m2: Floats
    gives_m2: Floats
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

    `room` is the building, else -1; `upgrades` the existing station, else -1; `most` the largest new capacity;
    `centre`: it would be a centre (13), else a station.
    """

    site: tuple[str, ...]
    community: Ints
    service: Ints
    room: Ints
    upgrades: Ints
    most: Floats
    centre: Bools

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
class Units(Located):
    """Outlets, stations and centres of services with levels that stand or may stand at a site, equation (13).

    A unit is all that a service has or may get at one site on one level: what exists, and places. It must hang on
    something of the level above where `must`.
    """

    site: tuple[str, ...]
    community: Ints
    service: Ints
    level: tuple[str, ...]
    must: Bools


@dataclass(frozen=True)
class Hangs(Located):
    """Pairs of units: a lower one and one of the level above that it could hang on, `travel_m` away, equation (13).

    `community` is that of the lower unit.
    """

    community: Ints
    lower: Ints
    upper: Ints
    travel_m: Floats
