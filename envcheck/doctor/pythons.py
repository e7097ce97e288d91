"""Findings about the Pythons in use: one finding for all of them, whatever the question is.

Recipes bring their own environments and need none of this. So only an environment that somebody activated can
be an error: about a python3 that merely is on PATH nobody has said that torch shall run there.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace

from envcheck.compat.verdict import Reason
from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.finding import Finding, Fix, Status
from envcheck.host.facts import Installed
from envcheck.symptoms.symptom import Symptom

# What a check asks of one Python; () where the question does not arise.
Ask = Callable[[Installed], tuple[Reason, ...]]


def over_pythons(check: Check, case: Case, ask: Ask, symptom: Symptom, nothing: str) -> Finding:
    """Return what `ask` says of every Python in use, as one finding in the words of `symptom`.

    `nothing` says why the question does not arise where it arises for none.
    """
    pythons = case.host.installed
    if pythons is None:
        return unknown(check, case.host.why("installed"))
    unread = [place for place, python in enumerate(pythons) if python.packages is None]
    judged = [(python, reason) for python in pythons if python.packages is not None for reason in ask(python)]
    refused = [(python, reason) for python, reason in judged if reason.verdict == "refused"]
    if refused:
        return _trouble(check, case, refused, symptom)
    if unread:
        return unknown(check, case.host.why(f"installed[{unread[0]}].packages"))
    if open_ := [_said(python, reason) for python, reason in judged if reason.verdict == "unknown"]:
        return unknown(check, open_[0], *open_[1:])
    if not judged:
        return skip(check, nothing)
    return ok(check, *(_said(python, reason) for python, reason in judged))


def _trouble(check: Check, case: Case, refused: list[tuple[Installed, Reason]], symptom: Symptom) -> Finding:
    pythons = list({id(python): python for python, _ in refused}.values())
    status: Status = check.worst if any(python.active for python in pythons) else "warn"
    evidence = [
        line
        for python in pythons
        for line in (_place(python), *(reason.because for one, reason in refused if one is python))
    ]
    remedies = {reason.remedy for _, reason in refused}
    text = remedies.pop() if len(remedies) == 1 else ""
    fix = replace(symptom.fix, text=text or symptom.fix.text, commands=_commands(symptom.fix, pythons[0]))
    if case.in_container and fix.commands != symptom.fix.commands:
        fix = replace(fix, text=f"{fix.text} In the image: what is installed in a container ends with it.")
    return Finding(check.id, status, symptom.title, tuple(evidence), symptom.why, fix, symptom.link)


def _commands(fix: Fix, python: Installed) -> tuple[str, ...]:
    """Return the commands, with pip as that Python's own."""
    pip = f"{shlex.quote(python.executable)} -m pip" if python.executable else "pip"
    return tuple(f"{pip}{one[3:]}" if one.startswith("pip ") else one for one in fix.commands)


def _said(python: Installed, reason: Reason) -> str:
    return f"{_called(python)}: {reason.because}"


def _place(python: Installed) -> str:
    """Return which Python it is, and the folders in which its packages were found."""
    folders = dict.fromkeys(one.folder for one in python.packages or () if one.folder)
    return f"{_called(python)}, packages in {', '.join(folders) or 'a folder that is not said'}:"


def _called(python: Installed) -> str:
    return python.executable or (f"Python {python.version}" if python.version else "a Python")
