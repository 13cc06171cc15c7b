"""The molecules of scored rows: answers and references as SMILES, read once for all metrics of a scoring."""

from __future__ import annotations

from harness import Pairs
from harness.chem.molecules import Molecules
from harness.chem.smiles import of_selfies

from .rows import cached, first_references, outputs, shared


def is_plain(text: str) -> bool:
    """Return whether a text is one word once trimmed: RDKit would take a second word for a name."""
    return len(text.split(None, 2)) == 1


def store(pairs: Pairs) -> Molecules:
    """Return the molecules that the metrics of this scoring share."""
    molecules = cached(shared(pairs), "molecules", Molecules)
    cached(pairs.cache, "molecules renewed", molecules.renew)
    return molecules


def note(pairs: Pairs) -> str:
    """Say which molecules of this scoring went beyond RDKit's limits, or nothing."""
    return store(pairs).note((*answers(pairs), *targets(pairs)))


def answers(pairs: Pairs) -> tuple[str, ...]:
    """Return the SMILES of each row's answer, decoded where the task writes SELFIES."""
    return cached(pairs.cache, "smiles-outputs", lambda: _smiles(pairs, outputs(pairs)))


def targets(pairs: Pairs) -> tuple[str, ...]:
    """Return the SMILES of each row's first reference, decoded where the task writes SELFIES."""
    return cached(pairs.cache, "smiles-references", lambda: _smiles(pairs, first_references(pairs)))


def _smiles(pairs: Pairs, texts: tuple[str, ...]) -> tuple[str, ...]:
    rows = zip(pairs, texts, strict=True)
    return tuple(
        _from_selfies(text) if example.meta.get("notation") == "selfies" else text
        for (example, _), text in rows
    )


def _from_selfies(text: str) -> str:
    smiles = of_selfies(text)
    return "not SELFIES" if smiles is None else smiles
