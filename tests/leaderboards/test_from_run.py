"""A run fills in its submission: what it knows is there, and no machine's folders are."""

import json

import pytest

from harness import DataError, UsageError
from harness.leaderboards.from_run import find_runs, from_run


@pytest.fixture
def run(tmp_path):
    """Return the directory of a finished run of a trained model, as the engine leaves it."""
    trained = tmp_path / "runs/trained/m/20260101-aaaa"
    (trained / "checkpoint").mkdir(parents=True)
    done = {"path": "checkpoint", "format": "full"}
    (trained / "checkpoint.json").write_text(json.dumps(done))
    header = {"__metadata__": {}, "a": {"shape": [10, 20]}, "b": {"shape": [5]}, "c": {"shape": []}}
    packed = json.dumps(header).encode()
    weights = trained / "checkpoint/model.safetensors"
    weights.write_bytes(len(packed).to_bytes(8, "little") + packed + b"\0" * 824)
    rows: list[dict[str, object]] = [{"step": i, "loss": 1.0 / i} for i in range(1, 1001)]
    rows.insert(3, {"step": 3, "validation": {"loss": 1.0}})
    (trained / "train_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    directory = tmp_path / "runs/words/m/20260102-bbbb"
    directory.mkdir(parents=True)
    record = {
        "spec": {
            "model": "m",
            "preset": "tiny",
            "task": "words",
            "data": {"split": "test", "limit": None},
            "generate": {"num_beams": 1, "seed": 0},
            "train": [{"base": "/home/me/weights/base", "seed": 3}],
            "seed": 3,
        },
        "task_version": "1",
        "data_source": "/home/me/data/words",
        "data_digest": "d",
        "checkpoint_digest": "c",
        "prompt_digest": "p",
        "training": [{"key": "k", "directory": "/gone/20260101-aaaa", "stage": "sft", "digest": "c"}],
        "environment": {"assay": "1", "device": "cpu", "packages": {"torch": "2", "secret-tool": "1"}},
        "command": ["run-bench", "--data", "/home/me/data/words"],
        "run_id": "20260102-bbbb",
        "seconds": {"train": 10.0, "generate": 2.0},
    }
    (directory / "record.json").write_text(json.dumps(record))
    predictions = [{"id": "a", "raw": " said ", "text": "said", "finish": "stop"}]
    (directory / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in predictions))
    return directory


def test_a_run_says_what_it_is_without_a_folder_of_its_machine(run):
    made = from_run(run)
    assert made.outputs["a"].text == " said " and made.name == "m (tiny)"
    assert made.about["model"] == {
        "plugin": "m", "preset": "tiny", "base": "base", "weights_digest": "c", "parameters": 206,
    }  # fmt: skip
    assert made.about["data"] == {"source": "words", "digest": "d"}
    assert len(made.about["curve"]) == 200 and made.about["curve"][0] == [1.0, 1.0]
    text = json.dumps(dict(made.about))
    assert "/home" not in text and "/gone" not in text and "secret-tool" not in text
    assert made.evidence["trust"] == "trained"


def change(run, **facts):
    record = json.loads((run / "record.json").read_text())
    (run / "record.json").write_text(json.dumps(record | facts))


def test_runs_that_differ_only_in_their_seed_are_one_series(run):
    first = from_run(run).about
    spec = json.loads((run / "record.json").read_text())["spec"]
    change(run, spec=spec | {"seed": 4, "train": [spec["train"][0] | {"seed": 4}]})
    second = from_run(run).about
    assert first["series"] == second["series"] and first["seed"] != second["seed"]
    change(run, spec=spec | {"generate": {"num_beams": 4, "seed": 0}})
    assert from_run(run).about["series"] != first["series"]


def test_an_adapter_is_not_counted_as_the_model_and_no_training_is_only_reproduced(run):
    trained = run.parents[2] / "trained/m/20260101-aaaa"
    (trained / "checkpoint.json").write_text(json.dumps({"path": "checkpoint", "format": "adapter"}))
    assert "parameters" not in from_run(run).about["model"]
    change(run, training=[])
    assert from_run(run).evidence["trust"] == "reproduced"


def test_what_is_no_run_is_said(run, tmp_path):
    with pytest.raises(UsageError, match="no finished run"):
        from_run(tmp_path)
    with pytest.raises(UsageError, match="no folder of runs"):
        list(find_runs(tmp_path / "absent"))
    (run / "record.json").write_text("{}")
    with pytest.raises(DataError, match="not the record of a run"):
        from_run(run)
