"""One run of HiGHS watched: progress, stopping, Ctrl-C, the log, and the number of threads."""

from __future__ import annotations

import signal
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import highspy

from optimizer.highs_arrays import Progress, relative_gap

if TYPE_CHECKING:
    from collections.abc import Callable

_HEARTBEAT_SECONDS = 0.4
_INF = float("inf")
_thread = threading.local()
_Callback = highspy.cb.HighsCallbackType
_LP = frozenset({int(_Callback.kCallbackSimplexInterrupt), int(_Callback.kCallbackIpmInterrupt)})
_SEARCH = frozenset({int(_Callback.kCallbackMipInterrupt), int(_Callback.kCallbackMipImprovingSolution)})


class Watch:
    """Callbacks of one run: progress from a helper thread, stopping, the log, and exceptions kept for later."""

    def __init__(
        self,
        highs: Any,
        log: bool,
        on_progress: Callable[[Progress], None] | None,
        stop: threading.Event | None,
        began: float,
    ) -> None:
        self._highs: Any = highs
        self._log, self._on_progress, self._stop, self._began = log, on_progress, stop, began
        self._state = Progress(None, -_INF, _INF, 0.0, 0, 0)
        self._wake, self._done = threading.Event(), False
        self._iterations = 0
        self._failure: BaseException | None = None
        self._helper: threading.Thread | None = None
        self._handler: Any = None

    def __enter__(self) -> Self:
        kinds = [_Callback.kCallbackLogging] if self._log else []
        in_main = threading.current_thread() is threading.main_thread()
        if in_main or self._on_progress or self._stop:
            kinds += [_Callback(number) for number in sorted(_LP | _SEARCH)]
        if kinds:
            self._highs.setCallback(self._called, None)
            for kind in kinds:
                self._highs.startCallback(kind)
        if in_main:
            self._handler = signal.getsignal(signal.SIGINT)
            if callable(self._handler):
                signal.signal(signal.SIGINT, self._interrupted)
        if self._on_progress:
            self._helper = threading.Thread(target=self._report, name="highs-progress", daemon=True)
            self._helper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done = True
        self._wake.set()
        if self._helper:
            self._helper.join()
        if callable(self._handler):
            signal.signal(signal.SIGINT, self._handler)
        self._highs.setCallback(None, None)
        self._highs = None  # HiGHS holds on to its callback, so that with this the two would keep each other for good

    def raise_failure(self) -> None:
        """Raise what a callback, a progress function or Ctrl-C raised during the run."""
        if self._failure is not None:
            raise self._failure

    def _interrupted(self, number: int, frame: Any) -> None:
        """Ctrl-C: what its handler raises between two lines of a callback would be lost, so it is kept."""
        try:
            self._handler(number, frame)
        except BaseException as error:
            self._fail(error)

    def _called(self, kind: int, message: str, out: Any, into: Any, _: object) -> None:
        try:
            if kind in _LP:  # at every iteration: keep it short
                if self._on_progress:
                    self._iterations = max(out.simplex_iteration_count, out.ipm_iteration_count)
            elif kind in _SEARCH:
                self._note(out)
            else:
                sys.stderr.write(message)
                return
            if self._failure is not None or (self._stop is not None and self._stop.is_set()):
                into.user_interrupt = True
        except BaseException as error:
            self._fail(error)
            if into is not None:
                into.user_interrupt = True

    def _fail(self, error: BaseException) -> None:
        """Keep the first exception: HiGHS loses those raised in callbacks."""
        if self._failure is None:
            self._failure = error

    def _note(self, out: Any) -> None:
        best = out.mip_primal_bound if abs(out.mip_primal_bound) < highspy.kHighsInf else None
        better = best is not None and best != self._state.incumbent
        bound = float(out.mip_dual_bound)
        self._state = Progress(best, bound, relative_gap(best, bound), 0.0, max(0, int(out.mip_node_count)), 0)
        if better:
            self._wake.set()

    def _report(self) -> None:
        """Tell where the search stands: now and then, at each better plan and once at the end."""
        last = False
        while self._on_progress and self._failure is None and not last:
            self._wake.wait(_HEARTBEAT_SECONDS)
            self._wake.clear()
            last = self._done
            try:
                seconds = time.perf_counter() - self._began
                self._on_progress(replace(self._state, seconds=seconds, iterations=self._iterations))
            except BaseException as error:
                self._fail(error)


def run(highs: Any, threads: int, watch: Watch) -> Any:
    """``run`` with the wanted number of threads, whatever number this process used before."""
    if getattr(_thread, "count", None) != threads:
        _reset_scheduler()
        _thread.count = threads
    with watch:
        ran = highs.run()
        if ran == highspy.HighsStatus.kError and highs.getModelStatus() == highspy.HighsModelStatus.kNotset:
            _reset_scheduler()  # others in this thread use HiGHS too
            ran = highs.run()
    watch.raise_failure()
    return ran


def _reset_scheduler() -> None:
    """Forget the worker threads of the calling thread, so that another number of them may be used."""
    reset = getattr(highspy.Highs, "resetThreadScheduler", None) or highspy.Highs.resetGlobalScheduler
    reset(True)
