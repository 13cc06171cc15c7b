"""Metrics of choices and labels: accuracy in its several meanings, F1, correlation and calibration.

A task with choices puts them into `Example.choices`, in the order of the log-likelihoods that
`prediction.choice_scores` holds; the reference is the right choice's text or its letter. `perplexity-*`
read the log-likelihood of the reference, and of how many tokens it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness import Example, Pairs, Prediction, Score
from harness.scoring.alphabet import LETTERS

from .letters import reading, right_choices, right_letters
from .rows import clean, first_references, outputs, references, undefined
from .statistics import Floats, Sums, mean_score, ratio

BINS = 10


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of right answers: the likeliest choice where choices were scored, else what the answer names."""

    name: str
    normalised: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; length-normalised accuracy needs scored choices."""
        values = [self._right(example, prediction) for example, prediction in pairs]
        return mean_score(
            self.name, values, note="" if values.count(None) < len(values) else "no choices were scored"
        )

    def _right(self, example: Example, prediction: Prediction) -> float | None:
        choices, scores = example.choices, prediction.choice_scores
        if choices and len(scores) == len(choices):
            if self.normalised:
                scores = tuple(s / max(len(choice), 1) for s, choice in zip(scores, choices, strict=True))
            best = max(range(len(scores)), key=lambda i: (not math.isnan(scores[i]), scores[i], -i))
            return float(best in right_choices(example))
        if self.normalised:
            return None
        if choices:
            named = set(reading(example, prediction).letters)
            return float(bool(named) and named == right_letters(example))
        return float(clean(prediction.text).strip() in {clean(r).strip() for r in example.references})


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well the softmax of the choices' log-likelihoods says what will be right: ECE or Brier score."""

    name: str
    brier: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the error; rows without scored choices are left out."""
        rows = [
            row for example, prediction in pairs if (row := _probabilities(example, prediction)) is not None
        ]
        if not rows:
            return undefined(self.name, len(pairs), "no choices were scored", higher_is_better=False)
        if self.brier:
            values = [sum((p - (i in right)) ** 2 for i, p in enumerate(shares)) for shares, right in rows]
            padded = [*values, *[None] * (len(pairs) - len(values))]
            return mean_score(self.name, padded, higher_is_better=False)
        sums = np.zeros((len(rows), 2 * BINS))
        for i, (shares, right) in enumerate(rows):
            best = max(range(len(shares)), key=shares.__getitem__)
            place = min(int(shares[best] * BINS), BINS - 1)
            sums[i, place], sums[i, BINS + place] = shares[best] - (best in right), 1
        value = float(_ece(sums.sum(axis=0)[None])[0])
        resample = Sums(sums, _ece) if len(rows) == len(pairs) else None
        return Score(self.name, value, len(pairs), higher_is_better=False, resample=resample)


def _ece(sums: Floats) -> Floats:
    return np.asarray(np.abs(sums[:, :BINS]).sum(axis=1) / sums[:, BINS:].sum(axis=1), dtype=np.float64)


def _probabilities(example: Example, prediction: Prediction) -> tuple[list[float], set[int]] | None:
    choices, scores = example.choices, prediction.choice_scores
    if not choices or len(scores) != len(choices) or any(math.isnan(s) for s in scores):
        return None
    top = max(scores)
    shares = [math.exp(s - top) if top > -math.inf else 1.0 for s in scores]
    return [share / math.fsum(shares) for share in shares], right_choices(example)


@dataclass(frozen=True, slots=True)
class LabelScore:
    """F1 or correlation of labels, each answer being one label.

    Classes are the labels that references have; another answer is a miss. Where there are choices, the label
    is the text of the one that the answer names. With `union` every label that
    an answer invents is one more class, with F1 0, as PubMedQA's script has it.
    """

    name: str
    finish: Callable[[Floats], Floats]
    union: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the score of all rows together."""
        truth = [reference.strip() for reference in first_references(pairs)]
        answers = [_label(*row, text) for row, text in zip(pairs, outputs(pairs), strict=True)]
        if not truth:
            return undefined(self.name, 0, "no rows")
        classes = sorted(set(truth) | set(answers) if self.union else set(truth))
        place = {label: i for i, label in enumerate(classes)}
        if len(classes) * len(truth) > 20_000_000:
            return undefined(self.name, len(truth), f"{len(classes)} different labels are too many")
        rows = np.zeros((len(truth), 3, len(classes) + 1))
        for i, (label, answer) in enumerate(zip(truth, answers, strict=True)):
            rows[i, 0, place[label]] = label == answer
            rows[i, 1, place.get(answer, len(classes))] = 1
            rows[i, 2, place[label]] = 1
        flat = rows.reshape(len(truth), -1)
        value = float(self.finish(flat.sum(axis=0)[None])[0])
        return Score(self.name, value, len(truth), resample=Sums(flat, self.finish))


def _label(example: Example, prediction: Prediction, text: str) -> str:
    """Return the choice that an answer names, and where it names none or several the answer."""
    named = reading(example, prediction).letters if example.choices else ""
    return (example.choices[LETTERS.index(named)] if len(named) == 1 else text).strip()


def _columns(sums: Floats) -> tuple[Floats, Floats, Floats]:
    right, chosen, there = sums.reshape(len(sums), 3, -1).transpose(1, 0, 2)
    return right, chosen, there


def _macro_f1(sums: Floats) -> Floats:
    right, chosen, there = (part[:, :-1] for part in _columns(sums))
    seen = (chosen + there) > 0
    f1 = 2 * right / np.where(seen, chosen + there, 1)
    return np.asarray(f1.sum(axis=1) / np.maximum(seen.sum(axis=1), 1), dtype=np.float64)


def _micro_f1(sums: Floats) -> Floats:
    right, chosen, there = (part[:, :-1].sum(axis=1) for part in _columns(sums))
    return ratio(np.stack((2 * right, chosen + there), axis=1))


def _mcc(sums: Floats) -> Floats:
    right, chosen, there = _columns(sums)
    total = there.sum(axis=1)
    top = right.sum(axis=1) * total - (chosen * there).sum(axis=1)
    spread = (total**2 - (chosen**2).sum(axis=1)) * (total**2 - (there**2).sum(axis=1))
    return np.where(spread > 0, top / np.sqrt(np.where(spread > 0, spread, 1)), 0.0)


@dataclass(frozen=True, slots=True)
class Perplexity:
    """exp of the mean negative log-likelihood a token, word or byte of the references."""

    name: str
    unit: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the perplexity of all rows together; every row needs a log-likelihood."""
        rows = [
            (-prediction.log_likelihood, self._units(refs[0], prediction))
            for refs, (_, prediction) in zip(references(pairs), pairs, strict=True)
            if prediction.log_likelihood is not None
        ]
        sums = np.array(rows, dtype=np.float64).reshape(-1, 2)
        if len(rows) < len(pairs) or not len(rows) or not sums[:, 1].sum():
            return undefined(
                self.name, len(pairs), "some rows have no log-likelihood", higher_is_better=False
            )
        value = float(_exp_ratio(sums.sum(axis=0)[None])[0])
        return Score(self.name, value, len(pairs), higher_is_better=False, resample=Sums(sums, _exp_ratio))

    def _units(self, reference: str, prediction: Prediction) -> float:
        if self.unit == "token":
            return prediction.tokens
        return (
            len(reference.split()) if self.unit == "word" else len(reference.encode("utf-8", "surrogatepass"))
        )


def _exp_ratio(sums: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(ratio(sums)), dtype=np.float64)


accuracy = Accuracy("accuracy")
accuracy_norm = Accuracy("accuracy-norm", normalised=True)
ece = Calibration("ece")
brier = Calibration("brier", brier=True)
macro_f1 = LabelScore("macro-f1", _macro_f1)
micro_f1 = LabelScore("micro-f1", _micro_f1)
mcc = LabelScore("mcc", _mcc)
pubmedqa_accuracy = Accuracy("pubmedqa-accuracy")
pubmedqa_macro_f1 = LabelScore("pubmedqa-macro-f1", _macro_f1, union=True)
perplexity_token = Perplexity("perplexity-token", "token")
perplexity_word = Perplexity("perplexity-word", "word")
perplexity_byte = Perplexity("perplexity-byte", "byte")
