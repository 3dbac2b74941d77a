"""A comparison as one page with a difference map; it needs no network."""

from typing import Any

from optimizer.compare import Comparison
from optimizer.report.compare_table import change_lines, comparison_lines, figure_text, figure_title, money_digits
from optimizer.report.html import Html, asset, document, embedded, join, table, tag
from optimizer.report.map_chart import DIVERGING, outline, shade, svg
from optimizer.report.sections import section
from optimizer.report.summary import how_sure, period
from optimizer.words import class_title, money, spelled, thousandths, type_title

EDGES = (-0.1, -0.05, -0.01, 0.01, 0.05, 0.1)
PARTS = {
    "Money": ("money", "money_by_purpose", "money_by_source"),
    "Met needs": (
        "met",
        "worst_off",
        "gini",
        "unmet_need",
        "met_person_needs",
        "yuan_per_met_need",
        "communities_that_lose",
        "communities_that_gain",
    ),
    "Met needs by type": ("met_by_type",),
    "Met needs by need": ("met_by_need",),
    "Met needs by district": ("met_by_district",),
    "Stations": ("stations", "stations_by_service", "mean_travel_m"),
}


def page(comparison: Comparison) -> str:
    """Return the comparison as the text of an HTML page."""
    base = comparison.base
    made = outline(base.facts.city.communities, base.facts.district_names)
    first = comparison.labels[1]
    differences = _differences(comparison)
    fills = [shade(value, EDGES, DIVERGING) for value in differences[first]]
    titles = [base.facts.label(str(c)) for c in base.facts.communities.index]
    label = (
        f"Map of the difference in met needs between {first} and {base.label}. Arrow keys move, plus and minus zoom. "
        "The table of communities below says the same."
    )
    picture = tag(
        "div", tag("div", id="map-controls", class_="controls"),
        tag("div", svg(made, fills, titles, label), tag("div", id="zoom", class_="zoom"),
            tag("div", id="tip", role="status"), class_="map"),
        tag("div", id="legend", class_="legend"), class_="left",
    )  # fmt: skip
    lists = tag("div", _ranked(comparison, first, losers=True), _ranked(comparison, first, losers=False), id="rankings",
                class_="right")  # fmt: skip
    lead = f"Difference of each community’s score over {period(base.facts)} to {base.label}."
    main = tag(
        "main",
        section("explore", "Who gains and who loses", tag("div", picture, lists, class_="split"), lead=lead),
        _figures(comparison),
        _plans(comparison),
        _communities(comparison),
        _rule(),
        id="content",
    )
    title = f"{base.label} and {', '.join(comparison.labels[1:])}"
    body = join([_header(comparison), main, embedded("plan-data", _payload(comparison, made.height, made.boxes))])
    return document(
        f"Comparison: {title}",
        body,
        styles=asset("page.css") + asset("report.css"),
        script=asset("map.js") + asset("compare.js"),
    )


def _differences(comparison: Comparison) -> dict[str, list[float | None]]:
    base = comparison.base
    return {
        side.label: [None if v != v else float(v) for v in side.scores - base.scores] for side in comparison.sides[1:]
    }


def _header(comparison: Comparison) -> Html:
    base = comparison.base
    changed = [tag("p", line, class_="changes") for line in change_lines(comparison)]
    said = [line for line in comparison_lines(comparison) if line and not line.startswith("*")]
    others = ", ".join(comparison.labels[1:])
    return tag(
        "header",
        tag("a", "Skip to the comparison", href="#content", class_="skip"),
        tag("p", f"{spelled(base.facts.city.name) or 'City'} · {period(base.facts)}", class_="kicker"),
        tag("h1", f"{base.label} compared with {others}"),
        *changed,
        tag("ul", *(tag("li", line) for line in said), class_="said"),
    )


def _cells(comparison: Comparison, figure: str, group: str) -> list[object]:
    frame, digits = comparison.figures, money_digits(comparison)
    cells: list[object] = []
    rows = frame[(frame["figure"] == figure) & (frame["group"] == group)]
    for row in rows.itertuples(index=False):
        value = figure_text(figure, float(str(row.value)), digits=digits)
        if str(row.scenario) == comparison.labels[0]:
            cells.append(value)
            continue
        shift = figure_text(figure, float(str(row.difference)), difference=True, digits=digits)
        mark = tag("small", "not proven") if row.proven == "no" and not shift.startswith("±") else Html("")
        cells += [value, join([tag("b", shift), mark])]
    return cells


def _figures(comparison: Comparison) -> Html:
    frame, parts = comparison.figures, []
    head = ["", comparison.labels[0]]
    for label in comparison.labels[1:]:
        head += [label, "Difference"]
    for title, figures in PARTS.items():
        rows = []
        for figure in figures:
            for group in dict.fromkeys(frame.loc[frame["figure"] == figure, "group"]):
                name = figure_title(comparison, figure, group)
                rows.append([name[:1].upper() + name[1:], *_cells(comparison, figure, group)])
        parts.append(table(title, head, rows, numbers=range(1, len(head))))
    lead = f"Met needs are shares of all people’s needs over all years, by the needs of {comparison.labels[0]}."
    inner = tag("div", *parts, class_="pair" if len(comparison.sides) <= 3 else None)
    return section("figures", "Side by side", inner, lead=lead)


def _plans(comparison: Comparison) -> Html:
    rows = []
    for side in comparison.sides:
        run = side.run
        spent = money(side.facts.spent, run.scenario.currency.name)
        rows.append([side.label, run.title, run.scenario.description or "–", spent, how_sure(run)])
    return section("plans", "The plans", table("Plans compared", ["Plan", "Title", "What it says", "Money", "How sure"],
                                               rows, hidden_caption=True))  # fmt: skip


def _ranked(comparison: Comparison, scenario: str, *, losers: bool) -> Html:
    order = {str(c): i for i, c in enumerate(comparison.base.facts.communities.index)}
    rows = []
    for row in comparison.changed(scenario, 10, losers=losers).itertuples(index=False):
        name = tag("button", row.name, type="button", class_="pick", data_i=order[str(row.community)])
        shift = figure_text("met", float(str(row.difference)), difference=True)
        reason = str(row.reason) + ("" if row.proven == "yes" else " (not proven)")
        rows.append([name, shift, reason.strip()])
    caption = "Lose most" if losers else "Gain most"
    return table(caption, ["Community", "Difference", "Mainly"], rows, numbers=(1,), id_="lose" if losers else "gain")


def _communities(comparison: Comparison) -> Html:
    base = comparison.base
    facts, rows = base.facts, []
    for i, (community, place) in enumerate(facts.rows.items()):
        name = tag("button", place["label"], type="button", class_="pick", data_i=i)
        where, kind = facts.district_label(str(place["district"])), type_title(base.run.scenario, str(place["type"]))
        cells: list[object] = [name, where, kind, _score(base.scores[community])]
        for side in comparison.sides[1:]:
            shift = side.scores[community] - base.scores[community]
            cells.append("–" if shift != shift else figure_text("met", float(shift), difference=True))
        rows.append(cells)
    head = ["Community", "District", "Type", base.label, *comparison.labels[1:]]
    body = table("All communities", head, rows, numbers=range(3, len(head)), id_="all", row_ids=range(len(rows)),
                 sortable=True, hidden_caption=True)  # fmt: skip
    return section("communities", "All communities", body,
                   lead=f"Score in {base.label} and difference of the other plans to it. Heads sort.")  # fmt: skip


def _score(value: float) -> str:
    return "–" if value != value else figure_text("met", float(value))


def _rule() -> Html:
    return section(
        "proof", "When a difference is called proven",
        tag("p", "Every plan comes with a bound: no plan of its scenario can have less unmet need. Two totals "
            "differ for certain only where the ranges from bound to value do not overlap. A difference of a group or a "
            "community is called not proven where it is no greater than what the two plans could still gain by a "
            "better search, all of it put on that group; for a single community it is spread evenly over all people’s "
            "needs, as a guide. A plan made by a rule is what the rule gives: no search could change it. "
            "Counts of stations and the Gini coefficient have no bound."),
    )  # fmt: skip


def _payload(comparison: Comparison, height: int, boxes: list[tuple[int, int, int, int]]) -> dict[str, Any]:
    base, frame = comparison.base, comparison.communities
    needs = base.facts.needs
    by_need = [_need_shares(side.met, needs, list(base.facts.communities.index)) for side in comparison.sides]
    notes = {(str(r.scenario), str(r.community)): [str(r.proven), str(r.reason)] for r in frame.itertuples(index=False)}
    people = []
    for i, (community, place) in enumerate(base.facts.rows.items()):
        people.append(
            {
                "name": place["label"], "place": base.facts.district_label(str(place["district"])),
                "type": type_title(base.run.scenario, str(place["type"])), "box": boxes[i],
                "class": [class_title(s.run.scenario, s.facts.class_of.get(community, "")) for s in comparison.sides],
                "score": [thousandths(side.scores[community]) for side in comparison.sides],
                "needs": [shares[i] for shares in by_need],
                "notes": [notes[label, community] for label in comparison.labels],
            }
        )  # fmt: skip
    titles = [figure_title(comparison, "met_by_need", need) for need in needs]
    return {"labels": comparison.labels, "needs": titles, "height": height, "communities": people}


def _need_shares(met: Any, needs: list[str], order: list[Any]) -> list[list[float | None]]:
    sums = met.assign(part=met["beta"] * met["share"]).groupby(["community", "need"])[["part", "beta"]].sum()
    shares = (sums["part"] / sums["beta"]).unstack().reindex(index=order, columns=needs)
    return [[thousandths(v) for v in row] for row in shares.itertuples(index=False)]
