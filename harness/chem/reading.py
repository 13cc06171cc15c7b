"""A molecule read out of what a chat model says around it.

Version 2. Thoughts between tags are left out. An answer that is one SMILES is taken as it stands. Else, in
this order: what a JSON object, a code block or the tags of an answer hold; then what stands in back quotes,
bold or quotes, after a lead-in such as "The SMILES is", or alone on a line; then the first word that nothing
but a SMILES looks like. The first of these that is a SMILES is the answer; without one it is what was said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

VERSION = "2"
RULE = f"molecule {VERSION}"  # as records name it
KEYS = (
    "smiles",
    "molecule",
    "structure",
    "answer",
    "output",
    "result",
)  # of JSON; the first that is in a key
_THOUGHT = re.compile(r"<(think|thinking|thought|reasoning|reflection)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_STRAY_END = re.compile(r"\A.*</(?:think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
_SPECIAL = re.compile(r"<\|[^<>|\s]+\|>|</?s>|<(?:eos|bos|pad|start_of_turn|end_of_turn)>")
_FENCE = re.compile(r"(?:```|~~~)[\w-]*\n?(.*?)(?:```|~~~|\Z)", re.DOTALL)
_TAGGED = re.compile(
    r"<(answer|smiles|mol|molecule|output|result)>(.*?)</\1>|()\[START_SMILES\](.*?)\[END_SMILES\]"
    r"|()\\boxed\{(?:\\(?:text|mathrm|texttt)\{)?([^{}\s]+)",
    re.DOTALL | re.IGNORECASE,
)
_MARKED = re.compile(
    r"`([^`\n]+)`|\*\*([^*\n]+)\*\*|\"([^\"\n]+)\"|'([^'\n]+)'|“([^”\n]+)”|‘([^’\n]+)’|«([^»\n]+)»"
    r"|\$([^$\n]+)\$|<([^<>\s]+)>"
)
_SIGN = r"(?:[:=：]|-+>|=>|→|–|—|-(?=\s))"
_LEAD = re.compile(
    r"(?:SMILES|molecule|structure|answer|compound|string|notation|output|response|result|答案|结构)s?"
    rf"(?:[*_`\"'”)>]*\s*{_SIGN}|[^\n:=：]{{0,60}}?(?:\b(?:is|reads|be|as)\b|为|是)|[^\n:=：]{{0,60}}?[:：=](?=\s)"
    r"|(?<=SMILES)\s(?!string|notation|code)|(?<=string)\s|(?<=notation)\s)"
    r"[\s:=：*_`\"'“(]*(\S+)",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*(?:[-*>•#]+|\d+[.)])\s+")
_QUOTES = "\"'`“”‘’«»"
_EDGES = f"{_QUOTES}*_$|,;:!?。，；：！？"
_SIGNS_OF_BONDS = re.compile(r"[=#\[\](]|[a-zA-Z]\d")
_CHAIN = re.compile(r"(?=.*CC)[BCNOPSFI]{4,}|C+O")
_AROMATIC = re.compile(r"(?<!C)l|(?<!B)r|[bcnops]")
_BRACKETS = re.compile(r"\[[^\]]*\]")


def read_molecule(text: str) -> str:
    """Return the SMILES that a text holds, or the text itself without space around it."""
    said = text.strip()
    plain = _SPECIAL.sub(" ", _STRAY_END.sub("", _THOUGHT.sub("", said))).strip()
    if is_molecule(alone := _unmarked(plain).removesuffix(".")):
        return alone
    return next((found for found in map(_clean, _candidates(plain)) if is_molecule(found)), said)


def _unmarked(text: str) -> str:
    """Take quotes and bold off a whole answer; single stars at its ends are atoms."""
    found = text.strip(_QUOTES)
    return found.strip("*") if found.startswith("**") and found.endswith("**") else found


def _candidates(said: str) -> Iterator[str]:
    yield from _of_json(said)
    for block in _FENCE.findall(said):
        yield from _of_json(block)
        for line in block.split("\n"):
            yield line
            yield from line.split()[:1]
    for groups in _TAGGED.findall(said):
        yield from filter(None, groups)
    for groups in _MARKED.findall(said):
        yield from filter(None, groups)
    yield from _LEAD.findall(said)
    for line in said.split("\n"):
        yield from (line, *line.split("|"))
    yield from filter(_looks_like_one, map(_clean, said.split()))


def _of_json(text: str) -> Iterator[str]:
    start, end = (
        min(filter(lambda place: place >= 0, map(text.find, "{[")), default=-1),
        max(map(text.rfind, "}]")),
    )
    if start < 0 or end < start:
        return
    try:
        found = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):  # brackets without end
        return
    named = list(_named(found))
    yield from (value for key in KEYS for name, value in named if key in name.lower())


def _named(found: Any) -> Iterator[tuple[str, str]]:
    """Yield every text of a JSON value with its name, from the outside in."""
    level: list[Any] = [found]
    while level:
        objects = [item for item in level if isinstance(item, dict)]
        yield from ((key, text) for item in objects for key, text in item.items() if isinstance(text, str))
        inner = [value for item in objects for value in item.values()]
        level = inner + [value for item in level if isinstance(item, list) for value in item]


def _clean(text: str) -> str:
    found = _ITEM.sub("", text.strip()).strip(_EDGES).strip()
    lead = _LEAD.search(found)
    if lead is not None:
        found = lead[1].strip(_EDGES)
    found = found.removesuffix(".").rstrip(_EDGES)
    return found[1:-1] if found.startswith("(") and found.endswith(")") else found


def _looks_like_one(word: str) -> bool:
    """Whether a word among others is no word of a language: it shows bonds, branches or rings, or a chain."""
    return (len(word) > 3 and _SIGNS_OF_BONDS.search(word) is not None) or _CHAIN.fullmatch(word) is not None


def is_molecule(text: str) -> bool:
    """Whether a text follows SMILES grammar and is no word that happens to: "I", "No", "In"."""
    from .smiles import has_smiles_syntax  # here, so that showing a task does not import RDKit

    if text == "I" or not has_smiles_syntax(text):
        return False
    bare = _BRACKETS.sub("", text)
    return not _AROMATIC.search(bare) or any(sign.isdigit() for sign in bare)  # aromatic atoms stand in rings
