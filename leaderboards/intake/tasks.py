"""Opens the tasks of a table: on the data that was answered, or without data where nobody has it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from harness import (
    Completion,
    DataError,
    DataSpec,
    Example,
    HarnessError,
    Metrics,
    Prediction,
    Request,
    Task,
    TaskView,
    Workbench,
)
from harness.files.finished import read_record

from ..plain import mapping

BLIND = "blind"  # the split of rows whose references are not public
ASKED_OF = ("source", "revision", "skip_bad_rows", "columns", "reference_tokenizer")  # what rows depend on


@dataclass(frozen=True, slots=True)
class Reading:
    """How answers are read: who was asked, with which options of the task, thinking between which tags."""

    model: str = ""
    options: str = ""  # as JSON
    tags: tuple[str, ...] = ()


PLAIN = Reading()


def reading_of(about: Mapping[str, Any], *, asked: bool = False) -> Reading:
    """Return how a submission's answers are read; `asked`: and its model's prompt shown."""
    said = mapping(about.get("reading"))
    model = str(mapping(about.get("model")).get("plugin", "")) if said or asked else ""
    options = mapping(said.get("options"))
    return Reading(
        model, json.dumps(dict(options), sort_keys=True) if options else "", tuple(said.get("tags", ()))
    )


class OpenTask(Protocol):
    """Opens tasks for tables.

    `wanted` is the data digest that a submission names: where several sources of a task are known, the
    one with this digest is opened. `reading` is how the answers are to be read.
    """

    def __call__(
        self, task: str, split: str, wanted: str = "", source: str = "", reading: Reading = PLAIN
    ) -> TaskView:
        """Return the task on the data of that digest, or on `source`."""
        ...


class Tasks:
    """The tasks that a command opens, each once.

    Rows are looked for in the data it is told of, where the `runs` it is about had them, and in the
    built-in sample; those whose digest is another are not taken.
    """

    def __init__(
        self,
        bench: Workbench,
        sources: Sequence[str] = (),
        metrics: Sequence[str] = (),
        vocab: Path | None = None,
        runs: Iterable[Path] = (),
    ) -> None:
        self._bench = bench
        self._told = [DataSpec(source) for source in sources]
        self._recorded = dict(filter(None, map(recorded, runs)))
        self._metrics = tuple(metrics)
        self._vocab = vocab
        self._views: dict[tuple[str, ...], TaskView] = {}
        self._caches: dict[tuple[str, ...], dict[Any, Any]] = {}

    def __call__(
        self, task: str, split: str, wanted: str = "", source: str = "", reading: Reading = PLAIN
    ) -> TaskView:
        """Return the task on the data of a digest, or on a source."""
        if wanted.startswith(f"{BLIND}-"):
            return self._blind(task, int(wanted.removeprefix(f"{BLIND}-")))
        tried: list[tuple[str, HarnessError | None]] = []
        for place in self._places(wanted, source):
            try:
                view = self._open(task, replace(place, split=split), reading)
            except HarnessError as error:
                tried.append((f"{place.source}: {error.message}", error))
                continue
            if not wanted or view.digest == wanted:
                return view
            tried.append((f"{place.source} has {view.digest}", None))
        if len(tried) == 1 and tried[0][1] is not None:
            raise tried[0][1]
        raise DataError(
            f"the data of {task} that was answered ({wanted or split}) is not here; "
            + "; ".join(text for text, _ in tried),
            hint="--data FOLDER names its folder",
        )

    def _places(self, wanted: str, source: str) -> list[DataSpec]:
        """Return where rows are looked for, those that were named before all others."""
        if source:
            return [DataSpec(source)]
        if not wanted:
            return [*self._told, DataSpec()][:1]
        known = [self._recorded[wanted]] if wanted in self._recorded else []
        places = [*self._told, *known, DataSpec()]
        return [place for number, place in enumerate(places) if place not in places[:number]]

    def _open(self, task: str, data: DataSpec, reading: Reading) -> TaskView:
        key = (task, repr(data), reading.options, *reading.tags, reading.model)
        if key not in self._views:
            view = self._bench.open_task(
                task,
                data,
                metrics=self._known(task),
                model=reading.model,
                options=json.loads(reading.options) if reading.options else None,
                tags=reading.tags,
            )
            # What is worked out of texts is the same however they were read.
            cache = self._caches.setdefault((task, repr(data)), view.cache)
            self._views[key] = replace(view, vocab=self._vocab, cache=cache)
        return self._views[key]

    def _known(self, task: str) -> list[str]:
        """Return the metrics that were asked for and that there are."""
        known = self._bench.metrics(task) if self._metrics else {}
        return [name for name in self._metrics if name in known]

    def _blind(self, task: str, rows: int) -> TaskView:
        key = (task, BLIND, str(rows), "")
        if key not in self._views:
            kind = self._bench.task(task)
            names = [n for n in self._reference_free(task, kind) if not self._metrics or n in self._metrics]
            self._views[key] = blind(task, rows, self._bench.load_metrics(names, task), kind)
        return self._views[key]

    def _reference_free(self, task: str, kind: type[Task]) -> list[str]:
        """Return the task's metrics that look at answers alone, then other definitions of the same."""
        own = [name.partition("@")[0] for name in kind.metrics]
        free = [name for name, entry in self._bench.metrics(task).items() if entry.reference_free]
        places = {name: own.index(base) for name in free if (base := name.partition("@")[0]) in own}
        return sorted(places, key=lambda name: ("@" in name, places[name], name))


def recorded(run: Path) -> tuple[str, DataSpec] | None:
    """Return the digest of a run's rows and where it had them; nothing where its record does not say."""
    try:
        record = read_record(run)
        data = {name: record["spec"]["data"][name] for name in ASKED_OF if name in record["spec"]["data"]}
        return record["data_digest"], DataSpec(**data | {"columns": tuple(data.get("columns", ()))})
    except (DataError, KeyError, TypeError):
        return None


def blind(task: str, rows: int, metrics: Metrics, kind: type[Task]) -> TaskView:
    """Return a view of rows whose inputs and references are not public: only answers can be looked at."""

    class Blind(kind):  # type: ignore[misc, valid-type]  # a task in all but its rows
        def examples(self, split: str) -> Iterator[Example]:
            return (Example(str(number), {}, ()) for number in range(1, rows + 1))

    opened: Task = Blind()
    return TaskView(
        name=task,
        split=BLIND,
        task=opened,
        digest=f"{BLIND}-{rows}",
        examples=list(opened.examples(BLIND)),
        metrics=metrics,
        request=lambda example: Request(example.id, ""),
        read=_as_it_is,
        summary="references are not public: only what needs none is scored",
    )


def _as_it_is(example: Example, completion: Completion) -> Prediction:
    return Prediction(example.id, completion.text.strip(), completion.text)


def source_of(view: TaskView) -> str:
    """Name the kind of a view's rows: `sample`, `files` or `blind`."""
    return BLIND if view.split == BLIND else "sample" if view.sample else "files"
