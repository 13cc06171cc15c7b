"""`run`, `train`, `generate`: what ends a matrix, which exit code it has, what of a failure is said where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOY = ("--model", "toy", "--task", "toy")


def errors(done) -> list[str]:
    return [line.removeprefix("error: ") for line in done.err.splitlines() if line.startswith("error: ")]


def test_a_cell_that_fails_leaves_the_others_their_results(main, odd):
    done = main("--model", "refuses,echo", "--task", "rows", "--plugin", odd)
    assert done.code == 2
    assert errors(done) == ["this model opens for nobody"]
    assert "refuses on rows failed, the rest goes on" in done.err
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[3:5]] == ["refuses", "echo"]
    assert lines[3].split() == ["refuses", "failed"]
    assert "refuses failed: this model opens for nobody" in lines
    assert done.out.count("run: ") == 1


def test_a_reason_that_several_cells_have_is_said_once(main, odd):
    done = main("--model", "refuses", "--task", "rows,toy,toy-choice", "--plugin", odd)
    assert done.code == 2
    assert errors(done) == ["this model opens for nobody"]
    assert done.err.count("failed for the same reason, the rest goes on") == 2


def test_tables_of_nothing_are_not_drawn(main, odd):
    done = main("--model", "refuses", "--task", "rows,toy", "--plugin", odd)
    assert done.out == ""


def test_data_that_is_not_there_is_said_once_for_a_whole_matrix(main, tmp_path):
    done = main("--model", "toy,baseline/random", "--task", "toys", "--data", tmp_path / "nowhere")
    assert done.code == 4
    assert errors(done) == [f"there is no data at {tmp_path / 'nowhere'}"]


def test_one_cell_that_fails_is_an_error_and_no_table(main, odd):
    done = main("--model", "refuses", "--task", "rows", "--plugin", odd)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith("error: this model opens for nobody\nhint: ask another\n")


@pytest.mark.parametrize("models", ["refuses", "refuses,echo"])
def test_json_says_of_each_cell_whether_it_ran(main, odd, models):
    done = main("--model", models, "--task", "rows", "--plugin", odd, "--json")
    assert done.code == 2
    found = json.loads(done.out)
    assert found["failed"] == 1
    assert [run["status"] for run in found["runs"]] == ["failed", "ok"][: len(found["runs"])]
    assert found["runs"][0]["error"] == "this model opens for nobody"
    assert found["runs"][0]["scores"] == {} and found["runs"][0]["directory"] != ""


def test_results_that_cannot_be_saved_are_shown_all_the_same(main, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.engine.runner.save_scored", full)
    done = main(*TOY)
    assert done.code == 5
    assert "95.7" in done.out
    assert "the results above could not be saved" in errors(done)[0]
    assert "No space left on device" in errors(done)[0]
    shown = json.loads(main(*TOY, "--json").out)["runs"][0]
    assert shown["status"] == "unsaved" and shown["record"]["scores"]


def test_the_same_command_finds_the_run_and_fresh_makes_another(main):
    places = [json.loads(main(*TOY, *more, "--json").out)["runs"][0]["directory"] for more in ((), ())]
    assert places[0] == places[1]
    again = json.loads(main(*TOY, "--fresh", "--json").out)["runs"][0]["directory"]
    assert again != places[0] and Path(places[0]).is_dir()


def test_resume_continues_and_begins_nothing(main):
    assert main(*TOY, "--resume").code == 2
    assert main(*TOY).code == 0
    done = main(*TOY, "--resume")
    assert done.code == 0 and "(was finished" in done.out


def test_fresh_and_resume_contradict_each_other(main):
    done = main(*TOY, "--fresh", "--resume")
    assert done.code == 2 and "not allowed with argument" in done.err


def test_a_gpu_that_is_not_there_is_refused_for_every_model(main, odd):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    for model in ("echo", "refuses"):
        done = main("--model", model, "--task", "rows", "--plugin", odd, "--device", "cuda:0")
        assert done.code == 2
        assert errors(done) == ["device 'cuda:0' was asked for, but torch sees no GPU"]
        assert done.err.endswith("hint: --device cpu\n")


def test_training_on_a_gpu_that_is_not_there_is_refused_before_it_begins(main):
    done = main(*TOY, "--device", "cuda")
    assert done.code == 2 and "torch sees no GPU" in done.err and "training" not in done.err


def test_a_task_without_training_rows_says_how_to_ask_a_model_that_would_learn(main, odd):
    done = main("--model", "toy", "--task", "test-only", "--plugin", odd)
    assert done.code == 2
    assert errors(done) == ["task 'test-only' has no split 'train'"]
    assert "or --no-train for a model that can answer" in done.err
    done = main(
        "--model", "echo", "--task", "test-only", "--plugin", odd, "--no-train", "--set", "task.shots=1"
    )
    assert errors(done) == ["task 'test-only' has no split 'train'"]
    assert "hint: --set task.shots_split=NAME draws them from another split; known: test" in done.err


def test_a_vocabulary_that_is_not_there_is_refused(main):
    done = main(*TOY, "--vocab", "nowhere")
    assert done.code == 4 and errors(done) == ["there is no vocabulary at nowhere"]


def test_a_vocabulary_reaches_the_metrics_and_scores_a_finished_run_again(main, write_plugin, tmp_path):
    plugin = write_plugin(
        """
        from harness import MetricEntry, Score, hookimpl

        @hookimpl
        def harness_metrics():
            return [MetricEntry("words", "words of a vocabulary", f"{__name__}:words")]

        def words(pairs):
            if pairs.vocab is None:
                return Score("words", None, len(pairs), note="it needs --vocab")
            return Score("words", float(len(pairs.vocab.read_text().split())), len(pairs))
        """
    )
    command = (*TOY, "--metrics", "words", "--plugin", plugin)
    assert "words: it needs --vocab" in main(*command).out
    (tmp_path / "vocab.txt").write_text("one two three")
    done = main(*command, "--vocab", "vocab.txt")
    assert "3.00" in done.out and "(was finished" not in done.out and "training" not in done.err
    assert "3.00" in main(*command).out  # what is known is not forgotten
    (tmp_path / "vocab.txt").write_text("one two")
    assert "2.00" in main(*command, "--vocab", "vocab.txt").out


def test_a_metric_that_fails_makes_the_exit_code_of_a_run_that_stands(main, odd):
    done = main("--model", "echo", "--task", "rows", "--metrics", "exact-match,infinite", "--plugin", odd)
    assert done.code == 5
    assert "50.0" in done.out and "infinite: failed: ValueError: its value is inf" in done.out
    assert "metric 'infinite' failed" in errors(done)[0]


def test_train_and_generate_print_a_line_a_cell_and_json_tells_where(main):
    done = main("train", "--model", "toy", "--task", "toys")
    lines = done.out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["toy on toy", "toy on toy-choice"]
    assert all(Path(line.partition(": ")[2], "checkpoint.json").exists() for line in lines)
    (found,) = json.loads(main("generate", *TOY, "--json").out)["runs"]
    assert Path(found["directory"], "completions.jsonl").exists() and found["scores"] == {}


def test_rows_that_a_recipe_compares_with_can_be_left_out(main, write_plugin, tmp_path):
    (tmp_path / "tiny.toml").write_text('compare_with = ["baseline/random"]\n')
    plugin = write_plugin(
        f"""
        from pathlib import Path
        from harness import Answers, ModelEntry, ModelPlugin, hookimpl

        class Echo(ModelPlugin):
            def open(self, checkpoint, run):
                return Answers(lambda request: request.prompt)

        @hookimpl
        def harness_models():
            recipes = Path({str(tmp_path)!r})
            target = f"{{__name__}}:Echo"
            return [ModelEntry("same", "echo", target, recipes=recipes, presets=("tiny",), stages=())]
        """
    )
    command = ("--model", "same", "--task", "toy", "--plugin", plugin)
    beside = main(*command)
    assert "baseline/random" in beside.out and beside.out.count("run: ") == 1
    assert "baseline/random" not in main(*command, "--no-compare").out
