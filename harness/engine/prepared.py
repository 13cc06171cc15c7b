"""A cell of the matrix with what it will need, and the keys that identify its trainings and its run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.api.bounds import ASKED, what_counts
from harness.api.errors import DataError, UsageError
from harness.api.example import Example
from harness.api.metric import Metric, MetricEntry
from harness.api.model import ModelPlugin
from harness.api.run import Progress, RunContext, SilentProgress
from harness.api.session import ModelSession
from harness.api.spec import DataSpec, GenerateSpec, RunSpec, TrainSpec
from harness.api.stage import StageEntry
from harness.files.json_files import digest

from . import environment, sameness
from .data import TaskData, open_learned, open_task
from .graph import inputs_of
from .judge import judging
from .known import Known, looks, named_files
from .learned import asks, training_digest
from .matrix import Cell
from .ranks import Ranks
from .registry import Registry
from .stage import Training, make_model, sound

if TYPE_CHECKING:
    from .chain import Trained

logger = logging.getLogger(__name__)


class OpenModel:
    """The model that was last opened: kept while it is the one that is asked, closed when another is."""

    def __init__(self) -> None:
        self._key = ""
        self._session: ModelSession | None = None

    def session(self, key: str, model: ModelPlugin, trained: Trained, run: RunContext) -> ModelSession:
        """Return the open session of a key, or close the one before and open this one."""
        if self._session is None or key != self._key:
            self.close()
            checkpoint = trained.checkpoint and sound(trained.checkpoint, trained.digest)
            self._session, self._key = model.open(checkpoint, run), key
        return self._session

    def close(self) -> None:
        """Let go of what is open."""
        if self._session is not None:
            session, self._session = self._session, None
            session.close()


@dataclass(slots=True)
class Bench:
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
    vocab: Path | None = None  # where metrics find vocabularies that are not ours to ship
    until: str = "score"  # the last thing done: train | generate | score
    ranks: Ranks | None = None  # the other processes, inside somebody else's launcher
    opened: OpenModel = field(default_factory=OpenModel)
    known: Known = field(init=False)
    _parsed: dict[tuple[str, DataSpec], dict[Any, Any]] = field(default_factory=dict)
    _fresh_done: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.known = Known(self.output)

    def session(self, prepared: Prepared, trained: Trained, run: RunContext) -> ModelSession:
        """Open what a run asks; runs that ask the same weights in the same way share it."""
        spec = prepared.spec
        weights = trained.digest or str(trained.checkpoint and trained.checkpoint.path)
        precision = spec.generate.precision
        key = digest([spec.model, spec.preset, dict(spec.model_options), weights, spec.device, precision])
        return self.opened.session(key, prepared.model, trained, run)

    @property
    def quiet(self) -> bool:
        """Whether nobody watches the progress."""
        return isinstance(self.progress, SilentProgress)

    def notify(self, hook: str, **arguments: Any) -> None:
        """Tell listeners; one that fails is a line in the program's log and no more."""
        for failure in self.registry.plugins.notify(hook, **arguments):
            logger.warning(failure)

    def parsed(self, spec: RunSpec) -> dict[Any, Any]:
        """Return what metrics have worked out from a task's texts alone, which the next model on it shares.

        Molecules and tokens of many rows are large: only those of the two tasks last scored are kept.
        """
        key = (spec.task, spec.data)
        self._parsed[key] = self._parsed.pop(key, {})
        while len(self._parsed) > 2:
            del self._parsed[next(iter(self._parsed))]
        return self._parsed[key]

    def wants_fresh(self, key: str) -> bool:
        """Whether a run starts over; a training shared by two cells starts over once."""
        first = self.fresh and key not in self._fresh_done
        self._fresh_done.add(key)
        return first


class Prepared:
    """A cell with its tasks opened, and everything else imported when it is first needed.

    What a finished cell is recognised by is known without importing a model or a metric, and without
    reading rows that were read before.
    """

    def __init__(self, bench: Bench, cell: Cell) -> None:
        registry = bench.registry
        self.bench = bench
        self.cell = cell
        self.spec = cell.spec
        self.data = open_task(registry, cell.task, self.spec.data, self.spec.model, self.spec.task_options)
        names = self.spec.metrics or self.data.task.metrics
        self._found = {name: registry.metrics.get(name, near=cell.task.plugin) for name in names}
        self._open = {(self.spec.task, self.spec.data): self.data}
        if self.spec.repeats > 1 and self.data.kind != "generate":
            raise UsageError(
                f"repeats is {self.spec.repeats}, and {cell.task.entry.name} asks how likely texts are, "
                "which does not change",
                hint="--set task.ask=letter lets the model say its choice" if self.data.way else "",
            )
        self.ways = [registry.stage(stage.stage, cell.model) for stage in self.spec.train]
        stages = [
            stage_spec(registry, self.spec, stage, way.entry)
            for stage, way in zip(self.spec.train, self.ways, strict=True)
        ]
        self.stages = [(stage, self._tasks(stage)) for stage in stages]
        self.code = {"assay": __version__, "model": cell.model.plugin.files_digest()}
        # When these change, saved completions are scored again; nothing is generated again.
        scorers = [cell.task.plugin, *(metric.plugin for metric in self._found.values())]
        self.scoring_code = {plugin.source: plugin.files_digest() for plugin in scorers}
        if own := sameness.code_of(*sameness.SCORING):
            self.scoring_code["harness"] = own
        if bench.vocab is not None:
            if not bench.vocab.exists():
                raise DataError(f"there is no vocabulary at {bench.vocab}")
            self.scoring_code["vocabulary"] = bench.known.content(str(bench.vocab))

    def load(self) -> None:
        """Import model and metrics and read the rows, so that what is missing fails before long work."""
        environment.refuse_absent_device(self.spec.device)
        assert self.model is not None
        assert self.metrics is not None
        if self.bench.until != "train":
            self.examples()
        needs = self.cell.model.entry.requires
        for stage in self.ways:
            # A model that needs no torch, such as the toy, learns in its own way and never asks for it.
            if stage.entry.target and all(library in needs for library in stage.entry.requires):
                stage.load()

    @cached_property
    def model(self) -> ModelPlugin:
        """The model, built with its options."""
        return make_model(self.cell.model, self.spec.model_options)

    @cached_property
    def metrics(self) -> dict[str, tuple[MetricEntry, Metric]]:
        """The metrics by name, with their cards."""
        return {name: (metric.entry, metric.load()) for name, metric in self._found.items()}

    def _tasks(self, stage: RunSpec) -> list[TaskData]:
        """Open what a stage learns from; a task that is scored too is opened once."""
        registry = self.bench.registry
        found = []
        for name in stage.train_tasks:
            if (name, stage.data) not in self._open:
                self._open[name, stage.data] = open_learned(registry, name, stage)
            found.append(self._open[name, stage.data])
        return found

    def examples(self) -> list[Example]:
        """Return the rows that are scored."""
        return self.data.scored(self.spec.data.split, self.spec.data.limit)

    def prompt_facts(self) -> dict[str, str]:
        """Return the prompt's template, or the first prompt where the task makes them by hand."""
        if self.data.prompt:
            return {"prompt_template": self.data.prompt.template}
        return {"first_prompt": self.data.render(self.examples()[0])}

    def trainings(self) -> list[tuple[str, Training, list[TaskData]]]:
        """Return each stage of the chain with the key that identifies its result, and its tasks."""
        found: list[tuple[str, Training, list[TaskData]]] = []
        keys: dict[str, str] = {}
        inputs_of_stages = inputs_of(self.spec.train, [way.entry for way in self.ways])
        self._check_rewards(inputs_of_stages)
        for (spec, tasks), way, inputs in zip(self.stages, self.ways, inputs_of_stages, strict=True):
            training = Training(
                spec=spec,
                inputs=inputs,
                data_digest=self._training_digest(spec, tasks, way.entry),
                plugins=self.bench.local_plugins,
                excluded=self.bench.excluded,
                offline=self.bench.offline,
                quiet=self.bench.quiet,
            )
            code = self.code | _own(sameness.LEARNING) | {"stage": way.plugin.files_digest()}
            known = self.bench.known
            sources = {name: keys.get(source) or known.content(source) for name, source in inputs.items()}
            key = self._identity(spec).training_key(training.data_digest, sources, code, asks=asks(way.entry))
            keys[way.entry.name] = key
            found.append((key, training, tasks))
        return found

    def _check_rewards(self, inputs: Sequence[Mapping[str, str]]) -> None:
        """Refuse what no answer could earn by, before rows are read."""
        for (spec, tasks), way, given in zip(self.stages, self.ways, inputs, strict=True):
            if asks(way.entry):
                from harness.training import rewards  # here, because few trainings earn anything

                (train,) = spec.train
                found = judging(self.bench.registry, tasks, train.earned_metrics)
                cards = {name: metric.entry for name, metric in found.items()}
                rewards.check(train, cards, model=rewards.MODEL in given)

    def key(self, weights: str) -> str:
        """Identify the run that the cell's weights give."""
        rows = self.rows() | {"metrics": list(self._found)}
        code = self.code | _own(sameness.ANSWERING)
        return self._identity(self.spec).run_key(rows, weights, code)

    def series(self, trained: Trained) -> str:
        """Identify the runs that differ from this one in their seeds alone."""
        given = "" if trained.stages else trained.digest
        return self._identity(self.spec).series(self.rows(), given)

    def rows(self) -> dict[str, str]:
        """Return what identifies the rows that are scored and how they are asked."""
        data, split = self.data, self.spec.data.split
        digest = self._remembered(["rows", split], [data], lambda: data.digest(split))
        return {"digest": digest, "prompt": data.prompt_digest, "version": data.task.version}

    def _identity(self, spec: RunSpec) -> sameness.Identity:
        return sameness.Identity(spec, self.cell.model.entry.files, self.bench.known)

    def _training_digest(self, spec: RunSpec, tasks: list[TaskData], way: StageEntry) -> str:
        what = ["training", what_counts(spec.data, ASKED), [data.prompt_digest for data in tasks], asks(way)]
        return self._remembered(what, tasks, lambda: training_digest(tasks, spec.data, way))

    def _remembered(self, what: list[Any], tasks: Sequence[TaskData], work: Callable[[], str]) -> str:
        """Return a digest of tasks' rows that was worked out before, as long as the rows look the same."""
        looks = [_looks(data) for data in tasks]
        return self.bench.known.get([*what, looks], work) if all(looks) else work()


def _own(rooms: tuple[str, ...]) -> dict[str, str]:
    """Return the digest of the harness's own code, where it is a checkout that may be edited."""
    return {"harness": own} if (own := sameness.code_of(*rooms)) else {}


def _looks(data: TaskData) -> list[Any]:
    """Return what a task's rows come from; nothing where that can change unseen."""
    source = data.task.data.source
    plugin = data.registered.plugin
    # A stranger's task may read whatever it likes; our own say in source and options what they read.
    if source == "hub" or plugin.origin != "bundled":
        return []
    code = [plugin.files_digest(), sameness.code_of("data", "chem", "retrieval"), __version__]
    chosen = asdict(data.task.options)
    options = [chosen, *named_files(chosen)]
    skipped = data.task.data.skip_bad_rows
    if source == "sample":  # its rows are made by code, molecules with RDKit's help
        return [data.name, "sample", code, options, skipped, environment.version_of("rdkit")]
    return [data.name, looks(Path(source)), code, options, skipped, data.task.data.reference_tokenizer]


def stage_spec(registry: Registry, spec: RunSpec, stage: TrainSpec, way: StageEntry) -> RunSpec:
    """Return the spec of one stage alone: its own tasks and data where it names them."""
    names = spec.train_tasks
    # Data of its own is read as the rows it learns from.
    if named := stage.tasks or ((way.task,) if way.task and stage.data else ()):
        names = tuple(registry.tasks.name_of(member) for name in named for member in registry.expand(name))
    # A limit on the run's own training rows says nothing of another source's.
    data = replace(spec.data, source=stage.data, train_limit=None) if stage.data else spec.data
    # How answers are generated matters to a training only where they are scored.
    scored = stage.select_metric or stage.eval_limit or asks(way)
    generate = spec.generate if scored else GenerateSpec(max_new_tokens=spec.generate.max_new_tokens)
    return replace(spec, task="", train_tasks=names, data=data, train=(stage,), generate=generate, metrics=())
