"""A machine against its snapshot: what changed, what is gone, what is only not known, and the pick."""

from __future__ import annotations

import dataclasses
import json

import pytest

from envcheck.doctor.checks.on_request import DRIFT
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.drift import Baseline, changes, look_back
from envcheck.documents import to_json
from envcheck.host.facts import (
    Cdi,
    DeviceNode,
    Engine,
    Installed,
    InstalledPackage,
    MemoryHealth,
    MigInstance,
    Surroundings,
    Toolkit,
)
from envcheck.situation import look
from envcheck.versions import Spelled

FIRST, SECOND = (f"GPU-5c0d2f1e-0b7a-4f2b-8a44-7f0f1b2f9a0{number}" for number in (1, 2))


@pytest.fixture
def before(machine):
    return machine("h100-mig", probed="2026-11-20T08:00:00Z")


@pytest.fixture
def compared(before, picked):
    """Return a function that holds a changed host against `before`, and gives what is not fine of it."""

    def compared(now, choice=picked):
        baseline = Baseline("host.json", before, picked)
        findings = diagnose(now, choice, checks=DRIFT, baseline=baseline).findings
        return {one.id: (one.status, one.evidence) for one in findings if one.status != "ok"}

    return compared


def test_the_same_machine_has_not_drifted_whatever_the_time_and_the_disk(before, compared):
    later = dataclasses.replace(
        before,
        probed="2026-11-29T00:00:00Z",
        hardware=dataclasses.replace(before.hardware, cache_free_mib=1),
        driver=dataclasses.replace(before.driver, nvml_seconds=3.0),
    )
    assert compared(later) == {}


def test_an_upgraded_driver_is_a_note_with_both_versions(machine, compared):
    now = machine("h100-mig", driver={"version": Spelled("580.95.05"), "open_module": False})
    assert compared(now) == {
        "drift.driver": (
            "info",
            ("driver.version: 550.54.15, now 580.95.05", "driver.open_module: open, now proprietary"),
        )
    }


def test_a_gpu_that_is_gone_is_a_warning_and_its_own_facts_are_not_repeated(before, compared):
    now = dataclasses.replace(before, gpus=before.gpus[:1])
    assert compared(now) == {"drift.gpus": ("warn", (f"gpus[{SECOND}]: NVIDIA H100 80GB HBM3, now gone",))}


def test_a_card_that_left_the_bus_or_has_another_driver_is_told(before, compared):
    first, second = before.pci
    now = dataclasses.replace(before, pci=(dataclasses.replace(first, driver="nouveau"),))
    status, evidence = compared(now)["drift.gpus"]
    assert (status, evidence) == (
        "warn",
        (f"pci[{first.address}].driver: nvidia, now nouveau", f"pci[{second.address}]: 2330, now gone"),
    )


def test_an_exchanged_gpu_is_gone_and_new(before, compared):
    other = dataclasses.replace(before.gpus[1], uuid="GPU-other", name="NVIDIA H200")
    _, evidence = compared(dataclasses.replace(before, gpus=(before.gpus[0], other)))["drift.gpus"]
    assert evidence == (
        f"gpus[{SECOND}]: NVIDIA H100 80GB HBM3, now gone",
        "gpus[GPU-other]: new (NVIDIA H200)",
    )


def test_gpus_in_another_order_are_the_same_gpus(before, compared):
    assert compared(dataclasses.replace(before, gpus=before.gpus[::-1])) == {}


def test_gpus_without_uuids_are_compared_by_place(before):
    nameless = tuple(dataclasses.replace(gpu, uuid=None) for gpu in before.gpus)
    assert changes(dataclasses.replace(before, gpus=nameless), before) == ()
    assert [one.fact for one in changes(before, dataclasses.replace(before, gpus=nameless[:1]))] == [
        "gpus[1]"
    ]


@pytest.mark.parametrize(
    ("mig", "status", "seen"),
    [
        ({"enabled": False}, "info", "off"),
        ({"instances": ()}, "warn", "on, no instance"),
        ({"instances": (MigInstance("MIG-1", "7g.80gb"),)}, "info", "on, 7g.80gb (MIG-1)"),
        ({"instances": None}, "info", "on"),
    ],
)
def test_mig_that_was_set_otherwise_is_told(before, compared, mig, status, seen):
    gpu = dataclasses.replace(before.gpus[0], mig=dataclasses.replace(before.gpus[0].mig, **mig))
    found = compared(dataclasses.replace(before, gpus=(gpu, before.gpus[1])))
    assert list(found) == ["drift.mig"]
    assert found["drift.mig"][0] == status
    assert found["drift.mig"][1][0].endswith(f", now {seen}")


@pytest.mark.parametrize(
    ("then", "now", "status", "seen"),
    [
        ("nvidia", "none", "warn", "engines[docker].gpu_request: nvidia, now none"),
        ("none", "cdi", "info", "engines[docker].gpu_request: none, now cdi"),
    ],
)
def test_a_toolkit_that_was_reconfigured_is_told(before, picked, then, now, status, seen):
    old, new = (
        dataclasses.replace(before, engines=(Engine("docker", "27", gpu_request=request),))
        for request in (then, now)
    )
    findings = diagnose(new, picked, checks=DRIFT, baseline=Baseline("b", old, picked)).findings
    (engine,) = [one for one in findings if one.status != "ok"]
    assert (engine.id, engine.status, engine.evidence) == ("drift.engine", status, (seen,))


def test_a_toolkit_in_another_mode_is_told_and_one_that_the_snapshot_does_not_name_is_not(before, picked):
    old, new = (
        dataclasses.replace(
            before,
            engines=(Engine("docker", "27", default_runtime=runtime),),
            toolkit=Toolkit(Spelled(version), mode, no_cgroups=False),
        )
        for version, mode, runtime in (("1.17.8", "legacy", "runc"), ("1.19.1", "auto", "nvidia"))
    )
    assert [change.words for change in changes(old, new)] == [
        "engines[docker].default_runtime: runc, now nvidia",
        "toolkit.version: 1.17.8, now 1.19.1",
        "toolkit.mode: legacy, now auto",
    ]
    findings = diagnose(new, picked, checks=DRIFT, baseline=Baseline("b", old, picked)).findings
    assert [(one.id, one.status) for one in findings if one.status != "ok"] == [("drift.engine", "info")]
    assert len(next(one.evidence for one in findings if one.id == "drift.engine")) == 3
    assert changes(dataclasses.replace(old, toolkit=None), old) == ()


@pytest.fixture
def whole(before):
    """A machine of which more is known than a snapshot of tests/hosts holds."""
    nodes = tuple(DeviceNode(path, usable=True) for path in ("/dev/nvidia0", "/dev/nvidia-uvm"))
    driver = dataclasses.replace(
        before.driver,
        nodes=nodes,
        modprobe=False,
        fabric_manager=Spelled("550.54.15"),
        fabric_manager_runs=True,
    )
    gpu = dataclasses.replace(
        before.gpus[0],
        persistence=True,
        compute_mode="default",
        memory_health=MemoryHealth(ecc=True),
        nvlinks=(True, True),
    )
    packages = (InstalledPackage("torch", "2.9.0+cu128"), InstalledPackage("numpy", "2.2.6"))
    return dataclasses.replace(
        before,
        driver=driver,
        gpus=(gpu, *before.gpus[1:]),
        cdi=(Cdi("/etc/cdi/nvidia.yaml", "nvidia.com/gpu", Spelled("550.54.15")),),
        toolkit=Toolkit(Spelled("1.17.8"), refresh=True),
        installed=(Installed("/v/bin/python3.11", packages=packages),),
        surroundings=Surroundings({"CUDA_VISIBLE_DEVICES": "0", "NCCL_DEBUG": "INFO"}),
    )


def _gpu(**facts):
    return lambda host: {"gpus": (dataclasses.replace(host.gpus[0], **facts), *host.gpus[1:])}


def _driver(**facts):
    return lambda host: {"driver": dataclasses.replace(host.driver, **facts)}


def _packages(*packages):
    return lambda _: {"installed": (Installed("/v/bin/python3.11", packages=packages),)}


@pytest.mark.parametrize(
    ("other", "id", "status", "seen"),
    [
        (
            lambda host: _driver(nodes=host.driver.nodes[:1])(host),
            *("drift.driver", "warn", "driver.nodes[/dev/nvidia-uvm]: there, now gone"),
        ),
        (
            _driver(
                nodes=(DeviceNode("/dev/nvidia0", usable=False), DeviceNode("/dev/nvidia-uvm", usable=True))
            ),
            *("drift.driver", "warn", "driver.nodes[/dev/nvidia0].usable: yes, now no"),
        ),
        (
            _driver(fabric_manager_runs=False),
            *("drift.driver", "warn", "driver.fabric_manager_runs: yes, now no"),
        ),
        (
            _driver(fabric_manager=None),
            *("drift.driver", "warn", "driver.fabric_manager: 550.54.15, now none"),
        ),
        (_gpu(persistence=False), "drift.gpus", "info", f"gpus[{FIRST}].persistence: yes, now no"),
        (
            _gpu(compute_mode="prohibited"),
            *("drift.gpus", "info", f"gpus[{FIRST}].compute_mode: default, now prohibited"),
        ),
        (
            _gpu(memory_health=MemoryHealth(ecc=False)),
            "drift.gpus",
            "info",
            f"gpus[{FIRST}].ecc: yes, now no",
        ),
        (
            _gpu(nvlinks=(True, False)),
            "drift.gpus",
            "info",
            f"gpus[{FIRST}].nvlinks: 2 of 2 up, now 1 of 2 up",
        ),
        (lambda _: {"cdi": ()}, "drift.engine", "warn", "cdi[/etc/cdi/nvidia.yaml]: there, now gone"),
        (
            lambda host: {"cdi": (dataclasses.replace(host.cdi[0], driver=Spelled("580.95.05")),)},
            *("drift.engine", "info", "cdi[/etc/cdi/nvidia.yaml].driver: 550.54.15, now 580.95.05"),
        ),
        (
            lambda _: {"toolkit": Toolkit(Spelled("1.17.8"), refresh=False)},
            *("drift.engine", "info", "toolkit.refresh: yes, now no"),
        ),
        (
            _packages(InstalledPackage("torch", "2.10.0"), InstalledPackage("numpy", "2.2.6")),
            *("drift.python", "info"),
            "installed[/v/bin/python3.11].packages[torch]: 2.9.0+cu128, now 2.10.0",
        ),
        (
            _packages(InstalledPackage("torch", "2.9.0+cu128")),
            *("drift.python", "warn", "installed[/v/bin/python3.11].packages[numpy]: 2.2.6, now gone"),
        ),
        (
            lambda _: {"surroundings": Surroundings({"CUDA_VISIBLE_DEVICES": "1", "NCCL_DEBUG": "INFO"})},
            *("drift.system", "info", "variables[CUDA_VISIBLE_DEVICES]: 0, now 1"),
        ),
        (
            lambda _: {"surroundings": Surroundings({"CUDA_VISIBLE_DEVICES": "0"})},
            *("drift.system", "info", "variables[NCCL_DEBUG]: INFO, now not set"),
        ),
    ],
)
def test_what_programs_meet_is_compared_too(whole, picked, other, id, status, seen):  # noqa: A002 - a check's
    now = dataclasses.replace(whole, **other(whole))
    findings = diagnose(now, picked, checks=DRIFT, baseline=Baseline("b", whole, picked)).findings
    assert [(one.id, one.status, one.evidence) for one in findings if one.status != "ok"] == [
        (id, status, (seen,))
    ]


def test_of_a_driver_that_is_gone_its_nodes_are_not_repeated(whole):
    gone = changes(whole, dataclasses.replace(whole, driver=None))
    assert [one.words for one in gone] == ["driver: there, now gone"]


def test_a_node_that_is_made_for_the_first_program_is_not_lost(whole):
    driver = dataclasses.replace(whole.driver, nodes=(), modprobe=True)
    assert changes(whole, dataclasses.replace(whole, driver=driver)) == ()


def test_environments_that_only_one_of_both_has_are_not_compared(whole):
    other = Installed("/w/bin/python3", packages=(InstalledPackage("torch", "2.0.1"),))
    assert changes(whole, dataclasses.replace(whole, installed=(other,))) == ()
    assert changes(whole, dataclasses.replace(whole, installed=None, surroundings=Surroundings())) == ()


def test_kernel_system_and_pythons_have_their_own_findings(machine, compared):
    now = machine(
        "h100-mig",
        os={"kernel": "6.8.0", "distribution": "ubuntu 24.04", "container": "docker"},
        python={"interpreters": {"3.12": "/usr/bin/python3.12"}},
        engines=(),
    )
    assert compared(now) == {
        "drift.kernel": ("info", ("os.kernel: 5.15.0-119-generic, now 6.8.0",)),
        "drift.system": (
            "info",
            ("os.distribution: ubuntu 22.04, now ubuntu 24.04", "os.container: none, now docker"),
        ),
        "drift.engine": ("warn", ("engines[docker]: there, now gone",)),
        "drift.python": (
            "warn",
            ("python.interpreters[3.10]: there, now gone", "python.interpreters[3.12]: new (there)"),
        ),
    }


def test_what_is_not_known_now_is_unknown_and_not_gone(before, compared):
    now = dataclasses.replace(before, gpus=None, engines=None)
    found = compared(now)
    assert {name: status for name, (status, _) in found.items()} == {
        "drift.gpus": "unknown",
        "drift.mig": "unknown",
        "drift.engine": "unknown",
    }
    assert found["drift.engine"][1] == (
        "engines[docker]: there, now not known",
        "engines[docker].version: 26.1.4, now not known",
    )


def test_a_driver_that_is_gone_is_one_change(before, compared):
    status, evidence = compared(dataclasses.replace(before, driver=None))["drift.driver"]
    assert (status, evidence) == ("warn", ("driver: there, now gone",))


def test_what_the_snapshot_does_not_say_is_not_compared(machine):
    least = machine("gtx1080ti-rtx5090")
    richer = dataclasses.replace(
        least, engines=(Engine("docker"),), pci=(), os=dataclasses.replace(least.os, jetson="36.4.3")
    )
    assert (least.engines, least.pci, least.os.jetson) == (None, None, None)
    assert changes(least, richer) == ()


def test_another_pick_says_what_is_in_the_way_of_the_old_one(root):
    hosts = root / "tests" / "hosts"
    baseline = look_back(str(hosts / "rtx5090-r580.json"))
    now = look(str(hosts / "rtx5090-r570-86-10.json"))
    diagnosis = diagnose(now.host, now.choice, checks=DRIFT, baseline=baseline)
    pick = next(one for one in diagnosis.findings if one.id == "drift.pick")
    before, after = baseline.choice.recipe, now.choice.recipe
    assert before != after
    assert pick.status == "warn"
    assert pick.evidence[0] == f"{before} then, {after} now"
    assert pick.evidence[1].startswith(f"{before} now: Driver 570.86.10 is below 580")
    assert pick.fix.commands == ("envcheck probe --output host.json",), "the old one runs no more"
    document = json.loads(to_json(diagnosis))["drift"]
    assert (document["recipe_before"], document["recipe_now"]) == (before, after)
    assert {"fact": "driver.version", "before": "580.105.08", "now": "570.86.10"} in document["changes"]

    back = diagnose(
        baseline.host,
        baseline.choice,
        checks=DRIFT,
        baseline=look_back(str(hosts / "rtx5090-r570-86-10.json")),
    )
    pick = next(one for one in back.findings if one.id == "drift.pick")
    assert pick.evidence[1].startswith(f"{before} then: Driver 570.86.10 is below 580")
    assert pick.fix.commands == (f"envcheck run --recipe {after} ...",)


def test_the_sentence_counts_dates_and_names_the_pick(before, picked):
    baseline = Baseline("host.json", before, picked)
    same = diagnose(before, picked, baseline=baseline).drift
    assert same.sentence == (
        "Nothing of what is compared changed since host.json of 2026-11-20; the pick stays torch2.10-cu128."
    )
    gone = dataclasses.replace(before, gpus=before.gpus[:1], probed=None)
    none = dataclasses.replace(picked, recipe=None)
    assert diagnose(gone, none, baseline=baseline).drift.sentence == (
        "1 fact changed since host.json of 2026-11-20; the pick was torch2.10-cu128 and is no recipe."
    )


@pytest.mark.parametrize(
    ("then", "now", "status", "title"),
    [
        ("cpu", "cpu", "ok", "The recipe is picked that the snapshot's machine would get"),
        (None, None, "ok", "The recipe is picked that the snapshot's machine would get"),
        ("cpu", None, "warn", "No recipe is picked now, and one was for the snapshot"),
        (None, "cpu", "info", "A recipe is picked now, and none was for the snapshot"),
        ("cpu", "torch2.10-cu128", "warn", "Another recipe is picked now than for the snapshot"),
    ],
)
def test_the_title_says_which_way_the_pick_went(before, picked, then, now, status, title):
    old, new = (dataclasses.replace(picked, recipe=recipe) for recipe in (then, now))
    diagnosis = diagnose(before, new, checks=DRIFT[-1:], baseline=Baseline("b", before, old))
    assert [(one.id, one.status, one.title) for one in diagnosis.findings] == [("drift.pick", status, title)]
