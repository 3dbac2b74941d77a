"""Networks with levels in the report: centres, what hangs on them, and what is referred to them."""

from collections.abc import Sequence

import pandas as pd

from optimizer.facts import Facts
from optimizer.report.html import Html, join, table, tag
from optimizer.report.sections import section
from optimizer.words import listed, need_title, number, percent

NAMED = 6
"""Stations named beside their centre; the table below has all."""
KEY = ["site", "service", "level"]


def levels_section(facts: Facts) -> Html:
    """Return the section of services with levels; nothing where there are none."""
    services = [s for s in facts.run.scenario.services if s in set(facts.run.levels["service"])]
    if not services:
        return Html("")
    parts = [_network(facts, service) for service in services]
    lead = (
        f"Every station hangs on a centre, and refers a share of its cases to it; what a centre takes in and what it "
        f"serves itself must fit there. Amounts are those of {facts.last}."
    )
    return section("levels", "Centres and their stations", *parts, lead=lead)


def _network(facts: Facts, service: str) -> Html:
    rows = facts.open_stations(facts.last)
    rows = rows[rows["service"] == service][[*KEY, "capacity", "community", "district"]]
    amounts = facts.run.referrals
    amounts = amounts[amounts["year"] == facts.last].drop(columns="year")
    hangs = facts.run.levels[facts.run.levels["service"] == service]
    rows = rows.merge(amounts, on=KEY, how="left").merge(hangs, on=KEY, how="left")
    rows = rows.fillna({"served": 0.0, "referred_in": 0.0, "referred_on": 0.0, "hangs_on": "", "centre": ""})
    return join(
        [
            tag("h3", need_title(facts.run.scenario, service)),
            _centres(facts, service, rows),
            _below(facts, service, rows[rows["level"] != "centre"]),
        ]
    )


def _centres(facts: Facts, service: str, rows: pd.DataFrame) -> Html:
    """Return the table of centres, each with what hangs on it."""
    opened = facts.run.stations
    opened = opened[(opened["level"] == "centre") & (opened["status"] == "opened") & (opened["service"] == service)]
    since = dict(zip(opened["site"], opened["year"], strict=True))
    lines: list[Sequence[object]] = []
    for row in rows[rows["level"] == "centre"].sort_values(["district", "site"], kind="stable").itertuples(index=False):
        site, capacity = str(row.site), float(str(row.capacity))
        used = float(str(row.served)) + float(str(row.referred_in))
        mine = rows[(rows["centre"] == site) & (rows["level"] != "centre")]
        stations = mine[mine["level"] == "station"]
        lines.append(
            [join([facts.site_label(site), tag("small", facts.district_label(str(row.district)))]),
             f"new in {since[site]}" if site in since else "existing", number(capacity),
             number(float(str(row.served))), number(float(str(row.referred_in))),
             percent(used / capacity) if capacity else "–", number(len(stations)),
             number(int((mine["level"] == "outlet").sum())), _named(facts, stations) or "none"]
        )  # fmt: skip
    unit = facts.run.scenario.services[service].unit
    head = ["Centre", "Since", f"Capacity, {unit}", "Serves itself", "Referred to it", "In use", "Stations", "Outlets",
            "Stations that hang on it"]  # fmt: skip
    if not lines:
        return tag("p", "There is no centre.")
    return table(f"Centres of {need_title(facts.run.scenario, service)}", head, lines, numbers=range(2, 8),
                 hidden_caption=True)  # fmt: skip


def _named(facts: Facts, rows: pd.DataFrame) -> str:
    """Names of stations, the first of many."""
    names = [facts.site_label(str(site)) for site in rows["site"]]
    return listed(names if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"])


def _below(facts: Facts, service: str, rows: pd.DataFrame) -> Html:
    """Return the table of everything that hangs on something, and who hangs on nothing."""
    idle = rows[rows["hangs_on"] == ""]
    idle = idle[idle.set_index(KEY).index.isin(facts.run.levels.set_index(KEY).index)]
    said = Html("")
    if len(idle):
        said = tag("p", f"Hang on nothing and serve nobody: {_named(facts, idle)}.")
    rows = rows[rows["hangs_on"] != ""].sort_values(["centre", "level", "hangs_on", "site"], kind="stable")
    lines: list[Sequence[object]] = [
        [facts.site_label(str(r.site)), str(r.level), f"{facts.site_label(str(r.hangs_on))} ({r.hangs_on_level})",
         str(r.since), number(float(str(r.travel_m))), number(float(str(r.served))),
         number(float(str(r.referred_in))), number(float(str(r.referred_on)))]
        for r in rows.itertuples(index=False)
    ]  # fmt: skip
    if not lines:
        return said
    head = ["Station or outlet", "Level", "Hangs on", "Since", "Way, m", "Serves itself", "Referred to it", "Refers"]
    name = f"What hangs on what: {need_title(facts.run.scenario, service)} ({len(lines)})"
    inner = table(name, head, lines, numbers=range(4, 8), hidden_caption=True)
    return join([said, tag("details", tag("summary", name), inner)])
