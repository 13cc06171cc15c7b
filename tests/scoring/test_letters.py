"""Answers in the styles of many systems name the choices that a reader of them would name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.alphabet import LETTERS
from harness.scoring.letters import letters, read_letters

STYLES = Path(__file__).with_name("answer_styles.txt")


def styles() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    choices: tuple[str, ...] = ()
    for line in STYLES.read_text(encoding="utf-8").splitlines():
        if line.startswith("="):
            choices = tuple(part.strip() for part in line[1:].split("|") if part.strip())
        elif line and not line.startswith("#"):
            wanted, _, answer = line.partition("|")
            yield wanted, answer.replace("\\n", "\n"), choices


def read(answer: str, choices: tuple[str, ...]) -> str:
    found = read_letters(answer, choices)
    return found.letters or ("!" if found.declined else "-")


def test_there_are_at_least_four_hundred_styles_and_none_twice():
    rows = list(styles())
    assert len(rows) == len(set(rows)) >= 400


@pytest.mark.parametrize(("wanted", "answer", "choices"), list(styles()))
def test_a_style_is_read(wanted, answer, choices):
    assert read(answer, choices) == wanted


@given(
    st.text(st.sampled_from("ABCDEIabc ,.:()[]{}<>/\\\"'*$答案是选不、和正确项\n"), max_size=60),
    st.integers(0, 6),
)
def test_any_text_is_read_without_an_error_and_names_choices_that_are_there(text, count):
    choices = ("aspirin", "yes", "no", "肝素", "A", "E. coli")[:count]
    found = letters(text, choices)
    assert set(found) <= set(LETTERS[: count or 10])
    assert len(found) == len(set(found))


@pytest.mark.parametrize("letter", "ABCD")
@given(
    before=st.sampled_from(["", "\n", "  ", "\u200b"]), after=st.sampled_from(["", "\n\n", " ", ".", "</s>"])
)
def test_what_surrounds_a_bare_letter_changes_nothing(letter, before, after):
    assert letters(before + letter + after) == letter


def test_the_reading_says_by_which_rule():
    rules = {read_letters(answer, choices).rule for _, answer, choices in styles()}
    assert rules == {"bare", "stated", "called right", "verdicts", "label", "choice", "apart", ""}
