"""What people are told beside medical answers, in both languages, or as was set."""

from __future__ import annotations

import json
import sys
from io import StringIO

import pytest

from harness import ModelEntry, RunSpec, TaskEntry
from harness.api.notice import MEDICAL, notice_of
from harness.cli.main import main

BOTH = "\n".join(MEDICAL.values())


def test_the_setting_goes_before_the_model_and_that_before_the_task():
    model, task = ModelEntry("m", "", "", notice={"en": "m"}), TaskEntry("t", "", notice={"en": "t"})
    silent = ModelEntry("s", "", "")
    assert notice_of(RunSpec("m", "t"), model, task) == {"en": "m"}
    assert notice_of(RunSpec("s", "t"), silent, task) == {"en": "t"}
    assert notice_of(RunSpec("s", "t"), silent) == {}
    assert notice_of(RunSpec("m", "t", notice="Mine."), model, task) == {"en": "Mine."}
    assert notice_of(RunSpec("m", "t", notice=""), model, task) == {}


@pytest.mark.parametrize(
    ("flags", "told"), [((), BOTH), (("--set", "notice=Mine."), "Mine."), (("--set", "notice="), "")]
)
def test_a_medical_model_in_a_chat_says_it_beside_the_answer(tiny_llama, capsys, monkeypatch, flags, told):
    monkeypatch.setattr(sys, "stdin", StringIO(""))
    weights = ("--set", f"model.weights={tiny_llama}", "--set", "generate.max_new_tokens=2")
    assert main(["chat", "--model", "aimed", "--preset", "7b", *weights, "--ask", "What helps?", *flags]) == 0
    said = capsys.readouterr()
    assert MEDICAL["en"] not in said.out  # standard output holds the answer alone
    assert (told in said.err) if told else (MEDICAL["en"] not in said.err)


def test_answers_to_medical_questions_are_shown_with_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = ["--model", "baseline/random", "--task", "medical_qa/choice", "--set", "data.limit=3", "--quiet"]
    assert main(["generate", *asked]) == 0
    assert BOTH in capsys.readouterr().err
    assert main(["run", *asked]) == 0
    (record,) = tmp_path.glob("runs/medical_qa/**/record.json")
    capsys.readouterr()
    assert main(["show", str(record.parent)]) == 0
    assert BOTH in capsys.readouterr().out
    answers = (record.parent / "predictions.jsonl").read_text(encoding="utf-8")
    row = json.loads(answers.splitlines()[0])
    assert main(["explain", str(record.parent), "--id", str(row.get("id", row.get("request_id")))]) == 0
    assert BOTH in capsys.readouterr().out


@pytest.mark.parametrize("name", ["aimed", "medical_qa", "medical_qa/medqa-us"])
def test_cards_of_medical_models_and_tasks_have_it(name, capsys):
    assert main(["show", name]) == 0
    out = capsys.readouterr().out
    assert MEDICAL["en"] in out and MEDICAL["zh"] in out
