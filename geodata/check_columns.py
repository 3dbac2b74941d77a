"""Checks of single tables that follow from the schema: keys, missing values, limits, words, references."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pandas as pd

from geodata.city import City
from geodata.findings import Finding, did_you_mean, listed
from geodata.schema import Column, Table

_FROM_SCENARIO = ("work_funds", "space")


def feature(city: City, table: str, position: int) -> str:
    """Return what people call the row at a position of a table: its name, else its key."""
    row = city.table(table).iloc[position]
    if table == "needs":
        return f"{row['community']}, {row['need']}"
    name = str(row["name"]) if "name" in row.index else ""
    return name or str(row.iloc[0])


def check_columns(
    city: City, table: Table, types: Collection[str], services: Collection[str] | Mapping[str, str]
) -> list[Finding]:
    """Return what is wrong with the cells of one table."""
    frame = city.table(table.name)
    if not len(frame):
        return []
    reported = {(f.layer, f.row, f.column) for f in city.findings if f.row is not None}
    found = list(_keys(city, table, frame))
    words = {"types": list(types), "services": list(services)}
    for column in table.columns:
        if column.kind in ("number", "integer"):
            found += _numbers(city, table, column, frame[column.name])
        elif column.references and column.references not in city.unread:
            known = set(city.table(column.references).iloc[:, 0])
            found += _words(city, table, column, frame[column.name], known, f"there is no such {column.name}")
        elif column.choices or column.scenario_choices:
            known = set(column.choices or words[column.scenario_choices])
            said = f"unknown {column.name}" if column.choices else f"not among the scenario's {column.scenario_choices}"
            found += _words(city, table, column, frame[column.name], known, said)
    return [f for f in found if (f.layer, f.row, f.column) not in reported]


def _keys(city: City, table: Table, frame: pd.DataFrame) -> Iterable[Finding]:
    keys = frame[list(table.key)]
    label = " and ".join(table.key)
    for position in np.flatnonzero((keys == "").any(axis=1).to_numpy()).tolist():
        empty = [name for name in table.key if keys[name].iloc[position] == ""]
        yield city.finding(
            "error", table.name, position, "is missing", column=empty[0], remedy="give every row an identifier"
        )
    doubled = keys.duplicated(keep=False) & (keys != "").all(axis=1)
    first: dict[tuple[str, ...], int] = {}
    for position in np.flatnonzero(doubled.to_numpy()).tolist():
        key = tuple(str(v) for v in keys.iloc[position])
        if key not in first:
            first[key] = position
            continue
        origin = city.origins.get(table.name)
        where = f"is already in row {origin.rows[first[key]]}" if origin else "occurs twice"
        yield city.finding(
            "error",
            table.name,
            position,
            where,
            feature=feature(city, table.name, position),
            column=label if len(table.key) > 1 else table.key[0],
            value=", ".join(key),
            limit="each at most once",
            remedy="remove one of the rows" if len(table.key) > 1 else "give each row an identifier of its own",
        )


def _numbers(city: City, table: Table, column: Column, series: pd.Series) -> Iterable[Finding]:
    values = series.to_numpy(dtype=float)
    if column.required:
        for position in np.flatnonzero(np.isnan(values)).tolist():
            yield _cell(city, table, column, position, "", "is missing", "a number", "give a number")
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    limit = f"{low:g} or more" if high == np.inf else f"from {low:g} to {high:g}"
    with np.errstate(invalid="ignore"):
        outside = (values < low) | (values > high)
    for position in np.flatnonzero(outside).tolist():
        yield _cell(city, table, column, position, f"{values[position]:.12g}", f"must be {limit}", limit, "")
    most = np.inf if column.plausible is None else column.plausible
    for position in np.flatnonzero((values > most) & ~outside).tolist():
        yield city.finding(
            "warning", table.name, position, f"is more than anything plausible ({most:,.0f})",
            feature=feature(city, table.name, position), column=column.name, value=f"{values[position]:.12g}",
            limit=f"at most {most:,.0f}", remedy=f"check it; the unit is {column.unit}",
        )  # fmt: skip


def _words(
    city: City, table: Table, column: Column, series: pd.Series, known: set[str], said: str
) -> Iterable[Finding]:
    allowed = sorted(known)
    limit = listed(allowed)
    for position, text in enumerate(series):
        if text == "":
            if column.required and column.name not in table.key:
                yield _cell(city, table, column, position, "", "is missing", limit, f"give one of {limit}")
            continue
        for word in text.split(",") if column.kind == "list" else [text]:
            if word in known:
                continue
            if column.name == "need" and word in _FROM_SCENARIO:
                remedy = "remove the row: this need follows from the scenario"
            elif column.references:
                hint = did_you_mean(word, allowed)
                remedy = f"{hint} else add it to {column.references}" if hint else f"add it to {column.references}"
            else:
                remedy = did_you_mean(word, allowed) or f"use one of {limit}"
                if column.scenario_choices == "services":
                    remedy += " (or add the service to the scenario)" if remedy.endswith("?") else ""
            yield _cell(city, table, column, position, word[:60], said, limit, remedy)


def _cell(
    city: City, table: Table, column: Column, position: int, value: str, message: str, limit: str, remedy: str
) -> Finding:
    name = feature(city, table.name, position)
    return city.finding(
        "error", table.name, position, message, feature=name, column=column.name, value=value,
        limit=limit, remedy=remedy,
    )  # fmt: skip
