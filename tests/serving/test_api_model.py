"""`--model api` on our own server tells the numbers of `--model hf` on the same weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Live, serving

ROWS = [
    {
        "question": f"Question {n}: what is CCO?",
        "a": "ab",
        "b": "cde",
        "c": "f",
        "answer": ("ab", "cde", "f")[n % 3],
    }
    for n in range(6)
]
TEMPLATE = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }} {% endfor %}[assistant] "


@pytest.fixture(scope="module")
def chatty(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny Llama with a chat template, and a word for it that the weights do not know."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("chatty")
    AutoModelForCausalLM.from_pretrained(weights).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(weights)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def served(chatty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    from harness.plugins.hf.model import HuggingFace, HuggingFaceOptions

    model = HuggingFace(HuggingFaceOptions(weights=str(chatty)))
    with serving(lambda run: model.open(None, run), tmp_path_factory.mktemp("served")) as found:
        yield found


Scored = dict[str, dict[str, Any]]


@pytest.fixture
def asked(main: Any, served: Live, chatty: Path, tmp_path: Path) -> Callable[..., tuple[Scored, Scored]]:
    """Return a function that asks model hf and model api alike, and returns the rows of both by id."""
    (tmp_path / "exam.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    task = f"[task]\nfile = '{tmp_path / 'exam.jsonl'}'\nprompt = '{{question}}'\nanswer = 'answer'\n"

    def rows(model: str, options: list[str], more: list[str]) -> Scored:
        file = tmp_path / "exam.toml"
        choices = "choices = ['a', 'b', 'c']\n" if any("task.ask" in text for text in more) else ""
        file.write_text(task + choices)
        sets = [part for text in (*options, *more, "generate.max_new_tokens=8") for part in ("--set", text)]
        done = main("--model", model, "--task", file, "--output", model, "--quiet", "--device", "cpu", *sets)
        assert done.code == 0, done.err
        (record,) = (tmp_path / model).glob("**/record.json")
        found = [json.loads(line) for line in (record.parent / "predictions.jsonl").read_text().splitlines()]
        return {row["id"]: row for row in found}

    def both(kind: str, *more: str, hf: list[str]) -> tuple[Scored, Scored]:
        api = [f"model.base_url={served.url}/v1", "model.name=tiny", f"model.kind={kind}"]
        return rows("hf", [f"model.weights={chatty}", *hf], list(more)), rows("api", api, list(more))

    return both


def test_a_chat_says_the_same(asked):
    own, told = asked("chat", hf=["model.template=chat"])
    assert [told[key]["raw"] for key in told] == [own[key]["raw"] for key in own]
    assert len({row["raw"] for row in own.values()}) > 1
    for key, row in own.items():
        assert told[key]["scores"] == row["scores"] and told[key]["finish"] == row["finish"]
        assert (told[key]["prompt_tokens"], told[key]["new_tokens"]) == (
            row["prompt_tokens"],
            row["new_tokens"],
        )


def test_completions_say_the_same(asked):
    own, told = asked("completions", hf=["model.template=none"])
    assert [told[key]["raw"] for key in told] == [own[key]["raw"] for key in own]
    assert all(told[key]["prompt_tokens"] == row["prompt_tokens"] for key, row in own.items())


@pytest.mark.parametrize("way", ["likelihood", "letters"])
def test_choices_have_the_same_log_likelihoods_by_echo(asked, way):
    own, told = asked("completions", f"task.ask={way}", hf=["model.template=none"])
    for key, row in own.items():
        assert told[key]["choice_scores"] == pytest.approx(row["choice_scores"], abs=1e-4)
        assert told[key]["text"] == row["text"] and told[key]["scores"] == row["scores"]
        assert told[key]["prompt_tokens"] > 0


def test_letters_have_the_same_log_likelihoods_among_the_likeliest_tokens(asked, served):
    """Where a letter is among the server's 20 likeliest tokens, its log-likelihood is the model's."""
    own, told = asked("chat", "task.ask=letters", hf=["model.template=chat"])
    pairs = [
        pair
        for key in own
        for pair in zip(told[key]["choice_scores"], own[key]["choice_scores"], strict=True)
    ]
    named = [(said, wanted) for said, wanted in pairs if said != -100.0]
    assert named
    assert all(said == pytest.approx(wanted, abs=1e-4) for said, wanted in named)
