"""One finding for all Pythons in use: how bad it is, what it shows, and what it says is to be typed."""

from __future__ import annotations

import pytest
from packaging.version import Version

from envcheck.compat.verdict import Reason
from envcheck.doctor.check import Case, Check
from envcheck.doctor.checks.packages import Broken
from envcheck.doctor.pythons import over_pythons
from envcheck.host.facts import Host, Installed, InstalledPackage, OperatingSystem
from envcheck.symptoms.symptom import Fix, Symptom

SYMPTOM = Symptom(
    "a.check",
    "something is wrong",
    Fix("Mend it.", ("pip install it", "envcheck pick")),
    why="It broke.",
    link="https://example.org",
)
SITE = "/env/lib/python3.11/site-packages"
ENVIRONMENT = Installed("/env/bin/python", active=True, packages=(InstalledPackage("numpy", "2.1", SITE),))
ON_PATH = Installed("/usr/bin/python3", active=False, packages=())


class _Errors(Check):
    id = SYMPTOM.id
    title = "All is well"


class _Warns(_Errors):
    worst = "warn"


def _refused(*remedies):
    return tuple(Reason("a", "refused", f"Reason {place}.", one) for place, one in enumerate(remedies))


def _look(*pythons, answers, check=_Errors, container=None, unknown=None):
    """Return the finding where each Python has one of `answers`, by its executable."""
    host = Host(
        os=OperatingSystem(container=container),
        driver=None,
        gpus=(),
        installed=pythons,
        unknown=unknown or {},
    )
    return over_pythons(
        check(), Case(host), lambda python: answers.get(python.executable, ()), SYMPTOM, "Nothing."
    )


@pytest.mark.parametrize(
    ("python", "check", "status"),
    [
        (ENVIRONMENT, _Errors, "error"),
        (ENVIRONMENT, _Warns, "warn"),
        (ON_PATH, _Errors, "warn"),
        (Installed("/usr/bin/python3", packages=()), _Errors, "warn"),
    ],
)
def test_only_what_somebody_activated_can_be_an_error(python, check, status):
    assert _look(python, answers={python.executable: _refused("")}, check=check).status == status


def test_an_environment_that_is_fine_does_not_make_the_other_python_an_error():
    fine = (Reason("a", "fits", "Good."),)
    finding = _look(ENVIRONMENT, ON_PATH, answers={"/env/bin/python": fine, "/usr/bin/python3": _refused("")})
    assert finding.status == "warn"
    assert finding.evidence == ("/usr/bin/python3, packages in a folder that is not said:", "Reason 0.")


def test_the_evidence_names_each_python_and_its_folders_before_what_it_lacks():
    answers = {"/env/bin/python": _refused("", ""), "/usr/bin/python3": _refused("")}
    finding = _look(ENVIRONMENT, ON_PATH, answers=answers)
    assert finding.evidence == (
        f"/env/bin/python, packages in {SITE}:",
        "Reason 0.",
        "Reason 1.",
        "/usr/bin/python3, packages in a folder that is not said:",
        "Reason 0.",
    )


@pytest.mark.parametrize(
    ("python", "called"),
    [
        (Installed(version=Version("3.11.7"), packages=()), "Python 3.11.7"),
        (Installed(packages=()), "a Python"),
    ],
)
def test_a_python_without_a_path_has_a_name_all_the_same(python, called):
    finding = _look(python, answers={None: _refused("")})
    assert finding.evidence[0] == f"{called}, packages in a folder that is not said:"


@pytest.mark.parametrize(
    ("remedies", "text"),
    [(("Do this.",), "Do this."), (("Do this.", "Do that."), "Mend it."), (("",), "Mend it.")],
)
def test_one_remedy_is_told_and_several_are_left_to_the_symptom(remedies, text):
    assert _look(ENVIRONMENT, answers={"/env/bin/python": _refused(*remedies)}).fix.text == text


@pytest.mark.parametrize(
    ("executable", "command"),
    [
        ("/env/bin/python", "/env/bin/python -m pip install it"),
        ("/my env/bin/python; rm", "'/my env/bin/python; rm' -m pip install it"),
        (None, "pip install it"),
    ],
)
def test_pip_is_that_pythons_own(executable, command):
    python = Installed(executable, active=True, packages=())
    finding = _look(python, answers={executable: _refused("")})
    assert finding.fix.commands == (command, "envcheck pick")


def test_inside_a_container_packages_are_mended_in_the_image():
    finding = _look(ENVIRONMENT, answers={"/env/bin/python": _refused("")}, container="docker")
    assert finding.fix.text == "Mend it. In the image: what is installed in a container ends with it."


def test_what_could_not_be_read_is_never_fine():
    unread = Installed("/usr/bin/python3", active=False)
    why = {"installed[1].packages": "/usr/lib: closed"}
    fine = {"/env/bin/python": (Reason("a", "fits", "Good."),)}
    finding = _look(ENVIRONMENT, unread, answers=fine, unknown=why)
    assert (finding.status, finding.cause) == ("unknown", "/usr/lib: closed")
    finding = _look(ENVIRONMENT, unread, answers={"/env/bin/python": _refused("")}, unknown=why)
    assert finding.status == "error"


def test_an_open_question_is_told_before_what_is_fine():
    answers = {"/env/bin/python": (Reason("a", "fits", "Good."), Reason("a", "unknown", "Who knows."))}
    finding = _look(ENVIRONMENT, answers=answers)
    assert (finding.status, finding.cause) == ("unknown", "/env/bin/python: Who knows.")
    both = (Reason("a", "unknown", "Who knows."), Reason("a", "unknown", "Nor this."))
    finding = _look(ENVIRONMENT, answers={"/env/bin/python": both})
    assert finding.cause == "/env/bin/python: Who knows."
    assert finding.evidence == ("/env/bin/python: Nor this.",)
    answers = {"/env/bin/python": (Reason("a", "fits", "Good."),)}
    assert _look(ENVIRONMENT, answers=answers).evidence == ("/env/bin/python: Good.",)
    assert _look(ENVIRONMENT, answers={}).cause == "Nothing."


def test_what_is_to_be_installed_anew_is_named_with_its_version(machine):
    packages = (
        InstalledPackage("numpy", "2.1.0", broken="numpy.libs is missing"),
        InstalledPackage("torch", "2.10.0+cu128"),
        InstalledPackage("scipy", broken="scipy/__init__.py is missing"),
    )
    pythons = (Installed("/home/me/pose/bin/python", active=True, packages=packages),)
    fix = Broken().look(Case(machine("rtx3090-driver550", installed=pythons))).fix
    pip = "/home/me/pose/bin/python -m pip"
    assert fix.commands == (f"{pip} install --force-reinstall --no-deps numpy==2.1.0 scipy",)
