"""The GPUs under load, by NVIDIA's own diagnostic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.environment import RecipeFits
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.remedies import install_dcgm

if TYPE_CHECKING:  # as in `check`
    from envcheck.doctor.stress import DcgmTest, Stress

_GUIDE = "https://docs.nvidia.com/datacenter/dcgm/latest/user-guide/dcgm-diagnostics.html"
_START = Fix(
    "See whether its service runs.",
    ("sudo systemctl start nvidia-dcgm", "dcgmi discovery -l"),
    needs_root=True,
)


class Dcgm(Check):
    """`dcgmi diag`, where it is installed."""

    id = "stress.dcgm"
    title = "The GPUs stand NVIDIA's own tests under load"
    needs = "stress"
    caused_by = (*RecipeFits.caused_by, "gpu.fault")

    def look(self, case: Case) -> Finding:
        """Look at its tests; those that only look at files are no load."""
        if case.host.gpus == ():
            return skip(self, "There is no GPU here to load.")
        stress = case.stress
        if stress is None:
            return skip(self, "It was not asked for (--stress).")
        if not stress.is_installed:
            return replace(unknown(self, "There is no dcgmi here."), fix=install_dcgm(case.host), link=_GUIDE)
        if stress.failure:
            return replace(unknown(self, stress.failure), fix=_START, link=_GUIDE)
        return self._judged(stress)

    def _judged(self, stress: Stress) -> Finding:
        bad = tuple(one for one in stress.tests if one.outcome in ("fail", "warn"))
        if bad:
            return self._bad(bad)
        if not any(one.loads for one in stress.tests):
            skipped = (one.words for one in stress.tests if one.outcome == "skip")
            return unknown(self, "DCGM put no GPU under load; it does so with datacenters' GPUs.", *skipped)
        return ok(self, *(one.words for one in stress.tests), f"{stress.seconds:.0f} s in all")

    def _bad(self, bad: tuple[DcgmTest, ...]) -> Finding:
        is_fault = any(one.outcome == "fail" and not one.is_setting for one in bad)
        return Finding(
            self.id,
            "error" if is_fault else "warn",
            "NVIDIA's own tests fail on this machine" if is_fault else "NVIDIA's own tests have remarks",
            tuple(one.words for one in bad),
            "Under load the hardware, its cooling or its power shows what it hides at rest."
            if is_fault
            else "They are about settings of the machine, or came near a limit.",
            Fix(
                "Do what the tests say; a GPU that fails again after a reboot is to be exchanged.",
                ("dcgmi diag -r 3 -v",),
            ),
            _GUIDE,
        )
