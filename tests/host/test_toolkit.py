"""The container toolkit, by its programs and its settings; and what its runtime makes of "auto"."""

from __future__ import annotations

import pytest
from packaging.version import Version

from envcheck.host import toolkit as toolkit_module
from envcheck.host.facts import Engine, Toolkit
from envcheck.host.toolkit import gpu_mode, has_hook, read_toolkit, with_gpu_modes

CTK = "NVIDIA Container Toolkit CLI version 1.17.8\ncommit: f202b80a9b9d0db00d9b1d73c0128c8962c55f4d\n"
CLI = "cli-version: 1.13.5\nlib-version: 1.13.5\nbuild date: 2023-07-18T11:34+00:00\n"
# As nvidia-ctk 1.17 writes it.
CONFIG = """
disable-require = false
supported-driver-capabilities = "compat32,compute,display,graphics,ngx,utility,video"

[nvidia-container-cli]
environment = []
ldconfig = "@/sbin/ldconfig.real"
load-kmods = true
{no_cgroups}

[nvidia-container-runtime]
log-level = "info"
mode = "{mode}"
runtimes = ["runc", "crun"]

[nvidia-container-runtime.modes]
[nvidia-container-runtime.modes.cdi]
default-kind = "nvidia.com/gpu"
"""
NO_PROGRAM = "neither nvidia-ctk nor nvidia-container-cli is to be found"
CONFIG_FILE = "etc/nvidia-container-runtime/config.toml"


@pytest.fixture
def machine(lay_out):
    """Return a function that makes a machine: programs by what they print, files by their text."""

    def machine(programs=None, files=None):
        root = lay_out({"etc/x": "", **(files or {})})
        for name, prints in (programs or {}).items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"#!/bin/sh\ncat <<'EOF'\n{prints}EOF\n")
            file.chmod(0o755)
        return root

    return machine


def test_without_its_programs_and_settings_there_is_none(machine):
    assert read_toolkit(machine()) == (None, {})


def test_its_version_is_what_its_program_says(machine):
    found, unknown = read_toolkit(machine({"usr/bin/nvidia-ctk": CTK, "usr/bin/nvidia-container-cli": CLI}))
    assert found == Toolkit(Version("1.17.8"), "auto", no_cgroups=False, refresh=False, device_links=False)
    assert unknown == {}


@pytest.mark.parametrize(
    ("program", "prints", "version"),
    [
        ("usr/bin/nvidia-container-cli", CLI, "1.13.5"),
        ("usr/local/nvidia/toolkit/nvidia-ctk", CTK.replace("1.17.8", "v1.18.0-rc.1"), "1.18.0-rc.1"),
    ],
)  # fmt: skip
def test_an_older_toolkit_and_an_operators_are_found_too(machine, program, prints, version):
    found, _ = read_toolkit(machine({program: prints}))
    assert str(found.version) == version
    assert found.version == Version(version)


def test_its_settings_are_read(machine):
    config = CONFIG.format(mode="cdi", no_cgroups="no-cgroups = true")
    found, unknown = read_toolkit(machine({"usr/bin/nvidia-ctk": CTK}, {CONFIG_FILE: config}))
    assert (found.mode, found.no_cgroups) == ("cdi", True)
    assert unknown == {}


def test_what_its_settings_leave_out_is_as_the_toolkit_has_it(machine):
    config = CONFIG.format(mode="auto", no_cgroups="#no-cgroups = true").replace('mode = "auto"', "")
    found, _ = read_toolkit(machine({"usr/bin/nvidia-ctk": CTK}, {CONFIG_FILE: config}))
    assert (found.mode, found.no_cgroups) == ("auto", False)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("mode = [unclosed", f"/{CONFIG_FILE}: not TOML: "),
        (
            "[nvidia-container-runtime]\nmode = 5",
            f"/{CONFIG_FILE}: mode is no text",
        ),
        (
            "[nvidia-container-cli]\nno-cgroups = 'x'",
            f"/{CONFIG_FILE}: mode is no ",
        ),
        ("x" * 2_000_000, f"/{CONFIG_FILE}: larger than "),
        (None, f"/{CONFIG_FILE}: Is a directory"),
    ],
)
def test_settings_that_cannot_be_read_leave_mode_and_groups_unknown(machine, config, why):
    found, unknown = read_toolkit(machine({"usr/bin/nvidia-ctk": CTK}, {CONFIG_FILE: config}))
    assert (found.mode, found.no_cgroups, found.version) == (None, None, Version("1.17.8"))
    assert set(unknown) == {"toolkit.mode", "toolkit.no_cgroups"}
    assert unknown["toolkit.mode"].startswith(why)


def test_a_table_that_is_none_and_a_mode_of_a_megabyte_do_no_harm(machine):
    programs = {"usr/bin/nvidia-ctk": CTK}
    found, _ = read_toolkit(machine(programs, {CONFIG_FILE: "nvidia-container-runtime = 5\n"}))
    assert found.mode == "auto"
    long = f"[nvidia-container-runtime]\nmode = '{'m' * 4000}'\n"
    (machine(programs) / CONFIG_FILE).write_text(long)
    found, _ = read_toolkit(machine(programs))
    assert len(found.mode) == 32


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"usr/bin/nvidia-container-runtime-hook": ""}, NO_PROGRAM),
        ({CONFIG_FILE: ""}, NO_PROGRAM),
        ({"usr/bin/nvidia-ctk": "no program"}, "nvidia-ctk --version says no version: Permission denied"),
    ],
)  # fmt: skip
def test_a_toolkit_that_does_not_say_its_version_is_one_all_the_same(machine, files, why):
    found, unknown = read_toolkit(machine(files=files))
    assert found is not None
    assert found.version is None
    assert unknown["toolkit.version"] == why


def test_a_program_that_says_nothing_of_use_is_quoted_in_part(machine):
    found, unknown = read_toolkit(machine({"usr/bin/nvidia-ctk": "x" * 5000 + "\n"}))
    assert found.version is None
    assert unknown["toolkit.version"] == f"nvidia-ctk --version says no version: {'x' * 200}"


def test_a_program_that_hangs_is_given_up(machine, monkeypatch):
    monkeypatch.setattr(toolkit_module, "_TIME_LIMIT_S", 0.1)
    root = machine({"usr/bin/nvidia-ctk": ""})
    (root / "usr/bin/nvidia-ctk").write_text("#!/bin/sh\nexec sleep 60\n")
    _, unknown = read_toolkit(root)
    assert unknown["toolkit.version"].endswith("no answer within 0.1 seconds")


@pytest.mark.parametrize("folder", ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"])
def test_its_service_is_seen_where_systemd_looks(machine, folder):
    found, _ = read_toolkit(
        machine({"usr/bin/nvidia-ctk": CTK}, {f"{folder}/nvidia-cdi-refresh.service": "[Unit]\n"})
    )
    assert found.refresh is True


@pytest.mark.parametrize(
    ("files", "links"),
    [
        ({"dev/char/195:0": "", "dev/char/1:3": ""}, True),
        ({"dev/char/1:3": ""}, False),
        ({"dev/null": ""}, False),
        ({"dev/char": ""}, None),
    ],
)  # fmt: skip
def test_the_links_by_which_systemd_finds_devices(machine, files, links):
    found, _ = read_toolkit(machine({"usr/bin/nvidia-ctk": CTK}, files))
    assert found.device_links is links


@pytest.mark.parametrize("name", ["nvidia-container-runtime-hook", "nvidia-container-toolkit"])
def test_the_hook_has_had_two_names(machine, name):
    assert not has_hook(machine())
    assert has_hook(machine(files={f"usr/bin/{name}": ""}))


def test_what_stands_in_closed_folders_is_not_there_for_this_user(machine, monkeypatch):
    root = machine({"usr/bin/nvidia-ctk": CTK})

    def closed(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(root), "exists", closed)
    assert read_toolkit(root) == (None, {})


# What the toolkit's own sources say of each: see gpu_mode.
@pytest.mark.parametrize(
    ("request_", "default_runtime", "version", "mode", "jetson", "expected"),
    [
        ("cdi", "runc", "1.17.8", "legacy", False, "cdi"),
        ("none", "runc", "1.17.8", "legacy", False, None),
        (None, "runc", "1.17.8", "legacy", False, None),
        ("nvidia", "runc", "1.17.8", "auto", False, "legacy"),
        ("nvidia", "runc", "1.19.1", "auto", False, "legacy"),
        ("nvidia", "nvidia", "1.17.8", "auto", False, "legacy"),
        ("nvidia", "nvidia", "1.18.0", "auto", False, "jit-cdi"),
        ("nvidia", "nvidia", None, "auto", False, None),
        ("nvidia", None, "1.17.8", "auto", False, None),
        ("nvidia", "runc", "1.17.8", "auto", True, "csv"),
        ("nvidia", "nvidia", "1.17.8", "cdi", False, "cdi"),
        ("nvidia", "nvidia", "1.18.0", "legacy", True, "legacy"),
        ("nvidia", "runc", "1.17.8", None, False, None),
    ],
)
def test_how_gpus_get_into_containers(request_, default_runtime, version, mode, jetson, expected):
    engine = Engine("docker", gpu_request=request_, default_runtime=default_runtime)
    toolkit = Toolkit(Version(version) if version else None, mode)
    found, why = gpu_mode(engine, toolkit, jetson=jetson)
    assert found == expected
    assert bool(why) == (expected is None)


def test_without_a_toolkit_the_way_is_not_known():
    assert gpu_mode(Engine("docker", gpu_request="nvidia"), None, jetson=False)[0] is None


def test_each_engine_has_its_own_way_or_its_own_reason():
    engines = (Engine("podman", gpu_request="none"), Engine("docker", gpu_request="cdi"))
    found, unknown = with_gpu_modes(engines, None, jetson=False)
    assert [engine.gpu_mode for engine in found] == [None, "cdi"]
    assert unknown == {"engines[0].gpu_mode": "this engine hands over no GPU"}
    assert with_gpu_modes(None, None, jetson=False) == (None, {})
