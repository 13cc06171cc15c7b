"""Carries out cells: train or find the training, generate what is not answered yet, score, record."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, HarnessError, StageError, UsageError, of_system
from harness.api.example import Completion, Example, Request
from harness.api.run import SCHEMA_VERSION, RunContext, RunRecord
from harness.api.spec import RunSpec
from harness.files.finished import RECORD, digests, read_record, write_record
from harness.files.json_files import read_sealed, write_json, write_sealed
from harness.files.rows import append_row, heal_rows, read_rows
from harness.scoring.measure import score_as_json

from . import environment
from .asking import apart
from .chain import Trained, obtain
from .data import TaskData
from .journal import count_oddities, count_tokens, finished, heal
from .launchers import run_worker, torchrun
from .matrix import Cell
from .plugin_manager import describe
from .prepared import Bench, Prepared
from .repeats import repeated, together
from .run_dir import EVENTS, SPEC, check_output, locked, noted, open_directory
from .scoring import Scored, save_scored, score_run
from .stage import (
    GENERATION,
    Generation,
    answer,
    context,
    note_reasoning,
    reasoning_tags,
    reported,
    run_generation,
    sound,
)
from .values import from_mapping

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Outcome:
    """What became of a cell: a record, or the reason why there is none."""

    cell: Cell
    directory: Path | None = None
    trained: Path | None = None
    record: RunRecord | None = None
    error: HarnessError | None = None
    unsaved: str = ""  # why the results could not be written
    reused: bool = False  # the run was finished already
    answered: list[tuple[Request, Completion]] = field(default_factory=list)  # where that is all that is done


@dataclass(slots=True)
class Meter:
    """Where a run's time and memory went."""

    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory_mib: dict[str, float] = field(default_factory=dict)
    started: str = field(default_factory=lambda: _now())

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Measure one stage."""
        begin = time.perf_counter()
        yield
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - begin, 3)
        self.peak_memory_mib[stage] = round(environment.peak_memory_mib(), 1)


def execute(bench: Bench, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """Carry out every cell; one that fails is reported and the rest go on."""
    check_output(bench.output)
    try:
        for cell in cells:
            yield _outcome(bench, cell)
    finally:
        bench.opened.close()


def _outcome(bench: Bench, cell: Cell) -> Outcome:
    outcome = Outcome(cell)
    try:
        _execute(bench, cell, outcome)
    except HarnessError as error:
        outcome.error = error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  one cell's fault must not cost the others
        outcome.error = unforeseen(error)
    finally:
        bench.progress.finish()
    if outcome.error is not None and outcome.directory is not None:
        bench.notify(
            "harness_run_failed",
            spec=cell.spec,
            reason=outcome.error.message,
            directory=outcome.directory,
        )
    return outcome


def unforeseen(error: BaseException) -> HarnessError:
    """Return what no plugin's name could be put to as one sentence; a full disk is the likeliest."""
    if isinstance(error, OSError) and error.strerror:
        said = of_system(error, hint="make room, or choose another --output DIR")
        made = said if isinstance(said, UsageError) else StageError(said.message, hint=said.hint)
    else:
        made = StageError(f"{type(error).__name__}: {error}", hint="--debug shows where it happened")
    made.__cause__ = error
    return made


def _execute(bench: Bench, cell: Cell, outcome: Outcome) -> None:
    label = f"{cell.spec.title} on {cell.spec.task}"
    meter = Meter()
    if bench.until == "train" and not cell.spec.train:
        raise UsageError(
            f"there is nothing to train: {label} has no training stage",
            hint="leave --no-train and --checkpoint out, or choose a model that learns",
        )
    bench.progress.start(f"{label}: loading")
    with meter.measured("load"):
        prepared = Prepared(bench, cell)
    trained = obtain(bench, prepared)
    outcome.trained = trained.directory
    if bench.until == "train":
        return
    key = prepared.key(trained.digest)
    parent = bench.output / cell.spec.task / cell.spec.model.replace("/", "-")
    with locked(parent, key):
        outcome.directory = directory = open_directory(
            parent, key, fresh=bench.wants_fresh(key), resume=bench.resume
        )
        if bench.until == "score" and (record := finished_record(directory, prepared)) is not None:
            outcome.record, outcome.reused = record, True
            return
        with meter.measured("load"):
            prepared.load()
            examples = prepared.examples()
        _remember(directory, cell.spec, bench)
        bench.notify("harness_run_started", spec=cell.spec, directory=directory)
        run = context(directory, cell.spec, bench.registry, bench.progress, [prepared.data])
        run = replace(run, other_prompt=bench.other_prompt)
        with meter.measured("generate"):
            completions, schedule = _generate(bench, prepared, trained, run, examples)
        meter.peak_memory_mib["generate"] = max(
            [meter.peak_memory_mib["generate"], *(row["peak_memory_mib"] for row in schedule["workers"])]
        )
        bench.notify("harness_stage_finished", stage="generate", seconds=meter.seconds["generate"], run=run)
        if bench.until == "generate":
            outcome.answered = list(zip(_requests(prepared, examples), completions, strict=True))
            return
        bench.progress.start(f"{label}: scoring")
        with meter.measured("score"):
            scored = score_run(prepared, directory, examples, together(completions, cell.spec.repeats))
        bench.progress.finish()

        outcome.record = _record(bench, prepared, trained, directory, completions, scored, schedule, meter)
        try:
            save_scored(directory, scored)
            write_record(directory, replace(outcome.record, files=digests(directory)))
        except (OSError, TypeError, ValueError) as error:  # numbers worth hours are shown all the same
            outcome.unsaved = f"{directory}: {getattr(error, 'strerror', None) or error}"
            return
        bench.notify("harness_run_finished", record=outcome.record, directory=directory)


def finished_record(directory: Path, prepared: Prepared) -> RunRecord | None:
    """Return a finished run's record, unless it is damaged or the code that scores has changed since."""
    if not (directory / RECORD).exists():
        return None
    try:
        record = from_mapping(RunRecord, read_record(directory))
    except DataError as damage:
        logger.warning("%s; what is sound is kept, the rest is made again", damage.message)
        return None
    was = dict(record.environment.get("scoring_code", {}))
    if prepared.bench.vocab is None:  # what was scored with a vocabulary stands where none is named
        was.pop("vocabulary", None)
    return record if was == prepared.scoring_code else None


def _record(
    bench: Bench,
    prepared: Prepared,
    trained: Trained,
    directory: Path,
    completions: Sequence[Completion],
    scored: Scored,
    schedule: Mapping[str, Any],
    meter: Meter,
) -> RunRecord:
    spec, data = prepared.spec, prepared.data
    kept = environment.describe() | {
        "generation": schedule,
        "scoring_code": prepared.scoring_code,
        **prepared.prompt_facts(),
        **({"read_by": data.task.prose} if data.task.reads_prose and data.task.prose else {}),
    }
    return RunRecord(
        schema_version=SCHEMA_VERSION,
        run_id=directory.name,
        command=bench.command,
        spec=asdict(spec),
        sources=dict(prepared.cell.resolved.sources),
        sample=data.sample,
        task_version=data.task.version,
        data_digest=data.digest(spec.data.split),
        data_source=spec.data.source,
        rows=len(scored.rows),
        prompt_digest=data.prompt_digest,
        checkpoint_digest=trained.digest,
        training=trained.stages,
        scores={name: score_as_json(score) for name, score in scored.scores.items()},
        counts=_counts(data, completions, scored, reasoning_tags(directory, spec.generate.reasoning)),
        seconds=trained.seconds | meter.seconds,
        peak_memory_mib=meter.peak_memory_mib | trained.peak_memory_mib,
        plugins=tuple(describe(plugin) for plugin in bench.registry.plugins.loaded if plugin.takes_part),
        environment=kept,
        notes=(
            *data.task.notes,
            *scored.overlap.told({name: entry.scale for name, (entry, _) in prepared.metrics.items()}),
            *trained.notes,
            *noted(directory),
        ),
        overlap=scored.overlap.as_json(),
        series=prepared.series(trained),
        started=meter.started,
        finished=_now(),
    )


def _counts(
    data: TaskData, completions: Sequence[Completion], scored: Scored, tags: Sequence[str]
) -> dict[str, int]:
    """Count what is odd about answers, and those that were read out of what was said around them."""
    counts = dict(count_oddities(completions, tags))
    if data.task.reads_prose:
        said = [answer for row in scored.rows for answer in (row, *row.get("repeats", ()))]
        read = sum(row["text"] != apart(row["raw"], tags)[1].strip() for row in said)
        counts |= {"read-from-prose": read} if read else {}
    return counts


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _remember(directory: Path, spec: RunSpec, bench: Bench) -> None:
    """Write what `resume` needs to repeat the command."""
    write_sealed(
        directory / SPEC,
        {
            "spec": asdict(spec),
            "command": list(bench.command),
            "directory": str(Path.cwd()),
            "environment": {k: v for k, v in os.environ.items() if k.startswith("HARNESS_")},
            "plugins": list(bench.local_plugins),
        },
    )
    heal_rows(directory / EVENTS)


def _generate(
    bench: Bench,
    prepared: Prepared,
    trained: Trained,
    run: RunContext,
    examples: Sequence[Example],
) -> tuple[list[Completion], Mapping[str, Any]]:
    """Ask what has not been answered; return all completions in the rows' order, and the schedule."""
    requests = _requests(prepared, examples)
    heal(run.directory)
    done = finished(run.directory, requests)
    missing = [request for request in requests if request.id not in done]
    if missing:
        if done:
            append_row(
                run.directory / EVENTS, {"event": "resumed", "answered": len(done), "asked": len(missing)}
            )
        if bench.ranks is not None or prepared.spec.generate.processes > 1:
            _generate_in_processes(bench, prepared, trained, run.directory, missing)
        else:
            with reported("generation", run.directory):
                session = bench.session(prepared, trained, run)
            note_reasoning(session, run)
            answer(session, missing, run, kind=prepared.data.kind)
        bench.progress.finish()
        done = finished(run.directory, requests)
    if unanswered := [request.id for request in requests if request.id not in done]:
        raise StageError(
            f"{len(unanswered)} of {len(requests)} requests have no answer",
            hint="the same command asks them again",
        )
    events = list(read_rows(run.directory / EVENTS))
    facts = {
        "answered_before": len(requests) - len(missing),
        "asked": len(missing),
        **count_tokens(done.values()),
        "schedule": [row for row in events if row.get("event") == "decoding"][-8:],
        "model": next((_facts(row) for row in reversed(events) if row.get("event") == "model"), {}),
        "workers": [row for row in events if row.get("event") == "generated"][-1:],
    }
    return [done[request.id] for request in requests], facts


def _requests(prepared: Prepared, examples: Sequence[Example]) -> list[Request]:
    return repeated(map(prepared.data.request, examples), prepared.spec.repeats)


def _facts(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("event", "time")}


def _generate_in_processes(
    bench: Bench, prepared: Prepared, trained: Trained, directory: Path, missing: Sequence[Request]
) -> None:
    """Share the requests among worker processes; what each has answered is kept even if another dies."""
    spec = prepared.spec
    if trained.checkpoint is not None:
        sound(trained.checkpoint, trained.digest)
    generation = Generation(
        spec,
        str(trained.directory or spec.checkpoint),
        tuple(request.id for request in missing),
        bench.local_plugins,
        bench.excluded,
        bench.offline,
        bench.quiet,
        bench.other_prompt,
    )
    write_json(directory / GENERATION, generation)
    if bench.ranks is not None:
        here = partial(run_generation, directory, bench.registry, bench.progress)
        bench.ranks.together("generate", directory, here)
        return
    run_worker(torchrun(spec.generate.processes, directory, "generate"), directory, "generate")


def command_of(run_directory: Path) -> tuple[list[str], str, dict[str, str]]:
    """Return the command line that made a run, the folder and the settings of the environment it ran in."""
    place = run_directory / SPEC
    if not place.exists():
        raise UsageError(f"{run_directory} is no run directory", hint="it should hold a spec.json")
    stored = read_sealed(place)
    if "command" not in stored:
        raise UsageError(f"{run_directory} is a training, not a run", hint="repeat the command that made it")
    return stored["command"], stored["directory"], stored["environment"]
