"""Every bad input ends in one sentence, a hint and the right exit code, never in a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.files.json_files import read_sealed, write_sealed

TOY = ("--model", "toy", "--task", "toy")


def failed(done, code: int, said: str, hint: str = "") -> None:
    """Check that a command failed as it should: nothing else on stderr than progress, a sentence, a hint."""
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.err
    assert said in done.err.partition("error: ")[2]
    if hint:
        assert hint in done.err.partition("hint: ")[2]


@pytest.mark.parametrize(
    ("command", "code", "said", "hint"),
    [
        (["--model", "toi", "--task", "toy"], 2, "no model named 'toi'", "toy"),
        (["--model", "toy", "--task", "toi"], 2, "no task named 'toi'", "did you mean toy"),
        (["--model", "toy/toi", "--task", "toy"], 2, "no model named 'toy/toi'", "toy/toy"),
        ([*TOY, "--metrics", "leter-accuracy"], 2, "no metric named 'leter-accuracy'", "letter-accuracy"),
        ([*TOY, "--preset", "tyni"], 2, "model 'toy' has no preset 'tyni'", "tiny"),
        ([*TOY, "--sed", "1"], 2, "unknown argument --sed", "--seed"),
        ([*TOY, "--limit", "-3"], 2, "data.limit is -3, it must be at least 1", ""),
        ([*TOY, "--limit", "three"], 2, "argument --limit: invalid int value: 'three'", "--help"),
        ([*TOY, "--max-steps", "0"], 2, "train.max_steps is 0, it must be at least 1", ""),
        ([*TOY, "--epochs", "1", "--max-steps", "1"], 2, "not allowed with argument", ""),
        ([*TOY, "--seeds", "1,x"], 2, "seed 'x' is no whole number", ""),
        ([*TOY, "--split", "tset"], 2, "task 'toy' has no split 'tset'", "test"),
        ([*TOY, "--stage", "pretrain"], 2, "model 'toy' has no stage 'pretrain'", "it has: sft"),
        ([*TOY, "--set", "model.smothing=1"], 2, "model 'toy' has no option 'smothing'", "smoothing"),
        ([*TOY, "--set", "generate.decoder=beam"], 2, "the toy model has no decoder 'beam'", "greedy"),
        ([*TOY, "--no-train"], 2, "the toy model needs a checkpoint", "--no-train"),
        (["train", *TOY, "--no-train"], 2, "there is nothing to train: toy on toy", "--no-train"),
        ([*TOY, "--checkpoint", "nowhere"], 4, "there is no checkpoint at nowhere", ""),
        ([*TOY, "--data", "nowhere"], 4, "there is no data at nowhere", "sample"),
        ([*TOY, "--data", "hub"], 2, "task 'toy' has no data source 'hub'", "sample"),
        ([*TOY, "--config", "absent.toml"], 2, "config absent.toml cannot be read: No such file", ""),
        ([*TOY, "--plugin", "absent.py"], 3, "there is no file absent.py", ""),
        ([*TOY, "--plugin", "."], 3, "it is a folder; name a .py file", ""),
        ([*TOY, "--plugin", "no_such_module"], 3, "No module named 'no_such_module'", ""),
        ([*TOY, "--resume"], 2, "there is no run of this command to resume", "--resume"),
        (["--model", "toy"], 2, "--task is missing", "list tasks"),
        (["--task", "toy"], 2, "--model is missing", "list models"),
        (["rnu"], 2, "no verb named 'rnu'", "run"),
        (["show", "toi"], 2, "nothing is named 'toi'", "toy"),
        (["list"], 2, "the following arguments are required: what", ""),
        (["list", "modles"], 2, "invalid choice: 'modles'", ""),
        (["resume", "nowhere"], 2, "nowhere is no run directory", "spec.json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_on_the_command_line_is_one_sentence(main, command, code, said, hint):
    failed(main(*command), code, said, hint)


@pytest.mark.parametrize(
    ("name", "content", "code", "said"),
    [
        ("test.csv", b"id,word\n1,caf\xe9\n", 4, "test.csv:2: expected UTF-8 text, found byte 0xe9"),
        ("test.csv", b"number,text\n1,x\n", 4, "test.csv:1: expected the column id once, found number, text"),
        ("test.csv", b"id,word\n1,gold\n1,iron\n", 4, "two rows have the id '1'"),
        ("test.csv", b"id,word\n", 4, "task 'toy', split 'test' is empty"),
        ("test.csv", b"", 4, "test.csv:1: expected the column id once, found nothing"),
        ("test.csv", b"id,word\n1,gold\n2,", 4, "test.csv:3: expected a text in 'word', found nothing"),
        ("train.csv", b"id,word\n", 4, "task 'toy', split 'train' is empty"),
        ("train.csv", None, 4, "no train.csv in"),
    ],
)
def test_bad_data_is_one_sentence_that_names_the_file_and_the_place(
    main, tmp_path, name, content, code, said
):
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "validation", "test"):
        (folder / f"{split}.csv").write_text("id,word\n1,gold\n2,iron\n", encoding="utf-8")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    failed(main(*TOY, "--data", folder), code, said)


def test_training_needs_no_rows_to_score(main, tmp_path):
    for split in ("train", "validation"):
        (tmp_path / f"{split}.csv").write_text("id,word\n1,gold\n2,iron\n", encoding="utf-8")
    assert main("train", *TOY, "--data", tmp_path, "--dry-run").code == 0
    assert main("train", *TOY, "--data", tmp_path).code == 0
    failed(main(*TOY, "--data", tmp_path), 4, "no test.csv in")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_that_may_not_be_written_is_refused_before_any_work(main, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    failed(main(*TOY, "--output", folder / "runs"), 2, "cannot be written to", "--output")


@pytest.mark.parametrize("place", ["/proc/runs", "/dev/null/runs", "file/runs"])
def test_an_output_that_cannot_be_a_folder_is_refused_before_any_work(main, tmp_path, place):
    (tmp_path / "file").touch()
    done = main(*TOY, "--output", place)
    failed(done, 2, f"results cannot be written to {place}", "--output")
    assert "finetune" not in done.err


def test_debug_shows_the_traceback_and_the_sentence(main):
    done = main(*TOY, "--set", "model.crash_after=3", "--debug")
    assert done.code == 5
    assert "Traceback" in done.err
    assert "error: the toy model crashed after 3 answers" in done.err


def test_a_crash_while_answering_keeps_what_was_answered(main, tmp_path):
    done = main(*TOY, "--set", "model.crash_after=3")
    failed(done, 5, "the toy model crashed after 3 answers, as it was told to")
    (journal,) = tmp_path.glob("runs/toy/toy/*/completions.jsonl")
    assert journal.read_bytes().count(b"\n") == 3
    assert "Traceback" in (journal.parent / "log.txt").read_text(encoding="utf-8")


def test_a_checkpoint_of_another_model_is_refused(main, tmp_path):
    assert main("train", *TOY).code == 0
    (done_file,) = tmp_path.glob("runs/trained/toy/*/checkpoint.json")
    write_sealed(done_file, read_sealed(done_file) | {"model": "scimind"})
    done = main(*TOY, "--checkpoint", done_file.parent)
    failed(done, 2, "was trained by model 'scimind', not 'toy'", "--model scimind")
    (tmp_path / "empty").mkdir()
    done = main(*TOY, "--checkpoint", tmp_path / "empty")
    failed(done, 4, "is no checkpoint of the toy model", "checkpoint")


def test_a_prompt_that_the_checkpoint_was_not_trained_with_is_refused_with_a_diff(
    main, write_plugin, tmp_path
):
    assert main("train", *TOY).code == 0
    (trained,) = tmp_path.glob("runs/trained/toy/*-*")
    plugin = write_plugin(
        """
        from harness import PromptFormat, hookimpl

        @hookimpl
        def harness_prompt(model, task):
            if (model, task) == ("toy", "toy"):
                return PromptFormat("other", "Please encipher {word}")
        """
    )
    command = [*TOY, "--checkpoint", trained, "--plugin", plugin]
    done = main(*command)
    failed(done, 2, "the checkpoint was trained with another prompt for 'toy'", "--other-prompt")
    assert "-Write in cipher: {word}\n+Please encipher {word}" in done.err
    assert main(*command, "--other-prompt").code == 0


def test_a_damaged_row_in_the_middle_is_named_and_asked_again(main, tmp_path, caplog):
    assert main(*TOY, "--set", "model.crash_after=5").code == 5
    (journal,) = tmp_path.glob("runs/toy/toy/*/completions.jsonl")
    rows = journal.read_bytes().splitlines(keepends=True)
    for damage in (rows[1][:20] + b"\n", b"\x00" * 30 + b"\n", b"17\n", b'{"key": "\xff"}\n'):
        journal.write_bytes(b"".join([rows[0], damage, *rows[2:]]))
        done = main(*TOY, "--set", "model.crash_after=5")
        failed(done, 5, "the toy model crashed after 5 answers")
        assert "completions.jsonl: 1 damaged answers are asked for again" in caplog.text
        rows = journal.read_bytes().splitlines(keepends=True)
        caplog.clear()


@pytest.mark.parametrize("name", ["spec.json", "checkpoint.json"])
def test_a_damaged_file_of_a_run_is_named(main, tmp_path, name):
    assert main(*TOY).code == 0
    places = [*tmp_path.glob(f"runs/toy/toy/*/{name}"), *tmp_path.glob(f"runs/trained/toy/*/{name}")]
    for place in places:
        place.write_bytes(b'{"half": ')
    done = main("resume", places[0].parent) if name == "spec.json" else main(*TOY)
    failed(done, 4, f"{name} cannot be read")


def test_help_of_every_verb_is_there(main):
    overview = main("--help")
    verbs = [
        line.split()[0]
        for line in overview.out.partition("verbs:")[2].splitlines()[1:]
        if line.startswith("  ")
    ]
    assert {"run", "list", "show", "plugins", "resume", "doctor"} <= set(verbs)
    for verb in verbs:
        with pytest.raises(SystemExit) as left:
            main(verb, "--help")
        assert left.value.code == 0


def test_the_program_without_arguments_shows_help_and_fails(main):
    done = main()
    assert done.code == 2
    assert done.out.startswith("usage: run-bench --model MODEL --task TASK")
    assert Path.cwd().exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tasks", "toy"), "--task A,B"),
        (("--num_fewshot", "3"), "--set task.shots=N"),
        (("--batch_size", "8"), "--batch-tokens N"),
        (("--seeds", ""), "--seeds 0,1,2"),
        (("--seeds", "1,1"), "the same run"),
    ],
)
def test_habits_of_other_harnesses_and_empty_seeds_get_a_hint(main, arguments, said):
    done = main("--model", "toy", "--task", "toy", *arguments)
    assert (done.code, said in done.err) == (2, True), done.err
