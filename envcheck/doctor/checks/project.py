"""Somebody's repository on this machine: what could not be read, and the torch that its files bring."""

from __future__ import annotations

from collections.abc import Sequence

from envcheck.choice.candidates import pythons_for
from envcheck.choice.gpus import narrow
from envcheck.choice.wishes import Wishes
from envcheck.compat.rules import judge
from envcheck.compat.rules.system import host_pythons
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason, join
from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.judged import NO_PROJECT, Judged, Trouble, told
from envcheck.doctor.finding import Finding
from envcheck.doctor.project.meant import MeantTorch, torches
from envcheck.host.facts import Host
from envcheck.symptoms.packages import CPU_ONLY, NO_CODE, NO_WHEEL_FOR_PYTHON

_NO_TORCH = "No file of the repository says which torch it brings."
# With one of these, what torch could run on is not known.
_NO_ANSWER = (
    *("card.nouveau", "driver.present", "driver.loaded", "driver.library", "driver.module-match"),
    *("driver.hang", "driver.answers"),
)


class Unreadable(Check):
    """Files that were not understood, so that no other check knows what they ask for."""

    id = "project.unreadable"
    title = "Every file of the repository that says what is installed could be read"
    worst = "unknown"
    needs = "project"

    def look(self, case: Case) -> Finding:
        """Look at what the reader left."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        if unread := case.project.unread:
            why = "What they ask for is not known."
            return unknown(self, why, *(f"{one.place}: {one.why}" for one in unread))
        files = {one.file for one in case.project.listings} | {one.file for one in case.project.services}
        if not files:
            return skip(self, f"{case.project.folder} has no file that says what is installed.")
        return ok(self, ", ".join(sorted(files)))


class TorchRuns(Check):
    """One thing that can stand between the torch of a file and this machine."""

    needs = "project"

    def __init__(
        self,
        subject: str,
        title: str,
        trouble: Trouble,
        *,
        rules: tuple[str, ...],
        caused_by: tuple[str, ...] = (),
        is_about_gpus: bool = True,
    ) -> None:
        """`rules` are those of `compat` whose refusal it tells."""
        self.id = f"project.{subject}"
        self.title = title
        self.caused_by = caused_by
        self._trouble, self._rules, self._is_about_gpus = trouble, rules, is_about_gpus

    def look(self, case: Case) -> Finding:
        """Hold the torch of every file against the machine."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        if self._is_about_gpus and case.host.gpus == ():
            return skip(self, "There is no GPU for it to run on.")
        judged = tuple(self.judge(case.host, one) for one in torches(case.project, case.host))
        before = TORCH_CHECKS[: TORCH_CHECKS.index(self)]
        return told(self, judged, self._trouble, refused(case, before)) if judged else skip(self, _NO_TORCH)

    def judge(self, host: Host, torch: MeantTorch) -> Judged:
        """Return what is to be said of the torch of one file."""
        if not torch.builds:
            is_other = (torch.wishes.tag or "").startswith(("rocm", "xpu"))
            return Judged(torch.listing, "refused" if is_other else "unknown", torch.lines, (torch.unknown,))
        by_build = [self._reasons(host, torch, build) for build in torch.builds]
        best = min(by_build, key=lambda reasons: ("fits", "unknown", "refused").index(join(reasons)))
        verdict = join(best)
        because = tuple(f"{torch.words}: {one.because}" for one in best if one.verdict == verdict)
        return Judged(torch.listing, verdict, torch.lines, because)

    def _reasons(self, host: Host, torch: MeantTorch, build: Build) -> tuple[Reason, ...]:
        """Return what the rules in question say; who asks for the CPU by name gets it."""
        asked_for_cpu = torch.wishes.tag == "cpu"
        return tuple(
            reason
            for reason in judge(narrow(host, None), build)
            if reason.rule in self._rules and not (asked_for_cpu and reason.rule == "cpu")
        )


class PythonServed(Check):
    """A Python for which the torch of a file has no wheel: pip then says that there is no such version."""

    id = "project.python"
    title = "The repository's torch has wheels for the Python that it is installed in"
    needs = "project"

    def look(self, case: Case) -> Finding:
        """Look at the Python that a file names; where none brings its own, at those of the machine."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        judged = [_python(case.host, one) for one in torches(case.project, case.host) if one.builds]
        if not judged:
            return skip(self, _NO_TORCH)
        trouble = Trouble(
            "The repository's torch has no wheel for its Python",
            NO_WHEEL_FOR_PYTHON.why,
            NO_WHEEL_FOR_PYTHON.link,
        )
        return told(self, judged, trouble, refused(case))


def _python(host: Host, torch: MeantTorch) -> Judged:
    pythons = tuple(dict.fromkeys(python for build in torch.builds for python in build.pythons))
    said = tuple(one.line or one.origin for one in torch.listing.said if one.wishes.python)
    lines = (*torch.lines, *said)
    has = f"{torch.words} has wheels for Python {', '.join(pythons)}."
    allowed = pythons_for(torch.wishes, pythons)
    if not allowed:
        return Judged(torch.listing, "refused", lines, (has,))
    if any(one.by == "base" for one in torch.listing.said):
        if said or (torch.python and pythons_for(Wishes(python=torch.python), pythons)):
            return Judged(torch.listing, "fits", lines, (has,))
        return Judged(torch.listing, "unknown", lines, (f"{has} Which one its image has is not known.",))
    here = host_pythons(host)
    if here is None:
        return Judged(torch.listing, "unknown", lines, (f"{has} Which Pythons are here is not known.",))
    if set(here) & set(allowed):
        return Judged(torch.listing, "fits", lines, (has,))
    return Judged(torch.listing, "refused", lines, (f"{has} Here is {', '.join(here) or 'none'}.",))


MADE = TorchRuns(
    "torch-build",
    "The repository's torch is made for this machine",
    Trouble("The repository's torch is not made for this machine", CPU_ONLY.why),
    rules=("platform", "jetson", "cpu"),
    is_about_gpus=False,
)
CODE = TorchRuns(
    "torch-code",
    "The repository's torch has code for the GPUs",
    Trouble("The repository's torch has no code for the GPUs", NO_CODE.why, NO_CODE.link),
    rules=("code", "ptx"),
    caused_by=_NO_ANSWER,
)
CUDA = TorchRuns(
    "torch-cuda",
    "The driver runs the CUDA of the repository's torch",
    Trouble(
        "The driver is too old for the CUDA of the repository's torch",
        "The wheels bring a CUDA of their own, which starts from some driver on.",
        "https://docs.nvidia.com/deploy/cuda-compatibility/",
    ),
    rules=("driver", "compat"),
    caused_by=_NO_ANSWER,
)
# Each says of a file that it needs another torch, which makes the next questions idle.
TORCH_CHECKS = (MADE, CODE, CUDA)


def refused(case: Case, checks: Sequence[TorchRuns] = TORCH_CHECKS) -> dict[str, str]:
    """Return the files whose torch cannot work here, with the id of the check that says so first."""
    found: dict[str, str] = {}
    for one in torches(case.project, case.host) if case.project is not None else ():
        for check in checks:
            if check.judge(case.host, one).verdict == "refused":
                found.setdefault(one.listing.file, check.id)
    return found
