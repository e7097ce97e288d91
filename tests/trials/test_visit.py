"""What a visit tries, and what it leaves; the plan, and the step that is taken, with a made-up uv."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from envcheck.doctor.checks.on_request import ALL
from envcheck.doctor.plan import Done, plan_of
from envcheck.doctor.proof import Proof
from envcheck.doctor.selection import given, select
from envcheck.doctor.stress import Stress
from envcheck.environments.prepare import Terms
from envcheck.host.facts import Gpu
from envcheck.situation import look
from envcheck.symptoms import Action
from envcheck.trials import steps
from envcheck.trials.visit import Visit, attend

# It "installs" as uv does: a folder of its own, with an interpreter in it.
UV = """
import os, pathlib, sys
pathlib.Path({asked!r}).write_text(" ".join(sys.argv[1:]))
print("downloading")
if {fails}:
    sys.exit("error: no such host")
"""


@pytest.fixture
def machine(root):
    """Return a function that looks at a machine of tests/hosts."""
    return lambda name: look(str(root / "tests" / "hosts" / f"{name}.json"))


@pytest.fixture
def uv(tmp_path, monkeypatch):
    """`uv()`: a uv that notes what it is asked, first on the path."""
    asked = tmp_path / "asked"

    def install(*, fails=False) -> Path:
        file = tmp_path / "bin" / "uv"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!{sys.executable}\n{UV.format(asked=str(asked), fails=fails)}")
        file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{file.parent}{os.pathsep}{os.environ['PATH']}")
        return asked

    return install


def checks(**asked):
    return select(
        ALL,
        [],
        [],
        given=given(**{"baseline": False, "project": False, "deep": False, "stress": False, **asked}),
    )


def test_a_plain_visit_tries_nothing(machine, listener, monkeypatch):
    monkeypatch.setitem(sys.modules, "envcheck.trials.proof", None)
    monkeypatch.setitem(sys.modules, "envcheck.trials.stress", None)
    monkeypatch.setitem(sys.modules, "envcheck.trials.steps", None)
    _, diagnosis = attend(lambda: machine("rtx3090-driver550"), Visit(checks=checks()), listener)
    assert (diagnosis.proof, diagnosis.plan, listener.steps) == (None, None, [])


def test_what_is_asked_for_is_tried_and_judged(machine, listener, monkeypatch):
    monkeypatch.setattr("envcheck.trials.proof.prove", lambda _seen, terms, _watch: Proof(recipe=terms.kind))
    monkeypatch.setattr("envcheck.trials.stress.load_gpus", lambda _watch: Stress(is_installed=False))
    visit = Visit(checks=checks(deep=True, stress=True), deep=Terms("venv"), stress=True)
    _, diagnosis = attend(lambda: machine("rtx3090-driver550"), visit, listener)
    assert diagnosis.proof == Proof(recipe="venv")
    (stress,) = (one for one in diagnosis.findings if one.id == "stress.dcgm")
    assert (stress.status, stress.cause) == ("unknown", "There is no dcgmi here.")
    assert stress.fix.commands == ("sudo apt install datacenter-gpu-manager-4-cuda12",)


def test_where_there_is_no_gpu_none_is_loaded(machine, listener, monkeypatch):
    monkeypatch.setattr("envcheck.trials.stress.load_gpus", lambda _watch: pytest.fail("it was started"))
    visit = Visit(checks=checks(stress=True), stress=True)
    _, diagnosis = attend(lambda: machine("laptop-without-nvidia"), visit, listener)
    (stress,) = (one for one in diagnosis.findings if one.id == "stress.dcgm")
    assert stress.status == "skip"


def test_gpus_that_nobody_could_ask_about_are_loaded(machine, listener, monkeypatch):
    monkeypatch.setattr("envcheck.trials.stress.load_gpus", lambda _watch: Stress(failure="no host engine"))
    seen = machine("laptop-without-nvidia")
    seen = replace(seen, host=replace(seen.host, gpus=None))
    _, diagnosis = attend(lambda: seen, Visit(checks=checks(stress=True), stress=True), listener)
    (stress,) = (one for one in diagnosis.findings if one.id == "stress.dcgm")
    assert (stress.status, stress.cause) == ("unknown", "no host engine")


def test_the_plan_of_another_machine_is_carried_out_there(machine, listener, uv):
    asked = uv()
    seen = machine("laptop-python39")
    _, diagnosis = attend(lambda: seen, Visit(checks=checks(), plan=True), listener)
    assert not seen.is_here
    assert diagnosis.plan.actions == ()
    assert not asked.exists()


def test_a_plan_is_shown_and_nothing_is_done(machine, listener, uv):
    asked = uv()
    _, diagnosis = attend(lambda: here(machine), Visit(checks=checks(), plan=True), listener)
    (action,) = diagnosis.plan.actions
    assert (action.kind, action.subject, action.undo) == (
        "install-python",
        "3.11",
        "uv python uninstall 3.11",
    )
    assert diagnosis.plan.done == ()
    assert not asked.exists()
    assert listener.steps == []


def here(machine):
    return replace(machine("laptop-python39"), is_here=True)


def test_a_step_is_taken_the_machine_looked_at_again_and_the_change_told(machine, listener, uv, capfd):
    asked = uv()
    visit = Visit(checks=checks(), plan=True, mend=True)
    better = replace(machine("laptop-without-nvidia"), is_here=True)
    looks = iter([here(machine), better])
    seen, after = attend(lambda: next(looks), visit, listener)
    assert asked.read_text() == "python install 3.11"
    assert seen is better
    assert after.plan.done == (Done(Action("install-python", "3.11", "uv python uninstall 3.11")),)
    assert "recipe.fits: error, now ok" in after.plan.changed
    assert after.plan.actions == ()
    assert listener.steps == ["download Python 3.11 into the home, with uv"]
    assert capfd.readouterr() == ("", "")


def test_a_visit_mends_only_where_it_is_to(machine, listener, uv):
    asked = uv()
    seen, diagnosis = attend(lambda: here(machine), Visit(checks=checks(), plan=True), listener)
    assert diagnosis.plan.actions
    assert not asked.exists()
    seen, diagnosis = attend(lambda: here(machine), Visit(checks=checks(), plan=True, mend=True), listener)
    assert asked.exists()
    assert len(diagnosis.plan.done) == 1
    assert seen.host.python.version.minor == 9


def test_a_step_that_fails_says_why_and_changes_nothing(machine, listener, uv):
    uv(fails=True)
    visit = Visit(checks=checks(), plan=True, mend=True)
    _, after = attend(lambda: here(machine), visit, listener)
    assert after.plan.done[0].failure == "uv ended with exit code 1: no such host"
    assert after.plan.changed == ()
    assert len(after.plan.actions) == 1


def test_where_no_step_is_ours_nothing_is_done_and_nobody_looks_again(machine, listener):
    looks = iter([replace(machine("rtx5090-proprietary-module"), is_here=True)])
    _, diagnosis = attend(lambda: next(looks), Visit(checks=checks(), plan=True, mend=True), listener)
    assert diagnosis.plan.steps
    assert diagnosis.plan.done == ()


def test_gpus_are_loaded_once_and_the_proof_is_made_again_when_a_step_was_taken(
    machine, listener, uv, monkeypatch
):
    uv()
    tried = []
    monkeypatch.setattr("envcheck.trials.stress.load_gpus", lambda _watch: tried.append("load") or Stress())
    monkeypatch.setattr("envcheck.trials.proof.prove", lambda *_: tried.append("prove") or Proof(recipe=None))
    seen = here(machine)
    seen = replace(seen, host=replace(seen.host, gpus=None))
    visit = Visit(checks=checks(deep=True, stress=True), deep=Terms(), stress=True, plan=True, mend=True)
    attend(lambda: seen, visit, listener)
    assert tried == ["load", "prove", "prove"]


def test_without_uv_no_step_is_ours(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert steps.able() == frozenset()


def test_the_uv_beside_envcheck_will_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    assert steps.able() == {"install-python"}
    assert steps._uv() == (sys.executable, "-m", "uv")  # noqa: SLF001 - how it is started


def test_only_the_steps_of_the_plan_are_taken(listener, uv):
    asked = uv()
    assert steps.take(plan_of(()), listener) == ()
    assert not asked.exists()


def test_every_kind_of_action_can_be_taken():
    assert get_args(get_type_hints(Action)["kind"]) == tuple(steps._TAKE)  # noqa: SLF001


def test_a_gpu_that_is_there_is_no_reason_to_try_without_being_asked(machine, listener, monkeypatch):
    monkeypatch.setattr("envcheck.trials.stress.load_gpus", lambda _watch: pytest.fail("it was started"))
    seen = machine("rtx3090-driver550")
    assert seen.host.gpus
    assert isinstance(seen.host.gpus[0], Gpu)
    attend(lambda: seen, Visit(checks=checks()), listener)
