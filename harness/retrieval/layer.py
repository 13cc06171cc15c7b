"""A linear layer upon an encoder's vectors, kept as sentence-transformers keeps it: `2_Dense`."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from harness.api import DataError, UsageError
from harness.files.json_files import write_json

LAYER = "2_Dense"
WEIGHTS = "model.safetensors"
ACTIVATIONS = {"torch.nn.modules.linear.Identity": nn.Identity, "torch.nn.modules.activation.Tanh": nn.Tanh}


def new_layer(size: int) -> nn.Sequential:
    """Return a layer that leaves vectors as they are."""
    linear = nn.Linear(size, size, bias=False)
    nn.init.eye_(linear.weight)
    return nn.Sequential(linear, nn.Identity())


def read_layer(folder: Path) -> nn.Sequential | None:
    """Read the layer of an encoder's folder; None where there is none."""
    if not folder.is_dir():
        return None
    try:
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        linear = nn.Linear(facts["in_features"], facts["out_features"], bias=facts.get("bias", True))
        weights = load_file(folder / WEIGHTS)
        linear.load_state_dict({name.removeprefix("linear."): value for name, value in weights.items()})
        activation = facts.get("activation_function", "torch.nn.modules.activation.Tanh")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{folder} holds no layer that can be read: {str(error).splitlines()[0]}") from error
    if activation not in ACTIVATIONS:
        raise UsageError(f"{folder} ends in {activation}; known are " + ", ".join(ACTIVATIONS))
    return nn.Sequential(linear, ACTIVATIONS[activation]())


def save_layer(layer: nn.Sequential, folder: Path) -> None:
    """Write a layer."""
    linear, activation = layer
    assert isinstance(linear, nn.Linear)
    folder.mkdir(parents=True, exist_ok=True)
    weights = linear.state_dict()
    save_file({f"linear.{name}": value.contiguous() for name, value in weights.items()}, folder / WEIGHTS)
    facts = {
        "in_features": linear.in_features,
        "out_features": linear.out_features,
        "bias": linear.bias is not None,
        "activation_function": next(name for name, kind in ACTIVATIONS.items() if type(activation) is kind),
    }
    write_json(folder / "config.json", facts)
