"""Packages that name a group of entry points: found wherever Python finds them, and nothing else is read."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.engine.installed import entry_points

ROOT = Path(__file__).resolve().parents[2]
GROUP = "assay-test-group"


def install(place: Path, name: str, points: str | bytes, kind: str = "dist-info") -> None:
    info = place / f"{name}-1.0.{kind}"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    text = points if isinstance(points, bytes) else points.encode()
    (info / "entry_points.txt").write_bytes(text)


def found() -> list[str]:
    return sorted(f"{point.name} = {point.value}" for point in entry_points(GROUP))


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Return two folders that come first among those where packages are looked for."""
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    first.mkdir()
    monkeypatch.syspath_prepend(str(second))
    monkeypatch.syspath_prepend(str(first))
    return first, second


def test_packages_that_name_the_group_are_found_with_what_they_are(places):
    install(places[0], "one", f"[{GROUP}]\nfirst = one.plugin\n\n[console_scripts]\nx = one:main\n")
    install(places[1], "other", "[console_scripts]\ny = other:main\n")
    install(places[1], "egg", f"[{GROUP}]\negg = egg:Plugin\n", kind="egg-info")
    assert found() == ["egg = egg:Plugin", "first = one.plugin"]
    (point,) = (point for point in entry_points(GROUP) if point.name == "first")
    assert point.dist is not None
    assert (point.dist.name, point.dist.version) == ("one", "1.0")


def test_of_a_package_that_lies_about_twice_the_first_counts(places):
    install(places[0], "Some.Package", "[console_scripts]\nx = new:main\n")
    install(places[1], "some_package", f"[{GROUP}]\nold = old.plugin\n")
    assert found() == []


def test_damaged_metadata_is_told_and_hides_nothing(places, caplog):
    install(places[0], "broken", f"[{GROUP}]\n".encode() + b"\xff\xfe = x\n")
    install(places[1], "sound", f"[{GROUP}]\nsound = sound.plugin\n")
    assert found() == ["sound = sound.plugin"]
    assert "the entry points of an installed package cannot be read" in caplog.text


def test_a_package_in_an_archive_is_found(places, monkeypatch):
    archive = places[0] / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("packed-1.0.dist-info/METADATA", "Name: packed\nVersion: 1.0\n")
        packed.writestr("packed-1.0.dist-info/entry_points.txt", f"[{GROUP}]\npacked = packed.plugin\n")
    monkeypatch.syspath_prepend(str(archive))
    assert found() == ["packed = packed.plugin"]


def test_a_listing_imports_nothing_that_only_a_run_needs():
    needless = {"difflib", "hashlib", "importlib.metadata", "logging", "subprocess", "harness.api.spec"}
    code = (
        "import io, sys; sys.path.insert(0, sys.argv[1]); from harness.cli import main; "
        "out, sys.stdout = sys.stdout, io.StringIO(); main(['list', 'tasks']); "
        "print(*sorted(set(sys.argv[2:]) & set(sys.modules)), file=out)"
    )
    command = [sys.executable, "-S", "-c", code, str(ROOT), *needless]
    folders = [path for path in sys.path if path.endswith("site-packages")]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(folders)}
    )
    assert done.stdout.split() == []
