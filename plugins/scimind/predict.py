"""Answers for a file of prompts, one a line.

    python -m harness.plugins.scimind.predict checkpoint/ prompts.txt answers.jsonl

Prompts run in batches with a KV cache; answers are written in the order of the prompts, as people write
them. `--release-quirks` reads a backslash and n as a newline and counts the prompt towards the maximum.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import Checkpoint, DataError, GenerateSpec, HarnessError, Request, RunContext, RunSpec
from harness.files.rows import write_rows

from .model import SciMind, SciMindOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Answer the prompts of a file."""
    parser = argparse.ArgumentParser(prog="python -m harness.plugins.scimind.predict", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a SciMind folder, or an adapter")
    parser.add_argument("prompts", type=Path, help="a text file, one prompt a line")
    parser.add_argument("answers", type=Path, help="a JSONL file with a prompt and its answer a line")
    parser.add_argument("--weights", default="", help="what an adapter that began a chain was trained on")
    parser.add_argument("--max-new-tokens", type=int, default=512)
    parser.add_argument("--inst", action="store_true", help="wrap prompts as the release's conversations")
    parser.add_argument("--release-quirks", action="store_true")
    args = parser.parse_args(argv)
    options = SciMindOptions(weights=args.weights, inst=args.inst, release_quirks=args.release_quirks)
    spec = GenerateSpec(max_new_tokens=args.max_new_tokens)
    try:
        answer_file(args.checkpoint, args.prompts, args.answers, options, spec)
    except HarnessError as error:
        sys.stderr.write(f"error: {error.message}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    return 0


def answer_file(
    checkpoint: Path, prompts: Path, answers: Path, options: SciMindOptions, spec: GenerateSpec
) -> None:
    """Write one JSON line a prompt; the file appears when all answers are there."""
    try:
        lines = prompts.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{prompts} is no text file that can be read: {error}") from error
    run = RunContext(answers.parent, RunSpec("scimind", "lines", generate=spec))
    requests = [Request(str(number), line) for number, line in enumerate(lines)]
    with SciMind(options).open(Checkpoint(checkpoint), run) as session:
        found = {int(said.request_id): said.text for said in session.generate(requests, spec, run)}
    write_rows(answers, ({"prompt": line, "answer": found[n]} for n, line in enumerate(lines)), sort=False)


if __name__ == "__main__":
    sys.exit(main())
