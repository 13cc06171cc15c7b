"""Make .venv and install this checkout into it: `python3 .ci/install.py bench` (or `test`).

Does nothing when pyproject.toml, constraints.txt, the extras and the choice of torch are those of the last
time. Runs before anything is installed and under any Python 3, so that an old one gets a sentence, not a
traceback.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = {
    "bench": "train",
    "test": "train,deepspeed,quant,molecules,reference,retrieval,papers,gguf,chinese,serve,docs,ray,slurm"
    ",dev",
    "release": "release",
}
INCLUDES = {"bench": ["bench"], "test": ["bench", "test"], "release": ["release"]}
OLDEST = (3, 11)


def main(goal):
    """Install what a goal needs."""
    torch = os.environ.get("TORCH", "").split()
    stamp = VENV / ("installed-" + goal)
    wanted = digest(torch)
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    make_environment()
    pins = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    others = VENV / "constraints.txt"
    others.write_text("".join(pin + "\n" for pin in pins if not pin.startswith("torch==")), encoding="utf-8")
    torch = torch or [pin for pin in pins if pin.startswith("torch==")]
    # torch goes first and alone: nothing that is installed later may choose another build of it.
    say("installing " + " ".join(torch) + " (the CPU build is about 200 MB; `make help` tells how to choose)")
    pip("install", *torch)
    say("installing this checkout with " + EXTRAS[goal] + ", at the versions in constraints.txt")
    pip("install", "--constraint", str(others), "--editable", str(ROOT) + "[" + EXTRAS[goal] + "]")
    for name in INCLUDES[goal]:
        (VENV / ("installed-" + name)).write_text(wanted)


def digest(torch):
    """Return a hash of everything that decides what gets installed."""
    total = hashlib.sha256(" ".join([*torch, *EXTRAS.values()]).encode())
    for path in (ROOT / "pyproject.toml", CONSTRAINTS):
        total.update(path.read_bytes())
    return total.hexdigest()


def make_environment():
    """Create .venv unless a working one is there."""
    if works():
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            "error: this Python cannot make virtual environments\n"
            "hint: on Debian and Ubuntu, apt install python3-venv; or make bench PYTHON=python3.12"
        )
    say("creating .venv with Python " + ".".join(map(str, sys.version_info[:3])))
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def works():
    """Whether .venv holds a Python that is new enough and has pip."""
    check = "import sys, pip; sys.exit(sys.version_info < " + repr(OLDEST) + ")"
    try:
        return subprocess.run([str(python()), "-c", check], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def python():
    """Return the Python of .venv."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip(*arguments):
    """Run pip in .venv; pip itself says what went wrong."""
    command = [str(python()), "-m", "pip", "--disable-pip-version-check", *arguments]
    code = subprocess.run([*command, "-qq"]).returncode
    if code:
        sys.exit(code)


def say(text):
    """Print a line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(
            f"error: Assay needs Python 3.11 or newer, this is {sys.version_info[0]}.{sys.version_info[1]}\n"
            "hint: make bench PYTHON=python3.12 (or another that you have)"
        )
    main(sys.argv[1])
