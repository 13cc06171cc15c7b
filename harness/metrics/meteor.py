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
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from . import porter
from .ngrams import slices
from .rows import Ints, is_among
from .tokens import Index, Tokens
from .wordnet import synonyms

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5

# Pairs aligned together, and tokens: they bound memory and keep packed keys within 63 bits.
_PAIRS = 1 << 16
_TOKENS = 1 << 16

_Rows = list[tuple[int, int, int]]


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
        for start, stop in slices(hyp.bounds + ref.bounds, _TOKENS, _PAIRS):
            matches[start:stop], chunks[start:stop] = self._align(
                hyp.part(start, stop), ref.part(start, stop)
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
        asking, offered = _fitting(hyp, ref, links) if links else ([], [])
        free: dict[tuple[int, int], list[int]] = defaultdict(list)
        for pair, word, at in offered:
            free[pair, word].append(at)
        found: list[tuple[int, int, int]] = []
        for pair, word, position in reversed(asking):
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
        return self.among(free)

    def among(self, chosen: NDArray[np.bool_]) -> _Side:
        at = np.flatnonzero(chosen)
        return _Side(self.pair[at], self.position[at], self.word[at])

    def rows(self) -> _Rows:
        return list(zip(self.pair.tolist(), self.word.tolist(), self.position.tolist(), strict=True))


def _match(hyp: _Side, ref: _Side) -> tuple[tuple[Ints, Ints, Ints], _Side, _Side]:
    """Match equal words, last to last; return the matches and what stays free on each side."""
    members, starts, answered, sizes = _groups(hyp, ref)
    counts = np.minimum(answered, sizes - answered)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    h = members[np.repeat(starts, counts) + nth]
    r = members[np.repeat(starts + answered, counts) + nth] - len(hyp.word)
    return (hyp.pair[h], hyp.position[h], ref.position[r]), hyp.without(h), ref.without(r)


def _groups(hyp: _Side, ref: _Side) -> tuple[Ints, Ints, Ints, Ints]:
    """Group the words of both sides by pair and word: the answer's, then the reference's, each last first.

    Return the members, where each group starts, how many of it are the answer's, and its size.
    """
    pair, word = np.concatenate((hyp.pair, ref.pair)), np.concatenate((hyp.word, ref.word))
    n, m = len(hyp.word), len(ref.word)
    backwards = np.concatenate((np.arange(n - 1, -1, -1), np.arange(n + m - 1, n - 1, -1)))
    bits, spare = int(word.max(initial=0)).bit_length(), (n + m).bit_length()
    packed = np.sort((((pair << bits) | word) << spare) | backwards)
    key, at = packed >> spare, packed & ((1 << spare) - 1)
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
    sizes = np.diff(starts, append=len(key))
    of_answer = np.concatenate(([0], np.cumsum((at < n).astype(np.int64))))
    members = np.where(at < n, n - 1 - at, 2 * n + m - 1 - at)
    return members, starts, of_answer[starts + sizes] - of_answer[starts], sizes


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


def _fitting(hyp: _Side, ref: _Side, links: dict[int, list[int]]) -> tuple[_Rows, _Rows]:
    """Return the answer's words that are linked to a word of their own pair, and those words.

    The loop that follows is Python's, so what cannot match is sorted out here.
    """
    size = 1 + max(int(hyp.word.max()), int(ref.word.max()), *map(max, links.values()))
    line, offers = np.full(size, -1, dtype=np.int64), np.zeros(size, dtype=bool)
    line[list(links)] = np.arange(len(links))
    linked = Tokens(
        np.fromiter(chain.from_iterable(links.values()), dtype=np.int64),
        np.cumsum([0, *map(len, links.values())]),
    )
    offers[linked.ids] = True
    asking, offered = hyp.among(line[hyp.word] >= 0), ref.among(offers[ref.word])
    asked = linked.take(line[asking.word])
    bits = size.bit_length()
    keys = (asking.pair[asked.owners()] << bits) | asked.ids
    there = (offered.pair << bits) | offered.word
    met = is_among(keys, there)
    fits = np.zeros(len(asking.word), dtype=bool)
    fits[asked.owners()[met]] = True
    return asking.among(fits).rows(), offered.among(is_among(there, keys[met])).rows()


def _score(matches: int, chunks: int, hyp_length: int, ref_length: int) -> float:
    if not matches:
        return 0.0
    precision, recall = matches / hyp_length, matches / ref_length
    fmean = (precision * recall) / (ALPHA * precision + (1 - ALPHA) * recall)
    penalty: float = GAMMA * (chunks / matches) ** BETA
    return (1 - penalty) * fmean
