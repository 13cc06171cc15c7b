"""The two directions of chebi20."""

from __future__ import annotations

from collections.abc import Iterator

from harness import UsageError
from harness.molecules import caption_task
from harness.molecules.caption_task import CaptionedMolecule, CaptionTask


class Chebi20(CaptionTask):
    """The rows of chebi20, whichever direction is asked."""

    sources = {"sample": "4,000 synthetic pairs made by the project's own generator, split by scaffold"}  # noqa: RUF012
    homepage = "https://github.com/blender-nlp/MolT5"

    def molecules(self, split: str) -> Iterator[CaptionedMolecule]:
        """Yield the pairs of a split."""
        if self.data.source != "sample":
            raise UsageError(
                f"chebi20 has no data source '{self.data.source}'", hint="sources: " + ", ".join(self.sources)
            )
        # here, so that showing the task does not import RDKit
        from .sample import sample

        return iter(sample(split))


class TextToSmiles(Chebi20, caption_task.TextToSmiles):
    """Caption to SMILES."""


class SmilesToText(Chebi20, caption_task.SmilesToText):
    """SMILES to caption."""
