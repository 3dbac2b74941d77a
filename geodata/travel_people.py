"""Travel of people rather than of centroids: several weighted points a community, such as entrances or grid cells."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from geodata.city import City
from geodata.findings import Finding, InputError
from geodata.street_build import network_of_lines, no_streets
from geodata.street_network import Floats, Ints, Measure, StreetNetwork
from geodata.street_words import DETOUR, SNAP_LIMIT_M
from geodata.travel_cache import TravelCache
from geodata.travel_matrix import Travel, travel


@dataclass(frozen=True, eq=False)
class People:
    """Where people live: points `xy` (p, 2) in metres, the position of each one's community, and its persons (p,).

    `given` communities have points of their own; the others count at their office.
    """

    communities: tuple[str, ...]
    community: Ints
    persons: Floats
    xy: Floats
    given: int = 0

    @property
    def weights(self) -> csr_array:
        """Share of each point in the people of its community (c, p); equal shares where a community has nobody."""
        people = np.bincount(self.community, weights=self.persons, minlength=len(self.communities))
        points = np.bincount(self.community, minlength=len(self.communities))
        nobody = people[self.community] == 0
        whole = np.where(nobody, points[self.community], people[self.community])
        share = np.where(nobody, 1.0, self.persons) / whole
        some = share > 0  # a point without people must not make the mean infinite
        at = (self.community[some], np.flatnonzero(some))
        return csr_array((share[some], at), shape=(len(self.communities), len(self.persons)))


@dataclass(frozen=True, eq=False)
class PeopleTravel:
    """Travel of c communities to m destinations.

    `mean` (c, m) is the mean over people, in the measure; `inf` where somebody has no way. `share_within` (c, m) is the
    part of people, 0 to 1, within `limit` (inclusive). `points` is the travel of every point (p, m).
    """

    people: People
    limit: float
    mean: Floats
    share_within: Floats
    points: Travel

    def share_served(self, destinations: ArrayLike | None = None) -> Floats:
        """Return the part of people (c,) within the limit of one of the destinations (positions; None: all)."""
        amount = self.points.amount
        chosen = amount if destinations is None else amount[:, np.asarray(destinations, dtype=np.int64)]
        near = (chosen <= self.limit).any(axis=1)
        return np.asarray(self.people.weights @ near.astype(float), dtype=float)


def office_points(city: City) -> Floats:
    """Return the place of each community (n, 2): its office, else a point inside its polygon."""
    inside = city.communities.geometry.representative_point()
    xy = np.column_stack([inside.x.to_numpy(), inside.y.to_numpy()]).astype(float)
    position = {community: i for i, community in enumerate(city.communities["community"])}
    offices = city.sites[(city.sites["use"] == "office") & city.sites.geometry.notna()]
    for community, point in zip(offices["community"], offices.geometry, strict=True):
        if community in position and not point.is_empty:
            xy[position[community]] = point.x, point.y
    return xy


def city_people(city: City) -> People:
    """Return where the people of a city live: the points of its table `people`, else the office of each community."""
    names = tuple(city.communities["community"])
    position = {name: i for i, name in enumerate(names)}
    given = city.people[city.people["community"].isin(list(position)) & city.people.geometry.notna()]
    community = given["community"].map(position).to_numpy(dtype=np.int64)
    without = np.setdiff1d(np.arange(len(names)), community)
    xy = np.column_stack([given.geometry.x.to_numpy(), given.geometry.y.to_numpy()]).astype(float)
    persons = city.communities["population"].to_numpy(dtype=float)[without]
    return People(
        names,
        np.r_[community, without],
        np.nan_to_num(np.r_[given["persons"].to_numpy(dtype=float), persons]),
        np.vstack([xy, office_points(city)[without]]),
        len(names) - len(without),
    )


def city_network(city: City, mode: str, speeds_kmh: Mapping[str, float], walking_kmh: float) -> StreetNetwork:
    """Return the streets of a city as a network of a mode; one without a street where the city has none.

    Raises InputError where no street is open for the mode.
    """
    lines = city.streets.geometry
    streets = city.streets[~(lines.isna() | lines.is_empty)]
    barriers = city.barriers[~(city.barriers.geometry.isna() | city.barriers.geometry.is_empty)]
    if not len(streets):
        return no_streets(mode, walking_kmh, city.metric_crs, barriers.geometry.to_numpy())
    origin = city.origins.get("streets")
    file = origin.file if origin else ""
    return network_of_lines(
        streets, mode=mode, barriers=barriers, speeds_kmh=speeds_kmh, walking_kmh=walking_kmh, file=file
    )


def people_travel(
    network: StreetNetwork,
    people: People,
    destinations: ArrayLike,
    *,
    limit: float,
    measure: Measure = "metres",
    snap_limit_m: float = SNAP_LIMIT_M,
    detour: float | None = DETOUR,
    cache: TravelCache | None = None,
) -> PeopleTravel:
    """Return travel of the people of every community to destinations (m, 2), in metres of the network's system.

    `limit`, in the measure and inclusive, says who is near; the mean is over everybody, rounded as travel is. Where no
    community has several points, travel beyond the limit is not sought and is infinite. Else as `travel_matrix.travel`.
    """
    if not limit >= 0:
        said = "must be 0 or more"
        raise InputError([Finding("error", column="limit", value=str(limit), limit="0 or more", message=said)])
    search = travel if cache is None else cache.travel
    several = len(people.xy) > len(people.communities)
    found = search(
        network, people.xy, destinations, measure=measure, limit=np.inf if several else limit,
        snap_limit_m=snap_limit_m, detour=detour,
    )  # fmt: skip
    weights = people.weights
    mean = np.round(np.asarray(weights @ found.amount, dtype=float), 0 if measure == "metres" else 2)
    within = np.asarray(weights @ (found.amount <= limit).astype(float), dtype=float)
    return PeopleTravel(people, limit, mean, np.clip(within, 0.0, 1.0), found)
