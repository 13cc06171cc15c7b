"""How many threads torch uses on a CPU."""

from __future__ import annotations

import os

from harness.children import available_cores


def processes_here() -> int:
    """Count the processes that a launcher has started on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def use_cores() -> int:
    """Share the cores among the processes of this machine, unless OMP_NUM_THREADS says how many."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, available_cores() // processes_here()))
    return torch.get_num_threads()
