"""Street networks built from lines: checked, projected to metres, cut at shared vertices and at barriers."""

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geodata import crs as systems
from geodata.findings import Finding, InputError, did_you_mean, listed
from geodata.street_columns import (
    Cells,
    StreetColumns,
)
from geodata.street_network import Bools, Floats, Ints, StreetNetwork, crossing
from geodata.street_words import DRIVING_KMH, MODES, MOST_KMH, NOT_WALKED, WALKING_KMH, speed_of

GRID_M = 0.01  # vertices in the same cell of this size are one
Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Pace:
    """How people travel: mode, speeds by class that add to DRIVING_KMH, and the speed of walking, in km/h."""

    mode: str
    speeds_kmh: Mapping[str, float]
    walking_kmh: float

    def kmh(self, read: StreetColumns) -> Floats:
        """Return the speed on every street; 0 where streets of its class are not travelled on in this mode."""
        if self.mode == "walking":
            closed = [c.removesuffix("_link") in NOT_WALKED for c in read.street_class]
            return np.where(closed, 0.0, self.walking_kmh)
        speeds = {**DRIVING_KMH, **self.speeds_kmh}
        known = [speed_of(c, speeds) for c in read.street_class]
        by_class = np.array([speeds[""] if v is None else v for v in known], dtype=float)
        return np.where(np.isfinite(read.speed_kmh) & (by_class > 0), read.speed_kmh, by_class)


@dataclass(frozen=True)
class Pieces:
    """Pieces of streets between junctions: junctions (n, 2), ends and lines (s,), street and share of it (s,)."""

    xy: Floats
    tail: Ints
    head: Ints
    lines: Shapes
    street: Ints
    share: Floats


def network_of_lines(
    streets: gpd.GeoDataFrame,
    *,
    mode: str = "walking",
    barriers: gpd.GeoDataFrame | None = None,
    speeds_kmh: Mapping[str, float] | None = None,
    walking_kmh: float = WALKING_KMH,
    columns: Mapping[str, str] | None = None,
    crs: str = "",
    file: str = "",
) -> StreetNetwork:
    """Return the network of street lines.

    `streets` has lines and, where known, columns `street`, `length_m`, `one_way`, `class`, `speed_kmh` and `bridge`
    (`columns` maps other names; OpenStreetMap's are known). Streets meet where lines share a vertex, to the centimetre;
    lines that only cross, as on a bridge, do not. `mode` is walking (both ways, at `walking_kmh`) or driving (one-way
    as said, at `speed_kmh` or the speed of the class in `speeds_kmh`, which adds to DRIVING_KMH; 0 closes it).
    Streets without `bridge` are closed where they cross one of `barriers` (lines or polygons). `crs` is the metric
    system to work in; that of the streets if it is metric, else the UTM zone. `file` is named in findings. Raises
    InputError with everything found.
    """
    found = check_settings(mode, walking_kmh, speeds_kmh or {})
    if not isinstance(streets, gpd.GeoDataFrame) or streets.active_geometry_name is None or streets.crs is None:
        found.append(
            Finding(
                "error", file, "streets", message="have no coordinate system (CRS)", remedy="give geometries with one"
            )
        )
        raise InputError(found)
    read = (cells := Cells(streets.drop(columns=streets.geometry.name), file, columns)).read()
    found += cells.findings + _shapes(streets.geometry.to_numpy(), file, "streets", ("LineString", "MultiLineString"))
    if not found and not len(streets):
        found.append(Finding("error", file, "streets", message="has no rows", remedy="give at least one street"))
    wall, trouble = check_barriers(barriers, file)
    if found + trouble:
        raise InputError(found + trouble)
    metric = metric_system(streets, crs)
    shapes, row = _single(streets.geometry.to_crs(metric).to_numpy())
    pace = Pace(mode, speeds_kmh or {}, walking_kmh)
    return finish_network(_cut(shapes, row), read, pace, metric, wall.to_crs(metric).to_numpy(), file)


def no_streets(mode: str, walking_kmh: float, crs: str, barriers: Shapes) -> StreetNetwork:
    """Return a network without a street: all travel on it is by straight line; `barriers` (b,) are in `crs`."""
    none, whole, flag = np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    shapes = np.empty(0, dtype=object)
    return StreetNetwork(
        mode, walking_kmh, crs, np.zeros((0, 2)), whole, whole, none, none, flag, flag, shapes, whole, (), (), barriers
    )


def finish_network(
    pieces: Pieces, read: StreetColumns, pace: Pace, metric: CRS, barriers: Shapes, file: str
) -> StreetNetwork:
    """Return the network of pieces: closed ones left out, lengths, minutes and directions filled in.

    `read` has a row for every street, `barriers` (b,) are in the metric system of the pieces.
    """
    street, mode = pieces.street, pace.mode
    kmh = pace.kmh(read)
    crossed = _crossed(pieces, barriers) & ~read.bridge[street]
    keep = (kmh[street] > 0) & ~crossed
    of_line = shapely.length(pieces.lines)
    given = read.length_m[street] * pieces.share
    length = np.where(np.isfinite(given), given, of_line)
    direction = read.direction[street] if mode == "driving" else np.zeros(len(street), dtype=np.int8)
    warned = [*_unknown(read, pace, file), *_short(pieces, read, length, file), *_cut_off(crossed, file)]
    if not keep.any():
        said = f"no street is open for {mode}"
        raise InputError([*warned, Finding("error", file, "streets", message=said, remedy="check class and barriers")])
    used, ends = np.unique(np.r_[pieces.tail[keep], pieces.head[keep]], return_inverse=True)
    ends = ends.reshape(-1).astype(np.int64)
    tail, head = np.split(ends, 2)
    return StreetNetwork(
        mode, pace.walking_kmh, systems.label(metric), pieces.xy[used], tail, head, length[keep],
        length[keep] / kmh[street][keep] * 0.06,
        (direction >= 0)[keep], (direction <= 0)[keep], pieces.lines[keep], street[keep], read.names,
        read.street_class, barriers, tuple(warned),
    )  # fmt: skip


def check_settings(mode: str, walking_kmh: float, speeds_kmh: Mapping[str, float]) -> list[Finding]:
    """Return an error for a way of travel or a speed (km/h) that cannot be."""
    found = []
    if mode not in MODES:
        remedy = did_you_mean(str(mode), MODES) or f"use one of {listed(MODES)}"
        found.append(Finding("error", column="mode", value=str(mode), message="is no way of travel", remedy=remedy))
    for name, kmh in {"walking_kmh": walking_kmh, **{f"speeds_kmh of {c!r}": v for c, v in speeds_kmh.items()}}.items():
        if not (0 < kmh <= MOST_KMH or (kmh == 0 and name != "walking_kmh")):
            limit = f"above 0, at most {MOST_KMH:g}"
            found.append(
                Finding(
                    "error", column=name, value=f"{kmh:g}", limit=limit, message=f"must be {limit}", remedy="give km/h"
                )
            )
    return found


def _shapes(shapes: Shapes, file: str, table: str, kinds: tuple[str, ...]) -> list[Finding]:
    """An error for every geometry that is missing, empty, not finite or of another kind."""
    found = []
    for row, shape in enumerate(shapes, 1):
        if shape is None or shape.is_empty:
            message, remedy = "geometry is missing", "draw it or remove the row"
        elif shape.geom_type not in kinds:
            message, remedy = f"geometry is a {shape.geom_type}", f"give {listed(kinds)}"
        elif not np.isfinite(shape.bounds).all():
            message, remedy = "geometry has coordinates that are no numbers", "draw it again"
        else:
            continue
        limit = listed(kinds)
        found.append(Finding("error", file, table, row, "", "geometry", "", limit, remedy, message))
    return found


def check_barriers(barriers: gpd.GeoDataFrame | None, file: str) -> tuple[gpd.GeoSeries, list[Finding]]:
    """Return the shapes of barriers, none where there are none, and an error for each that is no line or polygon."""
    nothing = gpd.GeoSeries([], crs=systems.WGS84)
    if barriers is None or not len(barriers):
        return nothing, []
    if barriers.crs is None:
        message, remedy = "have no coordinate system (CRS)", "give geometries with one"
        return nothing, [Finding("error", file, "barriers", message=message, remedy=remedy)]
    kinds = ("LineString", "MultiLineString", "Polygon", "MultiPolygon")
    return barriers.geometry, _shapes(barriers.geometry.to_numpy(), file, "barriers", kinds)


def metric_system(streets: gpd.GeoDataFrame, crs: str) -> CRS:
    """Return the metric system to work in: `crs` where given, else that of the streets, else their UTM zone."""
    try:
        target = systems.parse_crs(crs) if crs else CRS.from_user_input(streets.crs)
    except ValueError as error:
        raise InputError([Finding("error", column="crs", value=crs, message=f"{error}")]) from None
    if systems.is_metric(target):
        return target
    if crs:
        said = "is not projected in metres"
        raise InputError([Finding("error", column="crs", value=crs, message=said, remedy="for example EPSG:32648")])
    return systems.metric_crs_for(streets)


def _single(shapes: Shapes) -> tuple[Shapes, Ints]:
    """Single lines, and the row each is of."""
    lines, row = shapely.get_parts(shapely.force_2d(shapes), return_index=True)
    return lines, row.astype(np.int64)


def _cut(lines: Shapes, row: Ints) -> Pieces:
    """Lines cut at every vertex that another line, or the line itself, has as well."""
    coordinates, line = shapely.get_coordinates(lines, return_index=True)
    cells, cell, times = np.unique(np.rint(coordinates / GRID_M), axis=0, return_inverse=True, return_counts=True)
    cell = cell.reshape(-1)
    end = np.r_[True, line[1:] != line[:-1]] | np.r_[line[1:] != line[:-1], True]
    stop = np.flatnonzero(end | (times[cell] > 1))
    follows = line[stop[1:]] == line[stop[:-1]]
    start, until = stop[:-1][follows], stop[1:][follows]
    size = until - start + 1
    offset = np.repeat(np.r_[0, np.cumsum(size)[:-1]], size)
    take = np.repeat(start, size) + np.arange(int(size.sum())) - offset
    made = shapely.linestrings(coordinates[take], indices=np.repeat(np.arange(len(size)), size))
    length, street = shapely.length(made), row[line[start]]
    whole = np.bincount(street, weights=length, minlength=int(row.max()) + 1)[street]
    keep = (length > 0) & ((cell[start] != cell[until]) | (length > GRID_M))
    share = np.divide(length, whole, out=np.zeros_like(length), where=whole > 0)
    tail, head = cell[start].astype(np.int64), cell[until].astype(np.int64)
    return Pieces(cells * GRID_M, tail[keep], head[keep], made[keep], street[keep], share[keep])


def _crossed(pieces: Pieces, barriers: Shapes) -> Bools:
    """Whether each piece crosses a barrier, or ends on one that its street crosses there."""
    if not len(barriers) or not len(pieces.lines):
        return np.zeros(len(pieces.lines), dtype=bool)
    _, place = np.unique(pieces.street, return_inverse=True)
    whole = crossing(shapely.multilinestrings(pieces.lines, indices=place), barriers)[place]
    meets = np.zeros(len(pieces.lines), dtype=bool)
    meets[shapely.STRtree(barriers).query(pieces.lines, predicate="intersects")[0]] = True
    return crossing(pieces.lines, barriers) | (whole & meets)


def _unknown(read: StreetColumns, pace: Pace, file: str) -> list[Finding]:
    """A warning for the classes that have no speed."""
    if pace.mode != "driving":
        return []
    speeds = {**DRIVING_KMH, **pace.speeds_kmh}
    strange = sorted({c for c in read.street_class if speed_of(c, speeds) is None})
    if not strange:
        return []
    said, limit = f"classes without a speed are driven at {speeds['']:g} km/h", listed(filter(None, speeds), 20)
    return [Finding("warning", file, "streets", None, "", "class", listed(strange), limit, "give their speeds", said)]


def _short(pieces: Pieces, read: StreetColumns, length: Floats, file: str) -> list[Finding]:
    """A warning for given lengths that are well below those of the lines, as kilometres given for metres are."""
    of_line = shapely.length(pieces.lines)
    short: Bools = length < 0.9 * of_line - 1
    rows = np.unique(pieces.street[short])
    if not len(rows):
        return []
    said = f"is shorter than the line is, in {len(rows):,} streets (rows {listed((rows + 1).tolist(), 8)})"
    value = f"{read.length_m[rows[0]]:g}"
    return [Finding("warning", file, "streets", int(rows[0]) + 1, "", "length_m", value, "", "give metres", said)]


def _cut_off(crossed: Bools, file: str) -> list[Finding]:
    number = int(crossed.sum())
    if not number:
        return []
    some = "1 segment is closed where it crosses" if number == 1 else f"{number:,} segments are closed where they cross"
    said = f"{some} a barrier"
    return [Finding("warning", file, "streets", message=said, remedy="say bridge = yes where there is a bridge")]
