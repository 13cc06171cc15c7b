"""Hostile archives are refused in one sentence, and nothing is ever written."""

import gzip
import io
import stat
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import DataError
from harness.files.archives import MAX_FILES, open_files

MEBIBYTE = 2**20


def make_zip(path, *members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_the_files_of_a_zip_and_of_a_folder_are_read(tmp_path):
    path = make_zip(tmp_path / "a.zip", ("deep/submit.txt", "CCO\n"), ("__MACOSX/._submit.txt", "junk"))
    assert open_files(path) == {"submit.txt": b"CCO\n"}
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "predictions.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    assert open_files(tmp_path / "folder") == {"predictions.jsonl": b"{}"}


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../evil", "..\\evil", "C:evil"])
def test_a_name_that_points_outside_is_refused(tmp_path, name):
    path = make_zip(tmp_path / "a.zip", ("x", "y"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(DataError, match="points outside"):
        open_files(path)


def test_a_zip_bomb_is_cut_off_by_what_it_unpacks_to(tmp_path):
    path = make_zip(tmp_path / "bomb.zip", ("predictions.jsonl", b"0" * (64 * MEBIBYTE)))
    assert path.stat().st_size < MEBIBYTE
    with pytest.raises(DataError, match="bomb"):
        open_files(path)


def test_a_zip_that_lies_about_its_size_is_still_bounded(tmp_path):
    path = make_zip(tmp_path / "a.zip", ("x", b"0" * (3 * MEBIBYTE)), compression=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    central = raw.rindex(b"PK\x01\x02")
    raw[central + 24 : central + 28] = (10).to_bytes(4, "little")  # the size that the directory states
    path.write_bytes(raw)
    with pytest.raises(DataError):
        open_files(path, limit=2 * MEBIBYTE)


def test_a_gzip_bomb_is_cut_off(tmp_path):
    path = tmp_path / "predictions.jsonl.gz"
    path.write_bytes(gzip.compress(b"0" * (64 * MEBIBYTE)))
    with pytest.raises(DataError, match="bomb"):
        open_files(path)


def test_an_oversized_file_is_refused(tmp_path):
    (tmp_path / "submit.txt").write_bytes(b"0" * (2 * MEBIBYTE))
    with pytest.raises(DataError, match="larger than 1 MiB"):
        open_files(tmp_path / "submit.txt", limit=MEBIBYTE)


def test_links_are_refused_in_folders_and_zips(tmp_path):
    info = zipfile.ZipInfo("predictions.jsonl")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link"):
        open_files(tmp_path / "a.zip")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "predictions.jsonl").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="link"):
        open_files(tmp_path / "folder")


def test_too_many_files_and_two_of_one_name_are_refused(tmp_path):
    path = make_zip(tmp_path / "many.zip", *((f"f{i}", "x") for i in range(MAX_FILES + 1)))
    with pytest.raises(DataError, match="at most"):
        open_files(path)
    path = make_zip(tmp_path / "two.zip", ("a/submit.txt", "x"), ("b/submit.txt", "y"))
    with pytest.raises(DataError, match="two files"):
        open_files(path)


@pytest.mark.parametrize("cut", [30, 60, 90])
def test_a_torn_zip_or_gzip_is_a_sentence_and_no_traceback(tmp_path, cut):
    whole = make_zip(tmp_path / "a.zip", ("predictions.jsonl", "x" * 1000)).read_bytes()
    packed = io.BytesIO(whole)
    torn = tmp_path / "torn.zip"
    torn.write_bytes(packed.getvalue()[:cut] + b"\0" * (len(whole) - cut - 22) + whole[-22:])
    with pytest.raises(DataError):
        open_files(torn)
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(b"x" * 100_000)[:cut])
    with pytest.raises(DataError, match="gzip"):
        open_files(tmp_path / "p.jsonl.gz")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_zip_with_any_bytes_changed_is_read_or_refused(tmp_path, changes):
    raw = bytearray(make_zip(tmp_path / "a.zip", ("submit.txt", "CCO\n" * 50)).read_bytes())
    for place, byte in changes:
        raw[int(place * len(raw))] = byte
    (tmp_path / "a.zip").write_bytes(raw)
    try:
        open_files(tmp_path / "a.zip")
    except DataError:
        pass


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(DataError, match="there is nothing at"):
        open_files(tmp_path / "absent.zip")
