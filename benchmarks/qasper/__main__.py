"""Real weights on real papers: `python -m benchmarks.qasper` (HARNESS_TEST_DATA names the data's folder).

`retrieval` ranks the paragraphs of QASPER's 416 test papers for every question: by words, by
all-MiniLM-L6-v2, by both. `scidpr` trains from MiniLM on some of the papers and ranks the others. `answers`
asks SmolLM2-135M-Instruct with gold, recalled and no evidence. `speed` builds indexes. `baselines` says where
rows of Mozi's report come from.

Everything is kept under --work; the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

from .answers import answers
from .baselines import baselines
from .program import Papers
from .ranked import retrieval, scidpr
from .speed import speed

DATA = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
PARTS: dict[str, Callable[[Papers, argparse.Namespace], None]] = {
    "retrieval": retrieval,
    "scidpr": scidpr,
    "answers": answers,
    "speed": speed,
    "baselines": baselines,
}


def main() -> None:
    """Measure what is asked for."""
    args = arguments()
    papers = json.loads(gzip.open(DATA / "qasper" / "qasper-test-v0.3.json.gz").read())
    papers = dict(list(papers.items())[: args.papers])
    for part in args.parts:
        PARTS[part](papers, args)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--work", type=Path, default=Path("runs/benchmark-qasper"))
    parser.add_argument("--papers", type=int, help="only the first N papers; without it, all 416")
    parser.add_argument("--asked", type=int, default=100, help="questions that SmolLM2 is asked")
    parser.add_argument("--embedded", type=int, default=10_000, help="paragraphs that speed embeds")
    return parser.parse_args()


if __name__ == "__main__":
    main()
