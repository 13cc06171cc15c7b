"""`weights`: folders of weights made of others."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from harness.api import Verb, Workbench


class Weights(Verb):
    """Make a folder of weights of another, whole or not at all.

    convert makes a LLaMA of a Baichuan and a GLM of a ChatGLM, whose published code runs no longer; merge
    puts adapters into the weights under them.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe what can be done."""
        actions = parser.add_subparsers(
            dest="action", metavar="{convert,merge}", required=True, help="what is done"
        )
        convert = actions.add_parser(
            "convert", help="Baichuan to LLaMA, ChatGLM to GLM; equal logits", allow_abbrev=False
        )
        convert.add_argument("source", type=Path, help="the folder of a Baichuan-7B, Baichuan2-7B or ChatGLM")
        merge = actions.add_parser("merge", help="an adapter and its base, as one folder", allow_abbrev=False)
        merge.add_argument("source", type=Path, help="an adapter, or a training that left one")
        merge.add_argument(
            "--base", default="", metavar="WEIGHTS", help="what it stands on, where that has moved"
        )
        merge.add_argument(
            "--dtype", default="auto", choices=["auto", "fp32", "bf16", "fp16"], help="precision"
        )
        for action in (convert, merge):
            action.add_argument("target", type=Path, help="the folder that is written")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Do it, and say what was written."""
        # Here, because they import torch.
        if args.action == "convert":
            from harness.language_models.converting import convert

            total = convert(args.source, args.target)
        else:
            from .merging import merge

            total = merge(args.source, args.target, base=args.base, dtype=args.dtype)
        bench.write(f"{total / 2**30:.2f} GiB of weights in {args.target}\n")
        return 0
