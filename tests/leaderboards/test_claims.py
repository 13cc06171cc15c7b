"""A paper's cells agree, are off, or cannot be checked, and each says why."""

import dataclasses
import os
from pathlib import Path

import pytest

import harness.leaderboards.claims as claims_module
from harness import DataError
from harness.leaderboards.claims import check, definitions, metrics_of, read_claims, repeated

from .conftest import METRICS, exact, make_submission

BOMB = (
    "a0: &a0 [x, x]\n"
    + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    + "tables: *a39"
)
HEAD = """
tables:
  - paper: P
    table: T
    task: words
    form: lines
    columns: {Exact: [strict, exact], Length: [length-error], Other: [unknown]}
    rows:
"""


@pytest.fixture
def answers(tmp_path, view):
    made = make_submission(view, 0.5, "m")
    (tmp_path / "m.txt").write_text("".join(output.text + "\n" for output in made.outputs.values()))
    right = sum(made.outputs[e.id].text in e.references for e in view.examples)
    return right / len(view.examples)


def cells_of(tmp_path, rows, opened):
    (tmp_path / "claims.yaml").write_text(HEAD + rows)
    return list(check(read_claims(tmp_path / "claims.yaml"), tmp_path, opened))


def test_a_cell_agrees_when_rounding_to_its_own_digits_gives_it(tmp_path, answers, opened):
    rows = f'      - {{row: M, file: m.txt, cells: {{Exact: "{answers:.2f}", Length: "99.5"}}}}\n'
    exact, length = cells_of(tmp_path, rows, opened)
    assert (exact.verdict, exact.metric, exact.value) == ("agrees", "exact", answers)
    assert length.verdict == "off by" and length.difference == pytest.approx(99.5 - length.value)


def test_trailing_zeros_of_a_printed_number_count(tmp_path, answers, opened):
    wrong = f"{answers + 0.0006:.4f}"
    rows = f'      - {{row: M, file: m.txt, cells: {{Exact: "{wrong}"}}}}\n'
    assert cells_of(tmp_path, rows, opened)[0].verdict == "off by"


def test_what_cannot_be_checked_says_why(tmp_path, answers, opened):
    rows = '      - {row: M, file: m.txt, cells: {Other: "0.5"}}\n'
    rows += '      - {row: N, file: absent.txt, cells: {Exact: "0.5"}}\n'
    rows += '      - {row: O, cells: {Exact: "0.5"}}\n'
    other, absent, unnamed = cells_of(tmp_path, rows, opened)
    assert {cell.verdict for cell in (other, absent, unnamed)} == {"cannot be checked"}
    assert "no such metric" in other.reason and "its file is not below" in absent.reason
    assert "no file of its answers" in unnamed.reason


def test_digits_that_were_cut_instead_of_rounded_are_told_from_a_wrong_number(tmp_path, view, opened):
    outputs = [e.references[0] if i < 137 else "x" for i, e in enumerate(view.examples)]  # 137 / 200 = 0.685
    (tmp_path / "m.txt").write_text("\n".join(outputs) + "\n")
    rows = '      - {row: M, file: m.txt, cells: {Exact: "0.68"}}\n'
    (cell,) = cells_of(tmp_path, rows, opened)
    assert cell.verdict == "off by" and "if digits are cut" in cell.reason


def test_the_definition_that_reproduces_a_column_is_named_first(tmp_path, view):
    def halved(pairs):
        return dataclasses.replace(exact(pairs), value=(exact(pairs).value or 0.0) / 2)

    view = dataclasses.replace(view, metrics={**METRICS, "strict": (METRICS["exact"][0], halved)})
    rows = ""
    for name, share in (("m", 0.5), ("n", 0.7)):
        made = make_submission(view, share, name)
        (tmp_path / f"{name}.txt").write_text("".join(o.text + "\n" for o in made.outputs.values()))
        right = sum(made.outputs[e.id].text in e.references for e in view.examples) / len(view.examples)
        rows += f'      - {{row: {name}, file: {name}.txt, cells: {{Exact: "{right:.3f}"}}}}\n'
    (said,) = definitions(cells_of(tmp_path, rows, lambda *_, **__: view))
    assert said.startswith("Exact is exact in 2 of 2; strict in 0 of 2, off by up to")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tables: [", "cannot be read"),
        ("- 1", "no list of 'tables'"),
        ("tables:\n  - {paper: P, table: T, rows: []}", "no 'columns'"),
        (
            "tables:\n  - {paper: P, table: T, columns: {A: }, rows: []}",
            "table 1, A: expected a list of metrics",
        ),
        (HEAD + '      - {row: M, file: f, cells: {Exact: "high"}}', "'high' is not a number"),
        (HEAD + '      - {row: M, file: f, cells: {BLEU: "1"}}', "'BLEU' is not among"),
        (HEAD + '      - {file: f, cells: {Exact: "1"}}', "no 'row'"),
        (BOMB, "stands for more than 100,000 values"),
        ("tables: &a [*a]", "stands for more than 100,000 values"),
        ("[" * 3_000, "cannot be read"),
        ("a: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_malformed_file_of_claims_is_a_sentence(tmp_path, text, said):
    (tmp_path / "claims.yaml").write_text(text)
    with pytest.raises(DataError, match=said):
        read_claims(tmp_path / "claims.yaml")


def test_a_folder_of_claims_is_refused(tmp_path):
    (tmp_path / "claims.yaml").write_text(HEAD)
    with pytest.raises(DataError, match="is no file of claims"):
        read_claims(tmp_path)


def test_a_pipe_of_claims_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "claims.yaml")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        read_claims(tmp_path / "claims.yaml")


def test_the_shipped_claims_read_and_name_known_definitions(load):
    folder = Path(claims_module.__file__).parent / "published" / "claims"
    claims = [claim for path in sorted(folder.glob("*.yaml")) for claim in read_claims(path)]
    assert len(claims) >= 136
    known = set(load().metrics.names())
    assert {"bleu-2@scibert", "validity@molt5", "rouge-l"} <= set(metrics_of(claims)) & known


def test_a_row_with_the_same_numbers_in_two_tables_cannot_be_right():
    folder = Path(claims_module.__file__).parent / "published" / "claims"
    claims = read_claims(folder / "mozi.yaml")
    doubted = {claim.row for claim in claims if repeated(claim, claims)}
    assert doubted == {"Alpaca", "OpenAlpaca"}
    cells = list(check(claims, folder, None))
    assert any("in 'QASPER, recalled evidence': one of them is wrong" in cell.reason for cell in cells)
