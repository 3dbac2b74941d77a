"""Runs side by side on a Dask cluster, for more machines than one. Needs the extra `dask`.

The city's files must lie at the same path on every machine; the reference city comes with the package. A run folder is
made where the worker is and comes back as one archive. Dask gives what a worker that died had not finished to others.
"""

import io
import logging
import shutil
import tempfile
import threading
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from optimizer.answers import BROKEN, STOPPED, Answer, answer
from optimizer.jobs import LOST, NOT_BEGUN, Job, Say, Speaker, with_threads

CONNECT_SECONDS = 10
NO_WORKER = Answer(STOPPED, "stopped", ("Stopped while no worker was left to plan this. Nothing was saved.",))
LOST_CLUSTER = Answer(BROKEN, "broken", ("The scheduler of the cluster went away before this was planned.",))


class NoClusterError(Exception):
    """There is no cluster to run on; the message says why and what to do."""


def run_on_dask(jobs: Sequence[Job], say: Say, stop: threading.Event, address: str) -> list[Path | Answer]:
    """Run jobs on the cluster whose scheduler is at `address` (tcp://host:port); return folders or why there is none.

    Every job searches with one thread. `say` hears of progress; setting `stop` ends all searches, which keep the best
    plans found, and nothing more is begun. Raises NoClusterError where Dask is not installed or no scheduler answers.
    """
    try:
        from distributed import Client, Event
    except ImportError:
        raise NoClusterError("--dask needs the package `distributed`: install it, or use --workers.") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said in words here
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise NoClusterError(
            f"--dask {address}: no scheduler answers there ({str(error)[:200]}). Start one with `dask scheduler`, and "
            f"workers with `dask worker {address}`, or use --workers."
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError:
            said = f"--dask {address}: the scheduler has no workers. Start one with `dask worker {address}`."
            raise NoClusterError(said) from None
        topic = f"allot-{uuid.uuid4().hex}"
        halt = Event(topic, client=client)
        client.subscribe_topic(topic, lambda event: say(event[1][0], event[1][1], tuple(event[1][2])))
        if stop.is_set():
            halt.set()
        futures = [
            client.submit(work_away, replace(job, loaded=with_threads(job.loaded, 1)), topic, pure=False)
            for job in jobs
        ]
        _wait(client, futures, stop, halt)
        return [_result(future, job) for future, job in zip(futures, jobs, strict=True)]


def _wait(client: Any, futures: Sequence[Any], stop: threading.Event, halt: Any) -> None:
    """Wait until all jobs are done, or nobody is left to do them after a stop."""
    from distributed import CancelledError, wait

    while not all(future.done() for future in futures):
        if stop.is_set():
            halt.set()
            if not client.nthreads():
                return
        try:
            wait(futures, timeout=0.5)
        except TimeoutError:
            continue
        except CancelledError:  # the scheduler went away, and what it knew with it
            return


def _result(future: Any, job: Job) -> Path | Answer:
    from distributed import KilledWorker

    if future.cancelled():
        return LOST_CLUSTER
    if not future.done():
        return NO_WORKER
    error = future.exception()
    if isinstance(error, KilledWorker):
        return LOST
    if error is not None:
        return answer(error)
    result = future.result()
    return result if isinstance(result, Answer) else _unpack(result, job.out)


def _unpack(archive: bytes, out: Path) -> Path | Answer:
    """Write the archive of a run folder as `out`, whole or not at all."""
    part: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            files.extractall(part)
        part.rename(out)
    except OSError as error:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
        return answer(error)
    return out


def work_away(job: Job, topic: str) -> bytes | Answer:
    """Run one job on a worker of the cluster; return its run folder as an archive, or why there is none."""
    from distributed import Event, get_client, get_worker

    from optimizer.run import run_scenario

    worker, stop, over = get_worker(), threading.Event(), threading.Event()
    halt = Event(topic, client=get_client())
    if halt.is_set():
        return NOT_BEGUN

    def watch() -> None:
        while not halt.is_set():
            if over.wait(0.5):
                return
        stop.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        with tempfile.TemporaryDirectory(prefix="allot-", ignore_cleanup_errors=True) as place:
            folder = Path(place) / job.out.name
            speaker = Speaker(job.name, partial(worker.log_event, topic))
            run_scenario(job.loaded, folder, progress=speaker, stop=stop, begin=job.begin)
            return _archive(folder)
    except Exception as error:
        return answer(error)
    finally:
        over.set()
        watcher.join(timeout=5)


def _archive(folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            files.write(path, path.relative_to(folder).as_posix())
    return packed.getvalue()
