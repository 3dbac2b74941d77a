"""What cannot be solved, in words: mistakes in the input, and models that have no plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_SHOWN = 12


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a code for programs, and words for people.

    ``where`` names the clients or sites, ``value`` what stands there, ``limit`` what is allowed, ``remedy`` what to do.
    """

    code: str
    message: str
    where: str = ""
    value: str = ""
    limit: str = ""
    remedy: str = ""
    clients: tuple[int, ...] = ()  #: indices of the clients meant, where there are some

    def text(self) -> str:
        """The finding as one line."""
        said = " = ".join(part for part in (self.where, self.value) if part)
        head = f"{said}: {self.message}" if said else self.message
        head += f" ({self.limit})" if self.limit else ""
        return f"{head}; {self.remedy}" if self.remedy else head


class SitingError(Exception):
    """What siting raises; ``findings`` holds everything that is known to be wrong."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        super().__init__("\n".join(finding.text() for finding in self.findings))

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the findings, in order."""
        return tuple(finding.code for finding in self.findings)


class SitingInputError(SitingError, ValueError):
    """The input cannot be meant: nothing was solved."""


class SitingInfeasible(SitingError):
    """The input is sound, but no choice of sites keeps all rules; the findings say what is missing."""


def listed(names: Iterable[object], most: int = _SHOWN) -> str:
    """Names separated by commas, at most ``most`` of them."""
    shown = [str(name) for name in names]
    rest = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest
