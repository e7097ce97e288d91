"""A command on this machine itself, with an environment's interpreter first on its path."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from envcheck.engine.containers import Ended
from envcheck.environments.place import Limits, Place, Work
from envcheck.errors import UsageError
from envcheck.processes import hand_over, stream


def run_here(place: Place, work: Work, variables: Mapping[str, str] | None = None) -> Ended:
    """Run a command with all of the caller's variables; see `Environment.run`.

    Raises `UsageError` where a limit is asked for: nothing here could keep it.
    """
    refuse_limits(work.limits)
    for folder in work.writes:
        folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join((str(place.python.parent), os.environ.get("PATH", os.defpath)))
    env = {**os.environ, "PATH": path, **(variables or {}), **work.variables}
    if work.terminal:
        if work.begun:
            work.begun()
        return Ended(hand_over(work.argv, env=env))
    return Ended(
        stream(
            work.argv,
            env=env,
            log=work.log,
            show=work.show,
            heard=work.heard,
            begun=work.begun,
            ends_with_reader=work.ends_with_reader,
        )
    )


def refuse_limits(limits: Limits) -> None:
    """Raise `UsageError` where something is asked for that only a container could keep."""
    if limits.memory is not None or limits.cpus is not None:
        raise UsageError("--memory and --cpus limit a container", "--in docker has one.")


def shell_here(place: Place, folder: Path) -> tuple[str, ...]:
    """Return the argv of the user's shell, which finds the environment's interpreter first.

    bash is told so by a file in `folder`: what it reads at its start often puts other interpreters before it.
    """
    shell = os.environ.get("SHELL") or "/bin/sh"
    if Path(shell).name != "bash":
        return (shell,)
    rc = folder / "bashrc"
    first = shlex.quote(str(place.python.parent))
    rc.write_text(f'[ -r ~/.bashrc ] && . ~/.bashrc\nPATH={first}:"$PATH"\n', encoding="utf-8")
    return (shell, "--rcfile", str(rc), "-i")
