"""The passages of a paper that may answer a question, and what a model is asked with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.api import Passage, PromptFormat, Request, Retriever

from .paper import Box, Paper, Paragraph

SHOWN = 3  # passages, where nobody says how many
RETRIEVER = "bm25"  # of those that need no weights it finds the most
SHORTEST = 30  # characters of a passage: fewer are a label or a cell
# Words that ask and name nothing. Without them bm25 finds more: recall@1 24.1 instead of 19.6 on QASPER's
# first 400 test questions; a sentence encoder finds as much (minilm 26.4 and 27.3, not told apart by a paired
# test).
ASKING = frozenset("what which when where who whom whose why how does do did has have had".split())
SAY_NOTHING = ASKING | frozenset("that this with from were they many much".split())
# Mozi's own form, which tells other models as well what is what
PROMPT = PromptFormat("paper", "### Evidence:\n{evidence}\n\n### Instruction:\n{question}\n\n### Response:\n")


class SearchedPaper:
    """A paper whose passages can be found by a question."""

    def __init__(self, paper: Paper, retriever: Retriever) -> None:
        self.paper = paper
        self.passages = [one for one in paper.passages() if len(one.text) >= SHORTEST]
        under = [one.heading.rpartition(" › ")[2] for one in self.passages]
        texts = [f"{head}\n{one.text}" for head, one in zip(under, self.passages, strict=True)]
        self._index = retriever.index(texts) if texts else None

    def find(self, question: str, k: int = SHOWN) -> list[Paragraph]:
        """Return the nearest passages, nearest first, and none that is as far as the farthest are."""
        if self._index is None:
            return []
        words = [word for word in question.split() if word.lower().strip("?,.") not in ASKING]
        hits = self._index.search(" ".join(words) or question, len(self.passages))
        if len(hits) > 1 and hits[-1].score == hits[-2].score:  # they have nothing of the question
            hits = [hit for hit in hits if hit.score > hits[-1].score]
        return self.paper.named(self.passages[hit.place].id for hit in hits[:k])


def request(question: str, evidence: Sequence[Paragraph]) -> Request:
    """Return what a model is asked: the question, after the passages that are shown."""
    inputs = {"evidence": "\n".join(one.text for one in evidence), "question": question}
    passages = tuple(Passage(one.id, one.text, one.section) for one in evidence)
    return Request("0", PROMPT.render(inputs), inputs, passages=passages)


def marked_words(question: str, answer: str = "") -> list[str]:
    """Return what stands out in evidence: the words of the question that say something, and the answer."""
    words = [word for word in re.findall(r"\w+", question) if len(word) > 3 or not word.isascii()]
    words = [word for word in words if word.lower() not in SAY_NOTHING]
    return [*words, *([answer.strip().rstrip(".")] if 2 < len(answer.strip()) < 200 else [])]


class Part(NamedTuple):
    """A paragraph of what is shown: its text, what stands out in it, and how far it is set in."""

    text: str
    marked: Sequence[str]
    indent: int


def shown(evidence: Sequence[Paragraph], question: str, answer: str = "") -> Iterator[Part]:
    """Yield passages as they are shown: each under where it stands, with the words of question and answer."""
    words = marked_words(question, answer)
    for number, one in enumerate(evidence, 1):
        title = f"[{number}] {one.place}"
        yield Part(title, [title], 0)
        yield Part(one.text, words, 4)


Marks = dict[int, list[tuple[str, Box]]]


def marks(evidence: Sequence[Paragraph]) -> Marks:
    """Return for each page the boxes of its evidence, each with the number under which it is shown."""
    found: Marks = {}
    for number, one in enumerate(evidence, 1):
        for box in one.boxes:
            found.setdefault(box.page, []).append((str(number), box))
    return dict(sorted(found.items()))


def as_rows(evidence: Sequence[Paragraph]) -> Iterator[dict[str, object]]:
    """Yield evidence as JSON holds it."""
    for one in evidence:
        boxes = [box._asdict() for box in one.boxes]
        yield {
            "id": one.id, "page": one.page, "section": one.section, "kind": one.kind, "place": one.place,
            "text": one.text, "boxes": boxes,
        }  # fmt: skip
