"""Container engines by themselves: do they answer, have they room, are they of this machine's kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.system import needed_mib
from envcheck.doctor.finding import Finding, Fix
from envcheck.host.facts import NOT_STARTED, Engine, Host
from envcheck.symptoms import find
from envcheck.symptoms.engine import CONTEXT, DENIED, GONE
from envcheck.symptoms.inside import PLATFORM

if TYPE_CHECKING:
    from typing import TypeAlias

    Placed: TypeAlias = tuple[int, Engine]

# Below it nothing that is running can write its log either.
_FULL_MIB = 1024
# The CPU recipe's environment has 24,573 files and folders, and an image of it a second layer of them.
_NEEDED_INODES = 50_000

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")

_SAME = {"arm64": "aarch64", "amd64": "x86_64"}


class ContextThere(Check):
    """A chosen docker context that leads nowhere hides every engine that would answer."""

    id = CONTEXT.id
    title = "The chosen docker context exists"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Look why no engine was asked."""
        reasons = [why for why in _silent(case.host) if find((CONTEXT,), why)]
        if not reasons:
            return ok(self) if case.host.engines else skip(self, "No docker context was chosen here.")
        return Finding(
            self.id,
            "warn",
            CONTEXT.title,
            tuple(reasons),
            "DOCKER_CONTEXT or docker context use chose it, and no other engine is asked then.",
            Fix(CONTEXT.fix.text, ("docker context ls", "docker context use default")),
            "https://docs.docker.com/engine/manage-resources/contexts/",
        )


class Gone(Check):
    """An engine that is installed, and whose daemon does not answer."""

    id = GONE.id
    title = "Every container engine that is here answers"
    worst = "warn"

    def look(self, case: Case) -> Finding:
        """Look for engines that were asked and did not answer."""
        host = case.host
        reasons = [why for why in _silent(host) if not find((CONTEXT, DENIED), why)]
        if not reasons:
            if host.engines is None and "engines" not in host.unknown:
                return unknown(self, host.why("engines"))
            return ok(self) if host.engines else skip(self, "No engine is here that could answer.")
        # Another one does the work, or nobody has started this one.
        harmless = bool(host.engines) or all(NOT_STARTED in why for why in reasons)
        fix = Fix(
            "Start it: docker by the first, podman's socket by the second.",
            GONE.fix.commands,
            needs_root=True,
        )
        if case.in_container:
            fix = Fix(
                "Its socket leads nowhere in this container: start that with the machine's own.",
                ("docker run -v /var/run/docker.sock:/var/run/docker.sock ...",),
            )
        return Finding(
            self.id,
            "info" if harmless else "warn",
            GONE.title,
            tuple(reasons),
            "Its daemon is not running, hangs, or listens elsewhere; --in auto makes virtual environments.",
            fix,
            "https://docs.docker.com/engine/daemon/troubleshoot/",
        )


class EngineDisk(Check):
    """Room for images where the engine keeps them, which is often another disk than the cache's."""

    id = "container.disk"
    title = "The container engine has room for images"
    worst = "warn"
    caused_by = ("system.disk",)

    def look(self, case: Case) -> Finding:
        """Hold free space and free inodes against what an image takes."""
        if not case.host.engines:
            return skip(self, "No container engine answers.")
        known = [engine for engine in case.host.engines if engine.root_free_mib is not None]
        tight = [engine for engine in known if _is_tight(engine, needed_mib(case))]
        if not tight:
            if path := unsaid(enumerate(case.host.engines), "root_free_mib"):
                return unknown(self, case.host.why(path), *map(_room, known))
            return ok(self, *map(_room, known))
        full = [engine for engine in tight if _is_full(engine)]
        told = full or tight
        return Finding(
            self.id,
            "warn" if full else "info",
            f"The disk of {told[0].name}'s images is {'full' if full else 'too small for another image'}",
            tuple(map(_room, told)),
            "Images, stopped containers and the cache of builds stay until somebody removes them; a full "
            "disk fails builds, and containers that run.",
            Fix(
                "See what lies there, and remove what nobody needs.",
                (f"{told[0].name} system df", f"{told[0].name} image prune"),
                destructive=True,
            ),
            "https://docs.docker.com/engine/manage-resources/pruning/",
        )


class Platform(Check):
    """An engine on another processor than this machine's: its images are none for here."""

    id = PLATFORM.id
    title = "The container engine runs on this machine's kind of processor"
    worst = "info"

    def look(self, case: Case) -> Finding:
        """Compare the engine's processor with the system's."""
        here = _processor(case.host.os.machine)
        engines = case.host.engines
        if not engines:
            return skip(self, "No container engine answers.")
        others = [one for one in engines if one.machine and here and _processor(one.machine) != here]
        if others:
            return Finding(
                self.id,
                "info",
                f"{others[0].name} runs on another processor than this machine",
                tuple(f"{engine.name}: {engine.machine}; this machine: {here}" for engine in others),
                "It is on another machine, or in a virtual one: images that it builds run there only.",
                Fix("Choose this machine's own engine.", ("docker context use default",)),
                PLATFORM.link,
            )
        # podman does not say, and is one of this machine: its interface is hardly ever used from another.
        if path := "os.machine" if here is None else unsaid(dockers(case.host), "machine"):
            return unknown(self, case.host.why(path))
        return ok(self, *(f"{engine.name}: {engine.machine}" for engine in engines if engine.machine))


class Proxy(Check):
    """A proxy that programs here are told of and the daemon is not: it pulls base images by itself."""

    id = "container.proxy"
    title = "Docker uses a proxy where programs here do"
    worst = "info"

    def look(self, case: Case) -> Finding:
        """Compare the variables of this user with what docker says of itself."""
        asked = dockers(case.host)
        if not asked:
            return skip(self, "No docker answers.")
        variables = case.host.surroundings.variables
        if variables is None:
            return unknown(self, case.host.why("surroundings.variables"))
        own = [name for name in variables if name.lower() in _PROXIES]
        if not own:
            return ok(self)
        if path := unsaid(asked, "proxy"):
            return unknown(self, case.host.why(path))
        if all(engine.proxy for _, engine in asked):
            return ok(self, *(f"{name} is set" for name in own))
        return Finding(
            self.id,
            "info",
            "Docker does not use the proxy that programs here use",
            (*(f"{name} is set" for name in own), "docker info: no HTTP proxy and no HTTPS proxy"),
            "The daemon pulls images with settings of its own; where all goes through the proxy, none comes.",
            Fix(
                "Name the proxy in its daemon.json (see the link) and restart docker, which ends running "
                "containers.",
                ("sudo systemctl restart docker",),
                needs_root=True,
                destructive=True,
            ),
            "https://docs.docker.com/engine/daemon/proxy/",
        )


class Warnings(Check):
    """What docker says about itself and nobody reads: limits that the kernel cannot keep, open ports."""

    id = "container.warnings"
    title = "Docker has nothing to complain about"
    worst = "info"

    def look(self, case: Case) -> Finding:
        """Look at the warnings of `docker info`; podman has none."""
        asked = dockers(case.host)
        if not asked:
            return skip(self, "No docker answers.")
        said = tuple(f"docker info: {warning}" for _, one in asked for warning in one.warnings or ())
        if said:
            return Finding(
                self.id,
                "info",
                "Docker warns of something",
                said,
                "Most of it is about limits that this kernel does not keep, or about an open network port.",
                link="https://docs.docker.com/reference/cli/docker/system/info/",
            )
        path = unsaid(asked, "warnings")
        return unknown(self, case.host.why(path)) if path else ok(self)


def dockers(host: Host) -> tuple[Placed, ...]:
    """Return the docker engines, each with its place among the engines."""
    return tuple((place, one) for place, one in enumerate(host.engines or ()) if one.name == "docker")


def unsaid(engines: Iterable[Placed], *facts: str) -> str | None:
    """Return the path of the first fact that is not known of one of the engines, None where all are."""
    paths = (
        f"engines[{place}].{fact}"
        for place, engine in engines
        for fact in facts
        if getattr(engine, fact) is None
    )
    return next(paths, None)


def _silent(host: Host) -> list[str]:
    """Return why engines did not answer, one reason for each."""
    return [why for why in host.unknown.get("engines", "").split("; ") if why]


def _is_full(engine: Engine) -> bool:
    return (engine.root_free_mib or 0) < _FULL_MIB or _lacks_inodes(engine)


def _is_tight(engine: Engine, needed_mib: int) -> bool:
    return (engine.root_free_mib or 0) < needed_mib or _lacks_inodes(engine)


def _lacks_inodes(engine: Engine) -> bool:
    return engine.root_free_inodes is not None and engine.root_free_inodes < _NEEDED_INODES


def _room(engine: Engine) -> str:
    count = engine.root_free_inodes
    inodes = ", inodes not known" if count is None else f", {count} inodes free"
    return f"{engine.name}, {engine.root}: {(engine.root_free_mib or 0) / 1024:.1f} GiB free{inodes}"


def _processor(machine: str | None) -> str | None:
    return _SAME.get(machine, machine) if machine else None
