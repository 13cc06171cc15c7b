"""Derive `synonyms.z` from WordNet 3.0: `python -m harness.metrics.wordnet.build DIR`.

DIR holds Princeton's `index.*`, `data.*` and `*.exc` files, for instance /usr/share/wordnet of Debian's
packages wordnet-base and wordnet-sense-index (1:3.0-37).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from . import POS, TABLE


def main() -> int:
    """Write the table beside this module."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)  # noqa: T201
        return 2
    TABLE.write_bytes(derive(Path(sys.argv[1])))
    return 0


def derive(folder: Path) -> bytes:
    """Return the table as bytes; the same WordNet gives the same bytes."""
    blocks = [block for pos in POS for block in (_words(folder, pos), _exceptions(folder, pos))]
    columns = ("\v".join(("\n".join(block), "\n".join(block.values()))) for block in blocks)
    return zlib.compress("\f".join(columns).encode("ascii"), 9)


def _words(folder: Path, pos: str) -> dict[str, str]:
    names = dict(_synsets(folder / f"data.{pos}"))
    table = {}
    for line in _lines(folder / f"index.{pos}"):
        fields = line.split()
        word, count = fields[0], int(fields[2])
        if "_" in word:
            continue
        shared = {name for offset in fields[-count:] for name in names[offset]}
        table[word] = ("" if word in shared else "!") + " ".join(sorted(shared - {word}))
    return dict(sorted(table.items()))


def _synsets(path: Path) -> Iterator[tuple[str, list[str]]]:
    for line in _lines(path):
        fields = line.split(" | ")[0].split()
        names = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
        # An adjective may carry a syntactic marker, such as "galore(ip)", that is not part of its name.
        bare = [name.split("(")[0] for name in names]
        yield fields[0], [name for name in bare if "_" not in name and name == name.lower()]


def _exceptions(folder: Path, pos: str) -> dict[str, str]:
    rows = [line.split() for line in _lines(folder / f"{pos}.exc")]
    return {fields[0]: " ".join(fields[1:]) for fields in rows if "_" not in fields[0]}


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="ascii").splitlines():
        if line and not line.startswith(" "):
            yield line


if __name__ == "__main__":
    raise SystemExit(main())
