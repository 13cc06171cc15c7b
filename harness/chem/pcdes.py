"""PCdes as KV-PLM publishes it: captions under their CID, and questions about a SMILES."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from harness import DataError
from harness.data.text_lines import Fault, Line, read_lines, shown

from .raw_row import PairFile, RawRow

_NUMBER = re.compile(r"【(\d+)】")
_OPTION = re.compile(r"([A-D])\. (.+)")


def open_pcdes(path: Path) -> PairFile | None:
    """Recognise a CID line followed by a caption line, or numbered questions with options A to D."""
    head = [line.text.strip() for line in islice(read_lines(path), 4)]
    if head and _NUMBER.fullmatch(head[0]):
        return PairFile(path, "PCdes questions (SMILES and four sentences)", lambda: _questions(path))
    if len(head) > 1 and head[0].isdecimal() and " " in head[1]:
        gives = frozenset({"cid", "caption"})
        return PairFile(path, "PCdes captions (CID and caption in turn)", lambda: _captions(path), gives)
    return None


def _captions(path: Path) -> Iterator[RawRow]:
    lines = read_lines(path)
    for cid in lines:
        caption = next(lines, None)
        if caption is None:
            yield RawRow(cid.number, fault=Fault("cut off", "a caption after the CID", "the end of the file"))
        elif fault := cid.fault or caption.fault:
            yield RawRow(cid.number, fault=fault)
        else:
            yield RawRow(cid.number, caption=caption.text, cid=cid.text.strip())


def _questions(path: Path) -> Iterator[RawRow]:
    answers = _answers(path)
    for count, lines in enumerate(_blocks(path)):
        fields = dict(line.text.split(": ", 1) for line in lines if ": " in line.text[:14])
        options = {m[1]: m[2] for line in lines if (m := _OPTION.fullmatch(line.text.strip()))}
        number, start = _NUMBER.fullmatch(lines[0].text.strip()), lines[0].number
        fault = next((line.fault for line in lines if line.fault), None)
        if fault is None and (number is None or int(number[1]) != count or len(options) != 4):
            fault = Fault("shape", f"question 【{count}】 with options A to D", shown(lines[0].text))
        answer = answers[count].text.strip() if count < len(answers) else "nothing"
        if fault is None and answer not in options:
            fault = Fault("answer", f"A, B, C or D on line {count + 1} of the answers", shown(answer))
        if fault is not None:
            yield RawRow(start, fault=fault)
        else:
            yield RawRow(start, fields.get("SMILES", ""), options[answer], fields.get("PubChem ID", ""))


def _blocks(path: Path) -> Iterator[list[Line]]:
    block: list[Line] = []
    for line in read_lines(path):
        if _NUMBER.fullmatch(line.text.strip()) and block:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _answers(path: Path) -> list[Line]:
    answers = path.with_name(path.name.replace("_for_human", "_human_ans"))
    if answers == path or not answers.is_file():
        raise DataError(
            f"{path}: expected its answers in {answers.name} beside it, found no such file",
            hint="KV-PLM publishes PCdes_for_human0725.txt together with PCdes_human_ans0725.txt",
        )
    return list(read_lines(answers))
