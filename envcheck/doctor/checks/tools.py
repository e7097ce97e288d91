"""What some programs need beside the wheels: toolkits and compilers, and the libraries of a desktop."""

from __future__ import annotations

from envcheck.doctor.check import Case, Check, ok, skip, unknown, without_gpus
from envcheck.doctor.checks.gpus import SILENT
from envcheck.doctor.finding import Finding
from envcheck.doctor.remedies import install_compiler
from envcheck.symptoms.packages import COMPILER, OPENCV, OTHER_TOOLKIT

_NONE = "none"
# conda's brings the library along.
_WITH_WINDOWS = ("opencv-python", "opencv-contrib-python")


class ToolkitMatch(Check):
    """Toolkits that differ from the CUDA in torch; they matter to who compiles extensions."""

    id = OTHER_TOOLKIT.id
    title = "The CUDA toolkit here is of torch's own major version"
    worst = "info"
    caused_by = SILENT

    def look(self, case: Case) -> Finding:
        """Hold the nvcc on PATH, and the other toolkits, against the CUDA that was picked."""
        host = case.host
        if nothing := without_gpus(self, host):
            return nothing
        nvcc, toolkits = host.surroundings.nvcc, host.surroundings.toolkits
        if nvcc is None or toolkits is None:
            fact = "nvcc" if nvcc is None else "toolkits"
            return unknown(self, host.why(f"surroundings.{fact}"))
        if nvcc == _NONE and not toolkits:
            return skip(self, "There is no toolkit, and torch needs none.")
        cuda = case.choice.cuda if case.choice else None
        seen = (
            *((f"nvcc on PATH: {nvcc}",) if nvcc != _NONE else ()),
            *(f"{folder}: {version}" for folder, version in toolkits.items()),
        )
        differs = cuda is not None and nvcc != _NONE and nvcc.partition(".")[0] != str(cuda.major)
        if not differs and len(toolkits) < 2:  # noqa: PLR2004 - two of them can be mistaken for each other
            return ok(self, *seen)
        return Finding(
            self.id,
            "info",
            "The nvcc on PATH is of another CUDA than torch" if differs else "There are several toolkits",
            (*seen, *((f"torch's CUDA: {cuda}",) if cuda else ())),
            OTHER_TOOLKIT.why,
            OTHER_TOOLKIT.fix,
            OTHER_TOOLKIT.link,
        )


class Compiler(Check):
    """torch.compile, which compiles while the program runs."""

    id = COMPILER.id
    title = "torch.compile finds a compiler, and the headers of Python"
    worst = "info"
    caused_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look for both."""
        host, around = case.host, case.host.surroundings
        if nothing := without_gpus(self, host):
            return nothing
        if around.compiler is None or around.python_headers is None:
            fact = "compiler" if around.compiler is None else "python_headers"
            return unknown(self, host.why(f"surroundings.{fact}"))
        missing = tuple(
            said
            for said, is_so in (
                ("no gcc and no clang on PATH", around.compiler == _NONE),
                (f"no Python.h of Python {host.python.version or '?'}", not around.python_headers),
            )
            if is_so
        )
        if not missing:
            return ok(self, around.compiler)
        return Finding(
            self.id,
            "info",
            "torch.compile lacks a compiler, or the headers of Python",
            missing,
            COMPILER.why,
            install_compiler(host),
            COMPILER.link,
        )


class DesktopLibrary(Check):
    """libGL, which opencv-python wants and opencv-python-headless does not."""

    id = OPENCV.id
    title = "OpenCV with windows finds the desktop's library"
    worst = "info"

    def look(self, case: Case) -> Finding:
        """Look for libGL.so.1 where an OpenCV with windows is installed for a Python in use."""
        pythons, found = case.host.installed, case.host.surroundings.libgl
        if pythons is None:
            return unknown(self, case.host.why("installed"))
        seen = [
            f"{one.name} {one.version or ''}".rstrip() + (f" in {one.folder}" if one.folder else "")
            for python in pythons
            for one in python.imported
            if one.name in _WITH_WINDOWS and one.origin != "conda"
        ]
        if not seen:
            return skip(self, "No OpenCV with windows is installed for a Python in use.")
        if found is None:
            return unknown(self, case.host.why("surroundings.libgl"))
        if found:
            return ok(self, *seen)
        return Finding(
            self.id,
            "info",
            "libGL.so.1 is not here: opencv-python does not import",
            ("libGL.so.1 is not where the loader looks", *seen),
            OPENCV.why[:1].upper() + OPENCV.why[1:],
            OPENCV.fix,
            OPENCV.link,
        )
