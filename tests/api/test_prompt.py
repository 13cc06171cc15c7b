"""The exact text around inputs: no gap is filled with nothing, and a digest knows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import PromptFormat, UsageError


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("", ()),
        ("no input", ()),
        ("{a}", ("a",)),
        ("{b} {a} {b}", ("b", "a")),
        ("{{a}} {b!s:>8}", ("b",)),
    ],
)
def test_the_inputs_of_a_template_are_known_in_its_order(template, names):
    assert PromptFormat("p", template).names == names


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Capital of {country", "prompt 'p' is no template: expected '}'"),
        ("Capital of country}", "prompt 'p' is no template: Single '}'"),
        ("Capital of {}?", "prompt 'p' is no template: Format string contains positional fields"),
        ("Capital of {country:d}?", "prompt 'p' is no template: Unknown format code 'd'"),
    ],
)
def test_a_template_that_cannot_be_read_is_said_in_a_sentence(template, said):
    with pytest.raises(UsageError) as refused:
        PromptFormat("p", template).render({"country": "France"})
    assert refused.value.message.startswith(said)
    assert refused.value.hint == "an input stands in braces, {smiles}; a brace itself is written twice, {{"


@pytest.mark.parametrize("template", ["{country.__class__}", "{country[0]}", "{0}"])
def test_a_template_reaches_no_further_than_the_inputs(template):
    with pytest.raises(UsageError, match="needs input"):
        PromptFormat("p", template).render({"country": "France"})


def test_all_that_is_missing_is_named_at_once():
    with pytest.raises(UsageError, match="prompt 'p' needs input b, c, the example has a, d"):
        PromptFormat("p", "{a}{c}{b}").render({"a": "", "d": ""})


def test_an_empty_input_is_there_and_one_too_many_is_no_fault():
    assert PromptFormat("p", "[{a}]").render({"a": "", "b": "unused"}) == "[]"


@given(st.text(max_size=30))
def test_braces_of_an_input_are_no_template(text):
    assert PromptFormat("p", "<{a}>").render({"a": text}) == f"<{text}>"


@pytest.mark.parametrize(
    "other", [PromptFormat("q", "{a}"), PromptFormat("p", "{a}\n"), PromptFormat("p", "{a}", version="2")]
)
def test_a_format_is_known_by_name_version_and_template(other):
    assert other.digest != PromptFormat("p", "{a}").digest
    assert PromptFormat("p", "{a}").digest == PromptFormat("p", "{a}").digest


def test_names_and_templates_never_run_together_in_a_digest():
    assert PromptFormat("ab", "c").digest != PromptFormat("a", "bc").digest
