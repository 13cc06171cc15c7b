"""Contrastive search: of the likeliest tokens, the one whose hidden state repeats the text so far least."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .batch import Moves, Part, shaped
from .jobs import Hypothesis, Job
from .rows import Rows
from .search import append

CANDIDATES = 4  # the paper's middle ground, where no top_k is asked for


class Contrastive:
    """Scores each of the top k tokens by (1 - alpha) x probability - alpha x greatest cosine similarity.

    The similarity is between the candidate's last-layer hidden state and those of all earlier positions,
    the prompt's included (of the decoder's positions for an encoder-decoder). Su et al., 2022.

    A text stands on as many rows as it has candidates, and these differ in their newest column alone.
    """

    keep_hidden = True

    def __init__(self, candidates: int) -> None:
        self.width = candidates

    def choose(self, part: Part, moves: Moves) -> list[Job]:
        """Give every text the best of the candidates that were read, and have the next ones read."""
        rows_of: dict[Hypothesis, list[int]] = {}
        for place, slot in zip(part.places, part.slots, strict=True):
            if slot is not None:
                rows_of.setdefault(slot, []).append(place)
        going = [text for text in rows_of if text.proposed is None]
        stands = {text: rows_of[text][0] for text in going}
        ended: list[Job] = []
        for text, row, token in self._best(part.rows, {t: r for t, r in rows_of.items() if t.proposed}):
            moves.grown += 1
            if append(text, token):
                ended.append(text.job)
            else:
                going.append(text)
                stands[text] = row
        if going:
            self._propose(part.rows, going, stands, rows_of, moves)
        return ended

    def _best(self, rows: Rows, rows_of: dict[Hypothesis, list[int]]) -> list[tuple[Hypothesis, int, int]]:
        """Return each text with the row and the token of its best candidate."""
        if not rows_of:
            return []
        texts = list(rows_of)
        index = torch.tensor(list(rows_of.values()), device=rows.logits.device)
        alphas = [[text.job.manner.spec.penalty_alpha] for text in texts]
        alpha = torch.tensor(alphas, dtype=rows.logits.dtype, device=index.device)
        shares = torch.stack([text.proposed[1] for text in texts if text.proposed])
        scores = (1 - alpha) * shares - alpha * _similarity(rows, index)
        # a token that the rules forbid has no share, and must not win by being unlike the text
        best: list[int] = scores.masked_fill(shares == 0, float("-inf")).argmax(-1).tolist()
        return [
            (text, rows_of[text][choice], text.proposed[0][choice])
            for text, choice in zip(texts, best, strict=True)
            if text.proposed
        ]

    def _propose(
        self,
        rows: Rows,
        texts: Sequence[Hypothesis],
        stands: dict[Hypothesis, int],
        rows_of: dict[Hypothesis, list[int]],
        moves: Moves,
    ) -> None:
        """Have the likeliest tokens of every text read, each on a row of its own."""
        logits = shaped(rows.logits[[stands[text] for text in texts]], texts)
        shares, tokens = logits.softmax(-1).topk(self.width)
        for text, share, candidates in zip(texts, shares, tokens.tolist(), strict=True):
            text.proposed = (candidates, share)
            for place, token in zip(rows_of[text], candidates, strict=False):
                moves.put(place, stands[text], token, text)
            for token in candidates[len(rows_of[text]) :]:
                moves.add(stands[text], token, text)


def _similarity(rows: Rows, index: torch.Tensor) -> torch.Tensor:
    """Return, by text and candidate, the greatest cosine between the candidate and any earlier position."""
    assert rows.hidden is not None
    first = index[:, 0]
    earlier, candidates = rows.hidden[first, :-1], rows.hidden[index, -1]
    cosines = candidates @ earlier.transpose(1, 2)
    return cosines.masked_fill(~rows.mask[first, None, :-1], -1.0).amax(-1)
