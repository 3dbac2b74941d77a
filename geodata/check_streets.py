"""Checks of streets: lengths, parts that do not connect, one-way traps, people and buildings far from any."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from geodata.check_columns import feature
from geodata.check_ground import count
from geodata.city import City
from geodata.findings import Finding, InputError, listed
from geodata.street_network import Floats, StreetNetwork
from geodata.street_report import check_network
from geodata.street_words import DETOUR, DRIVING_KMH, SNAP_LIMIT_M, WALKING_KMH
from geodata.travel_matrix import snap
from geodata.travel_people import city_network, city_people


def check_streets(city: City, modes: Sequence[str] = ("walking",)) -> list[Finding]:
    """Return what is odd about the streets as a network of every mode; nothing where there are none."""
    if not city.streets.geometry.notna().any() or "streets" in city.unread:
        return []
    found = list(_lengths(city))
    for mode in modes:
        try:
            network = city_network(city, mode, DRIVING_KMH, WALKING_KMH)
        except InputError as error:
            found += [f for f in error.findings if f.severity == "error"]
            continue
        found += [f for f in network.findings if f.column != "length_m"]
        found += [f for f in check_network(replace(network, findings=())) if f.column == "one_way"]
        found += _reach(city, network)
    return list(dict.fromkeys(found))


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


def _reach(city: City, network: StreetNetwork) -> Iterable[Finding]:
    """Warnings about places too far from a street or on small parts, and about the parts."""
    people = city_people(city)
    names = city.communities["name"].to_numpy()[people.community]
    lonely: list[str] = []
    for table, what, xy, called in (
        ("communities", "communities", people.xy, names),
        ("sites", "buildings", _points(city.sites), city.sites["site"].to_numpy()),
        ("facilities", "facilities", _points(city.facilities), city.facilities["facility"].to_numpy()),
    ):
        there = np.isfinite(xy).all(axis=1)
        at = snap(network, xy[there])
        away = at.segment < 0
        if away.any():
            who = list(dict.fromkeys(called[there][away]))
            message = f"{what} farther than {SNAP_LIMIT_M:,.0f} m from any street: {len(who)} ({listed(who, 5)}); "
            message += f"travel there is the straight line x {DETOUR:g}"
            yield city.finding("warning", "streets", None, message, remedy="add the streets that lead there")
        if table == "communities":
            on = network.part[network.tail[at.segment[~away]]] != 0
            lonely = list(dict.fromkeys(called[there][~away][on]))
    parts = int(network.part.max(initial=0))
    if parts:
        which = f", communities on them: {len(lonely)} ({listed(lonely, 5)})" if lonely else ""
        way = "" if network.mode == "walking" else f" for {network.mode}"
        message = f"{count(parts, 'part')} not connected with the rest{way}{which}; "
        message += f"travel between parts is the straight line x {DETOUR:g}"
        yield city.finding("warning", "streets", None, message, remedy="let lines that meet share a vertex")


def _points(frame: gpd.GeoDataFrame) -> Floats:
    return np.column_stack([frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy()]).astype(float)


def _straight(streets: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Distance between the ends of each line, 0 where there is none."""
    lines = streets.geometry.to_numpy()
    out = np.zeros(len(lines))
    there = ~shapely.is_missing(lines)
    out[there] = shapely.distance(shapely.get_point(lines[there], 0), shapely.get_point(lines[there], -1))
    return out
