"""What the checks of containers say beside their status: which hole, which file, which command."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.doctor.check import Case
from envcheck.doctor.checks.cdi import Stale, Unresolvable
from envcheck.doctor.checks.containers import (
    DevicesLost,
    DriverLibrary,
    Holes,
    Rootless,
    Runtime,
    ToolkitMissing,
)
from envcheck.doctor.checks.engines import EngineDisk, Gone, Platform, Proxy
from envcheck.doctor.diagnose import diagnose
from envcheck.host.facts import Engine, Surroundings

NAME = "rtx3090-docker-toolkit"
HOSTILE = "\x1b[31m::error::\n[red]x[/]"


@pytest.fixture
def host(machine):
    """Return a function that makes the machine with a docker and a toolkit, with other facts."""

    def host(engine=None, toolkit=None, distribution="ubuntu 22.04", **facts):
        one = machine(NAME)
        changes = {
            "engines": (replace(one.engines[0], **(engine or {})),),
            "toolkit": replace(one.toolkit, **toolkit) if toolkit is not None else one.toolkit,
            "os": replace(one.os, distribution=distribution),
            **facts,
        }
        return replace(one, **changes)

    return host


@pytest.mark.parametrize(
    ("version", "names", "bulletin"),
    [
        ("1.16.1", 4, "5850"),
        ("1.16.2", 3, "5850"),
        ("1.17.3", 3, "5850"),
        ("1.17.4", 2, "5850"),
        ("1.17.7", 2, "5850"),
        ("1.17.8", 1, "5850"),
        ("1.19.0", 1, "5850"),
        ("1.19.1-rc.1", 1, "5850"),
    ],
)
def test_every_hole_that_a_version_has_is_named_with_the_version_that_closes_it(
    host, version, names, bulletin
):
    finding = Holes().look(Case(host(toolkit={"version": Version(version)})))
    told = (
        "CVE-2024-0132, CVE-2024-0133: closed in 1.16.2",
        "CVE-2025-23359: closed in 1.17.4",
        "CVE-2025-23266, CVE-2025-23267: closed in 1.17.8",
        "CVE-2026-24260: closed in 1.19.1",
    )
    assert finding.evidence[1:] == told[-names:]
    assert finding.link.endswith(bulletin)


@pytest.mark.parametrize(
    ("distribution", "upgrade", "install"),
    [
        (
            "debian 12",
            ("sudo apt update", "sudo apt install --only-upgrade nvidia-container-toolkit"),
            "sudo apt install nvidia-container-toolkit",
        ),
        (
            "rocky 9.4",
            ("sudo dnf upgrade nvidia-container-toolkit",),
            "sudo dnf install nvidia-container-toolkit",
        ),
        (
            "arch",
            ("sudo pacman -Syu nvidia-container-toolkit",),
            "sudo pacman -S nvidia-container-toolkit",
        ),
        ("opensuse-leap 15.6", (), None),
    ],
)
def test_the_commands_are_those_of_the_distribution(host, distribution, upgrade, install):
    old = host(toolkit={"version": Version("1.17.7")}, distribution=distribution)
    fix = Holes().look(Case(old)).fix
    assert (fix.commands, fix.needs_root, fix.destructive) == (upgrade, True, False)
    without = replace(host(engine={"gpu_request": "none"}, distribution=distribution), toolkit=None)
    fix = ToolkitMissing().look(Case(without)).fix
    assert fix.commands == (
        *([install] if install else []),
        "sudo nvidia-ctk runtime configure --runtime=docker",
        "sudo systemctl restart docker",
    )
    assert (fix.needs_root, fix.destructive) == (True, True)


def test_where_the_toolkit_is_installed_docker_has_only_to_be_told(host):
    finding = ToolkitMissing().look(Case(host(engine={"gpu_request": "none"})))
    assert finding.fix.commands == (
        "sudo nvidia-ctk runtime configure --runtime=docker",
        "sudo systemctl restart docker",
    )
    assert finding.cause == "The toolkit is installed, and docker does not know it."
    assert "io.containerd.runc.v2, nvidia, runc" in finding.evidence[0]


def test_wsl_restarts_docker_without_systemd(host):
    one = host(engine={"gpu_request": "none"})
    fix = ToolkitMissing().look(Case(replace(one, os=replace(one.os, wsl=True)))).fix
    assert fix.commands[-1] == "sudo service docker restart"


def test_a_missing_runtime_is_quoted_with_its_program(host):
    finding = Runtime().look(Case(host(engine={"missing_runtimes": {"nvidia": "nvidia-container-runtime"}})))
    assert finding.evidence == ("docker info: nvidia: nvidia-container-runtime",)
    assert finding.fix.commands[0] == "sudo apt install nvidia-container-toolkit"  # its settings stayed
    assert finding.cause.startswith("It was removed, or never installed;")
    finding = Runtime().look(Case(host(engine={"missing_runtimes": {"runc": "/opt/runc"}})))
    assert finding.evidence == ("docker info: runc: /opt/runc (the default runtime)",)
    assert finding.cause == "No container starts with the default runtime gone."
    assert finding.fix.commands == ("sudo systemctl restart docker",)
    assert (finding.fix.needs_root, finding.fix.destructive) == (True, True)


def test_a_mode_that_docker_cannot_ask_for_is_named(host):
    finding = Runtime().look(Case(host(engine={"gpu_mode": "jit-cdi"})))
    assert finding.title == "NVIDIA's runtime is in jit-cdi mode, in which docker's --gpus is refused"
    assert finding.fix.destructive


@pytest.mark.parametrize(("rootless", "command"), [(True, "=true"), (False, "=false")])
def test_the_setting_for_control_groups_is_put_right_for_who_runs_docker(host, rootless, command):
    finding = Rootless().look(Case(host(engine={"rootless": rootless}, toolkit={"no_cgroups": not rootless})))
    assert finding.fix.commands[0].endswith(f"nvidia-container-cli.no-cgroups{command}")
    assert f"no-cgroups = {str(not rootless).lower()}" in finding.evidence[0]
    assert ("rootless" in finding.title) == rootless
    assert finding.fix.needs_root


def test_links_for_systemd_are_made_by_root(host):
    finding = DevicesLost().look(Case(host(toolkit={"device_links": False})))
    assert finding.fix.needs_root
    assert finding.link.endswith("/issues/48")


def test_one_spec_of_another_driver_gives_the_title_also_beside_one_with_missing_files(host):
    one = host()
    other = replace(one.cdi[0], path="/x", devices=("1",), missing=("/a",))
    stale = replace(one.cdi[0], driver=Version("535.161.08"))
    finding = Stale().look(Case(replace(one, cdi=(stale, other))))
    assert finding.title == "The CDI specification is of another driver than the installed one"
    assert len(finding.evidence) == 2


@pytest.mark.parametrize(
    "check", [DriverLibrary(), ToolkitMissing(), Rootless(), DevicesLost(), Unresolvable(), Stale()]
)
def test_without_a_gpu_or_an_engine_no_question_of_containers_arises(host, check):
    one = host()
    finding = check.look(Case(replace(one, gpus=())))
    assert (finding.status, finding.cause) == ("skip", "No GPU is listed that a container could be given.")
    for engines in ((), None):
        finding = check.look(Case(replace(one, engines=engines)))
        assert (finding.status, finding.cause) == ("skip", "No container engine answers.")


def test_a_snap_is_removed_with_a_warning_and_a_virtual_machine_left_by_its_context(host):
    snap = host(engine={"packaging": "snap", "gpu_request": "none", "root": "/var/snap/docker/x"})
    finding = DriverLibrary().look(Case(snap))
    assert (finding.fix.destructive, finding.fix.commands[0]) == (True, "sudo snap remove docker")
    assert finding.fix.needs_root
    assert finding.evidence == ("docker 28.3.3: Ubuntu 22.04.5 LTS, root /var/snap/docker/x",)
    desktop = host(engine={"system": "Docker Desktop", "gpu_request": "none"})
    fix = DriverLibrary().look(Case(desktop)).fix
    assert (fix.destructive, fix.commands) == (False, ("docker context use default",))


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, ("sudo systemctl restart nvidia-cdi-refresh.service",)),
        (
            {"toolkit": {"refresh": False}},
            ("sudo nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml",),
        ),
    ],
)
def test_a_spec_is_written_by_the_service_where_there_is_one(host, changes, command):
    one = host(**changes)
    stale = replace(one, cdi=(replace(one.cdi[0], driver=Version("535.161.08")),))
    finding = Stale().look(Case(stale))
    assert finding.fix.commands == command
    assert finding.title == "The CDI specification is of another driver than the installed one"
    assert finding.evidence == ("/var/run/cdi/nvidia.yaml: driver 535.161.8; installed: 550.54.14",)


def test_a_spec_of_an_odd_name_is_quoted_for_the_shell(host):
    one = host(toolkit={"refresh": False})
    spec = replace(one.cdi[0], path="/etc/cdi/$(reboot).yaml", missing=("/a",))
    fix = Stale().look(Case(replace(one, cdi=(spec,)))).fix
    assert fix.commands == ("sudo nvidia-ctk cdi generate --output='/etc/cdi/$(reboot).yaml'",)


def test_a_spec_is_written_after_the_toolkit_was_installed(host):
    podman = Engine("podman", "4.9.4", rootless=True, gpu_request="none")
    one = replace(host(), engines=(podman,), cdi=(), toolkit=None)
    finding = Unresolvable().look(Case(one))
    assert finding.fix.commands == (
        "sudo apt install nvidia-container-toolkit",
        "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
    )
    assert finding.evidence == ("/etc/cdi and /var/run/cdi name no nvidia.com/gpu",)


def test_three_missing_files_are_named_and_the_others_counted(host):
    one = host()
    spec = replace(one.cdi[0], missing=("/a", "/b", "/c", "/d", "/e"))
    finding = Stale().look(Case(replace(one, cdi=(spec,))))
    assert finding.title == "The CDI specification names files that are gone"
    assert finding.evidence == ("/var/run/cdi/nvidia.yaml: not there: /a, /b, /c and 2 more",)
    spec = replace(spec, missing=("/a", "/b", "/c"))
    assert Stale().look(Case(replace(one, cdi=(spec,)))).evidence[0].endswith("/a, /b, /c")


def test_a_full_disk_is_told_apart_from_one_that_is_too_small(host):
    full = EngineDisk().look(Case(host(engine={"root_free_mib": 512})))
    assert full.title == "The disk of docker's images is full"
    assert full.fix.destructive
    assert full.evidence == ("docker, /var/lib/docker: 0.5 GiB free, 60000000 inodes free",)
    small = EngineDisk().look(Case(host(engine={"root_free_mib": 2048, "root_free_inodes": None})))
    assert small.title == "The disk of docker's images is too small for another image"
    assert small.evidence == ("docker, /var/lib/docker: 2.0 GiB free, inodes not known",)
    assert EngineDisk().look(Case(host(engine={"root_free_mib": 3072}))).status == "ok"  # nothing was picked


def test_only_those_engines_are_shown_that_need_something(host):
    one = host()
    other = replace(one.engines[0], name="podman", root="/home", root_free_mib=10)
    for first in (one.engines[0], replace(one.engines[0], root_free_mib=2048)):  # enough, and hardly enough
        finding = EngineDisk().look(Case(replace(one, engines=(first, other))))
        assert finding.title == "The disk of podman's images is full"
        assert finding.fix.commands == ("podman system df", "podman image prune")
        assert [line.partition(",")[0] for line in finding.evidence] == ["podman"]
    other = replace(other, machine="arm64")
    finding = Platform().look(Case(replace(one, engines=(*one.engines, other))))
    assert finding.evidence == ("podman: arm64; this machine: x86_64",)
    assert finding.title == "podman runs on another processor than this machine"


def test_each_engine_that_does_not_answer_is_a_line_and_those_for_others_are_left_out(host):
    why = "unix:///a.sock: timed out; unix:///var/run/docker.sock: Permission denied; unix:///b.sock: EOF"
    finding = Gone().look(Case(replace(host(), engines=None, unknown={"engines": why})))
    assert finding.evidence == ("unix:///a.sock: timed out", "unix:///b.sock: EOF")


def test_a_daemon_is_started_by_root(host):
    finding = Gone().look(Case(replace(host(), engines=None, unknown={"engines": "unix:///a.sock: EOF"})))
    assert finding.fix.needs_root


def test_docker_is_told_of_a_proxy_by_root_and_restarted(host):
    one = host(surroundings=Surroundings(variables={"HTTPS_PROXY": "set", "no_proxy": "set"}))
    finding = Proxy().look(Case(one))
    assert finding.evidence == ("HTTPS_PROXY is set", "docker info: no HTTP proxy and no HTTPS proxy")
    assert (finding.fix.needs_root, finding.fix.destructive) == (True, True)


def test_in_a_container_the_socket_comes_from_outside(host):
    one = host()
    inside = replace(one, os=replace(one.os, container="docker"), engines=None, unknown={"engines": "x: EOF"})
    finding = Gone().look(Case(inside))
    assert finding.fix.commands[0].startswith("docker run -v /var/run/docker.sock")
    assert not finding.fix.needs_root


def test_an_engine_that_is_gone_explains_that_none_is_present(host):
    diagnosis = diagnose(replace(host(), engines=None, unknown={"engines": "unix:///a.sock: timed out"}))
    present = next(one for one in diagnosis.findings if one.id == "engine.present")
    assert (present.status, present.follows_from) == ("unknown", "container.engine-gone")


def test_hostile_names_are_handed_on_as_they_are_and_break_no_check(host):
    one = host(
        engine={
            "version": HOSTILE,
            "system": HOSTILE,
            "machine": HOSTILE,
            "runtimes": (HOSTILE,),
            "default_runtime": HOSTILE,
            "missing_runtimes": {HOSTILE: HOSTILE},
            "root": HOSTILE,
            "warnings": (HOSTILE,),
        },
        toolkit={"mode": HOSTILE},
    )
    podman = Engine("podman", HOSTILE, root=HOSTILE, root_free_mib=1)
    spec = replace(one.cdi[0], path=HOSTILE, devices=(HOSTILE,), missing=(HOSTILE,))
    findings = diagnose(replace(one, engines=(*one.engines, podman), cdi=(spec,))).findings
    assert not [finding.cause for finding in findings if finding.cause.startswith("The check failed")]
    told = {finding.id for finding in findings if any(HOSTILE in line for line in finding.evidence)}
    assert {"container.warnings", "container.platform", "container.runtime", "container.disk"} <= told
