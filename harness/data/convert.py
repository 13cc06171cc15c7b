"""Conversations in another spelling: one row in, one row out, and what does not fit is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import Message, UsageError
from harness.files.writing import make_folder, writing

from .instructions import Taught, read_instructions
from .text_lines import Fault

Written = Mapping[str, Any] | Fault
SPEAKERS = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}


def sharegpt(row: Taught) -> Written:
    """Turns with `from` and `value`, as ShareGPT and MedicalGPT have them."""
    if any(len(turn.calls) > 1 or (turn.calls and turn.text) for turn in row.turns):
        return Fault("call", "a call a turn, and nothing said beside it", "more in one turn")
    turns = [_turn(turn) for turn in _with_evidence(row)]
    return {"conversations": turns, **({"tools": row.tools} if row.tools else {})}


def messages(row: Taught) -> Written:
    """Turns with `role` and `content`, as OpenAI has them."""
    turns = [{"role": turn.role, "content": turn.text, **_calls(turn)} for turn in _with_evidence(row)]
    return {"messages": turns, **({"tools": json.loads(row.tools)} if row.tools else {})}


def alpaca(row: Taught) -> Written:
    """`instruction`, `input` and `output`, with `system` and `history` where there is more."""
    system, pairs = _pairs(row)
    if isinstance(pairs, Fault):
        return pairs
    *history, (question, answer) = pairs
    more = {"system": system} if system else {}
    return {
        "instruction": question,
        "input": row.evidence,
        "output": answer,
        **more,
        **({"history": [list(pair) for pair in history]} if history else {}),
    }


def qa(row: Taught) -> Written:
    """`question` and `answer`, of conversations that have no more."""
    system, pairs = _pairs(row)
    if isinstance(pairs, Fault):
        return pairs
    if system or row.evidence or len(pairs) > 1:
        what = "a system prompt" if system else "evidence" if row.evidence else f"{len(pairs)} questions"
        return Fault("length", "one question and its answer", what)
    return {"question": pairs[0][0], "answer": pairs[0][1]}


def mozi(row: Taught) -> Written:
    """`question`, `answer` and `evidence`, as Mozi's collections have them."""
    found = qa(Taught(row.turns, row.tools))
    return found if isinstance(found, Fault) else {**found, "evidence": row.evidence}


def text(row: Taught) -> Written:
    """`text`, a document of all that is said, to pretrain on."""
    if any(turn.calls for turn in row.turns):
        return Fault("call", "turns of text alone", "a call of a tool")
    return {"text": "\n".join(turn.text for turn in _with_evidence(row))}


FORMS: Mapping[str, Callable[[Taught], Written]] = {
    form.__name__: form for form in (sharegpt, messages, alpaca, qa, mozi, text)
}


def convert(source: Path, target: Path, form: str, *, skip: bool = False) -> tuple[int, int]:
    """Write a file's rows in a form; return how many were written and how many were left out.

    Without `skip` the first row that cannot be read, or that the form has no room for, ends it at its line.
    """
    if target.suffix not in (".json", ".jsonl"):
        raise UsageError(f"{target} is neither .json nor .jsonl", hint="name what is written OUT.jsonl")
    kept, left = 0, 0

    def rows() -> Iterator[str]:
        nonlocal kept, left
        for line, row in read_instructions(source):
            found = row if isinstance(row, Fault) else FORMS[form](row)
            if not isinstance(found, Fault):
                kept += 1
                yield json.dumps(found, ensure_ascii=False)
            elif skip:
                left += 1
            else:
                raise found.at(source, line, hint="mend the row, or --skip-bad-rows leaves it out")

    make_folder(target.parent)
    with writing(target) as file:
        array = target.suffix == ".json"
        file.write(b"[" if array else b"")
        for row in rows():
            comma = "," if array and kept > 1 else ""
            file.write(f"{comma}\n{row}".encode() if array else f"{row}\n".encode())
        file.write(b"\n]\n" if array else b"")
    return kept, left


def _calls(turn: Message) -> Mapping[str, Any]:
    calls = [{"type": "function", "function": json.loads(call)} for call in turn.calls]
    return {"tool_calls": calls} if calls else {}


def _turn(turn: Message) -> Mapping[str, str]:
    speaker, said = ("function_call", turn.calls[0]) if turn.calls else (SPEAKERS[turn.role], turn.text)
    return {"from": speaker, "value": said}


def _with_evidence(row: Taught) -> Iterator[Message]:
    """Yield the turns, evidence before the first question."""
    evidence = row.evidence
    for turn in row.turns:
        if evidence and turn.role == "user":
            yield Message("user", f"{evidence}\n\n{turn.text}")
            evidence = ""
        else:
            yield turn


def _pairs(row: Taught) -> tuple[str, list[tuple[str, str]] | Fault]:
    """Return the system prompt, and questions with answers where there is nothing else."""
    system = "\n\n".join(turn.text for turn in row.turns if turn.role == "system")
    spoken = [turn for turn in row.turns if turn.role != "system"]
    roles = [turn.role for turn in spoken]
    if roles != ["user", "assistant"] * (len(roles) // 2) or row.tools or any(turn.calls for turn in spoken):
        return system, Fault(
            "turns", "questions with answers in turn", "tools, or several turns of one speaker"
        )
    return system, [(spoken[n].text, spoken[n + 1].text) for n in range(0, len(spoken), 2)]
