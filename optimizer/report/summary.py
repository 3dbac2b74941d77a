"""A plan in sentences: for the terminal, the head of the report and the first sheet of the workbook."""

import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

from optimizer.facts import BEFORE, Facts
from optimizer.run_folder import Run, read_run, read_run_city
from optimizer.scenario import RULE_TITLES
from optimizer.words import (
    listed,
    million,
    money,
    need_title,
    number,
    percent,
    plural,
    share,
    source_title,
    type_title,
    years_listed,
)

NOTHING = 1e-3
"""Fewer person-needs than this are none: they are the last digits of rounded amounts."""


@dataclass(frozen=True)
class Line:
    """One line of the summary: what, its figure (may be empty) and what is said of it."""

    label: str
    figure: str
    text: str


@dataclass(frozen=True)
class Summary:
    """A plan in a headline, a sentence and lines, in the order they are to be read.

    `changes` is what the command line changed of the scenario, empty where nothing was.
    """

    headline: str
    sentence: str
    lines: tuple[Line, ...]
    warnings: tuple[str, ...]
    changes: str = ""

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return the summary as plain text, no wider than the terminal where there is one."""
        columns = shutil.get_terminal_size((0, 0)).columns
        wide = max((len(line.label) for line in self.lines), default=0)
        figures = max((len(line.figure) for line in self.lines), default=0)
        heads = [f"  {line.label:<{wide}}  {line.figure:>{figures}}  " for line in self.lines]
        rows = [_wrapped(head, line.text, columns) for head, line in zip(heads, self.lines, strict=True)]
        notes = [_wrapped("  ! ", warning, columns) for warning in self.warnings]
        head = [_wrapped("", self.headline, columns, " " * 6)]
        head += [_wrapped("      ", f"with {self.changes}", columns)] if self.changes else []
        return "\n".join([*head, *notes, "", *rows])


def _wrapped(head: str, text: str, columns: int, indent: str = "") -> str:
    """Return a text after its head on lines of at most `columns` (0: on one line), under its own beginning."""
    indent = indent or " " * min(len(head), max(4, columns - 30))
    if not columns or not text:
        return (head + text).rstrip()
    return textwrap.fill(
        text, max(columns, 30), initial_indent=head, subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def summarise(facts: Facts) -> Summary:
    """Return the summary of a plan."""
    lines = [*_purpose_lines(facts), *_met_lines(facts), *_price_lines(facts), *_money_lines(facts)]
    return Summary(_headline(facts), sentence(facts), tuple(lines), tuple(warnings(facts.run)), facts.run.changes)


def summarise_folder(folder: Path) -> Summary:
    """Return the summary of a finished run folder; raise RunError where it or its inputs cannot be read."""
    run = read_run(folder)
    return summarise(Facts(run, read_run_city(run)))


def how_sure(run: Run) -> str:
    """Say how good the plan is proven to be, as a phrase."""
    if run.scenario.rule is not None:
        return f"made by a rule ({RULE_TITLES[run.scenario.rule.split]}), not searched for: nothing is proven"
    gap, status = run.record.get("gap"), str(run.record.get("status", ""))
    proof = "without a proof of how good it is" if gap is None else f"proven within {percent(gap)} of the best possible"
    if gap is not None and gap <= 0:
        proof = "proven the best possible"
    elif gap is not None and gap >= 1:
        proof = "hardly anything proven of how good it is"
    if _all_met(run):
        proof = "proven to leave no need unmet"
    if status.startswith("stopped"):
        proof += f", {status}"
    return proof


def _all_met(run: Run) -> bool:
    """Whether all needs are met but for the last digits, of which a gap would be made."""
    met = [s for s in run.record.get("stages", []) if s.get("goal") == "unmet_need"]
    return bool(met) and float(met[-1].get("value", NOTHING)) < NOTHING


def period(facts: Facts) -> str:
    """Return the years of the plan as words."""
    return str(facts.first) if facts.first == facts.last else f"{facts.first}–{facts.last}"


def _headline(facts: Facts) -> str:
    currency = facts.run.scenario.currency.name
    spent, had = million(facts.spent), million(facts.available)
    return f"Plan  {period(facts)}, {spent} of {had} million {currency}, {how_sure(facts.run)}"


def sentence(facts: Facts) -> str:
    """Return the first sentence of the report: what the plan does, for whom, with what money, how sure."""
    people = float(facts.communities["population"].sum())
    before, after = facts.met_by_year[BEFORE], facts.met_by_year[facts.last]
    if share(before) == share(after):
        change = f"keeps the part of all needs that is met at {share(after)}"
    else:
        verb = "raises the part of all needs that is met" if after > before else "lets the part of all needs met fall"
        change = f"{verb} from {share(before)} before it to {share(after)} in {facts.last}"
    return (
        f"This plan gives {plural(len(facts.communities), 'community', 'communities')} with {number(people)} residents "
        f"{listed(_given(facts)) or 'nothing'} for {period(facts)}; it {change}, costs "
        f"{money(facts.spent, facts.run.scenario.currency.name)} and is {how_sure(facts.run)}."
    )


def _given(facts: Facts) -> list[str]:
    """What a plan gives, as words: only what there is any of."""
    paid = facts.run.ledger[facts.run.ledger["yuan"] > 0]["purpose"].unique()
    there = {
        "work funds": "work_funds" in paid,
        "rooms": any(facts.added_area(year) > 0 for year in facts.run.years),
        "service stations": any(len(facts.open_stations(year)) for year in facts.run.years),
        "debt relief": "debt_relief" in paid,
    }
    return [words for words, any_of_it in there.items() if any_of_it]


def warnings(run: Run) -> list[str]:
    """Return what a reader must know before using the plan: stopped searches, failed checks, no proof."""
    record, found = run.record, []
    status = str(record.get("status", ""))
    if status.startswith("stopped"):
        reached = [s for s in record.get("stages", []) if s.get("value") is not None]
        found.append(
            f"The search was {status}; {plural(len(reached), 'goal')} of {len(run.scenario.goals)} reached. "
            "A longer search may find a better plan."
        )
    elif status == "feasible" and not (_all_met(run) and _open(run) <= {"unmet_need"}):
        found.append("The plan keeps all rules, but at least one goal ended before its gap was reached.")
    if not record.get("audit", {}).get("passed", False):
        found.append("The plan has not passed its check: do not use it.")
    return found


def _open(run: Run) -> set[str]:
    """Goals that ended before their gap was reached."""
    return {str(stage.get("goal")) for stage in run.record.get("stages", []) if stage.get("status") != "proven"}


def _purpose_lines(facts: Facts) -> list[Line]:
    by_purpose = facts.run.ledger.groupby("purpose")["yuan"].sum()
    space = by_purpose.get("space", 0)
    services = by_purpose.get("service_capital", 0) + by_purpose.get("service_running", 0)
    return [
        Line("Work funds", _figure(by_purpose.get("work_funds", 0)), _funds_text(facts)),
        Line("Space", _figure(space), _space_text(facts)),
        Line("Services", _figure(services), stations_text(facts)),
        *_relief_lines(facts, float(by_purpose.get("debt_relief", 0))),
        *_one_stop_lines(facts),
    ]


def _relief_lines(facts: Facts, yuan: float) -> list[Line]:
    full, indebted = facts.at_full("debt_relief", facts.last)
    if not indebted:
        return []
    return [Line("Debt relief", _figure(yuan), f"debts paid off in full by {facts.last}: {full} of {indebted}")]


def _one_stop_lines(facts: Facts) -> list[Line]:
    text = one_stop_text(facts)
    return [Line("One-stop", "", text)] if text else []


def one_stop_text(facts: Facts) -> str:
    """Say what buildings shared by several services save; empty where there are none."""
    frame = facts.run.one_stop
    if frame.empty:
        return ""
    saved = float(frame["saved_yuan"].sum())
    less = float((frame["alone_m2"] - frame["area_m2"]).sum())
    yuan, floor = money(abs(saved), facts.run.scenario.currency.name), f"{number(less)} m² of floor"
    said = f"{yuan} saved" if saved >= 0 else f"{yuan} lost"
    if less >= 0.5:
        said = f"{yuan} and {floor} saved" if saved >= 0 else f"{yuan} lost and {floor} saved"
    return (
        f"{said} by {plural(len(frame), 'building')} that {plural(int(frame['services'].sum()), 'station')} share, "
        "against a building for each"
    )


def _figure(yuan: float) -> str:
    return f"{million(yuan)} M"


def _funds_text(facts: Facts) -> str:
    counts = {year: facts.at_full("work_funds", year) for year in facts.run.years}
    floor = number(facts.run.scenario.programmes.work_funds.floor_yuan)
    if not any(entitled for _, entitled in counts.values()):
        return "no community is entitled to any"
    complete = [year for year, (full, entitled) in counts.items() if entitled and full == entitled]
    short = {year: f"{full} of {entitled}" for year, (full, entitled) in counts.items() if full < entitled}
    if not short:
        return f"every entitled community gets its entitlement (floor {floor}) in all years"
    if complete and min(complete) > min(short) and len(short) <= 2:
        said = ", ".join(f"{year}: {text}" for year, text in short.items())
        return f"every entitled community in full (floor {floor}) in {years_listed(complete)} ({said})"
    alike: dict[str, list[int]] = {}
    for year, (full, entitled) in counts.items():
        if entitled:
            alike.setdefault("all" if full == entitled else f"{full} of {entitled}", []).append(year)
    said = ", ".join(f"{years_listed(years)}: {text}" for text, years in alike.items())
    if len(alike) == 1:
        said = next(iter(alike))
    always = " in every year" if len(alike) == 1 and len(counts) > 1 else ""
    return f"communities that get their entitlement (floor {floor}) in full{always}: {said}"


def _space_text(facts: Facts) -> str:
    (before, _), (after, count) = facts.at_full("space", BEFORE), facts.at_full("space", facts.last)
    added = facts.added_area(facts.last)
    if not count:
        return f"+{number(added)} m²; no community has a target"
    return f"+{number(added)} m²; communities at their target: {before} → {after} of {count}"


def stations_text(facts: Facts) -> str:
    """Say how many stations are open in the last year and how many of them changed."""
    count = len(facts.open_stations(facts.last).drop_duplicates(["site", "service"]))
    changes = facts.stations["change"].value_counts()
    words = {"opened": "new", "upgraded": "enlarged", "closed": "closed"}
    said = [f"{changes[k]} {word}" for k, word in words.items() if changes.get(k, 0)]
    return f"{plural(count, 'station')} open in {facts.last}" + (f" ({', '.join(said)})" if said else "")


def _met_lines(facts: Facts) -> list[Line]:
    before, last = facts.met_by_year[BEFORE], facts.met_by_year[facts.last]
    (_, worst_before), (where, worst) = facts.worst(BEFORE), facts.worst(facts.last)
    text = (
        f"{share(before)} (before the plan) → {share(last)} ({facts.last}) of all needs; the worst-off community "
        f"{share(worst_before)} → {share(worst)} ({facts.label(where)})"
    )
    aside = set_aside_text(facts)
    if aside:
        text += "," + but_aside(facts)
        aside += "; all are listed in report.html, Communities set aside"
    kept = kept_of_worst_off(facts.run)
    rows = {"Met needs": text, "Worst-off": kept[:1].upper() + kept[1:], "Set aside": aside}
    return [Line(label, "", said) for label, said in rows.items() if said]


def kept_of_worst_off(run: Run) -> str:
    """Say what the plan keeps of the score its first goal reached, where later goals took some; else empty."""
    stage = run.stage("worst_off")
    value, reached = stage.get("value"), stage.get("reached")
    if value is None or reached is None or share(float(reached)) == share(float(value)):
        return ""
    tolerance = percent(float(stage.get("tolerance") or 0.0))
    return (
        f"over all years the lowest score is {share(float(value))}; its goal reached {share(float(reached))}, of which "
        f"later goals may take {tolerance}"
    )


def set_aside_text(facts: Facts) -> str:
    """Say who is left out when the worst-off is looked for, the lowest first; empty where nobody is."""
    found = facts.aside_scores
    if found.empty:
        return ""
    names = listed((f"{facts.label(str(c))} {share(float(v))}" for c, v in found.items()), 4)
    what = plural(len(found), "community", "communities")
    return f"{what} that no plan can raise to the level of the others, the lowest first: {names}"


def but_aside(facts: Facts) -> str:
    """Return ` of all but 2 set aside`, to be said of the worst-off; empty where nobody is set aside."""
    return f" of all but {number(len(facts.aside_scores))} set aside" if len(facts.aside_scores) else ""


def price_of_fairness(facts: Facts) -> str:
    """What fairness costs, in a sentence; empty where the scenario does not ask for it."""
    fairness = facts.run.record.get("fairness")
    price = fairness.get("price") if isinstance(fairness, dict) else None
    return str(price.get("said", "")) if isinstance(price, dict) else ""


def _price_lines(facts: Facts) -> list[Line]:
    said = price_of_fairness(facts)
    return [Line("Fairness", "", said)] if said else []


def _money_lines(facts: Facts) -> list[Line]:
    binding = [f"{names} ({years})" for years, names in used_up(facts, 4)]
    lines = [Line("Money that binds", "", "; ".join(binding))] if binding else []
    lines += [Line("Not met", "", text) for text in not_met(facts)]
    lines += [Line("Left over", _figure(yuan), text) for yuan, text in left_over(facts)[:3]]
    return lines


def used_up(facts: Facts, most: int = 12) -> list[tuple[str, str]]:
    """Return years and the sources whose money is used up in just these years, in words."""
    groups: dict[str, list[str]] = {}
    for source in facts.run.scenario.sources:
        if source in facts.binding:
            groups.setdefault(years_listed(facts.binding[source]), []).append(source_title(facts.run.scenario, source))
    return [(years, listed(names, most)) for years, names in groups.items()]


def not_met(facts: Facts, most: int = 3) -> list[str]:
    """Return the largest groups of unmet needs of the last year in words: need, type, district, people."""
    rows = facts.met[(facts.met["year"] == facts.last) & (facts.met["met_share"] < 0.995)].copy()
    if rows.empty:
        return []
    rows["people"] = rows["persons"] * (1 - rows["met_share"])
    groups = rows.groupby(["need", "type", "district"], as_index=False).agg(
        unmet=("unmet", "sum"), people=("people", "sum"), communities=("community", "nunique")
    )
    groups = groups.sort_values(["unmet", "need", "type", "district"], ascending=[False, True, True, True])
    said = []
    for row in groups.head(most).itertuples(index=False):
        scenario = facts.run.scenario
        count = round(float(str(row.people)))
        people = plural(count, "person", "people") if count else "less than one person"
        said.append(
            f"{need_title(scenario, str(row.need)).lower()} in {type_title(scenario, str(row.type)).lower()} "
            f"communities of {facts.district_label(str(row.district))}: the need of {people} in "
            f"{plural(int(str(row.communities)), 'community', 'communities')}"
        )
    return said


def left_over(facts: Facts) -> list[tuple[int, str]]:
    """Return the money no year uses, by source, with what it is limited to; less than half a per cent is none."""
    scenario, said = facts.run.scenario, []
    given = facts.run.sources.groupby("source")["amount_yuan"].sum()
    for source, yuan in facts.lapsed.items():
        if yuan < 0.005 * given[str(source)]:
            continue
        rule = scenario.sources.get(str(source))
        text = source_title(scenario, str(source))
        if rule is not None and rule.services:
            text += ", limited to " + listed([need_title(scenario, s).lower() for s in rule.services])
        elif rule is not None and len(rule.purposes) < 4:
            text += ", limited to " + listed([need_title(scenario, p).lower() for p in rule.purposes])
        said.append((int(yuan), text))
    return said
