"""Where things lie in the reference city: footprints of sub-districts and their partition into communities.

All coordinates are metres in UTM zone 48 north (EPSG:32648), on a grid of one metre, so that a border
between two communities is the same vertex for vertex on both sides.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from scipy.spatial import cKDTree

CRS = "EPSG:32648"
GRID_M = 1.0
SEED = 2006


@dataclass(frozen=True)
class Footprint:
    """An urban area: an ellipse with a wavy edge, clipped to its districts. Half axes in metres."""

    lon: float
    lat: float
    east_m: float
    north_m: float
    core_m: float  # distance over which the density of communities falls to 1/e


@dataclass(frozen=True)
class SubDistrict:
    """A sub-district office: its district, its centre and how many communities it has."""

    name: str
    name_zh: str
    district: str
    count: int
    lon: float
    lat: float
    footprint: str
    kind: str  # core, zone, inner, outer, fringe, town


FOOTPRINTS = {
    "main": Footprint(104.730, 31.457, 7600, 5600, 3200),
    "ring": Footprint(104.730, 31.457, 11500, 9000, 9000),
    "jiangyou": Footprint(104.745, 31.778, 5200, 6200, 2500),
    "santai": Footprint(105.088, 31.096, 3900, 4600, 2200),
    "anzhou": Footprint(104.567, 31.534, 4300, 4300, 2300),
    "zitong": Footprint(105.165, 31.640, 2900, 3600, 1700),
    "yanting": Footprint(105.389, 31.215, 2900, 3500, 1700),
    "beichuan": Footprint(104.450, 31.830, 2600, 3800, 1800),
    "pingwu": Footprint(104.530, 32.409, 4200, 2200, 1800),
}

SUB_DISTRICTS = (
    SubDistrict("Fucheng Old Town", "涪城老城", "Fucheng", 24, 104.750, 31.466, "main", "core"),
    SubDistrict("Fucheng West", "涪城西", "Fucheng", 23, 104.722, 31.460, "main", "inner"),
    SubDistrict("Gaoxin High-tech Zone", "高新区", "Fucheng", 21, 104.685, 31.474, "main", "zone"),
    SubDistrict("Fucheng South", "涪城南", "Fucheng", 20, 104.762, 31.430, "main", "outer"),
    SubDistrict("Youxian Centre", "游仙中心", "Youxian", 22, 104.762, 31.477, "main", "inner"),
    SubDistrict("Youxian East", "游仙东", "Youxian", 21, 104.788, 31.453, "main", "outer"),
    SubDistrict("Fucheng Fringe", "涪城城郊", "Fucheng", 20, 104.680, 31.420, "ring", "fringe"),
    SubDistrict("Youxian Fringe", "游仙城郊", "Youxian", 20, 104.820, 31.480, "ring", "fringe"),
    SubDistrict("Jiangyou Centre", "江油中心", "Jiangyou", 22, 104.745, 31.776, "jiangyou", "town"),
    SubDistrict("Jiangyou North", "江油北", "Jiangyou", 21, 104.740, 31.805, "jiangyou", "outer"),
    SubDistrict("Jiangyou South", "江油南", "Jiangyou", 20, 104.750, 31.746, "jiangyou", "outer"),
    SubDistrict("Santai North", "三台北", "Santai", 22, 105.085, 31.104, "santai", "town"),
    SubDistrict("Santai South", "三台南", "Santai", 20, 105.093, 31.080, "santai", "outer"),
    SubDistrict("Anzhou East", "安州东", "Anzhou", 20, 104.580, 31.530, "anzhou", "outer"),
    SubDistrict("Anzhou West", "安州西", "Anzhou", 20, 104.555, 31.538, "anzhou", "town"),
    SubDistrict("Zitong", "梓潼", "Zitong", 21, 105.165, 31.640, "zitong", "town"),
    SubDistrict("Yanting", "盐亭", "Yanting", 21, 105.389, 31.215, "yanting", "town"),
    SubDistrict("Beichuan", "北川", "Beichuan", 19, 104.450, 31.830, "beichuan", "town"),
    SubDistrict("Pingwu", "平武", "Pingwu", 19, 104.530, 32.409, "pingwu", "town"),
)

_TO_METRES = Transformer.from_crs("EPSG:4326", CRS, always_xy=True)


def rng(part: int) -> np.random.Generator:
    """Random numbers of one part of the builder, independent of the other parts."""
    return np.random.default_rng([SEED, part])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def metres(lon: float, lat: float) -> tuple[float, float]:
    """Project a WGS-84 position to whole metres."""
    x, y = _TO_METRES.transform(lon, lat)
    return float(np.rint(x)), float(np.rint(y))


def on_grid(geometry: shapely.Geometry) -> shapely.Geometry:
    """Put a geometry on the grid of one metre."""
    return shapely.set_precision(geometry, GRID_M)


def project(geometries: Sequence[shapely.Geometry]) -> list[shapely.Geometry]:
    """Project WGS-84 polygons to whole metres, vertex by vertex, so that shared borders stay shared."""

    def to_grid(points: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = _TO_METRES.transform(points[:, 0], points[:, 1])
        return np.column_stack([np.rint(x), np.rint(y)])

    return [shapely.normalize(shapely.transform(geometry, to_grid)) for geometry in geometries]


def _outline(name: str) -> shapely.Geometry:
    """Wavy ellipse of a footprint in metres."""
    footprint = FOOTPRINTS[name]
    x, y = metres(footprint.lon, footprint.lat)
    waves = rng(1000 + list(FOOTPRINTS).index(name)).random((3, 2))
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = 1 + sum(
        (0.03 + 0.04 * size) * np.sin((number + 2) * angle + 2 * np.pi * phase)
        for number, (size, phase) in enumerate(waves)
    )
    ring = np.column_stack(
        [x + footprint.east_m * radius * np.cos(angle), y + footprint.north_m * radius * np.sin(angle)]
    )
    return on_grid(shapely.Polygon(np.rint(ring)))


def _large_parts(geometry: shapely.Geometry, at_least_m2: float = 2e6) -> shapely.Geometry:
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon" and part.area >= at_least_m2]
    return shapely.union_all(parts, grid_size=GRID_M)


def _cells(points: Sequence[tuple[float, float]], area: shapely.Geometry) -> list[shapely.Geometry]:
    """Voronoi cells of the points, in their order, covering `area` and more."""
    cells = shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=area.buffer(1000), ordered=True)
    return list(shapely.get_parts(cells))


def footprints(districts: Mapping[str, shapely.Geometry]) -> dict[str, shapely.Geometry]:
    """Footprint of every sub-district: its part of an urban area within its district."""
    outlines = {name: _outline(name) for name in FOOTPRINTS}
    outlines["ring"] = shapely.difference(outlines["ring"], outlines["main"], grid_size=GRID_M)
    found = {}
    for name, outline in outlines.items():
        for district in dict.fromkeys(s.district for s in SUB_DISTRICTS if s.footprint == name):
            members = [s for s in SUB_DISTRICTS if s.footprint == name and s.district == district]
            area = _large_parts(shapely.intersection(outline, on_grid(districts[district]), grid_size=GRID_M))
            cells = _cells([metres(s.lon, s.lat) for s in members], area) if len(members) > 1 else [area]
            for sub, cell in zip(members, cells, strict=True):
                found[sub.name] = shapely.intersection(area, on_grid(cell), grid_size=GRID_M)
    return {sub.name: found[sub.name] for sub in SUB_DISTRICTS}


def seeds(
    sub: SubDistrict, area: shapely.Geometry, fixed: Sequence[tuple[float, float]], part: int
) -> NDArray[np.float64]:
    """Return `sub.count` community centres in `area`, the fixed ones first; dense where the core is near.

    They are the centres of a weighted k-means on random points, moved only where not fixed.
    """
    random = rng(part)
    west, south, east, north = area.bounds
    points = random.random((20_000, 2)) * [east - west, north - south] + [west, south]
    points = points[shapely.contains_xy(area, points[:, 0], points[:, 1])][:6000]
    town = FOOTPRINTS[sub.footprint]
    away = np.hypot(*(points - metres(town.lon, town.lat)).T)
    weight = np.exp(-away / town.core_m)
    picks = np.searchsorted(np.cumsum(weight) / weight.sum(), random.random(10 * sub.count))
    chosen = points[list(dict.fromkeys(picks.tolist()))[: sub.count - len(fixed)]]
    centres = np.vstack([np.array(fixed, dtype=float).reshape(-1, 2), chosen])
    for _ in range(12):
        nearest = cKDTree(centres).query(points)[1]
        for number in range(len(fixed), sub.count):
            mine = nearest == number
            if mine.any():
                centres[number] = np.average(points[mine], axis=0, weights=weight[mine])
    rounded: NDArray[np.float64] = np.rint(centres)
    return rounded


def _faces(lines: Iterable[shapely.Geometry]) -> list[shapely.Geometry]:
    noded = shapely.union_all(list(lines), grid_size=GRID_M)
    return list(shapely.get_parts(shapely.polygonize(list(shapely.get_parts(noded)))))


def partition(
    areas: Mapping[str, shapely.Geometry], centres: Mapping[str, NDArray[np.float64]]
) -> dict[str, list[shapely.Geometry]]:
    """Divide every sub-district among its centres; no gap and no overlap, within and between sub-districts."""
    lines = []
    for name, area in areas.items():
        cells = _cells([(x, y) for x, y in centres[name]], area)
        faces = _faces([shapely.boundary(area), *[shapely.boundary(cell) for cell in cells]])
        inside = shapely.contains(shapely.buffer(area, 2), faces)
        lines += [shapely.boundary(face) for face, keep in zip(faces, inside, strict=True) if keep]
    faces = _faces(lines)
    names = list(areas)
    owners: dict[str, dict[int, list[shapely.Geometry]]] = {name: defaultdict(list) for name in names}
    for face in faces:
        point = shapely.point_on_surface(face)
        away = shapely.distance([areas[name] for name in names], point)
        home = names[int(np.argmin(away))]  # exactly one, also for a sliver where two areas meet
        owners[home][int(cKDTree(centres[home]).query([point.x, point.y])[1])].append(face)
    return {name: _whole(owners[name], len(centres[name])) for name in names}


def _whole(owned: Mapping[int, list[shapely.Geometry]], count: int) -> list[shapely.Geometry]:
    """One polygon per community: detached pieces go to the neighbour with the longest common border."""
    kept: list[list[shapely.Geometry]] = []
    loose: list[shapely.Geometry] = []
    for number in range(count):
        pieces = sorted(owned[number], key=lambda piece: -piece.area)
        kept.append(pieces[:1])
        loose += pieces[1:]
    while loose:
        piece = loose.pop()
        borders = [max(shapely.intersection(piece, other).length for other in pieces) for pieces in kept]
        best = int(np.argmax(borders))
        if borders[best] > 0:
            kept[best].append(piece)
        elif not any(shapely.intersection(piece, other).length > 0 for other in loose):
            continue  # a piece apart from its whole sub-district belongs to no community
        else:
            loose.insert(0, piece)
    return [shapely.normalize(shapely.coverage_union_all(pieces)) for pieces in kept]
