"""Somebody's repository on this machine: what could not be read, and the torch that its files bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from envcheck.choice.candidates import pythons_for
from envcheck.choice.gpus import narrow
from envcheck.compat.rules import judge
from envcheck.compat.rules.system import host_pythons
from envcheck.compat.verdict import Reason, Verdict, join
from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.finding import Finding, Fix, Status
from envcheck.doctor.project.facts import Listing
from envcheck.doctor.project.meant import Torch, python_of, torches
from envcheck.doctor.project.serving import serves
from envcheck.host.facts import Host
from envcheck.symptoms.packages import CPU_ONLY, NO_CODE, NO_WHEEL_FOR_PYTHON

NO_PROJECT = "There is no repository to look at (--project)."
_NO_TORCH = "No file of the repository says which torch it brings."
# With one of these, what torch could run on is not known.
_NO_ANSWER = (
    *("card.nouveau", "driver.present", "driver.loaded", "driver.library", "driver.module-match"),
    *("driver.hang", "driver.answers"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of one file."""

    listing: Listing
    verdict: Verdict
    seen: tuple[str, ...]  # the lines, and what follows from them


class Unreadable(Check):
    """Files that were not understood, so that no other check knows what they ask for."""

    id = "project.unreadable"
    title = "Every file of the repository that says what is installed could be read"
    worst = "unknown"
    needs_project = True

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

    needs_project = True

    def __init__(
        self,
        subject: str,
        title: str,
        trouble: str,
        *,
        rules: tuple[str, ...],
        cause: str,
        link: str = "",
        caused_by: tuple[str, ...] = (),
    ) -> None:
        """`rules` are those of `compat` whose refusal it tells."""
        self.id = f"project.{subject}"
        self.title = title
        self.caused_by = caused_by
        self._trouble, self._rules, self._cause, self._link = trouble, rules, cause, link

    def look(self, case: Case) -> Finding:
        """Hold the torch of every file against the machine."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        judged = tuple(self._judged(case.host, one) for one in torches(case.project, case.host))
        if not judged:
            return skip(self, _NO_TORCH)
        return told(self, judged, self._trouble, self._cause, self._link)

    def _judged(self, host: Host, torch: Torch) -> Judged:
        if torch.unknown:
            return Judged(torch.listing, "unknown", (*torch.lines, torch.unknown))
        if not torch.builds:
            verdict: Verdict = "refused" if "platform" in self._rules else "unknown"
            return Judged(torch.listing, verdict, (*torch.lines, "There is no official build of it."))
        by_build = [self._reasons(host, torch, place) for place in range(len(torch.builds))]
        best = min(by_build, key=lambda reasons: ("fits", "unknown", "refused").index(join(reasons)))
        verdict = join(best)
        because = tuple(f"{torch.words}: {one.because}" for one in best if one.verdict == verdict)
        return Judged(torch.listing, verdict, (*torch.lines, *because))

    def _reasons(self, host: Host, torch: Torch, place: int) -> tuple[Reason, ...]:
        """Return what the rules in question say; who asks for the CPU by name gets it."""
        asked_for_cpu = torch.wishes.tag == "cpu"
        return tuple(
            reason
            for reason in judge(narrow(host, None), torch.builds[place])
            if reason.rule in self._rules and not (asked_for_cpu and reason.rule == "cpu")
        )


class PythonServed(Check):
    """A Python for which the torch of a file has no wheel: pip then says that there is no such version."""

    id = "project.python"
    title = "The repository's torch has wheels for the Python that it is installed in"
    needs_project = True
    caused_by = ("project.torch-build", "project.torch-code", "project.torch-cuda")

    def look(self, case: Case) -> Finding:
        """Look at the Python that a file names; where none brings its own, at those of the machine."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        judged = [_python(case.host, one) for one in torches(case.project, case.host) if one.builds]
        if not judged:
            return skip(self, _NO_TORCH)
        return told(
            self,
            judged,
            "The repository's torch has no wheel for its Python",
            NO_WHEEL_FOR_PYTHON.why,
            NO_WHEEL_FOR_PYTHON.link,
        )


def told(check: Check, judged: Sequence[Judged], trouble: str, cause: str, link: str = "") -> Finding:
    """Return the finding on all files together: a warning where others of them can work here."""
    refused = [one for one in judged if one.verdict == "refused"]
    if refused:
        evidence = tuple(dict.fromkeys(line for one in refused for line in one.seen))
        status: Status = "error" if len(refused) == len(judged) else "warn"
        return Finding(check.id, status, trouble, evidence, cause, _fix(refused[0].listing), link)
    if open_questions := [one for one in judged if one.verdict == "unknown"]:
        first = open_questions[0].seen
        rest = (line for one in open_questions[1:] for line in one.seen)
        return unknown(check, first[-1], *dict.fromkeys((*first[:-1], *rest)))
    return ok(check, *dict.fromkeys(line for one in judged for line in one.seen))


def _fix(listing: Listing) -> Fix:
    way = serves(listing)
    return Fix(f"For {way.file}: {way.because}", way.commands)


def _python(host: Host, torch: Torch) -> Judged:
    builds, listing = torch.builds, torch.listing
    pythons = tuple(dict.fromkeys(python for build in builds for python in build.pythons))
    has = f"{torch.words} has wheels for Python {', '.join(pythons)}."
    allowed = pythons_for(torch.wishes, pythons)
    said = [one for one in listing.said if one.wishes.python]
    lines = (*torch.lines, *(one.line or one.origin for one in said))
    if not allowed:
        return Judged(listing, "refused", (*lines, has))
    if base := next((one for one in listing.said if one.by == "base"), None):
        its_own = python_of(base)
        if said or its_own in pythons:
            return Judged(listing, "fits", (*lines, has))
        return Judged(listing, "unknown", (*lines, f"{has} Which one is used in {base.line} is not known."))
    here = host_pythons(host)
    if here is None:
        return Judged(listing, "unknown", (*lines, f"{has} Which Pythons are here is not known."))
    if set(here) & set(allowed):
        return Judged(listing, "fits", (*lines, has))
    return Judged(listing, "refused", (*lines, f"{has} Here is {', '.join(here) or 'none'}."))


MADE = TorchRuns(
    "torch-build",
    "The repository's torch is made for this machine",
    "The repository's torch is not made for this machine",
    rules=("platform", "jetson", "cpu"),
    cause=CPU_ONLY.why,
)
CODE = TorchRuns(
    "torch-code",
    "The repository's torch has code for the GPUs",
    "The repository's torch has no code for the GPUs",
    rules=("code", "ptx"),
    cause=NO_CODE.why,
    link=NO_CODE.link,
    caused_by=(*_NO_ANSWER, "project.torch-build"),
)
CUDA = TorchRuns(
    "torch-cuda",
    "The driver runs the CUDA of the repository's torch",
    "The driver is too old for the CUDA of the repository's torch",
    rules=("driver", "compat"),
    cause="The wheels bring a CUDA of their own, which starts from some driver on.",
    link="https://docs.nvidia.com/deploy/cuda-compatibility/",
    caused_by=(*_NO_ANSWER, "project.torch-build", "project.torch-code"),
)
