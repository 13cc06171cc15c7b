"""The executor that a sweep names."""

from __future__ import annotations

from pathlib import Path

from .executor import Executor
from .file import Options
from .local import Local


def executor_of(options: Options, folder: Path) -> Executor:
    """Make an executor; what it keeps of its own goes into a folder of the sweep's."""
    if options.executor == "ray":
        from .on_ray import OnRay  # here and below, because it is an extra

        return OnRay(options)
    if options.executor == "slurm":
        from .on_slurm import OnSlurm

        return OnSlurm(options, folder)
    return Local(options)
