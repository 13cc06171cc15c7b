"""A paper's cells agree, are off, or cannot be checked, and each says why."""

import pytest

from harness import DataError
from harness.leaderboards.claims import check, metrics_of, read_claims

from .conftest import make_submission

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
    other, absent = cells_of(tmp_path, rows, opened)
    assert other.verdict == absent.verdict == "cannot be checked"
    assert "no such metric" in other.reason and "there is no" in absent.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tables: [", "cannot be read"),
        ("- 1", "no list of 'tables'"),
        ("tables:\n  - {paper: P, table: T, rows: []}", "no 'columns'"),
        (HEAD + '      - {row: M, file: f, cells: {Exact: "high"}}', "'high' is not a number"),
        (HEAD + '      - {row: M, file: f, cells: {BLEU: "1"}}', "'BLEU' is not among"),
        (HEAD + '      - {row: M, cells: {Exact: "1"}}', "no 'file'"),
        ("a: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_malformed_file_of_claims_is_a_sentence(tmp_path, text, said):
    (tmp_path / "claims.yaml").write_text(text)
    with pytest.raises(DataError, match=said):
        read_claims(tmp_path / "claims.yaml")


def test_the_shipped_claims_read_and_name_known_definitions(load):
    from pathlib import Path

    import harness.leaderboards.claims as module

    folder = Path(module.__file__).parent / "published" / "claims"
    claims = [claim for path in sorted(folder.glob("*.yaml")) for claim in read_claims(path)]
    assert len(claims) == 14
    known = set(load().metrics.names())
    assert {"bleu-2@scibert", "validity@molt5", "rouge-l"} <= set(metrics_of(claims)) & known
