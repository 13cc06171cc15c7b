"""Experts out of a dense feed-forward: which neurons go together, in the release's files and in our own.

The release assigns neurons by clustering the rows of the up projection into groups of equal size, and
ships the result but not the clustering. `split_neurons` is ours.

Shapes: L layers, I neurons, E experts, H hidden.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import scalar
from torch import Tensor, nn

from harness import DataError, UsageError

SWEEPS = 50
MOST_EXPERTS = 2**16


def split_neurons(up_proj_IH: Tensor, experts: int, *, rounds: int = 20, seed: int = 0) -> Tensor:
    """Cluster neurons into experts of equal size by their up-projection rows: balanced k-means.

    Returns the expert of each neuron. The same weights and seed give the same experts.
    """
    neurons = up_proj_IH.shape[0]
    if experts < 1 or neurons % experts:
        raise UsageError(f"{neurons} neurons do not split into {experts} equal experts")
    rows_IH = nn.functional.normalize(up_proj_IH.detach().float(), dim=-1)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randperm(neurons, generator=generator)[:experts]
    centres_EH = rows_IH[start.to(rows_IH.device)]
    labels_I = torch.full((neurons,), -1)
    for _ in range(rounds):
        moved_I = balanced_assignment((rows_IH @ centres_EH.T).cpu())
        if torch.equal(moved_I, labels_I):
            break
        labels_I = moved_I
        one_hot_IE = nn.functional.one_hot(labels_I, experts).to(rows_IH)
        centres_EH = nn.functional.normalize(one_hot_IE.T @ rows_IH, dim=-1)
    return labels_I


def balanced_assignment(similarity_IE: Tensor) -> Tensor:
    """Give every expert equally many neurons at (nearly) the greatest total similarity.

    Each expert in turn sets the price at which exactly its share of neurons prefers it, until prices
    stand; the few neurons that ties leave over move to where they lose least.
    """
    neurons, experts = similarity_IE.shape
    share = neurons // experts
    similarity_IE = similarity_IE.double()
    price_E = torch.zeros(experts, dtype=torch.float64)
    for _ in range(SWEEPS):
        before_E = price_E.clone()
        for expert in range(experts if experts > 1 else 0):
            net_IE = similarity_IE - price_E
            net_IE[:, expert] = -torch.inf
            margin_I = similarity_IE[:, expert] - net_IE.max(dim=1).values
            lowest_in, highest_out = margin_I.topk(share + 1).values[-2:]
            price_E[expert] = (lowest_in + highest_out) / 2
        if torch.allclose(before_E, price_E, rtol=0, atol=1e-9):
            break
    return _evened(similarity_IE - price_E, share)


def _evened(net_IE: Tensor, share: int) -> Tensor:
    labels_I = net_IE.argmax(dim=1)
    experts = net_IE.shape[1]
    while bool((labels_I.bincount(minlength=experts) > share).any()):
        count_E = labels_I.bincount(minlength=experts)
        loss_IE = net_IE.gather(1, labels_I.unsqueeze(1)) - net_IE
        loss_IE[count_E[labels_I] <= share] = torch.inf
        loss_IE[:, count_E >= share] = torch.inf
        neuron, expert = divmod(int(loss_IE.argmin()), experts)
        labels_I[neuron] = expert
    return labels_I


def read_partition(folder: Path, layers: int, neurons: int, experts: int) -> Tensor:
    """Read the release's partition of all layers: (L, I), the expert of each neuron.

    Either of its two forms will do: `param_split/model.layers.N.mlp.up_proj.weight` (a label for each
    neuron) or `patterns_N.npy` (a row of booleans for each expert).
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}", hint="name the folder with patterns_0.npy or param_split/")
    rows = []
    for layer in range(layers):
        labels_file = folder / "param_split" / f"model.layers.{layer}.mlp.up_proj.weight"
        pattern_file = folder / f"patterns_{layer}.npy"
        if pattern_file.exists():
            labels_I = _read_pattern(pattern_file)
        elif labels_file.exists():
            labels_I = _read_labels(labels_file)
        else:
            raise DataError(
                f"no partition for layer {layer}", hint=f"expected {pattern_file} or {labels_file}"
            )
        _check_partition(labels_I, neurons, experts, pattern_file if pattern_file.exists() else labels_file)
        rows.append(labels_I)
    return torch.stack(rows)


def _read_pattern(path: Path) -> Tensor:
    try:
        with path.open("rb") as stream:
            pattern_EI = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # a torn header fails in any way that parsing it as Python does
        raise DataError(f"{path} is no array file: {error}") from error
    if pattern_EI.dtype != np.bool_ or pattern_EI.ndim != 2:
        raise DataError(f"{path} holds {pattern_EI.dtype} of shape {pattern_EI.shape}, not booleans")
    if not (pattern_EI.sum(0) == 1).all():
        raise DataError(f"{path}: some neurons belong to no expert or to several")
    return torch.from_numpy(pattern_EI.argmax(0))


def _read_labels(path: Path) -> Tensor:
    # numpy 1 and numpy 2 name the maker of their scalars differently.
    old_name = (scalar, "numpy.core.multiarray.scalar")
    allowed: list[Any] = [old_name, scalar, np.dtype, np.dtypes.Int32DType, np.dtypes.Int64DType]
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pickles that no torch has written
            labels = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn pickle fails in any way that what it calls does
        raise DataError(
            f"{path} is no list of labels", hint="only a torch file with a plain list of integers is read"
        ) from error
    is_list = isinstance(labels, list) and all(isinstance(label, (int, np.integer)) for label in labels)
    if not is_list:
        raise DataError(f"{path} holds a {type(labels).__name__}, not a list of integers")
    if wrong := [label for label in labels if not 0 <= int(label) < MOST_EXPERTS]:
        raise DataError(f"{path} names an expert {int(wrong[0]):.3g}, which no model has")
    return torch.tensor([int(label) for label in labels])


def _check_partition(labels_I: Tensor, neurons: int, experts: int, path: Path) -> None:
    if len(labels_I) != neurons:
        raise DataError(f"{path} assigns {len(labels_I)} neurons, the model has {neurons}")
    if int(labels_I.min()) < 0 or int(labels_I.max()) >= experts:
        raise DataError(
            f"{path} names experts {int(labels_I.min())} to {int(labels_I.max())}, not 0 to {experts - 1}"
        )
    sizes = labels_I.bincount(minlength=experts)
    if len(set(sizes.tolist())) != 1:
        raise DataError(
            f"{path}: experts differ in size, from {int(sizes.min())} to {int(sizes.max())} neurons"
        )
