"""The program from Python is the command's own code, with values in place of text."""

from __future__ import annotations

import pytest

import harness
from harness import DataError, UsageError


def test_a_run_is_carried_out_and_found_again(tmp_path):
    result = harness.run(model="toy", task="toy", limit=5, output=tmp_path / "runs")
    assert set(result.scores) == {"letter-accuracy"}
    assert len(result.rows()) == 5
    again = harness.load_run(result.directory)
    assert again.scores == result.scores
    assert "letter-accuracy" in result._repr_html_()
    table = pytest.importorskip("pandas") and result.to_pandas()
    assert list(table["letter-accuracy"]) == [row["scores"]["letter-accuracy"] for row in result.rows()]


def test_settings_are_those_of_the_command(tmp_path):
    settings = {"generate.max_new_tokens": 3}
    result = harness.run(model="toy", task="toy", limit=2, settings=settings, output=tmp_path)
    assert result.record.spec["generate"]["max_new_tokens"] == 3
    with pytest.raises(UsageError, match=r"sets 'generate.max_tokens'"):
        harness.run(model="toy", task="toy", settings={"generate.max_tokens": 3}, output=tmp_path)
    with pytest.raises(UsageError, match="is a group of 2 tasks"):
        harness.run(model="toy", task="chebi20", output=tmp_path)


def test_several_answers_are_drawn_to_each_row(tmp_path):
    sampling = {"generate.decoder": "sampling", "data.limit": 3}
    result = harness.run(
        model="baseline/random",
        task="toy",
        repeats=2,
        metrics=["exact-match"],
        settings=sampling,
        output=tmp_path,
    )
    assert list(result.scores) == ["exact-match", "exact-match pass@2", "exact-match maj@2"]
    assert [len(row["repeats"]) for row in result.rows()] == [1, 1, 1]


def test_answers_are_scored_without_a_run():
    found = harness.score(["a", "b "], ["a", ["x", "b"]], metrics=["exact-match"])
    assert found["exact-match"].value == 1.0
    with pytest.raises(UsageError, match="2 predictions and 1 references"):
        harness.score(["a", "b"], ["a"], metrics=["exact-match"])


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no finished run"):
        harness.load_run(tmp_path)
