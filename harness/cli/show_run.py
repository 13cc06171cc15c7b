"""`show RUN`: the card of a finished run, on the terminal and as a page."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from harness.engine.registry import Registry

from .results import SAMPLE
from .task_views import TaskViews, hosted

PICTURES = "pictures: --page DIR writes a page with the row drawn beside the answer\n"
SHOWN = 3  # rows on a terminal
MAX_TEXT = 200


def say_page(path: Path) -> None:
    """Say where a page is, and how to open it."""
    sys.stderr.write(f"written: {path}\nto open it: a browser on {path.resolve().as_uri()}\n")


def show_run(args: argparse.Namespace, registry: Registry) -> int:
    """Score a run's answers again and show what it is, its scores and its worst rows."""
    views = TaskViews(registry, args.data, vocab=args.vocab)
    table, samples = hosted("run_card:run_card")(Path(args.name), views)
    if args.json:
        facts = {"table": table, "samples": samples}
        sys.stdout.write(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(hosted("plain:visible")(_text(table, samples)))
    if args.page:
        say_page(hosted("run_card:write_page")(table, samples, args.page))
    elif any(sample["picture"] for sample in samples) and not args.json:
        sys.stderr.write(PICTURES)
    return 0


def _text(table: dict[str, Any], samples: list[dict[str, Any]]) -> str:
    (line,) = table["lines"]
    about = line["about"]
    kind = f"; {SAMPLE}" if table["sample"] else ""
    lines = [f"{line['name']} on {table['task']} ({table['rows']:,} rows of {table['split']}{kind})"]
    number, with_spread = hosted("numbers:heading"), hosted("numbers:with_spread")
    width = max(len(number(metric)) for metric in table["metrics"])
    for metric in table["metrics"]:
        cell = line["scores"][metric["name"]]
        note = f"  ({cell['note']})" if cell["note"] else ""
        lines.append(f"  {number(metric):<{width}}  {with_spread(cell, metric)}{note}")
    lines += [f"  {name}: {text}" for name, text in hosted("render:health_cells")(line)]
    lines += [f"  {key}: {about[key]}" for key in ("run_id", "seed", "prompt_digest") if key in about]
    if command := about.get("command"):
        lines.append(f"  command: {shlex.join(command)}")
    lines += ["", "worst rows:"]
    for sample in samples[:SHOWN]:
        reference = next(iter(sample["references"]), "")
        facts = {**sample["inputs"], "reference": reference, "answer": sample["answer"]}
        lines += [f"  {sample['id']}", *(f"    {name}: {_short(text)}" for name, text in facts.items())]
    return "\n".join(lines) + "\n"


def _short(text: str) -> str:
    flat = " ".join(text.split()) or "(nothing)"
    return flat if len(flat) <= MAX_TEXT else flat[: MAX_TEXT - 1] + "…"
