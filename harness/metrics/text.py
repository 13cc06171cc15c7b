"""Metrics of generated text: BLEU, ROUGE, METEOR, chrF, sacreBLEU, exact match and distinct-n.

Each metric is a small object named for its definition; what follows `@` is the tokenisation (see
`harness.metrics.tokens`). All of them share tokens and n-grams through the cache of the scored rows.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness import DataError, MissingDependency, Pairs, Score

from . import rouge, tokens
from .meteor import Aligner
from .ngrams import Overlap, ReferenceGrams, gram_totals
from .rows import Ints, cached, flat_references, outputs, references, shared, undefined
from .statistics import Floats, Sums, mean_score
from .tokens import Tokens


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The tokens of the answers, of all references, and what they share."""

    hypotheses: Tokens
    paired: Tokens  # each answer once for each of its references
    references: Tokens
    owners: Ints  # the row of each reference
    by_row: Overlap
    by_reference: Overlap

    def matches(self, order: int, *, each_reference: bool = False) -> list[Ints]:
        """Return the shared n-grams for n = 1 … order: of each row, or of each single reference."""
        return (self.by_reference if each_reference else self.by_row).matches(order)


def encode(pairs: Pairs, tokenisation: str) -> Encoded:
    """Return the rows' tokens under a tokenisation, with the references' n-grams ready for counting."""

    def make() -> Encoded:
        lexicon = tokens.lexicon(tokenisation, pairs)
        texts, owners = flat_references(pairs)
        encoded = lexicon.encode(texts)
        answers = lexicon.encode(outputs(pairs))

        def overlap(hypotheses: Tokens, rows: Ints, total: int) -> Overlap:
            key = ("grams", tokenisation, texts, rows.tobytes())
            grams = cached(shared(pairs), key, lambda: ReferenceGrams(encoded, rows, total))
            return Overlap(grams, hypotheses)

        by_row = overlap(answers, owners, len(pairs))
        if len(texts) == len(pairs):
            return Encoded(answers, answers, encoded, owners, by_row, by_row)
        paired = answers.take(owners)
        by_reference = overlap(paired, np.arange(len(texts)), len(texts))
        return Encoded(answers, paired, encoded, owners, by_row, by_reference)

    return cached(pairs.cache, ("encoded", tokenisation), make)


def best_of_row(values: Sequence[float], owners: Ints, rows: int) -> list[float]:
    """Return for each row the best value among its references."""
    if len(values) == rows:
        return list(values)
    best = np.full(rows, -np.inf)
    np.maximum.at(best, owners, np.asarray(values, dtype=np.float64))
    return [float(value) for value in best]


def _needs_vocabulary(method: Callable[..., Score]) -> Callable[..., Score]:
    """Turn a missing vocabulary or library into a score without a value that says what to do."""

    @functools.wraps(method)
    def call(self: Bleu | Meteor | Rouge, pairs: Pairs) -> Score:
        try:
            return method(self, pairs)
        except (DataError, MissingDependency) as error:
            return undefined(self.name, len(pairs), f"{error.message}; {error.hint}")

    return call


@dataclass(frozen=True, slots=True)
class Bleu:
    """Corpus BLEU without smoothing, as nltk's `corpus_bleu` computes it."""

    name: str
    order: int
    tokenisation: str = "words"

    @_needs_vocabulary
    def __call__(self, pairs: Pairs) -> Score:
        """Return the BLEU of all rows together; it has no value for single rows."""
        if not len(pairs):
            return undefined(self.name, 0, "no rows")
        return bleu_score(self.name, bleu_rows(encode(pairs, self.tokenisation), self.order))


def bleu_score(metric: str, rows: Floats) -> Score:
    """Return corpus BLEU with what resampling needs."""
    value = bleu_value(rows.sum(axis=0).tolist())
    return Score(metric, value, len(rows), resample=Sums(rows, bleu_values))


def bleu_rows(encoded: Encoded, order: int) -> Floats:
    """Return for each row its matches and n-grams of every order, its length and its reference's length."""
    hypotheses = encoded.hypotheses
    matches = encoded.matches(order)
    totals = [np.maximum(total, 1) for total in gram_totals(hypotheses, order)]
    closest = _closest_lengths(encoded)
    return np.stack([*matches, *totals, hypotheses.lengths, closest], axis=1).astype(np.float64)


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


@dataclass(frozen=True, slots=True)
class Meteor:
    """Mean METEOR of the rows, as nltk's `meteor_score` computes it."""

    name: str
    tokenisation: str = "words"

    @_needs_vocabulary
    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows of the best reference's METEOR."""
        encoded = encode(pairs, self.tokenisation)
        strings = tokens.lexicon(self.tokenisation, pairs).strings
        aligner = cached(shared(pairs), ("aligner", self.tokenisation), lambda: Aligner(strings))
        values = aligner.scores(encoded.paired, encoded.references)
        return mean_score(self.name, best_of_row(values, encoded.owners, len(pairs)))


@dataclass(frozen=True, slots=True)
class Rouge:
    """Mean ROUGE F1 of the rows, as rouge-score computes it without stemming. `order` 0 is ROUGE-L."""

    name: str
    order: int
    tokenisation: str = "rouge"

    @_needs_vocabulary
    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows of the best reference's F1."""
        encoded = encode(pairs, self.tokenisation)
        hyp, ref = encoded.paired, encoded.references
        if self.order:
            shared_grams = encoded.matches(self.order, each_reference=True)[-1]
            hyp_total, ref_total = (gram_totals(side, self.order)[-1] for side in (hyp, ref))
        else:
            shared_grams, hyp_total, ref_total = rouge.lcs_lengths(hyp, ref), hyp.lengths, ref.lengths
        values = f1(shared_grams, hyp_total, ref_total).tolist()
        return mean_score(self.name, best_of_row(values, encoded.owners, len(pairs)))


@dataclass(frozen=True, slots=True)
class RougeLsum:
    """Mean ROUGE-Lsum F1 of the rows: lines are sentences, and their common subsequences are united."""

    name: str
    tokenisation: str = "rouge"

    @_needs_vocabulary
    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows of the best reference's F1."""
        split = tokens.lexicon(self.tokenisation, pairs).split
        encoded = encode(pairs, self.tokenisation)
        hyp, ref = encoded.paired, encoded.references
        hits = rouge.lcs_lengths(hyp, ref)
        texts, answers = flat_references(pairs)[0], outputs(pairs)
        for unit, row in enumerate(encoded.owners.tolist()):
            if "\n" in texts[unit] or "\n" in answers[row]:
                hits[unit] = rouge.union_hits(_sentences(answers[row], split), _sentences(texts[unit], split))
        values = f1(hits, hyp.lengths, ref.lengths).tolist()
        return mean_score(self.name, best_of_row(values, encoded.owners, len(pairs)))


def _sentences(text: str, split: Callable[[str], list[str]]) -> list[list[str]]:
    return [split(line) for line in text.split("\n") if line]


def f1(hits: Ints, hyp_total: Ints, ref_total: Ints) -> Floats:
    """Return the harmonic mean of hits over either total; 0 where there are no hits."""
    precision, recall = hits / np.maximum(hyp_total, 1), hits / np.maximum(ref_total, 1)
    total = precision + recall
    return np.where(total > 0, 2 * precision * recall / np.where(total > 0, total, 1.0), 0.0)


@dataclass(frozen=True, slots=True)
class Chrf:
    """Corpus chrF2, as sacrebleu computes it: character n-grams up to 6, white space dropped."""

    name: str
    order: int = 6
    beta: float = 2.0

    def __call__(self, pairs: Pairs) -> Score:
        """Return the chrF of all rows together; of several references the best one counts."""
        if not len(pairs):
            return undefined(self.name, 0, "no rows")
        encoded = encode(pairs, "zh")
        hyp, ref = encoded.paired, encoded.references
        matches = encoded.matches(self.order, each_reference=True)
        totals = np.stack([*gram_totals(hyp, self.order), *gram_totals(ref, self.order)], axis=1)
        # As sacrebleu has it: an order that the reference is too short for counts no n-grams of the answer.
        totals[:, : self.order] *= totals[:, self.order :] > 0
        units = np.concatenate([np.stack(matches, axis=1), totals], axis=1).astype(np.float64)
        rows = units[_best_units(self.values(units), encoded.owners, len(pairs))]
        value = float(self.values(rows.sum(axis=0)[None])[0])
        return Score(
            self.name, value, len(pairs), tuple(self.values(rows).tolist()), resample=Sums(rows, self.values)
        )

    def values(self, sums: Floats) -> Floats:
        """Return chrF for each line of matches, answer n-grams and reference n-grams."""
        matches, hyp, ref = (sums[:, i * self.order : (i + 1) * self.order] for i in range(3))
        usable = (hyp > 0) & (ref > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(usable, matches / hyp, 0.0).sum(axis=1)
            recall = np.where(usable, matches / ref, 0.0).sum(axis=1)
            orders = usable.sum(axis=1)
            precision, recall = precision / orders, recall / orders
            factor = self.beta**2
            values = (1 + factor) * precision * recall / (factor * precision + recall)
        return np.asarray(np.nan_to_num(values, nan=0.0), dtype=np.float64)


def _best_units(values: Floats, owners: Ints, rows: int) -> Ints:
    if len(values) == rows:
        return np.arange(rows)
    order = np.lexsort((-values, owners))
    return order[np.flatnonzero(np.diff(owners[order], prepend=-1))]


@dataclass(frozen=True, slots=True)
class SacreBleu:
    """sacrebleu's own corpus BLEU with its default settings, as a share."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the BLEU of all rows together."""
        if not len(pairs):
            return undefined(self.name, 0, "no rows")
        from sacrebleu.metrics.bleu import BLEU  # optional: the card names it as required

        bleu = BLEU()
        rows = []
        for out, refs in zip(outputs(pairs), references(pairs), strict=True):
            single = bleu.corpus_score([out], [[ref] for ref in refs])
            rows.append([*single.counts, *single.totals, single.sys_len, single.ref_len])
        sums = np.array(rows, dtype=np.float64)
        return Score(
            self.name,
            float(self._values(sums.sum(axis=0)[None])[0]),
            len(pairs),
            resample=Sums(sums, self._values),
        )

    @staticmethod
    def _values(sums: Floats) -> Floats:
        from sacrebleu.metrics.bleu import BLEU  # optional: the card names it as required

        lines = sums.astype(int).tolist()
        return np.array([BLEU.compute_bleu(x[:4], x[4:8], x[8], x[9]).score / 100 for x in lines])


@dataclass(frozen=True, slots=True)
class ExactMatch:
    """Share of rows whose answer equals a reference once white space at both ends is gone."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows of equal (1) or not (0)."""
        rows = zip(outputs(pairs), references(pairs), strict=True)
        return mean_score(self.name, [float(out.strip() in {r.strip() for r in refs}) for out, refs in rows])


@dataclass(frozen=True, slots=True)
class Distinct:
    """Distinct n-grams of all answers over all their n-grams; references play no part."""

    name: str
    order: int
    tokenisation: str = "words"

    def __call__(self, pairs: Pairs) -> Score:
        """Return the share; it says how varied the answers are, not how good."""
        encoded = tokens.lexicon(self.tokenisation, pairs).encode(outputs(pairs))
        grams = ReferenceGrams(encoded, np.zeros(len(pairs), dtype=np.int64), 1)
        total = int(gram_totals(encoded, self.order)[-1].sum())
        if not total:
            return undefined(self.name, len(pairs), f"no answer has {self.order} words")
        return Score(self.name, len(grams.level(self.order).keys) / total, len(pairs))


bleu_2 = Bleu("bleu-2", 2)
bleu_4 = Bleu("bleu-4", 4)
bleu_2_scibert = Bleu("bleu-2@scibert", 2, "scibert")
bleu_4_scibert = Bleu("bleu-4@scibert", 4, "scibert")
bleu_2_t5 = Bleu("bleu-2@t5", 2, "t5")
bleu_4_t5 = Bleu("bleu-4@t5", 4, "t5")
bleu_2_split = Bleu("bleu-2@split", 2, "split")
bleu_4_split = Bleu("bleu-4@split", 4, "split")
bleu_2_zh = Bleu("bleu-2@zh", 2, "zh")
bleu_4_zh = Bleu("bleu-4@zh", 4, "zh")
bleu_2_jieba = Bleu("bleu-2@jieba", 2, "jieba")
bleu_4_jieba = Bleu("bleu-4@jieba", 4, "jieba")
meteor = Meteor("meteor")
meteor_scibert = Meteor("meteor@scibert", "scibert")
meteor_t5 = Meteor("meteor@t5", "t5")
rouge_1 = Rouge("rouge-1", 1)
rouge_2 = Rouge("rouge-2", 2)
rouge_l = Rouge("rouge-l", 0)
rouge_lsum = RougeLsum("rouge-lsum")
rouge_1_zh = Rouge("rouge-1@zh", 1, "zh")
rouge_2_zh = Rouge("rouge-2@zh", 2, "zh")
rouge_l_zh = Rouge("rouge-l@zh", 0, "zh")
rouge_1_jieba = Rouge("rouge-1@jieba", 1, "jieba")
rouge_2_jieba = Rouge("rouge-2@jieba", 2, "jieba")
rouge_l_jieba = Rouge("rouge-l@jieba", 0, "jieba")
chrf = Chrf("chrf")
sacrebleu = SacreBleu("sacrebleu")
exact_match = ExactMatch("exact-match")
distinct_1 = Distinct("distinct-1", 1)
distinct_2 = Distinct("distinct-2", 2)
