"""One stage or one generation in a process: what a plugin is told, and what is left on disk."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness import (
    Answers,
    Checkpoint,
    Completion,
    DataError,
    GenerateSpec,
    ModelEntry,
    ModelPlugin,
    ModelSession,
    PluginError,
    Request,
    RunContext,
    RunSpec,
    SilentProgress,
    StageError,
    TrainSpec,
    UsageError,
)
from harness.engine.plugin_manager import LoadedPlugin, load_plugins
from harness.engine.registry import Registered, Registry
from harness.engine.run_dir import CHECKPOINT, EVENTS, LOG
from harness.engine.stage import (
    Generation,
    Training,
    answer,
    checkpoint_at,
    context,
    make_model,
    note_reasoning,
    reasoning_tags,
    reported,
    run_generation,
    run_training,
)
from harness.files.digests import folder_digest
from harness.files.json_files import read_json, write_sealed
from harness.files.rows import read_rows

SPEC = RunSpec("toy", "toy", train_tasks=("toy",), train=(TrainSpec(max_steps=2, batch_size=4),))
NOBODY = SilentProgress()


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(load_plugins(entry_points=False))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [row for row in read_rows(folder / EVENTS) if row["event"] == kind]


@pytest.fixture
def trained(registry: Registry, tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    folder.mkdir()
    write_sealed(folder / "spec.json", Training(SPEC, data_digest="rows"))
    run_training(folder, registry, NOBODY)
    return folder


def test_a_training_leaves_weights_and_says_last_what_they_are(trained: Path) -> None:
    done = read_json(trained / CHECKPOINT)
    assert done["path"] == "checkpoint"  # seen from its folder, which may be moved
    assert (done["model"], done["stage"], done["step"], done["data_digest"]) == ("toy", "sft", 2, "rows")
    assert done["digest"] == folder_digest(trained / "checkpoint")
    assert done["prompts"]["toy"]["template"] == "Write in cipher: {word}"
    assert [event["step"] for event in events(trained, "train_step")] == [1, 2]


@pytest.mark.parametrize("named", ["trained", "trained/checkpoint"])
def test_a_checkpoint_is_found_by_its_training_and_by_its_weights(trained: Path, named: str) -> None:
    found = checkpoint_at(trained.parent / named)
    assert found == Checkpoint(trained / "checkpoint", "full", "", 2)


def test_weights_that_no_training_left_are_a_checkpoint_as_they_are(tmp_path: Path) -> None:
    assert checkpoint_at(tmp_path) == Checkpoint(tmp_path)


def test_a_training_that_was_moved_is_asked_where_it_is(registry: Registry, trained: Path) -> None:
    moved = trained.rename(trained.parent / "moved")
    assert checkpoint_at(moved).path == moved / "checkpoint"
    asked = generated(registry, moved.parent / "run", str(moved), ("elements-100", "elements-110"))
    assert sorted(asked) == ["elements-100", "elements-110"]


def generated(registry: Registry, folder: Path, checkpoint: str, ids: tuple[str, ...]) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    task = registry.tasks.get("toy").load()()
    known = [example.id for example in task.examples("test")]
    names = dict(zip(ids, known, strict=False))
    asked = tuple(names.values())
    write_sealed(folder / "generation.json", Generation(replace(SPEC, train=()), checkpoint, asked))
    run_generation(folder, registry, NOBODY)
    back = {name: given for given, name in names.items()}
    rows = [row for path in sorted(folder.glob("completions*.jsonl")) for row in read_rows(path)]
    return {back[row["request_id"]]: row["text"] for row in rows}


def test_ranks_share_the_requests_and_answer_as_one_would(
    registry: Registry, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tuple("abcde")
    alone = generated(registry, tmp_path / "alone", str(trained), ids)
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        shared = generated(registry, tmp_path / "shared", str(trained), ids)
    assert shared == alone
    files = [list(read_rows(tmp_path / "shared" / f"completions.{rank}.jsonl")) for rank in range(2)]
    assert [len(rows) for rows in files] == [3, 2]


def test_ranks_share_the_several_requests_of_a_row(registry: Registry, trained: Path, tmp_path: Path) -> None:
    row = next(iter(registry.tasks.get("toy").load()().examples("test")))
    asked = (row.id, f"{row.id}#2", f"{row.id}#3")
    write_sealed(
        tmp_path / "generation.json", Generation(replace(SPEC, train=(), repeats=3), str(trained), asked)
    )
    run_generation(tmp_path, registry, NOBODY)
    assert [said["request_id"] for said in read_rows(tmp_path / "completions.jsonl")] == list(asked)


def test_a_generation_of_nothing_asks_nothing(registry: Registry, trained: Path, tmp_path: Path) -> None:
    assert generated(registry, tmp_path / "run", str(trained), ()) == {}


def test_a_context_tells_who_a_process_is_and_only_the_first_writes(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "1")
    run = context(tmp_path, SPEC, registry, NOBODY, [])
    run.event("note", text="unheard")
    assert (run.rank, run.world_size, run.local_rank, run.is_main) == (3, 4, 1, False)
    assert not (tmp_path / EVENTS).exists()


def test_events_are_rows_with_their_time_and_listeners_hear_them(
    load: Callable[..., Any], write_plugin: Callable[..., Path], tmp_path: Path, caplog: Any
) -> None:
    plugin = write_plugin(
        """
        from harness import hookimpl

        heard = []

        @hookimpl
        def harness_event(kind, facts, directory):
            heard.append((kind, dict(facts)))
            raise ValueError("tracker is down")
        """,
        "tracker",
    )
    run = context(tmp_path, SPEC, load(plugin), NOBODY, [])
    run.event("train_step", step=1, loss=0.5)
    run.event("train_step", step=2, loss=0.4)
    assert [row["loss"] for row in events(tmp_path, "train_step")] == [0.5, 0.4]
    assert all(isinstance(row["time"], float) for row in events(tmp_path, "train_step"))
    assert len([record for record in caplog.records if "tracker is down" in record.message]) == 1


@pytest.mark.parametrize(
    ("raised", "said", "hint"),
    [
        (ValueError("bad\nsecond line"), "work failed: ValueError: bad", "the traceback is in"),
        (KeyError(), "work failed: KeyError: ", "the traceback is in"),
        (SystemExit(3), "work failed: SystemExit: 3", "the traceback is in"),
        (OSError(errno.ENOSPC, "No space left", "w.bin"), "work failed: w.bin: No space left", "make room"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "Quota exceeded", "make room"),
        (OSError(errno.ENOENT, "No such file", "x"), "work failed: FileNotFoundError", "the traceback"),
    ],
)
def test_whatever_a_plugin_raises_is_one_sentence_and_its_traceback_is_kept(tmp_path, raised, said, hint):
    with pytest.raises(StageError) as failed, reported("work", tmp_path):
        raise raised
    assert said in failed.value.message
    assert failed.value.hint.startswith(hint)
    assert "\n" not in failed.value.message
    assert type(raised).__name__ in (tmp_path / LOG).read_text()


def test_what_is_a_sentence_already_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="torn") as failed, reported("work", tmp_path):
        raise DataError("torn", hint="mend it")
    assert failed.value.hint == "mend it"
    assert "torn" in (tmp_path / LOG).read_text()


def test_a_user_who_stops_is_no_fault(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), reported("work", tmp_path):
        raise KeyboardInterrupt
    assert not (tmp_path / LOG).exists()


def test_a_log_that_cannot_be_written_does_not_hide_the_fault(tmp_path: Path, caplog: Any) -> None:
    with pytest.raises(StageError, match="ValueError: x"), reported("work", tmp_path / "gone"):
        raise ValueError("x")
    assert "could not be written" in caplog.text


REQUESTS = [Request("1", "a"), Request("2", "b")]
RUN = RunSpec("m", "t", generate=GenerateSpec(max_new_tokens=3))


class Ways(ModelSession):
    """Says in which way it was asked."""

    def _said(self, how: str, requests: Sequence[Request]) -> Iterator[Completion]:
        return (Completion(request.id, how) for request in requests)

    def generate(self, requests: Sequence[Request], *rest: Any) -> Iterator[Completion]:
        return self._said("generate", requests)

    def choose(self, requests: Sequence[Request], *rest: Any) -> Iterator[Completion]:
        return self._said("choose", requests)

    def perplexity(self, requests: Sequence[Request], *rest: Any) -> Iterator[Completion]:
        return self._said("perplexity", requests)


@pytest.mark.parametrize("kind", ["generate", "choose", "perplexity"])
def test_a_model_is_asked_in_the_way_of_the_task_and_every_answer_is_kept(tmp_path: Path, kind: str) -> None:
    answer(Ways(), REQUESTS, RunContext(tmp_path, RUN), kind=kind)
    rows = read_rows(tmp_path / "completions.jsonl")
    assert [(row["request_id"], row["text"]) for row in rows] == [("1", kind), ("2", kind)]


def test_nothing_is_written_where_nothing_is_asked(tmp_path: Path) -> None:
    answer(Ways(), [], RunContext(tmp_path, RUN), kind="generate")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_leaves_a_request_out_is_told_which_and_the_rest_is_kept(tmp_path: Path) -> None:
    class Forgetful(Ways):
        def generate(self, requests: Sequence[Request], *rest: Any) -> Iterator[Completion]:
            return self._said("one", requests[:1])

    with pytest.raises(StageError, match=r"left 1 of 2 requests unanswered, the first is '2'"):
        answer(Forgetful(), REQUESTS, RunContext(tmp_path, RUN), kind="generate")
    assert len(list(read_rows(tmp_path / "completions.jsonl"))) == 1


def test_what_was_answered_before_a_crash_is_kept(tmp_path: Path) -> None:
    def says(request: Request) -> str:
        if request.id == "2":
            raise RuntimeError("crash")
        return "fine"

    with pytest.raises(StageError, match="generation failed: RuntimeError: crash"):
        answer(Answers(says), REQUESTS, RunContext(tmp_path, RUN), kind="generate")
    assert [row["text"] for row in read_rows(tmp_path / "completions.jsonl")] == ["fine"]


class Thinker(Answers):
    """Thinks aloud between tags of its own."""

    @property
    def reasoning(self) -> tuple[str, ...]:
        return ("<t>", "</t>")


def kept_tags(folder: Path, spec: RunSpec, session: ModelSession, registry: Registry) -> Sequence[str]:
    note_reasoning(session, context(folder, spec, registry, NOBODY, []))
    return reasoning_tags(folder, spec.generate.reasoning)


def test_the_tags_that_a_model_brings_are_known_to_whoever_reads_its_answers(registry, tmp_path):
    assert kept_tags(tmp_path, RUN, Answers(str), registry) == ()
    assert kept_tags(tmp_path, RUN, Thinker(str), registry) == ["<t>", "</t>"]


def test_tags_that_were_asked_for_count_before_those_of_the_model(registry, tmp_path):
    spec = replace(RUN, generate=GenerateSpec(reasoning=("<a>", "</a>")))
    assert kept_tags(tmp_path, spec, Thinker(str), registry) == ("<a>", "</a>")
    assert not (tmp_path / EVENTS).exists()


@dataclass(frozen=True, slots=True)
class Loudness:
    """Options of a model."""

    loud: int = 0


class Picky(ModelPlugin):
    """A model that refuses to be very loud."""

    Options = Loudness

    def __init__(self, options: Loudness) -> None:
        super().__init__(options)
        if options.loud > 9:
            raise ValueError("too loud")


def registered(target: object) -> Registered[ModelEntry]:
    class Given(Registered[ModelEntry]):
        def load(self) -> Any:
            return target

    return Given(ModelEntry("picky", "", ""), LoadedPlugin("p", "local", "p"))


@pytest.mark.parametrize(
    ("target", "options", "kind", "said"),
    [
        (Loudness, {}, PluginError, "the target of model 'picky' is .*Loudness.*, which is no subclass of"),
        ("text", {}, PluginError, "is 'text', which is no subclass of ModelPlugin"),
        (Picky, {"lout": 1}, UsageError, "model 'picky' has no option 'lout'"),
        (Picky, {"loud": "very"}, UsageError, r"model\.loud = 'very' \(model option\) is no whole number"),
        (Picky, {"loud": 10}, PluginError, "model 'picky' failed: ValueError: too loud"),
    ],
)
def test_a_model_that_cannot_be_built_is_laid_at_the_right_door(target, options, kind, said):
    with pytest.raises(kind, match=said):
        make_model(registered(target), options)


def test_a_model_gets_its_options_as_their_types():
    assert make_model(registered(Picky), {"loud": "3"}).options == Loudness(3)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.bin").write_bytes(b"other"),
        lambda folder: (folder / "a.bin").rename(folder / "c.bin"),
        lambda folder: (folder / "new.bin").write_bytes(b""),
        lambda folder: (folder / "deep" / "b.bin").unlink(),
    ],
)
def test_weights_are_known_by_every_file_they_hold(tmp_path: Path, change: Callable[[Path], object]) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.bin").write_bytes(b"a" * 2**20 + b"b")
    (tmp_path / "deep" / "b.bin").write_bytes(b"b")
    before = folder_digest(tmp_path)
    assert folder_digest(tmp_path) == before
    os.utime(tmp_path / "a.bin", (0, 0))
    assert folder_digest(tmp_path) == before
    change(tmp_path)
    assert folder_digest(tmp_path) != before


def test_a_single_file_of_weights_is_known_by_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "w.gguf").write_bytes(b"1")
    before = folder_digest(tmp_path / "w.gguf")
    (tmp_path / "w.gguf").write_bytes(b"2")
    assert folder_digest(tmp_path / "w.gguf") != before


def test_a_stage_is_written_so_that_a_worker_reads_the_same(tmp_path: Path) -> None:
    training = Training(SPEC, {"base": "weights"}, "digest", ("p.py",), ("q",), offline=True, quiet=True)
    write_sealed(tmp_path / "spec.json", training)
    read = json.loads((tmp_path / "spec.json").read_text())
    assert read["inputs"] == {"base": "weights"}
    assert (read["plugins"], read["excluded"], read["offline"], read["quiet"]) == (
        ["p.py"],
        ["q"],
        True,
        True,
    )
    assert training.train.max_steps == 2


def test_a_stage_goes_on_from_the_weights_of_another_and_gets_the_rest_by_name(
    load: Callable[..., Any], write_plugin: Callable[..., Path], trained: Path
) -> None:
    plugin = write_plugin(
        """
        from harness import Checkpoint, ModelEntry, ModelPlugin, hookimpl

        seen = {}

        @hookimpl
        def harness_models():
            return [ModelEntry("watcher", "w", f"{__name__}:Watcher")]

        class Watcher(ModelPlugin):
            def train(self, data, spec, run):
                seen.update(base=spec.base, inputs=dict(run.inputs), stage=run.stage, rows=len(data.train))
                (run.directory / "w").write_text("weights")
                (run.directory / "older").write_text("weights of the last step")
                return Checkpoint(run.directory / "w", step=3, last=Checkpoint(run.directory / "older"))
        """,
        "watching",
    )
    import sys

    registry = load(plugin)
    folder = trained.parent / "second"
    folder.mkdir()
    spec = replace(SPEC, model="watcher")
    write_sealed(folder / "spec.json", Training(spec, {"base": str(trained), "reward": str(trained)}))
    run_training(folder, registry, NOBODY)
    seen = sys.modules["watching"].seen  # type: ignore[attr-defined]
    assert seen["base"] == str(trained / "checkpoint")
    assert seen["inputs"] == {"reward": Checkpoint(trained / "checkpoint", "full", "", 2)}
    assert seen["rows"] > 0
    assert checkpoint_at(folder).step == 3
    moved = folder.rename(trained.parent / "moved")
    assert (checkpoint_at(moved / "last").path).read_text() == "weights of the last step"
