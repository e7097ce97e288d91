"""What a text is taken for by those who know who speaks: pip, an engine, a stage."""

from __future__ import annotations

import pytest

from envcheck.errors import EnvcheckError, RetryError
from envcheck.symptoms import (
    CONTAINER_OUT_OF_MEMORY,
    ENGINE,
    INSIDE,
    PIP,
    SHUT_OFF,
    SYMPTOMS,
    error_kind,
    find,
)
from tests.said import SAID_BY_ENGINES, SAID_BY_PIP, SAID_INSIDE


@pytest.mark.parametrize(("id", "text"), SAID_BY_PIP)
def test_what_pip_says_is_known(id, text):  # noqa: A002 - a symptom's
    assert getattr(find(PIP, text), "id", None) == id


@pytest.mark.parametrize(("id", "text"), SAID_BY_ENGINES)
def test_what_an_engine_says_is_known(id, text):  # noqa: A002
    assert getattr(find(ENGINE, text), "id", None) == id


@pytest.mark.parametrize(("id", "text"), SAID_INSIDE)
def test_what_a_stage_says_of_its_container_is_known(id, text):  # noqa: A002
    assert getattr(find(INSIDE, text), "id", None) == id


@pytest.mark.parametrize(
    ("symptoms", "said"), [(PIP, SAID_BY_PIP), (ENGINE, SAID_BY_ENGINES), (INSIDE, SAID_INSIDE)]
)
def test_no_symptom_is_without_a_text_here(symptoms, said):
    assert {one.id for one in symptoms} == {id for id, _ in said}  # noqa: A001


def test_what_only_a_log_shows_is_in_no_answer():
    only_in_logs = [one for one in SYMPTOMS if not one.text]
    assert only_in_logs
    assert find(only_in_logs, "RuntimeError: CUDA unknown error") is None


def test_the_kernels_word_on_memory_is_known():
    assert CONTAINER_OUT_OF_MEMORY.is_in("Out of memory: Killed process 4711 (python) total-vm:9000000kB")


INNOCENT = [
    "Step 3/9 : COPY --from=build /stage/ /",
    " ---> Running in 0123456789ab",
    "Successfully tagged localhost/envcheck/cpu:0123456789abcdef",
    "Status: Image is up to date for python@sha256:00ab",
    "Digest: sha256:00ab",
    "0123456789ab: Verifying Checksum",
    "Collecting torch==2.13.0+cpu (from -r lock.txt (line 10))",
    "Looking in links: /wheels",
    "Downloading connection_pool-1.0-py3-none-any.whl (12 kB)",
    "Successfully installed filelock-3.29.0 numpy-2.4.0 torch-2.13.0",
    'WARNING: DOCKER_CONTEXT environment variable overrides the active context "work".',
    "COPY failed: file not found in build context or excluded by .dockerignore: stat x: file does not exist",
    "The command '/bin/sh -c exit 3' returned a non-zero code: 3",
    "FileNotFoundError: [Errno 2] No such file or directory: 'data/annotations.json'",
    "PermissionError: [Errno 13] cannot write 'out/log.txt'",
    "mkdir: cannot create directory '/x': Permission denied",
    "Epoch: [3][10/50]  Loss 0.00071 (0.00083)  Accuracy 0.812 (0.790)",
    "UserWarning: This DataLoader will create 8 worker processes in total.",
    "RuntimeError: CUDA error: no kernel image is available for execution on the device",
    "RuntimeError: unable to open shared memory object </torch_9_1_0> in read-write mode: Too many open files (24)",
]


@pytest.mark.parametrize("symptoms", [ENGINE, INSIDE, (CONTAINER_OUT_OF_MEMORY,)])
@pytest.mark.parametrize("line", INNOCENT)
def test_an_innocent_line_shows_no_symptom(symptoms, line):
    assert find(symptoms, line) is None


@pytest.mark.parametrize("line", [line for line in INNOCENT if "Permission denied" not in line])
def test_an_innocent_line_of_pip_shows_none(line):
    assert find(PIP, line) is None


def test_the_first_symptom_of_a_list_counts_whatever_the_text_says_first():
    text = "error pinging registry: no such host; then: no space left on device"
    assert [one.id for one in (find(ENGINE, text), find(reversed(ENGINE), text)) if one] == [
        "container.registry-unreachable",
        "disk.full",
    ]


def test_whether_another_try_can_help_makes_the_kind_of_error():
    gone, denied = find(ENGINE, "Connection refused"), find(ENGINE, "Permission denied")
    assert gone is not None
    assert denied is not None
    assert (error_kind(gone), error_kind(denied)) == (RetryError, EnvcheckError)
    passing = {one.id for one in (*PIP, *ENGINE, *INSIDE, CONTAINER_OUT_OF_MEMORY) if one.may_pass}
    assert passing == {
        "network.timeout",
        "network.unreachable",
        "container.registry-limit",
        "container.registry-unreachable",
        "container.engine-gone",
    }


@pytest.mark.parametrize(
    "said",
    [
        "socket.gaierror: [Errno -3] Temporary failure in name resolution",
        "curl: (6) Could not resolve host: example.org",
        "OSError: [Errno 101] Network is unreachable",
    ],
)
def test_what_a_command_without_network_says_is_known(said):
    assert SHUT_OFF.is_in(said)
