"""ROUGE's longest-common-subsequence parts, equal to rouge-score's."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cpdist

from .rows import Ints
from .tokens import Tokens

# Unicode has this many code points, less the surrogates; token numbers above it cannot become characters.
_CODE_POINTS = 0x110000 - 0x800


def lcs_lengths(hypotheses: Tokens, references: Tokens) -> Ints:
    """Return the length of the longest common subsequence of each pair of texts."""
    lengths = cpdist(
        _as_sequences(hypotheses), _as_sequences(references), scorer=LCSseq.similarity, dtype=np.int64
    )
    return np.asarray(lengths, dtype=np.int64)


def _as_sequences(tokens: Tokens) -> list[str] | list[list[int]]:
    """Spell each text with one character a token, which is what makes the comparison fast."""
    bounds = tokens.bounds.tolist()
    if tokens.ids.max(initial=0) >= _CODE_POINTS:
        return [tokens.ids[a:b].tolist() for a, b in pairwise(bounds)]
    codes = tokens.ids + np.where(tokens.ids >= 0xD800, 0x800, 0)
    spelled = codes.astype("<u4").tobytes().decode("utf-32-le")
    return [spelled[a:b] for a, b in pairwise(bounds)]


def union_hits(hypothesis: list[list[str]], reference: list[list[str]]) -> int:
    """Return the tokens that the sentences of both texts share in order, each token counted once."""
    left_hyp = Counter(token for sentence in hypothesis for token in sentence)
    left_ref = Counter(token for sentence in reference for token in sentence)
    hits = 0
    for sentence in reference:
        union = set().union(*(_common_positions(sentence, other) for other in hypothesis))
        for token in (sentence[i] for i in sorted(union)):
            if left_hyp[token] > 0 and left_ref[token] > 0:
                hits += 1
                left_hyp[token] -= 1
                left_ref[token] -= 1
    return hits


def _common_positions(reference: list[str], hypothesis: list[str]) -> set[int]:
    """Return the positions in the reference of one longest common subsequence: rouge-score's choice."""
    table = [[0] * (len(hypothesis) + 1)]
    for word in reference:
        above, row = table[-1], [0]
        for j, other in enumerate(hypothesis):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        table.append(row)
    i, j, found = len(reference), len(hypothesis), set()
    while i and j:
        if reference[i - 1] == hypothesis[j - 1]:
            found.add(i - 1)
            i, j = i - 1, j - 1
        elif table[i][j - 1] > table[i - 1][j]:
            j -= 1
        else:
            i -= 1
    return found
