"""A command's cells are carried out: each ends in a record or a reason, and costs no other its numbers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from harness import HarnessError, SilentProgress, StageError, UsageError
from harness.engine.config import ask
from harness.engine.matrix import plan
from harness.engine.prepared import Bench
from harness.engine.registry import Registry
from harness.engine.runner import Meter, Outcome, command_of, execute, unforeseen
from harness.files.json_files import read_sealed, write_sealed
from harness.files.rows import read_rows


@pytest.fixture
def bench(registry: Registry, tmp_path: Path) -> Bench:
    return Bench(registry, tmp_path / "runs", SilentProgress(), command=("run", "--model", "toy"))


def carried_out(
    bench: Bench, *sets: str, model: str = "toy", task: str = "toy", **flags: str
) -> list[Outcome]:
    asked = ask({"model": model, "task": task, **flags}, list(sets), None, {})
    return list(execute(bench, plan(bench.registry, asked)))


def only(bench: Bench, *sets: str, **flags: str) -> Outcome:
    (outcome,) = carried_out(bench, *sets, **flags)
    return outcome


def record_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.directory is not None
    return dict(read_sealed(outcome.directory / "record.json"))


def test_a_cell_ends_in_a_record_that_holds_what_was_asked_and_what_came_of_it(bench):
    outcome = only(bench, "data.limit=3")
    record = record_of(outcome)
    assert outcome.record is not None
    assert (outcome.error, outcome.unsaved, outcome.reused) == (None, "", False)
    assert (record["rows"], record["sample"], record["command"]) == (3, True, ["run", "--model", "toy"])
    assert record["scores"]["letter-accuracy"]["n"] == 3
    assert record["sources"]["data.limit"] == "flag"
    assert record["checkpoint_digest"] == record["training"][0]["digest"]
    assert {"load", "generate", "score", "train (sft)"} <= set(record["seconds"])
    assert record["environment"]["prompt_template"] == "Write in cipher: {word}"


def test_a_finished_cell_is_found_again_and_nothing_is_opened(bench, monkeypatch):
    first = only(bench)
    monkeypatch.setattr(type(bench.opened), "session", lambda *args: pytest.fail("a model was opened"))
    again = only(bench)
    assert (again.reused, again.directory) == (True, first.directory)
    assert first.record is not None
    assert again.record is not None
    assert (again.record.run_id, again.record.scores) == (first.record.run_id, first.record.scores)


def test_what_was_answered_is_not_asked_again(bench, monkeypatch):
    first = only(bench, "data.limit=5")
    assert first.directory is not None
    journal = first.directory / "completions.jsonl"
    kept = journal.read_bytes().splitlines(keepends=True)[:2]
    (first.directory / "record.json").unlink()
    journal.write_bytes(b"".join(kept) + b'{"torn')
    again = only(bench, "data.limit=5")
    facts = record_of(again)["environment"]["generation"]
    assert (facts["answered_before"], facts["asked"]) == (2, 3)
    assert again.directory == first.directory
    assert again.record is not None
    assert first.record is not None
    assert again.record.scores == first.record.scores
    assert journal.read_bytes().splitlines(keepends=True)[:2] == kept


def test_code_that_scores_anew_scores_the_kept_answers_and_asks_nothing(bench):
    first = only(bench, "data.limit=2")
    record = record_of(first)
    record["environment"]["scoring_code"] = {"harness.tasks.toy": "older"}
    record["scores"] = {}
    assert first.directory is not None
    write_sealed(first.directory / "record.json", record, sort=False)
    again = only(bench, "data.limit=2")
    assert not again.reused
    assert record_of(again)["environment"]["generation"]["asked"] == 0
    assert record_of(again)["scores"]["letter-accuracy"]["n"] == 2


def test_a_cell_that_fails_is_reported_and_the_rest_go_on(bench):
    outcomes = carried_out(bench, "model.crash_after=2", "data.limit=4", model="toy,baseline/random")
    kinds = {outcome.cell.spec.model: outcome for outcome in outcomes}
    crashed = kinds["toy"]
    assert isinstance(crashed.error, HarnessError)


def test_a_crash_keeps_what_was_answered_and_the_same_command_goes_on(bench):
    outcome = only(bench, "model.crash_after=2", "data.limit=4")
    assert isinstance(outcome.error, StageError)
    assert "crashed after 2 answers" in outcome.error.message
    assert outcome.directory is not None
    assert not (outcome.directory / "record.json").exists()
    assert len(list(read_rows(outcome.directory / "completions.jsonl"))) == 2
    again = only(bench, "model.crash_after=2", "data.limit=4")
    assert again.record is not None
    assert again.directory == outcome.directory
    (resumed,) = [row for row in read_rows(again.directory / "events.jsonl") if row["event"] == "resumed"]
    assert (resumed["answered"], resumed["asked"]) == (2, 2)


@pytest.mark.parametrize(
    ("until", "left", "missing"),
    [
        ("train", [], ["completions.jsonl"]),
        ("generate", ["completions.jsonl"], ["scores.json", "record.json"]),
    ],
)
def test_a_command_may_stop_early_and_go_on_later(bench, until, left, missing):
    bench.until = until
    outcome = only(bench, "data.limit=2")
    assert outcome.trained is not None
    assert (outcome.record, outcome.error) == (None, None)
    found = {path.name for path in bench.output.rglob("*")}
    assert set(left) <= found
    assert not set(missing) & found
    bench.until = "score"
    assert only(bench, "data.limit=2").record is not None


def test_there_must_be_something_to_train_where_training_is_all_that_was_asked(bench):
    bench.until = "train"
    outcome = only(bench, model="baseline/passage")
    assert isinstance(outcome.error, UsageError)
    assert "there is nothing to train" in outcome.error.message


def test_numbers_that_cannot_be_saved_are_shown_all_the_same(bench, monkeypatch):
    from harness.engine import runner

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runner, "save_scored", full)
    outcome = only(bench, "data.limit=2")
    assert outcome.record is not None
    assert outcome.record.scores["letter-accuracy"]["n"] == 2
    assert outcome.unsaved == f"{outcome.directory}: No space left on device"
    assert outcome.error is None


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (OSError(28, "No space left on device", "w.bin"), "w.bin: No space left on device", "make room"),
        (PermissionError(13, "Permission denied"), "Permission denied", "make room"),
        (ZeroDivisionError("x"), "ZeroDivisionError: x", "--debug shows where it happened"),
        (OSError("odd"), "OSError: odd", "--debug shows where it happened"),
    ],
)
def test_a_fault_of_the_program_is_a_sentence_with_its_cause(error, said, hint):
    made = unforeseen(error)
    assert made.message == said
    assert made.hint.startswith(hint)
    assert made.__cause__ is error


LISTENING = """
    from harness import ModelEntry, ModelPlugin, Answers, hookimpl

    heard = []

    @hookimpl
    def harness_run_started(spec, directory):
        heard.append(("started", spec.model))
        raise ValueError("a listener may fail")

    @hookimpl
    def harness_stage_finished(stage, seconds, run):
        heard.append(("stage", stage))

    @hookimpl
    def harness_run_finished(record, directory):
        heard.append(("finished", record.rows, (directory / "record.json").exists()))

    @hookimpl
    def harness_run_failed(spec, reason, directory):
        heard.append(("failed", reason))

    @hookimpl
    def harness_models():
        return [ModelEntry("silent", "s", f"{__name__}:Silent", stages=())]

    class Silent(ModelPlugin):
        def open(self, checkpoint, run):
            return Said()

    class Said(Answers):
        def __init__(self):
            super().__init__(lambda request: 1 / 0)

        def close(self):
            heard.append(("closed",))
"""


@pytest.fixture
def listened(load: Callable[..., Any], write_plugin: Callable[..., Path], tmp_path: Path) -> Bench:
    return Bench(load(write_plugin(LISTENING, "listening")), tmp_path / "runs", SilentProgress())


def heard() -> list[tuple[Any, ...]]:
    import sys

    return sys.modules["listening"].heard  # type: ignore[attr-defined,no-any-return]


def test_listeners_hear_a_run_begin_and_end_when_its_record_is_on_disk(listened):
    assert only(listened, "data.limit=2").record is not None
    assert heard() == [("stage", "sft"), ("started", "toy"), ("stage", "generate"), ("finished", 2, True)]
    heard().clear()
    assert only(listened, "data.limit=2").reused
    assert heard() == []


def test_listeners_hear_why_a_run_failed(listened):
    outcome = only(listened, model="silent")
    assert isinstance(outcome.error, StageError)
    assert outcome.error.message == "generation failed: ZeroDivisionError: division by zero"
    assert ("failed", outcome.error.message) in heard()


def test_a_session_stays_open_for_the_next_cell_and_is_closed_when_nobody_asks_any_more(listened):
    cells = plan(listened.registry, ask({"model": "silent", "task": "toy"}, [], None, {})) * 2
    with closing(cast("Generator[Outcome]", execute(listened, cells))) as outcomes:  # or stopped between two
        next(outcomes)
        assert ("closed",) not in heard()
    assert heard().count(("closed",)) == 1


def test_a_meter_adds_up_what_a_stage_took_in_its_parts():
    meter = Meter()
    for _ in range(2):
        with meter.measured("load"):
            pass
    assert set(meter.seconds) == set(meter.peak_memory_mib) == {"load"}
    assert meter.started.endswith("+00:00")


def test_a_run_is_repeated_by_its_command_its_folder_and_its_settings(bench, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA__LIMIT", "2")
    outcome = only(bench, "data.limit=2")
    assert outcome.directory is not None
    command, folder, environment = command_of(outcome.directory)
    assert (command, folder) == (["run", "--model", "toy"], str(Path.cwd()))
    assert environment["HARNESS_DATA__LIMIT"] == "2"


def test_what_is_no_run_cannot_be_repeated(bench, tmp_path):
    with pytest.raises(UsageError, match="is no run directory"):
        command_of(tmp_path)
    outcome = only(bench, "data.limit=1")
    assert outcome.trained is not None
    with pytest.raises(UsageError, match="is a training, not a run"):
        command_of(outcome.trained)


def test_an_output_folder_that_cannot_be_written_ends_the_command_before_any_work(registry, tmp_path):
    (tmp_path / "file").write_text("")
    bench = Bench(registry, tmp_path / "file" / "runs", SilentProgress())
    with pytest.raises(UsageError, match="results cannot be written"):
        carried_out(bench)


def test_a_completion_that_ends_oddly_is_counted_in_the_record(bench):
    record = record_of(only(bench, "data.limit=3", "generate.max_new_tokens=2"))
    assert record["counts"] == {"length": 3}
