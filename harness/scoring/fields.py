"""Where a model was told to put its answer: a tag, a JSON field whole or torn, a LaTeX box."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_TAG = re.compile(
    r"<(answer|final_?answer|choice|option|ans|答案)>(.*?)(?:</\1>|(?=<\1>)|$)", re.DOTALL | re.IGNORECASE
)
_WHOSE = r"(?:(?:final|correct|best|predicted|selected|chosen|model|my|the|right|正确|最终)[ _-]?)*"
_PART = r"(?:[ _-]?(?:choices?|letters?|options?|key|index|idx|id|text|value))*"
_QUOTE = r"\\*[\"'“”]"
_KEYS = [
    re.compile(rf"{_QUOTE}{_WHOSE}{noun}{_PART}{_QUOTE}\s*:\s*", re.IGNORECASE)
    for noun in (
        "(?:answers?|答案)",
        "(?:choices?|options?|letters?|selections?|predictions?|responses?|results?|labels?|output|选项|选择)",
    )
]
_BOX = re.compile(r"\\+(?:boxed|fbox)\s*\{")
_CLOSING = {"{": "}", "[": "]"}


def answer_fields(text: str) -> Iterator[str]:
    """Yield the last answer of each kind of field, the surest kind first."""
    if tags := _TAG.findall(text):
        yield tags[-1][1]
    for key in _KEYS:
        if places := list(key.finditer(text)):
            yield _value(text, places[-1].end())
            break
    if boxes := list(_BOX.finditer(text)):
        yield _enclosed(text, boxes[-1].end() - 1)[1:].removesuffix("}")


def _value(text: str, place: int) -> str:
    """Return the JSON value that begins at a place, as text; one that is torn goes to the end."""
    first = text[place : place + 1]
    if first in _CLOSING:
        return " ".join(re.findall(r"[\"']([^\"']*)[\"']", _enclosed(text, place)))
    if quoted := re.match(r"\\*([\"'“])((?:\\.|(?!\1)[^”\\])*)", text[place:], re.DOTALL):
        return _unescaped(quoted.group(2))
    return re.split(r"[,}\n]", text[place:], maxsplit=1)[0].strip()


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except (ValueError, RecursionError):
        return text


def _enclosed(text: str, place: int) -> str:
    opening, depth = text[place], 0
    for end in range(place, len(text)):
        depth += (text[end] == opening) - (text[end] == _CLOSING[opening])
        if not depth:
            return text[place : end + 1]
    return text[place:]
