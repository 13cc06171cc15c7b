"""Attention in fp32 inside a bf16 training step, for CPUs.

On a CPU with bf16 instructions the matrix products of a small model get about four times as fast in
bf16, but torch's attention backward gets five times as slow, and autocast turns both. This keeps the
first without the second.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

SDPA_FP32 = "sdpa_fp32"


def sdpa_fp32(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend in fp32, whatever autocast is on."""
    with torch.autocast(query.device.type, enabled=False):
        attended, _ = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **options
        )
    return attended.to(query.dtype), None  # FSDP and ZeRO hold the next layer in bf16, without autocast


def cpu_has_bf16() -> bool:
    """Tell whether this CPU multiplies bf16 itself."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


AttentionInterface.register(SDPA_FP32, sdpa_fp32)
AttentionMaskInterface.register(SDPA_FP32, sdpa_mask)
