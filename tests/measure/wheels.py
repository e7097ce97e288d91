"""Wheels of torch in small: real zips with the few members that are measured."""

from __future__ import annotations

import zipfile
from pathlib import Path

LIBRARY = "torch/lib/libtorch_python.so"
FLAGS = "sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90"
NUMPY_1 = b"\0numpy.core._multiarray_umath\0_ARRAY_API\0"
NUMPY_2 = b"\0numpy._core._multiarray_umath\0numpy.core._multiarray_umath\0_ARRAY_API\0"


def library(flags: str = FLAGS, numpy: bytes = NUMPY_2) -> bytes:
    """What a compiler leaves around the constants."""
    constant = b"\0" + flags.encode() + b"\0" if flags else b""
    return b"\x7fELF" + b"sm_ %d\0" * 9 + constant + b"\x90" * 300 + numpy + b"\0numpy._core\0"


def version_py(cuda: str = "'12.6'", more: str = "hip: Optional[str] = None\n") -> str:
    """torch/version.py as the wheels since 2.2 have it."""
    return f"from typing import Optional\n\n__version__ = '2.7.1'\ncuda: Optional[str] = {cuda}\n{more}"


def metadata(version: str = "2.7.1", *requires: str) -> str:
    lines = ["Metadata-Version: 2.1", "Name: torch", f"Version: {version}", "Requires-Python: >=3.9"]
    return "\n".join([*lines, *(f"Requires-Dist: {one}" for one in requires), "", "Tensors and such.", ""])


def write_wheel(path: Path, **members: str | bytes) -> Path:
    """Write a wheel; `metadata`, `version`, `library` replace what a good 2.7.1 has, None leaves it out."""
    version = path.name.split("-")[1]
    contents = {
        f"torch-{version}.dist-info/METADATA": members.get("metadata", metadata(version)),
        f"torch-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n",
        f"torch-{version}.dist-info/RECORD": "",
        "torch/version.py": members.get("version", version_py()),
        LIBRARY: members.get("library", library()),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)
    return path
