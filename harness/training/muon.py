"""Muon for matrices and stacks of matrices, with all matrices of one shape orthogonalised together.

torch's own Muon takes 2-D parameters one by one; experts are kept as one 3-D parameter, and on small
models the many small multiplications cost more than the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from .precision import cpu_multiplies_bf16

# The quintic whose slope at zero is steepest (Keller Jordan's Muon post).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; the step is scaled to AdamW's size (`match_rms_adamw` in torch)."""

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim not in (2, 3):
                    raise ValueError(f"Muon is for matrices, not for shape {tuple(parameter.shape)}")

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            by_shape: dict[tuple[Any, ...], list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    key = (parameter.shape[-2:], parameter.dtype, parameter.device)
                    by_shape.setdefault(key, []).append(parameter)
            for parameters in by_shape.values():
                self._update(parameters, group)

    def _update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        buffers = [self._buffer(p) for p in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - group["momentum"])
        steps = torch._foreach_lerp(gradients, buffers, group["momentum"])
        rows, columns = parameters[0].shape[-2:]
        stacked = torch.cat([step.reshape(-1, rows, columns) for step in steps])
        flat = orthogonalise(stacked).to(parameters[0].dtype)
        directions = [
            piece.view_as(p)
            for piece, p in zip(
                torch.split(flat, [p.numel() // (rows * columns) for p in parameters]),
                parameters,
                strict=True,
            )
        ]
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        size = 0.2 * math.sqrt(max(rows, columns))
        torch._foreach_add_(parameters, directions, alpha=-group["lr"] * size)

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum_buffer"]
        return buffer


def orthogonalise(matrices_NRC: Tensor) -> Tensor:
    """Push every singular value of each matrix towards 1 by Newton-Schulz iterations."""
    a, b, c = COEFFICIENTS
    wide = matrices_NRC.shape[-2] <= matrices_NRC.shape[-1]
    x = matrices_NRC.to(_compute_dtype(matrices_NRC))
    x = x if wide else x.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        update = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, update, x, beta=a)
    return x if wide else x.mT


def _compute_dtype(tensor: Tensor) -> torch.dtype:
    return torch.bfloat16 if tensor.is_cuda or cpu_multiplies_bf16() else torch.float32
