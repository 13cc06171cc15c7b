"""Running text: documents, shards in turn, perplexity by token, word and byte."""

from __future__ import annotations

import json
import math

import pytest

from harness import DataError, DataSpec, Document, Example, Pairs, Prediction
from harness.metrics.choice import perplexity_byte, perplexity_token, perplexity_word
from harness.tasks.ppl.sample import SIZES, sample
from harness.tasks.ppl.task import RunningText


def task(source="sample"):
    return RunningText(DataSpec(source=str(source)))


def texts(opened, split):
    return [example.inputs["text"] for example in opened.examples(split)]


def test_no_report_is_in_two_splits():
    assert {split: len(rows) for split, rows in sample().items()} == SIZES
    assert len({text for rows in sample().values() for text in rows}) == sum(SIZES.values())


def test_a_file_without_a_split_in_its_name_is_asked_and_learned(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("one\n\ntwo words\n")
    opened = task(path)
    assert texts(opened, "test") == texts(opened, "train") == ["one", "two words"]


def test_shards_are_read_in_turn_one_document_of_each(tmp_path):
    for shard, documents in enumerate((["a0", "a1", "a2"], ["b0"], ["c0", "c1"])):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in documents)
        (tmp_path / f"split_0{shard}.jsonl").write_text(lines)
    opened = task(tmp_path)
    assert opened.splits() == ("train",)
    assert texts(opened, "train") == ["a0", "b0", "c0", "a1", "c1", "a2"]
    digest = opened.fingerprint("train")
    (tmp_path / "split_01.jsonl").write_text('{"text": "changed"}\n')
    assert digest and task(tmp_path).fingerprint("train") != digest


def test_tokens_are_learned_as_they_are(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"tokens": [5, 6, 7]}\n')
    opened = task(tmp_path)
    (example,) = opened.examples("train")
    assert list(opened.training_rows(example, opened.prompt(example))) == [Document("", (5, 6, 7))]


def test_an_absent_split_is_said(tmp_path):
    (tmp_path / "test.txt").write_text("x\n")
    with pytest.raises(DataError, match="no text of split 'validation'"):
        list(task(tmp_path).examples("validation"))


def test_perplexity_is_by_token_word_and_byte():
    row = Example("a", {}, ("two words",)), Prediction("a", "", log_likelihood=-6.0, tokens=3)
    assert perplexity_token(Pairs([row])).value == pytest.approx(math.exp(6 / 3))
    assert perplexity_word(Pairs([row])).value == pytest.approx(math.exp(6 / 2))
    assert perplexity_byte(Pairs([row])).value == pytest.approx(math.exp(6 / 9))
    unread = row[0], Prediction("a", "")
    assert perplexity_token(Pairs([row, unread])).value is None


def test_the_way_of_reading_is_a_setting_and_wider_overlap_predicts_no_worse(main, tiny_llama, tmp_path):
    (tmp_path / "notes.txt").write_text("two words and more of them, again and again\n" * 3)
    values = {}
    for window, stride in ((16, 15), (16, 1), (0, 0)):
        command = ("--model", "hf", "--checkpoint", str(tiny_llama), "--task", "ppl", "--data", "notes.txt")
        asked = ("--set", f"generate.window={window}", "--set", f"generate.stride={stride}")
        done = main(*command, *asked, "--output", str(tmp_path / "runs"), "--json")
        assert done.code == 0, done.err
        (run,) = json.loads(done.out)["runs"]
        values[window, stride] = run["scores"]["perplexity-token"]["value"]
    assert len(set(values.values())) == 3
    refused = main(*command, "--set", "generate.window=16", "--set", "generate.stride=16")
    assert refused.code != 0 and "stride is 16" in refused.err


def test_pretraining_lowers_it(main, tmp_path):
    sizes = ("--set", "model.hidden=32", "--set", "model.layers=1", "--set", "model.heads=2")
    values = []
    for steps in ("1", "40"):
        command = ("--model", "mozi", "--task", "ppl", "--no-compare", "--output", str(tmp_path), "--json")
        done = main(*command, *sizes, "--max-steps", steps)
        assert done.code == 0, done.err
        (run,) = json.loads(done.out)["runs"]
        values.append(run["scores"]["perplexity-token"]["value"])
    assert values[1] < values[0] / 4
