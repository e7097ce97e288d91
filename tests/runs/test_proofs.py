from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from envcheck.environments.place import Ended, Image, Limits, Place, Work
from envcheck.environments.prepare import Ready
from envcheck.errors import EnvcheckError
from envcheck.host.facts import Driver, Host, OperatingSystem
from envcheck.runs.promise import Promise
from envcheck.runs.proofs import prove

HOST = Host(os=OperatingSystem(system="Linux"), driver=Driver(version=Version("550.54.14")), gpus=())
PROMISED = Promise("2.10.0", "12.8", "cuda", ("GPU-a",))
IMAGE = Image("docker", "sha256:00ab", "name", "base", "sha256:00cd", is_recipes_base=True)
PLACE = Place("docker", "x", "0" * 64, Path("/opt/python"), "3.11", reused=True, image=IMAGE)
WORK = Work(
    argv=("python", "theirs.py"),
    variables={"CUDA_VISIBLE_DEVICES": "GPU-a"},
    gpus=("GPU-a",),
    device="cuda",
    reads=(Path("/data"),),
    writes=(Path("/out"),),
    owns_directory=True,
    limits=Limits(memory=1 << 30),
    stdin=True,
    terminal=True,
    log=Path("log.txt"),
)


class Prover:
    """An environment that proves what it is told to, or fails to."""

    def __init__(self) -> None:
        self.asked: list[Work] = []
        self.code, self.says = 0, ""

    def stage(self, _place, arguments):
        return ("pose", *arguments)

    def run(self, _place, work):
        self.asked.append(work)
        work.heard.extend(self.says.encode())
        (folder,) = work.writes
        (folder / "proof.json").write_text(json.dumps({"number": len(self.asked)}), encoding="utf-8")
        return Ended(self.code)


@pytest.fixture
def prover() -> Prover:
    return Prover()


@pytest.fixture
def proved(prover, tmp_path):
    """`proved(...)`: the proof in the folder of one more run."""

    def call(place=PLACE, promised=PROMISED, host=HOST, work=WORK):
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        prove(Ready(prover, place, "", Path("pose")), work, promised, host, folder, tmp_path / "cache")
        return json.loads((folder / "proof.json").read_text(encoding="utf-8"))

    return call


def test_a_proof_is_made_once_and_lent_to_every_later_run(proved, prover):
    assert [proved(), proved(), proved()] == [{"number": 1}] * 3
    assert len(prover.asked) == 1


def test_a_proof_that_is_pruned_while_it_is_lent_is_made_again(proved, monkeypatch):
    proved()
    monkeypatch.setattr("envcheck.runs.proofs.hold", lambda kept: kept.unlink() or True)
    assert proved() == {"number": 2}


VENV = replace(PLACE, kind="venv", image=None)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"promised": replace(PROMISED, gpus=("GPU-b",))}),
        ({}, {"promised": replace(PROMISED, device="cpu", gpus=())}),
        ({}, {"promised": replace(PROMISED, torch="2.9.0")}),
        ({}, {"host": replace(HOST, driver=Driver(version=Version("570.86.10")))}),
        ({}, {"host": replace(HOST, driver=None)}),
        ({}, {"place": replace(PLACE, image=replace(IMAGE, id="sha256:00ff"))}),
        ({}, {"place": VENV}),
        ({"place": VENV}, {"place": replace(VENV, lock_hash="1" * 64)}),
        ({"place": VENV}, {"place": replace(VENV, python=Path("/other/python"))}),
    ],
)
def test_another_environment_promise_or_driver_is_proved_by_itself(proved, first, second):
    assert proved(**first) == {"number": 1}
    assert proved(**second) == {"number": 2}
    assert proved(**first) == {"number": 1}


def test_the_interpreter_at_hand_is_proved_every_time(proved):
    place = replace(PLACE, kind="current", image=None, is_locked=False)
    assert [proved(place=place)["number"] for _ in range(2)] == [1, 2]


def test_a_proof_sees_what_the_command_will_see_and_nothing_of_its_data(proved, prover):
    proved()
    (asked,) = prover.asked
    (folder,) = asked.writes
    assert asked.argv == ("pose", "--run-dir", str(folder), "env")
    assert (asked.variables, asked.gpus, asked.device) == (WORK.variables, ("GPU-a",), "cuda")
    assert asked.limits == Limits(memory=1 << 30)
    assert (asked.reads, asked.owns_directory, asked.stdin, asked.terminal) == ((), False, False, False)
    assert (asked.show, asked.log) == (False, None)


@pytest.mark.parametrize(
    ("says", "reason", "finding"),
    [
        (
            "torch 2.10.0\nerror: not what was promised: a GPU was promised, torch sees none\nhint: look\n",
            "the engine started the container without the GPUs that it was asked for",
            "container.gpu-not-given",
        ),
        ("torch 2.10.0\nerror: torch 2.9.0 was promised\nhint: look\n", "torch 2.9.0 was promised", ""),
        ("Traceback\nImportError: libx.so\n", "ImportError: libx.so", ""),
        ("", "it ended with exit code 1", ""),
    ],
)
def test_a_promise_that_is_not_kept_is_an_error_and_kept_for_nobody(
    proved, prover, tmp_path, says, reason, finding
):
    prover.code, prover.says = 1, says
    with pytest.raises(EnvcheckError) as caught:
        proved()
    assert caught.value.message == f"The environment could not prove itself: {reason}"
    assert caught.value.finding == finding
    assert not list(tmp_path.glob("cache/proofs/*.json"))
    prover.code = 0
    assert proved() == {"number": 2}


@pytest.mark.parametrize("code", [130, 143, 129])
def test_a_proof_that_was_stopped_is_an_interruption(proved, prover, tmp_path, code):
    prover.code = code
    with pytest.raises(KeyboardInterrupt):
        proved()
    assert not list(tmp_path.glob("cache/proofs/*.json"))


@pytest.mark.parametrize(
    ("place", "device"),
    [(PLACE, "cpu"), (replace(PLACE, kind="venv", image=None), "cuda")],
)
def test_that_a_gpu_was_not_given_is_a_finding_of_containers_alone(proved, prover, place, device):
    prover.code = 1
    with pytest.raises(EnvcheckError) as caught:
        proved(place=place, work=replace(WORK, device=device))
    assert caught.value.finding == ""


def test_half_a_proof_is_lent_to_nobody(proved, monkeypatch):
    def full(_source, target):
        Path(target).write_text('{"num', encoding="utf-8")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("shutil.copyfile", full)
        assert proved() == {"number": 1}  # the run has its own
    assert proved() == {"number": 2}
