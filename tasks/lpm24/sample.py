"""The built-in rows of lpm24: generated molecules, described in wording that depends on the molecule.

The wording varies with linker, polarity and hydrogen-bond donors instead of at random, so that a model
of captions can learn it and a score is not capped by chance.
"""

from __future__ import annotations

from functools import lru_cache

from harness import UsageError, nearest
from harness.chem.captioned import CaptionedMolecule
from harness.chem.generator import Molecule, generate

SEED = 24
SIZES = {"train": 7160, "validation": 240, "test": 600}
STRUCTURE = {
    "amide": "The molecule is an amide with {left} on its carbonyl and {right} on its nitrogen.",
    "ester": "An ester: {left} belongs to the acid part, {right} to the alcohol part.",
    "sulfonamide": "In this sulfonamide the sulfur carries {left} and the nitrogen {right}.",
    "carbamate": "A carbamate that bears {left} at nitrogen and {right} at oxygen.",
    "oxymethylene": "Oxygen on {left} and a methylene on {right} form this ether.",
    "ether": "This ether bridges {left} and {right} by a single oxygen.",
    "thioether": "The molecule is a thioether whose sulfur ties {left} to {right}.",
    "ketone": "The carbonyl of this ketone sits between {left} and {right}.",
    "amine": "A secondary amine substituted by {left} and {right}.",
    "urea": "The two nitrogens of this urea hold {left} and {right}.",
    "methylene": "One methylene unit separates {left} from {right}.",
    "alkyne": "The molecule is an alkyne capped with {left} and {right}.",
}
DONORS = (
    "It is {polarity} and donates no hydrogen bond.",
    "It is {polarity} with one hydrogen-bond donor.",
    "Having two hydrogen-bond donors, it is {polarity}.",
    "Rich in hydrogen-bond donors, it is {polarity}.",
)


@lru_cache(maxsize=1)
def _splits() -> dict[str, list[CaptionedMolecule]]:
    return {
        split: [CaptionedMolecule(row.id, row.molecule.smiles, row.caption) for row in rows]
        for split, rows in generate(SEED, SIZES, caption).items()
    }


def sample(split: str) -> list[CaptionedMolecule]:
    """Return the built-in rows of a split; made once a process, in about a second."""
    if split not in SIZES:
        raise UsageError(f"the sample of lpm24 has no split '{split}'", hint=nearest(split, SIZES))
    return _splits()[split]


def caption(molecule: Molecule) -> str:
    """Describe a generated molecule."""
    surface = molecule.polar_surface
    polarity = "weakly polar" if surface < 45 else "moderately polar" if surface < 80 else "strongly polar"
    structure = STRUCTURE[molecule.linker].format(left=molecule.left, right=molecule.right)
    return f"{structure} {DONORS[min(molecule.donors, 3)].format(polarity=polarity)}"
