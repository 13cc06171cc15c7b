"""Publishing adds and never takes away; a dry run sends nothing; what is there can be checked again."""

import gzip
import subprocess

import pytest

from harness import DataError, UsageError
from harness.leaderboards.board import history
from harness.leaderboards.board.store import Store
from harness.leaderboards.plain import canonical
from harness.leaderboards.publish.places import as_text, publish
from harness.leaderboards.publish.verify import verify

from ..board.test_build import files, put
from ..conftest import make_submission


@pytest.fixture
def filled(store, view, opened):
    put(store, opened, make_submission(view, 0.9, "a"), make_submission(view, 0.2, "b"))
    return store


def test_a_folder_gets_rows_tables_pages_and_a_history_and_verifies(filled, opened, tmp_path):
    done = publish(filled, str(tmp_path / "pub"), "2026-01-01")
    target = Store(tmp_path / "pub")
    assert {"README.md", "history.jsonl", "site/index.html"} <= set(done.files)
    assert done.entry["number"] == 1 and "history entry 1" in as_text(done)
    assert {finding.verdict for finding in verify(target, opened)} == {"same"}
    again = publish(filled, str(tmp_path / "pub"), "2026-01-02")
    assert again.entry is None and again.files == []


@pytest.mark.parametrize("source, shown", [("files", False), ("sample", True)])
def test_rows_of_a_data_set_are_not_published_and_made_up_ones_are(
    store, opened, view, tmp_path, source, shown
):
    put(store, opened, make_submission(view, 0.5, "a", data={"source": source, "digest": view.digest}))
    publish(store, str(tmp_path / "pub"), "2026-01-01")
    target = tmp_path / "pub"
    assert bool(list(target.glob("rows/*/*/samples.json.gz"))) == shown
    assert list(target.glob("rows/*/*/predictions.jsonl.gz"))  # what is verified
    (card,) = target.glob("site/rows/*/*.html")
    assert ("worst rows first" in card.read_text(encoding="utf-8")) == shown


def test_publishing_another_board_keeps_the_rows_that_are_there(filled, view, opened, tmp_path):
    publish(filled, str(tmp_path / "pub"), "2026-01-01")
    second = Store(tmp_path / "second")
    put(second, opened, make_submission(view, 0.5, "c"))
    done = publish(second, str(tmp_path / "pub"), "2026-01-02")
    assert len(done.entry["tables"]["words-words-200-0"]["rows"]) == 3 and done.entry["removed"] == {}


def test_a_row_that_was_taken_out_is_named_at_the_next_publishing(filled, opened, tmp_path):
    import shutil

    publish(filled, str(tmp_path / "pub"), "2026-01-01")
    for root in (filled.root, tmp_path / "pub"):
        shutil.rmtree(next((root / "rows" / "words").glob("b-*")))
    done = publish(filled, str(tmp_path / "pub"), "2026-01-02")
    assert [name[:2] for name in done.entry["removed"]["words-words-200-0"]] == ["b-"]
    assert "no longer in words-words-200-0: b-" in as_text(done)


def test_the_tables_of_an_old_entry_are_brought_back_as_they_were(filled, view, opened, tmp_path):
    publish(filled, str(tmp_path / "pub"), "2026-01-01")
    target = Store(tmp_path / "pub")
    old = next(target.tables.glob("*.json")).read_bytes()
    put(target, opened, make_submission(view, 0.5, "c"))
    publish(target, str(tmp_path / "pub"), "2026-01-02")
    assert next(target.tables.glob("*.json")).read_bytes() != old
    (table,) = history.tables_of(target.history, 1)
    assert canonical(table).encode() == old
    with pytest.raises(UsageError, match="no entry 3"):
        history.tables_of(target.history, 3)
    for kept in (target.root / "history").iterdir():
        kept.write_bytes(gzip.compress(b"{}"))
    with pytest.raises(DataError, match="was changed"):
        history.tables_of(target.history, 1)


def test_verify_notices_a_history_that_was_rewritten(filled, opened, tmp_path):
    publish(filled, str(tmp_path / "pub"), "2026-01-01")
    path = tmp_path / "pub" / "history.jsonl"
    path.write_text(path.read_text().replace("2026-01-01", "2025-12-31"))
    found = [finding for finding in verify(Store(tmp_path / "pub"), opened) if finding.verdict == "differs"]
    assert found[0].what == "history.jsonl" and "changed after it was written" in found[0].reason
    with pytest.raises(DataError, match="is broken"):
        history.append(path, [], "2026-01-02")


def test_a_dry_run_writes_nothing(filled, tmp_path):
    before = files(filled.root)
    done = publish(filled, str(tmp_path / "pub"), "2026-01-01", dry_run=True)
    assert "dry run" in done.place and done.files and not (tmp_path / "pub").exists()
    for place in ("hub:dataset:owner/name", "hub:space:owner/name"):
        sent = publish(filled, place, "2026-01-01", dry_run=True)
        assert "would be sent" in sent.place and ("index.html" in sent.files) == place.startswith("hub:space")
    assert files(filled.root) == before


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for kind in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{kind}_NAME", "t")
        monkeypatch.setenv(f"GIT_{kind}_EMAIL", "t@example.org")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "kept.txt").write_text("x")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "start")
    return folder


def test_git_gets_a_branch_ready_for_a_pull_request_and_the_checkout_stays(filled, repository):
    (repository / "kept.txt").write_text("not committed yet")
    done = publish(filled, f"git:{repository}:boards", "2026-01-01")
    branch = done.place.rpartition(" ")[2]
    assert branch.startswith("leaderboard-")
    listed = git(repository, "ls-tree", "-r", "--name-only", branch).split()
    assert "boards/history.jsonl" in listed and "kept.txt" in listed
    assert (repository / "kept.txt").read_text() == "not committed yet"
    assert git(repository, "branch", "--show-current").strip() == "main"
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_dry_run_leaves_no_branch(filled, repository):
    publish(filled, f"git:{repository}", "2026-01-01", dry_run=True)
    assert git(repository, "branch", "--list").split() == ["*", "main"]


@pytest.mark.parametrize("place", ["", "git:", "hub:", "hub:x", "hub:dataset:name", "hub:model:owner/name"])
def test_a_place_that_is_none_is_said(filled, place):
    with pytest.raises(UsageError, match="no place to publish"):
        publish(filled, place, "2026-01-01")


def test_a_folder_that_is_no_repository_is_said(filled, tmp_path):
    with pytest.raises(DataError, match="git rev-parse"):
        publish(filled, f"git:{tmp_path}", "2026-01-01")
