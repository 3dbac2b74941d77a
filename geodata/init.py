"""Starting a city of one's own from a file of polygons with populations."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from geodata import crs as systems
from geodata import init_norms as norms
from geodata.check import check_city
from geodata.city import City, Origin
from geodata.files import Raw, read_rows, shown, typed
from geodata.findings import Finding, InputError, condensed, listed
from geodata.finish import empty, finish
from geodata.init_columns import Chosen, choose_columns
from geodata.init_readme import readme
from geodata.init_scenario import as_yaml, base_scenario, distance_factor, scenario, slug
from geodata.schema import COMMUNITIES, NEEDS, SITES, STREETS, TABLES
from geodata.tables import Builder, Spec
from geodata.text_files import wkt_column
from geodata.values import as_identifier

AROUND_M = 5000.0  # streets of a file farther from the communities than this are left out
_TAKEN_AS_THEY_ARE = ("households", *norms.SHARES, "own_income_yuan", "debt_yuan", "hardship", "main_city", "name_zh")


def init_city(
    directory: Path,
    boundaries: Path,
    *,
    columns: Mapping[str, str] | None = None,
    layer: str = "",
    crs: str = "",
    encoding: str = "",
    first_year: int | None = None,
    streets: Path | None = None,
    force: bool = False,
) -> list[str]:
    """Start a city: write city.gpkg, scenario.yaml, budget_cut.yaml and README.md; return lines to print.

    `boundaries` holds the polygons of the communities and their populations; `columns` says which of its columns are
    the community, population, name, district and sub_district (`#`: the row number as the community). Those not named
    are guessed by well-known names, and the lines say which were taken. `crs` is declared where the file does not say
    its coordinate system. `first_year` is the first year planned for (the next calendar year where None). `streets` is
    a file of street lines or GraphML; those within 5 km of the communities are taken. The files appear
    together or not at all. Raises InputError, with everything found: no such file, unclear columns, bad
    populations or geometries, a folder that is not empty (unless `force`, which replaces these four files and touches
    no other).
    """
    directory, boundaries = Path(directory), Path(boundaries)
    _refuse(directory, boundaries, force)
    raw = read_rows(boundaries, "communities", layer, encoding)
    if raw is None:
        names = [str(name) for name in pyogrio.list_layers(boundaries)[:, 0]]
        message, remedy = f"has several layers: {listed(names)}", "say which one it is (--layer NAME)"
        raise InputError([Finding("error", shown(boundaries), message=message, remedy=remedy)])
    chosen = choose_columns(raw.frame, columns or {}, shown(boundaries))
    base = base_scenario()
    communities, city, warnings = _communities(raw, chosen, crs, set(base["types"]))
    services = base["programmes"]["services"]
    table = norms.needs(communities, services)
    target = float(base["programmes"].get("space", {}).get("target_m2", 300.0))
    buildings = norms.sites(communities, table, services, target)
    city = _with(city, communities, buildings, table)
    if streets is not None:
        city, more = _with_streets(city, Path(streets))
        warnings += more
    found = check_city(city, types=list(base["types"]), services={k: v["siting"] for k, v in services.items()})
    _stop_at_errors(_of_what_is_given(found, raw) or found)
    year = datetime.now(tz=UTC).year + 1 if first_year is None else first_year
    title = directory.resolve().name.replace("_", " ").strip() or "My city"
    made = scenario(slug(directory.resolve().name), title[:1].upper() + title[1:], year, communities, table)
    texts = _texts(made, chosen, raw, communities, len(buildings), "" if streets is None else Path(streets).name)
    tables = {"communities": communities, "sites": buildings, "needs": table}
    if len(city.streets):
        tables["streets"] = city.streets
    _write(directory, tables, texts)
    return _lines(directory, boundaries, chosen, warnings + found, city, made)


def _refuse(directory: Path, boundaries: Path, force: bool) -> None:
    """Raise InputError where files would be lost."""
    if directory.exists() and not directory.is_dir():
        raise InputError([Finding("error", shown(directory), message="is a file", remedy="name a new folder")])
    if directory.is_dir() and any(directory.iterdir()) and not force:
        remedy = "name a new folder, or replace the files of an earlier start in it with --force"
        raise InputError([Finding("error", shown(directory), message="the folder is not empty", remedy=remedy)])
    if boundaries.resolve().parent == directory.resolve() and boundaries.name in ("city.gpkg", "README.md"):
        remedy = "name another folder"
        raise InputError(
            [Finding("error", shown(boundaries), message="would be replaced by the new city", remedy=remedy)]
        )


def _stop_at_errors(findings: list[Finding]) -> None:
    if any(finding.severity == "error" for finding in findings):
        raise InputError(findings)


def _of_what_is_given(found: list[Finding], raw: Raw) -> list[Finding]:
    """Return the errors of the communities themselves, without those of what is estimated from them."""
    estimated = {"households", *norms.SHARES} - {str(column) for column in raw.frame.columns}
    errors = [f for f in found if f.severity == "error"]
    return [f for f in errors if f.layer == "communities" and f.column not in estimated]


def _communities(raw: Raw, chosen: Chosen, crs: str, types: set[str]) -> tuple[gpd.GeoDataFrame, City, list[Finding]]:
    """Communities in a metric system with estimated groups, the city they make, and what was found on the way."""
    columns = dict(chosen.columns)
    present = {str(c) for c in raw.frame.columns}
    given = [c for c in _TAKEN_AS_THEY_ARE if c in present]
    strange = sorted({as_identifier(v) for v in raw.frame["type"]} - {*types, ""}) if "type" in present else []
    if "type" in present and not strange:
        given.append("type")
    taken = [c for c in {*columns.values(), *given} if c != "#"]
    shapes = "geometry" if "geometry" in present else wkt_column(raw.frame)
    frame = raw.frame[[*sorted(taken), *([] if shapes is None else [shapes])]]
    builder = Builder(
        Raw(frame, raw.file, raw.layer, False, raw.findings), COMMUNITIES, Spec(columns, crs=crs, declare="--crs")
    )
    _repair(builder)
    if strange:
        default = COMMUNITIES.column("type").default
        message = f"is no type of the scenario, so the column is left out: every community is {default}"
        builder.find(
            message, column="type", value=listed(strange, 5), limit=listed(sorted(types)), warning=True,
            remedy=f"write {listed(sorted(types))} in the file, and start again",
        )  # fmt: skip
    built = builder.build()
    _stop_at_errors(built.findings)
    assert isinstance(built.frame, gpd.GeoDataFrame)
    target = systems.metric_crs_for(built.frame)
    done, rows = finish(built.frame.to_crs(target), COMMUNITIES, built.rows)
    out = gpd.GeoDataFrame(done)
    if not (out["sub_district"] != out["district"]).any():
        out["sub_district"] = norms.sub_districts(out)
    out = norms.fill_groups(out, set(given))
    origin = Origin(shown(raw.file), raw.layer, rows.astype(np.int64), columns)
    frames: dict[str, Any] = {name: empty(table, target) for name, table in TABLES.items()} | {"communities": out}
    label = systems.label(target)
    return out, City(**frames, metric_crs=label, origins={"communities": origin}), list(built.findings)


def _repair(builder: Builder) -> None:
    """Make invalid polygons valid before they are read, and say so."""
    frame = builder.raw.frame
    if not isinstance(frame, gpd.GeoDataFrame):
        return
    shapes = frame.geometry.to_numpy().copy()
    there = ~shapely.is_missing(shapes)
    bad = np.flatnonzero(there & ~shapely.is_valid(shapes)).tolist()
    if not bad:
        return
    for position in bad:
        parts = [p for p in shapely.get_parts(shapely.make_valid(shapes[position])) if "Polygon" in p.geom_type]
        shapes[position] = shapely.union_all(parts) if parts else shapes[position]
    builder.raw.frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
    rows = listed([position + 1 for position in bad], 8)
    builder.find(f"invalid polygons were repaired, in rows {rows}", remedy="look at them on a map", warning=True)


def _with(city: City, communities: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, table: pd.DataFrame) -> City:
    """The city with its buildings and needs, every column of the schema filled in."""
    spec = Spec()
    frames: dict[str, Any] = {name: city.table(name) for name in TABLES} | {"communities": communities}
    for schema, frame in ((SITES, buildings), (NEEDS, table)):
        built = Builder(Raw(frame, Path("city.gpkg"), schema.name), schema, spec).build()
        assert built.frame is not None, built.findings
        frames[schema.name] = finish(built.frame, schema, built.rows)[0]
    return City(**frames, metric_crs=city.metric_crs, origins=city.origins)


def _with_streets(city: City, file: Path) -> tuple[City, list[Finding]]:
    """The city with the streets of a file that lie within 5 km of it, and what was found while they were read."""
    raw = read_rows(file, "streets")
    if raw is None:
        message, remedy = "has several layers", "give a file with the streets alone, or call their layer streets"
        raise InputError([Finding("error", shown(file), "streets", message=message, remedy=remedy)])
    built = Builder(raw, STREETS, Spec(declare="in the file itself")).build()
    _stop_at_errors(built.findings)
    assert isinstance(built.frame, gpd.GeoDataFrame)
    projected = built.frame.to_crs(city.communities.crs)
    west, south, east, north = city.communities.total_bounds
    here = projected.intersects(shapely.box(west - AROUND_M, south - AROUND_M, east + AROUND_M, north + AROUND_M))
    if not here.any():
        message, remedy = "no street is within 5 km of the communities", "give the streets of this city"
        raise InputError([Finding("error", shown(file), "streets", message=message, remedy=remedy)])
    kept = here.to_numpy(dtype=bool)
    frame, rows = finish(projected[kept].reset_index(drop=True), STREETS, built.rows[kept])
    origins = {**city.origins, "streets": Origin(shown(file), raw.layer, rows.astype(np.int64), built.columns)}
    return replace(city, streets=gpd.GeoDataFrame(frame), origins=origins), list(built.findings)


def _texts(
    made: Mapping[str, Any], chosen: Chosen, raw: Raw, communities: gpd.GeoDataFrame, buildings: int, streets: str
) -> dict[str, str]:
    """The text files of a city by name."""
    money = [name for name, rule in made["sources"].items() if rule is not None]
    public = [n for n in money if made["sources"][n].get("role", "city") in ("city", "district") and "finance" in n]
    cut = {
        "extends": "scenario.yaml",
        "name": f"{made['name']}_budget_cut",
        "title": "Budgets cut by a tenth",
        "sources": {name: {"scale": 0.9} for name in public or money},
    }
    return {
        "scenario.yaml": as_yaml(
            made,
            "A scenario to start from. It extends the base scenario that ships; only what differs is said here.",
            "null removes what the base scenario has. `allot schema` describes every key.",
        ),
        "budget_cut.yaml": as_yaml(cut, "The same plan with a tenth less public money, to compare with."),
        "README.md": readme(made, chosen, raw, communities, buildings, distance_factor(communities), streets),
    }


def _write(directory: Path, tables: Mapping[str, pd.DataFrame], texts: Mapping[str, str]) -> None:
    """Write all files into a folder beside the directory, then put them in place; nothing half-written stays."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        package = building / "city.gpkg"
        for name, frame in tables.items():
            if isinstance(frame, gpd.GeoDataFrame):
                frame.to_file(package, layer=name, driver="GPKG")
            else:
                pyogrio.write_dataframe(frame, package, layer=name, driver="GPKG", append=True)
        for name, text in texts.items():
            (building / name).write_text(text, encoding="utf-8", newline="\n")
        directory.mkdir(exist_ok=True)
        for file in sorted(building.iterdir()):
            file.replace(directory / file.name)
    except OSError as error:
        said = f"cannot be written ({error.strerror or error})"
        raise InputError(
            [Finding("error", shown(directory), message=said, remedy="free space or name another")]
        ) from None
    except pyogrio.errors.DataSourceError as error:
        raise InputError([Finding("error", shown(directory), message=f"cannot be written ({error})")]) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _lines(
    directory: Path, boundaries: Path, chosen: Chosen, found: list[Finding], city: City, made: Mapping[str, Any]
) -> list[str]:
    communities = city.communities
    count = _counted(len(communities), "community", "communities")
    districts, groups = communities["district"].nunique(), communities["sub_district"].nunique()
    people = communities["population"].sum()
    lines = [
        f"Polygons     {count} of {shown(boundaries)}, {people:,.0f} people",
        *chosen.said,
        f"Planned in   {city.metric_crs}",
        f"Groups       {_counted(districts, 'district')}, {_counted(groups, 'sub-district')}",
        f"Estimated    {len(city.sites):,} buildings, {len(city.needs):,} needs, groups of people (README.md says how)",
    ]
    if len(city.streets):
        lines.append(f"Streets      {len(city.streets):,} streets, {city.streets['length_m'].sum() / 1000:,.0f} km")
    factor = distance_factor(communities)
    if factor > 1:
        lines.append(
            f"Distances    the communities are large: limits of travel are {factor:.3g} times the base scenario's"
        )
    warnings = [f for f in found if f.severity == "warning"]
    lines += [f"Warning      {line}" for line in condensed(warnings)]
    where, file = shown(directory), typed(directory / "scenario.yaml")
    lines += [f"Written      {where}/city.gpkg, scenario.yaml ({made['title']}), budget_cut.yaml, README.md"]
    return [*lines, f"Next         allot check {file}", f"             allot run {file}"]
