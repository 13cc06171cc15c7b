"""What a written caption must be like, and what is cut off it first: quotes, labels, a chat's politeness."""

from __future__ import annotations

import re

_LABEL = re.compile(r"^\s*(?:\**(?:description|caption|output|answer)\**\s*:\s*)+", re.IGNORECASE)
_OPENING = re.compile(r"^(?:sure|certainly|of course|here is|here's)\b[^\n:]*[:!.]\s*", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "`": "`"}
_REFUSAL = re.compile(
    r"\bas an ai\b|\bi (?:cannot|can't|am unable|am not able|apologi[sz]e)\b", re.IGNORECASE
)


def cleaned(text: str) -> str:
    """Cut off what language models wrap around an answer."""
    text = " ".join(text.split())
    for _ in range(3):  # quotes inside a label inside a sentence
        before = text
        text = _LABEL.sub("", _OPENING.sub("", text)).strip()
        if len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
            text = text[1:-1].strip()
        if text == before:
            break
    return text


def fault(text: str, *, fewest_words: int, most_words: int) -> str:
    """Return why a caption is not kept, or nothing."""
    words = text.split()
    if not words:
        return "empty"
    if len(words) < fewest_words:
        return f"{len(words)} words, at least {fewest_words} are wanted"
    if len(words) > most_words:
        return f"{len(words)} words, at most {most_words} are wanted"
    if _REFUSAL.search(text):
        return "a refusal"
    if text[-1] not in ".!?)":
        return "cut off in a sentence"
    return ""
