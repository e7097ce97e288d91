"""`.ci/engine` on machines that are nothing but a few commands of our own on the PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ANSWERS = "exit 0"
PODMAN = 'case "$*" in *Id*) echo 1234 ;; esac; exit 0'
IS_DOWN = "exit 1"


@pytest.fixture
def machine(tmp_path, root):
    """Runs the script where the named commands do what is written and nothing else is installed."""

    def run(**commands: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        for tool in ("bash", "env", "mkdir", "tail", "sed", "setsid", "sleep", "cat"):
            (folder / tool).symlink_to(shutil.which(tool))
        for name, text in commands.items():
            path = folder / name.replace("_", "-")
            path.write_text(f'#!/bin/bash\necho "{path.name} $*" >> "{tmp_path}/called"\n{text}\n')
            path.chmod(0o755)
        env = {"PATH": str(folder), "XDG_RUNTIME_DIR": str(tmp_path), "HOME": os.environ.get("HOME", "/")}
        return subprocess.run(
            [root / ".ci" / "engine"], env=env, capture_output=True, text=True, check=False, timeout=30
        )

    return run


def called(tmp_path: Path) -> str:
    return (tmp_path / "called").read_text()


DOCKER = 'case "$*" in context*) echo unix:///its/context.sock ;; *Id*) echo sha256:1234 ;; esac; exit 0'
A_PERSON = "echo 1000"
ROOT = "echo 0"


def test_engines_that_answer_are_used_as_they_are(machine, tmp_path):
    ran = machine(id=ROOT, docker=DOCKER, podman=PODMAN, apt_get=ANSWERS)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "export ENVCHECK_BASE_IMAGE=envcheck-base:bookworm",
        "export ENVCHECK_TEST_DOCKER=unix:///its/context.sock",
        f"export ENVCHECK_TEST_PODMAN=unix://{tmp_path}/envcheck-engine/podman.sock",
    ]
    assert "apt-get" not in called(tmp_path)
    assert " load" not in called(tmp_path)


def test_another_base_image_in_podman_is_replaced_by_dockers(machine, tmp_path):
    ran = machine(id=ROOT, docker=DOCKER, podman=PODMAN.replace("1234", "5678"), apt_get=ANSWERS)
    assert ran.returncode == 0, ran.stderr
    podman = [line for line in called(tmp_path).splitlines() if line.startswith("podman ")]
    assert podman[-2].endswith(" load --quiet")
    assert podman[-1].endswith(" tag envcheck-base:bookworm docker.io/library/envcheck-base:bookworm")


def test_a_person_without_an_engine_is_told_so(machine):
    ran = machine(id=A_PERSON, docker=IS_DOWN, podman=PODMAN, apt_get=ANSWERS)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == (
        "engine: no Docker engine answers at any address: start one, and run .ci/engine again\n"
    )


def test_a_person_is_not_asked_for_a_root_password(machine, tmp_path):
    ran = machine(id=A_PERSON, docker=DOCKER, apt_get=ANSWERS)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "podman catatonit must be installed, which needs root and apt" in ran.stderr
    assert "apt-get" not in called(tmp_path)


def test_what_apt_cannot_install_fails_with_its_own_words(machine):
    ran = machine(id=ROOT, docker=DOCKER, apt_get="echo 'E: Unable to locate package podman'; exit 100")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.endswith(
        "engine: apt could not install podman catatonit: E: Unable to locate package podman\n"
    )


def test_a_daemon_that_ends_fails_with_its_last_words_and_at_once(machine):
    ran = machine(id=ROOT, docker=IS_DOWN, dockerd="echo 'driver not supported' >&2; exit 1", podman=PODMAN)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.endswith("engine: dockerd does not answer: driver not supported\n")
