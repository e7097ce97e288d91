"""NVSwitch: the fabric that joins the GPUs of a server, and the program that sets it up."""

from __future__ import annotations

import re

from envcheck.doctor.check import Case, Check, ok, skip, unknown, without_gpus
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.per_gpu import SILENT, named, unanswered
from envcheck.doctor.remedies import by_family, of_the_machine
from envcheck.host.facts import Driver, Gpu, Host
from envcheck.symptoms.cards import FABRIC

# The library's word for a question that is newer than itself; GPUs of its time show their switches as nodes.
_TOO_OLD_TO_SAY = "FUNCTION_NOT_FOUND"
_SWITCH = re.compile(r"/dev/nvidia-nvswitch[0-9]+\Z")


class Fabric(Check):
    """GPUs behind NVSwitches on which CUDA does not start, as nobody has joined them."""

    id = FABRIC.id
    title = "The fabric between the GPUs is ready"
    caused_by = ("driver.module-match",)
    silenced_by = SILENT

    def look(self, case: Case) -> Finding:
        """Ask the GPUs, which say it since Hopper; where they do not, look for what has to run."""
        if nothing := without_gpus(self, case.host):
            return nothing
        gpus = tuple(named(case.host))
        if unready := tuple(f"{name}: {_state(gpu)}" for name, gpu in gpus if _is_unready(gpu)):
            return self._not_ready(case, unready)
        driver = case.host.driver or Driver()
        ready = any(gpu.fabric == "completed" for _, gpu in gpus)
        # The manager of a container's GPUs runs outside, and is not to be seen.
        seen = () if case.in_container else switches(driver)
        if seen and not ready:
            if driver.fabric_manager_runs is None:
                return unknown(self, case.host.why("driver.fabric_manager_runs"), *seen)
            if not driver.fabric_manager_runs:
                return self._not_ready(case, seen)
        if not seen and not ready:
            return self._none(case)
        return self._other_version(case.host, driver) if _is_other(driver) else ok(self, *_manager(driver))

    def _none(self, case: Case) -> Finding:
        """Return the answer where neither the GPUs nor the device nodes tell of a fabric."""
        open_question = unanswered(self, case.host, "fabric")
        is_told_by_nodes = case.host.driver is not None and case.host.driver.nodes is not None
        if open_question and open_question.cause == _TOO_OLD_TO_SAY and is_told_by_nodes:
            open_question = None
        return open_question or skip(self, "There is no NVSwitch here.")

    def _not_ready(self, case: Case, evidence: tuple[str, ...]) -> Finding:
        driver = case.host.driver or Driver()
        absent = driver.fabric_manager is None and driver.fabric_manager_runs is False
        fix = of_the_machine(case.host, FABRIC.fix)
        if absent or _is_other(driver):
            fix = _install(case.host)
        return Finding(
            self.id, "error", FABRIC.title, (*evidence, *_manager(driver)), FABRIC.why, fix, FABRIC.link
        )

    def _other_version(self, host: Host, driver: Driver) -> Finding:
        return Finding(
            self.id,
            "warn",
            "The fabric manager is not of the driver's version",
            _manager(driver),
            "It runs now, and will refuse to start the next time: it takes exactly its own driver.",
            _install(host),
            FABRIC.link,
        )


def switches(driver: Driver | None) -> tuple[str, ...]:
    """Return the device nodes of NVSwitches."""
    nodes = driver.nodes if driver else None
    return tuple(node.path for node in nodes or () if _SWITCH.match(node.path))


def _state(gpu: Gpu) -> str:
    return f"fabric {gpu.fabric}" + (f", {gpu.fabric_status}" if gpu.fabric_status else "")


def _is_unready(gpu: Gpu) -> bool:
    if gpu.fabric == "completed":
        return gpu.fabric_status not in (None, "success")
    return gpu.fabric in ("not started", "in progress")


def _is_other(driver: Driver) -> bool:
    manager, own = driver.fabric_manager, driver.version
    return manager is not None and own is not None and manager != own


def _manager(driver: Driver) -> tuple[str, ...]:
    if driver.fabric_manager_runs is None and driver.fabric_manager is None:
        return ()
    version = f" {driver.fabric_manager}" if driver.fabric_manager else ""
    runs = {True: "runs", False: "does not run", None: "may run or not"}[driver.fabric_manager_runs]
    return (f"nv-fabricmanager{version} {runs}; the driver is {driver.version or 'not known'}",)


def _install(host: Host) -> Fix:
    """Return how to install the fabric manager of the driver's version; packages carry its branch."""
    version = host.driver.version if host.driver else None
    number = str(version or "VERSION")
    install = by_family(
        host,
        debian=f"sudo apt install 'nvidia-fabricmanager-{number.partition('.')[0]}={number}*'",
        red_hat=f"sudo dnf install nvidia-fabric-manager-{number}",
    )
    return Fix(
        "Install the fabric manager of exactly the driver's version, and start it.",
        (*install, "sudo systemctl enable --now nvidia-fabricmanager"),
        needs_root=True,
    )
