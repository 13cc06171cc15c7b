"""lm-eval, asking the server as `local-completions`, gets the numbers of our own run on its own tasks.

Its libraries stay out of ours: LM_EVAL_PYTHON names the interpreter of an environment of its own, made by
`pip install 'lm-eval[api]' transformers`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import GenerateSpec, Request

from .conftest import Live

PYTHON = os.environ.get("LM_EVAL_PYTHON", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="LM_EVAL_PYTHON names no environment with lm_eval")
ROWS: list[dict[str, Any]] = [
    {"question": f"Question {n}: what is CCO?", "choices": ["ab", "cde", "f"], "label": n % 3}
    for n in range(6)
]
TEXTS = ["Ethanol burns.", "CC(=O)O is an acid, " * 5]
TASKS = {
    "choices": """output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: label
metric_list: [{metric: acc}]
""",
    "rolling": """output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}}"
metric_list: [{metric: bits_per_byte}]
""",
    "answers": """output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: label
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 8, temperature: 0}
metric_list: [{metric: exact_match}]
""",
}
ASK = """
import json, sys
import lm_eval
from lm_eval.tasks import TaskManager

folder, url, tokenizer = sys.argv[1:]
found = lm_eval.simple_evaluate(
    model="local-completions",
    model_args=dict(
        model="tiny", base_url=f"{url}/v1/completions", tokenizer=tokenizer, max_length=512,
        tokenizer_backend="huggingface", num_concurrent=4, max_retries=1,
    ),
    tasks=["choices", "rolling", "answers"],
    task_manager=TaskManager(include_path=folder, include_defaults=False),
    bootstrap_iters=0,
)
samples = {
    name: [sample["resps"] for sample in sorted(rows, key=lambda row: row["doc_id"])]
    for name, rows in found["samples"].items()
}
print(json.dumps([samples, found["results"]["choices"]["acc,none"]]))
"""


@pytest.fixture(scope="module")
def told(live: Live, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What lm-eval was told for each row of three tasks, and its accuracy on the first."""
    folder = tmp_path_factory.mktemp("lm-eval")
    rows = {"choices": ROWS, "answers": ROWS, "rolling": [{"question": text} for text in TEXTS]}
    for name, task in TASKS.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[name]))
        data = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {folder}/{name}.jsonl}}}}\n"
        (folder / f"{name}.yaml").write_text(f"task: {name}\n{data}test_split: test\n{task}")
    done = subprocess.run(
        [PYTHON, "-c", ASK, str(folder), live.url, str(weights)],
        cwd=folder,
        env=os.environ | {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_log_likelihoods_of_choices_and_accuracy(told: Any, live: Live) -> None:
    samples, accuracy = told
    session, run = live.driver.session, live.driver.run
    asked = [
        Request(str(n), row["question"], choices=tuple(f" {c}" for c in row["choices"]))
        for n, row in enumerate(ROWS)
    ]
    own = {c.request_id: c.choice_scores for c in session.choose(asked, GenerateSpec(), run)}
    found = [[float(said[0][0]) for said in row] for row in samples["choices"]]
    for n, scores in enumerate(found):
        assert scores == pytest.approx(own[str(n)], abs=1e-4)
    best = [max(range(3), key=own[str(n)].__getitem__) for n in range(len(ROWS))]
    assert accuracy == pytest.approx(
        sum(b == row["label"] for b, row in zip(best, ROWS, strict=True)) / len(ROWS)
    )


def test_log_likelihoods_of_texts(told: Any, live: Live) -> None:
    model, tokenizer = live.driver.session.loaded
    for text, [[log]] in zip(TEXTS, told[0]["rolling"], strict=True):
        # lm-eval counts the first token as well, after the one that begins a text
        ids = [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]
        with torch.no_grad():
            logs = model(input_ids=torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        wanted = sum(float(logs[place, token]) for place, token in enumerate(ids[1:]))
        assert log == pytest.approx(wanted, abs=1e-3)


def test_generated_texts(told: Any, live: Live) -> None:
    session, run = live.driver.session, live.driver.run
    spec = GenerateSpec(max_new_tokens=8, stop=("\n\n",))
    asked = [Request(str(n), row["question"]) for n, row in enumerate(ROWS)]
    own = {c.request_id: c.text for c in session.generate(asked, spec, run)}
    assert [said[0][0] for said in told[0]["answers"]] == [own[str(n)] for n in range(len(ROWS))]
