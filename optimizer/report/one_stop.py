"""What one-stop buildings save, community by community, in the report."""

from collections.abc import Sequence

from optimizer.facts import Facts
from optimizer.report.html import Html, table
from optimizer.report.sections import section
from optimizer.report.summary import one_stop_text
from optimizer.words import number


def one_stop_section(facts: Facts) -> Html:
    """Return the section of buildings that several services share; nothing where there are none."""
    frame = facts.run.one_stop
    if frame.empty:
        return Html("")
    sums = frame.groupby("community", sort=False).agg(
        buildings=("site", "size"), services=("services", "sum"), area_m2=("area_m2", "sum"),
        alone_m2=("alone_m2", "sum"), cost_yuan=("cost_yuan", "sum"), alone_yuan=("alone_yuan", "sum"),
        saved_yuan=("saved_yuan", "sum"),
    )  # fmt: skip
    sums = sums.reindex([c for c in facts.communities.index if c in sums.index])
    rows: list[Sequence[object]] = []
    for community, *values in sums.itertuples():
        place = facts.rows[str(community)]
        rows.append([place["label"], facts.district_label(str(place["district"])), *(number(float(v)) for v in values)])
    rows.append(["All", "", *(number(float(v)) for v in sums.sum())])
    currency = facts.run.scenario.currency.name
    head = ["Community", "District", "Buildings", "Stations in them", "Floor, m²", "Floor alone, m²",
            f"Buildings, {currency}", f"Alone, {currency}", f"Saved, {currency}"]  # fmt: skip
    body = table("Buildings that several services share", head, rows, numbers=range(2, 9), hidden_caption=True)
    said = one_stop_text(facts)
    lead = (
        f"{said[:1].upper()}{said[1:]}. “Alone” is a building of the same kind and price for every station, no smaller "
        "than the smallest sensible size, taken in time for it; money over all years."
    )
    return section("one-stop", "What one-stop buildings save", body, lead=lead)
