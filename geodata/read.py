"""Reading a city: every table from its file, in the schema's columns, in one metric coordinate system."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from pyproj import CRS

from geodata import crs as systems
from geodata.city import City, Origin
from geodata.files import Raw, companions, find_table, read_rows, reference_cities, resolve, shown
from geodata.findings import Finding, InputError, did_you_mean, listed
from geodata.finish import empty, finish
from geodata.schema import TABLES, Table
from geodata.tables import Builder, Built, Spec, plain

__all__ = ["City", "read_city", "reference_cities"]


def read_city(
    path: str | Path,
    *,
    crs: str = "",
    metric_crs: str = "",
    layers: Mapping[str, Mapping[str, object]] | None = None,
    base: Path | None = None,
) -> City:
    """Read a city.

    `path` is a file (GeoPackage with all layers, or the communities in any format), a folder with a file for each
    table, or the name of a city that ships; relative paths count from `base`. `crs` is the coordinate system of layers
    that do not say theirs, `metric_crs` the system to plan in; `layers` holds the scenario's data.layers.

    What is wrong with single rows or tables is in `findings` of the city, all of it. Raises InputError, with
    everything found, where there is no city to speak of: nothing at `path`, or communities that cannot be read.
    """
    place = resolve(path, base)
    specs = {name: dict(spec) for name, spec in (layers or {}).items()}
    findings = [_unknown_table(name, place) for name in specs if name not in TABLES]
    raws: dict[str, Raw] = {}
    unread: set[str] = set()
    for name, table in TABLES.items():
        try:
            raw = _raw(place, table, specs.get(name, {}), base)
        except InputError as error:
            _add_once(findings, error.findings)
            unread.add(name)
            continue
        if raw is not None:
            raws[name] = raw
        elif table.required:
            findings.append(_no_table(place, table))
            unread.add(name)
    built: dict[str, Built] = {}
    for name, raw in raws.items():
        built[name] = Builder(raw, TABLES[name], _spec(specs.get(name, {}), crs)).build()
        findings += built[name].findings
        if built[name].frame is None:
            unread.add(name)
    if "communities" in unread:
        raise InputError(findings)
    target = _metric(built["communities"].frame, metric_crs, findings)
    return _assemble(place, built, raws, target, findings, unread)


def _add_once(findings: list[Finding], more: list[Finding]) -> None:
    """Add what was found; a file that cannot be read, or is not there, for one table after another is named once."""
    for finding in more:
        alike = [i for i, other in enumerate(findings) if replace(other, layer=finding.layer) == finding]
        if alike:
            findings[alike[0]] = replace(finding, layer="")
        else:
            findings.append(finding)


def _raw(place: Path, table: Table, spec: Mapping[str, object], base: Path | None) -> Raw | None:
    layer, encoding = str(spec.get("layer") or ""), str(spec.get("encoding") or "")
    if spec.get("path"):
        file = Path(str(spec["path"])).expanduser()
        if base is not None and not file.is_absolute():
            file = base / file
        found = find_table(file, table.name)
        return None if found is None else read_rows(found, table.name, layer, encoding)
    found = find_table(place, table.name)
    if found is None:
        return None
    own = place.is_dir() and found.stem.split(".")[0] == table.name
    return read_rows(found, table.name, layer, encoding, only=own or table.name == "communities")


def _spec(spec: Mapping[str, object], crs: str) -> Spec:
    values = spec.get("values")
    words = {str(k): plain(v) for k, v in values.items()} if isinstance(values, Mapping) else {}
    columns = spec.get("columns")
    names = {str(k): str(v) for k, v in columns.items()} if isinstance(columns, Mapping) else {}
    return Spec(names, words, str(spec.get("crs") or ""), crs)


def _unknown_table(name: str, place: Path) -> Finding:
    remedy = did_you_mean(name, TABLES) or f"tables are {listed(TABLES)}"
    message = f"the scenario names a table {name!r} in data.layers that there is not"
    return Finding("error", shown(place), message=message, remedy=remedy)


def _no_table(place: Path, table: Table) -> Finding:
    where = f"{table.name}.gpkg, .geojson, .zip, .parquet or .csv" if place.is_dir() else f"a layer {table.name}"
    if place.is_dir():
        there = listed(p.name for p in sorted(place.iterdir()))
        message = f"there is no file for {table.name}; the folder holds {there or 'nothing'}"
    else:
        message = f"there is no layer {table.name}"
    remedy = f"add {where}, or say where it is (data.layers.{table.name})"
    return Finding("error", shown(place), table.name, message=message, remedy=remedy)


def _metric(frame: pd.DataFrame | None, metric_crs: str, findings: list[Finding]) -> CRS:
    """The system to plan in; what is wrong with a declared one is added to the findings."""
    assert isinstance(frame, gpd.GeoDataFrame)
    if not frame.geometry.notna().any():
        raise InputError(findings)
    if not metric_crs:
        return systems.metric_crs_for(frame)
    at = {"column": "metric_crs", "value": metric_crs}
    try:
        crs = systems.parse_crs(metric_crs)
    except ValueError as error:
        findings.append(Finding("error", message=f"{error}", remedy="for example EPSG:32648", **at))  # type: ignore[arg-type]
        return systems.metric_crs_for(frame)
    if not systems.is_metric(crs):
        remedy = f"give a projected system, for example {systems.label(systems.metric_crs_for(frame))}"
        findings.append(Finding("error", message="is not projected in metres", remedy=remedy, **at))  # type: ignore[arg-type]
        return systems.metric_crs_for(frame)
    off = systems.distortion(crs, *systems.centre(frame))
    if off > 0.01:
        remedy = f"use {systems.label(systems.metric_crs_for(frame))}"
        message = f"stretches lengths here by {off:.0%}" if np.isfinite(off) else "does not cover this city"
        findings.append(Finding("warning", message=message, remedy=remedy, **at))  # type: ignore[arg-type]
    return crs


def _assemble(
    place: Path,
    built: dict[str, Built],
    raws: dict[str, Raw],
    target: CRS,
    findings: list[Finding],
    unread: set[str],
) -> City:
    frames: dict[str, pd.DataFrame] = {}
    origins: dict[str, Origin] = {}
    for name, table in TABLES.items():
        part = built.get(name)
        if part is None or part.frame is None:
            frames[name] = empty(table, target)
            continue
        frame = part.frame
        if isinstance(frame, gpd.GeoDataFrame):
            frame = frame.to_crs(target)
            _report_infinite(frame, name, raws[name], part, findings)
        frames[name], rows = finish(frame, table, part.rows)
        origins[name] = Origin(shown(raws[name].file), raws[name].layer, rows.astype(np.int64), part.columns)
    files = sorted({f for raw in raws.values() for f in companions(raw.file)})
    return City(
        **frames,
        metric_crs=systems.label(target),
        files=tuple(files),
        name=place.stem,
        findings=tuple(findings),
        origins=origins,
        unread=frozenset(unread),
    )


def _report_infinite(frame: gpd.GeoDataFrame, name: str, raw: Raw, part: Built, findings: list[Finding]) -> None:
    bad = ~np.isfinite(frame.geometry.bounds.to_numpy()).all(axis=1) & frame.geometry.notna().to_numpy()
    for position in np.flatnonzero(bad):
        findings.append(
            Finding(
                "error",
                shown(raw.file),
                name,
                int(part.rows[position]),
                message="its place cannot be projected to the city's metric system",
                remedy="check its coordinates",
            )
        )
        frame.loc[frame.index[position], "geometry"] = None
