"""Molecule-caption tasks in both directions, over one set of rows and one split."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness import DataReport, DataSpec, Example, PromptFormat, Request, Task, UsageError
from harness.data import lead_ins
from harness.data.hub import Fetched, HubFiles, fetch
from harness.data.split_files import files_of

from .captioned import CaptionedMolecule
from .reading import RULE, read_molecule

if TYPE_CHECKING:  # it imports RDKit, which showing a task must not
    from harness.data.overlap import Overlap


class CaptionTask(Task):
    """A set of captioned molecules; a data set subclasses it once and mixes in a direction.

    Rows come from the built-in sample (override `sample`), from the hub (`hub`) or from files in any
    form that `harness.chem.pair_file` knows. Published rows are scored with `published_metrics`.
    """

    synthetic: tuple[str, ...] = ("sample",)
    hub: ClassVar[Mapping[str, HubFiles]] = {}  # split -> files
    published_files: ClassVar[Mapping[str, tuple[int, str]]] = {}  # name -> rows and SHA-256 as published
    published_metrics: tuple[str, ...] = ()
    streamed: ClassVar[bool] = False  # too many rows to be held while they are learned from

    def __init__(self, data: DataSpec | None = None, options: Any = None) -> None:
        super().__init__(data, options)
        self._splits: tuple[str, ...] = ()  # known once a folder was looked at
        self._fingerprints: dict[str, str] = {}
        if self.data.source != "sample" and self.published_metrics:
            self.metrics = self.published_metrics

    @abstractmethod
    def example(self, row: CaptionedMolecule) -> Example:
        """Turn a pair into what is asked and what is wanted."""

    @abstractmethod
    def pair(self, example: Example) -> tuple[str, str]:
        """Return the SMILES and the caption of an example."""

    def sample(self, split: str) -> Sequence[CaptionedMolecule]:
        """Return the built-in rows of a split."""
        raise UsageError(
            f"{type(self).__module__.rsplit('.', 1)[0]} has no built-in sample",
            hint="give its files: --data FOLDER",
        )

    def molecules(self, split: str) -> Iterator[CaptionedMolecule]:
        """Yield the pairs of a split; both directions read the same ones."""
        source = self.data.source
        if source == "sample":
            return iter(self.sample(split))
        # here and below, so that showing a task does not import RDKit
        from .published import read

        skip = self.data.skip_bad_rows
        if source != "hub":
            named = self.data.named
            return read(Path(source), split, skip_bad_rows=skip, notes=self.notes, named=named)
        fetched = self._fetched(split)
        self.notes.append(f"{self.hub[split].repository} at commit {fetched.commit}")
        return read(fetched.files, split, skip_bad_rows=skip, notes=self.notes)

    def _fetched(self, split: str) -> Fetched:
        if split not in self.hub:
            raise UsageError(f"the hub has no split '{split}'", hint="it has: " + ", ".join(self.hub))
        return fetch(self.hub[split], split, self.data.revision)

    def fingerprint(self, split: str) -> str:
        """Return the digest of the split's files, where it is streamed."""
        if not self.streamed or self.data.source == "sample":
            return ""
        if split not in self._fingerprints:
            hub = self.data.source == "hub"
            files = self._fetched(split).files if hub else files_of(Path(self.data.source), split)
            columns = "".join(f" {column}" for column in self.data.columns)
            total = hashlib.sha256(f"skip bad rows {self.data.skip_bad_rows}{columns}".encode())
            for file in files:
                with file.open("rb") as stream:
                    total.update(hashlib.file_digest(stream, "sha256").digest())
            self._fingerprints[split] = total.hexdigest()[:16] if files else ""
        return self._fingerprints[split]

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the examples of a split in the order of its rows."""
        return map(self.example, self.molecules(split))

    def splits(self) -> tuple[str, ...]:
        """Name the splits that the chosen source has."""
        if self.data.source == "sample":
            return super().splits()
        if self.data.source == "hub":
            return tuple(self.hub)
        if not self._splits:
            from .published import splits

            self._splits = splits(Path(self.data.source), self.data.named)
        return self._splits

    def check(self) -> DataReport:
        """Validate every row of the chosen source."""
        if self.data.source in ("sample", "hub"):
            return super().check()
        from .published import check

        return check(Path(self.data.source), self.published_files, self.data.named)

    def seen_in_training(
        self, train: Iterable[Example], rows: Sequence[Example]
    ) -> Mapping[str, frozenset[str]]:
        """Return which rows training gives away: the same molecule or nearly the same caption."""
        from .overlap import LEAKS

        found = _overlap(tuple(map(self._keys, train)), tuple(map(self._keys, rows)))
        self.notes.append(
            f"{len(found.ids['scaffold']):,} of {found.rows:,} rows share their scaffold with a training row"
        )
        return {kind: found.ids[kind] for kind in LEAKS}

    def _keys(self, example: Example) -> Keys:
        return (example.id, *self.pair(example), str(example.meta.get("cid", "")))


Keys = tuple[str, str, str, str]  # id, SMILES, caption, CID


@lru_cache(maxsize=1)  # both directions of a group compare the same rows, one after the other
def _overlap(train: tuple[Keys, ...], test: tuple[Keys, ...]) -> Overlap:
    from .overlap import overlap

    def rows(keys: tuple[Keys, ...]) -> Iterator[CaptionedMolecule]:
        return (CaptionedMolecule(id, smiles, caption, {"cid": cid}) for id, smiles, caption, cid in keys)

    return overlap(rows(train), list(rows(test)))


class TextToSmiles(CaptionTask):
    """Direction: the caption is given, the SMILES is wanted."""

    metrics = (
        "molecule-exact",
        "smiles-bleu",
        "levenshtein",
        "validity",
        "maccs",
        "rdk",
        "morgan",
        "uniqueness",
        "novelty",
    )
    published_metrics: tuple[str, ...] = (
        *metrics,
        "molecule-exact@molt5",
        "validity@molt5",
        "maccs@molt5",
        "rdk@molt5",
        "morgan@molt5",
    )
    prompt_format = PromptFormat("text2smiles", "Description: {caption}\nSMILES:")
    prose = RULE

    def example(self, row: CaptionedMolecule) -> Example:
        """Ask for the molecule of a caption."""
        return Example(row.id, {"caption": row.caption}, (row.smiles,), row.meta)

    def pair(self, example: Example) -> tuple[str, str]:
        """Return the SMILES and the caption of an example."""
        return example.references[0], example.inputs["caption"]

    def answer(self, text: str, request: Request) -> str:
        """Read the molecule, out of prose where that is asked for."""
        return read_molecule(text) if self.reads_prose else text.strip()

    def canonical(self, text: str) -> str:
        """Return the canonical SMILES of an answer."""
        # here, so that showing a task does not import RDKit
        from .smiles import canonical

        return canonical(text)

    def picture(self, example: Example, answer: str) -> str:
        """Draw the wanted molecule beside the answered one, what they share in colour."""
        # here, so that showing a task does not import RDKit
        from .pictures import comparison

        return comparison(example.references[0], answer)


class SmilesToText(CaptionTask):
    """Direction: the SMILES is given, the caption is wanted."""

    metrics = ("bleu-2", "bleu-4", "rouge-1", "rouge-2", "rouge-l", "meteor", "exact-match")
    published_metrics: tuple[str, ...] = (*metrics, "bleu-2@scibert", "bleu-4@scibert", "meteor@scibert")
    prompt_format = PromptFormat("smiles2text", "SMILES: {smiles}\nDescription:")
    prose = lead_ins.RULE
    prose_unasked = False

    def example(self, row: CaptionedMolecule) -> Example:
        """Ask for the caption of a molecule."""
        return Example(row.id, {"smiles": row.smiles}, (row.caption,), row.meta)

    def pair(self, example: Example) -> tuple[str, str]:
        """Return the SMILES and the caption of an example."""
        return example.inputs["smiles"], example.references[0]

    def answer(self, text: str, request: Request) -> str:
        """Take the caption as it stands, or without a lead-in where that is asked for."""
        return lead_ins.without_lead_in(text) if self.reads_prose else text.strip()

    def picture(self, example: Example, answer: str) -> str:
        """Draw the molecule that is described."""
        from .pictures import picture

        return picture(example.inputs["smiles"])
