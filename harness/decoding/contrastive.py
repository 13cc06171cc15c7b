"""Contrastive search: of the likeliest tokens, the one whose hidden state repeats the text so far least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from harness.api.spec import GenerateSpec

from .jobs import Hypothesis, Job
from .language_model import LanguageModel
from .search import Batch, grow
from .shaping import Ending, Shaper

CANDIDATES = 4  # the paper's middle ground, where no top_k is asked for


class Contrastive:
    """Scores each of the top k tokens by (1 - alpha) x probability - alpha x greatest cosine similarity.

    The similarity is between the candidate's last-layer hidden state and those of all earlier positions,
    the prompt's included (of the decoder's positions for an encoder-decoder). Su et al., 2022.
    """

    keep_hidden = True

    def __init__(self, lm: LanguageModel, shaper: Shaper, ending: Ending, spec: GenerateSpec) -> None:
        self.lm, self.shaper, self.ending = lm, shaper, ending
        self.alpha = spec.penalty_alpha
        self.width = self.fan = spec.top_k or CANDIDATES

    def start(self, job: Job) -> list[Hypothesis]:
        """Begin with one empty text."""
        return [Hypothesis(job)]

    def choose(self, batch: Batch) -> list[Job]:
        """Read all candidates, keep the best one of each row, and leave only ended rows to be dropped."""
        logits = self.shaper.apply(batch.rows.logits, batch.slots)
        shares, tokens = logits.softmax(-1).topk(min(self.width, logits.shape[1]))
        count, width = tokens.shape
        wide = batch.rows.kept([row for row in range(count) for _ in range(width)])
        wide.step(tokens.flatten().tolist())
        scores = (1 - self.alpha) * shares - self.alpha * _similarity(wide.hidden, wide.mask).view(
            count, width
        )
        # a token that the rules forbid has no share, and must not win by being unlike the text
        best = scores.masked_fill(shares == 0, float("-inf")).argmax(-1).tolist()
        batch.rows = wide.kept([row * width + choice for row, choice in enumerate(best)])
        chosen = [row[choice] for row, choice in zip(tokens.tolist(), best, strict=True)]
        return self._ended(batch, chosen)

    def facts(self) -> dict[str, Any]:
        """Return what the candidates were weighed with."""
        return {"candidates": self.width, "penalty_alpha": self.alpha}

    def _ended(self, batch: Batch, chosen: Sequence[int]) -> list[Job]:
        ended = grow(batch, chosen, self.ending, self.lm.pad)
        batch.move(range(len(batch.slots)), None, batch.slots)
        return ended


def _similarity(hidden: torch.Tensor | None, mask: torch.Tensor) -> torch.Tensor:
    assert hidden is not None
    states = F.normalize(hidden.float(), dim=-1)
    cosines = (states[:, :-1] @ states[:, -1:].transpose(1, 2))[..., 0]
    return cosines.masked_fill(~mask[:, :-1], -1.0).amax(-1)
