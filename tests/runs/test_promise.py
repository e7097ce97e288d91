from __future__ import annotations

import json
from pathlib import Path

import pytest

from envcheck.choice.choose import Choice
from envcheck.documents import to_json
from envcheck.environments.place import Place
from envcheck.errors import EnvcheckError
from envcheck.host.facts import Gpu, Host, Mig, MigInstance, OperatingSystem
from envcheck.recipes import load_recipe
from envcheck.runs.promise import promise
from envcheck.situation import Situation

HOST = Host(os=OperatingSystem(system="Linux"), driver=None, gpus=())
CHOICE = Choice(recipe="cpu", torch=None, cuda=None, python="3.11", gpus=(), advice="", verdicts=())


def promised(*gpus, kind="venv", recipe="torch2.10-cu128", is_locked=True):
    situation = Situation(HOST, CHOICE, gpus, load_recipe(recipe))
    place = Place(kind, recipe, "0" * 64, Path("python"), "3.11", reused=True, is_locked=is_locked)
    return promise(situation, place)


def test_the_recipes_torch_and_cuda_are_promised_where_they_were_built():
    for kind in ("venv", "docker"):
        assert (promised(kind=kind).torch, promised(kind=kind).cuda) == ("2.10.0", "12.8")
    assert promised(recipe="cpu").cuda is None


def test_nothing_is_promised_of_an_interpreter_that_is_taken_as_it_is():
    found = promised(Gpu(index=0, uuid="GPU-a"), kind="current", is_locked=False)
    assert (found.torch, found.cuda) == (None, None)
    assert (found.device, found.gpus) == ("cuda", ("GPU-a",))


def test_without_a_judged_gpu_the_cpu_is_promised_and_every_gpu_hidden():
    found = promised()
    assert (found.device, found.gpus) == ("cpu", ())
    assert found.variables == {"CUDA_VISIBLE_DEVICES": ""}


def test_judged_gpus_are_promised_by_uuid_in_the_order_of_the_bus():
    found = promised(Gpu(index=2, uuid="GPU-c"), Gpu(index=5, uuid="GPU-f"))
    assert found.gpus == ("GPU-c", "GPU-f")
    assert found.variables == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "GPU-c,GPU-f"}


def test_of_a_split_gpu_its_instances_are_promised():
    instances = (MigInstance(uuid="MIG-1"), MigInstance(uuid="MIG-2"))
    found = promised(Gpu(index=0, uuid="GPU-a", mig=Mig(enabled=True, instances=instances)))
    assert found.gpus == ("MIG-1", "MIG-2")
    assert found.variables["CUDA_VISIBLE_DEVICES"] == "MIG-1,MIG-2"


def test_a_gpu_that_could_be_split_and_is_not_is_promised_itself():
    found = promised(Gpu(index=0, uuid="GPU-a", mig=Mig(enabled=False, instances=())))
    assert found.gpus == ("GPU-a",)


def test_one_gpu_without_a_uuid_leaves_what_is_visible_as_it_is():
    found = promised(Gpu(index=0, uuid="GPU-a"), Gpu(index=1))
    assert (found.device, found.gpus) == ("cuda", ())
    assert found.variables == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def test_the_promise_is_a_document():
    assert json.loads(to_json(promised(Gpu(index=0, uuid="GPU-a")))) == {
        "schema": "envcheck.promise/1",
        "torch": "2.10.0",
        "cuda": "12.8",
        "device": "cuda",
        "gpus": ["GPU-a"],
    }


def test_without_a_recipe_nothing_can_be_promised():
    situation = Situation(HOST, CHOICE, (), None)
    with pytest.raises(EnvcheckError, match="No recipe"):
        promise(situation, Place("venv", "", "0" * 64, Path("python"), "3.11", reused=True))
