"""What every recipe asks of a machine, held against it: the driver's floor, the C library's age."""

from __future__ import annotations

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.verdicts import reasons_of
from envcheck.symptoms.driver import TOO_OLD
from envcheck.symptoms.packages import OLD_LIBC


class DriverFloor(Check):
    """A driver that no CUDA recipe runs on."""

    id = TOO_OLD.id
    title = "The driver is new enough for a CUDA that recipes bring"
    caused_by = TOO_OLD.caused_by

    def look(self, case: Case) -> Finding:
        """Look whether every recipe with CUDA is refused for the driver's sake."""
        if case.choice is None:
            return skip(self, "Nothing was picked for this machine.")
        said = reasons_of(case.choice, "driver")
        if case.host.driver is None or case.host.os.jetson or not said:
            return skip(self, "There is no driver to hold against the floors.")
        if any(reason.verdict == "fits" for reason in said):
            return ok(self, next(reason.because for reason in said if reason.verdict == "fits"))
        if any(reason.verdict == "unknown" for reason in said):
            return unknown(self, next(reason.because for reason in said if reason.verdict == "unknown"))
        remedy = next((reason.remedy for reason in reversed(said) if reason.remedy), "")
        return Finding(
            self.id,
            "error",
            "The driver is too old for every CUDA that recipes bring",
            tuple(dict.fromkeys(reason.because for reason in said)),
            TOO_OLD.why,
            Fix(remedy, needs_root=True, reboot=True) if remedy else TOO_OLD.fix,
            TOO_OLD.link,
        )


class CLibrary(Check):
    """A C library that is older than the wheels."""

    id = OLD_LIBC.id
    title = "The C library is new enough for every recipe"

    def look(self, case: Case) -> Finding:
        """Look which recipes are refused for the C library's sake."""
        if case.choice is None:
            return skip(self, "Nothing was picked for this machine.")
        said = reasons_of(case.choice, "glibc")
        refused = tuple(reason for reason in said if reason.verdict == "refused")
        if refused:
            nothing_fits = len(refused) == len(said)
            return Finding(
                self.id,
                "error" if nothing_fits else "info",
                OLD_LIBC.title if nothing_fits else "The C library is too old for some recipes",
                tuple(dict.fromkeys(reason.because for reason in refused)),
                OLD_LIBC.why,
                OLD_LIBC.fix,
                OLD_LIBC.link,
            )
        open_question = next((reason.because for reason in said if reason.verdict == "unknown"), "")
        if open_question or not said:
            return unknown(self, open_question or case.host.why("os.glibc"))
        return ok(self, said[0].because)
