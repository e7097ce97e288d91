"""Machines of tests/hosts as `Host`, and choices made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from envcheck.choice.candidates import Judgement
from envcheck.choice.choose import Choice
from envcheck.compat.verdict import Reason
from envcheck.documents import read_json
from envcheck.host import facts
from envcheck.host.facts import Host

HOSTS = Path(__file__).parent.parent / "hosts"


@pytest.fixture
def machine() -> Callable[..., Host]:
    """Return a function that reads a machine; keywords change its parts: `driver={"version": ...}`."""

    def machine(name: str, **changes: Any) -> Host:
        host = read_json(HOSTS / f"{name}.json", Host, schema=facts.SCHEMA)
        parts = {
            part: replace(getattr(host, part), **change)
            if isinstance(change, dict) and part != "unknown"
            else change
            for part, change in changes.items()
        }
        return replace(host, **parts)

    return machine


@pytest.fixture
def picked() -> Choice:
    """A recipe that fits, for a Python that the machines below have."""
    return Choice(
        recipe="torch2.10-cu128",
        torch=Version("2.10.0"),
        cuda=Version("12.8"),
        python="3.10",
        gpus=(),
        advice="",
        verdicts=(),
    )


@pytest.fixture
def nothing_fits() -> Choice:
    """No recipe: two are refused for one reason, the third is not known to fit."""
    too_old = (Reason("driver", "refused", "The driver is too old."),)
    open_question = (
        Reason("python", "fits", "Python is here."),
        Reason("glibc", "unknown", "glibc is not known."),
    )
    return Choice(
        recipe=None,
        torch=None,
        cuda=None,
        python=None,
        gpus=(),
        advice="Install a newer driver.",
        verdicts=(
            Judgement("torch2.10-cu128", "refused", too_old),
            Judgement("torch2.7-cu126", "refused", too_old),
            Judgement("cpu", "unknown", open_question),
        ),
    )
