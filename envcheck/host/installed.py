"""What is installed for the Pythons in use: their packages, and what torch was built for.

Nothing of it is imported or started; which Pythons are meant, `in_use` knows, what lies in a folder,
`distributions`, and what torch's files say, `torch_files`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from envcheck.host.distributions import metadata_in, packages_in, unmet
from envcheck.host.facts import Installed
from envcheck.host.files import is_there, text
from envcheck.host.in_use import InUse, pythons_in_use
from envcheck.host.torch_files import architectures, assignments

# One of these is there where a GPU can be used: natively, in a container, in WSL, on a Jetson.
_SIGNS_OF_A_DRIVER = ("proc/driver/nvidia", "dev/nvidiactl", "dev/dxg", "etc/nv_tegra_release")


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
    executable = _told(python.executable, root)
    try:
        found = [one for folder in python.folders for one in metadata_in(folder)]
    except OSError as error:
        unknown[f"{path}.packages"] = f"{_told(Path(error.filename), root)}: {error.strerror}"
        return Installed(executable, python.version, python.active)
    packages = tuple(
        replace(one, folder=_told(folder, root), of_user=folder == python.user_folder)
        for folder in python.folders
        for one in packages_in(one for one in found if one.path.parent == folder)
    )
    installed = Installed(executable, python.version, python.active, packages)
    torch = next((one.path for one in found if one.name == "torch"), None)
    if torch is None:
        return installed
    said = _with_torch(installed, torch.parent / "torch", root, path, unknown)
    return replace(said, torch_unmet=unmet(torch, found))


def _with_torch(
    installed: Installed, module: Path, root: Path, path: str, unknown: dict[str, str]
) -> Installed:
    """Return `installed` with what the files of its torch say."""
    said = assignments(text(module / "version.py") or "")
    if "cuda" not in said:
        why = f"{_told(module, root)}/version.py does not say"
        unknown |= {f"{path}.torch_cuda": why, f"{path}.torch_architectures": why}
        return installed
    if not said["cuda"]:
        other = "rocm" if said.get("hip") else "xpu" if said.get("xpu") else "none"
        return replace(installed, torch_cuda=other, torch_architectures=())
    if not any(is_there(root / sign) for sign in _SIGNS_OF_A_DRIVER):
        unknown[f"{path}.torch_architectures"] = "There is no NVIDIA driver, so nobody reads 20 MB for them."
        return replace(installed, torch_cuda=said["cuda"])
    library = module / "lib/libtorch_python.so"
    listed = architectures(library)
    if listed is None:
        unknown[f"{path}.torch_architectures"] = f"{_told(library, root)} does not list them"
    return replace(installed, torch_cuda=said["cuda"], torch_architectures=listed)


def _told(path: Path, root: Path) -> str:
    """Return a path as the machine has it."""
    return f"/{path.relative_to(root)}"
