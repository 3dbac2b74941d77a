"""How evenly the plan treats communities, as a section of the report."""

from typing import Any

from optimizer.facts import Facts
from optimizer.report.html import Html, table, tag
from optimizer.report.sections import section
from optimizer.words import listed, number, percent, plural

LOWEST, NAMED = 10, 5
"""So many levels of leximin, and so many communities of each, are named."""


def fairness_section(facts: Facts) -> Html:
    """Return indices of inequality before and after the plan, and pairs with reason for envy; empty without any."""
    said = facts.run.record.get("fairness")
    if not isinstance(said, dict):
        return Html("")
    lead = (
        "Scores are averaged over all years. Every index is 0 where all have the same; before is what rooms and "
        "stations give that stand already, for those the plan sends there in its first year."
    )
    return section(
        "fairness",
        "How evenly",
        *_price(said.get("price")),
        *_levels(facts),
        _indices(said),
        *_envy(facts, said["envy"]),
        lead=lead,
    )


def _price(price: dict[str, Any] | None) -> list[Html]:
    """What fairness costs: a sentence, and what is with it beside what could be without."""
    if price is None:
        return []
    found = [tag("p", price["said"], id="price-of-fairness")]
    if price["found"]:
        title = "Unmet need, person-needs" if price["goal"] == "unmet_need" else "Weighted sum, points"
        digits = 0 if price["with"]["value"] >= 100 else 2
        ends = ("with", "without")
        rows = [
            [title, *(number(price[end]["value"], digits) for end in ends)],
            ["No plan is below", *(number(price[end]["bound"], digits) for end in ends)],
            ["Part of all needs met", *(f"{price['met_share'][end]:.3f}" for end in ends)],
            ["Worst-off community", *(f"{price['worst_off'][end]:.3f}" for end in ends)],
        ]
        head = ["Figure", "This plan", "Without fairness"]
        found.append(table("The price of fairness", head, rows, numbers=(1, 2), id_="price-table"))
    return found


def _levels(facts: Facts) -> list[Html]:
    """Levels of leximin, the lowest first, with who is settled at them."""
    said = facts.run.record.get("leximin")
    if not isinstance(said, dict) or not said["levels"]:
        return []
    levels = said["levels"]
    shown = levels if len(levels) <= LOWEST + 2 else [*levels[:LOWEST], levels[-1]]
    rows = []
    for level in shown:
        names, gap = [facts.label(str(name)) for name in level["communities"]], level["bound"] - level["level"]
        proof = "not proven" if not level["proven"] else f"within {gap:.3f}" if gap >= 0.0005 else "yes"
        rows.append([f"{level['level']:.3f}", number(len(names)), proof, listed(names, NAMED)])
    left = len(levels) - len(shown)
    rule = (
        f"When the worst-off community is as well off as can be, the next is raised, and so on: "
        f"{plural(len(levels), 'level')}, up to {said['step']:g} of score, proven among {said['scope']}."
    )
    if left:
        rule += f" The table has the lowest and the highest; {plural(left, 'level')} between them are in run.json."
    if not said["complete"]:
        rule += " The search ended before everybody was settled: those at the highest level might be raised further."
    head = ["Level", "Communities", "Proven", "Who"]
    return [tag("p", rule), table("Levels of the worst-off", head, rows, numbers=(1,), id_="levels-table")]


def _indices(said: dict[str, Any]) -> Html:
    titles = {
        "mean": "Mean score", "gini": "Gini index", "atkinson": f"Atkinson index (aversion {said['epsilon']:g})",
        "theil": "Theil index",
    }  # fmt: skip
    rows = [
        [title, *(f"{float(said[when][key + end]):.3f}" for end in ("", "_persons") for when in ("before", "after"))]
        for key, title in titles.items()
    ]
    head = ["Index", "Communities, before", "after", "Residents, before", "after"]
    return table("Inequality of scores", head, rows, numbers=(1, 2, 3, 4), id_="inequality-table")


def _envy(facts: Facts, envy: dict[str, Any]) -> list[Html]:
    rule = (
        f"Pairs of one type whose needs per resident differ by at most {percent(1 - envy['alike'])}, one of which gets "
        f"at most {percent(envy['clearly_less'])} of what the other gets per resident: {number(envy['pairs'])}."
    )
    rows = [
        [facts.label(str(pair["community"])), facts.label(str(pair["other"])), percent(float(pair["got_share"])),
         f"{pair['need_per_resident']:.2f}", f"{pair['other_need_per_resident']:.2f}"]
        for pair in envy["worst"]
    ]  # fmt: skip
    found = [tag("p", rule)]
    if rows:
        head = ["Community", "Gets less than", "Its part of that", "Need per resident", "Need of the other"]
        found.append(table("Reason for envy, the worst pairs", head, rows, numbers=(2, 3, 4), id_="envy-table"))
    return found
