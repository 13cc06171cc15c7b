"""A task as lm-evaluation-harness reads it: a YAML file beside the rows.

Prompts are exact, shots among them, so the task is asked with no further few-shot examples.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.api.errors import UsageError
from harness.bridges.names import identifier
from harness.bridges.rows import Facts, Split, check_answered
from harness.files.writing import write

CHOOSE = {
    "output_type": "multiple_choice",
    "doc_to_text": "prompt",
    "doc_to_choice": "choices",
    "doc_to_target": "answer",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
GENERATE = {
    "output_type": "generate_until",
    "doc_to_text": "prompt",
    "doc_to_target": "reference",
    "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": 512},
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
PERPLEXITY = {
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "prompt",
    "metric_list": [{"metric": "bits_per_byte"}, {"metric": "word_perplexity"}],
}
KINDS: dict[str, dict[str, Any]] = {"choose": CHOOSE, "generate": GENERATE, "perplexity": PERPLEXITY}


def write_task(facts: Facts, split: Split, folder: Path) -> Path:
    """Write the task beside the rows of a split; the file names them by their whole path."""
    check_answered(facts, split)
    if split.dialogues:
        raise UsageError(f"{facts.name} has dialogues, lm-eval's tasks have one prompt", hint="--to inspect")
    name = f"assay_{identifier(facts.title)}"
    config = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {split.name: str(split.path.resolve())}},
        "test_split": split.name,
        "num_fewshot": 0,
        # Between a prompt and an answer stands one space, unless the prompt brings its own.
        "target_delimiter": "" if split.spaced else " ",
        **KINDS[facts.kind],
        "metadata": {"version": facts.version, "rows_sha256": split.sha256},
    }
    path = folder / f"{name}.yaml"
    write(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return path
