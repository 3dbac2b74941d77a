"""The report: one page that opens anywhere, without a network."""

from pathlib import Path

from optimizer.facts import BEFORE, Facts
from optimizer.report import sections
from optimizer.report.checked import checked_section
from optimizer.report.fairness_section import fairness_section
from optimizer.report.html import Html, asset, document, embedded, join, tag
from optimizer.report.levels_section import levels_section
from optimizer.report.map_chart import SEQUENTIAL, SHARE_EDGES, Outline, outline, shade, svg
from optimizer.report.one_stop import one_stop_section
from optimizer.report.payload import payload
from optimizer.report.provenance import provenance_section
from optimizer.report.summary import but_aside, kept_of_worst_off, period, set_aside_text, summarise
from optimizer.run_folder import ALL_PLANS
from optimizer.words import million, number, percent, share, spelled


def write_page(path: Path, facts: Facts) -> None:
    """Write `report.html`."""
    path.write_text(page(facts), encoding="utf-8", newline="\n")


def page(facts: Facts) -> str:
    """Return the report as the text of an HTML page."""
    made = outline(facts.city.communities, facts.district_names)
    main = tag(
        "main",
        _tiles(facts),
        _explore(facts, made),
        sections.needs_section(facts),
        fairness_section(facts),
        sections.money_section(facts),
        sections.services_section(facts),
        levels_section(facts),
        one_stop_section(facts),
        sections.guidance_section(facts),
        sections.communities_section(facts),
        provenance_section(facts.city),
        checked_section(facts),
        id="content",
    )
    body = join([_header(facts), _contents(), main, _footer(facts), embedded("plan-data", payload(facts, made))])
    title = f"{facts.run.title} · {spelled(facts.city.name) or 'plan'} {period(facts)}"
    return document(
        title, body, styles=asset("page.css") + asset("report.css"), script=asset("map.js") + asset("report.js")
    )


def _header(facts: Facts) -> Html:
    summary = summarise(facts)
    city = spelled(facts.city.name) or "City"
    kicker = f"{city} · scenario {facts.run.name} · {period(facts)}"
    notes = [tag("p", text, class_="warning", role="note") for text in summary.warnings]
    return tag(
        "header",
        tag("a", "Skip to the plan", href="#content", class_="skip"),
        tag("p", kicker, class_="kicker"),
        tag("h1", facts.run.title),
        *([tag("p", f"with {summary.changes}", class_="changes")] if summary.changes else []),
        tag("p", summary.sentence, class_="sentence"),
        *notes,
        tag("ul", *(tag("li", *parts) for parts in _proof(facts)), class_="proof", aria_label="How sure the plan is"),
    )


def _proof(facts: Facts) -> list[list[object]]:
    """Return the gap of every goal, honestly, and the check, as short lines."""
    titles = {"worst_off": "worst-off", "unmet_need": "unmet need", "travel": "travel", "spending": "spending",
              "weighted": "weighted sum",
              "closeness": "closeness"}  # fmt: skip
    record, lines = facts.run.record, list[list[object]]()
    for stage in facts.run.record.get("stages", []):
        gap, scope = stage.get("gap"), str(stage.get("scope") or ALL_PLANS)
        title = titles.get(stage.get("goal"), stage.get("goal"))
        if stage.get("goal") == "worst_off":
            title += but_aside(facts)
        said = "no proof" if gap is None else "best possible" if gap <= 0 else f"within {percent(float(gap))}"
        among = "" if scope == ALL_PLANS or gap is None else f" of {scope}"
        kept = kept_of_worst_off(facts.run) if stage.get("goal") == "worst_off" else ""
        lines.append([f"{title}: ", tag("b", said), among, f" ({kept})" if kept else ""])
    if facts.run.scenario.rule is not None:
        lines.append(["made by a rule: ", tag("b", "nothing is proven")])
    lines += [[f"{titles.get(goal, goal)}: ", tag("b", "not reached")] for goal in record.get("not_reached") or []]
    audit = record.get("audit", {})
    count = len(audit.get("checks") or [])
    lines.append(["check: ", tag("b", f"{count} rules, passed" if audit.get("passed") else "not passed")])
    return lines


def _contents() -> Html:
    links = {"explore": "Map", "needs": "What is met", "money": "Money", "services": "Services",
             "communities": "Communities", "data": "Data", "checked": "Check"}  # fmt: skip
    return tag("nav", *(tag("a", title, href=f"#{key}") for key, title in links.items()), aria_label="Contents")


def _tiles(facts: Facts) -> Html:
    currency = facts.run.scenario.currency.name
    before, last = float(facts.met_by_year[BEFORE]), float(facts.met_by_year[facts.last])
    (_, worst_before), (where, worst) = facts.worst(BEFORE), facts.worst(facts.last)
    full, target = facts.at_full("space", facts.last)
    funded, entitled = facts.at_full("work_funds", facts.last)
    changed = facts.stations["change"].value_counts()
    new, enlarged = number(changed.get("opened", 0)), number(changed.get("upgraded", 0))
    closed = f", {number(changed['closed'])} closed" if changed.get("closed", 0) else ""
    opened = len(facts.open_stations(facts.last).drop_duplicates(["site", "service"]))
    tiles: list[tuple[str, object]] = [
        (f"{million(facts.spent)} M", f"{currency} spent of {million(facts.available)} M"),
        (f"{share(before)} → {share(last)}", f"of all needs met, before the plan → {facts.last}"),
        (f"{share(worst_before)} → {share(worst)}", _worst_off(facts, where)),
        (f"{number(funded)} of {number(entitled)}", f"communities with full work funds in {facts.last}"),
        (f"{number(full)} of {number(target)}", f"communities at their space target in {facts.last}"),
        (number(opened), f"stations open in {facts.last}: {new} new, {enlarged} enlarged{closed}"),
    ]  # fmt: skip
    return tag("dl", *(tag("div", tag("dt", text), tag("dd", figure)) for figure, text in tiles), class_="tiles")


def _worst_off(facts: Facts, where: str) -> Html:
    """What the tile of the worst-off says: who it is, who is left out and how low the lowest of them is."""
    place = f"({facts.label(where)} in {facts.last})"
    if facts.aside_scores.empty:
        return join([f"worst-off community {place}"])
    lowest = str(facts.aside_scores.index[0])
    aside = f"the lowest of these: {facts.label(lowest)}, {share(float(facts.aside_scores.iloc[0]))}"
    return join([f"worst-off community{but_aside(facts)} {place}; ", tag("a", aside, href="#set-aside")])


def _explore(facts: Facts, made: Outline) -> Html:
    scores = facts.scores[facts.last]
    fills = [shade(float(scores[c]), SHARE_EDGES, SEQUENTIAL) for c in facts.communities.index]
    titles = [f"{facts.label(str(c))}: {share(float(scores[c])) if scores[c] == scores[c] else 'no need'}"
              for c in facts.communities.index]  # fmt: skip
    label = (
        f"Map of communities by the part of their needs met in {facts.last}. Arrow keys move, plus and minus zoom. "
        "The table of all communities below says the same."
    )
    picture = tag(
        "div",
        tag("div", id="map-controls", class_="controls"),
        tag("div", svg(made, fills, titles, label), tag("div", id="zoom", class_="zoom"),
            tag("div", id="tip", role="status"), class_="map"),
        tag("div", id="legend", class_="legend"),
        class_="left",
    )  # fmt: skip
    aside = tag(
        "div",
        tag("div", id="card", hidden=True, aria_live="polite"),
        tag("div", sections.ranking(facts, "worst"), sections.ranking(facts, "gain"), id="rankings"),
        class_="right",
    )
    apart = " Parts of the city that lie far apart are moved together, all at one scale." if made.moved else ""
    who = set_aside_text(facts)
    left_out = f" The worst-off community is looked for among the others; set aside are {who}." if who else ""
    note = (
        "Scores weigh the met shares of a community by what its type needs most. Before the plan is what rooms and "
        f"stations give that stand already, for those the plan sends there in its first year.{apart}{left_out}"
    )
    return sections.section(
        "explore", "Who gets what",
        tag("div", id="filters", class_="controls", role="group", aria_label="Filters"),
        tag("p", id="filtered", role="status"),
        tag("div", picture, aside, class_="split"),
        tag("noscript", tag("p", "Filters and cards need JavaScript; all tables below do not.")),
        lead=note,
    )  # fmt: skip


def _footer(facts: Facts) -> Html:
    versions = facts.run.record.get("versions", {})
    version = versions.get("allot", "") if isinstance(versions, dict) else ""
    return tag(
        "footer",
        tag("p", f"Made by allot {version} from the tables in this folder; plan.xlsx and plan.gpkg hold the same plan. "
            "This page needs no network."),
    )  # fmt: skip
