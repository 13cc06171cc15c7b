"""Trainings in several processes as a user starts them: by the program itself, or by another launcher."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .test_distributed import curve

pytestmark = pytest.mark.distributed
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, str(ROOT / "run_bench.py")]
HUNGRY = Path(__file__).with_name("hungry.py")
COMMAND = ["train", "--model", "hungry", "--task", "toy"]
COMMAND += ["--plugin", str(HUNGRY), "--max-steps", "6", "--set", "train.save_every=3"]
COMMAND += ["--set", "train.batch_size=8"]


def train(output: Path, *arguments: str) -> tuple[Path, str]:
    """Train and return the directory of the training, with what was said on standard error."""
    done = subprocess.run(
        [*PROGRAM, *COMMAND, "--output", str(output), *arguments], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    (log,) = output.glob("trained/hungry/*/train_log.jsonl")
    return log.parent, done.stderr


@pytest.mark.parametrize(
    "strategy", ["ddp", *(pytest.param(s, marks=pytest.mark.slow) for s in ("fsdp", "zero2", "zero3"))]
)
def test_one_process_out_of_memory_halves_the_micro_batch_of_all(strategy: str, tmp_path: Path) -> None:
    alone, _ = train(tmp_path / "alone")
    shared, said = train(
        tmp_path / "shared", "--processes", "2", "--set", f"train.launch.strategy={strategy}"
    )
    assert "note: out of memory at step 5 in" in said and "the stage is started again" in said
    events = map(json.loads, (shared / "events.jsonl").read_text().splitlines())
    finished = next(event for event in events if event["event"] == "training_finished")
    assert (finished["micro_batch_splits"], finished["processes"]) == (2, 2)
    assert finished["strategy"] == strategy
    assert curve(shared) == pytest.approx(curve(alone), abs=5e-6)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def together(commands: list[list[str]], environments: list[dict[str, str]]) -> None:
    """Run one command a node to their ends."""
    nodes = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command, more in zip(commands, environments, strict=True)
    ]
    try:
        said = [node.communicate(timeout=600)[0] for node in nodes]
    finally:
        for node in nodes:
            node.terminate()  # a launcher that is killed leaves its workers behind
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(said)


@pytest.mark.parametrize(
    "strategy", ["zero2", *(pytest.param(s, marks=pytest.mark.slow) for s in ("ddp", "fsdp", "zero3"))]
)
def test_two_nodes_train_twice_under_torchrun(strategy: str, tmp_path: Path) -> None:
    """The command of the page, both nodes on one machine; the second seed trains in the same processes."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{free_port()}", "-m", "harness"]
    seeds = ["--seeds", "0,1", "--set", "model.hungry=false", "--set", f"train.launch.strategy={strategy}"]
    node = [*launch, *COMMAND, *seeds, "--output", str(tmp_path)]
    together([node, node], [{}, {}])
    assert processes_of(tmp_path) == [(strategy, 2), (strategy, 2)]


@pytest.mark.slow  # the default tests meet by an address too, found by the launcher instead of given
def test_two_nodes_that_are_named_train_under_torchrun(tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    launch += ["--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    program = [
        "-m",
        "harness",
        *COMMAND,
        "--set",
        "model.hungry=false",
        "--set",
        "train.launch.strategy=zero2",
    ]
    nodes = [[*launch, "--node-rank", rank, *program, "--output", str(tmp_path)] for rank in ("0", "1")]
    together(nodes, [{}, {}])
    assert processes_of(tmp_path) == [("zero2", 2)]


@pytest.mark.slow  # torchrun, which all of them stand on or stand in for, runs in the default tests
@pytest.mark.parametrize(
    ("launcher", "port"),
    [
        ("torchrun --nproc-per-node 2 -m", "--master-port"),
        ("deepspeed --num_gpus 2 --no_local_rank --module", "--master_port"),
        ("accelerate launch --multi_gpu --num_processes 2 -m", "--main_process_port"),
    ],
)
def test_two_processes_train_under_the_launchers_of_the_page(
    launcher: str, port: str, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "how-to" / "train-on-several-gpus.md").read_text(encoding="utf-8")
    assert f"{launcher} harness".replace(" 2 ", " 8 ") in page
    program, *words, module = launcher.split()
    command = [str(Path(sys.executable).parent / program), *words, port, str(free_port()), module, "harness"]
    command += [*COMMAND, "--set", "model.hungry=false", "--set", "train.launch.strategy=zero2"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert processes_of(tmp_path) == [("zero2", 2)]


@pytest.mark.slow
def test_tasks_of_slurm_train_without_torchrun(tmp_path: Path) -> None:
    """`srun` starts one process a task and says in SLURM's variables which it is."""
    shell = 'RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID exec "$@"'
    command = ["sh", "-c", shell, "sh", *PROGRAM, *COMMAND, "--set", "model.hungry=false"]
    slurm = {"SLURM_NTASKS": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free_port())}
    tasks = [slurm | {"SLURM_PROCID": task, "SLURM_LOCALID": task} for task in ("0", "1")]
    together([[*command, "--output", str(tmp_path)]] * 2, tasks)
    assert processes_of(tmp_path) == [("ddp", 2)]


def processes_of(output: Path) -> list[tuple[str, int]]:
    """Return how each training of an output folder was done."""
    lines = [
        line for log in output.glob("trained/hungry/*/events.jsonl") for line in log.read_text().splitlines()
    ]
    events = map(json.loads, lines)
    return [(e["strategy"], e["processes"]) for e in events if e["event"] == "training_finished"]
