"""Lines put together to text: hyphens at their ends, and languages without spaces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from .characters import HYPHEN

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_HYPHENS = f"-\N{HYPHEN}{HYPHEN}"


def vocabulary(lines: Sequence[str]) -> Counter[str]:
    """Count the words that stand whole in lines, those with hyphens too."""
    found: Counter[str] = Counter()
    for line in lines:
        *words, last = _WORD.findall(line.lower()) or [""]
        found.update(words)
        if line[-1:] not in _HYPHENS:
            found[last] += 1
    return found


def joined(lines: Sequence[str], known: Counter[str]) -> str:
    """Join lines to a text.

    A word that was parted is put together; its hyphen stays where the words of the paper say so, or where
    what follows is no small letter.
    """
    text = ""
    for line in lines:
        if text[-1:] and text[-1] in _HYPHENS and text[-2:-1].isalnum() and line[:1].isalnum():
            text = _put_together(text[:-1], line, known)
        elif text and not (_without_spaces(text[-1]) and _without_spaces(line[:1])):
            text += f" {line}"
        else:
            text += line
    return text.replace(HYPHEN, "-")


def _put_together(text: str, line: str, known: Counter[str]) -> str:
    before = re.split(r"[^\w-]", text)[-1].lower()
    after = (_WORD.match(line.lower()) or re.match("", "")).group()  # type: ignore[union-attr]
    parted, whole = known[f"{before}-{after}"], known[before + after]
    together = whole >= parted if line[0].islower() else whole > parted
    return text + line if together else f"{text}-{line}"


def _without_spaces(char: str) -> bool:
    """Tell whether a character is of Chinese or Japanese writing."""
    return "\u2e80" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef"
