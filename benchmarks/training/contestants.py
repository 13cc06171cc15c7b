"""The contestants: each trains the same steps and notes CPU seconds and real tokens after each step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from harness import SilentProgress
from harness.training.batching import Collator, EncodedRows, encode_rows, plan
from harness.training.log import peak_memory_mib

from .task import SPEC, STEPS, encode, model, rows, run_fit

WARMUP = 5  # steps that are not counted


@dataclass
class Marks:
    """CPU seconds and tokens at the end of each step."""

    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def note(self, tokens: int) -> None:
        self.seconds.append(time.process_time())
        self.tokens.append(tokens + (self.tokens[-1] if self.tokens else 0))

    def per_step(self) -> float:
        return (self.seconds[-1] - self.seconds[WARMUP]) / (len(self.seconds) - 1 - WARMUP)

    def rate(self) -> float:
        return (self.tokens[-1] - self.tokens[WARMUP]) / (self.seconds[-1] - self.seconds[WARMUP])


def encoded() -> EncodedRows:
    return encode_rows(rows(), encode, SPEC, causal=True)[0]


def plain_loop() -> Marks:
    """What one would write by hand, on the very batches that `fit` draws with packing "none"."""
    data, network, marks = encoded(), model().train(), Marks()
    collate = Collator(data, {}, packed=False, mask=False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.0, fused=True)
    for number, step in enumerate(plan(data, SPEC, [0, 0, 0])[:STEPS]):
        batch = collate(step[0])
        loss = network(**batch.inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (1 - number / STEPS)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        marks.note(batch.tokens)
    return marks


def trainer() -> Marks:
    """The transformers Trainer with padding, as its documentation sets it up."""
    import tempfile

    from transformers import Trainer, TrainerCallback, TrainingArguments

    marks = Marks()
    seen: list[int] = []

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        width = max(len(row["input_ids"]) for row in batch)
        seen.append(sum(len(row["input_ids"]) for row in batch))

        def padded(key: str, value: int) -> torch.Tensor:
            return torch.tensor([list(row[key]) + [value] * (width - len(row[key])) for row in batch])

        mask = [{"m": [1] * len(row["input_ids"])} for row in batch]
        masks = torch.tensor([row["m"] + [0] * (width - len(row["m"])) for row in mask])
        return {
            "input_ids": padded("input_ids", 0),
            "labels": padded("labels", -100),
            "attention_mask": masks,
        }

    class Note(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: object, **__: object) -> None:
            marks.note(seen[len(marks.tokens)])

    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        max_steps=STEPS,
        per_device_train_batch_size=SPEC.batch_size,
        learning_rate=1e-3,
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        logging_steps=1000,
    )
    data = [encode(row) for row in rows()]
    Trainer(
        model=model(), args=arguments, train_dataset=data, data_collator=collate, callbacks=[Note()]
    ).train()
    return marks


class _Clock(SilentProgress):
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        if "loss" in facts:
            self.seconds.append(time.process_time())


def fit(**changes: object) -> Callable[[], Marks]:
    """`training.fit` with its states, log and checks."""

    def contestant() -> Marks:
        clock = _Clock()
        folder = run_fit(clock, **changes)
        log = [json.loads(line) for line in (folder / "train_log.jsonl").read_text().splitlines()]
        return Marks(clock.seconds, [row["tokens"] for row in log])

    return contestant


CONTESTANTS: dict[str, Callable[[], Marks]] = {
    "plain loop, padded": plain_loop,
    "transformers Trainer, padded": trainer,
    "fit, padded (same batches)": fit(),
    "fit, buckets": fit(packing="buckets"),
    "fit, buckets by tokens": fit(packing="buckets", batch_tokens=1280),
    "fit, packed": fit(packing="packed", batch_tokens=1280),
}


def peak(name: str) -> None:
    """Train as one contestant and print the most memory that this process has held, in MiB."""
    CONTESTANTS[name]()
    print(peak_memory_mib(torch.device("cpu")))
