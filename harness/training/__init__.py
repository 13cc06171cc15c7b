"""What model plugins train with: `fit`, adapters, objectives, and the processes of a stage.

Names are imported on first use, so that checking data or setting threads does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.api import StageEntry, hookimpl

from .stages import entries

if TYPE_CHECKING:
    from .adapters import (
        add_adapter,
        base_of,
        export,
        few_bits,
        grow_embeddings,
        is_adapter,
        load_adapter,
        merge,
        prepare_model,
        quantization,
    )
    from .batching import EncodedRows, Shape, plan
    from .checks import check
    from .distributed import Group, device_of, session
    from .loop import fit, learn
    from .muon import Muon
    from .objectives import Loss, Objective, model_loss
    from .precision import cpu_multiplies_bf16, load_dtype
    from .rows import BothDirections, Corpus, check_rows
    from .stage import Learner, Stage
    from .threads import use_cores
    from .together import asked_together

_HOMES = {
    "add_adapter": "adapters",
    "base_of": "adapters",
    "export": "adapters",
    "few_bits": "adapters",
    "grow_embeddings": "adapters",
    "is_adapter": "adapters",
    "load_adapter": "adapters",
    "merge": "adapters",
    "prepare_model": "adapters",
    "quantization": "adapters",
    "BothDirections": "rows",
    "Corpus": "rows",
    "check_rows": "rows",
    "EncodedRows": "batching",
    "Shape": "batching",
    "plan": "batching",
    "check": "checks",
    "Group": "distributed",
    "device_of": "distributed",
    "session": "distributed",
    "fit": "loop",
    "learn": "loop",
    "Muon": "muon",
    "Loss": "objectives",
    "Objective": "objectives",
    "model_loss": "objectives",
    "cpu_multiplies_bf16": "precision",
    "load_dtype": "precision",
    "Learner": "stage",
    "Stage": "stage",
    "asked_together": "together",
    "use_cores": "threads",
}

__all__ = [
    "BothDirections",
    "Corpus",
    "EncodedRows",
    "Group",
    "Learner",
    "Loss",
    "Muon",
    "Objective",
    "Shape",
    "Stage",
    "add_adapter",
    "asked_together",
    "base_of",
    "check",
    "check_rows",
    "cpu_multiplies_bf16",
    "device_of",
    "export",
    "few_bits",
    "fit",
    "grow_embeddings",
    "is_adapter",
    "learn",
    "load_adapter",
    "load_dtype",
    "merge",
    "model_loss",
    "plan",
    "prepare_model",
    "quantization",
    "session",
    "use_cores",
]


@hookimpl
def harness_stages() -> list[StageEntry]:
    """Offer the bundled stages."""
    return entries()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
