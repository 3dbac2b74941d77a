"""What an audit says: its rules, how many figures each recomputed, and what it found."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LISTED = 200  # findings listed in a report; all are counted


class Rule(NamedTuple):
    """One rule of the audit: its equation in docs/mathematics.md ("" for rules of the files) and what it asks."""

    equation: str
    asks: str


RULES: dict[str, Rule] = {
    "files": Rule("", "every table, the record and the scenario are there and can be read"),
    "inputs": Rule("", "the inputs can be read again"),
    "columns": Rule("", "every table has its columns"),
    "values": Rule("", "numbers are numbers of at most six decimals, money is whole yuan, nothing is negative"),
    "keys": Rule("", "no fact stands twice"),
    "names": Rule("", "every name and year in a table is one of the inputs"),
    "complete": Rule("", "every community, need, source and year has its row"),
    "input_hashes": Rule("", "the inputs are those the plan was made from"),
    "table_hashes": Rule("", "the tables are those that were written with the plan"),
    "record": Rule("", "the record has every part, and gaps, scopes, method and status follow from what is proven"),
    "class_of_guidance": Rule("", "every community has the class the scenario's rules give it"),
    "met_amount": Rule("1", "what is met follows from grants, rooms and assignments"),
    "met_share": Rule("1", "the met share is the met amount over the need"),
    "need_amount": Rule("1", "needs, people and weights follow from the inputs"),
    "score": Rule("2", "scores are the weighted means of met shares"),
    "entitlement": Rule("3", "entitlements follow from floor, prices, care and class"),
    "hard_floor": Rule("3", "with a hard floor every community gets its entitlement"),
    "unit": Rule("3", "grants and what is paid for them are whole units of the currency"),
    "grant_limit": Rule("4", "no grant is above the entitlement or the ceiling"),
    "room_in_use": Rule("5", "what is taken stays in use from its lead on"),
    "room_first_year": Rule("7", "nothing is taken before it can be had"),
    "must_take": Rule("7", "sites that must be taken are, in full, and those that must be left are not"),
    "room_size": Rule("7", "sizes lie between the smallest sensible and the whole"),
    "instrument": Rule("7", "only instruments the scenario allows, as the building says"),
    "given_up": Rule("7", "swaps give up what the building says, and no more than the office has"),
    "room_class": Rule("7", "rooms are taken only for communities whose class has space"),
    "deposit": Rule("7", "deposits are held from the start of a project until its rooms are handed over"),
    "hall_hours": Rule("7", "a hall is shared for no more than its hours"),
    "hall_reach": Rule("7", "a hall is in the same sub-district and within reach"),
    "hall_share": Rule("7", "halls meet no more than their part of the target"),
    "room_cost": Rule("7", "rooms cost what the formula says"),
    "demand": Rule("8", "nobody is served more than needed"),
    "reach": Rule("8", "services are used within their limit"),
    "area": Rule("8", "services are used within the sub-district, district or city"),
    "own_office": Rule("8", "own services and outlets serve only their own community"),
    "travel": Rule("8", "travel is what the streets say"),
    "steady_share": Rule("8", "who is served by a station stays served by it"),
    "station_size": Rule("9", "new capacity lies between the smallest and the largest"),
    "capacity": Rule("9", "no station serves more than its capacity"),
    "capacity_used": Rule("9", "no capacity is built that nobody uses"),
    "stays_open": Rule("10", "what is open stays open, at one size, and existing stations stay"),
    "closing": Rule("10", "stations close only where and when they may, and those that must do"),
    "moving": Rule("10", "a station moves in where one of its service and sub-district closes, one for each"),
    "continuity": Rule("10", "who loses a station is served again as soon as the scenario says"),
    "status": Rule("10", "the status of a station follows from what happens to it"),
    "building_taken": Rule("11", "new stations stand in buildings in use, or at the own office"),
    "one_stop": Rule("11", "enough services share a building that is taken"),
    "one_stop_saving": Rule("11", "what one-stop buildings save follows from stations and rooms"),
    "site_services": Rule("11", "a building holds only services it is for"),
    "hangs_on_centre": Rule("13", "every station that serves hangs on the nearest centre within its limit"),
    "referral": Rule("13", "what stations refer, and what a centre serves itself, fits into the centre"),
    "floor": Rule("12", "stations fit in the rooms in use"),
    "station_area": Rule("12", "the floor of a station follows from its capacity"),
    "station_class": Rule("", "own stations are opened and paid for only where the class has services"),
    "station_cost": Rule("19", "stations cost what the formula says"),
    "costs_paid": Rule("19", "every cost is paid in full where and when it arises"),
    "source_amount": Rule("20", "new money follows from the scenario, less what is spoken for (24)"),
    "footing": Rule("20", "sources foot, and what they spent is in the ledger"),
    "carry": Rule("20", "no more is carried over than allowed, and nothing beyond the last year"),
    "eligibility": Rule("21", "sources pay only what they may pay"),
    "co_funding": Rule("22", "districts pay their part"),
    "match_cap": Rule("22", "no source is matched beyond its cap"),
    "limits": Rule("22", "sources keep their floors and ceilings by purpose and place"),
    "yearly_cost": Rule("23", "what is called a yearly cost is one"),
    "running_commitment": Rule("23", "money that goes on bears the yearly costs of the last year and after"),
    "debt_relief": Rule("26", "no more of a debt is paid off than is owed, and what is left foots"),
    "split_money": Rule("37", "what a rule splits among communities is new money less what must be paid"),
    "split_part": Rule("37", "no community, and no district's stations, get more than is due of the split"),
    "ledger_row": Rule("20", "every row of the ledger of sources foots"),
    "ledger_total": Rule("24", "the ledger of sources sums to the sources, with what is spoken for"),
    "ledger_figure": Rule("22", "what sources spent, were matched and are committed to follows from the payments"),
    "expiry": Rule("25", "no money is carried on beyond the years it lasts"),
    "ceiling_share": Rule("22", "no source pays more for a purpose than its ceiling"),
    "worst_off": Rule("goal 1", "the worst-off score is the one in the record"),
    "set_aside": Rule("goal 1", "those set aside are named alike, few enough, and could not do better"),
    "unmet_need": Rule("goal 2", "the unmet need is the one in the record"),
    "travel_total": Rule("goal 3", "the travel is the one in the record"),
    "inequality": Rule("27", "indices of inequality follow from scores before and after the plan"),
    "inequality_bound": Rule("27", "scores are no more unequal than the scenario allows"),
    "group_share": Rule("31", "groups get the least shares the scenario gives them"),
    "envy": Rule("30", "pairs with reason for envy are such pairs, and all are counted"),
    "price_of_fairness": Rule("36", "what fairness costs follows from what is unmet with it and without"),
    "weighted": Rule("35", "the weighted sum of goals is the one in the record"),
    "levels": Rule("33", "every community is at one level of leximin and keeps it"),
    "spending": Rule("goal 4", "the spending is the one in the record"),
}

READING = frozenset({"files", "inputs", "columns", "values", "keys", "names", "complete"})  # these recompute nothing


@dataclass(frozen=True)
class AuditFinding:
    """One figure that breaks a rule: where it stands, what it is, what it should be, and a sentence."""

    rule: str
    equation: str
    table: str
    row: str
    value: str
    limit: str
    message: str

    def text(self) -> str:
        """Return the finding as one line."""
        number = f" ({self.equation})" if self.equation else ""
        place = ", ".join(part for part in (self.table, self.row) if part)
        return f"{self.rule}{number}  {place}: {self.message}"


class AuditCheck(NamedTuple):
    """How many figures a rule recomputed."""

    name: str
    equation: str
    figures_recomputed: int


@dataclass(frozen=True)
class AuditReport:
    """The answer of an audit; `findings` lists at most 200, `findings_count` counts all."""

    passed: bool
    checks: list[AuditCheck]
    findings: list[AuditFinding]
    findings_count: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        said = "passed" if self.passed else f"not passed, {self.findings_count:,} findings"
        return f"<AuditReport {said}; {len(self.checks)} rules, {self.figures:,} figures recomputed>"

    @property
    def figures(self) -> int:
        """Number of figures recomputed by all rules together; rules that only read the files are left out."""
        return sum(check.figures_recomputed for check in self.checks if check.name not in READING)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values for `run.json`."""
        return {
            "passed": self.passed,
            "figures": self.figures,
            "findings_count": self.findings_count,
            "checks": [
                {**check._asdict(), "asks": RULES[check.name].asks, "findings": self.counts.get(check.name, 0)}
                for check in self.checks
            ],
            "findings": [{**vars(finding)} for finding in self.findings],
        }

    def text(self) -> str:
        """Return the report in words, one line per finding."""
        words = "1 finding" if self.findings_count == 1 else f"{self.findings_count:,} findings"
        lines = [f"{len(self.checks)} rules, {self.figures:,} figures recomputed, {words}"]
        lines += [finding.text() for finding in self.findings]
        if self.findings_count > len(self.findings):
            lines.append(f"and {self.findings_count - len(self.findings):,} more")
        return "\n".join(lines)


class Recorder:
    """Collects what rules recompute and find."""

    def __init__(self) -> None:
        self._figures: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._findings: dict[str, list[AuditFinding]] = {}

    @property
    def failed(self) -> bool:
        """Whether anything was found so far."""
        return bool(self._counts)

    def checked(self, rule: str, figures: int) -> None:
        """Count figures that a rule recomputed."""
        self._figures[rule] += int(figures)

    def find(
        self, rule: str, message: str, *, table: str = "", row: str = "", value: object = "", limit: object = ""
    ) -> None:
        """Record one finding."""
        self._counts[rule] += 1
        kept = self._findings.setdefault(rule, [])
        if len(kept) < LISTED:
            kept.append(AuditFinding(rule, RULES[rule].equation, table, row, plain(value), plain(limit), message))

    def judge(
        self,
        rule: str,
        table: str,
        frame: pd.DataFrame,
        good: "NDArray[np.bool_] | pd.Series[bool]",
        *,
        key: tuple[str, ...],
        value: str,
        limit: str,
        message: str,
    ) -> None:
        """Count every row of `frame` as recomputed and record those that are not `good`.

        `value` and `limit` name columns of `frame` ("" where there is none); `message` is a sentence in which
        `{column}` stands for a column, and `{value}` and `{limit}` for these two.
        """
        self.checked(rule, len(frame))
        bad = np.flatnonzero(~np.asarray(good, dtype=bool))
        for position in bad[:LISTED]:
            row = {str(name): plain(cell) for name, cell in frame.iloc[int(position)].items()}
            words = {**row, "value": row.get(value, ""), "limit": row.get(limit, "")}
            place = ", ".join(row[name] for name in key if row[name])
            self.find(
                rule, message.format_map(words), table=table, row=place, value=words["value"], limit=words["limit"]
            )
        self._counts[rule] += max(0, len(bad) - LISTED)

    def report(self) -> AuditReport:
        """Return the report: every rule that was looked at, in the order of `RULES`."""
        names = [name for name in RULES if name in self._figures or name in self._counts]
        checks = [AuditCheck(name, RULES[name].equation, self._figures[name]) for name in names]
        found = [self._findings[name] for name in names if name in self._findings]
        fair = LISTED // max(1, len(found))
        chosen = [finding for some in found for finding in some[:fair]]
        rest = [finding for some in found for finding in some[fair:]]
        listed = sorted(chosen + rest[: LISTED - len(chosen)], key=lambda finding: names.index(finding.rule))
        total = sum(self._counts.values())
        return AuditReport(total == 0, checks, listed, total, {n: c for n, c in self._counts.items() if c})


def reason(error: Exception) -> str:
    """Return why a file cannot be read, in words."""
    return "there is no such file" if isinstance(error, FileNotFoundError) else str(error)


def plain(value: object) -> str:
    """Return a value as people write it: whole numbers without decimals, others with at most six."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value)}"
    if isinstance(value, (float, np.floating)):
        return f"{value:.6f}".rstrip("0").rstrip(".") if np.isfinite(value) else str(float(value))
    return str(value)
