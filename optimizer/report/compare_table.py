"""A comparison as lines for a terminal."""

from typing import TYPE_CHECKING

import numpy as np

from optimizer.compare import Comparison, group_title
from optimizer.report.summary import price_of_fairness
from optimizer.words import GOAL_TITLES, number, plural

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["change_lines", "comparison_lines", "comparison_table", "comparison_text", "figure_text", "table_rows"]

SHARES = {"met", "met_by_type", "met_by_district", "met_by_need", "worst_off"}
INDENTED = {"met_by_type", "met_by_district", "met_by_need", "money_by_source", "money_by_purpose",
            "stations_by_service"}  # fmt: skip
HEADS = {"met_by_type": "  by type", "met_by_need": "  by need", "met_by_district": "  by district"}
SHORT = ("money", "money_by_purpose", "met", "worst_off", "met_by_type", "met_by_need", "met_by_district", "stations",
         "gini", "communities_that_lose", "communities_that_gain")  # fmt: skip


def figure_title(comparison: Comparison, figure: str, group: str) -> str:
    """Return what a figure is called; groups are set in under their figure."""
    currency = comparison.base.run.scenario.currency.name
    titles = {
        "money": f"Money, million {currency}",
        "unmet_need": "Unmet need, thousand person-needs",
        "met_person_needs": "Met, thousand person-needs a year",
        "yuan_per_met_need": f"{currency.capitalize()} a year per met person-need",
        "met": "Met needs, all people",
        "worst_off": GOAL_TITLES["worst_off"],
        "gini": "Inequality of met needs (Gini)",
        "stations": "Stations open in the last year",
        "mean_travel_m": "Mean travel, m",
        "communities_that_lose": "Communities that lose more than 0.05",
        "communities_that_gain": "Communities that gain more than 0.05",
    }
    return group_title(comparison, figure, group) if group else titles.get(figure, figure)


def money_digits(comparison: Comparison) -> int:
    """Return how many digits of a million are worth showing: one for a city, more for a small place."""
    return 1 if comparison.value("money") >= 1e7 else 3


def figure_text(figure: str, value: float, *, difference: bool = False, digits: int = 1) -> str:
    """Return a value, or a difference with its sign, with the digits its figure deserves."""
    if figure.startswith("money"):
        text = number(abs(value) / 1e6, digits)
    elif figure in {"unmet_need", "met_person_needs"}:
        text = number(abs(value) / 1000, 1)
    elif figure == "yuan_per_met_need":
        text = number(abs(value), 0 if abs(value) >= 100 else 2)
    elif figure == "gini":
        text = f"{abs(value):.3f}"
    elif figure in SHARES:
        text = f"{abs(value):.2f}"
    else:
        text = number(abs(value))
    if difference:
        zero = not text.strip("0.,")
        return f"±{text}" if zero else f"{'−' if value < 0 else '+'}{text}"
    return f"−{text}" if value < 0 else text


def short_figures(comparison: Comparison) -> tuple[str, ...]:
    """Return the figures a terminal shows; beside a plan made by a rule also what a met need costs."""
    if not any(side.by_rule for side in comparison.sides):
        return SHORT
    at = SHORT.index("worst_off") + 1
    return (*SHORT[:at], "met_person_needs", "yuan_per_met_need", *SHORT[at:])


def table_rows(comparison: Comparison, figures: tuple[str, ...] | None = None) -> list[tuple[str, bool, list[str]]]:
    """Return rows of the table: title, whether it is set in, and one text per plan (value and difference)."""
    frame, digits = comparison.figures, money_digits(comparison)
    rows: list[tuple[str, bool, list[str]]] = []
    for figure in figures or short_figures(comparison):
        part = frame[frame["figure"] == figure]
        if figure in HEADS and len(part):
            rows.append((HEADS[figure], False, [""] * len(comparison.labels)))
        for group in dict.fromkeys(part["group"]):
            values = part[part["group"] == group]
            texts = []
            for row in values.itertuples(index=False):
                text = figure_text(figure, float(str(row.value)), digits=digits)
                if str(row.scenario) != comparison.labels[0]:
                    shift = figure_text(figure, float(str(row.difference)), difference=True, digits=digits)
                    text += f"  {shift}{'*' if row.proven == 'no' and not shift.startswith('±') else ' '}"
                texts.append(text)
            deep = "  " if figure in HEADS else ""
            inside = figure in INDENTED or figure == "worst_off"
            rows.append((deep + figure_title(comparison, figure, group), inside, texts))
    return rows


def comparison_table(comparison: Comparison) -> "RenderableType":
    """Return the comparison for a rich console."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for label in comparison.labels:
        table.add_column(Text(label), justify="right", no_wrap=True)
    for title, inside, texts in table_rows(comparison):
        table.add_row(Text(("  " if inside else "") + title), *(Text(text) for text in texts))
    changed = [Text(line) for line in change_lines(comparison)]
    below = (Text(line) for line in comparison_lines(comparison))
    return Group(*changed, *([Text("")] if changed else []), table, *below)


def change_lines(comparison: Comparison) -> list[str]:
    """Return what the command line changed of the scenarios, one line per plan, or one where it is alike in all."""
    changes = {side.label: side.run.changes for side in comparison.sides}
    if len(set(changes.values())) == 1:
        changes = {"All plans": comparison.base.run.changes}
    return [f"{label} with {said}" for label, said in changes.items() if said]


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return the sentences under the table: who loses, who gains, what is not proven."""
    lines = ["", *gain_lines(comparison)]
    for label in comparison.labels[1:]:
        lines += _who(comparison, label, losers=True) + _who(comparison, label, losers=False)
        rows = comparison.communities
        if not len(rows[(rows["scenario"] == label) & (rows["difference"].abs() >= 5e-4)]):
            lines.append(f"{label} changes no community's met needs")
    prices = [price_of_fairness(side.facts) for side in comparison.sides]
    if all(prices):
        lines += [f"{label}: {said}" for label, said in zip(comparison.labels, prices, strict=True)]
    if any("*" in text for _, _, texts in table_rows(comparison) for text in texts):
        lines.append("* smaller than the proven gaps: not proven")
    if _rounding_shows(comparison):
        lines.append("Differences are taken before figures are rounded")
    return [*lines, *comparison.notes]


def _rounding_shows(comparison: Comparison) -> bool:
    """Whether some share and its difference, each rounded to hundredths, do not add up to that of the first plan."""
    frame = comparison.figures[comparison.figures["figure"].isin(SHARES & {*short_figures(comparison)})]
    first = frame[frame["scenario"] == comparison.labels[0]].set_index(["figure", "group"])["value"]
    rest = frame[frame["scenario"] != comparison.labels[0]]
    before = first.reindex(list(zip(rest["figure"], rest["group"], strict=True))).to_numpy(dtype=float)
    after, shift = (rest[column].to_numpy(dtype=float) for column in ("value", "difference"))
    left = np.round(after, 2) - np.round(before, 2) - np.round(shift, 2)
    return bool((np.abs(left) > 5e-3).any())


def gain_lines(comparison: Comparison) -> list[str]:
    """Return what optimisation gains against each plan made by a rule, one sentence per pair with the first plan."""
    base, lines = comparison.base, []
    for side in comparison.sides[1:]:
        if side.by_rule == base.by_rule:
            continue
        best, rule = (base, side) if side.by_rule else (side, base)
        said = []
        for figure in ("met_person_needs", "worst_off", "yuan_per_met_need"):
            here, there = (comparison.value(figure, "", s.label) for s in (best, rule))
            words = _GAINS[figure].format(
                more=figure_text(figure, here - there, difference=True),
                here=figure_text(figure, here),
                there=figure_text(figure, there),
                currency=base.run.scenario.currency.name,
            )
            said.append(words + ("" if _proven(comparison, figure, side.label) else " (not proven)"))
        lines.append(f"What optimisation gains, {best.label} against {rule.label}: {'; '.join(said)}")
    return lines


_GAINS = {
    "met_person_needs": "{more} thousand person-needs met a year ({here} instead of {there})",
    "worst_off": "worst-off community {here} instead of {there}",
    "yuan_per_met_need": "{here} {currency} a year per met person-need instead of {there}",
}


def _proven(comparison: Comparison, figure: str, label: str) -> bool:
    frame = comparison.figures
    rows = frame[(frame["figure"] == figure) & (frame["group"] == "") & (frame["scenario"] == label)]
    return bool((rows["proven"] == "yes").all())


def _who(comparison: Comparison, label: str, *, losers: bool, most: int = 3) -> list[str]:
    rows = comparison.changed(label, most, losers=losers)
    rows = rows[rows["difference"].abs() >= 5e-3]
    if rows.empty:
        return []
    figure = "communities_that_lose" if losers else "communities_that_gain"
    count = int(comparison.value(figure, "", label))
    said = []
    for row in rows.itertuples(index=False):
        name, reason = str(row.name), str(row.reason)
        why = f"{reason}; " if reason else ""
        proof = "" if row.proven == "yes" else "not proven; "
        note = (why + proof).rstrip("; ")
        shift = figure_text("met", float(str(row.difference)), difference=True)
        said.append(f"{name} {shift}" + (f" ({note})" if note else ""))
    word = "hits most" if losers else "helps most"
    verb = ("lose" if losers else "gain") + ("s" if count == 1 else "")
    return [f"{label} {word}: {', '.join(said)} … {plural(count, 'community', 'communities')} {verb} more than 0.05"]


def comparison_text(comparison: Comparison, width: int = 120) -> str:
    """Return the comparison as plain text."""
    import io

    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width, color_system=None, force_terminal=False, force_jupyter=False).print(
        comparison_table(comparison)
    )
    return out.getvalue()
