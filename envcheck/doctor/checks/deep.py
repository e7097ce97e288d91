"""The proof in the picked environment: it is there, it holds what was promised, every device computes right.

That a GPU is listed proves nothing: a wheel without its code lists it, too, and a broken card says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.environment import RecipeFits
from envcheck.doctor.finding import Finding, Fix
from envcheck.symptoms import SYMPTOMS, Symptom
from envcheck.symptoms.several import PEERS

if TYPE_CHECKING:  # as in `check`
    from envcheck.doctor.proof import Failure, Inside, Operation, OperationProof, Proof

_NOT_ASKED = "The proof in the environment was not asked for (--deep)."
_BY_ID = {symptom.id: symptom for symptom in SYMPTOMS}
_LOOK_AT_CARD = Fix(
    "Try another recipe; where that is wrong, too, have the GPU tested by itself, and its memory looked at.",
    ("envcheck doctor --stress", "nvidia-smi -q -d ECC,ROW_REMAPPER"),
)
_LOOK_AT_CPU = Fix("Try another recipe; where that is wrong, too, the processor or the memory is at fault.")


class EnvironmentBuilt(Check):
    """The environment itself."""

    id = "deep.environment"
    title = "The picked environment is built"
    needs = "deep"
    caused_by = (
        "recipe.fits",
        *RecipeFits.caused_by,
        "container.engine-gone",
        "container.disk",
        "container.proxy",
        "system.disk",
    )

    def look(self, case: Case) -> Finding:
        """Look whether it could be built or was there."""
        proof = case.proof
        if proof is None:
            return skip(self, _NOT_ASKED)
        if proof.recipe is None:
            return unknown(self, "No recipe runs on this machine, so there is nothing to build.")
        if proof.made is None:
            return _failed(self, "The picked environment could not be made", proof.failure, "envcheck build")
        made = proof.made
        how = "reused" if made.reused else f"built in {made.seconds:.0f} s"
        why = (made.why,) if made.why else ()
        return ok(self, f"{proof.recipe} in {made.kind}: {made.name}, {how}", *why)


class PromiseKept(Check):
    """What is inside, held against what was picked."""

    id = "deep.promise"
    title = "Inside the environment are the torch and the GPUs that were promised"
    needs = "deep"
    caused_by = (
        "deep.environment",
        *RecipeFits.caused_by,
        "container.runtime",
        "container.toolkit-missing",
        "container.cdi-unresolvable",
        "container.cdi-stale",
        "gpu.none-visible",
    )

    def look(self, case: Case) -> Finding:
        """Look at what torch sees in there."""
        proof = case.proof
        if proof is None:
            return skip(self, _NOT_ASKED)
        if proof.inside is None:
            if proof.made is not None:
                title = "The environment could not prove itself"
                return _failed(self, title, proof.failure, "envcheck run env")
            return unknown(self, "There is no environment to look into.")
        inside = proof.inside
        cuda = f"CUDA {inside.torch_cuda}" if inside.torch_cuda else "the CPU"
        seen = (f"torch {inside.torch} for {cuda}", *(f"{one.device}: {one.name}" for one in inside.devices))
        if not inside.unkept:
            return ok(self, *seen)
        return Finding(
            self.id,
            "error",
            "Inside the environment is not what was promised",
            (*inside.unkept, *seen),
            "The driver, the engine or somebody's variables changed what torch gets to see.",
            Fix(
                "See what the environment sees, and without the variables that hide GPUs.",
                ("envcheck run env", "env -u CUDA_VISIBLE_DEVICES -u LD_LIBRARY_PATH envcheck doctor --deep"),
            ),
        )


class Computed(Check):
    """One kind of operation, on every device that does it."""

    needs = "deep"
    caused_by = ("deep.environment", "deep.promise", *RecipeFits.caused_by, "gpu.fault")

    def __init__(
        self,
        subject: str,
        noun: str,
        operations: tuple[Operation, ...],
        dtypes: tuple[str, ...],
        *,
        devices: int = 0,
    ) -> None:
        """`noun` begins the titles; `devices` is how many GPUs it takes for the question to arise."""
        self.id = f"deep.{subject}"
        self.title = f"{noun} right on every device"
        self._noun = noun
        self._operations = operations
        self._dtypes = dtypes
        self._devices = devices

    def look(self, case: Case) -> Finding:
        """Look at every result of this kind."""
        proof = case.proof
        if proof is None:
            return skip(self, _NOT_ASKED)
        if proof.inside is None:
            return unknown(self, "There is no environment to compute in, or it could not be asked.")
        found = tuple(one for one in proof.inside.operations if self._is_about(one))
        seen = tuple(f"{_named(one, proof.inside)}: {one.words}" for one in found)
        if wrong := tuple(one for one in found if not one.is_right):
            return self._wrong(wrong, proof.inside)
        if missing := _missing(proof, proof.inside):
            return unknown(self, missing, *seen)
        if not found:
            return self._none(proof.inside)
        return ok(self, *seen)

    def _is_about(self, one: OperationProof) -> bool:
        return one.operation in self._operations and one.dtype in self._dtypes

    def _none(self, inside: Inside) -> Finding:
        """Return why nothing of this kind was done."""
        if len(inside.gpus) < self._devices:
            return skip(self, f"There {'is no GPU' if self._devices == 1 else 'are no two GPUs'} inside.")
        if "bfloat16" in self._dtypes:
            return skip(self, "No GPU here computes in bfloat16; those from compute capability 8.0 on do.")
        return unknown(self, "The proof does not hold any.")

    def _wrong(self, wrong: tuple[OperationProof, ...], inside: Inside) -> Finding:
        """Return the devices on which it fails, by name."""
        devices = ", ".join(dict.fromkeys(one.device for one in wrong))
        known = next(filter(None, (_symptom_in(one.failure or "") for one in wrong)), None)
        if known is None and self._operations == ("peer",):
            known = PEERS
        cause = "The numbers are wrong and nothing complained: a fault of the hardware, or of a library."
        if any(one.failure for one in wrong):
            cause = "It ended with an error, which stands in the evidence."
        on_gpu = any(one.device != "cpu" for one in wrong)
        return Finding(
            self.id,
            "error",
            f"{self._noun} wrong, or not at all, on {devices}",
            tuple(f"{_named(one, inside)}: {one.words}" for one in wrong),
            known.why if known else cause,
            known.fix if known else (_LOOK_AT_CARD if on_gpu else _LOOK_AT_CPU),
            known.link if known else "",
        )


def _named(one: OperationProof, inside: Inside) -> str:
    """Return an operation with its device and that one's name: "matmul float32 on cuda:0 (NVIDIA T4)"."""
    names = {device.device: device.name for device in inside.devices}
    name = f" ({names[one.device]})" if one.device in names else ""
    return f"{one.operation} {one.dtype} on {one.device}{name}"


def _missing(proof: Proof, inside: Inside) -> str:
    """Return that GPUs were not looked at, for they were not seen; "" where all were."""
    seen = len(inside.gpus)
    return f"{seen} of {proof.gpus} GPUs were seen inside, the others not." if seen < proof.gpus else ""


def _failed(check: Check, title: str, failure: Failure | None, command: str) -> Finding:
    """Return what kept the proof from going on, with the way out where it is known."""
    assert failure is not None  # noqa: S101 - where the proof stopped it says why
    known = _BY_ID.get(failure.finding) or _symptom_in(failure.message)
    if known is not None:
        cause, fix, link = known.why or f"{known.title}.", known.fix, known.link
    else:
        cause, link = "Without it nothing can be run here, and nothing was proved.", ""
        fix = Fix(_sentence(failure.hint) or "Do this step alone, and see what it says.", (command,))
    return Finding(check.id, "error", title, (failure.message,), cause, fix, link)


def _symptom_in(text: str) -> Symptom | None:
    """Return the first symptom whose words stand in an error."""
    return next((one for one in SYMPTOMS if _shows(text, one.in_log)), None)


def _shows(text: str, texts: Iterable[str]) -> bool:
    return any(all(part in text for part in words.split("...")) for words in texts)


def _sentence(hint: str) -> str:
    """Return a hint's first line, as a sentence."""
    line = hint.partition("\n")[0].strip()
    return line if not line or line.endswith((".", "?", "!")) else f"{line}."
