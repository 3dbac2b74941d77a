"""Which centre every station hangs on, as a table (equation 13)."""

import pandas as pd

from geodata.city import City
from optimizer.problem import Problem
from optimizer.problem_levels import ways_to_centres
from optimizer.problem_reach import site_points


def levels_table(problem: Problem, city: City, stations: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `levels.csv`: stations of services with levels, their centre (empty: none) and the way there."""
    points, old, rows = site_points(city), problem.existing, []
    services = list(problem.scenario.services.items())
    centre: dict[tuple[str, str], int] = {}
    for sites, service, of in (
        (problem.places.site, problem.places.service, problem.place_centre),
        (old.site, old.service, problem.existing_centre),
    ):
        for site, k, e in zip(sites, service, of, strict=True):
            if e >= -1:
                centre[site, services[k][0]] = int(e)
    ways = {
        name: ways_to_centres(city, problem.scenario, name) for name, rule in services if rule.hierarchy is not None
    }
    named = stations.loc[stations["level"] == "station", ["site", "service"]].drop_duplicates()
    for site, service in sorted(named.itertuples(index=False, name=None)):
        if (site, service) not in centre:
            continue
        e = centre[site, service]
        rule = problem.scenario.services[service].hierarchy
        metres = 0.0
        if e >= 0 and rule is not None:
            metres = float(ways[service]([points[site]], [points[old.site[e]]])[0, 0])
        rows.append((site, service, "station", old.site[e] if e >= 0 else "", metres))
    return pd.DataFrame(rows, columns=["site", "service", "level", "centre", "travel_m"])
