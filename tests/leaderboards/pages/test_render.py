"""Every form of a table escapes what strangers wrote, and says the same."""

import csv
import dataclasses
import gzip
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness import Completion
from harness.leaderboards.board import history
from harness.leaderboards.board.build import build
from harness.leaderboards.board.scored import score
from harness.leaderboards.board.tables import StoredRow, build_board
from harness.leaderboards.board.task_card import task_card
from harness.leaderboards.intake.submission import Submission
from harness.leaderboards.pages import site
from harness.leaderboards.pages.html import POLICY, h
from harness.leaderboards.pages.notes import SAMPLE
from harness.leaderboards.pages.plots import nice_ticks
from harness.leaderboards.pages.render import FORMATS
from harness.leaderboards.pages.site import table_page, write_site

from ..board.test_build import put
from ..conftest import METRICS, exact, make_submission, make_view

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a|b # heading [x](javascript:alert(1)) `c`",
    "=cmd|' /C calc'!A0",
    "\\input{/etc/passwd} $x$ 100% a_b & ~^{}#",
    "' onmouseover='alert(1)",
)


@pytest.fixture
def table(store, view, opened):
    put(store, opened, *(make_submission(view, 0.9 - i / 20, name) for i, name in enumerate(HOSTILE)))
    return build(store, opened)[0]


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_no_hostile_name_becomes_markup_on_any_page(store, table):
    write_site(store, [table], store.root / "site")
    pages = sorted((store.root / "site").rglob("*.html"))
    assert len(pages) == 3 + len(HOSTILE)
    for path in pages:
        text = path.read_text(encoding="utf-8")
        found = Tags(text)
        assert found.tags.count("script") == 1 and "onerror" not in dict(found.attributes)
        assert not [name for name, _ in found.attributes if name.startswith("on") or name == "style"]
        links = [value for name, value in found.attributes if name in ("href", "src")]
        assert not [link for link in links if ":" in link]
        assert POLICY in dict(found.attributes).values() or POLICY in [v for _, v in found.attributes]


def test_no_hostile_answer_or_field_becomes_markup_on_a_card(store, view, opened):
    evil = "</p><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[2J"
    made = make_submission(view, 0.5, "m")
    about = dict(made.about) | {
        "contact": evil, "notes": evil, "prompt": evil, "command": [evil], "run_id": evil,
        "model": {"plugin": evil, "base": evil}, "environment": {evil: {evil: evil}},
        "generation": {evil: evil}, "origin": {"source": evil}, "hardware": {"device": evil},
        "training": [{evil: evil}],
    }  # fmt: skip
    put(store, opened, Submission(about, {key: Completion(key, evil) for key in made.outputs}))
    write_site(store, build(store, opened), store.root / "site")
    (card,) = (store.root / "site" / "rows").rglob("*.html")
    text = card.read_text(encoding="utf-8")
    found = Tags(text)
    assert found.tags.count("script") == 1 and "img" not in found.tags and text.count("&lt;script&gt;") > 15
    assert "\u202e" not in text and "\x1b" not in text


def test_the_parts_of_a_score_are_drawn_on_the_card_of_its_row(store, view, opened):
    def in_parts(pairs):
        return dataclasses.replace(exact(pairs), details={"oxides": 0.25, "nitrides": 0.75})

    view = dataclasses.replace(view, metrics={"exact": (METRICS["exact"][0], in_parts)})
    put(store, lambda *_, **__: view, make_submission(view, 0.5, "m"))
    tables = build(store)
    assert tables[0]["lines"][0]["details"] == {"exact": {"nitrides": 0.75, "oxides": 0.25}}
    write_site(store, tables, store.root / "site")
    (card,) = (store.root / "site" / "rows").rglob("*.html")
    text = card.read_text(encoding="utf-8")
    assert "Parts of exact" in text and "oxides: 25.0" in text


def test_every_link_of_the_site_leads_to_a_file(store, table):
    write_site(store, [table], store.root / "site")
    for path in (store.root / "site").rglob("*.html"):
        for name, value in Tags(path.read_text(encoding="utf-8")).attributes:
            if name in ("href", "src") and not value.startswith("#"):
                assert (path.parent / value).resolve().is_file(), f"{path}: {value}"


def test_the_first_page_names_the_best_group_and_nobody_where_nothing_is_ranked(store, table):
    write_site(store, [table], store.root / "site")
    best = [line["name"] for line in table["lines"] if line["overall"]["group"] == 0]
    text = (store.root / "site" / "index.html").read_text(encoding="utf-8")
    said = ", ".join(best[:3]) + (f" and {len(best) - 3} more" if len(best) > 3 else "")
    assert str(h("td", said, class_="words")) in text
    unranked = dict(table) | {"metrics": []}
    write_site(store, [unranked], store.root / "site")
    assert str(h("td", "–", class_="words")) in (store.root / "site" / "index.html").read_text(
        encoding="utf-8"
    )


def test_the_first_page_keeps_samples_apart_from_real_data(store, table):
    sample = dict(table) | {"sample": True, "id": "words-sample"}
    write_site(store, [sample, table], store.root / "site")
    text = (store.root / "site" / "index.html").read_text(encoding="utf-8")
    real, _, samples = text.partition("<h2>Built-in samples</h2>")
    assert f"{table['id']}.html" in real and "words-sample.html" not in real
    assert "words-sample.html" in samples and SAMPLE in samples


def test_markdown_names_stay_in_their_cell(table):
    text = FORMATS["md"][1](table)
    rows = [line for line in text.split("\n\n")[1].splitlines()]
    bars = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert len(rows) == 2 + len(HOSTILE) and len(bars) == 1
    assert not re.search(r"(?<!\\)<", text) and not re.search(r"(?<!\\)\]\(", text)


def test_csv_cells_are_no_formulas_and_read_back(table):
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"][1](table))))
    names = [row["name"] for row in rows]
    assert len(rows) == len(HOSTILE) and not [name for name in names if name[0] in "=+-@"]
    best = rows[0]
    assert float(best["exact"]) == table["lines"][0]["scores"]["exact"]["value"]


def test_latex_bolds_the_best_group_and_escapes_names(table):
    text = FORMATS["tex"][1](table)
    assert r"\textbackslash{}input\{/etc/passwd\} \$x\$ 100\% a\_b \& \textasciitilde{}" in text
    body = text.split(r"\midrule")[1]
    best = [line for line in table["lines"] if line["scores"]["exact"]["group"] == 0]
    assert body.count(r"\textbf{") >= len(best) and r"\toprule" in text and r"\bottomrule" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_characters_that_hide_or_reorder_are_shown_as_such():
    assert h("p", "\u202egnp.exe \x00\x1b[2J") == r"<p>\u202egnp.exe \u0000\u001b[2J</p>"


def test_attributes_and_text_are_escaped_but_built_markup_is_not():
    assert h("p", h("b", "<i>"), title='"x"') == '<p title="&quot;x&quot;"><b>&lt;i&gt;</b></p>'
    assert h("input", checked=True, disabled=False, value=None) == "<input checked>"


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.2, 0.21), (-3, 900), (5, 5), (1e-9, 2e-9)])
def test_ticks_span_the_range_and_are_few(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and 2 <= len(ticks) <= 9


def test_a_thousand_rows_stay_one_light_page():
    view = make_view(60)
    few = [score(make_submission(view, 0.3 + i / 40, f"m{i}"), view) for i in range(20)]
    rows = []
    for i in range(1000):
        scored = few[i % 20]
        facts = scored.facts | {
            "answers": {"sha256": f"{i:064d}", "rows": 60},
            "signature": [f"{(i * 60 + k):08x}" for k in range(60)],
        }
        about = dict(make_submission(make_view(1), 1.0, f"model {i:04d}").about)
        rows.append(StoredRow(f"m-{i:04d}", about, facts, scored.draws, {}))
    text = table_page(build_board(task_card(view), rows))
    assert text.count("<tr data-trust") == 2000  # scores and health
    assert len(text) < 3_000_000


def test_script_and_style_agree_on_how_many_rows_are_laid_out_at_first():
    assets = Path(site.__file__).parent / "assets"
    (window,) = re.findall(r"const WINDOW = (\d+);", (assets / "board.js").read_text())
    (first_hidden,) = re.findall(r"nth-child\(n \+ (\d+) of", (assets / "board.css").read_text())
    assert int(first_hidden) == int(window) + 1


def test_the_history_is_a_chain_that_notices_every_change(tmp_path, store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"), make_submission(view, 0.2, "b"))
    tables = build(store)
    path = tmp_path / "history.jsonl"
    assert history.append(path, tables, "2026-01-01")["number"] == 1
    assert history.append(path, tables, "2026-01-02") is None
    fewer = [t | {"lines": [line for line in t["lines"] if line["name"] != "b"]} for t in tables]
    entry = history.append(path, fewer, "2026-01-03")
    (gone,) = entry["removed"].values()
    assert gone[0].startswith("b-") and not list(history.faults(path))
    from harness.leaderboards.plain import canonical, digest

    kept = tmp_path / "history" / f"{digest(tables[0])}.json.gz"
    # The old table is still there.
    assert gzip.decompress(kept.read_bytes()).decode() == canonical(tables[0])

    lines = path.read_text().splitlines()
    for broken in ([lines[1]], [lines[0].replace("2026-01-01", "2025-01-01"), lines[1]], lines[::-1]):
        path.write_text("\n".join(broken) + "\n")
        assert list(history.faults(path))
    path.write_text("\n".join(lines) + "\n")
    kept.write_bytes(gzip.compress(b"{}"))
    assert any("was changed" in fault for fault in history.faults(path))
