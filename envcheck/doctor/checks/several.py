"""Several GPUs, in this machine or in a team of machines: do they find and reach each other."""

from __future__ import annotations

from envcheck.doctor.check import Case, Check, ok, skip, unknown, without_gpus
from envcheck.doctor.checks.gpus import SILENT
from envcheck.doctor.finding import Finding, Fix, Status
from envcheck.host.facts import Host
from envcheck.symptoms.several import HOST_NAME, INTERFACE, PEERS

_NCCL, _GLOO = "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"


class HostName(Check):
    """The machine's own name, by which the ranks of a training meet."""

    id = HOST_NAME.id
    title = "The machine's own name leads to it"
    worst = "warn"
    caused_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look whether the name resolves, where there are GPUs to join."""
        if nothing := _without_several(self, case.host):
            return nothing
        resolves = case.host.surroundings.host_name_resolves
        if resolves is None:
            return unknown(self, case.host.why("surroundings.host_name_resolves"))
        if resolves:
            return ok(self)
        fix = Fix(
            "Give it an address of its own.",
            ('echo "127.0.1.1 $(hostname)" | sudo tee -a /etc/hosts',),
            needs_root=True,
        )
        if case.in_container:
            fix = Fix("Give the container a name that it knows.", ("docker run --hostname NAME ...",))
        return Finding(
            self.id,
            "warn",
            "The machine's own name leads nowhere",
            ("getaddrinfo: the name is not known",),
            f"{HOST_NAME.why} Ranks that look for each other by it wait in vain.",
            fix,
            HOST_NAME.link,
        )


class Interface(Check):
    """Interfaces that variables name for NCCL and Gloo, and that are not there."""

    id = INTERFACE.id
    title = "The network interfaces that variables name are there"

    def look(self, case: Case) -> Finding:
        """Read both variables as NCCL and Gloo read them."""
        around = case.host.surroundings
        if around.variables is None:
            return unknown(self, case.host.why("surroundings.variables"))
        named = {name: around.variables[name] for name in (_NCCL, _GLOO) if around.variables.get(name)}
        if not named:
            return skip(self, "No variable names one.")
        if around.interfaces is None:
            return unknown(self, case.host.why("surroundings.interfaces"))
        nothing = {
            name: value
            for name, value in named.items()
            if not (_of_nccl if name == _NCCL else _of_gloo)(value, around.interfaces)
        }
        if not nothing:
            return ok(self, *(f"{name}={value}" for name, value in named.items()))
        # Whoever has one GPU, or none, trains on it alone most of the time, without any network.
        status: Status = "error" if len(case.host.gpus or ()) > 1 else "warn"
        return Finding(
            self.id,
            status,
            "A variable names a network interface that is not there",
            (
                *(f"{name}={value}" for name, value in nothing.items()),
                f"/sys/class/net: {', '.join(around.interfaces)}",
            ),
            "Ranks that may use no interface do not come together.",
            INTERFACE.fix,
            INTERFACE.link,
        )


class PeerAccess(Check):
    """An IOMMU that translates stands between GPUs that could reach each other directly."""

    id = PEERS.id
    title = "No IOMMU stands between the GPUs"
    worst = "info"
    caused_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look how the IOMMU treats the cards of a machine with several."""
        host = case.host
        if nothing := _without_several(self, host):
            return nothing
        if host.os.wsl or host.os.jetson:
            return skip(self, "The IOMMU is not this system's.")
        kind = host.kernel.iommu
        if kind is None:
            return unknown(self, host.why("kernel.iommu"))
        if kind in ("off", "identity"):
            return ok(self, f"iommu: {kind}")
        return Finding(
            self.id,
            "info",
            "An IOMMU stands between the GPUs",
            (f"/sys/bus/pci/devices/.../iommu_group/type: {kind}",),
            "It translates every address, so that GPUs without NVLink may reach each other by main memory"
            " only, or hang where they try.",
            Fix(
                "Without virtual machines that own GPUs, let it pass: iommu=pt on the kernel's command line.",
                ("nvidia-smi topo -p2p r", "NCCL_P2P_DISABLE=1 ..."),
                needs_root=True,
                reboot=True,
            ),
            "https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html",
        )


def _without_several(check: Check, host: Host) -> Finding | None:
    if nothing := without_gpus(check, host):
        return nothing
    return skip(check, "There is one GPU only.") if len(host.gpus or ()) == 1 else None


def _of_nccl(value: str, interfaces: tuple[str, ...]) -> bool:
    """Return whether NCCL's list leaves an interface: "=eth0" is exact, "eth" begins names, "^" excludes."""
    excludes, exact = value.startswith("^"), value.lstrip("^").startswith("=")
    names = [name for name in value.lstrip("^=").split(",") if name]
    matching = {
        one for one in interfaces for name in names if (one == name if exact else one.startswith(name))
    }
    return bool(set(interfaces) - matching if excludes else matching)


def _of_gloo(value: str, interfaces: tuple[str, ...]) -> bool:
    return all(name in interfaces for name in value.split(",") if name)
