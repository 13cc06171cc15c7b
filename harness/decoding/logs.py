"""Log-probabilities of single tokens, of an answer and of its prompt, under the model's own distribution."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from harness.api.session import TokenLog

from .batch import Batch
from .jobs import Hypothesis, Job
from .reading import Block

ELEMENTS = 2**27  # of logits that are kept at once to say how likely a prompt is


class AnswerLogs:
    """What the model thinks of the next tokens, taken before they are chosen."""

    def __init__(self, batch: Batch) -> None:
        self._texts: list[Hypothesis] = []
        places = []
        for place, slot in enumerate(batch.slots):
            if slot is not None and slot.job.logs is not None:
                self._texts.append(slot)
                places.append(place)
        self._raw = batch.rows.logits[places].log_softmax(-1) if places else None

    def note(self) -> None:
        """Note the tokens that were chosen."""
        if self._raw is not None:
            for logs, text in zip(self._raw, self._texts, strict=True):
                text.job.answer_logs.append(_entry(logs, text.tokens[-1], text.job.logs or 0))


class PromptLogs:
    """What the model thinks of prompts while it reads them."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = tuple(jobs)
        for job in jobs:
            job.prompt_logs.clear()
        self._last: torch.Tensor | None = None  # what it expects behind the column read last

    def note(self, block: Block, logits: torch.Tensor) -> None:
        """Note the tokens of a block, of whose columns the logits are."""
        logs = logits.float().log_softmax(-1)
        for row, job in enumerate(self._jobs):
            for column in block.mask[row].nonzero()[:, 0].tolist():
                token = int(block.ids[row, column])
                if not job.prompt_logs:  # nothing stands before the first token
                    job.prompt_logs.append(TokenLog(token, None))
                    continue
                before = logs[row, column - 1] if column else self._last
                assert before is not None
                job.prompt_logs.append(_entry(before if column else before[row], token, job.logs or 0))
        self._last = logs[:, -1]


def _entry(logs: torch.Tensor, token: int, top: int) -> TokenLog:
    if not top:
        return TokenLog(token, float(logs[token]))
    values, tokens = logs.topk(min(top, logs.shape[0]))
    likeliest = tuple(zip(tokens.tolist(), values.tolist(), strict=True))
    return TokenLog(token, float(logs[token]), likeliest)
