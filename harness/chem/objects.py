"""Pairs out of JSON objects: plain pairs, conversations, instructions; and out of Parquet tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from harness import DataError
from harness.data.json_items import Item, read_items
from harness.data.parquet import parquet_columns, read_parquet
from harness.data.text_lines import Fault, shown

from .raw_row import PairFile, RawRow, columns
from .smiles import has_smiles_syntax, of_selfies

Reader = Callable[[Item], RawRow]
_SELFIES = re.compile(r"(\[[^\[\]\s]+\]|\.)+")
_PEEKED = 64  # questions that are compared to tell their shared prompt from what they ask about


def open_json(path: Path, named: Mapping[str, str] | None = None) -> PairFile:
    """Recognise what the objects of a JSON file are by the keys of the first good one."""
    first = next((item for item in read_items(path) if item.fault is None), None)
    if first is None:
        raise DataError(f"{path}: expected objects with a SMILES and a caption, found none")
    keys = list(first.value)
    if found := columns(keys, named):
        form = f"JSON pairs ({', '.join(keys)})"
        return _file(path, form, lambda item: _pair(item, dict(found)))
    if {"input", "output"} <= set(keys):
        form = "JSON instructions (instruction, input, output)"
        return replace(_file(path, form, _instruction), names_splits=True)
    if key := next((key for key in ("conversation", "conversations") if key in keys), None):
        return _questions(path, f"JSON conversations ({key})", lambda value: _turns(value.get(key)))
    if {"question", "answer"} <= set(keys):
        return _questions(
            path, "JSON questions (question, answer)", lambda value: (value["question"], value["answer"])
        )
    raise DataError(
        f"{path}:{first.line}: expected an object with a SMILES and a caption, found keys {', '.join(keys)}",
        hint="keys may be smiles or molecule with description or caption; input and output; conversation(s)",
    )


def _file(path: Path, form: str, read: Reader) -> PairFile:
    return PairFile(path, form, lambda: _read(read_items(path), read))


def _read(items: Iterator[Item], read: Reader) -> Iterator[RawRow]:
    for item in items:
        if item.fault is not None:
            yield RawRow(item.line, fault=item.fault)
            continue
        try:
            yield read(item)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            # the object has another shape than the first one of its file
            reason = f"key {error} missing" if isinstance(error, KeyError) else str(error)
            fault = Fault("shape", "an object like the first one", f"{shown(str(item.value))} ({reason})")
            yield RawRow(item.line, fault=fault)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"'{name}' is {type(value).__name__}, not text")
    return value


def _pair(item: Item, found: dict[str, str]) -> RawRow:
    value = item.value
    cid = value[found["cid"]] if "cid" in found else None
    smiles = _text(value[found["smiles"]], found["smiles"])
    caption = _text(value[found["caption"]], found["caption"])
    return RawRow(item.line, smiles, caption, "" if cid is None else str(cid).strip())


def _instruction(item: Item) -> RawRow:
    asked, answered = _text(item.value["input"], "input"), _text(item.value["output"], "output")
    metadata = item.value.get("metadata")
    split = str(metadata.get("split", "")) if isinstance(metadata, dict) else ""
    molecules = [_molecule(asked), _molecule(answered)]
    if (molecules[0] is None) == (molecules[1] is None):
        raise ValueError("one of input and output must be a molecule")
    caption = asked if molecules[0] is None else answered
    return RawRow(item.line, molecules[0] or molecules[1] or "", caption, split=split)


def _molecule(text: str) -> str | None:
    """Return the SMILES of a text that is a SMILES or, as in Mol-Instructions, a SELFIES."""
    text = text.strip()
    if _SELFIES.fullmatch(text):
        if (decoded := of_selfies(text)) is None:
            raise ValueError(f"not a SELFIES: {shown(text)}")
        return decoded
    return text if has_smiles_syntax(text) else None


def _turns(turns: Any) -> tuple[str, str]:
    if not isinstance(turns, list) or [turn.get("from") for turn in turns] != ["human", "gpt"]:
        raise ValueError("expected one turn from human and one from gpt")
    return _text(turns[0]["value"], "value"), _text(turns[1]["value"], "value")


def _questions(path: Path, form: str, ask: Callable[[dict[str, Any]], tuple[str, str]]) -> PairFile:
    def rows() -> Iterator[RawRow]:
        items = read_items(path)
        head = list(islice(items, _PEEKED))
        asked = []
        for item in head:
            try:
                asked.append(ask(item.value))
            except (KeyError, TypeError, AttributeError, ValueError):
                continue  # reported with its line below
        frame = _frame(path, asked)
        return _read(chain(head, items), lambda item: frame.row(item.line, *ask(item.value)))

    return PairFile(path, form, rows)


@dataclass(frozen=True, slots=True)
class _Frame:
    """The text that all questions of a file share around what they ask about."""

    before: str
    after: str
    wants_molecule: bool

    def row(self, line: int, question: str, answer: str) -> RawRow:
        if not question.startswith(self.before) or not question.endswith(self.after):
            raise ValueError("the question has other words around it")
        asked = question[len(self.before) : len(question) - len(self.after)]
        return RawRow(line, answer, asked) if self.wants_molecule else RawRow(line, asked, answer)


def _frame(path: Path, asked: list[tuple[str, str]]) -> _Frame:
    if not asked:
        raise DataError(f"{path}: expected one question and one answer in each object, found none")
    questions = [question for question, _ in asked]
    wants_molecule = 2 * sum(_is_molecule(answer) for _, answer in asked) > len(asked)
    before = _shared_start(questions)
    if wants_molecule:
        # captions begin alike, so the prompt ends at a line break (some files spell it \n) or a colon
        ends = [match.end() for match in re.finditer(r"\n|\\n", before)] or [
            match.end() for match in islice(re.finditer(r": ", before), 1)
        ]
        if not ends:
            raise DataError(
                f"{path}: cannot tell the prompt from the caption in {shown(questions[0])}",
                hint="end the prompt with a line break or a colon, or use a form with one column each",
            )
        return _Frame(before[: ends[-1]], "", wants_molecule)
    spaces = [match.end() for match in re.finditer(r"\s|\\n", before)]
    before = before[: spaces[-1]] if spaces else ""
    rests = [question[len(before) :] for question in questions]
    after = _shared_start([rest[::-1] for rest in rests])[::-1]
    space = re.search(r"\s|\\n", after)
    return _Frame(before, after[space.start() :] if space else "", wants_molecule)


def _is_molecule(text: str) -> bool:
    return "{|" in text or has_smiles_syntax(text.strip().replace("\\\\", "\\"))


def _shared_start(texts: list[str]) -> str:
    low, high = min(texts), max(texts)
    return low[: next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), len(low))]


def open_parquet(path: Path, named: Mapping[str, str] | None = None) -> PairFile:
    """Read a Parquet table as the hub serves it."""
    names = parquet_columns(path)
    found = columns(names, named)
    if found is None:
        raise DataError(f"{path}: expected a SMILES and a caption column, found {', '.join(names)}")

    def rows() -> Iterator[RawRow]:
        values = read_parquet(path, 4096, list(found.values()))
        items = (Item(number, value) for number, value in enumerate(values, start=1))
        return _read(items, lambda item: _pair(item, dict(found)))

    return PairFile(path, f"Parquet ({', '.join(names)})", rows)
