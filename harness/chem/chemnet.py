"""ChemNet's last hidden layer in NumPy: what the Fréchet ChemNet Distance measures molecules by.

The weights are those packaged in the PyPI distribution `fcd`; neither that package nor torch is
imported. Two strided convolutions halve the one-hot string twice, one LSTM reads the result from its
padded end to its beginning, a second one from the beginning to the end.

Shapes: B molecules, T string positions, S steps left after the convolutions, C channels, H hidden.
"""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import DataError, MissingDependency

Floats32 = NDArray[np.float32]

WEIGHTS = "ChemNet_v0.13_pretrained.pt"
DIGEST = "c22e977602b30eeabd7f81e6c790dd3234c7d7788c6c3e7979d8720ccc96951a"
SYMBOLS = (
    *("C", "N", "O", "H", "F", "Cl", "P", "B", "Br", "S", "I", "Si", "#", "(", ")", "+", "-"),
    *("1", "2", "3", "4", "5", "6", "7", "8", "=", "[", "]", "@", "c", "n", "o", "s", "X", "."),
)
HIDDEN = 512

_NUMBER = {symbol: i for i, symbol in enumerate(SYMBOLS)}
_UNKNOWN = _NUMBER["X"]
_BATCH = 256


class ChemNet:
    """The network, ready to encode strings padded to a fixed number of positions."""

    def __init__(self, weights: Sequence[dict[str, Floats32]]) -> None:
        """Take the weights of the two convolutions and the two LSTMs."""
        first, second, reader, writer = weights
        self._convolutions = [
            np.ascontiguousarray(layer["weight"].transpose(2, 1, 0).reshape(-1, layer["weight"].shape[0]))
            for layer in (first, second)
        ]
        self._reader, self._writer = _Lstm(reader), _Lstm(writer)

    def encode(self, symbols: Sequence[Sequence[int]], positions: int) -> Floats32:
        """Return the activations (B x H) of symbol strings, each padded to `positions`."""
        found = np.zeros((len(symbols), HIDDEN), dtype=np.float32)
        # Strings of like length go together: all of a batch share the padded steps that follow the longest.
        order = sorted(range(len(symbols)), key=lambda i: (len(symbols[i]), symbols[i]))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            found[batch] = self._forward([symbols[i] for i in batch], positions)
        return found

    def _forward(self, symbols: Sequence[Sequence[int]], positions: int) -> Floats32:
        half = -(-positions // 2)
        steps = -(-half // 2)
        # Behind the longest string all is zero, up to where the steps end: only the used ones are convolved.
        used = min(max(map(len, symbols)) // 4 + 2, steps)
        used_half = min(2 * used + 1, half)
        x_BTC = np.zeros((len(symbols), min(2 * used_half + 1, positions), len(SYMBOLS)), dtype=np.float32)
        for i, string in enumerate(symbols):
            x_BTC[i, np.arange(len(string)), string] = 1 / len(SYMBOLS)
        for weight, count in zip(self._convolutions, (used_half, used), strict=True):
            x_BTC = _selu(_convolve(x_BTC, weight, count))
        padding = self._padding(steps)
        read_SHB = self._read(x_BTC, padding)
        inputs = (
            self._writer.take_in(read_SHB[step]) if step < used else padding.gates_GS[:, step, None]
            for step in range(steps)
        )
        return self._writer.last(inputs, len(symbols)).T

    def _read(self, x_BSC: Floats32, padding: _Padding) -> Floats32:
        """Run the first LSTM backwards from the padding; return its states over the used steps."""
        batch, used, _ = x_BSC.shape
        h_HB = np.repeat(padding.h_SH[used][:, None], batch, axis=1)
        c_HB = np.repeat(padding.c_SH[used][:, None], batch, axis=1)
        states_SHB = np.empty((used, self._reader.hidden, batch), dtype=np.float32)
        x_SCB = np.ascontiguousarray(x_BSC.transpose(1, 2, 0))
        for step in range(used - 1, -1, -1):
            h_HB, c_HB = self._reader.step(self._reader.take_in(x_SCB[step]), h_HB, c_HB)
            states_SHB[step] = h_HB
        return states_SHB

    @cache  # noqa: B019 - one network lives as long as the process
    def _padding(self, steps: int) -> _Padding:
        h_SH = np.zeros((steps + 1, self._reader.hidden), dtype=np.float32)
        c_SH = np.zeros_like(h_SH)
        for step in range(steps - 1, -1, -1):
            h, c = self._reader.step(self._reader.bias, h_SH[step + 1][:, None], c_SH[step + 1][:, None])
            h_SH[step], c_SH[step] = h[:, 0], c[:, 0]
        return _Padding(h_SH, c_SH, self._writer.take_in(h_SH.T))


@dataclass(frozen=True, slots=True, eq=False)
class _Padding:
    """The first LSTM's states behind the end of a string, the same for all, and what the second takes in."""

    h_SH: Floats32
    c_SH: Floats32
    gates_GS: Floats32


class _Lstm:
    """One LSTM layer; gates are in torch's order (input, forget, cell, output), one column a molecule."""

    def __init__(self, weights: dict[str, Floats32]) -> None:
        self.hidden = n = weights["weight_hh_l0"].shape[1]
        # sigmoid(x) = (1 + tanh(x / 2)) / 2, so that one call covers all gates; the half is in the weights.
        half = np.full((4 * n, 1), 0.5, dtype=np.float32)
        half[2 * n : 3 * n] = 1
        self.input = np.ascontiguousarray(weights["weight_ih_l0"] * half)
        self.recurrent = np.ascontiguousarray(weights["weight_hh_l0"] * half)
        self.bias = (weights["bias_ih_l0"] + weights["bias_hh_l0"])[:, None] * half

    def take_in(self, x_CB: Floats32) -> Floats32:
        """Return the input's share of the gates."""
        gates_GB = self.input @ x_CB
        gates_GB += self.bias
        return gates_GB

    def step(self, input_GB: Floats32, h_HB: Floats32, c_HB: Floats32) -> tuple[Floats32, Floats32]:
        """Return the next state; `input_GB` is the input's share of the gates, of each or of all at once."""
        gates_GB = self.recurrent @ h_HB
        gates_GB += input_GB
        np.tanh(gates_GB, out=gates_GB)
        take, keep, cell, out = (gates_GB[i * self.hidden : (i + 1) * self.hidden] for i in range(4))
        keep += 1
        keep *= c_HB
        take += 1
        take *= cell
        c_HB = keep + take
        c_HB *= 0.5
        h_HB = np.tanh(c_HB)
        out += 1
        h_HB *= out
        h_HB *= 0.5
        return h_HB, c_HB

    def last(self, inputs: Iterable[Floats32], batch: int) -> Floats32:
        """Run over the input's shares of the gates, step by step, and return the last state."""
        h_HB = np.zeros((self.hidden, batch), dtype=np.float32)
        c_HB = np.zeros_like(h_HB)
        for input_GB in inputs:
            h_HB, c_HB = self.step(input_GB, h_HB, c_HB)
        return h_HB


def _convolve(x_BTC: Floats32, weight: Floats32, steps: int) -> Floats32:
    """Return the first steps of a convolution of width 4 and stride 2, with zeros on both sides."""
    batch, length, channels = x_BTC.shape
    padded = np.zeros((batch, 2 * steps + 2, channels), dtype=np.float32)
    padded[:, 1 : 1 + length] = x_BTC[:, : 2 * steps + 1]
    windows = np.lib.stride_tricks.sliding_window_view(padded, 4, axis=1)[:, ::2]
    return windows.transpose(0, 1, 3, 2).reshape(batch, steps, 4 * channels) @ weight


def _selu(x: Floats32) -> Floats32:
    alpha, scale = np.float32(1.6732632423543772), np.float32(1.0507009873554805)
    return np.asarray(scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), dtype=np.float32)


def symbols_1_1(smiles: str) -> list[int]:
    """Return the symbols that fcd 1.1 sees: up to the first dot, at most 349, and a closing dot."""
    found: list[int] = []
    i = 0
    while i < len(smiles) and len(found) < 349 and not (smiles[i] == "." and found):
        size = 2 if smiles[i + 1 : i + 2] in ("r", "i", "l") else 1
        found.append(_NUMBER.get(smiles[i : i + size], _UNKNOWN))
        i += size
    return [*found, _NUMBER["."]]


def symbols_1_2(smiles: str) -> list[int]:
    """Return the symbols that fcd 1.2 sees: all of them, and a closing dot."""
    found: list[int] = []
    i = 0
    while i < len(smiles):
        size = 2 if smiles[i : i + 2] in ("Cl", "Br", "Si") else 1
        found.append(_NUMBER.get(smiles[i : i + size], _UNKNOWN))
        i += size
    return [*found, _NUMBER["."]]


def load(folder: Path | None = None) -> ChemNet:
    """Return the network with the weights in `folder` or in the installed `fcd` distribution."""
    path = (folder / WEIGHTS) if folder is not None and (folder / WEIGHTS).is_file() else _installed()
    return _load(path)


def _installed() -> Path:
    spec = importlib.util.find_spec("fcd")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(place) / WEIGHTS).is_file():
            return path
    raise MissingDependency(
        "the ChemNet weights, which come with fcd, are not installed", hint="pip install --no-deps fcd"
    )


@cache
def _load(path: Path) -> ChemNet:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != DIGEST:
        raise DataError(
            f"{path} has sha256 {found}, expected {DIGEST}", hint="pip install --no-deps fcd==1.2.2"
        )
    with zipfile.ZipFile(path) as archive:
        layers = _Unpickler(archive).load()
    return ChemNet([{name: np.asarray(value) for name, value in config[0].items()} for _, config in layers])


class _Unpickler(pickle.Unpickler):
    """Reads tensors as arrays and refuses anything else, so that the file can run no code."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._root = WEIGHTS.removesuffix(".pt")
        super().__init__(archive.open(f"{self._root}/data.pkl"))

    def persistent_load(self, pid: Any) -> Floats32:
        """Return the numbers of one stored tensor."""
        return np.frombuffer(self._archive.read(f"{self._root}/data/{pid[2]}"), dtype="<f4")

    def find_class(self, module: str, name: str) -> Any:
        """Return the few things that the file is made of."""
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("torch", "FloatStorage"): float,
        }
        return known[module, name]


def _rebuild(
    storage: Floats32, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> Floats32:
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)
