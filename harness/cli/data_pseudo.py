"""`data pseudo`: captions for molecules that nobody has described."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.errors import DataError, UsageError
from harness.api.example import Completion, Request
from harness.api.run import Checkpoint, RunContext
from harness.api.spec import DataSpec
from harness.engine.config import Asked, Setting
from harness.engine.data import open_task
from harness.engine.matrix import plan
from harness.engine.progress import choose_progress
from harness.engine.registry import Registry
from harness.engine.run_dir import CHECKPOINT
from harness.engine.stage import make_model, read_checkpoint

from .run_arguments import add_plugin_arguments, open_registry
from .tables import Table, print_table

if TYPE_CHECKING:  # these import RDKit, which the help of this verb must not
    from harness.pseudo.build import Described
    from harness.pseudo.writers import Writer


def add_action(actions: Any) -> argparse.ArgumentParser:
    """Describe the action."""
    parser: argparse.ArgumentParser = actions.add_parser(
        "pseudo",
        help="write captions for undescribed molecules after their nearest described ones",
        description="Build pseudo-data: each molecule without a caption gets one in the manner of the "
        "most similar described molecule. The same command continues after a stop.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "molecules", type=Path, help="SMILES lines, a table, PubChem's CID-SMILES, JSON or SDF; .gz too"
    )
    parser.add_argument(
        "--described", required=True, metavar="SOURCE", help="pairs: a file, a folder, or sample"
    )
    parser.add_argument(
        "--task", default="lpm24", metavar="TASK", help="the task whose sample is meant (default: lpm24)"
    )
    parser.add_argument(
        "--train-limit", type=int, metavar="N", help="use only the first N described molecules"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=".jsonl, or .json for one array"
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="SOURCE",
        help="leave out its test and validation molecules (repeat)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N rows")
    parser.add_argument(
        "--least-similarity", type=float, default=0.3, metavar="T", help="Tanimoto (default: 0.3)"
    )
    parser.add_argument(
        "--words", default="5-400", metavar="A-B", help="length of a caption (default: 5-400)"
    )
    writer = parser.add_argument_group("who writes (default: rules that adapt the neighbour's caption)")
    who = writer.add_mutually_exclusive_group()
    who.add_argument("--model", metavar="MODEL", help="a model plugin")
    who.add_argument(
        "--endpoint", metavar="URL", help="an OpenAI-compatible endpoint, such as http://localhost:8000/v1"
    )
    writer.add_argument("--preset", metavar="PRESET", help="preset of --model")
    writer.add_argument("--checkpoint", metavar="PATH", help="checkpoint of --model")
    writer.add_argument("--endpoint-model", default="default", metavar="NAME", help="the endpoint's model")
    writer.add_argument(
        "--key-variable", default="OPENAI_API_KEY", metavar="NAME", help="environment variable of the key"
    )
    writer.add_argument(
        "--per-minute", type=float, default=60, metavar="N", help="requests a minute (default: 60)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_plugin_arguments(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Build, and say what became of the molecules."""
    # here, because only this needs RDKit
    from harness.pseudo.build import Settings, build

    fewest, dash, most = args.words.partition("-")
    if not (dash and fewest.isdigit() and most.isdigit() and int(fewest) <= int(most)):
        raise UsageError(f"--words {args.words} is no range", hint="for example --words 5-400")
    if not 0 <= args.least_similarity <= 1:
        raise UsageError(f"--least-similarity is {args.least_similarity}, it must be from 0 to 1")
    registry = open_registry(args)
    progress = choose_progress(quiet=args.quiet or args.json)
    settings = Settings(args.least_similarity, int(fewest), int(most), args.limit)
    progress.start("reading described molecules")
    described = _described(args, registry)
    progress.finish()
    writer = _writer(args, registry)
    report = build(args.molecules, described, writer, args.out, settings, progress)
    if args.json:
        facts = {"written": report.written, "rejected": dict(report.rejected), "out": str(args.out)}
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return 0
    rows: list[Sequence[str]] = [["written", f"{report.written:,}"]]
    rows += [[f"left out: {reason}", f"{count:,}"] for reason, count in report.rejected.most_common()]
    print_table(Table(str(args.out), ["molecules", "rows"], rows))
    return 0


def _described(args: argparse.Namespace, registry: Registry) -> Described:
    from harness.pseudo.build import Described, forbidden_blocks

    pairs = list(_pairs(registry, args.task, args.described, ("train",)))[: args.train_limit]
    if not pairs:
        raise DataError(f"{args.described} holds no described molecules")
    excluded = [
        smiles
        for source in args.exclude
        for smiles, _ in _pairs(registry, args.task, source, ("validation", "test"))
    ]
    digest = hashlib.sha256(json.dumps([pairs, excluded]).encode()).hexdigest()[:16]
    smiles, captions = zip(*pairs, strict=True)
    return Described(smiles, captions, forbidden_blocks(excluded), digest)


def _pairs(registry: Registry, task: str, source: str, splits: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (SMILES, caption) of the splits that a source has; a file without splits is taken whole."""
    member = registry.expand(task)[0]
    data = open_task(registry, member, DataSpec(source=source), model="")
    present = [split for split in splits if split in data.task.splits()]
    if not present:
        present = list(data.task.splits())
    for split in present:
        for example in data.task.examples(split):
            inputs, target = example.inputs, example.references[0]
            yield (inputs["smiles"], target) if "smiles" in inputs else (target, inputs["caption"])


def _writer(args: argparse.Namespace, registry: Registry) -> Writer:
    from harness.pseudo.writers import EndpointWriter, ModelWriter, RetrievalWriter

    if args.endpoint:
        key = os.environ.get(args.key_variable, "")
        return EndpointWriter(args.endpoint, args.endpoint_model, api_key=key, per_minute=args.per_minute)
    if args.model:
        return ModelWriter(args.model, _generator(args, registry))
    return RetrievalWriter()


def _generator(args: argparse.Namespace, registry: Registry) -> Any:
    """Return a function that asks a model plugin with its preset and checkpoint."""
    asked = Asked(models=(args.model,), tasks=(registry.expand(args.task)[0].entry.name,))
    if args.preset:
        asked.layers = [{"preset": Setting(args.preset, "flag")}]
    (cell,) = plan(registry, asked)
    model = make_model(cell.model, cell.spec.model_options)
    place = Path(args.checkpoint) if args.checkpoint else None
    done = place is not None and (place / CHECKPOINT).exists()
    checkpoint = read_checkpoint(place) if place and done else Checkpoint(place) if place else None
    run = RunContext(args.out.parent, cell.spec)
    session = model.open(checkpoint, run)

    def generate(requests: Sequence[Request]) -> Iterable[Completion]:
        return session.generate(requests, cell.spec.generate, run)

    return generate
