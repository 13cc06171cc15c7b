"""A board reads a run's answers as the run did, however it was asked and however aloud it thought."""

import json

import pytest

THINKER = """
    from harness import Answers, ModelEntry, ModelPlugin, hookimpl


    class Thinker(ModelPlugin):
        def open(self, checkpoint, run):
            return Answers(lambda request: "<t>first A, then B</t> " + request.prompt.split()[-1])


    @hookimpl
    def harness_models():
        return [ModelEntry("thinker", "thinks aloud", f"{__name__}:Thinker", stages=())]
"""


def scores_here_and_there(main, *command):
    """Return what a run scored, and what its card says when its answers are scored again."""
    done = main(*command, "--json", "--no-compare")
    assert done.code == 0, done.err
    (run,) = json.loads(done.out)["runs"]
    plugin = command[command.index("--plugin") :][:2] if "--plugin" in command else ()
    card = main("card", run["directory"], "--json", *plugin)
    assert card.code == 0, card.err
    (line,) = json.loads(card.out)["table"]["lines"]
    here = {name: score["value"] for name, score in run["scores"].items()}
    return here, {name: cell["value"] for name, cell in line["scores"].items()}


@pytest.mark.parametrize("way", ["likelihood", "letters"])
def test_choices_that_changed_places_count_the_same_on_a_board(main, way):
    asked = ("--set", f"task.ask={way}", "--set", "task.permute=3")
    here, there = scores_here_and_there(main, "--model", "toy", "--task", "toy-choice", *asked)
    assert here == there and here


def test_thinking_aloud_is_no_answer_on_a_board_either(main, write_plugin):
    plugin = write_plugin(THINKER, "thinker")
    tags = ("--set", 'generate.reasoning=["<t>", "</t>"]')
    here, there = scores_here_and_there(
        main, "--model", "thinker", "--task", "toy", *tags, "--plugin", plugin
    )
    assert here == there and here
