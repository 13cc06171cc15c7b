"""One of the processes that `test_distributed` starts: trains, and may die on the way."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

ROOT = str(Path(__file__).resolve().parents[2])
sys.path.insert(0, ROOT)

from harness import (  # noqa: E402
    Completion,
    LaunchSpec,
    Request,
    RunContext,
    RunSpec,
    SilentProgress,
    TrainData,
    TrainPair,
    TrainSpec,
    training,
)
from harness.engine.worker import leave  # noqa: E402
from tests.training.answering import BANDIT, learner, prompts  # noqa: E402
from tests.training.conftest import encode_causal, llama, pairs, preferences  # noqa: E402


class DieAt(SilentProgress):
    def __init__(self, step: int) -> None:
        self.step = step

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        if "loss" in facts:
            self.step -= 1
            if self.step == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Counting:
    """Scores by how many answers there are, and selects by the loss."""

    select = ""
    higher_is_better = True

    def __init__(self) -> None:
        self.requests = [Request(str(number), "abc") for number in range(5)]

    def __call__(self, completions: Iterable[Completion]) -> Mapping[str, float]:
        return {"answers": float(len({completion.request_id for completion in completions}))}


def main(directory: Path, request: dict[str, object]) -> None:
    directory.mkdir(exist_ok=True)
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    strategy, die_at = str(request["strategy"]), int(str(request.get("die_at", 0)))
    launch = LaunchSpec(
        "torchrun",
        processes=int(str(request.get("asked", size))),
        strategy=strategy,
        offload=bool(request.get("offload")),
    )
    spec = TrainSpec(
        max_steps=6,
        batch_size=4,
        grad_accumulation=2,
        learning_rate=5e-3,
        weight_decay=0.1,
        max_length=64,
        save_every=2,
        launch=launch,
        precision=str(request.get("precision", "fp32")),
        packing="none",
        method=str(request.get("method", "full")),
        lora_targets=("q_proj", "v_proj") if request.get("method") else (),
    )
    run = RunContext(
        directory,
        RunSpec("tiny", "letters", device="cpu"),
        rank=rank,
        world_size=size,
        local_rank=rank,
        progress=DieAt(die_at) if rank == 0 else SilentProgress(),
    )
    seen: dict[str, list[str]] = {"encoded": [], "asked": []}

    def encode(row: TrainPair) -> Mapping[str, list[int]]:
        seen["encoded"].append(row.prompt)
        return encode_causal(row)

    def generate(model: Any, requests: Sequence[Request]) -> Iterator[Completion]:
        for asked in requests:
            seen["asked"].append(asked.id)
            model(input_ids=torch.tensor([[1, 5, 6]]))  # with sharded weights all processes have to be here
            yield Completion(asked.id, "")

    if request.get("stage"):
        spec = replace(BANDIT, **request["stage"], launch=launch, save_every=2, precision="fp32")  # type: ignore[arg-type]
        training.learn(learner(llama()), data_of(spec.stage), spec, run)
        return
    data = TrainData(pairs(23), validation=pairs(5, seed=4), evaluator=Counting())
    spec = replace(spec, eval_every=3, eval_limit=4)
    model = training.prepare_model(llama(tie_word_embeddings=True), spec)
    training.fit(model, data, encode, spec, run, generate=generate)
    (directory / f"seen-{size}-{rank}.json").write_text(json.dumps(seen), encoding="utf-8")


def data_of(stage: str) -> TrainData:
    if stage in ("dpo", "orpo", "reward"):
        return TrainData(preferences(9), validation=preferences(5, seed=4))
    return replace(prompts("abcdefg"), taught=pairs(9, longest=5))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
    leave(0)
