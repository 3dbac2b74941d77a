"""The clock and the stop sign of a search, and whom it tells how far it is."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from optimizer.gaps import gap_of
from optimizer.progress import Progress


class Ending(Event):
    """Set when a search is to end, by hand or by time: what a running solver looks at."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        super().__init__()
        self._stopped = stopped

    def is_set(self) -> bool:
        """Whether the search is to end."""
        return self._stopped()


@dataclass
class Watch:
    """Told by the search, tells the watcher; says when to stop, by hand or by time."""

    progress: Progress
    stop: Event
    limit_seconds: float = math.inf
    started: float = field(default_factory=time.monotonic)
    stage_started: float = field(default_factory=time.monotonic)

    @property
    def ending(self) -> Ending:
        """What tells a running solver to end, by hand or by time."""
        return Ending(self.stopped)

    @property
    def seconds(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float:
        """Seconds left of the time limit."""
        return max(0.1, self.limit_seconds - self.seconds)

    def stopped(self) -> bool:
        """Whether the search should end now."""
        return self.stop.is_set() or self.seconds >= self.limit_seconds

    @property
    def reason(self) -> str:
        """Why it was stopped: hand, time or nothing."""
        if self.stop.is_set():
            return "hand"
        return "time" if self.seconds >= self.limit_seconds else ""

    def start(self, goal: str, index: int, count: int) -> None:
        """A goal begins."""
        self.stage_started = time.monotonic()
        self.progress.stage_start(goal, index, count)

    def update(self, goal: str, value: float | None, bound: float | None) -> None:
        """A goal has a better plan or bound; infinite ones are not passed on."""
        value = value if value is not None and math.isfinite(value) else None
        bound = bound if bound is not None and math.isfinite(bound) else None
        gap = None if value is None or bound is None else gap_of(value, bound)
        self.progress.stage_update(goal, value, bound, gap, time.monotonic() - self.stage_started)

    def end(self, goal: str, value: float | None, bound: float | None, note: str) -> float:
        """A goal is over; return its seconds."""
        seconds = time.monotonic() - self.stage_started
        gap = None if value is None or bound is None else gap_of(value, bound)
        self.progress.stage_end(goal, value, bound, gap, seconds, note)
        return seconds
