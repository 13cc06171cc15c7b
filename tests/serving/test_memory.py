"""Memory that was freed between what lives goes back to the system."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from harness.serving.memory import give_back

psutil: Any = pytest.importorskip("psutil")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give it back, or have no call for it")
def test_holes_between_what_lives_are_given_back() -> None:
    blocks = [bytearray(64 * 1024) for _ in range(2000)]  # below what malloc maps alone
    for block in blocks:
        block[::4096] = b"x" * 16
    kept = blocks[::8]
    del blocks, block
    before = psutil.Process().memory_info().rss
    give_back()
    assert before - psutil.Process().memory_info().rss > 50 * 2**20 and len(kept) == 250
