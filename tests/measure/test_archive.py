from __future__ import annotations

import contextlib
import tracemalloc
import zipfile

import pytest

from envcheck.errors import UsageError
from envcheck.measure import archive
from envcheck.measure.archive import open_archive

MIB = 1 << 20


def write_zip(path, members, packing=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@contextlib.contextmanager
def at_most(mib):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < mib * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("before", [MIB - 41, MIB - 20, MIB - 1, MIB, 2 * MIB - 7])
def test_a_text_on_the_border_of_two_windows_is_whole_in_one(tmp_path, before):
    text = b"\0sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90\0"
    path = write_zip(tmp_path / "a.zip", {"lib": b"x" * before + text + b"y" * MIB})
    with open_archive(path) as opened:
        assert any(text in window for window in opened.windows("lib"))


def test_the_windows_of_a_member_are_the_whole_member(tmp_path):
    content = bytes(range(256)) * 10_000
    path = write_zip(tmp_path / "a.zip", {"lib": content})
    with open_archive(path) as opened:
        first, *others = opened.windows("lib")
    assert first + b"".join(window[1024:] for window in others) == content


def test_a_text_of_64_mib_is_refused_without_being_unpacked(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"METADATA": b"\0" * (64 * MIB)})
    with (
        at_most(16),
        pytest.raises(UsageError, match="METADATA is larger than 256 KiB"),
        open_archive(path) as it,
    ):
        it.text("METADATA")


def test_a_library_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_LIBRARY_BYTES", 8 * MIB)
    path = write_zip(tmp_path / "a.zip", {"lib": b"\0" * (64 * MIB)})
    with at_most(16), pytest.raises(UsageError, match="lib is larger than 8 MiB"), open_archive(path) as it:
        list(it.windows("lib"))


def test_a_table_of_contents_of_10_mb_is_not_read(tmp_path):
    path = write_zip(tmp_path / "a.zip", {f"{number:0300}": b"" for number in range(30_000)})
    with at_most(16), pytest.raises(UsageError, match="at once"), open_archive(path):
        pass


def test_bzip2_which_unpacks_without_bounds_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"lib": b"\0" * MIB}, zipfile.ZIP_BZIP2)
    with pytest.raises(UsageError, match="packed in a way"), open_archive(path) as opened:
        list(opened.windows("lib"))


def test_an_encrypted_member_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"lib": b"secret"})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the local header's flags, and below the table of contents' own
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match="encrypted"), open_archive(path) as opened:
        opened.text("lib")


def test_a_name_that_leads_outside_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"torch/../../etc/passwd": b""})
    with pytest.raises(UsageError, match=r"outside of itself"), open_archive(path):
        pass


def test_a_missing_file_and_a_missing_member_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"a\.zip: No such file"), open_archive(tmp_path / "a.zip"):
        pass
    path = write_zip(tmp_path / "b.zip", {"x": b""})
    with pytest.raises(UsageError, match=r"b\.zip has no METADATA"), open_archive(path) as opened:
        opened.text("METADATA")
