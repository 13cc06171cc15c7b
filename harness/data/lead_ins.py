"""Free text without what a chat model says before it, for tasks that ask for this.

Version 1. Thoughts between tags are left out. Of a code block, and of quotes around everything, the inside
counts. A first sentence that only hands over ("Sure! Here is the description:") and a label ("Caption:")
are dropped. Nothing else is: "The molecule is …" is how a description may begin.
"""

from __future__ import annotations

import re

VERSION = "1"
RULE = f"lead-in {VERSION}"  # as records name it
_THOUGHT = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_BLOCK = re.compile(r"(?:```|~~~)[\w-]*\n?(.*?)(?:```|~~~|\Z)", re.DOTALL)
_YES = r"(?:sure|certainly|of course|absolutely|okay|ok|great|好的|当然)"
_AGREES = re.compile(rf"\A{_YES}[!.,，。！]+\s+", re.IGNORECASE)
_HANDS_OVER = re.compile(
    r"\A(?:(?:here(?:'s|’s| is| are| you are| you go)|the following is|below is|以下是)[^\n:：]{0,160}[:：]"
    r"|(?:based on|i(?:'d|’d| would| can| will))\b[^\n]{0,200}[:：][ \t]*(?=\n))\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"\A[*_#\s]*(?:final\s+)?(?:caption|description|answer|output|response|summary|result|描述|答案|回答)[*_\s]*[:：][*_\s]*",
    re.IGNORECASE,
)
_QUOTES = {'"': '"', "“": "”", "'": "'", "«": "»"}


def without_lead_in(text: str) -> str:
    """Return what is said once the lead-in is over; where nothing is left, all that was said."""
    said = _THOUGHT.sub("", text).strip()
    rest = _LABEL.sub("", _HANDS_OVER.sub("", _AGREES.sub("", said))).strip()
    if (block := _BLOCK.match(rest)) is not None:
        rest = block[1].strip()
    if len(rest) > 1 and _QUOTES.get(rest[0]) == rest[-1] and rest[0] not in rest[1:-1]:
        rest = rest[1:-1].strip()
    return rest or said
