"""Wrong flags get the nearest right one, other programs' habits their word here, and help fits a terminal."""

from __future__ import annotations

import argparse

import pytest

from harness import UsageError
from harness.cli.main import verbs
from harness.cli.parser import HABITS, LONGEST, Parser, add_verb, option_strings
from harness.cli.reference import parser_of


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="run-bench", allow_abbrev=False)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--dtype", choices=["fp32", "bf16"])
    return parser


def refused(parser: argparse.ArgumentParser, *arguments: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parser.parse_args(arguments)
    return caught.value


def test_a_misspelt_flag_gets_the_nearest_one(parser):
    error = refused(parser, "--sed", "1")
    assert (error.message, error.hint) == ("unknown argument --sed", "did you mean --seed?")


def test_a_flag_of_another_verb_is_not_suggested_to_itself(parser):
    verbs = parser.add_subparsers()
    verbs.add_parser("one").add_argument("--data")
    verbs.add_parser("two", allow_abbrev=False).add_argument("--date")
    error = refused(parser, "two", "--data", "x")
    assert (error.message, error.hint) == (
        "unknown argument --data",
        "another verb takes it; --help behind a verb lists what that one takes",
    )


def test_a_flag_with_its_value_is_named_without_it(parser):
    assert refused(parser, "--sed=1").message == "unknown argument --sed"


def test_a_flag_like_no_other_is_told_where_all_are(parser):
    error = refused(parser, "--zzz")
    assert error.hint == "run-bench --help lists every flag"


@pytest.mark.parametrize("habit", HABITS)
def test_what_other_harnesses_call_it_is_answered_with_what_it_is_called_here(main, habit):
    done = main("--model", "toy", "--task", "toy", habit, "x")
    assert done.code == 2
    assert done.err == f"error: unknown argument {habit}\nhint: {HABITS[habit]}\n"


@pytest.mark.parametrize("habit", [habit for habit in HABITS if "--" in HABITS[habit]])
def test_what_a_habit_is_answered_with_is_a_flag_that_there_is(habit):
    known = option_strings(parser_of("run"))
    named = [word.rstrip(",;") for word in HABITS[habit].split() if word.startswith("--")]
    assert named and set(named) <= set(known)


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_where_nothing_belongs_is_named_as_such(parser, blank):
    assert refused(parser, blank).message == "unknown argument ''"


def test_abbreviations_are_refused_because_a_new_flag_would_change_what_they_mean(parser):
    assert refused(parser, "--see", "1").message == "unknown argument --see"


def test_a_wrong_value_of_thousands_of_characters_is_repeated_only_at_its_beginning(parser):
    error = refused(parser, "--seed", "9" * 5000)
    assert error.message.startswith("argument --seed: invalid int value: '999")
    assert len(error.message) == LONGEST and error.message.endswith("…")


def test_a_wrong_choice_names_those_that_there_are(parser):
    assert "(choose from 'fp32', 'bf16')" in refused(parser, "--dtype", "fp8").message


def test_flags_of_actions_below_a_verb_are_known_to_it():
    parser = Parser(prog="run-bench")
    below = parser.add_subparsers()
    below.add_parser("check", allow_abbrev=False).add_argument("--strict", action="store_true")
    assert "--strict" in option_strings(parser)
    assert refused(parser, "check", "--stric").hint == "did you mean --strict?"


def help_of(columns: int, monkeypatch: pytest.MonkeyPatch, description: str, *examples: str) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    parser = add_verb(Parser(prog="run-bench").add_subparsers(prog="run-bench"), "do", description, *examples)
    return parser.format_help().splitlines()


def test_sentences_of_a_help_are_wrapped_and_paragraphs_stay_apart(monkeypatch):
    lines = help_of(40, monkeypatch, "First one sentence that is long enough to be wrapped.\n\nThen another.")
    start = lines.index("First one sentence that is long enough")
    assert lines[start : start + 4] == [
        "First one sentence that is long enough",
        "to be wrapped.",
        "",
        "Then another.",
    ]


def test_examples_end_a_help_and_are_never_wrapped(monkeypatch):
    long = "run-bench do --with a --lot of --flags that --do-not fit --into forty columns"
    lines = help_of(40, monkeypatch, "Do.", "run-bench do", long)
    assert lines[-3:] == ["examples:", "  run-bench do", f"  {long}"]


def test_a_help_without_examples_has_no_heading_for_them(monkeypatch):
    assert "examples:" not in help_of(80, monkeypatch, "Do.")


@pytest.mark.parametrize("verb", verbs())
def test_every_help_fits_80_columns_and_ends_with_examples(monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "80")
    text = parser_of(verb).format_help()
    body, _, examples = text.rpartition("\nexamples:\n")
    assert max(map(len, body.splitlines())) <= 80
    assert examples and all(line.startswith("  ") for line in examples.splitlines())


TALK = ("chat", "serve", "new-plugin", "completion", "lm-eval")  # these print no result of ours


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_that_prints_a_result_prints_it_as_json_too(verb):
    parser = parser_of(verb)
    below = [a.choices.values() for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    parsers = [*([] if verb == "weights" else [parser]), *(one for some in below for one in some)]
    assert all(("--json" in option_strings(one)) is (verb not in TALK) for one in parsers)
