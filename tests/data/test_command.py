"""`envcheck data get` as a person meets it: a process, its streams and its exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.data.conftest import ARCHIVES, contents, laid_out, sha256
from tests.data.server import Fault


@pytest.fixture
def argv(root, shelf):
    """Return what starts envcheck with the small catalogue."""
    code = (
        "import pathlib, sys; import envcheck.data.catalogue as c; c.FILE = pathlib.Path(sys.argv.pop(1));"
        "from envcheck.cli import main; main()"
    )
    environ = {**os.environ, "PYTHONPATH": str(root)}

    def command(*words):
        return [sys.executable, "-c", code, str(shelf), "data", "get", *map(str, words)], environ

    return command


def run(command):
    words, environ = command
    return subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_shows_sizes_and_room_first_and_what_is_there_last(argv, server):
    done = run(argv("small", "--only", "labels, val2017"))
    assert (done.returncode, contents("data/small")) == (0, laid_out())
    assert f"from {server.url} into data/small" in done.stderr
    assert "3 MiB are needed in" in done.stderr
    assert [
        line.split()[:2] for line in done.stderr.splitlines() if line.startswith(("  fetch", "  unp"))
    ] == [
        ["fetch", "labels.zip,"],
        ["unpack", "labels.zip"],
        ["fetch", "val2017.zip,"],
        ["unpack", "val2017.zip"],
    ]
    assert "20 files  fetched" in done.stdout
    assert "The boxes are elsewhere." in done.stdout
    assert done.stdout.splitlines()[-1] == "Next: envcheck run check-data --data data/small"
    again = run(argv("small"))
    assert (again.returncode, again.stderr) == (0, "")
    assert "20 files  already here" in again.stdout


def test_the_command_answers_in_json(argv):
    done = run(argv("small", "--format", "json"))
    document = json.loads(done.stdout)
    assert document["schema"] == "envcheck.data/1"
    assert document["parts"][1] == {
        "name": "val2017",
        "state": "fetched",
        "folder": "data/small/images",
        "files": 20,
    }


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("absent",), 2, "There is no dataset"),
        (("small", "--mirror", "mirror.example.org"), 2, "no address of a folder"),
        (("small", "--only", "train"), 2, "has no part"),
        (("small", "--mirror", "http://127.0.0.1:9/none", "--to", "/proc/none"), 1, ""),
    ],
)
def test_bad_input_is_one_sentence(argv, words, code, sentence):
    done = run(argv(*words))
    assert done.returncode == code
    assert sentence in done.stderr
    assert "error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_digest_is_exit_code_1(argv, shelf):
    text = shelf.read_text(encoding="utf-8")
    wrong = text.replace(sha256(ARCHIVES["/zips/val2017.zip"]), sha256(b"another"))
    shelf.write_text(wrong, encoding="utf-8")
    done = run(argv("small", "--only", "val2017"))
    assert done.returncode == 1
    assert sha256(b"another") in done.stderr.replace("\n", "")
    assert contents("data/small") == {}
    assert list(Path("data/small/images/.envcheck").iterdir()) == [Path("data/small/images/.envcheck/lock")]


def test_a_dead_server_is_exit_code_75_after_a_few_seconds(argv, server):
    server.close()
    done = run(argv("small"))
    assert done.returncode == 75
    assert "was not fetched: there is no connection to the server" in done.stderr
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("how", "code", "sentence"),
    [(signal.SIGINT, 130, "the same command goes on from there"), (signal.SIGKILL, -9, "")],
)
def test_what_has_arrived_outlives_its_command(argv, site, how, code, sentence):
    site.faults, site.always = [Fault(cut=5_000, lengthless=True)], Fault(stall=True)
    words, environ = argv("small", "--only", "val2017")
    process = subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    part = Path("data/small/images/.envcheck/val2017.zip.part")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(site.gets()) < 2:
        time.sleep(0.02)
    process.send_signal(how)
    _, said = process.communicate(timeout=30)
    assert process.returncode == code
    assert sentence in said
    assert part.stat().st_size == 5_000
    site.released.set()
    site.always = None
    assert run(argv("small", "--only", "val2017")).returncode == 0
    assert site.gets()[-1].headers["Range"] == "bytes=5000-"
