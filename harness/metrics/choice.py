"""Metrics of choices and labels: accuracy in its several meanings, F1, correlation, bias and calibration.

A task with choices puts them into `example.meta["choices"]`, in the order of the log-likelihoods that
`prediction.choice_scores` holds; the reference is the right choice's text or its letter. Metrics of
letters read them out of what the model said. `perplexity-*` read `choice_scores` as (log-likelihood of
the reference, its number of tokens).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness import Example, Pairs, Prediction, Score

from .rows import clean, first_references, outputs, references, undefined
from .statistics import Floats, Sums, mean_score, ratio

LETTERS = "ABCDEFGHIJ"
BINS = 10

_STATED = re.compile(
    r"(?:答案|正确选项)(?:是|：|:|为|应该是|应该为)?\s*|\banswers?\b\s*(?:is|are|:|：)*\s*[(\[]?\s*(?=[A-J]\b)",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"[(\[]?([A-J])[)\]]?(?![a-z])(?:\s*(?:,|、|，|;|and|和|与|及)?\s*[(\[]?([A-J])[)\]]?(?![A-Za-z]))*"
)
_ALONE = re.compile(r"(?<![A-Za-z])[(\[]?([A-J])(?:[)\].:：、,，。]|\s*$)")
_CMB = re.compile(r"(答案|正确选项)(?:是|：|为|应该是|应该为)(.*?)(。|\.|$)", re.DOTALL)


def letters(text: str) -> str:
    """Return the letters a text answers with, in order and each once; empty where it names none.

    A text of nothing but letters is its own answer; otherwise what follows "answer is" or 答案是 counts,
    and failing that the first letter that stands alone.
    """
    trimmed = text.strip().strip("()[].。 ")
    if trimmed and all(c in LETTERS for c in trimmed):
        return _once(trimmed)
    for stated in _STATED.finditer(text):
        if found := _LIST.match(text, stated.end()):
            return _once(re.sub(r"[^A-J]", "", re.sub(r"and", "", found.group())))
    alone = _ALONE.search(text)
    return alone.group(1) if alone else ""


def letters_cmb(text: str) -> str:
    """Return the letters A-G that CMB's script reads out of an answer."""
    stated = _CMB.search(text)
    found = "".join(re.findall("[A-G]", stated.group(2))) if stated else ""
    return _once(found or "".join(re.findall("[A-G]", text)))


def _once(found: str) -> str:
    return "".join(dict.fromkeys(found))


def said(prediction: Prediction) -> str:
    """Return what the model said, before the task read its answer."""
    return clean(prediction.raw) or clean(prediction.text)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of right answers: the likeliest choice where choices were scored, else the text itself."""

    name: str
    normalised: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; length-normalised accuracy needs scored choices."""
        values = [self._right(example, prediction) for example, prediction in pairs]
        return mean_score(
            self.name, values, note="" if values.count(None) < len(values) else "no choices were scored"
        )

    def _right(self, example: Example, prediction: Prediction) -> float | None:
        choices = tuple(example.meta.get("choices", ()))
        scores = prediction.choice_scores
        if choices and len(scores) == len(choices):
            if self.normalised:
                scores = tuple(s / max(len(choice), 1) for s, choice in zip(scores, choices, strict=True))
            best = max(range(len(scores)), key=lambda i: (not math.isnan(scores[i]), scores[i], -i))
            return float(best in right_choices(example, choices))
        if self.normalised:
            return None
        return float(clean(prediction.text).strip() in {clean(r).strip() for r in example.references})


def right_choices(example: Example, choices: Sequence[str]) -> set[int]:
    """Return the places of the right choices, which references name by text or by letter."""
    found = {i for i, choice in enumerate(choices) if choice in example.references}
    if found:
        return found
    return {LETTERS.index(c) for r in example.references for c in r.strip() if c in LETTERS[: len(choices)]}


@dataclass(frozen=True, slots=True)
class LetterMatch:
    """Share of rows whose letters, as read by a rule, are the reference's.

    `single` reads one letter only; `ordered` compares strings, as CMB does, instead of sets.
    """

    name: str
    read: Callable[[str], str] = letters
    single: bool = False
    ordered: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; how many answers could be read is among the details."""
        found = [self.read(said(prediction)) for _, prediction in pairs]
        values = []
        for answer, reference in zip(found, first_references(pairs), strict=True):
            answer = answer[:1] if self.single else answer
            equal = (
                answer == reference
                if self.ordered
                else bool(answer) and set(answer) == set(reference.strip())
            )
            values.append(float(equal))
        rate = sum(map(bool, found)) / len(found) if found else None
        return mean_score(self.name, values, details={"parse-rate": rate})


@dataclass(frozen=True, slots=True)
class ParseRate:
    """Share of answers out of which a letter could be read."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows of readable (1) or not (0)."""
        return mean_score(self.name, [float(bool(letters(said(prediction)))) for _, prediction in pairs])


@dataclass(frozen=True, slots=True)
class LetterBias:
    """How far the letters chosen are spread unlike the right ones: half the summed difference of shares."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return 0 for the spread of the right letters and up to 1; unread answers are left out."""
        chosen = Counter(found[0] for _, p in pairs if (found := letters(said(p))))
        right = Counter(reference.strip()[:1] for reference in first_references(pairs))
        if not chosen:
            return undefined(self.name, len(pairs), "no answer names a letter", higher_is_better=False)
        shares = {c: chosen[c] / chosen.total() - right[c] / right.total() for c in sorted(chosen | right)}
        value = math.fsum(map(abs, shares.values())) / 2
        details = {f"{c or 'none'}: chosen minus right": share for c, share in shares.items()}
        return Score(self.name, value, len(pairs), higher_is_better=False, details=details)


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
    choices, scores = tuple(example.meta.get("choices", ())), prediction.choice_scores
    if not choices or len(scores) != len(choices) or any(math.isnan(s) for s in scores):
        return None
    top = max(scores)
    shares = [math.exp(s - top) if top > -math.inf else 1.0 for s in scores]
    return [share / math.fsum(shares) for share in shares], right_choices(example, choices)


@dataclass(frozen=True, slots=True)
class LabelScore:
    """F1 or correlation of labels, each answer being one label.

    Classes are the labels that references have; another answer is a miss. With `union` every label that
    an answer invents is one more class, with F1 0, as PubMedQA's script has it.
    """

    name: str
    finish: Callable[[Floats], Floats]
    union: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the score of all rows together."""
        truth = [reference.strip() for reference in first_references(pairs)]
        answers = [text.strip() for text in outputs(pairs)]
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
            (-prediction.choice_scores[0], self._units(refs[0], prediction))
            for refs, (_, prediction) in zip(references(pairs), pairs, strict=True)
            if len(prediction.choice_scores) == 2
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
            return prediction.choice_scores[1]
        return (
            len(reference.split()) if self.unit == "word" else len(reference.encode("utf-8", "surrogatepass"))
        )


def _exp_ratio(sums: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(ratio(sums)), dtype=np.float64)


accuracy = Accuracy("accuracy")
accuracy_norm = Accuracy("accuracy-norm", normalised=True)
accuracy_letter = LetterMatch("accuracy-letter", single=True)
multi_answer_exact = LetterMatch("multi-answer-exact")
multi_answer_exact_cmb = LetterMatch("multi-answer-exact@cmb", letters_cmb, ordered=True)
parse_rate = ParseRate("parse-rate")
letter_bias = LetterBias("letter-bias")
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
