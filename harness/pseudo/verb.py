"""`pseudo-data`: captions for molecules that nobody has described."""

from __future__ import annotations

import hashlib
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api import Completion, DataError, DataSpec, Request, UsageError, Verb, Workbench

if TYPE_CHECKING:  # these import RDKit, which the help of this verb must not
    from .build import Described, Settings
    from .writers import Writer


class PseudoData(Verb):
    """Write captions for undescribed molecules after their nearest described ones.

    Each molecule without a caption gets one in the manner of the most similar described molecule. The same
    command continues after a stop.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
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
        _add_writers(parser)
        parser.add_argument("--quiet", action="store_true", help="no progress")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Build, and say what became of the molecules."""
        from .build import build  # here and below, because only this needs RDKit

        settings = _settings(args)
        progress = bench.progress(quiet=args.quiet or args.json)
        progress.start("reading described molecules")
        described = _described(args, bench)
        progress.finish()
        with ExitStack() as open_models:
            writer = _writer(args, bench, open_models)
            report = build(args.molecules, described, writer, args.out, settings, progress)
        if args.json:
            facts = {"written": report.written, "rejected": dict(report.rejected), "out": str(args.out)}
            bench.write_json(facts)
            return 0
        rows = [["written", f"{report.written:,}"]]
        rows += [[f"left out: {reason}", f"{count:,}"] for reason, count in report.rejected.most_common()]
        bench.show(str(args.out), ["molecules", "rows"], rows)
        return 0


def _add_writers(parser: ArgumentParser) -> None:
    writer = parser.add_argument_group("who writes (default: rules that adapt the neighbour's caption)")
    who = writer.add_mutually_exclusive_group()
    who.add_argument("--model", metavar="MODEL", help="a model plugin")
    who.add_argument(
        "--endpoint", metavar="URL", help="an OpenAI-compatible endpoint, such as http://localhost:8000/v1"
    )
    writer.add_argument("--preset", default="", metavar="PRESET", help="preset of --model")
    writer.add_argument("--checkpoint", type=Path, metavar="PATH", help="checkpoint of --model")
    writer.add_argument("--endpoint-model", default="default", metavar="NAME", help="the endpoint's model")
    writer.add_argument(
        "--key-variable", default="OPENAI_API_KEY", metavar="NAME", help="environment variable of the key"
    )
    writer.add_argument(
        "--per-minute", type=float, default=60, metavar="N", help="requests a minute (default: 60)"
    )


def _settings(args: Namespace) -> Settings:
    from .build import Settings

    fewest, dash, most = args.words.partition("-")
    if not (dash and fewest.isdigit() and most.isdigit() and int(fewest) <= int(most)):
        raise UsageError(f"--words {args.words} is no range", hint="for example --words 5-400")
    if not 0 <= args.least_similarity <= 1:
        raise UsageError(f"--least-similarity is {args.least_similarity}, it must be from 0 to 1")
    return Settings(args.least_similarity, int(fewest), int(most), args.limit)


def _described(args: Namespace, bench: Workbench) -> Described:
    from .build import Described, forbidden_blocks

    pairs = list(_pairs(bench, args.task, args.described, ("train",)))[: args.train_limit]
    if not pairs:
        raise DataError(f"{args.described} holds no described molecules")
    excluded = [
        smiles
        for source in args.exclude
        for smiles, _ in _pairs(bench, args.task, source, ("validation", "test"))
    ]
    digest = hashlib.sha256(json.dumps([pairs, excluded]).encode()).hexdigest()[:16]
    smiles, captions = zip(*pairs, strict=True)
    return Described(smiles, captions, forbidden_blocks(excluded), digest)


def _pairs(bench: Workbench, task: str, source: str, splits: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (SMILES, caption) of the splits that a source has; a file without splits is taken whole."""
    opened = bench.open_task(bench.expand(task)[0], DataSpec(source=source, split="")).task
    present = [split for split in splits if split in opened.splits()] or opened.splits()
    for split in present:
        for example in opened.examples(split):
            inputs, target = example.inputs, example.references[0]
            yield (inputs["smiles"], target) if "smiles" in inputs else (target, inputs["caption"])


def _writer(args: Namespace, bench: Workbench, open_models: ExitStack) -> Writer:
    from .writers import ModelWriter, RetrievalWriter

    if not (args.endpoint or args.model):
        return RetrievalWriter()
    task = bench.expand(args.task)[0]
    if args.endpoint:
        options = {"base_url": args.endpoint, "name": args.endpoint_model}
        options |= {"key_variable": args.key_variable, "per_minute": args.per_minute}
        model, name = bench.open_model("api", task, options=options), f"endpoint:{args.endpoint_model}"
    else:
        model = bench.open_model(args.model, task, preset=args.preset, checkpoint=args.checkpoint)
        name = args.model
    session = open_models.enter_context(model.session)

    def generate(requests: Sequence[Request]) -> Iterable[Completion]:
        return session.generate(requests, model.run.spec.generate, model.run)

    return ModelWriter(name, generate)
