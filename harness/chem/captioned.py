"""A molecule and what is said of it: the row that caption tasks, readers and reports share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CaptionedMolecule:
    """One pair of a data set: a molecule, what is said of it, and where the row came from."""

    id: str
    smiles: str
    caption: str
    meta: Mapping[str, Any] = field(default_factory=dict)
