"""GPUs by CDI: is there a specification of them, and is it of the driver that is installed."""

from __future__ import annotations

from packaging.version import Version

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.containers import nothing_to_hand_over, weight
from envcheck.doctor.checks.engines import dockers, unsaid
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.toolkit_fixes import write_spec
from envcheck.host.facts import Cdi, Engine, Host
from envcheck.symptoms.inside import SELINUX
from envcheck.symptoms.toolkit import NO_SPEC

# The first podman that knows CDI.
_KNOWS_CDI = Version("4.1")
_GPU = "nvidia.com/gpu"
_SHOWN = 3


class Unresolvable(Check):
    """An engine that looks for GPUs in CDI specs, and finds none."""

    id = NO_SPEC.id
    title = "The GPUs' CDI specification is there"

    def look(self, case: Case) -> Finding:
        """Look for a readable specification, where an engine needs one."""
        host = case.host
        asked = [engine for engine in host.engines or () if _needs_spec(engine)]
        if nothing := nothing_to_hand_over(self, host) or self._not_asked(host, asked):
            return nothing
        if old := next(filter(_is_too_old, asked), None):
            return self._too_old(host, old)
        if host.cdi is None:
            return unknown(self, host.why("cdi"))
        if readable := [spec for spec in host.cdi if spec.devices]:
            return ok(self, *(f"{spec.path}: {', '.join(spec.devices or ())}" for spec in readable))
        unreadable = [
            f"{spec.path}: {host.why(f'cdi[{place}]')}"
            for place, spec in enumerate(host.cdi)
            if spec.devices is None
        ]
        # root's engines read what this user may not.
        if any("ermission denied" in why for why in unreadable) and not any(one.rootless for one in asked):
            return unknown(self, "; ".join(unreadable))
        return Finding(
            self.id,
            weight(host, another_way=_by_hook(host)),
            f"{asked[0].name} finds no CDI specification of the GPUs",
            tuple(unreadable) or ("/etc/cdi and /var/run/cdi name no nvidia.com/gpu",),
            NO_SPEC.why,
            write_spec(host),
            NO_SPEC.link,
        )

    def _not_asked(self, host: Host, asked: list[Engine]) -> Finding | None:
        if asked:
            return None
        by_another_way = [(place, one) for place, one in dockers(host) if one.gpu_request != "none"]
        if path := unsaid(by_another_way, "gpu_request", "gpu_mode"):
            return unknown(self, host.why(path))
        return skip(self, "No engine here looks for GPUs in CDI specifications.")

    def _too_old(self, host: Host, engine: Engine) -> Finding:
        return Finding(
            self.id,
            weight(host, another_way=_by_hook(host)),
            f"{engine.name} {engine.version} knows no CDI, by which podman is given GPUs",
            (f"{engine.name} {engine.version}; CDI came with {_KNOWS_CDI}",),
            "Older distributions have an older podman.",
            Fix(f"Update podman to {_KNOWS_CDI} or newer, or use docker with NVIDIA's toolkit."),
            NO_SPEC.link,
        )


class Stale(Check):
    """A specification of another driver: it names libraries that an upgrade has removed."""

    id = "container.cdi-stale"
    title = "The CDI specification is of the installed driver"

    def look(self, case: Case) -> Finding:
        """Compare the driver's version with the one in the specs that count, and look for missing files."""
        host = case.host
        if nothing := nothing_to_hand_over(self, host):
            return nothing
        if host.cdi is None:
            return unknown(self, host.why("cdi"))
        specs = [(place, spec) for place, spec in _counting(host.cdi) if spec.kind is not None]
        if not specs:
            return skip(self, "There is no CDI specification that can be read.")
        driver = host.driver.version if host.driver else None
        stale = [spec for _, spec in specs if spec.missing or _is_of_another(spec, driver)]
        if stale:
            return self._stale(host, stale, driver)
        if path := _unsaid(host, specs):
            return unknown(self, host.why(path))
        return ok(
            self, *(f"{one.path}: driver {one.driver or 'unnamed'}, all files there" for _, one in specs)
        )

    def _stale(self, host: Host, stale: list[Cdi], driver: Version | None) -> Finding:
        used = any(_needs_spec(engine) or engine.gpu_mode == "cdi" for engine in host.engines or ())
        return Finding(
            self.id,
            weight(host, another_way=not used or _by_hook(host)),
            "The CDI specification is of another driver than the installed one"
            if any(_is_of_another(spec, driver) for spec in stale)
            else "The CDI specification names files that are gone",
            tuple(line for spec in stale for line in _told(spec, driver)),
            "It was written before the driver, the toolkit or the cards changed; a container that asks for "
            "these GPUs does not start, or misses files.",
            write_spec(host, stale[0].path),
            "https://github.com/containers/podman/issues/26233",
        )


class Selinux(Check):
    """podman under an SELinux that keeps containers away from devices."""

    id = SELINUX.id
    title = "SELinux lets podman's containers use the GPUs"
    worst = "info"

    def look(self, case: Case) -> Finding:
        """Look whether SELinux enforces its rules where podman would hand over a GPU."""
        host = case.host
        if nothing := nothing_to_hand_over(self, host):
            return nothing
        if all(engine.name != "podman" for engine in host.engines or ()):
            return skip(self, "No podman answers.")
        if host.kernel.selinux is None:
            return unknown(self, host.why("kernel.selinux"))
        if host.kernel.selinux != "enforcing":
            return ok(self, f"SELinux is {host.kernel.selinux}")
        return Finding(
            self.id,
            "info",
            "SELinux can refuse GPUs to podman's containers",
            ("SELinux is enforcing",),
            "Whether it does is said by the policy: container_use_devices, or a module of NVIDIA's.",
            Fix(
                "If a container may not open the GPUs, allow devices to all, or take the label off that one.",
                ("sudo setsebool -P container_use_devices on", *SELINUX.fix.commands),
                needs_root=True,
            ),
            SELINUX.link,
        )


def _needs_spec(engine: Engine) -> bool:
    """Tell whether an engine is given GPUs by files of ours; a docker may have found devices by others."""
    if engine.name == "podman":
        return True
    found = any(device.startswith(_GPU) for device in engine.cdi_devices or ())
    return engine.gpu_mode == "cdi" and not found


def _by_hook(host: Host) -> bool:
    return any(one.gpu_request == "nvidia" and one.gpu_mode != "cdi" for one in host.engines or ())


def _is_too_old(engine: Engine) -> bool:
    if engine.name != "podman" or engine.version is None:
        return False
    head = engine.version.split(".")[:2]
    return all(part.isdecimal() for part in head) and tuple(map(int, head)) < _KNOWS_CDI.release


def _counting(specs: tuple[Cdi, ...]) -> list[tuple[int, Cdi]]:
    """Return the specs by which a device is handed over: of two that name it, the later one."""
    owner = {device: place for place, spec in enumerate(specs) for device in spec.devices or ()}
    counts = set(owner.values())
    return [(place, spec) for place, spec in enumerate(specs) if place in counts or not spec.devices]


def _unsaid(host: Host, specs: list[tuple[int, Cdi]]) -> str | None:
    """Return the path of a fact without which nobody can say that the specs are of the driver."""
    nameless = host.os.wsl or host.os.jetson  # Windows' and Tegra's libraries carry no version in their names
    for place, spec in specs:
        if spec.missing is None:
            return f"cdi[{place}].missing"
        if spec.driver is None and not nameless:
            return f"cdi[{place}].driver"
    return "driver.version" if host.driver is None or host.driver.version is None else None


def _is_of_another(spec: Cdi, driver: Version | None) -> bool:
    return spec.driver is not None and driver is not None and spec.driver != driver


def _told(spec: Cdi, driver: Version | None) -> list[str]:
    lines = []
    if _is_of_another(spec, driver):
        lines.append(f"{spec.path}: driver {spec.driver}; installed: {driver}")
    if spec.missing:
        more = f" and {len(spec.missing) - _SHOWN} more" if len(spec.missing) > _SHOWN else ""
        lines.append(f"{spec.path}: not there: {', '.join(spec.missing[:_SHOWN])}{more}")
    return lines
