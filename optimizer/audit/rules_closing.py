"""Rules of existing stations that close or move, and of those they served, equation (10)."""

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from optimizer.audit.inputs import Case, at_most
from optimizer.audit.report import Recorder
from optimizer.audit.stations import KEY, Stations, closed
from optimizer.audit.travel import Ways


def check_closings(case: Case, stations: Stations, recorder: Recorder) -> None:
    """Check which stations close, when, and which move in."""
    _closings(case, stations.rows, recorder)
    _moves(case, stations.rows, recorder)


def _rules(case: Case) -> dict[str, dict[str, Any]]:
    """Part `closing` of every service that has one."""
    return {service: rule["closing"] for service, rule in case.services.items() if rule.get("closing")}


def _closings(case: Case, rows: pd.DataFrame, recorder: Recorder) -> None:
    old = case.existing.reset_index()
    closed = rows[rows["closes"] > 0].groupby(KEY)["closes"].first()
    old["closes"] = closed.reindex(pd.MultiIndex.from_frame(old[KEY])).fillna(0).to_numpy(dtype=int)
    rules, first, last = _rules(case), case.years[0], case.years[-1]
    shared = (old["service"].map(case.service("siting")) == "network") & (old["level"] != "outlet")
    freely = old["service"].map({s: bool(rules.get(s, {}).get("freely")) for s in case.services}).astype(bool)
    levelled = {s: rule.get("hierarchy") is not None for s, rule in case.services.items()}
    freely &= ~((old["level"] == "centre") & old["service"].map(levelled).astype(bool))  # others may hang on it (13)
    leased = (old["lease_until"] > 0) & (old["lease_until"] < last) & shared & (old["must"] != "keep")
    old["over"] = (old["lease_until"] + 1).where(leased, 0)
    may = shared & (old["must"] != "keep") & (freely | (old["must"] == "close") | (old["closes"] == old["over"]))
    fits = (old["closes"] > first) & (~leased | (old["closes"] <= old["over"]))
    must = (leased | (shared & (old["must"] == "close"))) & (len(case.years) > 1)
    recorder.judge(
        "closing",
        "stations",
        old,
        np.where(old["closes"] > 0, may & fits, ~must).astype(bool),
        key=("site", "service", "level"),
        value="closes",
        limit="over",
        message="{service} at {site} closes in {value} (0: never); its lease ends before {limit} (0: it does not), and "
        "it must: {must}. Else stations stay where the scenario does not let them close after the first year",
    )
    strange = rows[(rows["status"] == "closed") & ~rows["exists"]]
    recorder.judge(
        "closing",
        "stations",
        strange,
        np.zeros(len(strange), dtype=bool),
        key=(*KEY, "year"),
        value="status",
        limit="",
        message="{service} at {site} is said to close in {year}, but it did not exist before the plan",
    )
    place = ["site", "service"]
    closes, opens = (rows[rows[column] > 0].groupby(place)[column].min() for column in ("closes", "start"))
    both = closes.to_frame().join(opens, how="inner").reset_index()
    recorder.judge(
        "closing",
        "stations",
        both,
        np.zeros(len(both), dtype=bool),
        key=("site", "service"),
        value="start",
        limit="closes",
        message="{service} at {site} closes in {limit} and opens in {value}; where a station closes, none of its "
        "service opens in the same building",
    )


def _moves(case: Case, rows: pd.DataFrame, recorder: Recorder) -> None:
    place = ["service", "sub_district", "year"]
    frame = rows.assign(sub_district=rows["place_community"].map(case.communities["sub_district"]))
    moved = frame[frame["moved"] > 0]
    closing = frame[(frame["closes"] == frame["year"])].groupby(place).size()
    moves = moved.groupby(place).size().rename("moves").reset_index()
    moves["closing"] = closing.reindex(pd.MultiIndex.from_frame(moves[place])).fillna(0).to_numpy(dtype=int)
    allowed = {s for s, rule in _rules(case).items() if rule.get("moving_yuan") is not None}
    good = moves["service"].isin(allowed) & (moves["moves"] <= moves["closing"])
    recorder.judge(
        "moving",
        "stations",
        moves,
        good.to_numpy(dtype=bool),
        key=("service", "sub_district", "year"),
        value="moves",
        limit="closing",
        message="{value} stations of {service} are said to move in {sub_district} in {year}; {limit} close there",
    )
    starts = (moved["moved"] == 1) & (moved["year"] == moved["start"]) & (moved["new"] > 0) & ~moved["own"]
    starts &= ~moved["in_place"]
    recorder.judge(
        "moving",
        "stations",
        moved,
        starts.to_numpy(dtype=bool),
        key=(*KEY, "year"),
        value="moved",
        limit="",
        message="{service} at {site} is said to have moved in {year}, but nothing opens there then",
    )


def check_continuity(case: Case, stations: Stations, served: pd.DataFrame, ways: Ways, recorder: Recorder) -> None:
    """Check that who loses a station is served again in time, and that what exists is used to the full at first."""
    gaps = {s: int(r["longest_gap_years"]) for s, r in _rules(case).items() if r.get("longest_gap_years") is not None}
    if not gaps:
        return
    mine = served[served["service"].isin(list(gaps))]
    _today(case, gaps, mine, ways, recorder)
    if not len(mine):  # nobody to lose a station; whether somebody could be served is asked above
        return
    who = ["community", "service"]
    share = mine.pivot_table(index=[*who, "site"], columns="year", values="share", aggfunc="sum")
    share = share.reindex(columns=case.years).fillna(0.0)
    whole = share.groupby(level=who).sum()
    ended = _ended(case, stations, mine, share)
    ended["over"] = ended["closes"] + ended["service"].map(gaps).astype(int)
    for year in case.years[1:]:
        # Shares that ended less than the gap ago need not be made up for yet.
        recent = ended[(ended["closes"] <= year) & (ended["over"] > year)]
        waiting = recent.groupby(who)["share"].sum().reindex(whole.index).fillna(0.0)
        frame = pd.DataFrame({"now": whole[year], "due": whole[case.years[0]] - waiting}).reset_index()
        frame["year"] = year
        recorder.judge(
            "continuity",
            "assignments",
            frame,
            (frame["now"] >= frame["due"] - 1e-4).to_numpy(dtype=bool),
            key=("community", "service", "year"),
            value="now",
            limit="due",
            message="{community} is served {value} of its {service} in {year}; after what closed it must be {limit}",
        )


def _ended(case: Case, stations: Stations, mine: pd.DataFrame, share: pd.DataFrame) -> pd.DataFrame:
    """What may have ended for each community, service and site (share) in a year (closes): what closes there can serve.

    Several levels at one site may close in different years; the tables do not say which of them served whom.
    """
    before = share.melt(ignore_index=False, value_name="share").reset_index()
    before["closes"] = before["year"].astype(int) + 1
    ended = before.drop(columns="year").merge(closed(case, stations), on=["site", "service", "closes"])
    peak = mine.groupby(["community", "service"])["peak"].first()
    most = ended["had"] / peak.reindex(pd.MultiIndex.from_frame(ended[["community", "service"]])).to_numpy(dtype=float)
    return ended.assign(share=np.minimum(ended["share"], most))


def _today(case: Case, gaps: dict[str, int], mine: pd.DataFrame, ways: Ways, recorder: Recorder) -> None:
    """What existing shared stations serve in the first year is as much as they can together, wherever they overlap."""
    first = mine[mine["year"] == case.years[0]].groupby(["service", "site"])["served_peak"].sum()
    rows = []
    for service in sorted(gaps):
        old = case.existing.reset_index()
        old = old[(old["service"] == service) & (old["level"] != "outlet") & (old["capacity"] > 0)]
        old = old[old["service"].map(case.service("siting")) == "network"]
        there = old.groupby("site")["capacity"].sum().to_dict()
        graph = nx.DiGraph()
        for community, site, peak in _within_reach(case, old, service, ways):
            graph.add_edge("start", ("need", community), capacity=peak)
            graph.add_edge(("need", community), ("site", site))
            graph.add_edge(("site", site), "end", capacity=there[site])
        parts = nx.connected_components(graph.subgraph(graph.nodes - {"start", "end"}).to_undirected())
        for part in parts:
            can = nx.maximum_flow_value(graph.subgraph(part | {"start", "end"}), "start", "end")
            sites = sorted(name for kind, name in part if kind == "site")
            # What was added there in the first year is no part of what exists.
            served = sum(min(float(first.get((service, site), 0.0)), there[site]) for site in sites)
            rows.append((service, ", ".join(sites), served, can))
    frame = pd.DataFrame(rows, columns=["service", "sites", "served", "can"])
    recorder.judge(
        "continuity",
        "assignments",
        frame,
        at_most(frame["can"] * (1 - 1e-5) - 0.01, frame["served"]),
        key=("service", "sites"),
        value="served",
        limit="can",
        message="{value} units of {service} are served in the first year at {sites}; "
        "what exists there could serve {limit}",
    )


def _within_reach(case: Case, old: pd.DataFrame, service: str, ways: Ways) -> list[tuple[str, str, float]]:
    """Communities and existing stations of a service within its limits and area, with the largest need."""
    rule = case.services[service]
    peak = case.needs.xs(service, level="need")["peak"].groupby(level="community").max()
    needy = pd.DataFrame({"community": peak.index[peak > 0]})
    sites = old.drop_duplicates("site")[["site", "community"]].rename(columns={"community": "place"})
    pairs = needy.merge(sites, how="cross")
    if rule["within"] != "city":
        area = case.communities[rule["within"]]
        pairs = pairs[(pairs["community"].map(area) == pairs["place"].map(area)).to_numpy()]
    to = case.places.reindex(pairs["site"])
    pairs = pairs.assign(to_x=to["x"].to_numpy(dtype=float), to_y=to["y"].to_numpy(dtype=float))
    near = np.ones(len(pairs), dtype=bool)
    for measure, limit in (("metres", rule["limit_m"] or None), ("minutes", rule["limit_minutes"])):
        if limit is not None and len(pairs):
            near &= ways.travel(pairs.assign(limit=float(limit)), rule["travel"], measure) <= limit
    pairs = pairs[near]
    return [(str(c), str(s), float(peak[c])) for c, s in zip(pairs["community"], pairs["site"], strict=True)]
