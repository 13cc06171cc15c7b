"""What is done to logits before a token is chosen, and when a text has ended."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from harness.api.example import Completion
from harness.api.spec import GenerateSpec

from .jobs import Decode, Hypothesis, Job
from .language_model import LanguageModel
from .smiles import SmilesGrammar

NEVER = float("-inf")


class Shaper:
    """Applies repetition penalty, minimum length and constraint to the logits of one text, in place."""

    def __init__(
        self, lm: LanguageModel, spec: GenerateSpec, eos: frozenset[int], grammar: SmilesGrammar | None
    ) -> None:
        self._penalty = spec.repetition_penalty
        self._min_new = spec.min_new_tokens
        self._grammar = grammar
        # what a decoder has read before its answer: the prompt, or an encoder-decoder's start token
        self._start = {lm.start} if lm.encoder_decoder else None
        self._eos = torch.tensor(sorted(eos), dtype=torch.long, device=lm.device)
        self.idle = self._penalty == 1.0 and self._min_new == 0 and grammar is None

    def apply(self, row: torch.Tensor, hypothesis: Hypothesis) -> None:
        """Change the logits that the next token of a text is chosen from."""
        if self._penalty != 1.0:
            self._discourage(row, hypothesis)
        if len(hypothesis.tokens) < self._min_new:
            row[self._eos] = NEVER
        if self._grammar is not None:
            row.masked_fill_(~self._grammar.allowed(hypothesis).to(row.device), NEVER)

    def _discourage(self, row: torch.Tensor, hypothesis: Hypothesis) -> None:
        seen = {*hypothesis.tokens, *(self._start or hypothesis.job.prompt["input_ids"])}
        index = torch.tensor(sorted(seen), dtype=torch.long, device=row.device)
        values = row[index]
        row[index] = torch.where(values < 0, values * self._penalty, values / self._penalty)


class Ending:
    """Knows when a text has ended, and what it says without its end."""

    def __init__(self, spec: GenerateSpec, eos: frozenset[int], decode: Decode) -> None:
        self._eos = eos
        self._stop = spec.stop
        self._min_new = spec.min_new_tokens
        self._asked = spec.max_new_tokens
        self._n_best = spec.n_best
        self._decode = decode
        # every token that a stop string may span, and a few more so that a piece decodes as in its context
        self._tail = max(map(len, spec.stop), default=0) + 8

    def finish(self, hypothesis: Hypothesis, tokens: Sequence[int]) -> str:
        """Return how these tokens end the text of this hypothesis, or nothing."""
        if tokens[-1] in self._eos:
            return "stop"
        if self._stop and len(tokens) >= self._min_new and self._stops(tokens):
            return "stop-string"
        return "length" if len(tokens) >= hypothesis.job.max_new else ""

    def text(self, hypothesis: Hypothesis) -> str:
        """Return what a hypothesis says, without the token or string that ended it."""
        tokens = hypothesis.tokens[:-1] if hypothesis.finish == "stop" else hypothesis.tokens
        text = self._decode(tokens)
        cuts = [text.find(stop) for stop in self._stop if stop in text]
        return text[: min(cuts)] if cuts and hypothesis.finish == "stop-string" else text

    def completion(self, job: Job) -> Completion:
        """Turn an ended job into what is journalled."""
        best, *others = job.ended[: self._n_best]
        notes = job.notes
        if best.finish == "length" and job.max_new < self._asked:
            notes = (*notes, "context-full")
        return Completion(
            job.request.id,
            self.text(best),
            best.finish,
            job.length,
            len(best.tokens),
            notes=notes,
            alternatives=tuple(self.text(other) for other in others),
        )

    def _stops(self, tokens: Sequence[int]) -> bool:
        tail = self._decode(tokens[-self._tail :])
        return any(stop in tail for stop in self._stop) and any(
            stop in self._decode(tokens) for stop in self._stop
        )
