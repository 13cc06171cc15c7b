"""Reads the pages of the documentation: their blocks of code, what may not run, and their links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S)
REASON = re.compile(r"<!-- not run: (?P<reason>\S.*?) -->\s*$", re.S)
LINK = re.compile(r"\]\((?!\w+:)(?P<target>[^)#\s]+)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, what else stands beside it, its text and where it is."""

    language: str
    label: str  # a file name that the text is written to, or no-test
    text: str
    line: int
    reason: str  # why it is not run


def pages() -> list[Path]:
    """Return every page that a reader may follow."""
    found = [*ROOT.glob("README*.md"), ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for folder in ("plugins", "tasks", "examples"):
        found += (ROOT / folder).glob("*/README.md")
    return sorted(path for path in found if path.exists())


def original(page: Path) -> Path:
    """Return the page that one is a translation of, or the page itself."""
    return page.with_name(page.name.replace(".zh.md", ".md"))


def blocks(page: Path) -> Iterator[Block]:
    """Yield a page's fenced blocks in order."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        language, _, label = match["info"].strip().partition(" ")
        before = text[: match.start()]
        reason = REASON.search(before)
        body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.M)
        yield Block(language, label, body, before.count("\n") + 1, reason["reason"] if reason else "")


def links(page: Path) -> list[str]:
    """Return the targets of a page's links into the project."""
    return [match["target"] for match in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8")))]


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block and the lines of output shown below it."""

    text: str
    shown: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """Whether the page shows the command failing."""
        return any(line.startswith("error:") for line in self.shown)


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block; a backslash continues one on the next line."""
    for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        match = re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.S)
        assert match is not None
        yield Command(match[1], tuple(line for line in match[2].splitlines() if line.strip()))


def missing(shown: tuple[str, ...], output: str) -> str:
    """Return the first shown line that does not follow in the output, or nothing.

    `...` stands for anything within a line; a line of `...` for any lines. Spaces count as one.
    """
    lines = iter([" ".join(line.split()) for line in output.splitlines()])
    for line in shown:
        wanted = " ".join(line.split())
        if wanted == "...":
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.split("..."))))
        if not any(pattern.fullmatch(found) for found in lines):
            return line
    return ""
