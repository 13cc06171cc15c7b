"""`POST /v1/decisions`: questions about one input, answered by how likely each answer is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness.api.example import Completion, Message, Request

from .asked import ROLES
from .problems import Refused
from .wire import AnyQuestion, ChatMessage, ChoiceQuestion, DecisionRequest, PredicateQuestion, ScoreQuestion


def requests_of(asked: DecisionRequest) -> list[Request]:
    """Return each question as a request with its choices."""
    return [_request(number, asked.input, question) for number, question in enumerate(asked.questions)]


def answers_of(asked: DecisionRequest, completions: Sequence[Completion]) -> list[dict[str, Any]]:
    """Return the answers in the order of the questions."""
    by_number = {int(completion.request_id): completion for completion in completions}
    return [
        _answer(question, shares_of(by_number[number].choice_scores))
        for number, question in enumerate(asked.questions)
    ]


def shares_of(scores: Sequence[float]) -> list[float]:
    """Return the probabilities of choices, of which one is true, from their log-likelihoods."""
    top = max(scores)
    shares = [math.exp(score - top) for score in scores]
    return [share / math.fsum(shares) for share in shares]


def _request(number: int, given: str | list[ChatMessage], question: AnyQuestion) -> Request:
    choices, described = _choices(question)
    asked = "\n".join([question.asked, *described])
    if isinstance(given, str):
        return Request(str(number), f"{given}\n\n{asked}\n", choices=choices)
    turns = [Message(ROLES.get(message.role, message.role), message.said) for message in given]
    if turns[-1].role == "user":
        asked = f"{turns.pop().text}\n\n{asked}"
    return Request(str(number), f"{asked}\n", choices=choices, messages=tuple(turns))


def _choices(question: AnyQuestion) -> tuple[tuple[str, ...], list[str]]:
    """Return the texts to choose from, and the lines that say what they mean."""
    if isinstance(question, PredicateQuestion):
        return ("Yes", "No"), ["Answer Yes or No."]
    if isinstance(question, ChoiceQuestion):
        named = [(_text(choice.value), choice.description) for choice in question.choices]
    else:
        named = [(level.label, level.description) for level in question.levels]
    texts = [text for text, _ in named]
    if len(set(texts)) < len(texts) or not all(text.strip() for text in texts):
        raise Refused("the choices of a question are distinct and not empty", param="questions")
    return tuple(texts), [f"- {text}" + (f": {about}" if about else "") for text, about in named]


def _text(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _answer(question: AnyQuestion, shares: Sequence[float]) -> dict[str, Any]:
    best = max(range(len(shares)), key=shares.__getitem__)
    if isinstance(question, PredicateQuestion):
        return {"type": "predicate", "name": question.name, "probability": shares[0]}
    told: dict[str, Any] = {"type": question.type, "name": question.name, "confidence": shares[best]}
    if isinstance(question, ScoreQuestion):
        pairs = enumerate(zip(question.levels, shares, strict=True))
        told["score"] = math.fsum(place * share for place, share in enumerate(shares))
        told["probabilities"] = [
            {"label": level.label, "value": place, "probability": share} for place, (level, share) in pairs
        ]
        return told
    told["choice"] = question.choices[best].value
    told["probabilities"] = [
        {"value": choice.value, "probability": share}
        for choice, share in zip(question.choices, shares, strict=True)
    ]
    return told
