"""Checks of streets: lengths, parts that do not connect, communities far from any."""

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geodata.check_columns import feature
from geodata.check_ground import count
from geodata.city import City
from geodata.findings import Finding, listed
from geodata.travel import ACCESS_LIMIT_M, Network, office_points, street_network


def check_streets(city: City) -> list[Finding]:
    """Return what is odd about the streets; nothing where there are none."""
    network = street_network(city.streets) if len(city.streets) else None
    if network is None:
        return []
    return [*_lengths(city), *_reach(city, network)]


def _lengths(city: City) -> Iterable[Finding]:
    given, straight = city.streets["length_m"].to_numpy(dtype=float), _straight(city.streets)
    short = np.flatnonzero(given < 0.99 * straight - 1)
    if len(short):
        p = int(short[0])
        yield city.finding(
            "warning",
            "streets",
            p,
            f"is shorter than the straight line between its ends ({straight[p]:.0f}); "
            f"so in {count(len(short), 'segment')}",
            feature=feature(city, "streets", p),
            column="length_m",
            value=f"{given[p]:.0f}",
            limit=f"{straight[p]:.0f} or more",
            remedy="give metres, or leave it empty for the length of the line",
        )


def _reach(city: City, network: Network) -> Iterable[Finding]:
    places = office_points(city)
    there = np.isfinite(places).all(axis=1)
    names = city.communities["name"].to_numpy()[there]
    if not len(names):
        return
    sizes = np.bincount(network.part)
    distance, node = cKDTree(network.xy).query(places[there])
    away = np.asarray(distance) > ACCESS_LIMIT_M
    apart = ~away & (network.part[node] != int(np.argmax(sizes)))
    if away.any():
        message = f"communities farther than {ACCESS_LIMIT_M:,.0f} m from any street: {int(away.sum())} "
        message += f"({listed(names[away], 5)}); travel there is the straight line x 1.3"
        yield city.finding("warning", "streets", None, message, remedy="add the streets that lead there")
    if len(sizes) > 1:
        which = f", communities on them: {int(apart.sum())} ({listed(names[apart], 5)})" if apart.any() else ""
        message = f"{count(len(sizes) - 1, 'part')} not connected with the rest{which}; "
        message += "travel between parts is the straight line x 1.3"
        yield city.finding("warning", "streets", None, message, remedy="let lines that meet share an end point")


def _straight(streets: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Distance between the ends of each line, 0 where there is none."""
    lines = streets.geometry.to_numpy()
    out = np.zeros(len(lines))
    there = ~shapely.is_missing(lines)
    out[there] = shapely.distance(shapely.get_point(lines[there], 0), shapely.get_point(lines[there], -1))
    return out
