"""Hostile archives are refused in one sentence, and nothing is ever written."""

import gzip
import os
import stat
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import DataError
from harness.files.archives import MAX_FILES, open_files, packed

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
        dict(open_files(path))


def test_a_zip_bomb_is_cut_off_by_what_it_unpacks_to(tmp_path):
    path = make_zip(tmp_path / "bomb.zip", ("predictions.jsonl", b"0" * (64 * MEBIBYTE)))
    assert path.stat().st_size < MEBIBYTE
    with pytest.raises(DataError, match="bomb"):
        dict(open_files(path))


def test_a_zip_that_lies_about_its_size_is_still_bounded(tmp_path):
    path = make_zip(tmp_path / "a.zip", ("x", b"0" * (3 * MEBIBYTE)), compression=zipfile.ZIP_STORED)
    raw = bytearray(path.read_bytes())
    central = raw.rindex(b"PK\x01\x02")
    raw[central + 24 : central + 28] = (10).to_bytes(4, "little")  # the size that the directory states
    path.write_bytes(raw)
    with pytest.raises(DataError):
        dict(open_files(path, limit=2 * MEBIBYTE))


def test_a_gzip_bomb_is_cut_off(tmp_path):
    path = tmp_path / "predictions.jsonl.gz"
    path.write_bytes(gzip.compress(b"0" * (64 * MEBIBYTE)))
    with pytest.raises(DataError, match="bomb"):
        dict(open_files(path))


def test_an_oversized_file_is_refused(tmp_path):
    (tmp_path / "submit.txt").write_bytes(b"0" * (2 * MEBIBYTE))
    with pytest.raises(DataError, match="larger than 1 MiB"):
        dict(open_files(tmp_path / "submit.txt", limit=MEBIBYTE))


def test_links_are_refused_in_folders_and_zips(tmp_path):
    info = zipfile.ZipInfo("predictions.jsonl")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link"):
        dict(open_files(tmp_path / "a.zip"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "predictions.jsonl").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="link"):
        dict(open_files(tmp_path / "folder"))


def test_too_many_files_and_two_of_one_name_are_refused(tmp_path):
    path = make_zip(tmp_path / "many.zip", *((f"f{i}", "x") for i in range(MAX_FILES + 1)))
    with pytest.raises(DataError, match="at most"):
        dict(open_files(path))
    path = make_zip(tmp_path / "two.zip", ("a/submit.txt", "x"), ("b/submit.txt", "y"))
    with pytest.raises(DataError, match="two files"):
        dict(open_files(path))


@pytest.mark.parametrize("cut", [30, 60, 90])
def test_a_torn_zip_or_gzip_is_a_sentence_and_no_traceback(tmp_path, cut):
    whole = make_zip(tmp_path / "a.zip", ("predictions.jsonl", "x" * 1000)).read_bytes()
    torn = tmp_path / "torn.zip"
    torn.write_bytes(whole[:cut] + b"\0" * (len(whole) - cut - 22) + whole[-22:])
    with pytest.raises(DataError):
        dict(open_files(torn))
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(b"x" * 100_000)[:cut])
    with pytest.raises(DataError, match="gzip"):
        dict(open_files(tmp_path / "p.jsonl.gz"))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_zip_with_any_bytes_changed_is_read_or_refused(tmp_path, changes):
    raw = bytearray(make_zip(tmp_path / "a.zip", ("submit.txt", "CCO\n" * 50)).read_bytes())
    for place, byte in changes:
        raw[int(place * len(raw))] = byte
    (tmp_path / "a.zip").write_bytes(raw)
    try:
        dict(open_files(tmp_path / "a.zip"))
    except DataError:
        pass


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(DataError, match="there is nothing at"):
        open_files(tmp_path / "absent.zip")


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        open_files(tmp_path / "pipe")
    assert dict(open_files(tmp_path)) == {}


def test_only_what_is_asked_for_is_read(tmp_path):
    path = make_zip(tmp_path / "a.zip", ("submit.txt", "CCO\n"), ("bomb", b"0" * (64 * MEBIBYTE)))
    assert open_files(path)["submit.txt"] == b"CCO\n"


def test_all_files_together_have_a_limit(tmp_path):
    for name in "abcd":
        (tmp_path / name).write_bytes(b"0" * MEBIBYTE)
    files = open_files(tmp_path, limit=3 * MEBIBYTE)
    assert [len(files[name]) for name in "abc"] == [MEBIBYTE] * 3
    with pytest.raises(DataError, match="'d' is larger than 3 MiB unpacked"):
        files["d"]


def test_a_list_of_files_without_end_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "a.zip", *((f"{i}" + "x" * 60, "") for i in range(20_000)))
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda self: pytest.fail("parsed"))
    with pytest.raises(DataError, match="lists more files than the 64"):
        open_files(path)
    end = bytearray(path.read_bytes())
    place = end.rindex(b"PK\5\6")
    end[place + 12 : place + 16] = (100).to_bytes(4, "little")  # a lie, which only zip64 records could mend
    path.write_bytes(end[:place] + b"PK\6\7" + b"\0" * 16 + end[place:])
    with pytest.raises(DataError, match="lists more files than the 64"):
        open_files(path)


def test_a_file_that_is_there_packed_and_unpacked_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"2"))
    with pytest.raises(DataError, match="packed and unpacked"):
        open_files(tmp_path)


@pytest.mark.parametrize("method", range(100))
def test_a_compression_that_is_not_known_is_a_sentence(tmp_path, method):
    path = make_zip(tmp_path / "a.zip", ("submit.txt", "x" * 99))
    raw = bytearray(path.read_bytes())
    for header, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        place = raw.rindex(header) + offset
        raw[place : place + 2] = method.to_bytes(2, "little")
    path.write_bytes(raw)
    try:
        dict(open_files(path))
    except DataError as error:
        assert "a.zip" in error.message
    else:
        assert method == zipfile.ZIP_DEFLATED


def test_the_same_data_is_packed_to_the_same_bytes():
    assert packed(b"x" * 99) == packed(b"x" * 99)
    assert gzip.decompress(packed(b"x" * 99)) == b"x" * 99
