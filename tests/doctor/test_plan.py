"""The plan: the primary cause's fix first, each once, and which of them envcheck takes itself."""

from __future__ import annotations

import json

from envcheck.doctor.checks.environment import PYTHON_FOR_ALL
from envcheck.doctor.diagnose import diagnose
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.plan import Done, FixPlan, changes, plan_of
from envcheck.documents import to_json
from envcheck.recipes import load_recipes
from envcheck.situation import look
from envcheck.symptoms import Action

ACTION = Action("install-python", "3.11", "uv python uninstall 3.11")
PYTHON = Fix("Install it.", ("uv python install 3.11",), action=ACTION)
DRIVER = Fix("Install the driver.", ("sudo apt install x", "sudo reboot"), needs_root=True, reboot=True)


def finding(identifier, status="error", fix=None, follows_from=None):
    return Finding(identifier, status, f"{identifier} is wrong", fix=fix, follows_from=follows_from)


def test_steps_stand_in_the_order_of_the_findings_and_a_shared_fix_is_one():
    plan = plan_of(
        [
            finding("a", fix=DRIVER),
            finding("b", fix=DRIVER, follows_from="a"),
            finding("c", "warn", fix=PYTHON, follows_from="a"),
            finding("d", "unknown", fix=Fix("Look.")),
            finding("e", "info"),
        ]
    )
    assert [step.findings for step in plan.steps] == [("a", "b"), ("c",), ("d",)]
    assert [step.title for step in plan.steps] == ["a is wrong", "c is wrong", "d is wrong"]
    assert [step.follows_from for step in plan.steps] == [None, "a", None]


def test_what_is_fine_or_does_not_apply_has_no_step():
    assert plan_of([finding("a", "ok", PYTHON), finding("b", "skip", PYTHON)]) == FixPlan(())


def test_a_step_is_envchecks_only_where_it_has_an_action_that_can_be_taken_here():
    same = Fix("Same.", action=ACTION)
    found = [finding("a", fix=DRIVER), finding("b", fix=PYTHON), finding("c", fix=same)]
    able = plan_of(found, {"install-python"})
    assert [step.by_envcheck for step in able.steps] == [False, True, True]
    assert able.actions == (ACTION,)
    assert [step.by_envcheck for step in plan_of(found).steps] == [False] * 3
    assert plan_of(found).actions == ()


def test_what_has_changed_is_told_by_status_and_new_findings_are_none():
    before = [finding("a"), finding("b", "warn"), finding("c", "ok")]
    after = [finding("c", "error"), finding("a", "ok"), finding("b", "warn"), finding("d")]
    assert changes(before, after) == ("c: ok, now error", "a: error, now ok")


def test_the_documents_of_a_plan_have_all_that_a_program_needs():
    plan = plan_of([finding("a", fix=PYTHON)], {"install-python"})
    document = json.loads(to_json(FixPlan(plan.steps, (Done(ACTION, "no room"),), ("a: error, now ok",))))
    (step,) = document["steps"]
    assert step["by_envcheck"] is True
    assert step["fix"]["action"] == {
        "kind": "install-python",
        "subject": "3.11",
        "undo": "uv python uninstall 3.11",
    }
    assert document["done"] == [{"action": step["fix"]["action"], "failure": "no room"}]
    assert document["changed"] == ["a: error, now ok"]


def test_no_action_needs_root_a_reboot_or_ends_work(root):
    acted = set()
    for file in sorted((root / "tests" / "hosts").glob("*.json")):
        seen = look(str(file))
        for one in diagnose(seen.host, seen.choice).findings:
            if one.fix is not None and one.fix.action is not None:
                assert (one.fix.needs_root, one.fix.reboot, one.fix.destructive) == (False, False, False)
                assert one.fix.commands
                acted.add((one.id, one.fix.action.kind, one.fix.action.subject))
    assert ("recipe.fits", "install-python", PYTHON_FOR_ALL) in acted


def test_every_recipe_serves_the_python_that_is_installed_for_all():
    assert all(PYTHON_FOR_ALL in recipe.pythons for recipe in load_recipes())


def test_a_python_is_no_way_out_where_a_driver_is_missing(root):
    seen = look(str(root / "tests" / "hosts" / "rtx5090-proprietary-module.json"))
    (fits,) = (one for one in diagnose(seen.host, seen.choice).findings if one.id == "recipe.fits")
    assert fits.fix.commands == ("envcheck pick",)
    assert fits.fix.action is None
