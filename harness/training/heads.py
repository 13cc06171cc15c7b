"""A number beside the words: a linear head on a language model's last hidden states."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from harness.api import DataError

from .replicated import whole_weights

HEAD = "head.safetensors"  # of a reward model
EXPECTS = "expects.safetensors"  # of a policy that knows what to expect


class Worth(NamedTuple):
    """What a model with a head says of a batch: logits and, for each position, a number."""

    logits: Tensor
    values: Tensor


class WithHead(nn.Module):
    """A language model, whole or with an adapter, that also says a number at each position.

    Asked for `worth`, it says both; whatever else is asked of it, it is the language model. Without
    `words`, the number is all that it is asked for, and what turns states into words stays as it is.
    """

    def __init__(self, body: nn.Module, *, words: bool = True) -> None:
        super().__init__()
        self.body = body
        self._more = {} if words else _no_words(body)
        config = body.config.get_text_config(decoder=True)  # type: ignore[union-attr, operator]
        weight = body.get_input_embeddings().weight  # type: ignore[operator]
        kind = weight.dtype if weight.dtype.is_floating_point else torch.float32
        self.head = nn.Linear(config.hidden_size, 1, device=weight.device, dtype=kind)
        nn.init.zeros_(self.head.weight)  # all texts are worth the same until something is learned
        nn.init.zeros_(self.head.bias)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.body, name)

    def get_base_model(self) -> nn.Module:
        """Return the language model, without an adapter where it has one."""
        base: nn.Module = base_of(self.body)
        return base

    def forward(self, worth: bool = False, **inputs: Any) -> Any:
        """Return what the language model says, or its logits and a number at each position."""
        if not worth:
            return self.body(**inputs)
        said = self.body(**inputs, **self._more, output_hidden_states=True)
        states = said.decoder_hidden_states if "decoder_hidden_states" in said else said.hidden_states
        return Worth(said.logits, self.head(states[-1].to(self.head.weight.dtype)).squeeze(-1).float())

    def save(self, save: Callable[[nn.Module, Path], object], folder: Path, name: str = HEAD) -> None:
        """Write the language model as it is written without a head, and the head beside it."""
        weights = self.state_dict()
        with whole_weights(self.body, _under("body.", weights)):
            save(self.body, folder)
        save_file(
            {key: value.detach().cpu() for key, value in _under("head.", weights).items()}, folder / name
        )

    def load(self, folder: Path, name: str = HEAD) -> None:
        """Take over a head that was saved, by default that of a reward model."""
        if not (folder / name).exists():
            raise DataError(
                f"{folder} holds no reward model: it has no {HEAD}",
                hint="train one with the stage 'reward', and name its training or its checkpoint",
            )
        self.head.load_state_dict(load_file(folder / name))


def body_of(model: nn.Module) -> nn.Module:
    """Return the language model, without the head where it has one."""
    return model.body if isinstance(model, WithHead) else model


def base_of(model: Any) -> Any:
    """Return the model that an adapter is put on, or the model itself."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _no_words(body: Any) -> dict[str, int]:
    """Stop teaching the layer that makes words, and return what keeps a model from computing them all."""
    out, table = body.get_output_embeddings(), body.get_input_embeddings()
    if out is not None and out.weight is not table.weight:
        out.requires_grad_(False)  # without a gradient, processes would wait for it
    takes = "logits_to_keep" in inspect.signature(type(base_of(body)).forward).parameters
    return {"logits_to_keep": 1} if takes else {}


def _under(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
