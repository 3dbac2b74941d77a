"""The data the report's script works with: everything a click can ask for, as small as it can be."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from optimizer.facts import BEFORE, Facts
from optimizer.report.geopackage import site_points
from optimizer.report.map_chart import Outline
from optimizer.report.why import why
from optimizer.words import (
    INSTRUMENT_TITLES,
    PURPOSE_TITLES,
    class_title,
    need_title,
    source_title,
    thousandths,
    type_title,
)

Rows = dict[str, list[list[Any]]]


def payload(facts: Facts, made: Outline) -> dict[str, Any]:
    """Return the page's data. Shares and scores are in thousandths, None where there is no need."""
    scenario, frame = facts.run.scenario, facts.communities
    districts = list(dict.fromkeys(frame["district"].astype(str)))
    types = list(dict.fromkeys(frame["type"].astype(str)))
    sources = list(scenario.sources)
    return {
        "years": facts.run.years,
        "currency": scenario.currency.name,
        "height": made.height,
        "needs": [{"key": n, "title": need_title(scenario, n), "unit": _unit(facts, n),
                   "network": n in scenario.services and scenario.services[n].siting == "network",
                   "service": n in scenario.services} for n in facts.needs],
        "districts": [{"key": d, "title": facts.district_label(d)} for d in districts],
        "types": [{"key": t, "title": type_title(scenario, t)} for t in types],
        "sources": [source_title(scenario, s) for s in sources],
        "purposes": [
            title for p, title in PURPOSE_TITLES.items() if p != "debt_relief" or p in facts.needs
        ],
        "money": _money(facts, sources, districts),
        "communities": _communities(facts, made, districts, types, sources),
        "sites": _sites(facts, made),
    }  # fmt: skip


def _unit(facts: Facts, need: str) -> str:
    rows = facts.run.met.loc[facts.run.met["need"] == need, "unit"]
    return str(rows.iloc[0]) if len(rows) else ""


def _money(facts: Facts, sources: list[str], districts: list[str]) -> list[list[int]]:
    """Return rows of source, purpose, district, year (positions) and money."""
    sums = facts.run.ledger.groupby(["source", "purpose", "district", "year"], as_index=False)["yuan"].sum()
    purposes, years, rows = list(PURPOSE_TITLES), facts.run.years, []
    for row in sums.itertuples(index=False):
        if row.source in sources and row.purpose in purposes and row.year in years:
            where = districts.index(str(row.district)) if row.district in districts else -1
            rows.append(
                [sources.index(str(row.source)), purposes.index(str(row.purpose)), where, years.index(row.year),
                 int(str(row.yuan))]
            )  # fmt: skip
    return rows


def _communities(
    facts: Facts, made: Outline, districts: list[str], types: list[str], sources: list[str]
) -> list[dict[str, Any]]:
    shares, hefts = _met(facts)
    had = facts.met_before.set_index(["community", "need"])["met_share"].to_dict()
    rooms, served, paid = _rooms(facts), _served(facts), _paid(facts, sources)
    grants, scores, years = facts.grants, facts.score_of, facts.run.years
    result = []
    for i, (community, row) in enumerate(facts.rows.items()):
        result.append(
            {
                "id": community, "name": row["label"], "zh": str(row["name_zh"] or ""),
                "d": districts.index(str(row["district"])), "sub": str(row["sub_district"] or ""),
                "t": types.index(str(row["type"])), "main": int(bool(row["main_city"])),
                "class": class_title(facts.run.scenario, facts.class_of.get(community, "")),
                "people": round(float(row["population"])), "debt": round(float(row["debt_yuan"])),
                "score": [thousandths(scores.get((community, y))) for y in years],
                "before": thousandths(scores.get((community, BEFORE))),
                "whole": thousandths(scores.get((community, "whole"))),
                "had": [thousandths(had.get((community, n))) for n in facts.needs],
                "met": [[thousandths(shares.get((community, n, y))) for y in years] for n in facts.needs],
                "heft": [round(hefts.get((community, n), 0.0)) for n in facts.needs],
                "grant": [grants.get((community, y), (0, 0))[1] for y in years],
                "entitled": [grants.get((community, y), (0, 0))[0] for y in years],
                "aside": int(community in facts.set_aside), "box": made.boxes[i],
                "rooms": rooms.get(community, []), "served": served.get(community, []),
                "paid": paid.get(community, []), "why": why(facts, community),
            }
        )  # fmt: skip
    return result


def _met(facts: Facts) -> tuple[Mapping[tuple[str, str, int], float], Mapping[tuple[str, str], float]]:
    rows = facts.met[["community", "need", "year", "met_share", "heft"]].itertuples(index=False)
    shares, hefts = {}, {}
    for community, need, year, met_share, heft in rows:
        shares[str(community), str(need), int(year)] = float(met_share)
        hefts[str(community), str(need)] = float(heft)
    return shares, hefts


def _rooms(facts: Facts) -> Rows:
    """Community -> rooms: name, instrument, largest area in use, money over all years, first year in use, use.

    The year is 0 where they are paid for, but not in use before the plan ends.
    """
    frame, result = facts.run.space, Rows()
    if frame.empty:
        return result
    frame = frame[frame["use"] != "station"]
    frame = frame.assign(since=frame["year"].where(frame["area_m2"] > 0))
    sums = frame.groupby(["community", "site", "instrument", "use"], as_index=False).agg(
        area=("area_m2", "max"), cost=("cost_yuan", "sum"), year=("since", "min"), given=("given_m2", "max")
    )
    sums["year"] = sums["year"].fillna(0)
    for community, site, instrument, use, area, cost, year, given in sums.itertuples(index=False):
        how = INSTRUMENT_TITLES.get(str(instrument), str(instrument))
        how += f" for {float(given):g} m² of the office" if given > 0 else ""
        row = [facts.site_label(str(site)), how, round(float(area), 1), int(cost), int(year), str(use)]
        result.setdefault(str(community), []).append(row)
    return result


def _served(facts: Facts) -> Rows:
    """Community -> who serves it in the last year: station, need (position), share in thousandths, travel, change."""
    frame, result = facts.run.assignments, Rows()
    frame = frame[(frame["year"] == facts.last) & (frame["amount"] > 0)]
    change = {(str(r.site), str(r.service)): (str(r.change), int(str(r.change_year)))
              for r in facts.stations.itertuples(index=False)}  # fmt: skip
    need = facts.last_met
    rows = frame[["community", "site", "service", "amount", "travel_m"]].sort_values(
        ["community", "service", "amount"], ascending=[True, True, False], kind="stable"
    )
    for community, site, service, amount, travel in rows.itertuples(index=False):
        whole = need.get((str(community), str(service)))
        if whole is None or service not in facts.needs or whole.need_amount <= 0:
            continue
        what, year = change.get((str(site), str(service)), ("existing", 0))
        result.setdefault(str(community), []).append(
            [facts.site_label(str(site)), facts.needs.index(str(service)),
             thousandths(float(amount) / whole.need_amount), round(float(travel)), what, year]
        )  # fmt: skip
    return result


def _paid(facts: Facts, sources: list[str]) -> Rows:
    """Community -> money that belongs to it alone: source, purpose (positions), amount over all years."""
    frame, result = facts.run.ledger, Rows()
    sums = frame[frame["community"] != ""].groupby(["community", "source", "purpose"], as_index=False)["yuan"].sum()
    purposes = list(PURPOSE_TITLES)
    for community, source, purpose, yuan in sums.itertuples(index=False):
        if source in sources and purpose in purposes:
            row = [sources.index(str(source)), purposes.index(str(purpose)), int(yuan)]
            result.setdefault(str(community), []).append(row)
    return result


def _sites(facts: Facts, made: Outline) -> list[dict[str, Any]]:
    """Return places with stations: position, name, community, and services with what became of them.

    That is need (position), change, its year, capacity in the last year, capacity before the plan.
    """
    points, position = site_points(facts), {str(c): i for i, c in enumerate(facts.communities.index)}
    frame, had = facts.stations, facts.capacity_before.to_dict()
    result: list[dict[str, Any]] = []
    for site, part in frame[frame["service"].isin(facts.needs)].groupby("site"):
        if str(site) not in points:
            continue
        point, home = points[str(site)], position.get(str(part["community"].iloc[0]), -1)
        if home < 0:
            continue
        x, y = made.place(point.x, point.y, made.part[home])
        rows: pd.DataFrame = part[["service", "change", "change_year", "capacity"]]
        services = [[facts.needs.index(str(s)), str(c), int(when), round(float(size), 1),
                     round(had.get((str(site), str(s)), 0.0), 1)]
                    for s, c, when, size in rows.itertuples(index=False)]  # fmt: skip
        result.append({"x": x, "y": y, "name": facts.site_label(str(site)), "c": home, "services": services})
    return result
