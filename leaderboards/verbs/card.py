"""`card RUN`: what a finished run is, on the terminal and as a page."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import Verb, Workbench
from harness.api.notice import SAMPLE
from harness.files.finished import before_after
from harness.scoring.arguments import add_data_arguments

from ..board.shapes import Table
from ..intake.tasks import Tasks
from ..pages.numbers import heading, with_spread
from ..pages.render import health_cells
from ..pages.run_card import run_card, write_page

PICTURES = "pictures: --page DIR writes a page with the row drawn beside the answer"
SHOWN = 3  # rows on a terminal
MAX_TEXT = 200


class Card(Verb):
    """Score a run's answers again and show what it is: scores, health, command and its worst rows."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.add_argument("name", metavar="RUN", help="a run directory, or a submission")
        parser.add_argument(
            "--page", type=Path, metavar="DIR", help="also write the card as a page into this folder"
        )
        add_data_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Score and show."""
        run = Path(args.name)
        table, samples = run_card(run, Tasks(bench, args.data, vocab=args.vocab, runs=[run]))
        if args.json:
            facts = {"table": table, "samples": samples}
            bench.write_json(facts)
        else:
            bench.write(_text(table, samples))
        if args.page:
            say_page(bench, write_page(table, samples, args.page))
        elif any(sample["picture"] for sample in samples) and not args.json:
            bench.say(PICTURES)
        return 0


def say_page(bench: Workbench, path: Path) -> None:
    """Say where a page is, and how to open it."""
    bench.say(f"written: {path}\nto open it: a browser on {path.resolve().as_uri()}")


def _text(table: Table, samples: Sequence[Mapping[str, Any]]) -> str:
    (line,) = table["lines"]
    about = line["about"]
    kind = f"; {SAMPLE}" if table["sample"] else ""
    lines = [f"{line['name']} on {table['task']} ({table['rows']:,} rows of {table['split']}{kind})"]
    width = max(len(heading(metric)) for metric in table["metrics"])
    for metric in table["metrics"]:
        cell = line["scores"][metric["name"]]
        note = f"  ({cell['note']})" if cell["note"] else ""
        lines.append(f"  {heading(metric):<{width}}  {with_spread(cell, metric)}{note}")
    lines += [f"  {name}: {text}" for name, text in health_cells(line)]
    if tokens := about.get("tokens"):
        lines.append(f"  tokens: {tokens['in']:,} in + {tokens['out']:,} out")
    lines += [f"  {key}: {about[key]}" for key in ("run_id", "seed", "prompt_digest") if key in about]
    lines += _gains(about.get("training", ()))
    if command := about.get("command"):
        lines.append(f"  command: {shlex.join(command)}")
    lines += ["", "worst rows:"]
    for sample in samples[:SHOWN]:
        reference = next(iter(sample["references"]), "")
        facts = {**sample["inputs"], "reference": reference, "answer": sample["answer"]}
        facts |= {"further answers": " | ".join(sample["further"])} if "further" in sample else {}
        lines += [f"  {sample['id']}", *(f"    {name}: {short(text)}" for name, text in facts.items())]
    lines += ["", *notice] if (notice := table.get("notice")) else []
    return "\n".join(lines) + "\n"


def _gains(training: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what each stage of training brought, by its own measures."""
    found = [
        (stage["stage"], gain["measure"], gain["rows"], " -> ".join(before_after(gain)))
        for stage in training
        for gain in stage.get("gains", ())
    ]
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in found]
    return ["  what each stage brought:", *(f"    {line}" for line in lines)] if found else []


def short(text: str) -> str:
    """Return a text on one line, cut where it is long."""
    flat = " ".join(text.split()) or "(nothing)"
    return flat if len(flat) <= MAX_TEXT else flat[: MAX_TEXT - 1] + "…"
