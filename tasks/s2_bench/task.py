"""The nine subtasks of S²-Bench: its CSV files, each row with what it asks as constraints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from harness import DataError, Example, PromptFormat, Request, Task
from harness.data.csv_rows import read_csv

from .groups import BONDS, COUNTED, ELEMENTS

_JSON = re.compile(r"\{.*?\}", re.DOTALL)


class S2Bench(Task):
    """Instructions without a reference: an answer is right when it has what the row's columns say."""

    main: ClassVar[str]  # MolCustom, MolEdit or MolOpt
    columns: ClassVar[tuple[str, ...]]
    metrics: tuple[str, ...] = ("success@s2-bench", "validity@s2-bench", "uniqueness")
    prompt_format = PromptFormat("s2-bench", "{instruction}\nSMILES:")
    sources: Mapping[str, str] = {"dir": "the released CSV files, as the repository or the hub lays them out"}
    homepage = "https://github.com/phenixace/S2-TOMG-Bench"
    licence = "none stated"
    citation = "Li et al., Speak-to-Structure, arXiv:2412.14642"

    files: Mapping[str, str] = {
        "MolCustom_AtomNum.csv, …": "one file a subtask, or MolCustom/AtomNum/test.csv, …",
        "train.csv": "OpenMolIns, to learn from: SubTask, Instruction, molecule",
    }

    def splits(self) -> tuple[str, ...]:
        """Name the splits that are there."""
        return tuple(split for split in ("train", "test") if self._file(split).is_file())

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the instructions of a split."""
        path = self._file(split)
        if split == "train":
            return self._learned(path)
        return (self._asked(row, line, path) for line, row in read_csv(path, ("Instruction", *self.columns)))

    def _learned(self, path: Path) -> Iterator[Example]:
        for line, row in read_csv(path, ("SubTask", "Instruction", "molecule")):
            if row["SubTask"] == type(self).__name__:
                yield Example(f"train-{line:06d}", {"instruction": row["Instruction"]}, (row["molecule"],))

    def _asked(self, row: Mapping[str, str], line: int, path: Path) -> Example:
        # here, so that showing a task does not import RDKit
        from harness.chem.constraints import as_meta

        from .asking import ASKED

        try:
            constraints = as_meta(ASKED[type(self).__name__](row))
        except ValueError as error:
            raise DataError(
                f"{path}:{line}: expected what {type(self).__name__} asks, found {error}"
            ) from error
        given = {"smiles": row["molecule"]} if "molecule" in self.columns else {}
        return Example(
            f"test-{line:06d}", {"instruction": row["Instruction"], **given}, (), {"constraints": constraints}
        )

    def _file(self, split: str) -> Path:
        folder, name = Path(self.data.source), type(self).__name__
        if folder.is_file():
            return folder if split == "test" else folder.with_name("train.csv")
        if split == "train":
            return folder / "train.csv"
        known = [folder / f"{self.main}_{name}.csv", folder / "full" / f"{self.main}_{name}.csv"]
        nested = [Path(), Path("open_generation"), Path("benchmarks/open_generation")]
        known += [folder / place / self.main / name / "test.csv" for place in nested]
        return next((path for path in known if path.is_file()), known[0])

    def canonical(self, text: str) -> str:
        """Return the canonical SMILES of an answer."""
        from harness.chem.smiles import canonical  # here, so that showing the task does not import RDKit

        return canonical(text)

    def answer(self, text: str, request: Request) -> str:
        """Read the molecule out of JSON, or what stands behind the last arrow."""
        if found := _JSON.search(text):
            try:
                text = str(json.loads(found[0])["molecule"])
            except (ValueError, LookupError, RecursionError):
                pass
        return re.split("=>|->", text)[-1].strip()


class _Edited(S2Bench):
    """Rows that give a molecule to change."""

    columns: ClassVar[tuple[str, ...]] = ("molecule",)
    metrics = (*S2Bench.metrics, "similarity@s2-bench")


class AtomNum(S2Bench):
    """So many atoms of each element, and of no other that is counted."""

    main = "MolCustom"
    columns = tuple(ELEMENTS)


class BondNum(S2Bench):
    """So many bonds of the kinds that are named."""

    main = "MolCustom"
    columns = BONDS


class FunctionalGroup(S2Bench):
    """So many functional groups of each kind."""

    main = "MolCustom"
    columns = COUNTED


class AddComponent(_Edited):
    """One group more than the given molecule has."""

    main = "MolEdit"
    columns = ("molecule", "added_group")


class DelComponent(_Edited):
    """One group less than the given molecule has."""

    main = "MolEdit"
    columns = ("molecule", "removed_group")


class SubComponent(_Edited):
    """One group in the place of another."""

    main = "MolEdit"
    columns = ("molecule", "added_group", "removed_group")


class LogP(_Edited):
    """LogP has to rise or fall."""

    main = "MolOpt"


class MR(_Edited):
    """Molar refractivity has to rise or fall."""

    main = "MolOpt"


class QED(_Edited):
    """Drug-likeness has to rise or fall."""

    main = "MolOpt"
