"""A row as a file has it, and what can be said of it before any chemistry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness import UsageError
from harness.data.text_lines import MOJIBAKE, Fault, shown

from .smiles import MAX_SMILES, has_smiles_syntax

_WRAPPED = re.compile(r"\{\|(.)\|\}")  # SciMind writes one token a SMILES character: {|C|}{|O|}


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file. An input-only file leaves SMILES or caption empty; a fault makes the row unusable.

    `notes` are kinds of oddities that do not make it unusable.
    """

    line: int
    smiles: str = ""
    caption: str = ""
    cid: str = ""
    split: str = ""
    fault: Fault | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PairFile:
    """A file in a recognised form; `gives` names the columns its rows fill, `names_splits` whether they say
    which split they are of."""

    path: Path
    form: str
    rows: Callable[[], Iterator[RawRow]]
    gives: frozenset[str] = frozenset({"smiles", "caption"})
    names_splits: bool = False


SMILES_NAMES = ("smiles", "molecule", "canonical_smiles", "isomeric_smiles")
CAPTION_NAMES = ("description", "caption", "text", "desc")
CID_NAMES = ("cid", "pubchem_cid", "pubchem id")
TRUTH_NAMES = ("ground truth", "ground_truth")


def columns(names: list[str], named: Mapping[str, str] | None = None) -> Mapping[str, str] | None:
    """Map `smiles`, `caption` and `cid` to the names that hold them; None where they are not all there.

    A file of predictions names one side and calls the other `ground truth`. `named` are roles whose names
    are given; one that is not there is refused.
    """
    found = dict(named or {})
    if unknown := sorted(set(found) - {"smiles", "caption", "cid"}):
        raise UsageError(
            f"data.columns.{unknown[0]} names nothing", hint="smiles, caption and cid are looked for"
        )
    if absent := [name for name in found.values() if name not in names]:
        raise UsageError(f"there is no column '{absent[0]}'", hint=f"columns: {', '.join(names)}")
    for role, known in (("smiles", SMILES_NAMES), ("caption", CAPTION_NAMES), ("cid", CID_NAMES)):
        if role in found:
            continue
        if name := next((n for k in known for n in names if n.strip().lower() == k), None):
            found[role] = name
    missing = {"smiles", "caption"} - set(found)
    truth = next((n for n in names if n.strip().lower() in TRUTH_NAMES), None)
    if len(missing) == 1 and truth is not None:
        found[missing.pop()] = truth
        missing = set()
    return None if missing else found


def cleaned(row: RawRow, gives: frozenset[str]) -> RawRow:
    """Repair what is known to be an artefact of a file, note what is odd, and find what is wrong."""
    if row.fault is not None:
        return row
    smiles, caption, notes = row.smiles.strip(), row.caption.strip(), list(row.notes)
    if "{|" in smiles:
        smiles = "".join(_WRAPPED.findall(smiles)) if not _WRAPPED.sub("", smiles) else smiles
    if "\\\\" in smiles:  # no SMILES has two bonds in a row; the file doubled its backslashes
        smiles = smiles.replace("\\\\", "\\")
        notes.append("doubled backslash")
    if (smiles, caption) != (row.smiles, row.caption) and "{|" not in row.smiles and not notes:
        notes.append("space at the edge")
    if MOJIBAKE.search(caption):
        notes.append("mojibake")
    if caption.startswith(("Description:", '"')):
        notes.append("wrapped caption")
    fault = (_smiles_fault(smiles, caption) if "smiles" in gives else None) or (
        _caption_fault(caption) if "caption" in gives else None
    )
    if fault is None and row.cid and not row.cid.isdecimal():
        fault = Fault("cid", "a PubChem CID in digits", shown(row.cid))
    return replace(row, smiles=smiles, caption=caption, fault=fault, notes=tuple(notes))


def _smiles_fault(smiles: str, caption: str) -> Fault | None:
    if not smiles:
        return Fault("empty", "a SMILES", "nothing")
    if len(smiles) > MAX_SMILES:
        return Fault("length", f"a SMILES of at most {MAX_SMILES:,} characters", f"{len(smiles):,}")
    if has_smiles_syntax(smiles):
        return None
    swapped = " (the caption holds one: are the columns swapped?)" if has_smiles_syntax(caption) else ""
    return Fault("smiles", "a SMILES", shown(smiles) + swapped)


def _caption_fault(caption: str) -> Fault | None:
    if not caption:
        return Fault("empty", "a caption", "nothing")
    if caption.isdecimal() or (len(caption) > 4 and has_smiles_syntax(caption)):
        return Fault("caption", "a caption in words", shown(caption))
    return None
