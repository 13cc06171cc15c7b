"""LPM-24's properties: which of 3,447 named properties captions speak of, and of which held-out pairs.

A caption has a property when the SciBERT pieces of the property's name occur in it one after the other.
The property tree and the list of held-out pairs are LPM-24's own files; they are found by their digest,
as the SciBERT vocabulary is.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from harness import DataError, MissingDependency, Pairs, Score

from . import tokens, vocab
from .rows import cached, first_references, outputs, shared, undefined
from .statistics import Floats, Sums
from .tokens import WordPieces
from .vocab import Vocabulary

TREE = Vocabulary(
    "LPM-24 property tree",
    "f15f3eac1b0e8afdca268fd3c26af5cb148beac0adfd0e74ae26449c4ed4c519",
    "nested_props.json",
    "language-plus-molecules/LPM-24_eval-caption",
    "lpm24",
)
COMBOS = Vocabulary(
    "LPM-24 list of held-out property pairs",
    "e8945724cd481fbdd30502a109161cb938d3a573a52c24c2df3b08d787f9ad3e",
    "withheld_combos.txt",
    "language-plus-molecules/LPM-24_eval-caption",
    "lpm24/final_evaluation/captioning",
)
Group = dict[str, list[str]]  # "" holds the leaves that stand directly under the top


class Matcher:
    """Finds phrases in captions by their SciBERT pieces; captions seen before are not searched again."""

    def __init__(self, pieces: WordPieces, phrases: Iterable[str]) -> None:
        """Take the phrases to look for."""
        self._pieces = pieces
        ordered = tuple(dict.fromkeys(phrase.lower() for phrase in phrases))
        cut = pieces.pieces(ordered)
        bounds, ids = cut.bounds.tolist(), cut.ids.tolist()
        self.number: dict[str, int] = {}
        self._by_first: dict[int, dict[int, dict[tuple[int, ...], int]]] = defaultdict(dict)
        known: dict[tuple[int, ...], int] = {}
        for i, phrase in enumerate(ordered):
            pattern = tuple(ids[bounds[i] : bounds[i + 1]])
            self.number[phrase] = known.setdefault(pattern, len(known))
            self._by_first[pattern[0]].setdefault(len(pattern), {})[pattern] = known[pattern]
        self.size = len(known)
        self._found: dict[str, frozenset[int]] = {}

    def find(self, captions: Sequence[str]) -> list[frozenset[int]]:
        """Return the numbers of the phrases in each caption."""
        lowered = [caption.lower() for caption in captions]
        new = tuple(dict.fromkeys(c for c in lowered if c not in self._found))
        cut = self._pieces.pieces(new)
        bounds, ids = cut.bounds.tolist(), cut.ids.tolist()
        for i, caption in enumerate(new):
            self._found[caption] = self._search(ids[bounds[i] : bounds[i + 1]])
        return [self._found[caption] for caption in lowered]

    def _search(self, ids: list[int]) -> frozenset[int]:
        found = []
        for start, first in enumerate(ids):
            for size, patterns in self._by_first.get(first, {}).items():
                number = patterns.get(tuple(ids[start : start + size]))
                if number is not None:
                    found.append(number)
        return frozenset(found)


class Lpm24:
    """The property tree and the held-out pairs, ready for matching."""

    def __init__(self, pieces: WordPieces, tree: Path, combos: Path) -> None:
        """Read both files."""
        self.tree = _read_tree(tree)
        pairs = _read_pairs(combos)
        self.leaves = [(name, name.rsplit("__", 1)[-1]) for name in _names(self.tree)]
        paired = dict.fromkeys(chain.from_iterable(pairs))
        self.matcher = Matcher(pieces, [*(leaf for _, leaf in self.leaves), *paired])
        self.combos = len(pairs)
        self._partners: dict[int, list[tuple[int, int]]] = defaultdict(list)
        number = {name: self.matcher.number[name.lower()] for name in paired}
        for i, (a, b) in enumerate(pairs):
            self._partners[number[a]].append((number[b], i))
        self._combos_of: dict[frozenset[int], frozenset[int]] = {}

    def means(self, values: Floats) -> dict[str, Floats]:
        """Return the means up the tree of each line of values, one a property and NaN where undefined."""
        table: dict[str, Floats] = {}
        for top, group in self.tree.items():
            members = []
            for sub, names in group.items():
                chosen = values[:, [self.matcher.number[name.lower()] for name in dict.fromkeys(names)]]
                if sub:
                    table[f"{top}__{sub}"] = _means(chosen)
                    chosen = table[f"{top}__{sub}"][:, None]
                members.append(chosen)
            table[top] = _means(np.concatenate(members, axis=1))
        table["Overall"] = _means(np.stack([table[top] for top in self.tree], axis=1))
        return table

    def combos_in(self, found: frozenset[int]) -> frozenset[int]:
        """Return the lines of the list whose two properties are both there."""
        if found not in self._combos_of:
            self._combos_of[found] = frozenset(
                line for a in found for b, line in self._partners.get(a, ()) if b in found
            )
        return self._combos_of[found]


# A line holds a pair as Python spells a tuple of two strings, a tab and a count; none needs an escape.
_PAIR = re.compile(r"""^\((?:'([^']*)'|"([^"]*)"), (?:'([^']*)'|"([^"]*)")\)\t""", re.MULTILINE)


def _read_pairs(path: Path) -> list[tuple[str, str]]:
    found = _PAIR.findall(path.read_text(encoding="utf-8"))
    return [(a or b, c or d) for a, b, c, d in found]


def _read_tree(path: Path) -> dict[str, Group]:
    tree: dict[str, Group] = {}
    for top, children in json.loads(path.read_text(encoding="utf-8")).items():
        group: Group = {"": [child for child in children if isinstance(child, str)]}
        for child in children:
            if not isinstance(child, str):
                group.update(child)
        tree[top] = group
    return tree


def _names(tree: Mapping[str, Group]) -> list[str]:
    names = (
        f"{top}__{sub}__{leaf}" if sub else f"{top}__{leaf}"
        for top, group in tree.items()
        for sub, leaves in group.items()
        for leaf in leaves
    )
    return list(dict.fromkeys(names))


def lpm24(pairs: Pairs) -> Lpm24:
    """Return what the metrics of a scoring share; an absent file says what to place where."""

    def make() -> Lpm24:
        words = tokens.lexicon("scibert", pairs)
        assert isinstance(words, WordPieces)
        return Lpm24(words, vocab.find(TREE, pairs.vocab), vocab.find(COMBOS, pairs.vocab))

    return cached(shared(pairs), "lpm24", make)


def found(pairs: Pairs) -> tuple[list[frozenset[int]], list[frozenset[int]]]:
    """Return the properties in each reference and in each answer."""
    matcher = lpm24(pairs).matcher
    return cached(
        pairs.cache,
        "lpm24-found",
        lambda: (matcher.find(first_references(pairs)), matcher.find(outputs(pairs))),
    )


def _means(values: Floats) -> Floats:
    """Return the mean of each line's defined values; without any it counts as 1, as LPM-24 has it."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    return np.where(count > 0, np.where(defined, values, 0).sum(axis=1) / np.maximum(count, 1), 1.0)


@dataclass(frozen=True, slots=True)
class Properties:
    """LPM-24's overall property F1: a mean of means up the property tree."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return Overall F-1; precision, recall and F1 of every category are details."""
        try:
            task = lpm24(pairs)
        except (DataError, MissingDependency) as error:
            return undefined(self.name, len(pairs), f"{error.message}; {error.hint}")
        if not len(pairs):
            return undefined(self.name, 0, "no rows")
        details = property_table(pairs, task)
        return Score(self.name, details["F-1 Overall"], len(pairs), details=details)


def property_table(pairs: Pairs, task: Lpm24) -> dict[str, float]:
    """Return the four measures of every category, such as "F-1 Biomedical__cancer"."""
    gold, said = found(pairs)
    both = [g & s for g, s in zip(gold, said, strict=True)]
    there, chosen, right = (_count(task.matcher.size, rows) for rows in (gold, said, both))
    measures = leaf_measures(there, chosen, right, len(gold))
    return {
        f"{part} {group}": float(value)
        for part, values in measures.items()
        for group, (value,) in task.means(values[None]).items()
    }


def leaf_measures(there: Floats, chosen: Floats, right: Floats, rows: int) -> dict[str, Floats]:
    """Return accuracy, precision, recall and F1 of every property from its counts, NaN where it is 0/0."""
    return {
        "Accuracy": (rows - there - chosen + 2 * right) / rows,
        "Precision": ratio(right, chosen),
        "Recall": ratio(right, there),
        "F-1": ratio(2 * right, there + chosen),
    }


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return shares, NaN of nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(part / whole, dtype=np.float64)


def _count(size: int, rows: list[frozenset[int]]) -> Floats:
    numbers = np.fromiter((number for row in rows for number in row), dtype=np.int64)
    return np.bincount(numbers, minlength=size).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Combos:
    """LPM-24's F1 of held-out property pairs, over all rows and pairs together."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return F-1; accuracy, precision, recall and the four counts are details."""
        try:
            task = lpm24(pairs)
        except (DataError, MissingDependency) as error:
            return undefined(self.name, len(pairs), f"{error.message}; {error.hint}")
        gold, said = ([task.combos_in(row) for row in side] for side in found(pairs))
        rows = np.array(
            [(len(g & s), len(g), len(s)) for g, s in zip(gold, said, strict=True)], dtype=np.float64
        )
        right, there, chosen = (int(n) for n in rows.reshape(-1, 3).sum(axis=0))
        total = task.combos * len(gold)
        details = {
            "Combo Accuracy": (total - there - chosen + 2 * right) / total if total else None,
            "Combo Precision": right / chosen if chosen else None,
            "Combo Recall": right / there if there else None,
            "TP": float(right),
            "TN": float(total - there - chosen + right),
            "FP": float(chosen - right),
            "FN": float(there - right),
        }
        if not there + chosen:
            return undefined(self.name, len(pairs), "no row has a held-out pair", details=details)
        value = 2 * right / (there + chosen)
        return Score(self.name, value, len(pairs), details=details, resample=Sums(rows, _f1))


def _f1(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * sums[:, 0] / (sums[:, 1] + sums[:, 2]), dtype=np.float64)


lpm24_properties = Properties("lpm24-properties")
lpm24_combos = Combos("lpm24-combos")
