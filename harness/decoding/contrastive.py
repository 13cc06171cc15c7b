"""Contrastive search: of the likeliest tokens, the one whose hidden state repeats the text so far least."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.nn import functional as F

from harness.api.spec import GenerateSpec

from .jobs import Hypothesis, Job
from .language_model import LanguageModel
from .rows import Rows
from .search import Batch, extended
from .shaping import Ending, Shaper

CANDIDATES = 4  # the paper's middle ground, where no top_k is asked for


class Contrastive:
    """Scores each of the top k tokens by (1 - alpha) x probability - alpha x greatest cosine similarity.

    The similarity is between the candidate's last-layer hidden state and those of all earlier positions,
    the prompt's included (of the decoder's positions for an encoder-decoder). Su et al., 2022.

    A text stands on as many rows as it has candidates, and these differ in their newest column alone.
    """

    keep_hidden = True

    def __init__(self, lm: LanguageModel, shaper: Shaper, ending: Ending, spec: GenerateSpec) -> None:
        self.lm, self.shaper, self.ending = lm, shaper, ending
        self.alpha = spec.penalty_alpha
        self.width = min(spec.top_k or CANDIDATES, lm.vocabulary)

    def start(self, job: Job) -> list[Hypothesis]:
        """Begin with one empty text."""
        return [Hypothesis(job)]

    def choose(self, batch: Batch) -> list[Job]:
        """Read all candidates of every text, and give all rows of a text the column of its best one."""
        self._spread(batch)
        texts = batch.slots[:: self.width]
        logits = self.shaper.apply(batch.rows.logits[:: self.width], texts)
        shares, tokens = logits.softmax(-1).topk(self.width)
        batch.rows.step(tokens.flatten().tolist())
        scores = (1 - self.alpha) * shares - self.alpha * _similarity(batch.rows, self.width)
        # a token that the rules forbid has no share, and must not win by being unlike the text
        best = scores.masked_fill(shares == 0, float("-inf")).argmax(-1).tolist()
        kept = [row * self.width + choice for row, choice in enumerate(best) for _ in range(self.width)]
        batch.rows = batch.rows.kept(kept, recent=1)
        chosen = [row[choice] for row, choice in zip(tokens.tolist(), best, strict=True)]
        left, ended = extended(texts, chosen, self.ending)
        batch.move(range(len(kept)), None, [text for text in left for _ in range(self.width)])
        return ended

    def facts(self) -> dict[str, Any]:
        """Return what the candidates were weighed with."""
        return {"candidates": self.width, "penalty_alpha": self.alpha}

    def _spread(self, batch: Batch) -> None:
        """Give texts that have just begun, which stand on one row, as many rows as they have candidates."""
        rows_of = Counter(batch.slots)
        places = [
            row
            for row, text in enumerate(batch.slots)
            for _ in range(self.width if text is not None and rows_of[text] == 1 else 1)
        ]
        if len(places) > len(batch.slots):
            batch.rows = batch.rows.kept(places)
            batch.slots = [batch.slots[row] for row in places]


def _similarity(rows: Rows, width: int) -> torch.Tensor:
    """Return, by text and candidate, the greatest cosine between the candidate and any earlier position."""
    assert rows.hidden is not None
    earlier = F.normalize(rows.hidden[::width, :-1].float(), dim=-1)
    candidates = F.normalize(rows.hidden[:, -1].float(), dim=-1).view(len(earlier), width, -1)
    cosines = candidates @ earlier.transpose(1, 2)
    return cosines.masked_fill(~rows.mask[::width, None, :-1], -1.0).amax(-1)
