from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from envcheck.audit.audit import Audit, Means, audit
from envcheck.compat.tables import build_of
from envcheck.documents import to_json
from envcheck.environments.author import Wanted, add
from envcheck.recipes import load_recipe
from tests.wheels import BESIDE_NUMPY, make_wheel


@pytest.fixture
def mine(index, tmp_path, listener):
    make_wheel(index, "torch-2.0.1-cp311-cp311-manylinux1_x86_64.whl")
    for name in ("numpy", *BESIDE_NUMPY, "yacs"):
        make_wheel(index, f"{name}-1.0-py3-none-any.whl")
    file = add(
        build_of(Version("2.0.1"), "cu117"), Wanted((Requirement("yacs"),)), tmp_path / "mine", listener
    )
    return load_recipe(str(file))


def _states(checks, lock):
    return {check.check: check.state for check in checks if check.lock == lock}


def test_what_add_writes_passes_every_check_that_can_be_made_of_it(mine, tmp_path, listener):
    checks = audit(mine, Means(tmp_path, listener, online=True))
    assert _states(checks, "") == dict.fromkeys(("base image", "container", "locks", "addresses"), "passed")
    assert _states(checks, "3.11") == {
        **dict.fromkeys(("pins", "addresses", "versions", "numpy", "complete"), "passed"),
        **dict.fromkeys(("wheel", "environment"), "not verified"),
    }


def test_without_an_index_completeness_is_not_verified(mine, tmp_path, listener):
    checks = audit(mine, Means(tmp_path, listener, online=False))
    assert _states(checks, "3.11")["complete"] == "not verified"
    assert not Audit(checks=checks).fails


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        (" --hash=sha256:", " --hash=md5:", "pins"),
        ("yacs==1.0 ", "yacs>=1.0 ", "pins"),
        ("yacs==1.0 ", "# yacs==1.0 ", "pins"),
        ("# Recipe", "# https://mirror/simple", "addresses"),
        ("numpy==1.0", "numpy==2.0", "numpy"),
    ],
)
def test_a_lock_that_was_changed_by_hand_fails(mine, tmp_path, listener, old, new, check):
    lock = mine.lock_for("3.11")
    lock.write_text(lock.read_text().replace(old, new), encoding="utf-8")
    found = Audit(checks=audit(mine, Means(tmp_path, listener, online=False)))
    assert _states(found.checks, "3.11")[check] == "failed"
    assert found.fails
    assert '"schema": "envcheck.audit/1"' in to_json(found)


def test_each_lock_of_each_machine_has_its_own_checks(tmp_path, listener):
    checks = audit(load_recipe("torch2.15-cu132"), Means(tmp_path, listener, online=False))
    locks = [f"3.{minor}{machine}" for machine in ("", " aarch64") for minor in range(11, 16)]
    assert list(dict.fromkeys(check.lock for check in checks)) == ["", *locks]
