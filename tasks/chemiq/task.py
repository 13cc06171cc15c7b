"""The questions of ChemIQ, out of its one file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import DataError, Example, PromptFormat, Request, Task
from harness.data.json_items import Item, read_items
from harness.data.text_lines import shown

FILE = "chemiq.jsonl"
METHODS = ("exact_match", "list_of_tuples", "range", "canonical_smi_match", "opsin")
_RANGE = re.compile(r"\(\s*(-?[0-9.]+)\s*,\s*(-?[0-9.]+)\s*\)")
_TAGS = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


class ChemIQ(Task):
    """Questions with one right answer, or a range of them; there is nothing to learn from."""

    metrics = ("accuracy@chemiq",)
    prompt_format = PromptFormat("chemiq", "{question}")
    sources: Mapping[str, str] = {"dir": f"{FILE}, or the folder that holds it"}
    files: Mapping[str, str] = {FILE: "816 questions in eight categories"}
    homepage = "https://github.com/oxpig/ChemIQ"
    licence = "BSD-3-Clause"
    citation = "Runcie et al., Assessing the Chemical Intelligence of Large Language Models, arXiv:2505.07735"

    def splits(self) -> tuple[str, ...]:
        """Name the one split."""
        return ("test",)

    def examples(self, split: str) -> Iterator[Example]:
        """Yield the questions in the order of the file."""
        source = Path(self.data.source)
        path = source / FILE if source.is_dir() else source
        if split != "test":
            raise DataError(f"ChemIQ has no split '{split}'", hint="it has test, and nothing to learn from")
        return (_example(item, path) for item in read_items(path))

    def answer(self, text: str, request: Request) -> str:
        """Read what stands in the tags of an answer, or all."""
        found = _TAGS.search(text)
        return (found[1] if found else text).strip().rstrip(".")


def _example(item: Item, path: Path) -> Example:
    if item.fault is not None:
        raise item.fault.at(path, item.line)
    row = item.value
    for name in ("uuid", "question_category", "prompt", "verification_method"):
        if not isinstance(row.get(name), str):
            raise _wrong(path, item, f"a text as '{name}'", repr(row.get(name)))
    method, bounds = row["verification_method"], str(row.get("answer_range"))
    if method not in METHODS:
        raise _wrong(path, item, f"one of {', '.join(METHODS)}", method)
    if not isinstance(row.get("answer"), str | int | float):
        raise _wrong(path, item, "an answer", repr(row.get("answer")))
    meta = {"category": row["question_category"], "method": method}
    if method == "range":
        if (found := _RANGE.fullmatch(bounds)) is None:
            raise _wrong(path, item, "a range such as (1.5, 2.5)", bounds)
        meta |= {"low": float(found[1]), "high": float(found[2])}
    return Example(row["uuid"], {"question": row["prompt"]}, (str(row["answer"]),), meta)


def _wrong(path: Path, item: Item, expected: str, found: str) -> DataError:
    return DataError(f"{path}:{item.line}: expected {expected}, found {shown(found)}")
