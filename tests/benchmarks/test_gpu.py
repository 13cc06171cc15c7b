"""The GPU's benchmark: every part runs on a CPU in small, and what a machine lacks ends no other part."""

from __future__ import annotations

import json
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import __main__ as program
from benchmarks.gpu import parts, scratch
from benchmarks.gpu.parts import PARTS, Part


@pytest.fixture
def measured(tmp_path):
    def measure(*names):
        program.main(["--device", "cpu", "--short", "--results", str(tmp_path), *names])
        return {name: json.loads((tmp_path / f"gpu-{name}.json").read_text())["rows"] for name in names}

    return measure


@pytest.fixture
def part(monkeypatch):
    """Return a function that adds a part of the given measurements."""

    def add(name, measurements, seconds=60):
        monkeypatch.setattr(parts, name, measurements, raising=False)
        monkeypatch.setitem(PARTS, name, Part(seconds, name, "", f"parts:{name}"))

    return add


# Not the tests themselves, and no libraries that only few machines have.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", sorted(set(PARTS) - {"tests", "qlora", "scratch"}))
def test_each_part_measures_all_that_it_names(measured, name):
    rows = measured(name)[name]
    assert rows
    assert all("said" not in row for row in rows), rows


def test_models_learn_from_nothing_and_their_runs_are_packed_without_weights(measured, test_data, tmp_path):
    scimind, ada, packed = measured("scratch")["scratch"]
    assert scimind["steps"] == ada["steps"] == 3
    assert {"molecule-exact", "bleu-4"} <= set(scimind)
    with tarfile.open(tmp_path / packed["file"]) as runs:
        names = [Path(name).name for name in runs.getnames()]
    assert names.count("predictions.jsonl") == names.count("record.json") == 3
    assert not any(name.endswith(".safetensors") for name in names)


def test_programs_that_run_when_the_time_is_over_are_ended():
    programs = scratch.Programs()
    with pytest.raises(RuntimeError, match="exit code -9"), ThreadPoolExecutor() as pool, programs:
        asked = pool.submit(programs.runs, "list")
        while not programs.running:
            time.sleep(0.01)
        programs.__exit__()
        asked.result()


def test_all_boxes_together_are_eight_minutes_at_most():
    assert sum(part.seconds for part in PARTS.values()) <= 480


def test_what_fails_costs_its_own_row(measured, part):
    def measurements(machine):
        yield "good", lambda: {"tokens/s": 1}
        yield "bad", lambda: 1 / 0
        yield "last", lambda: {"tokens/s": 2}

    part("mixed", measurements)
    good, bad, last = measured("mixed")["mixed"]
    assert (good["tokens/s"], last["tokens/s"]) == (1, 2)
    assert bad["said"] == "not measured: ZeroDivisionError: division by zero"


def test_a_part_without_its_library_is_said_and_the_next_one_measured(measured, part, capsys):
    def lacking(machine):
        raise ImportError("No module named 'kernels'")
        yield

    part("lacking", lacking)
    part("other", lambda machine: iter([("it", lambda: {"tokens/s": 1})]))
    rows = measured("lacking", "other")
    assert rows["lacking"] == [{"what": "all", "said": "skipped: No module named 'kernels'"}]
    assert rows["other"] == [{"what": "it", "tokens/s": 1}]
    assert "skipped: No module named 'kernels'" in capsys.readouterr().out


def test_a_part_ends_with_its_time_and_what_it_has_measured_is_kept(measured, part):
    def endless(machine):
        yield "quick", lambda: {"tokens/s": 1}
        yield "slow", lambda: time.sleep(30)

    part("endless", endless, seconds=1)
    quick, rest = measured("endless")["endless"]
    assert quick["tokens/s"] == 1
    assert rest["said"] == "not measured: 1 s were over"


def test_an_unknown_part_and_an_absent_gpu_are_refused(capsys):
    with pytest.raises(SystemExit):
        program.main(["nothing"])
    assert "no part named nothing; there are tests, training" in capsys.readouterr().err
    if not torch.cuda.is_available():
        with pytest.raises(SystemExit, match="there is no GPU here"):
            program.main(["training"])
