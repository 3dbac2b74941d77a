"""Where facilities stand: at the building they name, at the office of their community, or at a place of their own."""

from geodata.city import City


def facility_sites(city: City) -> list[str]:
    """Return the site of every facility: its own identifier where it stands at a place of its own."""
    offices = city.sites[city.sites["use"] == "office"].drop_duplicates("community")
    office = dict(zip(offices["community"], offices["site"], strict=True))
    frame = city.facilities
    return [
        site or office.get(community, facility)
        for site, community, facility in zip(frame["site"], frame["community"], frame["facility"], strict=True)
    ]
