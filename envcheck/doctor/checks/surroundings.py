"""Variables that programs inherit: which hide GPUs, or put other libraries before the right ones."""

from __future__ import annotations

from envcheck.choice.visible import counts, resolve
from envcheck.doctor.check import Case, Check, ok, unknown, without_gpus
from envcheck.doctor.checks.gpus import SILENT
from envcheck.doctor.finding import Finding, Fix
from envcheck.errors import UsageError
from envcheck.host.facts import Gpu
from envcheck.symptoms.driver import NO_DEVICE
from envcheck.symptoms.packages import SHADOWED

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_OTHER_PYTHON = ("PYTHONHOME", "PYTHONPATH")

# Libraries whose number is that of their CUDA; the others number themselves.
_NUMBERED_BY_CUDA = ("libcudart", "libnvJitLink", "libcublas", "libcublasLt", "libnvrtc", "libcupti")


class NoneVisible(Check):
    """CUDA_VISIBLE_DEVICES that hides every GPU, or names what is not there."""

    id = NO_DEVICE.id
    title = "CUDA_VISIBLE_DEVICES hides nothing by mistake"
    worst = "warn"
    caused_by = ("gpu.lost", *SILENT)

    def look(self, case: Case) -> Finding:
        """Read the variable as CUDA reads it."""
        host = case.host
        if nothing := without_gpus(self, host):
            return nothing
        if host.surroundings.variables is None:
            return unknown(self, host.why("surroundings.variables"))
        value = host.surroundings.variables.get(_VISIBLE)
        if value is None:
            return ok(self, f"{_VISIBLE} is not set")
        return self._read(value, host.gpus or ())

    def _read(self, value: str, gpus: tuple[Gpu, ...]) -> Finding:
        if counts(value) and any(gpu.mig is not None and gpu.mig.enabled for gpu in gpus):
            return unknown(self, f"Where MIG splits a GPU, what {_VISIBLE}={value:.60} counts is CUDA's own.")
        try:
            # Whatever CUDA's order is: a number is too large in any.
            shown = resolve(value, gpus)
        except UsageError as error:
            return self._hidden(error.message, "CUDA_VISIBLE_DEVICES leaves CUDA without a GPU")
        if shown.names == "none":
            return self._hidden(shown.sentence, "CUDA_VISIBLE_DEVICES hides every GPU")
        if len(shown.names) < len(value.split(",")):
            return self._hidden(shown.sentence, "CUDA_VISIBLE_DEVICES names what is not there")
        return ok(self, shown.sentence)

    def _hidden(self, seen: str, title: str) -> Finding:
        return Finding(
            self.id,
            "warn",
            title,
            (seen,),
            "CUDA shows the GPUs that it names, up to the first entry that names none; a shell's start-up"
            " file, a scheduler or an earlier try may have set it.",
            Fix("Unset it, or name the GPUs by UUID.", (f"unset {_VISIBLE}", "nvidia-smi -L")),
            NO_DEVICE.link,
        )


class Shadowed(Check):
    """A toolkit's libraries before those that torch was built with."""

    id = SHADOWED.id
    title = "No library on LD_LIBRARY_PATH comes before those of the wheels"
    worst = "warn"
    caused_by = SILENT

    def look(self, case: Case) -> Finding:
        """Look for libraries of the names, and of the CUDA, that the wheels bring."""
        host = case.host
        if nothing := without_gpus(self, host):
            return nothing
        shadowing = host.surroundings.shadowing
        if shadowing is None:
            return unknown(self, host.why("surroundings.shadowing"))
        cuda = case.choice.cuda if case.choice else None
        major = str(cuda.major) if cuda else ""
        taken = {name: file for name, file in shadowing.items() if _is_taken(name, major)}
        if not taken:
            return ok(self)
        return Finding(
            self.id,
            "warn",
            SHADOWED.title,
            tuple(f"{name}: {file}" for name, file in taken.items()),
            SHADOWED.why,
            SHADOWED.fix,
            SHADOWED.link,
        )


class PythonPath(Check):
    """Folders that every Python imports from, also one of another version."""

    id = "python.path"
    title = "No variable sends Python to other folders"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Look for PYTHONPATH and PYTHONHOME."""
        variables = case.host.surroundings.variables
        if variables is None:
            return unknown(self, case.host.why("surroundings.variables"))
        seen = tuple(f"{name}={variables[name]}" for name in _OTHER_PYTHON if variables.get(name))
        if not seen:
            return ok(self)
        return Finding(
            self.id,
            "warn",
            "A variable sends every Python to other folders",
            seen,
            "What lies there comes before what an environment has installed, whatever it was built for.",
            Fix("Unset it for programs in an environment.", ("env -u PYTHONPATH -u PYTHONHOME python ...",)),
            "https://docs.python.org/3/using/cmdline.html#environment-variables",
        )


def _is_taken(name: str, cuda: str) -> bool:
    """Return whether wheels of this CUDA, "12", would ask for a library of that name."""
    library, _, number = name.partition(".so.")
    return library not in _NUMBERED_BY_CUDA or cuda in ("", number)
