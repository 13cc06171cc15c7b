"""What a record says about the machine, the versions and the code that ran."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import harness
from harness.api.errors import UsageError


def describe() -> dict[str, Any]:
    """Return Python, machine, devices, code version and every installed distribution."""
    return {
        "assay": harness.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cpus": os.cpu_count(),
        "device": device_name(),
        "packages": dict(_packages()),
    }


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution, empty where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


@cache  # reading the metadata of a few hundred distributions takes a quarter of a second
def _packages() -> tuple[tuple[str, str], ...]:
    found = (
        (dist.metadata["Name"] or "", dist.version) for dist in metadata.distributions() if dist.metadata
    )
    return tuple(sorted(found))


def commit() -> str:
    """Return the checkout's git commit, marked when files differ from it; empty outside a checkout."""
    checkout = Path(harness.__file__).resolve().parent.parent
    if not (checkout / ".git").exists():
        return ""
    try:
        head = _git(checkout, "rev-parse", "HEAD")
        dirty = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + (" with local changes" if dirty else "")


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()


def processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux; platform knows less
    return platform.processor() or platform.machine()


def device_name() -> str:
    """Return the accelerator in use, without importing torch for the question."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "cpu"


def refuse_absent_device(asked: str) -> None:
    """Refuse a GPU that is not there, also for a model that would never look for it."""
    if asked.startswith("cuda"):
        import torch  # here, because only who asks for a GPU has to wait for it

        if not torch.cuda.is_available():
            raise UsageError(f"device '{asked}' was asked for, but torch sees no GPU", hint="--device cpu")


def peak_memory_mib() -> float:
    """Return this process's peak memory so far: of the accelerator when one is used, else of the process."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return own / (2**20 if sys.platform == "darwin" else 2**10)
