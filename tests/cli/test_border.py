"""Values of the wrong type, from a flag, a file or a plugin: one sentence that names whose they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOY = ("--model", "toy", "--task", "toy")
DIGITS = "9" * 5000
BRACKETS = "[" * 5000


def sentence(done, code: int) -> str:
    """Return the one sentence that a command ended with."""
    assert done.code == code, (done.out, done.err)
    assert "Traceback" not in done.err and "fault of the program" not in done.err
    (error,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(error) < 600
    return error.removeprefix("error: ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--set", "task=1"), 2, "no task named '1'"),
        (("--set", "model=1"), 2, "no model named '1'"),
        (("--set", "model=[1,2]"), 2, "no model named '1'"),
        (("--set", "task={a=1}"), 2, "task = {'a': 1} (flag) is no text"),
        (("--set", "task=[[1]]"), 2, "task = [1] (flag) is no text"),
        (("--set", "stages=-1"), 2, "no stage named '-1'"),
        (("--set", "stages=true"), 2, "stages = True (flag) is no text"),
        (("--set", "seeds=[[1]]"), 2, "seed [1] is no whole number"),
        (("--set", "seeds=1.5"), 2, "seed 1.5 is no whole number"),
        (("--set", "metrics=[[1]]"), 2, "metrics = [1] (flag) is no text"),
        (("--set", "data.limit=true"), 2, "data.limit = True (flag) is no whole number"),
        (("--set", "data.limit=1.5"), 2, "data.limit = 1.5 (flag) is no whole number"),
        (("--set", "train.learning_rate=nan"), 2, "train.learning_rate = nan (flag) is no number"),
        (("--set", "train.betas=[1]"), 2, "train.betas = [1] (flag) must hold 2 values"),
        (("--set", "preset=2"), 2, "model 'toy' has no preset '2'"),
        (("--set", "device=7"), 2, "device is 7, it must be auto, cpu, cuda or cuda:N"),
        (("--set", "checkpoint=1"), 4, "there is no checkpoint at 1"),
        (("--set", "data.source=1"), 4, "there is no data at 1"),
        (("--set", "data=1"), 2, "the command line sets 'data', which nothing reads"),
        (("--set", "="), 2, "--set = is no key=value"),
        (("--set", "key"), 2, "--set key is no key=value"),
        (("--epochs", "inf"), 2, "train.epochs = inf (flag) is no number"),
        (("--seed", "1.5"), 2, "argument --seed: invalid int value: '1.5'"),
        (("--metrics", ","), 2, "--metrics names no metric"),
        (("--metrics", ""), 2, "--metrics names no metric"),
        (("--output", ""), 2, "argument --output: a path is expected, found nothing"),
        (("--config", " "), 2, "argument --config: a path is expected, found nothing"),
        (("--plugin", ""), 3, "plugin  cannot be used: it has no name"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_value_of_another_type_is_named_with_its_setting_and_source(main, arguments, code, said):
    assert sentence(main(*TOY, *arguments), code).startswith(said)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--set", f"train.max_steps={DIGITS}"),
        ("--set", f"seed={DIGITS}"),
        ("--set", f"model.smoothing={DIGITS}"),
        ("--set", f"model.smoothing={BRACKETS}"),
        ("--set", f"data.limit={BRACKETS}"),
        ("--set", f"{DIGITS}=1"),
        ("--set", DIGITS),
        ("--limit", DIGITS),
        ("--seeds", DIGITS),
        ("--epochs", DIGITS),
        ("--processes", DIGITS),
        ("--model", DIGITS),
        ("--task", BRACKETS),
        ("--metrics", BRACKETS),
        ("--preset", DIGITS),
        ("--data", DIGITS),
        ("--checkpoint", BRACKETS),
    ],
    ids=lambda arguments: " ".join(arguments)[:30],
)
def test_numbers_and_brackets_without_end_are_refused_in_a_short_sentence(main, arguments):
    done = main(*TOY, *arguments)
    assert done.code in (2, 4)
    sentence(done, done.code)
    assert max(map(len, done.err.splitlines())) < 700


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("list", "models", " "), "unknown argument ''"),
        (("list", " "), "argument what: invalid choice: ' '"),
        (("show", " "), "nothing is named ' '"),
        (("show", ""), "nothing is named ''"),
        ((" ",), "no verb named ' '"),
        (("",), "no verb named ''"),
        (("--model", " ", "--task", "toy"), "--model is missing"),
        (("--model", "toy", "--task", ","), "--task is missing"),
        (("score", "x", "--metrics", " , "), "nothing says what to score with"),
        (("retrieve", "--task", "qasper", "--retriever", " "), "--retriever names none"),
        (("retrieve", "--task", "qasper", "--retriever", "tfidf", "--limit", "0"), "--limit is 0"),
        (("data", "show", "--task", " "), "no task named ' '"),
        (("plugins", "check"), "no plugin is named"),
        (("new-plugin", " "), "' ' cannot be a plugin's name"),
        (("chat", "--model", " ", "--ask", "x"), "--model is missing"),
        (("serve", "--model", ","), "--model is missing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_blank_is_never_taken_for_a_name(main, command, said):
    assert sentence(main(*command), 2).startswith(said)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"references": {"a": 1}}, '"references" is {"a": 1}, which is no list of texts'),
        ({"references": 7}, '"references" is 7, which is no list of texts'),
        ({"references": ["a", None]}, '"references" holds null, which is not text'),
        ({"references": ["a", {"b": 1}]}, '"references" holds {"b": 1}, which is not text'),
        ({"references": None}, "has no reference"),
        ({"references": "a", "prediction": 7}, '"prediction" is 7, which is not text'),
        ({"references": "a", "choice_scores": "high"}, "which is no list of numbers"),
        ({"references": "a", "choice_scores": ["high", 1]}, "which is no list of numbers"),
        ({"references": "a", "choices": [1, 2]}, "which is not text"),
        ({"references": "a", "id": [1]}, '"id" is [1], which is no id'),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_row_of_answers_of_another_type_is_named_with_file_and_line(main, tmp_path, row, said):
    rows = [{"prediction": "one", "references": ["one"]}, {"prediction": "a b c"} | row]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    error = sentence(main("score", path, "--metrics", "bleu-4"), 4)
    assert said in error and "answers.jsonl" in error and (", line 2" in error or ", row 2" in error)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"prediction": "caf\xe9", "references": "a"}\n', "is not UTF-8"),
        (
            b'{"prediction": "a", "references": ' + DIGITS.encode() + b"}\n",
            "line 1: not JSON: a number of thousands of digits",
        ),
        (
            b'{"prediction": "a", "references": ' + b"[" * 200_000 + b"\n",
            "line 1: not JSON: nested too deeply",
        ),
        (b'{"prediction": "a", "references": "b"\n', "line 1: not JSON"),
        (b"\x00\x01\x02\xff", "is not UTF-8"),
        (b"", "is empty"),
    ],
    ids=["latin-1", "digits", "brackets", "torn", "binary", "empty"],
)
def test_a_file_of_answers_that_is_none_is_named_with_its_place(main, tmp_path, content, said):
    path = tmp_path / "answers.jsonl"
    path.write_bytes(content)
    error = sentence(main("score", path, "--metrics", "bleu-4"), 4)
    assert said in error and "answers.jsonl" in error


def test_a_byte_that_is_no_text_inside_a_question_is_named_with_its_line(main, odd, tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_bytes(b'{"q": "one", "a": "1"}\n{"q": "caf\xe9", "a": "2"}\n')
    task = ("--task", f"csv:{path}", "--set", "task.prompt={q}", "--set", "task.answer=a")
    error = sentence(main("--model", "echo", *task, "--plugin", odd), 4)
    assert "questions.jsonl:2: expected UTF-8 text, found byte 0xe9" in error


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("bare", "task 'bare', split 'test', row '7': its references are 'a bare string', which is no tuple"),
        ("numbers", "task 'numbers', split 'test', row '7': its references are (7,), which is no tuple"),
    ],
)
def test_a_task_whose_references_are_no_texts_is_named_with_its_row(main, odd, task, said):
    done = main("--model", "echo", "--task", task, "--plugin", odd)
    assert sentence(done, 3).startswith(said)


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("nan-interval", "failed: ValueError: its interval is (nan, 2)"),
        ("backwards", "failed: ValueError: its interval is (2.0, 1.0)"),
        ("nan-rows", "failed: ValueError: its value of a row is nan"),
        ("few-rows", "failed: ValueError: it has 1 values for 4 rows"),
        ("odd-note", "failed: TypeError: its note is 7, which is no text"),
        ("infinite", "failed: ValueError: its value is inf"),
        ("no-score", "failed: TypeError: it returned 0.5, which is no Score"),
    ],
)
def test_a_metric_that_returns_no_sound_score_is_named_and_the_others_stand(main, odd, metric, said):
    done = main("--model", "echo", "--task", "rows", "--metrics", f"exact-match,{metric}", "--plugin", odd)
    assert sentence(done, 5).startswith(f"metric '{metric}' {said}")
    assert "hint: the other scores above stand" in done.err
    row = next(line for line in done.out.splitlines() if line.startswith("echo"))
    assert row.split()[1].startswith("50.0") and row.split()[-1] == "–"


def test_scores_of_choices_that_are_no_numbers_are_the_models_fault(main, odd):
    done = main("--model", "text-scores", "--task", "choices", "--plugin", odd)
    error = sentence(done, 5)
    assert "the model gave a choice of request '7' the score 'high', which is no number" in error


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\nmodel = 1\n", "no model named '1'"),
        ("run = 3\n", "run is 3, it must be a table"),
        ("[run]\nmodle = 'toy'\n", "sets run.modle, which nothing reads"),
        ("model = 'toy'\n", "sets 'model', which nothing reads"),
        (
            "[run]\nmodel = 'toy'\n[data]\nlimit = 'x'\n",
            "data.limit = 'x' (config run.toml) is no whole number",
        ),
        ("[data\n", "is not TOML"),
        ("x = " + BRACKETS, "is not TOML: nested too deeply"),
        ("x = " + DIGITS, "is not TOML: a number of thousands of digits"),
    ],
    ids=lambda value: value[:20],
)
def test_a_config_file_of_another_form_is_named(main, text, said):
    Path("run.toml").write_text(text, encoding="utf-8")
    error = sentence(main("--config", "run.toml", "--task", "toy"), 2)
    assert said in error


def test_a_config_file_that_is_no_text_is_named_with_its_line(main):
    Path("run.toml").write_bytes(b"[run]\nmodel = 'caf\xe9'\n")
    assert sentence(main("--config", "run.toml", *TOY), 2) == "config run.toml, line 2: not UTF-8"


def test_a_setting_at_the_wrong_place_is_told_where_it_belongs(main):
    Path("run.toml").write_text("model = 'toy'\n", encoding="utf-8")
    done = main("--config", "run.toml", "--task", "toy")
    assert "hint: in a file it stands in the table [run], elsewhere --model sets it" in done.err
