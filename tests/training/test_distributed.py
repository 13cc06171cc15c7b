"""Two gloo processes train what one process trains, in every strategy, and go on after a kill."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

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


MODEL = "model.safetensors"


def weights(directory: Path, file: str) -> dict[str, torch.Tensor]:
    return load_file(directory / "checkpoint" / file)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("alone")
    main(directory, {"strategy": "ddp", "asked": 1})
    return directory


@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "zero2", "zero3"])
def test_one_process_ends_what_two_began(strategy: str, alone: Path, tmp_path: Path) -> None:
    """Two processes train four of six steps like one, are killed, and their state is dealt anew."""
    assert launch(tmp_path, strategy=strategy, die_at=5).returncode != 0
    done = launch(tmp_path, processes=1, strategy=strategy)
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(tmp_path, alone)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_share_the_rows_and_where_each_has_the_model_the_questions(
    strategy: str, alone: Path, tmp_path: Path
) -> None:
    done = launch(tmp_path, strategy=strategy)
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(tmp_path, alone)
    whole = json.loads((alone / "seen-1-0.json").read_text())
    shares = [json.loads((tmp_path / f"seen-2-{rank}.json").read_text()) for rank in range(2)]
    assert sorted(shares[0]["encoded"] + shares[1]["encoded"]) == sorted(whole["encoded"])
    asked = [share["asked"] for share in shares]
    assert asked == ([["0", "2"] * 2, ["1", "3"] * 2] if strategy == "ddp" else [whole["asked"]] * 2)
    rows = map(json.loads, (tmp_path / "train_log.jsonl").read_text().splitlines())
    looks = [row["validation"] for row in rows if "validation" in row]
    assert [values.get("answers") for values in looks] == [None, 4.0, 4.0]  # nothing is asked at the start


POLICY: dict[str, Any] = {
    "stage": "grpo",
    "max_steps": 6,
    "batch_size": 6,
    "options": {"prompts": 5, "samples": 6, "max_new_tokens": 3, "updates": 2, "kl": 0.05, "supervised": 0.3},
}


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("zero2", marks=pytest.mark.slow)])
def test_two_processes_learn_from_their_answers_what_one_learns_from_its_own(
    strategy: str, tmp_path: Path
) -> None:
    main(tmp_path / "alone", {"strategy": "ddp", "asked": 1, "stage": POLICY})
    assert launch(tmp_path / "two", strategy=strategy, stage=POLICY, die_at=4).returncode != 0
    done = launch(tmp_path / "two", strategy=strategy, stage=POLICY)
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(tmp_path / "two", tmp_path / "alone")


@pytest.mark.slow  # sharded weights are asked by all processes at once, in the same batches
@pytest.mark.parametrize("strategy", ["fsdp", "zero3"])
def test_sharded_weights_learn_from_their_answers_too(strategy: str, tmp_path: Path) -> None:
    stage = {**POLICY, "options": {**POLICY["options"], "kl": 0.0}}
    main(tmp_path / "alone", {"strategy": "ddp", "asked": 1, "stage": stage})
    done = launch(tmp_path / "two", strategy=strategy, stage=stage)
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(tmp_path / "two", tmp_path / "alone")


PAIRS = {"reward": "", "options": {}, "max_steps": 4, "batch_size": 4, "max_length": 64, "eval_every": 2}
LEARNT = {
    "rloo": {**POLICY, "stage": "rloo", "options": {**POLICY["options"], "kl": 0.0}},
    "ppo": {**POLICY, "stage": "ppo", "options": {**POLICY["options"], "kl": 0.0}},
    **{stage: {**PAIRS, "stage": stage} for stage in ("dpo", "orpo", "reward")},
}


@pytest.mark.slow  # GRPO, with all that these share, runs in the default tests
@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "zero2", "zero3"])
@pytest.mark.parametrize("stage", LEARNT)
def test_other_stages_learn_the_same_in_two_processes(stage: str, strategy: str, tmp_path: Path) -> None:
    main(tmp_path / "alone", {"strategy": "ddp", "asked": 1, "stage": LEARNT[stage]})
    assert launch(tmp_path / "two", strategy=strategy, stage=LEARNT[stage], die_at=3).returncode != 0
    done = launch(tmp_path / "two", strategy=strategy, stage=LEARNT[stage])
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(tmp_path / "two", tmp_path / "alone")


@pytest.fixture(scope="module")
def adapter_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("adapter")
    main(directory, {"strategy": "ddp", "asked": 1, "method": "lora"})
    return directory


OTHERS = [pytest.param(strategy, marks=pytest.mark.slow) for strategy in ("ddp", "zero2", "zero3")]


@pytest.mark.parametrize("strategy", ["fsdp", *OTHERS])
def test_one_process_ends_the_adapter_that_two_began(
    strategy: str, adapter_alone: Path, tmp_path: Path
) -> None:
    assert launch(tmp_path, strategy=strategy, method="lora", die_at=5).returncode != 0
    done = launch(tmp_path, processes=1, strategy=strategy, method="lora")
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(tmp_path, adapter_alone, "adapter_model.safetensors")
    assert (tmp_path / "checkpoint" / "base.json").exists()


@pytest.mark.slow  # the configurations without offload run in the default tests
@pytest.mark.parametrize("strategy", ["zero2", "zero3"])
def test_what_is_kept_in_the_memory_of_the_cpu_trains_the_same(
    strategy: str, alone: Path, tmp_path: Path
) -> None:
    done = launch(tmp_path, strategy=strategy, offload=True)
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(tmp_path, alone)


@pytest.mark.slow  # the first test starts the same processes
@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "zero1", "zero2", "zero3"])
def test_two_processes_go_on_after_a_kill(strategy: str, alone: Path, tmp_path: Path) -> None:
    assert launch(tmp_path, strategy=strategy, die_at=5).returncode != 0
    done = launch(tmp_path, strategy=strategy)
    assert done.returncode == 0, done.stderr[-2000:]
    require_same(tmp_path, alone)


def require_same(directory: Path, expected: Path, file: str = MODEL) -> None:
    assert curve(directory) == pytest.approx(curve(expected), abs=5e-6)
    wanted, found = weights(expected, file), weights(directory, file)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.allclose(found[name], value, atol=5e-5), name
