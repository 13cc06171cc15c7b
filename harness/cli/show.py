"""`show NAME`: the card of a model, task, metric, retriever, stage or run."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.api.errors import UsageError, nearest
from harness.api.metric import MetricEntry
from harness.api.model import ModelEntry
from harness.api.retrieval import RetrieverEntry
from harness.api.stage import StageEntry
from harness.engine.config_file import read_file
from harness.engine.registry import Registered, Registry
from harness.engine.values import shown
from harness.files.finished import RECORD
from harness.scoring.arguments import add_data_arguments

from .hosted import HostedVerb
from .output import write, write_json
from .parser import add_verb
from .run_arguments import add_plugin_arguments, open_registry


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "show",
        "Show what is known of a model, task, metric, retriever or stage, or of a finished run: "
        "scores, health, command, and its worst rows, with --page also drawn beside their references.",
        "run-bench show toy",
        "run-bench show bleu-4",
        "run-bench show runs/toy/toy/RUN",
    )
    parser.add_argument("name", metavar="NAME", help="a name from run-bench list, or the directory of a run")
    parser.add_argument(
        "--page", type=Path, metavar="DIR", help="of a run: also write its card as a page into this folder"
    )
    add_data_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print every card of that name: a model and a task may share one."""
    registry = open_registry(args)
    if (Path(args.name) / RECORD).is_file():
        return HostedVerb("card", registry.verbs.get("card"), registry).run(args)
    cards = [card(found, registry) for found in find(registry, args.name)]
    if args.json:
        write_json(cards)
        return 0
    for number, facts in enumerate(cards):
        write("\n" * bool(number) + text(facts))
    return 0


def find(registry: Registry, name: str) -> list[Registered[Any]]:
    """Find a name on every shelf."""
    shelves = (registry.models, registry.tasks, registry.metrics, registry.retrievers, registry.stages)
    known: list[str] = []
    found: list[Registered[Any]] = []
    for shelf in shelves:
        names = [*shelf.names(), *(item.full_name for item in shelf)]
        known += names
        if name in names:
            found.append(shelf.get(name))
    if not found and name.strip() and Path(name).exists():
        raise UsageError(f"{name} holds no finished run", hint=_runs_below(Path(name)))
    if not found:
        raise UsageError(f"nothing is named {shown(name)}", hint=nearest(name, known))
    return found


def _runs_below(folder: Path) -> str:
    """Name the newest run inside a folder, which is what was probably meant."""
    runs = sorted(folder.glob(f"**/{RECORD}")) if folder.is_dir() else []
    return f"run-bench show {runs[-1].parent}" if runs else f"a run's folder has a {RECORD}"


def card(item: Registered[Any], registry: Registry) -> dict[str, Any]:
    """Gather what an entry and, for tasks, its light class say."""
    plugin = item.plugin
    version = f", {plugin.distribution} {plugin.version}" if plugin.version else ""
    facts: dict[str, Any] = {
        "name": item.full_name,
        "summary": item.entry.summary,
        "plugin": f"{plugin.name} ({plugin.origin}{version})",
    }
    if isinstance(item.entry, ModelEntry):
        return facts | _model(item.entry)
    if isinstance(item.entry, MetricEntry):
        return facts | _metric(item.entry)
    if isinstance(item.entry, RetrieverEntry):
        return facts | _retriever(item.entry)
    if isinstance(item.entry, StageEntry):
        return facts | _stage(item.entry)
    return facts | _task(item, registry)


def _model(entry: ModelEntry) -> dict[str, Any]:
    presets = {}
    for preset in entry.presets:
        recipe = read_file(entry.recipes / f"{preset}.toml") if entry.recipes else {}
        presets[preset] = recipe.get("summary", "")
    return {
        "kind": "model",
        "presets": presets,
        "learns a task group as one model": "yes" if entry.multitask else "no",
        "needs": entry.requires,
        "tags": entry.tags,
        "licence": entry.licence,
        "citation": entry.citation,
        "notice": dict(entry.notice),
    }


def _metric(entry: MetricEntry) -> dict[str, Any]:
    low, high = (("∞" if end is None else f"{end:g}") for end in entry.range)
    return {
        "kind": f"metric ({entry.kind})",
        "definition": entry.definition,
        "edge cases": entry.edge_cases,
        "reads": ", ".join(("the answer", *entry.reads)),
        "range": f"{low} to {high}, {'higher' if entry.higher_is_better else 'lower'} is better",
        "shown times": f"{entry.scale:g}",
        "saying nothing can win": "yes" if entry.silence_wins else "no",
        "version": entry.version,
        "source": entry.source,
    }


def _retriever(entry: RetrieverEntry) -> dict[str, Any]:
    written = f"{entry.name}:{entry.takes}" if entry.takes else entry.name
    return {"kind": "retriever", "written": written, "needs": entry.requires, "tags": entry.tags}


def _stage(entry: StageEntry) -> dict[str, Any]:
    made = (f"{name} (from stage {maker})" if maker else name for name, maker in entry.inputs.items())
    return {
        "kind": "stage of training",
        "learns from": " or ".join(kind.__name__ for kind in entry.rows),
        "rows of task": entry.task,
        "inputs": tuple(made),
        "measures": entry.facts,
        "leaves a model that answers": "yes" if entry.answers else "no",
    }


def _task(item: Registered[Any], registry: Registry) -> dict[str, Any]:
    entry = item.entry
    if entry.members:
        return {"kind": "task group", "members": entry.members, "notice": dict(entry.notice)}
    kind = item.load()
    metrics = getattr(kind, "metrics", ())
    return {
        "kind": f"task ({entry.kind})",
        "version": kind.version,
        "languages": entry.languages,
        "metrics": metrics if isinstance(metrics, tuple) else kind().metrics,
        "prompt": kind.prompt_format.template if kind.prompt_format else "made by the task",
        "data sources": dict(kind.sources),
        "data files": dict(kind.files),
        "licence": kind.licence,
        "citation": kind.citation,
        "homepage": kind.homepage,
        "notice": dict(entry.notice),
    }


def text(facts: Mapping[str, Any]) -> str:
    """Write a card for reading."""
    lines = [str(facts["name"])]
    for key, value in facts.items():
        if key == "name" or value in ("", (), {}, None):
            continue
        if isinstance(value, Mapping):
            lines.append(f"  {key}:")
            width = max(map(len, value))
            lines += [f"    {name:<{width}}  {what}" for name, what in value.items()]
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            lines.append(f"  {key}: " + shown.replace("\n", "\n    "))
    return "\n".join(lines) + "\n"
