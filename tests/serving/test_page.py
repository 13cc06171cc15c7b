"""The chat page in a real browser: it streams, stops, draws, speaks two languages, and trusts no answer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Answers, Request

from .conftest import Live, serving
from .test_safety import TOKEN, call, until

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
    pytest.mark.filterwarnings("ignore"),
]
HOSTILE = "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'> **[x](javascript:hurt)**"
MARKDOWN = """Ethanol is *an* **alcohol**:

1. it `burns`
2. it mixes

- with water

```python
print("<b>no</b>")
```

| a | b |
|---|---|
| 1 | 2 |
"""
SAID = {"hostile": HOSTILE, "markdown": MARKDOWN, "molecule": "CC(=O)Oc1ccccc1C(=O)O", "no molecule": "C1CC"}


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    def answer(request: Request) -> str:
        return SAID.get(request.prompt, f"said {request.prompt!r} after {len(request.messages)}")

    with serving(lambda run: Answers(answer), tmp_path_factory.mktemp("page")) as live:
        yield live


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Return a function that opens the page of a server; whatever it complains of fails the test."""
    contexts, complaints = [], []

    def opened(live: Live, path: str = "/", waits: bool = False, **options: Any) -> Any:
        context = browser.new_context(**{"locale": "en-GB"} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(f"{live.url}{path}")
        if not waits:
            wait(page, "document.querySelector('#model').options.length > 0")
        return page

    yield opened
    for context in contexts:
        context.close()
    refused = ("status of 4", "status of 503")
    assert [said for said in complaints if not any(text in said for text in refused)] == []


def wait(page: Any, condition: str) -> None:
    """Wait until a condition holds; the page's own policy forbids to evaluate it there."""
    until(lambda: page.evaluate(condition))


def ask(page: Any, text: str) -> Any:
    """Ask something and return the answer's element when it is whole."""
    page.fill("#question", text)
    page.keyboard.press("Enter")
    wait(page, "!document.querySelector('#send').hidden && document.querySelector('#turns .assistant')")
    return page.locator("#turns .assistant .said").last


def test_what_a_model_says_stays_text(answering: Live, open_page: Open) -> None:
    page = open_page(answering)
    said = ask(page, "hostile")
    assert said.inner_text() == "<script>window.hurt = 1</script><img src=x onerror='window.hurt = 1'> " + (
        "[x](javascript:hurt)"
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.hurt") is None and said.locator("img, script, a").count() == 0
    assert "<script>" in (page.fill("#question", "<script>") or ask(page, "<script>").inner_text())


def test_markdown_is_laid_out(answering: Live, open_page: Open) -> None:
    said = ask(open_page(answering), "markdown")
    assert said.locator("em").inner_text() == "an" and said.locator("strong").inner_text() == "alcohol"
    assert said.locator("ol > li").count() == 2 and said.locator("ul > li").count() == 1
    assert said.locator("pre code").inner_text() == 'print("<b>no</b>")'
    assert said.locator("td").all_inner_texts() == ["1", "2"]


def test_a_molecule_is_drawn(answering: Live, open_page: Open) -> None:
    page = open_page(answering, viewport={"width": 375, "height": 500})
    ask(page, "markdown")
    picture = ask(page, "molecule").locator("img.molecule")
    picture.wait_for()
    wait(page, "document.querySelector('img.molecule').naturalWidth > 0")
    edges = [page.locator(name).bounding_box() for name in ("img.molecule", "#ask")]
    assert edges[0]["y"] + edges[0]["height"] <= edges[1]["y"]  # what was said last is in view
    assert picture.get_attribute("alt") == f"Drawing of the molecule: {SAID['molecule']}"
    said = ask(page, "no molecule")
    wait(page, "document.querySelectorAll('img.molecule').length === 1")
    assert said.inner_text() == "C1CC"
    status, headers, svg = call(answering, "GET", "/molecule.svg?smiles=CCO")
    assert status == 200 and headers["content-type"].startswith("image/svg+xml") and svg.startswith(b"<svg")
    assert call(answering, "GET", "/molecule.svg?smiles=" + "C" * 400)[0] == 404


def test_turns_can_be_retried_edited_and_cleared(answering: Live, open_page: Open) -> None:
    page = open_page(answering)
    assert ask(page, "one").inner_text() == "said 'one' after 0"
    assert ask(page, "two").inner_text() == "said 'two' after 2"
    page.click("#retry")
    wait(page, "!document.querySelector('#send').hidden")
    page.locator("#turns .user button").nth(1).click()
    assert page.input_value("#question") == "two"
    assert ask(page, "three").inner_text() == "said 'three' after 2"
    page.click("#open")
    page.fill("#system", "Short.")
    assert ask(page, "four").inner_text() == "said 'four' after 5"
    page.click("#clear")
    assert page.locator("#turns li").count() == 0


def test_evidence_is_given_and_shown(answering: Live, open_page: Open) -> None:
    page = open_page(answering)
    page.click("#open")
    page.fill("#evidence", "Ethanol burns.\n\n水 does not.\n")
    assert "### Evidence:\\nEthanol burns.\\n水 does not.\\n" in ask(page, "which?").inner_text()
    shown = page.locator("#turns .user details")
    shown.locator("summary").click()
    assert shown.locator("li").all_inner_texts() == ["Ethanol burns.", "水 does not."]


def test_settings_go_with_a_question_and_stop_ends_an_answer(live: Live, open_page: Open) -> None:
    page = open_page(live)
    page.click("#open")
    page.fill("#max_tokens", "3")
    ask(page, "CCO")
    assert page.inner_text("#status") == "Cut at the longest answer."
    page.fill("#max_tokens", "490")
    page.fill("#question", "CCO")
    page.keyboard.press("Enter")
    wait(page, "document.querySelector('#turns li:last-child .said').textContent.length > 3")
    page.keyboard.press("Escape")
    wait(page, "!document.querySelector('#send').hidden")
    assert page.inner_text("#status") == "Stopped."
    page.fill("#temperature", "1.5")
    page.fill("#max_tokens", "600")
    ask(page, "CCO")
    assert "the model holds 512" in page.inner_text("#status")


def test_a_template_goes_with_a_question(live: Live, open_page: Open) -> None:
    page = open_page(live)
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request.post_data_json) if request.post_data else None)
    page.click("#open")
    page.fill("#max_tokens", "3")
    ask(page, "CCO")
    page.select_option("#template", "belle")
    page.click("#language")  # which keeps what was chosen
    ask(page, "N")
    assert [body.get("template") for body in asked] == [None, "belle"]


def test_a_page_waits_for_its_model(answering: Live, open_page: Open) -> None:
    answering.driver.ready.clear()
    try:
        page = open_page(answering, waits=True)
        wait(page, "document.querySelector('#status').textContent === 'The model is being loaded…'")
    finally:
        answering.driver.ready.set()
    wait(page, "document.querySelector('#model').options.length > 0")
    assert ask(page, "one").inner_text() == "said 'one' after 0"
    page.click("#open")
    assert not page.is_visible("#template")  # a model that has one way alone offers no other


def test_the_page_speaks_chinese(answering: Live, open_page: Open) -> None:
    page = open_page(answering, locale="zh-CN")
    assert page.inner_text("#send") == "发送" and page.get_attribute("html", "lang") == "zh-CN"
    page.click("#language")
    assert page.inner_text("#send") == "Send" and page.get_attribute("html", "lang") == "en"


def test_everything_is_reached_by_keyboard_and_named(answering: Live, open_page: Open) -> None:
    page = open_page(answering)
    ask(page, "one")
    page.click("#open")
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, textarea, select')].filter(
        node => ![node, ...(node.labels ?? [])].some(named => named.textContent.trim())
        ).map(node => node.id)"""
    )
    assert unnamed == []
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {
        "model",
        "language",
        "open",
        "system",
        "temperature",
        "question",
        "send",
        "retry",
        "clear",
    } <= reached
    assert page.get_attribute("#turns", "aria-live") == "polite"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(
    answering: Live, open_page: Open, tmp_path: Path, scheme: str, width: int
) -> None:
    page = open_page(answering, color_scheme=scheme, viewport={"width": width, "height": 780})
    for text in ("What is aspirin?", "markdown", "molecule"):
        ask(page, text)
    page.click("#open")
    wait(page, "document.querySelector('img.molecule').naturalWidth > 0")
    folder = Path(os.environ.get("PAGE_SCREENSHOTS") or tmp_path)
    page.screenshot(path=folder / f"{scheme}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_locked_page_is_entered_by_its_address(tmp_path: Path, open_page: Open) -> None:
    with serving(lambda run: Answers(lambda request: "in"), tmp_path, token=TOKEN) as live:
        page = open_page(live, f"/?token={TOKEN}")
        assert page.url == f"{live.url}/" and ask(page, "who?").inner_text() == "in"
        assert call(live, "GET", "/?token=wrong")[0] == 401


def test_what_people_are_to_be_told_is_shown_in_the_reader_s_language(
    answering: Live, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not open_page(answering).locator("#notice").is_visible()
    monkeypatch.setattr(answering.driver, "notice", {"en": "Ask a doctor.", "zh": "请咨询医生。"})
    page = open_page(answering)
    wait(page, "!document.querySelector('#notice').hidden")
    assert page.inner_text("#notice") == "Ask a doctor."
    page.click("#language")
    assert page.inner_text("#notice") == "请咨询医生。"
