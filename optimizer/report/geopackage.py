"""The plan as map layers: one GeoPackage with communities, stations and who goes where."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import LineString, Point

from optimizer.facts import BEFORE, Facts
from optimizer.words import class_title, type_title

DATE = "2000-01-01T00:00:00Z"  # written into the file instead of the moment, so that equal plans are equal files


def community_layer(facts: Facts) -> gpd.GeoDataFrame:
    """Return one row per community: outlines, who lives there, scores, money and met shares of the last year.

    Columns: `score` over all years, `score_before` the plan, `score_first` and `score_last`, `change` between these
    two, `gain` from before the plan to the last year, `set_aside`, `class`, `entitled_yuan` and `grant_yuan` of the
    last year, `grants_yuan`, `space_yuan`, `services_yuan` over all years (costs that belong to the community alone),
    `area_added_m2`, and `met_<need>` of the last year, missing where there is no such need.
    """
    run, last = facts.run, facts.last
    frame = facts.city.communities[
        ["community", "name", "name_zh", "district", "sub_district", "type", "main_city", "population", "geometry"]
    ].reset_index(drop=True)
    keys, scores = frame["community"], facts.scores
    frame["class"] = keys.map(facts.class_of).fillna("")
    frame["set_aside"] = keys.isin(facts.set_aside)
    frame["score"], frame["score_before"] = keys.map(scores["whole"]), keys.map(scores[BEFORE])
    frame["score_first"], frame["score_last"] = keys.map(scores[facts.first]), keys.map(scores[last])
    frame["change"] = frame["score_last"] - frame["score_first"]
    frame["gain"] = frame["score_last"] - frame["score_before"]
    grants = run.grants[run.grants["year"] == last].set_index("community")
    frame["entitled_yuan"] = keys.map(grants["entitled_yuan"]).fillna(0).astype("int64")
    frame["grant_yuan"] = keys.map(grants["grant_yuan"]).fillna(0).astype("int64")
    paid = run.ledger.assign(part=run.ledger["purpose"].replace({"service_capital": "services",
                                                                  "service_running": "services"}))  # fmt: skip
    sums = paid.groupby(["community", "part"])["yuan"].sum().unstack(fill_value=0)
    for column, part in (("grants_yuan", "work_funds"), ("space_yuan", "space"), ("services_yuan", "services")):
        values = sums[part] if part in sums.columns else pd.Series(dtype="int64")
        frame[column] = keys.map(values).fillna(0).astype("int64")
    frame["area_added_m2"] = keys.map(facts.added_by_community(last)).fillna(0.0)
    met = facts.met[facts.met["year"] == last].pivot_table(index="community", columns="need", values="met_share")
    for need in facts.needs:
        frame[f"met_{need}"] = keys.map(met[need]) if need in met.columns else np.nan
    return frame[[*(c for c in frame.columns if c != "geometry"), "geometry"]]


def site_points(facts: Facts) -> dict[str, Point]:
    """Return where every site of the tables stands: the building, the facility, or else within its community."""
    city = facts.city
    points = dict(zip(city.facilities["facility"].astype(str), city.facilities.geometry, strict=True))
    points |= dict(zip(city.sites["site"].astype(str), city.sites.geometry, strict=True))
    inside = dict(zip(city.communities["community"], city.communities.geometry.representative_point(), strict=True))
    for row in facts.run.stations[["site", "community"]].drop_duplicates("site").itertuples(index=False):
        if str(row.site) not in points and row.community in inside:
            points[str(row.site)] = inside[row.community]
    return points


def station_layer(facts: Facts) -> gpd.GeoDataFrame:
    """Return one point per station (site and service) as it is in the last year; `change` says what became of it."""
    frame, points = facts.stations, site_points(facts)
    frame = frame[frame["site"].isin(points)].reset_index(drop=True)
    columns = ["site", "name", "service", "level", "change", "change_year", "capacity", "area_m2", "capital_yuan",
               "running_yuan", "community", "district"]  # fmt: skip
    frame = frame.assign(name=[facts.site_label(str(s)) for s in frame["site"]])
    return gpd.GeoDataFrame(
        frame.reindex(columns=columns), geometry=[points[str(s)] for s in frame["site"]], crs=facts.city.metric_crs
    )


def assignment_layer(facts: Facts) -> gpd.GeoDataFrame:
    """Return lines from communities to the stations that serve them in the last year, own offices left out."""
    points = site_points(facts)
    inside = dict(
        zip(facts.city.communities["community"], facts.city.communities.geometry.representative_point(), strict=True)
    )
    offices = facts.city.sites[facts.city.sites["use"] == "office"]
    inside |= dict(zip(offices["community"], offices.geometry, strict=True))
    frame = facts.run.assignments
    networks = [s for s, rule in facts.run.scenario.services.items() if rule.siting == "network"]
    frame = frame[(frame["year"] == facts.last) & frame["service"].isin(networks) & (frame["amount"] > 0)]
    frame = frame[frame["site"].isin(points) & frame["community"].isin(inside)].reset_index(drop=True)
    lines = [
        LineString([inside[c], points[s]]) for c, s in zip(frame["community"], frame["site"].astype(str), strict=True)
    ]
    columns = ["community", "site", "service", "amount", "travel_m"]
    return gpd.GeoDataFrame(frame[columns], geometry=lines, crs=facts.city.metric_crs)


def write_geopackage(path: Path, facts: Facts) -> None:
    """Write the layers `communities`, `stations` and `assignments`; equal plans give equal files."""
    import pyogrio

    scenario = facts.run.scenario
    communities = community_layer(facts)
    communities.insert(6, "type_title", [type_title(scenario, str(t)) for t in communities["type"]])
    at = int(communities.columns.get_indexer(["class"])[0]) + 1
    communities.insert(at, "class_title", [class_title(scenario, str(c)) for c in communities["class"]])
    layers = {"communities": communities, "stations": station_layer(facts), "assignments": assignment_layer(facts)}
    kinds = {"communities": "MultiPolygon", "stations": "Point", "assignments": "LineString"}
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": DATE})
    try:
        path.unlink(missing_ok=True)
        for name, layer in layers.items():
            pyogrio.write_dataframe(
                layer, path, layer=name, driver="GPKG", geometry_type=kinds[name], append=path.exists(),
                promote_to_multi=name == "communities",
            )  # fmt: skip
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
