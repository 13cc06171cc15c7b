"""A check, how it is run, and what comes of it."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.api.errors import HarnessError, MissingDependency

from .loading import Item, Subject


class Failed(Exception):
    """What a check saw in place of what it wanted."""


class NotHere(Exception):
    """Why a check says nothing of this plugin on this machine."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold of a plugin or of something that it brings.

    `look(item, folder)` raises `Failed` with what it saw, or `NotHere`; `folder` is empty and its own.
    """

    name: str
    wanted: str
    to_do: str
    look: Callable[[Item, Path], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one check. `status` is passed, failed or skipped; `saw` says what was seen, or why not."""

    item: str
    check: str
    status: str
    wanted: str
    saw: str = ""
    to_do: str = ""

    def __str__(self) -> str:
        lines = [f"{self.item}: {self.check} {self.status}"]
        if self.status == "failed":
            lines += [f"  wanted: {self.wanted}", f"  saw:    {self.saw}", f"  to do:  {self.to_do}"]
        elif self.saw:
            lines.append(f"  {self.saw}")
        return "\n".join(lines)


def checks_of(subject: Subject) -> Iterator[tuple[Item, Check]]:
    """Yield every check that concerns a plugin, with what it is about."""
    # Here, because the checks of a kind import what they need.
    from . import metrics, models, plugins, retrievers, tasks, verbs

    families = {
        "plugin": plugins.CHECKS,
        "metric": metrics.CHECKS,
        "task": tasks.CHECKS,
        "model": models.CHECKS,
        "retriever": retrievers.CHECKS,
        "verb": verbs.CHECKS,
    }
    for item in subject.items():
        for check in families.get(item.kind, ()):
            yield item, check


def run_check(item: Item, check: Check) -> Result:
    """Run one check; whatever a plugin's code raises is what was seen."""
    noise = io.StringIO()  # bars and warnings of libraries
    with tempfile.TemporaryDirectory(prefix="assay-check-") as folder, redirect_stderr(noise):
        status, saw = _outcome(item, check, Path(folder))
    to_do = check.to_do if status == "failed" else ""
    return Result(item.name, check.name, status, check.wanted, saw, to_do)


def _outcome(item: Item, check: Check, folder: Path) -> tuple[str, str]:
    try:
        check.look(item, folder)
    except NotHere as reason:
        return "skipped", str(reason)
    except MissingDependency as absent:
        return "skipped", f"{absent.message}; {absent.hint}"
    except Failed as failure:
        return "failed", str(failure)
    except HarnessError as error:
        return "failed", f"{type(error).__name__}: {error.message}"
    except (Exception, SystemExit) as error:  # noqa: BLE001  the plugin is a stranger's
        return "failed", f"{type(error).__name__}: {error}"
    return "passed", ""


def want(holds: Any, saw: str) -> None:
    """Fail a check unless something holds."""
    if not holds:
        raise Failed(saw)
