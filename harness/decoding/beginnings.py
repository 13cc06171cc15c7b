"""What prompts that begin alike share is read once: system prompts, evidence, earlier turns, examples."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress, pairwise
from typing import Any

from .rows import Beginning, Prompt

Opening = tuple[str | int, ...]  # the adapter that reads a prompt, and the tokens that it begins with
LEAST = 64  # tokens; fewer are read again, since what was read before costs a pass of its own


class Beginnings:
    """Beginnings that were read, up to so many bytes; what was not used for longest goes first."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._bytes = 0
        self._kept: dict[Opening, list[Beginning]] = {}  # the latest used last, of each opening and of all

    def longest(self, prompt: Prompt, adapter: str, *, hidden: bool) -> Beginning | None:
        """Return the longest beginning of a prompt that was read before, and is worth to be used."""
        opened = opening(prompt, adapter)
        found = [
            (common(prompt, kept.tokens), place)
            for place, kept in enumerate(self._kept.get(opened, ()))
            if not (hidden and kept.hidden is None)
        ]
        length, best = max(found, default=(0, 0))
        length = min(length, len(prompt["input_ids"]) - 1)  # the last token is read for its logits
        if length < LEAST:
            return None
        alike = self._kept.pop(opened)
        used = alike.pop(best)
        self._kept[opened] = [*alike, used]
        return used.cut(length)

    def keep(self, beginning: Beginning) -> None:
        """Keep a beginning, in place of those that it begins with itself."""
        whole, opened = beginning.tokens, opening(beginning.tokens, beginning.adapter)
        alike = self._kept.pop(opened, [])
        stays = [common(whole, kept.tokens) < kept.length for kept in alike]
        self._kept[opened] = [*compress(alike, stays), beginning]
        self._bytes += beginning.bytes
        self._bytes -= sum(kept.bytes for kept, stay in zip(alike, stays, strict=True) if not stay)
        while self._bytes > self.most_bytes:
            oldest = next(iter(self._kept))
            self._bytes -= self._kept[oldest].pop(0).bytes
            if not self._kept[oldest]:
                del self._kept[oldest]

    def clear(self) -> None:
        """Give all up."""
        self._kept.clear()
        self._bytes = 0


def opening(prompt: Prompt, adapter: str) -> Opening:
    """Return what prompts have in common where one can use what was read of the other."""
    return adapter, *prompt["input_ids"][:LEAST]


def common(one: Prompt, other: Prompt) -> int:
    """Return how many tokens two prompts begin with alike; 0 where they are fewer than are worth it."""
    if one.keys() != other.keys() or one["input_ids"][:LEAST] != other["input_ids"][:LEAST]:
        return 0
    return min(_alike(one[name], other[name]) for name in one)


def _alike(one: Sequence[Any], other: Sequence[Any]) -> int:
    sure, most = 0, min(len(one), len(other))
    while sure < most:  # comparing slices is far faster than comparing tokens
        middle = (sure + most + 1) // 2
        if one[sure:middle] == other[sure:middle]:
            sure = middle
        else:
            most = middle - 1
    return sure


def in_turn(prompts: Sequence[Prompt]) -> list[int]:
    """Return the places of prompts in the order to read them: longest first, but alike ones together."""
    order = sorted(range(len(prompts)), key=lambda place: list(prompts[place]["input_ids"]))
    shared = [common(prompts[one], prompts[other]) for one, other in pairwise(order)]
    return _arranged(prompts, order, shared, 0)


def alike(prompts: Sequence[Prompt]) -> list[tuple[list[int], int]]:
    """Part prompts into those that share a beginning; return their places and how many tokens they share.

    Those that share none with others come together, with 0.
    """
    order = sorted(range(len(prompts)), key=lambda place: list(prompts[place]["input_ids"]))
    found: list[tuple[list[int], int]] = []
    for place in order:
        most = len(prompts[place]["input_ids"]) - 1  # the last token is read for its logits
        if found:
            others, known = found[-1]
            shared = min(known, most, common(prompts[others[-1]], prompts[place]))
            # a beginning is not given up for one that is much shorter
            if shared >= LEAST and (len(others) == 1 or 2 * shared >= known):
                found[-1] = ([*others, place], shared)
                continue
        found.append(([place], most))
    alone = [places[0] for places, _ in found if len(places) == 1]
    several = [(places, shared) for places, shared in found if len(places) > 1]
    return [*several, *([(alone, 0)] if alone else [])]


def _arranged(prompts: Sequence[Prompt], order: list[int], shared: list[int], known: int) -> list[int]:
    """Arrange prompts, in alphabetical order, which share `known` tokens; `shared` is between neighbours."""
    runs: list[list[int]] = []
    start = 0
    for end in range(1, len(order) + 1):
        if end < len(order) and shared[end - 1] >= known + LEAST:
            continue
        run, inner = order[start:end], shared[start : end - 1]
        runs.append(_arranged(prompts, run, inner, min(inner)) if inner else run)
        start = end
    # the first of a run is its longest; those of one length stay in the order they came in
    runs.sort(key=lambda run: (-len(prompts[run[0]]["input_ids"]), run[0]))
    return [place for run in runs for place in run]
