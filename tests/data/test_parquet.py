"""A Parquet table that is damaged is named, wherever the damage shows."""

import pytest

from harness import DataError
from harness.data.parquet import read_parquet


def test_a_text_that_is_no_utf8_is_named(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "rows.parquet"
    parquet.write_table(
        pyarrow.table({"word": ["gold", "iron"]}), path, compression="none", use_dictionary=False
    )
    path.write_bytes(path.read_bytes().replace(b"gold", b"g\x87ld"))
    with pytest.raises(DataError, match=r"rows\.parquet is no readable Parquet table"):
        list(read_parquet(path))
