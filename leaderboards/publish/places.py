"""Publishes a board: into a folder, onto a git branch ready for a pull request, or to the Hub.

Publishing only ever adds: the rows of the target stay, its tables are built from all of them, and its
history gets one entry more.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import DataError, MissingDependency, UsageError
from harness.files import writing as files
from harness.files.digests import file_digest

from ..board import history
from ..board.build import build
from ..board.shapes import Table
from ..board.store import SAMPLES, Store
from ..pages.forms import ALL, write_forms
from ..pages.notes import SAMPLE
from ..pages.render import markdown
from ..pages.site import write_site

KEPT = ("rows", "tasks", "reported")
README = """# Leaderboards

Every ranked number was computed from a model's answers: those in `rows/`, or those in files that
`originals.json` names where only scores and hashes are kept.
`run-bench leaderboard verify --board . --originals DIR` computes them again.
`run-bench leaderboard --board . --output pages` writes the tables in every form, and pages to open:
`pages/site/index.html`. Both follow from the rows and are not kept.
"""
SPACE = "---\ntitle: Leaderboards\nsdk: static\napp_file: index.html\n---\n"
PLACES = "a folder, git:REPOSITORY[:FOLDER], hub:dataset:OWNER/NAME or hub:space:OWNER/NAME"


WriteForms = Callable[[Store, Sequence[Table], Path], object]


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing did, or would do in a dry run."""

    place: str
    files: Sequence[str]
    entry: Mapping[str, Any] | None  # None: the tables are those of the last entry


def everything(store: Store, tables: Sequence[Table], folder: Path) -> None:
    """Write tables and pages in every form that is built in."""
    write_forms(store, tables, ALL, folder, lambda table, form: None)


def publish(
    store: Store, to: str, date: str, write: WriteForms = everything, *, dry_run: bool = False
) -> Published:
    """Publish a board; in a dry run everything happens in a temporary copy and nothing is sent.

    `write` puts the tables and pages into a folder, in whatever forms were asked for.
    """
    kind, _, rest = to.partition(":")
    if kind == "git" and rest:
        return _to_git(store, rest, date, write, dry_run)
    if kind == "hub" and rest:
        return _to_hub(store, rest, date, write, dry_run)
    if kind in ("git", "hub") or not to:
        raise UsageError(f"'{to}' is no place to publish to", hint=f"--publish takes {PLACES}")
    return _to_folder(store, Path(to), date, write, dry_run)


def _to_folder(store: Store, target: Path, date: str, write: WriteForms, dry_run: bool) -> Published:
    if not dry_run:
        return _into(store, target, date, write, str(target))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "board"
        if target.is_dir():
            shutil.copytree(target, copy)
        return _into(store, copy, date, write, f"{target} (dry run: nothing was written)")


def _into(store: Store, target: Path, date: str, write: WriteForms, place: str) -> Published:
    """Merge a board into a folder, build its tables and pages, and add to its history."""
    before = _digests(target)
    board = Store(target)
    with board.alone():
        if store.root.resolve() != target.resolve():
            for name in KEPT:
                if (store.root / name).is_dir():
                    shutil.copytree(store.root / name, target / name, dirs_exist_ok=True)
        tables = build(board)
        _withhold(board)
        entry = history.append(board.history, tables, date)
        write(board, tables, target)
        files.write(target / "README.md", readme(tables))
    after = _digests(target)
    return Published(place, sorted(name for name in after if after[name] != before.get(name)), entry)


def _withhold(board: Store) -> None:
    """Take away the rows that cards show beside answers: those of a data set are their owners'."""
    for folder in board.row_folders():
        if board.about(folder)["data"]["source"] != "sample":
            (folder / SAMPLES).unlink(missing_ok=True)


def _digests(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    shown = (path for path in found if not path.name.startswith(".") and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in shown}


def readme(tables: Sequence[Table]) -> str:
    """Return the page that a published board opens with: what it is, and every table."""
    real = [markdown(table) for table in tables if not table["sample"]]
    samples = [markdown(table) for table in tables if table["sample"]]
    kept = f"# Built-in samples\n\n{SAMPLE} They show what a board looks like.\n"
    return "\n".join([README, *real, *([kept, *samples] if samples else [])])


def _to_git(store: Store, place: str, date: str, write: WriteForms, dry_run: bool) -> Published:
    """Commit the board onto a new branch of a repository, without touching what is checked out there."""
    name, _, folder = place.partition(":")
    repository = Path(name)
    _git(repository, "rev-parse", "--git-dir")
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary) / "tree"
        _git(repository, "worktree", "add", "--detach", str(tree), "HEAD")
        try:
            published = _into(store, tree / folder if folder else tree, date, write, name)
            branch = f"leaderboard-{(published.entry or {'hash': 'unchanged'})['hash'][:10]}"
            if dry_run or published.entry is None:
                why = "dry run: no branch was made" if dry_run else "nothing new: no branch was made"
                return Published(f"{name} ({why})", published.files, published.entry)
            _git(tree, "switch", "-c", branch)
            _git(tree, "add", "--all", folder or ".")
            rows = sum(len(state["rows"]) for state in published.entry["tables"].values())
            _git(tree, "commit", "-m", f"Publish the leaderboards of {date}, {rows} rows")
        finally:
            _git(repository, "worktree", "remove", "--force", str(tree))
    return Published(f"{name}, branch {branch}", published.files, published.entry)


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except FileNotFoundError:
        raise MissingDependency("git is not installed", hint="publish to a folder") from None
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise DataError(f"git {arguments[0]} in {folder} failed: {reason[0]}")
    return done.stdout


def _to_hub(store: Store, place: str, date: str, write: WriteForms, dry_run: bool) -> Published:
    """Upload the board as a dataset, or its pages as a static Space."""
    kind, _, name = place.partition(":")
    if kind not in ("dataset", "space") or name.count("/") != 1:
        raise UsageError(f"'hub:{place}' is no place to publish to", hint=f"--publish takes {PLACES}")
    with tempfile.TemporaryDirectory() as temporary:
        board = Path(temporary) / "board"
        shutil.copytree(store.root, board)
        published = _into(store, board, date, write, name)
        sent = board
        if kind == "space":
            sent = Path(temporary) / "site"
            write_site(Store(board), build(Store(board)), sent)
            files.write(sent / "README.md", SPACE)
        listed = sorted(_digests(sent))
        if dry_run:
            size = sum(path.stat().st_size for path in sent.rglob("*") if path.is_file())
            where = f"{kind} {name} (dry run: {size / 2**20:.1f} MiB would be sent)"
            return Published(where, listed, published.entry)
        _upload(sent, kind, name)
        if published.entry is not None:  # what was sent is what this board says from now on
            _into(store, store.root, date, write, name)
    return Published(f"{kind} {name}", listed, published.entry)


def _upload(folder: Path, kind: str, name: str) -> None:
    try:
        # Here, because only this place talks to the Hub.
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError
    except ModuleNotFoundError:
        raise MissingDependency(
            "publishing to the Hub needs huggingface_hub, which is not installed",
            hint="pip install huggingface_hub",
        ) from None
    hub = HfApi()
    sdk = "static" if kind == "space" else None
    try:
        hub.create_repo(name, repo_type=kind, exist_ok=True, space_sdk=sdk)
        hub.upload_folder(folder_path=str(folder), repo_id=name, repo_type=kind)
    except (OSError, HfHubHTTPError) as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(
            f"the Hub did not take it: {first}", hint="hf auth login; --dry-run sends nothing"
        ) from error


def as_text(published: Published, limit: int = 12) -> str:
    """Say what was published where."""
    lines = [f"published to {published.place}: {len(published.files)} files new or changed"]
    lines += [f"  {name}" for name in published.files[:limit]]
    if len(published.files) > limit:
        lines.append(f"  and {len(published.files) - limit} more")
    if published.entry is None:
        lines.append("the tables are those of the last entry of the history")
    else:
        lines.append(f"history entry {published.entry['number']}, hash {published.entry['hash'][:16]}")
        for table, gone in published.entry["removed"].items():
            lines.append(f"no longer in {table}: {', '.join(gone)}")
    return "\n".join(lines) + "\n"
