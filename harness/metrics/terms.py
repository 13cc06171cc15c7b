"""What the value of one row is made of: tokens, n-grams, matched words, edits, shared features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from harness import Pairs, Score, Terms

from . import rouge, tokens
from .meteor import Aligner
from .rows import cached, shared
from .statistics import Sums

MAX_TOKENS = 80
_FIRST = np.array([0])


def token_terms(encoded: Any, tokenisation: str, pairs: Pairs) -> Terms:
    """Return the tokens of answer and reference."""
    strings = tokens.lexicon(tokenisation, pairs).strings
    found = []
    for label, side in (("answer", encoded.hypotheses), ("reference", encoded.references)):
        words = [strings[number] for number in side.take(_FIRST).ids]
        more = f" … {len(words) - MAX_TOKENS} more" if len(words) > MAX_TOKENS else ""
        found.append((f"{label} tokens", f"{len(words)}: " + " ".join(words[:MAX_TOKENS]) + more))
    return found


def bleu_terms(score: Score) -> Terms:
    """Return n-gram precisions and the brevity penalty, from the sums that the value is computed of."""
    if not isinstance(score.resample, Sums):
        return []
    sums = [int(value) for value in score.resample.rows[0]]
    order = (len(sums) - 2) // 2
    found = [(f"{n}-gram precision", f"{sums[n - 1]} of {sums[order + n - 1]}") for n in range(1, order + 1)]
    hyp, ref = sums[-2:]
    penalty = 1.0 if hyp > ref else math.exp(1 - ref / hyp) if hyp else 0.0
    return [*found, ("lengths", f"answer {hyp}, reference {ref}"), ("brevity penalty", f"{penalty:.4f}")]


def meteor_terms(encoded: Any, tokenisation: str, pairs: Pairs) -> Terms:
    """Return the words that METEOR matched, and in how many chunks."""
    strings = tokens.lexicon(tokenisation, pairs).strings
    aligner = cached(shared(pairs), ("aligner", tokenisation), lambda: Aligner(strings))
    matches, chunks = aligner.counts(encoded.paired, encoded.references)
    hyp, ref = encoded.paired.lengths, encoded.references.lengths
    return [
        ("matched words", f"{matches[0]} (equal, of one stem, or synonyms)"),
        ("precision", f"{matches[0]} of {hyp[0]}"),
        ("recall", f"{matches[0]} of {ref[0]}"),
        ("chunks of adjacent matches", f"{chunks[0]}"),
    ]


def rouge_terms(order: int, encoded: Any) -> Terms:
    """Return what ROUGE-N, or without an order ROUGE-L, found in both."""
    hyp, ref = encoded.paired, encoded.references
    if order:
        hits = encoded.matches(order, each_reference=True)[:, order - 1]
        hyp_total, ref_total = ([max(int(side.lengths[0]) - order + 1, 0)] for side in (hyp, ref))
        what = f"shared {order}-grams"
    else:
        hits, hyp_total, ref_total = rouge.lcs_lengths(hyp, ref), hyp.lengths, ref.lengths
        what = "longest common subsequence"
    return [
        (what, f"{hits[0]}"),
        ("precision", f"{hits[0]} of {hyp_total[0]}"),
        ("recall", f"{hits[0]} of {ref_total[0]}"),
    ]


def edit_terms(out: str, ref: str) -> Terms:
    """Return the edits that turn the answer into the reference."""
    steps: dict[str, int] = {"replace": 0, "insert": 0, "delete": 0}
    for step in Levenshtein.editops(out, ref):
        steps[step.tag] += 1
    return [(f"{name} characters", f"{count}") for name, count in steps.items()]


def fingerprint_terms(left: Any, right: Any) -> Terms:
    """Return shared and own parts of two fingerprints, bits or counts."""
    if left is None or right is None:
        return [("fingerprint", "not of both sides")]
    if hasattr(left, "GetOnBits"):
        ours, theirs = set(left.GetOnBits()), set(right.GetOnBits())
        sizes: Sequence[int] = (len(ours & theirs), len(ours - theirs), len(theirs - ours))
    else:
        ours_, theirs_ = left.GetNonzeroElements(), right.GetNonzeroElements()
        both = sum(min(count, theirs_.get(key, 0)) for key, count in ours_.items())
        sizes = (both, sum(ours_.values()) - both, sum(theirs_.values()) - both)
    names = ("shared features", "only in the answer", "only in the reference")
    return [(name, f"{size}") for name, size in zip(names, sizes, strict=True)]
