"""A transformers model with the facts that decoding needs: its tokens, its limits, what its forward takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from harness.api.errors import UsageError

from .cache import can_join, new_cache


class LanguageModel:
    """A decoder-only or encoder-decoder transformers model, with or without adapters, ready to be asked."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.config = base.config
        self.text_config = base.config.get_text_config(decoder=True)
        self.encoder_decoder = bool(getattr(base.config, "is_encoder_decoder", False))
        self.device: torch.device = next(model.parameters()).device
        self.dtype: torch.dtype = base.dtype
        weights = self.model.parameters()  # as FSDP and ZeRO-3 keep them
        self.sharded = any(hasattr(one, "full_tensor") or hasattr(one, "ds_id") for one in weights)
        self.quantised = bool(getattr(base, "is_quantized", False))
        self.vocabulary: int = self.text_config.vocab_size
        self.limit: int | None = getattr(self.text_config, "max_position_embeddings", None)
        # the adapter that works now does so for all who ask for none
        self.adapters = tuple(getattr(model, "peft_config", ()))
        self.own_adapter = str(model.active_adapter) if self.adapters else ""
        self._used = self.own_adapter
        self._takes = _forward_names(type(base))
        # transformers calls it `cache` from 5.24 on
        self.cache_name = next((name for name in ("cache", "past_key_values") if self.takes(name)), "")
        if not self.cache_name:
            raise UsageError(
                f"a {type(base).__name__} keeps no keys and values, which generation stands on",
                hint="models with attention do; a state space model does not",
            )
        owners = (tokenizer, getattr(base, "generation_config", None), base.config)
        self.eos = frozenset(_token_ids(owners, "eos_token_id"))
        self.bos: int | None = next(iter(_token_ids(owners, "bos_token_id")), None)
        self.pad = next(iter([*_token_ids(owners, "pad_token_id"), *sorted(self.eos)]), 0)
        self.start = _start_token(owners[1:]) if self.encoder_decoder else -1
        self.rows_may_join = can_join(self.new_cache()) and (
            # an encoder-decoder's rows may stand at different steps only where positions are relative
            not self.encoder_decoder or hasattr(self.config, "relative_attention_num_buckets")
        )

    @property
    def exact(self) -> bool:
        """Whether all is computed in fp32, so that rounding is far below any difference that counts."""
        return self.dtype == torch.float32 and not self.quantised

    @property
    def precision(self) -> str:
        """How numbers are computed, for the record."""
        return str(self.dtype).removeprefix("torch.") + (" (quantised weights)" if self.quantised else "")

    def new_cache(self) -> Any:
        """Return an empty self-attention cache."""
        return new_cache(self.text_config)

    def takes(self, name: str) -> bool:
        """Tell whether the model's forward names this argument."""
        return name in self._takes

    def unlearning(self) -> AbstractContextManager[object]:
        """Return the context in which the model is only asked."""
        # What sharded weights are gathered into is used by training again, which inference mode forbids.
        return torch.no_grad() if self.sharded else torch.inference_mode()

    def use(self, adapter: str) -> None:
        """Let one of the model's adapters work, or none; nothing changes where it does already."""
        if self.adapters and adapter != self._used:
            if adapter:
                self.model.base_model.enable_adapter_layers()
                self.model.set_adapter(adapter)
            else:
                self.model.base_model.disable_adapter_layers()
            self._used = adapter

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Hold the model in evaluation mode; a model that was training goes on training afterwards."""
        training = self.model.training
        self.model.eval()
        try:
            yield
        finally:
            self.model.train(training)


def _forward_names(model: type) -> set[str]:
    """Name what a forward takes; one that hands `**kwargs` to its parent takes what the parent takes."""
    names: set[str] = set()
    for owner in model.__mro__:
        if "forward" in vars(owner):
            parameters = inspect.signature(vars(owner)["forward"]).parameters
            names |= set(parameters)
            if all(found.kind is not found.VAR_KEYWORD for found in parameters.values()):
                break
    return names


def _token_ids(owners: Sequence[Any], name: str) -> list[int]:
    found: list[int] = []
    for owner in owners:
        value = getattr(owner, name, None)
        ids = value if isinstance(value, list | tuple) else [value]
        found += [int(token) for token in ids if token is not None and int(token) not in found]
    return found


def stop_ids(tokenizer: Any, tokens: Sequence[int | str]) -> list[int]:
    """Return the numbers of stop tokens, which may be given by name."""
    ids = []
    for token in tokens:
        number = token if isinstance(token, int) else tokenizer.convert_tokens_to_ids(token)
        if number is None or number == getattr(tokenizer, "unk_token_id", None):
            raise UsageError(f"the tokenizer knows no stop token '{token}'")
        ids.append(number)
    return ids


def _start_token(owners: Sequence[Any]) -> int:
    for name in ("decoder_start_token_id", "bos_token_id"):
        if ids := _token_ids(owners, name):
            return ids[0]
    raise UsageError(
        "this encoder-decoder model names no token to start its decoder with",
        hint="set decoder_start_token_id in the model's config",
    )
