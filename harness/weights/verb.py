"""`weights`: folders of weights made of others."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.api import DataSpec, UsageError, Verb, Workbench

TEXTS = 200  # documents that perplexity is measured on, unless told otherwise


class Weights(Verb):
    """Make a folder of weights of another, whole or not at all.

    convert makes a LLaMA of a Baichuan and a GLM of a ChatGLM, whose published code runs no longer; merge
    puts adapters into the weights under them; quantise writes weights in fewer bits and measures what that
    costs; grow teaches the tokenizer the words of a field and makes room for them.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe what can be done."""
        actions = parser.add_subparsers(
            dest="action", metavar="{convert,merge,quantise,grow}", required=True, help="what is done"
        )
        _add_convert(actions)
        _add_merge(actions)
        _add_quantise(actions)
        _add_grow(actions)

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Do it, and say what was written."""
        {"convert": _convert, "merge": _merge, "quantise": _quantise, "grow": _grow}[args.action](args, bench)
        return 0


def _add_convert(actions: Any) -> None:
    parser = actions.add_parser(
        "convert", help="Baichuan to LLaMA, ChatGLM to GLM; equal logits", allow_abbrev=False
    )
    parser.add_argument("source", type=Path, help="the folder of a Baichuan-7B, Baichuan2-7B or ChatGLM")
    _add_target(parser)


def _add_merge(actions: Any) -> None:
    parser = actions.add_parser("merge", help="an adapter and its base, as one folder", allow_abbrev=False)
    parser.add_argument("source", type=Path, help="an adapter, or a training that left one")
    _add_target(parser)
    parser.add_argument(
        "--base", default="", metavar="WEIGHTS", help="what it stands on, where that has moved"
    )
    parser.add_argument(
        "--dtype",
        default="auto",
        choices=["auto", "fp32", "bf16", "fp16"],
        help="precision (default: the base's)",
    )


def _add_quantise(actions: Any) -> None:
    parser = actions.add_parser(
        "quantise", help="8 or 4 bits a weight; size and perplexity before and after", allow_abbrev=False
    )
    parser.add_argument("source", help="a folder of whole weights, or a hub id")
    _add_target(parser)
    parser.add_argument("--to", required=True, choices=["int8", "nf4"], help="LLM.int8, or 4-bit NormalFloat")
    parser.add_argument(
        "--text", default="sample", metavar="FILE", help="what perplexity is measured on (default: a sample)"
    )
    parser.add_argument(
        "--limit", type=int, default=TEXTS, metavar="N", help=f"documents of it (default: {TEXTS})"
    )


def _add_grow(actions: Any) -> None:
    parser = actions.add_parser(
        "grow", help="a vocabulary with the pieces and words of a text", allow_abbrev=False
    )
    parser.add_argument("source", help="a folder of whole weights, or a hub id")
    _add_target(parser)
    parser.add_argument(
        "--text", type=Path, required=True, metavar="FILE", help=".txt with a document a line, or .jsonl"
    )
    parser.add_argument(
        "--pieces",
        type=int,
        default=2236,
        metavar="N",
        help="that SentencePiece learns (default: 2236; 0: none)",
    )
    parser.add_argument(
        "--words",
        type=int,
        default=0,
        metavar="N",
        help="the most frequent Chinese words, by jieba (default: none)",
    )


def _add_target(parser: Any) -> None:
    parser.add_argument("target", type=Path, help="the folder that is written")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _convert(args: Namespace, bench: Workbench) -> None:
    from harness.language_models.converting import convert  # here and below, because these import torch

    _say_size(args, bench, convert(args.source, args.target))


def _merge(args: Namespace, bench: Workbench) -> None:
    from .merging import merge

    _say_size(args, bench, merge(args.source, args.target, base=args.base, dtype=args.dtype))


def _say_size(args: Namespace, bench: Workbench, size: int) -> None:
    if args.json:
        bench.write_json({"bytes": size, "target": str(args.target)})
    else:
        bench.write(f"{_gib(size)} of weights in {args.target}\n")


def _quantise(args: Namespace, bench: Workbench) -> None:
    from .quantising import quantise

    if args.limit < 1:
        raise UsageError(f"--limit must be at least 1, not {args.limit}")
    view = bench.open_task("ppl", DataSpec(source=args.text, split="test", limit=args.limit))
    found = quantise(args.source, args.target, args.to, [row.inputs["text"] for row in view.examples])
    if args.json:
        measured = {"before": found.before._asdict(), "after": found.after._asdict()}
        bench.write_json(measured | {"target": str(args.target)})
        return
    rows = [
        [name, _gib(one.size), f"{one.perplexity:.3f}"]
        for name, one in (("as it was", found.before), (args.to, found.after))
    ]
    source = "the built-in sample" if args.text == "sample" else args.text
    note = (
        f"perplexity a token on {found.after.tokens:,} tokens of {source}, of what was written and read again"
    )
    bench.show(str(args.target), ["weights", "size", "perplexity"], rows, notes=[note])


def _grow(args: Namespace, bench: Workbench) -> None:
    from .growing import grow

    if args.pieces < 0 or args.words < 0 or not args.pieces + args.words:
        raise UsageError("there is nothing to grow by", hint="--pieces 2236, --words 1000, or both")
    found = grow(args.source, args.target, args.text, pieces=args.pieces, words=args.words)
    if args.json:
        bench.write_json(asdict(found) | {"target": str(args.target)})
        return
    bench.write(
        f"{found.new:,} new tokens; the first documents of {args.text} take {found.after:,} tokens, "
        f"before {found.before:,}\n"
        f"{_gib(found.size)} of weights in {args.target}; the new rows are the mean of what spelt them, "
        "and are learned with any training that starts from there\n"
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**27 else f"{size / 2**20:.1f} MiB"
