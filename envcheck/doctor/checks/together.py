"""The packages that a file of a repository puts beside its torch: NumPy, torchvision, OpenCV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from packaging.specifiers import SpecifierSet

from envcheck.choice.candidates import pythons_for
from envcheck.choice.wishes import Wishes, is_possible
from envcheck.compat.packages import OPENCVS, judge
from envcheck.compat.verdict import Reason, join
from envcheck.doctor.check import Case, Check, ok, skip
from envcheck.doctor.checks.judged import NO_PROJECT, Judged, Trouble, told
from envcheck.doctor.checks.project import refused
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.project.facts import AskedPackage, Listing
from envcheck.doctor.project.meant import MeantTorch, torches
from envcheck.symptoms.packages import OLD_NUMPY_ABI, OPENCV, OTHER_NUMPY_ABI, PAIR

# Each of them brings NumPy along where no line names it.
_BRING_NUMPY = frozenset({
    *("torchvision", "scipy", "pandas", "matplotlib", "scikit-learn", "scikit-image", "pycocotools"),
    *OPENCVS,
})  # fmt: skip
# The first that some of each kind run beside, and the last of the others.
_NUMPY_2, _NUMPY_1 = "2.0.2", "1.26.4"
_FROM_2, _BEFORE_2 = SpecifierSet(">=2"), SpecifierSet("<2")
_BEFORE_PYTHON_39 = ("3.6", "3.7", "3.8")
_PYTHONS = (*_BEFORE_PYTHON_39, "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
_OPEN = "No line keeps NumPy below 2, so pip takes the newest."
_NO_PACKAGES = "No file of the repository names packages that this is about."


class Numpy(Check):
    """NumPy 2 beside a torch before 2.3, or beside other packages that were built for NumPy 1."""

    id = "project.numpy"
    title = "The repository's packages were built for its NumPy"
    needs = "project"

    def look(self, case: Case) -> Finding:
        """Look whether a line keeps NumPy below 2 where something needs that."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        meant = {one.listing.file: one for one in torches(case.project, case.host)}
        judged = [
            one for listing in case.project.listings for one in _numpy(listing, meant.get(listing.file))
        ]
        if not judged:
            return skip(self, _NO_PACKAGES)
        trouble = Trouble(
            "NumPy 2 comes beside packages that were built for NumPy 1",
            OLD_NUMPY_ABI.why,
            OLD_NUMPY_ABI.link,
            "Write numpy<2 beside them.",
        )
        return told(self, judged, trouble, refused(case))


class Pair(Check):
    """A torchvision or torchaudio that was built for another torch; pip refuses it or it does not load."""

    id = "project.pair"
    title = "torchvision and torchaudio are the partners of the repository's torch"
    needs = "project"

    def look(self, case: Case) -> Finding:
        """Hold the pinned versions of a file against each other."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        judged = [one for listing in case.project.listings for one in _pair(listing)]
        if not judged:
            return skip(self, _NO_PACKAGES)
        trouble = Trouble(
            "The repository pins a torch and a partner of another torch",
            PAIR.why,
            PAIR.link,
            "Leave the partner's version to pip, or pin both as a pair.",
        )
        return told(self, judged, trouble, refused(case))


class OneOpencv(Check):
    """Two packages of OpenCV, each of which installs the module cv2 over the other's."""

    id = "project.opencv"
    title = "The repository installs one OpenCV"
    worst = "warn"
    needs = "project"

    def look(self, case: Case) -> Finding:
        """Count the packages of OpenCV in each file."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        named = [
            [package for name, package in one.asked_for.items() if name in OPENCVS]
            for one in case.project.listings
        ]
        twice = [packages for packages in named if len(packages) > 1]
        if not any(named):
            return skip(self, _NO_PACKAGES)
        lines = tuple(dict.fromkeys(line for few in twice or named for one in few for line in one.lines))
        if not twice:
            return ok(self, *lines)
        return Finding(
            self.id,
            "warn",
            "The repository installs two OpenCVs, which write over each other",
            lines,
            "All of them install the module cv2; which one is left, the order decides.",
            Fix("Keep one line: opencv-python-headless, where nothing opens a window."),
            OPENCV.link,
        )


def _numpy(listing: Listing, torch: MeantTorch | None) -> Iterator[Judged]:
    """Yield what is to be said of a file that brings a NumPy, named or not."""
    packages = listing.packages
    numpy = packages.get("numpy", AskedPackage("numpy"))
    bringing = [one for name, one in listing.asked_for.items() if name in _BRING_NUMPY]
    if not bringing and not numpy.is_asked_for:
        return
    newest = _NUMPY_2 if is_possible(numpy.asked & _FROM_2) and _has_numpy_2(listing, torch) else _NUMPY_1
    versions = {name: one.version for name, one in packages.items() if one.version is not None}
    if torch is not None and torch.builds:
        versions["torch"] = str(torch.builds[0].torch)
    judged = _judged(
        listing,
        [*([numpy] if numpy.lines else bringing)],
        judge({**versions, "numpy": numpy.version or newest}),
        (OLD_NUMPY_ABI.id, OTHER_NUMPY_ABI.id),
    )
    if judged.verdict == "refused" and is_possible(numpy.asked & _BEFORE_2):
        # What another package says of itself may keep NumPy below 2 all the same.
        yield replace(judged, because=(*judged.because, _OPEN), is_certain=False)
    else:
        yield judged


def _has_numpy_2(listing: Listing, torch: MeantTorch | None) -> bool:
    """Return whether a Python that a file allows, and its torch serves, has a NumPy 2: from 3.9 on."""
    served = [python for build in torch.builds for python in build.pythons] if torch is not None else []
    python = torch.python if torch is not None else listing.wishes.python
    allowed = pythons_for(Wishes(python=python), served or _PYTHONS)
    return not allowed or any(python not in _BEFORE_PYTHON_39 for python in allowed)


def _pair(listing: Listing) -> Iterator[Judged]:
    packages = listing.asked_for
    named = [one for name in ("torch", "torchvision", "torchaudio") if (one := packages.get(name))]
    if len(named) > 1:
        reasons = judge({one.name: one.version for one in named if one.version is not None})
        yield _judged(listing, named, reasons, (PAIR.id,))


def _judged(
    listing: Listing, packages: Iterable[AskedPackage], reasons: Iterable[Reason], rules: tuple[str, ...]
) -> Judged:
    counted = [one for one in reasons if one.rule in rules]
    verdict = join(counted)
    because = tuple(one.because for one in counted if one.verdict == verdict != "fits")
    return Judged(listing, verdict, tuple(line for one in packages for line in one.lines), because)
