"""Street networks read from GraphML: nodes with x and y, edges with length, oneway, class and geometry."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from geodata import crs as systems
from geodata import street_build as build
from geodata.files import shown
from geodata.findings import Finding, InputError
from geodata.street_columns import WALKING_KMH, Cells, StreetColumns
from geodata.street_network import Floats, Ints, StreetNetwork

_GEOMETRY = "geometry"


def network_of_graphml(
    path: str | Path,
    *,
    mode: str = "walking",
    barriers: gpd.GeoDataFrame | None = None,
    speeds_kmh: Mapping[str, float] | None = None,
    walking_kmh: float = WALKING_KMH,
    crs: str = "",
) -> StreetNetwork:
    """Return the network of a GraphML file, for instance one saved by OSMnx.

    Nodes need `x` and `y`, the graph an attribute `crs` (EPSG:4326 where it has none and x, y are degrees). Edges may
    have `length` (metres), `highway`, `maxspeed`, `bridge` and `geometry` (WKT). In a directed graph an edge is one
    direction, and the same street back is an edge of its own; walkers use every edge both ways. Else as
    `street_build.network_of_lines`. Raises InputError with everything found.
    """
    file = Path(path)
    found = build.check_settings(mode, walking_kmh, speeds_kmh or {})
    graph = _read(file)
    xy, trouble = _places(graph, shown(file))
    found += trouble
    rows = [{**facts, "_tail": a, "_head": b} for a, b, facts in graph.edges(data=True)]
    if not rows:
        found.append(Finding("error", shown(file), "streets", message="has no edges", remedy="give a street network"))
    if found:
        raise InputError(found)
    frame = pd.DataFrame(rows)
    position = {node: i for i, node in enumerate(graph)}
    tail, head = (frame[name].map(position).to_numpy(dtype=np.int64) for name in ("_tail", "_head"))
    cells = Cells(frame.drop(columns=[_GEOMETRY], errors="ignore"), shown(file))
    read = cells.read()
    lines, trouble = _lines(frame, xy, tail, head, shown(file))
    wall, more = build.check_barriers(barriers, shown(file))
    if cells.findings + trouble + more:
        raise InputError(cells.findings + trouble + more)
    pieces, metric = _pieces(xy, tail, head, lines, _source(graph, xy, shown(file)), crs)
    pieces, read = _paired(pieces, read, graph.is_directed())
    pace = build.Pace(mode, speeds_kmh or {}, walking_kmh)
    return build.finish_network(pieces, read, pace, metric, wall.to_crs(metric).to_numpy(), shown(file))


def _pieces(xy: Floats, tail: Ints, head: Ints, lines: build.Shapes, source: CRS, crs: str) -> tuple[build.Pieces, CRS]:
    """Every edge as a piece of its own, in a metric system."""
    placed = gpd.GeoSeries(lines, crs=source)
    metric = build.metric_system(gpd.GeoDataFrame(geometry=placed), crs)
    points = gpd.GeoSeries(shapely.points(xy), crs=source).to_crs(metric)
    there = shapely.get_coordinates(points.to_numpy())
    lines = placed.to_crs(metric).to_numpy()
    return build.Pieces(there, tail, head, lines, np.arange(len(lines)), np.ones(len(lines))), metric


def _read(file: Path) -> Any:
    try:
        return nx.read_graphml(file)
    except OSError as error:
        said, remedy = f"cannot be opened ({error.strerror or error})", "give the path of a GraphML file"
    except Exception as error:  # the parser raises its own kinds; every one means that the file cannot be read
        said, remedy = f"is no readable GraphML ({str(error)[:150] or type(error).__name__})", "export it again"
    raise InputError([Finding("error", shown(file), "streets", message=said, remedy=remedy)])


def _places(graph: Any, file: str) -> tuple[Floats, list[Finding]]:
    """Coordinates (n, 2) of the nodes; an error for every node without."""
    found, xy = [], np.zeros((len(graph), 2))
    for i, (node, facts) in enumerate(graph.nodes(data=True)):
        for axis, name in enumerate("xy"):
            try:
                xy[i, axis] = float(facts.get(name, "nan"))
            except ValueError:
                xy[i, axis] = np.nan
            if not np.isfinite(xy[i, axis]):
                value = str(facts.get(name, ""))[:60]
                found.append(
                    Finding("error", file, "nodes", i + 1, str(node), name, value, "a number", "", "is no coordinate")
                )
    return xy, found


def _lines(frame: pd.DataFrame, xy: Floats, tail: Ints, head: Ints, file: str) -> tuple[build.Shapes, list[Finding]]:
    """The line of every edge: its geometry where it has one, else the straight line between its nodes."""
    lines = shapely.linestrings(np.stack([xy[tail], xy[head]], axis=1))
    if _GEOMETRY not in frame.columns:
        return lines, []
    found = []
    for row, text in enumerate(frame[_GEOMETRY]):
        if not isinstance(text, str) or not text.strip():
            continue
        shape = shapely.from_wkt(text, on_invalid="ignore")
        if shape is None or shape.geom_type != "LineString" or shape.is_empty or not np.isfinite(shape.bounds).all():
            limit, remedy = "LINESTRING", "give WKT of a line"
            found.append(
                Finding("error", file, "streets", row + 1, "", _GEOMETRY, text[:60], limit, remedy, "is no line")
            )
        else:
            lines[row] = shapely.force_2d(shape)
    return lines, found


def _source(graph: Any, xy: Floats, file: str) -> CRS:
    said = str(graph.graph.get("crs", "")).strip()
    degrees = bool((np.abs(xy) <= [180, 90]).all())
    if not said and degrees:
        return CRS.from_user_input(systems.WGS84)
    try:
        return systems.parse_crs(said)
    except ValueError:
        message, remedy = "the graph does not say its coordinate system", "give it the attribute crs, as EPSG:32648"
        raise InputError([Finding("error", file, "streets", None, "", "crs", said, "", remedy, message)]) from None


def _paired(pieces: build.Pieces, read: StreetColumns, directed: bool) -> tuple[build.Pieces, StreetColumns]:
    """Edges there and back joined into one street; the others of a directed graph are one-way.

    Without it a place beside a street would hang on one of its directions only.
    """
    direction = np.zeros(len(pieces.tail), dtype=np.int8)
    keep = np.ones(len(pieces.tail), dtype=bool)
    if directed:
        direction[:] = 1
        waiting: dict[tuple[object, ...], list[int]] = {}
        metres = np.where(np.isfinite(read.length_m), read.length_m, shapely.length(pieces.lines))
        for k, (a, b) in enumerate(zip(pieces.tail.tolist(), pieces.head.tolist(), strict=True)):
            facts = (read.street_class[k], str(read.speed_kmh[k]), bool(read.bridge[k]))
            back = min(waiting.get((b, a, *facts), []), key=lambda w: abs(metres[w] - metres[k]), default=-1)
            if back >= 0 and a != b and abs(metres[back] - metres[k]) <= max(1.0, 0.01 * metres[k]):
                waiting[b, a, *facts].remove(back)
                direction[back] = 0
                keep[k] = False
            else:
                waiting.setdefault((a, b, *facts), []).append(k)
    joined = StreetColumns(read.names, read.length_m, direction, read.street_class, read.speed_kmh, read.bridge)
    chosen = build.Pieces(
        pieces.xy, pieces.tail[keep], pieces.head[keep], pieces.lines[keep], pieces.street[keep], pieces.share[keep]
    )
    return chosen, joined
