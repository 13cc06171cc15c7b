"""`data export`: rows that Croissant's own reader yields, and tasks for other programs."""

from __future__ import annotations

import ast
import hashlib
import json

import pytest
import yaml

PLUGIN = """
from harness import Example, Message, Task, TaskEntry, hookimpl

@hookimpl
def harness_tasks():
    return [
        TaskEntry("talk", "a dialogue", f"{__name__}:Talk"),
        TaskEntry("wrong", "no right choice", f"{__name__}:Wrong", kind="choose"),
    ]

class Talk(Task):
    def splits(self):
        return ("test",)
    def examples(self, split):
        turns = (Message("user", "hi"), Message("assistant", "yo"))
        yield Example("1", {"q": "and you?"}, ("fine",), messages=turns)

class Wrong(Talk):
    def examples(self, split):
        yield Example("1", {"q": "which?"}, ("c",), choices=("a", "b"))
"""


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib.*", "ignore::DeprecationWarning:mlcroissant.*")
def test_croissant_s_own_reader_yields_the_rows(main, tmp_path, caplog):
    mlcroissant = pytest.importorskip("mlcroissant")
    done = main("data", "export", "--task", "toy-choice", "--split", "validation,test", "--output", "out")
    assert done.code == 0, done.err
    found = mlcroissant.Dataset(jsonld=str(tmp_path / "out" / "croissant.json"))
    assert "not standard" not in caplog.text
    assert found.metadata.name == "toy-choice (made-up sample)" and "made up" in found.metadata.description
    for split in ("validation", "test"):
        path = tmp_path / "out" / f"{split}.jsonl"
        (file,) = (f for f in found.metadata.distribution if f.name == path.name)
        assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        read = list(found.records(split))
        rows = rows_of(path)
        assert len(read) == len(rows) > 20
        for one, row in zip(read, rows, strict=True):
            assert one[f"{split}/prompt"].decode() == row["prompt"]
            assert [choice.decode() for choice in one[f"{split}/choices"]] == row["choices"]
            assert one[f"{split}/answer"] == row["answer"] >= 0


def test_the_same_rows_are_the_same_bytes_and_the_right_choice_follows_its_place(main, tmp_path):
    for folder, extra in (("a", ()), ("b", ()), ("c", ("--set", "task.permute=3"))):
        assert main("data", "export", "--task", "toy-choice", "--output", folder, *extra).code == 0
    data = {name: (tmp_path / name / "test.jsonl").read_bytes() for name in "abc"}
    assert data["a"] == data["b"] != data["c"]
    for row in rows_of(tmp_path / "c" / "test.jsonl"):
        assert row["choices"][row["answer"]] == row["reference"]


def test_letters_stand_for_the_choices_that_they_name(main, tmp_path):
    done = main("data", "export", "--task", "toy-choice", "--output", "out", "--set", "task.ask=letters")
    assert done.code == 0, done.err
    for row in rows_of(tmp_path / "out" / "test.jsonl"):
        letter = row["choices"][row["answer"]].strip()
        assert f"{letter}. {row['reference']}" in row["prompt"] or row["reference"] in row["prompt"]
        assert letter in "ABCD"


def test_a_task_for_lm_eval_names_its_rows_and_kind(main, tmp_path):
    assert main("data", "export", "--task", "toys", "--to", "lm-eval", "--output", "out").code == 0
    (choose,) = (tmp_path / "out" / "toy-choice").glob("*.yaml")
    config = yaml.safe_load(choose.read_text())
    assert config["task"] == "assay_toy_choice_made_up_sample"
    assert config["output_type"] == "multiple_choice" and config["target_delimiter"] == " "
    rows = tmp_path / "out" / "toy-choice" / "test.jsonl"
    assert config["dataset_kwargs"]["data_files"]["test"] == str(rows.resolve())
    assert config["metadata"]["rows_sha256"] == hashlib.sha256(rows.read_bytes()).hexdigest()
    (generate,) = (tmp_path / "out" / "toy").glob("*.yaml")
    assert yaml.safe_load(generate.read_text())["output_type"] == "generate_until"


def test_a_task_for_inspect_is_python_and_keeps_dialogues(main, write_plugin, tmp_path):
    plugin = write_plugin(PLUGIN)
    done = main("data", "export", "--task", "talk", "--plugin", plugin, "--to", "inspect", "--output", "out")
    assert done.code == 0, done.err
    (file,) = (tmp_path / "out").glob("*.py")
    ast.parse(file.read_text())
    (row,) = rows_of(tmp_path / "out" / "test.jsonl")
    assert [turn["content"] for turn in row["messages"]] == ["hi", "yo"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--task", "talk", "--to", "lm-eval"), "has dialogues"),
        (("--task", "wrong", "--to", "lm-eval"), "1 of 1 rows of wrong have no right choice"),
        (("--task", "wrong", "--to", "inspect"), "no right choice"),
        (("--task", "ppl", "--to", "inspect"), "how likely a text is"),
        (("--task", "toy", "--split", "tset"), "no split 'tset'"),
        (("--task", "toy", "--split", ","), "--split names nothing"),
    ],
)
def test_what_cannot_be_written_is_said(main, write_plugin, arguments, said):
    done = main("data", "export", *arguments, "--plugin", write_plugin(PLUGIN), "--output", "out")
    assert done.code in (2, 4) and said in done.err
