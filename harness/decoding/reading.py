"""Prompts on their way into rows: read at once, or a piece at a time so that others need not wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from .language_model import LanguageModel
from .rows import Beginning, Prompt, Rows, padded


@dataclass(slots=True)
class Block:
    """Columns of tokens that all rows have still to read, aligned to the right."""

    ids: torch.Tensor
    mask: torch.Tensor
    further: Mapping[str, torch.Tensor]

    def split(self, columns: int) -> tuple[Block, Block]:
        """Return the first columns, and the rest."""
        first, rest = (
            Block(
                self.ids[:, part], self.mask[:, part], {name: t[:, part] for name, t in self.further.items()}
            )
            for part in (slice(columns), slice(columns, None))
        )
        return first, rest


class Reading:
    """Reads prompts, each followed by the tokens that were already generated for it.

    `beginnings` are what other rows have read of the same prompts before.
    """

    def __init__(
        self,
        lm: LanguageModel,
        prompts: Sequence[Prompt],
        tails: Sequence[Sequence[int]],
        *,
        beginnings: Sequence[Beginning | None] = (),
        keep_hidden: bool = False,
        adapter: str | None = None,
    ) -> None:
        self.rows = Rows(lm, prompts, keep_hidden=keep_hidden, adapter=adapter)
        self._beginnings = beginnings if any(beginnings) else ()
        self._blocks: deque[Block] = deque()
        self._begun = False
        if lm.encoder_decoder:
            self._add([{"input_ids": [lm.start, *tail]} for tail in tails])
            return
        known = [found.length if found else 0 for found in beginnings] or [0] * len(prompts)
        left = [
            {name: values[start:] for name, values in prompt.items()}
            for prompt, start in zip(prompts, known, strict=True)
        ]
        if all(len(prompt) == 1 for prompt in prompts):
            both = zip(left, tails, strict=True)
            self._add([{"input_ids": [*prompt["input_ids"], *tail]} for prompt, tail in both])
        else:
            # further inputs exist for the prompt's tokens alone, so generated tokens follow apart
            self._add(left)
            if any(tails):
                self._add([{"input_ids": tail} for tail in tails])

    @property
    def left(self) -> int:
        """How many columns of tokens are still to be read."""
        return sum(block.ids.shape[1] for block in self._blocks)

    def advance(
        self, tokens: int | None = None, note: Callable[[Block, torch.Tensor], None] | None = None
    ) -> None:
        """Read up to so many tokens of all rows together, or a whole block; `note` gets all its logits."""
        if not self._begun:
            self._begin()
        block = self._blocks.popleft()
        columns = block.ids.shape[1] if tokens is None else max(1, tokens // len(self.rows))
        if columns < block.ids.shape[1]:
            block, rest = block.split(columns)
            self._blocks.appendleft(rest)
        logits = self.rows.append(block.ids, block.mask, block.further, last_only=note is None)
        if note is not None:
            note(block, logits)

    def _begin(self) -> None:
        self._begun = True
        if self.rows.lm.encoder_decoder:
            self.rows.encode()
        elif self._beginnings:
            self.rows.begin(self._beginnings)

    def _add(self, blocks: Sequence[Prompt]) -> None:
        lm = self.rows.lm
        ids, mask = padded([block["input_ids"] for block in blocks], lm.pad, "right", lm.device)
        names = [name for name in blocks[0] if name != "input_ids"]
        further = {
            name: padded([block[name] for block in blocks], 0, "right", lm.device)[0] for name in names
        }
        self._blocks.append(Block(ids, mask, further))


def read(
    lm: LanguageModel,
    prompts: Sequence[Prompt],
    tails: Sequence[Sequence[int]],
    adapter: str | None = None,
    beginnings: Sequence[Beginning | None] = (),
) -> Rows:
    """Read prompts at once."""
    reading = Reading(lm, prompts, tails, beginnings=beginnings, adapter=adapter)
    while reading.left:
        reading.advance()
    return reading.rows
