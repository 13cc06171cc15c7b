"""Number formats: what `auto` means on a device, autocast, and the loss scaler that fp16 needs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def settle(precision: str, device: torch.device) -> str:
    """Return fp32, bf16 or fp16; `auto` is bf16 on a GPU that has it, and fp32 elsewhere."""
    if precision != "auto":
        return precision
    # torch says yes of every GPU unless it is told that emulation, which is slow, does not count.
    has = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if has else "fp32"


def load_dtype(precision: str, device: torch.device | str) -> torch.dtype:
    """Return the type to load weights in."""
    return DTYPES[settle(precision, torch.device(device))]


def cpu_multiplies_bf16() -> bool:
    """Tell whether this CPU has instructions for bf16; elsewhere it would be emulated, slowly."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context that the forward pass runs in."""
    if precision == "fp32":
        return nullcontext()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype=dtype)


def scaler(precision: str, device: torch.device) -> torch.amp.GradScaler | None:
    """Return the loss scaler for fp16, whose small gradients would vanish."""
    return torch.amp.GradScaler(device.type) if precision == "fp16" else None


def keep_trainable_in_fp32(model: nn.Module) -> int:
    """Turn trainable fp16 weights into fp32, which unscaling needs; return how many were turned."""
    half = [p for p in model.parameters() if p.requires_grad and p.dtype == torch.float16]
    for parameter in half:
        parameter.data = parameter.data.float()
    return len(half)
