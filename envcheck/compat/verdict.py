"""What a rule answers, and how answers join. Nothing here knows a rule or a machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["fits", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's answer about one machine and one build."""

    rule: str
    verdict: Verdict
    because: str  # a sentence with this machine's numbers
    remedy: str = ""  # what would turn the answer into "fits"; empty where nothing would
    source: str = ""


def join(reasons: Iterable[Reason]) -> Verdict:
    """Return the verdict of all `reasons` together: one refusal refuses, and unknown never counts as fits."""
    verdicts = {reason.verdict for reason in reasons}
    if "refused" in verdicts:
        return "refused"
    return "unknown" if "unknown" in verdicts else "fits"
