"""Checks across columns and tables: what each row says together with the others."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from geodata.check_columns import feature
from geodata.check_swaps import check_swaps
from geodata.check_ties import check_ties
from geodata.city import City
from geodata.findings import Finding, Severity, listed

_GROUPS = ("elderly", "children", "laid_off")
_FITTING = {
    "office": ("existing",),
    "hall": ("share",),
    "extension": ("build", "renovate", "rent", "swap", "hand_over"),
    "station": ("build", "renovate", "rent", "swap", "hand_over"),
}


def check_meaning(city: City, services: Mapping[str, str]) -> list[Finding]:
    """Return what does not fit together; nothing about tables that could not be read."""
    found = [*_people(city), *_names(city), *_districts(city)]
    if "sites" not in city.unread:
        found += [*_offices(city), *_buildings(city, services), *check_swaps(city)]
    if "needs" not in city.unread:
        found += [*_needs(city, services), *_persons(city)]
    if not {"sites", "facilities"} & city.unread:
        found += [*_facilities(city, services), *_closings(city, services), *_spare(city, services)]
        found += check_ties(city)
        found += _full_offices(city, services)
        found += [*_reachable(city, services)]
    return found


def _people(city: City) -> Iterable[Finding]:
    communities = city.communities
    population, households = communities["population"], communities["households"]
    for group in (*_GROUPS, "migrants"):
        yield from _above(city, group, communities[group], population, "is more than the population", "population")
    both = (communities["elderly"] + communities["children"]).where(
        communities[["elderly", "children"]].max(axis=1) <= population
    )
    yield from _above(
        city, "elderly", both, population, "and children together are more than the population", "children"
    )
    poor = communities["min_income_households"]
    yield from _above(city, "min_income_households", poor, households, "is more than its households", "households")
    some = population[population > 0]
    for p in np.flatnonzero((population == 0).to_numpy()).tolist() if len(some) else []:
        yield city.finding(
            "warning",
            "communities",
            p,
            "nobody lives here, yet it is due work funds and rooms as any community, and may be the worst-off one",
            feature=feature(city, "communities", p),
            column="population",
            value="0",
            remedy="give its residents, or join it to a community beside it",
        )
    if len(some) and some.median() < 30:
        yield city.finding(
            "warning",
            "communities",
            None,
            "is very small for a community; is it in thousands?",
            column="population",
            value=f"{some.median():.4g} (the middle one)",
            remedy="give persons",
        )
    if len(population) and not len(some):
        yield city.finding(
            "error", "communities", None, "is 0 everywhere", column="population", remedy="give the number of residents"
        )


def _above(city: City, column: str, count: pd.Series, limit: pd.Series, message: str, other: str) -> Iterable[Finding]:
    """Findings for communities whose count is above the limit; migrants may not be counted as residents: a warning."""
    for p in np.flatnonzero((count > limit * (1 + 1e-9)).to_numpy()).tolist():
        yield city.finding(
            "warning" if column == "migrants" else "error",
            "communities",
            p,
            message,
            feature=feature(city, "communities", p),
            column=column,
            value=f"{count.iloc[p]:.12g}",
            limit=f"at most {limit.iloc[p]:.12g}",
            remedy=f"check it and {other} = {city.communities[other].iloc[p]:.12g}",
        )


def _names(city: City) -> Iterable[Finding]:
    names = city.communities["name"]
    doubled = sorted(set(names[names.duplicated()]))
    if doubled:
        yield city.finding(
            "warning",
            "communities",
            None,
            f"several communities are called {listed(doubled, 5)}",
            column="name",
            remedy="give names that tell them apart; the identifiers are used meanwhile",
        )


def _districts(city: City) -> Iterable[Finding]:
    if not len(city.districts):
        return
    known = set(city.districts["district"])
    strange = sorted(set(city.communities["district"]) - known)
    if strange:
        yield city.finding(
            "warning",
            "communities",
            None,
            f"{listed(strange, 5)}: not in the table districts",
            column="district",
            limit=listed(sorted(known)),
            remedy="write it as in districts, or add it there",
        )


def _offices(city: City) -> Iterable[Finding]:
    offices = city.sites[city.sites["use"] == "office"]
    first: dict[str, str] = {}
    for p, site, community in zip(offices.index, offices["site"], offices["community"], strict=True):
        if community not in first:
            first[community] = site
            continue
        yield city.finding(
            "error",
            "sites",
            int(p),
            f"is a second office of {community}; the first is {first[community]}",
            feature=feature(city, "sites", int(p)),
            column="use",
            value="office",
            limit="one office for each community",
            remedy="add their areas in one row, or call it an extension",
        )
    for p, community in enumerate(city.communities["community"]):
        if community not in first:
            yield city.finding(
                "warning",
                "communities",
                p,
                "has no office: 0 m2, at a point inside its polygon",
                feature=feature(city, "communities", p),
                remedy="add a row with use = office to sites",
            )


def _buildings(city: City, services: Mapping[str, str]) -> Iterable[Finding]:
    sites = city.sites
    known = {instrument for fitting in _FITTING.values() for instrument in fitting}
    for use, fitting in _FITTING.items():
        wrong = (sites["use"] == use) & sites["instrument"].isin(known - set(fitting))
        limit = listed(fitting)
        yield from _sites(city, wrong, "instrument", f"does not go with use = {use}", limit, f"use {limit}")
    area, least, year = sites["area_m2"], sites["min_area_m2"], sites["first_year"]
    remedy = "it must be at most area_m2, else no plan can take it"
    yield from _sites(city, least > area, "min_area_m2", "is above the area", "at most area_m2", remedy)
    nothing = (sites["use"] != "office") & (area == 0) & (least == 0)
    yield from _sites(city, nothing, "area_m2", "leaves nothing to take", "above 0", "give its area", "warning")
    strange = (year != 0) & ((year < 1900) | (year > 2200))
    limit = "0, or from 1900 to 2200"
    yield from _sites(city, strange, "first_year", "is no calendar year", limit, "0 means at once")
    ready = sites["use"].isin(["extension", "station"])
    limit = "extensions and station buildings"
    yield from _sites(
        city, (sites["must"] != "") & ~ready, "must", "is for buildings to be taken", limit, "leave it empty"
    )
    given = (sites["project_m2"] > 0) & (sites["instrument"] != "hand_over")
    message = "does nothing here: only developers who hand over rooms leave a deposit"
    yield from _sites(city, given, "project_m2", message, "instrument = hand_over", "leave it empty", "warning")
    own = {service for service, siting in services.items() if siting == "own"}
    stands = pd.Series([bool(own & set(text.split(","))) for text in sites["services"]], index=sites.index, dtype=bool)
    message = f"own services ({listed(sorted(own))}) stand only at the communities' offices"
    yield from _sites(city, stands, "services", message, "network services", "leave them out", "warning")


def _sites(
    city: City, rows: pd.Series, column: str, message: str, limit: str, remedy: str, severity: Severity = "error"
) -> Iterable[Finding]:
    """One finding for every site where `rows` is true."""
    for p in np.flatnonzero(rows.to_numpy()).tolist():
        value = city.sites[column].iloc[p]
        text = f"{value:.12g}" if isinstance(value, float) else str(value)
        name = feature(city, "sites", p)
        yield city.finding(
            severity, "sites", p, message, feature=name, column=column, value=text, limit=limit, remedy=remedy
        )


def _needs(city: City, services: Mapping[str, str]) -> Iterable[Finding]:
    needed = set(city.needs.loc[city.needs["amount"] > 0, "need"])
    for service in services:
        if service not in needed:
            yield city.finding(
                "warning",
                "needs",
                None,
                f"nobody needs {service}, a service of the scenario",
                column="need",
                value=service,
                remedy="add its needs, or drop the service from the scenario",
            )
    some = set(city.needs.loc[city.needs["amount"] > 0, "community"])
    lived_in = city.communities["population"] > 0
    for p, community in enumerate(city.communities["community"]):
        if community not in some and lived_in.iloc[p]:
            yield city.finding(
                "warning",
                "communities",
                p,
                "has no needs of services; they count as met in full",
                feature=feature(city, "communities", p),
                remedy="add its rows to needs",
            )


def _persons(city: City) -> Iterable[Finding]:
    population = dict(zip(city.communities["community"], city.communities["population"], strict=True))
    limit = city.needs["community"].map(population).to_numpy(dtype=float)
    above = city.needs["persons"].to_numpy(dtype=float) > limit * (1 + 1e-9)
    for need, rows in city.needs[above].groupby("need", sort=True):
        p = int(rows.index[0])
        yield city.finding(
            "warning",
            "needs",
            p,
            f"is more than the population ({limit[p]:.12g}); so for {need} in {len(rows)} communities",
            feature=feature(city, "needs", p),
            column="persons",
            value=f"{rows['persons'].iloc[0]:.12g}",
            limit=f"at most {limit[p]:.12g}",
            remedy="give the people concerned in column persons",
        )


def _facilities(city: City, services: Mapping[str, str]) -> Iterable[Finding]:
    place = dict(zip(city.sites["site"], city.sites["community"], strict=True))
    for p, row in enumerate(city.facilities.itertuples(index=False)):
        name = str(row.name or row.facility)
        if row.service in services and row.capacity == 0:
            yield city.finding(
                "warning",
                "facilities",
                p,
                "serves nobody",
                feature=name,
                column="capacity",
                value="0",
                limit="above 0",
                remedy="give the units a year it can serve",
            )
        if row.site and row.site in place and place[row.site] != row.community:
            yield city.finding(
                "warning",
                "facilities",
                p,
                f"lies in {place[row.site]}, the facility in {row.community}",
                feature=name,
                column="site",
                value=row.site,
                remedy="give both the same community",
            )


def _closings(city: City, services: Mapping[str, str]) -> Iterable[Finding]:
    """What facilities say of their lease and what must become of them, where that cannot be."""
    first: dict[tuple[str, str, str], tuple[int, str, str]] = {}
    for p, row in enumerate(city.facilities.itertuples(index=False)):
        name = str(row.name or row.facility)
        said = (int(row.lease_until), str(row.must))
        own = services.get(row.service) == "own" or row.level == "outlet"
        if any(said) and (own or row.service not in services):
            message = "does nothing here: only stations and centres of network services close"
            remedy = "leave it empty"
            column, value = ("lease_until", said[0]) if said[0] else ("must", said[1])
            yield city.finding(
                "warning", "facilities", p, message, feature=name, column=column, value=value, remedy=remedy
            )
        if said[0] and said[1] == "keep":
            message, remedy = "cannot be where it must stay", "leave lease_until empty, or must"
            yield city.finding(
                "error", "facilities", p, message, feature=name, column="lease_until", value=said[0], remedy=remedy
            )
        if not row.site:
            continue
        place = (str(row.site), str(row.service), str(row.level))
        other = first.setdefault(place, (*said, name))
        if other[:2] != said and not own:
            message = f"is not what {other[2]} in the same building says; they close together"
            column = "lease_until" if other[0] != said[0] else "must"
            yield city.finding(
                "error", "facilities", p, message, feature=name, column=column, value=said[0] or said[1],
                remedy="give both the same",
            )  # fmt: skip


def _spare(city: City, services: Mapping[str, str]) -> Iterable[Finding]:
    """A warning for floor to spare that no station can grow into."""
    buildings = set(city.sites.loc[city.sites["use"] == "station", "site"])
    for p in np.flatnonzero((city.facilities["spare_m2"] > 0).to_numpy()).tolist():
        row = city.facilities.iloc[p]
        if services.get(str(row["service"]), "own") == "own" or row["level"] != "station":
            why = "does nothing here: only stations of network services grow into it"
        elif row["site"] in buildings:
            why = f"does nothing here: a station in {row['site']} grows with that building"
        else:
            continue
        yield city.finding(
            "warning", "facilities", p, why, feature=str(row["name"] or row["facility"]), column="spare_m2",
            value=f"{row['spare_m2']:g}", remedy="leave it empty",
        )  # fmt: skip


def _full_offices(city: City, services: Mapping[str, str]) -> Iterable[Finding]:
    """A warning for every office in which facilities have more floor than there is."""
    offices, facilities = city.sites[city.sites["use"] == "office"], city.facilities
    own = facilities["service"].map(services) == "own"
    at_home = facilities["community"].map(offices.drop_duplicates("community").set_index("community")["site"])
    site = facilities["site"].where((facilities["site"] != "") | ~own, at_home)
    used = (facilities["area_m2"] + facilities["spare_m2"]).groupby(site).sum()
    for p, name, area in zip(offices.index, offices["site"], offices["area_m2"], strict=True):
        floor = used.get(name, 0.0)
        if floor > max(area, 0.0) + 1e-6:
            yield city.finding(
                "warning", "sites", int(p), "has less floor than the facilities in it, with what they may grow into",
                feature=feature(city, "sites", int(p)), column="area_m2", value=f"{area:g}",
                limit=f"at least {floor:g}", remedy="correct the areas, or leave site empty",
            )  # fmt: skip


def _reachable(city: City, services: Mapping[str, str]) -> Iterable[Finding]:
    stations = city.sites[city.sites["use"] == "station"]
    anywhere = (stations["services"] == "").any()
    named = {s for text in stations["services"] for s in text.split(",")}
    given = set(city.facilities.loc[city.facilities["capacity"] > 0, "service"])
    for service, siting in services.items():
        if siting == "network" and not anywhere and service not in named | given:
            yield city.finding(
                "warning",
                "sites",
                None,
                f"no building and no facility can give {service}",
                column="services",
                value=service,
                remedy="add a station building for it",
            )
