"""The two directions of lpm24."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from harness.chem import caption_task
from harness.chem.caption_task import CaptionTask
from harness.chem.captioned import CaptionedMolecule
from harness.data.hub import HubFiles

_TRAIN = "language-plus-molecules/LPM-24_train"


class Lpm24(CaptionTask):
    """The rows of lpm24, whichever direction is asked."""

    sources: Mapping[str, str] = {
        "sample": "8,000 synthetic pairs made by the project's own generator, split by scaffold",
        "hub": f"{_TRAIN}: split_train to learn from, split_valid to validate; the evaluation set as test",
        "dir": "files of the shared task or of SciMind, in any form",
    }
    files: Mapping[str, str] = {
        "train.tsv, validation.tsv, test.tsv": "SMILES and caption columns (molecule and caption work too)",
        "LPM-24_train.json, LPM-24_test.json": "SciMind's pairs; *_qa_conversation.json its conversations",
        "eval-text.txt, eval-molgen.txt": "the evaluation set: SMILES, caption and a third column",
        "data/split_train-*.parquet, data/split_valid-*.parquet": "the hub's files, as downloaded",
    }
    hub: ClassVar[Mapping[str, HubFiles]] = {
        "train": HubFiles(_TRAIN, "data/split_train-*"),
        "validation": HubFiles(_TRAIN, "data/split_valid-*"),
        "test": HubFiles("language-plus-molecules/LPM-24_eval-molgen", "data/train-*"),
    }
    homepage = "https://github.com/language-plus-molecules/LPM-24-Dataset"
    licence = "none stated (sources: CheF, ChemFOnt, PubChem)"
    citation = (
        "Edwards et al., L+M-24: Building a Dataset for Language + Molecules @ ACL 2024, arXiv:2403.00791"
    )

    def sample(self, split: str) -> Sequence[CaptionedMolecule]:
        """Return the built-in rows of a split."""
        # here, so that showing the task does not import RDKit
        from .sample import sample

        return sample(split)


class TextToSmiles(Lpm24, caption_task.TextToSmiles):
    """Caption to SMILES."""

    published_metrics = (
        *caption_task.TextToSmiles.metrics,
        "molecule-exact@molt5",
        "validity@molt5",
        "maccs@lpm24",
        "rdk@lpm24",
        "morgan@lpm24",
        "uniqueness@lpm24",
    )


class SmilesToText(Lpm24, caption_task.SmilesToText):
    """SMILES to caption."""

    published_metrics: tuple[str, ...] = (
        *caption_task.SmilesToText.published_metrics,
        "lpm24-properties",
        "lpm24-combos",
    )
