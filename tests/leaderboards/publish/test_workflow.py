"""The GitHub Action lets a new row through and nothing else."""

import subprocess
from pathlib import Path

import pytest
import yaml

import harness.leaderboards.publish.verify as module
from harness.leaderboards.publish.verify import verify

from ..board.test_build import put
from ..conftest import make_submission

WORKFLOW = Path(module.__file__).parent / "workflow.yml"
ROW = "rows/words/m-12345678"


def steps():
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["verify"]["steps"]


def test_the_workflow_reads_only_and_checks_out_without_credentials():
    loaded = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert loaded["permissions"] == {"contents": "read"}
    assert steps()[0]["with"]["persist-credentials"] is False
    # No expression of the pull request's own text stands in a script.
    assert not [step for step in steps() if "${{" in step.get("run", "")]


@pytest.mark.parametrize(
    ("changed", "passes"),
    [
        ([f"{ROW}/submission.json", f"{ROW}/predictions.jsonl.gz"], True),
        ([f"{ROW}/submission.json", f"{ROW}/evidence.json"], False),
        ([f"{ROW}/scored.json"], False),
        (["rows/words/kept-1/submission.json"], False),  # another's row
        (["history.jsonl"], False),
        ([".github/workflows/leaderboard.yml"], False),
        (["rows/../x/submission.json"], False),
    ],
)
def test_only_the_two_files_of_a_new_row_pass(tmp_path, changed, passes):
    def git(*arguments):
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"changed {name}")

    git("init", "-q")
    (tmp_path / "history.jsonl").write_text("x")
    (tmp_path / "rows/words/kept-1").mkdir(parents=True)
    (tmp_path / "rows/words/kept-1/submission.json").write_text("x")
    git("add", ".")
    git("commit", "-qm", "board")
    base = git("rev-parse", "HEAD")
    for name in changed:
        write(name)
    git("add", ".")
    git("commit", "-qm", "submission")
    (script,) = [step["run"] for step in steps() if "allowed=" in step.get("run", "")]
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env={"BASE": base, "PATH": "/usr/bin:/bin"}
    )
    assert (done.returncode == 0) == passes


def test_a_row_that_could_not_be_scored_fails_the_verification(store, view, opened):
    put(store, opened, make_submission(view, 0.5))
    next(store.root.rglob("scored.json")).unlink()
    assert [finding.verdict for finding in verify(store, opened)] == ["differs"]
