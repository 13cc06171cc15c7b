"""The two directions of chebi20."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from harness.chem import caption_task
from harness.chem.caption_task import CaptionTask
from harness.chem.captioned import CaptionedMolecule
from harness.data.hub import HubFiles

_HUB = "liupf/ChEBI-20-MM"


class Chebi20(CaptionTask):
    """The rows of chebi20, whichever direction is asked."""

    sources: Mapping[str, str] = {
        "sample": "4,000 synthetic pairs made by the project's own generator, split by scaffold",
        "hub": f"{_HUB}: a copy of the MolT5 split that adds other columns, which are not read",
        "dir": "the files of MolT5 or ada-T5, in any form",
    }
    files: Mapping[str, str] = {
        "train.txt, validation.txt, test.txt": "MolT5: CID, SMILES, description (26,407, 3,301, 3,300 rows)",
        "train.json, validation.json, test.json": "ada-T5's arrays of smiles and description",
    }
    hub: ClassVar[Mapping[str, HubFiles]] = {
        "train": HubFiles(_HUB, "*train*"),
        "validation": HubFiles(_HUB, "*validation*"),
        "test": HubFiles(_HUB, "*test*"),
    }
    published_files: ClassVar[Mapping[str, tuple[int, str]]] = {
        "test.txt": (3300, "91776254b54ef13ad701ede0ecdbd7bcd30c19a66e52aa34a6dac8d0e7306d72"),
        "validation.txt": (3301, "f410b58e6825986577d01b4f0c14b59ed61c1343a15118ba584de4bbcea1508c"),
    }
    homepage = "https://github.com/blender-nlp/MolT5"
    licence = "captions and structures from ChEBI, CC BY 4.0"
    citation = (
        "Edwards et al., Text2Mol: Cross-Modal Molecule Retrieval with Natural Language Queries, EMNLP 2021"
    )

    def sample(self, split: str) -> Sequence[CaptionedMolecule]:
        """Return the built-in rows of a split."""
        # here, so that showing the task does not import RDKit
        from .sample import sample

        return sample(split)


class TextToSmiles(Chebi20, caption_task.TextToSmiles):
    """Caption to SMILES."""


class SmilesToText(Chebi20, caption_task.SmilesToText):
    """SMILES to caption."""
