"""Files that survive: torn rows, locks, keys, shared trainings, and records that say everything."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import Completion, Request, RunLocked
from harness.engine.journal import Journal, finished
from harness.engine.run_dir import locked
from harness.files.json_files import read_sealed, write_sealed

TOY = ("--model", "toy", "--task", "toy")

TEXTS = st.text(st.characters(codec=None), max_size=10)  # lone surrogates too


@given(st.lists(TEXTS, min_size=1, max_size=6), st.data())
def test_whatever_a_crash_leaves_of_a_journal_only_the_rest_is_asked_and_all_answers_come_back(texts, data):
    import tempfile

    requests = [Request(f"r{number}", f"prompt {number}") for number in range(len(texts))]
    answers = {
        request.id: Completion(request.id, text, "length", 3, 2, (), ("odd",), ("other",))
        for request, text in zip(requests, texts, strict=True)
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with Journal(place, requests) as journal:
            for request in requests:
                journal.append(answers[request.id])
        path = place / "completions.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        done = finished(place, requests)
        missing = [request for request in requests if request.id not in done]
        with Journal(place, missing) as journal:
            for request in missing:
                journal.append(answers[request.id])
            assert journal.missing() == []
        assert finished(place, requests) == answers


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished toy run."""
    from harness.cli.main import main

    folder = tmp_path_factory.mktemp("finished")
    assert main([*TOY, "--quiet", "--output", str(folder / "runs")]) == 0
    return folder


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    share=st.floats(0, 1), name=st.sampled_from(["completions.jsonl", "events.jsonl", "predictions.jsonl"])
)
def test_a_run_whose_file_was_cut_anywhere_ends_with_the_same_scores(
    main, finished_run, tmp_path, share, name
):
    runs = tmp_path / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    shutil.copytree(finished_run / "runs", runs)
    (scores,) = runs.glob("toy/toy/*/scores.json")
    expected = scores.read_bytes()
    for done in ("record.json", "scores.json"):
        (scores.parent / done).unlink()
    places = [*runs.glob(f"toy/toy/*/{name}"), *runs.glob(f"trained/toy/*/{name}")]
    for place in places:
        place.write_bytes(place.read_bytes()[: int(share * place.stat().st_size)])
    assert main(*TOY, "--output", runs).code == 0
    assert scores.read_bytes() == expected


def test_a_lock_names_its_holder_and_ends_with_it(tmp_path):
    with locked(tmp_path, "key"):
        with pytest.raises(RunLocked, match=f"process {os.getpid()} is already working on this run"):
            with locked(tmp_path, "key"):
                pass
        with locked(tmp_path, "another"):
            pass
    with locked(tmp_path, "key"):
        pass


def test_a_lock_that_workers_of_a_killed_program_still_hold_is_waited_for(tmp_path):
    import subprocess
    import sys

    # A child inherits the lock and outlives its parent, as a launcher does for a moment.
    code = """
import os, subprocess, sys
from pathlib import Path
from harness.engine.run_dir import locked
with locked(Path(sys.argv[1]), "key"):
    subprocess.Popen(["sleep", "1"], close_fds=False)
    os.kill(os.getpid(), 9)
"""
    root = Path(__file__).resolve().parents[2]
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    begin = time.monotonic()
    with locked(tmp_path, "key"):
        assert time.monotonic() - begin > 0.3


def runs(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("runs/toy/toy/*-*"))


def trainings(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("runs/trained/toy/*-*"))


def test_the_same_command_again_does_nothing_and_fresh_starts_over(main, tmp_path):
    assert main(*TOY).code == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json*")}
    again = main(*TOY)
    assert "was finished; --fresh starts over" in again.out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json*")} == before
    assert main(*TOY, "--fresh").code == 0
    assert (len(runs(tmp_path)), len(trainings(tmp_path))) == (2, 2)
    assert main(*TOY, "--resume").code == 0
    assert (len(runs(tmp_path)), len(trainings(tmp_path))) == (2, 2)


@pytest.mark.parametrize(
    ("flags", "new_runs", "new_trainings"),
    [
        (["--limit", "5"], 1, 0),
        (["--split", "validation"], 1, 0),
        (["--set", "generate.max_new_tokens=3"], 1, 0),
        (["--metrics", "exact-match"], 1, 0),
        (["--max-steps", "3"], 1, 1),
        (["--seed", "5"], 1, 1),
        (["--train-limit", "9"], 1, 1),
        (["--set", "model.smoothing=0.5"], 1, 1),
        (["--set", "train.save_every=7"], 0, 0),
        (["--batch-tokens", "64"], 0, 0),
        (["--quiet"], 0, 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_can_change_a_number_is_another_run_and_what_cannot_is_not(
    main, tmp_path, flags, new_runs, new_trainings
):
    assert main(*TOY).code == 0
    assert main(*TOY, *flags).code == 0
    assert (len(runs(tmp_path)), len(trainings(tmp_path))) == (1 + new_runs, 1 + new_trainings)


def test_changed_rows_of_a_folder_are_another_run(main, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        (folder / f"{split}.csv").write_text(f"id,word\n{split}-1,gold\n{split}-2,iron\n", encoding="utf-8")
    command = (*TOY, "--data", folder)
    assert main(*command).code == 0
    (folder / "test.csv").write_text("id,word\n1,gold\n2,zinc\n", encoding="utf-8")
    assert main(*command).code == 0
    assert (len(runs(tmp_path)), len(trainings(tmp_path))) == (2, 1)
    (folder / "train.csv").write_text("id,word\n1,gold\n2,zinc\n", encoding="utf-8")
    assert main(*command).code == 0
    assert len(trainings(tmp_path)) == 2


MODEL = """
from pathlib import Path
from harness import Checkpoint, Completion, ModelEntry, ModelPlugin, ModelSession, hookimpl

@hookimpl
def harness_models():
    return [ModelEntry("both", "learns a group as one", f"{__name__}:Both", multitask=True)]

class Both(ModelPlugin):
    def train(self, data, spec, run):
        (run.directory / "checkpoint").write_text(str(len(list(data.train))))
        return Checkpoint(run.directory / "checkpoint")

    def open(self, checkpoint, run):
        return Asked(checkpoint.path.read_text())

class Asked(ModelSession):
    def __init__(self, text):
        self.text = text

    def generate(self, requests, spec, run):
        for request in requests:
            yield Completion(request.id, self.text)

    choose = generate
"""


def test_a_group_that_is_learned_as_one_is_trained_once_from_all_members_rows(main, write_plugin, tmp_path):
    plugin = write_plugin(MODEL, "both")
    assert main("--model", "both", "--task", "toys", "--plugin", plugin).code == 0
    (training,) = tmp_path.glob("runs/trained/both/*-*")
    assert (training / "checkpoint").read_text() == "142"
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/both/*/record.json")]
    assert [r["training"][0]["directory"] for r in records] == [str(training.relative_to(tmp_path))] * 2
    assert main("--model", "both", "--task", "toys", "--plugin", plugin, "--fresh").code == 0
    assert len(list(tmp_path.glob("runs/trained/both/*-*"))) == 2


def test_changed_code_of_a_model_is_another_training(main, write_plugin, tmp_path):
    for text in (MODEL, MODEL.replace("str(len", "'no' + str(len")):
        import sys

        plugin = write_plugin(text, "both")
        assert main("--model", "both", "--task", "toy", "--plugin", plugin).code == 0
        del sys.modules["both"]
    assert len(list(tmp_path.glob("runs/trained/both/*-*"))) == 2


TARGETS = """
from harness import Example, Task, TaskEntry, hookimpl

@hookimpl
def harness_tasks():
    return [TaskEntry("shouted", "one row", f"{__name__}:Shouted")]

class Shouted(Task):
    metrics = ("letter-accuracy",)

    def examples(self, split):
        yield Example(f"{split}-1", {"word": "gold"}, ("jrog",))

    def target(self, example):
        return example.references[0].upper()
"""


def test_changed_targets_are_another_training_and_a_changed_reading_of_answers_only_scores_again(
    main, write_plugin, tmp_path, monkeypatch
):
    import sys

    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    reading = "\n    def answer(self, text, request):\n        return text.lower()\n"
    found = []
    for text in (TARGETS, TARGETS.replace("upper", "title"), TARGETS + reading):
        plugin = write_plugin(text, "shouted")
        os.utime(plugin, (0, 0))  # edited within a second, and as long as before
        assert main("--model", "toy", "--task", "shouted", "--plugin", plugin).code == 0
        del sys.modules["shouted"]
        found.append(len(list(tmp_path.glob("runs/trained/toy/*-*"))))
    assert found == [1, 2, 2]
    newest = max(tmp_path.glob("runs/shouted/toy/*/record.json"), key=lambda path: path.stat().st_mtime_ns)
    assert json.loads(newest.read_text())["scores"]["letter-accuracy"]["value"] == 1.0


def test_a_run_is_resumed_by_its_directory_from_anywhere_twice(main, tmp_path, monkeypatch):
    crash = (*TOY, "--set", "model.crash_after=8", "--output", "here")
    assert main(*crash).code == 5
    (run,) = tmp_path.glob("here/toy/toy/*-*")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for answered in (16, 23):
        monkeypatch.chdir(elsewhere)
        done = main("resume", run)
        assert (run / "completions.jsonl").read_bytes().count(b"\n") == answered, done.err
    assert (run / "record.json").exists()
    assert not list(elsewhere.iterdir())
    command = json.loads((run / "record.json").read_text())["command"]
    assert command == ["run-bench", *crash]


def test_resuming_a_training_or_a_lost_folder_is_explained(main, tmp_path, monkeypatch):
    assert main(*TOY).code == 0
    done = main("resume", trainings(tmp_path)[0])
    assert (done.code, "is a training, not a run" in done.err) == (2, True)
    spec = runs(tmp_path)[0] / "spec.json"
    write_sealed(spec, read_sealed(spec) | {"directory": "/nowhere"})
    done = main("resume", spec.parent)
    assert (done.code, "begun in /nowhere, which cannot be entered" in done.err) == (2, True)


def test_a_record_holds_everything_that_is_needed_to_repeat_the_run(main, tmp_path):
    assert main(*TOY, "--seed", "3", "--limit", "20").code == 0
    record = json.loads((runs(tmp_path)[0] / "record.json").read_text())
    assert record["command"] == ["run-bench", *TOY, "--seed", "3", "--limit", "20"]
    assert (
        record["spec"]["train"][0]["seed"]
        == record["spec"]["generate"]["seed"]
        == record["spec"]["seed"]
        == 3
    )
    assert record["sources"]["data.limit"] == "flag"
    assert record["sources"]["train.max_steps"] == "recipe tiny"
    assert record["sources"]["model"] == record["sources"]["task"] == "flag"
    assert record["rows"] == 20
    assert (record["sample"], record["data_source"], record["task_version"]) == (True, "sample", "1")
    for name in ("data_digest", "prompt_digest", "checkpoint_digest"):
        assert len(record[name]) == 16, name
    (training,) = record["training"]
    assert (training["stage"], training["step"]) == ("sft", 4)
    assert training["digest"] == record["checkpoint_digest"]
    assert {"load", "generate", "score", "train (sft)"} <= set(record["seconds"])
    assert {"generate", "score", "train (sft)"} <= set(record["peak_memory_mib"])
    assert all(value > 1 for value in record["peak_memory_mib"].values())
    environment = record["environment"]
    assert environment["packages"]["pluggy"]
    assert environment["prompt_template"] == "Write in cipher: {word}"
    assert {"assay", "commit", "python", "platform", "processor", "device"} <= set(environment)
    toy = [plugin for plugin in record["plugins"] if plugin["name"] == "toy"]
    assert all(len(plugin["files"]) == 16 and plugin["version"] for plugin in toy)
    assert record["started"] <= record["finished"]


def test_what_loading_skipped_is_in_the_record_and_below_the_table(main, write_plugin, tmp_path):
    plugin = write_plugin(
        """
        from harness import Example, Task, TaskEntry, hookimpl

        @hookimpl
        def harness_tasks():
            return [TaskEntry("noted", "skips a row", f"{__name__}:Noted")]

        class Noted(Task):
            metrics = ("letter-accuracy",)

            def examples(self, split):
                self.notes.append(f"2 rows of {split} skipped: no word") if split == "test" else None
                yield Example(f"{split}-1", {"word": "gold"}, ("jrog",))
        """,
        "noted",
    )
    done = main("--model", "toy", "--task", "noted", "--plugin", plugin)
    assert done.code == 0, done.err
    assert "toy: 2 rows of test skipped: no word" in done.out
    (record,) = tmp_path.glob("runs/noted/toy/*/record.json")
    assert json.loads(record.read_text())["notes"] == ["2 rows of test skipped: no word"]
