"""What a machine without network may lack: `python -m benchmarks.gpu.wheels` gathers it into one folder.

The folder is ignored by git and goes along with the checkout; `python -m benchmarks.gpu` looks there for
what its Python does not have, and for the real pairs that models learn from. The wheels are those of
Python 3.12 on Linux, as they are on the GPU machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "wheels"
MOST = 44 * 2**20  # bytes
PYTHON = "3.12"
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17)] + ["manylinux2014_x86_64"]
# by the name that is imported: the distribution
NEEDED = {
    "rdkit": "rdkit",
    "rapidfuzz": "rapidfuzz",
    "jsonschema": "jsonschema",
    "jsonschema_specifications": "jsonschema-specifications",
    "referencing": "referencing",
    "rpds": "rpds-py",
    "attr": "attrs",
    "pluggy": "pluggy",
}
# in the folder of test data: pairs to learn from, and the test of ChEBI-20
DATA = ("derived/caption_pairs_no_chebi20_valtest.tsv", "chebi20/test.txt")


def main() -> None:
    """Gather wheels and data, and refuse what would be too large to take along."""
    FOLDER.mkdir(exist_ok=True)
    for name in DATA:
        shutil.copyfile(data(name), FOLDER / Path(name).name)
    for old in FOLDER.glob("*.whl"):
        old.unlink()
    platforms = [part for name in PLATFORMS for part in ("--platform", name)]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q"]
    target = ["--python-version", PYTHON, "--implementation", "cp", *platforms, "-d", str(FOLDER)]
    subprocess.run([*command, *target, *pinned()], check=True)
    sizes = {file.name: file.stat().st_size for file in sorted(FOLDER.iterdir()) if file.is_file()}
    for name, size in sizes.items():
        print(f"{size / 2**20:6.1f} MiB  {name}")
    if sum(sizes.values()) > MOST:
        sys.exit(f"{sum(sizes.values()) / 2**20:.1f} MiB in {FOLDER} are more than {MOST // 2**20}")


def pinned() -> list[str]:
    """Return the distributions at the versions that are tested here."""
    lines = (FOLDER.parents[2] / "constraints.txt").read_text(encoding="utf-8").splitlines()
    versions = {line.partition("==")[0].lower().replace("_", "-"): line for line in lines if "==" in line}
    return [versions.get(name, name) for name in NEEDED.values()]


def data(name: str) -> Path:
    """Return a file that was taken along, or one of the folder of test data."""
    there = Path(os.environ.get("HARNESS_TEST_DATA") or FOLDER.parents[3] / "shared" / "data")
    for file in (FOLDER / Path(name).name, there / name):
        if file.is_file():
            return file
    from harness import DataError  # not before `use`: the harness may need what was taken along

    raise DataError(f"there is no {name} in {there}", hint="HARNESS_TEST_DATA names the folder")


def use() -> None:
    """Let Python find in the folder what it lacks."""
    lacking = [name for name in NEEDED if find_spec(name) is None]
    wheels = sorted(FOLDER.glob("*.whl"))
    if not lacking or not wheels:
        return
    place = FOLDER / "unpacked"
    for wheel in wheels:
        if not (place / wheel.name).exists():
            zipfile.ZipFile(wheel).extractall(place)
            (place / wheel.name).touch()
    sys.path.append(str(place))


if __name__ == "__main__":
    main()
