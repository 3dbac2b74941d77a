"""Checks of what facilities say they hang on: the level above, of one service, and no circles."""

from collections.abc import Iterable

from geodata.city import City
from geodata.findings import Finding, listed


def check_ties(city: City) -> list[Finding]:
    """Return an error for every facility that cannot hang on what it says, and for every circle."""
    return [*_ties(city), *_circles(city)]


def _ties(city: City) -> Iterable[Finding]:
    """Errors for facilities that hang on one of another service or not above them, or not on the same as their like."""
    frame = city.facilities
    rows = {str(r.facility): r for r in frame.itertuples(index=False)}
    above = {"outlet": ("station", "centre"), "station": ("centre",)}
    offices = set(city.sites.loc[city.sites["use"] == "office", "community"])
    first: dict[tuple[str, str, str], tuple[str, str]] = {}
    for p, row in enumerate(frame.itertuples(index=False)):
        name, upper = str(row.name or row.facility), rows.get(str(row.hangs_on))
        place = row.site or (row.community if row.community in offices else row.facility)
        at = (str(place), str(row.service), str(row.level))
        other = first.setdefault(at, (str(row.hangs_on), name))
        fitting = listed(above.get(str(row.level), ()))
        if other[0] != row.hangs_on:
            limit = f"{other[0] or 'nothing'}, as {other[1]} says"
            why, remedy = "is not what its like at the same place says", "give both the same"
        elif upper is None:
            continue
        elif not row.service or upper.service != row.service:
            why, limit = f"gives {upper.service or 'no service'}", f"a facility that gives {row.service or 'a service'}"
            remedy = f"name {limit}" if row.service else "leave it empty"
        elif upper.level not in above.get(str(row.level), ()):
            why, limit = f"is of level {upper.level}; that is not above {row.level}", fitting or "nothing"
            remedy = f"name a {fitting.replace(', ', ' or ')}" if fitting else "leave it empty"
        else:
            continue
        yield city.finding(
            "error", "facilities", p, why, feature=name, column="hangs_on", value=str(row.hangs_on), limit=limit,
            remedy=remedy,
        )  # fmt: skip


def _circles(city: City) -> Iterable[Finding]:
    """One error for every circle of facilities that hang on each other."""
    frame = city.facilities
    on = dict(zip(frame["facility"], frame["hangs_on"], strict=True))
    seen: set[str] = set()
    for start in frame["facility"]:
        path, here = list[str](), start
        while here and here not in seen and here not in path and here in on:
            path.append(here)
            here = on[here]
        if here in path:
            circle = path[path.index(here) :]
            yield city.finding(
                "error", "facilities", list(frame["facility"]).index(circle[0]), "hangs on itself in a circle",
                feature=circle[0], column="hangs_on", value=" → ".join([*circle, circle[0]]),
                limit="an outlet on a station or centre, a station on a centre", remedy="leave one of them empty",
            )  # fmt: skip
        seen.update(path)
