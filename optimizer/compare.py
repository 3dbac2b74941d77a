"""Comparing plans: money and met needs side by side, who gains and who loses, and which differences are proven.

The first plan is the base. What a plan meets is measured by the needs, persons, weights and years of the base, so
that a scenario that lowers a norm does not look better for it.

When is a difference proven? The search ends with a plan and a bound: the unmet need (goal 2) of a plan, in
person-needs, could be at most `slack` = gap x unmet need lower. Two totals of unmet need differ for certain only where
the intervals [bound, value] of the two plans do not overlap. A met share of a group (a type, a district, a need) is
one less its unmet person-needs over all its person-needs; a difference of it that is not greater than the slack of
both plans, all of it put on that group, is not proven: better searching alone might close it. For a single community,
where all of the slack would cover any difference, it is spread evenly over all people's needs instead: a guide to what
is noise, not a proof. The same holds for money with the interval of the goal of spending, and for the worst-off
community with the interval of that goal. Money is not judged where the bound of spending holds for some plans only
(those with the stations that were chosen). Counts of stations and the Gini coefficient have no bound and are not
judged. Where the scenarios measure needs differently, totals are not judged and the slack is a guide only; `notes`
says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from optimizer.compare_communities import community_rows
from optimizer.compare_figures import figure_rows
from optimizer.compare_side import Side, measure, measured
from optimizer.facts import Facts
from optimizer.run_folder import Run, RunError, read_run, read_run_city
from optimizer.words import listed, need_title, source_title, type_title, years_listed

if TYPE_CHECKING:
    from altair import Chart

    from geodata.city import City

FIGURES = ["figure", "group", "scenario", "value", "difference", "proven"]
COMMUNITIES = ["community", "name", "district", "type", "scenario", "score", "difference", "proven", "reason"]


class CompareError(RunError):
    """Plans that cannot be compared; the message says what differs."""


@dataclass(frozen=True)
class Comparison:
    """Plans side by side; the first is the base.

    `figures` has the columns of `FIGURES`: shares between 0 and 1, money in whole units; `difference` is to the base
    (missing for the base itself); `proven` is `yes`, `no`, or empty where it is not judged. `communities` has the
    columns of `COMMUNITIES`.
    """

    sides: tuple[Side, ...]
    figures: pd.DataFrame
    communities: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Comparison of {listed(self.labels)}>"

    @property
    def labels(self) -> list[str]:
        """Names of the plans, the base first."""
        return [side.label for side in self.sides]

    @property
    def base(self) -> Side:
        """The plan the others are compared with."""
        return self.sides[0]

    def value(self, figure: str, group: str = "", scenario: str = "") -> float:
        """Return one figure; of the base where no scenario is named. Raises KeyError where there is none."""
        frame = self.figures
        rows = frame[(frame["figure"] == figure) & (frame["group"] == group)]
        rows = rows[rows["scenario"] == (scenario or self.labels[0])]
        if rows.empty:
            raise KeyError(self._no_figure(figure, group, scenario))
        return float(rows["value"].iloc[0])

    def _no_figure(self, figure: str, group: str, scenario: str) -> str:
        """Say which of the three there is not, and what there is."""
        frame = self.figures
        asked = {"scenario": scenario or self.labels[0], "figure": figure, "group": group}
        for column, word in asked.items():
            there = dict.fromkeys(frame[column].astype(str))
            if word not in there:
                return f"there is no {column} {word!r}; there are {', '.join(map(repr, there))}"
            frame = frame[frame[column] == word]
        return f"{figure} {group} of {asked['scenario']}"

    def map(self, scenario: str = "", need: str = "", *, main_city: bool = False) -> "Chart":
        """Return a map of the difference of a scenario (the second plan where none is named) to the base.

        Shows scores over all years, or the met share of one need; `main_city` leaves the rest out.
        Raises KeyError for an unknown scenario or need.
        """
        from optimizer.report.notebook_map import difference_map

        return difference_map(self, scenario or self.labels[1], need, main_city=main_city)

    def text(self, width: int = 120) -> str:
        """Return the comparison as a table in plain text."""
        from optimizer.report.compare_table import comparison_text

        return comparison_text(self, width)

    def write(self, folder: Path | str) -> Path:
        """Write tables and a page into a folder; return the page."""
        write_comparison(self, Path(folder))
        return Path(folder) / "comparison.html"

    def changed(self, scenario: str, most: int = 10, *, losers: bool = True) -> pd.DataFrame:
        """Return the communities whose score falls (or rises) most in a scenario, the largest change first."""
        rows = self.communities[self.communities["scenario"] == scenario].dropna(subset=["difference"])
        rows = rows[rows["difference"] < -1e-6] if losers else rows[rows["difference"] > 1e-6]
        return rows.sort_values("difference", ascending=losers, kind="stable").head(most)


def compare(folders: Sequence[Path | str], *, city: "City | None" = None) -> Comparison:
    """Compare finished runs; the first is the base.

    `city` is read from the base's inputs where it is not given. Raises CompareError where fewer than two runs are
    given or they plan other communities or years, RunError where a folder is not a finished run.
    """
    if len(folders) < 2:
        raise CompareError("a comparison needs at least two plans")
    runs = [read_run(folder) for folder in folders]
    _same_ground(runs)
    city = city if city is not None else read_run_city(runs[0])
    labels = _labels(runs)
    base = Facts(runs[0], city)
    needs = measure(base)
    sides = tuple(measured(label, Facts(run, city), needs) for label, run in zip(labels, runs, strict=True))
    figures = pd.DataFrame(figure_rows(sides), columns=FIGURES)
    communities = pd.DataFrame([row for side in sides for row in community_rows(sides[0], side)], columns=COMMUNITIES)
    return Comparison(sides, figures, communities, tuple(_notes(sides)))


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write `comparison.csv`, `communities.csv` and `comparison.html` into a folder, made where it is missing."""
    from optimizer.report.compare_page import page

    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (("comparison", comparison.figures), ("communities", comparison.communities)):
        frame.round(6).to_csv(folder / f"{name}.csv", index=False, encoding="utf-8", lineterminator="\n")
    (folder / "comparison.html").write_text(page(comparison), encoding="utf-8", newline="\n")


def _labels(runs: Sequence[Run]) -> list[str]:
    names = [run.name for run in runs]
    labels = [n if names.count(n) == 1 else f"{n} ({run.folder.name})" for n, run in zip(names, runs, strict=True)]
    for i, label in enumerate(labels):
        if labels.index(label) != i:
            labels[i] = f"{label} #{i + 1}"
    return labels


def _same_ground(runs: Sequence[Run]) -> None:
    first = runs[0]
    ours = set(first.met["community"])
    for run in runs[1:]:
        if run.years != first.years:
            raise CompareError(
                f"{run.name} plans {years_listed(run.years)}, {first.name} {years_listed(first.years)}: "
                "plans of other years cannot be compared; run both with the same horizon"
            )
        theirs = set(run.met["community"])
        if theirs != ours:
            missing, more = sorted(ours - theirs), sorted(theirs - ours)
            named = ", ".join((missing or more)[:3])
            raise CompareError(
                f"{run.name} and {first.name} plan other communities ({len(missing)} missing, {len(more)} more, for "
                f"example {named}): run both with the same data"
            )


def _notes(sides: Sequence[Side]) -> list[str]:
    base = sides[0].label
    other = [
        f"{side.label} measures needs differently from {base}; both are shown by the needs of {base}, and what is "
        "called proven is a guide only."
        for side in sides[1:]
        if not side.same_measure
    ]
    states = {side.label: str(side.run.record.get("status", "")) for side in sides}
    return other + [
        f"{label} was {status}: a longer search may change it."
        for label, status in states.items()
        if status.startswith("stopped")
    ]


def group_title(comparison: Comparison, figure: str, group: str) -> str:
    """Return the name people read for a group of a figure."""
    scenario = comparison.base.run.scenario
    if figure == "money_by_source":
        owner = next((s.run.scenario for s in comparison.sides if group in s.run.scenario.sources), scenario)
        return source_title(owner, group)
    if figure == "met_by_type":
        return type_title(scenario, group)
    if figure == "met_by_district":
        return comparison.base.facts.district_label(group)
    if figure in {"money_by_purpose", "met_by_need", "stations_by_service"}:
        return need_title(scenario, group)
    return group
