"""Which English words WordNet 3.0 holds for synonyms, from a compact table that ships with the package.

METEOR's last stage asks one question: given the stem of a word, which single words share a synset with
it? `synonyms` answers it as WordNet does: exception lists and endings first (WordNet's `morphy`, one
pass, each part of speech on its own), then all synsets of every form found. The table holds lower-case
single words only, because nothing else can equal a lower-cased token. LICENSE beside this file is
WordNet's; `build.py` derives the table from Princeton's database files.
"""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("synonyms.z")
POS = ("noun", "verb", "adj", "adv")

# Endings that may be taken off a word to find the form that WordNet lists.
ENDINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "noun": (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "verb": (
        ("s", ""),
        ("ies", "y"),
        ("es", "e"),
        ("es", ""),
        ("ed", "e"),
        ("ed", ""),
        ("ing", "e"),
        ("ing", ""),
    ),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}
_BY_LAST = {
    (pos, letter): tuple(rule for rule in ENDINGS[pos] if rule[0][-1] == letter)
    for pos in POS
    for letter in {old[-1] for old, _ in ENDINGS[pos]}
}


def synonyms(word: str) -> frozenset[str]:
    """Return the single words that share a synset with any form of `word`, without the word itself."""
    tables = _tables()
    found: set[str] = set()
    for pos in POS:
        words, exceptions = tables[pos]
        if word in exceptions:
            forms = [word, *exceptions[word].split(" ")]
        else:
            rules = _BY_LAST.get((pos, word[-1:]), ())
            forms = [word, *(word[: -len(old)] + new for old, new in rules if word.endswith(old))]
        for form in forms:
            names = words.get(form)
            if names is not None:
                # A leading "!" marks a word that WordNet spells with capitals: found, but not its own name.
                found.update(names[1:].split(" ") if names[:1] == "!" else (form, *names.split(" ")))
    return frozenset(found - {word, ""})


@cache
def _tables() -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    blocks = zlib.decompress(TABLE.read_bytes()).decode("ascii").split("\f")
    pairs = [
        dict(zip(*(column.split("\n") for column in block.split("\v")), strict=True)) for block in blocks
    ]
    return {pos: (pairs[2 * i], pairs[2 * i + 1]) for i, pos in enumerate(POS)}
