"""Machines in one line, for the tests of rules and choice."""

from __future__ import annotations

from packaging.version import Version

from envcheck.host.facts import Driver, Gpu, Host, OperatingSystem, Python
from envcheck.versions import Spelled

RTX_3090 = ("NVIDIA GeForce RTX 3090", "8.6")
RTX_5090 = ("NVIDIA GeForce RTX 5090", "12.0")
GTX_1080_TI = ("NVIDIA GeForce GTX 1080 Ti", "6.1")
V100 = ("Tesla V100-SXM2-16GB", "7.0")
K80 = ("Tesla K80", "3.7")
H100 = ("NVIDIA H100 80GB HBM3", "9.0")
A100 = ("NVIDIA A100-SXM4-80GB", "8.0")
GB10 = ("NVIDIA GB10", "12.1")
ORIN = ("Orin", "8.7")
THOR = ("NVIDIA Thor", "11.0")


def machine(  # noqa: PLR0913 - each fact has a default
    *cards: tuple[str, str | None],
    driver: str | None = None,
    cuda: str | None = None,
    libcuda: str | None = None,
    brand: str | None = None,
    open_module: bool | None = None,
    pythons: tuple[str, ...] = ("3.11",),
    system: str | None = "Linux",
    cpu: str | None = "x86_64",
    glibc: str | None = "2.35",
    wsl: bool | None = False,
    jetson: str | None = None,
    **more,
) -> Host:
    """A Linux machine with these (name, capability) cards; `more` are other fields of Host."""
    gpus = tuple(
        Gpu(
            index=index,
            uuid=f"GPU-{index:08x}",
            name=name,
            brand=brand,
            compute_capability=Version(capability) if capability else None,
        )
        for index, (name, capability) in enumerate(cards)
    )
    known_driver = Driver(
        version=Spelled(driver) if driver else None,
        cuda=Version(cuda) if cuda else None,
        libcuda=Version(libcuda) if libcuda else None,
        open_module=open_module,
    )
    fields = {
        "os": OperatingSystem(
            system=system,
            machine=cpu,
            glibc=Version(glibc) if glibc else None,
            wsl=wsl,
            jetson=jetson,
        ),
        "driver": None if known_driver == Driver() else known_driver,
        "gpus": gpus,
        "python": Python(interpreters=dict.fromkeys(pythons, "/usr/bin/python")),
    }
    return Host(**{**fields, **more})
