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


def test_the_prompt_is_exact_and_its_format_is_named(run_bench):
    done = run_bench("show-prompt", "--model", "baseline/random", "--task", "lpm24", "--json")
    assert done.code == 0, done.err
    to_smiles, to_text = json.loads(done.out)
    assert to_smiles["prompt"].endswith("\nSMILES:")
    assert to_smiles["prompt"] == to_smiles["template"].format(caption=to_text["target"])
    assert len(to_smiles["digest"]) == 16
    assert to_smiles["tokens"] is None


def test_tokens_and_begin_of_sequence_are_counted(run_bench, write_plugin):
    plugin = write_plugin(PLUGIN, "reader_plugin")
    done = run_bench("show-prompt", "--plugin", plugin, "--model", "reader", "--task", "lpm24/smiles2text")
    assert done.code == 0, done.err
    assert "begin-of-sequence: 2" in done.out
    assert '"<s>" "<s>" "SMILES:"' in done.out


def test_an_unknown_row_suggests_one(run_bench):
    done = run_bench("show-prompt", "--model", "toy", "--task", "lpm24/text2smiles", "--row", "test-0001")
    assert done.code == 2
    assert "has no row 'test-0001'" in done.err
    assert "did you mean test-0" in done.err
