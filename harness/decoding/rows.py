"""The rows of a batch inside the model: cache, mask, positions and the logits of the next token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from .cache import SLACK, Columns, bytes_per_column, can_join, gathered, join_caches
from .language_model import LanguageModel

Prompt = Mapping[str, Sequence[int]]


class Rows:
    """Sequences that are decoded together.

    `logits` are those of each row's next token, in fp32. With `keep_hidden`, `hidden` holds the last
    layer's states of every position, which contrastive search compares candidates with.
    """

    logits: torch.Tensor
    position: torch.Tensor

    def __init__(self, lm: LanguageModel, count: int, *, keep_hidden: bool = False) -> None:
        self.lm = lm
        self.prompts: list[Prompt] = []  # of each row, the very object: rows of one request share it
        self.cache: Any = None
        self.mask = torch.zeros(count, 0, dtype=torch.bool, device=lm.device)
        self.padded = False
        self.encoded: torch.Tensor | None = None
        self.encoder_mask: torch.Tensor | None = None
        self.keep_hidden = keep_hidden
        self._hidden: Columns | None = None

    @classmethod
    def read(
        cls,
        lm: LanguageModel,
        prompts: Sequence[Prompt],
        tails: Sequence[Sequence[int]],
        *,
        keep_hidden: bool = False,
    ) -> Rows:
        """Read prompts, each followed by the tokens that were already generated for it."""
        rows = cls(lm, len(prompts), keep_hidden=keep_hidden)
        rows.prompts = list(prompts)
        rows.cache = lm.new_cache()
        if lm.encoder_decoder:
            rows._encode(prompts)
            rows._append([[lm.start, *tail] for tail in tails])
        elif all(len(prompt) == 1 for prompt in prompts):
            rows._append([[*prompt["input_ids"], *tail] for prompt, tail in zip(prompts, tails, strict=True)])
        else:
            # further inputs exist for the prompt's tokens alone, so generated tokens follow apart
            rows._append([prompt["input_ids"] for prompt in prompts], _further_inputs(prompts))
            if any(tails):
                rows._append(tails)
        return rows

    def __len__(self) -> int:
        return self.mask.shape[0]

    @property
    def columns(self) -> int:
        """How many positions each row takes in the cache, padding included."""
        return self.mask.shape[1]

    @property
    def hidden(self) -> torch.Tensor | None:
        """The last layer's states of every position, where they are kept."""
        return self._hidden.filled if self._hidden else None

    @property
    def bytes_per_column(self) -> float:
        """What one more token of one row takes in the cache."""
        return bytes_per_column(self.cache)

    def step(self, tokens: Sequence[int]) -> None:
        """Append one token to each row."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        ids = torch.tensor(tokens, device=self.lm.device)[:, None]
        self._keep_last(self._forward(ids, self.position[:, None]))
        self.position = self.position + 1

    def continued(
        self, blocks: Sequence[Sequence[int]], further: Mapping[str, Sequence[Sequence[int]]]
    ) -> torch.Tensor:
        """Append a block of tokens to each row and return the logits after each of them.

        Shorter blocks are padded behind their end, so nothing can follow.
        """
        ids, mask = _padded(blocks, self.lm.pad, "left", self.lm.device)
        inputs: dict[str, Any] = {
            name: _padded(values, 0, "left", self.lm.device)[0] for name, values in further.items()
        }
        self.mask = torch.cat([self.mask, mask], dim=1)
        self.padded = self.padded or not bool(mask.all())
        positions = self.position[:, None] + torch.arange(ids.shape[1], device=self.lm.device)
        positions = positions.where(mask, 0)  # padding may reach beyond what the model has positions for
        logits: torch.Tensor = self._forward(ids, positions, last_only=False, **inputs).logits
        return logits

    def kept(self, indices: Sequence[int], recent: int | None = None) -> Rows:
        """Return the rows at these indices, an index may come again; what is returned replaces this.

        Rows of one request are alike but for their last columns; `recent` says for how many, if known.
        """
        if can_join(_own(self.cache)):
            if self._only_trade_places(indices):
                return self._traded(indices, self.columns if recent is None else recent)
            return _collected([(self, indices)])
        index = torch.tensor(indices, device=self.lm.device)
        self.cache.reorder_cache(index)
        for name in ("mask", "position", "logits", "encoded", "encoder_mask"):
            tensor = getattr(self, name)
            setattr(self, name, None if tensor is None else tensor[index])
        if self.hidden is not None:
            self._hidden = Columns(self.hidden[index], self.columns)
        return self

    def _only_trade_places(self, indices: Sequence[int]) -> bool:
        """Tell whether each place stays with its request, as it does from step to step of a beam search."""
        return len(indices) == len(self) and all(
            self.prompts[index] is prompt for index, prompt in zip(indices, self.prompts, strict=True)
        )

    def _traded(self, indices: Sequence[int], recent: int) -> Rows:
        """Overwrite rows by others of their request: what differs is cache, logits and hidden states."""
        moved = [place for place, index in enumerate(indices) if place != index]
        if not moved:
            return self
        places = torch.tensor(moved, device=self.lm.device)
        sources = torch.tensor([indices[place] for place in moved], device=self.lm.device)
        self.logits[places] = self.logits[sources]
        held = [tensor for layer in _own(self.cache).layers for tensor in (layer.keys, layer.values)]
        for tensor in [*held, *([] if self.hidden is None else [self.hidden])]:
            differing = tensor.narrow(-2, tensor.shape[-2] - recent, recent)
            differing[places] = differing[sources]
        return self

    def joined(self, indices: Sequence[int], others: Sequence[Rows]) -> Rows:
        """Return the rows at these indices, followed by all rows of the others."""
        return _collected([(self, indices), *[(rows, range(len(rows))) for rows in others]])

    def _encode(self, prompts: Sequence[Prompt]) -> None:
        ids, mask = _padded([prompt["input_ids"] for prompt in prompts], self.lm.pad, "left", self.lm.device)
        self.encoder_mask = None if bool(mask.all()) else mask
        further = {
            name: _padded(values, 0, "left", self.lm.device)[0]
            for name, values in _further_inputs(prompts).items()
        }
        encoder = self.lm.model.get_encoder()
        self.encoded = encoder(
            input_ids=ids, attention_mask=self.encoder_mask, return_dict=True, **further
        ).last_hidden_state
        # cross-attention is written once, so it needs no room to grow
        self.cache = EncoderDecoderCache(self.cache, Cache(layer_class_to_replicate=DynamicLayer))

    def _append(
        self, blocks: Sequence[Sequence[int]], further: Mapping[str, Sequence[Sequence[int]]] | None = None
    ) -> None:
        ids, mask = _padded(blocks, self.lm.pad, "right", self.lm.device)
        inputs: dict[str, Any] = {
            name: _padded(values, 0, "right", self.lm.device)[0] for name, values in (further or {}).items()
        }
        self.mask = torch.cat([self.mask, mask], dim=1)
        self.padded = self.padded or not bool(mask.all())
        positions = (self.mask.cumsum(1) - 1).clamp(min=0)
        self._keep_last(self._forward(ids, positions[:, -ids.shape[1] :], **inputs))
        self.position = positions[:, -1] + 1

    def _forward(
        self, ids: torch.Tensor, positions: torch.Tensor, *, last_only: bool = True, **inputs: Any
    ) -> Any:
        lm = self.lm
        inputs["decoder_input_ids" if lm.encoder_decoder else "input_ids"] = ids
        if self.padded:
            inputs["decoder_attention_mask" if lm.encoder_decoder else "attention_mask"] = self.mask
        if lm.encoder_decoder:
            inputs["encoder_outputs"] = BaseModelOutput(last_hidden_state=self.encoded)
            if self.encoder_mask is not None:
                inputs["attention_mask"] = self.encoder_mask
        elif lm.takes("position_ids"):
            inputs["position_ids"] = positions
        if last_only and lm.takes("logits_to_keep"):
            inputs["logits_to_keep"] = 1
        if self.keep_hidden:
            inputs["output_hidden_states"] = True
        return lm.model(past_key_values=self.cache, use_cache=True, return_dict=True, **inputs)

    def _keep_last(self, output: Any) -> None:
        self.logits = output.logits[:, -1].float()
        if self.keep_hidden:
            states = output.decoder_hidden_states if self.lm.encoder_decoder else output.hidden_states
            self._hidden = self._hidden or Columns(states[-1][:, :0], 0)
            self._hidden.append(states[-1])


def _collected(parts: Sequence[tuple[Rows, Sequence[int]]]) -> Rows:
    """Put chosen rows of several batches into one, without the columns that are padding for all of them."""
    first = parts[0][0]
    device = first.lm.device
    chosen = [(rows, torch.tensor(indices, device=device)) for rows, indices in parts]
    result = Rows(first.lm, 0, keep_hidden=first.keep_hidden)
    result.prompts = [rows.prompts[index] for rows, indices in parts for index in indices]
    length = max(_used_columns(rows.mask[index]) for rows, index in chosen)
    result.mask = gathered([(rows.mask, index) for rows, index in chosen], length, dim=1)
    result.padded = any(rows.padded or rows.columns != length for rows, _ in chosen) and not bool(
        result.mask.all()
    )
    result.position = torch.cat([rows.position[index] for rows, index in chosen])
    result.logits = torch.cat([rows.logits[index] for rows, index in chosen])
    if first.hidden is not None:
        hidden = [(_present(rows.hidden), index) for rows, index in chosen]
        result._hidden = Columns(gathered(hidden, length, dim=1, slack=SLACK), length)
    own = join_caches([(_own(rows.cache), index) for rows, index in chosen], length, slack=SLACK)
    if not first.lm.encoder_decoder:
        result.cache = own
        return result
    _collect_encoder_side(result, chosen)
    cross = join_caches(
        [(rows.cache.cross_attention_cache, index) for rows, index in chosen],
        _present(result.encoded).shape[1],
        slack=0,
        align="left",
    )
    result.cache = EncoderDecoderCache(own, cross)
    return result


def _collect_encoder_side(result: Rows, chosen: Sequence[tuple[Rows, torch.Tensor]]) -> None:
    masks = [
        _present(rows.encoded).new_ones(_present(rows.encoded).shape[:2], dtype=torch.bool)
        if rows.encoder_mask is None
        else rows.encoder_mask
        for rows, _ in chosen
    ]
    pairs = [(mask, index) for mask, (_, index) in zip(masks, chosen, strict=True)]
    width = max(int(mask[index].sum(1).max()) for mask, index in pairs)
    mask = gathered(pairs, width, dim=1, align="left")
    result.encoder_mask = None if bool(mask.all()) else mask
    result.encoded = gathered(
        [(_present(rows.encoded), index) for rows, index in chosen], width, dim=1, align="left"
    )


def _own(cache: Any) -> Cache:
    return cache.self_attention_cache if isinstance(cache, EncoderDecoderCache) else cache


def _used_columns(mask: torch.Tensor) -> int:
    used = mask.any(0)
    return int(used.shape[0] - used.int().argmax())


def _present(tensor: torch.Tensor | None) -> torch.Tensor:
    assert tensor is not None
    return tensor


def _further_inputs(prompts: Sequence[Prompt]) -> dict[str, list[Sequence[int]]]:
    names = [name for name in prompts[0] if name != "input_ids"]
    return {name: [prompt[name] for prompt in prompts] for name in names}


def _padded(
    blocks: Sequence[Sequence[int]], fill: int, align: str, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return blocks as one tensor and the mask of what is real; `align` says where the real part stands."""
    width = max(map(len, blocks))
    lengths = torch.tensor([len(block) for block in blocks], device=device)[:, None]
    columns = torch.arange(width, device=device)
    if align == "left":
        rows = [[*block, *[fill] * (width - len(block))] for block in blocks]
        return torch.tensor(rows, device=device), columns < lengths
    rows = [[*[fill] * (width - len(block)), *block] for block in blocks]
    return torch.tensor(rows, device=device), columns >= width - lengths
