"""The pages of the command line and of the public names are what the code says."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import api
from harness.cli import api_reference, reference_tables
from harness.cli.main import verbs
from harness.cli.reference import page, parser_of

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference"


@pytest.mark.parametrize(("name", "written"), [("cli", page), ("api", api_reference.page)])
def test_the_committed_page_is_what_the_code_says(name: str, written: Callable[[], str]) -> None:
    assert (PAGES / f"{name}.md").read_text(encoding="utf-8") == written(), "run: make docs"


@pytest.mark.parametrize("name", reference_tables.PAGES)
def test_the_committed_tables_are_what_the_code_says(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert text == reference_tables.written(text, reference_tables.PAGES[name]()), "run: make docs"


def test_a_page_without_marks_is_not_taken_for_one_that_is_current() -> None:
    with pytest.raises(LookupError, match="no marks"):
        reference_tables.written("# Hooks\n", reference_tables.hooks())


def test_every_public_name_is_on_the_page() -> None:
    text = (PAGES / "api.md").read_text(encoding="utf-8")
    assert not [name for name in api.__all__ if f"#### `{name}" not in text]


@pytest.mark.parametrize("verb", verbs())
def test_every_argument_says_what_it_means(verb: str) -> None:
    silent = [action.dest for action in parser_of(verb)._actions if action.help in (None, argparse.SUPPRESS)]
    assert not silent


def test_actions_below_a_verb_have_their_own_arguments_on_the_page() -> None:
    text = page()
    for action in ("check", "overlap", "preferences", "show"):
        assert f"### data {action}" in text
