"""Builds the site of the documentation without network: `python .ci/site/build.py [FOLDER]`.

The pages stay where they lie, so their links hold on the site as in the repository. What a page's links lead
to comes with it: a folder as the list of its pages, a file as a page that shows it. The navigation is
`docs/index.md`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BOARD = ROOT / "leaderboards" / "published"
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+) (?P<label>[^`\n]+)$", re.M)
CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]+`", re.M | re.S)
LINK = re.compile(r"\]\((?!\w+:)(?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
SHOWN = {".py": "python", ".toml": "toml", "": "text"}  # files that are shown as pages; others are handed out

PAGES = (
    "README*.md",
    "C*.md",
    "docs/**/*.md",
    "plugins/*/README.md",
    "tasks/*/README.md",
    "benchmarks/README.md",
    "benchmarks/results/*.md",
    "leaderboards/published/README.md",
)
LISTS = {"plugins": "Models", "tasks": "Tasks", "benchmarks/results": "Results"}  # folders without a README

CONFIGURATION: dict[str, Any] = {
    "site_name": "Assay",
    "docs_dir": "pages",
    "site_dir": "site",
    "strict": True,
    "extra_css": ["assets/site.css"],
    # Named after the script of that kind which would else be fetched from a CDN.
    "extra": {"generator": False, "polyfills": ["assets/iframe-worker.js"]},
    # As it comes, but for names such as harness_tasks, which stay whole.
    "plugins": {"offline": {}, "search": {"separator": r'[\s\-,:!=\[\]()\\"`/]+|\.(?!\d)'}},
    "theme": {
        "font": False,
        "language": "en",
        "icon": {"logo": "lucide/flask-conical"},
        "features": [
            "content.code.copy",
            "navigation.footer",
            "navigation.indexes",
            "navigation.sections",
            "navigation.tabs",
            "navigation.top",
            "search.highlight",
            "toc.follow",
        ],
        "palette": [
            {
                "media": f"(prefers-color-scheme: {name})",
                "scheme": scheme,
                "toggle": {"icon": f"lucide/{icon}", "name": f"Switch to {other}"},
            }
            for name, scheme, icon, other in (
                ("light", "default", "sun", "dark"),
                ("dark", "slate", "moon", "light"),
            )
        ],
    },
}


def build(folder: Path, *, boards: bool = True) -> Path:
    """Build the site below a folder and return where it lies; a link that leads nowhere is an error."""
    pages = folder / "pages"
    for made in (pages, folder / "site"):  # and nothing else of a folder that somebody named
        shutil.rmtree(made, ignore_errors=True)
    if boards:
        publish(pages / "boards")
    for page in found():
        stage(page, pages)
    for name, source in (("iframe-worker.js", "frames.js"), ("site.css", "site.css")):
        (pages / "assets").mkdir(exist_ok=True)
        shutil.copy(HERE / source, pages / "assets" / name)
    generate(folder, {**CONFIGURATION, "nav": navigation()})
    segmented(folder / "site")
    return folder / "site"


def generate(folder: Path, configuration: Mapping[str, Any]) -> None:
    """Make the site of the pages in a folder."""
    lines = [f"{name} = {toml(value)}" for name, value in configuration.items()]
    (folder / "zensical.toml").write_text("\n".join(["[project]", *lines, ""]), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build"]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        told = COLOUR.sub("", done.stdout).partition("Traceback")[0]
        sys.exit(told + "error: the site cannot be built")


def segmented(site: Path) -> None:
    """Have the search part Chinese into words, which it does where the site's one language is Chinese."""
    for index in (site / "search.json", site / "search.js"):
        text = index.read_text(encoding="utf-8")
        assert '"lang":["en"]' in text
        index.write_text(text.replace('"lang":["en"]', '"lang":["en","zh"]', 1), encoding="utf-8")


def found() -> Iterator[Path]:
    """Yield every page of the repository that belongs on the site."""
    for pattern in PAGES:
        yield from sorted(ROOT.glob(pattern))


def publish(folder: Path) -> None:
    """Write the pages of the published boards."""
    command = [
        sys.executable,
        ROOT / "run_bench.py",
        "leaderboard",
        "--board",
        BOARD,
        "--output",
        folder,
    ]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def stage(page: Path, pages: Path) -> None:
    """Lay a page, and whatever it links to that is none itself, where the site is built from."""
    target = pages / page.relative_to(ROOT)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("", encoding="utf-8")  # links may lead in circles
    text = page.read_text(encoding="utf-8")
    for match in LINK.finditer(CODE.sub("", text)):
        bring((page.parent / match["target"]).resolve(), pages)
    if page == BOARD / "README.md" and (pages / "boards").exists():
        text = text.replace("\n\n", "\n\n[The boards as pages](../../boards/site/index.html)\n\n", 1)
    target.write_text(adapted(text, page), encoding="utf-8")


def bring(path: Path, pages: Path) -> None:
    """Lay what a link leads to where the site is built from."""
    target = pages / shown(path).relative_to(ROOT)
    if target.exists() or not path.exists():  # what does not exist is reported as a broken link
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not (path / "README.md").exists():
        target.write_text(listing(path), encoding="utf-8")
    elif target.suffix != ".md":
        shutil.copy(path, target)
    elif target.name.removesuffix(".md") == path.name:
        text = path.read_text(encoding="utf-8")
        target.write_text(f"# {path.name}\n\n````{SHOWN[path.suffix]}\n{text}````\n", encoding="utf-8")
    else:
        stage(path / "README.md" if path.is_dir() else path, pages)


def shown(path: Path) -> Path:
    """Return the page that shows what a link leads to."""
    if path.is_dir():
        return path / "README.md"
    return path.with_name(path.name + ".md") if path.suffix in SHOWN else path


def listing(folder: Path) -> str:
    """Return the page of a folder that has none: its pages by their titles."""
    below = sorted([*folder.glob("*/README.md"), *folder.glob("*.md")])
    lines = [f"- [{title(page)}]({page.relative_to(folder).as_posix()}){about(page)}" for page in below]
    return "\n".join([f"# {LISTS[folder.relative_to(ROOT).as_posix()]}", "", *lines, ""])


def title(page: Path) -> str:
    """Return what a page calls itself."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def about(page: Path) -> str:
    """Return the first sentence of a card; pages of what was measured begin with how, which is no summary."""
    if page.name != "README.md":
        return ""
    paragraph = page.read_text(encoding="utf-8").split("\n\n")[1]
    sentence = re.split(r"(?<=\.)\s", " ".join(paragraph.split()))[0]
    return f": {LINK.sub(']', sentence).replace('[', '').replace(']', '').rstrip('.:')}."


def adapted(text: str, page: Path) -> str:
    """Return a page as the site's generator reads it: labels of code as titles, links to what is shown."""
    text = FENCE.sub(labelled, text)
    kept = [match.span() for match in CODE.finditer(text)]

    def led(match: re.Match[str]) -> str:
        if any(start <= match.start() < end for start, end in kept):
            return match[0]
        goal = shown((page.parent / match["target"]).resolve())
        return f"]({os.path.relpath(goal, page.parent)}{match['anchor'] or ''})"

    return LINK.sub(led, text)


def labelled(match: re.Match[str]) -> str:
    """Return the first line of a block of code whose label is a file's name, or says that it is not run."""
    name = "" if match["label"] == "no-test" else f' title="{match["label"]}"'
    return f"{match['indent']}```{match['language']}{name}"


def navigation() -> list[Any]:
    """Return the tree of pages: what `docs/index.md` names, in its order, and what lies beside it."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    head, *sections, _beside = re.split(r"^## ", index, flags=re.M)
    tree: dict[str, Any] = {"Tutorial": entries(head)}
    for section in sections:
        name, _, body = section.partition("\n")
        tab, _, group = name.partition(": ")
        if group:
            tree.setdefault(tab, []).append({group.capitalize(): entries(body)})
        else:
            tree[name] = entries(body)
    return [
        {"Home": ["README.md", {"简体中文": "README.zh.md"}, {"All pages": "docs/index.md"}]},
        *({name: below} for name, below in tree.items()),
        {"Models": cards("plugins")},
        {"Tasks": cards("tasks")},
        {"Boards": [{"Published": "leaderboards/published/README.md"}]},
        {"Benchmarks": ["benchmarks/README.md", *results()]},
        {"Project": [{"Changes": "CHANGELOG.md"}, {"Contributing": "CONTRIBUTING.md"}]},
    ]


def entries(text: str) -> list[Any]:
    """Return the pages that a part of the index links to, by the words of the links."""
    return [
        {words[0].upper() + words[1:]: f"docs/{target}"}
        for words, target in re.findall(r"\[([^\]]+)\]\(([\w./-]+\.md)\)", text)
        if not target.startswith("..")
    ]


def cards(folder: str) -> list[Any]:
    """Return the cards of a folder, below the list of them."""
    return [f"{folder}/README.md", *({title(page): str(page.relative_to(ROOT))}
            for page in sorted((ROOT / folder).glob("*/README.md")))]  # fmt: skip


def results() -> list[Any]:
    """Return the pages of what was measured."""
    return [
        {page.stem: str(page.relative_to(ROOT))}
        for page in sorted((ROOT / "benchmarks/results").glob("*.md"))
    ]


def toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(below)}" for name, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    where = build(Path(sys.argv[1] if len(sys.argv) > 1 else "build/site").resolve())
    print(f"written: {os.path.relpath(where / 'index.html')}")
