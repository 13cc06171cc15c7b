"""Everything that the pages show is run, and comes out as they show it.

A `console` block's commands run in one temporary folder a page; `python` blocks run in one namespace a page;
a block labelled with a file name (```python shout.py) is written to that file. `console no-test` is not run,
and a comment above it says why: <!-- not run: needs a GPU -->. A translation shows what its original shows.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from .pages import ROOT, Block, blocks, commands, links, missing, original, pages


def cases(found: Iterable[Path]) -> list[Any]:
    return [pytest.param(page, id=page.relative_to(ROOT).as_posix()) for page in found]


PAGES = cases(pages())
ORIGINALS = cases(page for page in pages() if original(page) == page)
TRANSLATIONS = cases(page for page in pages() if original(page) != page)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that looks like a checkout to the commands of a page."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    shim = binaries / "run-bench"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "run_bench.py"}" "$@"\n', encoding="utf-8")
    shim.chmod(0o755)
    here = tmp_path / "here"
    here.mkdir()
    for name in ("run_bench.py", "examples"):
        (here / name).symlink_to(ROOT / name)
    return here


@pytest.mark.parametrize("page", ORIGINALS)
def test_the_blocks_of_a_page_run_as_shown(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, shell: Callable[..., Any]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page):
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if block.label == "no-test":
            assert block.reason, f"{where}: a block that is not run says why in a comment above it"
        elif block.label:
            path = folder / block.label
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, where, "exec"), namespace)
        elif block.language == "console":
            run_console(block, where, shell)


def run_console(block: Block, where: str, shell: Callable[..., Any]) -> None:
    found = list(commands(block))
    assert found, f"{where}: a console block without a command"
    for command in found:
        done = shell(command.text)
        report = f"{where}: $ {command.text}\n{done.stdout}"
        assert (done.returncode != 0) == command.fails, f"exit code {done.returncode}; {report}"
        line = missing(command.shown, done.stdout)
        assert not line, f"not in the output: {line}\n{report}"


@pytest.fixture
def shell(folder: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return a function that runs a command as a reader would, both outputs together."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
    paths = [folder.parent / "bin", Path(sys.executable).parent, environment["PATH"]]
    environment["PATH"] = os.pathsep.join(map(str, paths))

    def run(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    return run


@pytest.mark.parametrize("page", TRANSLATIONS)
def test_a_translation_shows_and_links_to_what_its_original_does(page: Path) -> None:
    shown, wanted = (
        [block.text for block in blocks(one) if block.language != "text"] for one in (page, original(page))
    )
    assert shown == wanted
    targets, others = (
        {original(Path(target)).as_posix() for target in links(one)} for one in (page, original(page))
    )
    assert targets - {original(page).name} == others - {original(page).name}


@pytest.mark.parametrize("page", PAGES)
def test_links_into_the_project_lead_somewhere(page: Path) -> None:
    assert not [target for target in links(page) if not (page.parent / target).exists()]


def test_the_index_names_every_page() -> None:
    docs = ROOT / "docs"
    found = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} - {"index.md"}
    inside = [target for target in links(docs / "index.md") if not target.startswith("..")]
    assert found == {target for target in inside if target.endswith(".md")}


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_in_console_blocks(page: Path) -> None:
    assert not [block.line for block in blocks(page) if block.language in ("", "sh", "bash", "shell")]


@pytest.mark.parametrize(
    ("shown", "output", "first_missing"),
    [
        (("a 1.0", "b"), "a   1.0\nnoise\nb\n", ""),
        (("a ...", "b"), "a 0.7 ±1\nb", ""),
        (("b", "a"), "a\nb", "a"),
        (("a 1.0",), "a 1.1", "a 1.0"),
        (("a",), "a b", "a"),
        (("...", "b"), "x\nb", ""),
    ],
)
def test_shown_lines_must_come_in_order_and_whole(
    shown: tuple[str, ...], output: str, first_missing: str
) -> None:
    assert missing(shown, output) == first_missing
