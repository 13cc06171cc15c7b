"""The model of chem-t5; imported only when it is chosen."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from transformers import ByT5Tokenizer, T5Config, T5ForConditionalGeneration

from harness import (
    Checkpoint,
    Completion,
    GenerateSpec,
    ModelPlugin,
    ModelSession,
    Request,
    RunContext,
    TrainData,
    TrainPair,
    TrainRow,
    TrainSpec,
    UsageError,
)
from harness.decoding import generate
from harness.training import device_of, fit


class ChemT5(ModelPlugin):
    def train(self, data: TrainData, spec: TrainSpec, run: RunContext) -> Checkpoint:
        tokenizer = ByT5Tokenizer()
        torch.manual_seed(spec.seed)
        shape = T5Config(
            vocab_size=384, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4, decoder_start_token_id=0
        )

        def encode(row: TrainRow) -> Mapping[str, Sequence[int]]:
            assert isinstance(row, TrainPair)  # all that a text-to-text task gives
            return {"input_ids": tokenizer(row.prompt).input_ids, "labels": tokenizer(row.target).input_ids}

        return fit(T5ForConditionalGeneration(shape), data, encode, spec, run)

    def open(self, checkpoint: Checkpoint | None, run: RunContext) -> ModelSession:
        if checkpoint is None:
            raise UsageError("chem-t5 has no weights of its own", hint="train it, or name a --checkpoint")
        model = T5ForConditionalGeneration.from_pretrained(checkpoint.path).to(device_of(run))
        return Asked(model.eval())


class Asked(ModelSession):
    def __init__(self, model: T5ForConditionalGeneration) -> None:
        self.model = model

    def generate(
        self, requests: Sequence[Request], spec: GenerateSpec, run: RunContext
    ) -> Iterator[Completion]:
        return generate(self.model, ByT5Tokenizer(), requests, spec, run)
