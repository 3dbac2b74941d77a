"""Rows of a file turned into a table of the schema: columns matched, cells converted, geometries checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from geodata import crs as systems
from geodata.files import Raw, shown
from geodata.findings import Finding, did_you_mean, listed
from geodata.schema import Column, Table
from geodata.street_words import MOST_KMH
from geodata.text_files import add_geometry
from geodata.values import as_identifier, as_text, convert

_ALLOWED = {
    "polygon": ("Polygon", "MultiPolygon"),
    "point": ("Point", "MultiPoint", "Polygon", "MultiPolygon"),
    "line": ("LineString", "MultiLineString", "LinearRing"),
    "line or polygon": ("LineString", "MultiLineString", "LinearRing", "Polygon", "MultiPolygon"),
}
_PSEUDO = ("geometry", "x", "y")
_REMEDIES = {
    "number": "write digits only, with a point before decimals: 0.25, not 25% or 0,25",
    "integer": "write digits only", "boolean": "write true or false",
    "direction": "write yes, -1 or no", "class": "", "speed": f"give km/h above 0, at most {MOST_KMH:g}",
    "bridge": "write yes or no",
}  # fmt: skip


@dataclass
class Spec:
    """What the scenario says about a layer: columns and words renamed, coordinate system."""

    columns: dict[str, str] = field(default_factory=dict)
    words: dict[str, dict[str, str]] = field(default_factory=dict)
    crs: str = ""
    data_crs: str = ""
    declare: str = ""  # how people declare a coordinate system, where not in a scenario


@dataclass
class Built:
    """A table under construction: its rows by the schema's columns, their row numbers, what was found."""

    frame: pd.DataFrame | None
    rows: np.ndarray
    columns: dict[str, str]
    findings: list[Finding]


class Builder:
    """Turns the rows of one file into one table; every trouble becomes a finding."""

    def __init__(self, raw: Raw, table: Table, spec: Spec) -> None:
        self.raw, self.table, self.spec = raw, table, spec
        self.file = shown(raw.file)
        self.findings: list[Finding] = list(raw.findings)
        self.columns: dict[str, str] = {}

    def find(
        self,
        message: str,
        *,
        position: int | None = None,
        column: str = "",
        value: str = "",
        limit: str = "",
        remedy: str = "",
        warning: bool = False,
    ) -> None:
        """Note a finding about this table, or about the row at `position`."""
        row = None if position is None else position + 1
        feature = "" if position is None else self._feature(position)
        theirs = self.columns.get(column, column)
        name = column if theirs in (column, "#") else f"{theirs} ({column})"
        severity = "warning" if warning else "error"
        self.findings.append(
            Finding(
                "warning" if severity == "warning" else "error",
                self.file, self.table.name, row, feature, name, value, limit, remedy, message,
            )
        )  # fmt: skip

    def _feature(self, position: int) -> str:
        for name in ("name", *self.table.key):
            theirs = self.columns.get(name)
            if theirs and theirs != "#":
                text = as_text(self.raw.frame[theirs].iloc[position])
                if text:
                    return text[:60]
        return ""

    def build(self) -> Built:
        """Match, convert and check everything; `frame` is None where a required part is missing."""
        complete = self._match()
        rows = np.arange(1, len(self.raw.frame) + 1)
        if not len(self.raw.frame) and self.table.required:
            self.find("has no rows", remedy="give at least one row")
            complete = False
        geometry = self._geometry() if self.table.geometry != "none" else None
        if not complete or (self.table.geometry != "none" and geometry is None):
            return Built(None, rows, self.columns, self.findings)
        cells: dict[str, pd.Series] = {}
        for column in self.table.columns:
            cells[column.name] = self._cells(column)
        frame = pd.DataFrame(cells, index=range(len(rows)))
        if geometry is not None:
            frame = gpd.GeoDataFrame(frame, geometry=geometry)
        return Built(frame, rows, self.columns, self.findings)

    def _cells(self, column: Column) -> pd.Series:
        theirs = self.columns.get(column.name, "")
        n = len(self.raw.frame)
        if theirs == "#":
            return pd.Series([str(i + 1) for i in range(n)], dtype="str")
        series = pd.Series([None] * n, dtype=object) if not theirs else self.raw.frame[theirs].reset_index(drop=True)
        out, troubles = convert(series, column, self.spec.words.get(column.name, {}))
        for position, value, message in troubles:
            remedy = _REMEDIES[column.kind]
            self.find(message, position=position, column=column.name, value=value[:60], remedy=remedy)
        return out

    def _match(self) -> bool:
        """Find the file's name of every column; False where a required one is missing."""
        present = [str(c) for c in self.raw.frame.columns if c != "geometry"]
        self.raw.frame.columns = pd.Index([str(c) for c in self.raw.frame.columns])
        complete = True
        for ours, theirs in self.spec.columns.items():
            if ours not in self.table.names and ours not in _PSEUDO:
                remedy = did_you_mean(ours, self.table.names) or f"columns are {listed(self.table.names, 30)}"
                self.find(f"the scenario maps a column {ours!r} that this table does not have", remedy=remedy)
            elif theirs != "#" and theirs not in present and ours not in _PSEUDO:
                remedy = did_you_mean(theirs, present) or f"columns in the file are {listed(present, 30)}"
                self.find(f"the file has no column {theirs!r}, which the scenario maps to {ours}", remedy=remedy)
                complete = complete and not self.table.column(ours).required
        for ours in self.spec.words:
            if ours not in self.table.names:
                remedy = did_you_mean(ours, self.table.names)
                self.find(f"the scenario translates words of a column {ours!r} that is not there", remedy=remedy)
        for column in self.table.columns:
            theirs = self._name_in_file(column, present)
            if theirs:
                self.columns[column.name] = theirs
            elif column.default == "#" and column.name not in self.spec.columns:
                self.columns[column.name] = "#"
            elif column.required and column.name not in self.spec.columns:
                complete = False
                self._missing(column, present)
        self._near_misses(present)
        return complete

    def _name_in_file(self, column: Column, present: list[str]) -> str:
        asked = self.spec.columns.get(column.name)
        if asked is not None:
            return asked if asked == "#" or asked in present else ""
        if column.name in present:
            return column.name
        alike = [name for name in present if name.casefold().strip() == column.name]
        if not alike:
            alike = [name for name in column.also if name in present][:1]
        if not alike and self.raw.short_names and len(column.name) > 10:
            alike = [name for name in present if name.casefold() == column.name[:10]]
        return alike[0] if len(alike) == 1 else ""

    def _missing(self, column: Column, present: list[str]) -> None:
        unused = [name for name in present if name not in self.table.names]
        hint = did_you_mean(column.name, unused)
        remedy = f"say which column it is (data.layers.{self.table.name}.columns.{column.name})"
        if len(self.table.key) == 1 and column.name in self.table.key:
            remedy += ', "#" takes the row number'
        if hint:
            remedy = f"{hint} Then {remedy}"
        message = f"column {column.name} is missing; columns in the file are {listed(present, 30) or '(none)'}"
        self.find(message, remedy=remedy)

    def _near_misses(self, present: list[str]) -> None:
        """Warn of columns that look like a mistyped optional column, which would silently get its default."""
        used = set(self.columns.values())
        for column in self.table.columns:
            if column.name in self.columns or column.required:
                continue
            for name in present:
                close = _distance_at_most(name.casefold().strip(), column.name, 2 if len(column.name) > 5 else 1)
                if name not in used and close and name not in self.table.names:
                    message = f"column {name!r} is not used; {column.name} gets its default"
                    self.find(message, remedy=f"rename it to {column.name}, if it means that", warning=True)

    def _geometry(self) -> gpd.GeoSeries | None:
        """Geometries in their coordinate system, of the kind the table wants; None where there can be none."""
        frame = self.raw.frame
        if not isinstance(frame, gpd.GeoDataFrame):
            frame, troubles = add_geometry(frame, self.spec.columns)
            for position, value, message in troubles:
                self.find(message, position=position, column="geometry", value=value)
        if not isinstance(frame, gpd.GeoDataFrame):
            points = "columns lon and lat, or " if self.table.geometry == "point" else ""
            remedy = f"give a file with geometries, or {points}a column of WKT"
            self.find("has no geometry", remedy=remedy)
            return None
        frame = frame[["geometry"]].reset_index(drop=True)
        reported = {f.row for f in self.findings if f.column == "geometry"}
        shapes = shapely.force_2d(frame.geometry.to_numpy())
        for position in np.flatnonzero(shapely.is_missing(shapes)).tolist():
            if position + 1 not in reported:
                self.find("geometry is missing", position=position, remedy="draw it or remove the row")
        for position in np.flatnonzero(shapely.is_empty(shapes)).tolist():
            self.find("geometry is empty", position=position, remedy="draw it or remove the row")
        shapes[shapely.is_empty(shapes)] = None
        strange = ~np.isfinite(shapely.bounds(shapes)).all(axis=1) & ~shapely.is_missing(shapes)
        for position in np.flatnonzero(strange).tolist():
            self.find("geometry has coordinates that are no numbers", position=position, remedy="draw it again")
        shapes[strange] = None
        frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
        placed = self._placed(frame)
        if placed is None:
            return None
        return gpd.GeoSeries(self._of_kind(placed.geometry.to_numpy()), index=frame.index, crs=placed.crs)

    def _placed(self, frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame | None:
        """The frame with its coordinate system settled: declared for the layer, said by the file, declared for all."""
        file_crs = CRS.from_user_input(frame.crs) if frame.crs is not None else None
        declared = self.spec.crs
        if not declared and (file_crs is None or (systems.is_gcj02(self.spec.data_crs) and file_crs.is_geographic)):
            declared = self.spec.data_crs
        gcj = systems.is_gcj02(declared)
        if not declared and file_crs is None:
            how = self.spec.declare or f"in the scenario, data.crs or data.layers.{self.table.name}.crs"
            remedy = f"declare it ({how}), for example EPSG:4326"
            self.find("the file does not say its coordinate system (CRS)", remedy=remedy)
            return None
        if declared:
            try:
                crs = CRS.from_user_input(systems.WGS84) if gcj else systems.parse_crs(declared)
            except ValueError as error:
                self.find(f"crs: {error}", remedy="for example EPSG:4326, EPSG:32648, GCJ-02")
                return None
            frame = frame.set_crs(crs, allow_override=True)
        trouble = systems.coordinate_trouble(frame, gcj) if frame.geometry.notna().any() else None
        if trouble:
            value, message, remedy = trouble
            self.find(message, value=value, remedy=remedy)
            return None
        return systems.convert_gcj02(frame) if gcj else frame

    def _of_kind(self, shapes: np.ndarray) -> np.ndarray:
        """Geometries of the kind the table wants: points of footprints, merged lines; others are reported."""
        kind = self.table.geometry
        out = np.empty(len(shapes), dtype=object)
        for position, shape in enumerate(shapes):
            if shape is None:
                continue
            if shape.geom_type not in _ALLOWED[kind]:
                limit = listed(_ALLOWED[kind])
                self.find(f"geometry is a {shape.geom_type}", position=position, limit=limit, remedy=f"give {limit}")
            elif kind == "point":
                out[position] = shape if shape.geom_type == "Point" else shape.representative_point()
            elif kind == "line" and shape.geom_type == "MultiLineString":
                out[position] = shapely.line_merge(shape)
            elif kind == "line" and shape.geom_type == "LinearRing":
                out[position] = shapely.LineString(shape.coords)
            else:
                out[position] = shape
        return out


def _distance_at_most(a: str, b: str, most: int) -> bool:
    """Whether two words differ in at most `most` letters (changed, added, left out or exchanged with the next)."""
    if a == b or abs(len(a) - len(b)) > most or len(a) < 4:
        return False
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        previous, before, row = before, row, [i]
        for j, cb in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (ca != cb))
            if i > 1 and j > 1 and ca == b[j - 2] and a[i - 2] == cb:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
    return row[-1] <= most


def plain(mapping: object) -> dict[str, str]:
    """Return a mapping with identifiers trimmed, as the scenario gives it."""
    if not isinstance(mapping, Mapping):
        return {}
    return {re.sub(r"\s+", " ", as_identifier(k)): str(v) for k, v in mapping.items()}
