"""SciMind's verb: weights to and from MindSpore."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from harness import Verb, Workbench

SHOWN = 5


class Convert(Verb):
    """Convert SciMind's weights between Hugging Face folders and MindSpore checkpoints, streamed.

    One tensor (to .ckpt) or one shard (to safetensors, twice while it is written) is in memory at a time,
    whatever the size of the model.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.add_argument("source", type=Path, help="a .ckpt file, or a folder with safetensors")
        parser.add_argument("target", type=Path, help="a folder, or a .ckpt file")
        parser.add_argument(
            "--like", type=Path, metavar="FOLDER", help="folder whose config.json the .ckpt fits"
        )
        parser.add_argument(
            "--partition", type=Path, metavar="FOLDER", help="folder with the release's neuron partition"
        )
        parser.add_argument("--heads", type=int, metavar="N", help="attention heads, where no config says it")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Convert in the direction that the arguments show."""
        from .convert import to_folder, to_mindspore  # here, because help needs no torch

        if args.source.is_dir():
            done = to_mindspore(args.source, args.target)
        else:
            done = to_folder(
                args.source, args.target, like=args.like, partition=args.partition, heads=args.heads
            )
        if args.json:
            bench.write_json(asdict(done) | {"target": str(args.target)})
            return 0
        bench.write(f"{done.tensors} tensors, {done.bytes / 2**30:.2f} GiB, in {args.target}\n")
        if done.skipped:
            more = f" and {len(done.skipped) - SHOWN} more" if len(done.skipped) > SHOWN else ""
            bench.say(f"left out, no counterpart: {', '.join(done.skipped[:SHOWN])}{more}")
        return 0
