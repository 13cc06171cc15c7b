"""Which rows meet in which batch, and what padding and packing leave of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import Document, RunContext, TrainData, TrainPair, TrainSpec, UsageError
from harness.training.apartness import require_documents_apart
from harness.training.batching import Collator, EncodedRows, Segment, Shape, encode_rows, plan, share
from harness.training.loop import fit
from harness.training.objectives import Loss, model_loss

from .conftest import encode_causal, encode_seq2seq, llama, pairs

SPEC = TrainSpec(batch_size=4, max_length=40)


def encoded(count: int, spec: TrainSpec = SPEC, *, causal: bool = True) -> EncodedRows:
    return encode_rows(enumerate(pairs(count)), encode_causal, spec, Shape(causal))[0]


def mean_loss(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> float:
    loss = model_loss(model, inputs)
    return float(loss.sum / loss.weight)


def units(steps: list[list[list[tuple[Segment, ...]]]]) -> list[tuple[Segment, ...]]:
    return [unit for step in steps for batch in step for unit in batch]


@given(
    count=st.integers(1, 60),
    packing=st.sampled_from(["none", "buckets", "packed"]),
    tokens=st.sampled_from([None, 60, 200]),
    seed=st.integers(0, 5),
)
def test_an_epoch_holds_every_row_exactly_once(
    count: int, packing: str, tokens: int | None, seed: int
) -> None:
    rows = encoded(count)
    steps = plan(rows, replace(SPEC, packing=packing, batch_tokens=tokens, grad_accumulation=3), [seed])
    seen = Counter(segment.row for unit in units(steps) for segment in unit)
    assert seen == Counter(range(count))


@given(lengths=st.lists(st.integers(2, 90), min_size=1, max_size=20))
def test_a_packed_corpus_loses_no_token_and_fills_every_line(lengths: list[int]) -> None:
    spec = replace(SPEC, stage="pretrain", packing="packed", max_length=16)
    texts = [Document("x" * (length - 1)) for length in lengths]
    rows, _ = encode_rows(
        enumerate(texts),
        lambda d: dict.fromkeys(("input_ids", "labels"), [5] * len(getattr(d, "text")) + [2]),  # noqa: B009
        spec,
        Shape(causal=True, cut=True),
    )
    lines = units(plan(rows, spec, [0]))
    sizes = [sum((s.stop or 0) - s.start for s in line) for line in lines]
    assert all(size == 16 for size in sizes[:-1])
    assert sum(lengths) - 16 <= sum(sizes) <= sum(lengths)  # only a last piece without a target is dropped


@given(budget=st.integers(50, 400))
def test_a_token_budget_counts_the_padding(budget: int) -> None:
    rows = encoded(50)
    for step in plan(rows, replace(SPEC, batch_tokens=budget), [0]):
        for batch in step:
            longest = max(int(rows.lengths[unit[0].row]) for unit in batch)
            assert longest * len(batch) <= budget or len(batch) == 1


def test_buckets_pad_less_than_random_batches() -> None:
    rows = encoded(400)

    def padded(packing: str) -> int:
        steps = plan(rows, replace(SPEC, packing=packing, batch_size=8), [0])
        return sum(
            Collator(rows, {}, packed=False, mask=False)(b).inputs["input_ids"].numel()
            for s in steps
            for b in s
        )

    assert padded("buckets") < 0.85 * padded("none")


def test_the_order_follows_the_seed_and_the_epoch_alone() -> None:
    rows = encoded(50)
    assert plan(rows, SPEC, [1, 0]) == plan(rows, SPEC, [1, 0])
    assert plan(rows, SPEC, [1, 0]) != plan(rows, SPEC, [1, 1])


@given(st.integers(1, 9), st.integers(1, 4))
def test_processes_share_a_micro_batch_without_gap_or_overlap(rows: int, processes: int) -> None:
    batch = [(Segment(row),) for row in range(rows)]
    parts = [share(batch, rank, processes) for rank in range(processes)]
    assert sorted(unit for mine, weightless in parts if not weightless for unit in mine) == batch
    assert all(mine for mine, _ in parts)


def test_a_packed_line_costs_what_its_rows_cost_apart() -> None:
    rows = encoded(6)
    require_documents_apart(llama().eval(), rows, Collator(rows, {}, packed=True, mask=False), model_loss)


class Blind(torch.nn.Module):
    """Takes position_ids and ignores them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = llama()

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor, position_ids: torch.Tensor):  # type: ignore[no-untyped-def]
        return self.inner(input_ids=input_ids, labels=labels)


def test_a_model_that_mixes_packed_rows_is_refused(make_run: Callable[..., RunContext]) -> None:
    data = TrainData(pairs(6))
    with pytest.raises(UsageError, match="lets packed rows see each other"):
        fit(Blind(), data, encode_causal, replace(SPEC, packing="packed"), make_run())


def test_right_padding_without_a_mask_changes_no_loss() -> None:
    rows, model = encoded(5), llama().eval()
    batch = [(Segment(row),) for row in range(5)]
    bare = Collator(rows, {}, packed=False, mask=False)(batch)
    masked = Collator(rows, {}, packed=False, mask=True)(batch)
    assert "attention_mask" in masked.inputs and "attention_mask" not in bare.inputs
    with torch.no_grad():
        assert mean_loss(model, bare.inputs) == pytest.approx(mean_loss(model, masked.inputs), abs=1e-6)


def test_half_of_a_batch_of_pretraining_reads_what_the_other_half_writes() -> None:
    spec = replace(SPEC, stage="pretrain", batch_size=8, packing="none")
    there = pairs(20)
    both = [
        pair for there_and_back in zip(there, map(_turned, there), strict=True) for pair in there_and_back
    ]
    rows, _ = encode_rows(enumerate(both), encode_seq2seq, spec, Shape(causal=False, alternate=True))
    for [batch] in plan(rows, spec, [0]):
        places = [rows.sources[segment.row] for unit in batch for segment in unit]
        assert len(places) == 8 and sum(place % 2 for place in places) == 4


def _turned(pair: TrainPair) -> TrainPair:
    return TrainPair(pair.target, pair.prompt)


@given(
    lengths=st.lists(st.integers(2, 30), min_size=1, max_size=12),
    processes=st.integers(1, 4),
    causal=st.booleans(),
)
def test_rows_that_processes_have_encoded_apart_are_those_that_one_encodes(
    lengths: list[int], processes: int, causal: bool
) -> None:
    rows = [TrainPair("a" * length, "x" * (length % 5)) for length in lengths]
    encode = encode_causal if causal else encode_seq2seq
    placed = list(enumerate(rows))
    shape = Shape(causal)
    shares = [encode_rows(placed[rank::processes], encode, SPEC, shape)[0] for rank in range(processes)]
    together, alone = EncodedRows.joined(shares), encode_rows(placed, encode, SPEC, shape)[0]
    assert together.digest == alone.digest and together.sources == alone.sources
    assert together.lengths.tolist() == alone.lengths.tolist()
    assert plan(together, SPEC, [0]) == plan(alone, SPEC, [0])
    assert [together.weight((Segment(n),)) for n in range(len(alone))] == [
        alone.weight((Segment(n),)) for n in range(len(alone))
    ]


def test_a_streamed_corpus_is_encoded_ahead_of_the_steps(make_run: Callable[..., RunContext]) -> None:
    threads: list[str] = []
    read = threading.Event()

    class Corpus:
        def __iter__(self) -> Iterator[Document]:
            for number in range(40):
                yield Document("x" * (number % 7 + 3))

    def encode(row: Document) -> dict[str, list[int]]:
        threads.append(threading.current_thread().name)
        if len(threads) == 20:
            read.set()  # by then the second window is encoded
        return dict.fromkeys(("input_ids", "labels"), [5] * len(row.text))

    def waiting(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> Loss:
        assert read.wait(60), "the step waits for its window, and nobody reads the next one"
        return model_loss(model, batch)

    spec = replace(SPEC, stage="pretrain", max_steps=12, options={"window": 10})
    fit(llama(), TrainData(Corpus()), encode, spec, make_run(), loss=waiting)
    assert set(threads[:10]) == {threading.current_thread().name}
    assert all(name.startswith("encoding") for name in threads[10:])
