"""Words and figures that street files use: classes and their speeds, one-way, bridges; no library is needed here."""

import math
import re
from collections.abc import Mapping

MODES = ("walking", "driving")
WALKING_KMH = 4.8  # 80 m a minute; assumed, for people of all ages on flat ground
MOST_KMH = 200.0
# Assumed speeds in traffic by class of street, in km/h, 0 where nobody drives; OpenStreetMap's values of `highway`.
DRIVING_KMH: Mapping[str, float] = {
    "motorway": 90, "trunk": 60, "primary": 45, "secondary": 40, "tertiary": 35, "unclassified": 30, "residential": 25,
    "road": 25, "service": 15, "track": 15, "living_street": 10, "": 30,
    "footway": 0, "path": 0, "pedestrian": 0, "steps": 0, "cycleway": 0, "bridleway": 0, "corridor": 0,
}  # fmt: skip
NOT_WALKED = ("motorway",)
SNAP_LIMIT_M = 1000.0  # farther from every street: straight line x detour
DETOUR = 1.3  # ratio of streets to straight lines, a common figure for towns
# Our column, then the names that OpenStreetMap and tools on it give it.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "street": ("street", "osm_id", "osmid", "id"),
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


def speed_of(street_class: str, speeds_kmh: Mapping[str, float]) -> float | None:
    """Return the speed of a class in km/h; a link road has that of its street; None where the class is unknown."""
    return speeds_kmh.get(street_class, speeds_kmh.get(street_class.removesuffix("_link")))


def _words(value: object) -> list[str]:
    """Values of a cell that may be a list: `['primary', 'secondary']`, `40;50`."""
    return [word for word in re.split(r"[\[\],;'\"]+", str(value)) if word.strip()]


def first_word(text: str) -> str:
    """Return the first of the values of a cell that may be a list."""
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


def as_length(value: object) -> float:
    """Return a cell as metres, NaN where it is empty; ValueError where it is no length."""
    if value == "":
        return math.nan
    number = _number(value)
    if number < 0:
        raise ValueError("is negative")
    return number


def as_speed(value: object) -> float:
    """Return the lowest of the speeds in a cell in km/h, NaN where it is empty; ValueError where there is none."""
    if value == "":
        return math.nan
    found = []
    for word in _words(value):
        mph = word.strip().casefold().endswith("mph")
        found.append(_number(re.sub(r"(?i)\s*(mph|km/?h|kph)\s*$", "", word)) * (_MPH if mph else 1.0))
    if not found or not 0 < min(found) <= MOST_KMH:
        raise ValueError("is no speed of a street")
    return min(found)


def as_direction(value: object) -> float:
    """Return 1 for the direction of drawing only, -1 for the other, 0 for both; ValueError for another word."""
    word = re.sub(r"\.0$", "", str(value).strip().casefold())
    if word not in _ONE_WAY:
        raise ValueError("says no direction")
    return _ONE_WAY[word]


def as_bridge(value: object) -> float:
    """Return 1 for a bridge (or tunnel), 0 for none; ValueError for another word."""
    word = re.sub(r"\.0$", "", str(value).strip().casefold())
    if word not in _NO_BRIDGE | _BRIDGE:
        raise ValueError("says neither yes nor no")
    return float(word in _BRIDGE)
