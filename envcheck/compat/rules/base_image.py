"""What the images of nvidia/cuda ask of a driver (NVIDIA_REQUIRE_CUDA), and where anybody checks it.

Not one of `RULES`: it judges a container's base, not a build. Being let in says nothing of what CUDA then
does; that is the driver rule's to say. A plain base with CUDA inside the wheels asks for nothing.
"""

from __future__ import annotations

import re

from packaging.version import Version

from envcheck.compat import tables
from envcheck.compat.rules.compat import NOT_SERVED, own_cuda
from envcheck.compat.rules.remedies import install_driver, toolkit_driver
from envcheck.compat.tables import BaseImage
from envcheck.compat.verdict import Reason
from envcheck.compat.words import cards, fact_paths
from envcheck.host.facts import Driver, Engine, Gpu, Host

_SOURCE = "NVIDIA_REQUIRE_CUDA in the images of nvidia/cuda; checked as in nvidia-container-toolkit@d34b304"

# nvidia/cuda:12.8.1-cudnn-devel-ubuntu22.04, whichever registry it comes from and whatever digest pins it.
_NAME = re.compile(r"(?:[\w.:-]+/)*nvidia/cuda:(?P<tag>[\w.-]{1,128})(?:@.*)?", re.ASCII)
_TAG = re.compile(r"(?P<version>\d{1,2}\.\d{1,2}(?:\.\d{1,2})?)(?:-[\w.-]*)?", re.ASCII)
_DISTRIBUTION = re.compile(r"(?:ubuntu|ubi|centos|rockylinux)[\d.]+", re.ASCII)

_CHECKED = ("legacy", "csv")
_NOT_CHECKED = ("cdi", "jit-cdi")


def base_image(host: Host, image: str) -> tuple[Reason, ...]:
    """Say whether a container of `image` starts on the host's GPUs; () where the image asks for nothing."""
    name = _NAME.fullmatch(image)
    if name is None or not host.gpus or host.driver is None:
        return ()
    tag = _TAG.fullmatch(name["tag"])
    if tag is None:
        because = f"{image}: its tag names no CUDA version, so what it asks of a driver is not known."
        return (Reason("base_image", "unknown", because, "Name the image by its version.", _SOURCE),)
    version = Version(tag["version"])
    cuda = Version(f"{version.major}.{version.minor}")
    own = own_cuda(host.driver)
    if own is None:
        because = f"{image} asks for CUDA {cuda}: `driver.cuda` would settle whether the driver is that."
        return (Reason("base_image", "unknown", because, source=_SOURCE),)
    if own >= cuda:
        because = f"{image} asks for CUDA {cuda}, and the driver is CUDA {own}."
        return (Reason("base_image", "fits", because, source=_SOURCE),)
    distribution = _DISTRIBUTION.search(name["tag"])
    row = tables.image_of(version, distribution[0] if distribution else "", host.os.machine or "x86_64")
    subject = f"{image} asks for CUDA {cuda}, the driver is CUDA {own}"
    if row is None:
        because = f"{subject}, and the tables do not know the image."
        remedy = "Add it to compat/tables/images.yaml."
        return (Reason("base_image", "unknown", because, remedy, _SOURCE),)
    return (_by_brand(host, host.gpus, host.driver, row, subject),)


def _by_brand(host: Host, gpus: tuple[Gpu, ...], driver: Driver, row: BaseImage, subject: str) -> Reason:
    """Judge an image that asks for more CUDA than the driver's: many let brands in on old branches."""
    version, lets_in = driver.version, {branch for few in row.branches.values() for branch in few}
    if not lets_in:
        return _kept_out(host, row, f"{subject}, and no older one is let in")
    if version is None:
        because = f"{subject}; `driver.version` would settle whether it is of a branch that is let in."
        return Reason("base_image", "unknown", because, source=row.source)
    branch = version.major
    if branch not in lets_in:
        return _kept_out(host, row, f"{subject}, and R{branch} is not let in")
    if barred := [gpu for gpu in gpus if gpu.brand and branch not in row.branches.get(_word(gpu.brand), ())]:
        return _kept_out(host, row, f"{subject}, and R{branch} is not let in for {cards(barred)}")
    if nameless := [gpu for gpu in gpus if not gpu.brand]:
        because = (
            f"{subject}; {fact_paths(host, nameless, 'brand')} would settle whether R{branch} is let in."
        )
        return Reason("base_image", "unknown", because, source=row.source)
    because = f"{subject}, and R{branch} is let in all the same for {cards(gpus)}"
    if unserved := [gpu for gpu in gpus if gpu.brand in NOT_SERVED]:
        because += f"; the image's cuda-compat does not serve {cards(unserved)}: the driver floor decides"
    return Reason("base_image", "fits", f"{because}.", source=row.source)


def _kept_out(host: Host, row: BaseImage, because: str) -> Reason:
    """Judge a driver that the image does not let in, by the engines of the host: not all of them check."""
    engines = host.engines or ()
    if free := next((engine for engine in engines if engine.gpu_mode in _NOT_CHECKED), None):
        because = (
            f"{because}; {free.name}'s {free.gpu_mode} mode does not check it: the container starts, and the"
            " driver floor decides whether CUDA does."
        )
        return Reason("base_image", "fits", because, source=row.source)
    unsaid = [place for place, engine in enumerate(engines) if engine.gpu_mode not in _CHECKED]
    if unsaid or not engines:
        settle = ", ".join(f"`engines[{place}].gpu_mode`" for place in unsaid) or "`engines`"
        because = f"{because}; {settle} would settle whether that is checked: in legacy and csv mode only."
        return Reason("base_image", "unknown", because, _around(host, row.cuda), row.source)
    because = f"{because}, which {_modes(engines)} checks."
    return Reason("base_image", "refused", because, _around(host, row.cuda), row.source)


def _around(host: Host, cuda: Version) -> str:
    ways = "Start from a plain base (python, ubuntu): the wheels bring CUDA."
    own = own_cuda(host.driver) if host.driver is not None else None
    # Let in or not, a driver does not run the CUDA of another major version.
    if own is not None and own.major == cuda.major:
        ways = f"{ways[:-1]}; or set NVIDIA_DISABLE_REQUIRE=1."
    native = toolkit_driver(host, cuda)
    return f"{ways} {install_driver(host, native)}".rstrip() if native is not None else ways


def _modes(engines: tuple[Engine, ...]) -> str:
    return ", ".join(f"{engine.name} in {engine.gpu_mode} mode" for engine in engines)


def _word(brand: str) -> str:
    """Return NVML's brand as the images write it: "geforce rtx" is geforcertx, "nvidia vws" is vws."""
    virtual = brand.removeprefix("nvidia ")
    return brand.replace(" ", "") if virtual == "rtx" else virtual.replace(" ", "")
