"""What must hold of a verb: help that explains it, and mistakes that end in a sentence."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .checking import Check, NotHere, want
from .loading import Item
from .processes import python

USAGE = 2
HEAVY = ("torch", "transformers", "rdkit", "pandas")


def told(item: Item, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verb in a process of its own."""
    plugin = item.subject.plugin
    local = ["--plugin", str(Path(item.subject.asked).resolve())] if plugin.origin == "local" else []
    return python("-m", "harness", item.entry.name, *arguments, *local, folder=folder)


def helps(item: Item, folder: Path) -> None:
    """Ask for help."""
    done = told(item, folder, "--help")
    want(done.returncode == 0, f"exit code {done.returncode}: {done.stderr.strip()[-200:]}")
    want(item.entry.name in done.stdout, "help that does not name the verb")


def shows_examples(item: Item, folder: Path) -> None:
    """Look for an example."""
    want(item.entry.examples, "no example")


def refuses_what_it_does_not_know(item: Item, folder: Path) -> None:
    """Give a flag that nothing has."""
    done = told(item, folder, "--no-such-flag-anywhere")
    want(done.returncode == USAGE, f"exit code {done.returncode}")
    want("Traceback" not in done.stderr, "a traceback")


def needs_nothing_heavy_to_help(item: Item, folder: Path) -> None:
    """Look at what help imports."""
    if item.subject.plugin.origin == "local":
        raise NotHere("a single file is imported whole")
    program = (
        "import sys\nfrom harness.cli.main import main\n"
        f"try:\n    main([{item.entry.name!r}, '--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = python("-c", program, folder=folder)
    want(done.stderr.strip().endswith("[]"), f"help imports {done.stderr.strip()[-80:]}")


CHECKS = (
    Check("help", "--help that ends well and names the verb", "describe it in its docstring", helps),
    Check("examples", "an example in its help", "give examples in the entry", shows_examples),
    Check(
        "mistakes",
        "exit code 2 for a flag that it does not have",
        "raise UsageError",
        refuses_what_it_does_not_know,
    ),
    Check(
        "light-help",
        "help without a heavy library",
        "import it in run(), not above",
        needs_nothing_heavy_to_help,
    ),
)
