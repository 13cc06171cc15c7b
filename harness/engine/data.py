"""From a task's rows to what is scored, asked and learned, with a digest of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, PluginError, UsageError, nearest
from harness.api.example import Completion, Example, Pairs, Prediction, Request
from harness.api.metric import Metric, MetricEntry, Metrics
from harness.api.prompt import PromptFormat
from harness.api.rows import PromptRow, TrainRow
from harness.api.spec import DataSpec, RunSpec
from harness.api.task import Task, TaskEntry, TaskOptions
from harness.api.workbench import TaskView
from harness.files.json_files import digest
from harness.scoring.measure import measure

from . import references
from .asking import Asking, facts, way_of
from .plugin_manager import blamed
from .registry import Registered, Registry
from .shots import shots_of
from .values import make_options

PLACES = {"dir": "DIR"}  # how users write a source that is no name


@dataclass(slots=True)
class TaskData:
    """A task opened on one data source, with the prompt format that the chosen model asks for."""

    registered: Registered[TaskEntry]
    task: Task
    prompt: PromptFormat | None
    way: str = ""  # how choices are asked for
    _asking: Asking | None = None
    _examples: dict[str, list[Example]] = field(default_factory=dict)
    _scored: dict[str, list[Example]] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The task's name."""
        return self.registered.entry.name

    @property
    def sample(self) -> bool:
        """Whether the rows are built in or made up, so that no number may stand beside published ones."""
        return self.task.data.source in ("sample", *self.task.synthetic)

    @property
    def prompt_digest(self) -> str:
        """Identify the prompt format; a task that builds prompts by hand has its version stand for it."""
        own = self.prompt.digest if self.prompt is not None else f"task-{self.name}-{self.task.version}"
        more = facts(Asking(self.task, self.prompt, self.way))
        return digest([own, more]) if more else own

    @property
    def asking(self) -> Asking:
        """How rows are asked and answers read, with the shots drawn."""
        if self._asking is None:
            options = self.task.options
            shots = shots_of(self.task, self.learned(options.shots_split)) if options.shots else None
            self._asking = Asking(self.task, self.prompt, self.way, shots)
        return self._asking

    @property
    def kind(self) -> str:
        """What a model is asked to do: generate, choose or perplexity."""
        kind = self.task.kind or self.registered.entry.kind
        return "generate" if kind == "choose" and not self.asking.scored else kind

    def examples(self, split: str) -> list[Example]:
        """Return a split's rows as they are scored."""
        if split not in self._scored:
            self._scored[split] = self._through_tokenizer(self.learned(split))
        return self._scored[split]

    def learned(self, split: str) -> list[Example]:
        """Return a split's rows as the task gives them, checked."""
        if split not in self._examples:
            if split not in self.task.splits():
                hint = nearest(split, self.task.splits())
                options = self.task.options
                if split == self.task.data.train_split and hasattr(options, "shares"):
                    hint = f"--set task.shares=0.8,0.1,0.1 shares the rows out; {hint}"
                if options.shots and split == options.shots_split:
                    hint = f"--set task.shots_split=NAME draws them from another split; {hint}"
                elif split == self.task.data.train_split:
                    hint = f"--data with a train split, or --no-train for a model that can answer; {hint}"
                raise UsageError(f"task '{self.name}' has no split '{split}'", hint=hint)
            with blamed(f"task '{self.name}', split '{split}',"):
                self._examples[split] = list(_checked(self.task.examples(split), self.name, split))
        return self._examples[split]

    def _through_tokenizer(self, examples: list[Example]) -> list[Example]:
        name = self.task.data.reference_tokenizer
        if not name:
            return examples
        written = list(references.through_tokenizer(examples, name))
        changed = sum(a.references != b.references for a, b in zip(examples, written, strict=True))
        self.task.notes.append(
            f"references went through the tokenizer {Path(name).name}, which changed {changed} of "
            f"{len(examples)} rows: not comparable with scores against the task's own references"
        )
        return written

    def digest(self, split: str) -> str:
        """Hash a whole split: ids, inputs and references in order; a streamed one says its own."""
        if split not in self._digests:
            if fingerprint := self.task.fingerprint(split):
                return fingerprint
            total = hashlib.sha256()
            for example in self.examples(split):
                total.update(json.dumps(_content(example), sort_keys=True).encode() + b"\n")
            self._digests[split] = total.hexdigest()[:16]
        return self._digests[split]

    def scored(self, split: str, limit: int | None) -> list[Example]:
        """Return the rows that are asked and scored."""
        return self.examples(split)[:limit]

    def render(self, example: Example) -> str:
        """Return the exact prompt of an example."""
        return self.asking.render(example)

    def request(self, example: Example) -> Request:
        """Return what a model is asked; the references stay here."""
        return self.asking.request(example)

    def target(self, example: Example) -> str:
        """Return what a model should learn to say to an example."""
        return self.asking.target(example)

    def read(self, example: Example, completion: Completion, *, tags: Sequence[str] = ()) -> Prediction:
        """Let the task read its answer out of a completion; `tags` are those of thinking aloud."""
        with blamed(f"task '{self.name}', row '{example.id}',"):
            return self.asking.read(example, self.request(example), completion, tags)

    def view(self, examples: Sequence[Example], metrics: Metrics, tags: Sequence[str] = ()) -> TaskView:
        """Return what scoring needs of the task, for the split of its data."""
        train = self.task.data.train_split
        return TaskView(
            name=self.name,
            split=self.task.data.split,
            task=self.task,
            digest=self.digest(self.task.data.split) if self.task.data.split else "",
            examples=examples,
            metrics=metrics,
            request=self.request,
            read=partial(self.read, tags=tags),
            training=partial(self.learned, train) if train in self.task.splits() else None,
            sample=self.sample,
            summary=self.registered.entry.summary,
            notice=self.registered.entry.notice,
        )

    def rows(self, split: str, limit: int | None) -> Iterator[TrainRow]:
        """Yield what is learned from a split."""
        streamed = split not in self._examples and self.task.fingerprint(split)
        for example in islice(self.task.examples(split) if streamed else self.learned(split), limit):
            yield from self.task.training_rows(self.asking.learned(example), self.render(example))

    def prompts(self, split: str, limit: int | None) -> Iterator[PromptRow]:
        """Yield what is asked of a split while training; the references stay here."""
        for _, request in self.named_rows(split, limit):
            yield PromptRow(request)

    def named_rows(self, split: str, limit: int | None) -> Iterator[tuple[Example, Request]]:
        """Yield rows with their requests, of which those that are not learned from name their split."""
        of_split = "" if split == self.task.data.train_split else f"{split}/"
        for example in self.examples(split)[:limit]:
            request = self.named(example)
            yield example, replace(request, id=f"{of_split}{request.id}")

    def named(self, example: Example) -> Request:
        """Return a request that no other task's is taken for, which may number its rows alike."""
        request = self.request(example)
        return replace(request, id=f"{self.name}:{request.id}")


def _content(example: Example) -> list[Any]:
    """Return what identifies a row; what it does not have leaves no trace, so that old digests hold."""
    row: list[Any] = [example.id, dict(example.inputs), list(example.references)]
    more = {
        "choices": list(example.choices),
        "passages": [asdict(passage) for passage in example.passages],
        "annotations": [asdict(annotation) for annotation in example.annotations],
        "messages": [asdict(message) for message in example.messages],
    }
    return [*row, held] if (held := {name: value for name, value in more.items() if value}) else row


def _checked(examples: Iterable[Example], task: str, split: str) -> Iterator[Example]:
    seen: set[str] = set()
    for example in examples:
        if not isinstance(example, Example) or not isinstance(example.id, str):
            raise PluginError(f"task '{task}', split '{split}', yields {example!r:.200}, which is no Example")
        if example.id in seen:
            raise DataError(f"task '{task}', split '{split}': two rows have the id '{example.id}'")
        if fault := _fault(example):
            raise PluginError(f"task '{task}', split '{split}', row '{example.id}': {fault}")
        seen.add(example.id)
        yield example
    if not seen:
        raise DataError(
            f"task '{task}', split '{split}' is empty", hint="run-bench data checks a folder of data"
        )


def _fault(example: Example) -> str:
    """Return what is wrong with the types of a row; a bare string would count as many one-letter answers."""
    for name in ("references", "choices"):
        texts = getattr(example, name)
        if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
            return f"its {name} are {texts!r:.80}, which is no tuple of texts"
    for name, text in example.inputs.items():
        if not isinstance(text, str):
            return f"its input '{name}' is {text!r:.80}, which is no text"
    return ""


def task_class(registered: Registered[TaskEntry]) -> type[Task]:
    """Import a task's class."""
    kind = registered.load()
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        name = registered.entry.name
        raise PluginError(f"the target of task '{name}' is {kind!r}, which is no subclass of Task")
    return kind


def open_learned(registry: Registry, name: str, spec: RunSpec) -> TaskData:
    """Open a task that is learned from; of the run's task options it gets those that it has.

    The run's own task, which is opened beside it, refuses those that nothing has.
    """
    found = registry.tasks.get(name)
    known = {item.name for item in fields(getattr(found.load(), "Options", TaskOptions))}
    options = {key: value for key, value in spec.task_options.items() if key in known}
    return open_task(registry, found, spec.data, spec.model, options)


def open_task(
    registry: Registry,
    registered: Registered[TaskEntry],
    data: DataSpec,
    model: str,
    options: Mapping[str, Any] | None = None,
) -> TaskData:
    """Import a task, open it on a data source with its options, and settle its prompt format."""
    kind = task_class(registered)
    name = registered.entry.name
    if data.source not in ("sample", "hub") and not Path(data.source).exists():
        raise DataError(f"there is no data at {data.source}", hint="--data takes sample, hub or a path")
    if kind.sources and data.source in ("sample", "hub") and data.source not in kind.sources:
        raise UsageError(
            f"task '{name}' has no data source '{data.source}'",
            hint="; ".join(
                f"--data {PLACES.get(place, place)}: {what}" for place, what in kind.sources.items()
            ),
        )
    chosen = make_options(kind.Options, options, name, "task") if options else None
    with blamed(f"task '{name}'"):
        task = kind(data, chosen) if chosen is not None else kind(data)
        if registered.entry.open:
            task.opened(name)
    task.open_retriever = registry.retriever
    if task.options.reading == "auto" and model:
        task.reads_prose = task.prose_unasked and bool(registry.models.get(model).entry.known_by)
    prompt = (
        registry.plugins.ask("harness_prompt", PromptFormat, model=model, task=name) or task.prompt_format
    )
    chooses = not model or registry.models.get(model).entry.chooses
    way = way_of(task, task.kind or registered.entry.kind, prompt, chooses=chooses)
    return TaskData(registered, task, prompt, way)


class ValidationScorer:
    """Scores validation completions with the task's metrics; what best-on-validation looks at."""

    def __init__(
        self,
        parts: Sequence[tuple[TaskData, Sequence[Example]]],
        metrics: Mapping[str, tuple[MetricEntry, Metric]],
        select: str,
        tags: Sequence[str] = (),
    ) -> None:
        self._tags = tags
        self._answers: dict[str, tuple[TaskData, Example, Request]] = {}
        requests: list[Request] = []
        for data, examples in parts:
            for example in examples:
                request = data.named(example) if len(parts) > 1 else data.request(example)
                self._answers[request.id] = (data, example, request)
                requests.append(request)
        self.requests: Sequence[Request] = requests
        self._metrics = metrics
        self.select = select
        self.higher_is_better = metrics[select][0].higher_is_better if select in metrics else True

    def __call__(self, completions: Iterable[Completion]) -> Mapping[str, float]:
        """Return the mean over tasks of each of their metrics, and of the one that selects, with a value."""
        by_task: dict[str, list[tuple[Example, Prediction]]] = {}
        for completion in completions:
            data, example, request = self._answers[completion.request_id]
            by_task.setdefault(data.name, []).append(
                (example, data.asking.read(example, request, completion, self._tags))
            )
        values: dict[str, list[float]] = {}
        for data, _, _ in {id(a[0]): a for a in self._answers.values()}.values():
            names = dict.fromkeys((*data.task.metrics, self.select))
            own = {name: self._metrics[name] for name in names if name in self._metrics}
            for name, score in measure(Pairs(by_task.get(data.name, [])), own).items():
                if score.value is not None:
                    values.setdefault(name, []).append(score.value)
        return {name: sum(found) / len(found) for name, found in values.items()}
