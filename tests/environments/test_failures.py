from __future__ import annotations

import pytest

from envcheck.environments.failures import check_pip, require_disk
from envcheck.errors import EnvcheckError, RetryError


@pytest.fixture
def log(tmp_path):
    def write(text):
        file = tmp_path / "log.txt"
        file.write_text(f"ERROR: No space left on device\n{text}", encoding="utf-8")
        return file, len("ERROR: No space left on device\n")

    return write


def test_a_pip_that_succeeded_raises_nothing(log):
    check_pip(0, *log("whatever"))


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
        (
            "    The user requested torch==2.15.0\n    The user requested (constraint) torch<=2.14.1\n",
            EnvcheckError,
            "constraint that forbids",
        ),
        ("ReadTimeoutError: Read timed out.", RetryError, "stopped answering"),
        ("something nobody has seen", EnvcheckError, "code 1"),
    ],
)
def test_what_pip_said_becomes_a_sentence_and_a_hint(log, said, kind, sentence):
    with pytest.raises(kind, match=sentence) as caught:
        check_pip(1, *log(said))
    assert "log.txt" in caught.value.hint


def test_what_pip_said_before_is_not_taken_for_the_reason(log):
    with pytest.raises(EnvcheckError, match="code 1"):
        check_pip(1, *log("ERROR: something else"))


@pytest.mark.parametrize(("code", "said"), [(130, ""), (143, ""), (1, "ERROR: Operation cancelled by user")])
def test_a_pip_that_was_stopped_is_an_interruption(log, code, said):
    with pytest.raises(KeyboardInterrupt):
        check_pip(code, *log(said))


def test_the_disk_that_is_needed_is_named_with_the_disk_that_is_there(tmp_path):
    require_disk(tmp_path, 0, "the wheels")
    with pytest.raises(EnvcheckError, match=r"The wheels need 1,000,000,000 MiB and .* has [\d,]+ MiB free"):
        require_disk(tmp_path, 10**9, "the wheels")
