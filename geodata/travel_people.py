"""Travel of people rather than of centroids: several weighted points a community, such as entrances or grid cells."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from geodata import crs as systems
from geodata.city import City
from geodata.findings import Finding, InputError, did_you_mean, listed
from geodata.street_network import Floats, Ints, Measure, StreetNetwork
from geodata.travel import office_points
from geodata.travel_cache import TravelCache
from geodata.travel_matrix import DETOUR, SNAP_LIMIT_M, Travel, travel
from geodata.values import as_identifier, is_missing


@dataclass(frozen=True, eq=False)
class People:
    """Where people live: points `xy` (p, 2) in metres, the position of each one's community, and its persons (p,).

    `findings` are warnings made on the way.
    """

    communities: tuple[str, ...]
    community: Ints
    persons: Floats
    xy: Floats
    findings: tuple[Finding, ...] = ()

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


def people_points(points: gpd.GeoDataFrame, crs: str, *, city: City | None = None, file: str = "") -> People:
    """Return the people at points with columns `community` and `persons`, projected to the metric system `crs`.

    With a `city`, communities must be among its own, and those without a point count at their office (or inside their
    polygon) with their population, which is a warning. Raises InputError with everything found: places, communities or
    persons that are missing or cannot be.
    """
    found = _columns(points, file)
    try:
        systems.parse_crs(crs)
    except ValueError as error:
        found.append(Finding("error", column="crs", value=crs, message=f"{error}", remedy="give that of the network"))
    if found:
        raise InputError(found)
    names = [as_identifier(v) for v in points["community"]]
    persons = pd.to_numeric(points["persons"], errors="coerce").to_numpy(dtype=float)
    found = _cells(points, names, persons, city, file)
    if found:
        raise InputError(found)
    placed = points.geometry.to_crs(crs)
    xy = np.column_stack([placed.x.to_numpy(), placed.y.to_numpy()]).astype(float)
    return _gathered(names, persons, xy, crs, city, file)


def _columns(points: gpd.GeoDataFrame, file: str) -> list[Finding]:
    present = list(map(str, points.columns))
    found = [
        Finding("error", file, "points", message=f"column {name} is missing", remedy=f"columns are {listed(present)}")
        for name in ("community", "persons")
        if name not in present
    ]
    if not isinstance(points, gpd.GeoDataFrame) or points.active_geometry_name is None or points.crs is None:
        said = "have no coordinate system (CRS)"
        found.append(Finding("error", file, "points", message=said, remedy="give geometries with one"))
    return found


def _cells(points: gpd.GeoDataFrame, names: list[str], persons: Floats, city: City | None, file: str) -> list[Finding]:
    """An error for every point whose community, persons or place is missing or cannot be."""
    found: list[Finding] = []

    def note(row: int, column: str, message: str, value: str, limit: str, remedy: str) -> None:
        found.append(Finding("error", file, "points", row + 1, names[row], column, value, limit, remedy, message))

    known = set(names) if city is None else set(city.communities["community"])
    for row, (name, raw, shape) in enumerate(zip(names, points["persons"], points.geometry, strict=True)):
        if not name:
            note(row, "community", "is missing", "", "a community", "say whose people live there")
        elif name not in known:
            note(
                row, "community", "there is no such community", name, "", did_you_mean(name, known) or "see communities"
            )
        if not (np.isfinite(persons[row]) and persons[row] >= 0):
            value = "" if is_missing(raw) else str(raw)[:60]
            note(row, "persons", "is no number of people", value, "0 or more", "give the people living there")
        if shape is None or shape.is_empty or shape.geom_type != "Point" or not np.isfinite(shape.bounds).all():
            note(row, "geometry", "is no point", "", "Point", "give a point")
    return found


def _gathered(names: list[str], persons: Floats, xy: Floats, crs: str, city: City | None, file: str) -> People:
    """People by community, in the order of the city or of the names; offices stand in where there is no point."""
    found = []
    communities = sorted(set(names)) if city is None else list(city.communities["community"])
    if city is not None:
        without = [i for i, name in enumerate(communities) if name not in set(names)]
        if without:
            offices = office_points(city)[without]
            moved = gpd.GeoSeries(gpd.points_from_xy(*offices.T), crs=city.metric_crs).to_crs(crs)
            xy = np.vstack([xy, np.column_stack([moved.x.to_numpy(), moved.y.to_numpy()])])
            persons = np.r_[persons, city.communities["population"].to_numpy(dtype=float)[without]]
            names = names + [communities[i] for i in without]
            said = f"communities without points count at their office: {listed((communities[i] for i in without), 5)}"
            found.append(Finding("warning", file, "points", message=said, remedy="add points where people live"))
    position = {name: i for i, name in enumerate(communities)}
    community = np.array([position[name] for name in names], dtype=np.int64)
    people = np.bincount(community, weights=persons, minlength=len(communities))
    nobody = [communities[i] for i in np.flatnonzero(people == 0).tolist()]
    if nobody:
        said = f"communities with nobody at any point: {listed(nobody, 5)}; their points count the same"
        found.append(Finding("warning", file, "points", column="persons", message=said, remedy="give persons"))
    return People(tuple(communities), community, persons, xy, tuple(found))


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

    `limit`, in the measure and inclusive, says who is near; the mean is over everybody. Else as `travel_matrix.travel`.
    """
    if not limit >= 0:
        said = "must be 0 or more"
        raise InputError([Finding("error", column="limit", value=str(limit), limit="0 or more", message=said)])
    search = travel if cache is None else cache.travel
    found = search(network, people.xy, destinations, measure=measure, snap_limit_m=snap_limit_m, detour=detour)
    weights = people.weights
    mean = np.asarray(weights @ found.amount, dtype=float)
    within = np.asarray(weights @ (found.amount <= limit).astype(float), dtype=float)
    return PeopleTravel(people, limit, mean, np.clip(within, 0.0, 1.0), found)
