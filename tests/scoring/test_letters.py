"""Answers in the styles of many systems name the choices that a reader of them would name."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scoring.letters import LETTERS, read_letters

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
