"""Real weights: SmolLM2-135M beside lm-evaluation-harness, and before and after learning from real pairs.

    python -m benchmarks.real_weights DATA [--part choices|captions] [--rows 60] [--keep DIR] [--peer PYTHON]

DATA holds `mmlu_medical`, `medqa` and `pubmedqa`, or `derived` and `chebi20`. `choices` asks medical
questions here and by lm-evaluation-harness, one by one; `captions` fine-tunes an adapter on 600 pairs and
asks before and after. What is finished stays under --keep, so that a stopped command goes on. Needs the extra
`real`, and for `choices` a Python that has `lm-eval` 0.4.13.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from benchmarks.real_weights import captions, choices

PARTS = ("choices", "captions")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", choices=PARTS, help="only this (default: both)")
    parser.add_argument("--rows", type=int, default=60, help="questions of each set, or molecules")
    parser.add_argument("--keep", type=Path, default=Path("real-weights"), help="weights, runs and answers")
    parser.add_argument("--peer", default=sys.executable, metavar="PYTHON", help="the one that has lm-eval")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.keep.mkdir(parents=True, exist_ok=True)
    if args.part != "captions":
        choices.compare(args.data, args.rows, args.keep, args.peer)
    if args.part != "choices":
        captions.compare(args.data, args.rows, args.keep)


if __name__ == "__main__":
    main()
