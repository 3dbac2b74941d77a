"""Findings about input data: what is wrong, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing found in the inputs.

    `row` is the row of the data in its file, counted from 1 without a header; `feature` is the identifier or name in
    that row. `limit` says what is allowed, `remedy` what to do. Empty where it does not apply. `no_plan`: the inputs
    are as they may be, but ask for what no plan can give, so that the answer is no.
    """

    severity: Severity
    file: str = ""
    layer: str = ""
    row: int | None = None
    feature: str = ""
    column: str = ""
    value: str = ""
    limit: str = ""
    remedy: str = ""
    message: str = ""
    no_plan: bool = False

    def text(self) -> str:
        """Return the finding as one line: file, place, value, what is wrong, what to do."""
        place = self.layer
        if self.row is not None:
            place += f", row {self.row}" if place else f"row {self.row}"
        if self.feature:
            place += f" ({self.feature})" if place else self.feature
        what = self.column
        if self.column and self.value:
            what += f" = {self.value}"
        elif self.value:
            what = self.value
        said = "  ".join(part for part in (what, self.message) if part)
        said = "; ".join(part for part in (said, self.remedy) if part)
        head = f"{place}: {said}" if place else said
        return f"{self.file}   {head}" if self.file else head


class InputError(Exception):
    """Input data that cannot be used; `findings` holds everything that is known to be wrong with it."""

    def __init__(self, findings: Iterable[Finding] | str) -> None:
        if isinstance(findings, str):
            findings = [Finding("error", message=findings)]
        self.findings: list[Finding] = list(findings)
        super().__init__("\n".join(finding.text() for finding in self.findings))


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return `did you mean X?` for the word closest to `word`, or an empty string."""
    by_folded = {w.casefold(): w for w in words}
    close = get_close_matches(word.casefold(), list(by_folded), n=1, cutoff=0.7)
    return f"did you mean {by_folded[close[0]]}?" if close else ""


def listed(words: Iterable[object], most: int = 12) -> str:
    """Return words separated by commas, at most `most` of them."""
    shown = [str(w) for w in words]
    if len(shown) <= most:
        return ", ".join(shown)
    return ", ".join(shown[:most]) + f" and {len(shown) - most} more"


def condensed(findings: Iterable[Finding], most: int = 5) -> list[str]:
    """Return the lines of findings, of each kind at most `most` and then a line that counts the rest.

    Findings are of one kind when they agree in severity, file, layer, column and message.
    """
    seen: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        kind = (finding.severity, finding.file, finding.layer, finding.column, finding.limit, finding.remedy)
        seen.setdefault(kind, []).append(finding)
    lines = []
    for same in seen.values():
        lines += [finding.text() for finding in same[:most]]
        if len(same) > most:
            first = same[0]
            place = " ".join(part for part in (first.layer, first.column) if part)
            lines.append(f"{first.file}   {place}: and {len(same) - most} more of the same kind")
    return lines
