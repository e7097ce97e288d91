"""The way from a program to the driver: its device nodes, and the libcuda that is loaded."""

from __future__ import annotations

from envcheck.doctor.check import Case, Check, ok, skip, unknown, without_gpus
from envcheck.doctor.checks.gpus import SILENT
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.remedies import hand_over_gpus
from envcheck.doctor.verdicts import reasons_of
from envcheck.host.facts import NOT_SAID, DeviceNode, Host
from envcheck.symptoms.driver import DEVICE_NODES, FORWARD_COMPAT

_UVM = "/dev/nvidia-uvm"
_CONTROL = ("/dev/nvidiactl", _UVM)
_PERMISSIONS = "https://download.nvidia.com/XFree86/Linux-x86_64/580.95.05/README/faq.html"


class UnifiedMemory(Check):
    """The node without which CUDA does not start, while nvidia-smi, which needs others, works."""

    id = DEVICE_NODES.id
    title = "The device node that CUDA starts with is there"
    caused_by = ("driver.module-match", "driver.loaded", "gpu.lost", "gpu.fault", *SILENT)

    def look(self, case: Case) -> Finding:
        """Look for nvidia-uvm beside the nodes by which the driver answered."""
        host = case.host
        if nothing := without_gpus(self, host) or _not_seen(self, host):
            return nothing
        nodes = _nodes(host)
        if not nodes:
            return unknown(self, "The driver lists GPUs, and /dev shows no node by which it could.")
        if any(node.path == _UVM for node in nodes):
            return ok(self, f"{_UVM} is there")
        if host.driver and host.driver.modprobe and not case.in_container:
            return ok(self, f"{_UVM} is missing, and nvidia-modprobe makes it for the first program")
        fix = DEVICE_NODES.fix
        if case.in_container:
            fix = hand_over_gpus(host, "Start the container anew; if it stays, make the nodes outside first.")
        return Finding(
            self.id,
            "error",
            DEVICE_NODES.title,
            (f"{_UVM} is missing", *(f"{node.path} is there" for node in nodes)),
            DEVICE_NODES.why,
            fix,
            DEVICE_NODES.link,
        )


class Permission(Check):
    """Nodes that somebody else may open."""

    id = "driver.nodes"
    title = "This user may use the driver's device nodes"

    def look(self, case: Case) -> Finding:
        """Look whether this user may read and write each node that CUDA opens."""
        host = case.host
        if nothing := _not_seen(self, host):
            return nothing
        nodes = _nodes(host)
        if not nodes:
            return skip(self, "There are no device nodes of NVIDIA's.")
        closed = [node for node in nodes if node.usable is False]
        if not closed and any(node.usable is None for node in nodes):
            return unknown(self, NOT_SAID)
        if not closed:
            return ok(self, *(node.path for node in nodes))
        gpus = [node for node in nodes if node.path not in _CONTROL]
        shut_out = any(node.path in _CONTROL for node in closed) or all(node in closed for node in gpus)
        fix = Fix(
            "Join the group that the nodes belong to, most often video, and log in again.",
            ("ls -l /dev/nvidia*", 'sudo usermod -aG video "$USER"'),
            needs_root=True,
        )
        if case.in_container:
            fix = Fix(
                "Run as root in the container, or in the nodes' group.",
                ("ls -l /dev/nvidia*", "docker run --gpus all --group-add video ..."),
            )
        return Finding(
            self.id,
            "error" if shut_out else "warn",
            "This user may not use the GPUs" if shut_out else "This user may use some of the GPUs only",
            tuple(f"{node.path}: not open to this user" for node in closed),
            "The driver gives its nodes an owner, a group and a mode (NVreg_DeviceFileMode), or udev does.",
            fix,
            _PERMISSIONS,
        )


class ForwardCompat(Check):
    """A libcuda that is not the driver's own, on a GPU that allows no other."""

    id = FORWARD_COMPAT.id
    title = "The libcuda that programs load starts on these GPUs"
    caused_by = (*FORWARD_COMPAT.caused_by, *SILENT)

    def look(self, case: Case) -> Finding:
        """Look at what the rules say of libcuda and driver, and at the files that it could be."""
        host = case.host
        if nothing := without_gpus(self, host):
            return nothing
        driver = host.driver
        if driver is None or case.choice is None:
            return skip(self, "Nothing was picked for this machine.")
        files = tuple(f"could be loaded: {file}" for file in driver.libcuda_files or ())
        said = reasons_of(case.choice, "compat")
        refused = [reason for reason in said if reason.verdict == "refused"]
        if refused:
            return Finding(
                self.id,
                "error",
                FORWARD_COMPAT.title,
                (*dict.fromkeys(reason.because for reason in refused), *files),
                FORWARD_COMPAT.why,
                FORWARD_COMPAT.fix,
                FORWARD_COMPAT.link,
            )
        open_question = next((reason.because for reason in said if reason.verdict == "unknown"), "")
        if open_question:
            return unknown(self, open_question, *files)
        if driver.libcuda is None:
            return unknown(self, host.why("driver.libcuda"), *files)
        return ok(self, f"libcuda is CUDA {driver.libcuda}", *files)


def _not_seen(check: Check, host: Host) -> Finding | None:
    """Return the answer where nodes of another kind lead to the driver, or nobody saw them."""
    if host.driver is None:
        return skip(check, "There is no driver.")
    if host.os.wsl or host.os.jetson:
        return skip(check, "The GPU is handed over by other nodes here.")
    return unknown(check, host.why("driver.nodes")) if host.driver.nodes is None else None


def _nodes(host: Host) -> tuple[DeviceNode, ...]:
    """Return the nodes that CUDA opens: that of each GPU, and the two that all share."""
    nodes = host.driver.nodes if host.driver else None
    return tuple(
        node
        for node in nodes or ()
        if node.path in _CONTROL or node.path.removeprefix("/dev/nvidia").isdecimal()
    )
