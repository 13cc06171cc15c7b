"""How the scripts of CMB and MIRAGE read letters, to the letter: for numbers that stand beside theirs."""

from __future__ import annotations

import re

_CMB = re.compile(r"(答案|正确选项)(?:是|：|为|应该是|应该为)(.*?)(。|\.|$)", re.DOTALL)
_MIRAGE_FIELD = '"answer_choice": "'
_MIRAGE = [
    re.compile(pattern)
    for pattern in (
        r"^\s*([ABCD])(?:$| or| and|/|,)",
        r"[Oo]ption ([ABCD])",
        r":\s*([ABCD])",
        r"^\s*([ABCD])[.]",
        r'^\s*([ABCD])"',
        r"^\s*([ABCD]):",
    )
]
MIRAGE_FALLS_BACK_TO = "A"


def letters_cmb(text: str) -> str:
    """Return the letters A-G that CMB's script reads out of an answer."""
    stated = _CMB.search(text)
    found = "".join(re.findall("[A-G]", stated.group(2))) if stated else ""
    return "".join(dict.fromkeys(found or "".join(re.findall("[A-G]", text))))


def letter_mirage(text: str) -> str:
    """Return the letter A-D that MIRAGE's script finds in an answer, or nothing where it falls back."""
    field = text.split(_MIRAGE_FIELD)[-1].strip()
    return next((found.group(1) for pattern in _MIRAGE if (found := pattern.search(field))), "")
