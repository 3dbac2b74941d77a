"""Columns of a street file turned into numbers: length, one-way, class, speed, bridge; bad cells are reported."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geodata.findings import Finding, did_you_mean, listed
from geodata.values import is_missing

Floats = NDArray[np.float64]
MODES = ("walking", "driving")
WALKING_KMH = 4.8  # 80 m a minute; assumed, for people of all ages on flat ground
MOST_KMH = 200.0
# Assumed speeds in traffic by class of street, in km/h; classes are OpenStreetMap's values of `highway`.
DRIVING_KMH: Mapping[str, float] = {
    "motorway": 90, "trunk": 60, "primary": 45, "secondary": 40, "tertiary": 35, "unclassified": 30, "residential": 25,
    "road": 25, "service": 15, "track": 15, "living_street": 10, "": 30,
}  # fmt: skip
NOT_WALKED = ("motorway",)
NOT_DRIVEN = ("footway", "path", "pedestrian", "steps", "cycleway", "bridleway", "corridor")
# Our column, then the names that OpenStreetMap and tools on it give it.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "street": ("street", "id", "osm_id", "osmid"),
    "length_m": ("length_m", "length"),
    "one_way": ("one_way", "oneway"),
    "class": ("class", "highway", "fclass"),
    "speed_kmh": ("speed_kmh", "maxspeed"),
    "bridge": ("bridge",),
}
_ONE_WAY = {
    "": 0, "no": 0, "false": 0, "0": 0, "b": 0, "both": 0, "否": 0, "reversible": 0,
    "yes": 1, "true": 1, "1": 1, "f": 1, "forward": 1, "是": 1,
    "-1": -1, "t": -1, "backward": -1, "reverse": -1,
}  # fmt: skip
_NO_BRIDGE = {"", "no", "false", "0", "f", "否"}
_BRIDGE = {"yes", "true", "1", "t", "是", "viaduct", "movable", "aqueduct", "cantilever", "covered", "boardwalk"}
_MPH = 1.609344


@dataclass(frozen=True)
class StreetColumns:
    """What a file says of each street: all arrays have one entry a row; NaN where a number is not given.

    `direction` is 1 where only the direction of drawing is allowed, -1 where only the other, 0 where both are.
    """

    names: tuple[str, ...]
    length_m: Floats
    direction: NDArray[np.int8]
    street_class: tuple[str, ...]
    speed_kmh: Floats
    bridge: NDArray[np.bool_]


class Cells:
    """Reads the columns of one table and gathers what is wrong with their cells."""

    def __init__(self, frame: pd.DataFrame, file: str, columns: Mapping[str, str] | None = None) -> None:
        self.frame, self.file = frame, file
        self.findings: list[Finding] = []
        self.given: dict[str, str] = {}
        present = [str(name) for name in frame.columns]
        for ours, theirs in (columns or {}).items():
            if ours not in ALIASES:
                self.note(None, "", f"streets have no column {ours!r}", remedy=did_you_mean(ours, ALIASES))
            elif theirs not in present:
                remedy = did_you_mean(theirs, present) or f"columns in the file are {listed(present, 20)}"
                self.note(None, "", f"the file has no column {theirs!r} for {ours}", remedy=remedy)
        for ours, names in ALIASES.items():
            asked = (columns or {}).get(ours)
            found = [asked] if asked in present else [n for n in names if n in present] if asked is None else []
            if found:
                self.given[ours] = str(found[0])

    def note(
        self, row: int | None, column: str, message: str, *, value: object = "", limit: str = "", remedy: str = ""
    ) -> None:
        """Gather an error about a data row (from 0; None: about the table)."""
        place = None if row is None else row + 1
        name = self.given.get(column, column)
        self.findings.append(
            Finding("error", self.file, "streets", place, "", name, str(value)[:60], limit, remedy, message)
        )

    def read(self) -> StreetColumns:
        """Return all columns; bad cells are as if empty and are in `findings`."""
        n = len(self.frame)
        names = self._texts("street")
        return StreetColumns(
            tuple(name or str(row + 1) for row, name in enumerate(names)),
            self._each("length_m", _length, "0 or more metres", "give metres, or leave it empty"),
            self._each(
                "one_way", _direction, "yes, no or -1", "yes: in the direction of drawing; -1: against it"
            ).astype(np.int8),
            tuple(_first(text).casefold() for text in self._texts("class")) if n else (),
            self._each("speed_kmh", _speed, f"above 0, at most {MOST_KMH:g} km/h", "give km/h, or leave it empty"),
            self._each("bridge", _bridge, "yes or no", "yes: crosses barriers").astype(bool),
        )

    def _texts(self, column: str) -> list[str]:
        if column not in self.given:
            return [""] * len(self.frame)
        return ["" if is_missing(v) else str(v).strip() for v in self.frame[self.given[column]]]

    def _each(self, column: str, turn: Callable[[object], float], limit: str, remedy: str) -> Floats:
        """Every cell turned into a number; those that cannot be are reported and count as empty."""
        empty = turn("")
        out = np.full(len(self.frame), empty)
        if column not in self.given:
            return out
        for row, value in enumerate(self.frame[self.given[column]]):
            try:
                out[row] = turn("" if is_missing(value) else value)
            except ValueError as error:
                self.note(row, column, str(error), value=value, limit=limit, remedy=remedy)
        return out


def speed_of(street_class: str, speeds_kmh: Mapping[str, float]) -> float | None:
    """Return the speed of a class in km/h; a link road has that of its street; None where the class is unknown."""
    return speeds_kmh.get(street_class, speeds_kmh.get(street_class.removesuffix("_link")))


def _words(value: object) -> list[str]:
    """Values of a cell that may be a list: `['primary', 'secondary']`, `40;50`."""
    return [word for word in re.split(r"[\[\],;'\"]+", str(value)) if word.strip()]


def _first(text: str) -> str:
    words = _words(text)
    return words[0].strip() if words else ""


def _number(value: object) -> float:
    try:
        number = float(str(value).strip())
    except ValueError:
        raise ValueError("is not a number") from None
    if not math.isfinite(number):
        raise ValueError("is not a finite number")
    return number


def _length(value: object) -> float:
    if value == "":
        return math.nan
    number = _number(value)
    if number < 0:
        raise ValueError("is negative")
    return number


def _speed(value: object) -> float:
    """The lowest of the speeds in a cell, in km/h."""
    if value == "":
        return math.nan
    found = []
    for word in _words(value):
        mph = word.strip().casefold().endswith("mph")
        found.append(_number(re.sub(r"(?i)\s*(mph|km/?h|kph)\s*$", "", word)) * (_MPH if mph else 1.0))
    if not found or not 0 < min(found) <= MOST_KMH:
        raise ValueError("is no speed of a street")
    return min(found)


def _direction(value: object) -> float:
    word = re.sub(r"\.0$", "", str(value).strip().casefold())
    if word not in _ONE_WAY:
        raise ValueError("says no direction")
    return _ONE_WAY[word]


def _bridge(value: object) -> float:
    word = re.sub(r"\.0$", "", str(value).strip().casefold())
    if word not in _NO_BRIDGE | _BRIDGE:
        raise ValueError("says neither yes nor no")
    return float(word in _BRIDGE)
