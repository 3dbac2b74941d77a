"""Tables in text files (CSV), and geometries made from their columns."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

from geodata import encoding as enc
from geodata.findings import Finding, InputError, listed
from geodata.values import as_number, as_text

_LON = ("lon", "lng", "long", "longitude", "x", "经度")
_LAT = ("lat", "latitude", "y", "纬度")
_WKT = ("geometry", "wkt", "geom", "the_geom")


def read_text(file: Path, name: str, table: str, encoding: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Return the rows of a CSV file as texts, and what was found; `name` is what people are shown of the file.

    Separators are commas, semicolons or tabs, whichever the header has most of; blank lines are no rows. Raises
    InputError where there is no header or a column occurs twice, and what `encoding.decode` raises.
    """
    text, recognised = enc.decode(file.read_bytes(), encoding)
    rows, separator = _rows(text)
    if not rows:
        raise InputError([Finding("error", name, table, message="is empty", remedy="give a header and rows")])
    header = [cell.strip() for cell in rows[0]]
    doubled = sorted({cell for cell in header if cell and header.count(cell) > 1})
    if doubled:
        message = f"columns occur twice: {listed(doubled)}"
        raise InputError([Finding("error", name, table, message=message, remedy="rename one")])
    findings = []
    width, body = len(header), []
    for number, row in enumerate(rows[1:], start=1):
        if any(cell.strip() for cell in row[width:]):
            findings.append(_too_wide(name, table, number, len(row), width, separator))
        body.append((row + [""] * width)[:width])
    if recognised:
        remedy = f"declare it in the scenario (data.layers.{table}.encoding: GBK) or save the file as UTF-8"
        message = f"text is not in UTF-8 and was read as {recognised}"
        findings.append(Finding("warning", name, table, message=message, remedy=remedy))
    return pd.DataFrame(body, columns=header, dtype="str"), findings


def _rows(text: str) -> tuple[list[list[str]], str]:
    """Rows of cells that are not blank, and the separator."""
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    limit = csv.field_size_limit(1 << 30)
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(row)], separator
    finally:
        csv.field_size_limit(limit)


def _too_wide(name: str, table: str, number: int, cells: int, width: int, separator: str) -> Finding:
    return Finding(
        "error",
        name,
        table,
        number,
        value=f"{cells} cells",
        limit=f"{width} cells",
        message=f"the header has {width} columns",
        remedy=f"quote cells that contain {separator!r}",
    )


def wkt_column(frame: pd.DataFrame) -> str | None:
    """Return the column of a plain table whose name says that it holds geometries as WKT; None where there is none."""
    return _usual(frame, _WKT)


def _usual(frame: pd.DataFrame, usual: tuple[str, ...]) -> str | None:
    """Return the first column of one of the usual names, in capitals or not."""
    by_folded = {str(name).casefold(): str(name) for name in frame.columns}
    return next((by_folded[name] for name in usual if name in by_folded), None)


def add_geometry(frame: pd.DataFrame, columns: Mapping[str, str]) -> tuple[pd.DataFrame, list[tuple[int, str, str]]]:
    """Return a plain table with geometries made from WKT or from x and y columns, and (row position, cell, message).

    `columns` may say which columns they are (`geometry`, `x`, `y`). A table without such columns is returned as it is.
    """

    def pick(asked: str, usual: tuple[str, ...]) -> str | None:
        if asked in columns:
            return columns[asked] if columns[asked] in frame.columns else None
        return _usual(frame, usual)

    troubles: list[tuple[int, str, str]] = []
    wkt, x, y = pick("geometry", _WKT), pick("x", _LON), pick("y", _LAT)
    if wkt is not None:
        texts = [as_text(v) for v in frame[wkt]]
        shapes = [shapely.from_wkt(t, on_invalid="ignore") if t else None for t in texts]
        troubles = [(i, t[:60], "is no geometry (WKT)") for i, t in enumerate(texts) if t and shapes[i] is None]
        rest = frame.drop(columns=[wkt])
        return gpd.GeoDataFrame(rest, geometry=gpd.GeoSeries(shapes, index=frame.index)), troubles
    if x is None or y is None:
        return frame, troubles
    points: list[shapely.Point | None] = []
    for i, (a, b) in enumerate(zip(frame[x], frame[y], strict=True)):
        try:
            px, py = as_number(a), as_number(b)
            points.append(shapely.Point(px, py) if px == px and py == py else None)
        except ValueError:
            troubles.append((i, f"{as_text(a)}, {as_text(b)}", "are no coordinates"))
            points.append(None)
    return gpd.GeoDataFrame(frame.copy(), geometry=gpd.GeoSeries(points, index=frame.index)), troubles
