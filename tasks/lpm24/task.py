"""The two directions of lpm24."""

from __future__ import annotations

from collections.abc import Iterator

from harness import UsageError
from harness.molecules import caption_task
from harness.molecules.caption_task import CaptionedMolecule, CaptionTask


class Lpm24(CaptionTask):
    """The rows of lpm24, whichever direction is asked."""

    sources = {"sample": "8,000 synthetic pairs made by the project's own generator, split by scaffold"}  # noqa: RUF012
    homepage = "https://github.com/language-plus-molecules/LPM-24-Dataset"

    def molecules(self, split: str) -> Iterator[CaptionedMolecule]:
        """Yield the pairs of a split."""
        if self.data.source != "sample":
            raise UsageError(
                f"lpm24 has no data source '{self.data.source}'", hint="sources: " + ", ".join(self.sources)
            )
        # here, so that showing the task does not import RDKit
        from .sample import sample

        return iter(sample(split))


class TextToSmiles(Lpm24, caption_task.TextToSmiles):
    """Caption to SMILES."""


class SmilesToText(Lpm24, caption_task.SmilesToText):
    """SMILES to caption."""
