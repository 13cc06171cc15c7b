"""QASPER: a question about a paper, with the passages that its setting shows beside it."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from harness import (
    Annotation,
    DataError,
    DataSpec,
    Example,
    Index,
    Passage,
    PromptFormat,
    Ranking,
    Request,
    Retriever,
    Task,
    TaskOptions,
    TrainRow,
    UsageError,
    nearest,
)
from harness.data.hub import HubFiles, fetch
from harness.data.split_files import files_of

from . import dolly, mozi
from .paper import Paper, Question
from .probe import CHOICES, PROBE
from .sample import sample

SPLITS = ("train", "validation", "test")
HUB = "allenai/qasper"
CONVERTED = (
    "refs/convert/parquet"  # where the hub keeps its tables of a data set that is published as a script
)


@dataclass(frozen=True, slots=True)
class QasperOptions(TaskOptions):
    """`retriever` finds the passages of the setting `recalled`, `top_k` of them.

    `form` is `official` (every question, all annotators) or `mozi` (answerable questions in the wording
    that Mozi learned, each once). `dolly` is a file of instructions that are learned with the papers.
    """

    retriever: str = "tfidf"
    top_k: int = 2
    form: str = "official"
    dolly: str = ""


class Qasper(Task):
    """The questions; a subclass says which passages are shown."""

    Options = QasperOptions
    options: QasperOptions
    version = "1"
    prompt_format = PromptFormat("qasper", "{evidence}\n\nQuestion: {question}\nAnswer:")
    sources: Mapping[str, str] = {
        "sample": "980 made-up papers with 7,840 questions; names and numbers of the test are unseen",
        "hub": f"{HUB}, version 0.3",
        "dir": "qasper-{train,dev,test}-v0.3.json (.gz), Parquet tables of the hub, or lines of SciMRC",
    }
    synthetic = ("sample",)
    files: Mapping[str, str] = {
        "qasper-train-v0.3.json, qasper-dev-v0.3.json, qasper-test-v0.3.json": "papers by id, with questions",
        "smrc_train.jsonl, smrc_dev.jsonl, smrc_test.jsonl": "SciMRC: a paper a line, in the same form",
    }
    homepage = "https://allenai.org/data/qasper"
    licence = "CC BY 4.0 (published data)"
    citation = "Dasigi et al., QASPER @ NAACL 2021, arXiv:2105.03011"
    official: ClassVar[tuple[str, ...]] = ("qasper-f1",)

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """QASPER's own metrics, or Mozi's where its form is asked for."""
        if not self._mozi:
            return self.official
        encoder = ("mozi-bertscore",) if os.environ.get("HARNESS_BERTSCORE") else ()
        return ("mozi-f1", "mozi-precision", "mozi-recall", "mozi-bleu", "mozi-rouge-lsum", *encoder)

    @property
    def _mozi(self) -> bool:
        if self.options.form not in ("official", "mozi"):
            raise UsageError(
                f"task.form is '{self.options.form}'", hint=nearest(self.options.form, ("official", "mozi"))
            )
        return self.options.form == "mozi"

    @abstractmethod
    def shown(self, paper: Paper, question: Question) -> Sequence[Passage]:
        """Return the passages that stand beside a question."""

    def splits(self) -> tuple[str, ...]:
        """Name the splits that are there."""
        if self.data.source in ("sample", "hub"):
            return SPLITS
        return tuple(split for split in SPLITS if files_of(Path(self.data.source), split))

    def papers(self, split: str) -> Iterator[Paper]:
        """Yield the papers of a split."""
        if self.data.source == "sample":
            yield from sample()[split]
            return
        from .published import read  # here, because the sample needs no reader

        for path in self._files(split):
            yield from read(path)

    def _files(self, split: str) -> Sequence[Path]:
        if self.data.source == "hub":
            wanted = HubFiles(HUB, f"*/{split}/*.parquet")
            return fetch(wanted, split, self.data.revision or CONVERTED).files
        found = files_of(Path(self.data.source), split)
        if not found:
            raise DataError(
                f"no file of split '{split}' in {self.data.source}",
                hint=f"a name with the split's word, such as qasper-{split}-v0.3.json",
            )
        return found

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the questions of a split; what Dolly's file holds is learned with the papers."""
        if not self._mozi:
            for paper in self.papers(split):
                for question in paper.questions:
                    yield self._example(paper, question)
        else:
            papers = self.papers(split)
            for row in mozi.questions(papers) if split == "test" else mozi.answers(papers):
                yield self._mozi_example(row)
        if self.options.dolly and split == "train":
            yield from dolly.rows(Path(self.options.dolly))

    def _example(self, paper: Paper, question: Question) -> Example:
        shown = self.shown(paper, question)
        return Example(
            question.id,
            {"evidence": "\n".join(passage.text for passage in shown), "question": question.text},
            tuple(answer.text for answer in question.answers),
            {"paper": paper.id, "title": paper.title, "shown": tuple(passage.id for passage in shown)},
            passages=paper.passages,
            annotations=tuple(answer.annotation for answer in question.answers),
        )

    def _mozi_example(self, row: mozi.MoziRow) -> Example:
        example = self._example(row.paper, row.question)
        evidence = self.mozi_evidence(row, example.inputs["evidence"])
        others = (Annotation(),) * (len(row.texts) - 1)
        return replace(
            example,
            id=row.id,
            inputs={"evidence": evidence, "question": row.question.text},
            references=row.texts,
            annotations=(row.answer.annotation, *others),
        )

    def mozi_evidence(self, row: mozi.MoziRow, shown: str) -> str:
        """Return the evidence in Mozi's form: what a setting shows, unless it is what annotators marked."""
        return shown

    def request(self, example: Example, prompt: str) -> Request:
        """Show the passages of the setting alone."""
        known = {passage.id: passage for passage in example.passages}
        passages = tuple(known[name] for name in example.meta["shown"])
        return Request(example.id, prompt, example.inputs, passages=passages)

    def recalled(self, paper: Paper, question: Question) -> Sequence[Passage]:
        """Return the paragraphs that the retriever finds."""
        paragraphs = paper.paragraphs
        index = self._indexes.get(paper.id)
        if index is None:
            index = self._indexes[paper.id] = self._retriever.index([p.text for p in paragraphs])
        return [paragraphs[hit.place] for hit in index.search(question.text, self.options.top_k)]

    @cached_property
    def _indexes(self) -> dict[str, Index]:
        return {}

    @cached_property
    def _retriever(self) -> Retriever:
        return self.open_retriever(self.options.retriever)


class Gold(Qasper):
    """The passages that an annotator marked; where none did, the first that the retriever finds.

    An empty prompt would give away that nobody could answer, and so would a longer one.
    """

    def shown(self, paper: Paper, question: Question) -> Sequence[Passage]:
        """Return the evidence of the first annotator who has any."""
        marked = (paper.texts(answer.evidence) for answer in question.answers)
        return next(filter(None, marked), None) or self.recalled(paper, question)[:1]

    def mozi_evidence(self, row: mozi.MoziRow, shown: str) -> str:
        """Return what the annotator marked, word for word."""
        return row.evidence

    def target(self, example: Example) -> str:
        """Return the answer that rests on the evidence shown."""
        for text, annotation in zip(example.references, example.annotations, strict=True):
            if set(annotation.evidence) & set(example.meta["shown"]):
                return text
        return example.references[0]


class Recalled(Qasper):
    """The passages that a retriever finds."""

    official: ClassVar[tuple[str, ...]] = ("qasper-f1", "qasper-evidence-f1", "qasper-evidence-f1@text")

    def shown(self, paper: Paper, question: Question) -> Sequence[Passage]:
        """Return the best paragraphs."""
        return self.recalled(paper, question)


class Whole(Qasper):
    """The whole paper."""

    official: ClassVar[tuple[str, ...]] = ("qasper-f1", "qasper-evidence-f1", "qasper-evidence-f1@text")

    def shown(self, paper: Paper, question: Question) -> Sequence[Passage]:
        """Return every paragraph."""
        return paper.paragraphs


class Unaided(Qasper):
    """Nothing: what a model knows, or guesses from the question."""

    def shown(self, paper: Paper, question: Question) -> Sequence[Passage]:
        """Return no passage."""
        return ()


class Evidence(Whole):
    """The question alone, and every paragraph: which of them does the answer rest on?"""

    prompt_format = PromptFormat("qasper-evidence", "{question}")
    official: ClassVar[tuple[str, ...]] = (
        *(f"evidence-f1@{k}" for k in (1, 2, 3, 4, 5, 6, "best")),
        "recall@1",
        "recall@3",
        "recall@5",
        "mrr",
        "evidence-f1@qasper-baselines",
    )

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the questions of a split, without the text of the paper as an input."""
        for paper in self.papers(split):
            for question in paper.questions:
                yield replace(self._example(paper, question), inputs={"question": question.text})

    def training_rows(self, example: Example, prompt: str) -> Iterator[TrainRow]:
        """Yield the question with each paragraph that somebody marked, and those that nobody did."""
        marked = {name for annotation in example.annotations for name in annotation.evidence}
        paragraphs = [passage for passage in example.passages if passage.id in example.meta["shown"]]
        others = tuple(passage.text for passage in paragraphs if passage.id not in marked)
        for passage in paragraphs:
            if passage.id in marked:
                yield Ranking(example.inputs["question"], passage.text, others)


class YesNo(Gold):
    """The yes/no questions with their evidence, as a choice of two.

    In the form of Mozi each annotator's answer is a row, asked as in its probe, after three solved ones.
    """

    official: ClassVar[tuple[str, ...]] = ("accuracy", "macro-f1")

    def __init__(self, data: DataSpec | None = None, options: Any = None) -> None:
        super().__init__(data, options)
        if self._mozi:
            self.prompt_format = PROBE

    @property
    def metrics(self) -> tuple[str, ...]:  # type: ignore[override]
        """Return the metrics of a choice, whatever the form."""
        return self.official

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the questions that were answered yes or no, with evidence."""
        if self._mozi:
            for row in mozi.answers(self.papers(split)):
                if row.answer.kind == "boolean":
                    yield self._choice(self._mozi_example(row), row.answer.text)
            return
        for example in super().examples(split):
            if example.annotations[0].kind == "boolean" and example.annotations[0].evidence:
                yield self._choice(example, example.references[0])

    def _choice(self, example: Example, answer: str) -> Example:
        first = example.annotations[:1]
        return replace(example, references=(answer,), annotations=first, choices=CHOICES)

    def request(self, example: Example, prompt: str) -> Request:
        """Offer both answers."""
        return replace(super().request(example, prompt), choices=example.choices)
