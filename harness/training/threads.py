"""How many threads torch uses on a CPU."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Count the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def wait_passively() -> None:
    """Let idle OpenMP threads sleep instead of spin; has effect only before torch is imported.

    Spinning threads made a step many times slower on a machine with other work.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def use_cores(processes_here: int = 1) -> int:
    """Share the cores among the processes of this machine, unless OMP_NUM_THREADS says how many."""
    import torch  # the function above must be usable before torch is imported

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, available_cores() // processes_here))
    return torch.get_num_threads()
