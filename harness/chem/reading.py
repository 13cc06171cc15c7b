"""A molecule read out of what a chat model says around it.

Version 1. An answer that is one word is taken as it stands. Else, in this order: a JSON object or a code
block gives what is in it; then what stands in back quotes, bold or quotes, after a lead-in such as
"The SMILES is", or alone on a line. The first of these that is a SMILES is the answer; without one it is
what was said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

VERSION = "1"
KEYS = ("smiles", "molecule", "answer", "output", "result")
_FENCE = re.compile(r"```[\w-]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_MARKED = re.compile(r"`([^`\n]+)`|\*\*([^*\n]+)\*\*|\"([^\"\n]+)\"|'([^'\n]+)'|“([^”\n]+)”|<([^<>\s]+)>")
_LEAD = re.compile(
    r"(?:SMILES|molecule|structure|answer|compound|string|notation)[^\n:]{0,60}?"
    r"(?:\bis\b|\bwould be\b|[:=])[\s:=]*(\S+)",
    re.IGNORECASE,
)
_EDGES = "\"'`“”*,;:!"


def read_molecule(text: str) -> str:
    """Return the SMILES that a text holds, or the text itself without space around it."""
    said = text.strip()
    if not re.search(r"\s", said) and not said.startswith(("{", "`", "*", '"', "'", "<", "“")):
        return said.removesuffix(".") if _is_molecule(said.removesuffix(".")) else said
    return next((found for found in map(_clean, _candidates(said)) if _is_molecule(found)), said)


def _candidates(said: str) -> Iterator[str]:
    yield from _of_json(said)
    for block in _FENCE.findall(said):
        yield from _of_json(block)
        yield from block.split("\n")
    for groups in _MARKED.findall(said):
        yield from filter(None, groups)
    yield from _LEAD.findall(said)
    yield from said.split("\n")


def _of_json(text: str) -> Iterator[str]:
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return
    try:
        found = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):  # brackets without end
        return
    lowered = {str(key).lower(): value for key, value in found.items()} if isinstance(found, dict) else {}
    yield from (str(lowered[key]) for key in KEYS if isinstance(lowered.get(key), str))


def _clean(text: str) -> str:
    found = text.strip().strip(_EDGES).strip()
    lead = _LEAD.search(found)
    if lead is not None and lead[1]:
        found = lead[1].strip(_EDGES)
    return found.removesuffix(".")


def _is_molecule(text: str) -> bool:
    from .smiles import has_smiles_syntax  # here, so that showing a task does not import RDKit

    # Aromatic atoms without a ring are words, such as "no" and "so".
    return has_smiles_syntax(text) and not (text.isalpha() and text.islower())
