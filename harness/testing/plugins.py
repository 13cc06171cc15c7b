"""What must hold of every plugin: it loads lightly, and what it advertises is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from harness.engine.plugin_manager import HEAVY

from .checking import Check, NotHere, want
from .loading import Item
from .processes import python

CPU_SECONDS = 0.5  # over loading the harness and its own plugins
PLAIN = re.compile(r"[a-z0-9]+([-_./@+][a-z0-9]+)*", re.IGNORECASE)
PROBE = """
import json, sys, time
from harness.engine.plugin_manager import load_plugins
local = json.loads(sys.argv[1])
load_plugins([])
before, begin = set(sys.modules), time.process_time()
load_plugins(local)
print(json.dumps([time.process_time() - begin, sorted(set(sys.modules) - before)]))
"""


def loads_lightly(item: Item, folder: Path) -> None:
    """Load the plugin in a process of its own and look at what that imported and took."""
    plugin = item.subject.plugin
    want(not plugin.heavy, f"importing it imports {', '.join(plugin.heavy)}")
    if plugin.origin != "local":
        return
    done = python("-c", PROBE, json.dumps([str(Path(item.subject.asked).resolve())]), folder=folder)
    want(done.returncode == 0, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it ended")
    seconds, modules = json.loads(done.stdout.strip().splitlines()[-1])
    heavy = [name for name in HEAVY if name in modules]
    want(not heavy, f"importing it imports {', '.join(heavy)}")
    want(seconds < CPU_SECONDS, f"loading it took {seconds:.2f} CPU seconds")


def names_are_plain(item: Item, folder: Path) -> None:
    """Look at names and summaries."""
    for entry in item.subject.plugin.entries:
        want(PLAIN.fullmatch(entry.name), f"the name '{entry.name}'")
        want(entry.summary.strip(), f"'{entry.name}' has no summary")
        want(len(entry.summary) <= 120, f"the summary of '{entry.name}' has {len(entry.summary)} characters")


def names_are_free(item: Item, folder: Path) -> None:
    """Look for another plugin's entry of the same kind and name."""
    mine = {(type(entry), entry.name) for entry in item.subject.plugin.entries}
    for other in item.subject.plugins.loaded:
        if other is not item.subject.plugin:
            for entry in other.entries:
                taken = (type(entry), entry.name) in mine
                want(not taken, f"'{entry.name}' is a name of plugin '{other.name}' too")


def targets_are_there(item: Item, folder: Path) -> None:
    """Import every target."""
    for one in item.subject.items():
        if one.entry is not None and one.entry.target:
            one.load()


def has_a_version(item: Item, folder: Path) -> None:
    """Look for the version of the distribution."""
    if item.subject.plugin.origin == "local":
        raise NotHere("a single file has no version")
    want(item.subject.plugin.version, "no version")


CHECKS = (
    Check(
        "loads-lightly",
        "no heavy library, no connection, less than half a CPU second",
        "name the heavy module in an entry's target; it is imported when it is chosen",
        loads_lightly,
    ),
    Check(
        "plain-names",
        "names of letters, digits, - and _, with a summary of at most 120 characters",
        "rename the entry, or write its summary",
        names_are_plain,
    ),
    Check(
        "free-names",
        "names that no other plugin has taken",
        "choose another name; users would have to write plugin/name",
        names_are_free,
    ),
    Check(
        "targets",
        "every target imports",
        "correct the target, and list the libraries that it needs in requires",
        targets_are_there,
    ),
    Check(
        "version",
        "a distribution with a version, which records keep",
        "give the package a version in pyproject.toml",
        has_a_version,
    ),
)
