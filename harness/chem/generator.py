"""Synthetic molecules out of parts: two decorated rings and a linker, named, measured and split by scaffold.

This is what the built-in samples of the molecule tasks are made of. It is compositional: every ring,
linker and substituent of a test molecule occurs in training, the combination of rings and linker (the
scaffold) does not. A score on such data says nothing about published data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors, rdMolHash

from harness import UsageError


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring as a substituent. `pattern` starts at the attached atom; `{n}` is what locant n carries.

    `mirror` pairs the locants that the ring's symmetry exchanges.
    """

    name: str
    family: str
    pattern: str
    locants: tuple[int, ...]
    mirror: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Linker:
    """A group between two rings; `pattern` is bonded to the left ring at %91 and to the right one at %92."""

    name: str
    pattern: str
    symmetric: bool = False


@dataclass(frozen=True, slots=True)
class Molecule:
    """A generated molecule and what is known of it: its parts by name, and facts that RDKit computed."""

    smiles: str
    linker: str
    left: str
    right: str
    families: tuple[str, ...]
    substituents: tuple[str, ...]
    polar_surface: float
    donors: int


@dataclass(frozen=True, slots=True)
class Row:
    """One molecule with its caption."""

    id: str
    molecule: Molecule
    caption: str


RINGS = (
    Ring(
        "phenyl", "benzenes", "c{link}1c{2}c{3}c{4}c{5}c1{6}", (2, 3, 4, 5, 6), {2: 6, 3: 5, 4: 4, 5: 3, 6: 2}
    ),
    Ring("pyridin-2-yl", "pyridines", "c{link}1nc{6}c{5}c{4}c1{3}", (3, 4, 5, 6)),
    Ring("pyridin-3-yl", "pyridines", "c{link}1c{2}nc{6}c{5}c1{4}", (2, 4, 5, 6)),
    Ring("pyridin-4-yl", "pyridines", "c{link}1c{3}c{2}nc{6}c1{5}", (2, 3, 5, 6), {2: 6, 3: 5, 5: 3, 6: 2}),
    Ring("pyrimidin-2-yl", "pyrimidines", "c{link}1nc{4}c{5}c{6}n1", (4, 5, 6), {4: 6, 5: 5, 6: 4}),
    Ring("pyrazin-2-yl", "pyrazines", "c{link}1nc{6}c{5}nc1{3}", (3, 5, 6)),
    Ring("thiophen-2-yl", "thiophenes", "c{link}1sc{5}c{4}c1{3}", (3, 4, 5)),
    Ring("thiophen-3-yl", "thiophenes", "c{link}1c{2}sc{5}c1{4}", (2, 4, 5)),
    Ring("furan-2-yl", "furans", "c{link}1oc{5}c{4}c1{3}", (3, 4, 5)),
    Ring("1,3-thiazol-2-yl", "thiazoles", "c{link}1nc{4}c{5}s1", (4, 5)),
    Ring("naphthalen-1-yl", "naphthalenes", "c{link}1ccc{4}c2ccccc12", (4,)),
    Ring("quinolin-3-yl", "quinolines", "c{link}1c{2}nc2ccc{6}cc2c1", (2, 6)),
    Ring("1H-indol-3-yl", "indoles", "c{link}1c{2}[nH]c2ccc{5}cc12", (2, 5)),
    Ring("cyclohexyl", "cyclohexanes", "C{link}1CCC{4}CC1", (4,)),
)
LINKERS = (
    Linker("amide", "C%91(=O)N%92"),
    Linker("ester", "C%91(=O)O%92"),
    Linker("sulfonamide", "S%91(=O)(=O)N%92"),
    Linker("carbamate", "N%91C(=O)O%92"),
    Linker("oxymethylene", "O%91C%92"),
    Linker("ether", "O%91%92", symmetric=True),
    Linker("thioether", "S%91%92", symmetric=True),
    Linker("ketone", "C%91%92=O", symmetric=True),
    Linker("amine", "N%91%92", symmetric=True),
    Linker("urea", "N%91C(=O)N%92", symmetric=True),
    Linker("methylene", "C%91%92", symmetric=True),
    Linker("alkyne", "C%91#C%92", symmetric=True),
)
SUBSTITUENTS: Mapping[str, str] = {
    "acetyl": "C(C)=O",
    "amino": "N",
    "bromo": "Br",
    "chloro": "Cl",
    "cyano": "C#N",
    "ethyl": "CC",
    "fluoro": "F",
    "hydroxy": "O",
    "methoxy": "OC",
    "methyl": "C",
    "nitro": "[N+](=O)[O-]",
    "(trifluoromethyl)": "C(F)(F)F",
}
PATIENCE = 10_000  # repeated draws in a split before it is taken to be exhausted
Decoration = tuple[tuple[str, int], ...]  # (substituent, locant), in the order of the name
Recipe = tuple[Linker, Ring, Ring]


def generate(
    seed: int, sizes: Mapping[str, int], describe: Callable[[Molecule], str]
) -> dict[str, list[Row]]:
    """Return rows by split: every SMILES and caption once, no scaffold in two splits.

    `sizes` gives rows by split; the same seed and sizes give the same rows.
    """
    rng = Random(seed)
    shares = _share_recipes(rng, sizes)
    seen: set[str] = set()
    splits: dict[str, list[Row]] = {}
    for split, size in sizes.items():
        rows: list[Row] = []
        repeated = 0
        while len(rows) < size:
            molecule = _draw_molecule(rng, shares[split])
            caption = describe(molecule)
            if molecule.smiles in seen or caption in seen:
                repeated += 1
                if repeated > PATIENCE + size:
                    raise UsageError(f"{size:,} different rows for '{split}' are more than these parts make")
                continue
            seen.update((molecule.smiles, caption))
            rows.append(Row(f"{split}-{len(rows):05d}", molecule, caption))
        splits[split] = rows
    return splits


def _share_recipes(rng: Random, sizes: Mapping[str, int]) -> dict[str, list[Recipe]]:
    """Deal scaffolds out to splits; a ketone and a methylene of the same rings are one Murcko scaffold."""
    by_scaffold: dict[str, list[Recipe]] = {}
    for linker in LINKERS:
        for i, left in enumerate(RINGS):
            for right in RINGS[i:] if linker.symmetric else RINGS:
                bare = Chem.MolFromSmiles(_assemble(linker, left, (), right, ()))
                scaffold = rdMolHash.MolHash(bare, rdMolHash.HashFunction.MurckoScaffold)
                by_scaffold.setdefault(scaffold, []).append((linker, left, right))
    groups = list(by_scaffold.values())
    # shuffle() promises no order across Python versions, random() does
    for i in range(len(groups) - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        groups[i], groups[j] = groups[j], groups[i]
    total, start, rows = sum(sizes.values()), 0, 0
    shares: dict[str, list[Recipe]] = {}
    for split, size in sizes.items():
        rows += size
        end = max(start + 1, len(groups) * rows // total)
        shares[split] = [recipe for group in groups[start:end] for recipe in group]
        start = end
    return shares


def _draw_molecule(rng: Random, recipes: list[Recipe]) -> Molecule:
    linker, left, right = recipes[int(rng.random() * len(recipes))]
    on_left, on_right = _draw_decoration(rng, left), _draw_decoration(rng, right)
    if linker.symmetric and left is right:  # one order of the two names, not either at random
        on_left, on_right = sorted(
            (on_left, on_right), key=lambda decoration: substituent_name(left, decoration)
        )
    mol = Chem.MolFromSmiles(_assemble(linker, left, on_left, right, on_right))
    return Molecule(
        smiles=Chem.MolToSmiles(mol),
        linker=linker.name,
        left=substituent_name(left, on_left),
        right=substituent_name(right, on_right),
        families=tuple(sorted({left.family, right.family})),
        substituents=tuple(sorted({name for name, _ in on_left + on_right})),
        polar_surface=rdMolDescriptors.CalcTPSA(mol),
        donors=rdMolDescriptors.CalcNumHBD(mol),
    )


def _draw_decoration(rng: Random, ring: Ring) -> Decoration:
    """Put none, one or two substituents on a ring, with the lowest locants that its symmetry allows."""
    draw = rng.random()
    wanted = min(0 if draw < 0.2 else 1 if draw < 0.7 else 2, len(ring.locants))
    free, names, placed = list(ring.locants), tuple(SUBSTITUENTS), []
    for _ in range(wanted):
        locant = free.pop(int(rng.random() * len(free)))
        placed.append((names[int(rng.random() * len(names))], locant))
    return min(_in_name_order(placed), _in_name_order(_mirrored(ring, placed)), key=_lowest_locants)


def _mirrored(ring: Ring, placed: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(name, ring.mirror[locant]) for name, locant in placed] if ring.mirror else placed


def _in_name_order(placed: list[tuple[str, int]]) -> Decoration:
    return tuple(sorted(placed, key=lambda item: (item[0].strip("()"), item[1])))


def _lowest_locants(decoration: Decoration) -> tuple[list[int], list[int]]:
    locants = [locant for _, locant in decoration]
    return sorted(locants), locants


def substituent_name(ring: Ring, decoration: Decoration) -> str:
    """Name a decorated ring: `3-chloro-4-methylphenyl`, `2,6-dichloropyridin-4-yl`."""
    if len(decoration) == 2 and decoration[0][0] == decoration[1][0]:
        (name, first), (_, second) = decoration
        prefix = f"{first},{second}-{'bis' if name.startswith('(') else 'di'}{name}"
    else:
        prefix = "-".join(f"{locant}-{name}" for name, locant in decoration)
    return prefix + ("-" if prefix and ring.name[0].isdigit() else "") + ring.name


def _assemble(linker: Linker, left: Ring, on_left: Decoration, right: Ring, on_right: Decoration) -> str:
    return f"{linker.pattern}.{_ring_smiles(left, '%91', on_left)}.{_ring_smiles(right, '%92', on_right)}"


def _ring_smiles(ring: Ring, link: str, decoration: Decoration) -> str:
    carried = [""] * 9  # by locant
    for name, locant in decoration:
        carried[locant] = f"({SUBSTITUENTS[name]})"
    return ring.pattern.format(*carried, link=link)
