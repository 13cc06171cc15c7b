"""Answers in others' forms: one a line, MolT5's table, JSON lines."""

import json
import zipfile

import pytest

from harness import DataError, Task, UsageError
from harness.leaderboards.intake.foreign import import_foreign
from harness.leaderboards.intake.tasks import blind
from harness.scoring.answers import LPM24_LINES, LPM24_ROWS

from ..conftest import make_view


def test_one_answer_a_line_follows_the_order_of_the_rows_and_says_so(tmp_path):
    view = make_view(3)
    with zipfile.ZipFile(tmp_path / "team.zip", "w") as archive:
        archive.writestr("submit.txt", "a\r\nb \n\n")
    made = import_foreign(tmp_path / "team.zip", view, "team")
    assert [made.outputs[f"row-{i}"].text for i in range(3)] == ["a", "b", ""]
    assert any("order" in note for note in made.notes)
    assert len(made.about["origin"]["sha256"]) == 64


def test_too_few_and_too_many_lines_are_refused(tmp_path):
    for count in (2, 4):
        (tmp_path / "submit.txt").write_text("x\n" * count)
        with pytest.raises(DataError, match=f"has {count} lines, words has 3 rows"):
            import_foreign(tmp_path / "submit.txt", make_view(3), "team")


def test_the_known_surplus_of_lpm24_captions_is_left_out_and_said(tmp_path):
    (tmp_path / "submit.txt").write_text("x\n" * LPM24_LINES)
    view = blind("lpm24/smiles2text", LPM24_ROWS, {}, Task)
    made = import_foreign(tmp_path / "submit.txt", view, "team")
    assert len(made.outputs) == LPM24_ROWS and any("137 lines" in note for note in made.notes)


def test_molt5_tables_are_joined_whatever_their_order(tmp_path):
    view = make_view(30)
    lines = ["description\tground truth\toutput"]
    for example in reversed(view.examples):
        lines.append(f"{example.inputs['word']}\t{example.references[0]}\t[CLS] said {example.id}")
    (tmp_path / "molt5.txt").write_text("\n".join(lines) + "\n")
    made = import_foreign(tmp_path / "molt5.txt", view, "molt5")
    for example in view.examples:
        twins = {
            e.id for e in view.examples if (e.inputs, e.references) == (example.inputs, example.references)
        }
        assert made.outputs[example.id].text.removeprefix("said ") in twins
    assert made.notes == ("'[CLS]' was cut from the start of 30 answers",)


def test_molt5_tables_of_other_rows_are_refused_with_a_count(tmp_path):
    (tmp_path / "molt5.txt").write_text("description\tground truth\toutput\nx\ty\tz\n")
    with pytest.raises(DataError, match=r"1 of 1 rows .* match no row of words, such as 'y'"):
        import_foreign(tmp_path / "molt5.txt", make_view(3), "molt5")


def test_a_torn_molt5_table_is_refused_with_its_line(tmp_path):
    (tmp_path / "molt5.txt").write_text("description\tground truth\toutput\nx\ty\n")
    with pytest.raises(DataError, match="line 2: expected 3 columns"):
        import_foreign(tmp_path / "molt5.txt", make_view(3), "molt5")


def test_json_lines_without_a_card_are_taken_by_id(tmp_path):
    rows = [{"id": f"row-{i}", "output": str(i)} for i in (2, 0, 1)]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = import_foreign(tmp_path / "p.jsonl", make_view(3), "m")
    assert {key: output.text for key, output in made.outputs.items()} == {
        "row-0": "0",
        "row-1": "1",
        "row-2": "2",
    }


def test_bare_answers_need_a_name_and_a_known_form(tmp_path):
    (tmp_path / "submit.txt").write_text("x\n" * 3)
    with pytest.raises(UsageError, match="does not say what made it"):
        import_foreign(tmp_path / "submit.txt", make_view(3), "")
    with pytest.raises(UsageError, match="no form named 'line'") as caught:
        import_foreign(tmp_path / "submit.txt", make_view(3), "x", "line")
    assert "lines" in caught.value.hint
