"""Beam search: the likeliest whole texts, each score divided by its length to the length penalty."""

from __future__ import annotations

from collections.abc import Sequence

from .batch import Moves, Part, shaped
from .jobs import Hypothesis, Job

Grown = tuple[int, int, Hypothesis]  # the row that is read on, by which token, and the text it makes


class Beam:
    """Keeps the best texts of each request. Requests with as many beams share a search."""

    keep_hidden = False

    def __init__(self, beams: int, ends: int) -> None:
        self.width = beams
        # enough candidates that as many beams live on even when all the likeliest ones end
        self.candidates = beams * max(2, 1 + ends)

    def choose(self, part: Part, moves: Moves) -> list[Job]:
        """Grow the best beams of every job, as many as can on the rows where they stood."""
        logs = shaped(part.raw.log_softmax(-1), part.slots)
        best, tokens = logs.topk(min(self.candidates, logs.shape[1]))
        logs_list, tokens_list = best.tolist(), tokens.tolist()
        row_of = {slot: row for row, slot in enumerate(part.slots) if slot is not None}
        ended: list[Job] = []
        for job in dict.fromkeys(slot.job for slot in row_of):
            rows = [row_of[hypothesis] for hypothesis in job.live]
            moves.grown += len(rows)
            grown = self._grow(job, rows, logs_list, tokens_list)
            if not grown:
                ended.append(job)
            placed = [(part.places[row], token, text) for row, token, text in grown]
            _place(moves, placed, [part.places[row] for row in rows])
        return ended

    def _grow(
        self,
        job: Job,
        rows: Sequence[int],
        logs: Sequence[Sequence[float]],
        tokens: Sequence[Sequence[int]],
    ) -> list[Grown]:
        """Grow the live texts of a job, which stand on these rows; return the best, with row and token."""
        candidates = [
            (text.score + log, row, token, text)
            for text, row in zip(job.live, rows, strict=True)
            for log, token in zip(logs[row], tokens[row], strict=True)
            if log > float("-inf")
        ]
        candidates.sort(key=lambda candidate: -candidate[0])
        ending, penalty = job.manner.ending, job.manner.spec.length_penalty
        moves: list[Grown] = []
        for rank, (score, row, token, parent) in enumerate(candidates[: self.candidates]):
            grown = Hypothesis(job, [*parent.tokens, token], score, state=parent.state)
            grown.finish = ending.finish(grown, grown.tokens)
            if not grown.finish:
                moves.append((row, token, grown))
                if len(moves) == self.width:  # of those that follow, none may even end
                    break
            elif rank < self.width:
                grown.score = score / len(grown.tokens) ** penalty
                job.ended.append(grown)
        job.ended.sort(key=lambda hypothesis: -hypothesis.score)
        del job.ended[self.width :]
        if not moves or self._is_settled(job, moves[0][2], penalty):
            job.live = []
            return []
        job.live = [hypothesis for _, _, hypothesis in moves]
        return moves

    def _is_settled(self, job: Job, best: Hypothesis, penalty: float) -> bool:
        if len(job.ended) < self.width:
            return False
        return bool(best.score / len(best.tokens) ** penalty <= job.ended[-1].score)


def _place(moves: Moves, grown: Sequence[Grown], rows: Sequence[int]) -> None:
    """Enter moves of one job, which has these rows: one stays on the row that it grows from if it can."""
    free = set(rows)
    others = []
    for row, token, text in grown:
        if row in free:
            free.remove(row)
            moves.put(row, row, token, text)
        else:
            others.append((row, token, text))
    for row, move in zip(sorted(free), others, strict=False):
        moves.put(row, *move)
    for move in others[len(free) :]:
        moves.add(*move)
