"""`show-prompt`: exactly what a model is asked, and how it reads it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from harness.api.errors import HarnessError, UsageError, nearest
from harness.api.example import Example, Request
from harness.api.model import ModelPlugin
from harness.api.run import Checkpoint, RunContext
from harness.api.session import PromptTokens
from harness.engine.data import TaskData, open_task
from harness.engine.matrix import Cell, plan
from harness.engine.registry import Registry
from harness.engine.stage import checkpoint_at, make_model

from .output import write, write_json
from .parser import add_verb
from .run_arguments import add_run_arguments, asked_for, open_registry


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "show-prompt",
        "Print the exact text a model is asked for a row, as a JSON string, with its tokens and "
        "how many of them begin the sequence. Tokens need weights: --checkpoint, or a published preset.",
        "run-bench show-prompt --model toy --task toy",
        "run-bench show-prompt --model toy --task lpm24 --row test-00003",
    )
    parser.add_argument("--row", metavar="ID", help="the id of a row (default: the first one)")
    add_run_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print a prompt for each model and task."""
    wanted, args.row = args.row, None  # not a setting of a run
    asked = asked_for(args)
    registry = open_registry(args, asked.plugins)
    facts = [_facts(cell, registry, wanted) for cell in plan(registry, asked)]
    if args.json:
        write_json(facts)
        return 0
    for number, fact in enumerate(facts):
        write("\n" * bool(number) + _text(fact))
    return 0


def _facts(cell: Cell, registry: Registry, wanted: str | None) -> dict[str, Any]:
    spec = cell.spec
    data = open_task(registry, cell.task, spec.data, spec.model, spec.task_options)
    example = _row(data, spec.data.split, wanted)
    request = data.request(example)
    facts: dict[str, Any] = {
        "model": spec.model,
        "task": data.name,
        "row": example.id,
        "format": f"{data.prompt.name} version {data.prompt.version}" if data.prompt else "made by the task",
        "digest": data.prompt_digest,
        "template": data.prompt.template if data.prompt else None,
        "prompt": request.prompt,
        "choices": list(request.choices),
        "target": data.target(example),
    }
    model = make_model(cell.model, spec.model_options)
    given = checkpoint_at(Path(spec.checkpoint)) if spec.checkpoint else None
    return facts | _reading(model, request, given, RunContext(Path(), spec))


def _row(data: TaskData, split: str, wanted: str | None) -> Example:
    examples = data.examples(split)
    if wanted is None:
        return examples[0]
    by_id = {example.id: example for example in examples}
    if wanted not in by_id:
        raise UsageError(f"{data.name} has no row '{wanted}' in split '{split}'", hint=nearest(wanted, by_id))
    return by_id[wanted]


def _reading(
    model: ModelPlugin, request: Request, checkpoint: Checkpoint | None, run: RunContext
) -> dict[str, Any]:
    try:
        with model.open(checkpoint, run) as session:
            tokens: PromptTokens = session.prompt_tokens(request)
    except HarnessError as error:  # the prompt is worth showing without its tokens
        return {"tokens": None, "why no tokens": error.message}
    return {
        "tokens": len(tokens.ids),
        "bos": tokens.bos,
        "pieces": list(tokens.pieces),
        "ids": list(tokens.ids),
    }


def _text(facts: dict[str, Any]) -> str:
    lines = [f"{facts['model']} on {facts['task']}, row {facts['row']}"]
    lines.append(f"  format    {facts['format']}, digest {facts['digest']}")
    for name in ("template", "prompt", "target"):
        if facts[name] is not None:
            lines.append(f"  {name:<8}  {json.dumps(facts[name], ensure_ascii=False)}")
        if name == "prompt":
            lines += [f"  choice    {json.dumps(text, ensure_ascii=False)}" for text in facts["choices"]]
    if facts["tokens"] is None:
        lines.append(f"  tokens    not shown: {facts['why no tokens']}")
    else:
        begin = "it has none" if facts["bos"] is None else str(facts["bos"])
        lines.append(f"  tokens    {facts['tokens']}; begin-of-sequence: {begin}")
        lines.append(
            "  pieces    " + " ".join(json.dumps(piece, ensure_ascii=False) for piece in facts["pieces"])
        )
    return "\n".join(lines) + "\n"
