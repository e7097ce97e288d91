"""PTX: libcuda compiles it, and refuses what a newer toolkit than its own CUDA made.

Minor-version compatibility, by which a driver of CUDA 12.2 runs what CUDA 12.8 compiled, ends here.
"""

from __future__ import annotations

from packaging.version import Version

from envcheck.compat.rules.code import needed_ptx
from envcheck.compat.rules.compat import program_cuda
from envcheck.compat.rules.remedies import dead_end, install_driver, toolkit_driver
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.compat.words import by_capability, cards, code_text
from envcheck.host.facts import Host


def ptx(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the driver compiles the build's PTX, for GPUs that have no other code in it."""
    if build.cuda is None or not build.ptx or not host.gpus:
        return ()
    needed = [
        (f"{cards(group)} ({capability})", one)
        for capability, group in by_capability(host.gpus)
        if capability is not None and (one := needed_ptx(build, build.cuda, capability)) is not None
    ]
    return tuple(_judge(host, build.cuda, subject, one, build.source) for subject, one in needed)


def _judge(host: Host, cuda: Version, subject: str, needed: Version, source: str) -> Reason:
    what = f"{subject}: the driver has to compile {code_text((needed,), 'compute')}, made by CUDA {cuda}"
    own = program_cuda(host.driver) if host.driver else None
    if own is None:
        because = f"{what}; the driver's own CUDA is not known: `driver.cuda` would settle it."
        return Reason("ptx", "unknown", because, source=source)
    of_whom = "libcuda" if host.driver and host.driver.libcuda is not None else "the driver"
    if own >= cuda:
        return Reason("ptx", "fits", f"{what}; {of_whom} is CUDA {own}.", source=source)
    because = f"{what}; {of_whom} is CUDA {own} and refuses it"
    native = toolkit_driver(host, cuda)
    if native is None:
        where = " in Windows" if host.os.wsl else ""
        remedy = f"Install an NVIDIA driver that is CUDA {cuda} or newer{where}."
        return Reason("ptx", "refused", f"{because}.", remedy, source)
    end = dead_end(host, native)
    because = f"{because}, and {end}." if end else f"{because}."
    return Reason("ptx", "refused", because, install_driver(host, native), source)
