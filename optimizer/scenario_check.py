"""Checks of a scenario against a city: what names something that is not there, and money that could go nowhere."""

from collections.abc import Iterable

from geodata.city import City
from geodata.findings import Finding, did_you_mean
from optimizer.guidance import condition_columns
from optimizer.scenario import Scenario

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
    columns = {*city.communities.columns, *_DERIVED}
    found += _unknown("guidance", condition_columns(scenario.guidance), columns, "column of communities")
    return found


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
