"""Runs on a Dask cluster: the same plans as here, a worker that dies, a scheduler that is not there."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from optimizer.answers import Answer
from optimizer.jobs import Job, run_jobs
from optimizer.jobs_dask import NoClusterError, run_on_dask
from tests.conftest import ROOT
from tests.optimizer.test_run import loaded

pytestmark = pytest.mark.xdist_group("dask")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a scheduler with one worker, both started as a user starts them."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = [
        ["-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *common],
        ["-m", "distributed.cli.dask_worker", "--nthreads", "1", "--nworkers", "1", *common],
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, *words], env=environment, cwd=file.parent, stderr=subprocess.DEVNULL)
        for words in commands
    ]
    try:
        deadline = time.monotonic() + 60
        while not file.is_file() or not file.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, "no scheduler came up"
            time.sleep(0.1)
        yield str(json.loads(file.read_text(encoding="utf-8"))["address"])
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)


def worker_pid(address: str) -> int:
    """Return the number of the process of the only worker, once it is there."""
    with Client(address) as client:
        client.wait_for_workers(1, timeout=60)
        return int(next(iter(client.run(os.getpid).values())))


def silent(*_: Any) -> None:
    """Hear nothing."""


def test_the_cluster_makes_the_same_plans_as_this_machine(address: str, tmp_path: Path) -> None:
    scenario = loaded("everything", tmp_path)
    here, away = (Job(scenario, tmp_path / name, label=name) for name in ("here", "away"))
    heard: list[tuple[str, str]] = []
    results = run_on_dask([away], lambda lane, method, _: heard.append((lane, method)), threading.Event(), address)
    assert results == [away.out]
    assert run_jobs([here], silent, threading.Event(), most=1) == [here.out]
    for table in (here.out / "tables").iterdir():
        assert table.read_bytes() == (away.out / "tables" / table.name).read_bytes()
    assert (away.out / "report.html").is_file()
    assert ("away", "stage_end") in heard
    assert not list(tmp_path.glob(".away*"))


@pytest.mark.skipif(os.name == "nt", reason="kills a process by a signal that Windows does not have")
def test_a_worker_that_dies_is_replaced(address: str, tmp_path: Path) -> None:
    job = Job(loaded("everything", tmp_path), tmp_path / "run")
    before = worker_pid(address)
    killed: list[int] = []

    def kill(lane: str, method: str, _: Any) -> None:
        del lane
        if method == "stage_start" and not killed:
            killed.append(before)
            os.kill(before, signal.SIGKILL)

    assert run_on_dask([job], kill, threading.Event(), address) == [job.out]
    assert killed == [before]
    assert worker_pid(address) != before


def test_a_stop_and_bad_input_come_back_as_answers(address: str, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    scenario = loaded("everything", tmp_path)
    stopped = run_on_dask([Job(scenario, tmp_path / "stopped")], silent, stop, address)
    assert isinstance(stopped[0], Path) or stopped[0].kind == "stopped"
    (tmp_path / "城市 data.gpkg").write_bytes(b"no city")
    [wrong] = run_on_dask([Job(scenario, tmp_path / "wrong")], silent, threading.Event(), address)
    assert isinstance(wrong, Answer)
    assert wrong.code == 2
    assert not (tmp_path / "wrong").exists()


def test_no_scheduler_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimizer.jobs_dask.CONNECT_SECONDS", 0.5)
    job = Job(loaded("everything", tmp_path), tmp_path / "run")
    with pytest.raises(NoClusterError, match="no scheduler answers there"):
        run_on_dask([job], silent, threading.Event(), "tcp://127.0.0.1:9")
