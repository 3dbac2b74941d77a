"""Checks of a city: everything that is wrong or odd, all of it at once, before anything is planned."""

from collections.abc import Collection, Mapping

from geodata.check_columns import check_columns
from geodata.check_gcj import check_gcj02
from geodata.check_ground import check_ground
from geodata.check_meaning import check_meaning
from geodata.check_streets import check_streets
from geodata.city import City
from geodata.findings import Finding
from geodata.schema import TABLES


def check_city(
    city: City, *, types: Collection[str], services: Mapping[str, str], modes: Collection[str] = ("walking",)
) -> list[Finding]:
    """Return all findings about a city, those made while reading it included; errors first.

    `types` are the scenario's types of community, `services` its services with their siting (own, network), `modes` how
    people travel to them. Tables that could not be read are not checked again, nor what depends on them.
    """
    found = list(city.findings)
    for table in TABLES.values():
        if table.name not in city.unread:
            found += check_columns(city, table, types, services)
    found += check_meaning(city, services)
    found += check_ground(city)
    found += check_streets(city, sorted(modes))
    found += check_gcj02(city)
    order = {"error": 0, "warning": 1}
    return sorted(found, key=lambda f: order[f.severity])
