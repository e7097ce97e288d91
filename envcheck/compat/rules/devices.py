"""Which device the work would run on: cards that nobody drives, and the CPU beside idle GPUs."""

from __future__ import annotations

from envcheck.compat.pci_ids import is_dropped
from envcheck.compat.rules.generation import branch_by
from envcheck.compat.rules.revive import way_back
from envcheck.compat.tables import Branch, Build
from envcheck.compat.verdict import Reason, Verdict
from envcheck.compat.words import cards, plain
from envcheck.host.facts import Host, PciDevice

_NVIDIA = "10de"
# Drivers of Linux's own for NVIDIA's cards.
LINUXS_OWN = ("nouveau", "nova")
_BUS = "PCI bus, /sys/bus/pci/devices"
# A card that was handed to a virtual machine is not missing: somebody gave it away.
_GIVEN_AWAY = ("vfio-pci", "pci-stub")


def unlisted(host: Host, build: Build) -> tuple[Reason, ...]:  # noqa: ARG001 - it stops every build, the CPU's too
    """Stop every build while a card stands on the PCI bus that the driver does not list."""
    return tuple(_explain(host, device) for device in unlisted_cards(host))


def unlisted_cards(host: Host) -> tuple[PciDevice, ...]:
    """Return the cards on the PCI bus that are not among the host's GPUs and that nothing explains."""
    listed = host.gpus or ()
    bus = [
        device
        for device in host.pci or ()
        if device.vendor in (None, _NVIDIA, f"0x{_NVIDIA}") and device.driver not in _GIVEN_AWAY
    ]
    if listed and host.os.container is not None:
        # The bus shows every card of the machine, whichever of them were handed to this container.
        bus = [device for device in bus if device.driver != "nvidia"]
    if listed and host.driver is not None:
        # An old card that draws the screen, which the driver of the others would not drive anyway.
        branch = branch_by(host.driver.module_version or host.driver.version, host.driver.cuda)
        bus = [device for device in bus if not _only_draws(device, branch)]
    addresses = {_address(gpu.pci_address) for gpu in listed if gpu.pci_address}
    missing = [device for device in bus if _address(device.address) not in addresses]
    # A GPU whose address is not known may be any of the cards that are left over.
    nameless = sum(1 for gpu in listed if not gpu.pci_address)
    return tuple(missing[nameless:])


def cpu(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether work on the CPU is what is wanted: it never is while a GPU stands idle."""
    if host.gpus is None:
        if build.cuda is not None:
            return ()
        because = "Whether a GPU would stand idle is not known: `gpus` would settle it."
        return (Reason("cpu", "unknown", because, "Ask for the CPU: --gpus none.", build.source),)
    if build.cuda is None and host.gpus:
        because = f"{_without_cuda(build)} would run on the CPU and leave {cards(host.gpus)} idle."
        return (Reason("cpu", "refused", because, "Ask for the CPU: --gpus none.", build.source),)
    if build.cuda is None:
        because = "There is no GPU to use, and this build needs none."
        return (Reason("cpu", "fits", because, source=build.source),)
    if not host.gpus:
        because = f"There is no GPU to use: it would run on the CPU, and its CUDA {build.cuda} is not needed."
        return (Reason("cpu", "fits", because, source=build.source),)
    return ()


def _without_cuda(build: Build) -> str:
    # The same torch, asked for by the same words, holds CUDA on another processor.
    if build.default and "x86_64" not in build.machines:
        return f"The wheel that {build.requirement} gets on {' and '.join(build.machines)} holds no CUDA: it"
    return "This build holds no CUDA: it"


def _only_draws(device: PciDevice, branch: Branch | None) -> bool:
    return device.driver in LINUXS_OWN and branch is not None and is_dropped(device, branch.branch)


def _explain(host: Host, device: PciDevice) -> Reason:
    name = plain(device.name) if device.name else "An NVIDIA card"
    because = f"{name} ({device.address}, {_NVIDIA}:{device.device or '????'}) is on the PCI bus"
    verdict: Verdict = "refused"
    if device.driver is None:
        because = f"{because}, and no kernel driver is seen bound to it"
    elif device.driver != "nvidia":
        because = f"{because}, driven by {device.driver}, which cannot run CUDA"
    elif host.gpus is not None:
        because = f"{because}, bound to NVIDIA's driver, which does not list it"
    else:
        verdict = "unknown"
        why = f" ({host.unknown['gpus']})" if "gpus" in host.unknown else ""
        because = f"{because}, bound to NVIDIA's driver, which does not say whether it lists it{why}"
    way = way_back(host, device)
    because = f"{because}: {way.because}." if way.because else f"{because}."
    others = "name the cards to use (--gpus 0)" if host.gpus else "ask for the CPU (--gpus none)"
    source = f"{_BUS}; {way.source}" if way.source else _BUS
    return Reason("unlisted", verdict, because, f"{way.remedy}; or {others}.", source)


def _address(text: str) -> str:
    """Return a PCI address without the zeros in front: NVML writes eight digits of domain, Linux four."""
    return text.lower().lstrip("0")
