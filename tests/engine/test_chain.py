"""The training before a run: found done, run, or given; and what a given checkpoint must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import DataError, RunLocked, SilentProgress, UsageError
from harness.engine.chain import Trained, obtain
from harness.engine.config import ask
from harness.engine.matrix import plan
from harness.engine.prepared import Bench, Prepared
from harness.engine.run_dir import CHECKPOINT, locked
from harness.files.json_files import read_json, read_sealed, write_sealed


def prepared(bench: Bench, *sets: str, model: str = "toy", task: str = "toy", **flags: str) -> Prepared:
    (cell,) = plan(bench.registry, ask({"model": model, "task": task, **flags}, list(sets), None, {}))
    return Prepared(bench, cell)


@pytest.fixture
def trained(bench: Bench) -> Trained:
    return obtain(bench, prepared(bench))


def test_a_training_is_run_once_and_found_by_the_next_cell(bench, trained):
    assert trained.directory is not None
    before = {path: path.stat().st_mtime_ns for path in trained.directory.rglob("*")}
    again = obtain(bench, prepared(bench, "generate.max_new_tokens=3"))
    assert again == trained
    assert {path: path.stat().st_mtime_ns for path in trained.directory.rglob("*")} == before


def test_what_a_training_was_is_told_beside_what_it_left(trained):
    (stage,) = trained.stages
    assert trained.checkpoint is not None
    assert trained.checkpoint.path.is_dir()
    assert stage["digest"] == trained.digest
    assert (stage["stage"], stage["step"], stage["directory"]) == ("sft", 4, str(trained.directory))
    assert list(trained.seconds) == list(trained.peak_memory_mib) == ["train (sft)"]


def test_without_stages_the_preset_s_own_weights_are_asked(bench):
    cell = prepared(bench)
    cell.spec = replace(cell.spec, train=())
    assert obtain(bench, cell) == Trained()


@pytest.mark.parametrize("named", ["", "checkpoint"])
def test_a_checkpoint_may_be_named_by_its_training_or_its_weights(bench, trained, named):
    given = obtain(bench, prepared(bench, checkpoint=str(trained.directory / named)))
    assert (given.digest, given.checkpoint) == (trained.digest, trained.checkpoint)
    assert given.stages == ()


def test_weights_that_no_training_left_are_known_by_their_content(bench, tmp_path):
    bench.output.mkdir()
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
        (place / "letters.json").write_text("{}")
    digests = {obtain(bench, prepared(bench, checkpoint=str(place))).digest for place in places}
    assert len(digests) == 1
    (places[0] / "letters.json").write_text("{ }")
    assert obtain(bench, prepared(bench, checkpoint=str(places[0]))).digest not in digests


def test_a_training_that_is_not_finished_is_no_checkpoint(bench, trained):
    (trained.directory / CHECKPOINT).unlink()
    with pytest.raises(DataError, match="is a training that is not finished") as refused:
        obtain(bench, prepared(bench, checkpoint=str(trained.directory)))
    assert refused.value.hint == "repeat the command that began it, or name its weights"


def test_a_checkpoint_of_another_model_is_refused_with_the_flag_that_is_meant(bench, trained):
    done = read_sealed(trained.directory / CHECKPOINT)
    write_sealed(trained.directory / CHECKPOINT, done | {"model": "other"})
    with pytest.raises(UsageError, match="was trained by model 'other', not 'toy'") as refused:
        obtain(bench, prepared(bench, checkpoint=str(trained.directory)))
    assert refused.value.hint == "--model other"


def test_a_checkpoint_is_not_asked_with_another_prompt_unless_one_says_so(bench, trained):
    asked = prepared(bench, "task.shots=1", checkpoint=str(trained.directory))
    with pytest.raises(UsageError) as refused:
        obtain(bench, asked)
    assert refused.value.message.startswith("the checkpoint was trained with another prompt for 'toy'")
    assert "--other-prompt" in refused.value.hint
    bench.other_prompt = True
    assert obtain(bench, asked).digest == trained.digest


def test_the_difference_of_two_prompts_is_shown(bench, trained):
    done = read_sealed(trained.directory / CHECKPOINT)
    done["prompts"]["toy"] = {"digest": "other", "template": "Cipher of {word}:"}
    write_sealed(trained.directory / CHECKPOINT, done)
    with pytest.raises(UsageError) as refused:
        obtain(bench, prepared(bench, checkpoint=str(trained.directory)))
    assert "-Cipher of {word}:\n+Write in cipher: {word}" in refused.value.message


def test_a_task_that_a_checkpoint_never_learned_has_no_prompt_to_differ_from(bench, trained):
    given = obtain(bench, prepared(bench, task="toy-choice", checkpoint=str(trained.directory)))
    assert given.digest == trained.digest


def test_a_training_that_lost_its_end_is_run_again_in_its_folder(bench, trained):
    (trained.directory / CHECKPOINT).unlink()
    (trained.directory / "events.jsonl").write_bytes(b'{"event": "note", "text": "kept"}\n{"torn')
    again = obtain(bench, prepared(bench))
    assert again.directory == trained.directory
    assert again.digest == trained.digest
    assert "kept" in again.notes


def test_a_fresh_start_leaves_the_old_training_where_it_is(bench, trained):
    fresh = Bench(bench.registry, bench.output, SilentProgress(), fresh=True)
    again = obtain(fresh, prepared(fresh))
    assert again.directory != trained.directory
    assert trained.directory.is_dir()
    assert again.digest == trained.digest
    assert obtain(fresh, prepared(fresh)).directory == again.directory  # shared by two cells, once


def test_nothing_new_is_begun_where_only_resuming_was_asked_for(bench):
    bench.resume = True
    with pytest.raises(UsageError, match="there is no run of this command to resume"):
        obtain(bench, prepared(bench))


def test_a_training_that_another_process_works_on_is_not_begun_beside_it(bench):
    cell = prepared(bench)
    ((key, _, _),) = cell.trainings()
    with (
        locked(bench.output / "trained" / "toy", key),
        pytest.raises(RunLocked, match="is already working on this run"),
    ):
        obtain(bench, cell)


STAGES = """
    import json

    from harness import Checkpoint, Completion, ModelEntry, ModelPlugin, Answers, StageEntry, hookimpl

    @hookimpl
    def harness_models():
        return [ModelEntry("staged", "s", f"{__name__}:Staged", stages=("*",))]

    @hookimpl
    def harness_stages():
        return [
            StageEntry("first", "f", ""),
            StageEntry("judged", "j", "", answers=False),
            StageEntry("last", "l", "", inputs={"judge": "judged"}),
        ]

    class Staged(ModelPlugin):
        def train(self, data, spec, run):
            run.event("note", text=f"note of {spec.stage}")
            folder = run.directory / "w"
            folder.mkdir(exist_ok=True)
            told = {"stage": spec.stage, "base": spec.base, "inputs": sorted(run.inputs)}
            (folder / "told").write_text(json.dumps(told))
            return Checkpoint(folder, step=1)

        def open(self, checkpoint, run):
            return Answers(lambda request: "x")
"""


@pytest.fixture
def staged(load: Callable[..., Any], write_plugin: Callable[..., Path], tmp_path: Path) -> Bench:
    return Bench(load(write_plugin(STAGES, "stages_of_mine")), tmp_path / "runs", SilentProgress())


def told(bench: Bench, stage: str) -> dict[str, Any]:
    (place,) = [p for p in bench.output.glob("trained/staged/*/w/told") if read_json(p)["stage"] == stage]
    return dict(read_json(place))


def test_each_stage_goes_on_from_the_last_that_answers_and_finds_what_it_needs(staged):
    trained = obtain(staged, prepared(staged, 'stages=["first", "judged", "last"]', model="staged"))
    first, judged, last = (stage["directory"] for stage in trained.stages)
    assert told(staged, "judged")["base"] == f"{first}/w"
    assert told(staged, "last") == {"stage": "last", "base": f"{first}/w", "inputs": ["judge"]}
    assert trained.directory == Path(last)
    assert trained.notes == ("note of first", "note of judged", "note of last")
    assert len({judged, first, last}) == 3


def test_a_stage_at_the_end_that_does_not_answer_leaves_the_answering_to_the_one_before(staged):
    trained = obtain(staged, prepared(staged, 'stages=["first", "judged"]', model="staged"))
    assert str(trained.directory) == trained.stages[0]["directory"]
    assert trained.digest == trained.stages[0]["digest"]


def test_a_chain_that_leaves_nothing_to_ask_is_refused_before_it_is_trained(staged):
    with pytest.raises(UsageError, match="stage 'judged' leaves no model that answers") as refused:
        obtain(staged, prepared(staged, "stages=judged", model="staged"))
    assert refused.value.hint == "run-bench train stops after it"
    assert not staged.output.exists()
    staged.until = "train"
    assert obtain(staged, prepared(staged, "stages=judged", model="staged")).directory is not None


def test_a_stage_begins_anew_with_the_stage_it_stands_on_and_not_with_the_next(staged):
    chain = 'stages=["first", "last"]'
    before = obtain(staged, prepared(staged, chain, model="staged"))
    changed = obtain(staged, prepared(staged, chain, "stage.last.seed=7", model="staged"))
    assert [a["key"] == b["key"] for a, b in zip(before.stages, changed.stages, strict=True)] == [True, False]
    changed = obtain(staged, prepared(staged, chain, "stage.first.seed=7", model="staged"))
    assert [a["key"] == b["key"] for a, b in zip(before.stages, changed.stages, strict=True)] == [False] * 2
