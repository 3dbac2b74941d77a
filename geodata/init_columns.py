"""Which columns of a file of polygons mean what, where the user does not say."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from geodata.findings import Finding, InputError, did_you_mean, listed
from geodata.values import as_identifier, as_number


def _words(text: str) -> list[str]:
    return text.split()


_ID = _words(
    "community community_id id code geoid geoid20 geoid10 geocode areakey area_code areacode gid fips fipsno fips_code "
    "stfid gist_id tractid tract_id poly_id polyid key objectid fid 编码 代码 编号 社区编码 社区代码 区划代码"
)
_NAME = _words(
    "name community_name name_en areaname area_name namelsad neighborhood neighbourhood neighbourh label title "
    "community 名称 社区 社区名称 社区名 name_zh"
)
_POPULATION = _words(
    "population pop pop_total total_pop totpop tot_pop poptotal total_population popul persons residents inhabitants "
    "einwohner 人口 常住人口 总人口 人口数 户籍人口"
)
_POPULATION_YEAR = re.compile(r"(?:tot(?:al)?_?)?pop(?:ulation)?_?(\d{4}|\d{2})")
_DISTRICT = _words("district district_name borough county county_name 区县 区 县 行政区")
_SUB_DISTRICT = _words("sub_district subdistrict street_office 街道 街道办 街道办事处")
ROLES = ("community", "population", "name", "district", "sub_district")


@dataclass
class Chosen:
    """The file's column for each of ours (`#`: row number), and lines that say what was taken unasked."""

    columns: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def choose_columns(frame: pd.DataFrame, asked: Mapping[str, str], file: str) -> Chosen:
    """Return which column is the identifier, the name, the population, the district and the sub-district.

    `asked` holds what the user says (empty: guess by well-known names). Raises InputError, listing the columns, where a
    column asked for is missing or the population cannot be told.
    """
    present = [str(c) for c in frame.columns if c != "geometry"]
    findings = []
    chosen = Chosen()
    for ours, theirs in asked.items():
        if ours not in ROLES:
            raise KeyError(f"{ours} is none of {', '.join(ROLES)}")
        if not theirs:
            continue
        if theirs in present or (theirs == "#" and ours == "community"):
            chosen.columns[ours] = theirs
            continue
        remedy = did_you_mean(theirs, present) or f"columns are {listed(present, 40) or '(none)'}"
        findings.append(Finding("error", file, column=theirs, message="there is no such column", remedy=remedy))
    if findings:
        raise InputError(findings)
    if "population" not in chosen.columns:
        _guess_population(frame, present, chosen, file)
    if "community" not in chosen.columns:
        found = _first(_ID, present, lambda name: _identifies(frame[name]))
        chosen.columns["community"] = found or "#"
        chosen.said.append(f"Identifier   {found or 'the row number; no column of a well-known name tells rows apart'}")
    for ours, words in (("name", _NAME), ("district", _DISTRICT), ("sub_district", _SUB_DISTRICT)):
        if ours not in chosen.columns:
            found = _first(words, present, lambda name: frame[name].dtype.kind not in "iufb")
            if found:
                chosen.columns[ours] = found
                chosen.said.append(f"{ours.replace('_', '-').capitalize():<13}{found}")
    return chosen


def _first(words: list[str], present: list[str], fits: Callable[[str], bool]) -> str:
    by_folded = {name.casefold().strip(): name for name in reversed(present)}
    return next((by_folded[w] for w in words if w in by_folded and fits(by_folded[w])), "")


def _identifies(series: pd.Series) -> bool:
    texts = [as_identifier(v) for v in series]
    return all(texts) and len(set(texts)) == len(texts)


def _guess_population(frame: pd.DataFrame, present: list[str], chosen: Chosen, file: str) -> None:
    found = _first(_POPULATION, present, lambda name: _counts(frame[name]))
    others: list[str] = []
    if not found:
        dated = []
        for name in present:
            match = _POPULATION_YEAR.fullmatch(name.casefold().strip())
            if match and _counts(frame[name]):
                year = int(match[1])
                dated.append((year if year > 99 else year + (1900 if year > 40 else 2000), name))
        dated.sort()
        if dated:
            found, others = dated[-1][1], [name for _, name in dated[:-1]]
    if not found:
        numeric = [name for name in present if _counts(frame[name])]
        message = "no column has a well-known name for the number of residents"
        remedy = f"say which one it is (--population COLUMN); columns of numbers are {listed(numeric, 40) or '(none)'}"
        years = (name for name in present if _POPULATION_YEAR.fullmatch(name.casefold().strip()))
        column = _first(_POPULATION, present, lambda _: True) or next(years, "")
        if column:
            message = f"{_no_counts(frame[column])}, so it cannot be the number of residents"
            remedy = f"correct it, or {remedy}"
        raise InputError([Finding("error", file, column=column or "population", message=message, remedy=remedy)])
    chosen.columns["population"] = found
    more = f" (the newest; also there: {listed(others, 5)})" if others else ""
    chosen.said.append(f"Population   {found}{more}")


def _no_counts(series: pd.Series) -> str:
    """Say why a column holds no numbers above zero."""
    for row, value in enumerate(series, 1):
        try:
            as_number(value)
        except ValueError:
            return f"holds {str(value)[:40]!r} in row {row}, which is no number"
    return "is nowhere above 0"


def _counts(series: pd.Series) -> bool:
    """Whether a column holds numbers, some above zero."""
    if series.dtype.kind in "bM":
        return False
    some = False
    for value in series:
        try:
            some = as_number(value) > 0 or some
        except ValueError:
            return False
    return some
