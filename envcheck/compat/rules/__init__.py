"""The rules: pure functions from a machine and a torch build to reasons, and the one list of them.

To add a rule: write the function, in the module of its subject, and add it to `RULES`. A rule that has
nothing to say about a machine returns (); one that misses a fact says which fact would settle it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from envcheck.compat.rules.code import code
from envcheck.compat.rules.compat import compat
from envcheck.compat.rules.devices import cpu, unlisted
from envcheck.compat.rules.driver import driver
from envcheck.compat.rules.generation import generation
from envcheck.compat.rules.jetson import jetson
from envcheck.compat.rules.mig import mig
from envcheck.compat.rules.modules import modules
from envcheck.compat.rules.ptx import ptx
from envcheck.compat.rules.system import glibc, platform, python
from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.host.facts import Host

Rule = Callable[[Host, Build], tuple[Reason, ...]]

# In the order in which a person wants to read them: what is in the way of everything first.
RULES: tuple[Rule, ...] = (
    unlisted,
    cpu,
    mig,
    platform,
    jetson,
    driver,
    compat,
    generation,
    modules,
    code,
    ptx,
    glibc,
    python,
)


def reasons(host: Host, build: Build) -> Iterator[Reason]:
    """Yield what every rule says, a rule at a time, the last one first.

    For who asks only whether any is in the way: what the last rules ask is cheap, and stops most old builds.
    """
    for rule in reversed(RULES):
        yield from rule(host, build)


def judge(host: Host, build: Build) -> tuple[Reason, ...]:
    """Return what every rule says about running `build` on all of the host's GPUs."""
    return tuple(reason for rule in RULES for reason in rule(host, build))
