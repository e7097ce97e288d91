"""What is installed for the Pythons in use: their packages, and what torch was built for.

Nothing of it is imported or started; which Pythons are meant, `in_use` knows, what lies in a folder,
`distributions`, and what torch's files say, `torch_files`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from envcheck.host.distributions import packages_in
from envcheck.host.facts import Installed, Package
from envcheck.host.files import text
from envcheck.host.in_use import InUse, pythons_in_use
from envcheck.host.torch_files import architectures, assignments


def read_installed(
    environ: Mapping[str, str] = os.environ, root: Path = Path("/")
) -> tuple[tuple[Installed, ...] | None, dict[str, str]]:
    """Return what each Python in use finds, and why what is missing is missing."""
    pythons, silent = pythons_in_use(environ, root)
    if silent and not pythons:
        return None, {"installed": f"{_told(silent[0], root)} does not say which Python it is"}
    unknown: dict[str, str] = {}
    found = tuple(
        _installed(python, root, f"installed[{place}]", unknown) for place, python in enumerate(pythons)
    )
    return found, unknown


def _installed(python: InUse, root: Path, path: str, unknown: dict[str, str]) -> Installed:
    packages: list[Package] = []
    for folder in python.folders:
        try:
            there = list(packages_in(folder))
        except OSError as error:
            unknown[f"{path}.packages"] = f"{_told(folder, root)}: {error.strerror}"
            continue
        of_user = folder == python.user_folder
        packages += [replace(one, folder=_told(folder, root), of_user=of_user) for one in there]
    known = tuple(packages) if f"{path}.packages" not in unknown else None
    installed = Installed(_told(python.executable, root), python.version, python.active, known)
    torch = installed.package("torch")
    if torch is None or torch.folder is None:
        return installed
    module = root / torch.folder.lstrip("/") / "torch"
    return _with_torch(installed, module, _told(module, root), path, unknown)


def _with_torch(
    installed: Installed, module: Path, told: str, path: str, unknown: dict[str, str]
) -> Installed:
    """Return `installed` with what the files of its torch say."""
    said = assignments(text(module / "version.py") or "")
    if "cuda" not in said:
        unknown[f"{path}.torch_cuda"] = f"{told}/version.py does not say"
        unknown[f"{path}.torch_architectures"] = unknown[f"{path}.torch_cuda"]
        return installed
    if not said["cuda"]:
        other = "rocm" if said.get("hip") else "xpu" if said.get("xpu") else "none"
        return replace(installed, torch_cuda=other, torch_architectures=())
    listed = architectures(module / "lib/libtorch_python.so")
    if listed is None:
        unknown[f"{path}.torch_architectures"] = f"{told}/lib/libtorch_python.so does not list them"
    return replace(installed, torch_cuda=said["cuda"], torch_architectures=listed)


def _told(path: Path, root: Path) -> str:
    """Return a path as the machine has it."""
    return f"/{path.relative_to(root)}"
