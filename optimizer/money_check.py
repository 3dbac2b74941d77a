"""Checks of money against a city, before any problem is made: sources that may pay nowhere, floors above the budget."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from geodata.city import City
from geodata.findings import Finding, listed
from optimizer.entitlement import Floats, communities_with_offices, entitlements
from optimizer.guidance import classify, condition_columns, with_derived
from optimizer.scenario import Scenario
from optimizer.scenario_floors import most_yuan
from optimizer.scenario_money import Limit, Source


def check_money(city: City, scenario: Scenario) -> Iterator[Finding]:
    """Yield errors of sources and floors; nothing is said of what names things that the city does not have.

    Floors above what there can be for them are no mistake of the inputs: no plan keeps them (`no_plan`).
    """
    frame, funds = communities_with_offices(city), scenario.programmes.work_funds
    columns = {*with_derived(frame).columns}
    classed = set(condition_columns(scenario.guidance)) <= columns
    if classed:
        frame["class"] = classify(frame, scenario.guidance)
    known = {*frame["community"], *frame["district"], *city.districts["district"]}
    for name, source in scenario.sources.items():
        words = {*source.communities, *source.districts}
        words |= {word for limit in source.limits for word in (*limit.communities, *limit.districts)}
        if not any(scenario.free_yuan(name)) or not words <= known:
            continue
        yield from _nowhere(frame, scenario, name)
        for number, limit in enumerate(source.limits):
            if any(limit.range_yuan(money)[0] > 0 for money in scenario.free_yuan(name)):
                yield from _floor(frame, scenario, name, number)
    signs = {column for sign in funds.care_indicators for column in (sign.column, sign.per) if column}
    numbers = {column for column in columns if is_numeric_dtype(with_derived(frame)[column])}
    if funds.hard_floor and classed and signs <= numbers:
        yield from _hard_floor(frame, scenario)


def _here(frame: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Communities that a source may pay for, whatever for."""
    there = frame[frame["district"].isin(source.districts)] if source.districts else frame
    if source.communities or source.types:
        there = there[there["community"].isin(source.communities) | there["type"].isin(source.types)]
    return there


def _nowhere(frame: pd.DataFrame, scenario: Scenario, name: str) -> Iterator[Finding]:
    """A source with money that may pay for nothing in this city; types or districts nobody has are only warned of."""
    source = scenario.sources[name]
    keys = {"communities": source.communities, "types": source.types, "districts": source.districts}
    given = [key for key, words in keys.items() if words]
    here = _here(frame, source)
    if here.empty:
        if not source.communities and len(given) == 1:
            return  # a city may be planned in part, which `check_scenario` warns of
        message = "the source has no eligible place: "
        if source.communities and source.districts:
            message += "none of its communities lies in its districts"
        else:
            message += f"no community fits {' and '.join(given)} together"
        remedy = "name communities of these districts, or widen districts"
        if not source.communities:
            remedy = "widen one of them, or drop the source"
    elif "class" in here and not _pays(here, scenario, source):
        message = "the source has no eligible place: no community it may pay for has a need of these purposes"
        remedy = "widen purposes, services or places of the source, or what the class of guidance supports"
        given = ["purposes"]
    else:
        return
    words = source.purposes if given == ["purposes"] else keys[given[0]]
    limit = "a cost in this city that the source may pay"
    yield Finding("error", file="scenario", column=f"sources.{name}.{given[0]}", value=listed(words, 5),
                  limit=limit, remedy=remedy, message=message)  # fmt: skip


def _pays(here: pd.DataFrame, scenario: Scenario, source: Source) -> bool:
    """Whether there may be a cost, of these communities or of what they share, that a source may pay."""
    if not source.communities and not source.types:
        shared = [name for name, service in scenario.services.items() if service.siting == "network"]
        shared = [name for name in shared if not source.services or name in source.services]
        if shared and {"service_capital", "service_running", "space"} & set(source.purposes):
            return True
    own = [name for name, service in scenario.services.items() if service.siting == "own"]
    has_own = any(not source.services or name in source.services for name in own)
    relief = scenario.programmes.debt_relief
    for kind, debt in zip(here["class"], here["debt_yuan"], strict=True):
        supported: set[str] = set(scenario.guidance[kind].purposes)
        costs: set[str] = {"work_funds", "space"} & supported
        if "services" in supported and has_own:
            costs |= {"service_capital", "service_running"}
        if "debt_relief" in supported and relief is not None and debt > 0:
            costs.add("debt_relief")
        if costs & set(source.purposes):
            return True
    return False


def _floor(frame: pd.DataFrame, scenario: Scenario, name: str, number: int) -> Iterator[Finding]:
    """A floor that nobody counts for, or one for each place that is above the source's money, all places together."""
    source = scenario.sources[name]
    limit, free = source.limits[number], scenario.free_yuan(name)
    if _counted(frame, source, limit).empty and not _here(frame, source).empty:
        yield Finding(
            "error", file="scenario", column=f"sources.{name}.limits.{number}",
            limit="a community that the source may pay for and the floor counts",
            remedy="widen the places of the floor or of the source, or drop the floor",
            message="the floor has no eligible place, so nothing can be spent on it",
        )  # fmt: skip
        return
    if limit.for_each == "source":
        return
    places = _places(frame, source, limit)
    for year, money, most in zip(scenario.years, free, most_yuan(source, free), strict=True):
        low = limit.range_yuan(money)[0]
        if low * len(places) <= most or low > most:  # above all the money alone is said by the scenario
            continue
        yield Finding(
            "error", file="scenario", column=f"sources.{name}.limits.{number}", value=f"{low:,.0f}",
            no_plan=True,
            limit=f"{most:,.0f} in all",
            remedy="lower the floor, name fewer places, or raise the amount",
            message=f"the floor of {low:,.0f} yuan for each {limit.for_each} makes {low * len(places):,.0f} for "
            f"{len(places)} in {year}, above the {most:,.0f} that the source can have",
        )  # fmt: skip
        return


def _places(frame: pd.DataFrame, source: Source, limit: Limit) -> set[str]:
    """Districts or communities that a floor holds in, as far as the source may pay there."""
    if limit.for_each == "community" and not {"work_funds", "space", "debt_relief"} & set(
        limit.purposes or source.purposes
    ):
        return set()  # services may be shared by all
    return set(_counted(frame, source, limit)[limit.for_each])


def _counted(frame: pd.DataFrame, source: Source, limit: Limit) -> pd.DataFrame:
    """Communities that a source may pay for and that a limit counts."""
    here = _here(frame, source)
    if limit.districts:
        here = here[here["district"].isin(limit.districts)]
    if limit.communities or limit.types:
        here = here[here["community"].isin(limit.communities) | here["type"].isin(limit.types)]
    return here


def _hard_floor(frame: pd.DataFrame, scenario: Scenario) -> Iterator[Finding]:
    """Entitlements under a hard floor that are above the ceiling of grants, or above all money that may pay them."""
    rule = scenario.programmes.work_funds
    supported = np.array(["work_funds" in scenario.guidance[kind].purposes for kind in frame["class"]], dtype=bool)
    due, most = entitlements(frame, scenario, supported, np.array(scenario.price_index()))
    over = np.argwhere(due > most)
    if len(over):
        i, t = over[0].tolist()
        who = sorted({str(frame["community"].iloc[n]) for n in over[:, 0].tolist()})
        yield Finding(
            "error", file="scenario", column="programmes.work_funds.ceiling_yuan", value=f"{rule.ceiling_yuan:g}",
            no_plan=True,
            limit=f"{due[i, t]:,.0f} in {scenario.years[t]}",
            remedy="raise it, lower floor_yuan or the care, or make the floor soft (hard_floor: false)",
            message=f"the hard floor is above the ceiling: {frame['community'].iloc[i]} is due {due[i, t]:,.0f} yuan "
            f"in {scenario.years[t]}, but at most {most[i, t]:,.0f} may be granted; so it is for {listed(who, 5)}",
        )  # fmt: skip
    for place in ("", *sorted(set(frame["district"]))):
        there = np.ones(len(frame), dtype=bool) if not place else (frame["district"] == place).to_numpy(dtype=bool)
        money = _for_work_funds(scenario, set(frame["district"]) if not place else {place})
        short = np.flatnonzero(due[there].sum(axis=0) > money)
        if not len(short):
            continue
        t = int(short[0])
        asked = due[there, t].sum()
        yield Finding(
            "error", file="scenario", column="programmes.work_funds.floor_yuan", value=f"{rule.floor_yuan:g}",
            no_plan=True,
            limit=f"{money[t]:,.0f} in {scenario.years[t]}",
            remedy="lower it or the care, make it soft (hard_floor: false), or raise the sources that may pay there",
            message=f"the hard floor is above the budget: work funds{f' in {place}' if place else ''} come to "
            f"{asked:,.0f} yuan in {scenario.years[t]}, above the {money[t]:,.0f} that there can be for them",
        )  # fmt: skip
        if not place:
            return  # what holds for the whole city need not be said of each district


def _for_work_funds(scenario: Scenario, districts: set[str]) -> Floats:
    """(T,) most yuan that all sources together could pay for work funds in some districts."""
    total = np.zeros(len(scenario.years))
    for name, source in scenario.sources.items():
        if "work_funds" in source.purposes and (not source.districts or districts & set(source.districts)):
            free = scenario.free_yuan(name)
            most = np.array(most_yuan(source, free))
            if "work_funds" in source.ceiling_share:
                share = source.ceiling_share["work_funds"] * np.array(free, dtype=float)
                most = np.minimum(most, np.floor(share + 1e-6))
            total += most
    return total
