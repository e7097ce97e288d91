"""GPUs in containers: NVIDIA's toolkit and its runtime, and what takes the GPUs away again.

All of it only where there is a GPU to hand over and an engine to do it. What stands in the way is an error
where nothing but a container would do, else a warning, and a note where another engine has a way.
"""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat.rules.system import host_pythons
from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.engines import dockers, unsaid
from envcheck.doctor.finding import Finding, Fix, Status
from envcheck.doctor.toolkit_fixes import install_toolkit, register_toolkit, upgrade_toolkit
from envcheck.host.facts import Engine, Host
from envcheck.symptoms.inside import DEVICES_LOST
from envcheck.symptoms.toolkit import DRIVER_LIBRARY, MISSING

_CONFIGURE = "sudo nvidia-ctk config --in-place --set"
_ROOTLESS_GUIDE = f"{MISSING.link}#rootless-mode"

# What NVIDIA's bulletins close, from which version on, the oldest first. Source: NVIDIA/product-security and
# nvidia.custhelp.com, read 2026-11-30.
_HOLES = (
    (Version("1.16.2"), "CVE-2024-0132, CVE-2024-0133", 5582),
    (Version("1.17.4"), "CVE-2025-23359", 5616),
    (Version("1.17.8"), "CVE-2025-23266, CVE-2025-23267", 5659),
    (Version("1.19.1"), "CVE-2026-24260", 5850),
)


class DriverLibrary(Check):
    """Docker as a snap, or in a virtual machine: where neither driver nor toolkit of the machine is seen."""

    id = DRIVER_LIBRARY.id
    title = "Docker is installed where it can reach NVIDIA's driver"

    def look(self, case: Case) -> Finding:
        """Look how docker is packaged, where it hands over no GPU."""
        if nothing := nothing_to_hand_over(self, case.host):
            return nothing
        if not dockers(case.host):
            return skip(self, "No docker answers.")
        for place, engine in dockers(case.host):
            if engine.gpu_request in ("nvidia", "cdi"):
                continue
            if path := unsaid([(place, engine)], "gpu_request", "root", "system"):
                return unknown(self, case.host.why(path))
            if engine.packaging == "snap" or engine.system == "Docker Desktop":
                return self._shut_off(case.host, engine)
        return ok(self)

    def _shut_off(self, host: Host, engine: Engine) -> Finding:
        if engine.packaging == "snap":
            title = "Docker as a snap cannot hand over GPUs in docker's usual way"
            why = "A snap sees neither the machine's driver nor its toolkit, and refuses --gpus."
            fix = Fix(
                "Install docker from the distribution or from Docker; removing the snap removes its images.",
                ("sudo snap remove docker", "sudo apt install docker.io"),
                needs_root=True,
                destructive=True,
            )
        else:
            title = "Docker Desktop cannot hand over GPUs on Linux"
            why = "It runs in a virtual machine, which has no GPU."
            fix = Fix("Install docker itself, and choose its context.", ("docker context use default",))
        seen = f"docker {engine.version or ''}: {engine.system}, root {engine.root}"
        others = any(one.gpu_request in ("nvidia", "cdi") for _, one in dockers(host))
        status = weight(host, another_way=others)
        return Finding(self.id, status, title, (seen,), why, fix, DRIVER_LIBRARY.link)


class Runtime(Check):
    """A runtime that docker is to use, and whose program is not there or does not let itself be asked."""

    id = "container.runtime"
    title = "The runtimes that docker uses are there"

    def look(self, case: Case) -> Finding:
        """Look for missing programs, and for a mode of NVIDIA's runtime that `--gpus` cannot ask for."""
        host = case.host
        if not dockers(host):
            return skip(self, "No docker answers.")
        for _, engine in dockers(host):
            wanted = {engine.default_runtime, "nvidia" if host.gpus else None}
            for name, program in (engine.missing_runtimes or {}).items():
                if name in wanted:
                    return self._missing(host, engine, name, program)
            if _refuses_gpus(engine):
                return self._refused(host, engine)
        # A snap has its own programs.
        asked = [(place, engine) for place, engine in dockers(host) if engine.packaging is None]
        if path := unsaid(asked, "missing_runtimes"):
            return unknown(self, host.why(path))
        return ok(self, *(f"docker: {', '.join(engine.runtimes or ())}" for _, engine in dockers(host)))

    def _missing(self, host: Host, engine: Engine, name: str, program: str) -> Finding:
        is_default = name == engine.default_runtime
        fix = install_toolkit(host)
        if name != "nvidia":
            fix = Fix(
                "Install it, or take it out of /etc/docker/daemon.json, and restart docker.",
                ("sudo systemctl restart docker",),
                needs_root=True,
                destructive=True,
            )
        return Finding(
            self.id,
            weight(host),
            f"Docker's runtime {name} is registered, and its program is not there",
            (f"docker info: {name}: {program}" + (" (the default runtime)" if is_default else ""),),
            "No container starts with the default runtime gone."
            if is_default
            else "It was removed, or never installed; docker was told of it in its daemon.json.",
            fix,
            MISSING.link,
        )

    def _refused(self, host: Host, engine: Engine) -> Finding:
        return Finding(
            self.id,
            weight(host),
            f"NVIDIA's runtime is in {engine.gpu_mode} mode, in which docker's --gpus is refused",
            (f"mode {engine.gpu_mode}, and docker's default runtime is {engine.default_runtime}",),
            "Without that runtime as its default, docker calls NVIDIA's hook itself, which knows the legacy "
            "mode only.",
            Fix(
                "Make NVIDIA's runtime docker's default one, and restart docker, which ends running "
                "containers.",
                (
                    "sudo nvidia-ctk runtime configure --runtime=docker --set-as-default",
                    "sudo systemctl restart docker",
                ),
                needs_root=True,
                destructive=True,
            ),
            "https://github.com/NVIDIA/nvidia-container-toolkit/tree/main/cmd/nvidia-container-runtime",
        )


class ToolkitMissing(Check):
    """A GPU and a docker that has no way to hand it over."""

    id = MISSING.id
    title = "Docker can hand over GPUs"
    caused_by = (DRIVER_LIBRARY.id, Runtime.id)

    def look(self, case: Case) -> Finding:
        """Look how docker would be asked for a GPU."""
        host = case.host
        if nothing := nothing_to_hand_over(self, host):
            return nothing
        if not dockers(host):
            return skip(self, "No docker answers; podman takes GPUs by their CDI specification.")
        able = [engine for _, engine in dockers(host) if engine.gpu_request in ("nvidia", "cdi")]
        if able:
            return ok(self, *(f"docker, by {engine.gpu_request}" for engine in able))
        place, engine = dockers(host)[0]
        if engine.gpu_request is None:
            return unknown(self, host.why(f"engines[{place}].gpu_request"))
        found = ", ".join(engine.runtimes or ()) or "none that is known"
        return Finding(
            self.id,
            weight(host),
            MISSING.title,
            (f"docker {engine.version or ''}: runtimes {found}; no hook and no CDI device of NVIDIA's",),
            MISSING.why if host.toolkit is None else "The toolkit is installed, and docker does not know it.",
            install_toolkit(host) if host.toolkit is None else register_toolkit(host),
            MISSING.link,
        )


class Rootless(Check):
    """The toolkit's setting for control groups, which is right for root's docker or for a user's own."""

    id = "container.rootless"
    title = "The toolkit sets devices for those engines that may"
    caused_by = (MISSING.id,)

    def look(self, case: Case) -> Finding:
        """Hold `no-cgroups` against who runs docker; by CDI the engine sets the devices itself."""
        host = case.host
        if nothing := nothing_to_hand_over(self, host):
            return nothing
        asked = [
            (place, engine)
            for place, engine in dockers(host)
            if engine.gpu_request not in ("cdi", "none") and engine.gpu_mode not in ("cdi", "jit-cdi")
        ]
        if not asked:
            return skip(self, "No docker here hands GPUs over by NVIDIA's hook.")
        no_cgroups = host.toolkit.no_cgroups if host.toolkit else None
        path = unsaid(asked, "gpu_request", "rootless", "gpu_mode")
        if no_cgroups is None or path:
            return unknown(self, host.why(path or "toolkit.no_cgroups"))
        wrong = [engine for _, engine in asked if engine.rootless is not no_cgroups]
        if not wrong:
            return ok(self, f"no-cgroups = {str(no_cgroups).lower()}")
        rootless = bool(wrong[0].rootless)
        others = len(wrong) < len(asked)
        return Finding(
            self.id,
            weight(host, another_way=others),
            "A rootless docker cannot start containers with GPUs"
            if rootless
            else "Containers of root's docker may not open the GPUs",
            (f"/etc/nvidia-container-runtime/config.toml: no-cgroups = {str(no_cgroups).lower()}",),
            "The toolkit sets control groups, which a rootless engine may not."
            if rootless
            else 'The toolkit leaves control groups alone, as rootless engines need it: NVML says "Unknown '
            "Error\" in the containers of root's.",
            Fix(
                "Change the setting, and start the containers anew.",
                (f"{_CONFIGURE} nvidia-container-cli.no-cgroups={str(rootless).lower()}",),
                needs_root=True,
            ),
            _ROOTLESS_GUIDE,
        )


class DevicesLost(Check):
    """Running containers from which systemd takes the GPUs away when its units are read anew."""

    id = DEVICES_LOST.id
    title = "Running containers keep their GPUs"
    worst = "info"

    def look(self, case: Case) -> Finding:
        """Look for systemd as the owner of control groups, GPUs that a hook adds, and no link to them."""
        host = case.host
        if nothing := nothing_to_hand_over(self, host):
            return nothing
        asked = [(place, one) for place, one in dockers(host) if one.gpu_request not in ("cdi", "none")]
        if not asked:
            return skip(self, "No docker here hands GPUs over by NVIDIA's hook.")
        path = unsaid(asked, "gpu_request", "cgroup_driver", "gpu_mode")
        at_risk = any(one.cgroup_driver == "systemd" and one.gpu_mode == "legacy" for _, one in asked)
        links = host.toolkit.device_links if host.toolkit else None
        if path or (at_risk and links is None):
            return unknown(self, host.why(path or "toolkit.device_links"))
        if links or not at_risk:
            return ok(self, *(f"docker: {one.cgroup_driver}, {one.gpu_mode} mode" for _, one in asked))
        return Finding(
            self.id,
            "info",
            "A daemon-reload takes the GPUs away from running containers",
            (
                "docker: cgroup driver systemd, legacy mode",
                "/dev/char: no link to NVIDIA's devices (195:*)",
            ),
            DEVICES_LOST.why,
            Fix(
                "Make the links now and at every boot, by a udev rule (see the link).",
                ("sudo nvidia-ctk system create-dev-char-symlinks --create-all",),
                needs_root=True,
            ),
            DEVICES_LOST.link,
        )


class Holes(Check):
    """Versions of the toolkit with which an image takes over the machine that starts it."""

    id = "container.toolkit-cve"
    title = "The container toolkit has no known hole"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Hold the version against NVIDIA's bulletins."""
        toolkit = case.host.toolkit
        if toolkit is None and "toolkit" not in case.host.unknown:
            return skip(self, "There is no container toolkit here.")
        if toolkit is None or toolkit.version is None:
            return unknown(self, case.host.why("toolkit.version"))
        holes = [hole for hole in _HOLES if toolkit.version < hole[0]]
        if not holes:
            return ok(self, f"nvidia-container-toolkit {toolkit.version}")
        return Finding(
            self.id,
            "warn",
            "The container toolkit has known holes",
            (
                f"nvidia-container-toolkit {toolkit.version}",
                *(f"{names}: closed in {closed}" for closed, names, _ in holes),
            ),
            "A hostile image that is started with GPUs can get out of its container and become root.",
            upgrade_toolkit(case.host),
            f"https://nvidia.custhelp.com/app/answers/detail/a_id/{holes[-1][2]}",
        )


def nothing_to_hand_over(check: Check, host: Host) -> Finding | None:
    """Return the answer where no GPU could go into a container, or None where one could."""
    if not host.gpus:
        return skip(check, "No GPU is listed that a container could be given.")
    return None if host.engines else skip(check, "No container engine answers.")


def weight(host: Host, *, another_way: bool = False) -> Status:
    """Return how bad it is that an engine hands over no GPU: a virtual environment would do as well."""
    if another_way:
        return "info"
    return "error" if host_pythons(host) == () else "warn"


def _refuses_gpus(engine: Engine) -> bool:
    """Tell whether docker calls NVIDIA's hook itself, which is set to a mode in which it does nothing."""
    by_hook = engine.gpu_request == "nvidia" and engine.default_runtime not in (None, "nvidia")
    return by_hook and engine.gpu_mode in ("csv", "cdi", "jit-cdi")
