"""Attention of packed rows on a GPU: each document by itself in one kernel, where others need a mask.

torch's kernel for rows of mixed lengths takes where each document begins and does no more work than they
are long. A mask over the whole line costs its square, and the slower kernels that take one. Whether a model
comes to the same with it is asked of the model, once, before it is trained.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from .heads import base_of, body_of

NAME = "assay-documents"
DEVICES = ("cuda",)
CLOSE = 5e-3  # of a loss in bf16, computed by two kernels

Within = Callable[[], AbstractContextManager[None]]


def within(model: nn.Module, loss: Callable[[], float]) -> Within:
    """Return the context in which a model learns from packed rows; `loss` is that of some of them."""
    base, attend = base_of(body_of(model)), kernel()
    if attend is None or next(model.parameters()).device.type not in DEVICES or not _can_change(base):
        return nullcontext
    documents = Documents(model, base, attend)
    try:
        wanted = loss()
        with documents.apart():
            found = loss()
    except Exception:  # noqa: BLE001  whatever a model's own attention wants more than this, masks give it
        return nullcontext
    return documents.apart if math.isclose(found, wanted, rel_tol=CLOSE) else nullcontext


class Documents:
    """A model whose attention sees one document at a time: it begins where positions do."""

    def __init__(self, model: nn.Module, base: Any, kernel: Callable[..., Any]) -> None:
        self.model = model
        self.base = base
        self.kernel = kernel
        self.begins: Tensor | None = None

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let the model attend so, forward and when activations are computed again on the way back."""
        from transformers import AttentionInterface

        AttentionInterface.register(NAME, self.attend)
        before = self.base.config._attn_implementation
        hook = self.model.register_forward_pre_hook(self._note, with_kwargs=True)
        self.base.set_attn_implementation(NAME)
        try:
            yield
        finally:
            self.base.set_attn_implementation(before)
            hook.remove()

    def _note(self, module: nn.Module, inputs: Any, named: dict[str, Any]) -> None:
        positions = named["position_ids"]
        starts = (positions == 0).flatten().nonzero().flatten()
        self.begins = torch.cat([starts, starts.new_tensor([positions.numel()])]).int()

    def attend(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        **more: Any,
    ) -> tuple[Tensor, None]:
        """Attend within documents; tensors are (lines, heads, tokens, width)."""
        unknown = [name for name in ("sliding_window", "softcap", "s_aux", "position_bias") if more.get(name)]
        if dropout or attention_mask is not None or unknown:
            raise ValueError(f"{NAME} knows neither masks nor dropout nor {unknown}")
        lines, longest = query.shape[0], query.shape[2]
        q, k, v = (part.transpose(1, 2).flatten(0, 1).to(value.dtype) for part in (query, key, value))
        out: Tensor = self.kernel(
            *(q, k, v, self.begins, self.begins, longest, longest),
            scale=scaling,
            window_size=(-1, 0),
            enable_gqa=q.shape[1] != k.shape[1],
        )
        return out.view(lines, longest, *out.shape[1:]), None


def kernel() -> Callable[..., Any] | None:
    """Return torch's attention over rows of mixed lengths, where it knows all that is asked of it."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    known = inspect.signature(varlen_attn).parameters
    return varlen_attn if {"window_size", "enable_gqa"} <= set(known) else None


def _can_change(base: Any) -> bool:
    """Whether a model is a causal one of transformers whose attention is torch's and can be another."""
    config = getattr(base, "config", None)
    return (
        getattr(config, "_attn_implementation", "") == "sdpa"
        and not getattr(config, "is_encoder_decoder", False)
        and getattr(base, "_can_set_attn_implementation", bool)()
    )
