"""Opens tasks for tables, comparisons and explanations: hosted code never reaches the engine itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.api.errors import DataError, HarnessError
from harness.api.example import Example
from harness.api.run import Checkpoint, RunContext
from harness.api.session import PromptTokens
from harness.api.spec import DataSpec, RunSpec
from harness.engine.data import TaskData, open_task
from harness.engine.plugin_manager import blamed
from harness.engine.registry import Registry, load_target
from harness.engine.stage import make_model, read_checkpoint

REFERENCE_FREE = ("validity", "uniqueness", "validity@molt5", "uniqueness@lpm24")


def hosted(target: str) -> Any:
    """Return a function of the leaderboards package, which the harness knows by name only."""
    return load_target(f"harness.leaderboards.{target}", "the leaderboards package")


class TaskViews:
    """The tasks that a command opens, each once: on the data it is told of, or on the built-in sample."""

    def __init__(
        self,
        registry: Registry,
        sources: Sequence[str] = (),
        metrics: Sequence[str] = (),
        vocab: Path | None = None,
    ) -> None:
        self._registry = registry
        self._sources = tuple(dict.fromkeys([*sources, "sample"]))
        self._metrics = tuple(metrics)
        self._vocab = vocab
        self._views: dict[tuple[str, str, str], Any] = {}

    def __call__(self, task: str, split: str, wanted: str = "", source: str = "") -> Any:
        """Return the task on the data of a digest, or on a source."""
        if wanted.startswith("blind-"):
            return self._blind(task, int(wanted.removeprefix("blind-")))
        tried: list[tuple[str, HarnessError | None]] = []
        for place in [source] if source else self._sources:
            try:
                view = self._open(task, split, place)
            except HarnessError as error:
                tried.append((f"{place}: {error.message}", error))
                continue
            if not wanted or view.digest == wanted:
                return view
            tried.append((f"{place} has {view.digest}", None))
        if len(tried) == 1 and tried[0][1] is not None:
            raise tried[0][1]
        raise DataError(
            f"the data of {task} that was answered ({wanted or split}) is not here; "
            + "; ".join(text for text, _ in tried),
            hint="--data FOLDER names its folder",
        )

    def _open(self, task: str, split: str, source: str) -> Any:
        key = (task, split, source)
        if key not in self._views:
            registered = self._registry.tasks.get(task)
            data = open_task(self._registry, registered, DataSpec(source=source, split=split), "")
            examples = data.examples(split)
            self._views[key] = hosted("task_view:TaskView")(
                task=task,
                split=split,
                source="sample" if data.sample else "files",
                sample=data.sample,
                version=data.task.version,
                digest=data.digest(split),
                examples=examples,
                metrics=self._loaded(self._metrics or data.task.metrics),
                answer=lambda example, text: data.task.answer(text, data.request(example)),
                training_targets=_targets(data),
                overlap=lambda: _overlap(data, examples),
                prompt=lambda example, model: self._prompt(data, example, model),
                tokens=lambda example, spec, trained: self._tokens(data, example, spec, trained),
                picture=lambda example, answer: _picture(data, example, answer),
                summary=registered.entry.summary,
                vocab=self._vocab,
            )
        return self._views[key]

    def _prompt(self, data: TaskData, example: Example, model: str) -> str:
        wanted = self._registry.plugins.hook.harness_prompt(model=model, task=data.name)
        return str(wanted.render(example.inputs)) if wanted is not None else data.render(example)

    def _tokens(
        self, data: TaskData, example: Example, spec: Mapping[str, Any], trained: Path | None
    ) -> PromptTokens:
        """Let the model of a run read a prompt, with what the run trained or was given."""
        name = str(spec["model"])
        request = data.task.request(example, self._prompt(data, example, name))
        given = Checkpoint(Path(str(spec["checkpoint"]))) if spec.get("checkpoint") else None
        model = make_model(self._registry.models.get(name), spec.get("model_options", {}))
        run = RunContext(Path(), RunSpec(name, data.name))
        checkpoint = read_checkpoint(trained) if trained else given
        with blamed(f"model '{name}'"), model.open(checkpoint, run) as session:
            return session.prompt_tokens(request)

    def _blind(self, task: str, rows: int) -> Any:
        registered = self._registry.tasks.get(task)
        key = (task, "blind", str(rows))
        if key not in self._views:
            kind = registered.load()
            known = self._registry.metrics.names()
            names = [n for n in REFERENCE_FREE if n.partition("@")[0] in kind.metrics and n in known]
            names = [n for n in names if not self._metrics or n in self._metrics]
            self._views[key] = hosted("task_view:blind")(task, rows, self._loaded(names), kind.version)
        return self._views[key]

    def _loaded(self, names: Iterable[str]) -> Mapping[str, Any]:
        found = {name: self._registry.metrics.get(name) for name in names}
        return {name: (registered.entry, registered.load()) for name, registered in found.items()}


def _picture(data: TaskData, example: Example, answer: str) -> str:
    try:
        return data.task.picture(example, answer)
    except Exception:  # noqa: BLE001  the text beside a picture says the same; scores must not fall with it
        return ""


def _targets(data: TaskData) -> Any:
    split = data.task.data.train_split
    if split not in data.task.splits():
        return None

    def targets() -> Iterator[str]:
        return (data.target(example) for example in data.examples(split))

    return targets


def _overlap(data: TaskData, examples: Sequence[Example]) -> Mapping[str, frozenset[str]]:
    split = data.task.data.train_split
    if split not in data.task.splits():
        return {}
    return data.task.seen_in_training(data.examples(split), examples)
