"""How many n-grams answers share with their references: all n-grams of an order sorted together, once.

An n-gram is numbered by sorting: its key is the number of its first n - 1 tokens together with its last
token, so keys stay within 64 bits at any order and vocabulary. N-grams that only one side has cannot
grow into shared ones and fall out before the next order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .rows import Ints
from .tokens import Tokens, joined

# Tokens counted together: they bound memory, and so few stay in the processor's cache.
_TOKENS = 1 << 15


def matches(hypotheses: Tokens, references: Tokens, owners: Ints, order: int) -> Ints:
    """Return the clipped matches of each row (rows x order), for n = 1 … order.

    Row i is answer i with every reference whose owner is i; owners ascend.
    """
    rows = len(hypotheses.bounds) - 1
    found = np.zeros((rows, order), dtype=np.int64)
    first = np.searchsorted(owners, np.arange(rows + 1))
    total = hypotheses.bounds + references.bounds[first]
    for start, stop in slices(total, _TOKENS):
        part = owners[first[start] : first[stop]] - start
        both = joined(hypotheses.part(start, stop), references.part(int(first[start]), int(first[stop])))
        found[start:stop] = _count(both, np.concatenate((np.arange(stop - start), part)), stop - start, order)
    return found


def _count(texts: Tokens, row: Ints, rows: int, order: int) -> Ints:
    """Count the matches of the first `rows` texts, the answers, with the texts that follow."""
    found = np.zeros((rows, order), dtype=np.int64)
    unit = texts.owners()
    several = len(row) > 2 * rows
    left = texts.bounds[1:][unit] - np.arange(len(unit))  # tokens up to the end of the text
    at, gram = np.arange(len(unit)), row[unit]
    for n in range(order):
        if not len(at):
            break
        at, gram, starts = _numbered(at, gram, texts.ids[at + n])
        sizes = np.diff(starts, append=len(at))
        so_far = np.cumsum((at < texts.bounds[rows]).astype(np.int64))[starts + sizes - 1]
        answered = np.diff(so_far, prepend=0)
        referred = _largest(gram, unit[at], rows, len(starts)) if several else sizes - answered
        common = np.minimum(answered, referred)
        found[:, n] = np.bincount(row[unit[at[starts]]], weights=common, minlength=rows)
        on = np.flatnonzero(np.repeat(common > 0, sizes) & (left[at] > n + 1))
        at, gram = at[on], gram[on]
    return found


def _numbered(at: Ints, gram: Ints, token: Ints) -> tuple[Ints, Ints, Ints]:
    """Number n-grams of which the first n - 1 tokens are numbered already.

    Return the positions, those of equal n-grams together; the number of each; and where each starts.
    """
    key = (gram << int(token.max()).bit_length()) | token
    spare = int(at.max()).bit_length()
    if int(key.max()).bit_length() + spare <= 63:
        # Sorting plain numbers is several times as fast as finding out the order of others.
        packed = np.sort((key << spare) | at)
        at, key = packed & ((1 << spare) - 1), packed >> spare
    else:
        order = np.argsort(key)
        at, key = at[order], key[order]
    new = np.append(True, key[1:] != key[:-1])
    return at, np.cumsum(new.astype(np.int64)) - 1, np.flatnonzero(new)


def _largest(group: Ints, unit: Ints, rows: int, groups: int) -> Ints:
    """Return for each n-gram its largest count in any one reference."""
    of_references = unit >= rows
    runs, counts = np.unique((group[of_references] << 32) | unit[of_references], return_counts=True)
    largest = np.zeros(groups, dtype=np.int64)
    np.maximum.at(largest, runs >> 32, counts)
    return largest


def distinct(texts: Tokens, order: int) -> int:
    """Return the number of different n-grams of all texts together."""
    left = np.repeat(texts.bounds[1:], texts.lengths) - np.arange(len(texts.ids))
    at = np.flatnonzero(left >= order)
    gram, starts = np.zeros_like(at), at
    for n in range(order if len(at) else 0):
        at, gram, starts = _numbered(at, gram, texts.ids[at + n])
    return len(starts)


def totals(texts: Tokens, order: int) -> list[Ints]:
    """Return for n = 1 … order the number of n-grams of each text."""
    return [np.maximum(texts.lengths - n, 0) for n in range(order)]


def slices(ends: Ints, most: int, rows: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield stretches of rows, of at most `most` tokens (but one row) and `rows` rows each.

    `ends` is where each row starts and the last one ends, in tokens.
    """
    start = 0
    while start < len(ends) - 1:
        stop = int(np.searchsorted(ends, ends[start] + most, side="right")) - 1
        stop = min(max(stop, start + 1), len(ends) - 1, start + rows if rows else len(ends))
        yield start, stop
        start = stop
