"""What this machine has to share out beside its cores: GPUs and memory."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

MIB = 2**20
GROUP = Path("/sys/fs/cgroup")


def gpus() -> list[str]:
    """Return the GPUs that this process may use, without importing torch for the question."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


def memory() -> tuple[float, float]:
    """Return the memory in all and what of it is free, in MiB, of the machine or of its container."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # no Linux: what is free is not known, so all of it is counted
        return (all := os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MIB), all
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    total, free = kib["MemTotal"] / 1024, kib["MemAvailable"] / 1024
    with suppress(OSError, ValueError):  # no container, or one without a limit, which says "max"
        limit = int((GROUP / "memory.max").read_text()) / MIB
        facts = dict(line.split() for line in (GROUP / "memory.stat").read_text().splitlines())
        used = (int((GROUP / "memory.current").read_text()) - int(facts["inactive_file"])) / MIB
        total, free = min(total, limit), min(free, limit - used)
    return total, free
