"""The site of the documentation is whole, needs no network, and is searched in English and in Chinese."""

from __future__ import annotations

import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .pages import ROOT

SITE = runpy.run_path(str(ROOT / ".ci" / "site" / "build.py"))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\ssrc=[\"']?https?:|<link\b[^>]*\shref=[\"']?https?:|url\(https?:"
)
pytestmark = pytest.mark.xdist_group("site")  # one build for all of them


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site without the pages of the boards, which take longer and are tested elsewhere."""
    found: Path = SITE["build"](tmp_path_factory.mktemp("site"), boards=False)
    return found


def test_every_page_is_on_the_site_and_in_its_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    docs = {path.relative_to(ROOT).with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    docs = {path.with_name("index.html") if path.name == "index.html" else path for path in docs}
    assert not [path for path in docs if not (site / path).is_file()]
    assert not [path for path in docs if f'href="./{path.as_posix()}"' not in home]
    for beside in ("CHANGELOG.html", "plugins/index.html", "tasks/toy/index.html", "examples/iupac.py.html"):
        assert (site / beside).is_file()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    texts = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert not [path for path in texts if FETCHED.search(path.read_text(encoding="utf-8"))]


def test_labels_of_code_become_titles_and_are_not_lost(site: Path) -> None:
    page = (site / "docs" / "how-to" / "my-own-csv.html").read_text(encoding="utf-8")
    assert '<span class="filename">capitals.csv</span>' in page
    assert "no-test" not in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("link", "reason"),
    [("nothing.md", "page does not exist"), ("index.md#nothing", "anchor does not exist")],
)
def test_a_link_that_leads_nowhere_ends_the_build(link: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.md").write_text(f"# A page\n\n[a link]({link})\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=f"(?s){reason}.*{link}.*error: the site cannot be built$"):
        SITE["generate"](tmp_path, {"site_name": "a", "docs_dir": "pages", "strict": True})


def test_the_drawing_of_the_architecture_is_that_of_the_imports() -> None:
    drawn = runpy.run_path(str(ROOT / ".ci" / "site" / "architecture.py"))["drawing"]()
    assert (ROOT / "docs/explanation/architecture.svg").read_text(encoding="utf-8") == drawn, "run: make docs"


@pytest.fixture
def page(site: Path) -> Iterator[Any]:
    """Open the home page from its file, as one who has unpacked the site does."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto((site / "index.html").as_uri())
        yield opened
        browser.close()


@pytest.mark.filterwarnings("ignore")
def test_the_search_finds_words_names_and_chinese_in_a_real_browser(page: Any) -> None:
    for asked, found in (
        ("bootstrap interval", "docs/explanation/scoring.html"),
        ("harness_render_leaderboard", "docs/reference/hooks.html"),
        ("区间", "docs/tutorial.zh.html"),  # stands within a sentence, where nothing but a reader parts it
    ):
        page.reload()
        page.keyboard.press("Control+k")
        page.locator("input:visible").first.fill(asked)
        page.locator(f'a[href*="{found}?h="]').first.wait_for(timeout=20_000)
