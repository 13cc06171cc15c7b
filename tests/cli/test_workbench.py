"""The workbench of plugins' verbs, and models opened without a task: what they get, and what is refused."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from harness import DataError, DataSpec, GenerateSpec, PluginError, Request, UsageError
from harness.cli.opening import add_model_arguments, context_of, opened, resolved_models
from harness.cli.parser import Parser
from harness.cli.workbench import Desk


@pytest.fixture
def desk(load, odd) -> Desk:
    return Desk(load(odd))


def test_a_list_of_tasks_has_the_members_of_its_groups_once(desk):
    assert desk.expand("toys,toy") == ["toy", "toy-choice"]
    assert desk.expand("") == []
    with pytest.raises(UsageError, match="no task named 'toi'"):
        desk.expand("toy,toi")


def test_tasks_are_found_by_their_tag(desk):
    assert set(desk.tagged("toy")) == {"toy", "toy-choice", "toys"}
    assert desk.tagged("no such tag") == []


def test_a_task_is_opened_on_a_split_with_its_own_metrics_or_others(desk):
    view = desk.open_task("toy", DataSpec())
    assert (view.name, view.split, len(view.examples), view.sample) == ("toy", "test", 23, True)
    assert list(view.metrics) == ["letter-accuracy"]
    other = desk.open_task("toy", DataSpec(split="train"), metrics=("exact-match",))
    assert list(other.metrics) == ["exact-match"] and len(other.examples) == 71
    assert other.digest != view.digest


def test_without_a_split_no_row_is_read(desk):
    view = desk.open_task("toy", DataSpec(split=""))
    assert list(view.examples) == [] and "train" in view.task.splits()


def test_options_of_a_task_are_checked_as_those_of_a_run(desk):
    view = desk.open_task("toy", DataSpec(), options={"shots": 2})
    assert view.request(view.examples[0]).prompt.count("Write in cipher") == 3
    with pytest.raises(UsageError, match="has no option 'shot'"):
        desk.open_task("toy", DataSpec(), options={"shot": 2})


def test_a_model_that_is_not_installed_here_costs_a_view_nothing(desk):
    assert desk.open_task("toy", DataSpec(), model="somebody/elses").examples


def test_metrics_of_a_tasks_own_plugin_come_before_others(desk):
    assert "odd-note" in desk.metrics()
    assert desk.metrics("rows")["nan-rows"].target.startswith("odd:")
    assert set(desk.load_metrics(["exact-match"], "rows")) == {"exact-match"}
    with pytest.raises(UsageError, match="no metric named 'exact'"):
        desk.load_metrics(["exact"])


def test_retrievers_are_built_from_what_users_write(desk):
    assert desk.retriever("first") is not None
    with pytest.raises(UsageError, match="no retriever named 'frist'"):
        desk.retriever("frist")


def test_a_model_is_opened_with_options_and_answers(desk):
    ready = desk.open_model("echo", "toy")
    with ready.session as session:
        (answer,) = session.generate([Request("1", "hello")], ready.run.spec.generate, ready.run)
    assert answer.text == "hello" and isinstance(ready.run.spec.generate, GenerateSpec)
    with pytest.raises(UsageError, match="opens for nobody"):
        desk.open_model("refuses", "toy")
    with pytest.raises(UsageError, match="has no options"):
        desk.open_model("echo", "toy", options={"temperature": 1})


def test_what_a_verb_writes_commands_no_terminal(desk, capsys):
    desk.write("a\x1b[2Jb\n")
    desk.say("c\u202ed")
    desk.show("t\x00", ["x"], [["\x9b31m"]])
    out, err = capsys.readouterr()
    assert out == "a\\u001b[2Jb\nt\\u0000\nx\n---------\n\\u009b31m\n"
    assert err == "c\\u202ed\n"


def test_a_form_that_no_plugin_brings_is_none(desk):
    assert desk.render({}, "crayon") is None


def arguments(*words: str) -> argparse.Namespace:
    parser = Parser(allow_abbrev=False)
    add_model_arguments(parser)
    parser.add_argument("--port", type=int, default=1)
    return parser.parse_args(words)


def test_models_are_resolved_without_a_task_and_options_of_the_verb_set_nothing(main, odd):
    args = arguments("--model", "echo,toy", "--plugin", str(odd), "--set", "generate.max_new_tokens=7")
    found = resolved_models(args, ("port",))
    assert [model.entry.name for model, _ in found] == ["echo", "toy"]
    assert all(resolved.spec.generate.max_new_tokens == 7 for _, resolved in found)
    model, resolved = found[0]
    assert context_of(resolved).spec is resolved.spec
    with opened(model, resolved) as session:
        (answer,) = session.generate([Request("1", "x")], resolved.spec.generate, context_of(resolved))
    assert answer.text == "x"


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ((), UsageError, "--model is missing"),
        (("--model", "toi"), UsageError, "no model named 'toi'"),
        (("--model", "toy", "--checkpoint", "nowhere"), DataError, "there is no checkpoint at nowhere"),
        (("--model", "./nowhere"), DataError, "there is no model at nowhere"),
        (("--model", "toy", "--set", "generate.top_p=2"), UsageError, "generate.top_p is 2.0, it must be"),
        (("--model", "toy", "--plugin", "absent.py"), PluginError, "there is no file absent.py"),
    ],
)
def test_a_model_that_cannot_be_opened_is_refused_before_anything_is_loaded(main, words, error, said):
    with pytest.raises(error, match=said):
        resolved_models(arguments(*words), ("port",))


def test_a_folder_without_its_dot_is_told_how_it_is_opened(main, tmp_path):
    (tmp_path / "weights").mkdir()
    with pytest.raises(UsageError, match="no model named 'weights'") as caught:
        resolved_models(arguments("--model", "weights"), ("port",))
    assert caught.value.hint == "--model ./weights opens the folder"


def test_a_gpu_that_is_not_there_is_refused_where_a_model_is_opened(main, odd):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    args = arguments("--model", "echo", "--plugin", str(odd), "--device", "cuda")
    [(model, resolved)] = resolved_models(args, ("port",))
    with pytest.raises(UsageError, match="torch sees no GPU"):
        opened(model, resolved)
    assert Path("runs").exists() is False
