"""Comparing plans: money and met needs side by side, who gains and who loses, and which differences are proven.

The first plan is the base. What a plan meets is measured by the needs, persons, weights and years of the base, so
that a scenario that lowers a norm does not look better for it.

When is a difference proven? The search ends with a plan and a bound: the unmet need (2) of a plan, in person-needs,
could be at most `slack` = gap x unmet need lower. Two totals of unmet need differ for certain only where the intervals
[bound, value] of the two plans do not overlap. A met share of a group (a type, a district, a need, a community) is the
unmet person-needs of the group over all its person-needs; a difference of it that is not greater than the slack of
both plans, all of it put on that group, is not proven: better searching alone might close it. For a single
community, where all of the slack would cover any difference, it is spread evenly over all people's needs instead: a
guide to what is noise, not a proof. The same holds for money with the interval of the goal of spending, and for the worst-off community with the interval of that goal.
Counts of stations and the Gini coefficient have no bound and are not judged. Where the scenarios measure needs
differently, the totals are not judged, and the slack is a guide only; `notes` says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from optimizer.facts import Facts
from optimizer.run_folder import Run, RunError, read_run, read_run_city
from optimizer.words import PURPOSE_TITLES, need_title, source_title, type_title

if TYPE_CHECKING:
    from altair import Chart

    from geodata.city import City

FIGURES = ["figure", "group", "scenario", "value", "difference", "proven"]
COMMUNITIES = ["community", "name", "district", "type", "scenario", "score", "difference", "proven", "reason"]
NOTABLE = 0.05  # a score that changes by more than this is counted as a gain or a loss


class CompareError(RunError):
    """Plans that cannot be compared; the message says what differs."""


@dataclass(frozen=True)
class Side:
    """One plan of a comparison, measured by the base's needs.

    `met` has a row per need of the base: community, need, year, district, type, heft (year weight x persons x
    weight), done (heft x share met). `scores` is by community over all years.
    """

    label: str
    facts: Facts
    met: pd.DataFrame = field(repr=False)
    scores: "pd.Series[float]" = field(repr=False)
    same_measure: bool = True

    @property
    def run(self) -> Run:
        """The run folder read."""
        return self.facts.run

    def slack(self, goal: str) -> float:
        """Return how much better the best plan could be than this one, in the unit of the goal; inf if unknown."""
        stage = self.run.stage(goal)
        value, bound = stage.get("value"), stage.get("bound")
        return float("inf") if value is None or bound is None else abs(float(value) - float(bound))


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
            raise KeyError((figure, group, scenario))
        return float(rows["value"].iloc[0])

    def map(self, scenario: str = "", need: str = "") -> "Chart":
        """Return a map of the difference of a scenario (the second plan where none is named) to the base.

        Shows scores over all years, or the met share of one need. Raises KeyError for an unknown scenario or need.
        """
        from optimizer.report.notebook_map import difference_map

        return difference_map(self, scenario or self.labels[1], need)

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
    needs = _measure(base)
    sides = tuple(_side(label, Facts(run, city), needs) for label, run in zip(labels, runs, strict=True))
    figures = pd.DataFrame([row for make in _FIGURES for row in make(sides)], columns=FIGURES)
    communities = pd.DataFrame([row for side in sides for row in _community_rows(sides[0], side)], columns=COMMUNITIES)
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
                f"{run.name} plans {run.years[0]}–{run.years[-1]}, {first.name} {first.years[0]}–{first.years[-1]}: "
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


def _measure(base: Facts) -> pd.DataFrame:
    """Return the yardstick: every need of the base with its amount and its heft in person-needs."""
    beta = dict(zip(base.run.years, base.run.scenario.year_weights(), strict=True))
    frame = base.met[["community", "need", "year", "need_amount", "persons", "weight", "district", "type"]].copy()
    frame["heft"] = frame["year"].map(beta) * frame["persons"] * frame["weight"]
    frame["beta"] = frame["year"].map(beta)
    return frame


def _side(label: str, facts: Facts, needs: pd.DataFrame) -> Side:
    keys = ["community", "need", "year"]
    own_beta = dict(zip(facts.run.years, facts.run.scenario.year_weights(), strict=True))
    own = facts.run.met[[*keys, "need_amount", "met_amount", "persons", "weight"]]
    met = needs.merge(own.rename(columns={"need_amount": "own_need", "persons": "own_persons",
                                          "weight": "own_weight"}), how="left", on=keys)  # fmt: skip
    met["share"] = (met["met_amount"].fillna(0.0) / met["need_amount"]).clip(0.0, 1.0)
    met["done"] = met["heft"] * met["share"]
    same = bool(
        np.allclose(met["need_amount"], met["own_need"].fillna(-1.0), rtol=1e-6)
        and np.allclose(met["heft"], met["beta"] * met["own_persons"].fillna(0) * met["own_weight"].fillna(0))
        and (own["need_amount"] > 0).sum() == len(met)
        and np.allclose(met["beta"], met["year"].map(own_beta))
    )
    met["value"] = met["weight"] * met["share"]
    yearly = met.groupby(["community", "year"])[["value", "weight", "beta"]].agg(
        {"value": "sum", "weight": "sum", "beta": "first"}
    )
    yearly = yearly[yearly["weight"] > 0]
    weighted = (yearly["value"] / yearly["weight"] * yearly["beta"]).groupby("community").sum()
    whole = yearly["beta"].groupby("community").sum()
    scores = (weighted / whole).reindex(list(facts.communities.index))
    return Side(label, facts, met.drop(columns=["value"]), scores, same)


Row = list[Any]


def _rows(
    sides: Sequence[Side], figure: str, group: str, value: Callable[[Side], float],
    slack: Callable[[Side], float] | None = None, *, sign: int = 0,
) -> list[Row]:  # fmt: skip
    """Return one row per plan. `slack` is in the unit of the value; `sign` says which way the slack may go.

    With a sign the intervals [value, value + sign x slack] are compared, without one the two slacks are added.
    """
    rows: list[Row] = []
    base = value(sides[0])
    for i, side in enumerate(sides):
        mine = value(side)
        if i == 0:
            rows.append([figure, group, side.label, mine, None, ""])
            continue
        judged = ""
        if slack is not None:
            judged = _judge(base, mine, slack(sides[0]), slack(side), sign)
        rows.append([figure, group, side.label, mine, mine - base, judged])
    return rows


def _judge(a: float, b: float, slack_a: float, slack_b: float, sign: int) -> str:
    """Return `yes` where the difference of two values is greater than searching better could explain."""
    if not (np.isfinite(slack_a) and np.isfinite(slack_b)):
        return "no" if a != b else ""
    if abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b)):
        return "no"
    if sign == 0:
        return "yes" if abs(a - b) > slack_a + slack_b else "no"
    (low_a, high_a), (low_b, high_b) = (sorted((v, v + sign * s)) for v, s in ((a, slack_a), (b, slack_b)))
    return "yes" if low_a > high_b or low_b > high_a else "no"


def _money(sides: Sequence[Side]) -> list[Row]:
    def slack(side: Side) -> float:
        return side.slack("spending")

    rows = _rows(sides, "money", "", lambda s: float(s.run.ledger["yuan"].sum()), slack, sign=-1)
    sources = list(dict.fromkeys(s for side in sides for s in side.run.scenario.sources))
    for column, keys in (("source", sources), ("purpose", list(PURPOSE_TITLES))):
        sums = {side.label: side.run.ledger.groupby(column)["yuan"].sum() for side in sides}
        for key in keys:
            if any(sums[s.label].get(key, 0) for s in sides):
                rows += _rows(sides, f"money_by_{column}", key,
                              lambda s, k=key, t=sums: float(t[s.label].get(k, 0)), slack)  # type: ignore[misc] # fmt: skip
    return rows


def _met(sides: Sequence[Side]) -> list[Row]:
    def judged(side: Side) -> float:
        return side.slack("unmet_need")

    same = all(side.same_measure for side in sides)
    rows = _rows(sides, "unmet_need", "", _unmet, judged if same else None, sign=-1)
    rows += _share_rows(sides, "met", {"": slice(None)})
    for column in ("type", "district", "need"):
        values = sides[0].met[column]
        order = sides[0].facts.needs if column == "need" else sorted(set(values))
        rows += _share_rows(sides, f"met_by_{column}", {str(v): (values == v).to_numpy() for v in order})
    return rows


def _unmet(side: Side) -> float:
    return float((side.met["heft"] - side.met["done"]).sum())


def _share_rows(sides: Sequence[Side], figure: str, groups: dict[str, Any]) -> list[Row]:
    """Return met shares of groups of rows of `met`; rows of all plans stand in the same order."""
    rows = []
    for group, chosen in groups.items():
        heft = float(sides[0].met["heft"].to_numpy()[chosen].sum())
        if heft <= 0:
            continue
        rows += _rows(sides, figure, group, lambda s, c=chosen, h=heft: float(s.met["done"].to_numpy()[c].sum()) / h,  # type: ignore[misc]
                      lambda s, h=heft: min(1.0, s.slack("unmet_need") / h))  # type: ignore[misc] # fmt: skip
    return rows


def _worst(sides: Sequence[Side]) -> list[Row]:
    aside = sides[0].facts.set_aside

    def smallest(side: Side) -> float:
        kept = side.scores.drop(labels=[c for c in aside if c in side.scores.index]).dropna()
        return float(kept.min()) if len(kept) else 1.0

    def slack(side: Side) -> float:
        bound = side.run.stage("worst_off").get("bound")
        return float("inf") if bound is None else max(0.0, float(bound) - smallest(side))

    same = all(side.same_measure for side in sides)
    rows = _rows(sides, "worst_off", "", smallest, slack if same else None, sign=1)
    return rows + _rows(sides, "gini", "", lambda s: gini(s.scores.dropna().to_numpy()))


def gini(values: np.ndarray) -> float:
    """Return the Gini coefficient of values that are zero or more; 0 where all are equal or there are none."""
    ordered = np.sort(np.asarray(values, dtype=float))
    n, total = len(ordered), float(ordered.sum())
    if n == 0 or total <= 0:
        return 0.0
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * total) - (n + 1) / n)


def _stations(sides: Sequence[Side]) -> list[Row]:
    opened = {s.label: s.facts.open_stations(s.facts.last).drop_duplicates(["site", "service"]) for s in sides}
    rows = _rows(sides, "stations", "", lambda s: float(len(opened[s.label])))
    services = list(dict.fromkeys(k for side in sides for k in side.run.scenario.services))
    for service in services:
        counts = {label: float((frame["service"] == service).sum()) for label, frame in opened.items()}
        if any(counts.values()):
            rows += _rows(sides, "stations_by_service", service, lambda s, c=counts: c[s.label])  # type: ignore[misc]
    travel = {s.label: float((s.run.assignments["amount"] * s.run.assignments["travel_m"]).sum()) for s in sides}
    amount = {s.label: float(s.run.assignments["amount"].sum()) for s in sides}
    return rows + _rows(sides, "mean_travel_m", "", lambda s: travel[s.label] / max(amount[s.label], 1e-9))


def _changes(sides: Sequence[Side]) -> list[Row]:
    def count(direction: int) -> Callable[[Side], float]:
        return lambda s: float((direction * (s.scores - sides[0].scores) > NOTABLE).sum())

    return _rows(sides, "communities_that_lose", "", count(-1)) + _rows(sides, "communities_that_gain", "", count(1))


_FIGURES = (_money, _met, _worst, _stations, _changes)


def _community_rows(base: Side, side: Side) -> list[Row]:
    noise = (base.slack("unmet_need") + side.slack("unmet_need")) / max(float(base.met["heft"].sum()), 1e-9)
    reasons = _reasons(base, side) if side is not base else {}
    rows: list[Row] = []
    for key, place in base.facts.communities.iterrows():
        community = str(key)
        score, before = side.scores.get(community), base.scores.get(community)
        head = [community, place["label"], place["district"], place["type"], side.label, score]
        if side is base or score is None or before is None or pd.isna(score) or pd.isna(before):
            rows.append([*head, None, "", ""])
            continue
        difference = float(score) - float(before)
        proven = "yes" if abs(difference) > noise else "no"
        reason = reasons.get(community, "") if abs(difference) >= 5e-4 else ""
        rows.append([*head, difference, proven, reason])
    return rows


def _reasons(base: Side, side: Side) -> dict[str, str]:
    """Return the need that changes a community's score most, in words, with the station it loses or gains."""
    frame = base.met[["community", "need", "beta", "weight"]].copy()
    frame["shift"] = frame["beta"] * (side.met["share"].to_numpy() - base.met["share"].to_numpy())
    frame["part"] = frame["weight"] * frame["shift"]
    sums = frame.groupby(["community", "need"], as_index=False)[["part", "shift", "beta"]].sum()
    overall = side.scores - base.scores
    lost, gained = _stations_lost(base, side), _stations_lost(side, base)
    reasons = {}
    for community, part in sums.groupby("community", sort=False):
        direction = float(overall.get(str(community), 0.0))
        values = part["part"].to_numpy() * (1 if direction >= 0 else -1)
        best = int(values.argmax())
        if values[best] <= 1e-9:
            continue
        need = str(part["need"].iloc[best])
        shift = float(part["shift"].iloc[best]) / float(part["beta"].iloc[best])
        title = need_title(base.run.scenario, need).lower()
        key = (str(community), need)
        if direction < 0 and key in lost:
            reasons[str(community)] = f"loses its station for {title}"
        elif direction > 0 and key in gained:
            reasons[str(community)] = f"gains a station for {title}"
        else:
            reasons[str(community)] = f"{title} {shift:+.2f}".replace("-", "−")
    return reasons


def _stations_lost(here: Side, there: Side) -> set[tuple[str, str]]:
    """Return (community, service) whose main station of the last year in one plan is not open in the other."""
    frame = here.run.assignments
    frame = frame[(frame["year"] == here.facts.last) & (frame["amount"] > 0)]
    main = frame.sort_values("amount", ascending=False, kind="stable").drop_duplicates(["community", "service"])
    opened = there.facts.open_stations(there.facts.last)
    places = set(zip(opened["site"], opened["service"], strict=True))
    return {
        (str(r.community), str(r.service)) for r in main.itertuples(index=False) if (r.site, r.service) not in places
    }


def _notes(sides: Sequence[Side]) -> list[str]:
    notes = []
    for side in sides[1:]:
        if not side.same_measure:
            notes.append(
                f"{side.label} measures needs differently from {sides[0].label}; both are shown by the needs of "
                f"{sides[0].label}, and what is called proven is a guide only."
            )
    for side in sides:
        if str(side.run.record.get("status", "")).startswith("stopped"):
            notes.append(f"{side.label} was {side.run.record['status']}: a longer search may change it.")
    return notes


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
