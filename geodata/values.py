"""Cells of a table turned into the schema's types; what cannot be turned is reported, not guessed."""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from geodata.schema import Column
from geodata.street_words import as_bridge, as_direction, as_speed, first_word

MISSING = {"", "nan", "na", "n/a", "null", "none", "<na>", "nat"}
_TRUE = {"true", "t", "yes", "y", "1", "1.0", "是", "有"}
_FALSE = {"false", "f", "no", "n", "0", "0.0", "否", "无"}
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")  # 0,125 is a decimal comma
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def is_blank(value: object) -> bool:
    """Return whether a cell is empty: None, NaN or blank."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    return isinstance(value, str) and not value.strip()


def is_missing(value: object) -> bool:
    """Return whether a cell of numbers is empty: blank, or a word for no value."""
    return is_blank(value) or (isinstance(value, str) and value.strip().casefold() in MISSING)


def as_text(value: object) -> str:
    """Return a cell as text: trimmed, control characters removed, whole floats without `.0`."""
    if is_blank(value):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) < 1e15:
        return str(int(value))
    text = str(value)
    return "".join(c for c in text if c in "\t\n" or unicodedata.category(c) != "Cc").strip().lstrip("\ufeff")


def as_identifier(value: object) -> str:
    """Return a cell as an identifier: text in one line with full-width letters and digits made plain."""
    return " ".join(unicodedata.normalize("NFKC", as_text(value)).split())


def as_number(value: object) -> float:
    """Return a cell as a number, NaN where it is empty; ValueError where it is none.

    Full-width digits and thousands groups (12,345) are understood; units, decimal commas and infinities are not.
    """
    if is_missing(value):
        return math.nan
    if isinstance(value, bool | np.bool_):
        raise ValueError("is no number")  # noqa: TRY004 - a wrong cell, not a wrong call
    if isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
    else:
        text = unicodedata.normalize("NFKC", str(value)).strip().replace("\u2212", "-")
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        if not _NUMBER.fullmatch(text):
            raise ValueError("is no number")
        number = float(text)
    if not math.isfinite(number):
        raise ValueError("is not finite")
    return number


def as_boolean(value: object) -> bool:
    """Return a cell as true or false; ValueError where it is neither."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    text = as_identifier(value).casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("is neither true nor false")


_STREET: Mapping[str, tuple[Callable[[object], object], str]] = {
    "direction": (lambda v: int(as_direction(v)), "int64"),
    "class": (lambda v: first_word(str(v)).casefold(), "str"),
    "speed": (as_speed, "float64"),
    "bridge": (lambda v: bool(as_bridge(v)), "bool"),
}
Trouble = tuple[int, str, str]  # position, value, message


def convert(series: pd.Series, column: Column, words: Mapping[str, str]) -> tuple[pd.Series, list[Trouble]]:
    """Return a column converted to its kind, and what could not be converted.

    `words` maps the file's words to ours. Empty cells get the default; where a value is required or there is no
    default they become NaN (numbers) or an empty text, which `geodata.check` reports.
    """
    if column.kind in ("number", "integer"):
        return _numbers(series, column, words)
    if column.kind == "boolean":
        return _booleans(series, column, words)
    if column.kind in _STREET:
        return _of_street(series, column, words)
    clean = as_identifier if column.kind in ("identifier", "category") else as_text
    translated = {as_identifier(word): ours for word, ours in words.items()}
    default = "" if column.default is None else str(column.default)
    out = []
    for value in series:
        text = clean(value)
        if translated:
            text = translated.get(as_identifier(value), text)
        if column.kind == "list":
            text = ",".join(part for part in re.split(r"[,;，；、\s]+", text) if part)
        out.append(text or default)
    return pd.Series(out, index=series.index, dtype="str"), []


def _of_street(series: pd.Series, column: Column, words: Mapping[str, str]) -> tuple[pd.Series, list[Trouble]]:
    """Cells of streets, in OpenStreetMap's words or ours."""
    turn, kind = _STREET[column.kind]
    translated = {as_identifier(word): ours for word, ours in words.items()}
    troubles, out = [], []
    for position, value in enumerate(series):
        empty = turn("")
        try:
            out.append(empty if is_missing(value) else turn(translated.get(as_identifier(value), value)))
        except ValueError as error:
            troubles.append((position, as_text(value), str(error)))
            out.append(empty)
    return pd.Series(out, index=series.index, dtype=kind), troubles


def _numbers(series: pd.Series, column: Column, words: Mapping[str, str]) -> tuple[pd.Series, list[Trouble]]:
    default = math.nan if column.default is None else float(column.default)
    translated = {as_identifier(word): ours for word, ours in words.items()}
    if not translated and series.dtype.kind in "iuf":
        numbers = series.to_numpy(dtype=float, na_value=math.nan)
        infinite = np.isinf(numbers)
        troubles = [(int(p), str(numbers[p]), "is not finite") for p in np.flatnonzero(infinite)]
        numbers = np.where(infinite, math.nan, np.where(np.isnan(numbers), default, numbers))
        return _whole(pd.Series(numbers, index=series.index), column, troubles)
    troubles, out = [], []
    for position, value in enumerate(series):
        try:
            number = as_number(translated.get(as_identifier(value), value) if translated else value)
            out.append(default if math.isnan(number) else number)
        except ValueError as error:
            troubles.append((position, as_text(value), str(error)))
            out.append(math.nan)
    return _whole(pd.Series(out, index=series.index, dtype=float), column, troubles)


def _whole(series: pd.Series, column: Column, troubles: list[Trouble]) -> tuple[pd.Series, list[Trouble]]:
    if column.kind != "integer":
        return series, troubles
    values = series.to_numpy(dtype=float)
    fractional = np.isfinite(values) & (values != np.rint(values))
    troubles = troubles + [(int(p), f"{values[p]:g}", "is no whole number") for p in np.flatnonzero(fractional)]
    default = 0.0 if column.default is None else float(column.default)
    whole = np.where(np.isfinite(values), np.rint(np.clip(values, -1e15, 1e15)), default)
    return pd.Series(whole.astype("int64"), index=series.index), troubles


def _booleans(series: pd.Series, column: Column, words: Mapping[str, str]) -> tuple[pd.Series, list[Trouble]]:
    translated = {as_identifier(word): ours for word, ours in words.items()}
    default = bool(column.default)
    troubles, out = [], []
    for position, value in enumerate(series):
        if is_missing(value):
            out.append(default)
            continue
        try:
            out.append(as_boolean(translated.get(as_identifier(value), value)))
        except ValueError as error:
            troubles.append((position, as_text(value), str(error)))
            out.append(default)
    return pd.Series(out, index=series.index, dtype=bool), troubles
