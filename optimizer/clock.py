"""How long each phase of a run takes, and how much memory the run."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from optimizer.progress import Progress


@dataclass
class Clock:
    """Seconds by phase, told to the watcher as each phase ends."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[list[str]]:
        """Measure a phase; what is appended to the list given is told in words."""
        began = time.monotonic()
        said: list[str] = []
        yield said
        self.seconds[name] = round(time.monotonic() - began, 3)
        if said:
            self.progress.phase(name, ", ".join(said), self.seconds[name])


def peak_memory_mb() -> float:
    """Peak memory of this process in MB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)
