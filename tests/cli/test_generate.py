"""`generate FILE`: prompts of a file, answered in their order, resumed where a run broke off."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ECHO = """
    from pathlib import Path

    from harness import Completion, ModelEntry, ModelPlugin, ModelSession, hookimpl

    class Echo(ModelPlugin):
        def train(self, data, spec, run):
            raise AssertionError("nothing is trained")

        def open(self, checkpoint, run):
            return Session()

    class Session(ModelSession):
        def generate(self, requests, spec, run):
            for request in reversed(requests):
                if request.prompt == "breaks" and not Path("mended").exists():
                    raise RuntimeError("it broke")
                with Path("asked").open("a") as file:
                    file.write(request.prompt + "\\n")
                before = "".join(f"[{message.role}: {message.text}]" for message in request.messages)
                yield Completion(request.id, f"{before}{request.prompt}!")

    @hookimpl
    def harness_models():
        return [ModelEntry("echo", "says it again", f"{__name__}:Echo", stages=("sft",))]
"""


@pytest.fixture
def generate(main: Callable[..., Any], write_plugin: Callable[..., Path]) -> Callable[..., Any]:
    plugin = write_plugin(ECHO)
    return lambda *arguments: main("generate", *arguments, "--model", "echo", "--plugin", plugin, "--quiet")


def answers(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


CONVERSATION = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("p.txt", "one\n\n{two}\n", [], ["one!", "{two}!"]),
        ("p.jsonl", '{"Input": "水", "n": 1}\n{"Input": "b", "n": 2}\n', [], ["水!", "b!"]),
        ("p.csv", "question,x\nwhat,1\n", ["--set", "task.prompt={question} {x}?"], ["what 1?!"]),
        ("p.txt", "one\n", ["--set", "task.system=Short."], ["[system: Short.]one!"]),
        (
            "p.jsonl",
            json.dumps({"messages": [*CONVERSATION, {"role": "user", "content": "c"}]}) + "\n",
            [],
            ["[user: a][assistant: b]c!"],
        ),
    ],
)
def test_a_file_is_answered_in_its_order(
    generate: Callable[..., Any], tmp_path: Path, name: str, text: str, options: list[str], said: list[str]
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    done = generate(name, *options)
    assert done.code == 0, done.err
    assert f"{len(said)} answers are in {name}.answers.jsonl" in done.err
    rows = answers(tmp_path / f"{name}.answers.jsonl")
    assert [row["answer"] for row in rows] == said
    assert all({"id", "prompt", "finish"} <= set(row) for row in rows)


def test_what_was_answered_is_not_asked_again(generate: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("last\nbreaks\nfirst\n")
    broken = generate("p.txt", "--answers", "said.jsonl")
    assert broken.code == 5 and "it broke" in broken.err and not (tmp_path / "said.jsonl").exists()
    (tmp_path / "mended").touch()
    assert generate("p.txt", "--answers", "said.jsonl").code == 0
    assert [row["answer"] for row in answers(tmp_path / "said.jsonl")] == ["last!", "breaks!", "first!"]
    assert generate("p.txt", "--answers", "again.jsonl").code == 0
    assert answers(tmp_path / "again.jsonl") == answers(tmp_path / "said.jsonl")
    assert (tmp_path / "asked").read_text().split() == ["first", "breaks", "last"]


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        (None, [], "there is no file p.csv"),
        ("a,b\n1,2\n", [], "has no column of prompts"),
        ("a,b\n1,2\n", ["--set", "task.prompt={c}"], "has no column 'c'"),
        ("prompt\n \n", [], "p.csv:2: expected a prompt"),
        ("prompt\nx\n", ["--task", "toy"], "a file is a task of its own"),
        ("prompt\nx\n", ["--answers", "p.csv"], "answers cannot be written to p.csv"),
    ],
)
def test_what_cannot_be_asked_is_said(
    generate: Callable[..., Any], tmp_path: Path, text: str | None, arguments: list[str], says: str
) -> None:
    if text is not None:
        (tmp_path / "p.csv").write_text(text)
    done = generate("p.csv", *arguments)
    assert done.code in (2, 4) and says in done.err, done.err


def test_answers_go_with_a_file(main: Callable[..., Any]) -> None:
    done = main("generate", "--model", "toy", "--task", "toy", "--answers", "x")
    assert done.code == 2 and "--answers goes with a file of prompts" in done.err
