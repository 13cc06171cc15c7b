"""How the next token of each row is chosen: greedily or by sampling."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch

from .batch import Moves, Part, shaped
from .jobs import Hypothesis, Job
from .language_model import LanguageModel
from .reading import read

NEAR_TIE = 5e-5  # as a share of the top logit; rounding was 3e-7 to 5e-6 of it on models up to 100 M
COARSE = 1e-3  # more rounding than fp32 has: something under the model computes in less, such as autocast
NOISE_MARGIN = 10  # a tie is near within so many times the rounding that this model has shown


class Greedy:
    """Takes the likeliest token.

    In fp32 the answer does not depend on what else is in the batch: where two tokens are so close that
    rounding could decide, the row is read again alone, without padding, and that decides. How much
    rounding there is gets measured on the model itself, whenever a row is read again.
    """

    keep_hidden = False

    def __init__(self, lm: LanguageModel) -> None:
        self.lm = lm
        self.near_ties = 0
        self.noise: float | None = None  # largest rounding seen, as a share of the top logit

    def choose(self, part: Part, moves: Moves) -> list[Job]:
        """Append the likeliest token to every row."""
        logits = part.logits()
        if not self.settles:
            return grow(part, moves, logits.argmax(-1).tolist())
        values, tokens = logits.topk(2)
        chosen: list[int] = tokens[:, 0].tolist()
        for row in self._near_ties(values):
            slot = part.slots[row]
            if slot is not None:
                chosen[row] = self._alone(slot, logits[row])
        return grow(part, moves, chosen)

    @property
    def settles(self) -> bool:
        """Whether near ties are settled, so that answers are independent of the batch."""
        return self.lm.exact and (self.noise or 0.0) < COARSE

    def _near_ties(self, values: torch.Tensor) -> list[int]:
        share = max(NEAR_TIE, NOISE_MARGIN * (self.noise or 0.0))
        near = values[:, 0] - values[:, 1] < share * values[:, 0].abs().clamp(min=0.1)
        if self.noise is None:  # whatever its gap, one row tells how much rounding there is
            near[-1] = True
        rows: list[int] = near.nonzero()[:, 0].tolist() if bool(near.any()) else []
        return rows

    def _alone(self, hypothesis: Hypothesis, seen: torch.Tensor) -> int:
        self.near_ties += self.noise is not None
        job = hypothesis.job
        logits = read(self.lm, [job.prompt], [hypothesis.tokens], job.adapter).logits
        row = shaped(logits, [hypothesis])[0]
        top = row.max()
        noise = (row - seen)[row.isfinite()].abs().max() / top.abs().clamp(min=0.1)
        self.noise = max(self.noise or 0.0, float(noise))
        return int((row == top).nonzero()[0])


class Sampling:
    """Draws tokens with a random stream of each text's own, so that the batch does not matter.

    Texts of one request stand on one row as long as they are the same. Texts that are drawn from the same
    number of likeliest tokens share a search.
    """

    keep_hidden = False

    def __init__(self, top_k: int) -> None:
        self.top_k = top_k

    def choose(self, part: Part, moves: Moves) -> list[Job]:
        """Append a drawn token to every text; those of a row that draw different ones part."""
        for slot in part.slots:
            if slot is not None and slot.random is None:
                _begin(slot)
        texts = [[] if slot is None else [slot, *slot.twins] for slot in part.slots]
        drawn = self._drawn(part.logits(), texts)
        ended: list[Job] = []
        for place, here, tokens in zip(part.places, texts, drawn, strict=True):
            ended += _parted(place, here, tokens, moves)
        return ended

    def _drawn(self, logits: torch.Tensor, texts: Sequence[Sequence[Hypothesis]]) -> list[list[int]]:
        """Return for each row a token for each of its texts."""

        def column(name: str, kind: torch.dtype, where_ended: float) -> torch.Tensor:
            values = [getattr(here[0].job.manner.spec, name) if here else where_ended for here in texts]
            return torch.tensor(values, dtype=kind, device=logits.device)[:, None]

        logits = logits / column("temperature", logits.dtype, 1.0)
        if self.top_k:
            logits, tokens = logits.topk(min(self.top_k, logits.shape[1]))
        else:
            logits, tokens = logits.sort(dim=-1, descending=True, stable=True)
        shares = logits.double().softmax(-1)
        top_p, min_p = column("top_p", torch.double, 1.0), column("min_p", torch.double, 0.0)
        if bool((top_p < 1).any()):
            before = shares.cumsum(-1) - shares
            shares = shares.masked_fill((before >= top_p) & (top_p < 1), 0.0)
        if bool((min_p > 0).any()):
            shares = shares.masked_fill(shares < min_p * shares[:, :1], 0.0)
        sums = shares.cumsum(-1)
        # last, since what fails for lack of memory is done again
        draws = [[text.random.random() if text.random else 0.0 for text in here] for here in texts]
        most = max(map(len, draws))
        padded = [[*here, *[0.0] * (most - len(here))] for here in draws]
        wanted = torch.tensor(padded, dtype=torch.double, device=logits.device) * sums[:, -1:]
        index = torch.searchsorted(sums, wanted, right=True).clamp(max=tokens.shape[1] - 1)
        chosen: list[list[int]] = tokens.gather(1, index).tolist()
        return [line[: len(here)] for line, here in zip(chosen, texts, strict=True)]


def _begin(text: Hypothesis) -> None:
    """Let a request become as many texts as it wants, each with a random stream."""
    job = text.job
    # the score keeps samples in the order of their drawing, whichever ends first
    text.twins = [Hypothesis(job, score=-number) for number in range(1, job.manner.spec.n_best)]
    for number, one in enumerate([text, *text.twins]):
        one.random = _stream(job, number)
    job.live += text.twins


def _parted(place: int, texts: Sequence[Hypothesis], tokens: Sequence[int], moves: Moves) -> list[Job]:
    """Append a token to each text of a row; those with the same one stay together, the first where it is."""
    ended: list[Job] = []
    alike: dict[int, list[Hypothesis]] = {}
    for text, token in zip(texts, tokens, strict=True):
        moves.grown += 1
        if not append(text, token):
            alike.setdefault(token, []).append(text)
        elif not text.job.live:
            ended.append(text.job)
    for token, (first, *twins) in alike.items():
        first.twins, first.state = twins, texts[0].state
        if moves.slots[place] is None:
            moves.slots[place], moves.tokens[place] = first, token
        else:
            moves.add(place, token, first)
    return ended


def _stream(job: Job, sample: int) -> Random:
    return Random(f"{job.manner.spec.seed}/{job.request.id}/{sample}")


def grow(part: Part, moves: Moves, tokens: Sequence[int]) -> list[Job]:
    """Append one token to the text of every row of a part, and return the jobs that have ended."""
    ended: list[Job] = []
    for place, text, token in zip(part.places, part.slots, tokens, strict=True):
        if text is None:
            continue
        moves.grown += 1
        if not append(text, token):
            moves.slots[place], moves.tokens[place] = text, token
        elif not text.job.live:
            ended.append(text.job)
    return ended


def append(text: Hypothesis, token: int) -> bool:
    """Append a token, and tell whether the text has ended with it; its job then keeps it as an answer."""
    job = text.job
    text.tokens.append(token)
    text.finish = job.manner.ending.finish(text, text.tokens)
    if not text.finish:
        return False
    job.live.remove(text)
    job.ended.append(text)
    if not job.live:
        job.ended.sort(key=lambda hypothesis: -hypothesis.score)
    return True
