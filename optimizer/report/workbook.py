"""The plan as a workbook: a summary and one sheet per table, with nothing that a spreadsheet would execute."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optimizer.facts import BEFORE, Facts
from optimizer.report.summary import summarise
from optimizer.run_folder import COLUMNS
from optimizer.words import need_title, source_title

# A fixed moment, so that equal plans give equal files.
CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - the workbook format knows no time zones
MOST_ROWS = 1_048_575
FORMATS = {"yuan": "#,##0", "m2": "#,##0.0", "m": "#,##0", "share": "0.000", "year": "0", "other": "#,##0.###"}


def write_workbook(path: Path, facts: Facts) -> None:
    """Write `plan.xlsx`; text stays text, whatever it begins with."""
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
               "nan_inf_to_errors": False}  # fmt: skip
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": facts.run.title, "created": CREATED, "comments": "", "author": "allot"})
        styles = {name: book.add_format({"num_format": text}) for name, text in FORMATS.items()}
        styles["head"] = book.add_format(
            {"bold": True, "bg_color": "#1F3A4D", "font_color": "#FFFFFF", "text_wrap": True, "valign": "top"}
        )
        styles["title"] = book.add_format({"bold": True, "font_size": 14})
        styles["wrap"] = book.add_format({"text_wrap": True, "valign": "top"})
        styles["label"] = book.add_format({"bold": True, "valign": "top"})
        _summary_sheet(book.add_worksheet("summary"), styles, facts)
        for name, frame in _sheets(facts).items():
            _table_sheet(book.add_worksheet(name), styles, frame)


def _sheets(facts: Facts) -> dict[str, pd.DataFrame]:
    always = {name: facts.run.table(name) for name in COLUMNS}
    return {"communities": community_sheet(facts), **always, **facts.run.further}


def community_sheet(facts: Facts) -> pd.DataFrame:
    """Return one row per community: who it is, its scores, its money and what is met in the last year."""
    from optimizer.report.geopackage import community_layer

    return pd.DataFrame(community_layer(facts).drop(columns="geometry"))


def _summary_sheet(sheet: Any, styles: dict[str, Any], facts: Facts) -> None:
    summary = summarise(facts)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 16)
    sheet.set_column(2, 8, 18)
    sheet.write_string(0, 0, facts.run.title, styles["title"])
    sheet.merge_range(1, 0, 1, 8, "", styles["wrap"])
    sheet.write_string(1, 0, summary.sentence, styles["wrap"])
    sheet.set_row(1, 48)
    row = 3
    if summary.changes:
        sheet.write_string(row, 0, "Changed", styles["label"])
        sheet.write_string(row, 2, summary.changes)
        row += 1
    for warning in summary.warnings:
        sheet.write_string(row, 0, warning, styles["label"])
        row += 1
    for line in summary.lines:
        sheet.write_string(row, 0, line.label, styles["label"])
        sheet.write_string(row, 1, line.figure)
        sheet.write_string(row, 2, line.text)
        row += 1
    row = _block(sheet, styles, row + 1, "Money from sources to purposes, " + facts.run.scenario.currency.name,
                 _money_matrix(facts))  # fmt: skip
    _block(sheet, styles, row + 1, "Met share of all people's needs before the plan and by year", _met_matrix(facts))


def _money_matrix(facts: Facts) -> pd.DataFrame:
    matrix = facts.run.ledger.pivot_table(
        index="source", columns="purpose", values="yuan", aggfunc="sum", fill_value=0, observed=True
    )
    matrix = matrix.rename(
        index=lambda s: source_title(facts.run.scenario, s), columns=lambda p: need_title(facts.run.scenario, p)
    )
    matrix["All"] = matrix.sum(axis=1)
    matrix.loc["All"] = matrix.sum(axis=0)
    return matrix.rename_axis(index="Source", columns=None).reset_index()


def _met_matrix(facts: Facts) -> pd.DataFrame:
    matrix = facts.met_share(["need", "year"]).unstack().reindex(facts.needs)[[BEFORE, *facts.run.years]]
    matrix.index = [need_title(facts.run.scenario, str(n)) for n in matrix.index]
    matrix.loc["All"] = facts.met_by_year
    return matrix.rename_axis(index="Need", columns=None).reset_index().rename(columns=str)


def _block(sheet: Any, styles: dict[str, Any], row: int, title: str, frame: pd.DataFrame) -> int:
    """Write a small titled table; return the row after it."""
    sheet.write_string(row, 0, title, styles["label"])
    for column, name in enumerate(frame.columns):
        sheet.write_string(row + 1, column, str(name), styles["head"])
    whole = all(str(kind).startswith("int") for kind in list(frame.dtypes)[1:])
    for number, values in enumerate(frame.itertuples(index=False), start=row + 2):
        for column, value in enumerate(values):
            _cell(sheet, number, column, value, styles["yuan" if whole else "share"])
    return row + 2 + len(frame)


def _table_sheet(sheet: Any, styles: dict[str, Any], frame: pd.DataFrame) -> None:
    shown = frame.head(MOST_ROWS)
    for column, name in enumerate(shown.columns):
        style = styles[_style(str(name), shown[name].dtype)]
        sheet.write_string(0, column, str(name), styles["head"])
        values = shown[name].tolist()
        if isinstance(shown[name].dtype, np.dtype) and shown[name].dtype.kind in "if":
            for row, value in enumerate(values, start=1):
                if value == value:
                    sheet.write_number(row, column, value, style)
        else:
            for row, value in enumerate(values, start=1):
                _cell(sheet, row, column, value, style)
        sheet.set_column(column, column, _width(str(name), shown[name].head(200).tolist()))
    sheet.freeze_panes(1, 1)
    if len(shown):
        sheet.autofilter(0, 0, len(shown), len(shown.columns) - 1)


def _style(name: str, kind: object) -> str:
    if name == "year" or name.endswith("_year"):
        return "year"
    if name == "yuan" or name.endswith("_yuan"):
        return "yuan"
    if name.endswith("_m2"):
        return "m2"
    if name.endswith("_m"):
        return "m"
    if str(kind).startswith("float") and (
        name.startswith(("met_", "score", "change", "gain")) and name != "met_amount"
    ):
        return "share"
    return "other"


def _cell(sheet: Any, row: int, column: int, value: object, style: Any) -> None:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value, style)
    else:
        sheet.write_string(row, column, str(value))


def _width(name: str, values: Sequence[object]) -> float:
    longest = max([len(name) + 3, *(len(str(v)) for v in values)])
    return float(min(36, max(8, longest + 1)))
