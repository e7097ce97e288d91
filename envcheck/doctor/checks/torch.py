"""The torch that is installed: was it built for these GPUs, and does the driver run its CUDA."""

from __future__ import annotations

from dataclasses import replace

from packaging.version import InvalidVersion, Version

from envcheck.compat import tables
from envcheck.compat.packages import judge
from envcheck.compat.rules.code import code
from envcheck.compat.rules.driver import driver
from envcheck.compat.rules.ptx import ptx
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.doctor.check import Case, Check
from envcheck.doctor.finding import Finding
from envcheck.doctor.pythons import over_pythons
from envcheck.host.facts import Host, Installed
from envcheck.symptoms.driver import TOO_OLD
from envcheck.symptoms.packages import CPU_ONLY, NO_CODE, PAIR, SHADOWED
from envcheck.symptoms.symptom import Fix, Symptom

_NONE = "No torch with CUDA is installed for a Python in use, or there is no GPU."

# Without them nobody knows which GPUs there are, or torch is not what fails.
_DRIVER_TROUBLE = (
    "card.nouveau",
    "driver.present",
    "driver.loaded",
    "driver.library",
    "driver.module-match",
    "driver.hang",
    "driver.answers",
    "card.listed",
    "system.jetson",
    "system.wsl",
)
_WITHOUT_CUDA = {"none": "the CPU only", "rocm": "AMD's GPUs", "xpu": "Intel's GPUs"}
_OLDER_CUDA = "A torch with an older CUDA that the driver runs is found here."
_LIBRARIES = Symptom(
    "torch.libraries",
    "CUDA libraries are of other versions than torch asks for",
    Fix(
        "Install those that it asks for, as pip does with torch itself.",
        ("pip check", "pip install --force-reinstall TORCH"),
    ),
    why="Each torch is built and tested with the versions that its metadata pins; others may lack what it or "
    "another of them calls (undefined symbol), and some lose speed.",
    link=SHADOWED.link,
)
_DRIVER = replace(TOO_OLD, id="torch.driver", meaning="the driver is too old for the torch that is installed")


class CpuOnly(Check):
    """A build for the CPU beside a GPU, as the public index gives it to some machines."""

    id = CPU_ONLY.id
    title = "The torch that is installed can use the GPU"

    def look(self, case: Case) -> Finding:
        """Look at the CUDA that each torch was built for, where there are GPUs."""
        nothing = "There is no GPU, or no torch is installed for a Python in use."
        return over_pythons(self, case, lambda python: _can_use_gpus(case.host, python), CPU_ONLY, nothing)


class DriverForTorch(Check):
    """A torch whose CUDA is newer than the driver can run."""

    id = _DRIVER.id
    title = "The driver runs the CUDA of the torch that is installed"
    caused_by = (*_DRIVER_TROUBLE, TOO_OLD.id)

    def look(self, case: Case) -> Finding:
        """Hold the driver against the CUDA of each torch, and against the code that it has to compile."""
        return over_pythons(self, case, lambda python: _driver_runs(case, python), _DRIVER, _NONE)


class CodeForGpus(Check):
    """A torch that holds no code for a GPU; `torch.cuda.is_available()` is true all the same."""

    id = NO_CODE.id
    title = "The torch that is installed has code for every GPU"
    caused_by = _DRIVER_TROUBLE

    def look(self, case: Case) -> Finding:
        """Hold the list of code in each torch against the GPUs."""
        return over_pythons(self, case, lambda python: _has_code(case.host, python), NO_CODE, _NONE)


class TorchPair(Check):
    """torchvision or torchaudio of another torch."""

    id = PAIR.id
    title = "torch and its partners are of one release and one CUDA"
    worst = "warn"
    caused_by = ("python.user-site",)

    def look(self, case: Case) -> Finding:
        """Compare versions and builds."""
        nothing = "No Python in use has torch and torchvision, or torchaudio."
        return over_pythons(self, case, _pairs, PAIR, nothing)


class TorchLibraries(Check):
    """Libraries of CUDA that somebody exchanged under torch."""

    id = _LIBRARIES.id
    title = "torch's CUDA libraries are of the versions that it asks for"
    worst = "warn"
    caused_by = ("python.user-site",)

    def look(self, case: Case) -> Finding:
        """Look at what is installed otherwise than torch pins it."""
        nothing = "No torch is installed for a Python in use."
        return over_pythons(self, case, lambda python: _libraries(case.host, python), _LIBRARIES, nothing)


def _can_use_gpus(host: Host, python: Installed) -> tuple[Reason, ...]:
    torch = python.package("torch")
    if torch is None or host.gpus == ():
        return ()
    name = f"torch {torch.version}"
    if host.gpus is None:
        return (Reason(CPU_ONLY.id, "unknown", f"which GPUs there are is not known ({host.why('gpus')})."),)
    if _version(python.torch_cuda) is not None:
        return (Reason(CPU_ONLY.id, "fits", f"{name}, CUDA {python.torch_cuda}."),)
    if python.torch_cuda not in _WITHOUT_CUDA:
        because = f"what {name} was built for: {_why(host, python, 'torch_cuda')}"
        return (Reason(CPU_ONLY.id, "unknown", because),)
    because = f"{name} is built for {_WITHOUT_CUDA[python.torch_cuda]}."
    return (Reason(CPU_ONLY.id, "refused", because),)


def _driver_runs(case: Case, python: Installed) -> tuple[Reason, ...]:
    build = _build(python)
    if build is None:
        return ()
    outside = "It belongs to the machine outside the container." if case.in_container else ""
    reasons = (*driver(case.host, build), *ptx(case.host, build))
    return tuple(
        replace(one, remedy=" ".join(filter(None, (one.remedy, one.remedy and outside, _OLDER_CUDA))))
        for one in reasons
    )


def _has_code(host: Host, python: Installed) -> tuple[Reason, ...]:
    build = _build(python)
    if build is None or host.gpus == ():
        return ()
    if not (build.sass or build.ptx or build.exact):
        because = f"which code torch {build.torch} holds: {_why(host, python, 'torch_architectures')}"
        return (Reason(NO_CODE.id, "unknown", because, source=build.source),)
    return code(host, build)


def _libraries(host: Host, python: Installed) -> tuple[Reason, ...]:
    torch = python.package("torch")
    if torch is None:
        return ()
    name = f"torch {torch.version}"
    if python.torch_unmet is None:
        because = f"what {name} asks for: {_why(host, python, 'torch_unmet')}"
        return (Reason(_LIBRARIES.id, "unknown", because),)
    if not python.torch_unmet:
        return (Reason(_LIBRARIES.id, "fits", f"{name} has what it asks for."),)
    return tuple(Reason(_LIBRARIES.id, "refused", f"{name}: {one}.") for one in python.torch_unmet)


def _pairs(python: Installed) -> tuple[Reason, ...]:
    versions = {one.name: one.version for one in python.imported if one.version is not None}
    return tuple(reason for reason in judge(versions) if reason.rule == PAIR.id)


def _why(host: Host, python: Installed, fact: str) -> str:
    """Return why a fact about a Python is not known."""
    return host.why(f"installed[{(host.installed or ()).index(python)}].{fact}")


def _build(python: Installed) -> Build | None:
    """Return the torch that is installed as a build; None without one, or where it has no CUDA.

    Its code is what its library lists; where that cannot be read, what the table has for the official build.
    Without either it holds none.
    """
    torch, cuda = python.package("torch"), _version(python.torch_cuda)
    if torch is None or cuda is None:
        return None
    version = _version(torch.version) or Version("0")  # which the rules do not ask for
    sass, ptx_code, exact = _listed(python)
    if not python.torch_architectures and version.local is not None:
        official = tables.build_of(Version(version.public), version.local)
        if official is not None:
            return official
    return Build(
        torch=version,
        tag=f"cu{cuda.major}{cuda.minor}",
        cuda=Version(f"{cuda.major}.{cuda.minor}"),  # 9.0.176 is CUDA 9.0
        sass=sass,
        ptx=ptx_code,
        exact=exact,
        pythons=(),
        machines=(),
        glibc=Version("0"),
        evidence="measured",
        source=f"{torch.folder}/torch/lib/libtorch_python.so",
    )


def _listed(python: Installed) -> tables.Code:
    """Return the code that torch's library lists; none where it is not known, or of a kind that is not."""
    try:
        return tables.read_code(" ".join(python.torch_architectures or ()))
    except ValueError:
        return (), (), ()


def _version(text: str | None) -> Version | None:
    try:
        return Version(text or "")
    except InvalidVersion:
        return None
