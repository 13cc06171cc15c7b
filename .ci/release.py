"""Builds what a release consists of and checks it: `python .ci/release.py [FOLDER]`.

The sdist, the wheel out of it, a bill of materials of what the wheel brings and one of everything that is
pinned, and digests of all. The wheel is installed into an environment of its own and has to work there.
Nothing is uploaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import __version__

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"


def main(folder: Path) -> None:
    """Build, check, and say what there is."""
    told(__version__)
    promised()
    for made in (*folder.glob("assay_bench-*"), folder / "SHA256SUMS"):
        made.unlink(missing_ok=True)
    build(folder)
    with tempfile.TemporaryDirectory() as place:
        python = installed(folder, Path(place))
        works(python, Path(place))
        bills(folder, python, Path(place))
    files = sorted(folder.glob("assay_bench-*"))
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    print(sums, end="")


def told(version: str) -> None:
    """Refuse a version of which the changes say nothing."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)}( |$)", changes, re.M):
        sys.exit(f"error: CHANGELOG.md has no section for {version}")


def promised() -> None:
    """Refuse public names that the file of promises does not have yet."""
    promise = runpy.run_path(str(ROOT / ".ci" / "surface.py"))
    if promise["PROMISED"].read_text(encoding="utf-8").splitlines() != promise["surface"]():
        sys.exit(
            "error: there are public names that nothing promises\nhint: run .ci/surface.py, look, commit"
        )


def build(folder: Path) -> None:
    """Build the sdist and the wheel out of it, the same bytes for the same commit, and check both."""
    when = output("git", "log", "-1", "--format=%ct").strip()
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, SOURCE_DATE_EPOCH=when)
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(folder.glob("assay_bench-*")))


def installed(folder: Path, place: Path) -> Path:
    """Install the wheel with what it needs into an environment of its own, and return that one's Python."""
    run(sys.executable, "-m", "venv", "--without-pip", place / "environment")
    python = place / "environment" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "--disable-pip-version-check",
        "install",
        "--quiet",
    )
    run(*pip, "--constraint", CONSTRAINTS, wheel)
    return python


def works(python: Path, place: Path) -> None:
    """Run the installed program as a user would first."""
    program = python.with_name("run-bench")
    said = output(program, "--version", cwd=place).split()[-1]
    if said != __version__:
        sys.exit(f"error: the wheel says that it is {said}, not {__version__}")
    for words in (
        ("list", "models"),
        ("--model", "toy", "--task", "toy", "--quiet"),
        ("plugins", "check", "toy"),
    ):
        run(program, *words, cwd=place)


def bills(folder: Path, python: Path, place: Path) -> None:
    """Write the bills of materials, in CycloneDX's form and checked against its schema."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    written = project.replace('dynamic = ["version"]', f'version = "{__version__}"')  # else it has none there
    (place / "pyproject.toml").write_text(written, encoding="utf-8")
    common = ("--pyproject", place / "pyproject.toml", "--output-reproducible", "--validate")
    name = f"assay_bench-{__version__}"
    tool = (sys.executable, "-m", "cyclonedx_py")
    run(*tool, "environment", *common, "-o", folder / f"{name}.cdx.json", python)
    run(*tool, "requirements", *common, "-o", folder / f"{name}-pinned.cdx.json", CONSTRAINTS)
    for bill in folder.glob("*.cdx.json"):
        parts = json.loads(bill.read_text(encoding="utf-8"))
        root = parts["metadata"]["component"]
        if (root["name"], root.get("version")) != ("assay-bench", __version__):
            sys.exit(f"error: {bill.name} is of {root['name']} {root.get('version')}")


def run(*command: object, cwd: Path = ROOT, **environment: str) -> None:
    """Run a command and end with its exit code when it fails."""
    print("$", *command, flush=True)
    code = subprocess.run(list(map(str, command)), cwd=cwd, env=os.environ | environment).returncode
    if code:
        sys.exit(code)


def output(*command: object, cwd: Path = ROOT) -> str:
    """Return what a command writes."""
    return subprocess.run(
        list(map(str, command)), cwd=cwd, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist").resolve())
