"""What metrics take each answer for, so that the commonest of several can be found; empty for none."""

from __future__ import annotations

from harness import Pairs

from .letters import readings
from .molecules import answers, is_plain, store
from .qa import normalised
from .rows import outputs


def text(pairs: Pairs) -> list[str]:
    """Return each text without white space at both ends."""
    return [said.strip() for said in outputs(pairs)]


def words(pairs: Pairs) -> list[str]:
    """Return each text as SQuAD compares it."""
    return list(map(normalised, outputs(pairs)))


def choices(pairs: Pairs) -> list[str]:
    """Return the letters that each answer names; where there is nothing to choose from, its text."""
    rows = zip(pairs, readings(pairs), text(pairs), strict=True)
    return ["".join(sorted(r.letters)) if r.letters or e.choices else said for (e, _), r, said in rows]


def first_letter(pairs: Pairs) -> list[str]:
    """Return the first letter that each answer names."""
    return [found.letters[:1] for found in readings(pairs)]


def molecules(pairs: Pairs) -> list[str]:
    """Return the canonical SMILES of each answer that is a molecule."""
    ask = store(pairs).ask
    return [str(ask(said, "canonical") or "") if is_plain(said) else "" for said in answers(pairs)]


def inchi(pairs: Pairs) -> list[str]:
    """Return the InChI of each answer that is a molecule, and the canonical SMILES where it has none."""
    ask = store(pairs).ask
    found = zip(answers(pairs), molecules(pairs), strict=True)
    return [str(ask(said, "inchi") or smiles) if smiles else "" for said, smiles in found]
