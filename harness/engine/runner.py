"""Plans a matrix of models and tasks and carries out each cell: train, generate, score, record."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any

from harness import __version__
from harness.api.errors import DataError, HarnessError, StageError, UsageError
from harness.api.example import Completion, Example, Pairs, Request, Score
from harness.api.metric import Metric, MetricEntry
from harness.api.model import ModelEntry
from harness.api.run import SCHEMA_VERSION, Checkpoint, Progress, RunContext, RunRecord
from harness.api.spec import LaunchSpec, RunSpec
from harness.api.task import TaskEntry

from . import environment
from .config import Asked, Resolved, resolve
from .data import open_task, predict, training_digest
from .journal import count_oddities, finished
from .launchers import inside_a_launcher, run_worker
from .plugin_manager import describe
from .registry import Registered, Registry
from .run_dir import (
    CHECKPOINT,
    EVENTS,
    PREDICTIONS,
    RECORD,
    SCORES,
    SPEC,
    append_row,
    check_output,
    cut_torn_row,
    digest,
    from_mapping,
    locked,
    open_directory,
    read_json,
    read_rows,
    write_json,
    write_rows,
)
from .stage import (
    Generation,
    Training,
    answer,
    context,
    make_model,
    read_checkpoint,
    run_training,
    weights_digest,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One model on one task with one seed, resolved; `shown_beside` marks a row that only gives context."""

    model: Registered[ModelEntry]
    task: Registered[TaskEntry]
    resolved: Resolved
    shown_beside: bool = False

    @property
    def spec(self) -> RunSpec:
        """The resolved spec."""
        return self.resolved.spec


@dataclass(slots=True)
class Outcome:
    """What became of a cell: a record, or the reason why there is none."""

    cell: Cell
    directory: Path | None = None
    record: RunRecord | None = None
    trained: Path | None = None
    error: HarnessError | None = None
    unsaved: str = ""  # why the record could not be written
    reused: bool = False  # the run was finished already


@dataclass(slots=True)
class Session:
    """What all cells of one command share."""

    registry: Registry
    output: Path
    progress: Progress
    command: tuple[str, ...] = ()
    local_plugins: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    offline: bool = False
    fresh: bool = False
    resume: bool = False  # refuse to begin anything new
    other_prompt: bool = False
    until: str = "score"  # the last thing done: train | generate | score
    _fresh_done: set[str] = field(default_factory=set)

    def wants_fresh(self, key: str) -> bool:
        """Whether a run starts over; a training shared by two cells starts over once."""
        first = self.fresh and key not in self._fresh_done
        self._fresh_done.add(key)
        return first


def plan(registry: Registry, asked: Asked) -> list[Cell]:
    """Resolve the whole matrix before anything runs; the first mistake of the user's ends it."""
    if not asked.models or not asked.tasks:
        missing = "--model" if not asked.models else "--task"
        raise UsageError(f"{missing} is missing", hint="run-bench list models, run-bench list tasks")
    cells: list[Cell] = []
    for model in asked.models:
        for task in asked.tasks:
            for seed in asked.seeds or (None,):
                cells += _cells(registry, asked, model, task, seed, shown_beside=False)
    present = {(cell.spec.model, cell.spec.task) for cell in cells}
    for cell in list(cells):
        for model in cell.resolved.compare_with:
            context = _context_cell(registry, asked, model, cell)
            if (context.spec.model, context.spec.task) not in present:
                present.add((context.spec.model, context.spec.task))
                cells.append(context)
    return cells


def _cells(
    registry: Registry, asked: Asked, model: str, task: str, seed: int | None, *, shown_beside: bool
) -> Iterator[Cell]:
    found = registry.models.get(model)
    group = registry.tasks.get(task)
    members = registry.expand(task)
    names = [member.entry.name for member in members]
    for member in members:
        train_tasks = names if found.entry.multitask else [member.entry.name]
        tables = list(dict.fromkeys([group.entry.name, member.entry.name]))
        resolved = resolve(asked, found.entry, found.entry.name, member.entry.name, tables, train_tasks, seed)
        _check_names(registry, found, resolved.spec)
        yield Cell(found, member, resolved, shown_beside)


def _context_cell(registry: Registry, asked: Asked, model: str, cell: Cell) -> Cell:
    """A row to compare with: another model on the same data, with its own defaults for everything else."""
    shared = {key: value for layer in asked.layers for key, value in layer.items() if key.startswith("data.")}
    plain = Asked(output=asked.output, layers=[shared])
    (made,) = _cells(registry, plain, model, cell.spec.task, None, shown_beside=True)
    return replace(made, resolved=replace(made.resolved, spec=replace(made.spec, data=cell.spec.data)))


def _check_names(registry: Registry, model: Registered[ModelEntry], spec: RunSpec) -> None:
    for name in spec.metrics:
        registry.metrics.get(name)
    if spec.checkpoint and not Path(spec.checkpoint).exists():
        raise DataError(f"there is no checkpoint at {spec.checkpoint}")


class Prepared:
    """A cell with everything imported that it will need, so that a missing library fails now."""

    def __init__(self, session: Session, cell: Cell) -> None:
        registry = session.registry
        self.session = session
        self.cell = cell
        self.spec = cell.spec
        self.model = make_model(cell.model, self.spec.model_options)
        self.data = open_task(registry, cell.task, self.spec.data, self.spec.model)
        names = self.spec.metrics or self.data.task.metrics
        self.metrics: dict[str, tuple[MetricEntry, Metric]] = {}
        for name in names:
            found = registry.metrics.get(name)
            self.metrics[name] = (found.entry, found.load())
        if self.spec.train:
            self.training_tasks = [
                self.data
                if name == self.spec.task
                else open_task(registry, registry.tasks.get(name), self.spec.data, self.spec.model)
                for name in self.spec.train_tasks
            ]
        self.code = {
            "assay": __version__,
            "model": cell.model.plugin.files_digest(),
            "task": cell.task.plugin.files_digest(),
        }

    def examples(self) -> list[Example]:
        """Return the rows that are scored."""
        return self.data.scored(self.spec.data.split, self.spec.data.limit)

    def trainings(self) -> list[tuple[str, Training]]:
        """Return each stage of the chain with the key that identifies its result."""
        found: list[tuple[str, Training]] = []
        previous = ""
        if self.spec.train:
            data_digest = training_digest(self.training_tasks, self.spec.data)
        for stage in self.spec.train:
            spec = replace(
                self.spec, task="", train=(stage,), generate=type(self.spec.generate)(), metrics=()
            )
            training = Training(
                spec=spec,
                data_digest=data_digest,
                plugins=self.session.local_plugins,
                excluded=self.session.excluded,
                offline=self.session.offline,
            )
            previous = training_key(training, previous, self.code)
            found.append((previous, training))
        return found


def training_key(training: Training, previous: str, code: Mapping[str, str]) -> str:
    """Identify a stage's result: everything that can change the weights, and nothing that cannot."""
    spec = training.spec
    stage = asdict(training.train)
    for name in ("launch", "save_every", "keep"):  # how the work is cut up, not what is learned
        del stage[name]
    data = asdict(spec.data)
    for name in ("split", "limit"):  # what is scored later
        del data[name]
    asked = [spec.model, spec.preset, dict(spec.model_options), list(spec.train_tasks), data, stage]
    return digest([*asked, training.data_digest, previous, dict(code)])[:8]


def execute(session: Session, cells: Sequence[Cell]) -> Iterator[Outcome]:
    """Carry out every cell; one that fails is reported and the rest go on."""
    check_output(session.output)
    for cell in cells:
        outcome = Outcome(cell)
        try:
            _execute(session, cell, outcome)
        except HarnessError as error:
            outcome.error = error
        except OSError as error:
            where = f" {error.filename}" if error.filename else ""
            outcome.error = StageError(
                f"cannot write{where}: {error.strerror}", hint="choose another --output DIR"
            )
        finally:
            session.progress.finish()
        if outcome.error is not None and outcome.directory is not None:
            session.registry.plugins.notify(
                "harness_run_failed",
                spec=cell.spec,
                reason=outcome.error.message,
                directory=outcome.directory,
            )
        yield outcome


def _execute(session: Session, cell: Cell, outcome: Outcome) -> None:
    label = f"{cell.spec.model} on {cell.spec.task}"
    session.progress.start(f"{label}: loading")
    prepared = Prepared(session, cell)
    spec = cell.spec
    examples = prepared.examples()
    session.progress.finish()

    seconds: dict[str, float] = {}
    memory: dict[str, float] = {}
    summaries: list[Mapping[str, Any]] = []
    checkpoint, checkpoint_digest = _given_checkpoint(prepared)
    if spec.train:
        trained = train(session, prepared)
        summaries = [_summary(key, path) for key, path in trained]
        outcome.trained = trained[-1][1]
        checkpoint = read_checkpoint(outcome.trained)
        checkpoint_digest = str(summaries[-1]["digest"])
        seconds["train"] = sum(float(summary["seconds"]) for summary in summaries)
        memory["train"] = max(float(summary["peak_memory_mib"]) for summary in summaries)
        _check_prompt(prepared, read_json(outcome.trained / CHECKPOINT))
    if session.until == "train":
        return
    key = run_key(prepared, checkpoint_digest)
    parent = session.output / spec.task / spec.model.replace("/", "-")
    with locked(parent, key):
        outcome.directory = directory = open_directory(
            parent, key, fresh=session.wants_fresh(key), resume=session.resume
        )
        done = directory / RECORD
        if done.exists():
            outcome.record, outcome.reused = from_mapping(RunRecord, read_json(done)), True
            return
        _remember(directory, spec, session)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        session.registry.plugins.notify("harness_run_started", spec=spec, directory=directory)
        run = context(directory, spec, session.registry, session.progress, [prepared.data])

        begin = time.perf_counter()
        completions, generation = _generate(session, prepared, checkpoint, run, examples)
        seconds["generate"] = time.perf_counter() - begin
        memory["generate"] = environment.peak_memory_mib()
        session.registry.plugins.notify(
            "harness_stage_finished", stage="generate", seconds=seconds["generate"], run=run
        )
        if session.until == "generate":
            return

        begin = time.perf_counter()
        session.progress.start(f"{label}: scoring")
        scores = _score(prepared, examples, completions, directory)
        session.progress.finish()
        seconds["score"] = time.perf_counter() - begin

        outcome.record = record = RunRecord(
            schema_version=SCHEMA_VERSION,
            run_id=directory.name,
            command=session.command,
            spec=asdict(spec),
            sources=dict(cell.resolved.sources),
            sample=prepared.data.sample,
            task_version=prepared.data.task.version,
            data_digest=prepared.data.digest(spec.data.split),
            data_source=spec.data.source,
            rows=len(examples),
            prompt_digest=prepared.data.prompt_digest,
            checkpoint_digest=checkpoint_digest,
            training=tuple(summaries),
            scores={name: score_as_json(score) for name, score in scores.items()},
            counts=count_oddities(iter(completions)),
            seconds={name: round(value, 3) for name, value in seconds.items()},
            peak_memory_mib={name: round(value, 1) for name, value in memory.items()},
            plugins=tuple(describe(plugin) for plugin in session.registry.plugins.loaded if plugin.ok),
            environment=environment.describe()
            | {"generation": generation, "prompts": _first_prompt(prepared)},
            started=started,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        try:
            write_json(done, record)
        except OSError as error:  # the numbers are worth hours: they are shown even if they cannot be kept
            outcome.unsaved = f"{done}: {error.strerror}"
            return
        session.registry.plugins.notify("harness_run_finished", record=record, directory=directory)


def _first_prompt(prepared: Prepared) -> str:
    return (
        prepared.data.prompt.template
        if prepared.data.prompt
        else prepared.data.render(prepared.examples()[0])
    )


def _summary(key: str, path: Path) -> Mapping[str, Any]:
    done = read_json(path / CHECKPOINT)
    kept = {
        name: done[name] for name in ("stage", "digest", "seconds", "peak_memory_mib", "data_digest", "step")
    }
    return {"key": key, "directory": str(path), **kept}


def train(session: Session, prepared: Prepared) -> list[tuple[str, Path]]:
    """Run the chain of stages, or find it done; return each stage's key and directory."""
    parent = session.output / "trained" / prepared.spec.model.replace("/", "-")
    finished_stages: list[tuple[str, Path]] = []
    for key, training in prepared.trainings():
        if finished_stages:
            training = replace(training, previous=str(finished_stages[-1][1]))
        with locked(parent, key):
            directory = open_directory(parent, key, fresh=session.wants_fresh(key), resume=session.resume)
            if not (directory / CHECKPOINT).exists():
                write_json(directory / SPEC, training)
                cut_torn_row(directory / EVENTS)
                _launch_training(session, prepared, training, directory)
        finished_stages.append((key, directory))
    return finished_stages


def _launch_training(session: Session, prepared: Prepared, training: Training, directory: Path) -> None:
    begin = time.perf_counter()
    launch = training.train.launch
    if launch.processes > 1 and launch.kind == "inline" and not inside_a_launcher():
        launch = replace(launch, kind="torchrun")
    if inside_a_launcher() or not session.registry.plugins.hook.harness_launch(
        launch=launch, stage="train", directory=directory
    ):
        run_training(directory, session.registry, session.progress, prepared.training_tasks)
    session.progress.finish()
    if not (directory / CHECKPOINT).exists():
        raise StageError(f"training ended without a checkpoint in {directory}")
    run = context(directory, training.spec, session.registry, session.progress, prepared.training_tasks)
    session.registry.plugins.notify(
        "harness_stage_finished", stage=training.train.stage, seconds=time.perf_counter() - begin, run=run
    )


def _given_checkpoint(prepared: Prepared) -> tuple[Checkpoint | None, str]:
    """Return the checkpoint named on the command line, after checking that it is one of this model."""
    if not prepared.spec.checkpoint:
        return None, ""
    path = Path(prepared.spec.checkpoint)
    folder = next((place for place in (path, path.parent) if (place / CHECKPOINT).exists()), None)
    if folder is None:
        return Checkpoint(path), weights_digest(path)
    done = read_json(folder / CHECKPOINT)
    if done["model"] != prepared.spec.model:
        raise UsageError(
            f"the checkpoint at {path} was trained by model '{done['model']}', not '{prepared.spec.model}'",
            hint=f"--model {done['model']}",
        )
    _check_prompt(prepared, done)
    return read_checkpoint(folder), done["digest"]


def _check_prompt(prepared: Prepared, done: Mapping[str, Any]) -> None:
    """Refuse to ask a checkpoint with another prompt than it was trained with."""
    trained = done["prompts"].get(prepared.spec.task)
    if trained is None or prepared.session.other_prompt or trained["digest"] == prepared.data.prompt_digest:
        return
    now = prepared.data.prompt.template if prepared.data.prompt else "(made by the task)"
    was = trained["template"] or "(made by the task)"
    difference = "\n".join(unified_diff([was], [now], "trained with", "asked with", lineterm=""))
    raise UsageError(
        f"the checkpoint was trained with another prompt for '{prepared.spec.task}':\n{difference}",
        hint="train again, or ask all the same with --other-prompt",
    )


def run_key(prepared: Prepared, checkpoint_digest: str) -> str:
    """Identify a run: everything that can change a completion or a score."""
    spec = prepared.spec
    generate = asdict(spec.generate)
    for name in ("batch_tokens", "processes"):  # how the work is cut up, not what is asked
        del generate[name]
    data = prepared.data
    asked = [
        spec.model,
        spec.preset,
        dict(spec.model_options),
        spec.task,
        asdict(spec.data),
        generate,
        spec.seed,
    ]
    rows = [data.digest(spec.data.split), data.prompt_digest, data.task.version]
    return digest([*asked, *rows, list(prepared.metrics), checkpoint_digest, dict(prepared.code)])[:8]


def _remember(directory: Path, spec: RunSpec, session: Session) -> None:
    """Write what `resume` needs to repeat the command."""
    write_json(
        directory / SPEC,
        {"spec": asdict(spec), "command": list(session.command), "plugins": list(session.local_plugins)},
    )
    cut_torn_row(directory / EVENTS)


def _generate(
    session: Session,
    prepared: Prepared,
    checkpoint: Checkpoint | None,
    run: RunContext,
    examples: Sequence[Example],
) -> tuple[list[Completion], Mapping[str, Any]]:
    """Ask what has not been answered; return all completions in the rows' order, and the schedule."""
    requests = [prepared.data.request(example) for example in examples]
    done = finished(run.directory, requests)
    missing = [request for request in requests if request.id not in done]
    if missing:
        if done:
            append_row(
                run.directory / EVENTS, {"event": "resumed", "answered": len(done), "asked": len(missing)}
            )
        if prepared.spec.generate.processes > 1 and not inside_a_launcher():
            _generate_in_processes(session, prepared, run.directory)
        else:
            _generate_here(prepared, checkpoint, run, missing)
        session.progress.finish()
        done = finished(run.directory, requests)
    if unanswered := [request.id for request in requests if request.id not in done]:
        raise StageError(
            f"{len(unanswered)} of {len(requests)} requests have no answer",
            hint="the same command asks them again",
        )
    events = [row for row in read_rows(run.directory / EVENTS) if row.get("event") == "decoding"]
    facts = {"answered_before": len(requests) - len(missing), "asked": len(missing)}
    return [done[request.id] for request in requests], facts | {"schedule": events[-8:]}


def _generate_here(
    prepared: Prepared, checkpoint: Checkpoint | None, run: RunContext, missing: list[Request]
) -> None:
    choose = prepared.cell.task.entry.kind == "choose"
    answer(prepared.model, missing, checkpoint, run, choose=choose)


def _generate_in_processes(session: Session, prepared: Prepared, directory: Path) -> None:
    """Share the requests among worker processes; what each has answered is kept even if another dies."""
    spec = prepared.spec
    trained = ""
    if spec.train:
        trained = str(train(session, prepared)[-1][1])
    generation = Generation(
        spec, trained or spec.checkpoint, session.local_plugins, session.excluded, session.offline
    )
    write_json(directory / "generation.json", generation)
    launch = LaunchSpec(kind="torchrun", processes=spec.generate.processes)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        f"--nproc-per-node={launch.processes}",
        "--standalone",
    ]
    run_worker([*command, "-m", "harness.engine.worker", str(directory), "generate"], directory, "generate")


def _score(
    prepared: Prepared, examples: Sequence[Example], completions: Sequence[Completion], directory: Path
) -> dict[str, Score]:
    """Read answers, compute every metric and its interval, and keep both."""
    data = prepared.data
    rows = []
    for example, completion in zip(examples, completions, strict=True):
        rows.append((example, predict(data.task, data.request(example), example, completion)))

    def targets() -> Iterator[str]:
        for example in data.examples(data.task.data.train_split):
            yield data.task.target(example)

    has_training = data.task.data.train_split in data.task.splits()
    pairs = Pairs(rows, training_targets=targets if has_training else None)
    scores = score_pairs(pairs, prepared.metrics)
    write_rows(
        directory / PREDICTIONS,
        (
            {
                "id": example.id,
                "inputs": dict(example.inputs),
                "references": list(example.references),
                "text": prediction.text,
                "raw": prediction.raw,
                "finish": completion.finish,
                "scores": {n: s.per_example[i] for n, s in scores.items() if s.per_example is not None},
            }
            for i, ((example, prediction), completion) in enumerate(zip(rows, completions, strict=True))
        ),
    )
    write_json(directory / SCORES, {name: score_as_json(score) for name, score in scores.items()})
    return scores


def score_pairs(pairs: Pairs, metrics: Mapping[str, tuple[MetricEntry, Metric]]) -> dict[str, Score]:
    """Compute metrics with their intervals; one that fails leaves a reason in its place."""
    # Here, because numpy is not needed before there is something to score.
    from harness.metrics.statistics import bootstrap_interval

    scores: dict[str, Score] = {}
    for name, (entry, metric) in metrics.items():
        try:
            score = metric(pairs)
        except HarnessError as error:
            score = Score(
                name,
                None,
                len(pairs),
                note=f"{error.message} ({error.hint})" if error.hint else error.message,
            )
        except Exception as error:  # noqa: BLE001  a stranger's metric must not cost the others their numbers
            score = Score(name, None, len(pairs), note=f"failed: {type(error).__name__}: {error}")
        if score.interval is None and score.value is not None and len(pairs) > 1:
            score = replace(score, interval=bootstrap_interval(score))
        scores[name] = replace(
            score, metric=name, version=entry.version, higher_is_better=entry.higher_is_better
        )
    return scores


def score_as_json(score: Score) -> dict[str, Any]:
    """Return a score as it goes into files; per-example values are kept with the predictions."""
    return {
        "value": score.value,
        "n": score.n,
        "interval": list(score.interval) if score.interval else None,
        "version": score.version,
        "higher_is_better": score.higher_is_better,
        "note": score.note,
        "details": dict(score.details),
    }


def command_of(run_directory: Path) -> list[str]:
    """Return the command line that a run directory was made by, for `resume`."""
    place = run_directory / SPEC
    if not place.exists():
        raise UsageError(f"{run_directory} is no run directory", hint="it should hold a spec.json")
    stored = read_json(place)
    if "command" not in stored:
        raise UsageError(f"{run_directory} is a training, not a run", hint="repeat the command that made it")
    return [str(part) for part in stored["command"]]
