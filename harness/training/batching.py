"""Encoded rows, and how they are put together: buckets by length, packing, steps of micro-batches.

A *unit* is one line of a batch: one row, or with packing several rows (or pieces of long documents)
end to end. A *micro-batch* is what goes through the model at once over all processes; a *step* is
`grad_accumulation` micro-batches and one update. Which rows meet in which step depends on the seed
and the epoch alone, never on how many processes share the work.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.api import DataError, TrainRow, TrainSpec, UsageError

IGNORED = -100
BUCKET_BATCHES = 50  # batches sorted by length together: enough to save padding, few enough to stay random
PACKING_WINDOW = 1024  # rows that are fitted together

Encode = Callable[[TrainRow], Mapping[str, Sequence[int]]]


class Segment(NamedTuple):
    """Tokens `start` to `stop` of one encoded row; `stop` None is the whole row."""

    row: int
    start: int = 0
    stop: int | None = None


Unit = tuple[Segment, ...]
MicroBatch = list[Unit]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of a stage are made of.

    A row is as many lines of a batch as it has `parts`, whose names begin its keys: one line, or the two
    of a preference. `tokens_weigh` tells whether a row weighs what it has to learn, in tokens, or 1.
    `cut` rows may be longer than a line. `alternate` tells that rows at even and at odd places take turns.
    `floats` are the keys of a number a token that is no id, `numbers` those of a number a line, one of
    which may be what a row weighs (`weighed_by`).
    """

    causal: bool
    parts: tuple[str, ...] = ("",)
    tokens_weigh: bool = True
    cut: bool = False
    alternate: bool = False
    floats: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    weighed_by: str = ""

    def length(self, row: Mapping[str, Sequence[Any]]) -> int:
        """Count the tokens that a row takes in a batch, over inputs and, with an encoder, targets."""
        return len(self.parts) * max(self._of_line(row, part) for part in self.parts)

    def _of_line(self, row: Mapping[str, Sequence[Any]], part: str) -> int:
        tokens = len(row[f"{part}input_ids"])
        return tokens if self.causal else tokens + len(row[f"{part}labels"])

    def longest(self, row: Mapping[str, Sequence[Any]]) -> int:
        """Count the tokens of the longest line of a row."""
        return max(len(values) for key, values in row.items() if key not in self.numbers)

    def learned(self, labels: Any) -> int:
        """Count the tokens of a line that are learned."""
        return int(np.count_nonzero(np.asarray(labels)[1 if self.causal else 0 :] != IGNORED))

    def weight(self, row: Mapping[str, Sequence[Any]]) -> int:
        """Return what a row weighs; nothing where one of its lines has nothing to learn."""
        if self.weighed_by:
            return int(row[self.weighed_by][0])
        counts = [self.learned(row[f"{part}labels"]) for part in self.parts]
        return (sum(counts) if self.tokens_weigh else 1) if all(counts) else 0


class EncodedRows:
    """Rows of token ids, four bytes a token, with what planning needs to know of each.

    `numbers` holds what else is known of rows, by name: for each row, one number a part.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.numbers: dict[str, list[Sequence[float]]] = {name: [] for name in shape.numbers}
        self.keys: tuple[str, ...] = ()
        self.sources: list[int] = []  # where each row stood in the data
        self._flat: dict[str, array[Any]] = {}
        self._ends: dict[str, array[int]] = {}
        self._lengths: array[int] = array("q")
        self._weights: array[int] = array("q")

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def causal(self) -> bool:
        """Whether a line is one sequence, and not one that is read and one that is written."""
        return self.shape.causal

    @property
    def lengths(self) -> np.ndarray:
        """Tokens that each row takes in a batch."""
        return np.frombuffer(self._lengths, dtype=np.int64) if self._lengths else np.zeros(0, dtype=np.int64)

    def add(self, row: Mapping[str, Sequence[Any]], source: int) -> None:
        """Append one row; `source` is its place in the data."""
        for name in self.shape.numbers:
            self.numbers[name].append(row[name])
        weight = self.shape.weight(row)
        row = {key: values for key, values in row.items() if key not in self.shape.numbers}
        if not self.keys:
            self.keys = tuple(row)
            self._flat = {key: array("f" if key in self.shape.floats else "i") for key in row}
            self._ends = {key: array("q", [0]) for key in row}
        if tuple(row) != self.keys:
            raise DataError(
                f"row {source} encodes to {', '.join(row)}, earlier rows to {', '.join(self.keys)}"
            )
        for key, values in row.items():
            try:
                self._flat[key].extend(values)
            except TypeError as fault:
                wrong = next(value for value in values if not isinstance(value, int))
                raise UsageError(
                    f"encode() returned {wrong!r} among the {key} of row {source}, which is no token",
                    hint="None is the id of a token that the tokenizer lacks, such as its end of text",
                ) from fault
            self._ends[key].append(len(self._flat[key]))
        self._lengths.append(self.shape.length(row))
        self._weights.append(weight)
        self.sources.append(source)

    @classmethod
    def joined(cls, parts: Sequence[EncodedRows]) -> EncodedRows:
        """Return the rows of several processes in the order of the data."""
        held = [part for part in parts if len(part)]
        if len(held) < 2:
            return (held or parts)[0]
        if len({part.keys for part in held}) > 1:
            raise DataError("rows encode to " + " and to ".join(", ".join(part.keys) for part in held))
        whole = cls(held[0].shape)
        whole.keys = held[0].keys
        sources = np.concatenate([part.sources for part in held])
        order = np.argsort(sources, kind="stable")
        whole.sources = sources[order].tolist()
        for key in whole.keys:
            flat = np.concatenate([np.frombuffer(p._flat[key], whole._kind(key)) for p in held])
            sizes = np.concatenate([np.diff(np.asarray(p._ends[key])) for p in held])
            starts = (np.cumsum(sizes) - sizes)[order]
            sizes = sizes[order]
            ends = np.cumsum(sizes)
            places = np.repeat(starts - ends + sizes, sizes) + np.arange(len(flat))
            whole._flat[key] = array(flat.dtype.char, flat[places].tobytes())
            whole._ends[key] = array("q", [0, *ends.tolist()])
        for name in ("_lengths", "_weights"):
            values = np.concatenate([np.asarray(getattr(part, name)) for part in held])
            setattr(whole, name, array("q", values[order].tolist()))
        for name in whole.numbers:
            numbers = [row for part in held for row in part.numbers[name]]
            whole.numbers[name] = [numbers[place] for place in order]
        return whole

    def state(self) -> dict[str, Any]:
        """Return what the rows are put together from again, in tensors and plain lists."""
        flat = {key: torch.tensor(np.frombuffer(self._flat[key], self._kind(key))) for key in self.keys}
        ends = {key: torch.tensor(np.asarray(self._ends[key])) for key in self.keys}
        lengths, weights = (torch.tensor(np.asarray(part)) for part in (self._lengths, self._weights))
        return {
            "keys": list(self.keys),
            "sources": self.sources,
            "numbers": {name: [list(row) for row in rows] for name, rows in self.numbers.items()},
            "flat": flat,
            "ends": ends,
            "lengths": lengths,
            "weights": weights,
        }

    @classmethod
    def restored(cls, shape: Shape, state: Mapping[str, Any]) -> EncodedRows:
        """Return rows as their state was."""
        rows = cls(shape)
        rows.keys, rows.sources, rows.numbers = tuple(state["keys"]), state["sources"], state["numbers"]
        flat = {key: value.numpy() for key, value in state["flat"].items()}
        rows._flat = {key: array(value.dtype.char, value.tobytes()) for key, value in flat.items()}
        rows._ends = {key: array("q", value.tolist()) for key, value in state["ends"].items()}
        rows._lengths, rows._weights = (array("q", state[name].tolist()) for name in ("lengths", "weights"))
        return rows

    def _kind(self, key: str) -> type[np.generic]:
        return np.float32 if key in self.shape.floats else np.int32

    @property
    def digest(self) -> str:
        """A hash of all tokens: it changes with the tokenizer, the prompt and the rows."""
        whole = hashlib.sha256("\n".join(self.keys).encode())
        for key in self.keys:
            whole.update(self._ends[key])
            whole.update(self._flat[key])
        return whole.hexdigest()[:16]

    def values(self, key: str, segment: Segment) -> np.ndarray:
        """Return the values of one key over a segment."""
        first, last = self._ends[key][segment.row], self._ends[key][segment.row + 1]
        stop = last if segment.stop is None else first + segment.stop
        return np.frombuffer(self._flat[key], dtype=self._kind(key))[first + segment.start : stop]

    def tokens(self, segment: Segment) -> int:
        """Count the tokens that the model reads of a segment."""
        return sum(len(self.values(f"{part}input_ids", segment)) for part in self.shape.parts)

    def weight_of(self, segment: Segment) -> int:
        """Return what a segment weighs."""
        whole = segment.stop is None or (segment.start == 0 and segment.stop == self._lengths[segment.row])
        if whole:
            return self._weights[segment.row]
        return self.shape.learned(self.values("labels", segment))  # only rows of one line are cut

    def weight(self, unit: Unit) -> int:
        """Return what a unit weighs."""
        return sum(self.weight_of(segment) for segment in unit)


class Step(NamedTuple):
    """The micro-batches of one update, and what their loss is divided by."""

    rows: EncodedRows
    batches: list[MicroBatch]
    weight: float

    @classmethod
    def of(cls, rows: EncodedRows, batches: list[MicroBatch]) -> Step:
        """Return the step whose loss is divided by all that its rows weigh."""
        return cls(rows, batches, sum(rows.weight(unit) for batch in batches for unit in batch))


@dataclass(frozen=True, slots=True)
class Left:
    """Rows that were not used, by reason."""

    too_long: int = 0
    nothing_to_learn: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.too_long + self.nothing_to_learn


def encode_rows(
    rows: Iterable[tuple[int, TrainRow]], encode: Encode, spec: TrainSpec, shape: Shape
) -> tuple[EncodedRows, Left]:
    """Encode rows, each with its place; leave out those too long or without a label, and count them."""
    encoded = EncodedRows(shape)
    too_long = nothing = 0
    for source, row in rows:
        values = encode(row)
        _check_row(values, source, shape)
        if not shape.cut and shape.longest(values) > spec.max_length:
            too_long += 1
        elif not shape.weight(values):
            nothing += 1
        else:
            encoded.add(values, source)
    return encoded, Left(too_long, nothing)


def _check_row(values: Mapping[str, Sequence[int]], source: int, shape: Shape) -> None:
    for part in shape.parts:
        for key in (f"{part}input_ids", f"{part}labels"):
            if key not in values:
                raise UsageError(f"encode() returned no '{key}' for row {source}, only {', '.join(values)}")
        line = {k: v for k, v in values.items() if k.startswith(part) and k not in shape.numbers}
        if shape.causal and len({len(v) for v in line.values()}) > 1:
            sizes = ", ".join(f"{key} {len(v)}" for key, v in line.items())
            raise UsageError(f"encode() returned values of different lengths for row {source}: {sizes}")


def plan(rows: EncodedRows, spec: TrainSpec, seed: Sequence[int]) -> list[list[MicroBatch]]:
    """Order all rows into steps of micro-batches."""
    rng = np.random.default_rng(list(seed))
    order = rng.permutation(len(rows))
    if rows.shape.alternate:
        order = _alternating(order, rows)
    if spec.packing == "packed":
        batches = _packed(rows, order, spec, rng)
    else:
        batches = _bucketed(*units_of(rows, order, spec.max_length), spec, rng)
    if rows.shape.cut:  # a piece may hold no token to learn
        batches = [kept for batch in batches if (kept := [unit for unit in batch if rows.weight(unit)])]
    size = spec.grad_accumulation
    return [batches[start : start + size] for start in range(0, len(batches), size)]


def _alternating(order: np.ndarray, rows: EncodedRows) -> np.ndarray:
    """Take turns between rows at even and at odd places of the data.

    Pairs learned in both directions come in turn, so that half of every batch reads what the other
    half's direction writes, as in ada-T5's pretraining; to other rows it makes no difference.
    """
    even = np.asarray(rows.sources)[order] % 2 == 0
    first, second = order[even], order[~even]
    both = min(len(first), len(second))
    turns = np.stack([first[:both], second[:both]], axis=1).ravel()
    return np.concatenate([turns, first[both:], second[both:]])


def _bucketed(
    units: list[Unit], lengths: np.ndarray, spec: TrainSpec, rng: np.random.Generator
) -> list[MicroBatch]:
    if spec.packing == "none":
        return [[units[i] for i in batch] for batch in _cut(range(len(units)), lengths, spec)]
    mean = max(1.0, float(lengths.mean())) if len(units) else 1.0
    per_batch = spec.batch_size if spec.batch_tokens is None else max(1, int(spec.batch_tokens / mean))
    batches: list[MicroBatch] = []
    for start in range(0, len(units), BUCKET_BATCHES * per_batch):
        bucket = np.arange(start, min(start + BUCKET_BATCHES * per_batch, len(units)))
        by_length = bucket[np.argsort(lengths[bucket], kind="stable")]
        cut = [[units[i] for i in batch] for batch in _cut(by_length.tolist(), lengths, spec)]
        batches += [cut[i] for i in rng.permutation(len(cut))]
    return batches


def _cut(order: Iterable[int], lengths: np.ndarray, spec: TrainSpec) -> list[list[int]]:
    """Cut an order into batches of `batch_size` rows, or of `batch_tokens` tokens with the padding."""
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0
    for index in order:
        length = int(lengths[index])
        if spec.batch_tokens is None:
            full = len(batch) == spec.batch_size
        else:
            full = bool(batch) and max(longest, length) * (len(batch) + 1) > spec.batch_tokens
        if full:
            batches.append(batch)
            batch, longest = [], 0
        batch.append(index)
        longest = max(longest, length)
    return [*batches, batch] if batch else batches


def units_of(rows: EncodedRows, order: np.ndarray, size: int) -> tuple[list[Unit], np.ndarray]:
    """Return rows in an order, one a unit, with their lengths; those that may be cut in pieces of `size`."""
    if not rows.shape.cut:
        return [(Segment(int(row)),) for row in order], rows.lengths[order]
    units: list[Unit] = []
    lengths: list[int] = []
    for row in order.tolist():
        total = int(rows.lengths[row])
        for start in range(0, total, size):
            units.append((Segment(row, start, min(start + size, total)),))
            lengths.append(min(size, total - start))
    return units, np.array(lengths, dtype=np.int64)


def _packed(
    rows: EncodedRows, order: np.ndarray, spec: TrainSpec, rng: np.random.Generator
) -> list[MicroBatch]:
    if rows.shape.cut:
        units = _stream(rows, order, spec.max_length)
    else:
        units = _best_fit(rows, order, spec.max_length, rng)
    per_batch = spec.batch_size
    if spec.batch_tokens is not None:
        per_batch = max(1, spec.batch_tokens // spec.max_length)
    return [units[start : start + per_batch] for start in range(0, len(units), per_batch)]


def _stream(rows: EncodedRows, order: np.ndarray, size: int) -> list[Unit]:
    """Lay documents end to end and cut every `size` tokens; no token is lost or padded but the last."""
    units: list[Unit] = []
    unit: list[Segment] = []
    room = size
    for row in order.tolist():
        start, total = 0, int(rows.lengths[row])
        while start < total:
            stop = min(total, start + room)
            unit.append(Segment(row, start, stop))
            room -= stop - start
            start = stop
            if room == 0:
                units.append(tuple(unit))
                unit, room = [], size
    return [*units, tuple(unit)] if unit else units


def _best_fit(rows: EncodedRows, order: np.ndarray, size: int, rng: np.random.Generator) -> list[Unit]:
    """Put whole rows where they fill a line best, window by window so that the order stays random."""
    units: list[Unit] = []
    for begin in range(0, len(order), PACKING_WINDOW):
        members = order[begin : begin + PACKING_WINDOW]
        lines: list[list[Segment]] = []
        rooms: list[tuple[int, int]] = []  # (free tokens, line), sorted
        for row in members[np.argsort(-rows.lengths[members], kind="stable")].tolist():
            length = int(rows.lengths[row])
            place = bisect_left(rooms, (length, -1))
            if place < len(rooms):
                room, line = rooms.pop(place)
            else:
                room, line = size, len(lines)
                lines.append([])
            lines[line].append(Segment(row, 0, length))
            insort(rooms, (room - length, line))
        units += [tuple(lines[i]) for i in rng.permutation(len(lines))]
    return units


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors for one pass of one process, and what of the step they weigh."""

    inputs: dict[str, Tensor]
    weight: int
    tokens: int
    units: Sequence[Unit]
    weightless: bool = False  # whether it only keeps other processes company


class Collator:
    """Builds padded tensors from units: a line for each, or a block of lines for each part of a row."""

    def __init__(self, rows: EncodedRows, pad: Mapping[str, int], *, packed: bool, mask: bool) -> None:
        self.rows = rows
        self.parts = rows.shape.parts
        self.pad = pad
        self.packed = packed
        first = self.parts[0]
        self.keys = [key.removeprefix(first) for key in rows.keys if key.startswith(first)]
        self.mask = mask and not packed and "attention_mask" not in self.keys

    def __call__(self, units: Sequence[Unit], *, weightless: bool = False) -> Batch:
        """Collate units; a weightless batch takes part in the step but teaches nothing."""
        inputs = {key: self._tensor(key, units) for key in self.keys}
        tokens = sum(self.rows.tokens(segment) for unit in units for segment in unit)
        if self.packed:
            inputs["position_ids"] = self._positions(units)
        elif self.mask:
            inputs["attention_mask"] = self._mask(units, inputs["input_ids"].shape[1])
        if self.rows.numbers:  # of rows that are never packed
            places = [unit[0].row for unit in units]
            for name, values in self.rows.numbers.items():
                of_units = np.array([values[place] for place in places], dtype=np.float32)
                inputs[name] = torch.from_numpy(of_units.T.reshape(-1))
        weight = sum(self.rows.weight(unit) for unit in units)
        return Batch(inputs, 0 if weightless else weight, 0 if weightless else tokens, units, weightless)

    def _lines(self, key: str, units: Sequence[Unit]) -> Iterator[np.ndarray]:
        for part in self.parts:
            for unit in units:
                pieces = [self.rows.values(f"{part}{key}", segment) for segment in unit]
                if key == "labels" and self.packed:
                    # The last token of one document must not be asked to predict the first of the next.
                    pieces = [np.concatenate(([IGNORED], piece[1:])) for piece in pieces]
                yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _tensor(self, key: str, units: Sequence[Unit]) -> Tensor:
        lines = list(self._lines(key, units))
        width = max(len(line) for line in lines)
        fill = self.pad.get(key, IGNORED if key == "labels" else 0)
        kind = np.float32 if key in self.rows.shape.floats else np.int64
        out = np.full((len(lines), width), fill, dtype=kind)
        for place, line in zip(out, lines, strict=True):
            place[: len(line)] = line
        return torch.from_numpy(out)

    def _positions(self, units: Sequence[Unit]) -> Tensor:
        counts = [[self.rows.tokens(segment) for segment in unit] for unit in units]
        out = np.zeros((len(units), max(map(sum, counts))), dtype=np.int64)
        for place, line in zip(out, counts, strict=True):
            positions = np.concatenate([np.arange(count) for count in line])
            place[: len(positions)] = positions
        return torch.from_numpy(out)

    def _mask(self, units: Sequence[Unit], width: int) -> Tensor:
        lengths = torch.tensor([len(line) for line in self._lines("input_ids", units)])
        return (torch.arange(width) < lengths[:, None]).long()


def share(units: MicroBatch, rank: int, world_size: int) -> tuple[MicroBatch, bool]:
    """Return this process's part of a micro-batch; a process left without one gets a weightless line."""
    mine = units[rank::world_size]
    return (mine, False) if mine else (units[:1], True)
