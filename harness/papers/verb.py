"""`ask`: a question put to a paper."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.api import Completion, UsageError, Verb, Workbench
from harness.files.writing import make_folder, write

from . import apart
from .evidence import RETRIEVER, SHOWN, SearchedPaper, as_rows, marks, request, shown
from .paper import Paper, Paragraph


class Ask(Verb):
    """Ask a paper (PDF): the passages that may answer a question, each with its page and section.

    With --model a model answers from these passages; without one none is asked. What a scan shows is not
    read: a page needs text.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the verb."""
        parser.add_argument("paper", type=Path, metavar="PAPER.pdf", help="the paper")
        parser.add_argument("question", help="what it is asked")
        parser.add_argument(
            "--passages", type=int, default=SHOWN, metavar="N", help=f"show N passages (default: {SHOWN})"
        )
        parser.add_argument(
            "--retriever", default=RETRIEVER, metavar="NAME",
            help=f"who finds them (default: {RETRIEVER}); run-bench list retrievers",
        )  # fmt: skip
        parser.add_argument(
            "--pages", type=Path, metavar="DIR", help="draw the pages there, as PNG with the passages marked"
        )
        parser.add_argument("--json", action="store_true", help="print answer and evidence as JSON")
        group = parser.add_argument_group("model")
        group.add_argument(
            "--model", default="", metavar="MODEL", help="a model, a folder of weights, a hub id"
        )
        group.add_argument("--preset", default="", metavar="PRESET", help="its size and recipe")
        group.add_argument("--checkpoint", type=Path, metavar="PATH", help="its weights")
        group.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE",
            help="any setting of the model, such as generate.max_new_tokens=64",
        )  # fmt: skip

    def run(self, args: Namespace, bench: Workbench) -> int:
        """Read, find, answer, show."""
        settings = _checked(args)
        data = apart.read_file(args.paper)
        paper = apart.read_paper(data)
        evidence = SearchedPaper(paper, bench.retriever(args.retriever)).find(args.question, args.passages)
        wanted = args.model and evidence
        model, said = _answer(args, settings, bench, evidence) if wanted else ("", None)
        asked = Asked(paper, args.question, model, evidence, said)
        if args.pages:
            _draw(args.pages, args.paper.stem, data, evidence)
        if args.json:
            bench.write(json.dumps(asked.as_json(), ensure_ascii=False, indent=1) + "\n")
        else:
            asked.show(bench)
        return 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a paper, what was found, and what a model said where one was asked."""

    paper: Paper
    question: str
    model: str
    evidence: Sequence[Paragraph]
    said: Completion | None

    def show(self, bench: Workbench) -> None:
        """Print the answer and its evidence."""
        bench.prose(f"{self.paper.title or 'A paper without a title'} ({len(self.paper.pages)} pages)")
        if not self.evidence:
            bench.prose(
                "No passage has anything of the question. Ask in the paper's own words and language, or "
                "search by meaning: --retriever minilm."
            )
        elif self.said is None:
            bench.prose("No model was asked: with --model one answers from these passages.")
        else:
            bench.prose(self.said.text.strip() or "(the model said nothing)")
            bench.prose(f"{self.model}, from the passages below" + _rests_on(self.said, self.evidence))
        answer = "" if self.said is None else self.said.text
        for text, marked, indent in shown(self.evidence, self.question, answer):
            bench.prose(text, marked=marked, indent=indent)

    def as_json(self) -> Mapping[str, Any]:
        """Return it as JSON holds it."""
        return {
            "title": self.paper.title,
            "pages": len(self.paper.pages),
            "question": self.question,
            "model": self.model or None,
            "answer": None if self.said is None else self.said.text,
            "rests_on": None if self.said is None else self.said.evidence,
            "evidence": list(as_rows(self.evidence)),
        }


def _checked(args: Namespace) -> dict[str, str]:
    """Check the options, and return the settings of --set."""
    if args.passages < 1:
        raise UsageError(f"--passages is {args.passages}, it must be at least 1")
    given = [text.partition("=") for text in args.set]
    if wrong := [key for key, equals, _ in given if not equals]:
        raise UsageError(f"--set {wrong[0]} is no KEY=VALUE", hint="--set generate.max_new_tokens=64")
    if not args.model and (args.set or args.preset or args.checkpoint):
        raise UsageError(
            "no model is named that --preset, --checkpoint or --set is for", hint="--model MODEL"
        )
    return {key: value for key, _, value in given}


def _answer(
    args: Namespace, settings: Mapping[str, str], bench: Workbench, evidence: Sequence[Paragraph]
) -> tuple[str, Completion]:
    """Let a model answer from the passages, and return its name with what it said."""
    model = bench.open_model(args.model, preset=args.preset, checkpoint=args.checkpoint, settings=settings)
    for notice in model.notice.values():
        bench.say(notice)
    with model.session as session:
        asked = [request(args.question, evidence)]
        [said] = session.generate(asked, model.run.spec.generate, model.run)
    return model.run.spec.title or args.model, said


def _rests_on(said: Completion, evidence: Sequence[Paragraph]) -> str:
    """Tell what an answer rests on, where its model says so."""
    if said.evidence is None:
        return ":"
    numbers = [f"[{n}]" for n, one in enumerate(evidence, 1) if one.id in said.evidence]
    return f"; it says that it rests on {', '.join(numbers) or 'none of them'}:"


def _draw(folder: Path, stem: str, data: bytes, evidence: Sequence[Paragraph]) -> None:
    make_folder(folder)
    for page, boxes in marks(evidence).items():
        write(folder / f"{stem}-page-{page:03}.png", apart.draw_page(data, page, boxes))
