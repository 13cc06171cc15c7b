"""What serving costs: `python -m benchmarks.serving [speed|share|endurance] [--minutes 10]`."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.report import write

QUIET = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
PACKAGES = ("torch", "transformers", "fastapi", "uvicorn", "openai")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="of speed, share, endurance; all by default")
    parser.add_argument("--minutes", type=float, default=10, help="of the endurance run")
    arguments = parser.parse_args()
    os.environ.update(QUIET)  # before torch is imported
    wanted = arguments.parts or ["speed", "share", "endurance"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        from . import endurance, load, speed

        load.write_model(folder)
        if "speed" in wanted:
            write(
                "serving-speed",
                f"{load.COUNT} requests of {load.WORDS} words, {load.NEW_TOKENS} new tokens each; "
                f"{speed.ALONE} by one client",
                speed.rows(folder),
                command="python -m benchmarks.serving speed",
                method="Greedy decoding in fp32 on one thread by a Llama of 22 million random parameters. "
                "CPU seconds are the server process's own, which other work on the machine changes least; "
                "seconds on the wall stand beside them. The offline batch path is decoding.generate in a "
                "process of its own, without loading; the share of 16 clients is that of a batch path of 16 "
                "rows, more than which they cannot fill. First-token times are those of streams.",
                packages=PACKAGES,
            )
        if "share" in wanted:
            write(
                "serving-share",
                f"{speed.FEW} clients against the batch path with {speed.FEW} rows, in turns",
                speed.pairs(folder, rounds=3),
                command="python -m benchmarks.serving share",
                method="The requests of the speed page, in pairs, one after the other: decoding.generate "
                "in a process of its own, then the server. More rows than it has clients it cannot fill.",
                packages=PACKAGES,
            )
        if "endurance" in wanted:
            write(
                "serving-endurance",
                "64 clients, of which some are slow, broken, or vanish",
                endurance.rows(folder, arguments.minutes * 60),
                command="python -m benchmarks.serving endurance",
                method="Each client asks again as soon as it has its answer. Slow ones read a piece and "
                "wait, broken ones send half a request or no JSON, vanishing ones close the connection in "
                "the middle of a stream. Every prompt is asked once before, as what was read of prompts is "
                "kept in a tenth of the memory that is free. Memory is the server's resident set, from the "
                "second minute on.",
                packages=PACKAGES,
            )


if __name__ == "__main__":
    main()
