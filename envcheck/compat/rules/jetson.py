"""Jetson boards: from which L4T release on the public aarch64 wheels are for them too."""

from __future__ import annotations

import re

from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.host.facts import Host

SOURCE = (
    "NVIDIA, lists of CUDA GPUs with their JetPack; L4T releases of each JetPack as in"
    " forums.developer.nvidia.com/t/pytorch-for-jetson/72048; read 2026-11-24"
)

# JetPack 7, the first on which servers' and boards' aarch64 are one platform.
_FIRST_PUBLIC = 38
_JETPACKS = {32: 4, 34: 5, 35: 5, 36: 6}
_RELEASE = re.compile(r"(\d{1,3})(?:\.\d{1,3}){0,3}")


def jetson(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether public aarch64 wheels may run on this board; which code they need is the code rule's."""
    board = host.os.jetson
    if board is None or build.cuda is None or host.gpus == () or "aarch64" not in build.machines:
        return ()
    release = _RELEASE.fullmatch(board)
    if release is None:
        because = f"This Jetson ({board}) does not say its L4T release: `os.jetson` would settle it."
        remedy = "Probe outside the container, where /etc/nv_tegra_release says it."
        return (Reason("jetson", "unknown", because, remedy, SOURCE),)
    branch = int(release[1])
    public = f"public aarch64 wheels are for Jetsons from L4T {_FIRST_PUBLIC} (JetPack 7) on"
    if branch >= _FIRST_PUBLIC:
        return (Reason("jetson", "fits", f"L4T {board}: {public}.", source=SOURCE),)
    jetpack = f"JetPack {_JETPACKS[branch]}" if branch in _JETPACKS else "its JetPack"
    remedy = f"Use the torch that NVIDIA builds for {jetpack}, as wheels or in its l4t containers."
    return (Reason("jetson", "refused", f"This Jetson has L4T {board}; {public}.", remedy, SOURCE),)
