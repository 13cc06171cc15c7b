"""`data` for stages that learn from preferences and from scores, as a user types it."""

import json

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from harness.files.rows import read_rows, write_rows

GOOD = {"prompt": "Name an alcohol.", "chosen": "Ethanol is one.", "rejected": "Benzene is one."}
OLD = {"question": "Name an arene.", "response_chosen": "Benzene.", "response_rejected": "Ethanol."}
NEW = {"conversations": [{"from": "human", "value": "Name it."}], "chosen": "It.", "rejected": "No."}
TIE = GOOD | {"rejected": GOOD["chosen"]}
EMPTY = GOOD | {"rejected": ""}
ALONE = {"prompt": "Name an ester."}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_preferences_are_checked_in_every_spelling(run_bench, tmp_path):
    done = run_bench("data", "check", write(tmp_path / "train.jsonl", GOOD, OLD, NEW), "--stage", "dpo")
    assert done.code == 0 and "nothing wrong" in done.out, done.err


def test_ties_empty_answers_and_prompts_alone_are_bad_rows_of_preferences(run_bench, tmp_path):
    file = write(tmp_path / "train.jsonl", GOOD, TIE, EMPTY)
    done = run_bench("data", "check", file, "--stage", "reward")
    assert done.code == 4 and "has bad rows: answer, tie" in done.err
    assert "two different answers" in " ".join(done.out.split())
    alone = run_bench("data", "check", write(tmp_path / "train.jsonl", GOOD, ALONE), "--stage", "dpo")
    assert alone.code == 4 and "is a prompt alone, and there is nothing to prefer" in alone.err


def test_prompts_alone_are_good_rows_of_stages_that_sample(run_bench, tmp_path):
    file = write(tmp_path / "train.jsonl", ALONE, ALONE | {"answer": "Ethyl acetate"})
    done = run_bench("data", "check", file, "--stage", "grpo", "--json")
    assert done.code == 0 and json.loads(done.out)["rows"] == {"train": 2}
    bad = run_bench(
        "data", "check", write(tmp_path / "train.jsonl", ALONE | {"answer": 3}), "--stage", "grpo"
    )
    assert bad.code == 4 and "expected a text as 'answer'" in " ".join(bad.out.split())


def test_rows_of_another_kind_than_the_stage_learns_from_are_named(run_bench):
    done = run_bench("data", "check", "sample", "--task", "preferences", "--stage", "sft")
    assert done.code == 4 and "expected a TrainPair or Conversation" in " ".join(done.out.split())


def test_rows_that_are_too_long_are_counted_before_any_model_is_loaded(run_bench, tmp_path):
    words = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]").save_pretrained(tmp_path / "words")
    longer = GOOD | {"rejected": "Benzene is one of them, and toluene another."}
    file = write(tmp_path / "train.jsonl", GOOD, longer)
    counting = ("--tokenizer", tmp_path / "words", "--max-length", "8")
    done = run_bench("data", "check", file, "--stage", "dpo", *counting, "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["counts"] == {"long": 1}
    assert report["findings"][0]["expected"] == "up to 8 tokens (row 2)"
    assert report["findings"][0]["found"] == "14"
    half = run_bench("data", "check", file, "--stage", "dpo", "--max-length", "8")
    assert half.code == 2 and "--tokenizer and --max-length go together" in half.err


def test_a_check_needs_a_task_or_a_stage(run_bench):
    done = run_bench("data", "check", "sample")
    assert done.code == 2 and "the rows of which task are they?" in done.err
    unknown = run_bench("data", "check", "sample", "--stage", "dppo")
    assert unknown.code == 2 and "did you mean ppo or dpo" in unknown.err


@pytest.fixture
def answered(run_bench, tmp_path):
    """Return a run on training requests, each of which two answers are given to."""
    asked = ("--model", "baseline/random", "--task", "design/constraints", "--limit", "4")
    done = run_bench("generate", *asked, "--split", "train", "--output", tmp_path / "runs", "--json")
    run = tmp_path / json.loads(done.out)["runs"][0]["directory"]
    return run, list(read_rows(run / "completions.jsonl"))


def say(run, rows, *alternatives):
    told = zip(rows, alternatives, strict=True)
    write_rows(run / "completions.jsonl", [row | {"alternatives": others} for row, others in told])


def test_a_run_becomes_preferences_that_can_be_learned(run_bench, tmp_path, answered):
    from harness.tasks.design.sample import requests

    run, rows = answered
    right = {row.id: row.answer for row in requests()["train"][:4]}
    one, two, three, _ = rows
    better = [right[one["request_id"]], "", "no molecule"]
    say(run, rows, better, [two["text"]], [right[three["request_id"]]], [])
    output = tmp_path / "pairs.jsonl"
    done = run_bench("data", "preferences", run, "--metric", "all-met=1,validity=0.5", "--output", output)
    assert done.code == 0, done.err
    assert "2 preferences in" in done.out and "0 requests whose" in done.out and "2 with one" in done.out
    pairs = [json.loads(line) for line in output.read_text().splitlines()]
    assert pairs[0]["chosen"] == right[one["request_id"]] and pairs[0]["rejected"] == "no molecule"
    assert pairs[0]["margin"] == 1.5 and pairs[0]["prompt"].startswith("Wanted: ")
    assert run_bench("data", "check", output, "--stage", "dpo").code == 0


def test_answers_that_are_equally_good_are_no_preference(run_bench, answered):
    run, rows = answered
    say(run, [row | {"text": "no molecule"} for row in rows], *[["nonsense"]] * 4)
    done = run_bench("data", "preferences", run, "--metric", "all-met")
    assert done.code == 4 and "0 requests have one answer, of 4 all are equally good" in done.err


REFUSED = [
    ("no-metric", 2, "no metric named 'no-metric'"),
    ("all-met=x", 2, "'x' is no weight"),
    ("uniqueness", 2, "alone is no reward"),
]


@pytest.mark.parametrize(("metric", "code", "sentence"), REFUSED)
def test_what_cannot_tell_answers_apart_is_refused(run_bench, answered, metric, code, sentence):
    done = run_bench("data", "preferences", answered[0], "--metric", metric)
    assert done.code == code and sentence in done.err


def test_answers_to_what_is_scored_are_not_learned_from(run_bench, tmp_path):
    asked = ("--model", "baseline/random", "--task", "design/constraints", "--limit", "2")
    done = run_bench("generate", *asked, "--output", tmp_path / "runs", "--json")
    run = json.loads(done.out)["runs"][0]["directory"]
    refused = run_bench("data", "preferences", run, "--metric", "all-met")
    assert refused.code == 2 and "cannot be scored on it any more" in refused.err
    assert run_bench("data", "preferences", tmp_path, "--metric", "all-met").code == 4
