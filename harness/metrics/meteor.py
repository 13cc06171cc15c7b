"""METEOR as NLTK defines it, for many pairs at once and without NLTK or WordNet installed.

Words are aligned in three stages, each on what the last one left: equal words, equal stems, then a
reference stem that WordNet holds for a synonym of the answer's stem. In each stage the answer is read
from its last word to its first and takes the last fitting word of the reference. The first two stages
are sorts; the third touches so few words that a plain loop does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import porter
from .rows import Ints
from .tokens import Index, Tokens
from .wordnet import synonyms

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5

# Pairs aligned together, and tokens: they bound memory and keep packed keys within 63 bits.
_PAIRS = 1 << 16
_TOKENS = 1 << 20


class Aligner:
    """Stems and synonyms of one tokenisation's words, each worked out when first needed."""

    def __init__(self, strings: list[str]) -> None:
        """Take the tokenisation's table of strings, which may still grow."""
        self._strings = strings
        self._words = Index()
        self._stems = Index()
        self._word_of: dict[int, int] = {}
        self._stem_of: dict[int, int] = {}
        self._synonyms_of: dict[int, frozenset[str]] = {}

    def scores(self, hypotheses: Tokens, references: Tokens) -> list[float]:
        """Return the METEOR of each pair of texts."""
        columns = (*self.counts(hypotheses, references), hypotheses.lengths, references.lengths)
        return [_score(*sizes) for sizes in zip(*(column.tolist() for column in columns), strict=True)]

    def counts(self, hypotheses: Tokens, references: Tokens) -> tuple[Ints, Ints]:
        """Return for each pair of texts its matched words, and the chunks of adjacent ones they form."""
        hyp, ref = self._lowered(hypotheses), self._lowered(references)
        matches = np.zeros(len(hyp.bounds) - 1, dtype=np.int64)
        chunks = np.zeros_like(matches)
        for start, stop in _slices(hyp, ref):
            matches[start:stop], chunks[start:stop] = self._align(
                _part(hyp, start, stop), _part(ref, start, stop)
            )
        return matches, chunks

    def _lowered(self, tokens: Tokens) -> Tokens:
        """Number tokens by their lower-cased string."""
        return Tokens(_renumber(tokens.ids, self._word_of, self._word), tokens.bounds)

    def _word(self, token: int) -> int:
        return self._words[self._strings[token].lower()]

    def _stem(self, word: int) -> int:
        return self._stems[porter.stem(self._words.strings[word])]

    def _align(self, hyp: Tokens, ref: Tokens) -> tuple[Ints, Ints]:
        """Return for each pair the number of matched words and of chunks they form."""
        pairs = len(hyp.bounds) - 1
        exact, left_hyp, left_ref = _match(_Side.of(hyp), _Side.of(ref))
        stemmed, left_hyp, left_ref = _match(self._stemmed(left_hyp), self._stemmed(left_ref))
        related = self._related(left_hyp, left_ref)
        pair, h, r = (np.concatenate(column) for column in zip(exact, stemmed, related, strict=True))
        matches = np.bincount(pair, minlength=pairs)
        order = np.argsort((pair << 32) | h)
        pair, h, r = pair[order], h[order], r[order]
        breaks = (pair[1:] == pair[:-1]) & ~((h[1:] == h[:-1] + 1) & (r[1:] == r[:-1] + 1))
        chunks = (matches > 0) + np.bincount(pair[1:][breaks], minlength=pairs)
        return matches, chunks

    def _stemmed(self, side: _Side) -> _Side:
        return _Side(side.pair, side.position, _renumber(side.word, self._stem_of, self._stem))

    def _related(self, hyp: _Side, ref: _Side) -> tuple[Ints, Ints, Ints]:
        """Match leftover stems through WordNet, pair by pair."""
        wanted = {self._stems.strings[stem] for stem in _used(ref.word)}
        links = {
            stem: [self._stems[name] for name in names]
            for stem in _used(hyp.word)
            if (names := self._synonyms(stem) & wanted)
        }
        asking = np.flatnonzero(np.isin(hyp.word, list(links)))
        asked = {(pair, stem) for pair, word in _rows(hyp, asking) for stem in links[word]}
        bits = len(self._stems).bit_length()
        keys = np.array([(pair << bits) | stem for pair, stem in asked], dtype=np.int64)
        offered = np.flatnonzero(np.isin((ref.pair << bits) | ref.word, keys))
        free: dict[tuple[int, int], list[int]] = defaultdict(list)
        for at, row in zip(ref.position[offered].tolist(), _rows(ref, offered), strict=True):
            free[row].append(at)
        found: list[tuple[int, int, int]] = []
        rows = zip(_rows(hyp, asking), hyp.position[asking].tolist(), strict=True)
        for (pair, word), position in reversed(list(rows)):
            last = [(free[pair, stem][-1], stem) for stem in links[word] if free.get((pair, stem))]
            if last:
                found.append((pair, position, free[pair, max(last)[1]].pop()))
        columns = np.array(found, dtype=np.int64).reshape(-1, 3).T
        return columns[0], columns[1], columns[2]

    def _synonyms(self, stem: int) -> frozenset[str]:
        if stem not in self._synonyms_of:
            self._synonyms_of[stem] = synonyms(self._stems.strings[stem])
        return self._synonyms_of[stem]


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Words that are still free on one side, by pair and position."""

    pair: Ints
    position: Ints
    word: Ints

    @classmethod
    def of(cls, tokens: Tokens) -> _Side:
        position = np.arange(len(tokens.ids)) - np.repeat(tokens.bounds[:-1], tokens.lengths)
        return cls(tokens.owners(), position, tokens.ids)

    def without(self, taken: Ints) -> _Side:
        free = np.ones(len(self.word), dtype=bool)
        free[taken] = False
        return _Side(self.pair[free], self.position[free], self.word[free])


def _match(hyp: _Side, ref: _Side) -> tuple[tuple[Ints, Ints, Ints], _Side, _Side]:
    """Match equal words, last to last; return the matches and what stays free on each side."""
    bits = int(max(hyp.word.max(initial=0), ref.word.max(initial=0))).bit_length()
    hyp_keys, hyp_at, hyp_starts, hyp_counts = _groups(hyp, bits)
    ref_keys, ref_at, ref_starts, ref_counts = _groups(ref, bits)
    place = np.searchsorted(ref_keys, hyp_keys)
    common = np.flatnonzero(np.append(ref_keys, -1)[place] == hyp_keys)
    place = place[common]
    counts = np.minimum(hyp_counts[common], ref_counts[place])
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    h = hyp_at[np.repeat(hyp_starts[common], counts) + nth]
    r = ref_at[np.repeat(ref_starts[place], counts) + nth]
    return (hyp.pair[h], hyp.position[h], ref.position[r]), hyp.without(h), ref.without(r)


def _groups(side: _Side, bits: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Group a side's words by pair and word, last first: keys, members, and each group's start and size."""
    size = len(side.word)
    spare = size.bit_length()
    packed = np.sort((((side.pair << bits) | side.word) << spare) | (size - 1 - np.arange(size)))
    grouped = packed >> spare
    starts = np.flatnonzero(np.append(True, grouped[1:] != grouped[:-1])) if size else np.zeros(0, np.int64)
    return grouped[starts], size - 1 - (packed & ((1 << spare) - 1)), starts, np.diff(np.append(starts, size))


def _used(numbers: Ints) -> list[int]:
    return np.flatnonzero(np.bincount(numbers)).tolist() if len(numbers) else []


def _renumber(numbers: Ints, known: dict[int, int], new: Callable[[int], int]) -> Ints:
    """Replace each number by what is known for it, asking `new` once for those that are not."""
    table = np.zeros(int(numbers.max(initial=0)) + 1, dtype=np.int64)
    used = _used(numbers)
    for number in used:
        if number not in known:
            known[number] = new(number)
    table[used] = [known[number] for number in used]
    return table[numbers]


def _rows(side: _Side, chosen: Ints) -> list[tuple[int, int]]:
    return list(zip(side.pair[chosen].tolist(), side.word[chosen].tolist(), strict=True))


def _slices(hyp: Tokens, ref: Tokens) -> list[tuple[int, int]]:
    """Cut the pairs where either their number or their tokens would grow too large."""
    total = hyp.bounds + ref.bounds
    cuts, start = [], 0
    while start < len(total) - 1:
        stop = int(np.searchsorted(total, total[start] + _TOKENS, side="right")) - 1
        stop = min(max(stop, start + 1), start + _PAIRS, len(total) - 1)
        cuts.append((start, stop))
        start = stop
    return cuts


def _part(tokens: Tokens, start: int, stop: int) -> Tokens:
    bounds = tokens.bounds[start : stop + 1]
    return Tokens(tokens.ids[bounds[0] : bounds[-1]], bounds - bounds[0])


def _score(matches: int, chunks: int, hyp_length: int, ref_length: int) -> float:
    if not matches:
        return 0.0
    precision, recall = matches / hyp_length, matches / ref_length
    fmean = (precision * recall) / (ALPHA * precision + (1 - ALPHA) * recall)
    penalty: float = GAMMA * (chunks / matches) ** BETA
    return (1 - penalty) * fmean
