"""A disk that forgets what was not synced: records writes, and gives back what a power cut leaves of them.

At each write that matters (a sync, a rename, a removal, a new folder) two disks are kept: one on which
nothing unsynced has survived, and one on which every name has and no unsynced content: what file systems
do that write names before contents.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Tree = dict[str, "bytes | Tree"]  # a folder by name; a file is its bytes
CALLS = ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir")


@dataclass
class Disk:
    """What is on disk for good below a folder, and every disk that a power cut could have left."""

    root: Path
    cuts: list[Tree] = field(default_factory=list)
    _contents: dict[int, bytes] = field(default_factory=dict)
    _names: dict[int, dict[str, int]] = field(default_factory=dict)
    _held: dict[int, int] = field(default_factory=dict)  # inode -> a handle, so that no number is used again

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Record all that this process does from now on."""
        self._names[self.root.stat().st_ino] = {}
        for name in CALLS:
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self._hold(self.root)
            self._cut()
            result = call(*arguments, **options)
            if name == "fsync":
                self._synced(arguments[0])
            self._cut()
            return result

        return watched

    def _hold(self, folder: Path) -> None:
        for entry in os.scandir(folder):
            inode = entry.inode()
            if inode not in self._held:
                self._held[inode] = os.open(entry.path, os.O_RDONLY)
            if entry.is_dir():
                self._hold(Path(entry.path))

    def _synced(self, handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").resolve()
        inode = os.fstat(handle).st_ino
        if path.is_dir():
            self._names[inode] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self._contents[inode] = path.read_bytes()

    def _cut(self) -> None:
        inode = self.root.stat().st_ino
        for state in (self._strict(inode), self._named(self.root)):
            if state not in self.cuts[-2:]:
                self.cuts.append(state)

    def _strict(self, folder: int) -> Tree:
        tree: Tree = {}
        for name, inode in self._names.get(folder, {}).items():
            is_folder = inode in self._held and Path(f"/proc/self/fd/{self._held[inode]}").is_dir()
            tree[name] = self._strict(inode) if is_folder else self._contents.get(inode, b"")
        return tree

    def _named(self, folder: Path) -> Tree:
        tree: Tree = {}
        for entry in os.scandir(folder):
            path = Path(entry.path)
            tree[entry.name] = self._named(path) if entry.is_dir() else self._contents.get(entry.inode(), b"")
        return tree


def restore(tree: Tree, folder: Path) -> Path:
    """Write a disk out."""
    folder.mkdir(parents=True)
    for name, content in tree.items():
        if isinstance(content, dict):
            restore(content, folder / name)
        else:
            (folder / name).write_bytes(content)
    return folder


def at(tree: Tree, *names: str) -> bytes | Tree | None:
    """Return what is at a place."""
    found: bytes | Tree | None = tree
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found
