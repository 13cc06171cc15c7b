"""`show-prompt`: the exact text, and what a model makes of it."""

import json

PLUGIN = """
from harness import ModelEntry, ModelPlugin, ModelSession, PromptTokens, hookimpl


class Reader(ModelPlugin):
    def open(self, checkpoint, run):
        return Reading()


class Reading(ModelSession):
    def prompt_tokens(self, request):
        pieces = ("<s>", "<s>", *request.prompt.split())
        return PromptTokens(tuple(range(len(pieces))), pieces, bos=2)


@hookimpl
def harness_models():
    return [ModelEntry("reader", "splits at spaces", f"{__name__}:Reader")]
"""


def test_the_prompt_is_exact_and_its_format_is_named(main):
    done = main("show-prompt", "--model", "baseline/random", "--task", "lpm24", "--json")
    assert done.code == 0, done.err
    to_smiles, to_text = json.loads(done.out)
    assert to_smiles["prompt"].endswith("\nSMILES:")
    assert to_smiles["prompt"] == to_smiles["template"].format(caption=to_text["target"])
    assert len(to_smiles["digest"]) == 16
    assert to_smiles["tokens"] is None


def test_tokens_and_begin_of_sequence_are_counted(main, write_plugin):
    plugin = write_plugin(PLUGIN, "reader_plugin")
    done = main("show-prompt", "--plugin", plugin, "--model", "reader", "--task", "lpm24/smiles2text")
    assert done.code == 0, done.err
    assert "begin-of-sequence: 2" in done.out
    assert '"<s>" "<s>" "SMILES:"' in done.out


def test_an_unknown_row_suggests_one(main):
    done = main("show-prompt", "--model", "toy", "--task", "lpm24/text2smiles", "--row", "test-0001")
    assert done.code == 2
    assert "has no row 'test-0001'" in done.err
    assert "did you mean test-0" in done.err


def test_choices_are_shown_as_the_model_is_asked_for_them(main):
    done = main("show-prompt", "--model", "toy", "--task", "toy-choice")
    lines = [line.split(None, 1) for line in done.out.splitlines()]
    choices = [json.loads(text) for name, text in lines if name == "choice"]
    (target,) = [json.loads(text) for name, text in lines if name == "target"]
    assert len(choices) == 4 and target in choices
    (facts,) = json.loads(main("show-prompt", "--model", "toy", "--task", "toy-choice", "--json").out)
    assert facts["choices"] == choices


def test_choices_that_stand_in_the_prompt_are_asked_for_by_letter(main):
    letters = ("--set", "task.ask=letters")
    (facts,) = json.loads(
        main("show-prompt", "--model", "toy", "--task", "toy-choice", *letters, "--json").out
    )
    assert facts["choices"] == ["A", "B", "C", "D"] and facts["prompt"].endswith("Answer:")
    assert facts["target"] in facts["choices"]


def test_a_row_is_named_by_its_id_and_shots_stand_before_it(main):
    command = ("show-prompt", "--model", "toy", "--task", "toy", "--row", "element-79", "--json")
    (plain,) = json.loads(main(*command).out)
    (facts,) = json.loads(main(*command, "--set", "task.shots=2").out)
    assert facts["row"] == "element-79"
    assert facts["prompt"].endswith(plain["prompt"]) and facts["prompt"].count("Write in cipher") == 3
    assert facts["digest"] != plain["digest"]


def test_without_weights_the_prompt_is_shown_and_why_it_has_no_tokens(main):
    done = main("show-prompt", "--model", "toy", "--task", "toy")
    assert done.code == 0
    assert "  tokens    not shown: the toy model needs a checkpoint to answer" in done.out.splitlines()


def test_tokens_of_a_checkpoint_are_shown(main):
    assert main("train", "--model", "toy", "--task", "toy").code == 0
    done = main("show-prompt", "--model", "baseline/random", "--task", "toy,toy-choice")
    assert done.out.count("\n\n") == 1 and done.out.startswith("baseline/random on toy, row ")
