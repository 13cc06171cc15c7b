"""Decoding that can only spell SMILES: atoms, bonds, branches, rings and brackets in their places.

What is enforced is the syntax: every bracket and branch is closed and every ring bond has its partner
before a text may end. Valences, aromaticity and ring size are left to the model. A text that is cut by
the token limit may still be open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from .jobs import Decode, Hypothesis

ELEMENTS = frozenset(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb "
    "Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db "
    "Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og b c n o p s as se te *".split()
)
ORGANIC = frozenset("BCNOPSFI*bcnops")
BONDS = frozenset("-=#$:/\\")
DIGITS = frozenset("0123456789")
ENDING = frozenset({"atom", "atom-C", "atom-B", "branched"})  # modes in which a text may end

# what may follow inside a bracket, by what stands there already
_BRACKET = {
    "symbol": "@H+-:]",
    "chiral": "@H+-:]",
    "chiral2": "H+-:]",
    "hydrogen": "0123456789+-:]",
    "hydrogens": "+-:]",
    "plus": "0123456789+:]",
    "minus": "0123456789-:]",
    "charge": "0123456789:]",
    "map": "0123456789",
    "mapped": "0123456789]",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What reading a token does: the mode after it, branches it opens and closes, ring bonds it names."""

    mode: str
    depth: int
    lowest: int
    rings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Where a text stands: mode, open branches, open ring bonds."""

    mode: str = "start"
    depth: int = 0
    rings: frozenset[str] = frozenset()


class SmilesGrammar:
    """Masks of the tokens that may follow, for one vocabulary."""

    def __init__(
        self, decode: Decode, tokens: int, vocabulary: int, special: Sequence[int], eos: Sequence[int]
    ) -> None:
        """Read the texts of `tokens` tokens; the model may have logits for more, which are never allowed."""
        hidden = set(special)
        plain = [token for token in range(min(tokens, vocabulary)) if token not in hidden]
        # a token's text depends on whether another stands before it, so each is read after an anchor
        anchor = next(token for token in plain if decode([token]).strip())
        prefix = decode([anchor])
        self._first = {token: decode([token]) for token in plain}
        self._later = {token: decode([anchor, token])[len(prefix) :] for token in plain}
        self._eos = torch.zeros(vocabulary, dtype=torch.bool)
        self._eos[list(eos)] = True
        self._tables: dict[tuple[str, bool], tuple[dict[int, Effect], torch.Tensor]] = {}

    def allowed(self, hypothesis: Hypothesis) -> torch.Tensor:
        """Return the mask of tokens that may follow; the end of the text where nothing else may."""
        state = self._state(hypothesis)
        if state.mode == "over":
            return self._eos
        _, lowest = self._table(state.mode, first=not hypothesis.tokens)
        mask = lowest <= state.depth
        if state.mode in ENDING and not state.depth and not state.rings:
            return mask | self._eos
        return mask if bool(mask.any()) else self._eos

    def _state(self, hypothesis: Hypothesis) -> State:
        known, state = hypothesis.state or (0, State())
        for place in range(known, len(hypothesis.tokens)):
            effects, _ = self._table(state.mode, first=place == 0)
            effect = effects.get(hypothesis.tokens[place])
            if effect is None:
                state = State("over")
                break
            state = State(effect.mode, state.depth + effect.depth, state.rings ^ _odd(effect.rings))
        hypothesis.state = (len(hypothesis.tokens), state)
        return state

    def _table(self, mode: str, *, first: bool) -> tuple[dict[int, Effect], torch.Tensor]:
        """Return the effects of the tokens that fit a mode, and how many open branches each needs."""
        if (mode, first) not in self._tables:
            pieces = self._first if first else self._later
            effects = {
                token: effect
                for token, piece in pieces.items()
                if (piece or first) and (effect := read(mode, piece)) is not None
            }
            needed = torch.full(self._eos.shape, 1 << 30)
            for token, effect in effects.items():
                needed[token] = -effect.lowest
            self._tables[mode, first] = effects, needed
        return self._tables[mode, first]


def read(mode: str, text: str) -> Effect | None:
    """Follow characters from a mode, or return None where one does not fit."""
    depth = lowest = 0
    rings: list[str] = []
    for char in text:
        following = _next(mode, char)
        if following is None:
            return None
        if mode.startswith("percent-"):
            rings.append(mode[-1] + char)
        elif following == "ring":
            rings.append(char)
        elif following == "open":
            depth += 1
        elif following == "branched":
            depth -= 1
            lowest = min(lowest, depth)
        mode = "atom" if following == "ring" else following
    return Effect(mode, depth, lowest, tuple(rings))


def is_complete(text: str) -> bool:
    """Tell whether a text is a whole SMILES as this grammar knows it."""
    effect = read("start", text)
    return (
        effect is not None
        and effect.mode in ENDING
        and effect.depth == 0
        and effect.lowest == 0
        and not _odd(effect.rings)
    )


def _odd(rings: Sequence[str]) -> frozenset[str]:
    names = [ring.lstrip("0") or "0" for ring in rings]
    return frozenset(name for name in names if names.count(name) % 2)


@cache
def _next(mode: str, char: str) -> str | None:
    """Return the mode after one character, or None; `ring` marks a ring bond that is complete."""
    if mode.startswith("["):
        return _next_in_bracket(mode[1:], char)
    if mode == "percent":
        return f"percent-{char}" if char in DIGITS else None
    if mode.startswith("percent-"):
        return "atom" if char in DIGITS else None
    if mode + char in ("atom-Cl", "atom-Br"):
        return "atom"
    if char in ORGANIC:
        return f"atom-{char}" if char in "CB" else "atom"
    if char == "[":
        return "[start"
    after_atom = mode.startswith("atom")
    if char in DIGITS:
        return "ring" if after_atom or mode == "bond" else None
    if char == "%":
        return "percent" if after_atom or mode == "bond" else None
    if mode == "open":
        return "open-bond" if char in BONDS else None
    if not after_atom and mode != "branched":
        return None
    if char in BONDS:
        return "bond"
    return {"(": "open", ")": "branched", ".": "start"}.get(char)


def _next_in_bracket(mode: str, char: str) -> str | None:
    if mode in ("start", "isotope"):
        if char in DIGITS:
            return "[isotope"
        return f"[{char}" if any(element.startswith(char) for element in ELEMENTS) else None
    if mode not in _BRACKET:  # the first letter of an element
        if mode + char in ELEMENTS:
            return "[symbol"
        return _next_in_bracket("symbol", char) if mode in ELEMENTS else None
    if char not in _BRACKET[mode]:
        return None
    if char in DIGITS:
        return {"hydrogen": "[hydrogens", "map": "[mapped", "mapped": "[mapped"}.get(mode, "[charge")
    follows = {"H": "[hydrogen", "+": "[plus", "-": "[minus", ":": "[map", "]": "atom"}
    return follows.get(char, "[chiral2" if mode == "chiral" else "[chiral")
