"""Routed experts against computing all of them and masking, forward and backward.

    python -m benchmarks.moe

Sixteen experts of which four are chosen, so 4x is the most that can be saved. Both ways use the same
weights and the same router; `masked (release)` chooses by activations instead, as the released code does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks import report
from harness.plugins.scimind.configuration import SciMindConfig
from harness.plugins.scimind.modalities import MODALITIES
from harness.plugins.scimind.modeling import MaskedFeedForward, RoutedFeedForward

EXPERTS, CHOSEN, REPEATS = 16, 4, 7
CPU_SIZES = [(512, 2048, 1024), (1024, 4096, 1024), (2048, 5632, 512)]
GPU_SIZES = [(4096, 11008, 8192)]


def main() -> None:
    rows = [measure(*size, torch.float32, "cpu") for size in CPU_SIZES]
    if torch.cuda.is_available():
        formats = (torch.float32, torch.bfloat16)
        rows += [measure(*size, dtype, "cuda") for size in GPU_SIZES for dtype in formats]
    report.write(
        "moe",
        "Routed experts against dense compute and mask",
        rows,
        command="python -m benchmarks.moe",
        method=(
            f"{CHOSEN} of {EXPERTS} experts, forward and backward of one feed-forward, medians of {REPEATS} "
            "alternating runs: CPU milliseconds on one thread, or GPU milliseconds. The difference is the "
            "largest between routed and masked outputs, over the largest output. Machines without a GPU "
            "have no GPU rows."
        ),
        packages=("torch", "transformers"),
    )


def measure(hidden: int, neurons: int, tokens: int, dtype: torch.dtype, device: str) -> dict[str, Any]:
    config = SciMindConfig(
        hidden_size=hidden,
        intermediate_size=neurons,
        num_experts=EXPERTS,
        routing="as_described",
        experts_per_token=dict.fromkeys(MODALITIES, CHOSEN),
    )
    config._experts_implementation = "grouped_mm"
    torch.manual_seed(0)
    routed = RoutedFeedForward(config).to(device, dtype)
    for parameter in routed.parameters():
        torch.nn.init.normal_(parameter, std=hidden**-0.5)
    released = MaskedFeedForward(config).to(device, dtype)
    x = torch.randn(1, tokens, hidden, device=device, dtype=dtype, requires_grad=True)
    modality_ids = torch.arange(tokens, device=device).unsqueeze(0) % len(MODALITIES)
    dense = dense_weights(routed)
    ways: dict[str, Callable[[], Tensor]] = {
        "routed": lambda: routed(x, modality_ids),
        "masked": lambda: masked(routed, dense, x, modality_ids),
        "released": lambda: released(x, modality_ids),
    }
    with torch.no_grad():
        one, other = ways["routed"](), ways["masked"]()
        difference = float((one - other).abs().max() / other.abs().max())
    times = timed(ways, device)
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "format": str(dtype).removeprefix("torch."),
        "hidden": hidden,
        "neurons": neurons,
        "tokens": tokens,
        "routed ms": 1000 * times["routed"],
        "masked ms": 1000 * times["masked"],
        "masked (release) ms": 1000 * times["released"],
        "speed-up": times["masked"] / times["routed"],
        "difference": difference,
    }


def dense_weights(routed: RoutedFeedForward) -> list[Tensor]:
    """Lay the experts side by side, as the dense feed-forward has them."""
    gate, up = routed.experts.gate_up_proj.detach().chunk(2, dim=1)
    down = routed.experts.down_proj.detach().permute(1, 0, 2)
    flat = [gate.flatten(0, 1), up.flatten(0, 1), down.flatten(1)]
    return [weight.contiguous().requires_grad_() for weight in flat]


def masked(routed: RoutedFeedForward, dense: list[Tensor], x: Tensor, modality_ids: Tensor) -> Tensor:
    """Compute every neuron, then zero those of experts that the router did not choose."""
    gate, up, down = dense
    hidden = torch.nn.functional.silu(x @ gate.T) * (x @ up.T)
    logits = routed.router(x[0], modality_ids[0])
    chosen = torch.zeros_like(logits).scatter(-1, logits.topk(CHOSEN).indices, 1.0)
    probability = logits.softmax(-1)
    weights = (chosen * (probability - probability.detach() + 1)).to(x.dtype)
    return (hidden * weights.repeat_interleave(hidden.shape[-1] // EXPERTS, dim=-1)) @ down.T


def timed(ways: dict[str, Callable[[], Tensor]], device: str) -> dict[str, float]:
    """Take turns, so that a busy machine slows all ways alike."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(REPEATS + 1):
        for name, way in ways.items():
            seconds = (gpu_seconds if device == "cuda" else cpu_seconds)(
                lambda way=way: way().sum().backward()
            )
            if repeat:
                taken[name].append(seconds)
    return {name: median(found) for name, found in taken.items()}


def cpu_seconds(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def gpu_seconds(work: Callable[[], None]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    work()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
