"""What S²-Bench counts, as measures of ours: elements, bonds, and its SMARTS of functional groups."""

from __future__ import annotations

from collections.abc import Mapping

ELEMENTS: Mapping[str, str] = {
    "carbon": "C",
    "oxygen": "O",
    "nitrogen": "N",
    "sulfur": "S",
    "fluorine": "F",
    "chlorine": "Cl",
    "bromine": "Br",
    "iodine": "I",
    "phosphorus": "P",
    "boron": "B",
    "silicon": "Si",
    "selenium": "Se",
    "tellurium": "Te",
    "arsenic": "As",
    "antimony": "Sb",
    "bismuth": "Bi",
    "polonium": "Po",
}
BONDS = ("single", "double", "triple", "rotatable", "aromatic")
# Of two patterns the matches of the second are taken off.
GROUPS: Mapping[str, str] = {
    "benzene ring": "[cR1]1[cR1][cR1][cR1][cR1][cR1]1",
    "hydroxyl": "[OX2H]",
    "anhydride": "[CX3](=[OX1])[OX2][CX3](=[OX1])",
    "aldehyde": "[CX3H1](=O)[#6]",
    "ketone": "[#6][CX3](=O)[#6]",
    "carboxyl": "[CX3](=O)[OX2H1]",
    "ester": "[#6][CX3](=O)[OX2H0][#6]",
    "amide": "[NX3][CX3](=[OX1])[#6]",
    "amine": "[NX3;H2,H1;!$(NC=O)]",
    "nitro": "[$([NX3](=O)=O),$([NX3+](=O)[O-])][!#8]",
    "halo": "[F,Cl,Br,I]",
    "nitrile": "[NX1]#[CX2]",
    "thiol": "[#16X2H]",
    "sulfide": "[#16X2H0] [#16X2H0][#16X2H0]",
    "disulfide": "[#16X2H0][#16X2H0]",
    "sulfoxide": "[$([#16X3]=[OX1]),$([#16X3+][OX1-])]",
    "sulfone": "[$([#16X4](=[OX1])=[OX1]),$([#16X4+2]([OX1-])[OX1-])]",
    "borane": "[BX3]",
    "thioether": "[SX2][CX4]",
}
COUNTED = ("benzene rings", *(name for name in GROUPS if name not in ("benzene ring", "thioether")))
