"""Mozi's evidence mode in the terminal: a question is asked with the passages that the paper has for it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from harness import Answers, GenerateSpec, Request, RunContext, RunSpec
from harness.cli import chat
from harness.papers.evidence import SearchedPaper
from harness.papers.paper import Box, Paper, Paragraph
from harness.retrieval.words import Tfidf
from harness.serving.conversation import Conversation
from harness.serving.plain import PlainEngine
from tests.papers.made import Words, pdf

from .test_chat import scripted

STARS = "The observers counted 1,286 stars in nine nights of the year."
MIRROR = "The mirror of the telescope has an aperture of 114 millimetres."


@pytest.fixture
def asked() -> list[Request]:
    return []


@pytest.fixture
def conversation(asked: list[Request], tmp_path: Path) -> Conversation:
    def answer(request: Request) -> str:
        asked.append(request)
        return "so it is"

    spec = GenerateSpec()
    run = RunContext(tmp_path, RunSpec("m", "", generate=spec))
    paragraphs = [
        Paragraph(f"p{number}", text, "text", "2 Method", (Box(number, 0, 0, 9, 9),))
        for number, text in enumerate((STARS, MIRROR), 1)
    ]
    paper = SearchedPaper(Paper("Stars", ((9, 9), (9, 9)), tuple(paragraphs)), Tfidf())
    return Conversation(PlainEngine(Answers(answer), run, 1), spec, "Short.", paper)


def test_a_question_is_asked_with_its_evidence_and_the_turns_hold_the_question_alone(
    conversation: Conversation, asked: list[Request], capsys: Any
) -> None:
    chat.talk(
        conversation, scripted("Which aperture has the mirror?", "And the stars?", "/evidence", "/undo")
    )
    out = capsys.readouterr().out
    assert asked[0].prompt == (
        f"### Evidence:\n{MIRROR}\n{STARS}\n\n"
        "### Instruction:\nWhich aperture has the mirror?\n\n### Response:\n"
    )
    assert [turn.text for turn in asked[1].messages] == [
        "Short.",
        "Which aperture has the mirror?",
        "so it is",
    ]
    assert asked[1].prompt.startswith(f"### Evidence:\n{STARS}")
    assert out.index("[1] page 2, 2 Method") < out.index(f"    {MIRROR}") < out.index("so it is")
    assert out.count(f"[1] page 1, 2 Method\n    {STARS}") == 2  # and once more for /evidence


def test_what_the_paper_has_nothing_of_is_asked_without_evidence_and_said(
    conversation: Conversation, asked: list[Request], capsys: Any
) -> None:
    chat.talk(conversation, scripted("Hello?"))
    assert asked[0].prompt == "Hello?" and "asked without evidence" in capsys.readouterr().out


def test_a_single_answer_stands_alone_on_standard_output(conversation: Conversation, capsys: Any) -> None:
    beside = io.StringIO()
    chat.answer(conversation, "Which mirror?", beside)
    assert capsys.readouterr().out == "so it is\n" and MIRROR in beside.getvalue()


def test_without_a_paper_there_is_no_evidence_to_show(conversation: Conversation, capsys: Any) -> None:
    chat.talk(conversation, scripted("/evidence"))
    assert "nothing was asked yet" in capsys.readouterr().err
    conversation.paper = None
    chat.talk(conversation, scripted("/evidence"))
    assert "there is no paper" in capsys.readouterr().err


def test_the_paper_is_read_before_a_model_is_opened(main: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    pytest.importorskip("pypdfium2")
    (tmp_path / "scan.pdf").write_bytes(pdf([]))
    done = main("chat", "--model", "toy", "--paper", tmp_path / "scan.pdf", "--ask", "Why?")
    assert done.code == 4 and "has no text" in done.err
    (tmp_path / "paper.pdf").write_bytes(pdf([Words(60, 80, MIRROR), Words(60, 120, STARS)]))
    done = main(
        "chat", "--model", "baseline/passage", "--paper", tmp_path / "paper.pdf", "--retriever", "tfidf",
        "--ask", "Which mirror?",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.out == f"{MIRROR}\n" and "[1] page 1" in done.err
