"""What is said of GPUs beyond its status: the evidence, the way out, and what holds inside a container."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envcheck.doctor.check import Case
from envcheck.doctor.checks.driver import Hang
from envcheck.doctor.checks.fabric import Fabric
from envcheck.doctor.checks.gpu_health import Memory, NvLinks, Pcie, Slowed
from envcheck.doctor.checks.gpu_settings import Mixed, Persistence, VgpuLicense
from envcheck.doctor.checks.gpu_use import Exclusive, MemoryFree, Stuck
from envcheck.doctor.checks.gpus import Answered, Lost
from envcheck.doctor.diagnose import diagnose
from envcheck.host.facts import DeviceNode, Gpu, GpuProcess, MemoryHealth, Mig, PcieLink
from envcheck.versions import Spelled

TRAIN = GpuProcess(pid=4242, name="python3", memory_mib=22000)
INSIDE = {"container": "docker"}


@pytest.fixture
def gpus(machine):
    """Return a function that makes a case of a server's GPUs, each from the facts that are given."""

    def case(*facts, host="a100x8-slurm", unknown=None, **parts):
        first = machine(host).gpus[0]
        listed = tuple(replace(first, index=place, **one) for place, one in enumerate(facts))
        return Case(machine(host, gpus=listed, unknown=unknown or {}, **parts))

    return case


DESK = {
    "brand": "geforce",
    "memory_free_mib": 22800,
    "utilization": 3,
    "persistence": False,
    "compute_mode": "default",
    "slowed_by": ("gpu idle",),
    "memory_health": MemoryHealth(ecc=False),
    "pcie": PcieLink(generation=1, width=16, most_generation=4, most_width=16),
    "nvlinks": (),
    "fabric": "none",
    "license": "none",
    "processes": (),
}
SERVER = {
    **DESK,
    "brand": "nvidia",
    "memory_free_mib": 81000,
    "persistence": True,
    "memory_health": MemoryHealth(ecc=True, uncorrected=0, remap_pending=False, remap_failed=False),
    "nvlinks": (True,) * 18,
    "fabric": "completed",
    "fabric_status": "success",
}


@pytest.mark.parametrize(
    ("facts", "fine"),
    [
        ([DESK], {"gpu.slowed", "gpu.pcie", "gpu.exclusive", "gpu.memory", "gpu.stuck"}),
        (
            [SERVER] * 8,
            {
                *("gpu.memory-health", "gpu.slowed", "gpu.pcie", "gpu.nvlink", "gpu.exclusive", "gpu.memory"),
                *("gpu.stuck", "gpu.persistence", "gpu.fabric", "gpu.mixed"),
            },
        ),
    ],
    ids=["desk", "server"],
)
def test_who_is_well_is_not_bothered_and_what_a_gpu_has_not_is_not_called_fine(gpus, facts, fine):
    checks = [*(check for check, _ in FACTS), Mixed()]
    findings = diagnose(gpus(*facts).host, checks=checks).findings
    assert {one.status for one in findings} == {"ok", "skip"}
    assert {one.id for one in findings if one.status == "ok"} == fine


def test_troubles_of_memory_are_told_together_and_an_exchange_is_for_one_that_fails(gpus):
    ill = MemoryHealth(ecc=True, uncorrected=3, remap_pending=True, remap_failed=True)
    old = MemoryHealth(ecc=True, retirement_pending=True)
    failing = Memory().look(gpus({"memory_health": ill}, {"memory_health": old}))
    assert failing.evidence == (
        "gpus[0]: 3 errors that could not be corrected, no spare row left, a row waits to be exchanged",
        "gpus[1]: a page waits to be retired",
    )
    assert (failing.title, failing.fix.text) == ("A GPU's memory is failing", "Have the GPU exchanged.")
    mendable = Memory().look(gpus({"memory_health": old}))
    assert (mendable.title, mendable.fix.destructive) == ("A GPU's memory had errors", True)
    assert not failing.fix.destructive
    assert failing.cause.startswith("No spare row")
    assert mendable.fix.needs_root
    assert "when the GPU is reset" in mendable.cause
    assert "reset" in mendable.fix.text


def test_trouble_that_is_known_counts_more_than_what_another_gpu_does_not_say(gpus):
    ill = MemoryHealth(ecc=True, uncorrected=1)
    assert Memory().look(gpus({"memory_health": ill}, {})).status == "warn"


def test_what_is_counted_on_one_gpu_of_several_is_an_answer(gpus):
    counted, none = MemoryHealth(ecc=True, uncorrected=0), MemoryHealth(ecc=False)
    assert Memory().look(gpus({"memory_health": none}, {"memory_health": counted})).status == "ok"


def test_only_brakes_are_told_of_the_reasons(gpus):
    braking = ("sw power cap", "hw slowdown", "sw thermal slowdown")
    finding = Slowed().look(gpus({"slowed_by": ("gpu idle",)}, {"slowed_by": braking}))
    assert finding.evidence == ("gpus[1]: hw slowdown, sw thermal slowdown",)


def test_a_narrow_and_a_slow_link_are_named_each_and_those_that_are_well_are_not(gpus):
    well = {"pcie": PcieLink(4, 16, 4, 16), "utilization": 99}
    narrow = {"pcie": PcieLink(4, 8, 4, 16), "utilization": 0}
    slow = {"pcie": PcieLink(1, 16, 4, 16), "utilization": 80}
    resting = {"pcie": PcieLink(1, 16, 4, 16), "utilization": 0}
    finding = Pcie().look(gpus(well, narrow, slow, resting))
    assert finding.evidence == (
        "gpus[1]: generation 4 of 4, 8 of 16 lanes",
        "gpus[2]: generation 1 of 4, 16 of 16 lanes",
    )
    assert "a riser" in finding.cause
    desk = Pcie().look(gpus({**narrow, "brand": "geforce"}))
    assert (desk.status, desk.cause[:21]) == ("info", "Some GPUs give up lan")


def test_nvlinks_that_are_down_are_told_of_the_gpu_that_has_fewer_than_its_like(gpus):
    all_up, two_up = {"nvlinks": (True,) * 4}, {"nvlinks": (True, True, False, False)}
    finding = NvLinks().look(gpus(two_up, all_up))
    assert (finding.status, finding.evidence) == ("warn", ("gpus[0]: 2 of 4 up",))
    assert finding.title == "NVLinks of a GPU are down"
    assert finding.cause.startswith("A link failed")
    assert finding.fix.needs_root
    bridged = NvLinks().look(gpus(two_up, two_up))
    assert (bridged.status, bridged.fix) == ("info", None)
    assert bridged.evidence == ("gpus[0]: 2 of 4 up", "gpus[1]: 2 of 4 up")


def test_who_has_a_gpu_for_itself_is_named_and_the_others_are_left_to_be_used(gpus):
    taken = {"compute_mode": "exclusive process", "processes": (TRAIN,)}
    free = {"compute_mode": "exclusive process", "processes": ()}
    finding = Exclusive().look(gpus(free, taken))
    assert (finding.status, finding.evidence) == (
        "warn",
        ("gpus[1]: exclusive process; python3 (PID 4242, 22000 MiB)",),
    )
    assert finding.fix.commands == ("nvidia-smi", "sudo nvidia-smi -i 1 -c 0")
    both = Exclusive().look(gpus(taken, taken))
    assert (both.status, both.fix.commands[1]) == ("error", "sudo nvidia-smi -i 0,1 -c 0")


def test_a_gpu_without_a_number_is_let_in_with_all_others(gpus):
    unnumbered = gpus({"compute_mode": "prohibited"}).host
    host = replace(unnumbered, gpus=(replace(unnumbered.gpus[0], index=None),))
    assert Exclusive().look(Case(host)).fix.commands[1] == "sudo nvidia-smi -c 0"


def test_what_is_missing_of_another_fact_leaves_no_question_open(gpus):
    sound = {"memory_health": MemoryHealth(ecc=True, uncorrected=0)}
    reasons = {"gpus[0].processes[0].state": "OUTSIDE", "pci": "X", "memory_health.ecc": "X"}
    assert Memory().look(gpus(sound, unknown=reasons)).status == "ok"
    part = {"gpus[0].memory_health.remap_pending": "FUNCTION_NOT_FOUND"}
    assert Memory().look(gpus(sound, unknown=part)).evidence == (
        "gpus[0].memory_health.remap_pending: FUNCTION_NOT_FOUND",
    )


def test_a_gpu_that_lets_nobody_in_is_told_apart_from_one_that_is_taken(gpus):
    closed, taken = (
        {"compute_mode": "prohibited"},
        {"compute_mode": "exclusive thread", "processes": (TRAIN,)},
    )
    assert Exclusive().look(gpus(closed, closed)).title == "A GPU is closed to computing"
    assert Exclusive().look(gpus(closed, taken)).title == "Another process has the GPU for itself"


def test_full_memory_names_its_holders(gpus):
    full = {"memory_free_mib": 300, "processes": (TRAIN, GpuProcess(pid=7))}
    finding = MemoryFree().look(gpus(full, {"memory_free_mib": 80000}))
    assert finding.evidence == (
        "gpus[0]: 300 of 81920 MiB free; python3 (PID 4242, 22000 MiB), a process (PID 7)",
    )


def test_a_gpu_that_is_split_by_mig_does_not_count_as_full(gpus):
    split = {"mig": Mig(enabled=True), "memory_free_mib": 0}
    assert MemoryFree().look(gpus(split, {"memory_free_mib": 80000})).status == "ok"
    assert MemoryFree().look(gpus(split, {})).status == "unknown"


def test_the_stack_of_each_stuck_process_is_to_be_read(gpus):
    stuck = (replace(TRAIN, state="D"), replace(TRAIN, pid=5, state="D"), replace(TRAIN, pid=6, state="R"))
    finding = Stuck().look(gpus({"processes": stuck}))
    assert finding.fix.commands == ("sudo cat /proc/4242/stack", "sudo cat /proc/5/stack")
    assert (finding.fix.needs_root, finding.fix.reboot) == (True, True)
    assert finding.evidence[0] == "gpus[0]: python3 (PID 4242, 22000 MiB), state D"


def test_persistence_is_turned_on_outside_of_a_container(gpus):
    off = {"persistence": False}
    outside, inside = Persistence().look(gpus(off)), Persistence().look(gpus(off, os=INSIDE))
    assert outside.fix.needs_root
    assert outside.evidence == ("gpus[0]: persistence mode off",)
    assert inside.fix.text == f"On the machine outside: t{outside.fix.text[1:]}"
    assert inside.fix.commands == outside.fix.commands


ILL = (
    (Memory(), {"memory_health": MemoryHealth(uncorrected=1)}),
    (NvLinks(), {"nvlinks": (True, False), "name": "one"}),
    (Exclusive(), {"compute_mode": "prohibited"}),
    (Stuck(), {"processes": (replace(TRAIN, state="D"),)}),
    (VgpuLicense(), {"license": "unlicensed"}),
)


@pytest.mark.parametrize(("check", "facts"), ILL, ids=[check.id for check, _ in ILL])
def test_what_only_the_machines_administrator_can_do_is_said_to_be_outside_of_a_container(gpus, check, facts):
    better = {**facts, "nvlinks": (True, True)}
    outside = check.look(gpus(facts, better))
    inside = check.look(gpus(facts, better, os=INSIDE))
    assert not outside.fix.text.startswith("On the machine")
    assert inside.fix.text.startswith("On the machine outside: ")
    assert inside.fix.text.endswith(outside.fix.text[1:])
    assert replace(inside.fix, text="") == replace(outside.fix, text="")


def test_a_card_for_a_desk_beside_one_for_servers_may_be_let_go(gpus):
    desk = {"brand": "geforce", "persistence": False}
    assert Persistence().look(gpus(desk, {"persistence": True})).status == "ok"


def test_kinds_of_gpus_are_counted(gpus):
    small = {"name": "A100 40GB", "memory_mib": 40960}
    finding = Mixed().look(gpus({}, {}, small))
    assert finding.evidence == (
        "2 x NVIDIA A100-SXM4-80GB, compute capability 8.0, 81920 MiB",
        "1 x A100 40GB, compute capability 8.0, 40960 MiB",
    )


NOT_STARTED = {"fabric": "not started"}


def test_a_fabric_that_is_not_ready_says_what_the_gpus_and_the_manager_say(gpus):
    driver = {"version": Spelled("535.161.08"), "fabric_manager_runs": False}
    finding = Fabric().look(
        gpus(NOT_STARTED, {"fabric": "completed", "fabric_status": "in use"}, driver=driver)
    )
    assert finding.evidence == (
        "gpus[0]: fabric not started",
        "gpus[1]: fabric completed, in use",
        "nv-fabricmanager does not run; the driver is 535.161.08",
    )


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("ubuntu 22.04", "sudo apt install 'nvidia-fabricmanager-535=535.161.08*'"),
        ("debian 12", "sudo apt install 'nvidia-fabricmanager-535=535.161.08*'"),
        ("rocky 9.4", "sudo dnf install nvidia-fabric-manager-535.161.08"),
    ],
)
@pytest.mark.parametrize("installed", [None, Spelled("535.161.07")])
def test_a_manager_that_is_missing_or_another_is_installed_as_the_driver_is(
    gpus, distribution, command, installed
):
    driver = {"version": Spelled("535.161.08"), "fabric_manager": installed, "fabric_manager_runs": False}
    finding = Fabric().look(gpus(NOT_STARTED, driver=driver, os={"distribution": distribution}))
    assert finding.fix.commands == (command, "sudo systemctl enable --now nvidia-fabricmanager")
    assert finding.fix.needs_root


def test_a_manager_of_the_right_version_is_started(gpus):
    driver = {
        "version": Spelled("535.161.08"),
        "fabric_manager": Spelled("535.161.08"),
        "fabric_manager_runs": False,
    }
    finding = Fabric().look(gpus(NOT_STARTED, driver=driver))
    assert "sudo systemctl enable --now nvidia-fabricmanager" in finding.fix.commands
    assert not any("install" in command for command in finding.fix.commands)


def test_inside_a_container_the_manager_is_somebody_elses(gpus):
    finding = Fabric().look(gpus(NOT_STARTED, os=INSIDE))
    assert (finding.status, finding.fix.text) == (
        "error",
        "On the machine outside: start the fabric manager, of exactly the driver's version.",
    )
    switch = {"nodes": (DeviceNode("/dev/nvidia-nvswitch0"),), "fabric_manager_runs": None}
    assert Fabric().look(gpus({"fabric": "none"}, os=INSIDE, driver=switch)).status == "skip"


def test_a_gpu_that_is_lost_while_it_is_asked_is_one_line(machine):
    reasons = {f"gpus[0].{fact}": "GPU_IS_LOST" for fact in ("name", "uuid", "pcie")}
    host = machine("rtx3090-driver550", gpus=(Gpu(index=0), Gpu(index=1)), unknown=reasons)
    assert Lost().look(Case(host)).evidence == ("gpus[0]: GPU_IS_LOST",)


def test_what_a_gpu_does_not_say_of_its_state_is_no_silence(machine):
    state = {f"gpus[0].{fact}": "NOT_SUPPORTED" for fact in ("persistence", "pcie", "memory_free_mib")}
    assert Answered().look(Case(machine("rtx3090-driver550", unknown=state))).status == "ok"
    slices = {"gpus[0].mig.instances[1].uuid": "UNKNOWN"}
    assert Answered().look(Case(machine("rtx3090-driver550", unknown=slices))).status == "info"


def test_one_gpu_of_several_that_hangs_is_not_the_driver(machine):
    hang = {"gpus[1].pcie": "HANG: no answer within 30 s when asked for gpus[1].pcie"}
    finding = Hang().look(Case(machine("a100x8-slurm", unknown=hang)))
    assert (finding.title, finding.evidence) == ("A GPU does not answer", tuple(hang.values()))
    assert Hang().look(Case(machine("a100-hang"))).title == "The driver does not answer"


def test_a_fabric_without_a_word_of_its_manager_is_told_by_the_gpus_alone(gpus):
    assert Fabric().look(gpus(NOT_STARTED)).evidence == ("gpus[0]: fabric not started",)


FACTS = (
    (Memory(), "memory_health"),
    (Slowed(), "slowed_by"),
    (Pcie(), "pcie"),
    (NvLinks(), "nvlinks"),
    (Exclusive(), "compute_mode"),
    (MemoryFree(), "memory_free_mib"),
    (Stuck(), "processes"),
    (Persistence(), "persistence"),
    (VgpuLicense(), "license"),
    (Fabric(), "fabric"),
)


@pytest.mark.parametrize(("check", "fact"), FACTS, ids=[check.id for check, _ in FACTS])
def test_a_gpu_without_the_thing_is_passed_over_and_one_that_fails_to_say_is_not(gpus, check, fact):
    path = f"gpus[0].{fact}"
    assert check.look(gpus({fact: None}, unknown={path: "NOT_SUPPORTED"})).status == "skip"
    failed = check.look(gpus({fact: None}, unknown={path: "NO_PERMISSION"}))
    assert (failed.status, failed.cause) == ("unknown", "NO_PERMISSION")
    assert failed.evidence == (f"{path}: NO_PERMISSION",)
    silent = check.look(gpus({fact: None}))
    assert (silent.status, silent.evidence) == ("unknown", ())


@pytest.mark.parametrize("check", [*(check for check, _ in FACTS), Mixed()], ids=lambda check: check.id)
def test_without_gpus_there_is_nothing_to_ask_and_where_none_are_named_nobody_knows(machine, check):
    none = check.look(Case(machine("laptop-without-nvidia")))
    assert (none.status, none.cause) == ("skip", "The driver lists no GPU.")
    hangs = check.look(Case(machine("a100-hang")))
    assert hangs.status == "unknown"
    assert hangs.cause.startswith("HANG: ")


def test_an_idle_link_is_called_wide_and_not_fast(gpus):
    idle = Pcie().look(gpus(DESK))
    assert (idle.status, idle.title) == ("ok", "Every GPU has all its lanes on the bus")
    assert "generation 1 of 4" in idle.evidence[0]
    fast = {**DESK, "pcie": PcieLink(generation=4, width=16, most_generation=4, most_width=16)}
    assert Pcie().look(gpus(fast)).title == Pcie.title


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("ubuntu 24.04", "sudo apt install 'nvidia-fabricmanager-"),
        ("rocky 9.4", "sudo dnf install nvidia-fabric-manager-"),
        ("sles 15.6", "sudo systemctl enable"),
    ],
)
def test_a_distribution_that_is_not_known_gets_no_package_of_another(gpus, distribution, command):
    unready = {**SERVER, "fabric": "in progress"}
    driver = {"fabric_manager": None, "fabric_manager_runs": False}
    case = gpus(unready, driver=driver, os={"distribution": distribution})
    assert Fabric().look(case).fix.commands[0].startswith(command)


def test_programs_that_come_in_through_mps_are_in_nobodys_way(gpus):
    server = GpuProcess(pid=77, name="nvidia-cuda-mps-server")
    shared = {**SERVER, "compute_mode": "exclusive process", "processes": (server, TRAIN)}
    finding = Exclusive().look(gpus(shared))
    assert (finding.status, finding.title, finding.fix) == ("info", "Programs share a GPU through MPS", None)
    taken = {**shared, "processes": (TRAIN,)}
    assert Exclusive().look(gpus(shared, taken)).evidence[0].startswith("gpus[1]")
    free = Exclusive().look(gpus(shared, {**shared, "processes": ()}))
    assert (free.status, free.evidence) == ("info", ("gpus[1]: exclusive process",))
