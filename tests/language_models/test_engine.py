"""The engine of an open session lays prompts out as its batch path does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import Checkpoint, GenerateSpec, Message, Request, RunContext, RunSpec
from harness.language_models import LanguageModelPlugin


def test_a_session_answers_one_by_one_as_it_answers_all(tiny_llama: Path, tmp_path: Path) -> None:
    run = RunContext(tmp_path, RunSpec("m", "t", device="cpu"))
    spec = GenerateSpec(max_new_tokens=8)
    asked = [Request("a", "CCO", messages=(Message("system", "Be short."),)), Request("b", "CC=O")]
    opened: Any = LanguageModelPlugin().open(Checkpoint(tiny_llama), run)
    with opened as session:
        wanted = {c.request_id: c for c in session.generate(asked, spec, run)}
        engine = session.engine(spec, 10)
        streams = [engine.submit(request, spec) for request in asked]
        assert [stream.result() for stream in streams] == [wanted["a"], wanted["b"]]
        ids = session.text_tokens("CCO")
        assert list(ids) == session.tokenizer("CCO")["input_ids"]
        assert engine.submit(Request("c", ""), spec, tokens=ids).result().prompt_tokens == len(ids)
        assert session.token_text(ids[-1]) in "CCO"
