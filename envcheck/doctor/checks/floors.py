"""What every recipe asks of a machine, held against it: the driver's floor, the C library's age."""

from __future__ import annotations

from collections.abc import Sequence

from envcheck.choice.candidates import obstacles
from envcheck.choice.choose import Choice
from envcheck.compat.verdict import Reason, Verdict, join
from envcheck.doctor.branches import misfits
from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.remedies import change_driver
from envcheck.doctor.verdicts import reasons_of
from envcheck.host.facts import Host
from envcheck.symptoms.driver import TOO_OLD
from envcheck.symptoms.packages import OLD_LIBC

_OF_DRIVER = ("driver", "generation")
_NO_LONGER = "The driver no longer knows a GPU here"
_BRANCHES = (
    "Each branch of the driver drops old generations of GPUs, and does not know those that came later."
)


class DriverFloor(Check):
    """A driver that no CUDA recipe runs on, or whose branch does not know a GPU here: yet, or any longer."""

    id = TOO_OLD.id
    title = "The driver is new enough for a CUDA that recipes bring"
    caused_by = TOO_OLD.caused_by

    def look(self, case: Case) -> Finding:
        """Look whether every recipe with CUDA is refused for the driver's sake, or all that fit the GPUs."""
        if case.choice is None:
            return skip(self, "Nothing was picked for this machine.")
        said = reasons_of(case.choice, "driver")
        if case.host.driver is None or case.host.os.jetson:
            return skip(self, "There is no driver to hold against the floors.")
        if case.choice.recipe is None and (finding := self._in_the_way(case.host, case.choice)):
            return finding
        if not said:
            return skip(self, "There is no driver to hold against the floors.")
        for verdict, answer in (("fits", ok), ("unknown", unknown)):
            if because := [reason.because for reason in said if reason.verdict == verdict]:
                return answer(self, because[0])
        remedy = next((reason.remedy for reason in reversed(said) if reason.remedy), "")
        return Finding(
            self.id,
            "error",
            "The driver is too old for every CUDA that recipes bring",
            tuple(dict.fromkeys(reason.because for reason in said)),
            TOO_OLD.why,
            change_driver(case.host, remedy, None) if remedy else TOO_OLD.fix,
            TOO_OLD.link,
        )

    def _in_the_way(self, host: Host, choice: Choice) -> Finding | None:
        """Return what is said where another driver is all that is missing, or a card's branch has ended."""
        misfit = misfits(host)
        floors = reasons_of(choice, "driver")
        if misfit is None and floors and all(reason.verdict == "refused" for reason in floors):
            return None
        in_the_way = [
            tuple(one for one in obstacles(each) if one.rule != "python") for each in choice.verdicts
        ]
        if not all(in_the_way):
            return None  # a Python is what is missing
        if any(_are_of_driver(reasons, "unknown") for reasons in in_the_way):
            return None  # whether the driver is in the way of that recipe is not known
        only = [reason for reasons in in_the_way if _are_of_driver(reasons) for reason in reasons]
        unlisted = [one for one in reasons_of(choice, "unlisted") if one.verdict == "refused"]
        of_cards = unlisted if misfit is not None and not misfit.is_listed else []
        if not only and not of_cards:
            return None
        reasons = only or of_cards
        title = "The driver is too old for every recipe that serves this GPU"
        if misfit is not None:
            title = _NO_LONGER if misfit.last is not None else "The driver does not know a GPU here yet"
        # What runs without another driver is told by recipe.fits.
        advice = choice.advice.partition(" As it is, ")[0] if only else reasons[0].remedy
        advice = advice or reasons[0].remedy
        fix = change_driver(host, advice, misfit.last if misfit is not None else None)
        if misfit is not None and misfit.apart:
            fix = Fix(fix.text)
        return Finding(
            self.id,
            "error",
            title,
            tuple(dict.fromkeys(reason.because for reason in reasons)),
            TOO_OLD.why if misfit is None else _BRANCHES,
            fix,
            TOO_OLD.link,
        )


def _are_of_driver(reasons: Sequence[Reason], verdict: Verdict = "refused") -> bool:
    """Return whether the driver alone is in the way, with such a verdict in the end."""
    return all(one.rule in _OF_DRIVER for one in reasons) and join(reasons) == verdict


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
