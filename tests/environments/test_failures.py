from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from envcheck.environments.failures import check_pip, require_disk
from envcheck.errors import EnvcheckError, RetryError

LOG = Path("log.txt")


def test_a_pip_that_succeeded_raises_nothing():
    check_pip(0, "whatever", LOG)


@pytest.mark.parametrize(
    ("said", "kind", "sentence"),
    [
        (
            "ERROR: [Errno 28] No space left on device",
            EnvcheckError,
            "disk is full",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", EnvcheckError, "digest"),
        (
            "SSLError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]",
            EnvcheckError,
            "certificate",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", EnvcheckError, "no index"),
        (
            "WARNING: Retrying: 'Connection refused'",
            RetryError,
            "could not be reached",
        ),
        ("ReadTimeoutError: Read timed out.", RetryError, "stopped answering"),
        ("something nobody has seen", EnvcheckError, "code 1"),
    ],
)
def test_what_pip_said_becomes_a_sentence_and_a_hint(said, kind, sentence):
    with pytest.raises(kind, match=sentence) as caught:
        check_pip(1, said, LOG)
    assert "log.txt" in caught.value.hint


def test_a_full_disk_is_named_though_the_program_did_not_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(EnvcheckError, match="the disk is full"):
        check_pip(1, "Error: Command 'python -m ensurepip' failed", tmp_path / "log.txt")


@pytest.mark.parametrize(("code", "said"), [(130, ""), (143, ""), (1, "ERROR: Operation cancelled by user")])
def test_a_pip_that_was_stopped_is_an_interruption(code, said):
    with pytest.raises(KeyboardInterrupt):
        check_pip(code, said, LOG)


def test_the_disk_that_is_needed_is_named_with_the_disk_that_is_there(tmp_path):
    require_disk(tmp_path, 0, "The wheels need")
    with pytest.raises(EnvcheckError, match=r"The wheels need 1,000,000,000 MiB and .* has [\d,]+ MiB free"):
        require_disk(tmp_path, 10**9, "The wheels need")
