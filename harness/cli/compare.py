"""`compare A B`: whether two runs (or submissions) differ, by how much, and on which rows most."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .results import SAMPLE
from .run_arguments import add_data_arguments, add_plugin_arguments, open_registry
from .tables import Table, print_table
from .task_views import TaskViews, hosted

MAX_TEXT = 200


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "compare",
        description="Score two runs or submissions on the same rows and test whether they differ: difference "
        "with its 95 % interval, p-value (corrected for the number of metrics), effect, rows won and lost, "
        "and the rows on which they differ most.",
        allow_abbrev=False,
    )
    parser.add_argument("a", type=Path, metavar="A", help="a run directory, or a submission")
    parser.add_argument("b", type=Path, metavar="B", help="another one of the same task and data")
    parser.add_argument("--metric", default="", help="only this metric")
    add_data_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Compare and print."""
    views = TaskViews(open_registry(args), args.data, [args.metric] if args.metric else (), args.vocab)
    found = hosted("compare:compare")(args.a, args.b, views, args.metric)
    if args.json:
        sys.stdout.write(json.dumps(found.as_json(), indent=1, ensure_ascii=False) + "\n")
        return 0
    kind = f"; {SAMPLE}" if found.sample else ""
    table = Table(
        f"{found.task} ({found.rows} rows{kind})\nA: {found.a}\nB: {found.b}",
        ["metric", "A", "B", "A - B", "95 % interval", "p", "effect", "won/equal/lost", ""],
    )
    table.rows = [_row(difference) for difference in found.differences]
    table.notes = [f"{d.metric}: {d.note}" for d in found.differences if d.note]
    table.notes += list(found.notes)
    print_table(table)
    for example in found.examples:
        sys.stdout.write(_example(example))
    return 0


def _row(found: Any) -> list[str]:
    name = found.metric if found.higher_is_better else f"{found.metric} ↓"
    interval = "–"
    if found.interval is not None:
        interval = " to ".join(_number(bound, found.scale, sign=True) for bound in found.interval)
    rows = "–" if found.better is None else f"{found.better}/{found.equal}/{found.worse}"
    return [
        name,
        _number(found.a, found.scale),
        _number(found.b, found.scale),
        _number(found.difference, found.scale, sign=True),
        interval,
        "–" if found.p_adjusted is None else f"{found.p_adjusted:.2g}",
        "–" if found.effect is None else f"{found.effect:+.2f}",
        rows,
        found.verdict,
    ]


def _number(value: float | None, scale: float, *, sign: bool = False) -> str:
    if value is None:
        return "–"
    digits = 1 if scale == 100 else 3
    return f"{value * scale:+.{digits}f}" if sign else f"{value * scale:.{digits}f}"


def _example(example: dict[str, Any]) -> str:
    lines = [
        f"\n{example['id']}  {example['metric']}: A {example['score_a']:.3g}, B {example['score_b']:.3g}"
    ]
    facts = {**example["inputs"], "reference": example["reference"], "A": example["a"], "B": example["b"]}
    return "\n".join([*lines, *(f"  {name}: {_short(text)}" for name, text in facts.items())]) + "\n"


def _short(text: str) -> str:
    flat = " ".join(text.split()) or "(nothing)"
    return flat if len(flat) <= MAX_TEXT else flat[: MAX_TEXT - 1] + "…"
