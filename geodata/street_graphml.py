"""Streets read from GraphML: nodes with x and y, edges with length, oneway, class and geometry."""

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
from geodata.street_columns import Cells, StreetColumns
from geodata.street_network import Bools, Floats, Ints

_GEOMETRY = "geometry"


def lines_of_graphml(path: str | Path) -> gpd.GeoDataFrame:
    """Return the edges of a GraphML file, for instance one saved by OSMnx, as lines with columns of streets.

    Nodes need `x` and `y`, the graph an attribute `crs` (EPSG:4326 where it has none and x, y are degrees). Edges may
    have `length` (metres), `highway`, `maxspeed`, `bridge` and `geometry` (WKT). In a directed graph an edge is one
    direction; there and back are joined into one street, every other is one-way. Raises InputError with everything
    found.
    """
    file = Path(path)
    graph = _read(file)
    xy, found = _places(graph, shown(file))
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
    if cells.findings + trouble:
        raise InputError(cells.findings + trouble)
    placed = gpd.GeoSeries(lines, crs=_source(graph, xy, shown(file)))
    metric = placed.to_crs(build.metric_system(gpd.GeoDataFrame(geometry=placed), ""))
    metres = np.where(np.isfinite(read.length_m), read.length_m, metric.length.to_numpy())
    direction, keep = _paired(read, tail, head, metres, graph.is_directed())
    table = pd.DataFrame(
        {
            "street": read.names, "length_m": read.length_m, "one_way": direction, "class": read.street_class,
            "speed_kmh": read.speed_kmh, "bridge": read.bridge,
        }
    )  # fmt: skip
    return gpd.GeoDataFrame(table, geometry=placed.to_numpy(), crs=placed.crs)[keep].reset_index(drop=True)


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


def _paired(read: StreetColumns, tail: Ints, head: Ints, metres: Floats, directed: bool) -> tuple[Ints, Bools]:
    """Direction of every edge, and which are kept: edges there and back are one street, others are one-way.

    Without it a place beside a street would hang on one of its directions only.
    """
    direction = np.zeros(len(tail), dtype=np.int64)
    keep = np.ones(len(tail), dtype=bool)
    if not directed:
        return direction, keep
    direction[:] = 1
    waiting: dict[tuple[object, ...], list[int]] = {}
    for k, (a, b) in enumerate(zip(tail.tolist(), head.tolist(), strict=True)):
        facts = (read.street_class[k], str(read.speed_kmh[k]), bool(read.bridge[k]))
        back = min(waiting.get((b, a, *facts), []), key=lambda w: abs(metres[w] - metres[k]), default=-1)
        if back >= 0 and a != b and abs(metres[back] - metres[k]) <= max(1.0, 0.01 * metres[k]):
            waiting[b, a, *facts].remove(back)
            direction[back] = 0
            keep[k] = False
        else:
            waiting.setdefault((a, b, *facts), []).append(k)
    return direction, keep
