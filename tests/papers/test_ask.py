"""`ask`: passages with their places, on the terminal, as JSON and on pictures of pages; a model's answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import Completion, DataError, Index, MissingDependency, Retriever
from harness.cli import output
from harness.papers import apart
from harness.papers.evidence import SearchedPaper, marked_words, marks
from harness.papers.reading import read
from harness.retrieval.words import Tfidf
from tests.papers.made import Words, pdf

QUESTION = "How many sentences has the corpus?"
CORPUS = "The corpus has 4,217 sentences of seven languages."


@pytest.fixture(scope="module")
def file(two_columns: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("papers") / "small.pdf"
    path.write_bytes(two_columns)
    return path


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the child's work in this process, which is what costs time; some tests below start a real one."""
    monkeypatch.setattr(apart, "_asked", apart._done)


@pytest.mark.usefixtures("child")
def test_without_a_model_the_evidence_is_shown_and_nobody_is_said_to_have_answered(main, file):
    done = main("ask", file, QUESTION, "--retriever", "tfidf", "--passages", "2")
    assert done.code == 0, done.err
    said = done.out.splitlines()
    assert said[0] == "On the Reading of Small Papers (2 pages)"
    assert "No model was asked" in said[1]
    assert "[1] page 1, 1 Introduction › 1.1 Data" in said and f"    {CORPUS} A well-known" in done.out
    assert (
        "\x1b" not in done.out
        and max(map(len, said)) <= 80
        and not any(line != line.rstrip() for line in said)
    )


@pytest.mark.usefixtures("child")
def test_json_holds_everything(main, file):
    found = json.loads(main("ask", file, QUESTION, "--retriever", "tfidf", "--json").out)
    assert found["model"] is found["answer"] is found["rests_on"] is None
    first = found["evidence"][0]
    assert (first["page"], first["section"], first["kind"]) == (1, "1 Introduction › 1.1 Data", "text")
    assert first["text"].startswith(CORPUS)
    assert first["boxes"][0]["page"] == 1 and first["boxes"][0]["left"] > 300


@pytest.mark.usefixtures("child")
def test_a_model_answers_from_the_passages_alone(main, file, write_plugin):
    plugin = write_plugin(
        """
        from harness import Completion, ModelEntry, ModelPlugin, ModelSession, hookimpl


        class Session(ModelSession):
            def generate(self, requests, spec, run):
                for request in requests:
                    shown = request.prompt.startswith("### Evidence:\\nThe corpus has 4,217")
                    assert shown and request.prompt.endswith("### Response:\\n")
                    assert spec.max_new_tokens == 7
                    yield Completion(request.id, "4,217 sentences", evidence=(request.passages[0].id,))


        class Reader(ModelPlugin):
            def train(self, data, spec, run):
                raise NotImplementedError

            def open(self, checkpoint, run):
                return Session()


        @hookimpl
        def harness_models():
            return [ModelEntry("reader", "read", f"{__name__}:Reader", notice={"en": "It may be wrong."})]
        """,
        "reading",
    )
    command = ["ask", file, QUESTION, "--retriever", "tfidf", "--model", "reader", "--plugin", plugin]
    done = main(*command, "--set", "generate.max_new_tokens=7")
    assert done.code == 0, done.err
    assert done.err == "It may be wrong.\n"
    assert "4,217 sentences\nreader, from the passages below; it says that it rests on [1]:" in done.out
    found = json.loads(main(*command, "--set", "generate.max_new_tokens=7", "--json").out)
    assert found["answer"] == "4,217 sentences" and found["rests_on"] == [found["evidence"][0]["id"]]


def test_pages_are_drawn_with_the_passages_marked(main, file, tmp_path):
    image = pytest.importorskip("PIL.Image")
    done = main(
        "ask", file, QUESTION, "--retriever", "tfidf", "--passages", "1", "--pages", tmp_path / "drawn"
    )
    assert done.code == 0, done.err
    [path] = (tmp_path / "drawn").iterdir()
    assert path.name == "small-page-001.png"
    with image.open(path) as picture:
        assert picture.size == (1224, 1584)
        [box] = SearchedPaper(read(file.read_bytes()), Tfidf()).find(QUESTION, 1)[0].boxes
        inside = 2 * (box.right - 1), 2 * (box.bottom - 1)
        assert picture.getpixel(inside)[2] < 180 < picture.getpixel(inside)[0]  # yellow
        assert picture.getpixel((1200, 1500)) == (255, 255, 255)


@pytest.mark.usefixtures("child")
def test_a_page_is_drawn_no_larger_than_a_screen_can_show(two_columns):
    image = pytest.importorskip("PIL.Image")
    import io

    large = pdf([Words(60, 80, "A poster of some size, with words on it.")], page="/UserUnit 1").replace(
        b"[0 0 612 792]", b"[0 0 14400 14400]"
    )
    with image.open(io.BytesIO(apart.draw_page(large, 1, []))) as picture:
        assert max(picture.size) <= 2200


@pytest.mark.usefixtures("child")
def test_a_question_with_nothing_of_the_paper_finds_nothing_and_asks_no_model(main, file):
    done = main("ask", file, "Xylophone?", "--retriever", "tfidf", "--model", "absent")
    assert done.code == 0 and "No passage has anything of the question" in done.out


@pytest.mark.usefixtures("child")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["absent.pdf", "Why?"], 4, "absent.pdf: No such file"),
        ([".", "Why?"], 4, "Is a directory"),
        (["FILE", "Why?", "--passages", "0"], 2, "at least 1"),
        (["FILE", "Why?", "--retriever", "bm52"], 2, "did you mean bm25"),
        (["FILE", "Why?", "--preset", "tiny"], 2, "no model is named"),
        (["FILE", "Why?", "--model", "x", "--set", "a"], 2, "is no KEY=VALUE"),
        (["FILE", QUESTION, "--retriever", "tfidf", "--model", "tojy"], 2, "did you mean"),
        (["FILE"], 2, "question"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(main, file, arguments, code, said):
    done = main("ask", *(file if word == "FILE" else word for word in arguments))
    assert done.code == code and said in done.err, done.err
    assert "Traceback" not in done.err


def test_a_file_that_is_no_paper_ends_with_exit_code_4_and_a_hint(main, tmp_path):
    (tmp_path / "scan.pdf").write_bytes(pdf([]))
    done = main("ask", tmp_path / "scan.pdf", "Why?")
    assert done.code == 4 and "error:" in done.err and "has no text" in done.err and "hint: " in done.err


def test_a_file_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "MOST_BYTES", 10)
    (tmp_path / "a.pdf").write_bytes(bytes(11))
    with pytest.raises(DataError, match="has 11 bytes, and at most 10"):
        apart.read_file(tmp_path / "a.pdf")


@pytest.mark.parametrize(
    ("program", "said"),
    [("import os; os.abort()", "ended with -6"), ("import time; time.sleep(9)", "longer than")],
)
def test_what_goes_wrong_in_the_reader_is_a_sentence_here(monkeypatch, program, said):
    monkeypatch.setattr(apart, "SECONDS", 0.5)
    monkeypatch.setattr(apart, "python", lambda *arguments: [sys.executable, "-c", program])
    with pytest.raises(DataError, match=said):
        apart.read_paper(b"%PDF-1.7")


def test_a_library_that_is_missing_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="pypdfium2 and PIL") as missing:
        apart.draw_page(b"", 1, [])
    assert "assay-bench[papers]" in missing.value.hint


def test_strangers_text_commands_no_terminal(capsys):
    output.write_prose("A corpus \x1b[31m\x07of \u202esentences\x9b", marked=["\x1b[31m"])
    assert capsys.readouterr().out == "A corpus \\u001b[31m\\u0007of \\u202esentences\\u009b\n"


def test_on_a_terminal_the_words_of_the_question_stand_out(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    output.write_prose("The corpus has sentences.", marked=marked_words("Which corpus?"), indent=2)
    assert capsys.readouterr().out == "  The \x1b[1mcorpus\x1b[0m has sentences.\n"


def test_a_passage_that_goes_on_is_marked_wherever_it_stands(two_columns):
    paper = read(two_columns)
    evidence = SearchedPaper(paper, Tfidf()).find("gutters in the middle of a paragraph", 1)
    [page] = marks(evidence)
    assert page == 1 and [name for name, _ in marks(evidence)[1]] == ["1", "1"]
    assert evidence[0].place == "page 1, 1 Introduction"


def test_passages_with_nothing_of_the_question_are_no_evidence():
    words = ["A mirror of glass stands in the garden.", "A mirror of glass stands in the garden, too."]
    other = [
        "Nobody knows who put it there at all.",
        "Rain has fallen since the last evening.",
        "So be it ever.",
    ]
    texts = [Words(60, 80 + 60 * row, text) for row, text in enumerate([*words, *other])]
    paper = SearchedPaper(read(pdf(texts)), Tfidf())
    assert [one.text for one in paper.find("Which mirror?", 4)] == words
    assert len(paper.find("Which mirror?", 1)) == 1 and paper.find("Xylophone?") == []


def test_words_that_ask_find_nothing(file):
    asked: list[str] = []

    class Spied(Retriever):
        def index(self, texts):
            return Spying()

    class Spying(Index):
        def search(self, query, k):
            asked.append(query)
            return []

    paper = SearchedPaper(read(file.read_bytes()), Spied())
    paper.find("How many sentences does the corpus have?")
    paper.find("Why?")
    assert asked == ["many sentences the corpus", "Why?"]


def test_short_answers_stand_out_in_evidence_and_long_ones_do_not():
    assert marked_words("Is it so?", " seven languages.") == ["seven languages"]
    assert marked_words("语料", "x" * 300) == ["语料"]
    assert Completion("0", "").evidence is None


def test_the_reader_of_papers_is_not_imported_for_help(run_bench):
    done = run_bench("ask", "--help")
    assert done.code == 0 and "examples:" in done.out
    program = "import sys, harness.papers.verb; print([n for n in ('pypdfium2', 'PIL') if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
