"""What a run tells whoever watches it: phases, and for every goal its best plan, bound and gap."""

from typing import Protocol


class Progress(Protocol):
    """Watcher of a run; calls may come often and from a thread of the solver, and must return at once."""

    def phase(self, name: str, detail: str, seconds: float) -> None:
        """Report that a phase is over: its name, what was found in words, and its seconds."""

    def stage_start(self, goal: str, index: int, count: int) -> None:
        """Report that the search for a goal begins; `index` counts from 1 to `count`."""

    def stage_update(
        self, goal: str, incumbent: float | None, bound: float | None, gap: float | None, seconds: float
    ) -> None:
        """Report the best value, the proven bound and the relative gap so far; None where there is none yet."""

    def stage_end(
        self, goal: str, value: float | None, bound: float | None, gap: float | None, seconds: float, note: str
    ) -> None:
        """Report how the search for a goal ended, with a note in words."""


class Silent:
    """A watcher that says nothing; the default in Python and in tests."""

    def phase(self, name: str, detail: str, seconds: float) -> None:
        """Say nothing."""

    def stage_start(self, goal: str, index: int, count: int) -> None:
        """Say nothing."""

    def stage_update(
        self, goal: str, incumbent: float | None, bound: float | None, gap: float | None, seconds: float
    ) -> None:
        """Say nothing."""

    def stage_end(
        self, goal: str, value: float | None, bound: float | None, gap: float | None, seconds: float, note: str
    ) -> None:
        """Say nothing."""
