"""Sweeps on a Ray cluster of two machines, and through submitit on its own local executor."""

from __future__ import annotations

import logging
import os
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from harness.api.errors import MissingDependency, UsageError
from harness.sweep.choose import executor_of
from harness.sweep.executor import Ended, Executor, Job
from harness.sweep.file import Options
from tests.sweep.test_local import climbing, job, until

MEMORY = 80 * 2**20  # of each machine's objects, of which there are none


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Start two machines on this one: the second has a GPU, as far as Ray knows."""
    pytest.importorskip("ray")
    with patch.dict(os.environ, {"RAY_USAGE_STATS_ENABLED": "0"}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        each = {"num_cpus": 1, "object_store_memory": MEMORY}
        made = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **each})
        made.add_node(num_gpus=1, resources={"big": 1}, **each)
        yield made
        made.shutdown()
        logging.getLogger("ray").handlers.clear()


@pytest.fixture
def ray(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Executor]:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    # It is at this machine's own address, which looks like that of another one to `no_network`.
    monkeypatch.setattr(socket, "create_connection", lambda *asked: socket.socket())

    def connect(**options: Any) -> Executor:
        return executor_of(Options(executor="ray", **options), Path())

    return connect


def ends(executor: Executor, count: int) -> dict[int, Ended]:
    ended: dict[int, Ended] = {}
    until(lambda: ended.update({e.number: e for e in executor.ended()}) or len(ended) == count)
    return ended


def events(tmp_path: Path) -> list[Path]:
    return [p for p in tmp_path.glob("runs/trained/climb/*/events.jsonl") if b"validation" in p.read_bytes()]


@pytest.mark.filterwarnings("ignore")
def test_ray_places_cells_interrupts_them_and_says_how_they_ended(ray, tmp_path: Path, climb: Path) -> None:
    executor = ray(gpus=0, ray={"placement": "spread"})
    try:
        assert executor.describe() == "on Ray: 2 machines, 2 at once, each with CPU 1"
        executor.submit(climbing(tmp_path, 1, "model.pause=0.01"))
        executor.submit(job(tmp_path, "list", "nonsense", number=2))
        assert not executor.takes(job(tmp_path))
        assert ends(executor, 1)[2].code == 2
        until(lambda: events(tmp_path))
        executor.stop(1)
        assert ends(executor, 1)[1].reason == "stopped"
        assert "the same command continues" in (tmp_path / "logs/1.txt").read_text()
        nowhere = Job(3, ("list", "models"), tmp_path / "nowhere", tmp_path / "logs/3.txt")
        executor.submit(nowhere)
        assert "nowhere" in ends(executor, 1)[3].reason
    finally:
        executor.close()
    executor = ray(ray={"resources": {"big": 1}})
    try:
        assert executor.describe() == "on Ray: 2 machines, 1 at once, each with CPU 1, GPU 1, big 1"
    finally:
        executor.close()
    with pytest.raises(UsageError, match="no machine of the Ray cluster has CPU 1, GPU 3"):
        ray(gpus=3)


def test_a_cluster_that_does_not_answer_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UsageError, match=f"no Ray cluster answers at {address}") as caught:
        executor_of(Options(executor="ray", ray={"address": address}), Path())
    assert "ray start --head" in caught.value.hint


@pytest.mark.parametrize(("executor", "library"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_library_that_is_not_there_is_named_with_its_extra(executor: str, library: str) -> None:
    with patch.dict(sys.modules, {library: None}), pytest.raises(MissingDependency) as caught:
        executor_of(Options(executor=executor), Path())
    assert caught.value.hint == f"pip install 'assay-bench[{executor}]'"


@pytest.fixture
def slurm(tmp_path: Path) -> Callable[..., Executor]:
    pytest.importorskip("submitit")

    def queue(**table: Any) -> Executor:
        return executor_of(Options(executor="slurm", slurm=table), tmp_path / "jobs")

    return queue


@pytest.mark.filterwarnings("ignore")
def test_submitit_carries_cells_out_and_cancels_them(slurm, tmp_path: Path, climb: Path) -> None:
    executor = slurm(cluster="local", timeout_min=5)
    executor.submit(climbing(tmp_path, 1, "model.pause=0.01"))
    executor.submit(job(tmp_path, "list", "nonsense", number=2))
    ended = ends(executor, 1)[2]
    assert (ended.code, ended.reason) == (2, "")
    until(lambda: events(tmp_path))
    executor.stop(1)
    assert "ended as" in ends(executor, 1)[1].reason
    until(lambda: "the same command continues" in (tmp_path / "logs/1.txt").read_text())
    executor.close()


def test_what_slurm_does_not_know_is_said_before_anything_is_queued(slurm, monkeypatch) -> None:
    with pytest.raises(UsageError, match=r"\[sweep.slurm\] has no 'partitoin'") as caught:
        slurm(cluster="local", partitoin="gpu")
    assert caught.value.hint == "did you mean partition?"
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="there is no SLURM here") as caught:
        slurm()
    assert 'cluster = "local"' in caught.value.hint
