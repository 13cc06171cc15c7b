"""Papers on the page: uploaded, asked, shown with their pages, held in memory alone, or refused."""
# ruff: noqa: F811  a fixture that is imported is named again where it is used

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Answers, Request
from harness.papers import apart
from harness.retrieval.words import Tfidf
from harness.serving import papers as held
from harness.serving.problems import Refused
from tests.papers.made import Words, pdf

from .conftest import Live, serving
from .test_page import CHROMIUM, Open, ask, browser, open_page, wait  # noqa: F401
from .test_safety import TOKEN, call

pytest.importorskip("pypdfium2")
pytest.importorskip("PIL")
STARS = "The observers counted 1,286 stars in nine nights of the year."
MIRROR = "The <b>mirror</b> of the telescope has an aperture of 114 millimetres."
PAPER = pdf(
    [Words(60, 80, "Stars in Small Telescopes", 18, "bold"), Words(60, 120, STARS)], [Words(60, 120, MIRROR)]
)


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server whose model says what it was asked, in its own process as is what reads papers."""

    def answer(request: Request) -> str:
        return f"{request.prompt!r} after {len(request.messages)}"

    patch = pytest.MonkeyPatch()
    patch.setattr(apart, "_asked", apart._done)
    with serving(lambda run: Answers(answer), tmp_path_factory.mktemp("papers"), paper=100_000) as live:
        yield live
    patch.undo()


def opened(live: Live, data: bytes = PAPER) -> Any:
    status, _, body = call(live, "POST", "/papers", data, content_type="application/pdf")
    assert status == 200, body
    return json.loads(body)


def test_a_paper_is_read_asked_drawn_and_forgotten(reading: Live) -> None:
    facts = opened(reading)
    assert facts["title"] == "Stars in Small Telescopes" and facts["pages"] == 2
    path = f"/papers/{facts['id']}"
    assert json.loads(call(reading, "GET", path)[2]) == facts
    question = json.dumps({"question": "Which aperture?", "passages": 1}).encode()
    found = json.loads(call(reading, "POST", f"{path}/evidence", question)[2])
    [passage] = found["evidence"]
    assert passage["text"] == MIRROR and passage["page"] == 2 and found["marked"] == ["aperture"]
    status, headers, png = call(reading, "GET", f"{path}/pages/2?marked={passage['id']}")
    assert status == 200 and headers["content-type"] == "image/png" and png.startswith(b"\x89PNG")
    assert png != call(reading, "GET", f"{path}/pages/2")[2]
    assert (
        call(reading, "GET", f"{path}/pages/3")[0]
        == call(reading, "GET", f"{path}/pages/1?marked=p99")[0]
        == 404
    )
    assert call(reading, "DELETE", path)[0] == 200
    assert call(reading, "POST", f"{path}/evidence", question)[0] == 404


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"", 400, "the file is empty"),
        (b"hello", 400, "this is no PDF (a PDF begins with %PDF-)"),
        (pdf([]), 400, "has no text"),
        (bytes(100_001), 413, "larger than 100000 bytes"),
    ],
)
def test_what_is_no_paper_is_refused_in_a_sentence(
    reading: Live, data: bytes, status: int, said: str
) -> None:
    found, _, body = call(reading, "POST", "/papers", data)
    assert found == status and said in json.loads(body)["error"]["message"]


def test_only_papers_may_be_large(reading: Live, live: Live) -> None:
    assert call(live, "POST", "/v1/chat/completions", bytes(2 * 2**20 + 1))[0] == 413
    assert call(live, "POST", "/papers", bytes(2 * 2**20 + 1))[0] == 400


def test_what_is_asked_of_a_paper_has_limits(reading: Live) -> None:
    path = f"/papers/{opened(reading)['id']}/evidence"
    for wrong in ({}, {"question": ""}, {"question": "a" * 4001}, {"question": "a", "passages": 11}):
        assert call(reading, "POST", path, json.dumps(wrong).encode())[0] == 400


def test_without_the_token_no_paper_is_read(tmp_path: Path) -> None:
    with serving(lambda run: Answers(lambda request: ""), tmp_path, token=TOKEN) as live:
        assert call(live, "POST", "/papers", PAPER)[0] == 401


def test_the_oldest_paper_goes_and_a_third_at_once_comes_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(apart, "_asked", apart._done)
    monkeypatch.setattr(held, "MOST", 2)
    papers = held.Papers(Tfidf)
    first, second = papers.add(PAPER), papers.add(PAPER)
    papers.held(first)  # the second is now the one that was asked the longest ago
    papers.add(PAPER)
    with pytest.raises(Refused, match="no such paper"):
        papers.held(second)
    assert papers.held(first).data == PAPER


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.filterwarnings("ignore")
class TestPage:
    def read(self, open_page: Open, live: Live, tmp_path: Path, **options: Any) -> Any:
        (tmp_path / "paper.pdf").write_bytes(PAPER)
        page = open_page(live, **options)
        page.set_input_files("#file", tmp_path / "paper.pdf")
        page.wait_for_selector("#close:not([hidden])")
        return page

    def test_an_answer_stands_beside_its_evidence_and_the_page(
        self,
        reading: Live,
        open_page: Open,
        tmp_path: Path,
    ) -> None:
        page = self.read(open_page, reading, tmp_path)
        assert page.inner_text("#subject") == "Stars in Small Telescopes (2 pages)"
        said = ask(page, "Which aperture has the mirror?").inner_text()
        assert "### Evidence:\\nThe <b>mirror</b>" in said and "after 0" in said
        panel = page.locator("#turns .assistant .passages")
        assert panel.locator("li p").first.inner_text() == MIRROR and panel.locator("b").count() == 0
        assert panel.locator("mark").all_inner_texts()[:2] == ["mirror", "aperture"]
        wait(page, "document.querySelector('.passages img').naturalWidth > 0")
        alt = "of Stars in Small Telescopes, with passages"
        assert panel.locator("img").get_attribute("alt") == f"Page 2 {alt} 1 marked"
        panel.locator("button").nth(1).focus()
        page.keyboard.press("Enter")
        assert panel.locator("img").get_attribute("alt") == f"Page 1 {alt} 2 marked"
        assert panel.locator("button").nth(1).get_attribute("aria-pressed") == "true"
        box, answer = panel.bounding_box(), page.locator("#turns .assistant .said").bounding_box()
        assert box["x"] >= answer["x"] + answer["width"]  # beside it
        again = ask(page, "And the stars?").inner_text()
        assert again.count("### Evidence") == 1 and "after 2" in again  # that of this question alone

    def test_a_phone_shows_all_of_it_in_chinese(
        self,
        reading: Live,
        open_page: Open,
        tmp_path: Path,
    ) -> None:
        phone = {"viewport": {"width": 360, "height": 700}, "locale": "zh-CN", "color_scheme": "dark"}
        page = self.read(open_page, reading, tmp_path, **phone)
        ask(page, "Which aperture?")
        assert page.inner_text(".passages h2") == "论文中的证据"
        assert page.locator(".passages button").first.inner_text() == "1第 2 页"
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.click("#language")
        assert page.inner_text(".passages h2") == "Evidence from the paper"

    def test_what_goes_wrong_is_said_and_a_closed_paper_is_forgotten(
        self,
        reading: Live,
        open_page: Open,
        tmp_path: Path,
    ) -> None:
        page = self.read(open_page, reading, tmp_path)
        ask(page, "Xylophone?")
        assert "asked without evidence" in page.inner_text("#status")
        assert page.locator(".passages").count() == 0
        page.click("#close")
        page.wait_for_selector("#close", state="hidden")
        assert "### Evidence" not in ask(page, "Which aperture?").inner_text()
        (tmp_path / "no.pdf").write_bytes(b"no paper")
        page.set_input_files("#file", tmp_path / "no.pdf")
        wait(page, "document.querySelector('#status').textContent.includes('this is no PDF')")

    def test_a_paper_named_at_the_start_is_open_at_once(self, reading: Live, open_page: Open) -> None:
        page = open_page(reading, f"/#paper={opened(reading)['id']}")
        page.wait_for_selector("#close:not([hidden])")
        assert page.inner_text("#subject") == "Stars in Small Telescopes (2 pages)"
