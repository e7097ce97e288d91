"""The steps that envcheck takes itself: without root, and each with a command that undoes it.

What can be taken here depends on what is installed; nothing is taken that a plan does not have.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping

from envcheck.doctor.plan import Done, FixPlan
from envcheck.environments.place import Watcher
from envcheck.processes import stream
from envcheck.symptoms import Action


def able() -> frozenset[str]:
    """Return the kinds of action that can be taken on this machine."""
    return frozenset({"install-python"}) if _uv() else frozenset()


def take(plan: FixPlan, watch: Watcher) -> tuple[Done, ...]:
    """Take the steps of a plan that are envcheck's, and return how each ended."""
    return tuple(_taken(action, watch) for action in plan.actions)


def _taken(action: Action, watch: Watcher) -> Done:
    with watch.step(action.words):
        return Done(action, _TAKE[action.kind](action.subject))


def _install_python(version: str) -> str:
    """Let uv put an interpreter into the user's home; return why it did not."""
    heard = bytearray()
    code = stream([*_uv(), "python", "install", version], show=False, heard=heard)
    if code == 0:
        return ""
    lines = heard.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
    said = next((line for line in lines if line.startswith("error: ")), lines[-1])
    return f"uv ended with exit code {code}: {said.removeprefix('error: ')[:300]}"


def _uv() -> tuple[str, ...]:
    """Return how uv is started: the user's own, else the one beside envcheck; () where there is none."""
    if program := shutil.which("uv"):
        return (program,)
    return (sys.executable, "-m", "uv") if importlib.util.find_spec("uv") else ()


_TAKE: Mapping[str, Callable[[str], str]] = {"install-python": _install_python}
