"""What can go wrong, as one tree; the number is the program's exit code.

HarnessError                 1
  UsageError                 2   the command or configuration asks for something impossible
  PluginError                3   a plugin is broken or missing
    DuplicateName            3   two plugins claim one name
  MissingDependency          3   an optional library is not installed
  DataError                  4   a file is absent, malformed or not what it should be
    RunLocked                4   another process writes to the same run
  StageError                 5   training, generation, scoring or saving failed
    LostProcess              5   another process of the stage failed first
    TryAgain                 5   started again, the stage gets further from its last state
"""

from __future__ import annotations

from collections.abc import Iterable
from errno import ENAMETOOLONG


class HarnessError(Exception):
    """An expected failure: one sentence that says what happened, and a hint that says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(HarnessError):
    """The command line, the configuration or a call asks for something that cannot be done."""

    exit_code = 2


class PluginError(HarnessError):
    """A plugin is broken, missing or written for another version of the API."""

    exit_code = 3


class DuplicateName(PluginError):
    """Two plugins, or one plugin twice, claim the same name."""


class MissingDependency(HarnessError):
    """An optional library is not installed; the hint is the line that installs it."""

    exit_code = 3


class DataError(HarnessError):
    """Data is absent, malformed, or not what its card says."""

    exit_code = 4


class RunLocked(DataError):
    """Another process is writing to the same run."""


class StageError(HarnessError):
    """A stage of a run failed; the cause is chained and its traceback is in the run's log."""

    exit_code = 5


class LostProcess(StageError):
    """A process that shares a stage with others cannot go on without one of them, which failed first.

    It is shown where that one could say nothing, as when it was killed.
    """


class TryAgain(StageError):
    """A stage that several processes share has to be started again, and will get further then.

    The harness does so where it has started the processes itself.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names what `name` was probably meant to be, or lists what there is."""
    from difflib import get_close_matches  # here, because most commands name only what there is

    names = sorted(set(known))
    if close := get_close_matches(name, names, n=3, cutoff=0.6):
        return "did you mean " + " or ".join(close) + "?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def of_system(error: OSError, hint: str) -> HarnessError:
    """Return what the system says against a file; a name that no file can have is a usage error."""
    name = str(error.filename or "")
    if error.errno == ENAMETOOLONG:
        return UsageError(f"{name[:60]}… has {len(name):,} characters, which no file's name can have")
    return HarnessError(f"{name}: {error.strerror}" if name else str(error.strerror), hint=hint)


NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")


def ran_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error is a library's way to say that the device or the machine has no memory left."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in NO_MEMORY)
