"""Every official torch build, judged for one host or for several together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from envcheck.choice.answers import in_words
from envcheck.choice.candidates import BuildVerdict, asks_for, can_run, judge_builds
from envcheck.choice.gpus import narrow
from envcheck.choice.wishes import Wishes
from envcheck.compat.verdict import Reason, join
from envcheck.host.facts import Host
from envcheck.recipes import Recipe

SCHEMA = "envcheck.builds/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """The document `envcheck.builds/1`: the builds that were asked for, the most wanted first."""

    schema: str = SCHEMA
    hosts: tuple[str, ...]
    wish: str = ""
    origins: tuple[str, ...] = ()  # where each wish was read, and what of a file was left out
    builds: tuple[BuildVerdict, ...]

    @property
    def running(self) -> tuple[BuildVerdict, ...]:
        """Those that run."""
        return tuple(one for one in self.builds if can_run(one))


def builds_for(hosts: Iterable[tuple[str, Host]], recipes: Sequence[Recipe], wishes: Wishes) -> Builds:
    """Return the verdict on every official build that the wishes allow, on all of the named `hosts` at once.

    With several hosts each reason begins with the host that it is about.
    """
    judged = [(name, tuple(judge_builds(narrow(host, wishes.gpus), recipes, wishes))) for name, host in hosts]
    builds = judged[0][1] if len(judged) == 1 else _joined(judged)
    return Builds(
        hosts=tuple(name for name, _ in judged),
        wish=in_words(wishes),
        origins=wishes.origins,
        builds=tuple(one for one in builds if asks_for(wishes, one)),
    )


def _joined(judged: Sequence[tuple[str, Sequence[BuildVerdict]]]) -> Iterator[BuildVerdict]:
    """Yield one verdict for each build: what is refused on one host is refused for all."""
    reasons: dict[tuple[Version, str], list[Reason]] = {}
    first: dict[tuple[Version, str], BuildVerdict] = {}
    for name, builds in judged:
        for one in builds:
            key = (one.torch, one.tag)
            first.setdefault(key, one)
            said = (replace(reason, because=f"{name}: {reason.because}") for reason in one.reasons)
            reasons.setdefault(key, []).extend(said)
    for key, one in first.items():
        yield replace(one, verdict=join(reasons[key]), reasons=tuple(reasons[key]))
