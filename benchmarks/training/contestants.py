"""The contestants: each trains the same steps and notes CPU seconds and real tokens after each step."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback

from harness import SilentProgress
from harness.training.batching import Collator, EncodedRows, Shape, encode_rows, plan
from harness.training.log import peak_memory_mib

from .task import SHAPES, SPEC, STEPS, rows, run_fit

WARMUP = 2  # steps that are not counted
PAD = 3  # of trl's batches; no row has it


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


def encoded(shape: str) -> EncodedRows:
    return encode_rows(enumerate(rows()), SHAPES[shape][1], SPEC, Shape(shape == "SciMind"))[0]


def plain_loop(shape: str) -> Marks:
    """What one would write by hand, on the very batches that `fit` draws with packing "none"."""
    data, network, marks = encoded(shape), SHAPES[shape][0]().train(), Marks()
    collate = Collator(data, {}, packed=False, mask=shape == "T5")
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


def trainer(shape: str, sampling: str = "random") -> Marks:
    """The transformers Trainer with padding, as its documentation sets it up."""
    from transformers import Trainer, TrainingArguments

    make, encode = SHAPES[shape]
    arguments = TrainingArguments(train_sampling_strategy=sampling, **_usual())
    note = _Note()
    Trainer(
        model=make(),
        args=arguments,
        train_dataset=[encode(row) for row in rows()],
        data_collator=note.padded,
        callbacks=[note],
    ).train()
    return note.marks


def packed_by_trl(shape: str) -> Marks:
    """trl's SFTTrainer with packing, which keeps documents apart by their positions."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    make, encode = SHAPES[shape]
    data = Dataset.from_list([{**encode(row)} for row in rows()])
    whole = SPEC.batch_size * _mean_length(data) // SPEC.max_length + 1  # lines that hold 16 rows or so
    more = {"packing": True, "max_length": SPEC.max_length, "bf16": False, "gradient_checkpointing": False}
    arguments = SFTConfig(**_usual() | {"per_device_train_batch_size": whole}, **more)
    note = _Note()
    trl = SFTTrainer(make(), arguments, train_dataset=data, processing_class=_words(), callbacks=[note])
    trl.data_collator = note.counting(trl.data_collator)
    trl.train()
    return note.marks


def _mean_length(data: Any) -> int:
    return sum(map(len, data["input_ids"])) // len(data)


def _words() -> Any:
    """Return a tokenizer, which trl wants though rows come as token ids."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    fast = Tokenizer(models.WordLevel({"<eos>": 0, "<pad>": PAD}, unk_token="<pad>"))
    return PreTrainedTokenizerFast(tokenizer_object=fast, pad_token="<pad>", eos_token="<eos>")


def _usual() -> dict[str, Any]:
    return {
        "output_dir": tempfile.mkdtemp(),
        "max_steps": STEPS,
        "per_device_train_batch_size": SPEC.batch_size,
        "learning_rate": 1e-3,
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
        "logging_steps": 1000,
    }


class _Note(TrainerCallback):  # type: ignore[misc]
    """Counts the tokens of each batch, and notes them when its step is over."""

    def __init__(self) -> None:
        self.marks = Marks()
        self.seen: list[int] = []

    def on_step_end(self, *_: object, **__: object) -> None:
        self.marks.note(self.seen[len(self.marks.tokens)])

    def padded(self, batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """Put rows of several lengths under each other."""
        self.seen.append(sum(len(row["input_ids"]) for row in batch))
        fill = {"input_ids": 0, "labels": -100}
        found = {key: [torch.tensor(row[key]) for row in batch] for key in fill}
        padded = {k: nn.utils.rnn.pad_sequence(v, True, fill[k]) for k, v in found.items()}
        ones = [torch.ones(len(row["input_ids"]), dtype=torch.long) for row in batch]
        return padded | {"attention_mask": nn.utils.rnn.pad_sequence(ones, True)}

    def counting(self, collate: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Count the tokens of what another collator makes."""

        def collated(rows: Any) -> Any:
            batch = collate(rows)
            self.seen.append(int((batch["input_ids"] != PAD).sum()))
            return batch

        return collated


class _Clock(SilentProgress):
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        if "loss" in facts:
            self.seconds.append(time.process_time())


def fit(**changes: object) -> Callable[[str], Marks]:
    """`training.fit` with its states, log and checks."""

    def contestant(shape: str) -> Marks:
        clock = _Clock()
        folder = run_fit(clock, shape, **changes)
        log = [json.loads(line) for line in (folder / "train_log.jsonl").read_text().splitlines()]
        return Marks(clock.seconds, [row["tokens"] for row in log])

    return contestant


GROUPED = "transformers Trainer, grouped by length"
CONTESTANTS: dict[str, Callable[[str], Marks]] = {
    "plain loop, padded": plain_loop,
    "transformers Trainer, padded": trainer,
    GROUPED: partial(trainer, sampling="group_by_length"),
    "trl, packed": packed_by_trl,
    "fit, padded (same batches)": fit(),
    "fit, buckets": fit(packing="buckets"),
    "fit, buckets by tokens": fit(packing="buckets", batch_tokens=1280),
    "fit, packed": fit(packing="packed", batch_tokens=1280),
}
CAUSAL_ONLY = ("trl, packed", "fit, packed")  # an encoder keeps no documents apart


def peak(name: str) -> None:
    """Train as one contestant and print the most memory that this process has held, in MiB."""
    CONTESTANTS[name]("SciMind")
    print(peak_memory_mib(torch.device("cpu")))
