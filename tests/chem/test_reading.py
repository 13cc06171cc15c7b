"""Molecules are read out of what chat models say around them, and answers of one word are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import Request
from harness.chem.reading import read_molecule
from harness.tasks.chebi20.task import TextToSmiles

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


STYLES = (Path(__file__).parent / "molecule_styles.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("style", [line for line in STYLES if line and not line.startswith("#")])
def test_a_molecule_is_read_out_of_what_chat_models_say_around_it(style):
    said = style.replace("\\n", "\n").replace("@", ASPIRIN)
    assert read_molecule(said) == ASPIRIN


@pytest.mark.parametrize(
    "said",
    [
        *("C1CC", "CC(=O", "CCO.Cl", "C C O", "", "ethanol", "No.", "Unknown", "Aspirin", "<think>CCO"),
        *(
            "I cannot answer that.",
            "The answer is no",
            "I am not sure.",
            "As an AI language model, I do not know.",
        ),
        "The molecule is a member of the class of benzenes.",
        "In general, such a molecule is not known.",
        "It is an alcohol: the IUPAC name is ethanol.",
    ],
)
def test_what_holds_no_molecule_is_left_as_it_is(said):
    assert read_molecule(said) == said.strip()


def test_a_molecule_at_whose_ends_atoms_are_stars_keeps_them():
    assert read_molecule("*CCO*") == "*CCO*"


def test_real_molecules_are_found_and_real_captions_hold_none(test_data):
    lines = (test_data / "chebi20/test.txt").read_text(encoding="utf-8").splitlines()[1:301]
    for _, smiles, caption in (line.split("\t") for line in lines):
        assert read_molecule(caption) == caption.strip()
        for style in ("@", "The molecule is @", "It is represented by the SMILES string @, which fits."):
            assert read_molecule(style.replace("@", smiles)) == smiles


def test_prose_is_read_where_it_is_asked_for():
    request, said = Request("1", ""), "The SMILES is CCO."
    strict, prose = TextToSmiles(), TextToSmiles()
    prose.reads_prose = True
    assert (strict.answer(said, request), prose.answer(said, request)) == (said, "CCO")


def test_models_that_know_nothing_of_the_task_are_read_out_of_prose_and_counted(load, main, write_plugin):
    plugin = write_plugin(
        """
        from harness import Answers, ModelEntry, ModelPlugin, hookimpl

        @hookimpl
        def harness_models():
            return [
                ModelEntry("chatty", "says more", f"{__name__}:Chatty", stages=(), known_by="name"),
                ModelEntry("terse", "the same, but learned", f"{__name__}:Chatty", stages=()),
            ]

        class Chatty(ModelPlugin):
            def open(self, checkpoint, run):
                return Answers(lambda request: "The SMILES is CCO.")
        """
    )
    asked = (
        "--plugin",
        plugin,
        "--task",
        "chebi20/text2smiles",
        "--metrics",
        "validity",
        "--limit",
        3,
        "--quiet",
    )
    done = main("--model", "chatty", *asked)
    assert done.code == 0, done.err
    assert "100.0" in done.out and "3 read-from-prose" in done.out
    strict = main("--model", "chatty", *asked, "--set", "task.reading=strict")
    assert "100.0" not in strict.out
    assert "100.0" not in main("--model", "terse", *asked).out


def test_json_of_brackets_without_end_holds_no_molecule():
    said = '{"smiles": ' + "[" * 100_000 + "}"
    assert read_molecule(said) == said
