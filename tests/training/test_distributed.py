"""Two gloo processes train what one process trains, in every strategy, and go on after a kill."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from .two_processes import main

pytestmark = pytest.mark.distributed
SCRIPT = Path(__file__).with_name("two_processes.py")


def launch(directory: Path, processes: int = 2, **request: object) -> subprocess.CompletedProcess[str]:
    directory.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        f"--nproc_per_node={processes}",
        f"--master_port={port}",
    ]
    return subprocess.run(
        [*command, str(SCRIPT), str(directory), json.dumps(request)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def curve(directory: Path) -> list[float]:
    rows = map(json.loads, (directory / "train_log.jsonl").read_text().splitlines())
    return [row["loss"] for row in rows if "loss" in row]


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "checkpoint" / "model.safetensors")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("alone")
    main(directory, {"strategy": "ddp", "asked": 1})
    return directory


@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "zero2", "zero3"])
def test_two_processes_killed_on_the_way_end_where_one_process_ends(
    strategy: str, alone: Path, tmp_path: Path
) -> None:
    assert launch(tmp_path, strategy=strategy, die_at=5).returncode != 0
    done = launch(tmp_path, strategy=strategy)
    assert done.returncode == 0, done.stderr[-2000:]
    assert curve(tmp_path) == pytest.approx(curve(alone), abs=2e-5)
    expected, found = weights(alone), weights(tmp_path)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=5e-5), name


@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "zero2", "zero3"])
def test_one_process_goes_on_from_the_state_of_two(strategy: str, alone: Path, tmp_path: Path) -> None:
    assert launch(tmp_path, strategy=strategy, die_at=5).returncode != 0
    done = launch(tmp_path, processes=1, strategy=strategy)
    assert done.returncode == 0, done.stderr[-2000:]
    assert curve(tmp_path) == pytest.approx(curve(alone), abs=2e-5)


def test_fewer_processes_than_asked_for_are_refused(tmp_path: Path) -> None:
    failed = launch(tmp_path, processes=1, strategy="ddp", asked=2)
    assert failed.returncode != 0
    assert "2 processes were asked for, 1 are running" in failed.stderr
