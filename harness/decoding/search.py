"""How the next token of each row is chosen: greedily, by sampling, or by beam search."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Protocol

import torch

from harness.api.spec import GenerateSpec

from .jobs import Hypothesis, Job
from .language_model import LanguageModel
from .rows import Rows
from .shaping import Ending, Shaper

NEAR_TIE = 5e-5  # as a share of the top logit; rounding was 3e-7 to 5e-6 of it on models up to 100 M
COARSE = 1e-3  # more rounding than fp32 has: something under the model computes in less, such as autocast
NOISE_MARGIN = 10  # a tie is near within so many times the rounding that this model has shown
DEAD_SHARE = 8  # rows that ended are dropped when they are one in so many: dropping copies the cache


Move = tuple[int, int, Hypothesis | None]  # the row that is read on, by which token, and what stands there


class Batch:
    """Rows of the model and the hypotheses that stand on them; None stands on a row that has ended."""

    def __init__(self, rows: Rows, slots: Sequence[Hypothesis | None]) -> None:
        self.rows = rows
        self.slots = list(slots)
        self.parents: list[int] = list(range(len(slots)))
        self.tokens: list[int] | None = None

    @property
    def live(self) -> int:
        """How many rows have not ended."""
        return len(self.slots) - self.slots.count(None)

    @property
    def texts(self) -> int:
        """How many texts grow, of which one may stand on several rows."""
        return len(set(self.slots) - {None})

    @property
    def jobs(self) -> list[Job]:
        """The requests whose rows live, in the order of their rows."""
        return list(dict.fromkeys(slot.job for slot in self.slots if slot is not None))

    def move(
        self, parents: Sequence[int], tokens: Sequence[int] | None, slots: Sequence[Hypothesis | None]
    ) -> None:
        """Say which rows come next, from which row each grows, and by which token."""
        self.parents, self.slots = list(parents), list(slots)
        self.tokens = None if tokens is None else list(tokens)

    def advance(self) -> None:
        """Make the move that was chosen."""
        dead = self.slots.count(None)
        if dead * DEAD_SHARE >= len(self.slots):
            self._drop_dead()
        if self.parents != list(range(len(self.rows))):
            written = max(len(slot.tokens) for slot in self.slots if slot is not None)
            self.rows = self.rows.kept(self.parents, recent=written - 1)  # the newest is not yet read
        if self.tokens is not None:
            self.rows.step(self.tokens)
        self.parents = list(range(len(self.slots)))

    def join(self, others: Sequence[Batch]) -> None:
        """Take in the rows of other batches, and drop those that have ended."""
        self._drop_dead()
        self.rows = self.rows.joined(self.parents, [other.rows for other in others])
        for other in others:
            self.slots += other.slots
        self.parents = list(range(len(self.slots)))

    def _drop_dead(self) -> None:
        living = [index for index, slot in enumerate(self.slots) if slot is not None]
        self.parents = [self.parents[index] for index in living]
        self.slots = [self.slots[index] for index in living]
        if self.tokens is not None:
            self.tokens = [self.tokens[index] for index in living]


class Search(Protocol):
    """A way to choose tokens.

    `width` is how many rows of the model one request takes at most.
    """

    width: int
    keep_hidden: bool

    def start(self, job: Job) -> list[Hypothesis]:
        """Return the hypotheses that a request begins with."""
        ...

    def choose(self, batch: Batch) -> list[Job]:
        """Choose the next token of every row, note the move in the batch, and return jobs that have ended."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what the record should say about this search."""
        ...


class Greedy:
    """Takes the likeliest token.

    In fp32 the answer does not depend on what else is in the batch: where two tokens are so close that
    rounding could decide, the row is read again alone, without padding, and that decides. How much
    rounding there is gets measured on the model itself, whenever a row is read again.
    """

    width = 1
    keep_hidden = False

    def __init__(self, lm: LanguageModel, shaper: Shaper, ending: Ending) -> None:
        self.lm, self.shaper, self.ending = lm, shaper, ending
        self.near_ties = 0
        self.noise: float | None = None  # largest rounding seen, as a share of the top logit

    def start(self, job: Job) -> list[Hypothesis]:
        """Begin with one empty text."""
        return [Hypothesis(job)]

    def choose(self, batch: Batch) -> list[Job]:
        """Append the likeliest token to every row."""
        logits = self.shaper.apply(batch.rows.logits, batch.slots)
        if not self._settles:
            return grow(batch, logits.argmax(-1).tolist(), self.ending, self.lm.pad)
        values, tokens = logits.topk(2)
        chosen: list[int] = tokens[:, 0].tolist()
        for row in self._near_ties(values):
            slot = batch.slots[row]
            if slot is not None:
                chosen[row] = self._alone(slot, logits[row])
        return grow(batch, chosen, self.ending, self.lm.pad)

    def facts(self) -> dict[str, Any]:
        """Return how often rounding could have decided, and how large it was."""
        return {"ties_settled": self._settles, "near_ties": self.near_ties, "rounding": self.noise}

    @property
    def _settles(self) -> bool:
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
        logits = Rows.read(self.lm, [hypothesis.job.prompt], [hypothesis.tokens]).logits
        row = self.shaper.apply(logits, [hypothesis])[0]
        top = row.max()
        noise = (row - seen)[row.isfinite()].abs().max() / top.abs().clamp(min=0.1)
        self.noise = max(self.noise or 0.0, float(noise))
        return int((row == top).nonzero()[0])


class Sampling:
    """Draws tokens with a random stream of each request's own, so that the batch does not matter."""

    keep_hidden = False

    def __init__(self, lm: LanguageModel, shaper: Shaper, ending: Ending, spec: GenerateSpec) -> None:
        self.lm, self.shaper, self.ending, self.spec = lm, shaper, ending, spec
        self.width = spec.n_best

    def start(self, job: Job) -> list[Hypothesis]:
        """Begin as many empty texts as samples are asked for."""
        return [
            # the score keeps samples in the order of their drawing, whichever ends first
            Hypothesis(job, score=-sample, random=Random(f"{self.spec.seed}/{job.request.id}/{sample}"))
            for sample in range(self.spec.n_best)
        ]

    def choose(self, batch: Batch) -> list[Job]:
        """Append a drawn token to every row."""
        logits = self.shaper.apply(batch.rows.logits, batch.slots)
        draws = [slot.random.random() if slot and slot.random else 0.0 for slot in batch.slots]
        return grow(batch, self._drawn(logits, draws), self.ending, self.lm.pad)

    def facts(self) -> dict[str, Any]:
        """Return the seed that the requests' random streams come from."""
        return {"seed": self.spec.seed}

    def _drawn(self, logits: torch.Tensor, draws: Sequence[float]) -> list[int]:
        spec = self.spec
        logits = logits / spec.temperature
        if spec.top_k:
            logits, tokens = logits.topk(min(spec.top_k, logits.shape[1]))
        else:
            logits, tokens = logits.sort(dim=-1, descending=True, stable=True)
        shares = logits.double().softmax(-1)
        if spec.top_p < 1.0:
            before = shares.cumsum(-1) - shares
            shares = shares.masked_fill(before >= spec.top_p, 0.0)
        if spec.min_p > 0.0:
            shares = shares.masked_fill(shares < spec.min_p * shares[:, :1], 0.0)
        sums = shares.cumsum(-1)
        wanted = torch.tensor(draws, dtype=torch.double, device=logits.device)[:, None] * sums[:, -1:]
        index = torch.searchsorted(sums, wanted, right=True).clamp(max=tokens.shape[1] - 1)
        chosen: list[int] = tokens.gather(1, index)[:, 0].tolist()
        return chosen


def grow(batch: Batch, tokens: Sequence[int], ending: Ending, pad: int) -> list[Job]:
    """Append one token to every live row, and return the jobs of which no row lives on."""
    slots, ended = extended(batch.slots, tokens, ending)
    given = [pad if slot is None else token for slot, token in zip(slots, tokens, strict=True)]
    batch.move(range(len(slots)), given, slots)
    return ended


def extended(
    slots: Sequence[Hypothesis | None], tokens: Sequence[int], ending: Ending
) -> tuple[list[Hypothesis | None], list[Job]]:
    """Append one token to every live text; return what lives on, and the jobs of which nothing does."""
    left = list(slots)
    ended: list[Job] = []
    for place, (slot, token) in enumerate(zip(slots, tokens, strict=True)):
        if slot is None:
            continue
        slot.tokens.append(token)
        slot.finish = ending.finish(slot, slot.tokens)
        if slot.finish:
            left[place] = None
            slot.job.live.remove(slot)
            slot.job.ended.append(slot)
            if not slot.job.live:
                slot.job.ended.sort(key=lambda hypothesis: -hypothesis.score)
                ended.append(slot.job)
    return left, ended


class Beam:
    """Beam search: the likeliest whole texts, each score divided by its length to the length penalty."""

    keep_hidden = False

    def __init__(self, lm: LanguageModel, shaper: Shaper, ending: Ending, spec: GenerateSpec) -> None:
        self.lm, self.shaper, self.ending = lm, shaper, ending
        self.width = spec.num_beams
        self.length_penalty = spec.length_penalty
        # enough candidates that as many beams live on even when all the likeliest ones end
        self.candidates = spec.num_beams * max(2, 1 + len(lm.eos))

    def start(self, job: Job) -> list[Hypothesis]:
        """Begin with one empty text; the first choice spreads it over the beams."""
        return [Hypothesis(job)]

    def choose(self, batch: Batch) -> list[Job]:
        """Grow the best beams of every job, as many as can on the rows where they stood."""
        logs = self.shaper.apply(batch.rows.logits.log_softmax(-1), batch.slots)
        best, tokens = logs.topk(min(self.candidates, logs.shape[1]))
        logs_list, tokens_list = best.tolist(), tokens.tolist()
        row_of = {slot: row for row, slot in enumerate(batch.slots) if slot is not None}
        ended: list[Job] = []
        moves: list[Move] = [(row, self.lm.pad, None) for row in range(len(batch.slots))]
        for job in batch.jobs:
            rows = [row_of[hypothesis] for hypothesis in job.live]
            grown = self._grow(job, rows, logs_list, tokens_list)
            if not grown:
                ended.append(job)
            _place(moves, grown, rows)
        batch.move(
            [row for row, _, _ in moves], [token for _, token, _ in moves], [slot for _, _, slot in moves]
        )
        return ended

    def facts(self) -> dict[str, Any]:
        """Return the size of the search."""
        return {"beams": self.width, "length_penalty": self.length_penalty}

    def _grow(
        self,
        job: Job,
        rows: Sequence[int],
        logs: Sequence[Sequence[float]],
        tokens: Sequence[Sequence[int]],
    ) -> list[tuple[int, int, Hypothesis]]:
        """Grow the live texts of a job, which stand on these rows; return the best, with row and token."""
        candidates = [
            (text.score + log, row, token, text)
            for text, row in zip(job.live, rows, strict=True)
            for log, token in zip(logs[row], tokens[row], strict=True)
            if log > float("-inf")
        ]
        candidates.sort(key=lambda candidate: -candidate[0])
        moves: list[tuple[int, int, Hypothesis]] = []
        for rank, (score, row, token, parent) in enumerate(candidates[: self.candidates]):
            grown = Hypothesis(job, [*parent.tokens, token], score, state=parent.state)
            grown.finish = self.ending.finish(grown, grown.tokens)
            if not grown.finish:
                moves.append((row, token, grown))
                if len(moves) == self.width:  # of those that follow, none may even end
                    break
            elif rank < self.width:
                grown.score = score / len(grown.tokens) ** self.length_penalty
                job.ended.append(grown)
        job.ended.sort(key=lambda hypothesis: -hypothesis.score)
        del job.ended[self.width :]
        if not moves or self._is_settled(job, moves[0][2]):
            job.live = []
            return []
        job.live = [hypothesis for _, _, hypothesis in moves]
        return moves

    def _is_settled(self, job: Job, best: Hypothesis) -> bool:
        if len(job.ended) < self.width:
            return False
        return bool(best.score / len(best.tokens) ** self.length_penalty <= job.ended[-1].score)


def _place(moves: list[Move], grown: Sequence[Move], rows: Sequence[int]) -> None:
    """Enter moves of one job, which has these rows: one stays on the row that it grows from if it can."""
    free = set(rows)
    others = []
    for move in grown:
        if move[0] in free:
            free.remove(move[0])
            moves[move[0]] = move
        else:
            others.append(move)
    for row, move in zip(sorted(free), others, strict=False):
        moves[row] = move
    moves += others[len(free) :]
