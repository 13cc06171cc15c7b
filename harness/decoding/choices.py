"""Choices scored by log-likelihood: what choices and questions share is read once, and serves all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from harness.api.errors import DataError, UsageError
from harness.api.example import Completion, Request
from harness.api.run import RunContext
from harness.api.spec import GenerateSpec

from .beginnings import alike
from .budget import Budget, in_batches
from .jobs import Encode, encode_texts, first_token
from .language_model import LanguageModel
from .reading import read
from .rows import Beginning
from .settings import check_options

Tokens = Mapping[str, list[int]]
CORE_TOKENS = 1024  # a pass over so many is as fast a token as any longer one, on a processor


@dataclass(slots=True)
class Question:
    """A request's tokens: what all its choices share, and what each choice adds."""

    request: Request
    prompt: Tokens
    choices: list[Tokens]
    notes: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """How many tokens the longest choice adds."""
        return max(len(choice["input_ids"]) for choice in self.choices)

    @property
    def size(self) -> int:
        """How many tokens its rows hold in the cache; choices of one token need no rows of their own."""
        rows = len(self.choices) if self.longest > 1 else 1
        return rows * (len(self.prompt["input_ids"]) + self.longest)


def choose(
    model: Any,
    tokenizer: Any,
    requests: Sequence[Request],
    spec: GenerateSpec,
    run: RunContext,
    *,
    encode: Encode | None = None,
) -> Iterator[Completion]:
    """Yield a completion a request with the log-likelihood of each of its choices, given the prompt.

    A log-likelihood is the sum over a choice's tokens, without an end of text. Prompt and choice are
    tokenized together; where a token spans both, all choices are scored from the last point they share
    with the prompt. The completion's text is the likeliest choice.
    """
    check_options(spec)
    for request in requests:
        if not request.choices:
            raise UsageError(f"request '{request.id}' has no choices to score")
    lm = LanguageModel(model, tokenizer)
    questions = _questions(lm, tokenizer, requests, encode)
    budget = Budget(spec, lm.device, one_pass=True)
    spared = 0
    run.progress.start("scoring choices", total=len(requests), unit="requests")
    try:
        with lm.evaluating():
            for together, beginning in _parts(lm, questions, budget):
                spared += beginning.length * len(together) if beginning else 0
                score = partial(_score, lm, beginning=beginning)
                for batch, scores in in_batches(together, lambda question: question.size, score, budget):
                    run.progress.advance(len(batch))
                    for question, row in zip(batch, scores, strict=True):
                        yield _completion(question, *row)
    finally:
        run.progress.finish()
        run.event(
            "decoding",
            decoder="choices",
            requests=len(requests),
            prompt_tokens_shared=spared,
            precision=lm.precision,
            device=str(lm.device),
            **budget.facts(),
        )


def _completion(question: Question, scores: Sequence[float], greedy: Sequence[bool]) -> Completion:
    best = max(range(len(scores)), key=scores.__getitem__)
    return Completion(
        question.request.id,
        question.request.choices[best],
        "choice",
        len(question.prompt["input_ids"]),
        choice_scores=tuple(scores),
        notes=question.notes,
        greedy=tuple(greedy),
    )


def _parts(
    lm: LanguageModel, questions: Sequence[Question], budget: Budget
) -> Iterator[tuple[Sequence[Question], Beginning | None]]:
    """Yield the questions that are asked together, largest first, with what was read of all their prompts."""
    groups = [(list(range(len(questions))), 0)]
    if lm.rows_may_join and not lm.encoder_decoder and not budget.alone:
        groups = alike([question.prompt for question in questions])
    for places, shared in groups:
        group = sorted((questions[place] for place in places), key=lambda question: -question.size)
        beginning = _read_once(lm, _cut(group[0].prompt, 0, shared)) if shared else None
        for part in _passes(group, shared) if lm.device.type == "cpu" else [group]:
            yield part, beginning


def _read_once(lm: LanguageModel, prompt: Tokens) -> Beginning:
    with lm.unlearning():
        return read(lm, [prompt], [[]]).beginning(0, prompt)


def _passes(questions: Sequence[Question], known: int) -> Iterator[Sequence[Question]]:
    """Part questions, largest first, into passes that keep one core busy: more of them are padding."""
    start = 0
    while start < len(questions):
        length = len(questions[start].prompt["input_ids"]) - known + questions[start].longest
        end = start + max(1, CORE_TOKENS // length)
        yield questions[start:end]
        start = end


def _score(
    lm: LanguageModel, questions: Sequence[Question], *, beginning: Beginning | None
) -> list[tuple[list[float], list[bool]]]:
    """Return the log-likelihoods of every question's choices, and of exact ones whether each is greedy."""
    prompts = [question.prompt for question in questions]
    rows = read(lm, prompts, [[] for _ in questions], beginnings=[beginning for _ in questions])
    owner = [place for place, question in enumerate(questions) for _ in question.choices]
    choices = [choice for question in questions for choice in question.choices]
    device = lm.device
    first = torch.tensor([choice["input_ids"][0] for choice in choices], device=device)
    logs = rows.logits.log_softmax(-1)[torch.tensor(owner, device=device), first].double()
    asked = any(question.request.exact for question in questions)
    greedy = rows.logits.argmax(-1)[torch.tensor(owner, device=device)] == first if asked else None
    longer = [place for place, choice in enumerate(choices) if len(choice["input_ids"]) > 1]
    if longer:
        rest = [choices[place] for place in longer]
        inputs = {name: [choice[name][:-1] for choice in rest] for name in rest[0]}
        logits = rows.kept([owner[place] for place in longer]).continued(inputs.pop("input_ids"), inputs)
        targets = [choice["input_ids"][1:] for choice in rest]
        logs[torch.tensor(longer, device=device)] += summed_logs(logits, targets)
        if greedy is not None:
            greedy[torch.tensor(longer, device=device)] &= likeliest(logits, targets)
    scores, said = iter(logs.tolist()), iter([] if greedy is None else greedy.tolist())
    return [
        (
            [next(scores) for _ in question.choices],
            [] if greedy is None else [next(said) for _ in question.choices],
        )
        for question in questions
    ]


def summed_logs(logits: torch.Tensor, targets: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return the sum of the log-probabilities of each row's targets, which may be of different lengths."""
    total = torch.zeros(len(targets), dtype=torch.double, device=logits.device)
    for row, wanted in enumerate(targets):
        scores = logits[row, : len(wanted)].float()
        index = torch.tensor(wanted, device=logits.device)[:, None]
        total[row] = (scores.gather(1, index)[:, 0] - scores.logsumexp(-1)).double().sum()
    return total


def likeliest(logits: torch.Tensor, targets: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return of each row whether its targets are the likeliest tokens throughout."""
    said = [
        bool((logits[row, : len(wanted)].argmax(-1).cpu() == torch.tensor(wanted)).all())
        for row, wanted in enumerate(targets)
    ]
    return torch.tensor(said, device=logits.device)


def _questions(
    lm: LanguageModel, tokenizer: Any, requests: Sequence[Request], encode: Encode | None
) -> list[Question]:
    texts: list[Request] = []
    for request in requests:
        texts.append(request)
        joint = "" if lm.encoder_decoder else request.prompt
        texts += [replace(request, prompt=joint + choice) for choice in request.choices]
    encoded: Iterator[Tokens]
    if encode is None:
        rows = encode_texts(lm, tokenizer, [request.prompt for request in texts])
        encoded = iter([{"input_ids": ids} for ids in rows])
    else:
        encoded = ({**encode(request)} for request in texts)
    return [
        _question(lm, request, next(encoded), [next(encoded) for _ in request.choices])
        for request in requests
    ]


def _question(lm: LanguageModel, request: Request, prompt: Tokens, wholes: list[Tokens]) -> Question:
    if lm.encoder_decoder:
        choices: list[Tokens] = [_without_ends(lm, whole) for whole in wholes]
        question = Question(request, _cut(prompt, 0, None), choices)
    else:
        ids = prompt["input_ids"]
        shared = min(min(_shared(ids, whole["input_ids"]), len(whole["input_ids"]) - 1) for whole in wholes)
        choices = [_cut(whole, shared, None) for whole in wholes]
        question = Question(request, _cut(wholes[0], 0, shared), choices)
        if shared <= 0:
            question.prompt = {name: [0] for name in prompt} | {"input_ids": [first_token(lm, request)]}
            question.choices = wholes
    for choice, tokens in zip(request.choices, question.choices, strict=True):
        if not tokens["input_ids"]:
            raise DataError(f"choice '{choice}' of request '{request.id}' has no tokens")
    return _fitted(lm, question)


def _fitted(lm: LanguageModel, question: Question) -> Question:
    """Cut a prompt that leaves no room for the choices."""
    length = len(question.prompt["input_ids"])
    if lm.limit is None or lm.encoder_decoder or length + question.longest <= lm.limit:
        return question
    kept = lm.limit - question.longest
    if kept < 1:
        raise DataError(f"a choice of request '{question.request.id}' is longer than the model's context")
    question.prompt = _cut(question.prompt, length - kept, None)
    question.notes = ("prompt-truncated-left",)
    return question


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    for place, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return place
    return min(len(left), len(right))


def _cut(tokens: Tokens, start: int, stop: int | None) -> dict[str, list[int]]:
    return {name: list(values[start:stop]) for name, values in tokens.items() if name != "attention_mask"}


def _without_ends(lm: LanguageModel, tokens: Tokens) -> dict[str, list[int]]:
    """Drop the start and end of text that a tokenizer puts around a target."""
    ids = tokens["input_ids"]
    start = int(bool(ids) and ids[0] in (lm.start, lm.bos))
    stop = len(ids) - int(len(ids) > start and ids[-1] in lm.eos)
    return {"input_ids": list(ids[start:stop])}
