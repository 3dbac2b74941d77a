"""Where runs go, when a finished one is used again, and how several go side by side."""

import json
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optimizer.answers import BROKEN, STOPPED, Answer, answer
from optimizer.beginning import Beginning
from optimizer.identity import run_identity
from optimizer.run_folder import spoilt_tables
from optimizer.scenario_file import LoadedScenario

RUNS = Path("runs")
_SHOWN = 8  # digits of the hash in a folder's name
ATTEMPTS = 3
"""So often jobs are begun when workers die (out of memory, killed) before they are given up."""
LOST = Answer(
    BROKEN, "broken", ("The process that planned this died, for want of memory perhaps; plan fewer at once.",)
)
NOT_BEGUN = Answer(STOPPED, "stopped", ("Not planned: stopped before it was begun.",))
Say = Callable[[str, str, tuple[Any, ...]], None]  # lane, method of Progress, arguments


@dataclass(frozen=True)
class Job:
    """One run to be made: its scenario, its new folder, the plan it stays close to, what its search begins with."""

    loaded: LoadedScenario
    out: Path
    close_to: Path | None = None
    label: str = ""
    begin: Beginning | None = None

    @property
    def name(self) -> str:
        """What the run is called while it goes on: its label, or the name of its scenario."""
        return self.label or self.loaded.scenario.name


@dataclass(frozen=True)
class Place:
    """Where a run belongs: the folder, whether a finished run is there already, and why others are not used again."""

    folder: Path
    finished: bool
    notes: tuple[str, ...] = ()


def cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return `run.json` of a finished run, None where there is none that can be read."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def is_run(folder: Path) -> bool:
    """Return whether a folder is a finished run."""
    return read_record(folder) is not None and (folder / "scenario.resolved.yaml").is_file()


def place_for(
    loaded: LoadedScenario,
    *,
    again: bool,
    close_to: Path | None = None,
    begin: Path | None = None,
    runs: Path = RUNS,
) -> Place:
    """Return where a run goes: a finished run of the same identity, unless `again`, else a folder that is not there.

    Runs that were stopped by hand or failed their audit are not used again, nor are those whose tables are missing or
    changed, of which the notes tell.
    """
    notes: list[str] = []
    stem = f"{loaded.scenario.name}-{run_identity(loaded, close_to, begin)[:_SHOWN]}"
    free: Path | None = None
    number = 1
    while free is None:
        folder = runs / (stem if number == 1 else f"{stem}-{number}")
        if not folder.exists():
            free = folder
        elif not again and (record := _passed(folder)) is not None:
            spoilt = spoilt_tables(folder, record)
            if not spoilt:
                return Place(folder, True, tuple(notes))
            notes.append(f"{'; '.join(spoilt)}. This plan is not used, and its folder is left as it is.")
        number += 1
    return Place(free, False, tuple(notes))


def free_folder(stem: str, runs: Path = RUNS) -> Path:
    """Return a folder below `runs` that is not there yet: `stem`, or `stem` and a number."""
    folder, number = runs / stem, 1
    while folder.exists():
        number += 1
        folder = runs / f"{stem}-{number}"
    return folder


def usable(folder: Path) -> bool:
    """Return whether a folder is a run that passed its audit, was not stopped by hand and has its tables as written."""
    record = _passed(folder)
    return record is not None and not spoilt_tables(folder, record)


def _passed(folder: Path) -> dict[str, Any] | None:
    """Return the record of a run that passed its audit and was not stopped by hand, else None."""
    record = read_record(folder)
    if record is None or not is_run(folder):
        return None
    audit = record.get("audit")
    passed = isinstance(audit, dict) and audit.get("passed") is True
    return record if passed and record.get("status") != "stopped by hand" else None


def with_threads(loaded: LoadedScenario, threads: int) -> LoadedScenario:
    """Return a scenario searched by so many threads."""
    solver = loaded.scenario.solver.model_copy(update={"threads": threads})
    scenario = loaded.scenario.model_copy(update={"solver": solver})
    return replace(loaded, scenario=scenario, resolved=scenario.model_dump())


def run_jobs(jobs: Sequence[Job], say: Say, stop: threading.Event, most: int | None = None) -> list[Path | Answer]:
    """Run jobs side by side, at most `most` (the cores there are) at once, and return folders or why there is none.

    Every job searches with its part of the cores. `say` hears of progress; setting `stop` ends all searches, which
    keep the best plans found, and nothing more is begun. Where a worker dies, what it and the others had not finished
    is begun again.
    """
    at_once = max(1, min(len(jobs), most or cores()))
    threads = max(1, cores() // at_once)
    context = multiprocessing.get_context("spawn")
    done: dict[int, Path | Answer] = {}
    for _ in range(ATTEMPTS):
        heard, halt = context.Queue(), context.Event()  # a worker that died may have left the old ones locked
        with _executor(at_once, context, (heard, halt)) as pool:
            with _interrupts_held():  # submitting starts the workers
                futures = {
                    number: pool.submit(work, replace(job, loaded=with_threads(job.loaded, threads)))
                    for number, job in enumerate(jobs)
                    if number not in done
                }
            _listen(list(futures.values()), heard, halt, say, stop)
        lost = {number for number, future in futures.items() if isinstance(future.exception(), BrokenExecutor)}
        done |= {number: _result(future) for number, future in futures.items() if number not in lost}
        if not lost or stop.is_set():
            break
    return [done.get(number, LOST) for number in range(len(jobs))]


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back in this thread; processes started meanwhile never hear of it, not even while they import."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _executor(workers: int, context: Any, shared: tuple[Any, Any]) -> Executor:
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=shared)


def _result(future: "Future[Path | Answer]") -> Path | Answer:
    error = future.exception()
    return answer(error) if error is not None else future.result()


def _listen(futures: "Sequence[Future[Path | Answer]]", heard: Any, halt: Any, say: Say, stop: threading.Event) -> None:
    """Pass on what the workers say until all are done."""
    pending = set(futures)
    while pending:
        if stop.is_set():
            halt.set()
        _drain(heard, say, seconds=0.2)
        pending = wait(pending, timeout=0).not_done
    _drain(heard, say, seconds=0.2)


def _drain(heard: Any, say: Say, seconds: float) -> None:
    try:
        while True:
            say(*heard.get(timeout=seconds))
            seconds = 0.0
    except queue.Empty:
        return


class _Shared:
    """What a worker shares with the process that started it."""

    heard: Any = None
    halt: Any = None


def _begin(heard: Any, halt: Any) -> None:
    """Set a worker up: the process that started it decides what Ctrl-C means."""
    _Shared.heard, _Shared.halt = heard, halt
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass(frozen=True)
class Speaker:
    """Progress of a worker; `send` passes what it hears (lane, method, arguments) on to whoever asked for the run."""

    lane: str
    send: Callable[[tuple[str, str, tuple[Any, ...]]], None]

    def _send(self, method: str, *args: Any) -> None:
        self.send((self.lane, method, args))

    def phase(self, name: str, detail: str, seconds: float) -> None:
        """Send a phase."""
        self._send("phase", name, detail, seconds)

    def stage_start(self, goal: str, index: int, count: int) -> None:
        """Send the start of a goal."""
        self._send("stage_start", goal, index, count)

    def stage_update(
        self, goal: str, incumbent: float | None, bound: float | None, gap: float | None, seconds: float
    ) -> None:
        """Send the newest figures of a goal."""
        self._send("stage_update", goal, incumbent, bound, gap, seconds)

    def stage_end(
        self, goal: str, value: float | None, bound: float | None, gap: float | None, seconds: float, note: str
    ) -> None:
        """Send the end of a goal."""
        self._send("stage_end", goal, value, bound, gap, seconds, note)


def work(job: Job) -> Path | Answer:
    """Run one job in a worker; what cannot be done comes back as an answer."""
    if _Shared.halt.is_set():
        return NOT_BEGUN
    stop, over = threading.Event(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(stop, over), daemon=True)
    watcher.start()
    try:
        from optimizer.run import run_scenario

        speaker = Speaker(job.name, _Shared.heard.put)
        return run_scenario(job.loaded, job.out, progress=speaker, close_to=job.close_to, stop=stop, begin=job.begin)
    except Exception as error:  # what to say about it is decided in one place
        return answer(error)
    finally:
        over.set()


def _watch(stop: threading.Event, over: threading.Event) -> None:
    while not over.is_set():
        if _Shared.halt.wait(0.2):
            stop.set()
            return
