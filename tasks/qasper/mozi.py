"""The form in which Mozi learned and was tested: one row an answer, one row a question in test.

Questions that nobody could answer are left out, and yes/no questions without evidence. Free answers are
kept, spans become a list, and the evidence is what the annotator marked: paragraphs, then sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .paper import Answer, Paper, Question


@dataclass(frozen=True, slots=True)
class MoziRow:
    """A question with the wordings of its answers; `answer` is the first, whose evidence is shown."""

    id: str
    paper: Paper
    question: Question
    answer: Answer
    texts: tuple[str, ...]

    @property
    def evidence(self) -> str:
        """What the annotator marked, word for word."""
        return "\n".join(self.answer.marked)


def answers(papers: Iterable[Paper]) -> Iterator[MoziRow]:
    """Yield one row an answer, as in training."""
    for paper in papers:
        for question in paper.questions:
            for number, answer in enumerate(question.answers):
                if text := _text(answer):
                    yield MoziRow(f"{question.id}-{number}", paper, question, answer, (text,))


def questions(papers: Iterable[Paper]) -> Iterator[MoziRow]:
    """Yield one row a wording of a question, as in test: equal questions of different papers are one."""
    merged: dict[str, MoziRow] = {}
    for row in answers(papers):
        first = merged.get(row.question.text)
        merged[row.question.text] = row if first is None else replace(first, texts=first.texts + row.texts)
    yield from merged.values()


def _text(answer: Answer) -> str:
    if answer.kind == "abstractive":
        return answer.text
    if answer.kind == "extractive":
        return "The answers are shown as follows:\n" + "".join(f"* {span}\n" for span in answer.spans)
    if answer.kind == "boolean" and answer.marked:
        return f"{answer.text}."
    return ""
