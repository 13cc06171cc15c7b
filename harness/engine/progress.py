"""How far long work is, on stderr: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, TextIO

from harness.api.run import Progress, SilentProgress


def choose_progress(*, quiet: bool) -> Progress:
    """Return the progress that fits where stderr goes."""
    if quiet:
        return SilentProgress()
    return TerminalProgress() if sys.stderr.isatty() else LineProgress(sys.stderr)


class LineProgress:
    """Plain lines: at once, then every 2 s in the first minute, every 10 s after, every minute after ten.

    A thread speaks when the work does not, so that a quiet step of any length is seen to be alive.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, label: str, total: int | None = None, unit: str = "steps") -> None:
        """Begin; the label is printed at once."""
        self.finish()
        self._label, self._total, self._unit = label, total, unit
        self._done, self._facts = 0, dict[str, float | str]()
        self._begun = self._spoken = time.monotonic()
        self._stop = threading.Event()
        self._say(label + (f": {total} {unit}" if total else ""))
        self._thread = threading.Thread(target=self._beat, args=(self._stop,), daemon=True)
        self._thread.start()

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        """Move on."""
        with self._lock:
            self._done += amount
            self._facts.update(facts)

    def finish(self) -> None:
        """Say how long it took, if it was long."""
        if self._thread is None:
            return
        self._stop.set()
        self._thread.join()
        self._thread = None
        if time.monotonic() - self._begun >= 2:
            self._say(self._line())

    def _beat(self, stop: threading.Event) -> None:
        while not stop.wait(0.2):
            elapsed = time.monotonic() - self._begun
            pause = 2 if elapsed < 60 else 10 if elapsed < 600 else 60
            if time.monotonic() - self._spoken >= pause:
                self._spoken = time.monotonic()
                self._say(self._line())

    def _line(self) -> str:
        with self._lock:
            elapsed = time.monotonic() - self._begun
            of = f"/{self._total}" if self._total else ""
            counted = f": {self._done}{of} {self._unit}" if self._total or self._done else ""
            parts = [self._label + counted]
            if self._done:
                rate = self._done / max(elapsed, 1e-9)
                parts.append(f"{rate:.3g} {self._unit}/s")
                if self._total and self._done < self._total:
                    parts.append(f"{duration((self._total - self._done) / rate)} left")
            parts += [f"{name} {shown(value)}" for name, value in self._facts.items()]
            return f"{', '.join(parts)} [{duration(elapsed)}]"

    def _say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class TerminalProgress:
    """A bar that redraws itself, with rate, facts and time left."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, label: str, total: int | None = None, unit: str = "steps") -> None:
        """Begin a bar."""
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
        columns = [SpinnerColumn(), TextColumn("{task.description}")]
        if total:
            columns += [
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TextColumn(unit),
                TimeRemainingColumn(),
            ]
        self._begun = time.monotonic()
        self._unit = unit
        self._bar = Bar(
            *columns, TextColumn("{task.fields[facts]}"), TimeElapsedColumn(), console=Console(stderr=True)
        )
        self._bar.start()
        self._task = self._bar.add_task(label, total=total, facts="")
        self._done, self._facts = 0, dict[str, float | str]()

    def advance(self, amount: int = 1, **facts: float | str) -> None:
        """Move the bar."""
        if self._bar is None:
            return
        self._done += amount
        self._facts.update(facts)
        rate = self._done / max(time.monotonic() - self._begun, 1e-9)
        text = [
            f"{rate:.3g} {self._unit}/s",
            *(f"{name} {shown(value)}" for name, value in self._facts.items()),
        ]
        self._bar.update(self._task, advance=amount, facts=" ".join(text))

    def finish(self) -> None:
        """Close the bar and leave its last state on the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


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
