"""Runs on a Dask cluster: the same plans as here, a worker that dies, a scheduler that is not there."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster

from optimizer.answers import Answer
from optimizer.jobs import Job, run_jobs
from optimizer.jobs_dask import NoClusterError, run_on_dask
from tests.optimizer.test_run import loaded

pytestmark = pytest.mark.xdist_group("dask")


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as started:
        yield started


def silent(*_: Any) -> None:
    """Hear nothing."""


def test_the_cluster_makes_the_same_plans_as_this_machine(cluster: LocalCluster, tmp_path: Path) -> None:
    scenario = loaded("everything", tmp_path)
    here, away = (Job(scenario, tmp_path / name, label=name) for name in ("here", "away"))
    heard: list[tuple[str, str]] = []
    results = run_on_dask(
        [away], lambda lane, method, _: heard.append((lane, method)), threading.Event(), cluster.scheduler_address
    )
    assert results == [away.out]
    assert run_jobs([here], silent, threading.Event(), most=1) == [here.out]
    for table in (here.out / "tables").iterdir():
        assert table.read_bytes() == (away.out / "tables" / table.name).read_bytes()
    assert (away.out / "report.html").is_file()
    assert ("away", "stage_end") in heard
    assert not list(tmp_path.glob(".away*"))


@pytest.mark.skipif(os.name == "nt", reason="kills a process by a signal that Windows does not have")
def test_a_worker_that_dies_is_replaced(cluster: LocalCluster, tmp_path: Path) -> None:
    job = Job(loaded("everything", tmp_path), tmp_path / "run")
    before = cluster.workers[0].pid
    killed: list[int] = []

    def kill(lane: str, method: str, _: Any) -> None:
        del lane
        if method == "stage_start" and not killed:
            killed.append(before)
            os.kill(before, signal.SIGKILL)

    assert run_on_dask([job], kill, threading.Event(), cluster.scheduler_address) == [job.out]
    assert killed == [before]
    assert cluster.workers[0].pid != before


def test_a_stop_and_bad_input_come_back_as_answers(cluster: LocalCluster, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    scenario = loaded("everything", tmp_path)
    stopped = run_on_dask([Job(scenario, tmp_path / "stopped")], silent, stop, cluster.scheduler_address)
    assert isinstance(stopped[0], Path) or stopped[0].kind == "stopped"
    (tmp_path / "城市 data.gpkg").write_bytes(b"no city")
    [wrong] = run_on_dask([Job(scenario, tmp_path / "wrong")], silent, threading.Event(), cluster.scheduler_address)
    assert isinstance(wrong, Answer)
    assert wrong.code == 2
    assert not (tmp_path / "wrong").exists()


def test_no_scheduler_is_said_so(tmp_path: Path) -> None:
    job = Job(loaded("everything", tmp_path), tmp_path / "run")
    with pytest.raises(NoClusterError, match="no scheduler answers there"):
        run_on_dask([job], silent, threading.Event(), "tcp://127.0.0.1:9")
