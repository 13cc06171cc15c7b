"""The built-in rows of chebi20: generated molecules, described by structure and then by chemical class."""

from __future__ import annotations

from functools import lru_cache

from harness import UsageError, nearest
from harness.chem.captioned import CaptionedMolecule
from harness.chem.generator import Molecule, generate

SEED = 20
SIZES = {"train": 3400, "validation": 200, "test": 400}
STRUCTURE = {
    "amide": "an amide formed from a carboxylic acid of {left} and an amine of {right}",
    "ester": "an ester formed from a carboxylic acid of {left} and an alcohol of {right}",
    "sulfonamide": "a sulfonamide formed from a sulfonic acid of {left} and an amine of {right}",
    "carbamate": "a carbamate ester carrying {left} at nitrogen and {right} at oxygen",
    "oxymethylene": "an ether in which the oxygen carries {left} and a methyl group substituted by {right}",
    "ether": "an ether in which the oxygen is connected to {left} and {right}",
    "thioether": "an organic sulfide in which the sulfur is connected to {left} and {right}",
    "ketone": "a ketone in which the carbonyl carbon carries {left} and {right}",
    "amine": "a secondary amine that is ammonia in which two hydrogens are replaced by {left} and {right}",
    "urea": "a member of the class of ureas in which the nitrogens are substituted by {left} and {right}",
    "methylene": "methane in which two hydrogens are replaced by {left} and {right}",
    "alkyne": "an alkyne that is acetylene in which the hydrogens are replaced by {left} and {right}",
}
CLASSES = {
    "bromo": "an organobromine compound",
    "chloro": "an organochlorine compound",
    "fluoro": "an organofluorine compound",
    "(trifluoromethyl)": "an organofluorine compound",
    "nitro": "a C-nitro compound",
    "cyano": "a nitrile",
}


@lru_cache(maxsize=1)
def _splits() -> dict[str, list[CaptionedMolecule]]:
    return {
        split: [CaptionedMolecule(row.id, row.molecule.smiles, row.caption) for row in rows]
        for split, rows in generate(SEED, SIZES, caption).items()
    }


def sample(split: str) -> list[CaptionedMolecule]:
    """Return the built-in rows of a split; made once a process, in about half a second."""
    if split not in SIZES:
        raise UsageError(f"the sample of chebi20 has no split '{split}'", hint=nearest(split, SIZES))
    return _splits()[split]


def caption(molecule: Molecule) -> str:
    """Describe a generated molecule: what it is, then the classes of its rings and substituents."""
    structure = STRUCTURE[molecule.linker].format(left=molecule.left, right=molecule.right)
    classes = [f"a member of {family}" for family in molecule.families]
    classes += sorted({CLASSES[name] for name in molecule.substituents if name in CLASSES})
    listed = classes[0] if len(classes) == 1 else ", ".join(classes[:-1]) + " and " + classes[-1]
    return f"The molecule is {structure}. It is {listed}."
