"""Whole commands with transformers models: kills cost nothing that was answered, and oddities are told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness import Completion, GenerateSpec, RunContext, decoding

from .conftest import requests_of

ROOT = Path(__file__).resolve().parents[2]
ROWS, NEW_TOKENS = 30, 24
PLUGIN = """
import json, time
from dataclasses import dataclass
from pathlib import Path
from harness import Example, ModelEntry, ModelPlugin, ModelSession, PromptFormat, Task, TaskEntry, hookimpl

@hookimpl
def harness_models():
    return [ModelEntry("byte-lm", "a tiny model that reads bytes", f"{__name__}:Model", stages=())]

@hookimpl
def harness_tasks():
    return [TaskEntry("openings", "prompts of a file", f"{__name__}:Prompts")]

class Prompts(Task):
    metrics = ("exact-match",)
    prompt_format = PromptFormat("bare", "{text}")

    def examples(self, split):
        for name, text in json.loads(Path(self.data.source, "prompts.json").read_text()).items():
            yield Example(name, {"text": text}, ("nothing",))

@dataclass(frozen=True, slots=True)
class Options:
    delay: float = 0.0  # seconds after each answer
    double_bos: bool = False

class Model(ModelPlugin):
    Options = Options

    def open(self, checkpoint, run):
        from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, ByT5Tokenizer

        two = AutoConfig.from_pretrained(checkpoint.path).is_encoder_decoder
        model = (AutoModelForSeq2SeqLM if two else AutoModelForCausalLM).from_pretrained(checkpoint.path)
        return Asked(model, ByT5Tokenizer(), two, self.options)

class Asked(ModelSession):
    def __init__(self, model, tokenizer, two, options):
        self.model, self.tokenizer, self.two, self.options = model, tokenizer, two, options

    def generate(self, requests, spec, run):
        from harness import decoding
        model, tokenizer, two = self.model, self.tokenizer, self.two

        def encode(request):
            ids = tokenizer(request.prompt)["input_ids"]
            return {"input_ids": [2, 2, *ids[:-1]] if self.options.double_bos else ids if two else ids[:-1]}

        for completion in decoding.generate(model, tokenizer, requests, spec, run, encode=encode):
            yield completion
            time.sleep(self.options.delay)
"""


def command(folder: Path, *settings: str) -> list[str]:
    return [
        *(sys.executable, str(ROOT / "run_bench.py"), "--model", "byte-lm", "--task", "openings"),
        *("--plugin", str(folder / "plugin.py"), "--checkpoint", str(folder / "model"), "--no-train"),
        *("--data", str(folder), "--output", str(folder / "runs"), "--device", "cpu"),
        *("--set", f"generate.max_new_tokens={NEW_TOKENS}"),
        *(word for setting in settings for word in ("--set", setting)),
    ]


def prepare(folder: Path, model: Any, prompts: dict[str, str]) -> None:
    model.save_pretrained(folder / "model")
    (folder / "plugin.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "prompts.json").write_text(json.dumps(prompts), encoding="utf-8")


def expected(model: Any, tokenizer: Any) -> dict[str, Completion]:
    run = RunContext(None, None)  # type: ignore[arg-type]
    spec = GenerateSpec(max_new_tokens=NEW_TOKENS, deterministic=True)
    return {c.request_id: c for c in decoding.generate(model, tokenizer, requests_of(ROWS), spec, run)}


def journals(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.glob("runs/openings/byte-lm/*/completions*.jsonl")}


def lines(folder: Path) -> int:
    return sum(text.count(b"\n") for text in journals(folder).values())


def wait_for_answers(folder: Path, count: int, run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while lines(folder) < count:
        assert run.poll() is None and time.monotonic() < deadline, run.communicate()
        time.sleep(0.02)


def texts(folder: Path) -> dict[str, str]:
    rows = [json.loads(line) for text in journals(folder).values() for line in text.splitlines()]
    assert len(rows) == len({row["request_id"] for row in rows})  # nothing was asked twice
    return {row["request_id"]: row["text"] for row in rows}


@pytest.mark.parametrize("kind", ["llama", pytest.param("t5", marks=pytest.mark.slow)])
def test_after_a_kill_the_same_command_asks_only_for_what_is_missing(
    kind: str, tokenizer: Any, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(kind)
    prepare(tmp_path, model, {r.id: r.prompt for r in requests_of(ROWS)})
    run = subprocess.Popen(
        command(tmp_path, "model.delay=0.2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_answers(tmp_path, 4, run)
    run.kill()
    run.communicate()
    kept = journals(tmp_path)
    answered = lines(tmp_path)
    assert 4 <= answered < ROWS
    again = subprocess.run(command(tmp_path, "model.delay=0.2"), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    now = journals(tmp_path)
    assert all(now[path].startswith(text[: text.rfind(b"\n") + 1]) for path, text in kept.items())
    assert texts(tmp_path) == {name: c.text for name, c in expected(model, tokenizer).items()}
    (record,) = tmp_path.glob("runs/openings/byte-lm/*/record.json")
    schedule = json.loads(record.read_text())["environment"]["generation"]["schedule"]
    assert schedule[-1]["requests"] == ROWS - answered


@pytest.mark.distributed
def test_a_lost_worker_costs_nothing_that_was_answered(llama: Any, tokenizer: Any, tmp_path: Path) -> None:
    prepare(tmp_path, llama, {r.id: r.prompt for r in requests_of(ROWS)})
    asked = command(tmp_path, "model.delay=0.3", "generate.processes=2")
    run = subprocess.Popen(asked, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_answers(tmp_path, 4, run)
    victims = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"harness.engine.worker" in (words := path.read_bytes())
        and str(tmp_path).encode() in words
        and b"harness.engine.agent" not in words
    ]
    os.kill(max(victims), signal.SIGKILL)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 5, said
    kept, answered = journals(tmp_path), lines(tmp_path)
    assert 4 <= answered < ROWS
    again = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    now = journals(tmp_path)
    assert all(now[path].startswith(text[: text.rfind(b"\n") + 1]) for path, text in kept.items())
    assert texts(tmp_path) == {name: c.text for name, c in expected(llama, tokenizer).items()}


def test_oddities_are_counted_in_the_record_and_told_below_the_table(llama: Any, tmp_path: Path) -> None:
    prompts = {"long": "x" * 400, "bare": ""} | {r.id: r.prompt for r in requests_of(ROWS)}
    prepare(tmp_path, llama, prompts)
    settings = ["model.double_bos=true", 'generate.stop=["5"]', "generate.options.recheck=8"]
    llama_bos = llama.config.bos_token_id
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"bos_token_id": 2}))
    assert llama_bos is None  # so that only the copy on disk has one
    done = subprocess.run(command(tmp_path, *settings), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (record,) = tmp_path.glob("runs/openings/byte-lm/*/record.json")
    content = json.loads(record.read_text())
    rows = [json.loads(line) for text in journals(tmp_path).values() for line in text.splitlines()]
    counts = content["counts"]
    assert counts["prompt-truncated-left"] == 1
    assert counts["double-bos"] == len(prompts)
    assert counts["length"] == sum(row["finish"] == "length" for row in rows) > 0
    assert counts["stop-string"] == sum(row["finish"] == "stop-string" for row in rows) > 0
    assert counts["empty"] == sum(not row["text"].strip() for row in rows) > 0
    words = {"length": "cut at max_new_tokens", "empty": "empty answers"}
    told = ", ".join(f"{count} {words.get(name, name)}" for name, count in counts.items())
    assert f"byte-lm: {told}" in done.stdout
    assert "byte-lm: 0 of 8 answers differ when each is decoded alone" in done.stdout
