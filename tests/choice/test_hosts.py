"""Every machine of tests/hosts against expected.yaml beside it, which was written from the facts by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from envcheck.choice.answers import Answer
from envcheck.choice.candidates import Judgement, obstacles
from envcheck.choice.choose import Choice, choose
from envcheck.choice.wishes import Wishes
from envcheck.documents import read_json, read_yaml
from envcheck.host.facts import SCHEMA, Host
from envcheck.recipes import load_recipes

HOSTS = Path(__file__).parent.parent / "hosts"
# Those of the project's list that end in a pick; in the others a container, a folder or a runner decides.
STORIES = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 18, 19, 20}


@dataclass(frozen=True, slots=True)
class Expected:
    why: str
    pick: str | None
    newest: str | None = None
    obstacles: dict[str, str] | None = None
    story: int | None = None
    host: str | None = None
    gpus: tuple[str, ...] | None = None
    torch: str | None = None
    exact: str | None = None
    nearest: str | None = None


EXPECTED = read_yaml(HOSTS / "expected.yaml", dict[str, Expected])
RECIPES = load_recipes()
ENTRIES = pytest.mark.parametrize("entry", EXPECTED)


@pytest.fixture(scope="module")
def chosen():
    """The choice for an entry, made once."""
    made: dict[str, Choice] = {}

    def choice(entry: str) -> Choice:
        if entry not in made:
            expected = EXPECTED[entry]
            host = read_json(HOSTS / f"{expected.host or entry}.json", Host, schema=SCHEMA)
            wishes = Wishes(gpus=expected.gpus, torch=SpecifierSet(expected.torch or ""))
            made[entry] = choose(host, RECIPES, wishes)
        return made[entry]

    return choice


def test_every_machine_has_its_expectation_and_there_are_enough():
    machines = {file.stem for file in HOSTS.glob("*.json")}
    assert {one.host or entry for entry, one in EXPECTED.items()} == machines
    assert len(machines) >= 60


def test_every_story_that_ends_in_a_pick_is_among_them():
    assert {one.story for one in EXPECTED.values()} - {None} == STORIES


@ENTRIES
def test_the_recipe_that_is_picked(chosen, entry):
    assert chosen(entry).recipe == EXPECTED[entry].pick


@ENTRIES
def test_the_official_builds_that_are_named(chosen, entry):
    expected = EXPECTED[entry]
    found = {one.kind: _name(one) for one in chosen(entry).answers}
    asked = {"exact": expected.exact, "nearest": expected.nearest, "newest": expected.newest}
    for kind, build in asked.items():
        if build is not None:
            assert found.get(kind, "none") == build


@ENTRIES
def test_what_stands_in_the_way(chosen, entry):
    judged = {one.recipe: one for one in chosen(entry).verdicts}
    for recipe, rules in (EXPECTED[entry].obstacles or {}).items():
        names = [one.name for one in RECIPES if one.cuda] if recipe == "every" else [recipe]
        for name in names:
            assert set(rules.split()) <= _in_the_way(judged[name]), name


def _name(answer: Answer) -> str:
    return f"{answer.torch} {answer.tag}" if answer.torch else "none"


def _in_the_way(judged: Judgement) -> set[str]:
    """Return the rules, those that miss a fact with a "?"."""
    missing = {"refused": "", "unknown": "?"}
    return {f"{one.rule}{missing[one.verdict]}" for one in obstacles(judged)}
