"""Small, real wheels: what pip installs and uv reads, made in a moment."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

# What recipes/pose.in asks for beside NumPy, as a wheel's file name spells it.
BESIDE_NUMPY = ("onnx", "opencv_python_headless", "pycocotools", "pyyaml", "rich", "scipy", "tensorboardx")


def make_wheel(folder: Path, file: str, *requires: str, content: str = "", library: str = "") -> Path:
    """Write the wheel of a package with one module and one console script under its file name.

    With `library` it brings a file of that text, too, which is called like a compiled library.
    """
    name, version = file.split("-")[:2]
    tag = file.removesuffix(".whl").split("-", 2)[2]
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {one}" for one in requires]
    members = {
        f"{name}.py": content or f'"""A module."""\n\n\ndef main():\n    print("{name} {version}")\n',
        f"{info}/METADATA": "\n".join([*metadata, ""]),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-tool = {name}:main\n",
    }
    if library:
        members[f"{name}_fast.so"] = library
    lines = []
    for member, text in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{member},sha256={digest},{len(text.encode())}")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / file, "w") as archive:
        for member, text in members.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*lines, f"{info}/RECORD,,"]) + "\n")
    return folder / file


def digest_of(wheel: Path) -> str:
    """The SHA-256 of a wheel, in hexadecimal."""
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def pin_of(wheel: Path) -> str:
    """The lock's line for a wheel."""
    name, version, *_ = wheel.name.split("-")
    return f"{name}=={version} --hash=sha256:{digest_of(wheel)}"
