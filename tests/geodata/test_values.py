import math

import numpy as np
import pandas as pd
import pytest

from geodata.schema import COMMUNITIES, SITES
from geodata.values import as_boolean, as_identifier, as_number, as_text, convert


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("12", 12),
        (" 12.5 ", 12.5),
        ("１２３", 123),
        ("1,234", 1234),
        ("12,345,678.5", 12345678.5),
        ("１，２３４", 1234),
        ("1e3", 1000),
        ("-3", -3),
        ("−3", -3),
        (np.int64(4), 4),
    ],
)
def test_numbers_as_people_write_them(cell: object, number: float) -> None:
    assert as_number(cell) == number


@pytest.mark.parametrize("cell", ["", " ", None, math.nan, "NaN", "n/a", "null", pd.NA])
def test_empty_cells_are_no_number(cell: object) -> None:
    assert math.isnan(as_number(cell))


@pytest.mark.parametrize(
    "cell", ["12人", "1.2万", "12,5", "0,125", "0,000", "1.234,5", "12 345", "inf", math.inf, "0x10", "1_000", True]
)
def test_what_is_no_number_is_refused(cell: object) -> None:
    with pytest.raises(ValueError):
        as_number(cell)


def test_identifiers_from_numbers_and_full_width() -> None:
    assert as_identifier(17.0) == "17"
    assert as_identifier(" Ａ１ ") == "A1"
    assert as_identifier("007") == "007"
    assert as_identifier("a\n b") == "a b"
    assert as_text("NA") == "NA"
    assert as_text("a\x00b") == "ab"


@pytest.mark.parametrize(("cell", "value"), [("是", True), ("No", False), (1, True), (0.0, False), (True, True)])
def test_booleans(cell: object, value: bool) -> None:
    assert as_boolean(cell) is value


def test_booleans_refuse_other_words() -> None:
    with pytest.raises(ValueError, match="neither"):
        as_boolean("maybe")


def test_convert_reports_and_fills() -> None:
    series, troubles = convert(pd.Series(["5", "x", ""]), COMMUNITIES.column("elderly"), {})
    assert series.iloc[0] == 5
    assert math.isnan(series.iloc[1])
    assert series.iloc[2] == 0
    assert troubles == [(1, "x", "is no number")]


def test_whole_numbers() -> None:
    series, troubles = convert(pd.Series([2007.0, 2007.5, math.nan]), SITES.column("first_year"), {})
    assert series.tolist() == [2007, 2008, 0]
    assert [t[0] for t in troubles] == [1]


def test_words_are_translated_and_lists_split() -> None:
    kinds, _ = convert(
        pd.Series(["城中村", " 住宅 "]), COMMUNITIES.column("type"), {"城中村": "fringe", "住宅": "pure"}
    )
    assert kinds.tolist() == ["fringe", "pure"]
    lists, _ = convert(pd.Series(["health； library、legal", None]), SITES.column("services"), {})
    assert lists.tolist() == ["health,library,legal", ""]


def test_infinite_numbers_are_reported() -> None:
    series, troubles = convert(pd.Series([1.0, math.inf]), COMMUNITIES.column("population"), {})
    assert [t[0] for t in troubles] == [1]
    assert math.isnan(series.iloc[1])
