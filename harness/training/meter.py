"""How fast a training runs: tokens a second and the share of the device's arithmetic that it uses."""

from __future__ import annotations

import time

import torch
from torch import nn

# Dense bf16 tensor-core peaks from the makers' data sheets, in FLOP/s.
PEAKS = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "4090": 165e12,
    "3090": 71e12,
}


class Meter:
    """Measures over the time spent in training steps alone."""

    def __init__(self, model: nn.Module, device: torch.device, processes: int) -> None:
        self.flops_per_token = _flops_per_token(model)
        self.peak = _peak(device) * processes
        self.seconds = 0.0
        self.tokens = 0
        self._started = 0.0

    def start(self) -> None:
        """Begin a step."""
        self._started = time.perf_counter()

    def stop(self, tokens: int) -> float:
        """End a step that has worked on `tokens` tokens over all processes, and return what it took."""
        seconds = time.perf_counter() - self._started
        self.seconds += seconds
        self.tokens += tokens
        return seconds

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second since the start of this process's part of the training."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def utilisation(self) -> float | None:
        """Model FLOPs utilisation; None where the device's peak is not known."""
        return self.tokens_per_second * self.flops_per_token / self.peak if self.peak else None


def _flops_per_token(model: nn.Module) -> float:
    """Count 2 a weight forward, 2 backward through it, 2 for its own gradient if it is trained.

    Embedding tables are lookups and attention scores are left out, so utilisation is understated.
    """
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    head = getattr(model, "get_output_embeddings", lambda: None)()
    if head is not None:
        tables.discard(id(head.weight))  # a tied table is multiplied as the head
    weights = [p for p in model.parameters() if p.ndim >= 2 and id(p) not in tables]
    return float(sum((6 if p.requires_grad else 4) * p.numel() for p in weights))


def _peak(device: torch.device) -> float:
    if device.type != "cuda":
        return 0.0
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), 0.0)
