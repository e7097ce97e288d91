from __future__ import annotations

import pytest
from docker.errors import APIError, DockerException
from urllib3.exceptions import ProtocolError

from envcheck.engine.addresses import Address, connect
from envcheck.engine.failures import failure, innermost, spoken
from envcheck.errors import EnvcheckError, RetryError


def wrapped(inner: Exception, outer: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


def test_the_cause_is_what_the_system_said_not_what_was_made_of_it():
    aborted = wrapped(
        FileNotFoundError(2, "No such file or directory"),
        DockerException("Error while fetching server API version: ('Connection aborted.', ...)"),
    )
    assert innermost(wrapped(aborted, DockerException("outer"))) == "No such file or directory"


def test_the_cause_of_an_answer_is_the_engines_own_words():
    error = APIError("500 Server Error", explanation="could not select device driver")
    assert innermost(wrapped(ValueError("inner"), error)) == "could not select device driver"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("x"), "x"),
        (OSError("only words"), "only words"),
        (OSError(), "OSError"),
        (TimeoutError("timed out"), "timed out"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_an_error_without_a_cause_speaks_for_itself(error, words):
    assert innermost(error) == words


def test_a_failure_that_may_pass_by_itself_exits_75():
    error = failure("The image x was not built", "Connection refused")
    assert isinstance(error, RetryError)
    assert error.exit_code == 75
    assert error.message == "The image x was not built: the container engine does not answer"
    assert error.hint.endswith("\nThe engine said: Connection refused")
    assert error.finding == "container.engine-gone"


def test_a_failure_that_stays_exits_1():
    error = failure("The container was not started", 'could not select device driver ""  with\ncapabilities')
    assert (type(error), error.exit_code, error.finding) == (EnvcheckError, 1, "container.toolkit-missing")
    assert "nvidia-ctk runtime configure" in error.hint
    assert 'The engine said: could not select device driver "" with capabilities' in error.hint


def test_a_failure_that_nobody_knows_is_the_engines_own_last_words():
    error = failure("The container was not started", "first " + "x" * 400 + " last")
    assert type(error) is EnvcheckError
    assert error.message.startswith("The container was not started: xxx")
    assert error.message.endswith("x last")
    assert len(error.message) < 350
    assert error.finding == ""


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        (APIError("500", explanation="no space left on device"), "disk.full"),
        (ProtocolError("Connection broken: IncompleteRead(0 bytes read)"), "container.engine-gone"),
        (PermissionError(13, "Permission denied"), "container.socket-denied"),
    ],
)
def test_what_the_libraries_raise_is_spoken(error, finding):
    with pytest.raises(EnvcheckError, match=r"^It failed: ") as caught, spoken("It failed"):
        raise error
    assert caught.value.finding == finding


def test_a_fault_of_our_own_stays_one():
    with pytest.raises(TypeError), spoken("It failed"):
        raise TypeError


@pytest.mark.parametrize("is_there", [True, False])
def test_an_engine_that_is_not_there_may_be_there_the_next_time(sockets, is_there):
    if is_there:
        (sockets / "e.sock").touch()
    with pytest.raises(RetryError, match="does not answer"), spoken("docker could not be asked"):
        connect(Address(f"unix://{sockets / 'e.sock'}"))
