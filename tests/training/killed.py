"""A training in a process of its own that is killed, or asked to stop, at a chosen moment."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import Document, RunContext, RunSpec, SilentProgress, TrainData, TrainSpec, decoding

from .answering import learner, prompts
from .conftest import encode_causal, llama, pairs

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:  # the child process imports this module by name
    sys.path.insert(0, ROOT)

BASE = TrainSpec(
    learning_rate=5e-3,
    batch_size=4,
    max_length=48,
    save_every=3,
    keep=2,
    max_steps=10,
    neftune_alpha=5.0,
    ema_decay=0.8,
    warmup_steps=2,
    weight_decay=0.1,
)
STAGES = {
    "sft": replace(BASE, grad_accumulation=2, eval_every=4, optimizer="muon"),
    "lora": replace(BASE, method="lora", lora_r=4, lora_dropout=0.1, lora_targets=("q_proj", "v_proj")),
    "pretrain": replace(BASE, stage="pretrain", packing="packed", options={"window": 24}),
    # Three steps of four are in the middle of a rollout, and the price of leaving the reference moves.
    "ppo": replace(
        BASE,
        stage="ppo",
        reward={"x": 1.0, "copied": 1.0},
        neftune_alpha=0.0,
        options={
            **{"prompts": 4, "samples": 2, "max_new_tokens": 3, "passes": 2, "updates": 2},
            **{"kl": 0.1, "kl_target": 0.01, "kl_horizon": 50, "examples_every": 1, "supervised": 0.3},
        },
    ),
}


class Corpus:
    """Documents without a length, as a corpus that is larger than memory has none."""

    def __iter__(self) -> Iterator[Document]:
        for pair in pairs(60, seed=3, longest=80):
            yield Document(pair.prompt)


def encode_document(row: Document) -> dict[str, list[int]]:
    ids = [ord(letter) - 90 for letter in row.text] + [2]
    return {"input_ids": ids, "labels": ids}


class Killer(SilentProgress):
    """Progress that sends its own process a signal when a step is reported."""

    def __init__(self, moment: int, number: int) -> None:
        self.moment = moment
        self.number = number
        self.training = False

    def start(self, label: str, total: int | None = None, unit: str = "steps", done: int = 0) -> None:
        self.training = label == "training"

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        if self.training and facts and amount:  # a validation is reported too, as no step
            self.moment -= 1
            if self.moment == 0:
                os.kill(os.getpid(), self.number)


def train(directory: Path, stage: str, progress: SilentProgress | None = None) -> None:
    from harness import training

    run = RunContext(
        directory, RunSpec("tiny", "letters", device="cpu"), progress=progress or SilentProgress()
    )
    model = llama(attention_dropout=0.1)
    if stage == "pretrain":
        training.fit(model, TrainData(Corpus()), encode_document, STAGES[stage], run)
        return
    if stage == "ppo":
        texts = [one + other for one in "abcd" for other in "abcde"]
        training.learn(learner(model), replace(prompts(texts), taught=pairs(9)), STAGES[stage], run)
        return
    data = TrainData(pairs(40), validation=pairs(8, seed=9))
    training.fit(training.prepare_model(model, STAGES[stage]), data, encode_causal, STAGES[stage], run)


def _child(directory: Path, stage: str, moment: int, how: str) -> None:
    if how in ("write", "answer"):
        {"write": _kill_at_sync, "answer": _kill_while_answering}[how](moment)
        train(directory, stage)
    else:
        train(directory, stage, Killer(moment, signal.SIGKILL if how == "step" else signal.SIGTERM))


def _kill_at_sync(moment: int) -> None:
    """Die at the n-th time that something is forced to disk: before, inside or after a save."""
    original, left = os.fsync, [moment]

    def fsync(handle: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        original(handle)

    os.fsync = fsync


def _kill_while_answering(moment: int) -> None:
    """Die when the n-th prompt of all rollouts has been answered, with others of its rollout still open."""
    original, left = decoding.sample, [moment]

    def sample(*asked: Any, **more: Any) -> Iterator[Any]:
        for answers in original(*asked, **more):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            yield answers

    decoding.sample = sample


def killed_run(directory: Path, stage: str, moment: int, how: str) -> int:
    """Train in a fresh process until it dies; return its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["transformers.models.llama.modeling_llama", "harness.training.loop"])
    process = context.Process(target=_child, args=(directory, stage, moment, how))
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


@dataclass(frozen=True)
class Result:
    weights: str
    curve: list[tuple[Any, ...]]
    examples: str


def result(directory: Path) -> Result:
    """What must be equal: the final weights to the byte, and the curve."""
    files = sorted((directory / "checkpoint").glob("*.safetensors"))  # of PPO the value head beside the model
    weights = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    rows = [json.loads(line) for line in (directory / "train_log.jsonl").read_text().splitlines()]
    told = [(r["step"], r.get("loss"), r.get("learning_rate"), r.get("validation"), _earned(r)) for r in rows]
    examples = directory / "examples.jsonl"
    return Result(weights, told, examples.read_text() if examples.exists() else "")


def _earned(row: dict[str, Any]) -> list[Any]:
    """What a rollout was like, but for how long it took."""
    return [value for name, value in row.get("rollout", {}).items() if not name.endswith("seconds")]
