"""The page of the command line is what the parsers say."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from harness.cli.main import verbs
from harness.cli.reference import page, parser_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md"


def test_the_committed_page_is_what_the_parsers_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make docs"


@pytest.mark.parametrize("verb", verbs())
def test_every_argument_says_what_it_means(verb: str) -> None:
    silent = [action.dest for action in parser_of(verb)._actions if action.help in (None, argparse.SUPPRESS)]
    assert not silent


def test_actions_below_a_verb_have_their_own_arguments_on_the_page() -> None:
    text = page()
    for action in ("check", "overlap", "preferences", "show"):
        assert f"### data {action}" in text
