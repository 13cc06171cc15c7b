"""Beginnings of prompts that are kept: the longest is found, few bytes are held, the latest used stay."""

from __future__ import annotations

import torch

from harness.decoding.beginnings import LEAST, Beginnings
from harness.decoding.rows import Beginning


def read(start: int, length: int, adapter: str = "") -> Beginning:
    """Return what was read of a prompt that begins with a token: 8 bytes a token."""
    tensor = torch.zeros(1, 1, length, 1)
    return Beginning({"input_ids": [start] * length}, [(tensor, tensor)], adapter=adapter)


def found(kept: Beginnings, start: int, length: int = 200, adapter: str = "") -> int:
    beginning = kept.longest({"input_ids": [start] * length}, adapter, hidden=False)
    return beginning.length if beginning else 0


def test_the_longest_is_found_for_its_adapter_alone() -> None:
    kept = Beginnings(10**6)
    for beginning in (read(1, 80), read(1, 120), read(2, 90), read(1, 100, "other")):
        kept.keep(beginning)
    assert (found(kept, 1), found(kept, 2), found(kept, 3)) == (120, 90, 0)
    assert found(kept, 1, adapter="other") == 100
    assert found(kept, 1, length=90) == 89  # the last token is read for its logits
    assert found(kept, 1, length=LEAST) == 0


def test_what_was_not_used_for_longest_goes_first_and_what_is_replaced_takes_no_room() -> None:
    kept = Beginnings(8 * 300)
    for length in (70, 80, 90, 100):  # each takes the place of the one before
        kept.keep(read(1, length))
    kept.keep(read(2, 100))
    kept.keep(read(3, 100))
    assert [found(kept, start) for start in (1, 2, 3)] == [100, 100, 100]
    assert found(kept, 1)
    kept.keep(read(4, 150))
    assert [found(kept, start) for start in (1, 2, 3, 4)] == [100, 0, 0, 150]
    kept.clear()
    kept.keep(read(5, 300))
    assert found(kept, 5, length=400) == 300
