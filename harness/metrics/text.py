"""Metrics of generated text: BLEU, ROUGE, METEOR, chrF, sacreBLEU, exact match and distinct-n.

Each metric is a measure under a tokenisation, which its name says behind `@` (see
`harness.metrics.tokens`). All of them share tokens and n-grams through the cache of the scored rows.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness import DataError, MissingDependency, Pairs, Score, Terms

from . import ngrams, rouge, terms, tokens
from .meteor import Aligner
from .rows import Ints, cached, flat_references, outputs, references, shared, undefined
from .statistics import Floats, Sums, mean_score
from .tokens import Tokens

MOST = 4  # the longest n-grams of BLEU: its two orders share one count


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The tokens of the answers and of all references, and the n-grams that they share."""

    hypotheses: Tokens
    references: Tokens
    owners: Ints  # the row of each reference
    _found: dict[tuple[int, bool], Ints] = field(default_factory=dict)

    @property
    def paired(self) -> Tokens:
        """Return each answer once for each of its references."""
        if len(self.owners) == len(self.hypotheses.bounds) - 1:
            return self.hypotheses
        return self.hypotheses.take(self.owners)

    def matches(self, order: int, *, each_reference: bool = False) -> Ints:
        """Return the shared n-grams (rows x order): of each row, or of each single reference."""
        each_reference = each_reference and len(self.owners) != len(self.hypotheses.bounds) - 1

        def count() -> Ints:
            if each_reference:
                return ngrams.matches(self.paired, self.references, np.arange(len(self.owners)), order)
            return ngrams.matches(self.hypotheses, self.references, self.owners, order)

        return cached(self._found, (order, each_reference), count)


def encode(pairs: Pairs, tokenisation: str) -> Encoded:
    """Return the rows' tokens under a tokenisation."""

    def make() -> Encoded:
        lexicon = tokens.lexicon(tokenisation, pairs)
        texts, owners = flat_references(pairs)
        return Encoded(lexicon.encode(outputs(pairs)), lexicon.encode(texts), owners)

    return cached(pairs.cache, ("encoded", tokenisation), make)


def best_of_row(values: Sequence[float], owners: Ints, rows: int) -> list[float]:
    """Return for each row the best value among its references."""
    if len(values) == rows:
        return list(values)
    best = np.full(rows, -np.inf)
    np.maximum.at(best, owners, np.asarray(values, dtype=np.float64))
    return [float(value) for value in best]


@dataclass(frozen=True, slots=True)
class TextMetric:
    """A measure of generated text under one tokenisation, and under its name."""

    name: str
    measure: Callable[[TextMetric, Pairs], Score]
    tokenisation: str
    order: int = 0

    def __call__(self, pairs: Pairs) -> Score:
        """Return the score; a vocabulary or library that is not there leaves none, and says what to do."""
        if not len(pairs):
            return undefined(self.name, 0, "no rows")
        try:
            return self.measure(self, pairs)
        except (DataError, MissingDependency) as error:
            return undefined(self.name, len(pairs), f"{error.message}; {error.hint}")

    def explain(self, pairs: Pairs, score: Score) -> Terms:
        """Return the tokens of the one row and what they share, in the measure's own terms."""
        if not self.tokenisation or score.value is None:
            return []
        encoded = encode(pairs, self.tokenisation)
        read = terms.token_terms(encoded, self.tokenisation, pairs)
        if self.measure is bleu:
            return read + terms.bleu_terms(score)
        if self.measure is meteor_mean:
            return read + terms.meteor_terms(encoded, self.tokenisation, pairs)
        return (
            read + terms.rouge_terms(self.order, encoded) if self.measure in (rouge_n, rouge_l_mean) else []
        )


def bleu(metric: TextMetric, pairs: Pairs) -> Score:
    """Return corpus BLEU without smoothing, as nltk's `corpus_bleu` has it; single rows have no value."""
    return bleu_score(metric.name, bleu_rows(encode(pairs, metric.tokenisation), metric.order))


def bleu_score(metric: str, rows: Floats) -> Score:
    """Return corpus BLEU with what resampling needs."""
    value = bleu_value(rows.sum(axis=0).tolist())
    return Score(metric, value, len(rows), resample=Sums(rows, bleu_values))


def bleu_rows(encoded: Encoded, order: int) -> Floats:
    """Return for each row its matches and n-grams of every order, its length and its reference's length."""
    hypotheses = encoded.hypotheses
    matches = encoded.matches(MOST)[:, :order]
    totals = [np.maximum(total, 1) for total in ngrams.totals(hypotheses, order)]
    lengths = [hypotheses.lengths, _closest_lengths(encoded)]
    return np.column_stack([matches, *totals, *lengths]).astype(np.float64)


def _closest_lengths(encoded: Encoded) -> Ints:
    """Return the length of the reference nearest to the answer's, the shorter of two as near."""
    lengths, hyp = encoded.references.lengths, encoded.hypotheses.lengths
    if len(lengths) == len(hyp):
        return lengths
    order = np.lexsort((lengths, np.abs(lengths - hyp[encoded.owners]), encoded.owners))
    first = np.flatnonzero(np.diff(encoded.owners[order], prepend=-1))
    return lengths[order][first]


def bleu_value(sums: Sequence[float]) -> float:
    """Return BLEU from summed rows, to the last bit of nltk's."""
    order = (len(sums) - 2) // 2
    hyp_length, ref_length = sums[-2], sums[-1]
    if not sums[0]:
        return 0.0
    logs = [
        math.log(m / t if m else sys.float_info.min)
        for m, t in zip(sums[:order], sums[order:-2], strict=True)
    ]
    penalty = 1.0 if hyp_length > ref_length else math.exp(1 - ref_length / hyp_length)
    return penalty * math.exp(math.fsum(value / order for value in logs))


def bleu_values(sums: Floats) -> Floats:
    """Return BLEU for each line of summed rows."""
    order = (sums.shape[1] - 2) // 2
    matches, totals = sums[:, :order], sums[:, order:-2]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        precision = np.where(matches > 0, matches / totals, sys.float_info.min)
        penalty = np.where(sums[:, -2] > sums[:, -1], 1.0, np.exp(1 - sums[:, -1] / sums[:, -2]))
        values = penalty * np.exp(np.log(precision).mean(axis=1))
    return np.where(sums[:, 0] > 0, values, 0.0)


def meteor_mean(metric: TextMetric, pairs: Pairs) -> Score:
    """Return the mean over rows of the best reference's METEOR, as nltk's `meteor_score` has it."""
    encoded = encode(pairs, metric.tokenisation)
    strings = tokens.lexicon(metric.tokenisation, pairs).strings
    aligner = cached(shared(pairs), ("aligner", metric.tokenisation), lambda: Aligner(strings))
    values = aligner.scores(encoded.paired, encoded.references)
    return mean_score(metric.name, best_of_row(values, encoded.owners, len(pairs)))


def rouge_n(metric: TextMetric, pairs: Pairs) -> Score:
    """Return the mean over rows of the best reference's ROUGE F1 of n-grams, as rouge-score has it."""
    encoded = encode(pairs, metric.tokenisation)
    matches = encoded.matches(2, each_reference=True)[:, metric.order - 1]
    sides = (encoded.paired, encoded.references)
    totals = [ngrams.totals(side, metric.order)[-1] for side in sides]
    return _mean_f1(metric, pairs, matches, *totals)


def rouge_l_mean(metric: TextMetric, pairs: Pairs) -> Score:
    """Return the mean over rows of the best reference's F1 of the longest common subsequence."""
    encoded = encode(pairs, metric.tokenisation)
    hyp, ref = encoded.paired, encoded.references
    return _mean_f1(metric, pairs, rouge.lcs_lengths(hyp, ref), hyp.lengths, ref.lengths)


def rouge_l_sum(metric: TextMetric, pairs: Pairs) -> Score:
    """Return the same with lines as sentences, whose common subsequences are united."""
    split = tokens.lexicon(metric.tokenisation, pairs).split
    encoded = encode(pairs, metric.tokenisation)
    hyp, ref = encoded.paired, encoded.references
    hits = rouge.lcs_lengths(hyp, ref)
    texts, answers = flat_references(pairs)[0], outputs(pairs)
    for unit, row in enumerate(encoded.owners.tolist()):
        if "\n" in texts[unit] or "\n" in answers[row]:
            hits[unit] = rouge.union_hits(_sentences(answers[row], split), _sentences(texts[unit], split))
    return _mean_f1(metric, pairs, hits, hyp.lengths, ref.lengths)


def _mean_f1(metric: TextMetric, pairs: Pairs, hits: Ints, hyp_total: Ints, ref_total: Ints) -> Score:
    values = f1(hits, hyp_total, ref_total).tolist()
    owners = encode(pairs, metric.tokenisation).owners
    return mean_score(metric.name, best_of_row(values, owners, len(pairs)))


def _sentences(text: str, split: Callable[[str], list[str]]) -> list[list[str]]:
    return [split(line) for line in text.split("\n") if line]


def f1(hits: Ints, hyp_total: Ints, ref_total: Ints) -> Floats:
    """Return the harmonic mean of hits over either total; 0 where there are no hits."""
    precision, recall = hits / np.maximum(hyp_total, 1), hits / np.maximum(ref_total, 1)
    total = precision + recall
    return np.where(total > 0, 2 * precision * recall / np.where(total > 0, total, 1.0), 0.0)


def chrf_corpus(metric: TextMetric, pairs: Pairs) -> Score:
    """Return corpus chrF2 as sacrebleu has it: character n-grams; of several references the best one."""
    order = metric.order
    encoded = encode(pairs, metric.tokenisation)
    matches = encoded.matches(order, each_reference=True)
    sides = (encoded.paired, encoded.references)
    totals = np.column_stack([total for side in sides for total in ngrams.totals(side, order)])
    # As sacrebleu has it: an order that the reference is too short for counts no n-grams of the answer.
    totals[:, :order] *= totals[:, order:] > 0
    units = np.concatenate([matches, totals], axis=1).astype(np.float64)
    rows = units[_best_units(chrf_values(units), encoded.owners, len(pairs))]
    value = float(chrf_values(rows.sum(axis=0)[None])[0])
    return Score(
        metric.name, value, len(pairs), tuple(chrf_values(rows).tolist()), resample=Sums(rows, chrf_values)
    )


def chrf_values(sums: Floats) -> Floats:
    """Return chrF2 for each line of matches, answer n-grams and reference n-grams of every order."""
    matches, hyp, ref = np.split(sums, 3, axis=1)
    usable = (hyp > 0) & (ref > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        orders = usable.sum(axis=1)
        precision = np.where(usable, matches / hyp, 0.0).sum(axis=1) / orders
        recall = np.where(usable, matches / ref, 0.0).sum(axis=1) / orders
        values = 5 * precision * recall / (4 * precision + recall)
    return np.asarray(np.nan_to_num(values, nan=0.0), dtype=np.float64)


def _best_units(values: Floats, owners: Ints, rows: int) -> Ints:
    if len(values) == rows:
        return np.arange(rows)
    order = np.lexsort((-values, owners))
    return order[np.flatnonzero(np.diff(owners[order], prepend=-1))]


def sacrebleu_corpus(metric: TextMetric, pairs: Pairs) -> Score:
    """Return sacrebleu's own corpus BLEU with its default settings, as a share."""
    from sacrebleu.metrics.bleu import BLEU  # optional: the card names it as required

    bleu = BLEU()
    rows = []
    for out, refs in zip(outputs(pairs), references(pairs), strict=True):
        single = bleu.corpus_score([out], [[ref] for ref in refs])
        rows.append([*single.counts, *single.totals, single.sys_len, single.ref_len])
    sums = np.array(rows, dtype=np.float64)

    def values(sums: Floats) -> Floats:
        lines = sums.astype(int).tolist()
        scores = [BLEU.compute_bleu(x[:4], x[4:8], x[8], x[9]).score for x in lines]
        return np.minimum(np.array(scores) / 100, 1.0)  # its logarithms may round a copy to a hair above 100

    value = float(values(sums.sum(axis=0)[None])[0])
    return Score(metric.name, value, len(pairs), resample=Sums(sums, values))


def exact(metric: TextMetric, pairs: Pairs) -> Score:
    """Return the share of rows whose answer equals a reference once white space at both ends is gone."""
    rows = zip(outputs(pairs), references(pairs), strict=True)
    same = [float(out.strip() in {r.strip() for r in refs}) for out, refs in rows]
    return mean_score(metric.name, same)


def distinct(metric: TextMetric, pairs: Pairs) -> Score:
    """Return distinct n-grams of all answers over all their n-grams: how varied they are, not how good."""
    encoded = tokens.lexicon(metric.tokenisation, pairs).encode(outputs(pairs))
    total = int(ngrams.totals(encoded, metric.order)[-1].sum())
    if not total:
        return undefined(metric.name, len(pairs), f"no answer has {metric.order} words")
    return Score(metric.name, ngrams.distinct(encoded, metric.order) / total, len(pairs))


bleu_2 = TextMetric("bleu-2", bleu, "words", 2)
bleu_4 = TextMetric("bleu-4", bleu, "words", 4)
bleu_2_scibert = TextMetric("bleu-2@scibert", bleu, "scibert", 2)
bleu_4_scibert = TextMetric("bleu-4@scibert", bleu, "scibert", 4)
bleu_2_t5 = TextMetric("bleu-2@t5", bleu, "t5", 2)
bleu_4_t5 = TextMetric("bleu-4@t5", bleu, "t5", 4)
bleu_2_split = TextMetric("bleu-2@split", bleu, "split", 2)
bleu_4_split = TextMetric("bleu-4@split", bleu, "split", 4)
bleu_2_zh = TextMetric("bleu-2@zh", bleu, "zh", 2)
bleu_4_zh = TextMetric("bleu-4@zh", bleu, "zh", 4)
bleu_2_jieba = TextMetric("bleu-2@jieba", bleu, "jieba", 2)
bleu_4_jieba = TextMetric("bleu-4@jieba", bleu, "jieba", 4)
meteor = TextMetric("meteor", meteor_mean, "words")
meteor_scibert = TextMetric("meteor@scibert", meteor_mean, "scibert")
meteor_t5 = TextMetric("meteor@t5", meteor_mean, "t5")
rouge_1 = TextMetric("rouge-1", rouge_n, "rouge", 1)
rouge_2 = TextMetric("rouge-2", rouge_n, "rouge", 2)
rouge_l = TextMetric("rouge-l", rouge_l_mean, "rouge")
rouge_lsum = TextMetric("rouge-lsum", rouge_l_sum, "rouge")
rouge_1_zh = TextMetric("rouge-1@zh", rouge_n, "zh", 1)
rouge_2_zh = TextMetric("rouge-2@zh", rouge_n, "zh", 2)
rouge_l_zh = TextMetric("rouge-l@zh", rouge_l_mean, "zh")
rouge_1_jieba = TextMetric("rouge-1@jieba", rouge_n, "jieba", 1)
rouge_2_jieba = TextMetric("rouge-2@jieba", rouge_n, "jieba", 2)
rouge_l_jieba = TextMetric("rouge-l@jieba", rouge_l_mean, "jieba")
chrf = TextMetric("chrf", chrf_corpus, "zh", 6)
sacrebleu = TextMetric("sacrebleu", sacrebleu_corpus, "13a")
exact_match = TextMetric("exact-match", exact, "")
distinct_1 = TextMetric("distinct-1", distinct, "words", 1)
distinct_2 = TextMetric("distinct-2", distinct, "words", 2)
