"""lm-eval's tasks asked here, and our models asked there, say what its own model says of each document.

Its libraries stay out of ours: LM_EVAL_PYTHON names the interpreter of an environment that has lm-eval beside
what we need.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness import UsageError
from harness.bridges.lm_eval.generation import settings_of
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("LM_EVAL_PYTHON", "")
needs_lm_eval = pytest.mark.skipif(not PYTHON, reason="LM_EVAL_PYTHON names no environment with lm_eval")
ROWS = [
    {"question": f"Question {n}: what is CCO?", "choices": ["ab", "cde", "f"], "label": n % 3}
    for n in range(8)
]
TEXTS = ["Ethanol burns.", "CC(=O)O is an acid, " * 40]  # the second is longer than the model's context
ASKED = {"doc_to_text": "{{question}}"}
CHOOSE: dict[str, Any] = {
    **ASKED,
    "output_type": "multiple_choice",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "label",
}
REGEX = [{"function": "regex", "regex_pattern": "(.)"}, {"function": "take_first"}]
TASKS: dict[str, dict[str, Any]] = {
    "choices": {**CHOOSE, "training_split": "train", "num_fewshot": 2, "metric_list": ["acc", "brier_score"]},
    "tight": {**CHOOSE, "target_delimiter": "", "metric_list": ["acc", "acc_mutual_info"]},
    "contexts": {**CHOOSE, "doc_to_text": "label", "doc_to_target": "question", "metric_list": ["acc"]},
    "last_word": {
        **ASKED,
        "output_type": "loglikelihood",
        "doc_to_target": " {{choices[label]}}",
        "metric_list": ["perplexity", "acc"],
    },
    "rolling": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "{{question}}",
        "metric_list": ["word_perplexity", "bits_per_byte"],
    },
    "answers": {
        **ASKED,
        "output_type": "generate_until",
        "training_split": "train",
        "num_fewshot": 1,
        "doc_to_target": "{{choices[label]}}",
        "generation_kwargs": {"until": ["\n\n", "q"], "max_gen_toks": 8, "temperature": 0},
        "metric_list": ["exact_match"],
        "filter_list": [
            {"name": "first", "filter": REGEX},
            {"name": "all", "filter": [{"function": "take_first"}]},
        ],
    },
}
ASK = """
import json, sys
import lm_eval
from lm_eval.tasks import TaskManager
from harness.bridges.lm_eval.model import register
from harness.cli.main import main

folder, weights, *names = sys.argv[1:]
register()


def asked(model, arguments):
    return lm_eval.simple_evaluate(
        model=model, model_args=arguments, tasks=names, bootstrap_iters=0, device="cpu", batch_size=4,
        task_manager=TaskManager(include_path=folder, include_defaults=False),
    )


def told(found):
    rows = {}
    for name in names:  # a document has a sample for each filter
        once = {row["doc_id"]: row for row in found["samples"][name]}
        rows[name] = [once[place] for place in sorted(once)]
    answers = {
        name: [[[str(part) for part in one[0]] if isinstance(one[0], tuple) else [str(one[0])]
                for one in row["resps"]] for row in rows[name]]
        for name in names
    }
    return answers, {name: {key: float(value) for key, value in found["results"][name].items()
                            if "," in key and "stderr" not in key} for name in names}


theirs = told(asked("hf", dict(pretrained=weights, dtype="float32", max_length=512)))
there = told(asked("assay", dict(model="hf", checkpoint=weights)))
code = main(["--model", weights, "--no-train", "--quiet", "--data", folder, "--output", "runs",
             "--task", ",".join(f"lm-eval/{name}" for name in names)])
with open("told.json", "w") as file:
    json.dump([theirs, there, code], file)
"""


def written(folder: Path, name: str, rows: list[dict[str, Any]], config: dict[str, Any]) -> None:
    """Write a task in lm-eval's YAML beside its rows; JSON is YAML, too."""
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {"task": name, "dataset_path": "json", "test_split": "test", **config}
    config["metric_list"] = [{"metric": metric} for metric in config["metric_list"]]
    config["dataset_kwargs"] = {"data_files": {"test": str(file), "train": str(file)}}
    (folder / f"{name}.yaml").write_text(json.dumps(config))


def run(code: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    more = {"HF_HOME": str(cwd / "hf"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [PYTHON, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | more,
        capture_output=True,
        text=True,
    )


@needs_lm_eval
def test_both_ways_say_what_lm_eval_says_document_by_document(tiny_llama: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    for name, config in TASKS.items():
        written(folder, name, [{"question": t} for t in TEXTS] if name == "rolling" else ROWS, config)
    done = run(ASK, folder, tiny_llama, *TASKS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    (theirs, values), (there, values_there), code = json.loads((tmp_path / "told.json").read_text())
    assert code == 0, done.stderr[-3000:]
    for name in TASKS:
        (record,) = (tmp_path / "runs" / "lm-eval" / name).rglob("record.json")
        scores = {
            key.partition(":")[2].replace("@", ","): score["value"]
            for key, score in json.loads(record.read_text())["scores"].items()
        }
        assert values_there[name] == pytest.approx(values[name], rel=1e-5)
        assert {k if "," in k else f"{k},none": v for k, v in scores.items()} == pytest.approx(
            values[name], rel=1e-5
        )
        (journal,) = record.parent.rglob("completions.jsonl")
        here = [json.loads(line) for line in journal.read_text().splitlines()]
        here.sort(key=lambda row: [int(part) for part in row["request_id"].split("-")])
        for kind, got in ("there", there[name]), ("here", _as_theirs(name, here)):
            for wanted, found in zip(_flat(theirs[name]), _flat(got), strict=True):
                assert found == wanted or float(found) == pytest.approx(float(wanted), abs=2e-4), (name, kind)


def _as_theirs(name: str, rows: list[dict[str, Any]]) -> list[Any]:
    if name == "answers":
        return [row["text"] for row in rows]
    if name == "rolling":
        return [str(row["log_likelihood"]) for row in rows]
    return [
        [[str(score), str(greedy)] for score, greedy in zip(row["choice_scores"], row["greedy"], strict=True)]
        for row in rows
    ]


def _flat(answers: Any) -> list[str]:
    return [text for part in answers for text in _flat(part)] if isinstance(answers, list) else [answers]


@needs_lm_eval
def test_what_nobody_asked_for_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tasks"
    folder.mkdir()
    answered = TASKS["answers"]
    written(folder, "fine", ROWS, answered)
    written(folder, "far", ROWS, answered | {"dataset_path": "org/rows"})
    written(folder, "script", ROWS, answered | {"metric_list": ["fancy"]})
    written(folder, "unsafe", ROWS, answered | {"unsafe_code": True})
    (folder / "group.yaml").write_text("group: all\ntask: [fine, far]\n")
    (folder / "beside.py").write_text("raise SystemExit('it ran')\n")
    (folder / "code.yaml").write_text(
        "include: fine.yaml\ntask: code\ndoc_to_text: !function beside.text\ndataset_path: json\n"
    )
    escape = "{{ question.__class__.__mro__[1].__subclasses__() }}"
    written(folder, "escape", ROWS, answered | {"doc_to_text": escape})
    wanted = {
        "fien": (2, "has no task 'fien'", "did you mean fine"),
        "all": (2, "'all' is a group", "lm-eval/fine,lm-eval/far"),
        "far": (2, "come from the network: org/rows", "task.network=true"),
        "script": (2, "'fancy' of task 'script' is a script", "task.trust_code=true"),
        "unsafe": (2, "runs the programs that a model writes", "task.trust_code=true"),
        "code": (2, "runs code that lies beside it", "beside.py"),
        "escape": (4, "cannot open its task 'escape'", "unsafe"),
    }
    asked = (
        "import contextlib, io, json, sys\nfrom harness.cli.main import main\nfound = {}\n"
        "for name in sys.argv[3:]:\n"
        "    with contextlib.redirect_stderr(io.StringIO()) as said:\n"
        "        code = main(['--model', sys.argv[1], '--no-train', '--task', f'lm-eval/{name}', '--quiet',"
        " '--data', sys.argv[2]])\n"
        "    found[name] = [code, said.getvalue()]\nprint(json.dumps(found))"
    )
    done = run(asked, tiny_llama, folder, *wanted, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    for name, (code, text) in json.loads(done.stdout.splitlines()[-1]).items():
        number, said, hint = wanted[name]
        assert (code, said in text, hint in text) == (number, True, True), text


def test_without_lm_eval_its_install_line_is_named(main, monkeypatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "lm_eval" else find(name, *more)
    )
    for arguments in (
        ("--model", "toy", "--task", "lm-eval/arc_easy", "--data", "hub"),
        ("lm-eval", "ls", "tasks"),
    ):
        done = main(*arguments)
        assert done.code == 3 and "pip install lm-eval" in done.err


def test_its_metrics_are_found_by_their_names_there(main) -> None:
    shelf = Registry(load_plugins((), entry_points=False)).metrics
    assert shelf.get("lm-eval:acc").entry.higher_is_better
    assert not shelf.get("lm-eval-lower:word_perplexity").entry.higher_is_better
    (name, metric), *_ = Registry(load_plugins((), entry_points=False)).load_metrics(["lm-eval:acc"]).items()
    from harness import Example, Pairs, Prediction

    with pytest.raises(UsageError, match="lm-eval's own tasks"):
        metric[1](Pairs([(Example("1", {}, ("a",)), Prediction("1", "a"))]))
    assert name == "lm-eval:acc"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({}, {"decoder": "greedy", "stop": (), "max_new_tokens": 256}),
        (
            {"until": "\n", "max_gen_toks": 8, "do_sample": False, "temperature": 0.7},
            {"decoder": "greedy", "stop": ("\n",), "max_new_tokens": 8},
        ),
        (
            {"until": ["a", ""], "max_tokens": "9", "temperature": 0.7, "top_p": 0.9},
            {
                "decoder": "sampling",
                "stop": ("a",),
                "max_new_tokens": 9,
                "temperature": 0.7,
                "top_p": 0.9,
            },
        ),
        (
            {"do_sample": True},
            {"decoder": "sampling", "temperature": 1.0, "stop": (), "max_new_tokens": 256},
        ),
        ({"num_beams": 3}, {"decoder": "beam", "num_beams": 3, "stop": (), "max_new_tokens": 256}),
    ],
)
def test_how_answers_are_generated(asked: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert settings_of(asked) == wanted


def test_what_nothing_reads_is_refused() -> None:
    with pytest.raises(UsageError, match="lm-eval sets typical_p"):
        settings_of({"typical_p": 0.3})
