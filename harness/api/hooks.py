"""The hooks a plugin may implement. Collecting hooks return entries and import nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:  # a hook is called with what it names, and need not have it
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .metric import MetricEntry
    from .model import ModelEntry
    from .prompt import PromptFormat
    from .retrieval import RetrieverEntry
    from .run import RunContext, RunRecord
    from .spec import LaunchSpec, RunSpec
    from .stage import StageEntry
    from .task import TaskEntry
    from .verb import VerbEntry

API_VERSION = 1
PROJECT = "harness"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def harness_models() -> Iterable[ModelEntry]:  # type: ignore[empty-body]
    """Called once at start; return the models this plugin brings."""


@hookspec
def harness_tasks() -> Iterable[TaskEntry]:  # type: ignore[empty-body]
    """Called once at start; return the tasks this plugin brings."""


@hookspec
def harness_metrics() -> Iterable[MetricEntry]:  # type: ignore[empty-body]
    """Called once at start; return the metrics this plugin brings."""


@hookspec
def harness_verbs() -> Iterable[VerbEntry]:  # type: ignore[empty-body]
    """Called once at start; return the verbs this plugin brings."""


@hookspec
def harness_retrievers() -> Iterable[RetrieverEntry]:  # type: ignore[empty-body]
    """Called once at start; return the retrievers this plugin brings."""


@hookspec
def harness_stages() -> Iterable[StageEntry]:  # type: ignore[empty-body]
    """Called once at start; return the stages of training this plugin brings."""


@hookspec(firstresult=True)
def harness_prompt(model: str, task: str) -> PromptFormat | None:
    """Called when a run is planned; return the prompt format this model wants for this task, or None.

    The nearest plugin's answer wins; without one the task's own format is used.
    """


@hookspec(firstresult=True)
def harness_launch(launch: LaunchSpec, stage: str, directory: Path) -> bool | None:
    """Called to run a stage's processes; return True when they have ended well, None to decline."""


@hookspec(firstresult=True)
def harness_render_leaderboard(board: Any, format: str) -> str | None:
    """Called for a leaderboard format that is not built in; return the text, or None.

    The nearest plugin's text wins; one that fails ends nothing but that form.
    """


@hookspec
def harness_run_started(spec: RunSpec, directory: Path) -> None:
    """Called when a run begins."""


@hookspec
def harness_event(kind: str, facts: Mapping[str, Any], directory: Path) -> None:
    """Called for each event of a stage, such as a logged training step; where trackers listen."""


@hookspec
def harness_stage_finished(stage: str, seconds: float, run: RunContext) -> None:
    """Called after each stage that did work."""


@hookspec
def harness_run_finished(record: RunRecord, directory: Path) -> None:
    """Called when a run's record is on disk."""


@hookspec
def harness_run_failed(spec: RunSpec, reason: str, directory: Path) -> None:
    """Called when a run ends in an error."""
