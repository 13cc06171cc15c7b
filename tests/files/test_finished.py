"""What a finished run's record is held to when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import DataError
from harness.api.run import SCHEMA_VERSION
from harness.files.finished import read_record, write_record


def test_a_record_of_a_newer_release_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_record(tmp_path, {"schema_version": SCHEMA_VERSION, "files": {}})
    assert read_record(tmp_path)["schema_version"] == SCHEMA_VERSION
    write_record(tmp_path, {"schema_version": SCHEMA_VERSION + 1, "files": {}})
    with pytest.raises(DataError, match="was written by a newer release of Assay") as refused:
        read_record(tmp_path)
    assert refused.value.hint == "pip install --upgrade assay-bench"
