from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.version import Version

from envcheck.audit import written
from envcheck.recipes import Base, Pin, Tried, load_recipe, load_recipes, read_lock

OLD = load_recipe("torch2.0-cu117")
LOCK = OLD.lock_for("3.11")
PINS = read_lock(LOCK)
DIGEST = "a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b"


def _with(name, version):
    return tuple(replace(pin, version=version) if pin.name == name else pin for pin in PINS)


def _without(name):
    return tuple(pin for pin in PINS if pin.name != name)


@pytest.mark.parametrize("recipe", load_recipes(), ids=lambda recipe: recipe.name)
def test_every_shipped_recipe_and_lock_passes_what_can_be_read_off_it(recipe):
    results = [written.base_image(recipe), written.container(recipe), written.locks(recipe)]
    results.append(written.addresses(recipe.file))
    for seen in recipe.machines():
        for python in seen.pythons:
            pins = read_lock(seen.lock_for(python))
            results.append(written.addresses(seen.lock_for(python)))
            results += [
                written.pinned(seen.lock_for(python), pins),
                written.versions(seen, pins),
                written.numpy(seen, pins),
            ]
    assert {result.because for result in results if result.state != "passed"} == set()


@pytest.mark.parametrize("digest", ["", "latest", DIGEST, f"sha256:{DIGEST[1:]}", f"sha256:{DIGEST.upper()}"])
def test_a_base_image_without_a_digest_fails(digest):
    assert written.base_image(replace(OLD, base=Base("python:3.11", digest))).state == "failed"


def test_a_recipe_without_a_lock_for_its_container_is_not_verified():
    result = written.container(replace(OLD, container_python="3.12"))
    assert result.state == "not verified"
    assert "3.12" in result.because


def test_a_lock_that_is_spoken_of_and_not_there_fails():
    result = written.locks(replace(OLD, checked={**OLD.checked, "3.12": Tried("installed")}))
    assert result.state == "failed"
    assert "3.12" in result.because


def test_a_lock_that_nobody_speaks_of_is_not_verified():
    result = written.locks(replace(OLD, checked={"3.10": Tried("resolved"), "3.11": Tried("no")}))
    assert result.state == "not verified"
    assert "3.11" in result.because


def test_a_recipe_without_any_lock_fails():
    nobody = replace(OLD.build, pythons=())
    assert written.locks(replace(OLD, builds=(nobody,), build=nobody, checked={})).state == "failed"


@pytest.mark.parametrize(
    "line",
    [
        "torch==2.0.1 @ https://mirror/simple",
        "# from file:/wheels",
        "--index-url mirror",
        "--extra-index-url=mirror",
        "-i mirror",
        "-f wheels",
        "--find-links wheels",
        "note: as wheels.example.com says",
        "files.mirror.net has it",
        "git+ssh://somewhere",
        "user:secret@mirror.local/simple",
    ],
)
def test_an_address_is_found_wherever_it_stands(tmp_path, line):
    file = tmp_path / "lock.txt"
    file.write_text(f"# a lock\n{line}\n", encoding="utf-8")
    result = written.addresses(file)
    assert result.state == "failed"
    assert "lock.txt:2" in result.because


@pytest.mark.parametrize("line", ["see pose.in and torch.yaml", "numpy==1.26.4 --hash=sha256:00", "a.b-i c"])
def test_file_names_versions_and_hashes_are_no_addresses(tmp_path, line):
    file = tmp_path / "lock.txt"
    file.write_text(line, encoding="utf-8")
    assert written.addresses(file).state == "passed"


def test_a_package_that_is_pinned_twice_fails_under_either_spelling():
    result = written.pinned(LOCK, (*PINS, Pin("Typing_Extensions", "4.0", "0" * 64)))
    assert result.state == "failed"
    assert "typing-extensions" in result.because


def test_a_lock_that_lost_a_pin_since_it_was_made_fails():
    result = written.pinned(LOCK, PINS[1:])
    assert result.state == "failed"
    assert f"made with {len(PINS)} pins, and has {len(PINS) - 1}" in result.because


def test_a_lock_that_does_not_say_how_many_pins_it_has_is_not_verified(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text("".join(f"{pin.line}\n" for pin in PINS), encoding="utf-8")
    assert written.pinned(lock, PINS).state == "not verified"


def test_a_pin_at_no_version_fails():
    assert written.pinned(LOCK, _with("numpy", "latest")).state == "failed"


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        (_without("torch"), "torch is not in the lock"),
        (_with("torch", "2.0.0"), "the lock has 2.0.0"),
        (_with("numpy", "2.1.0"), "asks for numpy<2"),
        (_with("opencv-python-headless", "5.0.0"), "asks for opencv-python-headless<5"),
    ],
)
def test_a_pin_outside_the_recipes_bounds_fails(pins, said):
    result = written.versions(OLD, pins)
    assert result.state == "failed"
    assert said in result.because


def test_a_bound_that_cannot_be_read_fails():
    assert written.versions(replace(OLD, constraints=("-r more.txt",)), PINS).state == "failed"


def test_numpy_2_fails_for_a_torch_that_was_compiled_for_numpy_1_whatever_the_recipe_allows():
    free = replace(OLD, constraints=())
    result = written.numpy(free, _with("numpy", "2.1.0"))
    assert result.state == "failed"
    assert "compiled for numpy<2" in result.because
    new = load_recipe("torch2.7-cu126")
    assert new.torch > Version("2.3")
    assert written.numpy(new, _with("numpy", "2.1.0")).state == "passed"


def test_a_lock_without_numpy_fails():
    assert written.numpy(OLD, _without("numpy")).state == "failed"
