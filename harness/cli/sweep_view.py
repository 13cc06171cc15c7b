"""A sweep as it is watched: a table of what runs on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.engine.progress import LineProgress, duration
from harness.files.visible import visible
from harness.sweep.conductor import Conductor, Running

from .output import say
from .sweep_board import summary

Watch = Callable[[Conductor], None]
Tell = Callable[[str], None]
SHOWN = 12  # running cells
EVERY = 0.5  # seconds between two drawings
TAIL = 2048  # bytes of a log in which its last line is


@contextmanager
def watching(*, quiet: bool) -> Iterator[tuple[Watch, Tell]]:
    """Yield what is called as a sweep goes on, and what tells a line of it."""
    if quiet:
        yield (lambda conductor: None), (lambda text: None)
    elif sys.stderr.isatty():
        with _live() as view:
            yield view
    else:
        lines = _Lines()
        yield lines.watch, say
        lines.progress.finish()


class _Lines:
    """A line now and then."""

    def __init__(self) -> None:
        self.progress = LineProgress(sys.stderr)
        self._done = -1

    def watch(self, conductor: Conductor) -> None:
        done = len(conductor.fates)
        if self._done < 0:
            self._done = 0
            self.progress.start("sweep", len(conductor.plan), "cells")
        self.progress.advance(done - self._done, running=len(conductor.running), **conductor.counts)
        self._done = done


@contextmanager
def _live() -> Iterator[tuple[Watch, Tell]]:
    from rich.console import Console  # here, because a pipe never needs rich
    from rich.live import Live

    drawn = [0.0]
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

        def watch(conductor: Conductor) -> None:
            if time.monotonic() - drawn[0] >= EVERY:
                live.update(picture(conductor), refresh=True)
                drawn[0] = time.monotonic()

        yield watch, lambda text: live.console.print(visible(text), markup=False, highlight=False)


def picture(conductor: Conductor) -> Any:
    """Draw what runs, for how long, and what it last said, above how far the sweep is."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, expand=True, caption_justify="left")
    table.add_column("running", no_wrap=True, ratio=3)
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("says", no_wrap=True, ratio=4)
    now = time.monotonic()
    running = list(conductor.running.values())
    for each in running[:SHOWN]:
        table.add_row(Text(visible(str(each.turn.trial))), duration(now - each.begun), Text(said(each)))
    more = f", {len(running) - SHOWN} more are running" if len(running) > SHOWN else ""
    table.caption = Text(f"{summary(conductor)}{more} [{duration(now - conductor.begun)}]")
    return table


def said(running: Running) -> str:
    """Return the last line of a cell's log."""
    return visible(last_line(running.log)) if running.log.exists() else "waits for its machine"


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
