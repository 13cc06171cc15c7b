"""References that go through a tokenizer before they are scored against."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.api import DataError, Example
from harness.engine.references import through_tokenizer

pytest.importorskip("transformers")


def test_a_reference_loses_what_the_tokenizer_cannot_write_and_what_is_too_long(test_data: Path) -> None:
    examples = [
        Example("1", {"description": "(Z)-but-2-ene"}, ("C/C=C\\C",)),
        Example("2", {"description": "ethanol"}, ("CCO",)),
        Example("3", {"description": "a long chain"}, ("(CC)" * 1000,)),
    ]
    written = list(through_tokenizer(examples, str(test_data / "tokenizers" / "t5_v1_spiece")))
    assert [example.id for example in written] == ["1", "2", "3"]
    assert "\\" not in written[0].references[0] and written[1] == examples[1]
    assert len(written[2].references[0]) < 2000


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no tokenizer could be loaded from .*none"):
        list(through_tokenizer([Example("1", {}, ("C",))], str(tmp_path / "none")))
