"""Molecules are read out of what chat models say around them, and answers of one word are left alone."""

from __future__ import annotations

import pytest

from harness import Request
from harness.chem.reading import read_molecule
from harness.tasks.chebi20.task import TextToSmiles

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.mark.parametrize(
    "said",
    [
        ASPIRIN,
        f" {ASPIRIN}\n",
        f"{ASPIRIN}.",
        f"`{ASPIRIN}`",
        f'"{ASPIRIN}"',
        f"**{ASPIRIN}**",
        f"```\n{ASPIRIN}\n```",
        f"```smiles\n{ASPIRIN}\n```\nThis is aspirin, an ester of salicylic acid.",
        f"```\n{ASPIRIN}",
        f'{{"smiles": "{ASPIRIN}"}}',
        f'```json\n{{"name": "aspirin", "SMILES": "{ASPIRIN}"}}\n```',
        f"The SMILES is {ASPIRIN}.",
        f"The SMILES string for this molecule would be: {ASPIRIN}",
        f"SMILES: {ASPIRIN}",
        f"SMILES: `{ASPIRIN}`",
        f"Answer: **{ASPIRIN}**.",
        f"Sure! Here is the molecule you asked for:\n\n{ASPIRIN}\n\nIt holds an ester and an acid.",
        f"Based on the description, the structure of the compound is “{ASPIRIN}”.",
    ],
)
def test_a_molecule_is_read_out_of_prose(said):
    assert read_molecule(said) == ASPIRIN


@pytest.mark.parametrize(
    "said", ["C1CC", "CC(=O", "CCO.Cl", "I cannot answer that.", "The answer is no", "", "ethanol", "C C O"]
)
def test_what_holds_no_molecule_is_left_as_it_is(said):
    assert read_molecule(said) == said.strip()


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
