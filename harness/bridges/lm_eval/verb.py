"""`lm-eval`: lm-evaluation-harness's own command line, in which our models are known."""

from __future__ import annotations

import argparse
import sys

from harness.api import Verb, Workbench

from . import require


class LmEvalVerb(Verb):
    """Run lm-evaluation-harness in this process, with every model here as --model assay.

    --model_args names the model and its settings: model=hf,checkpoint=DIR,generate.precision=bf16. Every
    other argument is lm-eval's own, whose samples and tables stay as they are.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take all that lm-eval takes."""
        parser.add_argument("action", choices=("run", "ls", "validate"), help="what lm-eval does")
        parser.add_argument(
            "arguments",
            nargs=argparse.REMAINDER,
            metavar="ARGUMENT",
            help="what it takes: lm-eval run --help",
        )

    def run(self, args: argparse.Namespace, bench: Workbench) -> int:
        """Hand over to lm-eval."""
        require()
        # Here, because the help of the verb needs no lm-eval.
        from lm_eval.__main__ import cli_evaluate

        from .model import register

        register()
        before, sys.argv = sys.argv, ["lm-eval", args.action, *args.arguments]
        try:
            cli_evaluate()
        finally:
            sys.argv = before
        return 0
