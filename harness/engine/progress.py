"""How far long work is, on stderr: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from harness.api.run import Progress, SilentProgress


def choose_progress(*, quiet: bool) -> Progress:
    """Return the progress that fits where stderr goes."""
    if quiet:
        return SilentProgress()
    if (display := _notebook()) is not None:
        return NotebookProgress(display)
    return TerminalProgress() if sys.stderr.isatty() else LineProgress(sys.stderr)


class LineProgress:
    """Plain lines: at once, then one in ten seconds, and after ten minutes one a minute.

    A thread speaks when the work does not, so that a quiet step of any length is seen to be alive.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, label: str, total: int | None = None, unit: str = "steps", done: int = 0) -> None:
        """Begin; the label is printed at once."""
        self.finish()
        self._work = Work(label, total, unit, done)
        self._spoken = self._work.begun
        self._stop = threading.Event()
        self._say(self._work.label + (f": {total} {unit}" if total else ""))
        self._thread = threading.Thread(target=self._beat, args=(self._stop,), daemon=True)
        self._thread.start()

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        """Move on."""
        with self._lock:
            self._work.advance(amount, facts)

    def finish(self) -> None:
        """Say how long it took, if it was long."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        if self._work.elapsed >= 2:
            self._say(self._line())

    def _pause(self) -> float:
        return 10 if self._work.elapsed < 600 else 60

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(0.2):
            if time.monotonic() - self._spoken >= self._pause():
                self._spoken = time.monotonic()
                self._say(self._line())

    def _line(self) -> str:
        with self._lock:
            work = self._work
            of = f"/{work.total}" if work.total else ""
            counted = f": {work.done}{of} {work.unit}" if work.total or work.done else ""
            parts = [work.label + counted]
            if work.rate:
                parts.append(work.rate_text)
                if work.total and work.done < work.total:
                    parts.append(f"{duration((work.total - work.done) / work.rate)} left")
            parts += [f"{name} {shown(value)}" for name, value in work.facts.items()]
            return f"{', '.join(parts)} [{duration(work.elapsed)}]"

    def _say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class NotebookProgress(LineProgress):
    """A bar with its line below a cell of a notebook, written over as the work goes on."""

    def __init__(self, display: Callable[..., Any]) -> None:
        super().__init__(sys.stderr)
        self._display = display
        self._shown: Any = None

    def start(self, label: str, total: int | None = None, unit: str = "steps", done: int = 0) -> None:
        """Begin a bar of its own."""
        self.finish()
        self._shown, self._moves = None, True
        super().start(label, total, unit, done)

    def finish(self) -> None:
        """Leave what it came to, and no bar that seems to move."""
        if self._thread is not None:
            self._moves = False
            super().finish()
            self._say(self._line())

    def _pause(self) -> float:
        return 1

    def _say(self, text: str) -> None:
        amount = f'value="{self._work.done}" max="{self._work.total}"' if self._work.total else ""
        bar = f"<progress {amount}></progress> " if self._moves else ""
        line = {"text/html": bar + html.escape(text), "text/plain": text}
        if self._shown is None:
            self._shown = self._display(line, raw=True, display_id=True)
        else:
            self._shown.update(line, raw=True)


def _notebook() -> Callable[..., Any] | None:
    """Return what shows things below the cell of a notebook, where this is one."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if not hasattr(shell, "kernel"):
        return None
    display: Callable[..., Any] = sys.modules["IPython.display"].display
    return display


class Work:
    """What is being done, how far it is, and how fast it goes; what was done before counts in no rate."""

    def __init__(self, label: str, total: int | None, unit: str, done: int) -> None:
        self.label = f"{label} from {unit.removesuffix('s')} {done}" if done else label
        self.total, self.unit, self.done, self.before = total, unit, done, done
        self.facts: dict[str, float | str] = {}
        self.begun = time.monotonic()

    def advance(self, amount: int, facts: Mapping[str, float | str]) -> None:
        """Move on."""
        self.done += amount
        self.facts.update(facts)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.begun

    @property
    def rate(self) -> float:
        """What is done in a second."""
        return (self.done - self.before) / max(self.elapsed, 1e-9)

    @property
    def rate_text(self) -> str:
        """The rate as it is shown."""
        return f"{self.rate:.3g} {self.unit}/s"


class TerminalProgress:
    """A bar that redraws itself, with rate, facts and time left."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, label: str, total: int | None = None, unit: str = "steps", done: int = 0) -> None:
        """Begin a bar; facts are given up before the total and the time left are."""
        # Here, because a run in a pipe never needs rich.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self.finish()
        self._work = Work(label, total, unit, done)
        console = Console(stderr=True)
        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        used = 2 + len(self._work.label) + 1 + CLOCK
        if total:
            width = 28 if console.width >= 100 else 12
            columns += [BarColumn(bar_width=width), MofNCompleteColumn(), TextColumn(unit)]
            columns.append(TimeRemainingColumn())
            used += width + 1 + 2 * len(str(total)) + 2 + len(unit) + 1 + CLOCK
        self._room = console.width - used
        self._bar = Bar(*columns, TextColumn("{task.fields[facts]}"), TimeElapsedColumn(), console=console)
        self._bar.start()
        self._task = self._bar.add_task(self._work.label, total=total, completed=done, facts="")

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        """Move the bar."""
        if self._bar is None:
            return
        self._work.advance(amount, facts)
        texts = [self._work.rate_text, *(f"{n} {shown(value)}" for n, value in self._work.facts.items())]
        while texts and len(" ".join(texts)) + 1 > self._room:
            texts.pop()
        self._bar.update(self._task, advance=amount, facts=" ".join(texts))

    def finish(self) -> None:
        """Close the bar and leave its last state on the screen, with nothing that seems to turn."""
        if self._bar is not None:
            self._bar.columns = self._bar.columns[1:]
            self._bar.stop()
            self._bar = None


CLOCK = len("0:00:00") + 1


def shown(value: float | str) -> str:
    """Write a fact short."""
    return value if isinstance(value, str) else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Write a time as a person says it."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
