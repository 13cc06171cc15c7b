"""Kills at any moment: the same command, given again, ends with what it would have ended with."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOY = (
    *("--model", "toy", "--task", "toy", "--max-steps", "10", "--quiet"),
    *("--set", "model.step_delay=0.03", "--set", "model.delay=0.01"),
)
TRAIN = ("train", "--quiet", "--max-steps", "4", "--set", "train.save_every=2")
EARN = ("--set", "train.reward=metric:letter-accuracy", "--set", "train.batch_size=8")


@dataclass(frozen=True, slots=True)
class Job:
    """A command, what is there before it begins, and the files that must come out the same."""

    name: str
    command: tuple[str, ...]
    results: tuple[str, ...]  # patterns below the working folder
    before: tuple[tuple[str, ...], ...] = ()  # commands
    files: dict[str, str] = field(default_factory=dict)
    share: float = 1.0  # of all kills


SMILES = "".join(f"{'C' * n}{end}\n" for n in range(1, 12) for end in ("O", "N", "Cl", "C(=O)O"))
DESCRIBED = "SMILES\tdescription\n" + "".join(
    f"{'C' * n}{end}\tThe molecule is a chain of {n} carbon atoms that ends with {kind}.\n"
    for n in range(1, 8)
    for end, kind in (("O", "an alcohol"), ("N", "an amine"))
)
JOBS = (
    Job("run: preparation, training, answers, scores", TOY, ("runs/toy/toy/*/scores.json",), share=12),
    Job(
        "run in two processes",
        (*TOY, "--set", "generate.processes=2"),
        ("runs/toy/toy/*/scores.json",),
        share=1,
    ),
    Job(
        "train: pretrain, sft, reward, preferences, PPO",
        (*TRAIN, "--model", "aimed", "--task", "medical_qa", "--preset", "tiny-full"),
        ("runs/trained/aimed/*/checkpoint/*.safetensors",),
        share=1.5,
    ),
    *(
        Job(
            f"train: sft, {stage}",
            (*TRAIN, *EARN, "--model", "scimind", "--task", "toy", "--set", f"stages=sft,{stage}"),
            ("runs/trained/scimind/*/checkpoint/*.safetensors",),
            share=0.5,
        )
        for stage in ("grpo", "rloo")
    ),
    Job(
        "train: sft, orpo",
        (
            *(*TRAIN, "--model", "aimed", "--task", "medical_qa", "--preset", "tiny-full"),
            *("--set", "stages=sft,orpo", "--set", "stage.orpo.tasks=medical_qa/preferences"),
        ),
        ("runs/trained/aimed/*/checkpoint/*.safetensors",),
        share=0.3,
    ),
    Job(
        "train: ranking",
        (*TRAIN, "--model", "scidpr", "--stage", "ranking"),
        ("runs/trained/scidpr/*/checkpoint/*/model.safetensors",),
        share=0.3,
    ),
    Job(
        "leaderboard add",
        ("leaderboard", "add", "mine", "--board", "board"),
        ("board/rows/toy/*/scored.json", "board/rows/toy/*/predictions.jsonl.gz"),
        before=(TOY, ("leaderboard", "pack", "runs/toy/toy", "--output", "mine", "--name", "Mine")),
        share=3,
    ),
    Job(
        "leaderboard publish",
        ("leaderboard", "--task", "toy", "--publish", "public", "--format", "none"),
        ("public/rows/toy/*/scored.json", "public/tables/*.json"),
        before=(TOY,),
        share=3,
    ),
    Job(
        "pseudo-data",
        (
            "pseudo-data",
            "molecules.smi",
            "--described",
            "described.tsv",
            "--out",
            "made.jsonl",
            "--least-similarity",
            "0.1",
            "--quiet",
        ),
        ("made.jsonl",),
        files={"molecules.smi": SMILES, "described.tsv": DESCRIBED},
        share=2,
    ),
)


def run(kills: int, seed: int = 0, only: str = "") -> Iterator[dict[str, Any]]:
    """Kill and repeat each job its share of times; yield a row for each."""
    jobs = [job for job in JOBS if only in job.name]
    total = sum(job.share for job in jobs)
    for job in jobs:
        yield _killed(job, max(1, round(kills * job.share / total)), seed)


def _killed(job: Job, kills: int, seed: int) -> dict[str, Any]:
    dice = random.Random(f"{seed} {job.name}")
    began = time.perf_counter()
    first, lost, unfinished = "", 0, 0
    with tempfile.TemporaryDirectory() as name:
        ground = Path(name) / "ground"
        ground.mkdir()
        for file, text in job.files.items():
            (ground / file).write_text(text, encoding="utf-8")
        for command in job.before:
            _run(_placed(command, ground), ground)
        whole = shutil.copytree(ground, Path(name) / "whole")
        start = time.perf_counter()
        _run(job.command, whole)
        took = time.perf_counter() - start
        expected = _results(job, whole)
        for number in range(kills):
            folder = shutil.copytree(ground, Path(name) / f"killed-{number}")
            unfinished += _kill(job.command, folder, took * dice.uniform(0.05, 1.0))
            again = subprocess.run(
                program(job.command), cwd=folder, env=environment(), capture_output=True, text=True
            )
            found = _results(job, folder)
            if again.returncode or found != expected:
                lost += 1
                first = first or (again.stderr.strip().splitlines() or ["other results"])[-1][:200]
            shutil.rmtree(folder)
    seconds = round(time.perf_counter() - began, 1)
    return {
        "job": job.name,
        "kills": kills,
        "before its end": unfinished,
        "lost": lost,
        "seconds": seconds,
        "first": first,
    }


def _kill(command: Sequence[str], folder: Path, after: float) -> bool:
    """Start a command and kill it, with all that it started; tell whether it was still at work."""
    process = subprocess.Popen(
        program(command),
        cwd=folder,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def _results(job: Job, folder: Path) -> dict[str, str]:
    """Return the digests of what a job makes, by pattern; folders' names hold the time of their making."""
    found = {}
    for pattern in job.results:
        digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(pattern))
        found[pattern] = " ".join(digests)
    return found


def _placed(command: Sequence[str], ground: Path) -> list[str]:
    """Return a command with a run's folder, whose name holds its time, in place of the folder of runs."""
    runs = sorted(str(path.relative_to(ground)) for path in ground.glob("runs/toy/toy/*") if path.is_dir())
    return [runs[0] if part == "runs/toy/toy" and runs else part for part in command]


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(program(command), cwd=folder, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed before anything was killed: {done.stderr[-500:]}")


def program(command: Sequence[str]) -> list[str]:
    return [sys.executable, str(ROOT / "run_bench.py"), *command]


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("HARNESS_")}
