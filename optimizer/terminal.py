"""What a run shows on the terminal: phases with their seconds, and one moving line per search."""

import math
import sys
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

GOALS = {
    "worst_off": "worst-off community",
    "unmet_need": "unmet need of people",
    "travel": "travel",
    "weighted": "weighted sum",
    "spending": "spending",
    "closeness": "closeness to the plan compared with",
    "leximin": "levels above the worst",
    "without_fairness": "without any fairness",
}
_BAR = 20


@dataclass
class _Search:
    """The search for one goal as it stands."""

    goal: str
    index: int
    count: int
    started: float
    first: float | None = None
    incumbent: float | None = None
    bound: float | None = None
    gap: float | None = None


@dataclass
class Lane:
    """The progress of one run; its lines carry `name` where several runs go side by side."""

    terminal: "Terminal"
    name: str = ""
    searches: dict[str, _Search] = field(default_factory=dict)

    def phase(self, name: str, detail: str, seconds: float) -> None:
        """Print a phase that is over."""
        self.terminal.line(self.name, f"{name:<12}", f"{detail}", _seconds(seconds))

    def stage_start(self, goal: str, index: int, count: int) -> None:
        """Begin the moving line of a goal."""
        with self.terminal.lock:
            self.searches = {goal: _Search(goal, index, count, time.monotonic())}
        self.terminal.moving()

    def stage_update(
        self, goal: str, incumbent: float | None, bound: float | None, gap: float | None, seconds: float
    ) -> None:
        """Take the newest figures into the moving line."""
        del seconds  # the line's own clock goes on between two updates
        search = self.searches.get(goal)
        if search is not None:
            search.first = incumbent if search.first is None else search.first
            search.incumbent, search.bound, search.gap = incumbent, bound, gap

    def stage_end(
        self, goal: str, value: float | None, bound: float | None, gap: float | None, seconds: float, note: str
    ) -> None:
        """Replace the moving line by what was found."""
        del bound
        search = self.searches.get(goal, _Search(goal, 0, 0, 0.0))
        with self.terminal.lock:
            self.searches = {}
        said = [self.terminal.value(goal, value), note or proven(gap)]
        head = _head(search)
        text = f"{GOALS.get(goal, goal):<22}  {', '.join(part for part in said if part)}"
        self.terminal.line(self.name, f"{head:<12}", text, _seconds(seconds))
        self.terminal.moving()


def _head(search: _Search) -> str:
    """What a line is headed with: a goal by its number, anything else is beside them."""
    return f"Goal {search.index} of {search.count}" if search.count else "Beside"


class Terminal:
    """Writes progress to a stream (standard error): moving and coloured on a terminal, plain lines elsewhere."""

    def __init__(self, stream: TextIO | None = None, *, currency: str = "yuan", quiet: bool = False):
        self.stream = stream if stream is not None else sys.stderr
        self.currency = currency
        self.quiet = quiet
        self.lock = threading.RLock()
        self.lanes: dict[str, Lane] = {}
        self.console = self._console()
        self._live: Live | None = None

    def _console(self) -> "Console | None":
        if self.quiet or not self.stream.isatty():
            return None
        from rich.console import Console

        console = Console(file=self.stream, highlight=False, markup=False)
        return console if console.is_terminal and not console.is_dumb_terminal else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def lane(self, name: str = "") -> Lane:
        """Return the progress of one run; give each a name where several go side by side."""
        with self.lock:
            return self.lanes.setdefault(name, Lane(self, name))

    def line(self, lane: str, head: str, text: str, tail: str = "") -> None:
        """Print one line that stays."""
        if self.quiet:
            return
        prefix = f"{lane:<{self._lane_width()}}  " if lane else ""
        with self.lock:
            if self.console is None:
                self._write(f"{prefix}{head} {text}  {tail}".rstrip())
                return
            from rich.text import Text

            room = max(20, self.console.width - len(prefix) - len(head) - len(tail) - 4)
            body = f"{text:<{min(room, 72)}}"
            whole = Text.assemble((prefix, "cyan"), (head, "bold"), f" {body}  ", (tail, "dim"))
            self.console.print(whole, soft_wrap=True)

    def note(self, text: str) -> None:
        """Print a message to the person at the terminal, also where progress is not shown."""
        with self.lock:
            if self.console is None:
                self._write(text)
            else:
                self.console.print(text, soft_wrap=True)

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text + "\n")
        except UnicodeEncodeError:
            self.stream.write(text.encode("ascii", "replace").decode("ascii") + "\n")
        self.stream.flush()

    def moving(self) -> None:
        """Show the moving lines while there are searches, and take them away when there are none."""
        if self.console is None:
            return
        with self.lock:
            active = any(lane.searches for lane in self.lanes.values())
            if active and self._live is None:
                from rich.live import Live

                self._live = Live(
                    console=self.console,
                    get_renderable=self._moving_lines,
                    refresh_per_second=4,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()
            elif not active:
                self._stop()

    def _stop(self) -> None:
        with self.lock:
            live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _moving_lines(self) -> "Text":
        from rich.text import Text

        lines = [
            self._moving_line(lane.name, search)
            for lane in list(self.lanes.values())
            for search in list(lane.searches.values())
        ]
        return Text("\n").join(Text(line, no_wrap=True, overflow="ellipsis") for line in lines)

    def _moving_line(self, lane: str, search: _Search) -> str:
        prefix = f"{lane:<{self._lane_width()}}  " if lane else ""
        seconds = int(time.monotonic() - search.started)
        parts = [self._found(search), f"{seconds // 60:02d}:{seconds % 60:02d}"]
        if search.gap is not None and math.isfinite(search.gap):
            parts.insert(1, f"gap {percent(search.gap)}")
        if search.bound is not None and math.isfinite(search.bound):
            parts.insert(1, f"bound {self.value(search.goal, search.bound, short=True)}")
        said = ", ".join(part for part in parts if part)
        head = _head(search)
        return f"{prefix}{head:<12} {GOALS.get(search.goal, search.goal):<22}  {bar(search.gap)}  {said}"

    def _found(self, search: _Search) -> str:
        if search.incumbent is None:
            return "searching"
        now = self.value(search.goal, search.incumbent)
        if search.first is None or search.first == search.incumbent:
            return now
        return f"{self.value(search.goal, search.first, short=True)} → {now}"

    def _lane_width(self) -> int:
        return max((len(name) for name in self.lanes), default=0)

    def value(self, goal: str, value: float | None, *, short: bool = False) -> str:
        """Return the value of a goal in words (in `short`, without its unit)."""
        if value is None or not math.isfinite(value):
            return "" if short else "no plan yet"
        value = max(0.0, value)  # no goal is below nothing: a solver's last digit may be
        figures = {
            "worst_off": (f"{value:.3f}", "of its needs met"),
            "unmet_need": (f"{value:,.0f}", "person-needs"),
            "travel": (f"{value / 1000:,.0f}", "person-km"),
            "weighted": (f"{value:,.1f}", "points"),
            "spending": (f"{value / 1e6:,.{3 if 0 < value < 1e5 else 1}f}", f"million {self.currency}"),
            "closeness": (f"{value:,.0f}", "decisions differ"),
            "leximin": (f"{value:,.0f}", "levels"),
            "without_fairness": (f"{value:,.0f}", ""),
        }
        figure, unit = figures.get(goal, (f"{value:,.6g}", ""))
        return figure if short or not unit else f"{figure} {unit}"


def bar(gap: float | None) -> str:
    """Return a bar that is empty at a gap of 100 % or more and full at 0.1 % or less."""
    done = 0.0 if gap is None or not gap < 1 else 1.0 if gap <= 0.001 else -math.log10(gap) / 3
    full = round(done * _BAR)
    return "█" * full + "░" * (_BAR - full)


def proven(gap: float | None) -> str:
    """Return how sure a value is."""
    if gap is None or not math.isfinite(gap):
        return "not proven"
    return "proven best" if gap <= 0 else f"proven within {percent(gap)}"


def percent(share: float) -> str:
    """Return a share in per cent with two telling digits."""
    value = 100 * share
    if 0 < value < 0.01:
        return "under 0.01 %"
    return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %" if value >= 1 else f"{value:.2g} %"


def _seconds(seconds: float) -> str:
    return f"{seconds:6.1f} s" if seconds < 100 else f"{seconds:6.0f} s"
