"""Tables of clients, sites and costs turned into the arrays of the siting models; mistakes found by name.

Straight-line distances between points in metres, unless a table of costs is given (columns client, site, cost; a pair
that is not in it is forbidden).
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from optimizer.siting.errors import Finding, SitingInputError, listed
from optimizer.siting.result import Floats, Ints, Result

if TYPE_CHECKING:
    import geopandas as gpd

_TEXT = {".csv", ".txt", ".tsv"}
_YES_NO = {"true": "1", "yes": "1", "false": "0", "no": "0"}
_DEGREES = {"lon", "lat", "long", "longitude", "latitude"}


@dataclass(frozen=True, eq=False)
class SitingData:
    """Sound arrays with the names of their rows and columns; columns that a table does not have are None."""

    cost: Floats  #: (n, m)
    clients: tuple[str, ...]
    sites: tuple[str, ...]
    weights: Floats | None = None
    demand: Floats | None = None
    capacity: Floats | None = None
    fixed_cost: Floats | None = None
    existing: Ints | None = None


@dataclass(frozen=True)
class Columns:
    """Names of the columns with numbers. One that is named must be there; else the usual one is taken if it is."""

    weight: str | None = None
    demand: str | None = None
    capacity: str | None = None
    fixed_cost: str | None = None
    existing: str | None = None


def read(path: str | Path) -> pd.DataFrame:
    """Read a table: CSV (UTF-8), GeoPackage, GeoJSON, Shapefile or Parquet. Raises ``SitingInputError``."""
    file = Path(path)
    if not file.is_file():
        raise SitingInputError([Finding("no_file", "there is no such file", where=str(file))])
    try:
        return _read(file)
    except UnicodeDecodeError as error:
        what, remedy = f"byte {error.start + 1:,} is not UTF-8", "save it as CSV UTF-8"
        raise SitingInputError([Finding("unreadable", what, where=str(file), remedy=remedy)]) from None
    except (ValueError, OSError, RuntimeError, LookupError, TypeError, csv.Error) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SitingInputError([Finding("unreadable", f"cannot be read: {first}", where=str(file))]) from None


def _read(file: Path) -> pd.DataFrame:
    if file.suffix.lower() in _TEXT:
        return _read_text(file)
    import geopandas as gpd

    if file.suffix.lower() != ".parquet":
        table: pd.DataFrame = gpd.read_file(file)
        return table
    try:
        layer: pd.DataFrame = gpd.read_parquet(file)
    except ValueError:  # no layer, or no Parquet at all
        return pd.read_parquet(file)
    return layer


def _read_text(file: Path) -> pd.DataFrame:
    """Read a CSV with a line of names; every row has as many fields, or one blank more where all lines end so."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
        if not first.strip():
            raise ValueError("the first line is blank; write the names of the columns there")
        first = re.sub('"[^"]*"', "", first)
        most = max(",;\t|", key=first.count)
        lines.seek(0)
        reader = csv.reader(lines, delimiter=most if most in first else " ", strict=True)
        header = next(reader)
        rows = [(reader.line_num, row) for row in reader if "".join(row).strip() or len(row) > 1]
    given = len(header)
    while len(header) > 1 and not header[-1].strip():
        header.pop()
    names = len(header)
    widest = max(given, names + all(len(row) > names for _, row in rows))
    wrong = [line for line, row in rows if not names <= len(row) <= widest or "".join(row[names:]).strip()]
    if wrong:
        what = f"the first line names {names} columns, which is not the number of fields in line {listed(wrong)}"
        raise ValueError(f"{what}; correct these rows")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ValueError(f"column named twice: {listed(twice)}; give every column its own name")
    return pd.DataFrame([row[:names] for _, row in rows], columns=header, dtype=str)


def from_points(
    demand: pd.DataFrame, sites: pd.DataFrame, *, columns: Columns | None = None, allow_duplicates: bool = False
) -> SitingData:
    """Straight-line distances from every client to every site, in metres of their common coordinate system.

    Both tables have an identifier in the column ``id`` (else the first column) and points: the columns ``x`` and ``y``
    in metres, or geometries, of which the centroids are taken. Raises ``SitingInputError`` with all mistakes at once;
    two clients or two sites at the same place are a mistake unless ``allow_duplicates``.
    """
    found: list[Finding] = []
    demand, sites = _same_system(demand, sites, found)
    clients, places = _names(demand, "demand", found), _names(sites, "sites", found)
    ends = _points(demand, "demand", clients, found), _points(sites, "sites", places, found)
    if not allow_duplicates:
        for points, table, names in ((ends[0], "demand", clients), (ends[1], "sites", places)):
            _no_duplicates(points, table, names, found)
    data = _with_numbers(np.zeros((len(clients), len(places))), demand, sites, clients, places, columns, found)
    _raise(found)
    return replace(data, cost=_straight(*ends))


def from_sites(sites: pd.DataFrame, *, columns: Columns | None = None, allow_duplicates: bool = False) -> SitingData:
    """Straight-line distances between all sites, for ``p_dispersion``; otherwise like ``from_points``."""
    found: list[Finding] = []
    sites, _ = _same_system(sites, sites, found)
    places = _names(sites, "sites", found)
    points = _points(sites, "sites", places, found)
    if not allow_duplicates:
        _no_duplicates(points, "sites", places, found)
    data = _with_numbers(np.zeros((len(places), len(places))), None, sites, places, places, columns, found)
    _raise(found)
    return replace(data, cost=_straight(points, points))


def _straight(clients: Floats, sites: Floats) -> Floats:
    return np.asarray(np.hypot(*(clients[:, None, :] - sites[None, :, :]).transpose(2, 0, 1)))


def from_costs(
    costs: pd.DataFrame,
    demand: pd.DataFrame | None = None,
    sites: pd.DataFrame | None = None,
    *,
    columns: Columns | None = None,
) -> SitingData:
    """Costs of pairs from a table with the columns client, site and cost; pairs that are not in it are forbidden.

    Clients and sites are those of ``demand`` and ``sites``, else those of the table in their order there. Raises
    ``SitingInputError`` with all mistakes at once.
    """
    found: list[Finding] = []
    missing = [name for name in ("client", "site", "cost") if name not in costs.columns]
    if missing:
        what = f"columns are missing: {', '.join(missing)}"
        raise SitingInputError([Finding("columns", what, where="costs", remedy="name them client, site, cost")])
    client, site = costs["client"].astype(str), costs["site"].astype(str)
    _not_blank(costs["client"], "costs", found)
    _not_blank(costs["site"], "costs", found)
    clients = tuple(client.unique()) if demand is None else _names(demand, "demand", found)
    places = tuple(site.unique()) if sites is None else _names(sites, "sites", found)
    for names, given, table in ((clients, client, "demand"), (places, site, "sites")):
        unknown = [name for name in given.unique() if name not in set(names)]
        if unknown:
            what = f"{len(unknown)} of the costs are not in {table}"
            found.append(
                Finding("unknown", what, where=listed(unknown), remedy=f"add them to {table} or take them out")
            )
    twice = costs[pd.DataFrame({"client": client, "site": site}).duplicated().to_numpy()]
    if len(twice):
        pairs = listed(f"{c}–{s}" for c, s in zip(twice["client"], twice["site"], strict=True))
        found.append(
            Finding("pair_twice", "the pair stands twice", where=f"costs {pairs}", remedy="keep one row a pair")
        )
    values = _numbers(
        costs["cost"], "costs", "cost", tuple(f"{c}–{s}" for c, s in zip(client, site, strict=True)), found
    )
    data = _with_numbers(np.full((len(clients), len(places)), np.inf), demand, sites, clients, places, columns, found)
    _raise(found)
    row, column = pd.Index(clients).get_indexer(pd.Index(client)), pd.Index(places).get_indexer(pd.Index(site))
    data.cost[row, column] = values
    return data


def result_tables(data: SitingData, result: Result) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sites (open or not, clients served) and assignments (client, site, share, cost) of a result, by name."""
    shares = result.assignment if result.assignment.ndim > 1 else _as_shares(result.assignment, len(data.sites))
    client, site = np.nonzero(shares > 0)
    assignments = pd.DataFrame(
        {
            "client": [data.clients[i] for i in client],
            "site": [data.sites[j] for j in site],
            "share": shares[client, site],
            "cost": data.cost[client, site],
        }
    )
    is_open = np.isin(np.arange(len(data.sites)), result.open_sites)
    served = (shares > 0).sum(axis=0)
    sites = pd.DataFrame({"site": data.sites, "open": is_open.astype(int), "clients": served})
    return sites, assignments


def _as_shares(assignment: Ints, sites: int) -> Floats:
    shares = np.zeros((assignment.size, sites))
    served = assignment >= 0
    shares[np.flatnonzero(served), assignment[served]] = 1.0
    return shares


def _raise(found: list[Finding]) -> None:
    if found:
        raise SitingInputError(found)


def _names(table: pd.DataFrame, name: str, found: list[Finding]) -> tuple[str, ...]:
    if not len(table) or not len(table.columns):
        found.append(Finding("empty", "has no rows", where=name))
        return ()
    column = "id" if "id" in table.columns else str(table.columns[0])
    names = table[column].astype(str)
    blank = _not_blank(table[column], name, found)
    double = names[names.duplicated() & ~blank].unique()
    if len(double):
        found.append(Finding("id_twice", f"{column} stands twice", where=f"{name} {listed(double)}"))
    return tuple(names)


def _not_blank(ids: pd.Series, table: str, found: list[Finding]) -> pd.Series:
    """Which identifiers are blank; they are noted."""
    blank: pd.Series = ids.isna() | (ids.astype(str).str.strip() == "")
    if blank.any():
        where = f"{table} row {listed(np.flatnonzero(blank) + 1)} below the names"
        found.append(Finding("no_id", f"{ids.name} is blank", where=where, remedy="name it or leave the row out"))
    return blank


def _numbers(
    series: pd.Series, table: str, column: str, names: tuple[str, ...], found: list[Finding], *, signed: bool = False
) -> Floats:
    values = _as_numbers(series)
    tests = [("not_a_number", ~np.isfinite(values), "is not a number")]
    tests += [] if signed else [("negative", values < 0, "is below 0")]
    for code, wrong, said in tests:
        if wrong.any():
            at = np.flatnonzero(wrong)
            where, value = f"{table} {listed(names[i] for i in at)}: {column}", str(series.iloc[at[0]])
            found.append(Finding(code, said, where=where, value=value, remedy="correct it or leave the row out"))
    return np.asarray(np.where(np.isfinite(values), values, 0.0))


def _as_numbers(series: pd.Series) -> Floats:
    """The numbers of a column; NaN for what is none, such as dates and complex numbers."""
    none = np.full(len(series), np.nan)
    if series.dtype.kind in "mM":
        return none
    values = pd.to_numeric(series, errors="coerce")
    return none if values.dtype.kind == "c" else np.asarray(values.to_numpy(float, na_value=np.nan))


def _is_open(series: pd.Series, names: tuple[str, ...], found: list[Finding]) -> Ints:
    """Indices of the rows that say 1, true or yes; others must say 0, false or no."""
    values = _as_numbers(series.astype(str).str.strip().str.lower().replace(_YES_NO))
    wrong = np.flatnonzero((values != 0) & (values != 1))
    if wrong.size:
        where, value = f"sites {listed(names[i] for i in wrong)}: {series.name}", str(series.iloc[wrong[0]])
        found.append(Finding("existing", "is neither 0 nor 1", where, value, remedy="write 1 for a site that stands"))
    return np.flatnonzero(values == 1)


def _points(table: pd.DataFrame, name: str, names: tuple[str, ...], found: list[Finding]) -> Floats:
    if getattr(table, "active_geometry_name", None) is not None:
        centre = shapely.centroid(table.geometry.to_numpy())
        points = np.stack([shapely.get_x(centre), shapely.get_y(centre)], axis=1)
        lost = np.flatnonzero(~np.isfinite(points).all(axis=1))
        if lost.size:
            where = f"{name} {listed(names[i] for i in lost)}"
            what, remedy = "has no geometry, or none that can be placed", "correct it or leave it out"
            found.append(Finding("no_geometry", what, where=where, remedy=remedy))
        return np.asarray(points)
    if {"x", "y"} <= set(table.columns):
        for axis in ("x", "y"):
            _numbers(table[axis], name, axis, names, found, signed=True)
        return np.stack([_as_numbers(table["x"]), _as_numbers(table["y"])], axis=1)
    degrees = _DEGREES & {str(column).lower() for column in table.columns}
    what = "has degrees, not metres" if degrees else "has no columns x and y"
    remedy = "project it to metres, in columns x and y" if degrees else "give x and y in metres, or a table of costs"
    found.append(Finding("no_points", what, where=name, remedy=remedy))
    return np.full((len(table), 2), np.nan)


def _same_system(demand: pd.DataFrame, sites: pd.DataFrame, found: list[Finding]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables in one coordinate system in metres, where they say theirs."""
    tables: list[gpd.GeoDataFrame] = [table for table in (demand, sites) if getattr(table, "crs", None) is not None]
    if not tables:
        return demand, sites
    if len(tables) == 1:
        what = "only one of the tables says its coordinate system"
        found.append(Finding("crs", what, where="demand and sites", remedy="give both as layers with a system"))
        return demand, sites
    if not all(np.isfinite(table.total_bounds).all() for table in tables):
        return demand, sites  # no rows or no geometries: said where they are looked at
    from geodata.crs import metric_crs_for

    try:
        metric = metric_crs_for(tables[0])
        return tables[0].to_crs(metric), tables[1].to_crs(metric)
    except (RuntimeError, ValueError, OverflowError):
        what, value = "cannot be projected to metres", f"{tables[0].crs.name}, {tables[1].crs.name}"
        remedy = "check the coordinates and their system"
        found.append(Finding("crs", what, where="coordinate system", value=value, remedy=remedy))
        return demand, sites


def _no_duplicates(points: Floats, table: str, names: tuple[str, ...], found: list[Finding]) -> None:
    known = np.isfinite(points).all(axis=1)  # of the others something else was said
    points, names = points[known], tuple(np.array(names, object)[known])
    _, first, group, count = np.unique(points, axis=0, return_index=True, return_inverse=True, return_counts=True)
    again = [i for i in np.flatnonzero(count[group.ravel()] > 1) if first[group.ravel()[i]] != i]
    if again:
        pairs = listed(f"{names[first[group.ravel()[i]]]} and {names[i]}" for i in again)
        remedy = "correct the coordinates, make them one, or allow duplicates"
        found.append(
            Finding("duplicate_coordinates", "stand at the same place", where=f"{table} {pairs}", remedy=remedy)
        )


def _with_numbers(
    cost: Floats,
    demand: pd.DataFrame | None,
    sites: pd.DataFrame | None,
    clients: tuple[str, ...],
    places: tuple[str, ...],
    columns: Columns | None,
    found: list[Finding],
) -> SitingData:
    """The columns that the tables have, checked."""
    named = columns or Columns()

    def column(table: pd.DataFrame | None, which: str, name: str) -> pd.Series | None:
        asked = getattr(named, which)
        if table is not None and (asked or which) in table.columns:
            return table[asked or which]
        if asked:
            what = f"there is no column {asked}" if table is not None else f"no table is given for the column {asked}"
            found.append(Finding("columns", what, where=name, remedy=f"name the column with {which}, or none"))
        return None

    def taken(table: pd.DataFrame | None, which: str, name: str, names: tuple[str, ...]) -> Floats | None:
        series = column(table, which, name)
        return None if series is None else _numbers(series, name, str(series.name), names, found)

    stands = column(sites, "existing", "sites")
    return SitingData(
        cost,
        clients,
        places,
        weights=taken(demand, "weight", "demand", clients),
        demand=taken(demand, "demand", "demand", clients),
        capacity=taken(sites, "capacity", "sites", places),
        fixed_cost=taken(sites, "fixed_cost", "sites", places),
        existing=None if stands is None else _is_open(stands, places, found),
    )
