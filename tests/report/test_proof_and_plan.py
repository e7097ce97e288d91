"""The proof and the plan on a screen: 80 columns, nothing that harms, commands in one piece."""

from __future__ import annotations

import io

import pytest

from envcheck.doctor.plan import Done, FixPlan, Step
from envcheck.doctor.proof import DeviceSeen, Failure, Inside, Made, OperationProof, Proof
from envcheck.report.console import PlainConsole
from envcheck.report.plan import plan_screen
from envcheck.report.proof import proof_screen
from envcheck.symptoms import Action, Fix

HOSTILE = "[red]\x1b[31m::error::" + "x" * 5000
ACTION = Action("install-python", "3.11", "uv python uninstall 3.11")


def drawn(screen) -> str:
    file = io.StringIO()
    PlainConsole(file=file, width=80).print(screen, crop=False)
    return file.getvalue()


def measured(device, error=1e-7, failure=None) -> OperationProof:
    return OperationProof(
        "matmul", "float32", device, error, 1e-4, 0.5 if error is not None else None, failure
    )


@pytest.fixture
def proof() -> Proof:
    return Proof(
        recipe="cpu",
        made=Made("venv", "/cache/python", reused=True, seconds=0.1),
        inside=Inside(
            "2.13.0",
            devices=(DeviceSeen("cpu", "x86_64"), DeviceSeen("cuda:0", "NVIDIA T4")),
            operations=(measured("cpu"), measured("cuda:0", 0.2), measured("cuda:0", None, "no kernel")),
        ),
    )


def test_every_operation_has_its_error_its_tolerance_and_its_time(proof):
    lines = drawn(proof_screen(proof)).splitlines()
    assert lines[0] == "Proved in cpu (venv), torch 2.13.0, against float64 on the CPU:"
    assert lines[2].split() == ["✓", "cpu", "matmul", "float32", "1.0e-07", "1.0e-04", "0.50"]
    assert lines[3].split() == ["✗", "cuda:0", "matmul", "float32", "2.0e-01", "1.0e-04", "0.50"]
    assert lines[4].split() == ["✗", "cuda:0", "matmul", "float32", "failed", "1.0e-04"]
    assert lines[-1].strip() == "cuda:0: NVIDIA T4"


def test_a_processor_alone_is_said_to_be_that(proof):
    alone = Inside("2.13.0", devices=(DeviceSeen("cpu", "x86_64"),), operations=(measured("cpu"),))
    text = drawn(proof_screen(Proof(recipe="cpu", made=proof.made, inside=alone)))
    assert "there is no GPU inside; the CPU was proved" in text
    assert "there is no GPU" not in drawn(proof_screen(proof))


def test_no_proof_is_said_to_be_none():
    assert drawn(proof_screen(Proof(recipe="cpu", failure=Failure("full")))).startswith("No environment")


def test_a_plan_says_who_does_what_and_how_it_is_undone():
    driver = Fix("Install it.", ("sudo apt install " + "y" * 100,), needs_root=True, reboot=True)
    python = Fix("Get it.", ("uv x",), action=ACTION)
    steps = (
        Step(("driver.present", "card.bound"), "There is no driver", driver),
        Step(("python.venv",), "No Python", python, by_envcheck=True, follows_from="a.b"),
    )
    text = drawn(plan_screen(FixPlan(steps)))
    lines = [line.strip() for line in text.splitlines()]
    assert lines[0] == "Plan:"
    assert lines[1] == "1. There is no driver   driver.present, card.bound"
    assert lines[3] == "by you; needs root, a reboot"
    assert lines[4] == driver.commands[0]
    assert "by envcheck; no root, and it can be undone; a.b explains it, and may be all" in lines
    assert "undone by: uv python uninstall 3.11" in lines
    assert lines[-1] == "envcheck doctor --fix --yes takes the steps marked envcheck."


def test_what_was_done_comes_first_with_what_it_changed():
    text = drawn(plan_screen(FixPlan((), (Done(ACTION),), ("recipe.fits: error, now ok",))))
    assert [line.strip() for line in text.splitlines()] == [
        "Done: download Python 3.11 into the home, with uv",
        "undone by: uv python uninstall 3.11",
        "changed: recipe.fits: error, now ok",
        "",
        "Plan:  nothing to mend.",
    ]
    failed = drawn(plan_screen(FixPlan((), (Done(ACTION, "no network"),))))
    assert failed.startswith("Tried to download Python 3.11 into the home, with uv: no network\n")
    assert "changed: nothing that a check sees" in failed
    assert "undone" not in failed


def test_hostile_texts_do_no_harm_and_do_not_fill_the_screen(proof):
    hostile = Inside(
        HOSTILE,
        devices=(DeviceSeen(HOSTILE, HOSTILE),),
        operations=(OperationProof("matmul", HOSTILE, HOSTILE, None, 1e-4, None, HOSTILE),),
    )
    step = Step(
        (HOSTILE,), HOSTILE, Fix(HOSTILE, (HOSTILE,), action=Action("install-python", HOSTILE, HOSTILE))
    )
    done = (Done(Action("install-python", HOSTILE, HOSTILE), HOSTILE),)
    for screen in (
        proof_screen(Proof(recipe=HOSTILE, made=proof.made, inside=hostile)),
        plan_screen(FixPlan((step,), done, (HOSTILE,))),
    ):
        text = drawn(screen)
        assert "\x1b" not in text
        assert len(text) < 40_000
        assert not any(line.startswith("::") for line in text.splitlines())
