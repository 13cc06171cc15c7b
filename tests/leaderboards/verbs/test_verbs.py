"""The verbs around tables, run as a user runs them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.files.json_files import read_sealed

from ..conftest import change

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def toy_runs(tmp_path_factory):
    """Return the directories of a good, a weak and a short run of the toy task."""
    folder = tmp_path_factory.mktemp("toy")
    found = {}
    for name, extra in (("good", ()), ("weak", ("--max-steps", "1")), ("short", ("--limit", "5"))):
        command = [sys.executable, str(ROOT / "run_bench.py"), "--model", "toy", "--task", "toy", "--json"]
        done = subprocess.run([*command, *extra], cwd=folder, capture_output=True, text=True, check=True)
        found[name] = folder / json.loads(done.stdout)["runs"][0]["directory"]
    return found


def test_runs_become_a_table_that_verifies_and_publishes(run_bench, toy_runs, tmp_path):
    runs = toy_runs["good"].parents[2]
    built = run_bench("leaderboard", "--runs", runs, "--task", "toy", "--publish", "published")
    assert built.code == 0, built.err
    assert "trained" in built.out and "history entry 1" in built.out
    assert "only the first 5 rows (--limit)" in built.out
    assert (tmp_path / "published" / "site" / "index.html").is_file()
    checked = run_bench("leaderboard", "verify", "--board", "published")
    assert checked.code == 0 and "3 same, 0 differs, 0 unchecked" in checked.out
    scored = next((tmp_path / "published" / "rows").rglob("scored.json"))
    scored.write_text(scored.read_text().replace('"value": 0.', '"value": 0.1', 1))
    failed = run_bench("leaderboard", "verify", "--board", "published")
    assert failed.code == 4 and "letter-accuracy: value stored" in failed.out and "error:" in failed.err
    assert run_bench("leaderboard", "history", "--board", "published").out.startswith("1  ")
    again = run_bench("leaderboard", "history", "1", "--board", "published", "--output", "old")
    assert again.code == 0, again.err
    tables = tmp_path / "published" / "tables"
    assert all((tmp_path / "old" / path.name).read_bytes() == path.read_bytes() for path in tables.iterdir())
    missing = run_bench("leaderboard", "history", "1", "--board", "published")
    assert missing.code == 2 and "--output DIR" in missing.err


def test_a_packed_run_is_handed_in_elsewhere_as_rescored(run_bench, toy_runs, tmp_path):
    packed = run_bench("leaderboard", "pack", toy_runs["good"], "--output", "handed-in", "--name", "Mine")
    assert packed.code == 0, packed.err
    added = run_bench("leaderboard", "add", "handed-in", "--board", "theirs")
    assert added.code == 0 and "added Mine to toy" in added.out
    again = run_bench(
        "leaderboard", "add", "handed-in", "--board", "theirs", "--reproduced-by", toy_runs["good"]
    )
    assert "trust: reproduced" in again.out
    (tmp_path / "none").mkdir()
    build = ("leaderboard", "--board", "theirs", "--runs", "none")
    table = run_bench(*build, "--json", "--format", "md")
    unknown = run_bench(*build, "--format", "xls")
    assert unknown.code == 2 and "no plugin writes the form 'xls'" in unknown.err
    assert [line["trust"] for line in json.loads(table.out)[0]["lines"]] == ["reproduced"]


def test_two_runs_are_compared(run_bench, toy_runs):
    done = run_bench("compare", toy_runs["good"], toy_runs["weak"])
    assert done.code == 0 and "A is better" in done.out and "element-" in done.out
    facts = json.loads(run_bench("compare", toy_runs["good"], toy_runs["weak"], "--json").out)
    assert facts["differences"][0]["interval"][0] > 0 and facts["differences"][0]["p_value"] < 0.05
    refused = run_bench("compare", toy_runs["good"], "nowhere")
    assert refused.code == 4 and "nothing at nowhere" in refused.err


def test_a_row_is_explained_on_the_terminal_and_as_a_page(run_bench, toy_runs, tmp_path):
    done = run_bench("explain", toy_runs["good"], "--id", "element-79", "--page", "page")
    assert done.code == 0 and "input word: gold" in done.out and "Write in cipher: gold" in done.out
    assert (tmp_path / "page" / "index.html").is_file()
    wrong = run_bench("explain", toy_runs["good"], "--id", "element-999")
    assert wrong.code == 2 and "did you mean" in wrong.err


def test_a_run_has_a_card_on_the_terminal_and_as_a_page(run_bench, toy_runs, tmp_path):
    done = run_bench("show", toy_runs["good"], "--page", "card")
    assert done.code == 0 and "toy (tiny) on toy (23 rows of test" in done.out, done.err
    assert "letter-accuracy" in done.out and "worst rows:" in done.out
    page = (tmp_path / "card" / "index.html").read_text(encoding="utf-8")
    assert "What it said" in page and (tmp_path / "card" / "assets" / "board.css").is_file()
    assert "to open it: a browser on file://" in done.err
    facts = json.loads(run_bench("show", toy_runs["short"], "--json").out)  # a run that no board takes
    assert facts["table"]["rows"] == 5 and len(facts["samples"]) == 5


def test_a_card_says_what_each_stage_of_training_brought(run_bench, toy_runs, tmp_path):
    run = Path(shutil.copytree(toy_runs["good"], tmp_path / "run"))
    gain = {"measure": "perplexity", "rows": "held-out", "before": 1216.4, "after": 7.25}
    stages = read_sealed(run / "record.json")["training"]
    assert "what each stage brought" not in run_bench("show", run).out
    change(run, training=[stages[0] | {"gains": [gain]}])
    assert (
        "what each stage brought:\n    sft  perplexity  held-out  1216 -> 7.25\n"
        in run_bench("show", run).out
    )


def test_claims_without_files_cannot_be_checked_and_that_is_an_error(run_bench, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "tables:\n  - {paper: P, table: T, task: toy, columns: {A: [letter-accuracy]},"
        " rows: [{row: M, file: absent.txt, cells: {A: '0.5'}}]}\n"
    )
    done = run_bench("claims", "check", "c.yaml")
    assert done.code == 4 and "cannot be checked" in done.out and "no cell could be checked" in done.err


def test_bad_uses_are_one_sentence_with_an_exit_code(run_bench, tmp_path):
    for arguments, code, said in (
        (("leaderboard",), 2, "there is no board at boards"),
        (("leaderboard", "add"), 2, "nothing to add"),
        (("leaderboard", "add", "absent.zip"), 4, "nothing at absent.zip"),
        (("leaderboard", "verify", "x"), 2, "takes no path"),
    ):
        done = run_bench(*arguments)
        assert done.code == code and said in done.err and "Traceback" not in done.err, done.err


def test_a_plugin_may_write_another_form_of_table(run_bench, toy_runs, write_plugin):
    plugin = write_plugin(
        """
        from harness import hookimpl

        @hookimpl
        def harness_render_leaderboard(board, format):
            return f"{len(board['lines'])} lines of {board['task']}" if format == "count" else None
        """
    )
    runs = toy_runs["good"].parents[2]
    done = run_bench("leaderboard", "--runs", runs, "--format", "count", "--plugin", plugin, "--board", "b")
    assert done.code == 0, done.err
    (table,) = (plugin.parent / "b" / "tables").glob("*.count")
    assert table.read_text() == "2 lines of toy"


def test_the_shipped_board_is_read_and_never_written(run_bench, toy_runs, tmp_path, monkeypatch, capsys):
    shipped = tmp_path / "shipped"
    shutil.copytree(ROOT / "leaderboards" / "published", shipped)
    before = {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()}
    monkeypatch.setattr("harness.leaderboards.verbs.leaderboard.PUBLISHED", shipped)
    monkeypatch.setattr("harness.leaderboards.board.scored.toolkit", lambda: {"python": "of another version"})
    assert main(["leaderboard", "--board", "@published", "--task", "toy"]) == 0
    assert "toy (tiny)" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in shipped.rglob("*") if path.is_file()} == before
    for words in (["add", toy_runs["good"]], ["--runs", toy_runs["good"].parents[2]]):
        refused = run_bench("leaderboard", *words, "--board", "@published")
        assert refused.code == 2 and "@published is only read" in refused.err
