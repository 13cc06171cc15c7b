"""Free text loses what a chat model says before it, and nothing that a caption may begin with."""

from __future__ import annotations

import pytest

from harness import Request, TaskOptions
from harness.data.lead_ins import without_lead_in
from harness.tasks.chebi20.task import SmilesToText

CAPTION = "The molecule is a carboxylic acid: it is found in vinegar."


@pytest.mark.parametrize(
    "style",
    [
        *("@", " @\n", "Caption: @", "**Description:** @", "Description:\n@", "Final answer: @", "描述：@"),
        *("Sure! @", "Certainly! Here is the description: @", "Here's a caption of the molecule:\n\n@"),
        *("Sure, here is what I can say:\n\n**Caption:** @", "Based on the SMILES, I would say:\n@"),
        *("```\n@\n```", "```text\n@", '"@"', "“@”", "Here is it:\n```\n@\n```"),
        *("<think>An acid?</think>\n@", "<think>An acid: yes.</think>Answer: @"),
    ],
)
def test_what_hands_over_is_dropped(style):
    assert without_lead_in(style.replace("@", CAPTION)) == CAPTION


@pytest.mark.parametrize(
    "said",
    [
        "Based on its structure, the molecule is an acid: it is sour.",
        *(CAPTION, "Acetic acid: a simple acid.", "Answering is hard.", "Description", "", "Sure"),
        *('It is "weak" and "sour"', '"weak" or "strong"', "Here is no colon.", "Okadaic acid is a toxin."),
    ],
)
def test_what_a_text_may_begin_with_is_kept(said):
    assert without_lead_in(said) == said


def test_captions_are_cut_only_where_a_task_is_told_to():
    said, request = f"Caption: {CAPTION}", Request("1", "")
    assert SmilesToText().answer(said, request) == said
    assert SmilesToText(options=TaskOptions(reading="prose")).answer(said, request) == CAPTION


def test_models_that_know_nothing_of_a_task_do_not_make_it_cut_free_text(main, write_plugin, tmp_path):
    (tmp_path / "rows.csv").write_text("q,a\n1,one\n")
    plugin = write_plugin(
        """
        from harness import Answers, ModelEntry, ModelPlugin, hookimpl

        @hookimpl
        def harness_models():
            return [ModelEntry("chatty", "says more", f"{__name__}:Chatty", stages=(), known_by="name")]

        class Chatty(ModelPlugin):
            def open(self, checkpoint, run):
                return Answers(lambda request: "Sure! Here you are: one")
        """
    )
    task = "[task]\nfile = 'rows.csv'\nprompt = '{q}'\nanswer = 'a'\n"
    asked = ("--plugin", plugin, "--model", "chatty", "--quiet", "--metrics", "exact-match", "--task")
    (tmp_path / "plain.toml").write_text(task)
    assert " 0.0" in main(*asked, "plain.toml").out
    (tmp_path / "cut.toml").write_text(task + "reading = 'prose'\n")
    done = main(*asked, "cut.toml")
    assert "100.0" in done.out and "1 read-from-prose" in done.out
    (record,) = tmp_path.glob("runs/table/cut/**/record.json")
    assert '"read_by": "lead-in 1"' in record.read_text()
