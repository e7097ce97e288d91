"""The fixtures that put our own libnvidia-ml.so.1 where pynvml finds it.

The library is C (fake_nvml.c), built once per test run with the system's compiler or, where there is none,
the one in the `ziglang` package. What it answers stands in a text file: machines/*.txt, or a test's own.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

HERE = Path(__file__).parent
SONAME = "libnvidia-ml.so.1"


def compiler() -> list[str] | None:
    """Return the argv of a C compiler, the system's first."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


@pytest.fixture(scope="session")
def nvml_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of two libraries, each called libnvidia-ml.so.1: a `new` one and an `old` one."""
    return built(tmp_path_factory, HERE / "fake_nvml.c", SONAME, {"new": [], "old": ["-DOLD_LIBRARY"]})


def built(
    tmp_path_factory: pytest.TempPathFactory, source: Path, soname: str, variants: dict[str, list[str]]
) -> dict[str, Path]:
    """Return the folders of the libraries `soname` that a C file makes with the flags of each variant."""
    # Workers of one run share the folder above their own; the first of them builds, the others wait.
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / source.stem
    with FileLock(f"{home}.lock"):
        for name, flags in variants.items():
            build_library(source, home / name, soname, *flags)
    return {name: home / name for name in variants}


def build_library(source: Path, folder: Path, soname: str, *flags: str) -> None:
    """Make the library `soname` of a C file in `folder`, where it is not there yet."""
    cc = compiler()
    if cc is None:
        pytest.skip(f"no C compiler, and no ziglang: the loading path of {soname} is not verified")
    if (folder / soname).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{soname}.part"
    argv = [*cc, *flags, str(source), "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", str(out)]
    subprocess.run(argv, check=True)
    out.rename(folder / soname)


@pytest.fixture
def nvml_machine(
    nvml_folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Return a function that makes children of this process see a machine of machines/, or of a text."""

    def become(machine: str | bytes, *, library: str = "new", folder: Path | None = None) -> None:
        if isinstance(machine, bytes):
            path = tmp_path / "machine.txt"
            path.write_bytes(machine)
        else:
            path = HERE / "machines" / f"{machine}.txt"
        monkeypatch.setenv("FAKE_NVML_MACHINE", str(path))
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder or nvml_folders[library]))

    return become
