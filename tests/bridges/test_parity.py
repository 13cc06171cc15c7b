"""Other programs, given an exported task and the same weights, say what our own run says, row by row.

Their libraries stay out of ours: LM_EVAL_PYTHON and INSPECT_PYTHON name interpreters of environments made by
`pip install lm-eval transformers torch` and `pip install inspect_ai`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.scoring.answers import read

LM_EVAL, INSPECT = os.environ.get("LM_EVAL_PYTHON", ""), os.environ.get("INSPECT_PYTHON", "")
ASK = """
import json, sys
import lm_eval
from lm_eval.tasks import TaskManager

folder, weights, name = sys.argv[1:]
found = lm_eval.simple_evaluate(
    model="hf", model_args=dict(pretrained=weights, dtype="float32", max_length=512),
    tasks=[name], task_manager=TaskManager(include_path=folder, include_defaults=False), bootstrap_iters=0,
    device="cpu", batch_size=8, gen_kwargs="max_gen_toks=8" if "choice" not in name else None,
)
rows = found["samples"][name]
with open("samples.jsonl", "w") as file:
    for row in rows:
        print(json.dumps(row, default=str), file=file)
print(json.dumps([{row["doc"]["id"]: row["resps"] for row in rows}, found["results"][name]]))
"""
TRY = """
import json, sys
import tiktoken

# Its stand-in for a model counts tokens by a table that it would fetch.
tiktoken.get_encoding = lambda name: type("Letters", (), {"encode": lambda self, text, **more: list(text)})()
from inspect_ai import eval
from inspect_ai.log import write_eval_log
from inspect_ai.model import ModelOutput, get_model

file, answers = sys.argv[1:]
said = [ModelOutput.from_content("mockllm/model", text) for text in json.loads(answers)]
(log,) = eval(file, model=get_model("mockllm/model", custom_outputs=said), display="none", max_samples=1)
write_eval_log(log, "log.json", format="json")
values = {sample.id: next(iter(sample.scores.values())).value for sample in log.samples}
print(json.dumps([log.status, values]))
"""


def asked(python: str, code: str, *arguments: object, cwd: Path) -> Any:
    done = subprocess.run(
        [python, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"HF_HOME": str(cwd / "hf"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def completions(folder: Path) -> dict[str, dict]:
    (path,) = folder.rglob("completions*.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["request_id"]: row for row in rows}


@pytest.mark.skipif(not LM_EVAL, reason="LM_EVAL_PYTHON names no environment with lm_eval")
def test_lm_eval_finds_the_same_log_likelihoods_and_texts(main, tiny_llama, tmp_path):
    own = ("--model", tiny_llama, "--no-train", "--quiet", "--set", "generate.max_new_tokens=8")
    for task in ("toy-choice", "toy"):
        folder = tmp_path / task
        assert main("data", "export", "--task", task, "--to", "lm-eval", "--output", folder).code == 0
        done = main(*own, "--task", task, "--output", tmp_path / "runs" / task)
        assert done.code == 0, done.err
        (config,) = folder.glob("*.yaml")
        said, _ = asked(LM_EVAL, ASK, folder, tiny_llama, config.stem, cwd=folder)
        ours = completions(tmp_path / "runs" / task)
        assert set(said) == set(ours)
        logged = {answer.id: answer for answer in read(folder / "samples.jsonl").answers}
        for key, row in ours.items():
            if task == "toy":
                assert said[key][0][0] == logged[key].text == row["text"]
            else:
                scores = [float(choice[0][0]) for choice in said[key]]
                assert scores == pytest.approx(row["choice_scores"], abs=1e-3)
                assert logged[key].choice_scores == pytest.approx(scores)
                assert logged[key].text == row["text"].strip()


@pytest.mark.skipif(not INSPECT, reason="INSPECT_PYTHON names no environment with inspect_ai")
def test_inspect_runs_the_task_and_scores_each_row_as_we_do(main, tmp_path):
    assert main("data", "export", "--task", "toy", "--to", "inspect", "--output", "out").code == 0
    (file,) = (tmp_path / "out").glob("*.py")
    rows = [json.loads(line) for line in (tmp_path / "out" / "test.jsonl").read_text().splitlines()]
    answers = [row["reference"] if place % 2 else "wrong" for place, row in enumerate(rows)]
    status, values = asked(INSPECT, TRY, file.name, json.dumps(answers), cwd=file.parent)
    assert status == "success"
    logged = {answer.id: answer.text for answer in read(file.with_name("log.json")).answers}
    assert [logged[row["id"]] for row in rows] == answers
    assert [values[row["id"]] for row in rows] == ["C" if place % 2 else "I" for place in range(len(rows))]
