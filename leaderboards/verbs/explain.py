"""`explain RUN --id X`: follow one row from the data to each metric's terms."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path

from harness import Verb, Workbench
from harness.scoring.arguments import add_data_arguments

from ..explain import as_text, explain, write_page
from ..intake.tasks import Tasks
from .card import PICTURES, say_page


class Explain(Verb):
    """Follow one row of a run or submission.

    It goes from the data to the prompt and its tokens, the output, the answer that the task read, and what
    each metric's value is made of.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.add_argument(
            "run_directory", type=Path, metavar="RUN", help="a run directory, or a submission"
        )
        parser.add_argument(
            "--id", required=True, metavar="ROW", help="the row, by its id in predictions.jsonl"
        )
        parser.add_argument(
            "--page", type=Path, metavar="DIR", help="also write it as a page into this folder"
        )
        add_data_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Explain and print."""
        tasks = Tasks(bench, args.data, vocab=args.vocab, runs=[args.run_directory])
        found = explain(args.run_directory, args.id, tasks, bench)
        if args.json:
            bench.write_json(asdict(found))
        else:
            bench.write(as_text(found))
        if args.page:
            say_page(bench, write_page(found, args.page))
        elif found.picture and not args.json:
            bench.say(PICTURES)
        return 0
