"""Routed experts over two processes, where one may have no token for some experts."""

from __future__ import annotations

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


@pytest.mark.parametrize("strategy", ["ddp", "zero3"])
def test_two_processes_learn_what_one_learns(strategy: str, tmp_path: Path) -> None:
    if strategy == "zero3":
        pytest.importorskip("deepspeed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "two").mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"),
            *(f"--master_port={port}", str(SCRIPT), str(tmp_path / "two"), strategy),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (tmp_path / "one").mkdir()
    main(tmp_path / "one", "auto")
    expected = load_file(tmp_path / "one" / "checkpoint" / "model.safetensors")
    found = load_file(tmp_path / "two" / "checkpoint" / "model.safetensors")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=5e-5), name
