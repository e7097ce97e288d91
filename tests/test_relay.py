from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from envcheck.relay import Relay


@pytest.fixture
def log(tmp_path) -> Path:
    return tmp_path / "log.txt"


def logged(log: Path, *pieces: bytes) -> bytes:
    relay = Relay(log, show=False)
    for piece in pieces:
        relay.take("stdout", piece)
    relay.close()
    return log.read_bytes()


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\ntwo\n"], b"one\ntwo\n"),
        ([b"on", b"e\nt", b"wo"], b"one\ntwo\n"),
        ([b"one\r\ntwo\r", b"\n"], b"one\ntwo\n"),
        ([b"\n\none\n"], b"\n\none\n"),
        ([b" 10%\r 20%\r", b" 30%\n"], b" 30%\n"),
        ([b"\r 10%", b"\r 20%", b"\r 30%", b"\nend"], b" 30%\nend\n"),
        ([b"10%\r", b"20%\r", b"30%\r"], b"30%\n"),
        ([b"\x1b[32mgre", b"en\x1b[0m\x1b[2K\n"], b"green\n"),
        ([b"a\x1b[3", b"1mb\n"], b"ab\n"),
        ([b"\x1b]0;title\x07text\x1b]8;;x\x1b\\\n"], b"text\n"),
        ([b"\x1b[?25l\n", b"x\n"], b"x\n"),
        ([b"a\xff\x00b\n"], b"a\xff\x00b\n"),
        ([], b""),
    ],
)
def test_a_log_has_whole_lines_as_a_reader_wants_them(log, pieces, lines):
    assert logged(log, *pieces) == lines


def test_the_two_outputs_do_not_cut_each_others_lines(log):
    relay = Relay(log, show=False)
    for source, data in (("stdout", b"da"), ("stderr", b"ne"), ("stdout", b"ta\n"), ("stderr", b"ws\n")):
        relay.take(source, data)
    relay.close()
    assert log.read_text() == "data\nnews\n"


@pytest.mark.parametrize(("piece", "limit"), [(b"x" * 1000, 5000), (b"0123456789\r" * 100, 11)])
def test_a_line_that_never_ends_takes_no_more_memory_than_a_long_one(log, monkeypatch, piece, limit):
    monkeypatch.setattr("envcheck.relay._LINE_BYTES", 5000)
    relay = Relay(log, show=False)
    for _ in range(20):
        relay.take("stdout", piece)
        assert len(relay._unfinished["stdout"]) <= limit  # noqa: SLF001 - memory has no public face
    relay.close()
    assert log.stat().st_size <= 5001
    assert log.read_bytes().endswith(piece[-10:].strip(b"\r") + b"\n")


def test_a_log_is_added_to(log):
    logged(log, b"one\n")
    assert logged(log, b"two\n") == b"one\ntwo\n"


def test_what_is_shown_goes_to_its_own_stream_as_it_came(capfdbinary):
    relay = Relay()
    relay.take("stdout", b"\x1b[1mdata\r")
    relay.take("stderr", b"news")
    relay.close()
    assert capfdbinary.readouterr() == (b"\x1b[1mdata\r", b"news")


def test_what_is_not_shown_is_still_heard_of_both(capfdbinary):
    heard = bytearray(b"before ")
    relay = Relay(show=False, heard=heard)
    relay.take("stdout", b"one ")
    relay.take("stderr", b"two")
    assert heard == b"before one two"
    assert capfdbinary.readouterr() == (b"", b"")


def test_the_last_megabyte_is_heard():
    heard = bytearray()
    relay = Relay(show=False, heard=heard)
    for _ in range(40):
        relay.take("stdout", b"x" * 65_536)
    relay.take("stdout", b"end")
    assert (len(heard), heard[-3:]) == (1 << 20, b"end")


class Gone(io.RawIOBase):
    """A screen behind which nobody is any more."""

    def __init__(self) -> None:
        super().__init__()
        self.tries = 0

    def write(self, _data) -> int:
        self.tries += 1
        raise BrokenPipeError


def test_a_reader_that_has_gone_is_tried_once_and_ends_nothing(log, monkeypatch):
    gone, other = Gone(), io.BytesIO()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=gone))
    monkeypatch.setattr("sys.stderr", SimpleNamespace(buffer=other))
    relay = Relay(log)
    for source in ("stdout", "stdout", "stderr"):
        relay.take(source, b"line\n")
    relay.close()
    assert (gone.tries, other.getvalue(), log.read_text()) == (1, b"line\n", "line\n" * 3)


def test_a_full_disk_under_the_log_ends_nothing(capfd):
    relay = Relay(Path("/dev/full"))
    relay.take("stdout", b"line\nrest")
    relay.close()
    assert capfd.readouterr().out == "line\nrest"


def test_what_comes_after_the_end_of_the_log_is_shown_and_raises_nothing(log, capfd):
    relay = Relay(log)
    relay.close()
    relay.take("stdout", b"late\n")
    assert (capfd.readouterr().out, log.read_text()) == ("late\n", "")
