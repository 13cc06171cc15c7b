"""`doctor`: whether this machine can do what the harness offers, and the line that mends what it cannot."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.api.errors import HarnessError
from harness.engine.run_dir import check_output

from .output import write_json
from .parser import add_verb
from .run_arguments import add_plugin_arguments, open_registry
from .tables import Table, print_table

# import name -> (what it is for, the line that installs it)
PARTS = {
    "torch": ("training and generation", "pip install 'assay-bench[train]'"),
    "transformers": ("training and generation", "pip install 'assay-bench[train]'"),
    "peft": ("LoRA and QLoRA", "pip install 'assay-bench[train]'"),
    "deepspeed": ("ZeRO", "pip install 'assay-bench[deepspeed]'"),
    "bitsandbytes": ("4-bit weights", "pip install bitsandbytes"),
    "vllm": ("--backend vllm on CUDA", "pip install vllm, in an environment of its own"),
    "rdkit": ("molecule metrics and tasks", "pip install rdkit"),
    "nltk": ("reference text metrics", "pip install 'assay-bench[reference]'"),
    "evaluate": ("metrics of the evaluate library", "pip install 'assay-bench[reference]'"),
    "fcd": ("Fréchet ChemNet distance", "pip install 'assay-bench[molecules]'"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `state` is ok, missing (optional) or bad."""

    name: str
    state: str
    found: str
    mend: str = ""


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "doctor",
        "Check Python, libraries, device, memory and folders.",
        "run-bench doctor",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("runs"), metavar="DIR", help="the folder runs are kept in"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print every check; something bad makes the exit code 1."""
    checks = [*_python(), *_parts(), _device(), _memory(), _folder(args.output), _plugins(args)]
    if args.json:
        write_json([asdict(check) for check in checks])
    else:
        rows: list[Sequence[str]] = [
            [c.state.upper() if c.state == "bad" else c.state, c.name, c.found, c.mend] for c in checks
        ]
        print_table(Table("", ["", "what", "found", "to mend it"], rows), left=True)
    return 1 if any(check.state == "bad" for check in checks) else 0


def _python() -> Iterator[Check]:
    good = sys.version_info >= (3, 11)
    yield Check(
        "python",
        "ok" if good else "bad",
        platform.python_version(),
        "" if good else "use Python 3.11 or newer",
    )


def _parts() -> Iterator[Check]:
    for name, (purpose, line) in PARTS.items():
        if importlib.util.find_spec(name) is None:
            yield Check(f"{name} ({purpose})", "missing", "not installed", line)
        else:
            yield Check(f"{name} ({purpose})", "ok", metadata.version(name))


def _device() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("device", "missing", "unknown without torch", PARTS["torch"][1])
    import torch  # here, because asking for the device is the one thing that needs it

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Check("device", "ok", names)
    if shutil.which("nvidia-smi"):
        return Check(
            "device",
            "bad",
            f"an NVIDIA GPU, but torch {torch.__version__} cannot use it",
            "install a CUDA build of torch",
        )
    return Check("device", "ok", f"cpu, {os.cpu_count()} cores")


def _memory() -> Check:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (ValueError, OSError):  # macOS does not tell
        return Check("memory", "ok", "this system does not say how much is free")
    return Check(
        "memory", "ok" if free > 2 else "bad", f"{free:.1f} GiB free", "" if free > 2 else "close something"
    )


def _folder(output: Path) -> Check:
    try:
        check_output(output)
    except HarnessError as error:
        return Check("run folder", "bad", error.message, error.hint)
    return Check("run folder", "ok", f"{output}, {shutil.disk_usage(output).free / 2**30:.0f} GiB free")


def _plugins(args: argparse.Namespace) -> Check:
    plugins = open_registry(args).plugins
    bad = len(plugins.broken)
    found = f"{len(plugins.loaded) - bad} in use" + (f", {bad} bad" if bad else "")
    return Check("plugins", "bad" if bad else "ok", found, "run-bench plugins" if bad else "")
