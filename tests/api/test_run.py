"""A run as its parts see it: the context of a stage, a checkpoint, and what nobody watches."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest

from harness import Checkpoint, Progress, RunContext, RunRecord, RunSpec, SilentProgress, StageEntry

SPEC = RunSpec("m", "t")


@pytest.mark.parametrize(("rank", "main"), [(0, True), (1, False), (7, False)])
def test_one_process_of_many_writes_and_speaks(rank, main):
    assert RunContext(Path(), SPEC, rank=rank, world_size=8).is_main is main


def test_a_plugin_may_call_everything_when_nobody_listens():
    run = RunContext(Path(), SPEC)
    run.event("note", text="said to nobody")
    run.progress.start("work", None, "rows")
    run.progress.advance(2, loss=0.5, name="x")
    run.progress.finish()
    assert (dict(run.inputs), run.stage, run.prompt) == ({}, None, None)


def test_events_go_where_they_are_wanted_with_their_facts():
    heard: list[tuple[str, dict[str, object]]] = []
    run = RunContext(Path(), SPEC, event=lambda kind, /, **facts: heard.append((kind, facts)))
    run.event("note", text="a", kind="b")
    assert heard == [("note", {"text": "a", "kind": "b"})]


def test_progress_is_whatever_can_be_started_moved_and_finished():
    calls: list[str] = []

    class Told:
        def start(self, label: str, total: int | None = None, unit: str = "steps") -> None:
            calls.append(f"{label} {total} {unit}")

        def advance(self, amount: int = 1, **facts: float | str) -> None:
            calls.append(f"+{amount}")

        def finish(self) -> None:
            calls.append("end")

    progress: Progress = Told()
    run = RunContext(Path(), SPEC, progress=progress)
    run.progress.start("train", 3)
    run.progress.advance()
    run.progress.finish()
    assert calls == ["train 3 steps", "+1", "end"]
    assert SilentProgress() is not SilentProgress()


def test_a_stage_sees_what_it_stands_on_by_the_names_it_gave():
    reward = Checkpoint(Path("rm"))
    run = replace(RunContext(Path(), SPEC), inputs={"reward": reward}, stage=StageEntry("ppo", "s", "t:T"))
    assert run.inputs["reward"] is reward
    assert run.stage is not None
    assert run.stage.name == "ppo"


def test_a_checkpoint_is_whole_weights_unless_it_says_what_it_fits():
    assert Checkpoint(Path("w")).format == "full"
    adapter = Checkpoint(Path("w"), "adapter", "base", 7, Checkpoint(Path("last")))
    assert (adapter.base, adapter.step, adapter.last) == ("base", 7, Checkpoint(Path("last")))


def test_no_plugin_moves_a_run_to_another_place():
    run = RunContext(Path("here"), SPEC)
    with pytest.raises(FrozenInstanceError):
        run.directory = Path("there")  # type: ignore[misc]


def test_a_record_read_from_before_a_field_was_there_is_a_record():
    """What came later has a default; what was there from the first must be said."""
    required = {field.name for field in fields(RunRecord) if field.default is field.default_factory}
    assert required == {
        "schema_version",
        "run_id",
        "command",
        "spec",
        "sources",
        "sample",
        "task_version",
        "data_digest",
        "data_source",
        "rows",
        "prompt_digest",
        "checkpoint_digest",
        "training",
        "scores",
        "counts",
        "seconds",
        "peak_memory_mib",
        "plugins",
        "environment",
    }
