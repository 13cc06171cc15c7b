"""`--dry-run` and `show-config`: what would run, with which settings and from where, and nothing is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOY = ("--model", "toy", "--task", "toy")


def settings(out: str) -> dict[str, list[str]]:
    """Return the rows of the first table: a setting with its value and source."""
    lines = out.split("\n\n")[0].splitlines()
    rule = next(place for place, line in enumerate(lines) if line.startswith("---"))
    rows = [line.split(None, 2) for line in lines[rule + 1 :]]
    return {row[0]: row[1:] for row in rows if "." in row[0] or row[0] in ("model", "task", "seed", "device")}


def facts(out: str) -> dict[str, str]:
    """Return the rows of the table of what would run."""
    rows = out.partition("what would run")[2].splitlines()[2:]
    return {line[:15].strip(): line[15:].strip() for line in rows if line.strip()}


def test_only_what_differs_from_the_defaults_is_shown_and_the_rest_counted(main):
    done = main("show-config", *TOY, "--set", "train.learning_rate=0.5", "--limit", "5")
    found = settings(done.out)
    assert found["train.learning_rate"] == ["0.5", "flag"]
    assert found["data.limit"] == ["5", "flag"]
    assert found["train.max_steps"] == ["4", "recipe tiny"]
    assert "train.optimizer" not in found
    (rest,) = [line for line in done.out.splitlines() if line.startswith("and ")]
    assert rest.endswith("settings at their defaults, which --all shows")
    assert len(done.out.splitlines()) < 20


def test_all_shows_every_setting_once_with_what_was_chosen_first(main):
    found = settings(main("show-config", *TOY, "--all").out)
    few = settings(main("show-config", *TOY).out)
    assert list(found)[: len(few)] == list(few)
    assert found["train.optimizer"] == ["adamw", "default"]
    assert len(found) > 70


@pytest.mark.parametrize("verb", [("show-config",), ("--dry-run",)])
def test_every_layer_is_named_as_the_source(main, monkeypatch, verb):
    Path("run.toml").write_text("[train]\nbatch_size = 3\n[run]\ndevice = 'cpu'\n", encoding="utf-8")
    monkeypatch.setenv("HARNESS_TRAIN__KEEP", "7")
    found = settings(main(*verb, *TOY, "--config", "run.toml", "--seed", "9").out)
    assert found["train.batch_size"] == ["3", "config run.toml"]
    assert found["device"] == ["cpu", "config run.toml"]
    assert found["train.keep"] == ["7", "env HARNESS_TRAIN__KEEP"]
    assert found["seed"] == ["9", "flag"] and found["train.seed"] == ["9", "flag"]


def test_a_config_is_shown_for_each_cell(main):
    out = main("show-config", "--model", "toy", "--task", "toys").out
    assert [line for line in out.splitlines() if " on " in line] == ["toy on toy", "toy on toy-choice"]


def test_settings_of_several_stages_are_told_apart(main):
    done = main("show-config", "--model", "scimind", "--task", "lpm24", "--set", 'stages=["pretrain","sft"]')
    assert done.code == 0, done.err
    keys = [line.split("  ")[0] for line in done.out.splitlines()]
    assert any(key.endswith("[pretrain]") for key in keys) and any(key.endswith("[sft]") for key in keys)


def test_json_has_every_setting_and_its_source(main):
    (found,) = json.loads(main("show-config", *TOY, "--set", "model.smoothing=0.5", "--json").out)
    assert found["settings"]["model.smoothing"] == 0.5
    assert found["settings"]["train.optimizer"] == "adamw"
    assert found["sources"]["train.max_steps"] == "recipe tiny"
    assert "train.optimizer" not in found["sources"]


def test_a_config_reads_no_data(main):
    assert main("show-config", *TOY, "--data", "nowhere").code == 0


def test_a_dry_run_says_what_it_would_learn_ask_and_score_and_makes_nothing(main):
    done = main(*TOY, "--dry-run", "--limit", "5", "--train-limit", "7")
    assert done.code == 0, done.err
    found = facts(done.out)
    assert found["rows scored"] == "5 of 23 in test"
    assert found["stage sft"].startswith("to be run on toy (7 rows), key ")
    assert found["prompt"] == "Write in cipher: beryllium"
    assert found["metrics"] == "letter-accuracy"
    assert found["sample data"] == "yes"
    assert found["estimate"] == "unknown: no such run has finished yet"
    assert not Path("runs").exists()


def test_a_dry_run_of_training_alone_scores_nothing(main):
    found = facts(main("train", *TOY, "--dry-run").out)
    assert "rows scored" not in found and "stage sft" in found


def test_what_is_done_already_is_found_and_gives_the_estimate(main):
    assert main("train", *TOY).code == 0
    found = facts(main(*TOY, "--dry-run").out)
    assert found["stage sft"].startswith("done: runs/trained/toy/")
    assert found["estimate"] == "seconds: training is done already"
    assert main(*TOY).code == 0
    found = facts(main(*TOY, "--dry-run").out)
    assert found["estimate"].endswith("as the last finished run of this model and preset on this task took")


def test_a_cell_that_could_not_run_says_why_and_the_others_are_shown(main, tmp_path):
    for split in ("train", "validation"):
        (tmp_path / f"{split}.csv").write_text("id,word\n1,gold\n2,iron\n")
    done = main(*TOY, "--data", tmp_path, "--dry-run")
    assert done.code == 4
    assert "would_fail" in done.out and "no test.csv in" in done.out
    (found,) = json.loads(main(*TOY, "--data", tmp_path, "--dry-run", "--json").out)
    assert found["would_fail"].startswith("no test.csv in") and found["settings"]["task"] == "toy"


def test_a_streamed_corpus_is_not_read_through_to_be_counted(main, write_plugin):
    plugin = write_plugin(
        """
        from harness import Example, Task, TaskEntry, hookimpl

        class Corpus(Task):
            version = "1"
            metrics = ("exact-match",)

            def fingerprint(self, split):
                return "endless" if split == "train" else ""

            def examples(self, split):
                if split == "train":
                    raise AssertionError("a dry run reads no corpus")
                yield Example("1", {"text": "a"}, ("b",))

        @hookimpl
        def harness_tasks():
            return [TaskEntry("corpus", "a corpus", f"{__name__}:Corpus")]
        """
    )
    done = main("--model", "toy", "--task", "corpus", "--plugin", plugin, "--dry-run")
    assert done.code == 0, done.out
    assert facts(done.out)["stage sft"].startswith("to be run on corpus (streamed)")
