"""Metrics of the letters that answers name: right or wrong, readable or not, and how they are spread.

A task with choices puts them into `Example.choices`; without them references are letters. What an answer
names is read by `harness.scoring.letters`, or, under the name of another's script, as that script does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness import Example, Pairs, Prediction, Score
from harness.scoring import origins
from harness.scoring.alphabet import LETTERS
from harness.scoring.letters import Reading, letters, read_letters

from .rows import cached, clean, undefined
from .statistics import mean, mean_score


def right_choices(example: Example) -> set[int]:
    """Return the places of the right choices, which references name by text or by letter."""
    places = {i for i, choice in enumerate(example.choices) if choice in example.references}
    named = "".join(r.strip() for r in example.references)
    return places or {LETTERS.index(c) for c in named if c in LETTERS[: len(example.choices)]}


def right_letters(example: Example) -> frozenset[str]:
    """Return the letters of the right choices; of a bare reference the letters that it names."""
    if example.choices:
        return frozenset(LETTERS[place] for place in right_choices(example))
    return frozenset(letters(clean(example.references[0]))) if example.references else frozenset()


def readings(pairs: Pairs) -> Sequence[Reading]:
    """Return what each answer names, read once for all metrics."""
    return cached(pairs.cache, "readings", lambda: [reading(*row) for row in pairs])


def reading(example: Example, prediction: Prediction) -> Reading:
    """Return what an answer names: as its task read it, or else as the model said it."""
    text = clean(prediction.text)
    if text in example.choices:
        return Reading(LETTERS[example.choices.index(text)], "choice")
    found = read_letters(text, example.choices)
    return found if found.letters or not prediction.raw else read_letters(prediction.raw, example.choices)


def _said(example: Example, prediction: Prediction) -> str:
    if prediction.text in example.choices:
        return LETTERS[example.choices.index(prediction.text)]
    return clean(prediction.raw) or clean(prediction.text)


@dataclass(frozen=True, slots=True)
class LetterMatch:
    """Share of rows whose letters are the reference's; `single` looks at the first letter alone."""

    name: str
    single: bool = False

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; what could be read, and how right that was, is among the details."""
        found = readings(pairs)
        values = [
            float(bool(r.letters) and set(r.letters[: 1 if self.single else None]) == right_letters(example))
            for r, (example, _) in zip(found, pairs, strict=True)
        ]
        read = [value for value, r in zip(values, found, strict=True) if r.letters]
        details = {
            "parse-rate": mean(float(bool(r.letters)) for r in found),
            "right of what was read": mean(read),
            "several letters": mean(float(len(r.letters) > 1) for r in found),
        }
        return mean_score(self.name, values, details=details)


@dataclass(frozen=True, slots=True)
class CmbMatch:
    """Share of rows whose string of letters, as CMB's script reads it, is the reference."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; no letter equals an empty reference."""
        found = [origins.letters_cmb(_said(*row)) for row in pairs]
        wanted = [
            "".join(sorted(right_letters(e))) if e.choices else clean(e.references[0]) for e, _ in pairs
        ]
        values = [float(a == b) for a, b in zip(found, wanted, strict=True)]
        return mean_score(self.name, values, details={"parse-rate": mean(float(bool(f)) for f in found)})


@dataclass(frozen=True, slots=True)
class MirageMatch:
    """Share of right letters as MIRAGE counts them: what cannot be read is an answer "A"."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows; how often it fell back, and was right by that, is among the details."""
        found = [origins.letter_mirage(_said(*row)) for row in pairs]
        wanted = [right_letters(example) for example, _ in pairs]
        values = [
            float({letter or origins.MIRAGE_FALLS_BACK_TO} == right)
            for letter, right in zip(found, wanted, strict=True)
        ]
        lucky = [not letter and bool(value) for letter, value in zip(found, values, strict=True)]
        details = {
            "fell back to A": mean(float(not letter) for letter in found),
            "right by falling back": mean(map(float, lucky)),
        }
        return mean_score(self.name, values, details=details)


@dataclass(frozen=True, slots=True)
class ReadingRate:
    """Share of answers that were read in a way."""

    name: str
    holds: Callable[[Reading], bool]

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over rows."""
        return mean_score(self.name, [float(self.holds(found)) for found in readings(pairs)])


@dataclass(frozen=True, slots=True)
class LetterBias:
    """How far the letters chosen are spread unlike the right ones: half the summed difference of shares."""

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return 0 for the spread of the right letters and up to 1; unread answers are left out."""
        chosen = Counter("".join(found.letters for found in readings(pairs)))
        right = Counter("".join(letter for example, _ in pairs for letter in right_letters(example)))
        if not chosen or not right:
            what = "answer" if not chosen else "reference"
            return undefined(self.name, len(pairs), f"no {what} names a letter", higher_is_better=False)
        shares = {c: chosen[c] / chosen.total() - right[c] / right.total() for c in sorted(chosen | right)}
        details = {f"{c}: chosen minus right": share for c, share in shares.items()}
        value = math.fsum(map(abs, shares.values())) / 2
        return Score(self.name, value, len(pairs), higher_is_better=False, details=details)


@dataclass(frozen=True, slots=True)
class PermutationConsistency:
    """Share of questions whose answer stays the same in whatever order their choices stand.

    Rows of one question name it in `meta["question"]`. A question that is not always read is not
    consistent; one that is asked once says nothing.
    """

    name: str

    def __call__(self, pairs: Pairs) -> Score:
        """Return the mean over questions that are asked several times; each row has its question's value."""
        questions = [str(example.meta.get("question", example.id)) for example, _ in pairs]
        said: dict[str, list[frozenset[str]]] = {}
        for question, found, (example, _) in zip(questions, readings(pairs), pairs, strict=True):
            said.setdefault(question, []).append(_named(found, example.choices))
        asked_again = {question: answers for question, answers in said.items() if len(answers) > 1}
        alike = {q: float(bool(a[0]) and len(set(a)) == 1) for q, a in asked_again.items()}
        note = "" if alike else "no question is asked in several orders"
        return mean_score(self.name, [alike.get(question) for question in questions], note=note)


def _named(found: Reading, choices: Sequence[str]) -> frozenset[str]:
    """Return the texts of the choices that an answer names."""
    return frozenset(choices[LETTERS.index(c)] for c in found.letters) if choices else frozenset()


accuracy_letter = LetterMatch("accuracy-letter", single=True)
accuracy_letter_mirage = MirageMatch("accuracy-letter@mirage")
multi_answer_exact = LetterMatch("multi-answer-exact")
multi_answer_exact_cmb = CmbMatch("multi-answer-exact@cmb")
parse_rate = ReadingRate("parse-rate", lambda found: bool(found.letters))
abstention = ReadingRate("abstention", lambda found: found.declined)
letter_bias = LetterBias("letter-bias")
permutation_consistency = PermutationConsistency("permutation-consistency")
