from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from envcheck import situation
from envcheck.documents import read_json
from envcheck.errors import EnvcheckError, UsageError
from envcheck.host.facts import Host
from envcheck.situation import Request, judge_official, look, survey
from tests.cuda.fixtures import cuda_folders, cuda_lists

__all__ = ["cuda_folders", "cuda_lists"]


@pytest.fixture
def hosts(root):
    return root / "tests" / "hosts"


def test_a_snapshot_is_judged_as_if_it_were_here(hosts):
    seen = look(str(hosts / "rtx3090-driver550.json"))
    assert seen.recipe.name == "torch2.10-cu128"
    assert [gpu.name for gpu in seen.judged] == ["NVIDIA GeForce RTX 3090"]


def test_a_snapshot_can_come_from_stdin(hosts, monkeypatch):
    data = (hosts / "rtx3090-driver550.json").read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    assert look("-").recipe.name == "torch2.10-cu128"


def test_gpus_none_asks_for_the_cpu_and_judges_no_card(hosts):
    seen = look(str(hosts / "rtx3090-driver550.json"), Request(gpus="none"))
    assert (seen.recipe.name, seen.judged) == ("cpu", ())


def test_one_card_of_a_mixed_machine_is_judged_alone(hosts):
    host = str(hosts / "gtx1080ti-rtx5090.json")
    assert look(host, Request(gpus="0")).recipe.name == "torch2.7-cu126"
    assert look(host, Request(gpus="1")).recipe.name == "torch2.15-cu132"
    with pytest.raises(EnvcheckError, match="No recipe runs"):
        _ = look(host).recipe


def test_a_recipe_file_of_ones_own_is_judged_like_the_shipped_ones(root, hosts, tmp_path):
    mine = tmp_path / "mine.yaml"
    text = (root / "recipes" / "torch2.7-cu126.yaml").read_text(encoding="utf-8")
    mine.write_text(text.replace("name: torch2.7-cu126", "name: mine"), encoding="utf-8")
    (tmp_path / "locks").mkdir()
    lock = root / "recipes" / "locks" / "torch2.7-cu126-cp311.txt"
    (tmp_path / "locks" / "mine-cp311.txt").write_bytes(lock.read_bytes())
    seen = look(str(hosts / "rtx3090-driver550.json"), Request(recipe=str(mine)))
    assert seen.recipe.file == mine


def test_a_snapshot_of_another_kind_is_refused(tmp_path):
    file = tmp_path / "choice.json"
    file.write_text(json.dumps({"schema": "envcheck.choice/1"}), encoding="utf-8")
    with pytest.raises(UsageError, match=r"envcheck\.choice/1"):
        look(str(file))


@pytest.mark.parametrize("gpus", ["", ",", " , "])
def test_a_list_that_names_no_gpu_is_not_taken_for_the_cpu(hosts, gpus):
    with pytest.raises(UsageError, match="names no GPU"):
        look(str(hosts / "rtx3090-driver550.json"), Request(gpus=gpus))


@pytest.fixture
def here(hosts, monkeypatch):
    """This machine has the facts of a snapshot."""

    def be(name):
        facts = read_json(hosts / f"{name}.json", Host)
        monkeypatch.setattr(situation, "probe", lambda: facts)
        monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
        return facts

    return be


def test_the_gpus_that_cuda_may_see_are_the_ones_that_are_judged(here, monkeypatch):
    facts = here("gtx1080ti-rtx5090")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", facts.gpus[1].uuid)
    assert look().recipe.name == "torch2.15-cu132"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert (look().recipe.name, look().judged) == ("cpu", ())


def test_a_variable_that_leaves_no_gpu_by_mistake_is_bad_input_but_not_for_the_doctor(here, monkeypatch):
    facts = here("gtx1080ti-rtx5090")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-of-another-machine")
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES"):
        look()
    assert look(obeys=False).judged == facts.gpus


def test_a_number_is_the_card_that_cuda_counts_so_and_only_that_card_is_judged(here, cuda_lists, monkeypatch):
    gtx, rtx = here("gtx1080ti-rtx5090").gpus
    cuda_lists(rtx.uuid, gtx.uuid)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    seen = look()
    assert (seen.recipe.name, seen.judged, seen.choice.gpus) == ("torch2.15-cu132", (rtx,), (rtx.uuid,))
    assert seen.visible == (
        "CUDA_VISIBLE_DEVICES=0 is GeForce RTX 5090 (GPU-e4d3c2b1-a09f-4e8d-b7c6-5a4938271605), "
        "in CUDA's own order"
    )


def test_cuda_is_not_asked_for_an_order_that_is_known(here, cuda_lists, monkeypatch):
    gtx, rtx = here("gtx1080ti-rtx5090").gpus
    cuda_lists(rtx.uuid, gtx.uuid, trouble="crash cuInit")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert look().judged == (gtx,)
    monkeypatch.delenv("CUDA_DEVICE_ORDER")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", rtx.uuid)
    assert look().judged == (rtx,)
    twins = here("h100-mig").gpus
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert look().judged == (twins[1],)


def test_cards_without_a_name_are_not_taken_for_equals(here, cuda_lists, monkeypatch):
    facts = here("gtx1080ti-rtx5090")
    first, second = nameless = tuple(replace(gpu, name=None) for gpu in facts.gpus)
    monkeypatch.setattr(situation, "probe", lambda: replace(facts, gpus=nameless))
    cuda_lists(second.uuid, first.uuid)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert look().judged == (second,)


def test_a_number_is_refused_where_cuda_does_not_say_how_it_counts(here, cuda_lists, monkeypatch):
    here("gtx1080ti-rtx5090")
    cuda_lists(trouble="crash cuInit")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UsageError, match="not known: cuInit crashed with signal 11") as caught:
        look()
    assert caught.value.hint.startswith("Name them by UUID")


def test_beside_a_slice_cuda_lists_no_other_card_and_so_has_no_order(here, cuda_lists, monkeypatch):
    facts = here("h100-mig")
    split, whole = facts.gpus
    other = replace(whole, name="NVIDIA A100-SXM4-80GB")
    monkeypatch.setattr(situation, "probe", lambda: replace(facts, gpus=(split, other)))
    cuda_lists(other.uuid)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UsageError, match="where MIG splits a GPU"):
        look()


def test_a_snapshot_is_not_narrowed_by_this_machines_environment(hosts, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    seen = look(str(hosts / "rtx3090-driver550.json"))
    assert (len(seen.judged), seen.visible) == (1, "")


def test_what_was_asked_for_on_the_command_line_counts_more(here, monkeypatch):
    here("gtx1080ti-rtx5090")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert look(request=Request(gpus="1")).recipe.name == "torch2.15-cu132"


def test_gpus_are_named_on_one_machine_only(hosts):
    two = [str(hosts / f"{name}.json") for name in ("rtx3090-driver550", "a100x8-slurm")]
    for verb in (survey, judge_official):
        with pytest.raises(UsageError, match="there are several hosts"):
            verb(two, Request(gpus="0"))
    builds, machine = judge_official(two, Request(gpus="none"))
    assert builds.builds
    assert machine is None
