"""How a table of many rows feels in Chromium, and what it costs: `python -m benchmarks.leaderboard`."""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import write
from harness import Example, MetricEntry, Pairs, Score
from harness.leaderboards.board.scored import score
from harness.leaderboards.board.tables import StoredRow, build_board
from harness.leaderboards.board.task_card import task_card
from harness.leaderboards.intake.submission import Output, Submission
from harness.leaderboards.intake.tasks import TaskView
from harness.leaderboards.pages.site import table_page, write_assets
from harness.metrics.statistics import mean_score

from .browser import Browser

SIZES = (10, 100, 1000)
METRICS, TEST_ROWS, SCORED = 9, 60, 40
ROUNDS = 7
# Does something and waits until the frame that shows it is drawn.
SHOWN = """new Promise(done => {
  ACTION;
  requestAnimationFrame(() => setTimeout(done));
})"""
CLICK = "document.querySelectorAll('table.scores th button')[COLUMN].click()"
TYPE = """const box = document.getElementById('filter');
  box.value = 'TEXT';
  box.dispatchEvent(new Event('input', { bubbles: true }))"""


def main() -> None:
    """Measure and write the result."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, Browser(1280, 900) as browser:
        write_assets(Path(folder))
        made = stored_rows(max(SIZES))
        for size in SIZES:
            rows.append(measured(browser, Path(folder) / f"{size}.html", made[:size]))
        version = browser.version
    write(
        "leaderboard",
        "A table of many rows",
        rows,
        command="python -m benchmarks.leaderboard",
        method=f"{METRICS} metrics and as many health columns; {version}, headless, 1280 x 900, without a "
        "GPU. Milliseconds are CPU time of the page's main thread (script, style, layout, paint), until the "
        "page is loaded and drawn, and from a click on a heading or a change of the filter to the drawn "
        f"frame; medians of {ROUNDS}. Building is CPU seconds of the table from scored rows: tests, rank "
        "ranges, duplicates, leave-one-out. Before it ends the benchmark checks that the page sorted and "
        "filtered.",
        packages=["numpy"],
    )


def measured(browser: Browser, path: Path, rows: Sequence[StoredRow]) -> dict[str, Any]:
    """Build a table of these rows and use its page."""
    start = time.process_time()
    table = build_board(CARD, rows)
    built = time.process_time() - start
    text = table_page(table)
    path.write_text(text, encoding="utf-8")
    seen: dict[str, list[float]] = {"load": [], "sort": [], "filter": []}
    for number in range(ROUNDS):
        browser.open(path)
        browser.run(SHOWN.replace("ACTION", ""))
        seen["load"].append(browser.busy_ms())  # a new page counts anew
        click = CLICK.replace("COLUMN", str(3 + number % METRICS))
        typed = TYPE.replace("TEXT", f"model 0{number}")
        for name, action in (("sort", click), ("filter", typed)):
            before = browser.busy_ms()
            browser.run(SHOWN.replace("ACTION", action))
            seen[name].append(browser.busy_ms() - before)
    check(browser, len(rows))
    return {
        "rows": len(rows),
        "page KiB": round(len(text.encode()) / 1024),
        "build CPU s": round(built, 2),
        "load ms": round(statistics.median(seen["load"])),
        "sort ms": round(statistics.median(seen["sort"])),
        "filter ms": round(statistics.median(seen["filter"])),
        "goal": "sort, filter <= 100 ms" if len(rows) == max(SIZES) else "",
    }


def check(browser: Browser, rows: int) -> None:
    """Refuse to report times of a page that neither sorted nor filtered."""
    column = "[...document.querySelectorAll('table.scores tbody tr:not([hidden]) td:nth-child(5)')]"
    browser.run(TYPE.replace("TEXT", "").join(["(() => {", "})()"]))
    browser.run(CLICK.replace("COLUMN", "4"))
    values = browser.run(f"{column}.map(cell => Number(cell.dataset.value))")
    if len(values) != rows or values != sorted(values, reverse=True):
        raise RuntimeError("the page did not sort")
    browser.run(TYPE.replace("TEXT", "model 0003").join(["(() => {", "})()"]))
    if browser.run(f"{column}.length") != 1:
        raise RuntimeError("the page did not filter")


def stored_rows(count: int) -> list[StoredRow]:
    """Return rows whose numbers come from a few scored submissions, and whose answers all differ."""
    rng = random.Random(0)
    scored = [score(submission(rng, 0.2 + 0.6 * i / SCORED), VIEW) for i in range(SCORED)]
    rows = []
    for i in range(count):
        found = scored[i % SCORED]
        marks = [f"{(i * TEST_ROWS + k):08x}" for k in range(TEST_ROWS)]
        facts = found.facts | {"answers": {"sha256": f"{i:064d}", "rows": TEST_ROWS}, "signature": marks}
        about = dict(submission(rng, 0.5).about) | {"name": f"model {i:04d}"}
        rows.append(StoredRow(f"model-{i:04d}", about, facts, found.draws, {}))
    return rows


def submission(rng: random.Random, share: float) -> Submission:
    """Return answers of which about a share is right."""
    outputs = {e.id: Output(e.references[0] if rng.random() < share else "wrong") for e in VIEW.examples}
    about = {"schema": 1, "name": "m", "task": "words", "split": "test", "data": {"source": "files"}}
    return Submission(about, outputs)


def exact(pairs: Pairs) -> Score:
    """Share of answers that are a reference."""
    return mean_score("exact", [float(p.text in e.references) for e, p in pairs])


VIEW = TaskView(
    task="words",
    split="test",
    source="files",
    sample=False,
    version="1",
    digest="words",
    examples=[Example(f"row-{i}", {"word": str(i)}, (f"answer {i}",)) for i in range(TEST_ROWS)],
    metrics={
        f"metric-{i}": (MetricEntry(f"metric-{i}", "share that is right", "-", scale=100.0), exact)
        for i in range(METRICS)
    },
    answer=lambda _, text: text,
)
CARD = task_card(VIEW)


if __name__ == "__main__":
    main()
