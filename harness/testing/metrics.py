"""What must hold of a metric: a perfect answer is best, order does not matter, nothing breaks it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.api.errors import HarnessError
from harness.api.example import Example, Pairs, Prediction, Score
from harness.scoring.measure import measure

from .checking import Check, NotHere, want
from .loading import Item

CLOSE = 1e-9
TEXTS = (
    "the molecule is a weak acid",
    "aspirin lowers fever and pain",
    "a protein that binds zinc",
    "the drug blocks the receptor",
    "water boils at one hundred degrees",
    "glucose is a simple sugar",
)
MOLECULES = ("CCO", "c1ccccc1", "CC(=O)O", "CCN", "CC(C)Cl", "OCC(O)CO")
ODD = ("", " ", "\n", "\0", "\ud800", "é" * 50, "x" * 5000, "药物", "{", "A")

Rows = list[tuple[Example, Prediction]]


def rows_of(kind: str, say: Callable[[int, Sequence[str]], str]) -> Rows:
    """Return rows of a metric's kind, answered by a function of a row's place and all references."""
    texts = MOLECULES if kind == "molecule" else TEXTS
    choices = TEXTS[:4] if kind == "choice" else ()
    made: Rows = []
    for place, text in enumerate(texts):
        reference = choices[place % 4] if choices else text
        answer = say(place, [choices[p % 4] for p in range(len(texts))] if choices else texts)
        scores = tuple(0.0 if choice == answer else -50.0 for choice in choices if answer in choices)
        example = Example(str(place), {"text": f"row {place}"}, (reference,), choices=choices)
        made.append((example, Prediction(str(place), answer, answer, scores)))
    return made


def right(place: int, references: Sequence[str]) -> str:
    """Say the reference."""
    return references[place]


def wrong(place: int, references: Sequence[str]) -> str:
    """Say the reference of the next row."""
    return references[(place + 1) % len(references)]


def half_right(place: int, references: Sequence[str]) -> str:
    """Say the reference of every other row."""
    return (right if place % 2 else wrong)(place, references)


def silent(place: int, references: Sequence[str]) -> str:
    """Say nothing."""
    return ""


def measured(item: Item, rows: Rows) -> Score:
    """Score rows; a metric that cannot score such rows by its own word is left out."""
    metric = item.load()
    try:
        score = metric(Pairs(rows, training_targets=lambda: iter(TEXTS[:1])))
    except HarnessError as error:
        raise NotHere(f"it scores rows of its own task only: {error.message}") from error
    want(isinstance(score, Score), f"it returned {score!r:.80}")
    return score  # type: ignore[no-any-return]


def value_of(item: Item, rows: Rows) -> float:
    """Return a value, where the metric has one."""
    score = measured(item, rows)
    if score.value is None:
        raise NotHere(f"no value on rows of kind '{item.entry.kind}': {score.note or 'undefined'}")
    return float(score.value)


def better(item: Item, one: float, other: float) -> bool:
    """Whether one value beats another."""
    return one > other + CLOSE if item.entry.higher_is_better else one < other - CLOSE


def identity_is_best(item: Item, folder: Path) -> None:
    """Compare perfect answers with wrong ones."""
    best, worse = (value_of(item, rows_of(item.entry.kind, say)) for say in (right, wrong))
    want(
        not better(item, worse, best), f"{best:.6g} for perfect answers, {worse:.6g} for those of other rows"
    )


def order_does_not_matter(item: Item, folder: Path) -> None:
    """Score the same rows in another order."""
    rows = rows_of(item.entry.kind, half_right)
    value = value_of(item, rows)
    for seed in range(3):
        other = value_of(item, random.Random(seed).sample(rows, len(rows)))
        want(math.isclose(value, other, rel_tol=CLOSE, abs_tol=CLOSE), f"{value!r}, then {other!r}")


def the_same_twice(item: Item, folder: Path) -> None:
    """Score the same rows twice."""
    rows = rows_of(item.entry.kind, half_right)
    one, other = value_of(item, rows), value_of(item, rows)
    want(one == other, f"{one!r}, then {other!r}")


def stays_in_its_range(item: Item, folder: Path) -> None:
    """Look at values against the card's range."""
    low, high = item.entry.range
    for say in (right, wrong, silent):
        score = measured(item, rows_of(item.entry.kind, say))
        for value in [score.value, *(score.per_example or ())]:
            if value is None:
                continue
            inside = (low is None or value >= low - CLOSE) and (high is None or value <= high + CLOSE)
            want(math.isfinite(value) and inside, f"{value!r}, outside of {low} to {high}")


def silence_never_wins(item: Item, folder: Path) -> None:
    """Compare empty answers with wrong ones."""
    if item.entry.silence_wins:
        raise NotHere("its card declares that silence can win")
    score = measured(item, rows_of(item.entry.kind, silent))
    worse = measured(item, rows_of(item.entry.kind, wrong))
    if score.value is None or worse.value is None:
        raise NotHere("no value where nothing is said")
    want(
        not better(item, score.value, worse.value),
        f"{score.value:.6g} for empty answers, {worse.value:.6g} for wrong ones",
    )


def reads_the_answer(item: Item, folder: Path) -> None:
    """Change what the model said before it was read; only the answer may count."""
    rows = rows_of(item.entry.kind, right)
    noisy = [(example, replace(prediction, raw="noise")) for example, prediction in rows]
    one, other = value_of(item, rows), value_of(item, noisy)
    want(one == other, f"{one!r}, and {other!r} when the raw text is another")


def returns_what_it_should(item: Item, folder: Path) -> None:
    """Look at the types of a score."""
    rows = rows_of(item.entry.kind, half_right)
    score = measured(item, rows)
    want(score.value is None or _is_number(score.value), f"value {score.value!r}")
    want(score.n == len(rows) or score.note, f"n {score.n} of {len(rows)} rows, without a note")
    want(isinstance(score.note, str), f"note {score.note!r}")
    if score.per_example is not None:
        want(len(score.per_example) == len(rows), f"{len(score.per_example)} values for {len(rows)} rows")
        odd = [value for value in score.per_example if value is not None and not _is_number(value)]
        want(not odd, f"a row's value {odd[:1]!r}")
    if score.interval is not None:
        want(
            len(score.interval) == 2 and all(map(_is_number, score.interval)), f"interval {score.interval!r}"
        )
    odd_details = {k: v for k, v in score.details.items() if v is not None and not _is_number(v)}
    want(not odd_details, f"details {odd_details!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def nothing_breaks_it(item: Item, folder: Path) -> None:
    """Score no rows, and rows with odd texts."""
    none = measured(item, [])
    want(none.value is None or _is_number(none.value), f"value {none.value!r} without rows")
    for odd in ODD:
        rows = rows_of(item.entry.kind, lambda place, all_, text=odd: text)  # type: ignore[misc]
        score = measured(item, rows)
        want(
            score.value is None or _is_number(score.value), f"value {score.value!r} for answers {odd[:20]!r}"
        )


def the_commonest_answer_wins(item: Item, folder: Path) -> None:
    """Let two answers that are right outvote one that is wrong."""
    name, kind = item.entry.name, item.entry.kind
    if not item.entry.vote:
        raise NotHere("its card names no vote")
    rights, wrongs = rows_of(kind, right), rows_of(kind, wrong)
    rows = [
        (example, replace(wrong_one, repeats=(right_one, right_one)))
        for (example, right_one), (_, wrong_one) in zip(rights, wrongs, strict=True)
    ]
    found = measure(Pairs(rows), {name: (item.entry, item.load())}).get(f"{name} maj@3")
    if found is None:
        raise NotHere(f"no value on rows of kind '{kind}'")
    want(
        found.value == value_of(item, rights), found.note or f"{found.value!r} by two of three right answers"
    )


def says_what_it_is(item: Item, folder: Path) -> None:
    """Look for a definition, in the card or with the function."""
    want(item.entry.definition.strip() or (item.load().__doc__ or "").strip(), "no definition")


CHECKS = (
    Check(
        "identity-is-best",
        "no answers score better than the references themselves",
        "check the direction: higher_is_better in the entry, and which argument is the reference",
        identity_is_best,
    ),
    Check(
        "order",
        "the order of rows does not matter",
        "sum over rows, whatever their order",
        order_does_not_matter,
    ),
    Check(
        "deterministic", "the same rows give the same value", "seed what is drawn at random", the_same_twice
    ),
    Check(
        "range",
        "values inside the card's range",
        "correct range in the entry, or the value",
        stays_in_its_range,
    ),
    Check(
        "vote",
        "where a card names a vote, two right answers outvote a wrong one",
        "return from vote, for each row, what the metric takes its answer for",
        the_commonest_answer_wins,
    ),
    Check(
        "silence",
        "empty answers do not beat wrong ones",
        "score an empty answer as wrong, or declare silence_wins in the entry",
        silence_never_wins,
    ),
    Check(
        "reads-the-answer",
        "the answer counts, not the raw text around it",
        "read prediction.text, not prediction.raw",
        reads_the_answer,
    ),
    Check(
        "types",
        "a Score of numbers: value, n, one value a row or none, a finite interval or none",
        "return Score(name, value, n, per_example)",
        returns_what_it_should,
    ),
    Check(
        "odd-texts", "no answer and no lack of rows breaks it", "return None with a note", nothing_breaks_it
    ),
    Check(
        "card",
        "a definition of the number, edge cases too",
        "fill in definition and edge_cases of the entry, or write the function's docstring",
        says_what_it_is,
    ),
)
