"""What the loss of a step costs with a model's own logits and without: CPU seconds and memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

REPEATS = 3
ROWS, LENGTH, LEARNED = 16, 128, 64  # tokens a row, of which the last are learned
WIDTH = 128
VOCABULARIES = (32_128,)
KINDS = ("Llama", "T5")
WAYS = ("own", "without logits")


def rows() -> list[dict[str, Any]]:
    """Measure each kind of model at each size of vocabulary, each way in a process of its own."""
    return [_row(kind, words) for kind in KINDS for words in VOCABULARIES]


def _row(kind: str, words: int) -> dict[str, Any]:
    own, other = (_alone(kind, words, way) for way in WAYS)
    return {
        "model": kind,
        "vocabulary": words,
        "own CPU ms": 1000 * own["seconds"],
        "without logits CPU ms": 1000 * other["seconds"],
        "times": own["seconds"] / other["seconds"],
        "own extra MiB": round(own["mib"]),
        "without logits extra MiB": round(other["mib"]),
        "difference": abs(own["loss"] - other["loss"]) / own["loss"],
        "of gradients": abs(own["norm"] - other["norm"]) / own["norm"],
    }


def _alone(kind: str, words: int, way: str) -> Mapping[str, float]:
    code = f"from benchmarks.training.losses import measure; measure({kind!r}, {words}, {way!r})"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    names = ("seconds", "mib", "loss", "norm")
    return dict(zip(names, map(float, done.stdout.split()), strict=True))


def measure(kind: str, words: int, way: str) -> None:
    """Print CPU seconds of forward and backward, MiB above the model's, the loss and its gradient's norm."""
    import torch

    from harness.training import word_loss
    from harness.training.log import peak_memory_mib
    from harness.training.objectives import model_loss

    word_loss.LEAST = 0 if way == WAYS[1] else sys.maxsize
    network = _model(kind, words).train()
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(3, words, (ROWS, LENGTH), generator=draw)
    labels = ids.clone()
    labels[:, : LENGTH - LEARNED] = -100
    batch = {"input_ids": ids, "labels": labels if kind == "Llama" else ids[:, :LEARNED].clone()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before, seconds = peak_memory_mib(torch.device("cpu")), []
    for _ in range(REPEATS + 1):
        network.zero_grad(set_to_none=False)
        start = time.process_time()
        loss = model_loss(network, batch)
        (loss.sum / loss.weight).backward()
        seconds.append(time.process_time() - start)
    norm = torch.nn.utils.get_total_norm([p.grad for p in network.parameters()])
    grown = peak_memory_mib(torch.device("cpu")) - before
    print(statistics.median(seconds[1:]), grown, float(loss.sum.detach() / loss.weight), float(norm))


def _model(kind: str, words: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    if kind == "T5":
        sizes = {"d_model": WIDTH, "d_kv": 32, "d_ff": 2 * WIDTH, "num_layers": 2, "num_heads": 4}
        config = T5Config(vocab_size=words, decoder_start_token_id=0, dropout_rate=0.0, **sizes)
        return T5ForConditionalGeneration(config)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=words,
            hidden_size=WIDTH,
            intermediate_size=344,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            use_cache=False,
        )
    )
