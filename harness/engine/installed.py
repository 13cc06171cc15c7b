"""Finds what installed packages name under a group of entry points.

Reading every package through `importlib.metadata` takes longer than all else that a listing does. So the
files are looked at first, and only packages that name the group are read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

CARDS = (".dist-info", ".egg-info")  # the folders in which packages say what they are


def entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of a group; a package with damaged metadata must not hide the others."""
    found: dict[EntryPoint, None] = {}
    for distribution in _distributions(group):
        try:
            found |= dict.fromkeys(distribution.entry_points.select(group=group))
        except Exception as error:  # noqa: BLE001  whatever reading a stranger's file raises
            import logging  # here, because it is not needed for a listing where all is well

            logging.getLogger(__name__).warning(
                "the entry points of an installed package cannot be read: %s", error
            )
    return list(found)


def _distributions(group: str) -> Iterable[Distribution]:
    usual = _all_lie_in_folders()
    folders = list(_folders_naming(group)) if usual else []
    if usual and not folders:
        return []
    from importlib import metadata  # here, because it brings a reader of mail and much else

    return map(metadata.Distribution.at, folders) if usual else metadata.distributions()


def _all_lie_in_folders() -> bool:
    """Whether no package is in an archive, nor where only a finder of its own knows."""
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return finders == [PathFinder] and not any(p.endswith(".egg") or Path(p).is_file() for p in sys.path)


def _folders_naming(group: str) -> Iterator[Path]:
    """Yield the cards that name the group; of a package that lies about twice, Python sees the first."""
    heading, seen = f"[{group}]".encode(), set()
    for place in sys.path:
        for card in _cards(place or "."):
            package = card.name.partition("-")[0].lower().replace(".", "_")
            if package not in seen:
                seen.add(package)
                if heading in _read(Path(card.path, "entry_points.txt")):
                    yield Path(card.path)


def _cards(place: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as entries:
            return [entry for entry in entries if entry.name.endswith(CARDS)]
    except OSError:  # a path may name what is not there
        return []


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # most packages have none
        return b""
