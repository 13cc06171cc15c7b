"""`compare A B`: whether two runs (or submissions) differ, by how much, and on which rows most."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import Verb, Workbench
from harness.api.notice import SAMPLE
from harness.scoring.arguments import add_data_arguments

from ..compare import Difference, compare
from ..intake.tasks import Tasks
from .card import short

COLUMNS = ("metric", "A", "B", "A - B", "95 % interval", "p", "effect", "won/equal/lost", "")


class Compare(Verb):
    """Score two runs or submissions on the same rows and test whether they differ.

    It shows the difference with its 95 % interval, the p-value (corrected for the number of metrics), the
    effect, rows won and lost, and the rows on which they differ most.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.add_argument("a", type=Path, metavar="A", help="a run directory, or a submission")
        parser.add_argument("b", type=Path, metavar="B", help="another one of the same task and data")
        parser.add_argument("--metric", default="", help="only this metric")
        add_data_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Compare and print."""
        metrics = [args.metric] if args.metric else ()
        tasks = Tasks(bench, args.data, metrics, args.vocab, runs=[args.a, args.b])
        found = compare(args.a, args.b, tasks, args.metric)
        if args.json:
            bench.write_json(found.as_json())
            return 0
        kind = f"; {SAMPLE}" if found.sample else ""
        bench.show(
            f"{found.task} ({found.rows} rows{kind})\nA: {found.a}\nB: {found.b}",
            COLUMNS,
            [_row(difference) for difference in found.differences],
            notes=[*(f"{d.metric}: {d.note}" for d in found.differences if d.note), *found.notes],
        )
        for example in found.examples:
            bench.write(_example(example))
        return 0


def _row(found: Difference) -> list[str]:
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


def _example(example: Mapping[str, Any]) -> str:
    lines = [
        f"\n{example['id']}  {example['metric']}: A {example['score_a']:.3g}, B {example['score_b']:.3g}"
    ]
    facts = {**example["inputs"], "reference": example["reference"], "A": example["a"], "B": example["b"]}
    return "\n".join([*lines, *(f"  {name}: {short(text)}" for name, text in facts.items())]) + "\n"
