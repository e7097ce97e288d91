"""What an environment is made from: a Python, perhaps a container engine, and a recipe that fits."""

from __future__ import annotations

from collections.abc import Iterable

from envcheck.choice.candidates import Judgement, obstacles
from envcheck.choice.choose import Choice
from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.finding import Finding, Fix, Status
from envcheck.doctor.remedies import install_python, install_venv
from envcheck.host.facts import Host
from envcheck.symptoms.driver import COMPATIBILITY

_BY_GENERATION = ("code", "generation", "modules")

# Those that recipes serve, the oldest first; every recipe serves the next.
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
PYTHON_FOR_ALL = "3.11"


class VenvModule(Check):
    """A Python that can make virtual environments; Debian's cannot until a package is added."""

    id = "python.venv"
    title = "There is a Python that can make a virtual environment"

    def look(self, case: Case) -> Finding:
        """Look for the picked Python, else for any."""
        python, choice = case.host.python, case.choice
        if python.interpreters:
            picked = choice.python if choice else None
            shown = (
                {picked: python.interpreters[picked]}
                if picked in python.interpreters
                else python.interpreters
            )
            return ok(self, *(f"Python {version}: {path}" for version, path in shown.items()))
        if python.incomplete:
            container_will_do = choice is not None and choice.recipe is not None
            return self._incomplete(case.host, "warn" if container_will_do else "error")
        if python.version is None:
            return unknown(self, case.host.why("python.version"))
        running = f"{python.version.major}.{python.version.minor}"
        if choice is None or choice.recipe is None or choice.python != running:
            return unknown(self, f"Whether Python {running} has venv, or which others are here, is not said.")
        return ok(self, f"Python {python.version}: {python.executable or 'running'}")

    def _incomplete(self, host: Host, status: Status) -> Finding:
        """Return what is said of the one that is nearest to serve: first that which every recipe takes."""
        broken = host.python.incomplete
        served = [version for version in (PYTHON_FOR_ALL, *PYTHONS) if version in broken]
        version = served[0] if served else next(iter(broken))
        fix = install_venv(host, version)
        if not served:
            why = f"No recipe serves Python {version}: install one that every recipe serves."
            fix = install_python(why, PYTHON_FOR_ALL)
        return Finding(
            self.id,
            status,
            f"Python {version} cannot make a virtual environment",
            (f"{broken[version]} has no venv, or no ensurepip",),
            "Debian and Ubuntu ship both in a package of their own.",
            fix,
        )


class EngineThere(Check):
    """A container engine; none is fine, a virtual environment does as well."""

    id = "engine.present"
    title = "A container engine answers"
    worst = "info"
    caused_by = ("container.context", "container.engine-gone")

    def look(self, case: Case) -> Finding:
        """Look for engines that answered."""
        engines = case.host.engines
        if engines:
            return ok(self, *(f"{engine.name} {engine.version or ''}".rstrip() for engine in engines))
        why = case.host.unknown.get("engines", "")
        if engines is None and "permission denied" in why.lower():
            return Finding(
                self.id,
                "info",
                "A container engine is here, and this user may not ask it",
                (why,),
                "Docker lets root and the members of its group in; membership is as good as root.",
                Fix(
                    "Join the group and log in again.", ('sudo usermod -aG docker "$USER"',), needs_root=True
                ),
                "https://docs.docker.com/engine/install/linux-postinstall/",
            )
        if engines is None:
            return unknown(self, why or "The facts do not say.")
        return Finding(
            self.id,
            "info",
            "There is no container engine",
            cause="Environments are built as virtual environments, from the same locks.",
        )


class RecipeFits(Check):
    """The question of all questions; what stands in its way is usually another finding."""

    id = "recipe.fits"
    title = "A recipe runs on this machine"
    caused_by = (
        "driver.open-module",
        "driver.module-match",
        "card.nouveau",
        "driver.present",
        "driver.loaded",
        "driver.library",
        "driver.hang",
        "gpu.lost",
        "gpu.mig",
        "driver.compat",
        "driver.too-old",
        "system.glibc",
        "system.jetson",
        "system.wsl",
        "driver.answers",
        "card.bound",
        "card.listed",
        "card.vfio",
        "python.venv",
    )

    def look(self, case: Case) -> Finding:
        """Look at what was picked, and at the nearest way out when nothing was."""
        choice = case.choice
        if choice is None:
            return skip(self, "Nothing was picked for this machine.")
        if choice.recipe is not None:
            cuda = f"CUDA {choice.cuda}" if choice.cuda else "on the CPU"
            return ok(self, f"{choice.recipe}: torch {choice.torch}, {cuda}, Python {choice.python}")
        return Finding(
            self.id,
            "error",
            "No recipe runs on this machine",
            _reasons_against(choice.verdicts),
            _why_none(case.host, choice),
            _way_out(choice) if choice.advice else None,
            COMPATIBILITY,
        )


def _why_none(host: Host, choice: Choice) -> str:
    """Return how it comes, with a word on GPUs of several generations where these are what stands apart."""
    kinds = {gpu.compute_capability for gpu in host.gpus or () if gpu.compute_capability is not None}
    apart = all(
        any(reason.rule in _BY_GENERATION for reason in obstacles(one))
        for one in choice.verdicts
        if not any(reason.rule == "cpu" for reason in obstacles(one))
    )
    if len(kinds) > 1 and apart:
        return (
            "The GPUs are of generations that no recipe serves together with one driver; what runs on each"
            " kind alone is another question (--gpus)."
        )
    return "A rule refuses each recipe, or a fact that would settle it is not known."


def _way_out(choice: Choice) -> Fix:
    """Return what leads to a recipe: a Python, where nothing else is in the way; else what is advised."""
    only_python = any(
        all((reason.rule, reason.verdict) == ("python", "refused") for reason in obstacles(one))
        for one in choice.verdicts
    )
    if only_python:
        return install_python(choice.advice, PYTHON_FOR_ALL)
    return Fix(choice.advice, ("envcheck pick",))


def _reasons_against(verdicts: Iterable[Judgement]) -> tuple[str, ...]:
    """Return the first reason that decided against each recipe, once for all that share it."""
    recipes: dict[str, list[str]] = {}
    for judgement in verdicts:
        deciding = (reason.because for reason in judgement.reasons if reason.verdict == judgement.verdict)
        recipes.setdefault(next(deciding, judgement.verdict), []).append(judgement.recipe)
    return tuple(f"{', '.join(names)}: {because}" for because, names in recipes.items())
