"""The proof in the picked environment: every way it can end is a value, and the checks say which.

Real environments are made from a recipe that weighs nothing, with a stand-in for pose that says what a test
wants; the real pose is run in `test_deep.py`.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from envcheck.doctor.checks.on_request import DEEP
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.proof import Proof
from envcheck.environments.docker import Docker
from envcheck.environments.prepare import Terms
from envcheck.errors import EnvcheckError
from envcheck.host.facts import Gpu
from envcheck.situation import Request, Situation, look
from envcheck.trials.proof import prove
from tests.engines import address_of, base_image
from tests.environments.conftest import own_folder, remove_images
from tests.small import World, environ_of, make_world

POSE = """
import json, os, sys
from pathlib import Path

def main():
    words = sys.argv[1:]
    folder = Path(words[words.index("--run-dir") + 1])
    promise = json.loads((folder / "promise.json").read_text())
    assert words[-2:] == ["env", "--deep"], words
    {body}
"""
RIGHT = {"operation": "matmul", "dtype": "float32", "device": "cpu", "error": 3e-7, "tolerance": 1e-4}
SAID = {
    "schema": "envcheck.proof/1",
    "torch": "2.13.0+cpu",
    "torch_cuda": None,
    "devices": [{"device": "cpu", "name": "x86_64", "capability": None, "conv_error": 1e-7}],
    "kept": True,
    "unkept": [],
    "operations": [{**RIGHT, "milliseconds": 2.5, "failure": None}],
}


def says(document: dict, code: int = 0) -> str:
    return f"(folder / 'proof.json').write_text({json.dumps(document)!r}); return {code}"


class Bed:
    """A world, and the situation in which its recipe was chosen."""

    def __init__(self, world: World, monkeypatch) -> None:
        self.world = world
        self._patch = monkeypatch
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        for name, value in environ_of(world).items():
            if name.startswith(("PIP_", "ENVCHECK_")):
                monkeypatch.setenv(name, value)
        monkeypatch.setattr("envcheck.environments.prepare.program_of_pose", lambda: world.program)

    def pose(self, body: str) -> None:
        (self.world.folder / "pose" / "__main__.py").write_text(POSE.replace("{body}", body))

    def situation(self) -> Situation:
        (recipe,) = (self.world.folder / "recipes").glob("*.yaml")
        return look(request=Request(recipe=str(recipe), gpus="none"))

    def prove(self, listener, body: str, kind="venv") -> Proof:
        self.pose(body)
        return prove(self.situation(), Terms(kind), listener)


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory) -> World:
    """One world whose environment is built when it is first asked for, and reused from then on."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def bed(shared_world, monkeypatch) -> Bed:
    return Bed(shared_world, monkeypatch)


@pytest.fixture
def fresh_bed(tmp_path, monkeypatch) -> Bed:
    return Bed(make_world(tmp_path), monkeypatch)


def told(bed: Bed, proof: Proof):
    """Return what the checks of --deep say, by their ids."""
    seen = bed.situation()
    found = diagnose(seen.host, seen.choice, checks=DEEP, proof=proof)
    return {finding.id: finding for finding in found.findings}


def test_an_environment_is_built_once_and_says_what_it_computes(fresh_bed, listener):
    bed = fresh_bed
    proof = bed.prove(listener, says(SAID))
    assert (proof.recipe, proof.gpus, proof.failure) == (bed.world.recipe.name, 0, None)
    assert (proof.made.kind, proof.made.reused) == ("venv", False)
    assert Path(proof.made.name).is_file()
    assert (proof.inside.torch, proof.inside.operations[0].error) == ("2.13.0+cpu", 3e-7)
    assert listener.steps[-1] == f"prove {proof.recipe} in venv"
    assert bed.prove(listener, says(SAID)).made.reused
    found = told(bed, proof)
    assert found["deep.environment"].status == "ok"
    assert found["deep.matmul"].evidence == (
        "matmul float32 on cpu (x86_64): error 3.0e-07, tolerance 1.0e-04, 2.50 ms",
    )
    assert not list(bed.world.cache.glob(".proof-*"))


def test_what_was_promised_lies_in_the_folder_of_the_proof(bed, listener):
    body = "(folder.parent / 'seen').write_text(json.dumps([promise, dict(os.environ)])); "
    bed.prove(listener, body + says(SAID))
    promise, environ = json.loads((bed.world.cache / "seen").read_text())
    assert (promise["schema"], promise["torch"], promise["device"]) == ("envcheck.promise/1", "2.13.0", "cpu")
    assert environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_wrong_result_and_a_broken_promise_are_read_though_pose_fails(bed, listener):
    document = {
        **SAID,
        "devices": [{"device": "cuda:0", "name": "NVIDIA \x1b[31mT4"}],
        "unkept": ["torch 1.0.0 was promised"],
        "operations": [{**RIGHT, "device": "cuda:0", "error": 0.2}],
    }
    found = told(bed, bed.prove(listener, says(document, 1)))
    assert (found["deep.matmul"].status, found["deep.matmul"].follows_from) == ("error", "deep.promise")
    assert found["deep.matmul"].title == "Matrices are multiplied wrong, or not at all, on cuda:0"
    assert "cuda:0 (NVIDIA" in found["deep.matmul"].evidence[0]
    assert found["deep.promise"].evidence[0] == "torch 1.0.0 was promised"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.exit('error: no module named cv2')", "no module named cv2"),
        ("sys.exit(7)", "it ended with exit code 7"),
        ("return 0", "it ended with exit code 0"),
        ("(folder / 'proof.json').write_text('{}'); return 0", "no schema"),
        ("(folder / 'proof.json').write_text('{'); return 0", "proof.json"),
        (says({**SAID, "operations": [{**RIGHT, "error": "none"}]}), "$.operations[0].error"),
    ],
)
def test_a_proof_that_says_nothing_is_a_failure_of_the_proof(bed, listener, body, message):
    proof = bed.prove(listener, body)
    assert (proof.made.kind, proof.inside) == ("venv", None)
    assert message in proof.failure.message
    found = told(bed, proof)
    assert (found["deep.environment"].status, found["deep.promise"].status) == ("ok", "error")
    assert {found[f"deep.{one}"].status for one in ("matmul", "conv", "bf16", "peers")} == {"unknown"}
    assert not list(bed.world.cache.glob(".proof-*"))


def test_an_environment_that_cannot_be_built_is_a_failure_with_its_own_hint(fresh_bed, listener):
    bed = fresh_bed
    for wheel in bed.world.index.iterdir():
        wheel.unlink()
    proof = bed.prove(listener, says(SAID))
    assert (proof.made, proof.inside) == (None, None)
    assert proof.failure.message
    assert proof.failure.hint
    found = told(bed, proof)
    assert found["deep.environment"].status == "error"
    assert found["deep.environment"].evidence == (proof.failure.message,)
    assert {finding.follows_from for finding in found.values()} - {None} == {"deep.environment"}


def test_a_folder_that_cannot_be_written_is_a_failure_too(bed, listener, monkeypatch):
    def full(*_, **__):
        raise PermissionError(13, "Permission denied", "/cache")

    monkeypatch.setattr("envcheck.trials.proof.prepare", full)
    proof = bed.prove(listener, says(SAID))
    assert proof.failure.message == "/cache: Permission denied"


def test_where_nothing_fits_nothing_is_tried(listener, root):
    seen = look(str(root / "tests" / "hosts" / "macbook.json"))
    assert prove(seen, Terms(), listener) == Proof(recipe=None)
    assert listener.steps == []


def test_every_gpu_that_was_judged_is_to_be_seen(bed, listener, monkeypatch):
    def silent(*_, **__):
        raise EnvcheckError("no")

    monkeypatch.setattr("envcheck.trials.proof.prepare", silent)
    seen = replace(bed.situation(), judged=(Gpu(index=0, uuid="GPU-a"), Gpu(index=1, uuid="GPU-b")))
    assert prove(seen, Terms(), listener).gpus == 2


def test_an_interruption_goes_through_and_leaves_no_folder(bed, listener):
    with pytest.raises(KeyboardInterrupt):
        bed.prove(listener, "return 130")
    assert not list(bed.world.cache.glob(".proof-*"))


@pytest.mark.docker
def test_a_container_proves_itself_in_a_folder_that_it_is_shown(monkeypatch, listener):
    address = address_of("docker")
    monkeypatch.setenv("DOCKER_HOST", address)
    with own_folder() as folder:
        world = replace(make_world(folder), addresses={"docker": address}, base_image=base_image())
        monkeypatch.chdir(folder)
        bed = Bed(world, monkeypatch)
        environment = world.environment("docker")
        assert isinstance(environment, Docker)
        try:
            proof = bed.prove(listener, says(SAID), "docker")
            assert (proof.made.kind, proof.failure) == ("docker", None)
            assert proof.inside.torch == "2.13.0+cpu"
        finally:
            remove_images(environment.client, world)
