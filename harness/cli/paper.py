"""What chat and server share of papers: options, the paper that is named, and evidence as it is shown."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from harness.api.retrieval import Retriever
from harness.papers.apart import read_file, read_paper
from harness.papers.evidence import RETRIEVER, SearchedPaper, shown
from harness.papers.paper import Paragraph

from .output import write_prose
from .run_arguments import open_registry

OWN = ("paper", "retriever")
NOTHING = "No passage has anything of the question; it is asked without evidence."


def add_paper_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which paper is talked about."""
    group = parser.add_argument_group("paper")
    group.add_argument(
        "--paper", type=Path, metavar="FILE.pdf", help="answer from this paper, and show the evidence"
    )
    add_retriever_argument(group)


def add_retriever_argument(group: argparse._ArgumentGroup) -> None:
    """Add the option that says who finds passages of papers."""
    group.add_argument(
        "--retriever", default=RETRIEVER, metavar="NAME",
        help=f"who finds passages of papers (default: {RETRIEVER}); run-bench list retrievers",
    )  # fmt: skip


def retriever_of(args: argparse.Namespace) -> Retriever:
    """Open the retriever that is named."""
    return open_registry(args).retriever(args.retriever)


def paper_of(args: argparse.Namespace) -> SearchedPaper | None:
    """Read the paper that is named."""
    if args.paper is None:
        return None
    return SearchedPaper(read_paper(read_file(args.paper)), retriever_of(args))


def show(evidence: Sequence[Paragraph], question: str, file: TextIO | None = None) -> None:
    """Print passages, on standard output if not elsewhere."""
    if not evidence:
        write_prose(NOTHING, file=file)
    for text, marked, indent in shown(evidence, question):
        write_prose(text, marked, indent, file)
