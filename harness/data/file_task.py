"""Tasks whose rows are those of files of one's own, named for their splits or held out of one file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from harness import DataReport, Example, Finding, Task, UsageError

from .split_files import files_of, split_of
from .text_lines import Fault

Row = TypeVar("Row")
HELD_OUT = 100  # one row in so many is held out where a file says nothing of splits
SPLITS = ("train", "validation", "test")


class FileTask(Task, Generic[Row]):
    """Base of a task with a built-in sample and a reader of files.

    A folder's files are named for their splits; of one file that names none, every hundredth row is
    validated on. A bad row is refused at its line, or counted and skipped where that was asked.
    """

    @abstractmethod
    def read(self, path: Path) -> Iterator[tuple[int, Row | Fault]]:
        """Yield each row of a file with the line it stands on."""

    @abstractmethod
    def example(self, name: str, row: Row) -> Example:
        """Return a row as an example."""

    @abstractmethod
    def sample(self, split: str) -> Iterator[Example]:
        """Yield the built-in rows of a split."""

    def same(self, row: Row) -> Hashable:
        """Return what two rows share that say the same; None where that does not matter."""
        return None

    def splits(self) -> tuple[str, ...]:
        """Name the splits that are there."""
        if self.data.source == "sample":
            return SPLITS
        if self._unsplit:
            return SPLITS[:2]
        return tuple(split for split in SPLITS if files_of(Path(self.data.source), split))

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the rows of a split."""
        if self.data.source == "sample":
            yield from self.sample(split)
            return
        skipped = 0
        for file, line, row in self._rows(split):
            if not isinstance(row, Fault):
                yield self.example(f"{file.name}:{line}", row)
            elif self.data.skip_bad_rows:
                skipped += 1
            else:
                raise row.at(file, line, hint="mend the row, or --skip-bad-rows leaves it out")
        if skipped:
            self.notes.append(f"{skipped} bad rows of split '{split}' were skipped")

    def check(self) -> DataReport:
        """Look at every row of the files."""
        if self.data.source == "sample":
            return super().check()
        rows: dict[str, int] = {}
        findings: dict[str, Finding] = {}
        counts: dict[str, int] = {}
        for split in self.splits():
            for finding in self._findings(split):
                if finding is None or not finding.bad:
                    rows[split] = rows.get(split, 0) + 1
                if finding is not None:
                    counts[finding.kind] = counts.get(finding.kind, 0) + 1
                    findings.setdefault(finding.kind, finding)
        return DataReport(rows, {}, tuple(findings.values()), counts)

    def _findings(self, split: str) -> Iterator[Finding | None]:
        """Yield for each row what is wrong or odd about it, if anything is."""
        seen: dict[Hashable, str] = {}
        for file, line, row in self._rows(split):
            if isinstance(row, Fault):
                yield Finding(row.kind, file.name, line, row.expected, row.found)
                continue
            known = self.same(row)
            first = seen.setdefault(known, f"{file.name}:{line}") if known is not None else ""
            if first in ("", f"{file.name}:{line}"):
                yield None
            else:
                yield Finding("repeated", file.name, line, "a row of its own", f"that of {first}", bad=False)

    @property
    def _unsplit(self) -> bool:
        files = files_of(Path(self.data.source), "train")
        return all(split_of(file.name) is None for file in files) and bool(files)

    def _rows(self, split: str) -> Iterator[tuple[Path, int, Row | Fault]]:
        files = files_of(Path(self.data.source), split)
        if not files:
            hint = "it has: " + ", ".join(self.splits())
            raise UsageError(f"{self.data.source} has no split '{split}'", hint=hint)
        for file in files:
            for number, (line, row) in enumerate(self.read(file)):
                if not self._unsplit or (number % HELD_OUT == 0) == (split == "validation"):
                    yield file, line, row
