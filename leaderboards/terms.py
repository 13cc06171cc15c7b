"""What a metric's value of one row is made of, in the metric's own terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness import Metric, Pairs, Score
from harness.metrics.rows import cached, shared
from harness.metrics.statistics import Sums

MAX_TOKENS = 80
Terms = list[tuple[str, str]]


def terms(metric: Metric, pairs: Pairs, score: Score) -> Terms:
    """Return the terms of the one row in `pairs`; a metric that is not known here has only its details."""
    # Here, because molecules must be explained where nothing of text is asked, and the other way around.
    from harness.metrics import text

    if isinstance(metric, text.TextMetric) and metric.tokenisation and score.value is not None:
        encoded = text.encode(pairs, metric.tokenisation)
        read = _tokens(encoded, metric.tokenisation, pairs)
        if metric.measure is text.bleu:
            return [*read, *_bleu(score)]
        if metric.measure is text.meteor_mean:
            return [*read, *_meteor(encoded, metric.tokenisation, pairs)]
        if metric.measure in (text.rouge_n, text.rouge_l_mean):
            return [*read, *_rouge(metric, encoded)]
    return _molecular(metric, pairs, score) or [(key, f"{value}") for key, value in score.details.items()]


def _tokens(encoded: Any, tokenisation: str, pairs: Pairs) -> Terms:
    from harness.metrics import tokens

    strings = tokens.lexicon(tokenisation, pairs).strings
    found = []
    for label, side in (("answer", encoded.hypotheses), ("reference", encoded.references)):
        words = [strings[number] for number in side.take(_first()).ids]
        more = f" … {len(words) - MAX_TOKENS} more" if len(words) > MAX_TOKENS else ""
        found.append((f"{label} tokens", f"{len(words)}: " + " ".join(words[:MAX_TOKENS]) + more))
    return found


def _first() -> Any:
    import numpy as np

    return np.array([0])


def _bleu(score: Score) -> Terms:
    """Return n-gram precisions and the brevity penalty, from the sums that the value is computed of."""
    if not isinstance(score.resample, Sums):
        return []
    sums = [int(value) for value in score.resample.rows[0]]
    order = (len(sums) - 2) // 2
    found = [(f"{n}-gram precision", f"{sums[n - 1]} of {sums[order + n - 1]}") for n in range(1, order + 1)]
    hyp, ref = sums[-2:]
    penalty = 1.0 if hyp > ref else math.exp(1 - ref / hyp) if hyp else 0.0
    return [*found, ("lengths", f"answer {hyp}, reference {ref}"), ("brevity penalty", f"{penalty:.4f}")]


def _meteor(encoded: Any, tokenisation: str, pairs: Pairs) -> Terms:
    from harness.metrics import tokens
    from harness.metrics.meteor import Aligner

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


def _rouge(metric: Any, encoded: Any) -> Terms:
    from harness.metrics import rouge

    hyp, ref = encoded.paired, encoded.references
    if metric.order:
        hits = encoded.matches(metric.order, each_reference=True)[:, metric.order - 1]
        hyp_total, ref_total = ([max(int(side.lengths[0]) - metric.order + 1, 0)] for side in (hyp, ref))
        what = f"shared {metric.order}-grams"
    else:
        hits, hyp_total, ref_total = rouge.lcs_lengths(hyp, ref), hyp.lengths, ref.lengths
        what = "longest common subsequence"
    return [
        (what, f"{hits[0]}"),
        ("precision", f"{hits[0]} of {hyp_total[0]}"),
        ("recall", f"{hits[0]} of {ref_total[0]}"),
    ]


def _molecular(metric: Metric, pairs: Pairs, score: Score) -> Terms:
    from harness.metrics import chemistry
    from harness.metrics.molecules import answers, store, targets

    (out,), (ref,) = answers(pairs), targets(pairs)
    if isinstance(metric, chemistry.SmilesBleu):
        return _bleu(score)
    if isinstance(metric, chemistry.EditDistance):
        return _edits(out, ref)
    molecules = store(pairs)
    if isinstance(metric, chemistry.Validity):
        return [("RDKit", "reads a molecule" if molecules[out].valid else "reads no molecule")]
    if isinstance(metric, chemistry.SameMolecule):
        sides = (("answer", out), ("reference", ref))
        return [
            (f"{metric.question} of the {label}", f"{molecules.ask(text, metric.question)}")
            for label, text in sides
        ]
    if isinstance(metric, chemistry.Similarity):
        return _bits(molecules.ask(out, metric.kind), molecules.ask(ref, metric.kind))
    return []


def _edits(out: str, ref: str) -> Terms:
    from rapidfuzz.distance import Levenshtein

    steps: dict[str, int] = {"replace": 0, "insert": 0, "delete": 0}
    for step in Levenshtein.editops(out, ref):
        steps[step.tag] += 1
    return [(f"{name} characters", f"{count}") for name, count in steps.items()]


def _bits(left: Any, right: Any) -> Terms:
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
