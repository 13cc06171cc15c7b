"""A question as a file has it, brought into one form, with what is wrong or odd about it."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.data.text_lines import MOJIBAKE, Fault, shown
from harness.scoring.alphabet import LETTERS

_TAG = re.compile(
    r"</?(?:b|i|u|p|br|hr|sup|sub|span|div|img|table|tr|td|th|font|strong|em|li|ul|ol|a|h\d)\b[^<>]*>", re.I
)
_ENTITY = re.compile(r"&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-f]{1,6});", re.IGNORECASE)
_RAISED = re.compile(r"<sup>\s*([^<]{1,20}?)\s*</sup>", re.IGNORECASE)
_WIDE_LETTER = re.compile("[Ａ-Ｚａ-ｚ]")
_CHINESE = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Question:
    """One row of a file. Without choices it is free-form, and `answers` are the accepted texts.

    `right` are the letters of the right choices as the file gives them. `several` tells whether the file
    says that a question may have several, None where it does not say.
    """

    text: str
    choices: tuple[str, ...] = ()
    right: str = ""
    answers: tuple[str, ...] = ()
    context: str = ""
    id: str = ""
    set: str = ""
    subject: str = ""
    several: bool | None = None

    @property
    def language(self) -> str:
        """The language of the question, by its signs."""
        return "zh" if _CHINESE.search(self.text) else "en"

    @property
    def references(self) -> tuple[str, ...]:
        """The texts that answer it."""
        return tuple(self.choices[LETTERS.index(c)] for c in self.right) if self.choices else self.answers

    @property
    def form(self) -> str:
        """In what form it is asked, for people."""
        return (
            f"questions with {len(self.choices)} options" if self.choices else "questions with free answers"
        )

    @property
    def key(self) -> str:
        """What makes two rows the same question: its text and choices, without spaces and signs."""
        return re.sub(r"[\W_]+", "", "".join((self.text, *self.choices)).casefold())


def cleaned(question: Question) -> tuple[Question, list[Fault]]:
    """Return a question without the artefacts of its file, and each that was found, once."""
    notes: dict[str, Fault] = {}

    def clean(text: str) -> str:
        for kind, pattern, expected in _ODD:
            if found := pattern.search(text):
                notes.setdefault(kind, Fault(kind, expected, shown(found.group())))
        text = _TAG.sub(" ", _RAISED.sub(r"^\1", text)) if "<" in text else text
        return " ".join(html.unescape(text).replace("\u3000", " ").split())

    choices = tuple(map(clean, question.choices))
    while len(choices) > 2 and not choices[-1]:
        notes["empty option"] = Fault("empty option", "a text", f"nothing under {LETTERS[len(choices) - 1]}")
        choices = choices[:-1]
    if (right := unicodedata.normalize("NFKC", question.right)) != question.right:
        notes.setdefault("full-width letters", Fault("full-width letters", right, question.right))
    answers = tuple(text for answer in question.answers if (text := clean(answer)))
    text, context = clean(question.text), clean(question.context)
    made = replace(question, text=text, choices=choices, right=right, answers=answers, context=context)
    return made, list(notes.values())


_ODD = (
    ("HTML", _TAG, "plain text"),
    ("HTML", _ENTITY, "plain text"),
    ("full-width letters", _WIDE_LETTER, "letters of normal width"),
    ("mojibake", MOJIBAKE, "text that was decoded once"),
)


def fault_of(question: Question, *, single: bool) -> Fault | None:
    """Return why a question cannot be scored; `single` sets have one right answer to each."""
    if not question.text:
        return Fault("no question", "a question", "nothing")
    return _fault_of_choices(question, single) if question.choices else _fault_of_answers(question.answers)


def _fault_of_answers(answers: Sequence[str]) -> Fault | None:
    return None if answers else Fault("no answer", "an answer", "nothing")


def _fault_of_choices(question: Question, single: bool) -> Fault | None:
    choices, right = question.choices, question.right
    letters = LETTERS[: len(choices)]
    if len(choices) < 2:
        return Fault("too few options", "at least two options", str(len(choices)))
    if empty := next((letters[i] for i, choice in enumerate(choices) if not choice), ""):
        return Fault("empty option", f"a text under {empty}", "nothing")
    if not right:
        return Fault("no answer", f"a letter of {letters}", "nothing")
    if outside := [letter for letter in right if letter not in letters]:
        return Fault("answer out of options", f"a letter of {letters}", shown("".join(outside)))
    if equal := [letter for letter in right if choices.count(choices[LETTERS.index(letter)]) > 1]:
        return Fault("equal options", f"a text of its own under {equal[0]}", "the text of another option")
    if len(right) > 1 and (single or question.several is False):
        return Fault("several answers", "one letter", shown(right))
    return None
