"""One training stage or one generation, as it runs in a process: inline, or one rank of several.

Everything a rank needs is in the directory's `spec.json`; `worker` and `runner` both come through here.
"""

from __future__ import annotations

import errno
import logging
import os
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, HarnessError, PluginError, StageError, UsageError
from harness.api.example import Request
from harness.api.model import ModelEntry, ModelPlugin
from harness.api.rows import TrainData
from harness.api.run import Checkpoint, Progress, RunContext, SilentProgress
from harness.api.session import ModelSession
from harness.api.spec import RunSpec, TrainSpec
from harness.api.stage import StageEntry
from harness.files.digests import folder_digest
from harness.files.json_files import read_json, read_sealed, write_sealed
from harness.files.rows import append_row, read_rows
from harness.files.writing import sync_all

from .data import TaskData, ValidationScorer, open_learned, open_task
from .environment import peak_memory_mib
from .graph import BASE
from .journal import Journal
from .judge import TaskJudge, judging
from .learned import asks, training_data
from .network import forbid
from .plugin_manager import blamed
from .registry import Registered, Registry
from .repeats import repeated
from .run_dir import CHECKPOINT, EVENTS, LOG, SPEC
from .values import from_mapping, make_options

logger = logging.getLogger(__name__)

GENERATION = "generation.json"
LOSS = "loss"  # on the validation rows, which selects where no metric does
REASONING = "reasoning"  # the event that says between which tags a model thinks
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Training:
    """One stage of a chain: what it learns, from what, on which others it stands. Written as its spec.json.

    `inputs` are the directories of other stages, or checkpoints, by what each is for.
    """

    spec: RunSpec  # with this stage alone in `train`
    inputs: Mapping[str, str] = field(default_factory=dict)
    data_digest: str = ""
    plugins: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    offline: bool = False
    quiet: bool = False

    @property
    def train(self) -> TrainSpec:
        """The stage's own spec."""
        return self.spec.train[0]


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation shared by several processes. Written as generation.json."""

    spec: RunSpec
    checkpoint: str = ""  # a checkpoint.json, or raw weights
    requests: tuple[str, ...] = ()  # the ids that are asked, shared out in this order
    plugins: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    offline: bool = False
    quiet: bool = False
    other_prompt: bool = False


def make_model(registered: Registered[ModelEntry], options: Mapping[str, Any]) -> ModelPlugin:
    """Import a model plugin and build it with its options."""
    kind = registered.load()
    name = registered.entry.name
    if not (isinstance(kind, type) and issubclass(kind, ModelPlugin)):
        raise PluginError(f"the target of model '{name}' is {kind!r}, which is no subclass of ModelPlugin")
    made = make_options(kind.Options, options, name)
    with blamed(f"model '{name}'"):
        return kind(made)


def context(
    directory: Path, spec: RunSpec, registry: Registry, progress: Progress, tasks: list[TaskData]
) -> RunContext:
    """Build what a plugin gets to know about its run; ranks come from the launcher's environment."""
    told: set[str] = set()

    def event(kind: str, /, **facts: Any) -> None:
        append_row(directory / EVENTS, {"time": round(time.time(), 3), "event": kind, **facts})
        for failure in registry.plugins.notify("harness_event", kind=kind, facts=facts, directory=directory):
            if failure not in told:  # a tracker that cannot be imported fails at every step
                logger.warning(failure)
            told.add(failure)

    rank, world, local = (
        int(os.environ.get(n, d)) for n, d in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    return RunContext(
        directory=directory,
        spec=spec,
        prompt=tasks[0].prompt if len(tasks) == 1 else None,
        rank=rank,
        world_size=world,
        local_rank=local,
        progress=progress if rank == 0 else SilentProgress(),
        event=event if rank == 0 else lambda kind, /, **facts: None,
    )


@contextmanager
def reported(stage: str, directory: Path) -> Iterator[None]:
    """Turn whatever a plugin raises into one sentence, and keep the traceback in the run's log."""
    try:
        yield
    except HarnessError:
        _log(directory, stage)
        raise
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # the plugin may be a stranger's; any fault of it is the stage's
        _log(directory, stage)
        if isinstance(error, OSError) and error.errno in FULL:
            raise StageError(
                f"{stage} failed: {error.filename or directory}: {error.strerror}",
                hint="make room; the same command continues where it stopped",
            ) from error
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise StageError(
            f"{stage} failed: {type(error).__name__}: {first}"[:400],
            hint=f"the traceback is in {directory / LOG}",
        ) from error


def _log(directory: Path, stage: str) -> None:
    try:
        with (directory / LOG).open("a", encoding="utf-8") as file:
            file.write(f"--- {stage}\n{traceback.format_exc()}\n")
    except OSError:
        logger.warning("the traceback could not be written to %s", directory / LOG)


def open_tasks(registry: Registry, spec: RunSpec) -> list[TaskData]:
    """Open the tasks that a training mixes."""
    return [open_learned(registry, name, spec) for name in spec.train_tasks]


def load_training_data(
    registry: Registry, tasks: list[TaskData], training: Training, way: StageEntry
) -> TrainData:
    """Return what the stage learns from, with an evaluator where the task's metrics are to be run."""
    judge = _judge(registry, tasks, training) if asks(way) else None
    evaluator = _evaluator(registry, tasks, training, way)
    return training_data(tasks, training.spec.data, way, evaluator=evaluator, judge=judge)


def _judge(registry: Registry, tasks: list[TaskData], training: Training) -> TaskJudge:
    """Return what judges answers while training."""
    found = judging(registry, tasks, training.train.earned_metrics)
    metrics = {name: (metric.entry, metric.load()) for name, metric in found.items()}
    return TaskJudge(tasks, training.spec.data, metrics, training.spec.generate.reasoning)


def _evaluator(
    registry: Registry, tasks: list[TaskData], training: Training, way: StageEntry
) -> ValidationScorer | None:
    """Return what scores answers to the validation rows, of those tasks that have some."""
    stage, split = training.train, training.spec.data.validation_split
    earned = stage.earned_metrics if asks(way) else ()
    select = stage.select_metric or next(iter(earned), "")
    of_stage = select in ("", LOSS, *way.facts) and not asks(way)  # whose answers are all there is to score
    # Answering takes far longer than the loss, so metrics are run where they decide or were asked for.
    wanted = way.answers and (stage.eval_limit or not of_stage)
    asked = [data for data in tasks if split in data.task.splits()]
    if not wanted or not asked:
        return None
    found = judging(registry, asked, earned)
    metrics = {name: (metric.entry, metric.load()) for name, metric in found.items()}
    if not of_stage and select and select not in (*metrics, *way.facts):
        raise UsageError(
            f"train.select_metric is '{select}', which the task does not compute",
            hint="it computes: " + ", ".join(sorted({*metrics, *way.facts})),
        )
    parts = [(data, data.scored(split, stage.eval_limit)) for data in asked]
    return ValidationScorer(parts, metrics, select, training.spec.generate.reasoning)


def run_training(
    directory: Path, registry: Registry, progress: Progress, tasks: list[TaskData] | None = None
) -> None:
    """Run the stage that a directory's spec.json describes; its main process writes checkpoint.json last."""
    training = from_mapping(Training, read_sealed(directory / SPEC))
    tasks = tasks or open_tasks(registry, training.spec)
    registered = registry.models.get(training.spec.model)
    way = registry.stage(training.train.stage, registered).entry
    data = load_training_data(registry, tasks, training, way)
    spec = training.train
    inputs = {name: checkpoint_at(Path(place)) for name, place in training.inputs.items()}
    if BASE in inputs:
        spec = replace(spec, base=str(inputs.pop(BASE).path))
    model = make_model(registered, training.spec.model_options)
    run = context(directory, training.spec, registry, progress, tasks)
    run = replace(run, inputs=inputs, stage=way if way.target else None)
    start = time.perf_counter()
    with reported(f"training stage '{spec.stage}'", directory):
        checkpoint = model.train(data, spec, run)
    if run.is_main:
        seconds = time.perf_counter() - start
        if checkpoint.last is not None:
            write_checkpoint(directory / "last", directory, checkpoint.last, training, tasks, seconds)
        write_checkpoint(directory, directory, checkpoint, training, tasks, seconds)


def write_checkpoint(
    directory: Path,
    home: Path,
    checkpoint: Checkpoint,
    training: Training,
    tasks: list[TaskData],
    seconds: float,
) -> None:
    """Say in a folder that a stage is done, what it left, and what it may be asked with.

    What lies in the stage's `home` is named as seen from the folder, so that both may be moved.
    """
    path = checkpoint.path.resolve()
    if path.is_relative_to(home.resolve()):
        sync_all(path)  # it is said to be there, whoever wrote it
        path = Path(os.path.relpath(path, directory.resolve()))
    write_sealed(
        directory / CHECKPOINT,
        {
            "path": path,
            "format": checkpoint.format,
            "base": checkpoint.base,
            "step": checkpoint.step,
            "digest": folder_digest(checkpoint.path),
            "model": training.spec.model,
            "stage": training.train.stage,
            "data_digest": training.data_digest,
            "rewards": training.train.rewards,
            "prompts": {
                data.name: {
                    "digest": data.prompt_digest,
                    "template": data.prompt.template if data.prompt else None,
                }
                for data in tasks
            },
            "seconds": round(seconds, 3),
            "peak_memory_mib": round(peak_memory_mib(), 1),
        },
    )


def read_checkpoint(directory: Path) -> Checkpoint:
    """Return the checkpoint that a finished stage left."""
    done = read_sealed(directory / CHECKPOINT)
    return Checkpoint(directory / done["path"], done["format"], done["base"], done["step"])


def checkpoint_at(path: Path) -> Checkpoint:
    """Return the checkpoint of a training, named by its directory or its weights, or of other weights."""
    folder = next((place for place in (path, path.parent) if (place / CHECKPOINT).exists()), None)
    if folder is None:
        return Checkpoint(path)
    return sound(read_checkpoint(folder), str(read_sealed(folder / CHECKPOINT)["digest"]))


def sound(checkpoint: Checkpoint, digest: str) -> Checkpoint:
    """Return a checkpoint that is about to be opened, unless it is not what the digest was taken of."""
    if checkpoint.path.exists() and folder_digest(checkpoint.path) != digest:
        raise DataError(
            f"the weights in {checkpoint.path} are not what was written",
            hint="restore them, or train again with --fresh",
        )
    return checkpoint


def run_generation(directory: Path, registry: Registry, progress: Progress) -> None:
    """Answer this rank's share of the requests that are asked."""
    generation = from_mapping(Generation, read_json(directory / GENERATION))
    spec = generation.spec
    data = open_task(registry, registry.tasks.get(spec.task), spec.data, spec.model, spec.task_options)
    model = make_model(registry.models.get(spec.model), spec.model_options)
    rows = map(data.request, data.scored(spec.data.split, spec.data.limit))
    requests = {request.id: request for request in repeated(rows, spec.repeats)}
    path = Path(generation.checkpoint)
    checkpoint = None
    if generation.checkpoint:
        checkpoint = read_checkpoint(path) if (path / CHECKPOINT).exists() else Checkpoint(path)
    run = context(directory, spec, registry, progress, [data])
    run = replace(run, other_prompt=generation.other_prompt)
    share = [requests[name] for name in generation.requests[run.rank :: run.world_size]]
    with reported("generation", directory), model.open(checkpoint, run) as session:
        note_reasoning(session, run)
        answer(session, share, run, kind=data.kind)
    run.event("generated", peak_memory_mib=round(peak_memory_mib(), 1))


def note_reasoning(session: ModelSession, run: RunContext) -> None:
    """Keep the tags that the model thinks aloud between, for whoever reads its answers."""
    if session.reasoning and not run.spec.generate.reasoning:
        run.event(REASONING, tags=list(session.reasoning))


def reasoning_tags(directory: Path, asked: Sequence[str]) -> Sequence[str]:
    """Return the tags of thinking aloud: those that were asked for, else those that the model brought."""
    if asked:
        return asked
    found = [row["tags"] for row in read_rows(directory / EVENTS) if row.get("event") == REASONING]
    return found[-1] if found else ()


def answer(session: ModelSession, requests: list[Request], run: RunContext, *, kind: str) -> None:
    """Ask a model and journal each answer as it comes; `kind` is the task's."""
    if not requests:
        return
    ask = {"choose": session.choose, "perplexity": session.perplexity}.get(kind, session.generate)
    with (
        reported("generation", run.directory),
        Journal(run.directory, requests, rank=run.rank, world_size=run.world_size) as journal,
    ):
        for completion in ask(requests, run.spec.generate, run):
            journal.append(completion)
        if missing := journal.missing():
            raise StageError(
                f"the model left {len(missing)} of {len(requests)} requests unanswered, "
                f"the first is '{missing[0]}'",
                hint="the same command asks them again",
            )


def go_offline() -> None:
    """Forbid connections to other machines, here and in the libraries that look for a switch."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = (
        "1"
    )
    forbid("--offline was asked for")
