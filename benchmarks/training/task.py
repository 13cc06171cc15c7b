"""The model and the rows that all contestants train on: a small Llama and rows of mixed lengths."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness import LaunchSpec, RunContext, RunSpec, SilentProgress, TrainData, TrainPair, TrainSpec, training

ROWS = 600
STEPS = ROWS // 16  # an epoch: sorted by length, rows of one part of it are no sample of all
SPEC = TrainSpec(
    max_steps=STEPS, batch_size=16, learning_rate=1e-3, max_length=256, packing="none", save_every=1000
)


def rows(count: int = ROWS) -> list[TrainPair]:
    """Rows of 10 to 250 tokens, most of them short, as captions and SMILES are."""
    draw = random.Random(0)
    lengths = [min(246, max(6, int(draw.lognormvariate(3.9, 0.7)))) for _ in range(count)]
    letters = [chr(draw.randint(97, 122)) for _ in range(246)]
    return [TrainPair("p" * (n // 2), "".join(draw.sample(letters, n - n // 2))) for n in lengths]


def encode(row: TrainPair) -> Mapping[str, list[int]]:
    prompt = [1] + [ord(letter) for letter in row.prompt]
    target = [ord(letter) for letter in row.target] + [2]
    return {"input_ids": prompt + target, "labels": [-100] * len(prompt) + target}


def encode_both(row: TrainPair) -> Mapping[str, list[int]]:
    """Return a row as an encoder-decoder reads it."""
    return {
        "input_ids": [ord(letter) for letter in row.prompt] + [2],
        "labels": [ord(letter) for letter in row.target] + [2],
    }


def t5():  # type: ignore[no-untyped-def]
    """Return a T5 of the shape of ada-T5's tiny preset."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=1024,
            d_model=128,
            d_kv=32,
            d_ff=256,
            num_layers=3,
            num_heads=4,
            decoder_start_token_id=0,
            dropout_rate=0.0,
            use_cache=False,
        )
    )


def model():  # type: ignore[no-untyped-def]
    """Return a Llama of the shape of SciMind's tiny preset."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=408,
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=4,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=256,
            use_cache=False,
        )
    )


SHAPES = {"SciMind": (model, encode), "T5": (t5, encode_both)}


def run_fit(progress: SilentProgress, shape: str = "SciMind", **changes: object) -> Path:
    """Train with `fit` in a fresh folder and return it."""
    make, encoder = SHAPES[shape]
    folder = Path(tempfile.mkdtemp())
    size = int(os.environ.get("WORLD_SIZE", 1))
    rank = int(os.environ.get("RANK", 0))
    if size > 1:
        folder = Path(os.environ["BENCH_FOLDER"])
    spec = replace(SPEC, **changes)  # type: ignore[arg-type]
    asked = RunSpec("bench", "rows", device="cpu")
    run = RunContext(folder, asked, rank=rank, world_size=size, local_rank=rank, progress=progress)
    training.fit(make(), TrainData(rows()), encoder, spec, run)
    return folder


if __name__ == "__main__":  # one process of a launch
    strategy = os.environ["BENCH_STRATEGY"]
    launch = LaunchSpec("torchrun", processes=int(os.environ.get("WORLD_SIZE", 1)), strategy=strategy)
    run_fit(SilentProgress(), launch=launch, max_steps=10)
