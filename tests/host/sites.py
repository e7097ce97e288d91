"""Made-up Pythons and packages, laid out as venv, conda, Debian and pip lay out theirs."""

from __future__ import annotations

from pathlib import Path

WHEEL = "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_28_x86_64\n"
BUILT_HERE = "Wheel-Version: 1.0\nTag: cp311-cp311-linux_x86_64\n"
TORCH = """from typing import Optional

__version__ = '{}'
cuda: Optional[str] = {!r}
hip: Optional[str] = {!r}
"""

Entries = dict[str, str | Path | None]


def system_python(prefix: str = "usr", minor: str = "3.11") -> Entries:
    """An interpreter as distributions and conda install it, python3 a link to it."""
    return {
        f"{prefix}/bin/python{minor}": "#!ELF",
        f"{prefix}/bin/python3": Path(f"python{minor}"),
        f"{prefix}/bin/python": Path("python3"),
    }


def venv(*, system_site: bool = False, key: str = "version") -> Entries:
    """A virtual environment of /usr/bin/python3."""
    shared = f"include-system-site-packages = {str(system_site).lower()}"
    return {
        "venv/pyvenv.cfg": f"home = /usr/bin\n{shared}\n{key} = 3.11.7.final.0\n",
        "venv/bin/python": "#!ELF",
        "venv/bin/python3": Path("python"),
        "venv/lib/python3.11/site-packages": None,
    }


def package(folder: str, name: str, version: str, module: str, **files: str) -> Entries:
    """A package that pip installed from a wheel; `files` are others of its metadata's, by name."""
    metadata = f"{folder}/{name}-{version}.dist-info"
    return {
        f"{folder}/{module}/__init__.py": "raise SystemExit('imported')\n",
        f"{metadata}/INSTALLER": "pip\n",
        f"{metadata}/WHEEL": WHEEL,
        f"{metadata}/RECORD": f"{module}/__init__.py,,\n",
        **{f"{metadata}/{other}": content for other, content in files.items()},
    }


def torch(folder: str, version: str, *, cuda: str | None = None, hip: str | None = None) -> Entries:
    """torch with its module of versions."""
    return {
        **package(folder, "torch", version.partition("+")[0], "torch"),
        f"{folder}/torch/version.py": TORCH.format(version, cuda, hip),
    }


def executable(root: Path) -> Path:
    """Make every file of a bin folder one that may be started, which files of text are not."""
    for file in root.glob("**/bin/*"):
        file.chmod(0o755)
    return root
