"""What the parts share: the papers, the program run in this process, and the command that repeats a table."""

from __future__ import annotations

import contextlib
import io
import json
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.cli import main as run_bench

Papers = Mapping[str, Any]


def program(*arguments: str) -> str:
    """Run a command of the program and return what it says."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = run_bench(list(arguments))
    if code:
        raise SystemExit(code)
    return said.getvalue()


def write_split(folder: Path, split: str, papers: Papers) -> None:
    """Write papers as a split of QASPER."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"qasper-{split}.json").write_text(json.dumps(papers), encoding="utf-8")


def repeat(args: Namespace, part: str, *more: str) -> str:
    """Return the command that gives one table again."""
    limits = [f"--papers {args.papers}"] if args.papers else []
    return " ".join(["python -m benchmarks.qasper --parts", part, *more, *limits])
