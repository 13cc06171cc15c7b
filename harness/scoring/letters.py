"""Which choices an answer names: one reader for all that models write where a letter is wanted.

What an answer names is looked for from the plainest place to the least plain, and the first place that
names anything decides: letters and nothing else; a sentence that states the answer; a sentence that calls
choices right; a label before a line; the text of a choice; a letter that alone stands apart. A field made
for the answer (a tag, JSON, a LaTeX box) is read before the text around it. Nothing is guessed: what
declines, names a choice that is not there or thinks without end names none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from . import phrases as say
from .alphabet import LETTERS
from .fields import answer_fields
from .plain import before_run_on, plain, tidy

UNKNOWN = 10  # letters that are looked for where nobody says how many choices there are
LONGEST_LINE = 1000  # characters of a line that are looked at
IN_A_RUN = "ABCDEFG"  # letters that may follow one another without a sign between them


@dataclass(frozen=True, slots=True)
class Reading:
    """The letters an answer names, in its order and each once, by which rule, and whether it declines."""

    letters: str = ""
    rule: str = ""
    declined: bool = False


def read_letters(answer: str, choices: Sequence[str] = ()) -> Reading:
    """Return the choices that an answer names; with the choices at hand their texts count as well."""
    whole = tidy(answer)
    for value in map(plain, answer_fields(whole)):
        found = _read(value, choices, inside_field=True)
        if found.letters or found.declined or not value or say.LABEL.match(value):
            return found
    text = plain(whole)
    head = before_run_on(text)
    found = _read(head, choices)
    return found if found.letters or head == text else _read(text, choices)


def letters(answer: str, choices: Sequence[str] = ()) -> str:
    """Return the letters that an answer names."""
    return read_letters(answer, choices).letters


def _read(text: str, choices: Sequence[str], *, inside_field: bool = False) -> Reading:
    known = LETTERS[: len(choices) or UNKNOWN]
    text = say.SMALL_CALLED.sub(lambda found: found[1] + found[2] + found[3].upper(), text)
    for name, rule in _RULES.items():
        found = rule(text, choices)
        if not found and inside_field and name == "label":
            found = "".join(letter for _, letter in _labels(text))
        if found and set(found) <= set(known):
            return Reading("".join(dict.fromkeys(found)), name)
    return Reading(declined=bool(say.DECLINED.search(text)))


def _bare(text: str, choices: Sequence[str]) -> str:
    """Letters and nothing else, on the first line or the last."""
    lines = [_only_letters(line) for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    found = "".join(lines) if all(lines) and len(set(lines)) > 1 else lines[0] or lines[-1]
    return "" if found == "I" and len(choices) < LETTERS.index("I") else found  # a word, cut off


def _only_letters(line: str) -> str:
    line = say.AROUND_LETTERS.sub("", line)
    if len(line) == 1:
        return line.upper() if line.upper() in LETTERS else ""
    if line != "N/A" and say.ONLY_LETTERS.fullmatch(line):
        return _capitals(line)
    return (
        line
        if _is_run(line)
        else line[:1]
        if line and not line.strip(line[0]) and line[0] in IN_A_RUN
        else ""
    )


def _is_run(word: str) -> bool:
    """Whether a word is several letters and no word: they ascend."""
    return len(word) > 1 and set(word) <= set(IN_A_RUN) and list(word) == sorted(set(word))


def _capitals(text: str) -> str:
    return re.sub(r"[^A-Z]", "", say.LINK.sub(" ", text))


def _stated(text: str, choices: Sequence[str]) -> str:
    """What the last sentence says that states the answer, of the most explicit kind there is."""
    for cues in say.STATED:
        statements = [
            (cue.end(), found)
            for cue, weak in _matches(cues, text)
            if not _is_supposed(text, cue.start(), cue.end())
            and not say.DENIED.search(cue.group())
            and (found := _named_at(text, cue.end(), choices, weak=weak))
        ]
        if statements:
            return max(statements)[1]
    return ""


def _matches(cues: Iterable[say.Cue], text: str) -> Iterable[tuple[re.Match[str], bool]]:
    return ((found, cue.weak) for cue in cues for found in cue.words.finditer(text))


def _is_supposed(text: str, start: int, end: int) -> bool:
    """Whether a sentence supposes something up to a place, and does not conclude anything from it there."""
    before = _sentence_before(text, start)
    supposed = say.SUPPOSED.search(before)
    return supposed is not None and not say.CONCLUDES.search(before + text[start:end], supposed.end())


def _sentence_before(text: str, place: int) -> str:
    return re.split(r"[.!?。！？\n]", text[max(place - 300, 0) : place])[-1]


def _near_before(text: str, place: int) -> str:
    return text[max(place - say.NEAR, 0) : place]


def _line_from(text: str, place: int) -> str:
    return text[place : place + LONGEST_LINE].split("\n", 1)[0]


def _named_at(text: str, place: int, choices: Sequence[str], *, weak: bool) -> str:
    filler = say.FILLER.match(text, place)
    for start in dict.fromkeys((filler.end() if filler else place, place)):
        found = _list_at(text, start, weak=weak) or ("" if weak else _choice_at(text, start, choices))
        if found:
            return found
    return ""


def _list_at(text: str, start: int, *, weak: bool) -> str:
    line = _line_from(text, start)
    if len(several := _only_letters(line)) > 1 and line[:1].isupper():
        return several
    found = say.LETTER_LIST.match(text, start)
    if not found or (start and say.PART_OF_WORD.match(text[start - 1])):
        small = say.SMALL_LETTER.match(text, start)
        return small.group(1).upper() if small else ""
    named = _capitals(found.group())
    no_run = (
        found.group(1) is None
        and not _is_run(named)
        and not say.CHINESE.search(text[max(start - 8, 0) : start])
    )
    if no_run or _is_word(text, found, named) or say.CALLED_WRONG.match(text, found.end()):
        return ""
    if weak and not (found.group(1) and say.ENDS_LIKE_A_CHOICE.match(text, found.end(1))):
        return ""
    return named + _labels_after(text, found)


def _labels_after(text: str, found: re.Match[str]) -> str:
    """The further labels of a list whose items are written out: A. aspirin, C. heparin."""
    if found.group(1) is None or not (label := say.LABEL_SIGN.match(text, found.end(1))):
        return ""
    begins_line = not _near_before(text, found.start()).rpartition("\n")[2].strip()
    listed = say.LABELLED_LINES.match(text, label.end()) if begins_line else None
    return "".join(say.FURTHER_LABEL.findall(listed.group() if listed else _line_from(text, label.end())))


def _is_word(text: str, found: re.Match[str], named: str) -> bool:
    """Whether what looks like a letter is a word of the sentence, or part of a name."""
    if named in ("A", "I") and found.end() == found.end(1) and say.WORD_FOLLOWS.match(text, found.end()):
        if not (named == "A" and say.AFTER_CHOICE_A.match(text, found.end())):
            return True
    before = _near_before(text, found.start())
    return bool(say.NAMED_AFTER.match(text, found.end()) or say.NAMED_BEFORE.search(before))


def _choice_at(text: str, start: int, choices: Sequence[str]) -> str:
    rest = _key(_line_from(text, start))
    starting = [(len(_key(c)), i) for i, c in enumerate(choices) if _begins(rest, _key(c))]
    return LETTERS[max(starting)[1]] if starting else ""


def _key(text: str) -> str:
    """Return a text as it is compared with the texts of choices."""
    return " ".join(re.sub(r"[^\w\s%+./-]|-(?!\d)", " ", text.casefold()).split())


def _begins(text: str, choice: str) -> bool:
    if len(choice) < 2 or not text.startswith(choice):
        return False
    return not (choice[-1].isalnum() and choice.isascii() and text[len(choice) : len(choice) + 1].isalnum())


def _called_right(text: str, choices: Sequence[str]) -> str:
    """The choices that are called right, one after another."""
    return "".join(
        _capitals(item.group())
        for item in say.LIST_APART.finditer(text)
        if not _is_supposed(text, item.start(), item.start())
        and not say.DENIED.search(_near_before(text, item.start()))
        and not say.NAMED_BEFORE.search(_near_before(text, item.start()))
        and say.CALLED_RIGHT.match(text, item.end())
    )


def _found_right(text: str, choices: Sequence[str]) -> str:
    """Those that are right, where several choices stand with what is thought of each and nothing else."""
    found = list(say.VERDICT.finditer(text))
    named = [item.group(1).upper() for item in found]
    if len(set(named)) < 2 or len(set(named)) < len(named) or say.VERDICT.sub("", text).strip():
        return ""
    return "".join(letter for letter, item in zip(named, found, strict=True) if item.group(2))


def _labelled(text: str, choices: Sequence[str]) -> str:
    """The label that begins the answer, or the only one before a line; an echo of the choices is none."""
    labels = _labels(text)
    named = list(dict.fromkeys(letter for _, letter in labels))
    if not labels or _is_echo(named, choices):
        return ""
    if text[: labels[0][0]].strip():
        return named[0] if len(named) == 1 else ""
    lines = sum(bool(line.strip()) for line in text.splitlines())
    if len(labels) == lines > 1:
        return "".join(named)
    found = say.LETTER_LIST.match(text, text.find(named[0]))
    return named[0] + (_labels_after(text, found) if found and lines == 1 else "")


def _labels(text: str) -> list[tuple[int, str]]:
    return [
        (item.start(), item.group(1).upper())
        for item in say.LABEL.finditer(text)
        if not say.NAMED_AFTER.match(text, item.end(1))
        and not say.CALLED_WRONG.match(text, _end_of_list(text, item))
        and not say.LABELLED_WRONG.match(text, item.end(1))
        and not (item.group(1) in "AI" and say.WORD_OR_NOTHING[item.group(1)].match(text, item.end(1)))
        and (item.group(1).isupper() or re.match(r"\)|\.\s", text[item.end(1) :][:2]))
    ]


def _end_of_list(text: str, label: re.Match[str]) -> int:
    found = say.LETTER_LIST.match(text, label.start(1))
    return found.end() if found else label.end(1)


def _is_echo(named: Sequence[str], choices: Sequence[str]) -> bool:
    count = len(choices) or len(named)
    return len(named) == count and len(named) > 2 and "".join(named) == LETTERS[: len(named)]


def _of_choice(text: str, choices: Sequence[str]) -> str:
    """The choice whose text the answer is, begins with, or alone mentions."""
    keys = {LETTERS[i]: _key(choice) for i, choice in enumerate(choices[: len(LETTERS)])}
    said, head = _key(text), _key(re.split(r"[,.;:!\n。]|\s-", text, maxsplit=1)[0])
    for part in (said, head):
        if equal := [letter for letter, key in keys.items() if key == part]:
            return equal[0]
    present = {letter: key for letter, key in keys.items() if _mentions(said, key)}
    if len(present) > 1:
        present = {letter: key for letter, key in present.items() if not _is_turned_down(said, key)}
    longest = [x for x, key in present.items() if not any(key != o and key in o for o in present.values())]
    return longest[0] if len(longest) == 1 and not say.DECLINED.search(text) else ""


def _mentions(text: str, choice: str) -> bool:
    if len(choice) < 2:
        return False
    return f" {choice} " in f" {text.replace('.', ' ')} " if choice.isascii() else choice in text


def _is_turned_down(text: str, choice: str) -> bool:
    """Whether a choice is named only to say that it is not the one."""
    places = [found.start() for found in re.finditer(re.escape(choice), text)]
    return all(say.TURNED_DOWN.search(_near_before(text, place)) for place in places)


def _apart(text: str, choices: Sequence[str]) -> str:
    """The only letter that stands apart from words, unless the answer declines."""
    found = {
        item.group(1)
        for item in say.LETTER.finditer(text)
        if item.group(1) != "I"
        and not _is_word(text, item, item.group(1))
        and not say.DENIED.search(_near_before(text, item.start()))
        and not say.SUPPOSED.search(re.split(r"[,;]", _sentence_before(text, item.start()))[-1])
        and not say.CALLED_WRONG.match(text, item.end())
    }
    return found.pop() if len(found) == 1 and not say.DECLINED.search(text) else ""


_RULES: dict[str, Callable[[str, Sequence[str]], str]] = {
    "bare": _bare,
    "stated": _stated,
    "called right": _called_right,
    "verdicts": _found_right,
    "label": _labelled,
    "choice": _of_choice,
    "apart": _apart,
}
