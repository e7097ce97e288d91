"""The machine under the wheel: operating system and processor, C library, Python."""

from __future__ import annotations

from envcheck.compat.tables import Build
from envcheck.compat.verdict import Reason
from envcheck.host.facts import Host


def platform(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the build is made for this operating system and processor."""
    system, machine = host.os.system, host.os.machine
    served = " and ".join(f"Linux {name}" for name in build.machines)
    if system is not None and system != "Linux":
        because = f"This machine runs {system}, and the build serves {served}."
        remedy = "Run envcheck inside WSL 2." if system == "Windows" else ""
        return (Reason("platform", "refused", because, remedy, _tags_of(build)),)
    if machine is not None and machine not in build.machines:
        because = f"This machine is {machine}, and the build serves {served}."
        return (Reason("platform", "refused", because, source=_tags_of(build)),)
    missing = [f"`os.{name}`" for name, value in (("system", system), ("machine", machine)) if value is None]
    if missing:
        because = (
            f"The build serves {served}; {' and '.join(missing)} would settle whether that is this machine."
        )
        return (Reason("platform", "unknown", because, source=_tags_of(build)),)
    return (Reason("platform", "fits", f"Linux {machine} is served.", source=_tags_of(build)),)


def glibc(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the C library is new enough for the wheels' manylinux tag."""
    found, tag = host.os.glibc, f"manylinux_{build.glibc.major}_{build.glibc.minor}"
    if found is None:
        why = host.unknown.get("os.glibc")
        if why and host.engines == ():
            because = f"The wheels ({tag}) need glibc {build.glibc}; {why}, and no engine would bring one."
            remedy = f"Install Docker or podman, or use a distribution with glibc {build.glibc} or newer."
            return (Reason("glibc", "refused", because, remedy, _tags_of(build)),)
        because = f"The wheels ({tag}) need glibc {build.glibc}; {why or '`os.glibc` would settle it'}."
        return (Reason("glibc", "unknown", because, source=_tags_of(build)),)
    if found < build.glibc:
        lacking = f"glibc {found} is older than {build.glibc}, which the wheels ({tag}) need"
        if brought := _from_container(host, build, "glibc", lacking):
            return brought
        because = f"{lacking}."
        remedy = f"Use a distribution with glibc {build.glibc} or newer."
        return (Reason("glibc", "refused", because, remedy, _tags_of(build)),)
    return (Reason("glibc", "fits", f"glibc {found} is new enough for {tag}.", source=_tags_of(build)),)


def python(host: Host, build: Build) -> tuple[Reason, ...]:
    """Say whether the host has a Python that the build serves; see `host_pythons`."""
    found = host_pythons(host)
    wanted = _listed(build.pythons)
    served = [version for version in found or () if version in build.pythons]
    if found is None:
        because = f"It serves Python {wanted}; `python.interpreters` would settle whether one is here."
        return (Reason("python", "unknown", because, source=_tags_of(build)),)
    if served:
        return (
            Reason("python", "fits", f"Python {_listed(served)} is here and served.", source=_tags_of(build)),
        )
    here = f"Python {_listed(found)}" if found else "no Python that can make a virtual environment"
    lacking = f"This machine has {here}, and the build serves {wanted}"
    if build.pythons and (brought := _from_container(host, build, "python", lacking)):
        return brought
    broken = [version for version in host.python.incomplete if version in build.pythons]
    if broken:
        because = f"Python {_listed(broken)} is here without venv, and no other of {wanted} is."
        remedy = f"Install its venv (Debian and Ubuntu: apt install python{broken[0]}-venv)."
        return (Reason("python", "refused", because, remedy, _tags_of(build)),)
    return (Reason("python", "refused", f"{lacking}.", _get_python(build.pythons), _tags_of(build)),)


def _from_container(host: Host, build: Build, rule: str, lacking: str) -> tuple[Reason, ...]:
    """Return that a container makes up for what is lacking; () where no engine is known to run one here."""
    needs_gpus = build.cuda is not None and bool(host.gpus)
    for engine in host.engines or ():
        if not needs_gpus or engine.gpu_request in {"nvidia", "cdi"}:
            because = f"{lacking}; a container of {engine.name} brings its own."
            return (Reason(rule, "fits", because, source=_tags_of(build)),)
    return ()


def host_pythons(host: Host) -> tuple[str, ...] | None:
    """Return the Pythons ("3.11") from which the host can make a virtual environment, None when unknown."""
    if host.python.interpreters or host.python.incomplete:
        return tuple(sorted(host.python.interpreters, key=_by_fields))
    if host.python.version is not None:
        return (f"{host.python.version.major}.{host.python.version.minor}",)
    return None


def _tags_of(build: Build) -> str:
    """Return where it was read for which Pythons, processors and C libraries the build's wheels are."""
    tags = f"Python and platform tags in the names of torch {build.torch}'s wheels on the public index"
    if build.default:
        return f"{tags}; read 2026-11-23"
    return f"derived from the release matrix and the {tags}; read 2026-11-23"


def _by_fields(python: str) -> tuple[int, ...]:
    return tuple(int(field) for field in python.split(".") if field.isdecimal())


def _get_python(pythons: tuple[str, ...]) -> str:
    if not pythons:
        return ""
    # Not the newest: 3.11 and 3.12 are what distributions package today.
    one = next((version for version in ("3.11", "3.12") if version in pythons), pythons[-1])
    return f"Install one: apt install python{one}-venv, uv python install {one}, or pyenv install {one}."


def _listed(versions: tuple[str, ...] | list[str]) -> str:
    *head, last = versions or ("none",)
    return f"{', '.join(head)} or {last}" if head else last
