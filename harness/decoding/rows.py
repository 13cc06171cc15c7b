"""The rows of a batch inside the model: cache, mask, positions and the logits of the next token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F
from transformers.cache_utils import Cache, DynamicLayer, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from .cache import SLACK, Columns, GrowingLayer, bytes_per_column, can_join, gathered, join_caches
from .language_model import LanguageModel

Prompt = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Beginning:
    """The beginning of a prompt with the keys and values, by layer, that one row has for it."""

    tokens: Prompt
    layers: Sequence[tuple[torch.Tensor, torch.Tensor]]
    hidden: torch.Tensor | None = None
    adapter: str = ""

    @property
    def length(self) -> int:
        """How many tokens it has."""
        return len(self.tokens["input_ids"])

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        tensors = [tensor for layer in self.layers for tensor in layer]
        tensors += [] if self.hidden is None else [self.hidden]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def cut(self, length: int) -> Beginning:
        """Return the first tokens of it."""
        return Beginning(
            {name: values[:length] for name, values in self.tokens.items()},
            [(keys[:, :, :length], values[:, :, :length]) for keys, values in self.layers],
            None if self.hidden is None else self.hidden[:, :length],
            self.adapter,
        )


class Rows:
    """Sequences that are decoded together.

    `logits` are those of each row's next token, in fp32. With `keep_hidden`, `hidden` holds the last
    layer's states of every position at length 1, which contrastive search compares candidates with.
    """

    logits: torch.Tensor
    position: torch.Tensor

    def __init__(
        self,
        lm: LanguageModel,
        prompts: Sequence[Prompt],
        *,
        keep_hidden: bool = False,
        adapter: str | None = None,
    ) -> None:
        self.lm = lm
        self.adapter = lm.own_adapter if adapter is None else adapter
        self.prompts = list(prompts)  # of each row, the very object: rows of one request share it
        self.cache: Any = lm.new_cache()
        self.mask = torch.zeros(len(prompts), 0, dtype=torch.bool, device=lm.device)
        self.padded = False
        self.encoded: torch.Tensor | None = None
        self.encoder_mask: torch.Tensor | None = None
        self.keep_hidden = keep_hidden
        self._hidden: Columns | None = None

    def __len__(self) -> int:
        return self.mask.shape[0]

    @property
    def columns(self) -> int:
        """How many positions each row takes in the cache, padding included."""
        return self.mask.shape[1]

    @property
    def hidden(self) -> torch.Tensor | None:
        """The directions of the last layer's states of every position, where they are kept."""
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
        ids, mask = padded(blocks, self.lm.pad, "left", self.lm.device)
        inputs: dict[str, Any] = {
            name: padded(values, 0, "left", self.lm.device)[0] for name, values in further.items()
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

    def encode(self) -> None:
        """Read the prompts with the encoder."""
        prompts, device = self.prompts, self.lm.device
        ids, mask = padded([prompt["input_ids"] for prompt in prompts], self.lm.pad, "left", device)
        self.encoder_mask = None if bool(mask.all()) else mask
        further = {
            name: padded([prompt[name] for prompt in prompts], 0, "left", device)[0]
            for name in prompts[0]
            if name != "input_ids"
        }
        self.lm.use(self.adapter)
        encoder = self.lm.model.get_encoder()
        self.encoded = encoder(
            input_ids=ids, attention_mask=self.encoder_mask, return_dict=True, **further
        ).last_hidden_state
        # cross-attention is written once, so it needs no room to grow
        self.cache = EncoderDecoderCache(self.cache, Cache(layer_class_to_replicate=DynamicLayer))

    def begin(self, beginnings: Sequence[Beginning | None]) -> None:
        """Start each row with what was read of its prompt before, where there is any."""
        known = next(found for found in beginnings if found is not None)
        lengths = [found.length if found else 0 for found in beginnings]
        columns = max(lengths)
        device = self.lm.device
        row = torch.zeros(1, dtype=torch.long, device=device)
        nothing = known.cut(0)
        parts = [found or nothing for found in beginnings]

        def put(tensors: Sequence[torch.Tensor], dim: int) -> Columns:
            return Columns(gathered([(t, row) for t in tensors], columns, dim=dim, slack=SLACK), columns)

        layers = []
        for index in range(len(known.layers)):
            layer = GrowingLayer()
            layer.adopt(*(put([part.layers[index][which] for part in parts], 2) for which in (0, 1)))
            layers.append(layer)
        self.cache = Cache(layers=layers)
        if self.keep_hidden:
            self._hidden = put([_present(part.hidden) for part in parts], 1)
        wanted = torch.tensor(lengths, device=device)[:, None]
        self.mask = torch.arange(columns, device=device) >= columns - wanted
        self.padded = not bool(self.mask.all())

    def beginning(self, place: int, tokens: Prompt) -> Beginning:
        """Return a copy of what a row has read, up to so many tokens."""
        columns = self.mask[place].nonzero()[: len(tokens["input_ids"]), 0]
        layers = [
            (layer.keys[place : place + 1, :, columns], layer.values[place : place + 1, :, columns])
            for layer in _own(self.cache).layers
        ]
        hidden = None if self.hidden is None else self.hidden[place : place + 1, columns]
        return Beginning(
            {name: list(values) for name, values in tokens.items()}, layers, hidden, self.adapter
        )

    def append(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        further: Mapping[str, torch.Tensor],
        *,
        last_only: bool = True,
    ) -> torch.Tensor:
        """Read a block of tokens, aligned to the right, behind what each row holds; return the logits."""
        self.mask = torch.cat([self.mask, mask], dim=1)
        self.padded = self.padded or not bool(mask.all())
        positions = (self.mask.cumsum(1) - 1).clamp(min=0)
        output = self._forward(ids, positions[:, -ids.shape[1] :], last_only=last_only, **further)
        self._keep_last(output)
        self.position = positions[:, -1] + 1
        logits: torch.Tensor = output.logits
        return logits

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
        lm.use(self.adapter)
        return lm.model(**{lm.cache_name: self.cache}, use_cache=True, return_dict=True, **inputs)

    def _keep_last(self, output: Any) -> None:
        self.logits = output.logits[:, -1].float()
        if self.keep_hidden:
            states = output.decoder_hidden_states if self.lm.encoder_decoder else output.hidden_states
            directions = F.normalize(states[-1].float(), dim=-1)
            self._hidden = self._hidden or Columns(directions[:, :0], 0)
            self._hidden.append(directions)


def _collected(parts: Sequence[tuple[Rows, Sequence[int]]]) -> Rows:
    """Put chosen rows of several batches into one, without the columns that are padding for all of them."""
    first = parts[0][0]
    device = first.lm.device
    chosen = [(rows, torch.tensor(indices, device=device)) for rows, indices in parts]
    prompts = [rows.prompts[index] for rows, indices in parts for index in indices]
    result = Rows(first.lm, prompts, keep_hidden=first.keep_hidden, adapter=first.adapter)
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


def padded(
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
