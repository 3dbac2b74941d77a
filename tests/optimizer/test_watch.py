"""When a search ends: by hand, by time, also in the middle of a model."""

import math
from collections.abc import Callable
from threading import Event

import pytest

from optimizer.highs import solve
from optimizer.highs_arrays import Options, Status
from optimizer.progress import Silent
from optimizer.watch import Watch
from tests.test_highs_solve import hard


@pytest.mark.parametrize(
    ("limit", "by_hand", "ends", "reason"),
    [
        (math.inf, False, False, ""),
        (math.inf, True, True, "hand"),
        (0.0, False, True, "time"),
        (0.0, True, True, "hand"),
    ],
)
def test_a_search_ends_by_hand_or_by_time(limit: float, by_hand: bool, ends: bool, reason: str) -> None:
    stop = Event()
    watch = Watch(Silent(), stop, limit)
    if by_hand:
        stop.set()
    assert (watch.stopped(), watch.ending.is_set(), watch.reason) == (ends, ends, reason)


@pytest.mark.parametrize("end", [lambda watch: watch.stop.set(), lambda watch: setattr(watch, "limit_seconds", 0.0)])
def test_a_running_model_ends_with_the_search(end: Callable[[Watch], None]) -> None:
    watch = Watch(Silent(), Event())
    seen: list[float] = []

    def tick(progress: object) -> None:
        seen.append(0.0)
        end(watch)

    outcome = solve(hard(), Options(time_limit_seconds=120), on_progress=tick, stop=watch.ending)
    assert seen
    assert outcome.status in {Status.FEASIBLE, Status.NO_PLAN}
    assert outcome.stopped
