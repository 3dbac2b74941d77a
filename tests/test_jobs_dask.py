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

import pandas as pd
import pytest
from distributed import Client
from typer.testing import CliRunner

from optimizer import cli
from optimizer.answers import Answer
from optimizer.jobs import NOT_BEGUN, Job, run_jobs
from optimizer.jobs_dask import LOST_CLUSTER, NO_WORKER, NoClusterError, run_on_dask
from optimizer.scenario_file import resolved_yaml
from tests.conftest import ROOT
from tests.optimizer.test_run import loaded

pytestmark = pytest.mark.xdist_group("dask")


class Cluster:
    """A scheduler and workers, each started as a user starts it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        self.workers: list[subprocess.Popen[bytes]] = []
        deadline = time.monotonic() + 60
        while not self.file.is_file() or not self.file.read_text(encoding="utf-8"):
            assert time.monotonic() < deadline, "no scheduler came up"
            time.sleep(0.1)
        self.address = str(json.loads(self.file.read_text(encoding="utf-8"))["address"])

    def _start(self, what: str, *words: str) -> "subprocess.Popen[bytes]":
        words = ("-m", f"distributed.cli.{what}", *words, "--scheduler-file", str(self.file), "--no-dashboard")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, *words], env=environment, cwd=self.file.parent, stderr=subprocess.DEVNULL
        )

    def add_worker(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start a worker that plans one scenario at a time."""
        self.workers.append(self._start("dask_worker", "--nthreads", "1", "--nworkers", "1", *words))
        return self.workers[-1]

    def close(self) -> None:
        """End all processes."""
        for process in (*self.workers, self.scheduler):
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a scheduler with one worker, which is replaced where it dies."""
    cluster = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        cluster.add_worker()
        yield cluster.address
    finally:
        cluster.close()


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
    [stopped] = run_on_dask([Job(scenario, tmp_path / "stopped")], silent, stop, address)
    assert stopped == NOT_BEGUN
    (tmp_path / "城市 data.gpkg").write_bytes(b"no city")
    [wrong] = run_on_dask([Job(scenario, tmp_path / "wrong")], silent, threading.Event(), address)
    assert isinstance(wrong, Answer)
    assert wrong.code == 2
    assert not (tmp_path / "wrong").exists()


def test_the_command_sweeps_on_a_cluster(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = loaded("everything", tmp_path)
    (tmp_path / "tiny.yaml").write_text(resolved_yaml(scenario.scenario), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    words = ["sweep", "tiny.yaml", "--vary", "programmes.work_funds.floor_yuan=10000,20000", "--dask", address]
    done = CliRunner().invoke(cli.app, [*words, "--out", "grid"], prog_name="allot")
    assert done.exit_code == 0, done.output
    table = pd.read_csv("grid/sweep.csv")
    assert table["programmes.work_funds.floor_yuan"].tolist() == [10000, 20000]
    assert all((Path(run) / "report.html").is_file() for run in table["run"])
    both = CliRunner().invoke(cli.app, [*words, "--workers", "2"], prog_name="allot")
    assert both.exit_code == 2
    assert "not both" in both.stderr


def test_workers_that_are_not_there_or_leave_are_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimizer.jobs_dask.CONNECT_SECONDS", 2)
    job = Job(loaded("everything", tmp_path), tmp_path / "run")
    cluster, stop = Cluster(tmp_path), threading.Event()
    try:
        with pytest.raises(NoClusterError, match="has no workers"):
            run_on_dask([job], silent, stop, cluster.address)
        monkeypatch.setattr("optimizer.jobs_dask.CONNECT_SECONDS", 30)
        worker = cluster.add_worker("--no-nanny")

        def leave(lane: str, method: str, _: Any) -> None:
            del lane
            if method == "stage_start" and not stop.is_set():
                worker.kill()
                worker.wait()
                stop.set()

        assert run_on_dask([job], leave, stop, cluster.address) == [NO_WORKER]
        cluster.add_worker("--no-nanny")

        def end(lane: str, method: str, _: Any) -> None:
            del lane
            if method == "stage_start":
                cluster.scheduler.kill()

        assert run_on_dask([job], end, threading.Event(), cluster.address) == [LOST_CLUSTER]
    finally:
        cluster.close()
    assert not job.out.exists()


def test_no_scheduler_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimizer.jobs_dask.CONNECT_SECONDS", 0.5)
    job = Job(loaded("everything", tmp_path), tmp_path / "run")
    with pytest.raises(NoClusterError, match="no scheduler answers there"):
        run_on_dask([job], silent, threading.Event(), "tcp://127.0.0.1:9")
