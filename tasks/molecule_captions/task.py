"""Captioned molecules that come from files: each set is a card, the reading is shared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.chem import caption_task
from harness.chem.caption_task import CaptionTask
from harness.data.hub import HubFiles

_ADA_T5 = "https://github.com/SCIR-HI/ArtificiallyR2R"
_PSEUDOMD = "SCIR-HI/PseudoMD-1M"
_ADA_T5_PAPER = "Chen et al., From Artificially Real to Real, AAAI 2024, arXiv:2309.05203"


class Pcdes(CaptionTask):
    """PCdes, as ada-T5 or KV-PLM publish it."""

    synthetic = ()
    sources: Mapping[str, str] = {"dir": "the files of ada-T5 or of KV-PLM"}
    files: Mapping[str, str] = {
        "train.json, validation.json, test.json": "ada-T5's arrays of smiles and description",
        "PCdes_for_human0725.txt, PCdes_human_ans0725.txt": "KV-PLM's 200 questions: SMILES and sentence",
    }
    homepage = "https://github.com/thunlp/KV-PLM"
    licence = "none stated"
    citation = "Zeng et al., A deep-learning system bridging molecule structure and biomedical text, 2022"


class DrugBank23(CaptionTask):
    """DrugBank-23, which its authors describe and do not release."""

    synthetic = ()
    sources: Mapping[str, str] = {"dir": "files of your own DrugBank licence, in ada-T5's form"}
    files: Mapping[str, str] = {
        "train.json, validation.json, test.json": "arrays of smiles and description",
    }
    homepage = _ADA_T5
    licence = "DrugBank's terms; not released"
    citation = _ADA_T5_PAPER


class PseudoMd1M(CaptionTask):
    """PseudoMD-1M; one training split, read as a stream."""

    synthetic = ()
    sources: Mapping[str, str] = {
        "hub": f"{_PSEUDOMD}: one training split",
        "dir": "the hub's file under a name with `train` in it",
    }
    files: Mapping[str, str] = {"train.json": "an array of smiles and description, 1,020,139 rows"}
    hub: ClassVar[Mapping[str, HubFiles]] = {"train": HubFiles(_PSEUDOMD, "*")}
    streamed: ClassVar[bool] = True
    homepage = f"https://huggingface.co/datasets/{_PSEUDOMD}"
    licence = "see the hub's page"
    citation = _ADA_T5_PAPER


class MolInstructions(CaptionTask):
    """The molecule descriptions of Mol-Instructions; molecules are decoded from SELFIES."""

    synthetic = ()
    sources: Mapping[str, str] = {"dir": "one unpacked JSON file of Molecule-oriented_Instructions.zip"}
    files: Mapping[str, str] = {
        "molecular_description_generation.json": "SELFIES to description; rows name their split",
        "description_guided_molecule_design.json": "description to SELFIES; rows name their split",
    }
    homepage = "https://huggingface.co/datasets/zjunlp/Mol-Instructions"
    licence = "see the hub's page"
    citation = "Fang et al., Mol-Instructions, ICLR 2024, arXiv:2306.08018"


class Captions(CaptionTask):
    """Pairs of one's own, which are no published set's."""

    synthetic = ()
    sources: Mapping[str, str] = {"dir": "a file, or a folder with a file a split, in any form"}
    files: Mapping[str, str] = {
        "train.csv, validation.csv, test.csv": "columns smiles and description, or as data.columns names them"
    }
    licence = "yours"


class CaptionsTextToSmiles(Captions, caption_task.TextToSmiles):
    """Caption to SMILES."""


class CaptionsSmilesToText(Captions, caption_task.SmilesToText):
    """SMILES to caption."""


class PcdesTextToSmiles(Pcdes, caption_task.TextToSmiles):
    """Caption to SMILES."""


class PcdesSmilesToText(Pcdes, caption_task.SmilesToText):
    """SMILES to caption."""


class DrugBank23TextToSmiles(DrugBank23, caption_task.TextToSmiles):
    """Caption to SMILES."""


class DrugBank23SmilesToText(DrugBank23, caption_task.SmilesToText):
    """SMILES to caption."""


class PseudoMd1MTextToSmiles(PseudoMd1M, caption_task.TextToSmiles):
    """Caption to SMILES."""


class PseudoMd1MSmilesToText(PseudoMd1M, caption_task.SmilesToText):
    """SMILES to caption."""


class MolInstructionsTextToSmiles(MolInstructions, caption_task.TextToSmiles):
    """Caption to SMILES."""


class MolInstructionsSmilesToText(MolInstructions, caption_task.SmilesToText):
    """SMILES to caption."""
