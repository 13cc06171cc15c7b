"""How far long work is: lines in a pipe, a bar on a terminal, silence where it was asked for."""

from __future__ import annotations

import io
import re
import sys
import time
import types

import pytest

from harness import SilentProgress
from harness.engine.progress import (
    LineProgress,
    NotebookProgress,
    TerminalProgress,
    choose_progress,
    duration,
    shown,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until a test moves it."""
    now = [100.0]
    monkeypatch.setattr("harness.engine.progress.time.monotonic", lambda: now[0])
    return now


def test_the_progress_fits_where_stderr_goes(monkeypatch):
    assert isinstance(choose_progress(quiet=True), SilentProgress)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(choose_progress(quiet=False), LineProgress)
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    assert isinstance(choose_progress(quiet=False), TerminalProgress)


def test_short_work_is_one_line_and_long_work_says_what_it_took(clock):
    stream = io.StringIO()
    line = LineProgress(stream)
    line.start("training", 10, "steps")
    line.advance(1)
    line.finish()
    assert stream.getvalue() == "training: 10 steps\n"
    line.start("training", 10, "steps")
    line.advance(5, loss=0.51239, phase="warm")
    clock[0] += 10
    line.finish()
    assert stream.getvalue().splitlines()[-1] == (
        "training: 5/10 steps, 0.5 steps/s, 10 s left, loss 0.5124, phase warm [10 s]"
    )


def test_work_of_unknown_length_is_counted_all_the_same(clock):
    stream = io.StringIO()
    line = LineProgress(stream)
    line.start("reading", unit="rows")
    line.advance(4)
    clock[0] += 8
    line.finish()
    line.finish()
    assert stream.getvalue().splitlines() == ["reading", "reading: 4 rows, 0.5 rows/s [8 s]"]


def test_a_new_bar_ends_the_one_before(clock):
    stream = io.StringIO()
    line = LineProgress(stream)
    line.start("one")
    line.start("two")
    line.finish()
    assert stream.getvalue().splitlines() == ["one", "two"]


def test_a_bar_may_be_moved_and_closed_without_being_open():
    bar = TerminalProgress()
    bar.advance(1, loss=1.0)
    bar.finish()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (90061, "25 h 01 min"),
    ],
)
def test_a_time_is_said_as_a_person_says_it(seconds, said):
    assert duration(seconds) == said


def test_facts_are_short():
    assert (shown(0.123456), shown(12345678.0), shown("as it is")) == ("0.1235", "1.235e+07", "as it is")


def test_a_resumed_training_says_from_which_step_and_its_rate_counts_new_steps_only(clock):
    stream = io.StringIO()
    line = LineProgress(stream)
    line.start("training", 100, "steps", 40)
    line.advance(10)
    clock[0] += 5
    line.finish()
    assert stream.getvalue().splitlines() == [
        "training from step 40: 100 steps",
        "training from step 40: 50/100 steps, 2 steps/s, 25 s left [5 s]",
    ]


def test_a_pipe_gets_at_most_a_line_in_ten_seconds_after_the_first(clock):
    stream = io.StringIO()
    line = LineProgress(stream)
    line.start("training", 1000)
    said = []
    for seconds in (9, 2, 8, 2):
        clock[0] += seconds
        line.advance(1)
        time.sleep(0.3)  # the thread that speaks looks five times a second
        said.append(len(stream.getvalue().splitlines()))
    line.finish()
    assert said == [1, 2, 2, 3]


def bar_at(columns: int, monkeypatch: pytest.MonkeyPatch, *, total: int | None = 12_000) -> str:
    """Return what a terminal of that width shows of a training half done, at its end."""
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    bar = TerminalProgress()
    bar.start("training", total, "steps")
    bar.advance(6000, loss=0.512345, learning_rate=0.00012345, tokens=123456)
    bar.finish()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    return text.replace("\r", "\n").strip("\n").splitlines()[-1]


@pytest.mark.parametrize("columns", [80, 100, 160])
def test_a_bar_keeps_its_total_and_the_time_left_at_any_width(monkeypatch, columns):
    line = bar_at(columns, monkeypatch)
    assert "6000/12000 steps" in line
    assert len(re.findall(r"[\d-]:[\d-]{2}:[\d-]{2}", line)) == 2  # left, and gone
    assert len(line) <= columns
    assert ("learning_rate" in line) is (columns == 160)


@pytest.mark.parametrize("total", [None, 12_000])
def test_a_finished_bar_has_nothing_that_turns(monkeypatch, total):
    line = bar_at(120, monkeypatch, total=total)
    assert line.lstrip().startswith("training")
    assert not set("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏") & set(line)


class Cell:
    """What stands below a cell of a notebook: one thing, written over."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, line: dict[str, str], *, raw: bool, display_id: bool) -> Cell:
        assert raw and display_id
        self.shown.append(line["text/html"])
        return self

    def update(self, line: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown[-1] = line["text/html"]


def test_a_notebook_has_a_bar_a_stage_that_leaves_its_line(clock):
    cell = Cell()
    bar = NotebookProgress(cell)
    bar.start("training", 4, "steps")
    assert cell.shown == ['<progress value="0" max="4"></progress> training: 4 steps']
    bar.advance(4, loss=2.5)
    clock[0] += 4
    bar.start("<scoring>")
    assert cell.shown[0] == "training: 4/4 steps, 1 steps/s, loss 2.5 [4 s]"
    assert cell.shown[1] == "<progress ></progress> &lt;scoring&gt;"
    bar.finish()
    assert "<progress" not in cell.shown[1]


def test_a_notebook_is_known_by_its_kernel(monkeypatch):
    display = types.ModuleType("IPython.display")
    display.display = Cell()  # type: ignore[attr-defined]
    shell = types.ModuleType("IPython")
    shell.get_ipython = lambda: types.SimpleNamespace(kernel=None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    assert isinstance(choose_progress(quiet=False), NotebookProgress)
