"""The packages around torch, as they are installed: do they fit each other, is each whole and there once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from envcheck.compat.packages import OPENCV_TWICE, OPENCVS, judge
from envcheck.compat.verdict import Reason
from envcheck.doctor.check import Case, Check
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.pythons import over_pythons
from envcheck.host.facts import Installed, InstalledPackage
from envcheck.symptoms.packages import OLD_NUMPY_ABI, OPENCV, OTHER_NUMPY_ABI
from envcheck.symptoms.symptom import Symptom

_NO_NUMPY = "No Python in use has NumPy beside a package that was compiled for one."
_NOTHING = "None of the packages that are looked for is installed for a Python in use."

_OPENCV_TWICE = Symptom(
    OPENCV_TWICE,
    "several builds of OpenCV are installed over each other",
    OPENCV.fix,
    why="All of them install the module cv2: what is imported is a mixture, and what is uninstalled leaves "
    "holes in the others.",
    link=OPENCV.link,
)
_TWICE = Symptom(
    "packages.twice",
    "a package is installed twice, and one of the two hides the other",
    Fix("Uninstall it until none is left, and install it once."),
    why="An upgrade that was interrupted leaves the old metadata behind; PYTHONPATH puts a folder before the "
    "environment's own.",
    link="https://packaging.python.org/en/latest/specifications/recording-installed-packages/",
)
_USER_SITE = Symptom(
    "python.user-site",
    "packages of ~/.local are mixed into the environment",
    Fix(
        "Keep them out, or uninstall them there.",
        ("export PYTHONNOUSERSITE=1",),
    ),
    why="A conda environment looks into ~/.local before its own folder, and pip puts there what it may not "
    "write elsewhere.",
    link="https://docs.python.org/3/library/site.html#site.ENABLE_USER_SITE",
)
_BROKEN = Symptom(
    "packages.broken",
    "the files of an installed package are not whole",
    Fix(
        "Install it anew.",
        ("pip install --force-reinstall --no-deps PACKAGE",),
    ),
    why="Its metadata says that it is there; an installation that was interrupted, or a second tool in the "
    "same folder, took files away.",
    link="https://pip.pypa.io/en/stable/cli/pip_install/",
)


class Broken(Check):
    """A package whose metadata is there, and whose files are not."""

    id = _BROKEN.id
    title = "The installed packages have their files"

    def look(self, case: Case) -> Finding:
        """Look at what the reader found missing."""
        finding = over_pythons(self, case, _missing_files, _BROKEN, _NOTHING)
        if not finding.is_trouble or finding.fix is None:
            return finding
        broken = next(filter(None, map(_broken, case.host.installed or ())))
        commands = tuple(one.replace("PACKAGE", " ".join(broken)) for one in finding.fix.commands)
        return replace(finding, fix=replace(finding.fix, commands=commands))


class Twice(Check):
    """Two of one package, of which Python imports the first."""

    id = _TWICE.id
    title = "Each package is installed once"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Look for two versions in one folder, and for a folder that comes before the environment's own."""
        return over_pythons(self, case, _hidden, _TWICE, _NOTHING)


class UserSite(Check):
    """Packages of the user's own folder in an environment that was meant to be complete."""

    id = _USER_SITE.id
    title = "The environment in use keeps to its own packages"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Look where the packages of activated environments come from."""
        nothing = "No environment is activated that has any of the packages that are looked for."
        return over_pythons(self, case, _leaked, _USER_SITE, nothing)


class OldNumpyAbi(Check):
    """NumPy 2 beside packages that cannot be run with it."""

    id = OLD_NUMPY_ABI.id
    title = "NumPy is not newer than the packages around it"
    caused_by = ("python.user-site",)

    def look(self, case: Case) -> Finding:
        """Hold NumPy against torch, OpenCV and SciPy."""
        return over_pythons(self, case, _too_new, OLD_NUMPY_ABI, _NO_NUMPY)


class OtherNumpyAbi(Check):
    """Packages that were compiled for another NumPy."""

    id = OTHER_NUMPY_ABI.id
    title = "The packages are compiled for the NumPy that is installed"
    caused_by = (*OTHER_NUMPY_ABI.caused_by, "python.user-site")

    def look(self, case: Case) -> Finding:
        """Hold NumPy against pycocotools and its like, whose compiled part says what it was made for."""
        return over_pythons(self, case, _other_abi, OTHER_NUMPY_ABI, _NO_NUMPY)


class OpencvTwice(Check):
    """Two builds of OpenCV in one folder."""

    id = OPENCV_TWICE
    title = "There is one OpenCV"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Count the distributions that install cv2."""
        nothing = "No OpenCV is installed for a Python in use."
        return over_pythons(self, case, _opencvs, _OPENCV_TWICE, nothing)


def _broken(python: Installed) -> tuple[str, ...]:
    """Return the packages that lack files, each as pip is asked for the same one again."""
    return tuple(
        f"{one.name}=={one.version}" if one.version else one.name for one in python.imported if one.broken
    )


def _missing_files(python: Installed) -> tuple[Reason, ...]:
    return tuple(
        Reason(_BROKEN.id, "refused", f"{_said(one)}: {one.broken}.", f"Install {one.name} anew.")
        if one.broken
        else Reason(_BROKEN.id, "fits", f"{_said(one)}.")
        for one in python.imported
    )


def _hidden(python: Installed) -> tuple[Reason, ...]:
    return tuple(
        Reason(_TWICE.id, "refused", f"{_said(first)} hides {_said(other)}.")
        if (other := _hidden_by(first, python)) is not None
        else Reason(_TWICE.id, "fits", f"{_said(first)}.")
        for first in python.imported
    )


def _hidden_by(first: InstalledPackage, python: Installed) -> InstalledPackage | None:
    """Return what a package hides that was meant to be imported; an environment may hide its base's."""
    others = [one for one in python.packages or () if one.name == first.name and one.version != first.version]
    own = str(PurePosixPath(python.executable).parent.parent) if python.executable else ""
    is_strange = bool(own) and not first.of_user and not _is_in(first, own)
    hidden = (one for one in others if one.folder == first.folder or (is_strange and _is_in(one, own)))
    return next(hidden, None)


def _leaked(python: Installed) -> tuple[Reason, ...]:
    if not python.active:
        return ()
    return tuple(
        Reason(_USER_SITE.id, "refused", f"{_said(one)} is the user's, not the environment's.")
        if one.of_user
        else Reason(_USER_SITE.id, "fits", f"{_said(one)}.")
        for one in python.imported
    )


def _too_new(python: Installed) -> tuple[Reason, ...]:
    """Return what the rules say of NumPy; what its maker did not build may have been built for any."""
    packages = [one for one in python.imported if one.name == "numpy" or one.origin in ("wheel", None)]
    return tuple(reason for reason in judge(_versions(packages)) if reason.rule == OLD_NUMPY_ABI.id)


def _other_abi(python: Installed) -> tuple[Reason, ...]:
    """Return what compiled parts say of NumPy, and the rules where a part was not read."""
    numpy = python.package("numpy")
    if numpy is None or numpy.version is None:
        return ()
    read = tuple(_compiled(one, numpy) for one in python.imported if one.numpy is not None)
    unread = [
        one
        for one in python.imported
        if one is numpy or (one.numpy is None and one.origin in ("wheel", None))
    ]
    return (*read, *(one for one in judge(_versions(unread)) if one.rule == OTHER_NUMPY_ABI.id))


def _compiled(package: InstalledPackage, numpy: InstalledPackage) -> Reason:
    """Return whether a compiled part runs with NumPy: made for 2, it runs with 1 as well."""
    because = f"{_said(package)} is compiled for NumPy {package.numpy}, beside {_said(numpy)}."
    is_old = (numpy.version or "").startswith(("0.", "1."))
    if package.numpy == "2" or is_old:
        return Reason(OTHER_NUMPY_ABI.id, "fits", because)
    return Reason(OTHER_NUMPY_ABI.id, "refused", because)


def _opencvs(python: Installed) -> tuple[Reason, ...]:
    """Return what the rules say of OpenCV; conda's one package has the metadata of two."""
    found = [one for one in python.imported if one.name in OPENCVS]
    of_conda = [one for one in found if one.origin == "conda"]
    counted = [one for one in found if one not in of_conda[1:]]
    return tuple(reason for reason in judge(_versions(counted)) if reason.rule == OPENCV_TWICE)


def _versions(packages: Iterable[InstalledPackage]) -> dict[str, str]:
    return {one.name: one.version for one in packages if one.version is not None}


def _is_in(package: InstalledPackage, prefix: str) -> bool:
    return package.folder is not None and PurePosixPath(package.folder).is_relative_to(prefix)


def _said(package: InstalledPackage) -> str:
    return f"{package.name} {package.version or '?'}" + (f" in {package.folder}" if package.folder else "")
