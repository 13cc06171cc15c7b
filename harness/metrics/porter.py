"""Porter's stemmer with NLTK's extensions, equal to `nltk.stem.PorterStemmer` on every string.

METEOR's published numbers rest on that variant: a pool of irregular forms, words of one or two letters
left alone, `y` turned to `i` only behind a consonant, and the steps otherwise as Porter described them
(Program 14.3, 1980). Suffix rules are tried in order and the first suffix that fits decides.
"""

from __future__ import annotations

_IRREGULAR = {
    "sky": "sky",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}

_STEP_2 = (
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("fulli", "ful"),
    ("logi", "log"),
)
_STEP_3 = (
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
)
_STEP_4 = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion"),
    *("ou", "ism", "ate", "iti", "ous", "ive", "ize"),
)

_Rule = tuple[str, str]


def _by_last_two(rules: tuple[_Rule, ...]) -> dict[str, tuple[_Rule, ...]]:
    endings = {suffix[-2:] for suffix, _ in rules}
    return {end: tuple(rule for rule in rules if rule[0].endswith(end)) for end in endings}


_STEP_2_BY_END = _by_last_two(_STEP_2)
_STEP_3_BY_END = _by_last_two(_STEP_3)
_STEP_4_BY_END = _by_last_two(tuple((suffix, "") for suffix in _STEP_4))

# The letters that a rule's suffix ends in; a word that ends in another is its own stem.
_LAST = frozenset(
    suffix[-1] for suffix in (*_STEP_4, *dict((*_STEP_2, *_STEP_3)), "s", "d", "g", "y", "e", "l")
)


def stem(word: str) -> str:
    """Return the stem of a word, which is lower-cased first."""
    lowered = word.lower()
    if lowered in _IRREGULAR:
        return _IRREGULAR[lowered]
    if len(word) <= 2 or lowered[-1] not in _LAST:
        return lowered
    return _step_5(_step_4(_step_3(_step_2(_step_1c(_step_1b(_step_1a(lowered)))))))


def _shape(word: str) -> str:
    """Spell a word as consonants (c) and vowels (v); `y` is a consonant at the start or behind a vowel."""
    plain = word.translate(_SHAPES)
    if "y" not in plain:
        return plain
    letters: list[str] = []
    for letter in plain:
        letters.append(letter if letter != "y" else "v" if letters and letters[-1] == "c" else "c")
    return "".join(letters)


class _Shapes(dict[int, str]):
    def __missing__(self, code: int) -> str:
        return "c"


_SHAPES = _Shapes({**{ord(letter): "v" for letter in "aeiou"}, ord("y"): "y"})


def _measure(word: str) -> int:
    return _shape(word).count("vc")


def _ends_cvc(word: str) -> bool:
    shape = _shape(word)
    if len(word) == 2:
        return shape == "vc"
    return shape.endswith("cvc") and word[-1] not in "wxy"


def _step_1a(word: str) -> str:
    if word[-1] != "s":
        return word
    if word.endswith("ies"):
        return word[:-3] + ("ie" if len(word) == 4 else "i")
    if word.endswith("sses"):
        return word[:-2]
    return word if word.endswith("ss") else word[:-1]


def _step_1b(word: str) -> str:
    if word.endswith("ied"):
        return word[:-3] + ("ie" if len(word) == 4 else "i")
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    if word.endswith("ed"):
        rest = word[:-2]
    elif word.endswith("ing"):
        rest = word[:-3]
    else:
        return word
    if "v" not in _shape(rest):
        return word
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if len(rest) >= 2 and rest[-1] == rest[-2] and _shape(rest)[-1] == "c":
        return rest if rest[-1] in "lsz" else rest[:-1]
    return rest + "e" if _measure(rest) == 1 and _ends_cvc(rest) else rest


def _step_1c(word: str) -> str:
    if word[-1:] == "y" and len(word) > 2 and _shape(word[:-1])[-1] == "c":
        return word[:-1] + "i"
    return word


def _step_2(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _step_2(word[:-2])
    for suffix, replacement in _STEP_2_BY_END.get(word[-2:], ()):
        if word.endswith(suffix):
            # The l of -logi stays with the stem, so that short stems such as geo- count.
            rest = word[:-3] if suffix == "logi" else word[: -len(suffix)]
            return word[: -len(suffix)] + replacement if _measure(rest) > 0 else word
    return word


def _step_3(word: str) -> str:
    for suffix, replacement in _STEP_3_BY_END.get(word[-2:], ()):
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            return rest + replacement if _measure(rest) > 0 else word
    return word


def _step_4(word: str) -> str:
    for suffix, _ in _STEP_4_BY_END.get(word[-2:], ()):
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            keep = _measure(rest) <= 1 or (suffix == "ion" and rest[-1] not in "st")
            return word if keep else rest
    return word


def _step_5(word: str) -> str:
    if word.endswith("e"):
        rest = word[:-1]
        measure = _measure(rest)
        if measure > 1 or (measure == 1 and not _ends_cvc(rest)):
            word = rest
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
