"""The forms in which medical questions are published, each brought into a `Question`.

Fields are known by their names: what is asked (`question`, `QUESTION`, `body`, …), the options (a mapping,
a list, a text of lines, or a field a letter) and the answer (letters, a number, or the text of an option).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import normalize

from harness.data.text_lines import Fault, shown
from harness.scoring.alphabet import LETTERS

from .question import Question

Fields = Mapping[str, Any]

_QUESTION = ("question", "QUESTION", "Question", "body", "instruction", "input", "questions", "问", "content")
_OPTIONS = ("options", "option", "choices", "Options")
_ANSWER = ("answer_idx", "cop", "answer", "Answer", "final_decision", "exact_answer", "label")
_FREE = ("answers", "answer", "output", "target", "long_answer", "LONG_ANSWER", "答")
_CONTEXT = ("context", "CONTEXTS", "snippets")
_ID = ("id", "pubid", "sample_id", "qid", "question_id")
_SET = ("source", "dataset")
_SUBJECT = ("subject", "exam_subject", "subject_name", "task_dataset", "Clinical Department", "meta_info")
_MEDMCQA = ("opa", "opb", "opc", "opd")
_LINE = re.compile(r"^\s*[(（]?([A-ZＡ-Ｚ])[)）.．、:：\s]\s*", re.MULTILINE)
_WIDE = re.compile("[Ａ-Ｚ]")
_YES_NO = {"final_decision": ("yes", "no", "maybe"), "exact_answer": ("yes", "no")}


def with_plain_letters(fields: Fields) -> tuple[Fields, list[Fault]]:
    """Return a row whose options are under letters of normal width, and what was found that was not."""
    wide = [str(key) for keys in (fields, *_mappings(fields)) for key in keys if _WIDE.fullmatch(str(key))]
    if not wide:
        return fields, []
    made = {name: _narrow(value) if isinstance(value, Mapping) else value for name, value in fields.items()}
    return _narrow(made), [Fault("full-width letters", "letters of normal width", ", ".join(wide))]


def _mappings(fields: Fields) -> list[Mapping[Any, Any]]:
    return [value for name in _OPTIONS if isinstance(value := fields.get(name), Mapping)]


def _narrow(fields: Mapping[Any, Any]) -> dict[str, Any]:
    return {normalize("NFKC", key) if _WIDE.fullmatch(key := str(k)) else key: v for k, v in fields.items()}


def read_question(fields: Fields, *, first: int = 0) -> Question | Fault:
    """Return the question of a row, or why it has none; `first` is the number of the first option."""
    text = _text(fields, _QUESTION)
    if text is None:
        return Fault(
            "form", f"a field such as {', '.join(_QUESTION[:3])}", ", ".join(map(str, fields)) or "nothing"
        )
    choices = _choices(fields)
    if isinstance(choices, Fault):
        return choices
    right = _right(fields, choices, first) if choices else ""
    if isinstance(right, Fault):
        return right
    return Question(
        text,
        choices,
        right,
        () if choices else _answers(fields),
        _context(fields),
        str(_first(fields, _ID) or ""),
        str(_first(fields, _SET) or ""),
        str(_first(fields, _SUBJECT) or ""),
        _several(fields),
    )


def _first(fields: Fields, names: Sequence[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) not in (None, "")), None)


def _text(fields: Fields, names: Sequence[str]) -> str | None:
    for name in names:
        value = fields.get(name)
        while isinstance(value, list) and value:  # Huatuo-26M holds lists of ways to ask
            value = value[0]
        if value and isinstance(value, str):
            return value
    return "" if any(name in fields for name in names) else None


def _choices(fields: Fields) -> tuple[str, ...] | Fault:
    for name in _OPTIONS:
        if fields.get(name):
            return _listed(name, fields[name])
    if all(name in fields for name in _MEDMCQA):
        return tuple(str(fields[name] or "") for name in _MEDMCQA)
    if "A" in fields and "B" in fields:
        return tuple(str(fields[letter]) for letter in LETTERS if fields.get(letter) is not None)
    for name, choices in _YES_NO.items():
        if name in fields and (name != "exact_answer" or fields.get("type") == "yesno"):
            return choices
    return ()


def _listed(name: str, value: Any) -> tuple[str, ...] | Fault:
    if isinstance(value, str):
        return _lines(value) or Fault("form", f"lines that begin with letters in '{name}'", shown(value))
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        value = {str(item.get("key", "")): item.get("value") for item in value}
    if isinstance(value, Mapping):
        named = {str(key).strip(): text for key, text in value.items() if text is not None}
        letters = [key for key in LETTERS if key in named]
        if len(letters) != len(named) or "".join(letters) != LETTERS[: len(letters)]:
            return Fault("form", f"the letters A, B, … in '{name}'", ", ".join(named))
        return tuple(str(named[letter]) for letter in letters)
    if isinstance(value, list):
        return tuple(map(str, value))
    return Fault("form", f"options in '{name}'", shown(repr(value)))


def _lines(text: str) -> tuple[str, ...]:
    """Split a text into its lettered lines; a full stop that ends each of them is the file's, not theirs."""
    starts = list(_LINE.finditer(text))
    ends = [found.start() for found in starts[1:]] + [len(text)]
    parts = [text[found.end() : end].strip() for found, end in zip(starts, ends, strict=True)]
    if parts and all(part.endswith(".") for part in parts):
        parts = [part.removesuffix(".").rstrip() for part in parts]
    return tuple(parts)


def _right(fields: Fields, choices: Sequence[str], first: int) -> str | Fault:
    value = _first(fields, _ANSWER)
    if isinstance(value, list):
        value = (
            "".join(map(str, value)) if all(isinstance(v, str) and len(v) == 1 for v in value) else value[:1]
        )
        value = value[0] if isinstance(value, list) and value else value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return Fault("no answer", "letters, a number or the text of an option", shown(repr(value)))
    if not isinstance(value, str) or (value.strip().isdigit() and value.strip() not in choices):
        return _numbered(int(value) - first, choices)
    return _named(value, choices)


def _numbered(place: int, choices: Sequence[str]) -> str | Fault:
    if place == -1:  # how a test set without answers is published
        return ""
    if 0 <= place < len(choices):
        return LETTERS[place]
    return Fault("answer out of options", f"one of {len(choices)} options", f"number {place + 1}")


def _named(value: str, choices: Sequence[str]) -> str | Fault:
    lower = [choice.strip().casefold() for choice in choices]
    if value.strip().casefold() in lower:
        return LETTERS[lower.index(value.strip().casefold())]
    letters = re.sub(r"[\s(（)）,，、;；.．]", "", value)
    if re.fullmatch("[A-ZＡ-Ｚ]+", letters):
        return "".join(sorted(set(letters)))
    return Fault("answer out of options", "letters, or the text of an option", shown(value))


def _answers(fields: Fields) -> tuple[str, ...]:
    value = _first(fields, _FREE)
    if isinstance(value, str):
        return (value,)
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _context(fields: Fields) -> str:
    value = _first(fields, _CONTEXT)
    if isinstance(value, Mapping):  # PubMedQA as the hub has it
        value = value.get("contexts")
    if isinstance(value, list):
        value = "\n".join(part if isinstance(part, str) else str(part.get("text", "")) for part in value)
    return value if isinstance(value, str) else ""


def _several(fields: Fields) -> bool | None:
    """Whether the row says that several options may be right, where it says."""
    said = str(fields.get("question_type") or "")  # CMB; MedMCQA's `choice_type` does not mean this
    return True if "多" in said else False if "单" in said else None
