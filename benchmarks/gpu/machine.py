"""The device that is measured, how large it lets a measurement be, and its clock and memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Measurement = tuple[str, Callable[[], dict[str, Any]]]  # what it measures, and how
Measurements = Iterator[Measurement]


@dataclass(frozen=True, slots=True)
class Machine:
    """A device; on a short round everything is tiny, so that the script is known to work."""

    device: torch.device
    short: bool
    results: Path

    def size(self, full: Any, tiny: Any) -> Any:
        """Return the size of a measurement."""
        return tiny if self.short else full

    def now(self) -> float:
        """Return the time once the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def begin(self) -> None:
        """Give back what the last measurement has held."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def gib(self) -> float | str:
        """Return the most memory of the device that was held since `begin`."""
        if self.device.type != "cuda":
            return "-"
        return round(torch.cuda.max_memory_allocated(self.device) / 2**30, 2)


def llama(machine: Machine, shape: str) -> Any:
    """Return a Llama of random weights on the device: `1b`, `8b`, or where the round is short a tiny one."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"1b": (2048, 8192, 16, 32, 8, 32_000), "8b": (4096, 14_336, 32, 32, 8, 128_256)}[shape]
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    config = LlamaConfig(
        **dict(
            zip(
                (*names, "num_key_value_heads", "vocab_size"),
                machine.size(sizes, (64, 128, 2, 4, 2, 1024)),
                strict=True,
            )
        ),
        max_position_embeddings=4096,
    )
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with machine.device:
            return LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
