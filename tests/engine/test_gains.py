"""What a stage brought, from its log."""

from __future__ import annotations

import json
from pathlib import Path

from harness.engine.gains import gains
from harness.files.json_files import write_sealed


def stage(folder: Path, step: int, *rows: dict[str, object]) -> Path:
    write_sealed(folder / "checkpoint.json", {"step": step})
    (folder / "train_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_held_out_measures_are_those_before_the_first_step_and_of_the_chosen_one(tmp_path: Path) -> None:
    looks = {0: 8.0, 2: 3.0, 4: 5.0}
    rows = [{"step": s, "validation": {"loss": 1.0, "perplexity": p}} for s, p in looks.items()]
    told = {"measure": "perplexity", "rows": "held-out", "before": 8.0, "after": 3.0}
    assert gains(stage(tmp_path, 2, {"step": 1, "loss": 2.0}, *rows)) == [told]


def test_of_pairs_the_parts_of_a_margin_are_left_out(tmp_path: Path) -> None:
    pairs = {"loss": 0.7, "accuracy": 0.5, "margin": 0.0, "chosen": 1.0, "rejected": 1.0}
    later = {**pairs, "accuracy": 0.9, "margin": 2.0}
    found = gains(stage(tmp_path, 1, {"step": 0, "validation": pairs}, {"step": 1, "validation": later}))
    assert [(one["measure"], one["before"], one["after"]) for one in found] == [
        ("accuracy", 0.5, 0.9),
        ("margin", 0.0, 2.0),
    ]


def test_a_policy_compares_its_first_and_its_last_batch_of_answers(tmp_path: Path) -> None:
    batches = [{"step": s, "rollout": {"reward": r, "kl": k}} for s, r, k in ((1, 0.5, 0.0), (3, 0.8, 0.1))]
    found = gains(stage(tmp_path, 4, *batches))
    assert [(one["measure"], one["rows"], one["before"], one["after"]) for one in found] == [
        ("reward", "sampled", 0.5, 0.8),
        ("kl", "sampled", 0.0, 0.1),
    ]


def test_a_stage_that_measured_nothing_brought_nothing_that_is_known(tmp_path: Path) -> None:
    assert gains(stage(tmp_path, 4, {"step": 4, "loss": 1.0})) == []
    (tmp_path / "bare").mkdir()
    write_sealed(tmp_path / "bare" / "checkpoint.json", {"step": 4})
    assert gains(tmp_path / "bare") == []
