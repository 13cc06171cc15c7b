"""A paper with its questions, whatever file it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness import Annotation, Passage

FLOATING = "FLOAT SELECTED"  # how QASPER marks evidence that is a table or a figure
UNANSWERABLE = "Unanswerable"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one annotator answered, of which kind, and where it stands in the paper.

    `kind` is extractive, abstractive, boolean or none; `spans` are an extractive answer's. `marked` is what
    the annotator marked, word for word: the paragraphs and then the sentences.
    """

    kind: str
    text: str
    evidence: tuple[str, ...] = ()  # ids of passages
    annotator: str = ""
    spans: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()

    @property
    def annotation(self) -> Annotation:
        """What stands beside the reference."""
        return Annotation(self.kind, self.evidence, self.annotator)


@dataclass(frozen=True, slots=True)
class Question:
    """A question and one answer an annotator."""

    id: str
    text: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper: passages are its paragraphs in order, then captions; a text that stands twice is one."""

    id: str
    title: str
    abstract: str
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]

    @property
    def paragraphs(self) -> Sequence[Passage]:
        """The passages that may be retrieved: paragraphs, not captions."""
        return [passage for passage in self.passages if FLOATING not in passage.text]

    def texts(self, ids: Sequence[str]) -> list[Passage]:
        """Return the passages of some ids, in the order of the ids; what is no passage is left out."""
        known = {passage.id: passage for passage in self.passages}
        return [known[name] for name in ids if name in known]
