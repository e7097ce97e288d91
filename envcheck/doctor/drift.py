"""What has changed on a machine since a snapshot of it, and whether another recipe is picked now.

Both picks are made by the recipes and tables of today, so only the machine's facts can tell them apart. What
the snapshot does not say is not compared, and what is not known now was not necessarily lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envcheck.choice.candidates import obstacles
from envcheck.choice.choose import Choice
from envcheck.host.facts import Driver, Engine, Gpu, Host, Installed, Mig
from envcheck.situation import look

NOT_KNOWN = "not known"
_THERE = "there"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A machine as it was, and what would be picked for it."""

    name: str  # of the file, without its folder
    host: Host
    choice: Choice

    @property
    def words(self) -> str:
        """The snapshot in a sentence: "host.json of 2026-11-20"."""
        date = (self.host.probed or "")[:10]
        return f"{self.name} of {date}" if date else self.name


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is another one now; null is what is not there."""

    fact: str  # "driver.version", "gpus[GPU-5c0d...].memory_mib"
    before: str | None
    now: str | None

    @property
    def words(self) -> str:
        """The change in a line."""
        if self.before is None:
            return f"{self.fact}: new ({self.now})"
        return f"{self.fact}: {self.before}, now {self.now or 'gone'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The whole comparison, as doctor's document has it."""

    baseline: str  # the snapshot's file, and its date
    changes: tuple[Change, ...]
    recipe_before: str | None
    recipe_now: str | None
    because: tuple[str, ...] = ()  # why another recipe is picked

    @property
    def sentence(self) -> str:
        """How much has changed, and what became of the pick."""
        count = len(self.changes)
        facts = (
            f"{count} fact{'s' if count != 1 else ''} changed"
            if count
            else "Nothing of what is compared changed"
        )
        before, now = (name or "no recipe" for name in (self.recipe_before, self.recipe_now))
        pick = f"the pick stays {now}" if before == now else f"the pick was {before} and is {now}"
        return f"{facts} since {self.baseline}; {pick}."


def look_back(file: str) -> Baseline:
    """Return the machine of a snapshot, and what is picked for it. Raises `UsageError` for bad input."""
    before = look(file)
    return Baseline(Path(file).name, before.host, before.choice)


def drift(baseline: Baseline, host: Host, choice: Choice) -> Drift:
    """Return everything that is other than it was."""
    return Drift(
        baseline=baseline.words,
        changes=changes(baseline.host, host),
        recipe_before=baseline.choice.recipe,
        recipe_now=choice.recipe,
        because=why_another(baseline.choice, choice),
    )


def changes(before: Host, now: Host) -> tuple[Change, ...]:
    """Return the facts that were known and are others now, and what is new in lists that were known."""
    by_uuid = all(gpu.uuid for host in (before, now) for gpu in host.gpus or ())
    old, new = (
        {**dict(_facts(host, by_uuid=by_uuid)), **dict(_beside(host, other))}
        for host, other in ((before, now), (now, before))
    )
    listed_before, listed_now = _lists(before), _lists(now)
    gone = {fact for fact in old.keys() - new.keys() if _list_of(fact) in listed_now}
    found = []
    for fact, value in old.items():
        if fact in gone:
            found.append(Change(fact, value, None))
        elif new.get(fact) != value and not any(fact.startswith(f"{one}.") for one in gone):
            found.append(Change(fact, value, new.get(fact, NOT_KNOWN)))
    for fact, value in new.items():
        if fact not in old and _list_of(fact) in listed_before:
            found.append(Change(fact, None, value))
    return tuple(found)


def why_another(before: Choice, now: Choice) -> tuple[str, ...]:
    """Return what is in the way of the old pick now; where nothing is, what was in the way of the new one."""
    if before.recipe == now.recipe:
        return ()
    against = tuple(f"{before.recipe} now: {why}" for why in _obstacles(now, before.recipe))
    return against or tuple(f"{now.recipe} then: {why}" for why in _obstacles(before, now.recipe))


def _obstacles(choice: Choice, recipe: str | None) -> tuple[str, ...]:
    found = (reason.because for one in choice.verdicts if one.recipe == recipe for reason in obstacles(one))
    return tuple(dict.fromkeys(found))


def _list_of(fact: str) -> str | None:
    """Return the list that a thing stands in, "gpus" for "gpus[GPU-5c0d]"; None for what is no thing."""
    return fact if fact == "driver" else fact.rpartition("[")[0] if fact.endswith("]") else None


def _lists(host: Host) -> frozenset[str]:
    """Return the lists that are known: what is not in them is not there."""
    known = {
        "driver": host.driver is not None or "driver" not in host.unknown,
        "gpus": host.gpus is not None,
        "pci": host.pci is not None,
        "engines": host.engines is not None,
        "python.interpreters": host.python.version is not None,
        "driver.nodes": host.driver is not None and host.driver.nodes is not None,
        "cdi": host.cdi is not None,
    }
    packages = (_packages(one) for one in host.installed or () if one.packages is not None)
    return frozenset([*(name for name, is_known in known.items() if is_known), *packages])


def _facts(host: Host, *, by_uuid: bool) -> Iterator[tuple[str, str]]:
    """Yield what is known, each fact under its path; things are told by what they are called by."""
    if host.driver is not None:
        yield "driver", _THERE
        yield from _known("driver", _driver(host.driver))
    for place, gpu in enumerate(host.gpus or ()):
        yield from _gpu(f"gpus[{gpu.uuid if by_uuid else place}]", gpu)
    for card in host.pci or ():
        yield f"pci[{card.address}]", card.name or card.device or "a card"
        yield from _known(f"pci[{card.address}]", {"driver": card.driver})
    system = host.os
    yield from _known(
        "os",
        {
            "kernel": system.kernel,
            "system": system.system,
            "machine": system.machine,
            "distribution": system.distribution,
            "glibc": system.glibc,
            "wsl": system.wsl,
            "jetson": system.jetson,
            "container": system.container or "none",
        },
    )
    for engine in host.engines or ():
        yield f"engines[{engine.name}]", _THERE
        yield from _known(f"engines[{engine.name}]", _engine(engine))
    if (toolkit := host.toolkit) is not None:
        said: dict[str, object] = {
            "version": toolkit.version,
            "mode": toolkit.mode,
            "no_cgroups": toolkit.no_cgroups,
            "refresh": toolkit.refresh,
        }
        yield from _known("toolkit", said)
    for spec in host.cdi or ():
        yield f"cdi[{spec.path}]", _THERE
        yield from _known(f"cdi[{spec.path}]", {"kind": spec.kind, "driver": spec.driver})
    yield from _known("python", {"version": host.python.version})
    for version in host.python.interpreters:
        yield f"python.interpreters[{version}]", _THERE
    for version in host.python.incomplete:
        yield f"python.interpreters[{version}]", "without venv"


def _beside(host: Host, other: Host) -> Iterator[tuple[str, str]]:
    """Yield those facts of `host` that are compared only where `other` is asked for the same things."""
    if not any(map(_makes_nodes, (host, other))):
        for node in (host.driver.nodes if host.driver is not None else None) or ():
            yield f"driver.nodes[{node.path}]", _THERE
            yield from _known(f"driver.nodes[{node.path}]", {"usable": node.usable})
    theirs = {one.executable for one in other.installed or ()}
    for python in host.installed or ():
        for package in python.imported if python.executable in theirs else ():
            yield f"{_packages(python)}[{package.name}]", package.version or _THERE
    own, others = host.surroundings.variables, other.surroundings.variables
    if own is not None and others is not None:
        for name in sorted({*own, *others}):
            yield f"variables[{name}]", own.get(name, "not set")


def _makes_nodes(host: Host) -> bool:
    """Return whether a node that is missing is made for the first program, so that none is ever lost."""
    return bool(host.driver and host.driver.modprobe and not host.os.container)


def _packages(python: Installed) -> str:
    return f"installed[{python.executable}].packages"


def _driver(driver: Driver) -> dict[str, object]:
    kinds = {True: "open", False: "proprietary", None: None}
    # Which one is installed is asked where it is known whether it runs.
    manages = driver.fabric_manager_runs is not None
    return {
        "fabric_manager": driver.fabric_manager or ("none" if manages else None),
        "fabric_manager_runs": driver.fabric_manager_runs,
        "version": driver.version,
        "cuda": driver.cuda,
        "libcuda": driver.libcuda,
        "module_version": driver.module_version,
        "open_module": kinds[driver.open_module],
    }


def _gpu(path: str, gpu: Gpu) -> Iterator[tuple[str, str]]:
    yield path, gpu.name or "a GPU"
    yield from _known(
        path,
        {
            "compute_capability": gpu.compute_capability,
            "memory_mib": gpu.memory_mib,
            "mig": _mig(gpu.mig) if gpu.mig else None,
            "persistence": gpu.persistence,
            "compute_mode": gpu.compute_mode,
            "ecc": gpu.memory_health.ecc if gpu.memory_health else None,
            "nvlinks": f"{sum(gpu.nvlinks)} of {len(gpu.nvlinks)} up" if gpu.nvlinks else None,
        },
    )


def _mig(mig: Mig) -> str | None:
    if not mig.enabled:
        return None if mig.enabled is None else "off"
    if mig.instances is None:
        return "on"
    slices = ", ".join(f"{one.name or 'a slice'} ({one.uuid or '?'})" for one in mig.instances)
    return f"on, {slices or 'no instance'}"


def _engine(engine: Engine) -> dict[str, object]:
    return {
        "version": engine.version,
        "gpu_mode": engine.gpu_mode,
        "gpu_request": engine.gpu_request,
        "default_runtime": engine.default_runtime,
        "rootless": engine.rootless,
    }


def _known(owner: str, values: dict[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if value is not None:
            yield f"{owner}.{name}", "yes" if value is True else "no" if value is False else str(value)
