"""The training before a run: a chain of stages, each found finished or run, and the checkpoint at its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from functools import partial
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, StageError, UsageError
from harness.api.run import Checkpoint
from harness.files.finished import REWARDED
from harness.files.json_files import read_sealed, write_sealed
from harness.files.rows import heal_rows

from .data import TaskData
from .gains import TRAIN_LOG, gains
from .prepared import Bench, Prepared
from .run_dir import CHECKPOINT, EVENTS, SPEC, locked, noted, open_directory, training_of
from .stage import Training, context, read_checkpoint, run_training

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run's answers come from: a checkpoint or none, how it came to be, and what that took."""

    checkpoint: Checkpoint | None = None
    digest: str = ""
    directory: Path | None = None
    stages: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_mib: dict[str, float] = field(default_factory=dict)


def obtain(bench: Bench, prepared: Prepared) -> Trained:
    """Run the chain of stages or find it done; without stages, take the checkpoint that was named."""
    if not prepared.spec.train:
        return given(prepared)
    last = answering(bench, prepared)
    stages = _train(bench, prepared)
    directory = stages[last][1]
    summaries = tuple(_summary(key, path) for key, path in stages)
    _check_prompt(prepared, read_sealed(directory / CHECKPOINT))
    return Trained(
        read_checkpoint(directory),
        str(summaries[last]["digest"]),
        directory,
        summaries,
        tuple(note for _, path in stages for note in (*noted(path), *_rewarded(path))),
        {f"train ({stage['stage']})": stage["seconds"] for stage in summaries},
        {f"train ({stage['stage']})": stage["peak_memory_mib"] for stage in summaries},
    )


def answering(bench: Bench, prepared: Prepared) -> int:
    """Return the place of the stage whose model is asked: the last that leaves one that answers."""
    places = [place for place, way in enumerate(prepared.ways) if way.entry.answers]
    if not places and bench.until != "train":
        raise UsageError(
            f"stage '{prepared.ways[-1].entry.name}' leaves no model that answers",
            hint="run-bench train stops after it",
        )
    return places[-1] if places else -1


def _train(bench: Bench, prepared: Prepared) -> list[tuple[str, Path]]:
    """Run the chain of stages, or find it done; return each stage's key and directory."""
    parent = bench.output / "trained" / prepared.spec.model.replace("/", "-")
    finished_stages: list[tuple[str, Path]] = []
    made: dict[str, str] = {}
    for key, training, tasks in prepared.trainings():
        inputs = {name: made.get(source, source) for name, source in training.inputs.items()}
        training = replace(training, inputs=inputs)
        with locked(parent, key):
            directory = open_directory(parent, key, fresh=bench.wants_fresh(key), resume=bench.resume)
            for file in (directory / EVENTS, directory / TRAIN_LOG):
                if damaged := heal_rows(file):
                    logger.warning("%s: %d damaged events are left out", file, damaged)
            if not (directory / CHECKPOINT).exists():
                prepared.load()
                write_sealed(directory / SPEC, training)
                _launch_training(bench, training, tasks, directory)
        finished_stages.append((key, directory))
        made[training.train.stage] = str(directory)
    return finished_stages


def _launch_training(bench: Bench, training: Training, tasks: list[TaskData], directory: Path) -> None:
    begin = time.perf_counter()
    launch = training.train.launch
    if launch.processes > 1 and launch.kind == "inline":
        launch = replace(launch, kind="torchrun")
    here = partial(run_training, directory, bench.registry, bench.progress, tasks)
    if bench.ranks is not None:
        bench.ranks.together("train", directory, here)
    elif not bench.registry.plugins.ask(
        "harness_launch", bool, launch=launch, stage="train", directory=directory
    ):
        here()
    bench.progress.finish()
    if not (directory / CHECKPOINT).exists():
        raise StageError(f"training ended without a checkpoint in {directory}")
    run = context(directory, training.spec, bench.registry, bench.progress, tasks)
    bench.notify(
        "harness_stage_finished", stage=training.train.stage, seconds=time.perf_counter() - begin, run=run
    )


def given(prepared: Prepared) -> Trained:
    """Return the checkpoint named on the command line, after checking that it is one of this model."""
    if not prepared.spec.checkpoint:
        return Trained()
    path = Path(prepared.spec.checkpoint)
    folder = training_of(path)
    if folder is not None and not (folder / CHECKPOINT).exists():
        raise DataError(
            f"{path} is a training that is not finished",
            hint="repeat the command that began it, or name its weights",
        )
    if folder is None:
        return Trained(Checkpoint(path), prepared.bench.known.content(str(path)))
    done = read_sealed(folder / CHECKPOINT)
    if done["model"] != prepared.spec.model:
        raise UsageError(
            f"the checkpoint at {path} was trained by model '{done['model']}', not '{prepared.spec.model}'",
            hint=f"--model {done['model']}",
        )
    _check_prompt(prepared, done)
    return Trained(read_checkpoint(folder), done["digest"], folder, notes=_rewarded(folder))


def _rewarded(directory: Path) -> tuple[str, ...]:
    """Return a note of what a training's answers have earned by; nothing where they have not."""
    earned = read_sealed(directory / CHECKPOINT).get("rewards")
    return (f"{REWARDED}: {', '.join(earned)}",) if earned else ()


def _check_prompt(prepared: Prepared, done: Mapping[str, Any]) -> None:
    """Refuse to ask a checkpoint with another prompt than it was trained with."""
    trained = done["prompts"].get(prepared.spec.task)
    if trained is None or prepared.bench.other_prompt or trained["digest"] == prepared.data.prompt_digest:
        return
    now = prepared.data.prompt.template if prepared.data.prompt else "(made by the task)"
    was = trained["template"] or "(made by the task)"
    difference = "\n".join(unified_diff([was], [now], "trained with", "asked with", lineterm=""))
    raise UsageError(
        f"the checkpoint was trained with another prompt for '{prepared.spec.task}':\n{difference}",
        hint="train again, or ask all the same with --other-prompt",
    )


def _summary(key: str, path: Path) -> Mapping[str, Any]:
    done = read_sealed(path / CHECKPOINT)
    kept = {
        name: done[name] for name in ("stage", "digest", "seconds", "peak_memory_mib", "data_digest", "step")
    }
    return {"key": key, "directory": str(path), **kept, "gains": gains(path)}
