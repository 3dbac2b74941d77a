"""Parts of the report: each function returns one section as HTML, with a table for everything that is drawn."""

from collections.abc import Sequence

import pandas as pd

from optimizer.facts import BEFORE, Facts
from optimizer.report.html import Html, join, table, tag
from optimizer.report.summary import left_over, not_met, stations_text, used_up
from optimizer.words import (
    PURPOSE_TITLES,
    class_title,
    listed,
    million,
    money,
    need_title,
    number,
    share,
    signed,
    source_title,
    type_title,
)


def section(identifier: str, title: str, *children: object, lead: str = "") -> Html:
    """Return a titled section; `lead` is said under the title."""
    head = [tag("h2", title, id=f"{identifier}-title")]
    if lead:
        head.append(tag("p", lead, class_="lead"))
    return tag("section", *head, *children, id=identifier, aria_labelledby=f"{identifier}-title")


def bar(value: float | None) -> Html:
    """Return a share as a number with a bar behind it that needs no picture."""
    if value is None or value != value:
        return tag("span", "–", class_="none", title="no such need")
    width = f"width:{max(0.0, min(1.0, value)) * 100:.1f}%"
    return tag("span", tag("i", style=width, aria_hidden="true"), tag("b", share(value)), class_="bar")


def change(value: float) -> str:
    """Return a difference with its sign."""
    return "±0.00" if abs(value) < 0.005 else signed(value)


def ranking(facts: Facts, which: str, most: int = 10) -> Html:
    """Return the table of communities that gain most (`gain`) or are left worst off (`worst`)."""
    scores, frame = facts.scores, facts.communities
    if which == "gain":
        chosen = list(facts.gains[facts.gains >= 0.005].head(most).index)
    else:
        chosen = list(scores[facts.last].dropna().sort_values(kind="stable").head(most).index)
    order = {str(c): i for i, c in enumerate(frame.index)}
    rows = []
    for community in chosen:
        before, after = facts.score_of[str(community), BEFORE], facts.score_of[str(community), facts.last]
        name = tag("button", frame.at[community, "label"], type="button", class_="pick", data_i=order[str(community)])
        place = facts.district_label(str(frame.at[community, "district"]))
        place += ", set aside" if str(community) in facts.set_aside else ""
        rows.append([join([name, tag("small", place)]), share(before), bar(after), change(after - before)])
    if not rows:
        rows.append(["none", "", "", ""])
    caption = "Gain most" if which == "gain" else "Left worst off"
    head = ["Community", "Before", str(facts.last), "Gain"]
    return table(caption, head, rows, numbers=(1, 3), id_=which)


def needs_section(facts: Facts) -> Html:
    """Return what is met of every need before the plan and by year, by type and by district."""
    years = [BEFORE, *facts.run.years]
    shares = facts.met_share(["need", "year"]).unstack().reindex(index=facts.needs, columns=years)
    rows: list[Sequence[object]] = [
        [need_title(facts.run.scenario, str(need)), *(bar(float(v)) for v in values)]
        for need, *values in shares.itertuples()
    ]
    rows.append(["All needs", *(bar(float(v)) for v in facts.met_by_year)])
    body = [
        table(
            "Met share of people’s needs by year",
            ["Need", "Before", *map(str, facts.run.years)],
            rows,
            id_="needs-table",
        )
    ]
    body.append(tag("div", _by(facts, "type"), _by(facts, "district"), class_="pair"))
    short = not_met(facts, 8)
    if short:
        body.append(tag("h3", f"What stays unmet in {facts.last}"))
        body.append(tag("ul", *(tag("li", line[:1].upper() + line[1:] + ".") for line in short)))
    lead = (
        "The part of a need that is met, weighted by the people concerned and by the weight of the need for their "
        "type of community; before the plan no grant is paid. The first table follows the filters above."
    )
    return section("needs", "What is met", *body, lead=lead)


def _by(facts: Facts, column: str) -> Html:
    shares = facts.met_share([column, "year"]).unstack().reindex(columns=[BEFORE, facts.last])
    counts = facts.communities[column].value_counts()
    people = facts.communities.groupby(column)["population"].sum()
    title = (lambda k: type_title(facts.run.scenario, k)) if column == "type" else facts.district_label
    rows = [
        [title(str(k)), number(counts.get(k, 0)), number(float(people.get(k, 0))), *(bar(float(v)) for v in values)]
        for k, *values in shares.itertuples()
    ]
    head = [column.capitalize(), "Communities", "Residents", "Before", str(facts.last)]
    return table(f"By {column}", head, rows, numbers=(1, 2))


def money_section(facts: Facts) -> Html:
    """Return money from sources to purposes, by year, and the footing of every source."""
    scenario, ledger = facts.run.scenario, facts.run.ledger
    purposes = [p for p in PURPOSE_TITLES if p in set(ledger["purpose"])]
    matrix = ledger.pivot_table(index="source", columns="purpose", values="yuan", aggfunc="sum", fill_value=0)
    matrix = matrix.reindex(index=list(scenario.sources), columns=purposes, fill_value=0)
    rows: list[Sequence[object]] = [
        [source_title(scenario, str(s)), *(million(v, 2) for v in values), million(sum(values), 2)]
        for s, *values in matrix.itertuples()
    ]
    rows.append(["All sources", *(million(v, 2) for v in matrix.sum()), million(float(matrix.to_numpy().sum()), 2)])
    unit = f"million {scenario.currency.name}"
    flow = table(
        f"Money from sources to purposes, {unit}", ["Source", *(PURPOSE_TITLES[p] for p in purposes), "All"], rows,
        numbers=range(1, len(purposes) + 2), id_="flow-table",
    )  # fmt: skip
    by_year = ledger.pivot_table(index="purpose", columns="year", values="yuan", aggfunc="sum", fill_value=0)
    by_year = by_year.reindex(index=purposes, columns=facts.run.years, fill_value=0)
    year_rows: list[Sequence[object]] = [
        [PURPOSE_TITLES[str(p)], *(million(v, 2) for v in values)] for p, *values in by_year.itertuples()
    ]
    year_rows.append(["All purposes", *(million(v, 2) for v in by_year.sum())])
    years = table(
        f"Money by purpose and year, {unit}", ["Purpose", *map(str, facts.run.years)], year_rows,
        numbers=range(1, len(facts.run.years) + 1), id_="year-table",
    )  # fmt: skip
    pictures = tag(
        "div",
        tag("figure", tag("div", id="flow"), tag("figcaption", "From sources to purposes, all years")),
        tag("figure", tag("div", id="bars"), tag("figcaption", "By purpose and year")),
        class_="pictures", aria_hidden="true",
    )  # fmt: skip
    tables = tag("div", flow, years, class_="pair")
    lead = f"All money of the plan, in {unit}. Follows the district filter; stations that are shared have no community."
    return section("money", "Money", pictures, tables, _sources(facts), _money_remarks(facts), lead=lead)


def _money_remarks(facts: Facts) -> Html:
    said = [f"Used up in {years}: {names}." for years, names in used_up(facts)]
    for yuan, text in left_over(facts):
        said.append(f"Left over: {money(yuan, facts.run.scenario.currency.name)} of {text}.")
    return tag("ul", *(tag("li", line) for line in said)) if said else Html("")


def _sources(facts: Facts) -> Html:
    heads = {
        "new_yuan": "New money", "committed_yuan": "Spoken for", "carried_in_yuan": "Carried in", "spent_yuan": "Spent",
        "carried_out_yuan": "Carried on", "lapsed_yuan": "Lapsed", "matched_yuan": "Matched by others",
        "committed_later_yuan": "Committed for later years",
    }  # fmt: skip
    books = facts.run.source_ledger.groupby(["source", "year"])[list(heads)].sum()
    rows = []
    for row in facts.run.sources.itertuples(index=False):
        values = books.loc[[(row.source, row.year)]].to_numpy().ravel().tolist()
        rows.append([source_title(facts.run.scenario, str(row.source)), str(row.year), *(number(v) for v in values)])
    head = ["Source", "Year", *heads.values()]
    name = f"Every source by year, {facts.run.scenario.currency.name}"
    inner = table(name, head, rows, numbers=range(1, 10), hidden_caption=True)
    return tag(
        "details", tag("summary", f"The books of every source by year ({facts.run.scenario.currency.name})"), inner
    )


def services_section(facts: Facts) -> Html:
    """Return the table of services and the list of stations that change."""
    scenario = facts.run.scenario
    shares = facts.met_share(["need", "year"])
    rows = [_service_row(facts, service, shares) for service in scenario.services if service in facts.needs]
    head = [
        "Service", "Kind", "Met before", f"Met {facts.last}", f"Open {facts.last}", "New", "Enlarged",
        f"Capacity {facts.last}", "Opening, M", "Running, M", "Mean travel",
    ]  # fmt: skip
    lead = f"{stations_text(facts)[:1].upper()}{stations_text(facts)[1:]}. Money in million {scenario.currency.name}."
    body = table("Services", head, rows, numbers=range(4, 11), hidden_caption=True)
    return section("services", "Services and stations", body, _changes(facts), lead=lead)


def _service_row(facts: Facts, service: str, shares: pd.Series) -> list[object]:
    rule = facts.run.scenario.services[service]
    mine = facts.stations[facts.stations["service"] == service]
    counts = mine["change"].value_counts()
    opened = facts.open_stations(facts.last)
    opened = opened[opened["service"] == service]
    used = facts.run.assignments
    used = used[(used["service"] == service) & (used["year"] == facts.last)]
    amount = float(used["amount"].sum())
    travel = float((used["amount"] * used["travel_m"]).sum()) / amount if amount else 0.0
    return [
        join([need_title(facts.run.scenario, service), tag("small", rule.unit)]),
        "own office" if rule.siting == "own" else "shared",
        bar(shares.get((service, BEFORE))),
        bar(shares.get((service, facts.last))),
        number(opened["site"].nunique()),
        number(counts.get("opened", 0)),
        number(counts.get("upgraded", 0)),
        number(float(opened["capacity"].sum())),
        million(float(mine["capital_yuan"].sum()), 2),
        million(float(mine["running_yuan"].sum()), 2),
        f"{number(travel)} m" if rule.siting == "network" and amount else "–",
    ]


def _changes(facts: Facts, most: int = 400) -> Html:
    networks = [s for s, rule in facts.run.scenario.services.items() if rule.siting == "network"]
    frame = facts.stations
    frame = frame[frame["change"].isin(["opened", "upgraded", "closed"]) & frame["service"].isin(networks)]
    if frame.empty:
        return tag("p", "No station shared by several communities changes.")
    frame = frame.sort_values(["change_year", "service", "site"], kind="stable")
    words = {"opened": "new", "upgraded": "enlarged", "closed": "closed"}
    rows = [
        [facts.site_label(str(r.site)), need_title(facts.run.scenario, str(r.service)),
         words[str(r.change)] + (" centre" if r.level == "centre" else ""),
         str(r.change_year), facts.label(str(r.community)), number(float(str(r.capacity))),
         number(float(str(r.capital_yuan)))]
        for r in frame.head(most).itertuples(index=False)
    ]  # fmt: skip
    name = f"Shared stations that change ({len(frame)})"
    head = ["Station", "Service", "Change", "Year", "In", "Capacity", "Opening cost"]
    rest = tag("p", f"{len(frame) - most} more stand in plan.xlsx.") if len(frame) > most else Html("")
    return tag("details", tag("summary", name), table(name, head, rows, numbers=(5, 6), hidden_caption=True), rest)


def guidance_section(facts: Facts) -> Html:
    """Return the classes of guidance: how many communities, who supports what, and why."""
    counts = pd.Series(facts.class_of, dtype="object").value_counts()
    words = {"work_funds": "work funds", "space": "space", "services": "services", "debt_relief": "debt relief"}
    rows = [
        [class_title(facts.run.scenario, name), number(counts.get(name, 0)),
         listed([words[p] for p in rule.purposes]) or "nothing", rule.reason]
        for name, rule in facts.run.scenario.guidance.items()
    ]  # fmt: skip
    body = table(
        "Classes", ["Class", "Communities", "Supported with", "Reason"], rows, numbers=(1,), hidden_caption=True
    )
    lead = "The first class whose conditions a community meets decides which programmes support it."
    return section("guidance", "Classes of guidance", body, lead=lead)


def communities_section(facts: Facts) -> Html:
    """Return the table of all communities; a click on a name shows its card."""
    rows = []
    added = {str(c): float(a) for c, a in facts.added_by_community(facts.last).items()}
    for i, (community, row) in enumerate(facts.rows.items()):
        name = join([tag("button", row["label"], type="button", class_="pick", data_i=i), _zh(row["name_zh"])])
        rows.append(
            [name, facts.district_label(str(row["district"])), type_title(facts.run.scenario, str(row["type"])),
             class_title(facts.run.scenario, facts.class_of.get(community, "")), number(float(row["population"])),
             _score(facts.score_of[community, BEFORE]), _score(facts.score_of[community, facts.last]),
             number(facts.grants.get((community, facts.last), (0, 0))[1]), number(added.get(community, 0.0))]
        )  # fmt: skip
    head = ["Community", "District", "Type", "Class", "Residents", "Met before", f"Met {facts.last}",
            f"Grant {facts.last}", "Rooms added, m²"]  # fmt: skip
    body = table("All communities", head, rows, numbers=range(4, 9), id_="all", row_ids=range(len(rows)),
                 sortable=True, hidden_caption=True)  # fmt: skip
    lead = "A click on a name shows its card beside the map. Heads sort; the filters above apply."
    return section("communities", "All communities", body, _set_aside(facts), lead=lead)


def _set_aside(facts: Facts) -> Html:
    """The list of communities set aside, the lowest first; empty where there are none."""
    order, rows = {str(c): i for i, c in enumerate(facts.communities.index)}, list[Sequence[object]]()
    for community, score in facts.aside_scores.items():
        row = facts.rows[str(community)]
        name = tag("button", row["label"], type="button", class_="pick", data_i=order[str(community)])
        rows.append([name, facts.district_label(str(row["district"])), type_title(facts.run.scenario, str(row["type"])),
                     _score(facts.score_of[str(community), BEFORE]), _score(float(score))])  # fmt: skip
    if not rows:
        return Html("")
    head = ["Community", "District", "Type", "Met before", f"Met {facts.last}"]
    said = "No plan can raise these to the level of the others, so the worst-off community is looked for among those."
    return tag(
        "div", tag("h3", f"Communities set aside ({len(rows)})"), tag("p", said),
        table("Communities set aside, the lowest first", head, rows, numbers=(3, 4), hidden_caption=True),
        id="set-aside",
    )  # fmt: skip


def _zh(name: object) -> Html:
    return tag("small", name, lang="zh") if str(name or "").strip() else Html("")


def _score(value: float) -> str:
    return "–" if value != value else share(float(value))
