"""SciMind's verbs: weights to and from MindSpore, and answers for a file of prompts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from harness import GenerateSpec, Verb, Workbench

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


class Predict(Verb):
    """Let SciMind answer a file of prompts, one a line.

    Prompts run in batches with a KV cache; answers are written in the order of the prompts, as people
    write them.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.add_argument("checkpoint", type=Path, help="a SciMind folder, or an adapter")
        parser.add_argument("prompts", type=Path, help="a text file, one prompt a line")
        parser.add_argument("answers", type=Path, help="a JSONL file with a prompt and its answer a line")
        parser.add_argument(
            "--weights", default="", metavar="PATH", help="what an adapter that began a chain was trained on"
        )
        parser.add_argument(
            "--max-new-tokens", type=int, default=512, metavar="N", help="tokens of an answer (default: 512)"
        )
        parser.add_argument("--inst", action="store_true", help="wrap prompts as the release's conversations")
        parser.add_argument(
            "--release-quirks",
            action="store_true",
            help="read a backslash and n as a newline, and count the prompt towards the maximum",
        )

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Answer the prompts of a file."""
        from .model import SciMindOptions  # here, as above
        from .predict import answer_file

        options = SciMindOptions(weights=args.weights, inst=args.inst, release_quirks=args.release_quirks)
        spec = GenerateSpec(max_new_tokens=args.max_new_tokens)
        answer_file(args.checkpoint, args.prompts, args.answers, options, spec)
        return 0
