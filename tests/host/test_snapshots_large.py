"""Snapshots of any size, read by a process with little memory: refused, or read at little cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envcheck.host.snapshots import MAX_SNAPSHOT_BYTES

# An envcheck that judges one host needs less than 100 MB of address space.
ADDRESS_SPACE = 256 * 1000 * 1000


@pytest.fixture
def pick(root, tmp_path):
    """`envcheck pick` in a process that gets no more than so much memory."""
    limited = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE}, {ADDRESS_SPACE}));"
        "from envcheck.cli import main; main()"
    )
    environ = {**os.environ, "ENVCHECK_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(root)}

    def call(*argv, **options):
        return subprocess.run(
            [sys.executable, "-c", limited, "pick", *map(str, argv)],
            capture_output=True,
            cwd=tmp_path,
            env=environ,
            timeout=60,
            check=False,
            **options,
        )

    return call


def test_a_file_of_a_gigabyte_is_refused_without_being_read(pick, tmp_path):
    file = tmp_path / "huge.json"
    with file.open("wb") as sink:
        sink.truncate(1 << 30)
    done = pick("--host", file)
    assert done.returncode == 2
    assert b"huge.json: larger than 1 MiB" in done.stderr


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_a_line_without_an_end_is_refused(pick, tmp_path, suffix):
    file = tmp_path / f"long.{suffix}"
    file.write_bytes(b'{"gpus": [' + b"{}," * (8 << 20))
    done = pick("--host", file)
    assert done.returncode == 2
    assert b"larger than 1 MiB" in done.stderr


def test_an_endless_standard_input_is_refused(pick):
    with Path("/dev/zero").open("rb") as endless:
        done = pick("--host", "-", stdin=endless)
    assert done.returncode == 2
    assert b"standard input: larger than 1 MiB" in done.stderr


@pytest.mark.parametrize("filling", [b"{},", b"[],", b'"a",'])
@pytest.mark.parametrize("key", [b"gpus", b"a_key_that_nobody_knows"])
def test_the_largest_document_that_is_read_costs_little(pick, tmp_path, key, filling):
    linux = b'{"system": "Linux", "machine": "x86_64"}'
    start = (
        b'{"schema": "envcheck.host/1", "os": ' + linux + b', "driver": null, "gpus": [], "' + key + b'": ['
    )
    many = (MAX_SNAPSHOT_BYTES - len(start) - 3) // len(filling)
    file = tmp_path / "dense.json"
    file.write_bytes(start + (filling * many)[:-1] + b"]}")
    done = pick("--host", file)
    assert done.returncode == (2 if key == b"gpus" else 0)
    assert b"Traceback" not in done.stderr
