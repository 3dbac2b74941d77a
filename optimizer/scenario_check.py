"""Checks of a scenario against a city: what names something that is not there, and money that could go nowhere."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from geodata.city import City
from geodata.findings import Finding, did_you_mean
from optimizer.fair_groups import check_groups
from optimizer.guidance import classify, condition_columns
from optimizer.levels_check import check_levels
from optimizer.money_check import check_money
from optimizer.scenario import Scenario
from optimizer.scenario_file import LoadedScenario
from optimizer.yaml_tree import shown

_DERIVED = ("office_area_m2", "own_income_yuan_per_person")


def check_scenario(city: City, scenario: Scenario) -> list[Finding]:
    """Return findings about sources, earmarks and guidance that do not fit the city."""
    found: list[Finding] = []
    here = set(city.communities["district"])
    districts = sorted(here | set(city.districts["district"]))
    communities = set(city.communities["community"])
    kinds = set(city.communities["type"])
    for name, source in scenario.sources.items():
        at = f"sources.{name}"
        found += _unknown(f"{at}.districts", source.districts, districts, "district")
        found += _unknown(f"{at}.communities", source.communities, communities, "community")
        for n, limit in enumerate(source.limits):
            found += _unknown(f"{at}.limits.{n}.districts", limit.districts, districts, "district")
            found += _unknown(f"{at}.limits.{n}.communities", limit.communities, communities, "community")
        if source.types and not kinds & set(source.types) and not source.communities:
            found.append(
                Finding(
                    "warning",
                    file="scenario",
                    column=f"{at}.types",
                    value=", ".join(source.types),
                    limit="types that communities of this city have",
                    remedy="name other types or drop the source",
                    message="no community has one of these types, so this source may pay for nothing",
                )
            )
        if source.districts and set(source.districts) <= set(districts) and not here & set(source.districts):
            found.append(
                Finding(
                    "warning",
                    file="scenario",
                    column=f"{at}.districts",
                    value=", ".join(source.districts),
                    limit="districts that communities of this city lie in",
                    remedy="name other districts or drop the source",
                    message="no community lies there, so this source may pay for nothing",
                )
            )
        if source.role == "district" and not source.districts and len(here) > 1:
            found.append(
                Finding(
                    "warning",
                    file="scenario",
                    column=f"{at}.districts",
                    limit="the district whose finance it is",
                    remedy="name the district",
                    message="a district's source without a district pays everywhere",
                )
            )
    found += check_money(city, scenario)
    found += check_groups(city, scenario)
    found += _last_year(city, scenario)
    found += _leases(city, scenario)
    found += _musts(city, scenario)
    found += _upgrades(city, scenario)
    found += _deposits(city, scenario)
    found += check_levels(city, scenario)
    columns = {*city.communities.columns, *_DERIVED}
    numbers = [c for c in city.communities.columns if is_numeric_dtype(city.communities[c])] + list(_DERIVED)
    for n, sign in enumerate(scenario.programmes.work_funds.care_indicators):
        named = [sign.column, *([sign.per] if sign.per else [])]
        found += _unknown(f"programmes.work_funds.care_indicators.{n}", named, numbers, "column of numbers")
    found += _unknown("guidance", condition_columns(scenario.guidance), columns, "column of communities")
    return found


def at_lines(findings: Iterable[Finding], loaded: LoadedScenario) -> list[Finding]:
    """Return findings, those of the scenario with the file and line of the key they name, or of what it stands in."""
    return [replace(f, file=_line(f.column, loaded)) if f.file == "scenario" else f for f in findings]


def _line(column: str, loaded: LoadedScenario) -> str:
    keys = tuple(int(part) if part.isdigit() else part for part in column.split("."))
    ends = (keys[:end] for end in range(len(keys), 0, -1))
    return next((str(loaded.places[here]) for here in ends if here in loaded.places), shown(loaded.path))


def _last_year(city: City, scenario: Scenario) -> list[Finding]:
    """The rule last_year_plus needs what every community had last year."""
    rule = scenario.rule
    if rule is None or rule.split != "last_year_plus" or rule.last_year_yuan is not None:
        return []
    missing = city.communities["community"][city.communities["last_year_yuan"].isna()].tolist()
    if not missing:
        return []
    names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return [
        Finding(
            "error",
            layer="communities",
            column="last_year_yuan",
            value=names,
            limit="a figure for every community, as rule.split is last_year_plus",
            remedy="fill in the column, or give rule.last_year_yuan in the scenario for those without",
            message="is empty",
        )
    ]


def _leases(city: City, scenario: Scenario) -> Iterable[Finding]:
    """An error for every facility whose lease is over before the plan begins."""
    first = scenario.horizon.first_year
    over = (city.facilities["lease_until"] > 0) & (city.facilities["lease_until"] < first)
    for p in np.flatnonzero(over & city.facilities["service"].isin(list(scenario.services))).tolist():
        row = city.facilities.iloc[p]
        yield city.finding(
            "error", "facilities", p, f"is before {first}, the first year planned for",
            feature=str(row["name"] or row["facility"]), column="lease_until", value=row["lease_until"],
            limit=f"0, or {first} and later", remedy="remove the facility, or correct the year",
        )  # fmt: skip


def _musts(city: City, scenario: Scenario) -> Iterable[Finding]:
    """An error for every site that must be taken, but cannot be within the years and rules of the scenario."""
    end = scenario.horizon.first_year + scenario.horizon.years
    supports = dict(zip(city.communities["community"], _supports_space(city, scenario), strict=True))
    for p in np.flatnonzero((city.sites["must"] == "take").to_numpy()).tolist():
        row = city.sites.iloc[p]
        ready = max(int(row["first_year"]), scenario.horizon.first_year) + int(row["lead_years"])
        if row["instrument"] not in scenario.programmes.space.instruments:
            why = f"must be taken, but the scenario does not allow to {row['instrument']}"
        elif ready >= end:
            why = f"must be taken, but is ready in {ready} and the plan ends in {end - 1}"
        elif row["use"] == "extension" and not supports.get(row["community"], True):
            why = f"must be taken, but the class of {row['community']} has no space"
        else:
            continue
        name = str(row["name"] or row["site"])
        remedy = "leave must empty, or change the scenario"
        yield city.finding("error", "sites", p, why, feature=name, column="must", value="take", remedy=remedy)


def _upgrades(city: City, scenario: Scenario) -> Iterable[Finding]:
    """A warning for every service whose stations may grow into floor to spare that none of them has."""
    with_floor = set(city.facilities.loc[city.facilities["spare_m2"] > 0, "service"])
    for name, service in scenario.services.items():
        by_floor = service.upgrade is not None and service.upgrade.most_capacity_share is None
        if by_floor and name not in with_floor:
            yield Finding(
                "warning", file="scenario", column=f"programmes.services.{name}.upgrade", value=name,
                limit="facilities of it with spare_m2 above 0",
                remedy="give spare_m2 of the facilities, or most_capacity_share",
                message="no station has floor to spare, so none can be upgraded",
            )  # fmt: skip


def _deposits(city: City, scenario: Scenario) -> Iterable[Finding]:
    """A warning where developers shall leave deposits, but no project has a size."""
    sized = (city.sites["instrument"] == "hand_over") & (city.sites["project_m2"] > 0)
    if scenario.programmes.space.deposit is not None and not sized.any():
        yield Finding(
            "warning", file="scenario", column="programmes.space.deposit",
            limit="sites handed over (hand_over) with project_m2 above 0",
            remedy="give the size of the developers' projects, or drop the deposit",
            message="no developer's project has a size, so none leaves a deposit",
        )  # fmt: skip


def _supports_space(city: City, scenario: Scenario) -> list[bool]:
    offices = city.sites[city.sites["use"] == "office"].drop_duplicates("community").set_index("community")["area_m2"]
    frame = pd.DataFrame(city.communities.drop(columns="geometry"))
    if not set(condition_columns(scenario.guidance)) <= {*frame.columns, *_DERIVED}:
        return [True] * len(frame)  # what the scenario asks for is no column, which is reported
    frame["office_area_m2"] = frame["community"].map(offices).fillna(0.0).astype(float)
    return ["space" in scenario.guidance[name].purposes for name in classify(frame, scenario.guidance)]


def _unknown(path: str, named: Iterable[str], known: Iterable[str], what: str) -> list[Finding]:
    known = list(known)
    return [
        Finding(
            "error",
            file="scenario",
            column=path,
            value=word,
            limit=f"a {what} of the city",
            remedy=did_you_mean(word, known) or f"name a {what} that is there",
            message=f"there is no {what} {word}",
        )
        for word in named
        if word not in set(known)
    ]
