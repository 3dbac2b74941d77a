"""How evenly the plan treats communities, as a section of the report."""

from typing import Any

from optimizer.facts import Facts
from optimizer.report.html import Html, table, tag
from optimizer.report.sections import section
from optimizer.words import number, percent


def fairness_section(facts: Facts) -> Html:
    """Return indices of inequality before and after the plan, and pairs with reason for envy; empty without any."""
    said = facts.run.record.get("fairness")
    if not isinstance(said, dict):
        return Html("")
    lead = (
        "Scores are averaged over all years. Every index is 0 where all have the same; before is what rooms and "
        "stations give that stand already, for those the plan sends there in its first year."
    )
    return section("fairness", "How evenly", _indices(said), *_envy(facts, said["envy"]), lead=lead)


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
