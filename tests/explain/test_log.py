"""Logs as they lie on disks: compressed, in other encodings, coloured, cut off, and no logs at all."""

from __future__ import annotations

import errno
import gzip
import io
import os
import zipfile

import pytest

from envcheck.errors import UsageError
from envcheck.explain.log import blocks, opened

TEXT = b"one\nAssertionError: Torch not compiled with CUDA enabled\n"
NO_LOG = "A log file is explained"


def read(data):
    return b"".join(blocks(io.BufferedReader(io.BytesIO(data)), "a.log"))


def test_a_log_is_passed_on_as_it_is_whatever_its_encoding():
    text = "a\u00e9\u4e2d\r\n\tb\x08\x0c".encode() + "\u00e9".encode("latin-1") + b"\n"
    assert read(text) == text


def test_a_compressed_log_is_unpacked_also_one_of_several_parts():
    assert read(gzip.compress(TEXT) + gzip.compress(b"two\n")) == TEXT + b"two\n"


def test_a_compressed_log_that_is_cut_off_is_one_sentence():
    with pytest.raises(UsageError, match=r"^a\.log: cannot be unpacked: ") as caught:
        read(gzip.compress(os.urandom(1000))[:-20])
    assert caught.value.hint == "Is the file complete?"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_log_of_powershell_is_read(encoding):
    mark = b"" if encoding == "utf-16" else b"\xfe\xff"
    text = TEXT * 20_000  # more than is read at once
    assert read(mark + text.decode().encode(encoding)) == text


def test_colours_and_titles_of_a_terminal_hide_nothing():
    coloured = TEXT.replace(b"Torch", b"\x1b[1;31mTorch\x1b[0m").replace(b"one", b"\x1b]0;title\x07o\x1b[Kne")
    assert read(coloured) == TEXT


@pytest.mark.parametrize("before", range((1 << 20) - 8, (1 << 20) + 2))
def test_a_colour_that_is_cut_by_a_border_hides_nothing(before):
    text = b"x" * before + b"\x1b[1;31mTorch\x1b[0m"
    assert read(text) == b"x" * before + b"Torch"


def test_a_title_without_end_takes_its_line_only():
    assert read(b"\x1b]0;never ended\nTorch\x07") == b"0;never ended\nTorch\x07"


def test_a_log_that_lost_its_beginning_is_read():
    assert read(b"\0" * 5000 + TEXT).endswith(TEXT)


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as sink:
        sink.writestr("data.pkl", os.urandom(4000))
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0>\0\x01\0\0\0" * 100,
        os.urandom(5000),
        archive(),
        TEXT.decode().encode("utf-16-le"),
        b"\x89PNG\r\n\x1a\n" + os.urandom(2000),
    ],
    ids=["program", "numbers", "checkpoint", "utf-16 without its mark", "picture"],
)
def test_what_is_no_text_is_one_sentence(data):
    with pytest.raises(UsageError, match=r"^a\.log: not a text$") as caught:
        read(data)
    assert caught.value.hint.startswith(NO_LOG)


class Broken(io.RawIOBase):
    """A file on a disk that fails."""

    def readable(self):
        return True

    def readinto(self, _):
        raise OSError(errno.EIO, "Input/output error")


def test_a_disk_that_fails_is_one_sentence():
    with pytest.raises(UsageError, match=r"^a\.log: Input/output error$"):
        list(blocks(io.BufferedReader(Broken()), "a.log"))


def test_a_closed_stdin_is_one_sentence(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match=r"^-: there is no stdin$"), opened("-"):
        pass


@pytest.mark.parametrize(
    ("name", "why"), [("absent.log", "No such file"), (".", "directory"), ("a\0b", "null")]
)
def test_what_cannot_be_opened_is_one_sentence(name, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=why) as caught, opened(name):
        pass
    assert caught.value.hint.startswith(NO_LOG)
