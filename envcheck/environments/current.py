"""The interpreter that runs envcheck, as it is: nothing is built, every difference from the lock is said."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from envcheck.engine.containers import Ended
from envcheck.environments.here import run_here, shell_here
from envcheck.environments.place import Place, Watcher, Work
from envcheck.errors import EnvcheckError
from envcheck.recipes import Recipe, lock_hash, read_lock


@dataclass(frozen=True, slots=True)
class Current:
    """Checks this interpreter against a recipe."""

    program: Path  # the copy of pose

    def prepare(self, recipe: Recipe, python: str, *, watch: Watcher) -> Place:  # noqa: ARG002 - the contract's
        """Return this interpreter with its differences from the lock; see `Environment.prepare`."""
        installed = {
            canonicalize_name(found.metadata["Name"]): found.version
            for found in metadata.distributions()
            if found.metadata["Name"]
        }
        if "torch" not in installed:
            raise EnvcheckError(
                f"This interpreter has no torch: {sys.executable}",
                "Install one into it, or let envcheck build an environment: --in venv",
            )
        mine = f"{sys.version_info.major}.{sys.version_info.minor}"
        lock = recipe.lock_for(mine)
        differences = []
        if lock is None:
            differences.append(
                f"recipe {recipe.name} has no lock for Python {mine}: nothing could be compared"
            )
        else:
            for pin in read_lock(lock):
                have = installed.get(canonicalize_name(pin.name))
                if have != pin.version:
                    differences.append(f"{pin.name} is {have or 'absent'}, the lock has {pin.version}")
        return Place(
            kind="current",
            recipe=recipe.name,
            lock_hash=lock_hash(lock) if lock else "",
            python=Path(sys.executable),
            python_version=platform.python_version(),
            reused=True,
            differences=tuple(differences),
            is_locked=False,
        )

    def stage(self, place: Place, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return the argv that runs pose; see `Environment.stage`."""
        return (str(place.python), str(self.program), *arguments)

    def shell(self, place: Place, folder: Path) -> tuple[str, ...]:
        """Return the argv of the user's own shell; see `Environment.shell`."""
        return shell_here(place, folder)

    def run(self, place: Place, work: Work) -> Ended:
        """Run a command with this interpreter first on its path; see `Environment.run`."""
        return run_here(place, work)
